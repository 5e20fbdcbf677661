"""Saliency maps come at each stimulus' own size, in the stimuli's order."""

import itertools
import threading
import time

import keras
import numpy as np
import pytest

from keras_saliency import models, pipeline, prediction, resizing
from keras_saliency.errors import InputError

SIZE = (8, 12)


@pytest.fixture
def red():
    """A network whose saliency map is the stimulus' red channel, 0-1."""
    inputs = keras.Input((*SIZE, 3))
    red = keras.layers.Lambda(lambda x: x[..., :1] / 255.0, output_shape=(*SIZE, 1))(inputs)
    return keras.Model(inputs, red)


def stimulus(height, width, red):
    picture = np.zeros((height, width, 3), "uint8")
    picture[..., 0] = red
    picture[..., 1] = 77
    return picture


def test_sizes_may_be_mixed(red):
    sizes = [(30, 50), (8, 12), (5, 4), (30, 50), (1, 1)]
    stimuli = [stimulus(*size, 40 * i) for i, size in enumerate(sizes)]
    found = list(prediction.saliency_maps(red, stimuli, batch_size=2))
    assert [one.shape for one in found] == [(*size, 1) for size in sizes]
    assert {one.dtype for one in found} == {np.dtype("float32")}
    for i, one in enumerate(found):
        np.testing.assert_allclose(one, 40 * i / 255, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 20])
