"""What is written predicts elsewhere what the network predicts, or is not written."""

import importlib.util
import os
import pathlib
import re

import keras
import numpy as np
import pytest
from checks import refused
from PIL import Image

from keras_saliency import export, formats, models, runtimes
from keras_saliency.errors import InputError

DOCS = pathlib.Path(__file__).parent.parent / "docs" / "formats.md"
FORMATS = tuple(runtimes.FORMATS)


def salgan():
    return models.SalGANGenerator((32, 48, 3), weights=None, width=1 / 16)


def light():
    return models.SalGANGenerator((32, 48, 3), weights=None, width=1 / 8, decoder="light")


def juntingnet():
    network = models.JuntingNet(input_shape=(32, 40, 3), batch_norm=True, initializer="glorot")
    return models.post_processed(network)


def pix2pix(**options):
    return models.Pix2PixGenerator(input_shape=(48, 80, 3), width=1 / 16, **options)


def small(size=(12, 16)):
    """What is converted fast."""
    layers = [
        keras.layers.Rescaling(1 / 255, name="zero_to_one"),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="features"),
        keras.layers.Conv2D(1, 1, name="logits"),
        keras.layers.Activation("sigmoid", dtype="float32", name="saliency_map"),
    ]
    return with_biases(keras.Sequential([keras.Input((*size, 3)), *layers]))


def needs(format):
    for package in runtimes.FORMATS.get(format, ("", ()))[1]:
        pytest.importorskip(package)


def with_biases(model):
    random = np.random.default_rng(1)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(random.normal(0.1, 0.2, layer.bias.shape))
    return model


def pictures(model, batch):
    size = model.input_shape[1:3]
    return np.random.default_rng(batch).integers(0, 256, (batch, *size, 3)).astype("uint8")


@pytest.mark.parametrize("make", [salgan, light, juntingnet, pix2pix])
@pytest.mark.parametrize("format", FORMATS)
def test_every_format_predicts_what_the_network_predicts(format, make, tmp_path):
    needs(format)
    model = with_biases(make())
    written = formats.write(model, str(tmp_path / "1"), format)
    assert written.difference < 1e-5 and written.milliseconds > 0
    loaded = runtimes.read(written.path)
    assert loaded.input_shape == model.input_shape
    for batch in (3, 1, 2):
        stimuli = pictures(model, batch)
        expected = np.asarray(model(stimuli.astype("float32"), training=False))
        assert np.ptp(expected) > 0.01
        found = loaded.predict_on_batch(stimuli)
        assert (found.dtype, found.shape) == (np.float32, expected.shape)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
def test_float16_halves_the_kernels(format, tmp_path):
    needs(format)
    model, sizes = with_biases(juntingnet()), {}
    for weights in ("float32", "float16"):
        written = formats.write(model, str(tmp_path / weights), format, weights)
        sizes[weights] = sum(path.stat().st_size for path in (tmp_path / weights).iterdir())
    assert 1e-6 < written.difference < 5e-3
    kernels = 4 * sum(v.numpy().size for v in model.variables if len(v.shape) > 1)
    assert sizes["float32"] - sizes["float16"] == pytest.approx(kernels / 2, rel=0.05)


def test_a_mixed_network_is_written_in_float32(tmp_path):
    needs("onnx")
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = small()
    keras.config.set_dtype_policy("float32")
    written = formats.write(mixed, str(tmp_path / "1"), "onnx")
    stimuli = pictures(mixed, 2)
    expected = export.float32_copy(mixed)(stimuli.astype("float32"))
    found = runtimes.read(written.path).predict_on_batch(stimuli)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_saved_model_is_tried_too(precision, tmp_path):
    model = with_biases(juntingnet())  # whose maps are half as large as its pictures
    written = formats.write(model, str(tmp_path / "1"), "saved_model", precision=precision)
    assert written.path == str(tmp_path / "1" / "saved_model.pb")
    assert os.path.isfile(written.path)
    low, high = {"float32": (0, 1e-5), "bfloat16": (1e-5, 0.1)}[precision]
    assert low <= written.difference < high


