import keras
import numpy as np
import pytest

from keras_saliency import models
from keras_saliency.errors import InputError
from keras_saliency.layers import UpsampledConv2D


def trainable_parameters(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


def kernels(model):
    return [v.path for v in model.trainable_variables if v.path.endswith("kernel")]


def test_generator_has_the_papers_parameters_all_trainable_from_random_weights():
    model = models.SalGANGenerator(weights=None)
    assert model.count_params() == 31_787_009
    assert trainable_parameters(model) == 31_787_009
    assert model.output_shape == (None, 192, 256, 1)


def test_encoder_is_vgg16_up_to_block5_conv3():
    model = models.SalGANGenerator((32, 48, 3), weights=None)
    encoder = [v for v in model.variables if v.path.startswith("block")]
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 48, 3))
    assert [v.shape for v in encoder] == [v.shape for v in vgg.variables]
    assert model.get_layer("block5_conv3").output.shape == (None, 2, 3, 512)


def test_decoder_convolves_before_it_enlarges():
    model = models.SalGANGenerator((32, 32, 3), weights=None)
    names = [layer.name for layer in model.layers]
    decoder = [name for name in names if name.startswith("decoder")]
    assert decoder[:5] == [
        "decoder5_conv1", "decoder5_conv2", "decoder5_conv3", "decoder4_conv1", "decoder4_conv2",
    ]  # fmt: skip
    doubled = {layer.name for layer in model.layers if isinstance(layer, UpsampledConv2D)}
    assert doubled == {f"decoder{block}_conv1" for block in (4, 3, 2, 1)}
    assert sum("conv" in name for name in decoder) == 13


@pytest.mark.parametrize(("variant", "parameters"), [("paper", 5_045_696), ("code", 1_359_296)])
def test_discriminator_parameters(variant, parameters):
    model = models.SalGANDiscriminator(variant=variant)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 1)


def test_code_variant_pools_by_four_and_keeps_unit_filters():
    model = models.SalGANDiscriminator((32, 32), variant="code")
    assert model.get_layer("pool1").output.shape == (None, 8, 8, 32)
    random = np.random.default_rng(0)
    model.compile("adam", "binary_crossentropy")
    pair = [random.random((4, 32, 32, 3)) * 255, random.random((4, 32, 32, 1))]

    def norms():
        kernel = np.asarray(model.get_layer("conv3_2").kernel)
        return np.sqrt((kernel**2).sum((0, 1, 2)))

    np.testing.assert_allclose(norms(), 1, rtol=1e-5)
    model.train_on_batch(pair, np.ones((4, 1)))
    np.testing.assert_allclose(norms(), 1, rtol=1e-5)


def test_preprocessing_is_inside_the_generator():
    """Colour order and mean are VGG16's: the first layer sees what Keras would feed it."""
    model = models.SalGANGenerator((32, 32, 3), weights=None)
    caffe = keras.Model(model.input, model.get_layer("caffe").output)
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    expected = keras.applications.vgg16.preprocess_input(picture.copy())
    np.testing.assert_allclose(caffe.predict(picture, verbose=0), expected, atol=1e-5)


def test_width_scales_the_filters():
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.25)
    assert model.get_layer("block5_conv3").filters == 128
    assert model.get_layer("decoder1_conv2").filters == 16


def test_weight_decay_reaches_every_kernel_and_no_bias():
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16, weight_decay=0.5)
    total = sum(
        float(keras.ops.sum(keras.ops.square(v)))
        for v in model.variables
        if v.path.endswith("kernel")
    )
    assert float(sum(model.losses)) == pytest.approx(0.5 * total, rel=1e-5)
    assert not models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16).losses


def test_maps_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    discriminator = models.SalGANDiscriminator((32, 32), width=0.25)
    assert generator.output.dtype == discriminator.output.dtype == "float32"
    assert generator.get_layer("decoder1_conv1").compute_dtype == "bfloat16"


def test_model_survives_saving(tmp_path):
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    model.save(tmp_path / "model.keras")
    picture = np.random.default_rng(0).random((2, 32, 32, 3)) * 255
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(picture, verbose=0), model.predict(picture, verbose=0)
    )


@pytest.mark.parametrize("size", [(100, 128), (96, 130), (16, 32), (0, 32)])
def test_size_must_fit_the_four_poolings(size):
    with pytest.raises(InputError, match="multiples of 16"):
        models.SalGANGenerator((*size, 3), weights=None)


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="vgg16, mobilenet"):
        models.SalGANGenerator(encoder="vgg19", weights=None)
    with pytest.raises(InputError, match="paper or code"):
        models.SalGANDiscriminator(variant="v2")
