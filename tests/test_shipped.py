"""The trained network that comes with the package."""

import os
import pathlib

import h5py
import keras
import numpy as np
import pytest

from keras_saliency import models, prediction, shipped, stores
from keras_saliency.errors import InputError
from keras_saliency.models import encoders


@pytest.fixture(scope="module")
def network():
    return models.SalGANGenerator(weights="osie")


def scene():
    """A gray field with one bright disc, right of the middle and above it; where the disc is."""
    picture = np.full((192, 256, 3), 110, "uint8")
    y, x = np.mgrid[:192, :256]
    disc = np.hypot(y - 60, x - 180) < 18
    picture[disc] = (230, 40, 30)
    return picture, disc


def test_it_looks_where_something_is(network):
    picture, disc = scene()
    (saliency_map,) = prediction.saliency_maps(network, [picture])
    assert saliency_map[disc].mean() > 3 * saliency_map[~disc].mean()
    (mirrored,) = prediction.saliency_maps(network, [picture[:, ::-1]])
    assert mirrored[:, ::-1][disc].mean() > 3 * mirrored[:, ::-1][~disc].mean()


def test_it_is_under_10_mb_in_float16():
    assert os.path.getsize(shipped.FILE) < 10e6
    with h5py.File(shipped.FILE) as file:
        kinds = []
        file.visititems(
            lambda name, item: (
                kinds.append((item.ndim, item.dtype)) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert {str(dtype) for ndim, dtype in kinds if ndim > 1} == {"float16"}
    assert len(kinds) == 131


def test_a_package_holds_it():
    setup = pathlib.Path(__file__).parents[1].joinpath("setup.cfg").read_text(encoding="utf-8")
    assert "[options.package_data]\nkeras_saliency = *.weights.h5\n" in setup
    assert os.path.dirname(shipped.FILE) == os.path.dirname(shipped.__file__)


def test_encoder_has_left_imagenets_weights_but_not_its_size(network):
    assert network.count_params() == 2_307_665
    assert network.get_layer("mobilenet").input_shape == (None, 192, 256, 3)
    assert encoders.APPLICATIONS[shipped.ENCODER].name == "MobileNet"


@pytest.mark.parametrize("size", [(96, 128), (224, 224), (32, 64)])
def test_any_size_of_input(network, size):
    other = models.SalGANGenerator((*size, 3), weights="osie")
    assert other.output_shape == (None, *size, 1)
    for a, b in zip(network.weights, other.weights, strict=True):
        assert a.path == b.path
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_it_goes_by_its_name_where_a_model_is_wanted(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "osie").mkdir()  # a dataset's folder, which is no model
    loaded = prediction.load("osie")
    picture = scene()[0][None].astype("float32")
    np.testing.assert_array_equal(loaded(picture), network(picture))
    assert stores.model_digest("osie") == shipped.SHA256


@pytest.mark.parametrize("harm", ["flipped", "cut", "deleted"])
def test_a_damaged_file_is_refused(harm, tmp_path, monkeypatch):
    content = bytearray(pathlib.Path(shipped.FILE).read_bytes())
    path = tmp_path / "salgan_osie.weights.h5"
    content[len(content) // 2] ^= 1
    if harm != "deleted":
        path.write_bytes(content if harm == "flipped" else content[:-1])
    monkeypatch.setattr(shipped, "FILE", str(path))
    with pytest.raises(InputError, match=r"is damaged: .*install keras_saliency again") as error:
        models.SalGANGenerator(weights="osie")
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_saving_rounds_kernels_alone_and_is_the_same_every_time(tmp_path, monkeypatch):
    keras.utils.set_random_seed(0)
    model = models.SalGANGenerator(
        (64, 64, 3), encoder="mobilenet", weights=None, width=1.0, decoder="light"
    )
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    path = str(tmp_path / "a.weights.h5")
    digest = shipped.save(model, path)
    assert digest == shipped.save(model, str(tmp_path / "b.weights.h5"))
    monkeypatch.setattr(shipped, "FILE", path)
    monkeypatch.setattr(shipped, "SHA256", digest)
    loaded = models.SalGANGenerator((64, 64, 3), weights="osie")
    for a, b in zip(model.weights, loaded.weights, strict=True):
        rounded = a.numpy().astype("float16") if a.ndim > 1 else a.numpy()
        np.testing.assert_array_equal(rounded.astype("float32"), b.numpy())
    assert sorted(os.listdir(tmp_path)) == ["a.weights.h5", "b.weights.h5"]
