"""AUCs: known answers, properties, degenerate input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_saliency import auc
from keras_saliency.errors import InputError

RAMP = np.arange(16.0).reshape(1, 4, 4, 1)
FIXATED = np.isin(RAMP, [9, 15]) * 1  # rows 2 and 3: SPEC's (2, 1) and (3, 3)

shapes = st.tuples(st.integers(2, 9), st.integers(2, 9))


@st.composite
def cases(draw, values=None):
    """A fixation map with at least two fixated pixels and some left, and a saliency map."""
    shape = draw(shapes)
    pixels = shape[0] * shape[1]
    count = draw(st.integers(2, max(2, pixels // 2)))
    fixated = draw(st.permutations(range(pixels)))[:count]
    fixation_map = np.zeros(pixels)
    fixation_map[fixated] = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    values = st.integers(-50, 50) if values is None else values
    saliency_map = draw(hnp.arrays("float64", pixels, elements=values))
    return fixation_map.reshape(1, *shape, 1), saliency_map.reshape(1, *shape, 1)


def pairs(positives, negatives):
    """The exact area by its definition: every pair compared."""
    wins = np.subtract.outer(positives, negatives)
    return np.mean((wins > 0) + 0.5 * (wins == 0))


def test_worked_by_hand():
    assert auc.auc_judd(FIXATED, RAMP, jitter=False)[0] == pytest.approx(0.910714, abs=1e-6)
    assert auc.auc_uniform(FIXATED, RAMP)[0] == pytest.approx(0.78125, abs=1e-12)
    unfixated = (FIXATED == 0) * 1
    exact = auc.shuffled_auc(FIXATED, RAMP, unfixated, splits=None, step=None)
    assert exact[0] == pytest.approx(0.821429, abs=1e-6)


def test_the_step_of_borji_worked_by_hand():
    """Negatives at flat indices 0 and 5, values 0 and 1/3, below both fixations."""
    negatives = np.isin(RAMP, [0, 5]) * 1
    found = auc.shuffled_auc(FIXATED, RAMP, negatives, splits=None, step=0.1)
    assert found[0] == pytest.approx(1.0)


@given(cases())
def test_uniform_is_every_pair(case):
    fixation_map, saliency_map = case
    positives = np.repeat(saliency_map.ravel(), fixation_map.ravel().astype(int))
    expected = pairs(positives, saliency_map.ravel())
    assert auc.auc_uniform(*case)[0] == pytest.approx(expected, abs=1e-12)


@given(cases(), st.integers(0, 5))
def test_shuffled_is_every_pair(case, seed):
    fixation_map, saliency_map = case
    other = np.random.default_rng(seed).integers(0, 3, fixation_map.shape)
    other[0, 0, 0, 0] = 1
    positives = np.repeat(saliency_map.ravel(), fixation_map.ravel().astype(int))
    negatives = np.repeat(saliency_map.ravel(), other.ravel())
    found = auc.shuffled_auc(fixation_map, saliency_map, other, splits=None, step=None)[0]
    assert found == pytest.approx(pairs(positives, negatives), abs=1e-12)


@given(cases(), st.sampled_from([0.25, 2.0, 64.0]), st.integers(-9, 9))
def test_scale_and_offset_do_not_matter(case, scale, offset):
    """Of whole numbers times powers of two, so that rounding makes no ties."""
    fixation_map, saliency_map = case
    changed = saliency_map * scale + offset
    if saliency_map.min() == saliency_map.max():
        return
    for score in (
        auc.auc_uniform,
        auc.auc_judd,
        auc.auc_borji,
        lambda f, s: auc.shuffled_auc(f, s, np.ones_like(f)),
    ):
        first, second = score(fixation_map, saliency_map), score(fixation_map, changed)
        assert first[0] == pytest.approx(second[0], abs=1e-9)


@given(cases())
def test_reversed_map_has_the_other_area(case):
    fixation_map, saliency_map = case
    for score in (
        auc.auc_uniform,
        lambda f, s: auc.shuffled_auc(f, s, f[:, ::-1], splits=None, step=None),
    ):
        both = score(fixation_map, saliency_map) + score(fixation_map, -saliency_map)
        assert both[0] == pytest.approx(1, abs=1e-12)


@given(cases(st.floats(-1e6, 1e6)))
def test_an_area_is_between_0_and_1(case):
    fixation_map, _ = case
    for found in (
        auc.auc_uniform(*case),
        auc.auc_judd(*case),
        auc.auc_borji(*case),
        auc.shuffled_auc(*case, np.ones_like(fixation_map)),
    ):
        assert np.isnan(found[0]) or -1e-12 <= found[0] <= 1 + 1e-12


@given(cases())
def test_mirrored_input_has_the_same_area(case):
    mirrored = [maps[:, :, ::-1] for maps in case]
    assert auc.auc_uniform(*case)[0] == pytest.approx(auc.auc_uniform(*mirrored)[0])
    judd = auc.auc_judd(*case, jitter=False)[0]
    assert judd == pytest.approx(auc.auc_judd(*mirrored, jitter=False)[0])
    assert auc.auc_borji(*case)[0] == pytest.approx(auc.auc_borji(*mirrored)[0], nan_ok=True)


@settings(max_examples=20)
@given(cases(), st.sampled_from(["float16", "float32", "uint8", "uint16"]))
def test_other_kinds_of_numbers(case, dtype):
    fixation_map, saliency_map = case
    saliency_map = np.abs(saliency_map)
    for score in (auc.auc_uniform, auc.auc_judd, auc.auc_borji):
        found = score(fixation_map, saliency_map.astype(dtype))
        assert found.dtype == "float64"
        np.testing.assert_allclose(found, score(fixation_map, saliency_map), atol=1e-3)


def test_judd_by_its_definition():
    """The benchmark's loop, written out."""
    random = np.random.default_rng(0)
    saliency_map = random.random((1, 12, 17, 1))
    fixation_map = (random.random(saliency_map.shape) > 0.9) * 1
    values, fixated = saliency_map.ravel(), saliency_map[fixation_map > 0]
    hits, false_alarms = [0.0], [0.0]
    for i, threshold in enumerate(sorted(fixated, reverse=True), start=1):
        hits.append(i / len(fixated))
        above = np.sum(values >= threshold)
        false_alarms.append((above - i) / (len(values) - len(fixated)))
    expected = np.trapezoid([*hits, 1], [*false_alarms, 1])
    assert auc.auc_judd(fixation_map, saliency_map, jitter=False)[0] == pytest.approx(expected)


