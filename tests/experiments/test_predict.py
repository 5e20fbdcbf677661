"""The script from files to maps: nothing good is lost to what is bad."""

import os
import pathlib
import subprocess
import sys
import types

import keras
import numpy as np
import predict
import pytest
import video_files
from PIL import Image

import keras_saliency
from keras_saliency import export, files, inputs, pictures, prediction, resizing, training
from keras_saliency.errors import InputError

SIZES = {"a.jpg": (40, 64), "deep/b.png": (50, 35), "deep/er/c.webp": (33, 33)}


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """A network whose saliency map is the stimulus' red channel, 0-1, in a run's folder."""
    model = keras.Sequential(
        [
            keras.Input((32, 48, 3)),
            keras.layers.Conv2D(1, 1, use_bias=False),
            keras.layers.Activation("linear"),
        ]
    )
    model.set_weights([np.array([1 / 255, 0, 0], "float32").reshape(1, 1, 3, 1)])
    run = tmp_path_factory.mktemp("run")
    model.save(run / "model.keras")
    return str(run)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder with three pictures; the first is turned by its EXIF tag."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, size in SIZES.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(random.integers(0, 256, (*size, 3)).astype("uint8"))
        picture.save(path, exif=exif if name == "a.jpg" else Image.Exif())
    return tmp_path / "photos"


def opened(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def written(folder="maps"):
    return sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob("*.*"))


def run(model_path, *arguments):
    predict.main(["--model", model_path, "--output", "maps", *map(str, arguments)])


def test_a_folder(photos, model_path, capsys):
    (photos / "notes.txt").write_text("notes")
    run(model_path, "photos")
    assert written() == ["a.png", "deep/b.png", "deep/er/c.png"]
    said = capsys.readouterr().out
    assert "3 files to predict; passed over: 1 .txt" in said
    assert "maps: 3 pictures" in said
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
    assert not os.path.exists("maps")


def test_several_kinds(photos, model_path):
    run(model_path, "photos/a.jpg", "--write", "npy", "overlay", "side-by-side", "--alpha", "0.3")
    assert written() == ["a-npy.npy", "a-overlay.png", "a-side-by-side.png"]
    assert opened("maps/a-overlay.png").shape == (64, 40, 3)
    assert np.load("maps/a-npy.npy").shape == (64, 40, 1)


def test_resume_leaves_what_is_there(photos, model_path, capsys):
    run(model_path, "photos")
    pathlib.Path("maps/a.png").write_bytes(b"not touched")
    os.remove("maps/deep/b.png")
    run(model_path, "photos", "--resume")
    assert pathlib.Path("maps/a.png").read_bytes() == b"not touched"
    assert opened("maps/deep/b.png").shape == (50, 35)
    said = capsys.readouterr().out
    assert "2 of them are done already" in said and "maps: 1 pictures" in said
    run(model_path, "photos", "--resume")
    assert "3 of them are done already" in capsys.readouterr().out
    run(model_path, "photos")
    assert opened("maps/a.png").shape == (64, 40)


def test_resume_makes_the_kind_that_is_missing(photos, model_path):
    run(model_path, "photos")
    run(model_path, "photos", "--resume", "--write", "png", "npy")
    assert "a-npy.npy" in written()


def test_letterbox(photos, model_path):
    run(model_path, "photos/deep/b.png", "--fit", "letterbox", "--write", "npy")
    stimulus = pictures.read("photos/deep/b.png")
    model = prediction.load(model_path)
    (expected,) = prediction.saliency_maps(model, [stimulus], fit="letterbox")
    np.testing.assert_allclose(np.load("maps/b.npy"), expected, atol=1e-5)
    (stretched,) = prediction.saliency_maps(model, [stimulus])
    assert np.abs(np.load("maps/b.npy") - stretched).max() > 0.1


