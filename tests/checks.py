"""What several tests use: checks that every layer passes, and bad maps."""

import os
import tempfile

import keras
import numpy as np
import pytest

from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths


def check_layer(layer, x):
    """Shape, config, saving, training, mixed precision and an unknown batch dimension.

    Args:
        layer: `keras.Layer`, not yet called, with arguments that are not the
            defaults.
        x: float32 array, a batch of at least 2.
    """
    expected = np.asarray(layer(x))
    assert expected.shape == tuple(layer.compute_output_shape(x.shape))

    config = keras.saving.serialize_keras_object(layer)
    twin = keras.saving.deserialize_keras_object(config)
    assert type(twin) is type(layer)
    assert twin.get_config() == layer.get_config()

    model = _around(layer, x)
    assert model.output_shape == (None, *expected.shape[1:])
    assert model(x[:1]).shape == (1, *expected.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        model.save(path)
        loaded = keras.saving.load_model(path)
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-6, atol=1e-6)

    _check_training_step(config, x, expected)
    _check_mixed_precision(config, x, expected)


def _around(layer, x):
    """A functional model with the layer between two whose output is the layer's own."""
    inputs = keras.Input(x.shape[1:])
    outputs = layer(keras.layers.Activation("linear")(inputs))
    return keras.Model(inputs, keras.layers.Activation("linear")(outputs))


def _check_training_step(config, x, expected):
    layer = keras.saving.deserialize_keras_object(config)
    inputs = keras.Input(x.shape[1:])
    before = keras.layers.Dense(x.shape[-1], kernel_initializer="identity")
    model = keras.Model(inputs, layer(before(inputs)))
    model.compile("sgd", "mse")
    model.train_on_batch(x, expected + 1)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    assert not np.array_equal(before.get_weights()[0], np.eye(x.shape[-1]))


def _check_mixed_precision(config, x, expected):
    """The policy is global, as users set it; the layer's own in `config` is dropped."""
    config = {**config, "config": {**config["config"], "dtype": None}}
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = _around(keras.saving.deserialize_keras_object(config), x)
        assert model.output.dtype == "bfloat16"
        got = model(x)
        assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
        assert all(weights.dtype == "float32" for weights in model.weights)
    finally:
        keras.config.set_dtype_policy(policy)
    got = np.asarray(keras.ops.cast(got, "float32"))
    np.testing.assert_allclose(got, expected, rtol=0.05, atol=0.05)


def check_same(first, second, x):
    """Two layers with the same weights give the same outputs and gradients.

    Args:
        first, second: `keras.Layer`, not yet built.
        x: float32 array, a batch.
    """
    import tensorflow as tf

    x = tf.constant(x)
    found = []
    for layer in (first, second):
        layer.build(x.shape)
        random = np.random.default_rng(1)
        layer.set_weights([random.normal(size=w.shape) for w in layer.weights])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**2)
        found.append([y, *tape.gradient(loss, [x, *(w.value for w in layer.weights)])])
        assert tuple(y.shape) == tuple(layer.compute_output_shape(x.shape))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


NOT_MAPS = [
    np.zeros((0, 4)),
    np.zeros(4),
    np.zeros((4, 4, 3)),
    np.zeros((1, 4, 4, 1)),
    np.array(3.0),
    np.array([[1.0, np.nan]]),
    np.array([[1.0, np.inf]]),
    np.array([[1.0, -np.inf]]),
    np.array([[1j, 0]]),
    np.array([["a", "b"]]),
    np.array([[None, 1]]),
]


def peaked(size=(60, 80), sigma=5.0, uniform=0.01):
    y, x = np.mgrid[: size[0], : size[1]]
    center = (0.4 * size[0], 0.6 * size[1])
    peak = np.exp(-((y - center[0]) ** 2 + (x - center[1]) ** 2) / (2 * sigma**2))
    return ((1 - uniform) * peak / peak.sum() + uniform / peak.size)[..., None]


def refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def truth_of(size, seed=0, protocol="mit", count=20):
    """A truth of random fixations, with others and a baseline."""
    random = np.random.default_rng(seed)
    examples = [
        Example(f"{i}.png", size, random.uniform(0, [size[1] - 1, size[0] - 1], (count, 2)))
        for i in range(12)
    ]
    return Truths(examples, protocol, 3.0).of(0)
