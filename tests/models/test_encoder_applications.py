"""Every encoder of `keras.applications`: its cut, preprocessing, frozen blocks, files."""

import types
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from keras_saliency import folding, models
from keras_saliency.errors import InputError
from keras_saliency.models import encoders

APPLICATIONS = keras.applications
# The application, its preprocessing, and what it has at 1/16 of the picture's size.
KNOWN = {
    "mobilenetv2": ("MobileNetV2", APPLICATIONS.mobilenet_v2, "block_13_expand_relu", 576),
    "resnet50": ("ResNet50", APPLICATIONS.resnet, "conv4_block6_out", 1024),
    "efficientnetv2b0": (
        "EfficientNetV2B0", APPLICATIONS.efficientnet_v2, "block6a_expand_activation", 672,
    ),
    "convnext_tiny": (
        "ConvNeXtTiny", APPLICATIONS.convnext, "convnext_tiny_stage_2_block_8_identity", 384,
    ),
}  # fmt: skip
PICTURE = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")


def small(encoder, weights=None, **options):
    return models.SalGANGenerator((32, 32, 3), encoder, weights, width=1 / 16, **options)


@pytest.fixture(scope="module", params=KNOWN)
def pretrained(request, tmp_path_factory):
    """An encoder's name, its application, a file of its weights, and a generator with them."""
    keras.utils.set_random_seed(1)
    name, *_ = KNOWN[request.param]
    build = getattr(APPLICATIONS, name)
    application = build(include_top=False, weights=None, input_shape=(32, 32, 3))
    random = np.random.default_rng(1)
    for weight in application.weights:  # biases, scales and statistics are zeros and ones else
        if len(weight.shape) == 1:
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.h5"
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, application)
    return types.SimpleNamespace(
        encoder=request.param, application=application, path=path,
        generator=small(request.param, str(path)),
    )  # fmt: skip


def features_of(application, encoder):
    _, _, last, _ = KNOWN[encoder]
    tensor = application.get_layer(last).output
    if encoder == "convnext_tiny":  # a block ends in a sum, which has no name of its own
        tensor = application.get_layer("convnext_tiny_downsampling_block_2").input
    return keras.Model(application.input, tensor)


def test_features_are_the_applications_at_a_sixteenth_of_the_size(pretrained):
    """Its preprocessing included, where the application has it and where it has not."""
    _, module, _, channels = KNOWN[pretrained.encoder]
    generator = pretrained.generator
    assert generator.output_shape == (None, 32, 32, 1)
    cut = keras.Model(generator.input, generator.get_layer("decoder5_conv1").input)
    assert cut.output_shape == (None, 2, 2, channels)
    expected = features_of(pretrained.application, pretrained.encoder)
    expected = np.asarray(expected(module.preprocess_input(PICTURE.copy()), training=False))
    got = np.asarray(cut(PICTURE, training=False))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_three_resolutions_are_frozen_with_their_statistics(pretrained):
    generator = pretrained.generator
    encoder = generator.get_layer(pretrained.encoder)
    weighted = [layer for layer in encoder.layers if layer.weights and "_se_" not in layer.name]
    for layer in weighted:
        assert layer.trainable == (layer.output.shape[1] <= 2), layer.name
    assert {layer.trainable for layer in weighted} == {True, False}
    statistics = [v for v in encoder.variables if "moving" in v.path]
    frozen = {v.path for layer in encoder.layers if not layer.trainable for v in layer.variables}
    before = [np.asarray(v) for v in statistics]
    generator(PICTURE, training=True)
    for variable, old in zip(statistics, before, strict=True):
        assert np.array_equal(np.asarray(variable), old) == (variable.path in frozen)
        variable.assign(old)


