"""The script from pictures to a file that can be handed in."""

import pathlib
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
import submit
from PIL import Image

from keras_saliency import densities, map_files, models, prediction, submissions
from keras_saliency.errors import InputError

SIZES = {"i1.jpg": (40, 64), "i2.jpg": (50, 35), "i3.jpg": (33, 33)}


@pytest.fixture
def stimuli(tmp_path):
    """A folder like MIT300's; the middle picture has an EXIF tag that would turn it."""
    folder = tmp_path / "BenchmarkIMAGES"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    random = np.random.default_rng(0)
    for name, size in SIZES.items():
        pixels = random.integers(0, 256, (*size, 3)).astype("uint8")
        Image.fromarray(pixels).save(folder / name, exif=exif if name == "i2.jpg" else Image.Exif())
    return str(folder)


@pytest.fixture
def predictions(tmp_path):
    """Float maps, written as a 16-bit PNG, a JPEG and a log density."""
    random = np.random.default_rng(1)
    maps = {name: random.random((*size, 1)) + 0.01 for name, size in SIZES.items()}
    folder = tmp_path / "predictions"
    folder.mkdir()
    map_files.write_png(str(folder / "i1.png"), maps["i1.jpg"])
    gray = np.round(maps["i2.jpg"][..., 0] / maps["i2.jpg"].max() * 255).astype("uint8")
    Image.fromarray(gray).save(folder / "i2.jpg", quality=100)
    map_files.write_log_density(
        str(folder / "i3.npy"), densities.log_density(maps["i3.jpg"], floor=0)
    )
    return folder, maps


def flags(benchmark, stimuli, *others):
    return ["--benchmark", benchmark, "--stimuli", stimuli, *map(str, others)]


@pytest.fixture
def model_path(tmp_path):
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "model.keras")
    return str(tmp_path / "run")


def test_a_models_maps(stimuli, model_path, tmp_path, capsys):
    output = tmp_path / "SalGAN.zip"
    submit.main(flags("mit300", stimuli, "--model", model_path, "--output", output))
    assert submissions.validate(str(output), "mit300", stimuli) == 3
    said = capsys.readouterr().out
    assert "mit300: 3 pictures" in said
    assert "has 300" in said
    assert f"wrote {output}" in said
    # The maps are those of the pictures as they are stored.
    model = keras.models.load_model(f"{model_path}/model.keras", compile=False)
    pixels = submissions.read_stimulus(f"{stimuli}/i2.jpg")
    (expected,) = prediction.saliency_maps(model, [pixels])
    with zipfile.ZipFile(output) as archive, archive.open("SalGAN/i2.jpg") as file:
        got = np.asarray(Image.open(file)).astype("float64")
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.999


def test_a_models_log_densities(stimuli, model_path, tmp_path):
    output = tmp_path / "a.h5"
    submit.main(flags("tuebingen", stimuli, "--model", model_path, "--output", output))
    assert submissions.validate(str(output), "tuebingen", stimuli) == 3


def test_map_files_become_jpegs(stimuli, predictions, tmp_path):
    folder, maps = predictions
    output = tmp_path / "maps"
    submit.main(flags("mit300", stimuli, "--predictions", folder, "--output", output))
    for name, values in maps.items():
        with Image.open(output / name) as picture:
            got = np.asarray(picture).astype("float64")
        assert np.corrcoef(got.ravel(), values.ravel())[0, 1] > 0.999


def test_map_files_become_log_densities(stimuli, predictions, tmp_path):
    folder, maps = predictions
    output = tmp_path / "a.h5"
    submit.main(flags("tuebingen", stimuli, "--predictions", folder, "--output", output))
    assert submissions.validate(str(output), "tuebingen", stimuli) == 3
    with h5py.File(output) as file:
        stored = map_files.read(str(folder / "i3.npy"))[..., 0]
        np.testing.assert_array_equal(file["i3.jpg"][()], stored)
        expected = densities.log_density(maps["i1.jpg"], 0.0)[..., 0]
        np.testing.assert_allclose(file["i1.jpg"][()], expected, atol=1e-3)


@pytest.mark.parametrize("benchmark", ["mit300", "tuebingen"])
def test_every_bad_file_is_told_and_nothing_written(stimuli, predictions, tmp_path, benchmark):
    folder, maps = predictions
    (folder / "i1.png").write_bytes(b"no picture")
    (folder / "README.txt").write_text("maps")
    np.save(folder / "i3.npy", np.log(maps["i3.jpg"] / 1000))
    output = tmp_path / "a.h5" if benchmark == "tuebingen" else tmp_path / "maps"
    with pytest.raises(InputError) as caught:
        submit.main(flags(benchmark, stimuli, "--predictions", folder, "--output", output))
    for part in ("3 problems", str(folder / "i1.png"), "README.txt: there is no", "i3.npy: n"):
        assert part in str(caught.value)
    assert not output.exists()


def test_a_float_map_without_zeros_needs_no_floor(stimuli, tmp_path):
    maps = np.random.default_rng(0).random((40, 50)) + 1e-4
    found = submit.suited("a.jpg", maps[..., None], "tuebingen")
    np.testing.assert_allclose(np.exp(found)[..., 0], maps / maps.sum(), rtol=1e-9)


def test_a_saliency_map_in_a_npy_file(stimuli, predictions, tmp_path):
    folder, maps = predictions
    np.save(folder / "i3.npy", maps["i3.jpg"])
    output = tmp_path / "a.h5"
    submit.main(flags("tuebingen", stimuli, "--predictions", folder, "--output", output))
    with h5py.File(output) as file:
        expected = densities.log_density(maps["i3.jpg"], 0.0)[..., 0]
        np.testing.assert_allclose(file["i3.jpg"][()], expected, atol=1e-5)


def test_check(stimuli, predictions, tmp_path, capsys):
    folder, _ = predictions
    output = tmp_path / "a.zip"
    submit.main(flags("mit300", stimuli, "--predictions", folder, "--output", output))
    submit.main(flags("mit300", stimuli, "--check", output))
    assert f"{output}: nothing is wrong" in capsys.readouterr().out
    with pytest.raises(InputError, match="cannot be read as an HDF5 file"):
        submit.main(flags("tuebingen", stimuli, "--check", output))


def refused(*arguments, cwd):
    script = pathlib.Path(submit.__file__)
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--model", "nowhere", "--output", "a"], "nowhere"),
        (["--predictions", "nowhere", "--output", "a"], "nowhere"),
        (["--predictions", "BenchmarkIMAGES"], "--output"),
        (["--check", "a.zip", "--output", "b.zip"], "--check"),
        (["--check", "a.zip"], "no such file or folder: a.zip"),
        (["--output", "a.zip"], "--predictions"),
    ],
)
def test_a_mistake_at_the_keyboard(stimuli, tmp_path, arguments, word):
    before = sorted(tmp_path.iterdir())
    assert word in refused(*flags("mit300", stimuli, *arguments), cwd=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_stimuli_folder(tmp_path):
    (tmp_path / "maps").mkdir()
    arguments = flags("cat2000", "nowhere", "--predictions", "maps", "--output", "a.zip")
    assert "no such folder: nowhere" in refused(*arguments, cwd=tmp_path)
