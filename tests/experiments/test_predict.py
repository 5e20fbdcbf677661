"""The script from files to maps: nothing good is lost to what is bad."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import predict
import pytest
import video_files
from PIL import Image
from predicted_files import SIZES, opened, run, save_network, save_photos, written

from keras_saliency import (
    devices,
    engines,
    export,
    inputs,
    pictures,
    prediction,
    resizing,
    shipped,
)
from keras_saliency.errors import InputError


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """A run's folder, of a network whose saliency map is the red channel."""
    run = tmp_path_factory.mktemp("run")
    save_network(run / "model.keras")
    return str(run)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_photos(tmp_path / "photos")
    return tmp_path / "photos"


def test_a_folder(photos, model_path, capsys):
    (photos / "notes.txt").write_text("notes")
    run(model_path, "photos")
    assert written() == ["a.png", "deep/b.png", "deep/er/c.png"]
    said = capsys.readouterr().out
    assert "3 files to predict; passed over: 1 .txt" in said
    assert "maps: 3 pictures, " in said and said.endswith("as maps/deep/er/c.png\n")
    model = prediction.load(model_path)
    for name, size in SIZES.items():
        stimulus = pictures.read(f"photos/{name}")
        (expected,) = prediction.saliency_maps(model, [stimulus])
        found = opened(f"maps/{os.path.splitext(name)[0]}.png")
        assert found.shape == (size[::-1] if name == "a.jpg" else size)
        off = found.astype(int) - pictures.to_uint8(expected)[..., 0]
        assert np.abs(off).max() <= 1


