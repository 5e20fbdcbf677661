"""Densities sum to 1, and every score gets its best map."""

import numpy as np
import pytest
from checks import NOT_MAPS, peaked, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import logsumexp

from keras_saliency import densities, maps

SIZE = (60, 80)
SIGMA = 4.0
# To a density.


@settings(deadline=None)
@given(
    arrays.arrays(
        st.sampled_from(["float64", "float32", "int16", "uint8", "bool"]),
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(1)),
    ).filter(lambda values: np.isfinite(values).all()),
    st.sampled_from([0.0, 1e-6, densities.FLOOR, 2.0]),
)
def test_any_map_becomes_a_density(values, floor):
    before = values.copy()
    density = densities.to_density(values, floor)
    assert density.dtype == "float64"
    assert density.shape == values.shape
    assert density.min() >= 0
    np.testing.assert_allclose(density.sum(), 1)
    np.testing.assert_array_equal(values, before)


def test_a_density_keeps_the_ratios():
    np.testing.assert_allclose(
        densities.to_density([[1, 2], [5, 0]])[..., 0], [[1 / 8, 2 / 8], [5 / 8, 0]]
    )


def test_only_negative_values_shift_a_map():
    np.testing.assert_allclose(densities.to_density([[-1, 0, 2]])[..., 0], [[0, 1 / 4, 3 / 4]])
    np.testing.assert_allclose(densities.to_density([[1, 2]])[..., 0], [[1 / 3, 2 / 3]])


def test_a_floor_is_a_share_of_the_largest_value():
    np.testing.assert_allclose(densities.to_density([[0, 4]], floor=0.25)[..., 0], [[1 / 6, 5 / 6]])
    np.testing.assert_allclose(
        densities.to_density([[-2, 2]], floor=0.25)[..., 0], [[1 / 6, 5 / 6]]
    )


@pytest.mark.parametrize("value", [0, 7.0, -7.0, 1e308, -1e308, 5e-324])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_a_constant_map_is_uniform(value, floor):
    density = densities.to_density(np.full((3, 5), value), floor)
    np.testing.assert_allclose(density, 1 / 15)


def test_huge_and_tiny_values_keep_their_ratios():
    for scale in (1e-320, 1e-300, 1e307):
        density = densities.to_density(np.array([[-1.0, 1.0, 3.0]]) * scale)
        np.testing.assert_allclose(density[..., 0], [[0, 1 / 3, 2 / 3]], rtol=1e-3)
    assert densities.to_density([[-1.7e308, 1.7e308]])[..., 0].tolist() == [[0, 1]]


@pytest.mark.parametrize("values", NOT_MAPS, ids=str)
def test_what_is_no_map_is_refused(values):
    refused(lambda: densities.to_density(values), "saliency map")


@pytest.mark.parametrize("floor", [-0.1, np.nan, np.inf])
def test_a_senseless_floor_is_refused(floor):
    refused(lambda: densities.to_density([[1]], floor), "floor")


def test_the_logarithm_is_that_of_the_density():
    values = np.random.default_rng(0).random((5, 7))
    log_density = densities.log_density(values, floor=0.01)
    np.testing.assert_allclose(np.exp(log_density), densities.to_density(values, floor=0.01))
    np.testing.assert_allclose(logsumexp(log_density), 0, atol=1e-12)


def test_by_default_an_8_bit_zero_is_half_a_level():
    low, level, high = densities.log_density([[0, 1, 255]])[0, :, 0]
    np.testing.assert_allclose(np.exp(level - low), 3)
    np.testing.assert_allclose(np.exp(high - low), 511)


def test_without_a_floor_zeros_are_minus_infinity_and_nothing_warns(recwarn):
    assert densities.log_density([[0, 1]], floor=0)[..., 0].tolist() == [[-np.inf, 0]]
    assert not recwarn


def test_a_log_density_is_told_from_a_map():
    log_density = densities.log_density(peaked())
    assert densities.is_log_density(log_density)
    assert densities.is_log_density(log_density.astype("float32"))
    assert densities.is_log_density(densities.log_density([[0, 1]], floor=0))
    for other in (peaked(), log_density + 0.01, log_density / np.log(2), np.zeros(SIZE)):
        assert not densities.is_log_density(other)


# The best map for every score.


def similarity(truth, saliency_map):
    return np.minimum(truth, saliency_map).sum()


def correlation(truth, saliency_map):
    return np.corrcoef(truth.ravel(), saliency_map.ravel())[0, 1]


def divergence(truth, saliency_map):
    seen = truth > 0
    return np.sum(truth[seen] * np.log(truth[seen] / saliency_map[seen]))


def normalized(points, saliency_map):
    return ((saliency_map - saliency_map.mean()) / saliency_map.std()).ravel()[points].mean()


def auc(positives, negatives):
    values = np.sort(negatives)
    left, right = (np.searchsorted(values, positives, side=side) for side in ("left", "right"))
    return (left + right).mean() / 2 / len(values)


def draw(density, count, seed=1):
    return np.random.default_rng(seed).choice(density.size, count, p=density.ravel())


