"""A mistake at the keyboard: one clear line on stderr, status 2, nothing half-written."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import io

from keras_saliency.datasets import osie

EXPERIMENTS = pathlib.Path(__file__).parents[2] / "experiments"


def run(script, *flags, cwd):
    command = [sys.executable, str(EXPERIMENTS / script), *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def assert_one_line(done, *parts):
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0]


@pytest.fixture
def osie_tree(tmp_path):
    """OSIE's layout with 502 tiny records: the loader's split needs 501."""
    root = tmp_path / "osie" / "data"
    (root / "stimuli").mkdir(parents=True)
    (root / "eye").mkdir()
    cells = np.empty((502, 1), object)
    picture = Image.fromarray(np.zeros((*osie.SIZE, 3), "uint8"))
    picture.save(root / "stimuli" / "0.jpg")
    for i in range(502):
        name = f"{1001 + i}.jpg"
        (root / "stimuli" / name).hardlink_to(root / "stimuli" / "0.jpg")
        subjects = np.empty((1, 1), object)
        subjects[0, 0] = {
            "fix_x": np.array([[10.0, 20.0]]),
            "fix_y": np.array([[10.0, 20.0]]),
            "fix_duration": np.array([[200.0, 200.0]]),
        }
        cells[i, 0] = {"img": name, "subjects": subjects}
    io.savemat(root / "eye" / "fixations.mat", {"fixations": cells})
    return root


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--data", "nowhere"], ["--data", "nowhere", "osie"]),
        (["--data", "osie"], ["--data-dir"]),
        (["--data", "osie", "--data-dir", "missing"], ["no such file", "fixations.mat"]),
        (["--size", "wide"], ["--size", "192x256"]),
        (["--epochs", "-1"], ["--epochs"]),
        (["--limit", "0"], ["--limit"]),
        (["--seed", "-1"], ["--seed"]),
        (["--resume"], ["--run-dir"]),
        (["--resume", "--run-dir", "missing"], ["config.json", "no run to resume"]),
    ],
)
def test_flags(flags, parts, tmp_path):
    assert_one_line(run("train_salgan.py", *flags, cwd=tmp_path), *parts)
    assert not list(tmp_path.iterdir())


def test_size_that_the_network_cannot_take(tmp_path):
    done = run("train_salgan.py", "--size", "100x128", "--limit", "2", cwd=tmp_path)
    assert_one_line(done, "multiples of 16", "100x128")
    assert not list(tmp_path.iterdir())


def test_existing_run_folder_without_resume(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").write_text("precious")
    done = run("train_salgan.py", "--run-dir", "run", "--limit", "2", cwd=tmp_path)
    assert_one_line(done, "run is not empty", "--resume")
    assert (tmp_path / "run" / "model.keras").read_text() == "precious"


def test_run_folder_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("precious")
    done = run("train_salgan.py", "--run-dir", "run", "--limit", "2", cwd=tmp_path)
    assert_one_line(done, "run is a file")


def test_stimulus_that_is_not_there(osie_tree, tmp_path):
    (osie_tree / "stimuli" / "1003.jpg").unlink()
    done = run("train_salgan.py", "--data", "osie", "--data-dir", osie_tree, cwd=tmp_path)
    assert_one_line(done, "no such file", "1003.jpg")


def test_truncated_mat(osie_tree, tmp_path):
    path = osie_tree / "eye" / "fixations.mat"
    path.write_bytes(path.read_bytes()[:5000])
    done = run("train_salgan.py", "--data", "osie", "--data-dir", osie_tree, cwd=tmp_path)
    assert_one_line(done, str(path), "damaged")


def test_image_that_does_not_decode(osie_tree, tmp_path):
    path = osie_tree / "stimuli" / "1002.jpg"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    flags = ["--data", "osie", "--data-dir", osie_tree, "--limit", "3", "--run-dir", "run"]
    done = run(
        "train_salgan.py", *flags, "--encoder-weights", "none", "--size", "32x32", cwd=tmp_path
    )
    assert_one_line(done, str(path), "does not decode")
    assert not (tmp_path / "run").exists()


def test_fixation_outside_its_picture_is_dropped_and_counted(osie_tree, capsys):
    from keras_saliency import loading, training

    path = osie_tree / "eye" / "fixations.mat"
    cells = io.loadmat(path)["fixations"]
    cells[1, 0][0, 0]["subjects"][0, 0][0, 0]["fix_x"][0, 0] = 5000.0
    io.savemat(path, {"fixations": cells})
    args = training.parser("").parse_args(["--data", "osie", "--data-dir", str(osie_tree)])
    assert len(loading.load_split(args, "train")) == 500
    assert len(loading.load_split(args, "test")) == 2
    assert "dropped 1 fixations outside their pictures: 1002.jpg" in capsys.readouterr().out


def test_evaluate_names_the_missing_data(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"")
    flags = ["--model", "model.keras", "--data", "osie", "--data-dir", "missing"]
    assert_one_line(run("evaluate.py", *flags, cwd=tmp_path), "no such file", "fixations.mat")


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_evaluate_names_a_model_it_cannot_use(tmp_path, content):
    path = tmp_path / "model.keras"
    if content:
        path.write_bytes(content)
    done = run("evaluate.py", "--model", path, "--limit", "2", cwd=tmp_path)
    assert_one_line(done, str(path))
