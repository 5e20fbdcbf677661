import keras
import numpy as np
import pytest
from scipy import ndimage

from keras_saliency import export, models
from keras_saliency.errors import InputError

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (2, 32, 40, 3)).astype("float32")
SMALL = {"input_shape": (32, 40, 3)}


def small(**options):
    return models.JuntingNet(**{**SMALL, **options})


def raw(model, stimuli=PICTURES):
    return np.asarray(model(stimuli, training=False))


@pytest.mark.parametrize(
    ("variant", "parameters", "sizes"),
    [
        ("lsun2015", 34_864_384, [(46, 46, 32), (22, 22, 64), (10, 10, 64)]),
        ("cvpr2016", 64_392_512, [(46, 46, 32), (22, 22, 64), (10, 10, 128)]),
        ("bristol2020", 76_778_816, [(48, 48, 32), (23, 23, 64), (11, 11, 128)]),
    ],
)
def test_each_variant_has_its_papers_sizes(variant, parameters, sizes):
    model = models.JuntingNet(variant, initializer="glorot")  # drawn sooner
    assert model.count_params() == parameters
    assert [model.get_layer(f"pool{i}").output.shape[1:] for i in (1, 2, 3)] == sizes
    assert model.get_layer("fc1").units == 4608 and model.get_layer("fc2").units == 2304
    assert model.output_shape == (None, 48, 48, 1)


def test_bristols_padding_can_be_taken_literally():
    model = models.JuntingNet("bristol2020", input_shape=(32, 40, 3), conv1_padding=1)
    sizes = [model.get_layer(f"pool{i}").output.shape[1:3] for i in (1, 2, 3)]
    assert sizes == [(15, 19), (7, 9), (3, 4)]


def test_the_network_is_what_its_layers_say():
    """The whole of it in NumPy and SciPy, from the pixels on."""
    model = small(initializer="glorot")
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    x = PICTURES[0] / 255
    for name in ("conv1", "conv2", "conv3"):
        kernel, bias = weights[name]
        half = kernel.shape[0] // 2
        planes = [
            sum(
                ndimage.correlate(x[..., c], kernel[..., c, f], mode="constant")
                for c in range(x.shape[-1])
            )
            for f in range(kernel.shape[-1])
        ]
        x = np.maximum(np.stack(planes, -1)[half:-half, half:-half] + bias, 0)
        height, width = (side // 2 * 2 for side in x.shape[:2])
        x = x[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).max((1, 3))
    x = np.maximum(x.ravel() @ weights["fc1"][0] + weights["fc1"][1], 0)
    x = x.reshape(-1, 2).max(-1) @ weights["fc2"][0] + weights["fc2"][1]
    np.testing.assert_allclose(raw(model)[0].ravel(), x, rtol=1e-4, atol=1e-5)


def test_bristol_has_no_activation_before_its_maxout():
    names = [layer.name for layer in small(variant="bristol2020").layers]
    assert "fc1_relu" not in names and "fc1_relu" in [layer.name for layer in small().layers]


def test_pairing_reaches_the_maxout():
    twins = [small(pairing=pairing) for pairing in ("pairs", "halves")]
    twins[1].set_weights(twins[0].get_weights())
    assert twins[1].get_layer("maxout").pairing == "halves"
    assert np.abs(raw(twins[0]) - raw(twins[1])).max() > 1e-5


def test_gaussian_initialisation():
    model = small()
    drawn = [model.get_layer(name).get_weights() for name in ("conv2", "conv3", "fc1", "fc2")]
    for kernel, bias in drawn:
        assert kernel.std() == pytest.approx(0.01, rel=0.03) and abs(kernel.mean()) < 5e-4
        np.testing.assert_array_equal(bias, np.float32(0.1))
    firsts = {kernel.flat[0] for kernel, _ in drawn}
    assert len(firsts) == 4, "layers were given the same random numbers"


def test_glorot_initialisation_is_the_codes():
    kernel, bias = small(initializer="glorot").get_layer("fc2").get_weights()
    limit = np.sqrt(6 / sum(kernel.shape))
    assert np.abs(kernel).max() == pytest.approx(limit, rel=0.01) and not bias.any()


def test_softmax_output_is_a_distribution():
    saliency_map = raw(small(output="softmax"))
    np.testing.assert_allclose(saliency_map.sum((1, 2, 3)), 1, rtol=1e-5)
    assert saliency_map.min() > 0


def test_without_the_final_dense_layer_the_maxout_is_the_map():
    model = small(final_dense=False)
    assert model.output_shape == (None, 16, 20, 1)
    assert not [layer for layer in model.layers if layer.name == "fc2"]
    assert raw(model).min() >= 0  # of rectified values


def test_batch_normalization_is_before_every_activation():
    names = [layer.name for layer in small(batch_norm=True, dropout=0.5).layers]
    for name in ("conv1", "conv2", "conv3", "fc1"):
        at = names.index(name)
        assert names[at + 1] == f"{name}_normalization"
        assert names.index(f"{name}_relu") > at + 1
    assert names.index("dropout") == names.index("maxout") - 1


def test_weight_decay_is_the_sum_of_squares_of_kernels_and_biases():
    model = small(weight_decay=0.1, batch_norm=True)
    decayed = [
        v for v in model.trainable_variables if v.path.endswith(("kernel", "bias"))
    ]  # not the normalization's gamma and beta
    expected = 0.1 * sum(float((v.numpy() ** 2).sum()) for v in decayed)
    assert len(decayed) == 10
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


def test_max_norm_binds_the_weights_into_each_unit_of_the_maxout():
    model = small(max_norm=0.05)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(PICTURES, np.ones((2, 16, 20, 1)))
    norms = np.linalg.norm(model.get_layer("fc1").get_weights()[0], axis=0)
    assert norms.max() <= 0.05 * (1 + 1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_maps_are_float32_under_mixed_precision(policy):
    expected_model = small(output="softmax", batch_norm=True)
    keras.config.set_dtype_policy(policy)
    try:
        model = small(output="softmax", batch_norm=True)
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(expected_model.get_weights())
    found = raw(models.post_processed(model))
    assert found.dtype == "float32"
    expected = raw(models.post_processed(expected_model))
    np.testing.assert_allclose(found, expected, atol=0.05)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "deep"}, "lsun2015, cvpr2016, bristol2020"),
        ({"output": "sigmoid"}, "linear, softmax"),
        ({"initializer": "he"}, "gaussian, glorot"),
        ({"conv1_padding": 3}, "1, 2"),
        ({"input_shape": (96, 95, 3)}, "even"),
        ({"input_shape": (30, 96, 3)}, "at least 32"),
    ],
)
def test_wrong_arguments_are_named(options, said):
    with pytest.raises(InputError, match=said):
        models.JuntingNet(**options)


