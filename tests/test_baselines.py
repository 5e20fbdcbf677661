"""Baselines: what each foretells, and in which order they come."""

import numpy as np
import pytest

from keras_saliency import baselines, evaluation, tables
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths

SIZE = (60, 80)


def people(count=12, observers=6, seed=0):
    """Pictures with a middle that attracts a little and a spot of their own that attracts much."""
    random = np.random.default_rng(seed)
    examples = []
    for i in range(count):
        spot = random.uniform([15, 15], [65, 45])
        points, who = [], []
        for observer in range(observers):
            points += [random.normal(spot, 3, (6, 2)), random.normal([40, 30], 9, (3, 2))]
            who += [observer] * 9
        points = np.concatenate(points).clip(0, [79, 59]).astype("float32")
        examples.append(
            Example(
                *(f"{i}.png", SIZE, points),
                image=random.integers(0, 256, (*SIZE, 3)).astype("uint8"),
                observers=np.array(who, "int32"),
            )
        )
    return examples


@pytest.fixture(scope="module")
def truths():
    return Truths(people(), "tuebingen", 4.0)


def mean(name, truths, score):
    return evaluation.means(evaluation.score_baseline(name, truths))[score]


@pytest.mark.parametrize("name", baselines.BASELINES)
def test_every_baseline_makes_a_map_of_the_pictures_size(name, truths):
    cases = baselines.BASELINES[name](truths)(3)
    assert len(cases) == (6 if name in ("one_observer", "gold_standard") else 1)
    for example, make in cases:
        values = np.asarray(make()).reshape(SIZE)
        assert example.name == "3.png" and np.isfinite(values).all() and values.max() > 0


def test_people_know_more_than_the_center_and_that_more_than_nothing(truths):
    order = ["uniform", "center_bias", "one_observer", "gold_standard"]
    for score in ("auc", "nss", "ig"):
        scores = [mean(name, truths, score) for name in order]
        assert scores == sorted(scores), score
        assert scores[0] < scores[-1]
    assert mean("uniform", truths, "auc") == 0.5
    assert mean("gold_standard", truths, "auc") > 0.8


def test_the_gold_standard_has_scores_of_fixations_only(truths):
    rows = evaluation.score_baseline("gold_standard", truths)
    assert all(np.isnan(row[name]) for row in rows for name in ("cc", "sim", "kld"))


def test_the_kernel_density_is_at_least_as_likely_as_the_center_bias(truths):
    assert mean("kde", truths, "ig") > -0.05


def test_shuffled_is_of_another_picture(truths):
    [(_, make)] = baselines.shuffled(truths)(0)
    densities = [truths.of(i).density for i in range(12)]
    found = [np.corrcoef(make().ravel(), density.ravel())[0, 1] for density in densities]
    assert found[0] < 0.9 < max(found[1:])
    assert mean("shuffled", truths, "nss") < mean("center_bias", truths, "nss") + 0.5


def test_the_gaussian_is_in_the_middle(truths):
    [(_, make)] = baselines.gaussian(truths)(0)
    values = make()
    assert np.unravel_index(values.argmax(), SIZE) in {(29, 39), (29, 40), (30, 39), (30, 40)}
    np.testing.assert_allclose(values, values[::-1, ::-1])
    row = values[30] / values[30].max()
    assert row[40 + 16] == pytest.approx(np.exp(-0.5), abs=0.03)


def test_observers_have_to_be_known():
    nameless = [Example("a", SIZE, np.ones((3, 2))), Example("b", SIZE, np.ones((3, 2)))]
    for name in ("one_observer", "gold_standard"):
        with pytest.raises(InputError, match="who made each fixation"):
            baselines.BASELINES[name](Truths(nameless, "mit", 3.0))


def test_a_picture_with_one_observer_has_no_score():
    examples = people(3)
    examples.append(Example("lone", SIZE, np.ones((3, 2)), observers=np.zeros(3, "int32")))
    rows = evaluation.score_baseline("gold_standard", Truths(examples, "mit", 4.0))
    assert np.isnan(rows[3]["nss"]) and not np.isnan(rows[0]["nss"])


@pytest.mark.parametrize("name", ["center_bias", "kde", "shuffled", "one_observer"])
def test_one_picture_has_no_others(name):
    with pytest.raises(InputError, match="only one"):
        baselines.BASELINES[name](Truths(people(1), "mit", 4.0))


def test_an_observer_does_not_foretell_oneself(truths):
    """Two observers who look at different corners: each is no help for the other."""
    points = np.array([[5, 5]] * 4 + [[75, 55]] * 4, "float32")
    apart = [
        Example(f"{i}", SIZE, points, observers=np.repeat([0, 1], 4).astype("int32"))
        for i in range(3)
    ]
    for example, make in baselines.gold_standard(Truths(apart, "tuebingen", 3.0))(0):
        x, y = example.fixations[0].astype(int)
        values = make()
        assert values[y, x] < values[59 - y, 79 - x]


def published(count=4):
    """Pictures with a density and no fixations."""
    random = np.random.default_rng(0)
    return [
        Example(f"{i}.png", SIZE, np.zeros((0, 2)), density=random.random((6, 8)) + np.eye(6, 8))
        for i in range(count)
    ]


@pytest.mark.parametrize("name", ["kde", "one_observer", "gold_standard"])
def test_baselines_of_points_need_fixations(name):
    truths = Truths(published(), "mit")
    assert baselines.lacks(name, truths) == (
        "this baseline is made of fixations, and the data has none"
    )
    with pytest.raises(InputError, match="made of fixations"):
        baselines.BASELINES[name](truths)


@pytest.mark.parametrize("protocol", ["mit", "tuebingen", "salicon"])
def test_published_densities_have_baselines_of_densities(protocol):
    truths = Truths(published(), protocol)
    for name in ("uniform", "gaussian", "center_bias", "shuffled"):
        assert not baselines.lacks(name, truths)
        rows = evaluation.score_baseline(name, truths, workers=1)
        found = evaluation.means(rows)
        has = {score for score, value in found.items() if not np.isnan(value)}
        assert has <= {"cc", "sim", "kld"}
        assert name == "uniform" or "cc" in has
    center = evaluation.means(evaluation.score_baseline("center_bias", truths))
    assert center["cc"] > 0.1
    table = tables.table("densities", {"center bias": evaluation.score_baseline(
        "center_bias", truths)})  # fmt: skip
    assert "| – |" in table and "without a score" not in table


def test_the_earth_mover_needs_no_fixations():
    pytest.importorskip("ot")
    truths = Truths(published(2), "mit")
    rows = evaluation.score([truths.of(i).density for i in range(2)], truths, with_emd=True)
    assert [row["emd"] for row in rows] == pytest.approx([0, 0], abs=1e-9)


def test_shuffled_is_the_density_of_another_picture():
    [(_, make)] = baselines.shuffled(Truths(published(2), "mit"))(0)
    values = make()[..., 0]
    assert values.sum() == pytest.approx(1)
    expected = Truths(published(2), "mit").of(1).density
    np.testing.assert_allclose(values, expected / expected.sum())
