"""One's own data from its files to a scored model."""

import json
import shutil

import evaluate
import numpy as np
import pytest
import train_salgan
from PIL import Image

from keras_saliency import map_files, maps
from keras_saliency.errors import InputError

TINY = {"size": (32, 48), "batch_size": 4, "content_epochs": 1, "epochs": 0, "width": 1 / 16}
NAMES = [f"{i}.png" for i in range(13)]  # "8.png" and "12.png" are "test"
SIZE = (40, 60)


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """Pictures in which two people look at the bright spot."""
    random = np.random.default_rng(0)
    data = tmp_path_factory.mktemp("looked")
    (data / "images").mkdir()
    lines = ["image,x,y,observer"]
    for name in NAMES:
        picture = random.integers(0, 60, (*SIZE, 3)).astype("uint8")
        x, y = random.integers(8, 50), random.integers(8, 30)
        picture[y - 4 : y + 5, x - 4 : x + 5] = 255
        Image.fromarray(picture).save(data / "images" / name)
        lines += [f"{name},{x + i},{y - i},{who}" for i in range(4) for who in ("anna", "ben")]
    (data / "fixations.csv").write_text("\n".join(lines))
    return data


@pytest.fixture(scope="module")
def mapped(looked, tmp_path_factory):
    """The same pictures with densities alone, smaller than they are."""
    data = tmp_path_factory.mktemp("mapped")
    (data / "images").symlink_to(looked / "images")
    for line in (looked / "fixations.csv").read_text().splitlines()[1::8]:
        name, x, y, _ = line.split(",")
        density = maps.density([[float(x), float(y)]], SIZE, 4.0, (20, 30))
        map_files.write_png(str(data / "maps" / name), density)
    return data


def train(data, run_dir, *flags):
    with pytest.MonkeyPatch.context() as patch:
        small = {**train_salgan.SMALL, **TINY, "encoder_weights": "none"}
        patch.setitem(train_salgan.RECIPES, "folder", small)
        train_salgan.main(
            ["--data", "folder", "--data-dir", str(data), "--run-dir", str(run_dir), *flags]
        )


def score(data, run_dirs, *flags):
    runs = [str(run_dir) for run_dir in run_dirs]
    evaluate.main(["--data", "folder", "--data-dir", str(data), "--model", *runs, *flags])


def test_fixations_to_a_scored_model(looked, tmp_path, capsys):
    run_dir = tmp_path / "run"
    train(looked, run_dir, "--pixels-per-degree", "4")
    config = json.loads((run_dir / "config.json").read_text())
    assert config["arguments"]["pixels_per_degree"] == 4
    assert config["pictures"] == {"train": 11, "test": 2}
    assert "folder test, 2 pictures" in (run_dir / "scores.md").read_text()
    trained = (run_dir / "scores.csv").read_text()

    # What it was not trained on, blurred as in training.
    capsys.readouterr()
    score(looked, [run_dir], "--csv", str(tmp_path / "s.csv"))
    said = capsys.readouterr().out
    assert "folder test: 2 pictures" in said and "sigma 4 px" in said
    assert (tmp_path / "s.csv").read_text() == trained
    (run_dir / "epochs").mkdir(exist_ok=True)
    shutil.copy(run_dir / "model.keras", run_dir / "epochs" / "epoch_0003.keras")
    for part in ("model.keras", "epochs/epoch_0003.keras"):
        score(looked, [run_dir / part])
        said = capsys.readouterr().out
        assert '--split test: a model was trained on the "train" of folder' in said
        assert "folder test: 2 pictures" in said and "sigma 4 px" in said
    score(looked, [run_dir], "--split", "all", "--pixels-per-degree", "6")
    said = capsys.readouterr().out
    assert "folder all, 13 pictures" in said and "sigma 6 px" in said

    other = tmp_path / "other"
    (other / "epochs").mkdir(parents=True)
    config["arguments"]["pixels_per_degree"] = 5
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="differ in their --pixels-per-degree"):
        score(looked, [run_dir, other])


def test_densities_to_a_scored_model(mapped, tmp_path):
    train(mapped, tmp_path / "run")
    table = (tmp_path / "run" / "scores.md").read_text()
    assert "densities as published" in table and "| SalGAN |" in table
    header, first, *_ = (tmp_path / "run" / "scores.csv").read_text().splitlines()
    scores = dict(zip(header.split(","), first.split(","), strict=True))
    assert np.isfinite(float(scores["cc"])) and np.isnan(float(scores["nss"]))


def test_without_a_degree_nothing_is_written(looked, tmp_path):
    with pytest.raises(InputError, match="--pixels-per-degree"):
        train(looked, tmp_path / "run")
    assert not (tmp_path / "run").exists()
