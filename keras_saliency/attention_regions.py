"""Regions of interest of a picture, and the file that names them."""

import os

import numpy as np

from keras_saliency import pictures, untrusted
from keras_saliency.errors import InputError

EXAMPLE = '[{"name": "logo", "box": [x, y, width, height]}, {"name": "face", "mask": "face.png"}]'
WHITE = 128  # gray level of a mask's file from which on a pixel is inside


def read(path: str, size: tuple[int, int]) -> dict:
    """The regions of a JSON file, by name, in the file's order.

    Args:
        path: of the file. It holds a list with an object a region: "name", and
            either "box", [x, y, width, height] in pixels, or "mask", a picture
            file of the picture's size (below the JSON file's folder), white inside.
        size: `(height, width)` of the picture that the regions are of.

    Returns: name to region, as `checked` gives it.

    Raises:
        InputError: names the file, the region, and what is wrong with it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = '[{"name": "logo", "box": [4, 0, 2, 3]}]'
        ...     _ = open(folder + "/regions.json", "w").write(text)
        ...     read(folder + "/regions.json", (6, 8))
        {'logo': (4, 0, 2, 3)}
    """
    try:
        entries = untrusted.read_json(path)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON file ({error}); wanted {EXAMPLE}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} holds no list of regions; wanted {EXAMPLE}")
    regions = {}
    for i, entry in enumerate(entries, start=1):
        name = _name(entry, f"{path}: region {i}")
        if name in regions:
            raise InputError(f"{path}: two regions are called {name!r}")
        regions[name] = _region(entry, path, size)
    return regions


def of_lines(text: str, size: tuple[int, int]) -> dict:
    """The boxes that are written one a line, by name.

    Args:
        text: lines such as "logo 10 20 300 150": a name, x, y, width and height
            in pixels. Empty lines count for nothing.
        size: `(height, width)` of the picture.

    Raises:
        InputError: names the line that is none, or the box that reaches out of the picture.

    Example:
        >>> of_lines("logo 4 0 2 3", (6, 8))
        {'logo': (4, 0, 2, 3)}
    """
    regions = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, *box = line.replace(",", " ").rsplit(maxsplit=4)
        name = name.strip().rstrip(":")
        if len(box) < 4 or not all(part.isdecimal() and len(part) < 10 for part in box):
            raise InputError(f"wanted a line `name x y width height` in pixels, got {line!r}")
        if name in regions:
            raise InputError(f"two regions are called {name!r}")
        regions[name] = checked([*map(int, box)], size, f"the region {name!r}")
    return regions


def thirds(size: tuple[int, int]) -> dict:
    """Nine boxes that cover a picture, by name; each is a third as wide and as high.

    Example:
        >>> thirds((6, 8))["bottom right"]
        (5, 4, 3, 2)
    """
    down, across = ([round(i * side / 3) for i in range(4)] for side in size)
    return {
        f"{row} {column}": checked(
            (across[j], down[i], across[j + 1] - across[j], down[i + 1] - down[i]), size
        )
        for i, row in enumerate(("top", "middle", "bottom"))
        for j, column in enumerate(("left", "center", "right"))
    }


def _name(entry, where):
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise InputError(f'{where} needs a "name", a line of text; wanted {EXAMPLE}')
    if set(entry) not in ({"name", "box"}, {"name", "mask"}):
        keys = ", ".join(map(ascii, entry))
        raise InputError(f'{where} needs a "name" and either "box" or "mask", it has {keys}')
    return name


def _region(entry, path, size):
    where = f"{path}: region {entry['name']!r}"
    if "box" in entry:
        if not isinstance(entry["box"], list):
            raise InputError(f"{where}: a box is [x, y, width, height]")
        return checked(entry["box"], size, where)
    if not isinstance(entry["mask"], str):
        raise InputError(f"{where}: a mask is the name of a picture file")
    file = os.path.join(os.path.dirname(path), untrusted.inside(entry["mask"], where))
    return checked(pictures.read(file)[..., 1] >= WHITE, size, f"{where}, {file}")


def checked(region, size: tuple[int, int], name: str = "a region"):
    """A region inside a picture of this size, or an InputError about `name`.

    Args:
        region: `(x, y, width, height)` in whole pixels, or a mask `(height,
            width)` or `(height, width, 1)`, boolean or uint8, not 0 inside.
        size: `(height, width)` of the picture.
        name: what an error calls it.

    Returns: a tuple of four ints, or a boolean array of the picture's size.

    Raises:
        InputError: if it is no such region, is empty, or reaches out of the
            picture.

    Example:
        >>> checked([4, 0, 2, 3], (6, 8))
        (4, 0, 2, 3)
    """
    try:
        array = np.asarray(region)
    except ValueError:
        array = np.zeros(0)  # lists of several lengths
    if array.ndim == 1:
        return _box(array, size, name)
    mask = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if mask.ndim != 2 or mask.dtype not in ("bool", "uint8"):
        raise InputError(
            f"{name} must be (x, y, width, height) or a mask, boolean or uint8, (height, width)"
        )
    if mask.shape != tuple(size):
        raise InputError(f"{name} is a mask of {_pixels(mask.shape)}, the picture {_pixels(size)}")
    if not mask.any():
        raise InputError(f"{name} is a mask without a pixel inside")
    return mask != 0


def _box(array, size, name):
    whole = array.shape == (4,) and array.dtype.kind in "iuf" and np.isfinite(array).all()
    if not whole or (array % 1 != 0).any():
        raise InputError(f"{name}: a box is x, y, width, height in whole pixels")
    x, y, width, height = map(int, array)
    if min(width, height) < 1:
        raise InputError(f"{name}: a box is at least one pixel wide and high, not {width}x{height}")
    if min(x, y) < 0 or x + width > size[1] or y + height > size[0]:
        raise InputError(
            f"{name}: the box [{x}, {y}, {width}, {height}] reaches out of the picture, which is "
            f"{_pixels(size)}"
        )
    return x, y, width, height


def _pixels(size):
    return f"{size[1]} wide and {size[0]} high"


def as_mask(region, size: tuple[int, int]) -> np.ndarray:
    """A `checked` region as a boolean array of the picture's size.

    Example:
        >>> as_mask((1, 0, 2, 1), (2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    if isinstance(region, np.ndarray):
        return region
    x, y, width, height = region
    mask = np.zeros(size, bool)
    mask[y : y + height, x : x + width] = True
    return mask
