"""Hand-worked values, an independent NumPy referee, and the maps that have no score."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from keras_saliency import scores

GOLDENS = pathlib.Path(__file__).parents[2] / "shared" / "goldens" / "metrics" / "osie_cases.npz"

RAMP = np.arange(16.0).reshape(1, 4, 4, 1)
BUMP = np.outer([1.0, 2, 2, 1], [1, 2, 2, 1]).reshape(1, 4, 4, 1)
NOBODY = np.zeros_like(RAMP)


def looked(*points):
    fixation_map = np.zeros_like(RAMP)
    for row, column in points:
        fixation_map[0, row, column, 0] += 1
    return fixation_map


CORNER = looked((3, 3), (2, 1))


def score(name, saliency_map):
    """The score of a map, everything else held fixed and of the map's dtype."""
    counts, density, baseline = (tf.cast(m, saliency_map.dtype) for m in (CORNER, RAMP**2, BUMP))
    if name == "nss":
        return scores.nss(counts, saliency_map)
    if name == "ig":
        return scores.information_gain(counts, saliency_map, baseline)
    return getattr(scores, name)(density, saliency_map)


every_score = pytest.mark.parametrize("name", ["nss", "cc", "sim", "kld", "ig"])


def one(values):
    assert values.shape == (1,)
    return float(values[0])


def random_maps(seed=0, shape=(5, 7, 9, 1)):
    rng = np.random.default_rng(seed)
    return rng.random(shape), rng.random(shape), rng.integers(0, 3, shape).astype("float64")


def test_nss_of_the_worked_example():
    assert one(scores.nss(CORNER, RAMP)) == pytest.approx(0.945189, abs=1e-6)


def test_nss_weighs_every_fixation_on_a_pixel():
    z = (RAMP - 7.5) / np.std(RAMP, ddof=1)
    twice = one(scores.nss(looked((3, 3), (3, 3), (2, 1)), RAMP))
    assert twice == pytest.approx((2 * z[0, 3, 3, 0] + z[0, 2, 1, 0]) / 3)


def test_cc_of_the_worked_example():
    assert one(scores.cc(RAMP**2, RAMP)) == pytest.approx(0.964635, abs=1e-6)


def test_sim_of_the_worked_example():
    assert one(scores.sim(RAMP**2, RAMP)) == pytest.approx(0.852151, abs=1e-6)


def test_kld_of_the_worked_example_takes_the_density_first():
    assert one(scores.kld(RAMP**2 + 1, RAMP + 1)) == pytest.approx(0.095202, abs=1e-6)
    assert one(scores.kld(RAMP + 1, RAMP**2 + 1)) == pytest.approx(0.129011, abs=1e-6)


def test_information_gain_of_the_worked_example():
    gain = one(scores.information_gain(looked((1, 1), (2, 1)), RAMP, BUMP))
    assert gain == pytest.approx(-1.423998, abs=1e-6)


def test_a_fixation_on_the_smallest_pixel_of_the_baseline_gains_24_bits():
    assert one(scores.information_gain(CORNER, RAMP, BUMP)) == pytest.approx(24.0, abs=0.01)


def test_cc_matches_scipy_pearsonr():
    density, saliency_map, _ = random_maps()
    expected = [
        stats.pearsonr(a.ravel(), b.ravel())[0] for a, b in zip(density, saliency_map, strict=True)
    ]
    np.testing.assert_allclose(scores.cc(density, saliency_map), expected, rtol=1e-12)


def test_kld_matches_scipy_rel_entr():
    density, saliency_map, _ = random_maps()
    expected = [
        special.rel_entr(a / a.sum(), b / b.sum()).sum()
        for a, b in zip(density, saliency_map, strict=True)
    ]
    np.testing.assert_allclose(scores.kld(density, saliency_map), expected, rtol=1e-9)


def test_nss_matches_a_loop_over_fixations():
    _, saliency_map, counts = random_maps()
    for got, one_map, count in zip(
        scores.nss(counts, saliency_map), saliency_map, counts, strict=True
    ):
        z = stats.zscore(one_map.ravel(), ddof=1)
        heights = [z[i] for i, n in enumerate(count.ravel()) for _ in range(int(n))]
        assert float(got) == pytest.approx(np.mean(heights), rel=1e-12)


def test_sim_matches_a_loop_over_pixels():
    density, saliency_map, _ = random_maps()
    for got, a, b in zip(scores.sim(density, saliency_map), density, saliency_map, strict=True):
        p, q = (np.ravel((m - m.min()) / (m - m.min()).sum()) for m in (a, b))
        overlap = sum(min(x, y) for x, y in zip(p, q, strict=True))
        assert float(got) == pytest.approx(overlap, rel=1e-12)


def test_information_gain_matches_a_loop_over_fixations():
    saliency_map, baseline, counts = random_maps()
    got = scores.information_gain(counts, saliency_map, baseline)
    for i in range(len(counts)):
        p, q = (m - m.min() for m in (saliency_map[i], baseline[i]))
        p, q = (m.ravel() / m.sum() + np.finfo("float64").eps for m in (p, q))
        bits = [
            np.log2(p[j] / q[j]) for j, n in enumerate(counts[i].ravel()) for _ in range(int(n))
        ]
        assert float(got[i]) == pytest.approx(np.mean(bits), rel=1e-6)


@pytest.mark.parametrize("name", ["nss", "cc", "sim", "ig"])
def test_scale_and_offset_do_not_matter(name):
    rng_map = random_maps(1, RAMP.shape)[0]
    expected = one(score(name, rng_map))
    assert one(score(name, rng_map * 37.5 - 4)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-25, 1e-6, 1e6, 1e25])
