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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_throughout(dtype):
    layer = InstanceNormalization(dtype=dtype)
    assert layer(keras.ops.cast(X, dtype)).dtype == dtype


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


FUSED = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's kernel")


def unfused(settings):
    """Keras' own layer of one group a channel."""
    return keras.layers.GroupNormalization(groups=-1, **settings)


@FUSED
@pytest.mark.parametrize("shape", [(1, 9, 16, 8), (4, 9, 16, 8), (1, 72, 128, 16), (2, 1, 2, 8)])
@pytest.mark.parametrize("settings", [{}, {"epsilon": 1e-5, "center": False, "scale": False}])
def test_the_fused_kernel_gives_kerass_numbers_and_gradients(shape, settings):
    import tensorflow as tf

    from keras_saliency import kernels

    random = np.random.default_rng(0)
    x = tf.constant(random.normal(3, 2, shape), "float32")
    weight = tf.constant(random.normal(size=shape), "float32")
    factors = random.normal(1, 0.5, (2, shape[-1]))
    found = []
    for layer in (InstanceNormalization(**settings), unfused(settings)):
        layer.build(shape)
        layer.set_weights(factors[: len(layer.weights)])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * weight)
        variables = [w.value for w in layer.trainable_weights]
        found.append([y, *tape.gradient(loss, [x, *variables])])
    assert kernels.can_normalize_instances(x, -1, 1e-5)
    for ours, theirs in zip(*found, strict=True):
        scale = max(1, np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


def test_far_from_zero_it_is_no_worse_than_kerass_own():
    far = X + 1000
    errors = [
        np.abs(np.asarray(layer(far)) - by_numpy(far, 1e-3)).max()
        for layer in (InstanceNormalization(), unfused({"epsilon": 1e-3}))
    ]
    assert errors[0] <= 1.1 * errors[1] < 1e-3


@FUSED
def test_where_the_fused_kernel_runs():
    """Batches of known size, channels last, an epsilon that every device takes."""
    import tensorflow as tf

    def operations(shape, dtype="float32", **settings):
        layer = InstanceNormalization(dtype=dtype, **settings)
        layer.build(shape)
        function = tf.function(layer)
        graph = function.get_concrete_function(tf.TensorSpec(shape, layer.compute_dtype)).graph
        return {operation.type for operation in graph.get_operations()}

    assert "FusedBatchNormV3" in operations((1, 4, 4, 3))
    assert "FusedBatchNormV3" in operations((4, None, None, 3))
    assert "FusedBatchNormV3" in operations((4, 4, 4, 3), "mixed_bfloat16")
    for shape, settings in (
        ((None, 4, 4, 3), {}),
        ((64, 4, 4, 3), {}),
        ((4, 16, 3), {}),
        ((4, 4, 4, 3), {"axis": 1}),
        ((4, 4, 4, 3), {"epsilon": 1e-6}),
        ((4, 4, 4, 3), {"dtype": "float64"}),
    ):
        assert "FusedBatchNormV3" not in operations(shape, **settings), (shape, settings)


def test_arguments_survive_the_config():
    layer = InstanceNormalization(
        epsilon=1e-4, center=False, scale=True, axis=1, gamma_initializer="zeros"
    )
    twin = InstanceNormalization.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    assert (twin.epsilon, twin.center, twin.scale, twin.axis) == (1e-4, False, True, 1)
    layer.build((2, 5, 4, 4))  # Keras' config then says groups=5, which does not fit others
    twin = InstanceNormalization.from_config(layer.get_config())
    twin.build((2, 7, 4, 4))
    assert twin.gamma.shape == (7,)
