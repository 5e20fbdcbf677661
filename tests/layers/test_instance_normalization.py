import keras
import numpy as np
import pytest
from checks import check_layer

from keras_saliency.layers import InstanceNormalization

X = np.random.default_rng(0).normal(3, 2, (2, 6, 7, 4)).astype("float32")


def by_numpy(x, epsilon):
    axes = tuple(range(1, x.ndim - 1))
    x = x.astype("float64")
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize(
    "settings", [{"epsilon": 1e-5, "center": False}, {"scale": False, "epsilon": 0.1}]
)
def test_instance_normalization_is_a_layer(settings):
    check_layer(InstanceNormalization(**settings), X)


@pytest.mark.parametrize("shape", [(2, 6, 7, 4), (2, 42, 4), (3, 2, 4, 7, 2)])
@pytest.mark.parametrize("epsilon", [1e-3, 0.5])
def test_matches_numpys_moments(shape, epsilon):
    x = X.ravel()[: np.prod(shape)].reshape(shape)
    got = InstanceNormalization(epsilon=epsilon)(x)
    np.testing.assert_allclose(got, by_numpy(x, epsilon), atol=1e-5)


def test_gamma_and_beta_are_applied_to_their_channels():
    layer = InstanceNormalization()
    layer.build(X.shape)
    gamma, beta = np.arange(1.0, 5.0), np.array([0.0, -1, 5, 2])
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(X), by_numpy(X, 1e-3) * gamma + beta, atol=1e-4)


@pytest.mark.parametrize(("center", "scale"), [(True, True), (True, False), (False, False)])
def test_it_learns_an_offset_and_a_factor_if_asked(center, scale):
    layer = InstanceNormalization(center=center, scale=scale)
    layer.build(X.shape)
    assert [w.shape for w in layer.weights] == [(4,)] * (center + scale)


def test_pictures_do_not_touch_each_other():
    together = np.asarray(InstanceNormalization()(X))
    alone = np.asarray(InstanceNormalization()(X[1:]))
    np.testing.assert_allclose(together[1:], alone, atol=1e-6)


def test_training_changes_nothing():
    layer = InstanceNormalization()
    np.testing.assert_array_equal(layer(X, training=True), layer(X, training=False))


def test_a_flat_channel_becomes_zero():
    assert not np.any(InstanceNormalization()(np.full((1, 4, 4, 2), 7.0, "float32")))


def test_half_precision_moments_are_taken_in_float32():
    far = X + 1000  # bfloat16 has 8 bits: 1000 and 1003 are the same
    layer = InstanceNormalization(dtype="mixed_bfloat16")
    half = keras.ops.cast(far, "bfloat16")
    expected = by_numpy(np.asarray(keras.ops.cast(half, "float32")), 1e-3)
    np.testing.assert_allclose(keras.ops.cast(layer(half), "float32"), expected, atol=0.05)


def test_height_and_width_may_be_unknown():
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, InstanceNormalization()(inputs))
    assert model.output_shape == (None, None, None, 4)
    np.testing.assert_allclose(model(X), by_numpy(X, 1e-3), atol=1e-5)


def test_configs_of_tensorflow_addons_load():
    config = {
        "name": "instance_normalization", "trainable": True, "dtype": "float32", "groups": -1,
        "axis": -1, "epsilon": 1e-5, "center": True, "scale": False,
        "beta_initializer": {"class_name": "Zeros", "config": {}},
        "gamma_initializer": {"class_name": "Ones", "config": {}},
        "beta_regularizer": None, "gamma_regularizer": None,
        "beta_constraint": None, "gamma_constraint": None,
    }  # fmt: skip
    registered = keras.saving.get_registered_object("Addons>InstanceNormalization")
    assert registered is InstanceNormalization
    layer = registered.from_config(config)
    assert (layer.epsilon, layer.center, layer.scale) == (1e-5, True, False)
