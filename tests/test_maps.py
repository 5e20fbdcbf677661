"""Where a fixation lands, and what the blur does at the border."""

import pathlib

import numpy as np
import pytest
from scipy import ndimage

from keras_saliency import maps, resizing
from keras_saliency.datasets import Example, osie, synthetic


def landed(*args, **kwargs):
    """(row, column) of every pixel that was looked at."""
    return [tuple(map(int, at)) for at in np.argwhere(maps.fixation_map(*args, **kwargs)[..., 0])]


def example(size, fixations):
    return Example("a", size, np.asarray(fixations, "float32"), "a.jpg")


@pytest.mark.parametrize(
    ("x", "y", "row", "column"),
    [
        (0.0, 0.0, 0, 0),
        (-0.49, -0.49, 0, 0),
        (0.49, 0.49, 0, 0),
        (0.51, 0.0, 0, 1),
        (0.0, 0.51, 1, 0),
        (3.0, 1.0, 1, 3),
        (7.0, 5.0, 5, 7),
        (7.49, 5.49, 5, 7),
    ],
)
def test_a_fixation_lands_on_the_nearest_pixel(x, y, row, column):
    assert landed([[x, y]], (6, 8)) == [(row, column)]


@pytest.mark.parametrize(
    ("x", "y", "row", "column"),
    [
        (799.4, 0.0, 0, 127),
        (0.0, 599.4, 95, 0),
        (5.7, 5.7, 0, 0),  # 6.2 of 6.25 pixels into the picture
        (5.8, 5.8, 1, 1),
        (399.4, 299.4, 47, 63),
        (399.6, 299.6, 48, 64),
    ],
)
def test_a_smaller_map_counts_from_the_pictures_edge(x, y, row, column):
    assert landed([[x, y]], (600, 800), (96, 128)) == [(row, column)]


def test_a_larger_map_centers_the_fixation_in_the_pixel():
    assert landed([[1, 0]], (2, 2), (6, 6)) == [(1, 4)]


def test_fixations_outside_are_kept_at_the_border():
    assert landed([[-3, 9]], (6, 8)) == [(5, 0)]


@pytest.mark.parametrize("size", [None, (96, 128), (7, 5), (700, 900)])
def test_a_resized_map_keeps_the_number_of_fixations(size):
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.5, -0.5], [799.5, 599.5], (300, 2))
    counts = maps.fixation_map(points, (600, 800), size)
    assert counts.shape == (*(size or (600, 800)), 1)
    assert counts.dtype == "float32"
    assert counts.sum() == 300


def test_fixations_on_one_pixel_add_up():
    assert maps.fixation_map([[3, 1], [3, 1], [3.2, 0.9]], (2, 4))[1, 3, 0] == 3


@pytest.mark.parametrize("nobody", [[], np.zeros((0, 2))])
def test_a_picture_without_fixations_is_zero(nobody):
    assert not maps.fixation_map(nobody, (6, 8)).any()
    assert not maps.density(nobody, (6, 8), 2.0).any()


@pytest.mark.parametrize("point", [(0, 0), (7, 5), (4, 3)])
@pytest.mark.parametrize("size", [None, (12, 16), (3, 4)])
def test_a_density_sums_to_one(point, size):
    density = maps.density([point], (6, 8), 1.5, size)
    assert density.shape == (*(size or (6, 8)), 1)
    assert density.dtype == "float32"
    assert density.sum() == pytest.approx(1, abs=1e-6)


def test_a_density_is_a_gaussian_around_the_fixation():
    density = maps.density([[20, 10]], (30, 40), 2.0)[..., 0]
    rows, columns = np.mgrid[:30, :40]
    expected = np.exp(-((columns - 20) ** 2 + (rows - 10) ** 2) / (2 * 2.0**2))
    np.testing.assert_allclose(density, expected / expected.sum(), atol=1e-5)


