"""The earth mover's distance, by hand and against linear programming."""

import builtins

import numpy as np
import pytest
from scipy import optimize

from keras_saliency import emd
from keras_saliency.errors import InputError

pytest.importorskip("ot", reason="POT is not installed")


def by_linear_programming(p, q, distances):
    n = len(p)
    rows = np.kron(np.eye(n), np.ones(n))
    columns = np.kron(np.ones(n), np.eye(n))
    found = optimize.linprog(
        distances.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([p, q])
    )
    return found.fun


def test_is_the_optimum():
    random = np.random.default_rng(0)
    density, saliency_map = random.random((2, 96, 128))
    size = (3, 4)
    p, q = (emd._shrunken(values, size) for values in (density, saliency_map))
    expected = by_linear_programming(p / p.sum(), q / q.sum(), emd._distances(size))
    assert emd.distance(density, saliency_map) == pytest.approx(expected, abs=1e-9)


def test_symmetry_scale_and_identity():
    random = np.random.default_rng(1)
    a, b = random.random((2, 70, 90))
    assert emd.distance(a, a * 3) == pytest.approx(0, abs=1e-6)
    assert emd.distance(a, b) == pytest.approx(emd.distance(b * 5, a), abs=1e-7)


def test_a_batch():
    random = np.random.default_rng(1)
    a, b = random.random((2, 3, 64, 64, 1))
    found = emd.emd(a, b)
    assert found.shape == (3,) and found.dtype == "float64"
    assert found[1] == pytest.approx(emd.distance(a[1, ..., 0], b[1, ..., 0]))


def test_a_move_costs_its_length():
    left, right = np.zeros((2, 320, 640))
    left[:, :320], right[:, 320:] = 1, 1
    assert emd.distance(left, right) == pytest.approx(10, abs=0.1)


def test_degenerate_maps():
    ones = np.ones((64, 64))
    assert np.isnan(emd.distance(ones * 0, ones))
    assert emd.distance(ones, ones * 0) == pytest.approx(0, abs=1e-9)
    assert emd.distance(np.ones((5, 7)), np.ones((5, 7))) == 0


def test_a_map_of_another_size():
    random = np.random.default_rng(1)
    density = random.random((128, 128))
    assert emd.distance(density, np.kron(density, np.ones((2, 2)))) < 0.05


def test_the_missing_package_is_named(monkeypatch):
    found = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "ot":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install.*emd"):
        emd.distance(np.ones((64, 64)), np.ones((64, 64)))