def test_bad_files_are_listed_and_the_others_predicted(photos, model_path, capsys):
    (photos / "bad.jpg").write_bytes(b"no picture")
    whole = (photos / "deep/b.png").read_bytes()
    (photos / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as ended:
        run(model_path, "photos", "photos/deep/er/../../bad.jpg")
    assert ended.value.code == 1
    assert written() == ["a.png", "deep/b.png", "deep/er/c.png"]
    first, *others = capsys.readouterr().err.strip().splitlines()
    assert "2 could not be predicted" in first
    assert "bad.jpg" in others[0] and "half.png" in others[1]


def test_only_bad_files(photos, model_path):
    (photos / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as ended:
        run(model_path, "photos/bad.jpg")
    assert ended.value.code == 1
    assert os.listdir("maps") == ["predicted.json"]


def test_several_kinds(photos, model_path):
    run(model_path, "photos/a.jpg", "--write", "npy", "overlay", "side-by-side", "--alpha", "0.3")
    assert written() == ["a-npy.npy", "a-overlay.png", "a-side-by-side.png"]
    stimulus, saliency_map = pictures.read("photos/a.jpg"), np.load("maps/a-npy.npy")
    assert saliency_map.shape == (64, 40, 1)
    colors = pictures.colors("inferno")[pictures.to_uint8(saliency_map)[30, 20, 0]]
    expected = 0.7 * stimulus[30, 20] + 0.3 * colors
    np.testing.assert_allclose(opened("maps/a-overlay.png")[30, 20], expected, atol=1.5)


def test_letterbox(photos, model_path):
    run(model_path, "photos/deep/b.png", "--fit", "letterbox", "--write", "npy")
    stimulus = pictures.read("photos/deep/b.png")
    model = prediction.load(model_path)
    (expected,) = prediction.saliency_maps(model, [stimulus], fit="letterbox")
    np.testing.assert_allclose(np.load("maps/b.npy"), expected, atol=1e-5)
    (stretched,) = prediction.saliency_maps(model, [stimulus])
    assert np.abs(np.load("maps/b.npy") - stretched).max() > 0.1


def test_a_video(photos, model_path, capsys):
    pytest.importorskip("av")
    video_files.write(photos / "clip.mp4")
    run(model_path, "photos", "--every", "3")
    frames = [f"clip.mp4/{number:06d}.png" for number in (0, 3, 6)]
    assert [name for name in written() if name.startswith("clip.mp4/")] == frames
    assert opened("maps/clip.mp4/000003.png").shape == (48, 64)
    pathlib.Path("maps/clip.mp4/000003.png").write_bytes(b"not touched")
    os.remove("maps/clip.mp4/000006.png")
    run(model_path, "photos/clip.mp4", "--every", "3", "--resume")
    assert "maps: 1 picture, " in (said := capsys.readouterr().out)
    assert "2 frames had been done already" in said
    assert pathlib.Path("maps/clip.mp4/000003.png").read_bytes() == b"not touched"
    assert opened("maps/clip.mp4/000006.png").shape == (48, 64)


@pytest.mark.parametrize(("count", "frozen"), [(3, True), (4, False)])
def test_many_pictures_are_predicted_by_frozen_weights(
    photos, model_path, monkeypatch, count, frozen
):
    made = []

    class Frozen(prediction.Frozen):
        def __init__(self, model):
            made.append(model)
            super().__init__(model)

    monkeypatch.setattr(prediction, "Frozen", Frozen)
    monkeypatch.setattr(engines, "FROZEN_FROM", count)
    run(model_path, "photos")
    assert len(written()) == 3 and bool(made) == frozen


@pytest.mark.parametrize(
    ("precision", "copy"), [("float32", "float32_copy"), ("mixed_bfloat16", "bfloat16_copy")]
)
def test_precision(photos, model_path, monkeypatch, precision, copy):
    made, original = [], getattr(export, copy)
    monkeypatch.setattr(export, copy, lambda model: made.append(original(model)) or made[0])
    run(model_path, "photos", "--precision", precision, "--write", "npy")
    types = {layer.compute_dtype for layer in made[0].layers}
    assert ("bfloat16" in types) == (precision == "mixed_bfloat16")
    (expected,) = prediction.saliency_maps(
        prediction.load(model_path), [pictures.read("photos/a.jpg")]
    )
    off = np.abs(np.load("maps/a.npy") - expected).max()
    assert 1e-4 < off < 0.01 if precision == "mixed_bfloat16" else off < 1e-5


def test_a_gpu_of_float16_predicts_in_float32_and_says_so(photos, model_path, monkeypatch, capsys):
    monkeypatch.setattr(devices, "choose_precision", lambda _: ("mixed_float16", "Card"))
    made, original = [], export.float32_copy
    monkeypatch.setattr(export, "float32_copy", lambda model: made.append(model) or original(model))
    run(model_path, "photos", "--precision", "auto")
    assert made and "precision: float32 (Card; maps are not" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "precision"),
    [([], "float32"), (["--precision", "mixed_bfloat16"], "bfloat16")],
)
def test_another_engine(photos, model_path, monkeypatch, flags, precision):
    class Engine:
        input_shape = (None, 16, 16, 3)

        def predict_on_batch(self, stimuli):
            return stimuli[..., :1] / 255

    asked = []
    monkeypatch.setattr(engines, "load", lambda *arguments: asked.append(arguments) or Engine())
    run(model_path, "photos/a.jpg", "--engine", "openvino", "--write", "npy", *flags)
    assert asked == [(model_path, "openvino", precision)]
    red = resizing.as_stimulus(pictures.read("photos/a.jpg"), (16, 16))[..., :1] / 255
    np.testing.assert_allclose(np.load("maps/a.npy"), resizing.resize(red, (64, 40)), atol=1e-5)


@pytest.mark.parametrize("flags", [[], ["--precision", "mixed_bfloat16"]])
def test_openvino(photos, model_path, flags):
    pytest.importorskip("openvino")
    run(model_path, "photos", "--engine", "openvino", "--write", "npy", *flags)
    (expected,) = prediction.saliency_maps(
        prediction.load(model_path), [pictures.read("photos/a.jpg")]
    )
    assert len(written()) == 3
    np.testing.assert_allclose(np.load("maps/a.npy"), expected, atol=0.02 if flags else 1e-4)


def test_the_bar_sees_every_picture(photos, model_path, monkeypatch):
    (photos / "bad.jpg").write_bytes(b"no picture")
    seen = []

    class Bar:
        def __init__(self, total, unit, rate):
            seen.append(total)

        update = staticmethod(seen.append)
        close = staticmethod(lambda: seen.append("closed"))

    monkeypatch.setattr(predict.progress, "Bar", Bar)
    with pytest.raises(SystemExit):
        run(model_path, "photos")
    assert seen == [4, 1, 2, 3, 4, "closed"]


def test_names_that_cannot_be_printed(photos, model_path, capsys):
    (photos / "two\nlines.jpg").write_bytes(b"no picture")
    (photos / "notes.a\nb").touch()
    with pytest.raises(SystemExit):
        run(model_path, "photos")
    said = capsys.readouterr()
    assert len(said.err.strip().splitlines()) == 2
    assert r"two\nlines.jpg is not a picture" in said.err
    assert r"1 .a\nb" in said.out


