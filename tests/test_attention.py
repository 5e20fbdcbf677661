"""Shares, focal points and comparisons of saliency maps, by hand and by brute force."""

import hypothesis
import numpy as np
import pytest
from checks import NOT_MAPS, peaked, refused
from hypothesis import strategies
from hypothesis.extra import numpy as arrays

from keras_saliency import attention, scores

RAMP = np.array([[0, 1, 2, 1], [0, 1, 4, 1]])
MAPS = arrays.arrays(
    "int64",
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=strategies.sampled_from([0, 0, 0, 1, 2, 50]),
)


# Shares.


def test_shares_by_hand():
    mask = np.zeros((2, 4), "uint8")
    mask[0, 1:3] = 255
    regions = [(2, 0, 1, 2), (0, 0, 4, 2), mask, mask == 255, mask[..., None], (0, 0, 1, 2)]
    shares, areas = (f(RAMP, regions) for f in (attention.region_shares, attention.area_shares))
    np.testing.assert_allclose(shares, [0.6, 1, 0.3, 0.3, 0.3, 0])
    np.testing.assert_allclose(areas, [0.25, 1, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_allclose(attention.per_area(RAMP, regions), [2.4, 1, 1.2, 1.2, 1.2, 0])


@pytest.mark.parametrize("scale", [1, 1e-300, 1e300, 0.1])
def test_only_proportions_count(scale):
    shares = attention.region_shares(RAMP[..., None] * scale, [(2, 0, 1, 2)])
    np.testing.assert_allclose(shares, 0.6, rtol=1e-12)


def test_a_constant_map_gives_every_region_its_area():
    for value in (0, 0.3, 7):
        shares = attention.region_shares(np.full((10, 20), value), [(3, 4, 5, 6)])
        np.testing.assert_allclose(shares, 30 / 200, rtol=1e-12)


def test_negative_values_are_shifted():
    np.testing.assert_allclose(attention.region_shares(RAMP - 4, [(2, 0, 1, 2)]), 0.6)


@hypothesis.given(MAPS, strategies.data())
def test_a_box_is_its_mask_and_parts_add_up(counts, data):
    height, width = counts.shape
    x, y = (
        data.draw(strategies.integers(0, width - 1)),
        data.draw(strategies.integers(0, height - 1)),
    )
    box = (x, y, data.draw(strategies.integers(1, width - x)), height - y)
    mask = np.zeros(counts.shape, bool)
    mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    of_box, of_mask = attention.region_shares(counts, [box, mask])
    assert abs(of_box - of_mask) < 1e-12
    rest = attention.elsewhere(counts, [box])
    assert abs(of_box + rest - 1) < 1e-12
    # Twice the same region is not elsewhere either.
    assert abs(attention.elsewhere(counts, [mask, box]) - rest) < 1e-12


def test_a_region_covers_everything_or_there_is_none():
    assert attention.elsewhere(RAMP, [(0, 0, 4, 2)]) == 0
    assert attention.elsewhere(RAMP, []) == 1
    assert attention.region_shares(RAMP, []) == []


@pytest.mark.parametrize("values", NOT_MAPS)
@pytest.mark.parametrize("function", [attention.region_shares, attention.elsewhere])
def test_what_is_no_map_is_refused(function, values):
    refused(lambda: function(values, [(0, 0, 1, 1)]), "saliency map")


def test_a_region_out_of_the_map_is_refused():
    refused(lambda: attention.region_shares(RAMP, [(0, 0, 1, 1), (3, 0, 2, 1)]), "reaches out")


# The focal point.


@pytest.mark.parametrize("size", [(60, 80), (61, 83), (300, 40), (5, 5), (1, 9), (9, 1), (1, 1)])
def test_a_single_point_is_its_own_focus_wherever_it_lies(size):
    for y in sorted({0, size[0] // 3, size[0] - 1}):
        for x in sorted({0, size[1] // 3, size[1] - 1}):
            saliency_map = np.zeros(size)
            saliency_map[y, x] = 0.3
            assert attention.focal_point(saliency_map) == (x, y)


@pytest.mark.parametrize("value", [0, 0.7, -0.7, 1e-300, 1e300])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (30, 41), (31, 40), (480, 640)])
@pytest.mark.parametrize("reach", [0, 0.1, attention.REACH, 1.0])
def test_a_constant_map_has_its_focus_in_the_middle(value, size, reach):
    x, y = attention.focal_point(np.full(size, value), reach)
    assert abs(2 * x + 1 - size[1]) <= 1
    assert abs(2 * y + 1 - size[0]) <= 1


def test_of_two_equal_peaks_the_nearer_to_the_middle_is_taken():
    saliency_map = np.zeros((101, 101))
    saliency_map[50, 10] = saliency_map[50, 80] = 1
    assert attention.focal_point(saliency_map) == (80, 50)
    saliency_map[:] = 0
    saliency_map[10, 10] = saliency_map[90, 90] = saliency_map[10, 90] = 1
    assert attention.focal_point(saliency_map) == (10, 10)  # the first, as it is read


@pytest.mark.parametrize("seed", range(8))
def test_rounding_does_not_break_a_tie(seed):
    bump = np.random.default_rng(seed).random((9, 9))
    saliency_map = np.zeros((101, 201))
    saliency_map[41:50, 120:129] = bump
    alone = attention.focal_point(saliency_map, 0.15)
    saliency_map[2:11, 2:11] = saliency_map[41:50, 20:29] = saliency_map[90:99, 190:199] = bump
    assert attention.focal_point(saliency_map, 0.15) == alone


def test_a_bright_pixel_does_not_beat_a_face():
    saliency_map = peaked((120, 160), sigma=6.0)[..., 0]
    saliency_map[5, 5] = 2 * saliency_map.max()
    assert attention.focal_point(saliency_map, reach=0) == (5, 5)
    x, y = attention.focal_point(saliency_map)
    assert abs(x - 96) <= 1 and abs(y - 48) <= 1


def near(counts, side):
    """The definition, pixel by pixel: a linear fall across and down."""
    height, width = counts.shape
    found = np.zeros(counts.shape)
    for y in range(height):
        for x in range(width):
            down = np.maximum(0, side - np.abs(np.arange(height) - y))
            across = np.maximum(0, side - np.abs(np.arange(width) - x))
            found[y, x] = down @ counts @ across
    return found


@hypothesis.given(MAPS, strategies.sampled_from([1, 3, 5, 7]))
def test_the_focus_is_where_most_is_near(counts, side):
    hypothesis.assume(side <= min(counts.shape))
    found = near(counts if counts.any() else np.ones_like(counts), side)
    x, y = attention.focal_point(counts, side / min(counts.shape))
    assert found[y, x] == found.max()
    rows, columns = np.nonzero(found == found.max())
    height, width = counts.shape
    away = (2 * columns + 1 - width) ** 2 + (2 * rows + 1 - height) ** 2
    assert (2 * x + 1 - width) ** 2 + (2 * y + 1 - height) ** 2 == away.min()


def test_a_mirrored_map_has_a_mirrored_focus():
    saliency_map = np.random.default_rng(0).random((50, 70)) ** 8
    x, y = attention.focal_point(saliency_map)
    assert attention.focal_point(saliency_map[:, ::-1]) == (69 - x, y)
    assert attention.focal_point(saliency_map[::-1]) == (x, 49 - y)
    assert attention.focal_point(saliency_map.T) == (y, x)
    assert attention.focal_point(saliency_map[..., None].astype("float32") * 1e-30) == (x, y)


@pytest.mark.parametrize("reach", [-0.1, float("nan"), float("inf"), 1.1])
def test_what_is_no_reach_is_refused(reach):
    refused(lambda: attention.focal_point(RAMP, reach), "reach")


# Two designs.


def test_designs_by_hand():
    a, b = np.array([[3, 1], [0, 0]]), np.array([[1, 1, 0], [1, 1, 0]])
    regions_a = {"logo": (0, 0, 1, 1), "gone": (1, 1, 1, 1)}
    regions_b = {"new": (1, 0, 2, 2), "logo": (0, 0, 2, 1)}
    found = attention.compare_designs(a, b, regions_a, regions_b)
    assert found.regions == [
        {"name": "logo", "a": 0.75, "b": 0.5, "difference": -0.25},
        {"name": "gone", "a": 0.0, "b": None, "difference": None},
        {"name": "new", "a": None, "b": 0.5, "difference": None},
    ]
    assert (found.cc, found.sim) == (None, None)


def test_likeness_is_the_scores():
    random = np.random.default_rng(0)
    a, b = random.random((30, 40)) ** 3, random.random((30, 40))
    found = attention.compare_designs(a * 5, b[..., None], {}, {})
    batch = [each[None, ..., None] for each in (a, b)]
    assert abs(found.cc - float(scores.cc(*batch)[0])) < 1e-9
    assert abs(found.sim - float(scores.sim(*batch)[0])) < 1e-9
    same = attention.compare_designs(a, a / 7, {}, {})
    assert abs(same.cc - 1) < 1e-12 and abs(same.sim - 1) < 1e-12
    other = attention.compare_designs(b, a, {}, {})
    assert abs(other.cc - found.cc) < 1e-12 and abs(other.sim - found.sim) < 1e-12


@pytest.mark.parametrize("value", [0, 0.1, 0.7, 1e300])
def test_a_constant_map_is_like_nothing(value):
    random = np.random.default_rng(0).random((30, 41))
    found = attention.compare_designs(np.full((30, 41), value), random, {}, {})
    assert (found.cc, found.sim) == (None, None)