def borji_by_its_definition(saliency_map, fixated, negatives, step=0.1):
    """The benchmark's loop over independent draws, written out."""
    areas = []
    for drawn in negatives:
        hits, false_alarms = [0.0], [0.0]
        for threshold in step * np.arange(round(1 / step), -1, -1):
            hits.append(np.mean(fixated >= threshold))
            false_alarms.append(np.mean(drawn >= threshold))
        areas.append(np.trapezoid([*hits, 1], [*false_alarms, 1]))
    return np.mean(areas)


def test_borji_and_shuffled_are_the_mean_over_independent_draws():
    random = np.random.default_rng(0)
    saliency_map = random.random((1, 12, 17, 1)) ** 2
    fixation_map = (random.random(saliency_map.shape) > 0.85) * 1
    other = (random.random(saliency_map.shape) > 0.6) * 1
    values = auc.stretch(saliency_map.ravel())
    fixated = values[fixation_map.ravel() > 0]
    draws = random.choice(values, (5000, len(fixated)))
    expected = borji_by_its_definition(saliency_map, fixated, draws)
    assert auc.auc_borji(fixation_map, saliency_map)[0] == pytest.approx(expected, abs=0.003)
    others = values[other.ravel() > 0]
    draws = [random.choice(others, len(fixated), replace=False) for _ in range(5000)]
    expected = borji_by_its_definition(saliency_map, fixated, draws)
    found = auc.shuffled_auc(fixation_map, saliency_map, other)[0]
    assert found == pytest.approx(expected, abs=0.003)