def test_pillows_warnings_are_not_printed(photos, model_path, monkeypatch, recwarn):
    original = pictures.read

    def warning(path):
        text = "import warnings; warnings.warn('Corrupt EXIF data')"
        exec(compile(text, "Image.py", "exec"), {"__name__": "PIL.Image"})
        return original(path)

    monkeypatch.setattr(pictures, "read", warning)
    run(model_path, "photos")
    assert not [w for w in recwarn if "EXIF" in str(w.message)]


def test_the_references_processing(photos, model_path):
    from keras_saliency import salgan_reference

    run(model_path, "photos/deep/b.png", "--reference")
    seen = salgan_reference.preprocess(pictures.read("photos/deep/b.png"), (32, 48))
    small = prediction.load(model_path).predict_on_batch(seen[None].astype("float32"))[0]
    expected = salgan_reference.postprocess(small, (50, 35))[..., 0]
    assert np.abs(opened("maps/b.png").astype(int) - expected).max() <= 1


def test_one_word_gives_a_map(photos, capsys):
    """The network that comes with the package, into the folder `maps`."""
    predict.main(["photos/deep/b.png"])
    assert opened("maps/b.png").shape == pictures.read("photos/deep/b.png").shape[:2]
    assert json.loads(pathlib.Path("maps/predicted.json").read_text())["model"] == shipped.SHA256


def test_two_pictures_of_one_name(photos, model_path):
    Image.fromarray(np.zeros((5, 5), "uint8")).save(photos / "a.png")
    with pytest.raises(InputError, match=r"a\.jpg and .*a\.png would both be written"):
        run(model_path, "photos")
    assert not os.path.exists("maps")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["INPUT"]),
        (["nowhere.jpg"], ["no such file or folder: nowhere.jpg"]),
        (["photos", "--model", "nowhere"], ["no such file or folder: nowhere"]),
        (["photos", "--model", "photos"], ["photos is no run", "no model.keras"]),
        (["photos", "--write", "gif"], ["gif", "side-by-side"]),
        (["photos", "--every", "0"], ["--every"]),
        (["photos", "--alpha", "2"], ["--alpha", "wanted a number from 0 to 1, got 2"]),
        (["photos", "--alpha", "half"], ["wanted a number from 0 to 1, got half"]),
        (["photos", "--output", ""], ["--output", "folder"]),
        (["photos", "--fit", "crop"], ["--fit", "letterbox"]),
        (["photos", "--write", "overlay", "--colormap", "sunset"], ["sunset", "viridis"]),
        (["photos", "--reference", "--write", "npy"], ["8 bits", "npy"]),
        (["photos", "--reference", "--fit", "stretch"], ["--fit", "--reference"]),
        (["photos", "--engine", "jax"], ["--engine", "openvino"]),
        (["photos", "--output", "photos"], ["--output"]),
        (["photos/er.tif*"], ["no such file"]),
    ],
)
def test_a_mistake_at_the_keyboard(photos, arguments, words):
    script = pathlib.Path(predict.__file__)
    flags = ["--output", "maps", "--model", "photos/a.jpg", *arguments]
    done = subprocess.run(
        [sys.executable, str(script), *flags], capture_output=True, text=True, cwd="."
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    for word in words:
        assert word in line
    assert not os.path.exists("maps")


def test_a_model_that_is_none(photos):
    pathlib.Path("model.keras").write_bytes(b"no model")
    with pytest.raises(InputError, match="cannot be loaded as a Keras model"):
        run("model.keras", "photos")


def test_a_model_that_is_no_generator(photos):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    model.save("model.keras")
    with pytest.raises(InputError, match="is no generator"):
        run("model.keras", "photos")
    assert not os.path.exists("maps")


def test_a_picture_of_the_folder_vanishes(photos, model_path, monkeypatch, capsys):
    find = inputs.find

    def then_remove(*arguments):
        found = find(*arguments)
        os.remove("photos/a.jpg")
        return found

    monkeypatch.setattr(inputs, "find", then_remove)
    with pytest.raises(SystemExit):
        run(model_path, "photos")
    assert "no such file: photos/a.jpg" in capsys.readouterr().err
    assert len(written()) == 2
