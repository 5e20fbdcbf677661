"""Boolean maps: what is surrounded stands out, what touches the border does not."""

import importlib

import numpy as np
import pytest

from keras_saliency.classical import bms

model = importlib.import_module("keras_saliency.classical.bms")


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((0, 0, 0), (0, 128, 128)),
        ((255, 255, 255), (255, 128, 128)),
        ((255, 0, 0), (136, 208, 195)),
        ((0, 255, 0), (224, 42, 211)),
        ((0, 0, 255), (82, 207, 20)),
        ((128, 128, 128), (137, 128, 128)),
        ((10, 10, 10), (7, 128, 128)),
    ],
)
def test_lab(rgb, lab):
    assert model._lab(np.array([[rgb]], "uint8"))[0, 0].tolist() == list(lab)


def mask(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


def pasted(small, size=(20, 20), at=(6, 6)):
    large = np.zeros(size, bool)
    large[at[0] : at[0] + small.shape[0], at[1] : at[1] + small.shape[1]] = small
    return large


def test_a_surrounded_region_is_dilated_and_has_length_one():
    attention = model._attention(pasted(mask("#")))
    assert np.argwhere(attention).min(axis=0).tolist() == [3, 3]
    assert np.argwhere(attention).max(axis=0).tolist() == [9, 9]
    np.testing.assert_allclose(attention[3:10, 3:10], 1 / 7)


def test_regions_share_the_length():
    both = pasted(mask("#")) | pasted(mask("#"), at=(16, 16))
    np.testing.assert_allclose(np.linalg.norm(model._attention(both)), 1)


def test_what_touches_the_border_is_left_out():
    border = pasted(mask("##", "##"), at=(0, 9)) | pasted(mask("#"), at=(19, 0))
    assert not np.any(model._attention(border))
    np.testing.assert_array_equal(
        model._attention(border | pasted(mask("#"), at=(10, 10))),
        model._attention(pasted(mask("#"), at=(10, 10))),
    )


@pytest.mark.parametrize("at", [(0, 8), (17, 8), (8, 0), (8, 17)])
def test_every_border_counts(at):
    assert not np.any(model._attention(pasted(mask("###", "###", "###"), at=at)))


def test_corners_connect():
    diagonal = np.eye(20, dtype=bool)
    assert not np.any(model._attention(diagonal))


def test_nothing_and_everything_have_no_surrounded_region():
    assert not np.any(model._attention(np.zeros((5, 5), bool)))
    assert not np.any(model._attention(np.ones((5, 5), bool)))


def test_channels_of_gray_are_one():
    gray = np.random.default_rng(0).integers(0, 256, (30, 40, 1)).astype("uint8")
    channels = list(model._channels(np.repeat(gray, 3, axis=2)))
    assert [channel.dtype for channel in channels] == ["uint8"] * 3
    assert sorted(bool(channel.any()) for channel in channels) == [False, False, True]


def test_three_colours_are_two_channels():
    colours = np.full((60, 80, 3), (220, 5, 138), "uint8")
    colours[4:9, 5:9] = 20, 76, 123
    colours[20:35, 30:40] = 17, 73, 120
    channels = list(model._channels(colours))
    assert sorted(bool(channel.any()) for channel in channels) == [False, True, True]


def test_which_way_an_axis_points_does_not_matter(monkeypatch):
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype("uint8")
    expected = list(model._channels(colours))
    variances, axes = np.linalg.eigh(np.cov(model._lab(colours).reshape(-1, 3).T))
    for flipped in (axes, -axes):
        monkeypatch.setattr(np.linalg, "eigh", lambda _, axes=flipped: (variances, axes))
        np.testing.assert_array_equal(list(model._channels(colours)), expected)


def test_channels_do_not_depend_on_each_other(monkeypatch):
    monkeypatch.setattr(model.ndimage, "median_filter", lambda levels, *_, **__: levels)
    colours = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype("uint8")
    channels = np.reshape(list(model._channels(colours)), (3, -1))
    np.testing.assert_allclose(np.corrcoef(channels), np.eye(3), atol=0.01)
    assert channels.min(axis=1).tolist() == [0] * 3
    assert channels.max(axis=1).tolist() == [255] * 3


@pytest.mark.parametrize(
    ("size", "expected"),
    [((600, 800), (300, 400)), ((7, 5), (400, 285)), ((1, 2), (200, 400)), ((2, 900), (1, 400))],
)
def test_the_longest_side_is_worked_on_at_400_pixels(size, expected):
    assert model._shrunk(np.zeros((*size, 3), "uint8")).shape == (*expected, 3)


def test_a_surrounded_square_stands_out_and_one_at_the_border_does_not():
    stimulus = np.full((300, 400, 3), 100, "uint8")
    stimulus[130:160, 200:230] = 200, 60, 60
    stimulus[:30, 50:80] = 200, 60, 60
    saliency_map = bms(stimulus)[..., 0]
    assert saliency_map[145, 215] > 0.9
    assert saliency_map[:60, 30:100].max() == 0


def test_dark_regions_count_like_bright_ones():
    stimulus = np.full((300, 400, 3), 120, "uint8")
    stimulus[130:160, 80:110] = 240
    stimulus[130:160, 280:310] = 0
    saliency_map = bms(stimulus)[..., 0]
    assert min(saliency_map[145, 95], saliency_map[145, 295]) > 0.5


@pytest.mark.parametrize("column", [60, 2])
def test_the_map_is_dilated_and_blurred(column):
    total = np.zeros((100, 120))
    total[50, column] = 5
    # The border reflects without repeating its last pixel.
    line = np.pad(total.max(axis=0), 60, mode="reflect")
    line = np.convolve(line > 0, np.ones(9)) > 0
    kernel = np.exp(-(np.arange(-18, 19) ** 2) / (2 * 9**2))
    line = np.convolve(line, kernel)[60 + 22 : -60 - 22]
    saliency_map = model._saliency_map(total, (100, 120))
    np.testing.assert_allclose(saliency_map[50, :, 0], line / line.max(), atol=1e-6)
    rows = np.flatnonzero(saliency_map[:, column, 0])
    assert (rows[0], rows[-1]) == (50 - 22, 50 + 22)
