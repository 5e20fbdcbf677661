"""The script from the authors' weights to a model of ours."""

import subprocess
import sys

import convert_salgan
import numpy as np
import pytest
import salgan_files
from checks import refused

from keras_saliency import prediction, salgan_weights


@pytest.fixture
def narrow(monkeypatch):
    """A sixteenth of the filters: as the whole network, in a second."""
    convert = salgan_weights.convert
    monkeypatch.setattr(salgan_weights, "convert", lambda path, shape: convert(path, shape, 1 / 16))


def test_a_model_is_written_that_predicts(tmp_path, capsys, narrow):
    weights = salgan_files.write(tmp_path / "gen_modelWeights0090.npz", 1 / 16)
    output = str(tmp_path / "new" / "salgan.keras")
    convert_salgan.main([weights, output, "--size", "32x48"])
    assert capsys.readouterr().out == f"{output}: 124,769 weights, pictures of 32x48\n"
    model = prediction.load(output)
    stimuli = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3)).astype("float32")
    expected = salgan_weights.convert(weights, (32, 48, 3))
    np.testing.assert_allclose(model(stimuli), expected(stimuli), atol=1e-6)


def test_the_papers_size_is_the_default(tmp_path, narrow):
    weights = salgan_files.write(tmp_path / "a.npz", 1 / 16)
    convert_salgan.main([weights, str(tmp_path / "a.keras")])
    assert prediction.load(str(tmp_path / "a.keras")).input_shape == (None, 192, 256, 3)


def test_a_file_that_does_not_fit_leaves_what_was_there(tmp_path, narrow):
    weights = salgan_files.write(tmp_path / "a.npz", 1 / 16, arr_7=np.ones(3, "float32"))
    (tmp_path / "salgan.keras").write_text("before")
    arguments = [weights, str(tmp_path / "salgan.keras")]
    refused(lambda: convert_salgan.main(arguments), "a.npz: arr_7, the bias of block2_conv2")
    assert (tmp_path / "salgan.keras").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "salgan.keras"]


def test_another_ending_is_refused_before_anything_is_read():
    refused(lambda: convert_salgan.main(["none.npz", "salgan.h5"]), "salgan.h5", ".keras")


def test_the_whole_file_and_a_wrong_one_at_the_keyboard(tmp_path):
    salgan_files.write(tmp_path / "gen_modelWeights0090.npz")
    salgan_files.write(tmp_path / "narrow.npz", 1 / 16)

    def run(weights):
        command = [sys.executable, convert_salgan.__file__, weights, "a.keras", "--size", "32x32"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    done = run("narrow.npz")
    assert done.returncode == 2 and not (tmp_path / "a.keras").exists()
    (line,) = done.stderr.strip().splitlines()
    assert "narrow.npz: arr_0" in line and "expected float32 of shape (64, 3, 3, 3)" in line
    done = run("gen_modelWeights0090.npz")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "a.keras: 31,787,009 weights, pictures of 32x32\n"
    assert (tmp_path / "a.keras").stat().st_size > 4 * 31_787_009
