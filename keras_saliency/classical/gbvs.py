"""Graph-based visual saliency (GBVS)."""

import functools

import numpy as np

from keras_saliency.classical import features

LEVELS = (2, 3, 4)  # of the pyramid
GRID = 32  # nodes on the picture's longer side
REACH = 0.15  # sigma of a node's weights, of the grid's mean side
POWER = 1.5  # draws each activation together around its peaks
BLUR = 0.02  # of the grid's longer side
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue


def gbvs(stimulus: np.ndarray) -> np.ndarray:
    """Where a walker ends up who steps from place to place by how much they differ.

    Args:
        stimulus: uint8 `(height, width, 3)`, RGB.

    Returns: float32 `(height, width, 1)`, 0-1; zero for a uniform picture.

    Raises:
        InputError: if it is no such array.

    Example:
        >>> picture = np.zeros((150, 200, 3), "uint8")
        >>> picture[90:110, 40:60] = 255
        >>> saliency_map = gbvs(picture)
        >>> saliency_map.shape, bool(saliency_map[100, 50, 0] > 0.5)
        ((150, 200, 1), True)

    The authors' toolbox with its default settings. What is not as there:
    luminance, red minus green and blue minus yellow in place of DKL colours,
    which ask for the table of a certain monitor; the equilibrium of the walk
    is exact, not the first that hardly changes; beyond the border of a map
    that is resized is nothing, not its mirror image; a uniform feature adds
    nothing; and a picture with a side below 128 pixels, which the toolbox
    refuses, is enlarged first.

    Reference: Harel, Koch and Perona, "Graph-based visual saliency", NIPS 2006.
    """
    features.check(stimulus)
    picture = features.enlarged(stimulus)
    size = features.grid_size(picture.shape[:2], GRID)
    levels = features.pyramid(picture, max(LEVELS))
    total = sum(
        _activation(features.scaled(features.resized(values, size))) ** POWER
        for level in LEVELS
        for values in _features(levels[level - 1])
    )
    return features.saliency_map(total, BLUR, stimulus.shape[:2])


def _features(level):
    """The 8 features of a level of the pyramid, `(8, height, width)`."""
    red, green, blue, intensity = level
    luminance = np.tensordot(LUMINANCE, level[:3], 1)
    opponents = [luminance, red - green, blue - (red + green) / 2, intensity]
    return np.concatenate([opponents, features.orientations(level)])


def _activation(feature):
    """The equilibrium of a walk between the nodes; they sum to 1, or are all 0."""
    nodes = feature.ravel()
    # Between two nodes both ways weigh the same, so the walk is in equilibrium
    # where each node has its share of all the weight.
    strengths = (np.abs(nodes[:, None] - nodes) * _nearness(feature.shape)).sum(axis=0)
    return (strengths / max(strengths.sum(), features.NOTHING)).reshape(feature.shape)


@functools.lru_cache(maxsize=4)
def _nearness(size):
    """The weight of the distance between every two nodes of a grid, `(nodes, nodes)`."""
    places = np.indices(size).reshape(2, -1)
    squares = ((places[:, :, None] - places[:, None]) ** 2).sum(axis=0)
    return np.exp(-squares / (2 * (REACH * np.mean(size)) ** 2))