def test_seeds():
    random = np.random.default_rng(0)
    saliency_map = random.random((2, 12, 17, 1))
    fixation_map = (random.random(saliency_map.shape) > 0.85) * 1
    first = auc.auc_borji(fixation_map, saliency_map, splits=1, seed=3)
    np.testing.assert_array_equal(
        first, auc.auc_borji(fixation_map, saliency_map, splits=1, seed=3)
    )
    others = {
        auc.auc_borji(fixation_map, saliency_map, splits=1, seed=seed)[0] for seed in range(9)
    }
    assert len(others) > 1


def test_constant_map():
    flat, fixation_map = np.full((1, 30, 40, 1), 0.3), np.zeros((1, 30, 40, 1))
    fixation_map[0, ::3, ::4] = 1
    assert auc.auc_uniform(fixation_map, flat)[0] == 0.5
    assert auc.auc_judd(fixation_map, flat)[0] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(auc.auc_borji(fixation_map, flat)[0])
    assert np.isnan(auc.shuffled_auc(fixation_map, flat, fixation_map)[0])
    exact = auc.shuffled_auc(fixation_map, flat, fixation_map, splits=None, step=None)
    assert exact[0] == 0.5


def test_no_fixation_and_one():
    saliency_map = np.random.default_rng(0).random((2, 5, 7, 1))
    fixation_map = np.zeros((2, 5, 7, 1))
    fixation_map[1, 0, 0] = 1  # in the corner
    for score in (auc.auc_uniform, auc.auc_judd, lambda f, s: auc.shuffled_auc(f, s, f * 0 + 1)):
        found = score(fixation_map, saliency_map)
        assert np.isnan(found[0])
        assert 0 <= found[1] <= 1
    assert np.isnan(auc.auc_borji(fixation_map, saliency_map)).all()


def test_no_other_fixation():
    fixation_map = np.ones((1, 4, 5, 1))
    saliency_map = np.random.default_rng(0).random((1, 4, 5, 1))
    assert np.isnan(auc.shuffled_auc(fixation_map, saliency_map, fixation_map * 0)[0])


def test_every_pixel_fixated():
    saliency_map = np.random.default_rng(0).random((1, 4, 5, 1))
    assert np.isnan(auc.auc_judd(np.ones((1, 4, 5, 1)), saliency_map)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("score", [auc.auc_uniform, auc.auc_judd, auc.auc_borji])
def test_values_that_are_not_finite(score, bad):
    saliency_map = np.random.default_rng(0).random((2, 4, 5, 1))
    saliency_map[1, 2, 2] = bad
    with pytest.raises(InputError, match="not finite"):
        score(np.ones((2, 4, 5, 1)), saliency_map)


def test_shapes_that_do_not_fit():
    with pytest.raises(InputError, match="one shape"):
        auc.auc_judd(np.ones((4, 5)), np.ones((4, 5)))
    with pytest.raises(InputError, match="one shape"):
        auc.auc_judd(np.ones((1, 4, 5, 1)), np.ones((1, 4, 6, 1)))
    with pytest.raises(InputError, match="other fixation map"):
        auc.shuffled_auc(np.ones((1, 4, 5, 1)), np.ones((1, 4, 5, 1)), np.ones((1, 5, 4, 1)))


def test_densities_keep_their_order_under_jitter():
    """A density's values are far below the jitter of maps between 0 and 1."""
    rows, columns = np.mgrid[:60, :80]
    density = np.exp(-((rows - 30) ** 2 + (columns - 40) ** 2) / 200.0)[None, ..., None]
    fixation_map = (np.random.default_rng(0).random(density.shape) < density / 50) * 1
    found = auc.auc_judd(fixation_map, density / density.sum() / 1e4)
    np.testing.assert_allclose(found, auc.auc_judd(fixation_map, density), atol=1e-3)
