"""Itti, Koch and Niebur's saliency model."""

import numpy as np

from keras_saliency.classical import features

CENTERS = (2, 3)  # levels of the pyramid
SURROUND = 2  # levels above the center's
GRID_SHARE = 1 / 8  # of the picture's sides
BLUR = 0.03  # of the grid's longer side
TOP = 10  # of a map whose peaks are counted; a peak is at least a tenth of it


def itti(stimulus: np.ndarray) -> np.ndarray:
    """Where a picture's intensity, colour or orientation differs from its surroundings.

    Args:
        stimulus: uint8 `(height, width, 3)`, RGB.

    Returns: float32 `(height, width, 1)`, 0-1; zero for a uniform picture.

    Raises:
        InputError: if it is no such array.

    Example:
        >>> picture = np.zeros((150, 200, 3), "uint8")
        >>> picture[90:110, 40:60] = 255
        >>> saliency_map = itti(picture)
        >>> saliency_map.shape, bool(saliency_map[100, 50, 0] > 0.5)
        ((150, 200, 1), True)

    This is the variant that most tables of scores call "Itti": the one of the
    GBVS toolbox, with its final blur. The paper has three center levels, two
    surrounds, absolute differences and double-opponent colours. What is not as
    in the toolbox: beyond the border of a map that is resized is nothing, not
    its mirror image; and a picture with a side below 128 pixels, which the
    toolbox refuses, is enlarged first.

    Reference: Itti, Koch and Niebur, "A model of saliency-based visual
    attention for rapid scene analysis", TPAMI 20(11), 1998.
    """
    features.check(stimulus)
    picture = features.enlarged(stimulus)
    sides = picture.shape[:2]
    size = features.grid_size(sides, round(max(sides) * GRID_SHARE))
    levels = features.pyramid(picture, max(CENTERS) + SURROUND)[min(CENTERS) - 1 :]
    total = sum(
        _conspicuity([channel(level) for level in levels], size)
        for channel in (_intensity, _colours, features.orientations)
    )
    return features.saliency_map(total, BLUR, stimulus.shape[:2])


def _intensity(level):
    return level[3:]


def _colours(level):
    """Blue against yellow and red against green, as shares of the intensity."""
    red, green, blue, intensity = level
    opponents = np.abs([blue - np.minimum(red, green), red - green])
    return np.divide(opponents, intensity, out=opponents, where=intensity > 0)


def _conspicuity(levels, size):
    """The differences between centers and surrounds of one channel, as one map."""
    total = 0
    for centers, surrounds in zip(levels, levels[SURROUND:], strict=False):
        for inner, outer in zip(centers, surrounds, strict=True):
            difference = (inner - features.resized(outer, inner.shape)) ** 2
            total = total + _singled_out(features.resized(difference, size))
    return _singled_out(total)


def _singled_out(values):
    """A map weighted by how far its highest peak stands out from the others."""
    values = TOP * features.scaled(values)
    inner = values[1:-1, 1:-1]
    neighbours = (values[:-2, 1:-1], values[2:, 1:-1], values[1:-1, :-2], values[1:-1, 2:])
    is_peak = inner >= TOP / 10
    for neighbour in neighbours:
        is_peak &= inner >= neighbour
    peaks = inner[is_peak]
    if len(peaks) == 0:
        return values
    # The highest of several is one of them; a lone peak keeps the full weight.
    return values * (TOP - (peaks.mean() if len(peaks) > 1 else 0)) ** 2
