"""What maps are scored against: pixels, densities, other pictures, center bias."""

import numpy as np
import pytest
from scipy import ndimage

from keras_saliency import maps
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.truths import UNIFORM_SHARE, Truths


def example(name, size, points):
    return Example(name, size, np.array(points, "float32").reshape(-1, 2))


@pytest.fixture
def examples():
    random = np.random.default_rng(0)
    sizes = [(40, 60), (40, 60), (30, 30), (50, 20)]
    return [
        example(f"{i}.png", size, random.uniform(0, [size[1] - 1, size[0] - 1], (6 + i, 2)))
        for i, size in enumerate(sizes)
    ]


def test_no_examples():
    with pytest.raises(InputError, match="no pictures"):
        Truths([], "mit", 3.0)


def test_an_unknown_protocol(examples):
    with pytest.raises(InputError, match="mit, tuebingen, salicon"):
        Truths(examples, "MIT", 3.0)


def test_tuebingen_needs_a_sigma(examples):
    with pytest.raises(InputError, match="--pixels-per-degree"):
        Truths(examples, "tuebingen")
    assert Truths(examples, "mit").sigma_of((600, 800)) == pytest.approx(23.99, abs=0.01)
    assert Truths(examples, "salicon").sigma_of((600, 800)) == 19


def test_densities_are_blurred_fixations(examples):
    truth = Truths(examples, "tuebingen", 3.0).of(0)
    counts = np.zeros(truth.size)
    np.add.at(counts.reshape(-1), truth.fixated, 1)
    expected = ndimage.gaussian_filter(counts, 3.0)
    np.testing.assert_allclose(truth.density, expected, atol=1e-12)


