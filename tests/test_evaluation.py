"""Rows, means and intervals of scores."""

import threading
import warnings

import numpy as np
import pytest

from keras_saliency import evaluation, protocols
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths

SIGMA = 3.0
NAN = float("nan")
NAMES = ["a.png", "bb.png", "ccc.png"]


def example(name, size, count):
    points = np.random.default_rng(len(name)).uniform(0, [size[1] - 1, size[0] - 1], (count, 2))
    return Example(name, size, points.astype("float32"), image=np.zeros((*size, 3), "uint8"))


@pytest.fixture
def examples():
    sizes = [(20, 30), (16, 12), (25, 31)]
    return [example(*both, 5) for both in zip(NAMES, sizes, strict=True)]


@pytest.fixture
def truths(examples):
    return Truths(examples, "mit", SIGMA)


def random_maps(examples):
    rng = np.random.default_rng(1)
    return [rng.random((*e.size, 1), "float32") for e in examples]


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@pytest.mark.parametrize("with_emd", [False, True])
def test_rows_have_the_pictures_name_and_every_score(examples, protocol, with_emd):
    if with_emd:
        pytest.importorskip("ot")
    truths = Truths(examples, protocol, SIGMA)
    rows = evaluation.score(random_maps(examples), truths, with_emd)
    assert [row["image"] for row in rows] == NAMES
    for row in rows:
        assert list(row) == ["image", *evaluation.columns(protocol, with_emd)]
        assert all(type(row[name]) is float for name in row if name != "image")


def test_the_density_is_the_best_map(examples, truths):
    perfect = [truths.of(index).density for index in range(3)]
    for row, of_noise in zip(
        evaluation.score(perfect, truths),
        evaluation.score(random_maps(examples), truths),
        strict=True,
    ):
        assert (row["cc"], row["sim"], row["kld"]) == pytest.approx((1, 1, 0), abs=1e-5)
        assert row["nss"] > of_noise["nss"]
        assert row["auc_judd"] > of_noise["auc_judd"]


def test_the_center_bias_gains_nothing_over_itself(truths):
    rows = evaluation.score_baseline("center_bias", truths)
    assert [row["ig"] for row in rows] == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_maps_are_taken_as_they_come(examples, truths, workers):
    rows = evaluation.score(iter(random_maps(examples)), truths, workers=workers)
    lazy = [lambda saliency_map=m: saliency_map for m in random_maps(examples)]
    assert rows == evaluation.score(lazy, truths, workers=workers)


def test_few_maps_are_in_memory_at_a_time(examples):
    many = [examples[0]] * 60
    taken, most, lock, done = 0, 0, threading.Lock(), 0

    def make():
        nonlocal done
        with lock:
            done += 1
        return np.random.default_rng(0).random(many[0].size)

    def maps():
        nonlocal taken, most
        for _ in many:
            taken += 1
            with lock:
                most = max(most, taken - done)
            yield make

    assert len(evaluation.score(maps(), Truths(many, "mit", SIGMA), workers=2)) == 60
    assert most <= 6


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_or_too_many_maps_are_an_error(examples, truths, count):
    four = [*random_maps(examples), np.zeros((20, 30, 1), "float32")]
    with pytest.raises(ValueError, match=r"shorter|longer"):
        evaluation.score(four[:count], truths)


def test_a_bad_map_is_named(examples, truths):
    maps = random_maps(examples)
    maps[1][3, 3] = NAN
    with pytest.raises(InputError, match=r"bb\.png.*not finite"):
        evaluation.score(maps, truths)
    problems = []
    rows = evaluation.score(maps, truths, problems=problems)
    assert len(problems) == 1 and "bb.png" in problems[0]
    assert np.isnan(rows[1]["nss"]) and not np.isnan([rows[0]["nss"], rows[2]["nss"]]).any()


def test_a_picture_without_fixations_has_no_score(examples):
    nobody = example("c.png", (20, 30), 0)
    rows = evaluation.score(
        random_maps([*examples, nobody]), Truths([*examples, nobody], "mit", SIGMA)
    )
    assert all(np.isnan(rows[3][name]) for name in rows[3] if name != "image")
    assert not np.isnan(rows[0]["sauc"])


def test_a_lone_picture_has_no_others(examples):
    [row] = evaluation.score(random_maps(examples[:1]), Truths(examples[:1], "mit", SIGMA))
    assert [name for name in row if name != "image" and np.isnan(row[name])] == ["sauc", "ig"]


def test_the_missing_solver_is_said_once(monkeypatch, examples, truths):
    def missing():
        raise InputError("needs POT")

    monkeypatch.setattr(evaluation.emd, "solver", missing)
    problems = []
    with pytest.raises(InputError, match="needs POT"):
        evaluation.score(random_maps(examples), truths, with_emd=True, problems=problems)
    assert not problems


def test_intervals():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        rows = [{"image": str(i), "nss": value} for i, value in enumerate(random.normal(1, 2, 40))]
        low, high = evaluation.intervals(rows)["nss"]
        covered += low < 1 < high
    assert 85 <= covered <= 99
    rows = [{"image": "a", "nss": 1.0}, {"image": "b", "nss": NAN}]
    assert evaluation.intervals(rows) == {"nss": (1, 1)}
    assert np.isnan(evaluation.intervals([{"image": "a", "nss": NAN}])["nss"]).all()


def test_means_are_over_the_pictures_that_have_the_score():
    rows = [{"image": "a", "nss": 1.0, "cc": 0.5}, {"image": "b", "nss": NAN, "cc": 0.7}]
    assert evaluation.means(rows) == {"nss": 1.0, "cc": pytest.approx(0.6)}


def test_a_score_that_no_picture_has_is_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(evaluation.means([{"image": "a", "nss": NAN}])["nss"])


def test_sameness_is_one_for_one_map_whatever_its_scale_and_size():
    blob = np.exp(-(np.linspace(-1, 1, 48)[:, None] ** 2) - np.linspace(-1, 1, 64) ** 2)[..., None]
    larger = np.kron(blob, np.ones((2, 2, 1)))
    assert evaluation.sameness([blob, 3 * blob + 1, larger]) == pytest.approx(1, abs=1e-3)


def test_sameness_of_maps_that_have_little_in_common_is_low():
    random = np.random.default_rng(0)
    assert evaluation.sameness(random.random((40, 24, 32, 1))) < 0.3


def test_sameness_leaves_constant_maps_out():
    ramp = np.arange(768.0).reshape(24, 32, 1)
    assert evaluation.sameness([ramp, np.ones_like(ramp)]) == pytest.approx(1)
    assert np.isnan(evaluation.sameness([np.ones_like(ramp)])) and np.isnan(evaluation.sameness([]))
