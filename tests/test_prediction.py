"""Saliency maps come at each stimulus' own size, in the stimuli's order."""

import keras
import numpy as np
import pytest

from keras_saliency import models, pipeline, prediction

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
