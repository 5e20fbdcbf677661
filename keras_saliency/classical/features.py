"""What the classical models share: the pyramid and its features, borders, ranges, sizes."""

import functools

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from keras_saliency.errors import InputError

LOW_PASS = np.array([1, 5, 10, 10, 5, 1]) / 32
SMALLEST_HALVED = 11  # pixels; a shorter side stays as it is
SMALLEST_SIDE = 128  # pixels of a picture; below, the coarse levels see nothing
LONGEST_ENLARGED = 1024  # pixels; bounds what becomes of a strip
ANGLES = (0, 45, 90, 135)  # degrees
GABOR_SIGMAS = (2, 4)  # along and across the wave, pixels
GABOR_PERIOD = np.pi  # pixels
GABOR_RADIUS = 13  # pixels
FINAL_BORDER = 4  # pixels of the grid
NOTHING = 1e-12  # a smaller range of values is rounding, not contrast


def check(stimulus: np.ndarray) -> None:
    """Raises `InputError` unless it is a uint8 picture `(height, width, 3)`."""
    kind, shape = getattr(stimulus, "dtype", type(stimulus)), np.shape(stimulus)
    if kind != "uint8" or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise InputError(
            "a stimulus has to be a uint8 array (height, width, 3), "
            f"as pictures.read returns it. Received: {kind} {shape}"
        )


def enlarged(stimulus: np.ndarray) -> np.ndarray:
    """A picture with a side below 128 pixels, enlarged until it has none.

    Args:
        stimulus: uint8 `(height, width, 3)`.

    Returns: uint8 `(height, width, 3)`; a long strip is also squeezed, so that
        it does not grow beyond 1024 pixels.

    Example:
        >>> enlarged(np.zeros((64, 100, 3), "uint8")).shape
        (128, 200, 3)
    """
    sides = stimulus.shape[:2]
    factor = SMALLEST_SIDE / min(sides)
    if factor <= 1:
        return stimulus
    height, width = (min(round(side * factor), max(side, LONGEST_ENLARGED)) for side in sides)
    return np.asarray(Image.fromarray(stimulus).resize((width, height), Image.Resampling.BICUBIC))


def pyramid(stimulus: np.ndarray, last: int) -> list[np.ndarray]:
    """Red, green, blue and intensity, halved again and again.

    Args:
        stimulus: uint8 `(height, width, 3)`.
        last: the number of the last level; level n is 2 ** n times smaller.

    Returns: a list of float `(4, height, width)`, 0-1, the levels from 1 on.
        Intensity is the largest of the three colours.

    Example:
        >>> [level.shape for level in pyramid(np.zeros((60, 80, 3), "uint8"), 3)]
        [(4, 30, 40), (4, 15, 20), (4, 7, 10)]
    """
    planes = np.concatenate([stimulus, stimulus.max(axis=2, keepdims=True)], axis=2)
    levels = [planes.transpose(2, 0, 1)]
    for _ in range(last):
        levels.append(_halved(_halved(levels[-1], axis=1), axis=2))
    return [level / 255 for level in levels[1:]]


def orientations(level: np.ndarray) -> np.ndarray:
    """How strongly the lines of four directions show at every pixel.

    Args:
        level: of the pyramid, `(4, height, width)`.

    Returns: float `(4, height, width)`, |even| + |odd| response of the
        intensity to Gabor filters of 0, 45, 90 and 135 degrees; the outer 13
        pixels fade out.
    """
    intensity = level[3]
    height, width = intensity.shape
    reach = 2 * GABOR_RADIUS
    size = tuple(fft.next_fast_len(side + reach) for side in intensity.shape)
    # The picture's last pixels go on to the end of the fast length, unused.
    margins = [
        (GABOR_RADIUS, whole - side - GABOR_RADIUS)
        for whole, side in zip(size, intensity.shape, strict=True)
    ]
    spectrum = fft.fft2(np.pad(intensity, margins, mode="edge"))
    responses = fft.ifft2(spectrum * _gabor_spectra(size))
    responses = responses[:, reach : reach + height, reach : reach + width]
    return faded(np.abs(responses.real) + np.abs(responses.imag), GABOR_RADIUS)


