"""Augmentation of single pictures; tests/test_pipeline.py has that of whole epochs."""

import numpy as np
import pytest

from keras_saliency.augmentation import augmented


def fields(size=(20, 30)):
    """A stimulus whose pixels say where they were, a density and a fixation map of one point."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    stimulus = np.stack([rows, columns, 0 * rows], axis=-1).astype("uint8")
    density = np.exp(-((rows - 9) ** 2 + (columns - 14) ** 2) / 20)[..., None]
    counts = np.zeros((*size, 1), "uint8")
    counts[9, 14] = 3
    return stimulus, density.astype("float16"), counts


def test_a_crop_is_a_window_of_unchanged_pixels():
    places = set()
    for seed in range(200):
        whole = fields()
        stimulus, density, counts = map(
            np.asarray, augmented(whole, [seed, 0], mirror=False, crop=(16, 24))
        )
        top, left = stimulus[0, 0, :2].astype(int)
        places.add((top, left))
        window = np.s_[top : top + 16, left : left + 24]
        np.testing.assert_array_equal(stimulus, whole[0][window])
        np.testing.assert_array_equal(counts, whole[2][window])
        expected = whole[1][window].astype("float32")
        np.testing.assert_allclose(density, expected / expected.max(), rtol=1e-6)
    # Every place that fits comes up: 5 rows, 7 columns.
    assert {top for top, _ in places} == set(range(5))
    assert {left for _, left in places} == set(range(7))


def test_a_crop_may_be_mirrored_first():
    turned = 0
    for seed in range(20):
        stimulus, _, counts = map(np.asarray, augmented(fields(), [seed, 1], crop=(20, 30)))
        turned += stimulus[0, 0, 1] > stimulus[0, -1, 1]
        row, column = np.argwhere(counts[..., 0])[0]
        assert stimulus[row, column, :2].tolist() == [9, 14]
    assert 0 < turned < 20


@pytest.mark.parametrize("seed", range(5))
def test_the_same_dice_do_the_same(seed):
    settings = {"zoom": 0.3, "color": 0.2, "crop": (16, 24)}
    first, second = (augmented(fields(), [seed, 2], **settings) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
