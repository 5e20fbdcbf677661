"""Many pictures are predicted while others are read and written."""

import itertools
import threading
import time

import numpy as np
import pytest
from red_networks import Picture, Red

from keras_saliency import prediction, resizing
from keras_saliency.errors import InputError


@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_each_picture_is_written_as_its_map_is_made(fit):
    random = np.random.default_rng(0)
    sizes = [(9 + i, 14) for i in range(11)]
    given = [
        Picture(i, pixels=random.integers(0, 256, (*size, 3)).astype("uint8"))
        for i, size in enumerate(sizes)
    ]
    found = {}

    def write(picture, saliency_map, size):
        found[picture] = resizing.resize(saliency_map, size)

    done = list(prediction.each(Red(), given, write, fit, batch_size=4))
    assert done == [(picture, None) for picture in given]
    expected = prediction.saliency_maps(Red(), [picture.pixels for picture in given], fit=fit)
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


def test_a_picture_that_the_reference_does_not_take_is_told():
    given = [Picture(0, pixels=np.zeros((1, 65536, 3), "uint8")), Picture(1)]
    done = dict(prediction.each(Red(), given, lambda *_: None, "reference"))
    assert "0.jpg: the reference" in str(done[given[0]]) and done[given[1]] is None


def test_pictures_that_cannot_be_read_are_told_before_all_are_tried():
    tried = []

    def pictures():
        for i in itertools.count():
            tried.append(i)
            yield Picture(i, pixels=InputError("bad"))

    done = prediction.each(Red(), pictures(), lambda *_: None, batch_size=4)
    for _ in range(4):
        next(done)
    done.close()
    assert len(tried) <= 8
