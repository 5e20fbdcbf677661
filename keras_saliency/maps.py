"""Fixations -> fixation map -> density, in NumPy; center bias; degrees <-> pixels."""

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
    height, width = size or image_size
    counts = np.zeros((height, width, 1), "float32")
    points = np.asarray(fixations, "float64").reshape(-1, 2)
    # Pixel i covers i - 0.5 to i + 0.5, so the picture begins at -0.5.
    columns = np.floor((points[:, 0] + 0.5) * (width / image_size[1])).astype(int)
    rows = np.floor((points[:, 1] + 0.5) * (height / image_size[0])).astype(int)
    np.add.at(counts, (rows.clip(0, height - 1), columns.clip(0, width - 1), 0), 1)
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
    height, width = size or image_size
    sigmas = (sigma * height / image_size[0], sigma * width / image_size[1])
    counts = fixation_map(fixations, image_size, size)[..., 0]
    blurred = ndimage.gaussian_filter(counts, sigmas, mode="reflect")
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
    total = np.zeros((*size, 1))
    for image_size in sorted({example.size for example in examples}):
        counts = sum(
            fixation_map(example.fixations, image_size, size) / max(len(example.fixations), 1)
            for example in examples
            if example.size == image_size
        )
        sigmas = (sigma * size[0] / image_size[0], sigma * size[1] / image_size[1], 0)
        total += ndimage.gaussian_filter(counts, sigmas, mode="reflect")
    return (total / max(total.sum(), 1e-30)).astype("float32")
