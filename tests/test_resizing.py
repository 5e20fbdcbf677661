"""The resize in NumPy is TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import pipeline, resizing

SIZES = [
    ((600, 800), (192, 256)),
    ((48, 48), (600, 800)),
    ((100, 300), (192, 256)),
    ((333, 517), (144, 256)),
    ((1, 1), (5, 7)),
    ((7, 5), (1, 1)),
    ((37, 41), (37, 41)),
    ((40, 1000), (41, 3)),
]


@pytest.mark.parametrize(("size", "new_size"), SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_tensorflows(size, new_size, channels):
    picture = np.random.default_rng(0).integers(0, 256, (*size, channels)).astype("uint8")
    found = resizing.resize(picture, new_size)
    expected = tf.image.resize(picture, new_size, method="bilinear", antialias=True).numpy()
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=5e-3)
    np.testing.assert_allclose(found, pipeline.resize(picture, new_size), atol=5e-3)


@pytest.mark.parametrize(("size", "new_size"), SIZES)
def test_a_constant_stays_what_it_is(size, new_size):
    found = resizing.resize(np.full((*size, 3), 200, "uint8"), new_size)
    np.testing.assert_allclose(found, 200, rtol=1e-6)
    assert (resizing.as_stimulus(np.full((*size, 3), 200, "uint8"), new_size) == 200).all()


def test_gray_levels_are_those_that_an_exported_model_sees():
    picture = np.random.default_rng(1).integers(0, 256, (600, 800, 3)).astype("uint8")
    differ = resizing.as_stimulus(picture, (192, 256)) != pipeline.as_stimulus(picture, (192, 256))
    assert np.mean(differ) < 1e-4  # at ties
