"""Pretrained weights: from Keras' cache, from a file, damaged, or not to be had."""

import hashlib
import pathlib
import re
import shutil

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from keras_saliency import models
from keras_saliency.errors import InputError
from keras_saliency.models import encoders

REAL_WEIGHTS = pathlib.Path(__file__).parents[3] / "shared" / "weights"
REAL_MOBILENET = REAL_WEIGHTS / "mobilenet_2_5_224_tf_no_top.h5"
needs_weights = pytest.mark.skipif(
    not REAL_MOBILENET.is_file(), reason=f"no {REAL_MOBILENET.name} beside the project"
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache, and no network."""
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    # Keras settles on its folder when it is imported.
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))

    def refuse(*_, **__):
        raise OSError("[Errno -2] Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", refuse)
    return folder


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    """A file with the name and the layout of Keras' own, filled with random numbers."""
    keras.utils.set_random_seed(7)
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path_factory.mktemp("vgg16") / encoders.VGG16_FILE
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, vgg)
    return path


@pytest.fixture
def cached_vgg16(vgg16_file, cache, monkeypatch):
    """That file in Keras' cache, with its hash as the expected one."""
    digest = hashlib.md5(vgg16_file.read_bytes()).hexdigest()
    monkeypatch.setitem(encoders.MD5, encoders.VGG16_FILE, digest)
    return shutil.copy(vgg16_file, cache)


def small(weights, **options):
    return models.SalGANGenerator((32, 32, 3), weights=weights, **options)


def test_imagenet_takes_the_cached_vgg16(cached_vgg16):
    """The encoder's features are those of keras.applications, preprocessing included."""
    model = small("imagenet")
    vgg = keras.applications.VGG16(include_top=False, weights=str(cached_vgg16))
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    features = keras.Model(model.input, model.get_layer("block5_conv3").output)
    expected = keras.Model(vgg.input, vgg.get_layer("block5_conv3").output)
    np.testing.assert_allclose(
        features.predict(picture, verbose=0),
        expected.predict(keras.applications.vgg16.preprocess_input(picture.copy()), verbose=0),
        rtol=1e-3,
        atol=1e-6,
    )


def test_three_blocks_of_the_pretrained_encoder_are_frozen(cached_vgg16):
    model = small("imagenet")
    frozen = sum(int(np.prod(v.shape)) for v in model.non_trainable_variables)
    assert frozen == 1_735_488
    assert model.count_params() - frozen == 30_051_521
    assert not small("imagenet", frozen_blocks=0).non_trainable_variables


def test_a_path_is_taken_as_it_is(vgg16_file):
    weights = small(str(vgg16_file)).get_layer("block1_conv1").get_weights()
    with h5py.File(vgg16_file) as file:
        group = file["block1_conv1"]
        assert any(np.array_equal(weights[0], group[name][()]) for name in group_datasets(group))


def group_datasets(group):
    names = []
    group.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return names


def test_wrong_hash_is_named_and_the_file_left_alone(cached_vgg16):
    with open(cached_vgg16, "r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    with pytest.raises(InputError, match=r"is damaged: its MD5 is [0-9a-f]{32}") as error:
        small("imagenet")
    assert encoders.VGG16_FILE in str(error.value) and "\n" not in str(error.value)
    assert pathlib.Path(cached_vgg16).is_file()


def test_without_network_or_cache_the_message_says_what_to_do(cache):
    with pytest.raises(InputError) as error:
        small("imagenet")
    message = str(error.value)
    assert "\n" not in message
    for part in (encoders.VGG16_FILE, str(cache), "--encoder-weights none"):
        assert part in message


@pytest.mark.parametrize("content", [b"", b"not HDF5"])
def test_a_file_of_something_else_is_named(tmp_path, content):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.h5 does not hold the weights"):
        small(str(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no such file of encoder weights: .*nothing\.h5"):
        small(str(tmp_path / "nothing.h5"))


def test_pretrained_vgg16_has_one_width(vgg16_file):
    with pytest.raises(InputError, match=r"width=1\.0"):
        small(str(vgg16_file), width=0.5)


def test_mobilenet_has_vgg16s_shape():
    model = models.SalGANGenerator((192, 256, 3), encoder="mobilenet", weights=None)
    assert model.get_layer("mobilenet").output.shape == (None, 12, 16, 512)
    assert model.output_shape == (None, 192, 256, 1)


def test_mobilenet_comes_in_four_widths():
    with pytest.raises(InputError, match=r"0\.25, 0\.5, 0\.75, 1\.0"):
        small(None, encoder="mobilenet", width=0.3)


@needs_weights
def test_imagenet_takes_the_cached_mobilenet(cache):
    """The real file, in Keras' cache, without network: features as keras.applications gives."""
    shutil.copy(REAL_MOBILENET, cache)
    model = small("imagenet", encoder="mobilenet", width=0.25)
    reference = keras.applications.MobileNet(
        include_top=False, alpha=0.25, input_shape=(32, 32, 3), weights=str(REAL_MOBILENET)
    )
    picture = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("float32")
    features = keras.Model(model.input, model.get_layer("decoder5_conv1").input)
    expected = keras.Model(reference.input, reference.get_layer("conv_pw_11_relu").output)
    np.testing.assert_allclose(
        features.predict(picture, verbose=0),
        expected.predict(picture / 127.5 - 1, verbose=0),
        rtol=1e-4,
        atol=1e-5,
    )


@needs_weights
def test_frozen_mobilenet_blocks_do_not_move_nor_do_their_statistics(cache):
    shutil.copy(REAL_MOBILENET, cache)
    model = small("imagenet", encoder="mobilenet", width=0.25)
    encoder = model.get_layer("mobilenet")
    assert not encoder.get_layer("conv_pw_5").trainable and encoder.get_layer("conv_dw_6").trainable
    before = {v.path: np.asarray(v) for v in encoder.variables}
    model.compile(keras.optimizers.SGD(1e-3), "mean_squared_error")
    model.train_on_batch(
        np.random.default_rng(0).random((2, 32, 32, 3)) * 255, np.ones((2, 32, 32, 1))
    )
    moved = {v.path for v in encoder.variables if not np.array_equal(before[v.path], np.asarray(v))}
    assert any("conv_pw_11" in path for path in moved)
    blocks = {int(re.search(r"conv_(?:dw|pw)_(\d+)", path)[1]) for path in moved}
    assert blocks == set(range(6, 12))