def faded(maps: np.ndarray, border: int) -> np.ndarray:
    """Maps that fall off linearly in their outer pixels.

    Args:
        maps: `(..., height, width)`.
        border: pixels; at most half of the shorter side is taken.

    Example:
        >>> faded(np.ones((1, 5)), 2).tolist(), faded(np.ones((5, 5)), 1)[0].tolist()
        ([[1.0, 1.0, 1.0, 1.0, 1.0]], [0.25, 0.5, 0.5, 0.5, 0.25])
    """
    border = min(border, min(maps.shape[-2:]) // 2)
    down, across = (
        np.minimum(1, (np.minimum(np.arange(n), np.arange(n)[::-1]) + 1) / (border + 1))
        for n in maps.shape[-2:]
    )
    return maps * down[:, None] * across


def scaled(values: np.ndarray) -> np.ndarray:
    """Values brought to 0-1; zeros if they are all the same.

    Example:
        >>> scaled(np.array([2.0, 3.0, 6.0])).tolist(), scaled(np.array([5.0, 5.0])).tolist()
        ([0.0, 0.25, 1.0], [0.0, 0.0])
    """
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high - low > NOTHING else np.zeros(values.shape)


def resized(values: np.ndarray, size) -> np.ndarray:
    """A map at another size, bicubic.

    Args:
        values: `(height, width)`.
        size: `(height, width)`.
    """
    # Pillow works in 32 bits: on what differs, so that rounding stays below `NOTHING`.
    low = values.min()
    picture = Image.fromarray((values - low).astype("float32"))
    return low + np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC), "float64")


def grid_size(image_size, longest: int) -> tuple[int, int]:
    """The picture's `(height, width)` scaled to so many pixels on the longer side.

    Example:
        >>> grid_size((600, 800), 32)
        (24, 32)
    """
    return tuple(max(1, round(side * longest / max(image_size))) for side in image_size)


def saliency_map(total: np.ndarray, blur: float, size) -> np.ndarray:
    """The sum of all channels as a saliency map: without its border, blurred, 0-1.

    Args:
        total: `(height, width)`, on the model's grid.
        blur: sigma of the last blur, as a share of the grid's longer side.
        size: `(height, width)` of the stimulus.

    Returns: float32 `(height, width, 1)`, 0-1.
    """
    total = scaled(faded(total, FINAL_BORDER))
    sigma = blur * max(total.shape)
    total = scaled(ndimage.gaussian_filter(total, sigma, mode="nearest", truncate=2))
    return scaled(resized(total, size)).astype("float32")[..., None]


def _halved(maps, axis):
    """Every second line along an axis, after the low-pass."""
    lines = np.moveaxis(maps, axis, 0)
    count = len(lines) // 2
    if len(lines) < SMALLEST_HALVED:
        return maps
    total, weights = 0, 0
    padded = np.pad(lines, [(2, 3)] + [(0, 0)] * (maps.ndim - 1))
    inside = np.pad(np.ones(len(lines)), (2, 3))
    for i, weight in enumerate(LOW_PASS):
        total = total + weight * padded[i : i + 2 * count : 2]
        weights = weights + weight * inside[i : i + 2 * count : 2]
    # Beyond the border is nothing: the weights that are left count in full.
    halved = total / weights.reshape(-1, *[1] * (maps.ndim - 1))
    return np.moveaxis(halved, 0, axis)


@functools.lru_cache(maxsize=8)
def _gabor_spectra(size):
    """The Gabor filters' spectra, `(4, height, width)`; even real, odd imaginary."""
    return np.stack([fft.fft2(_gabor(np.radians(angle)), size) for angle in ANGLES])


def _gabor(angle):
    y, x = np.mgrid[-GABOR_RADIUS : GABOR_RADIUS + 1, -GABOR_RADIUS : GABOR_RADIUS + 1]
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    squares = (along / GABOR_SIGMAS[0]) ** 2 + (across / GABOR_SIGMAS[1]) ** 2
    wave = np.exp(-squares / 2 + 2j * np.pi / GABOR_PERIOD * along)
    parts = (part - part.mean() for part in (wave.real, wave.imag))
    even, odd = (part / np.linalg.norm(part) for part in parts)
    return even + 1j * odd