def test_a_video(photos, model_path):
    pytest.importorskip("av")
    video_files.write(photos / "clip.mp4")
    run(model_path, "photos", "--every", "3")
    frames = [f"clip.mp4/{number:06d}.png" for number in (0, 3, 6)]
    assert [name for name in written() if name.startswith("clip.mp4/")] == frames
    assert opened("maps/clip.mp4/000003.png").shape == (48, 64)
    pathlib.Path("maps/clip.mp4/000003.png").write_bytes(b"not touched")
    os.remove("maps/clip.mp4/000006.png")
    run(model_path, "photos/clip.mp4", "--every", "3", "--resume")
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
    monkeypatch.setattr(predict, "FROZEN_FROM", count)
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
    monkeypatch.setattr(training, "choose_precision", lambda _: ("mixed_float16", "Card"))
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
    fake = types.ModuleType("keras_saliency.engines")
    fake.load = lambda *arguments: asked.append(arguments) or Engine()
    monkeypatch.setitem(sys.modules, "keras_saliency.engines", fake)
    monkeypatch.setattr(keras_saliency, "engines", fake, raising=False)
    run(model_path, "photos/a.jpg", "--engine", "openvino", "--write", "npy", *flags)
    assert asked == [(model_path, "openvino", precision)]
    red = resizing.as_stimulus(pictures.read("photos/a.jpg"), (16, 16))[..., :1] / 255
    np.testing.assert_allclose(np.load("maps/a.npy"), resizing.resize(red, (64, 40)), atol=1e-5)


def test_the_references_postprocessing(photos, model_path):
    from keras_saliency import salgan_reference

    run(model_path, "photos/deep/b.png", "--reference")
    stimulus = pictures.read("photos/deep/b.png")
    (small,) = prediction.saliency_maps(prediction.load(model_path), [stimulus], resize=False)
    expected = salgan_reference.postprocess(small, (50, 35))[..., 0]
    assert np.abs(opened("maps/b.png").astype(int) - expected).max() <= 1


@pytest.mark.parametrize("name", ["/maps/full.png", None])
def test_a_full_disk_is_one_line_and_keeps_what_is_done(
    photos, model_path, monkeypatch, capsys, name
):
    kept = files.replacing

    def replacing(path):
        if path.endswith("c.png"):
            raise OSError(28, "No space left on device", *filter(None, [name]))
        return kept(path)

    monkeypatch.setattr(files, "replacing", replacing)
    monkeypatch.setattr(sys, "argv", ["predict.py"])
    with pytest.raises(SystemExit) as ended:
        training.run(lambda: run(model_path, "photos"))
    (line,) = capsys.readouterr().err.strip().splitlines()
    for part in (name or "maps", "No space left on device", "is kept", "--resume"):
        assert part in line
    assert ended.value.code == 2
    assert written() == ["a.png", "deep/b.png"]


def test_an_output_below_a_file(photos, model_path):
    pathlib.Path("maps").write_text("precious")
    with pytest.raises(InputError, match="cannot be written"):
        run(model_path, "photos")
    assert pathlib.Path("maps").read_text() == "precious"


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
        (["photos", "--write", "gif"], ["gif", "side-by-side"]),
        (["photos", "--every", "0"], ["--every"]),
        (["photos", "--alpha", "2"], ["--alpha"]),
        (["photos", "--fit", "crop"], ["--fit", "letterbox"]),
        (["photos", "--write", "overlay", "--colormap", "sunset"], ["sunset", "viridis"]),
        (["photos", "--reference", "--write", "npy"], ["8 bits", "npy"]),
        (["photos", "--engine", "jax"], ["--engine", "openvino"]),
        (["photos", "--output", "photos"], ["--output"]),
        (["photos/er.tif*"], ["no such file"]),
    ],
)
def test_a_mistake_at_the_keyboard(photos, arguments, words):
    script = pathlib.Path(predict.__file__)
    flags = ["--output", "maps", "--model", "photos", *arguments]
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
