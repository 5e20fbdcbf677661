"""What the classical models share, against slow code and against pictures one can reason about."""

import numpy as np
import pytest
from scipy import ndimage

from keras_saliency.classical import features
from keras_saliency.errors import InputError

RANDOM = np.random.default_rng(0)


def picture(height, width):
    return RANDOM.integers(0, 256, (height, width, 3)).astype("uint8")


@pytest.mark.parametrize(
    "stimulus",
    [
        np.zeros((4, 5, 3)),
        np.full((4, 5, 3), np.nan),
        np.zeros((4, 5), "uint8"),
        np.zeros((4, 5, 1), "uint8"),
        np.zeros((4, 5, 4), "uint8"),
        np.zeros((1, 4, 5, 3), "uint8"),
        np.zeros((0, 5, 3), "uint8"),
        [[[0, 0, 0]]],
        None,
    ],
)
def test_what_is_no_picture_is_refused(stimulus):
    with pytest.raises(InputError, match=r"uint8 array \(height, width, 3\)") as caught:
        features.check(stimulus)
    assert "\n" not in str(caught.value)


def test_a_picture_is_accepted():
    features.check(picture(1, 1))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((128, 128), (128, 128)),
        ((600, 800), (600, 800)),
        ((127, 254), (128, 256)),
        ((1, 1), (128, 128)),
        ((2, 5000), (128, 5000)),
        ((100, 2), (1024, 128)),
    ],
)
def test_small_pictures_are_enlarged(size, expected):
    assert features.enlarged(picture(*size)).shape == (*expected, 3)


def halved_slowly(line):
    weights = {-2: 1, -1: 5, 0: 10, 1: 10, 2: 5, 3: 1}
    halved = []
    for i in range(len(line) // 2):
        taken = {2 * i + k: w for k, w in weights.items() if 0 <= 2 * i + k < len(line)}
        halved.append(sum(w * line[k] for k, w in taken.items()) / sum(taken.values()))
    return np.array(halved)


@pytest.mark.parametrize("size", [(24, 32), (23, 31), (11, 12)])
def test_a_level_is_low_passed_and_halved(size):
    stimulus = picture(*size)
    planes = [*np.moveaxis(stimulus, -1, 0), stimulus.max(axis=-1)]
    (level,) = features.pyramid(stimulus, 1)
    for plane, halved in zip(planes, level, strict=True):
        expected = np.apply_along_axis(halved_slowly, 0, plane / 255)
        expected = np.apply_along_axis(halved_slowly, 1, expected)
        np.testing.assert_allclose(halved, expected, atol=1e-12)


def test_short_sides_stay():
    shapes = [level.shape[1:] for level in features.pyramid(picture(10, 45), 4)]
    assert shapes == [(10, 22), (10, 11), (10, 5), (10, 5)]


def gabor(degrees, phase):
    """Written from the definition: a wave of period pi in the given direction."""
    angle, around = np.radians(degrees), np.arange(-13, 14)
    x, y = np.meshgrid(around, around)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = -x * np.sin(angle) + y * np.cos(angle)
    kernel = np.exp(-(along**2) / 8 - across**2 / 32) * np.cos(2 * along + phase)
    kernel -= kernel.mean()
    return kernel / np.sqrt((kernel**2).sum())


def test_orientations_are_the_responses_to_gabor_filters():
    level = RANDOM.random((4, 37, 50))
    maps = features.orientations(level)
    for degrees, response in zip((0, 45, 90, 135), maps, strict=True):
        even, odd = (
            np.abs(ndimage.correlate(level[3], gabor(degrees, phase), mode="nearest"))
            for phase in (0, np.pi / 2)
        )
        np.testing.assert_allclose(response, features.faded(even + odd, 13), atol=1e-10)


@pytest.mark.parametrize("index", range(4))
def test_a_grating_shows_in_its_own_direction(index):
    angle = np.radians(45 * index)
    y, x = np.mgrid[:60, :60]
    grating = np.sin(2 * (x * np.cos(angle) + y * np.sin(angle)))
    responses = features.orientations(np.stack([grating] * 4))[:, 30, 30]
    assert responses.argmax() == index
    assert responses[index] > 10 * np.delete(responses, index).max()


def test_a_uniform_picture_has_no_orientation():
    assert features.orientations(np.full((4, 40, 30), 0.7)).max() < features.NOTHING


def test_a_border_fades_by_equal_steps():
    faded = features.faded(np.ones((2, 9, 20)), 4)
    np.testing.assert_allclose(faded[1, 4, :6], [0.2, 0.4, 0.6, 0.8, 1, 1])
    np.testing.assert_allclose(faded[0, :, 10], [0.2, 0.4, 0.6, 0.8, 1, 0.8, 0.6, 0.4, 0.2])
    assert faded[0, 0, 0] == pytest.approx(0.04)


def test_a_border_takes_half_of_a_short_side_at_most():
    np.testing.assert_allclose(features.faded(np.ones((3, 20)), 4)[:, 10], [0.5, 1, 0.5])


def test_rounding_is_not_stretched():
    assert not features.scaled(0.3 + RANDOM.random((5, 5)) * 1e-15).any()
    assert features.scaled(RANDOM.random((5, 5)) * 1e-9).max() == 1


def test_resizing_keeps_what_is_the_same_everywhere():
    values = np.full((7, 9), 0.1)
    assert (features.resized(values, (23, 4)) == 0.1).all()


def test_resizing_to_the_same_size_changes_nothing():
    values = RANDOM.random((7, 9))
    np.testing.assert_allclose(features.resized(values, (7, 9)), values, atol=1e-7)


def test_resizing_keeps_places():
    values = np.zeros((10, 20))
    values[2, 15] = 1
    larger = features.resized(values, (30, 60))
    assert np.unravel_index(larger.argmax(), larger.shape) == (7, 46)
    assert np.unravel_index(features.resized(larger, (10, 20)).argmax(), (10, 20)) == (2, 15)


@pytest.mark.parametrize(
    ("size", "expected"), [((800, 600), (32, 24)), ((100, 100), (32, 32)), ((2, 900), (1, 32))]
)
def test_the_grid_has_the_shape_of_the_picture(size, expected):
    assert features.grid_size(size, 32) == expected


def test_the_last_steps_fade_blur_and_stretch():
    total = np.zeros((24, 32))
    total[12, 16] = 3
    total[0, 0] = 3  # a twenty-fifth of it is left at the border
    sharp = features.saliency_map(total, 0.001, (24, 32))
    assert (sharp.dtype, sharp.shape) == ("float32", (24, 32, 1))
    assert sharp[12, 16] == 1
    assert sharp[0, 0] == pytest.approx(0.04, abs=1e-6)
    blurred = features.saliency_map(total, 0.02, (24, 32))[..., 0]
    # Sigma is 0.64 pixels, cut off at 2 sigma: one pixel to each side.
    assert blurred[12, 17] == pytest.approx(np.exp(-0.5 / 0.64**2), abs=1e-6)
    assert blurred[12, 18] == 0