def ground_truths(density, fixations, count, seed=1):
    points = draw(density, (count, fixations), seed)
    return [
        maps.density(np.stack([p % SIZE[1], p // SIZE[1]], axis=1), SIZE, SIGMA) for p in points
    ]


@pytest.fixture(scope="module")
def two_peaks():
    """A density of two peaks, and the center bias of pictures like it."""
    density = 0.7 * peaked(sigma=3.0, uniform=0.1) + 0.3 * peaked(uniform=0.1)[::-1, ::-1]
    return density, peaked((60, 80), sigma=16.0, uniform=0.2)


@pytest.mark.parametrize("score", ["auc", "auc_judd", "auc_borji", "nss", "ig"])
def test_the_density_itself_is_best(two_peaks, score):
    np.testing.assert_allclose(densities.optimal_map(3 * two_peaks[0], score), two_peaks[0])


def test_no_other_map_beats_the_density_in_nss(two_peaks):
    density, prior = two_peaks
    points = draw(density, 100_000)
    best = normalized(points, densities.optimal_map(density, "nss"))
    for other in (density**0.5, density**2, density / prior, np.log(density)):
        assert normalized(points, other) < best


def test_the_map_for_shuffled_auc_takes_the_prior_out(two_peaks):
    density, prior = two_peaks
    positives, negatives = draw(density, 50_000), draw(prior, 50_000, seed=2)
    best = densities.optimal_map(density, "sauc", prior=5 * prior[..., 0]).ravel()
    score = auc(best[positives], best[negatives])
    assert score > auc(density.ravel()[positives], density.ravel()[negatives]) + 0.005
    np.testing.assert_allclose(best, (density / prior).ravel())


@pytest.mark.parametrize(
    "score, sign, formula",
    [("kld", -1, divergence), ("cc", 1, correlation), ("sim", 1, similarity)],
)
def test_the_map_for_blurred_ground_truth_is_best(two_peaks, score, sign, formula):
    density = two_peaks[0]
    truths = ground_truths(density, 100, 40)
    best = densities.optimal_map(density, score, sigma=SIGMA)
    np.testing.assert_allclose(best.sum(), 1)
    best_score = np.mean([sign * formula(truth, best) for truth in truths])
    others = [density, *(densities.optimal_map(density, "kld", sigma=SIGMA * k) for k in (0.5, 2))]
    for other in others:
        assert np.mean([sign * formula(truth, other) for truth in truths]) < best_score


def test_the_map_for_kld_is_the_mean_ground_truth(two_peaks):
    best = densities.optimal_map(two_peaks[0], "kld", sigma=SIGMA)
    mean = np.mean(ground_truths(two_peaks[0], 1000, 100), axis=0)
    np.testing.assert_allclose(best, mean, atol=0.02 * best.max())


@pytest.mark.parametrize("fixations", [5, 30])
def test_no_map_near_the_one_for_sim_is_better(two_peaks, fixations):
    density = two_peaks[0]
    samples = 50
    best = densities.sim_map(density, SIGMA, fixations, samples, seed=3)
    truths = np.stack(ground_truths(density, fixations, samples, seed=3)).astype("float64")

    def mean_score(saliency_map):
        return np.minimum(truths, saliency_map).sum() / samples

    random = np.random.default_rng(0)
    blurred = densities.optimal_map(density, "kld", sigma=SIGMA)
    others = [blurred, density, truths.mean(axis=0), truths[0]]
    others += [densities.to_density(random.random(best.shape)) for _ in range(5)]
    others += [densities.to_density(best * random.random(best.shape)) for _ in range(5)]
    for other in others:
        for step in (0.001, 0.1, 1.0):  # the score is concave: no far map can be better either
            assert mean_score(best + step * (other - best)) <= mean_score(best) + 1e-9


def test_the_map_for_sim_wins_on_new_fixations_too(two_peaks):
    density = two_peaks[0]
    best = densities.sim_map(density, SIGMA, fixations=10)
    blurred = densities.optimal_map(density, "kld", sigma=SIGMA)
    truths = ground_truths(density, 10, 100, seed=7)
    gain = np.mean([similarity(truth, best) - similarity(truth, blurred) for truth in truths])
    assert gain > 0.005


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 4)])
@pytest.mark.parametrize("score", ["kld", "cc", "sim"])
def test_tiny_densities_have_best_maps(size, score):
    best = densities.optimal_map(np.ones(size), score, sigma=2.0)
    assert best.shape == (*size, 1)
    np.testing.assert_allclose(best.sum(), 1)


def test_the_draw_for_sim_can_be_repeated(two_peaks):
    first, again, other = (
        densities.sim_map(two_peaks[0], SIGMA, 10, 5, seed=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    "options, word",
    [
        ({"score": "emd"}, "'emd'"),
        ({"score": "cc"}, "sigma"),
        ({"score": "sim", "sigma": -1.0}, "sigma"),
        ({"score": "kld", "sigma": np.nan}, "sigma"),
        ({"score": "sauc"}, "prior"),
        ({"score": "sauc", "prior": np.ones((80, 60))}, "prior"),
        ({"score": "sauc", "prior": np.eye(60, 80)}, "nowhere 0"),
    ],
)
def test_what_a_best_map_needs_is_named(two_peaks, options, word):
    refused(lambda: densities.optimal_map(two_peaks[0], **options), word)


@pytest.mark.parametrize("values", [*NOT_MAPS, np.zeros((4, 4)), np.log(peaked())], ids=str)
def test_what_is_no_density_is_refused(values):
    refused(lambda: densities.optimal_map(values, "auc"), "density")
    refused(lambda: densities.sim_map(values, 1.0), "density")