def test_it_is_saved_and_loaded_with_keras_alone(pretrained, tmp_path):
    path, generator = tmp_path / "model.keras", pretrained.generator
    folding.plain(generator).save(path)
    with zipfile.ZipFile(path) as archive:
        assert b"keras_saliency" not in archive.read("config.json")
    loaded = keras.models.load_model(path)
    maps = [np.asarray(model(PICTURE, training=False)) for model in (loaded, generator)]
    np.testing.assert_allclose(*maps, atol=1e-5)
    assert maps[0].std() > 0


@pytest.mark.parametrize("pretrained", ["mobilenetv2"], indirect=True)
def test_weights_of_another_encoder_are_refused_in_one_line(pretrained):
    with pytest.raises(InputError, match="does not hold the weights of keras") as error:
        small("efficientnetv2b0", str(pretrained.path))
    assert "\n" not in str(error.value) and pretrained.path.name in str(error.value)


@pytest.mark.parametrize("encoder", KNOWN)
def test_maps_are_float32_and_so_is_the_preprocessing_in_bfloat16(encoder):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        generator = small(encoder)
    finally:
        keras.config.set_dtype_policy("float32")
    assert generator.output.dtype == "float32"
    preprocessing = encoders.APPLICATIONS[encoder].preprocessing
    assert generator.get_layer(preprocessing).compute_dtype == "float32"
    assert generator.get_layer("decoder1_conv1").compute_dtype == "bfloat16"
    # Random weights are never frozen; statistics are not trained.
    trained = {v.path for v in generator.trainable_variables}
    assert all("moving" in v.path for v in generator.weights if v.path not in trained)


def test_no_statistics_lag_behind_a_short_training():
    encoder = small("mobilenetv2").get_layer("mobilenetv2")
    momenta = {getattr(layer, "momentum", 0) for layer in encoder.layers}
    assert max(momenta) == encoders.SLOWEST_MOMENTUM == 0.9


@pytest.mark.parametrize("encoder", [*KNOWN, "mobilenet"])
def test_the_cached_files_name_and_hash(encoder, tmp_path, monkeypatch):
    """Found under Keras' name, and refused where Keras knows another hash."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    name = encoders.FILES[encoders.APPLICATIONS[encoder].name].format("2_5")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / name).write_bytes(b"damaged")
    known = name in {**encoders.MD5, **encoders.SHA256}
    message = r"is damaged: its (MD5|SHA256) is \w+, Keras'" if known else "does not hold the"
    with pytest.raises(InputError, match=message) as error:
        models.SalGANGenerator((32, 32, 3), encoder, width=0.25)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_hashes_are_those_that_keras_checks():
    from keras.src.applications import convnext, efficientnet_v2, resnet

    assert encoders.MD5[encoders.FILES["ResNet50"]] == resnet.WEIGHTS_HASHES["resnet50"][1]
    b0 = efficientnet_v2.WEIGHTS_HASHES["b0"][1]
    assert encoders.MD5[encoders.FILES["EfficientNetV2B0"]] == b0
    tiny = convnext.WEIGHTS_HASHES["convnext_tiny"][1]
    assert encoders.SHA256[encoders.FILES["ConvNeXtTiny"]] == tiny


def test_a_download_is_of_the_size_whose_file_is_named(tmp_path, monkeypatch):
    """Keras has MobileNets of several sizes; the one for 224x224 pictures is taken for all."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    build = APPLICATIONS.MobileNet

    def server(weights, input_shape, **options):
        network = build(weights=None, input_shape=input_shape, **options)
        if weights == "imagenet":
            assert input_shape == (224, 224, 3)
            network.get_layer("conv1_bn").gamma.assign(np.full(8, 7.0))
        return network

    monkeypatch.setattr(APPLICATIONS, "MobileNet", server)
    generator = models.SalGANGenerator((128, 128, 3), "mobilenet", width=0.25)
    gamma = generator.get_layer("mobilenet").get_layer("conv1_bn").gamma
    np.testing.assert_array_equal(np.asarray(gamma), 7.0)