def test_fixations_everywhere_give_a_flat_density():
    everywhere = np.argwhere(np.ones((12, 20)))[:, ::-1]
    density = maps.density(everywhere, (12, 20), 3.0)
    np.testing.assert_allclose(density, 1 / 240, rtol=1e-5)


def test_no_center_bias_where_people_look_anywhere():
    points = np.random.default_rng(0).uniform([-0.5, -0.5], [63.5, 47.5], (200_000, 2))
    density = maps.density(points, (48, 64), 8.0)[..., 0] * 48 * 64
    assert density[0].mean() == pytest.approx(1, abs=0.05)
    assert density[:, -1].mean() == pytest.approx(1, abs=0.05)
    assert density[20:28, 28:36].mean() == pytest.approx(1, abs=0.05)


def test_the_blur_shrinks_with_the_map():
    def spread(density, axis):
        weights = density[..., 0].sum(1 - axis)
        at = np.arange(len(weights))
        mean = (weights * at).sum()
        return np.sqrt((weights * (at - mean) ** 2).sum())

    density = maps.density([[200, 150]], (300, 400), 24.0, (150, 100))
    assert spread(density, 0) == pytest.approx(12, rel=0.01)
    assert spread(density, 1) == pytest.approx(6, rel=0.01)


def test_center_bias_is_the_mean_of_the_densities_of_pictures_of_any_size():
    rng = np.random.default_rng(0)
    examples = [
        example(size, rng.uniform(0, [size[1] - 1, size[0] - 1], (n, 2)))
        for size, n in [((60, 80), 9), ((40, 90), 1), ((60, 80), 30)]
    ]
    densities = [maps.density(e.fixations, e.size, 7.0, (24, 32)) for e in examples]
    center_bias = maps.center_bias(examples, (24, 32), 7.0)
    assert center_bias.dtype == "float32"
    np.testing.assert_allclose(center_bias, np.mean(densities, 0), rtol=1e-4, atol=1e-9)


def test_center_bias_leaves_pictures_without_fixations_out():
    some, nobody = example((6, 8), [[3, 1]]), example((6, 8), np.zeros((0, 2)))
    both, alone = (maps.center_bias(e, (6, 8), 1.0) for e in ([some, nobody], [some]))
    np.testing.assert_allclose(both, alone, rtol=1e-6)


def test_a_degree_is_so_many_pixels():
    assert maps.degrees_to_pixels(2.0, 24.0) == 48.0
    # At 57.29 cm one degree is 1 cm wide.
    assert maps.pixels_per_degree(1024, 32.0, 57.29) == pytest.approx(32, rel=1e-3)


OSIE = pathlib.Path(__file__).parents[2] / "shared" / "data" / "osie"


@pytest.fixture(scope="module")
def looked_at():
    """Some of OSIE's pictures, or made-up ones of their size where it is not at hand."""
    if OSIE.is_dir():
        return osie.load(str(OSIE), "test", limit=12)
    return synthetic.load(split="test", limit=12, size=osie.SIZE)


def test_the_density_is_scipys(looked_at):
    for example in looked_at[:4]:
        counts = maps.fixation_map(example.fixations, example.size)[..., 0].astype("float64")
        blurred = ndimage.gaussian_filter(counts, osie.SIGMA)
        ours = maps.density(example.fixations, example.size, osie.SIGMA)[..., 0]
        np.testing.assert_allclose(ours / ours.max(), blurred / blurred.max(), atol=1e-6)


@pytest.mark.parametrize(("size", "least"), [((192, 256), 0.9995), ((144, 256), 0.9995)])
def test_made_at_the_networks_size_it_is_the_large_one_resized(looked_at, size, least):
    for example in looked_at:
        large = maps.density(example.fixations, example.size, osie.SIGMA)
        ours = maps.density(example.fixations, example.size, osie.SIGMA, size)
        resized = resizing.resize(large, size)
        assert np.corrcoef(ours.ravel(), resized.ravel())[0, 1] > least
