"""The benchmark of GPUs: what it counts, and its table."""

import pathlib

import keras
import pytest

from keras_saliency.layers import MatrixConv2DTranspose

BENCHMARKS = pathlib.Path(__file__).parent.parent / "experiments" / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import accelerators
    import implementations

    return accelerators, implementations


def test_multiplications_are_those_of_the_convolutions(benchmarks):
    pictures = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same")(pictures)  # to 4x3
    x = MatrixConv2DTranspose(2, 3, strides=2)(x)
    x = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    counted = benchmarks[1].multiplications(keras.Model(pictures, x))
    assert counted == 4 * 3 * 3 * 3 * 3 * 5 + 4 * 3 * 3 * 3 * 5 * 2


def test_a_row_is_held_against_the_faster_twin_and_kept(benchmarks, tmp_path):
    accelerators, _ = benchmarks
    rows = {}
    for implementation, rate in (("jax", 30.0), ("twin", 10.0), ("compiled", 20.0)):
        row = {
            "network": "SalGAN", "size": "192x256", "batch": 8, "precision": "float16",
            "what": "maps", "implementation": implementation, "rate": rate, "lowest": rate,
            "highest": rate, "share": 0.5, "device": "Card", "versions": {"keras": "3"},
            "peak": {"product": 800.0, "convolution": 700.0},
        }  # fmt: skip
        rows[tuple(row[key] for key in accelerators.KEY)] = row
        accelerators.write(str(tmp_path), rows)
    assert accelerators.read(str(tmp_path)) == rows
    table = (tmp_path / "accelerators.md").read_text()
    assert "Card" in table and "Keras on JAX | 30.0 | 30.0 to 30.0 | 50% | 1.50 |" in table
    assert "PyTorch | 10.0 | 10.0 to 10.0 | 50% | 0.50 |" in table
    assert "PyTorch, compiled, float16: product of matrices 800, convolution 700 TFLOP/s" in table