@pytest.mark.parametrize("wrong", [lambda maps: maps + 1e-3, lambda maps: maps * np.nan])
def test_nothing_is_written_when_the_maps_differ(wrong, tmp_path, monkeypatch):
    needs("openvino")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.xml").write_text("the one before")
    read = runtimes.READERS["openvino"]

    def reads_wrongly(*args):
        loaded = read(*args)
        return loaded._replace(predict_on_batch=lambda x: wrong(loaded.predict_on_batch(x)))

    monkeypatch.setitem(runtimes.READERS, "openvino", reads_wrongly)
    for folder in ("1", "2"):
        refused(
            lambda folder=folder: formats.write(small(), str(tmp_path / folder), "openvino"),
            "openvino's maps of this network differ", "more than 0.0001", "nothing was written",
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert (tmp_path / "1" / "model.xml").read_text() == "the one before"


@pytest.mark.parametrize("format", FORMATS)
def test_a_network_that_a_format_cannot_express_is_refused(format, tmp_path):
    """It draws random numbers anew for every prediction."""
    needs(format)
    network = pix2pix(test_dropout=True)
    refused(lambda: formats.write(network, str(tmp_path / "1"), format), format, "this network")
    assert not list(tmp_path.iterdir())


def test_a_saved_model_may_differ_as_much_as_the_network_does_from_itself(tmp_path):
    written = formats.write(pix2pix(test_dropout=True), str(tmp_path / "1"), "saved_model")
    assert written.difference > 1e-3


def test_a_kernel_that_float16_cannot_hold_is_refused(tmp_path):
    needs("onnx")
    model = small()
    model.get_layer("logits").kernel.assign(np.full((1, 1, 8, 1), 1e6))
    refused(
        lambda: formats.write(model, str(tmp_path / "1"), "onnx", "float16"),
        "logits/kernel has numbers that float16 cannot hold",
    )


def test_a_missing_package_is_named_with_the_command_that_brings_it(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name)
    )
    refused(
        lambda: formats.write(small(), str(tmp_path / "1"), "onnx"),
        "onnx needs tf2onnx: pip install 'keras_saliency[onnx]'",
    )
    assert not list(tmp_path.iterdir())
    if find("onnxruntime"):
        assert runtimes.needed("onnx", reading=True) == "model.onnx"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "pickle"}, "onnx, litert, openvino"),
        ({"format": "openvino", "weights": "int8"}, "float32 or float16"),
        ({"format": "openvino", "precision": "bfloat16"}, "of a SavedModel"),
        ({"format": "saved_model", "precision": "int8"}, "float32 or bfloat16"),
    ],
)
def test_other_settings_are_refused(options, words, tmp_path):
    needs(options["format"])
    refused(lambda: formats.write(small(), str(tmp_path / "1"), **options), words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite", "model.xml"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"<net><layers>"])
def test_a_damaged_file_is_refused(name, content, tmp_path):
    needs({"onnx": "onnx", "tflite": "litert", "xml": "openvino"}[name.partition(".")[2]])
    path = tmp_path / name
    path.write_bytes(content)
    refused(lambda: runtimes.read(str(path)), str(path), "cannot be read")


def test_what_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"")
    for path in ("nothing.onnx", "model.pkl", "."):
        refused(lambda path=path: runtimes.read(str(tmp_path / path)), "no such .onnx")


def test_only_openvino_computes_in_bfloat16(tmp_path):
    needs("onnx")
    written = formats.write(small(), str(tmp_path / "1"), "onnx")
    with pytest.raises(InputError, match="cannot be computed in bfloat16"):
        runtimes.read(written.path, "bfloat16")


def test_the_lines_of_the_documentation_run(tmp_path, monkeypatch):
    for format in FORMATS:
        needs(format)
    monkeypatch.chdir(tmp_path)
    model = small((96, 128))
    for format in ("saved_model", *FORMATS):
        formats.write(model, f"{format}/1", format)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype("uint8"))
    photo.resize((250, 170), Image.Resampling.BICUBIC).save("photo.jpg")
    first, *blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        names = {}
        exec(first, names)
        exec(block, names)
        found, expected = names["saliency_maps"], model(names["stimulus"]("photo.jpg", 96, 128))
        found = found["saliency_map"] if isinstance(found, dict) else found
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert names["png"].startswith(b"\x89PNG")
