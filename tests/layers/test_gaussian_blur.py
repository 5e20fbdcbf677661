import keras
import numpy as np
import pytest
from checks import check_layer
from scipy import ndimage

from keras_saliency.layers import GaussianBlur

X = np.random.default_rng(0).random((2, 9, 13, 3), "float32")
SCIPY = {"reflect": "reflect", "edge": "nearest", "zero": "constant"}
every_padding = pytest.mark.parametrize("padding", SCIPY)


def by_scipy(x, sigma, padding):
    return ndimage.gaussian_filter(x, (0, sigma, sigma, 0), mode=SCIPY[padding])


@pytest.mark.parametrize("settings", [{"sigma": 1.5, "padding": "edge"}, {"sigma": 0}])
def test_gaussian_blur_is_a_layer(settings):
    check_layer(GaussianBlur(**settings), X)


@every_padding
@pytest.mark.parametrize("sigma", [0.1, 0.6, 1.0, 2.5])
def test_matches_scipy(padding, sigma):
    np.testing.assert_allclose(
        GaussianBlur(sigma, padding)(X), by_scipy(X, sigma, padding), atol=1e-5
    )


@every_padding
@pytest.mark.parametrize("sigma", [4.0, 11.3])
def test_a_kernel_wider_than_the_map_matches_scipy(padding, sigma):
    np.testing.assert_allclose(
        GaussianBlur(sigma, padding)(X), by_scipy(X, sigma, padding), atol=1e-5
    )


@every_padding
@pytest.mark.parametrize("size", [(9, 13), (1, 1), (20, 4)])
def test_height_and_width_may_be_unknown(padding, size):
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, GaussianBlur(2.0, padding)(inputs))
    assert model.output_shape == (None, None, None, 2)
    x = np.random.default_rng(1).random((3, *size, 2), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), by_scipy(x, 2.0, padding), atol=1e-5)


@pytest.mark.parametrize("padding", ["reflect", "edge"])
def test_a_flat_map_stays_flat(padding):
    flat = np.ones((1, 8, 8, 1), "float32")
    np.testing.assert_allclose(GaussianBlur(3.0, padding)(flat), flat, rtol=1e-5)


def test_zero_padding_darkens_the_border():
    blurred = np.asarray(GaussianBlur(2.0, "zero")(np.ones((1, 32, 32, 1), "float32")))
    assert blurred[0, 16, 16, 0] == pytest.approx(1, abs=1e-3)
    assert blurred[0, 0, 0, 0] < 0.5


def test_reflecting_keeps_the_sum():
    np.testing.assert_allclose(np.sum(GaussianBlur(3.0)(X), axis=(1, 2)), X.sum((1, 2)), rtol=1e-4)


def test_sigma_zero_changes_nothing():
    np.testing.assert_array_equal(GaussianBlur(0)(X), X)


def test_blurring_half_precision_is_done_in_float32():
    x = keras.ops.cast(X, "bfloat16")
    got = keras.ops.cast(GaussianBlur(2.0, dtype="bfloat16")(x), "float32")
    expected = by_scipy(np.asarray(keras.ops.cast(x, "float32")), 2.0, "reflect")
    # One rounding at the end: half of bfloat16's last place.
    np.testing.assert_allclose(got, expected, rtol=2.0**-8)


@pytest.mark.parametrize("sigma", [0, 2.0])
def test_a_float32_layer_after_bfloat16_ones_gives_float32(sigma):
    inputs = keras.Input(X.shape[1:])
    half = keras.layers.Activation("linear", dtype="mixed_bfloat16")(inputs)
    model = keras.Model(inputs, GaussianBlur(sigma, dtype="float32")(half))
    assert model.output.dtype == "float32"
    assert model(X).dtype == "float32"


def test_sigma_must_not_be_negative():
    with pytest.raises(ValueError, match=r"`sigma` .*Received: sigma=-1"):
        GaussianBlur(-1)


def test_padding_must_be_known():
    with pytest.raises(ValueError, match=r"`padding` .*Received: padding=same"):
        GaussianBlur(1, padding="same")
