"""Doubling and convolution in one: the numbers and the gradients of Keras' two layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_saliency.errors import InputError
from keras_saliency.layers import UpsampledConv2D


def both(size=(5, 7), **options):
    """Keras' two layers and ours, with the same weights."""
    inputs = (*size, 3)
    plain = keras.Sequential(
        [keras.Input(inputs), layers.UpSampling2D(), layers.Conv2D(4, 3, padding="same", **options)]
    )
    ours = keras.Sequential([keras.Input(inputs), UpsampledConv2D(4, **options)])
    random = np.random.default_rng(1)
    weights = [random.normal(size=w.shape).astype("float32") for w in plain.get_weights()]
    plain.set_weights(weights)
    ours.set_weights(weights)
    return plain, ours


def values(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 6), (8, 8), (None, None)])
@pytest.mark.parametrize("options", [{}, {"activation": "relu"}, {"use_bias": False}])
def test_the_map_is_that_of_two_layers(size, options):
    plain, ours = both(size, **options)
    x = values(2, *(side or 6 for side in size), 3)
    np.testing.assert_allclose(ours(x), plain(x), atol=1e-5)
    assert ours.output_shape == plain.output_shape


def test_so_are_the_gradients():
    plain, ours = both(activation="tanh")
    x, wanted = tf.constant(values(2, 5, 7, 3)), values(2, 10, 14, 4)
    found = []
    for model in (plain, ours):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(wanted * model(x))
        found.append(tape.gradient(loss, [x, *[v.value for v in model.trainable_variables]]))
    for expected, gradient in zip(*found, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)


# A processor's transposed convolution adds up in float16 itself.
@pytest.mark.parametrize(("precision", "factor"), [("bfloat16", 1.1), ("float16", 2)])
def test_reduced_precision_is_as_near(precision, factor):
    # Sums of kernels that were rounded before would be 1.3 times as far.
    exact, _ = both()
    keras.config.set_dtype_policy(f"mixed_{precision}")
    plain, ours = both()
    keras.config.set_dtype_policy("float32")
    x = values(8, 16, 20, 3)
    assert ours(x).dtype == precision
    far = [np.std(tf.cast(model(x), "float32") - exact(x)) for model in (plain, ours)]
    assert far[1] < factor * far[0]


def test_a_saved_layer_comes_back(tmp_path):
    _, ours = both(activation="relu", kernel_regularizer=keras.regularizers.L2(0.1))
    ours.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    assert type(again.layers[0]) is UpsampledConv2D
    np.testing.assert_array_equal(again(values(2, 5, 7, 3)), ours(values(2, 5, 7, 3)))
    assert float(again.losses[0]) > 0


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5}, {"strides": 2}, {"dilation_rate": 2}, {"padding": "valid"},
        {"groups": 2}, {"data_format": "channels_first"},
    ],
)  # fmt: skip
def test_what_is_fixed_is_not_taken(options):
    with pytest.raises(InputError, match="3x3 kernel"):
        UpsampledConv2D(4, **options)