def test_the_blur_of_mit_is_the_low_pass_of_its_code():
    """antonioGaussian.m, written out: zeros around, a Gaussian in the frequency domain."""
    random = np.random.default_rng(0)
    size, cutoff, side = (50, 90), 8, 128
    points = random.uniform(0, [89, 49], (20, 2))
    truth = Truths([example("a", size, points), example("b", size, points)], "mit").of(0)
    padded = np.zeros((side, side))
    padded.reshape(-1)[truth.fixated // 90 * side + truth.fixated % 90] = 1
    frequencies = np.fft.fftfreq(side, 1 / side)
    squares = frequencies[:, None] ** 2 + frequencies**2
    low_pass = np.exp(-squares * np.log(2) / cutoff**2)
    expected = np.fft.ifft2(np.fft.fft2(padded) * low_pass).real[:50, :90]
    np.testing.assert_allclose(truth.density, expected, atol=1e-12)


def test_the_center_bias_is_of_the_other_pictures(examples):
    truths = Truths(examples, "mit", 3.0)
    for index, one in enumerate(examples):
        others = [other for other in examples if other is not one]
        bias = truths.center_bias(index)
        assert bias.shape == one.size
        assert bias.sum() == pytest.approx(1)
        expected = sum(maps.density(o.fixations, o.size, 3.0, (192, 256)) for o in others)
        at = maps.pixels(np.argwhere(bias)[:, ::-1], one.size, (192, 256))
        nearest = expected[..., 0][at].reshape(one.size)
        assert np.corrcoef(nearest.ravel(), bias.ravel())[0, 1] > 0.99
        assert bias.min() >= UNIFORM_SHARE / bias.size * 0.999


def test_own_fixations_are_not_among_the_others():
    size = (20, 20)
    lone = example("0", size, [[3, 3]] * 4)
    rest = [example(str(i), size, [[10, 10]] * 4) for i in range(1, 15)]
    for protocol in ("mit", "tuebingen", "salicon"):
        others = Truths([lone, *rest], protocol, 2.0).of(0).others
        pixels = np.flatnonzero(others) if protocol == "salicon" else np.unique(others)
        assert pixels.tolist() == [10 * 20 + 10]
    assert Truths([lone, *rest], "mit", 2.0).center_bias(0)[3, 3] < 1e-4


def test_other_pictures_are_scaled_to_this_ones_size():
    large = example("0", (40, 80), [[60, 30]] * 2)
    small = example("1", (20, 20), [[10, 5]] * 2)
    mit = Truths([large, small], "mit", 2.0)
    assert np.divmod(mit.of(1).others, 20) == ([15], [15])
    tuebingen = Truths([large, small], "tuebingen", 2.0)
    assert {tuple(map(int, np.divmod(p, 80))) for p in tuebingen.of(0).others} == {(10, 40)}


def test_mit_takes_ten_pictures():
    size = (10, 40)
    examples = [example(str(i), size, [[i, 5]] * 3) for i in range(30)]
    truths = Truths(examples, "mit", 2.0, seed=1)
    chosen = [truths.of(index).others for index in range(30)]
    assert {len(others) for others in chosen} == {10}
    assert all(5 * 40 + index not in others for index, others in enumerate(chosen))
    assert len({tuple(others) for others in chosen}) > 20
    again = Truths(examples, "mit", 2.0, seed=1)
    np.testing.assert_array_equal(again.of(7).others, chosen[7])
    assert any(
        len(Truths(examples, "mit", 2.0, seed=s).of(7).others) != len(chosen[7])
        or (Truths(examples, "mit", 2.0, seed=s).of(7).others != chosen[7]).any()
        for s in (2, 3)
    )


def test_a_given_baseline_is_brought_to_size(examples):
    truths = Truths(examples, "tuebingen", 3.0, baseline=np.eye(5))
    assert truths.of(0).baseline.shape == (40, 60)
    own = np.random.default_rng(0).random((40, 60))
    np.testing.assert_array_equal(
        Truths(examples, "tuebingen", 3.0, baseline=own).of(0).baseline, own
    )


def test_part_of_a_pictures_fixations(examples):
    part = example("part", (40, 60), examples[0].fixations[:2])
    truths = Truths(examples, "tuebingen", 3.0)
    assert len(truths.of(0, part).fixated) == 2
    np.testing.assert_array_equal(truths.of(0, part).others, truths.of(0).others)


def test_fixations_on_the_border():
    size = (20, 30)
    corners = [[0, 0], [29, 0], [0, 19], [29, 19], [-0.4, 19.4]]
    for protocol in ("mit", "tuebingen", "salicon"):
        truth = Truths([example("a", size, corners * 2)] * 2, protocol, 2.0).of(0)
        assert set(truth.fixated) == {0, 29, 19 * 30, 19 * 30 + 29}


RAMP = np.arange(1.0, 17.0).reshape(4, 4)


def published(*densities, size=(4, 4)):
    """Examples with a density and no fixations."""
    nowhere = np.zeros((0, 2), "float32")
    return [Example(f"{i}.png", size, nowhere, density=d) for i, d in enumerate(densities)]


@pytest.mark.parametrize("protocol", ["mit", "tuebingen", "salicon"])
def test_a_published_density_is_the_density(protocol):
    truths = Truths(published(RAMP, (3 * RAMP.T)[..., None].astype("float32")), protocol)
    first, second = truths.of(0), truths.of(1)
    np.testing.assert_array_equal(first.density, RAMP)
    np.testing.assert_array_equal(second.density, 3 * RAMP.T)
    assert first.density.dtype == second.density.dtype == "float64"
    assert len(first.fixated) == 0 and first.others is None


def test_a_published_density_is_brought_to_the_pictures_size():
    truths = Truths(published(RAMP, RAMP, size=(40, 60)), "mit")
    density = truths.of(0).density
    assert density.shape == (40, 60)
    np.testing.assert_allclose(density[5::10, 7::15], RAMP, atol=0.3)


def test_the_center_bias_of_published_densities_is_their_mean():
    corners = np.zeros((3, 4, 4))
    corners[0, :2, :2], corners[1, :2, 2:], corners[2, 2:, 2:] = 1, 1, 50
    bias = Truths(published(*corners), "mit").center_bias(0)
    assert bias.sum() == pytest.approx(1)
    # A density's scale does not count: half of it is in each of the others' corners.
    assert bias[0, 3] == pytest.approx(bias[3, 3], rel=1e-6)
    assert bias[0, 3] > 20 * bias[0, 0]


def test_published_densities_need_no_sigma_and_others_do(examples):
    Truths(published(RAMP), "tuebingen")
    with pytest.raises(InputError, match="--pixels-per-degree"):
        Truths([*published(RAMP), *examples], "tuebingen")


def test_fixations_and_published_densities_side_by_side(examples):
    truths = Truths([*examples, *published(RAMP)], "tuebingen", 3.0)
    alone = Truths(examples, "tuebingen", 3.0)
    np.testing.assert_array_equal(truths.of(1).density, alone.of(1).density)
    np.testing.assert_array_equal(truths.of(1).others, alone.of(1).others)
    assert len(truths.of(4).fixated) == 0 and truths.of(4).others is None
