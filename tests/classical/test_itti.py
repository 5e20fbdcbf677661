"""Itti's model finds the odd one out, and weighs maps by their peaks."""

import importlib

import numpy as np
import pytest

from keras_saliency.classical import itti

model = importlib.import_module("keras_saliency.classical.itti")
PLACES = [(y, x) for y in range(40, 240, 80) for x in range(40, 320, 80)]
ODD = (120, 200)


def grid_of(item, odd):
    """A picture of twelve items of 20 x 20 pixels on gray, one of them odd."""
    stimulus = np.full((240, 320, 3), 128, "uint8")
    for y, x in PLACES:
        stimulus[y - 10 : y + 10, x - 10 : x + 10] = odd if (y, x) == ODD else item
    return stimulus


def bar(upright):
    item = np.full((20, 20, 3), 128, "uint8")
    item[8:12] = 255
    return item.transpose(1, 0, 2) if upright else item


def found(saliency_map, radius=16):
    """The saliency of every item: the highest near it."""
    return {
        (y, x): saliency_map[y - radius : y + radius, x - radius : x + radius].max()
        for y, x in PLACES
    }


@pytest.mark.parametrize(
    ("item", "odd"),
    [
        ((128, 128, 128), (220, 220, 220)),
        ((90, 160, 90), (160, 90, 90)),
        ((100, 100, 160), (160, 160, 100)),
        (bar(upright=False), bar(upright=True)),
    ],
    ids=["bright", "red", "yellow", "upright"],
)
def test_the_odd_one_out_is_most_salient(item, odd):
    saliencies = found(itti(grid_of(item, odd)))
    assert max(saliencies, key=saliencies.get) == ODD
    assert saliencies[ODD] == 1


def spots(**peaks):
    values = np.zeros((9, 12))
    for place, height in peaks.items():
        values[int(place[1]), int(place[2:])] = height
    return values


def test_a_lone_peak_counts_a_hundred_times():
    np.testing.assert_allclose(model._singled_out(spots(p44=5)), spots(p44=10) * 100)


def test_equal_peaks_cancel_a_map():
    assert not model._singled_out(spots(p44=5, p48=5)).any()


def test_the_mean_of_the_peaks_weakens_a_map():
    expected = spots(p44=10, p48=4) * (10 - 7) ** 2
    np.testing.assert_allclose(model._singled_out(spots(p44=5, p48=2)), expected)


def test_low_peaks_and_peaks_at_the_border_do_not_count():
    values = spots(p44=10, p48=0.9, p00=6, p04=6, p811=6)
    np.testing.assert_allclose(model._singled_out(values), values * 100)


def test_a_map_without_an_inner_peak_is_only_scaled():
    np.testing.assert_allclose(model._singled_out(spots(p00=5)), spots(p00=10))


def test_neighbours_of_a_peak_are_none_but_corners_do_not_matter():
    values = spots(p44=10, p45=9, p35=8, p56=8)
    # (3, 5) is next to (4, 5); (5, 6) touches it at a corner only.
    np.testing.assert_allclose(model._singled_out(values), values * (10 - 9) ** 2)


def test_colours_are_shares_of_the_intensity_and_black_has_none():
    level = np.array([0.5, 0.2, 0.4, 0.5]).reshape(4, 1, 1) * np.array([[[1.0, 0.5, 0.0]]])
    blue_yellow, red_green = model._colours(level)
    np.testing.assert_allclose(blue_yellow, [[0.4, 0.4, 0]])
    np.testing.assert_allclose(red_green, [[0.6, 0.6, 0]])
