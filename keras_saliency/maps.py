"""Fixations -> fixation map -> density, in NumPy; center bias; degrees <-> pixels."""

import functools
import math

import numpy as np
from scipy import ndimage

TRUNCATE = 4.0  # sigmas, where SciPy cuts a Gaussian off
TILE = 160  # pixels


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
    np.add.at(counts[..., 0], pixels(fixations, image_size, size or image_size), 1)
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
    rows, columns = pixels(fixations, image_size, size)
    sigmas = [sigma * n / whole for n, whole in zip(size, image_size, strict=True)]
    blurred = blur_pixels(rows, columns, size, sigmas, dtype="float32")
    return (blurred / max(blurred.sum(), 1e-30))[..., None]


def blur_pixels(rows, columns, size, sigmas, border="reflect", dtype="float64") -> np.ndarray:
    """The sum of one Gaussian a pixel, `(height, width)`.

    Args:
        rows, columns: `(n,)` ints, the pixels; one that comes twice counts twice.
        size: `(height, width)` of the map.
        sigmas: of the Gaussian, down and across, in pixels of the map.
        border: "reflect", or "wrap": the map lies in the corner of a square of
            zeros whose side is a power of two, and beyond the square it begins
            anew (the MIT benchmark's antonioGaussian.m).
        dtype: of the map.

    Example:
        >>> blur_pixels([1], [2], (3, 5), (0.5, 0.5)).round(2)[1].tolist()
        [0.0, 0.08, 0.62, 0.08, 0.0]
    """
    order = np.argsort(rows, kind="stable")
    rows, columns = np.asarray(rows)[order], np.asarray(columns)[order]
    down, across = (
        _blur(length, sigma, border, max(size) if border == "wrap" else None, dtype)[at]
        for length, sigma, at in zip(size, sigmas, (rows, columns), strict=True)
    )
    # Every pixel adds the outer product of one line down and one across, and in a large map
    # only to the tiles that its Gaussian, cut off at 4 sigmas, reaches.
    if size[0] * size[1] <= 4 * TILE**2:
        return down.T @ across
    blurred = np.empty(size, dtype)
    reach = [TRUNCATE * sigma + 1 if border == "reflect" else max(size) for sigma in sigmas]
    for top in range(0, size[0], TILE):
        near = slice(*np.searchsorted(rows, [top - reach[0], top + TILE + reach[0]]))
        for left in range(0, size[1], TILE):
            at = (columns[near] > left - reach[1]) & (columns[near] < left + TILE + reach[1])
            tile = slice(top, top + TILE), slice(left, left + TILE)
            blurred[tile] = down[near, tile[0]][at].T @ across[near, tile[1]][at]
    return blurred


def cycles_to_sigma(cycles: float, size) -> float:
    """The Gaussian that low-passes a picture at so many cycles, as a sigma in pixels.

    The MIT benchmark blurs with 8 cycles a picture: the amplitude is halved at
    8 cycles over a square whose side is the next power of two.

    Args:
        cycles: cut-off frequency.
        size: `(height, width)` of the picture.

    Example:
        >>> round(cycles_to_sigma(8, (600, 800)), 2)
        23.99

    Reference: antonioGaussian.m of the MIT saliency benchmark.
    """
    return _power_of_two(max(size)) * math.sqrt(2 * math.log(2)) / (2 * math.pi * cycles)


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
        down, across = (
            _blur(n, sigma * n / whole) for n, whole in zip(size, image_size, strict=True)
        )
        total += down.T @ counts @ across
    return (total / max(total.sum(), 1e-30)).astype("float32")[..., None]


def pixels(fixations, image_size, size=None):
    """The row and the column of the map's pixel that every fixation falls into.

    Args:
        fixations: `(n, 2)`, x and y in 0-based pixels of the picture.
        image_size: `(height, width)` of the picture.
        size: `(height, width)` of the map; the picture's by default.

    Returns: two int arrays `(n,)`. What lies outside counts at the border.

    Example:
        >>> [line.tolist() for line in pixels([[3, 1], [2.4, 0.6]], (2, 4))]
        [[1, 1], [3, 2]]
    """
    size = size or image_size
    points = np.asarray(fixations, "float64").reshape(-1, 2)
    # Pixel i covers i - 0.5 to i + 0.5, so the picture begins at -0.5.
    scale = np.array(size) / np.array(image_size)
    rows_columns = np.floor((points[:, ::-1] + 0.5) * scale).astype(int)
    return tuple(rows_columns.clip(0, np.array(size) - 1).T)


def _power_of_two(length):
    """The smallest power of two that is not less."""
    return 1 << (int(length) - 1).bit_length()


@functools.lru_cache(maxsize=16)
def _blur(length, sigma, border="reflect", longest=None, dtype="float32"):
    """The blur of a line of so many pixels: row i is what a single one at i becomes.

    `longest` is the picture's longest side.
    """
    if border == "reflect":
        return ndimage.gaussian_filter1d(np.eye(length, dtype=dtype), sigma, axis=1)
    side = _power_of_two(longest)
    frequencies = np.fft.rfftfreq(side)
    kernel = np.fft.irfft(np.exp(-2 * (math.pi * sigma * frequencies) ** 2), side)
    kernel = np.maximum(kernel, 0)  # rounding leaves some just below
    offsets = np.arange(length)[:, None] - np.arange(length)
    return kernel[offsets % side].astype(dtype)
