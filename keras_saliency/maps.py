"""Fixations -> fixation map -> density, in NumPy; center bias; degrees <-> pixels."""

import functools
import math

import numpy as np
from scipy import ndimage


def degrees_to_pixels(degrees: float, pixels_per_degree: float) -> float:
    """A visual angle as a length on the picture, in pixels.

    Args:
        degrees: visual angle.
        pixels_per_degree: pixels of the picture that one degree covered.

    Example:
        >>> degrees_to_pixels(1.0, 24.0)
        24.0
    """
    return degrees * pixels_per_degree


def pixels_per_degree(pixels: float, size_cm: float, distance_cm: float) -> float:
    """How many pixels one degree of visual angle covers at the screen's middle.

    Args:
        pixels: the screen's width in pixels.
        size_cm: the screen's width in centimeters.
        distance_cm: from eye to screen.

    Example:
        >>> round(pixels_per_degree(800, 40.0, 57.0), 1)
        19.9
    """
    return 2 * distance_cm * math.tan(math.radians(0.5)) * pixels / size_cm


def fixation_map(fixations, image_size, size=None) -> np.ndarray:
    """Counts the fixations in every pixel.

    Args:
        fixations: `(n, 2)`, x and y in 0-based pixels of the picture.
        image_size: `(height, width)` of the picture.
        size: `(height, width)` of the map; the picture's by default.

    Returns: float32 `(height, width, 1)`; its sum is n.

    Example:
        >>> fixation_map([[3, 1], [3, 1], [0, 0]], (2, 4))[..., 0].tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]
    """
    counts = np.zeros((*(size or image_size), 1), "float32")
    np.add.at(counts[..., 0], _pixels(fixations, image_size, size or image_size), 1)
    return counts


def density(fixations, image_size, sigma: float, size=None) -> np.ndarray:
    """Fixations, blurred: how likely people are to look at every pixel.

    Args:
        fixations: `(n, 2)`, x and y in 0-based pixels of the picture.
        image_size: `(height, width)` of the picture.
        sigma: standard deviation of the blur in pixels **of the picture**,
            about one degree of visual angle.
        size: `(height, width)` of the map; the picture's by default. The blur
            shrinks with it.

    Returns: float32 `(height, width, 1)` that sums to 1; all zero if nobody
        looked. The border reflects: zeros beyond it would thin out the edges
        and fake a center bias.

    Example:
        >>> float(density([[3, 1]], (6, 8), sigma=1.0).sum().round(4))
        1.0
    """
    size = size or image_size
    rows, columns = _pixels(fixations, image_size, size)
    down, across = _blurs(size, image_size, sigma)
    # Every fixation adds a Gaussian, the outer product of one down and one across.
    blurred = down[:, rows] @ across[:, columns].T
    return (blurred / max(blurred.sum(), 1e-30))[..., None]


def center_bias(examples, size, sigma: float) -> np.ndarray:
    """Where people look whatever the picture: the mean density of the examples.

    Args:
        examples: list of `datasets.Example`, not the ones to be scored.
        size: `(height, width)` of the map.
        sigma: as in `density`, in pixels of each picture.

    Returns: float32 `(height, width, 1)` that sums to 1.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> center_bias(synthetic.load(split="train", limit=3), (48, 64), 12.0).shape
        (48, 64, 1)
    """
    # The sum of blurs is the blur of the sum, so one blur serves all pictures
    # of one size.
    total = np.zeros(size)
    for image_size in sorted({example.size for example in examples}):
        counts = sum(
            fixation_map(example.fixations, image_size, size)[..., 0]
            / max(len(example.fixations), 1)
            for example in examples
            if example.size == image_size
        )
        down, across = _blurs(size, image_size, sigma)
        total += down @ counts @ across.T
    return (total / max(total.sum(), 1e-30)).astype("float32")[..., None]


def _pixels(fixations, image_size, size):
    """The row and the column of the map's pixel that every fixation falls into."""
    points = np.asarray(fixations, "float64").reshape(-1, 2)
    # Pixel i covers i - 0.5 to i + 0.5, so the picture begins at -0.5.
    scale = np.array(size) / np.array(image_size)
    rows_columns = np.floor((points[:, ::-1] + 0.5) * scale).astype(int)
    return tuple(rows_columns.clip(0, np.array(size) - 1).T)


def _blurs(size, image_size, sigma):
    """The blurs down and across a map, each a matrix."""
    return [_blur(n, sigma * n / whole) for n, whole in zip(size, image_size, strict=True)]


@functools.lru_cache(maxsize=16)
def _blur(length, sigma):
    """The matrix that SciPy's Gaussian filter of a line is; its border reflects."""
    return ndimage.gaussian_filter1d(np.eye(length, dtype="float32"), sigma, axis=0)
