"""predict.py goes on where it was stopped, and takes nobody else's maps for its own."""

import os
import pathlib
import re
import sys

import numpy as np
import pytest
from predicted_files import opened, run, save_network, save_photos, written

from keras_saliency import files, prediction, training
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


def test_resume_leaves_what_is_there(photos, model_path, capsys):
    run(model_path, "photos")
    pathlib.Path("maps/a.png").write_bytes(b"not touched")
    os.remove("maps/deep/b.png")
    run(model_path, "photos", "--resume")
    assert pathlib.Path("maps/a.png").read_bytes() == b"not touched"
    assert opened("maps/deep/b.png").shape == (50, 35)
    said = capsys.readouterr().out
    assert "2 of them are done already" in said and "maps: 1 picture," in said
    run(model_path, "photos", "--resume")
    assert "3 of them are done already" in capsys.readouterr().out
    run(model_path, "photos")
    assert opened("maps/a.png").shape == (64, 40)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--write", "overlay"], "write"),  # which would be a.png too
        (["--fit", "letterbox"], "fit"),
        (["--precision", "float32"], "precision"),
        (["--engine", "openvino"], "engine"),
        (["--reference"], "fit"),
        (["--alpha", "0.5"], "alpha"),
        (["--colormap", "jet"], "colormap"),
    ],
)
def test_resume_does_not_mix_settings(photos, model_path, flags, name):
    run(model_path, "photos/a.jpg")
    before = written(), (photos.parent / "maps" / "predicted.json").read_text()
    with pytest.raises(InputError, match=f"predicted.json: {name} was"):
        run(model_path, "photos", "--resume", *flags)
    assert (written(), (photos.parent / "maps" / "predicted.json").read_text()) == before


def test_resume_does_not_mix_models(photos, model_path, tmp_path):
    run(model_path, "photos/a.jpg")
    model = prediction.load(model_path)
    model.set_weights([weights / 2 for weights in model.get_weights()])
    model.save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="model was"):
        run(str(tmp_path / "other.keras"), "photos", "--resume")
    run(model_path, "photos", "--resume")
    assert len(written()) == 3


def test_a_run_that_stops_does_not_leave_the_one_before_it_as_its_own(
    photos, model_path, monkeypatch, capsys
):
    run(model_path, "photos", "--write", "npy")
    before = np.load("maps/deep/er/c.npy")
    original = prediction.each

    def stopped(*arguments):
        for found in original(*arguments, batch_size=1):
            yield found
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(prediction, "each", stopped)
        run(model_path, "photos", "--write", "npy", "--fit", "letterbox")
    assert ended.value.code == 130
    assert "--resume" in capsys.readouterr().err
    pathlib.Path("maps/a.npy").write_bytes(b"not touched")
    run(model_path, "photos", "--write", "npy", "--fit", "letterbox", "--resume")
    assert re.search("[12] of them are done already", capsys.readouterr().out)
    assert pathlib.Path("maps/a.npy").read_bytes() == b"not touched"
    assert np.abs(np.load("maps/deep/er/c.npy") - before).max() > 0.1


def test_resume_without_a_record_begins_anew(photos, model_path):
    os.makedirs("maps")
    pathlib.Path("maps/a.png").write_bytes(b"of whom?")
    run(model_path, "photos", "--resume")
    assert opened("maps/a.png").shape == (64, 40)
    assert os.path.isfile("maps/predicted.json")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device", "maps/.writing-1/c.png"), OSError("8 written")]
)
def test_a_full_disk_is_one_line_and_keeps_what_is_done(
    photos, model_path, monkeypatch, capsys, error
):
    kept = files.replacing

    def replacing(path):
        if path.endswith("c.png"):
            raise error
        return kept(path)

    monkeypatch.setattr(files, "replacing", replacing)
    monkeypatch.setattr(sys, "argv", ["predict.py"])
    with pytest.raises(SystemExit) as ended:
        training.run(lambda: run(model_path, "photos"))
    (line,) = capsys.readouterr().err.strip().splitlines()
    for part in ("maps/deep/er/c.png", "No space left on device", "is kept", "--resume"):
        assert part in line
    assert "writing" not in line
    assert ended.value.code == 2
    assert written() == ["a.png", "deep/b.png"]


def test_an_output_that_is_a_file(photos):
    pathlib.Path("maps").write_text("precious")
    with pytest.raises(InputError, match="maps is no folder"):
        run("photos/a.jpg", "photos")  # before the model, which is none, is looked at
    assert pathlib.Path("maps").read_text() == "precious"


def test_a_name_that_is_too_long_does_not_end_it(photos, model_path, capsys):
    (photos / "a.jpg").rename(photos / ("x" * 245 + ".jpg"))
    for flags in ([], ["--resume"]):
        with pytest.raises(SystemExit) as ended:
            run(model_path, "photos", "--write", "png", "overlay", *flags)
        assert ended.value.code == 1
        assert "xxx-overlay.png cannot be written (File name too long)" in capsys.readouterr().err
        others = [name for name in written() if not name.startswith("x")]
        assert others == [
            "deep/b-overlay.png", "deep/b.png", "deep/er/c-overlay.png", "deep/er/c.png",
        ]  # fmt: skip
