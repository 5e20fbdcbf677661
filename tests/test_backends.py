"""Networks, losses and scores come out the same on other backends of Keras."""

import importlib.metadata
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parent.parent
BENCHMARKS = ROOT / "experiments" / "benchmarks"
CHECKED = ("SalGAN generator", "SalGAN generator, light decoder", "pix2pix generator", "JuntingNet")


@pytest.fixture(scope="module")
def backends():
    """The script, with a few of its networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import backends

        patch.setattr(backends, "SMALL", {name: backends.SMALL[name] for name in CHECKED})
        yield backends


@pytest.fixture(scope="module")
def reference(backends, tmp_path_factory):
    path = tmp_path_factory.mktemp("backends") / "reference.npz"
    backends.write(str(path), full=False)
    return path


def installed(backend):
    there = importlib.util.find_spec(backend) is not None
    return pytest.param(
        backend, marks=pytest.mark.skipif(not there, reason=f"no {backend} is installed")
    )


def run_on(backend, script):
    paths = os.pathsep.join([str(BENCHMARKS), *sys.path])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_what_differs_is_named_and_is_a_failure(backends, reference, capsys, tmp_path):
    backends.main(["--compare", str(reference)])
    assert "all within 0.0001: the largest is 0.0e+00" in capsys.readouterr().out

    with np.load(reference) as file:
        arrays = dict(file)
    arrays["pix2pix generator"][0, 3, 4] += 2e-4
    arrays["JuntingNet: gradient of fc1/kernel"] *= 1.001
    arrays["loss KLD: gradient"][0] = np.nan
    np.savez(tmp_path / "changed.npz", **arrays)
    with pytest.raises(SystemExit) as ended:
        backends.main(["--compare", str(tmp_path / "changed.npz")])
    assert "pix2pix generator, JuntingNet: gradients" in str(ended.value)
    assert "loss KLD: gradients" in str(ended.value) and "SalGAN" not in str(ended.value)


def test_other_weights_are_told(backends, reference, monkeypatch):
    draw = backends.draw_weights
    monkeypatch.setattr(
        backends, "draw_weights", lambda network, random: draw(network, np.random.default_rng(99))
    )
    with pytest.raises(SystemExit, match="drawn otherwise"):
        backends.main(["--compare", str(reference)])


@pytest.mark.parametrize("backend", [installed("jax"), installed("torch")])
def test_another_backend_agrees(backend, reference):
    script = f"""
import backends
backends.SMALL = {{name: backends.SMALL[name] for name in {CHECKED}}}
backends.main(["--compare", {str(reference)!r}])
"""
    done = run_on(backend, script)
    assert f"here: {importlib.metadata.version('keras')}, {backend}" in done.stdout
    assert "all within 0.0001" in done.stdout


@pytest.mark.parametrize("backend", ["tensorflow", installed("jax"), installed("torch")])
def test_the_documents_example_runs(backend):
    text = (ROOT / "docs" / "backends.md").read_text()
    example = re.search("```python\n(.*?)```", text, re.DOTALL)[1]
    assert '"KERAS_BACKEND"] = "jax"' in example
    small = """
import keras
import numpy as np
from keras_saliency import models
layer = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")
models.SalGANGenerator = lambda weights: keras.Sequential([keras.Input((16, 16, 3)), layer])
stimuli, densities = np.zeros((8, 16, 16, 3)), np.ones((8, 16, 16, 1))
"""
    done = run_on(backend, small + example.replace('"jax"', repr(backend)))
    assert "cc: " in done.stdout