@pytest.mark.parametrize("name", ["nss", "cc", "sim"])
def test_float32_maps_of_any_scale_score_alike(name, scale):
    got = one(score(name, (RAMP * scale).astype("float32")))
    assert got == pytest.approx(one(score(name, RAMP)), rel=1e-4)


def test_kld_does_not_depend_on_the_scale():
    density, saliency_map, _ = random_maps()
    expected = scores.kld(density, saliency_map)
    np.testing.assert_allclose(scores.kld(density * 9, saliency_map / 7), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 4, 4, 1), (1, 480, 640, 1), (1, 600, 800, 1)])
@pytest.mark.parametrize("height", [0.0, 0.1, 1 / 3, 1.0, 200.7, 1e-12])
def test_constant_map_scores_zero(height, shape):
    flat = np.full(shape, height, "float32")
    other = np.random.default_rng(0).random(shape, "float32")
    counts = np.zeros(shape, "float32")
    counts[0, 1, 2] = 3
    assert one(scores.nss(counts, flat)) == 0
    assert one(scores.cc(other, flat)) == pytest.approx(0, abs=1e-4)
    assert one(scores.cc(flat, other)) == pytest.approx(0, abs=1e-4)
    assert one(scores.sim(other, flat)) == 0


def test_a_map_that_is_constant_but_for_rounding_scores_zero():
    flat = np.full(RAMP.shape, 0.1, "float32")
    flat[0, 3, 3] = np.nextafter(flat[0, 3, 3], 1)
    assert one(score("nss", flat)) == 0
    assert one(score("cc", flat)) == 0


def test_constant_map_has_the_divergence_of_the_uniform_distribution():
    expected = special.rel_entr(RAMP / RAMP.sum(), np.full_like(RAMP, 1 / 16)).sum()
    assert one(scores.kld(RAMP, np.full_like(RAMP, 0.1))) == pytest.approx(expected, rel=1e-9)


def test_zero_map_has_a_large_finite_divergence():
    assert 30 < one(scores.kld(RAMP, NOBODY)) < 40


def test_picture_without_fixations_has_no_score():
    assert np.isnan(one(scores.nss(NOBODY, RAMP)))
    assert np.isnan(one(scores.information_gain(NOBODY, RAMP, BUMP)))


def test_picture_without_fixations_leaves_its_neighbours_alone():
    values = scores.nss(np.concatenate([CORNER, NOBODY]), np.concatenate([RAMP, RAMP]))
    assert float(values[0]) == pytest.approx(0.945189, abs=1e-6)
    assert np.isnan(float(values[1]))


def test_a_map_gains_nothing_over_itself_and_diverges_not_from_itself():
    assert one(scores.information_gain(CORNER, RAMP, RAMP)) == 0
    assert one(scores.kld(RAMP, RAMP)) == pytest.approx(0, abs=1e-12)
    assert one(scores.sim(RAMP, RAMP)) == pytest.approx(1)
    assert one(scores.cc(RAMP, RAMP)) == pytest.approx(1)


@every_score
def test_float64_stays_float64(name):
    assert score(name, RAMP).dtype == "float64"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "uint8", "int64"])
def test_other_numbers_are_scored_in_float32(dtype):
    counts, ramp = tf.cast(CORNER, dtype), tf.cast(RAMP, dtype)
    for values in (
        scores.nss(counts, ramp),
        scores.cc(ramp, ramp),
        scores.sim(ramp, ramp),
        scores.kld(ramp, ramp),
        scores.information_gain(counts, ramp, ramp),
    ):
        assert values.dtype == "float32"
    assert one(scores.nss(counts, ramp)) == pytest.approx(0.945189, abs=1e-5)


@every_score
@pytest.mark.parametrize("height", [0.0, 0.1, 1.0])
def test_gradients_at_a_constant_map_are_finite(name, height):
    saliency_map = tf.Variable(np.full(RAMP.shape, height, "float32"))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(score(name, saliency_map))
    assert np.isfinite(tape.gradient(value, saliency_map)).all()


def test_gradient_of_a_batch_survives_a_picture_without_fixations():
    counts = np.concatenate([CORNER, NOBODY]).astype("float32")
    saliency_map = tf.Variable(np.concatenate([RAMP, RAMP]).astype("float32"))
    with tf.GradientTape() as tape:
        values = scores.nss(counts, saliency_map)
        value = tf.reduce_sum(tf.where(tf.math.is_nan(values), 0.0, values))
    gradient = tape.gradient(value, saliency_map).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[0]).max() > 0
    assert not gradient[1].any()


def test_scores_are_those_of_the_official_matlab_code():
    if not GOLDENS.exists():
        pytest.skip(f"{GOLDENS} is not on this machine")
    with np.load(GOLDENS) as cases:
        names, kinds = list(cases["metrics"]), list(cases["kinds"])
        maps = cases["maps"] / 255
        counts = np.unpackbits(cases["fixations"], axis=-1, count=160).astype("float64")
        density, expected = cases["density"] / 255, cases["expected"]
    center = maps[:, kinds.index("center"), ..., None]
    counts, density = counts[..., None], density[..., None]
    for k, kind in enumerate(kinds):
        saliency_map = maps[:, k, ..., None]
        got = {
            "nss": scores.nss(counts, saliency_map),
            "cc": scores.cc(density, saliency_map),
            "sim": scores.sim(density, saliency_map),
            "kld": scores.kld(density, saliency_map),
            "ig": scores.information_gain(counts, saliency_map, center),
        }
        for name, values in got.items():
            assert np.asarray(values) == pytest.approx(
                expected[:, k, names.index(name)], rel=1e-6, abs=1e-6
            ), (kind, name)
