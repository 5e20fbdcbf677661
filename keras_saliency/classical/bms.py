"""Boolean map saliency (BMS)."""

import numpy as np
from PIL import Image
from scipy import ndimage

from keras_saliency.classical import features

LONGEST_SIDE = 400  # pixels of the picture that is worked on
STEP = 8  # between two thresholds, of 255
REGION_WIDTH = 7  # pixels, of the square that regions are dilated with
MAP_WIDTH = 9  # pixels, of the square that the map is dilated with
BLUR = 9  # pixels, sigma of the last blur
EIGHT = np.ones((3, 3))  # a pixel's neighbours in a region
XYZ = np.array(  # of linear sRGB, over the white of D65
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
) / np.array([[0.950456], [1], [1.088754]])


def bms(stimulus: np.ndarray) -> np.ndarray:
    """Which regions of a picture are surrounded, at every threshold of every colour.

    Args:
        stimulus: uint8 `(height, width, 3)`, RGB.

    Returns: float32 `(height, width, 1)`, 0-1; zero for a uniform picture.

    Raises:
        InputError: if it is no such array.

    Example:
        >>> picture = np.zeros((150, 200, 3), "uint8")
        >>> picture[90:110, 40:60] = 255
        >>> saliency_map = bms(picture)
        >>> saliency_map.shape, bool(saliency_map[100, 50, 0] > 0.5)
        ((150, 200, 1), True)

    The authors' program with the settings of SMILER. What is not as there: red
    and blue are not mistaken for each other, and the map is not rounded to 8
    bits on the way.

    Reference: Zhang and Sclaroff, "Saliency detection: a Boolean map
    approach", ICCV 2013.
    """
    features.check(stimulus)
    picture = _shrunk(stimulus)
    total = np.zeros(picture.shape[:2])
    for channel in _channels(picture):
        for threshold in range(channel.min(), channel.max(), STEP):
            above = channel > threshold
            total += _attention(above) + _attention(~above)
    return _saliency_map(total, stimulus.shape[:2])


def _shrunk(stimulus):
    """The picture at the size that is worked on."""
    longest = max(stimulus.shape[:2])
    height, width = (max(1, int(LONGEST_SIDE * side / longest)) for side in stimulus.shape[:2])
    shrinks = longest > LONGEST_SIDE
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(stimulus).resize((width, height), method))


def _channels(picture):
    """Three colours that do not depend on each other, each uint8 `(height, width)`."""
    colours = _lab(picture)
    # Whitening would also bring the channels to one variance, but each fills 0-255 anyway.
    axes = np.linalg.eigh(np.cov(colours.reshape(-1, 3).T))[1]
    # An axis may point either way, and where its thresholds fall depends on it.
    axes = np.where(axes.sum(axis=0) < 0, -axes, axes)
    # Rounded, so that a picture of few colours gets no channel of rounding errors.
    for channel in np.moveaxis(np.round(colours @ axes, 6), -1, 0):
        levels = np.round(255 * features.scaled(channel)).astype("uint8")
        yield ndimage.median_filter(levels, 3, mode="nearest")


def _lab(picture):
    """CIE L*a*b* in 8 bits, as float `(height, width, 3)`."""
    rgb = picture / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = linear @ XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    lab = np.stack([(116 * y - 16) * 255 / 100, 500 * (x - y) + 128, 200 * (y - z) + 128], axis=-1)
    return np.round(lab)


def _attention(mask):
    """The regions of a mask that do not touch the border, dilated, of length 1."""
    regions, count = ndimage.label(mask, EIGHT)
    surrounded = np.ones(count + 1, "uint8")
    surrounded[0] = 0
    for line in (regions[0], regions[-1], regions[:, 0], regions[:, -1]):
        surrounded[line] = 0
    if not surrounded.any():
        return 0
    dilated = ndimage.maximum_filter(surrounded.take(regions), REGION_WIDTH, mode="nearest")
    return dilated / np.sqrt(np.count_nonzero(dilated))


def _saliency_map(total, size):
    total = ndimage.maximum_filter(total, MAP_WIDTH, mode="nearest")
    blurred = ndimage.gaussian_filter(total, BLUR, mode="mirror", truncate=2)
    picture = Image.fromarray(blurred.astype("float32"))
    resized = np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))
    return features.scaled(resized).astype("float32")[..., None]
