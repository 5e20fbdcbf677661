"""experiments/export.py: from a run to a folder that a server or another program takes."""

import importlib.util
import os
import subprocess
import sys

import export as script
import keras
import numpy as np
import pytest
import tensorflow as tf
from checks import refused

from keras_saliency import models, runtimes


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """As much of a run as it takes, of a network that is converted fast."""
    folder = tmp_path_factory.mktemp("run")
    layers = [
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 1, activation="sigmoid"),
    ]
    keras.Sequential([keras.Input((12, 16, 3)), *layers], name="net").save(folder / "model.keras")
    return folder


def export(run, output, *flags):
    script.main(["--model", str(run), "--output", str(output), *flags])


def test_a_run_becomes_a_saved_model(run, tmp_path, capsys):
    folder = tmp_path / "net" / "1"
    for precision in ("float32", "bfloat16"):  # the second takes the first's place
        export(run, folder, "--precision", precision)
        said = capsys.readouterr().out
        assert f"{run}: net, 12x16, 117 weights\n" in said
        assert f"saved_model.pb: saved_model, weights float32, precision {precision}" in said
        assert ("1 is replaced" in said) == (precision == "bfloat16")
        assert " ms here, the median of 10" in said
    served = tf.saved_model.load(str(folder)).signatures["array"]
    found = served(stimulus=tf.zeros((2, 20, 30, 3), tf.uint8))["saliency_map"]
    assert found.shape == (2, 20, 30, 1)


@pytest.mark.parametrize("format", runtimes.FORMATS)
def test_a_run_becomes_a_file_for_another_runtime(format, run, tmp_path, capsys):
    name, packages = runtimes.FORMATS[format]
    for package in packages:
        pytest.importorskip(package)
    export(run, tmp_path / "any", "--format", format, "--weights", "float16")
    assert f"{name}: {format}, weights float16" in capsys.readouterr().out
    model, stimuli = keras.models.load_model(run / "model.keras"), np.full((2, 12, 16, 3), 200.0)
    found = runtimes.read(str(tmp_path / "any" / name)).predict_on_batch(stimuli)
    np.testing.assert_allclose(found, model(stimuli), atol=1e-3)


def test_a_folder_that_serving_would_ignore_is_warned_of(run, tmp_path, capsys):
    for name in ("best", "0", "1.5", "-1"):
        script.check_output(str(tmp_path / name), "saved_model")
        assert f"{name} is no version like 1" in capsys.readouterr().out
    script.check_output(str(tmp_path / "12"), "saved_model")
    script.check_output(str(tmp_path / "best"), "onnx")
    assert not capsys.readouterr().out


def test_a_folder_of_other_things_is_not_replaced(run, tmp_path):
    (tmp_path / "thesis.txt").write_text("four years")
    refused(lambda: export(run, tmp_path), "holds thesis.txt", "name another folder")
    refused(lambda: export(run, tmp_path / "thesis.txt"), "is a file")
    refused(lambda: export(run, tmp_path / "net.onnx"), "like", str(tmp_path / "1"))
    assert (tmp_path / "thesis.txt").read_text() == "four years"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_generator_is_refused(run, tmp_path):
    models.SalGANDiscriminator((32, 32), width=1 / 4).save(tmp_path / "judge.keras")
    (tmp_path / "damaged.keras").write_bytes((run / "model.keras").read_bytes()[:2000])
    for name, words in (
        ("judge.keras", "is no generator: it goes from (None, 32, 32, 3) and"),
        ("damaged.keras", "cannot be loaded"),
    ):
        refused(lambda name=name: export(tmp_path / name, tmp_path / "1"), name, words)
    assert not (tmp_path / "1").exists()


def test_a_missing_package_is_said_before_anything_is_loaded(run, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (tmp_path / "epochs").mkdir()  # a run's, that has no model
    refused(
        lambda: export(tmp_path, tmp_path / "1", "--format", "litert"),
        "litert needs ai_edge_litert: pip install 'keras_saliency[litert]'",
    )


def test_bfloat16_is_a_saved_models(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        export(run, tmp_path / "1", "--format", "onnx", "--precision", "bfloat16")
    assert stopped.value.code == 2
    assert "--precision is a SavedModel's" in capsys.readouterr().err


def test_a_mistake_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, script.__file__, "--model", "nothing.keras", "--output", "1"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, os.listdir(tmp_path)) == (2, "", [])
    assert done.stderr.startswith("export.py: argument --model: no such file or folder: nothing")
    assert done.stderr.count("\n") == 1