# What comes after the network


def stretched(values, lowest):
    values = values - (values.min() if lowest else 0)
    return values / values.max()


def test_blur_then_resize_is_the_authors_filter_on_the_small_map():
    model = small()
    found = raw(models.post_processed(model))
    for before, after in zip(raw(model), found, strict=True):
        expected = stretched(ndimage.gaussian_filter(before[..., 0], 3.0, mode="reflect"), True)
        np.testing.assert_allclose(after[..., 0], expected, atol=2e-4)


def test_a_distribution_is_stretched_from_zero_on():
    model = small(output="softmax")
    found = raw(models.post_processed(model, sigma=1.0, lowest_to_zero=False))
    before = raw(model)[0, ..., 0]
    expected = stretched(ndimage.gaussian_filter(before, 1.0, mode="reflect"), False)
    np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-5)
    assert found.min() > 0


def test_resize_then_blur_blurs_at_the_stimulus_size():
    model = small()
    plain = models.post_processed(model, "resize_then_blur", 0.0, size=(64, 90))
    blurred = models.post_processed(model, "resize_then_blur", 3.0, size=(64, 90))
    assert blurred.output_shape == (None, 64, 90, 1)
    expected = stretched(ndimage.gaussian_filter(raw(plain)[0, ..., 0], 3.0, mode="reflect"), True)
    np.testing.assert_allclose(raw(blurred)[0, ..., 0], expected, atol=2e-4)


def test_resize_only_does_not_blur():
    model = small()
    expected = stretched(raw(model)[1], True)
    found = raw(models.post_processed(model, "resize_only"))[1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_constant_map_becomes_zero():
    model = small()
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    assert not raw(models.post_processed(model)).any()


def test_post_processing_shares_weights_and_survives_saving(tmp_path):
    model = small(batch_norm=True)
    final = models.post_processed(model)
    before = raw(final)
    model.get_layer("fc2").kernel.assign(RNG.random((320, 320)))
    after = raw(final)
    assert np.abs(before - after).max() > 1e-3
    final.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(raw(loaded), after, atol=1e-6)
    np.testing.assert_allclose(raw(export.float32_copy(final)), after, atol=1e-6)


def test_wrong_orders_are_named():
    with pytest.raises(InputError, match="blur_then_resize"):
        models.post_processed(small(), "blur")
    with pytest.raises(InputError, match="stimuli's size"):
        models.post_processed(small(), "resize_then_blur")