def test_the_batch_size_does_not_matter(red, batch_size):
    rng = np.random.default_rng(0)
    stimuli = [rng.integers(0, 256, (9 + i, 14, 3)).astype("uint8") for i in range(7)]
    one_by_one = list(prediction.saliency_maps(red, stimuli, batch_size=1))
    together = list(prediction.saliency_maps(red, stimuli, batch_size=batch_size))
    assert len(together) == 7
    for first, second in zip(one_by_one, together, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_map_lies_over_its_stimulus(red):
    ramp = stimulus(40, 60, np.linspace(0, 255, 60)[None].round())
    found = next(prediction.saliency_maps(red, [ramp]))
    np.testing.assert_allclose(found[..., 0], ramp[..., 0] / 255, atol=0.05)
    np.testing.assert_allclose(found[10:30, 10:50, 0], ramp[10:30, 10:50, 0] / 255, atol=0.01)


def test_a_stimulus_of_the_networks_size_is_not_resized(red):
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype("uint8")
    found = next(prediction.saliency_maps(red, [noise]))
    np.testing.assert_allclose(found, noise[..., :1] / 255, atol=1e-6)


def test_the_network_sees_what_it_saw_in_training():
    inputs = keras.Input((*SIZE, 3))
    seen = keras.Model(inputs, keras.layers.Lambda(lambda x: x, output_shape=(*SIZE, 3))(inputs))
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype("uint8")
    found = next(prediction.saliency_maps(seen, [noise]))
    expected = pipeline.resize(pipeline.as_stimulus(noise, SIZE), (20, 30))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_stimuli_are_read_one_batch_at_a_time(red):
    read = []

    def stimuli():
        for i in range(6):
            read.append(i)
            yield stimulus(10, 10, i)

    found = prediction.saliency_maps(red, stimuli(), batch_size=2)
    assert read == []
    next(found)
    assert read == [0, 1]
    next(found), next(found)
    assert read == [0, 1, 2, 3]


def test_no_stimuli_give_no_maps(red):
    assert list(prediction.saliency_maps(red, [])) == []


def test_frozen_predicts_alike_and_does_not_change_any_more():
    model = models.JuntingNet(input_shape=(32, 40, 3), batch_norm=True, initializer="glorot")
    frozen = prediction.Frozen(models.post_processed(model))
    stimuli = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 3)).astype("uint8")
    expected = list(prediction.saliency_maps(models.post_processed(model), stimuli))
    model.get_layer("fc2").kernel.assign(np.zeros((320, 320)))
    for found, wanted in zip(prediction.saliency_maps(frozen, stimuli), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_letterboxed_map_lies_over_its_stimulus(red):
    ramp = stimulus(60, 40, np.linspace(0, 255, 60)[:, None].round())
    (stretched,), (boxed,) = (
        list(prediction.saliency_maps(red, [ramp], fit=fit)) for fit in ("stretch", "letterbox")
    )
    assert boxed.shape == (60, 40, 1)
    assert not np.array_equal(stretched, boxed)
    np.testing.assert_allclose(boxed[10:50, ..., 0], ramp[10:50, :, 0] / 255, atol=0.05)


class Red:
    """As `red`, but NumPy's; remembers the batches."""

    input_shape = (None, *SIZE, 3)

    def __init__(self, before=lambda: None):
        self.batches, self.before = [], before

    def predict_on_batch(self, stimuli):
        self.before()
        self.batches.append(len(stimuli))
        assert stimuli.dtype == np.float32
        return stimuli[..., :1] / 255


class Picture:
    """Of one color; `pixels` may be an error to raise."""

    def __init__(self, number, size=(9, 14), pixels=None):
        self.path = self.name = f"{number}.jpg"
        self.pixels = stimulus(*size, number) if pixels is None else pixels
        self.was_read = threading.Event()

    def read(self):
        self.was_read.set()
        if isinstance(self.pixels, Exception):
            raise self.pixels
        return self.pixels


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_each_picture_is_written_as_its_map_is_made(red, fit):
    random = np.random.default_rng(0)
    sizes = [(9 + i, 14) for i in range(11)]
    given = [
        Picture(i, pixels=random.integers(0, 256, (*size, 3)).astype("uint8"))
        for i, size in enumerate(sizes)
    ]
    found = {}

    def write(picture, saliency_map, size):
        found[picture] = resizing.resize(saliency_map, size)

    done = list(prediction.each(red, given, write, fit, batch_size=4))
    assert done == [(picture, None) for picture in given]
    expected = prediction.saliency_maps(red, [picture.pixels for picture in given], fit=fit)
    for picture, wanted in zip(given, expected, strict=True):
        np.testing.assert_allclose(found[picture], wanted, atol=1e-6)


def test_unreadable_pictures_are_told_and_keep_their_places_in_the_batches():
    bad = {1, 2, 5, 16, 17, 18, 19}
    given = [Picture(i, pixels=InputError(f"bad {i}") if i in bad else None) for i in range(22)]
    model, written = Red(), {}

    def write(picture, saliency_map, _):
        written[picture] = saliency_map.max()

    done = dict(prediction.each(model, given, write, batch_size=4))
    assert {p.name for p, error in done.items() if error} == {f"{i}.jpg" for i in bad}
    assert str(done[given[5]]) == "bad 5"
    assert len(done) == 22 and set(written) == {p for p, error in done.items() if not error}
    for i, picture in enumerate(given):
        assert picture not in written or written[picture] == np.float32(i) / 255
    assert model.batches == [4, 4, 4, 4, 2]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_only_unreadable_pictures(count):
    given = [Picture(i, pixels=InputError("bad")) for i in range(count)]
    model = Red()
    assert len(list(prediction.each(model, given, lambda *_: None, batch_size=2))) == count
    assert model.batches == []


def test_reading_and_writing_go_on_beside_the_network():
    """The network waits for the next batch to be read, and writing for the network's next."""
    given = [Picture(i) for i in range(6)]
    began, seen = [threading.Event() for _ in range(3)], []

    def before():
        number = len(model.batches)
        began[number].set()
        seen.extend(p.was_read.wait(20) for p in given[2 * number + 2 : 2 * number + 4])

    def write(picture, *_):
        number = given.index(picture) // 2
        seen.append(number == 2 or began[number + 1].wait(20))

    model = Red(before)
    list(prediction.each(model, given, write, batch_size=2))
    assert model.batches == [2, 2, 2] and len(seen) == 10 and all(seen)


def test_only_a_few_pictures_are_under_way():
    taken, written, most = [0], [0], [0]

    def pictures():
        for i in range(60):
            taken[0] += 1
            most[0] = max(most[0], taken[0] - written[0])
            yield Picture(i)

    def write(*_):
        time.sleep(0.01)
        written[0] += 1

    for _ in prediction.each(Red(), pictures(), write, batch_size=3):
        pass
    assert written[0] == 60
    assert most[0] <= 5 * 3


def test_a_map_that_cannot_be_written_for_its_picture_is_told():
    def write(picture, *_):
        if picture.name == "3.jpg":
            raise InputError("no")

    done = prediction.each(Red(), [Picture(i) for i in range(6)], write, batch_size=2)
    assert [picture.name for picture, error in done if error] == ["3.jpg"]


def test_a_full_disk_ends_it():
    def write(picture, *_):
        if picture.name == "3.jpg":
            raise OSError(28, "No space left on device")

    read = []

    def pictures():
        for i in range(100):
            read.append(i)
            yield Picture(i)

    done = []
    with pytest.raises(OSError, match="No space"):
        done.extend(prediction.each(Red(), pictures(), write, batch_size=2))
    assert len(read) < 20


def test_who_stops_listening_is_not_waited_for():
    done = prediction.each(Red(), (Picture(i) for i in itertools.count()), lambda *_: None)
    assert next(done)[1] is None
    done.close()


def test_a_network_without_numbers_is_told():
    class Broken(Red):
        def predict_on_batch(self, stimuli):
            maps = super().predict_on_batch(stimuli)
            maps[1] = np.nan
            return maps

    written = []
    done = prediction.each(
        Broken(), [Picture(i) for i in range(3)], lambda p, *_: written.append(p)
    )
    errors = [error for _, error in done]
    assert [error is None for error in errors] == [True, False, True]
    assert "1.jpg" in str(errors[1]) and "finite" in str(errors[1])
    assert len(written) == 2
