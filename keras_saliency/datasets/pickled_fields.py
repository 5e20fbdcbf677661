"""A pickle's fields, a picture's or a map's: what they may be, and what they are made into."""

import math

import numpy as np

from keras_saliency import progress
from keras_saliency.errors import InputError

# Field of a pickle's entry -> array of the converted file.
PICTURES = {"X": "images", "X_original": "original_images"}
MAPS = {"y": "densities", "y_original": "original_densities"}


def array(field):
    """An array, or a list of some, as one; of anything else, which may be endless, an empty one."""
    several = isinstance(field, (list, tuple)) and all(hasattr(f, "__array__") for f in field)
    try:
        return np.asarray(field) if several or hasattr(field, "__array__") else np.empty(0)
    except ValueError:  # uneven
        return np.empty(0)


def stacked(entries: list[dict], key: str, count: int, path: str) -> np.ndarray:
    """One field of the first so many entries, which lose it: nothing is in memory twice.

    Args:
        entries: of the pickle, all of them: they are checked together.
        key: one of `PICTURES` or `MAPS`.
        count: how many to take.
        path: of the pickle, for messages.

    Returns: uint8 `(count, height, width, 3)` of pictures, float32 `(count, height, width)`,
        0-1, of maps.

    Raises:
        InputError: names the entry that is broken.

    Example:
        >>> stacked([{"y": np.diag([0, 255])}], "y", 1, "a.pkl").tolist()
        [[[0.0, 0.0], [0.0, 1.0]]]
    """
    lay_out, scaled = (_picture, _gray_levels) if key in PICTURES else (_map, _unit)
    extent = _check(entries, key, lay_out, path)
    bar = progress.Bar(count, f"of {key}")
    stack = None
    for i, entry in enumerate(entries[:count]):
        field = scaled(lay_out(entry.pop(key)), *extent)
        if stack is None:
            stack = np.empty((count, *field.shape), field.dtype)
        stack[i] = field
        bar.update(i + 1)
    return stack


def _check(entries, key, lay_out, path):
    """The smallest and the largest value in all entries' field; raises if one is no field."""
    low, high, first = math.inf, -math.inf, None
    for number, entry in enumerate(entries, start=1):
        where = f"{path}, entry {number} of {len(entries)}"
        if key not in entry:
            raise InputError(f"{where} has no {key}")
        entry[key] = array(entry[key])
        shape, field = entry[key].shape, lay_out(entry[key])
        if field is None or field.dtype.kind not in "buif" or not field.size:
            wanted = f"an array {'3 x ' if key in PICTURES else ''}height x width"
            raise InputError(f"{where}: {key} must be numbers, {wanted}. Received shape: {shape}")
        first = first or field.shape
        if field.shape != first:
            raise InputError(f"{where}: {key} has another size than those before it")
        ends = float(field.min()), float(field.max())
        if not np.isfinite(ends).all():
            raise InputError(f"{where}: {key} has values that are not finite (NaN or infinity)")
        low, high = min(low, ends[0]), max(high, ends[1])
    _check_range(low, high, key, path)
    return low, high


def _check_range(low, high, key, path):
    """Resizing may have overshot a little."""
    top = 1 if high <= 2 else 255
    expected = "0 to 1, 0 to 255" + (", -1 to 1" if key in MAPS else "")
    if key in PICTURES:
        fits = -0.05 * top <= low and high <= 1.05 * top
    else:
        fits = low >= -0.05 * high or (-1.05 <= low <= -0.5 and high <= 1.05)
    if not fits:
        raise InputError(f"{path}: {key} has values of {low:g} to {high:g}; expected {expected}")


def _picture(values):
    """`(height, width, 1 or 3)` of any order of channels, or None."""
    values = values[None] if values.ndim == 2 else values
    if values.ndim == 3 and values.shape[0] in (1, 3):
        return values.transpose(1, 2, 0)
    return values if values.ndim == 3 and values.shape[2] in (1, 3) else None


def _map(values):
    """`(height, width)`, or None; a flat one is square."""
    values = values.squeeze()
    if values.ndim == 1 and values.size and math.isqrt(values.size) ** 2 == values.size:
        values = values.reshape(math.isqrt(values.size), -1)
    return values if values.ndim == 2 else None


def _gray_levels(values, low, high):
    """uint8 `(height, width, 3)`."""
    scale = 1 if values.dtype.kind in "iu" or high > 2 else 255
    levels = np.round(values.astype("float32") * scale).clip(0, 255).astype("uint8")
    return np.broadcast_to(levels, (*levels.shape[:2], 3))


def _unit(values, low, high):
    """float32, smallest possible value 0 and largest 1; zero where nobody looked."""
    values = values.astype("float32") + (1 if low < -0.5 else 0)
    values = values.clip(0)
    return values / (values.max() or 1)
