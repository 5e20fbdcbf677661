"""The pictures that a benchmark asks about: their names, sizes and pixels."""

import contextlib
import os
import re

import numpy as np
from PIL import Image

from keras_saliency import pictures
from keras_saliency.errors import InputError

BENCHMARKS = ("salicon", "mit300", "cat2000", "tuebingen")
PICTURES = {"salicon": 5000, "mit300": 300, "cat2000": 2000}  # in the whole test set

JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")  # what systems add; servers pass over it

_SIZES = {"salicon": (480, 640), "cat2000": (1080, 1920)}
_ASIDE = ("output", "sm")  # folders of other pictures, in CAT2000 and MIT300
_ENDINGS = (".jpg", ".jpeg", ".png")
# What the names are like, and one of them for the message.
_NAMES = {
    "salicon": (r"COCO_(train|val|test)2014_\d{12}\.jpg", "COCO_test2014_000000000123.jpg"),
    "mit300": (r"[^/]+", "i1.jpg"),
    "cat2000": (r"[^/]+/[^/]+", "Action/001.jpg"),
    "tuebingen": (r"([^/]+/)?[^/]+", "i1.jpg or Action/001.jpg"),
}


def stimulus_sizes(benchmark: str, stimuli_dir: str) -> dict[str, tuple[int, int]]:
    """The size of every picture below a folder, from the files' headers.

    Hidden files are passed over, and so are folders called `Output` or `SM`:
    CAT2000 and MIT300 keep other pictures there. An EXIF tag does not turn the picture, see
    `read_stimulus`.

    Args:
        benchmark: one of `BENCHMARKS`.
        stimuli_dir: folder that holds the pictures, for CAT2000 the category
            folders.

    Returns: name -> `(height, width)`, in the names' order. A name is the path
        below `stimuli_dir`, with `/`.

    Raises:
        InputError: if the folder is missing or empty, or the names or sizes
            are not the benchmark's.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (8, 6)).save(folder + "/i1.jpg")
        ...     stimulus_sizes("mit300", folder)
        {'i1.jpg': (6, 8)}
    """
    if benchmark not in BENCHMARKS:
        raise InputError(f"benchmark must be one of {', '.join(BENCHMARKS)}, not {benchmark!r}")
    if not os.path.isdir(stimuli_dir):
        raise InputError(f"no such folder: {stimuli_dir}; it should hold the stimuli")
    names = [
        name
        for name in files_below(stimuli_dir)
        if name.lower().endswith(_ENDINGS)
        and not any(part.startswith(".") or part.lower() in _ASIDE for part in name.split("/"))
    ]
    _check_names(benchmark, stimuli_dir, names)
    sizes = {name: _stored_size(os.path.join(stimuli_dir, name)) for name in names}
    wanted = _SIZES.get(benchmark)
    for name, size in sizes.items():
        if wanted and size != wanted:
            raise InputError(
                f"{os.path.join(stimuli_dir, name)} is {size}, not {wanted} (height, width) "
                f"like every picture of {benchmark}"
            )
    return sizes


def read_stimulus(path: str) -> np.ndarray:
    """A benchmark's picture as its own code sees it: not turned by an EXIF tag.

    MATLAB's `imread`, which showed and scored the pictures, does not look at
    that tag; on CAT2000's `Pattern/134.jpg` it is known to be wrong.

    Args:
        path: picture file.

    Returns: uint8 `(height, width, 3)`, RGB.

    Raises:
        InputError: names the file that is missing, damaged or no picture.
    """
    with _opened(path) as picture:
        return np.asarray(picture.convert("RGB"))


def files_below(folder: str) -> list[str]:
    """Every file below a folder but `JUNK`, as sorted paths relative to it, with `/`."""
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    names = (os.path.relpath(path, folder).replace(os.sep, "/") for path in paths)
    return sorted(name for name in names if not set(name.split("/")) & set(JUNK))


def stem(name: str) -> str:
    """A name without its ending, by which predictions and pictures are matched."""
    return os.path.splitext(name)[0]


def _check_names(benchmark, stimuli_dir, names):
    if not names:
        raise InputError(f"{stimuli_dir} holds no pictures ({', '.join(_ENDINGS)})")
    pattern, example = _NAMES[benchmark]
    folders = {name.partition("/")[0] if "/" in name else "" for name in names}
    for name in names:
        # A folder around all of them would become part of every name.
        if not re.fullmatch(pattern, name) or (len(folders) == 1 and "/" in name):
            raise InputError(
                f"{stimuli_dir} is not the folder of {benchmark}'s pictures: it should hold "
                f"{example}, and holds {name}"
            )
    names_of = {}
    for name in names:
        other = names_of.setdefault(stem(name), name)
        if other != name:
            raise InputError(f"{stimuli_dir} holds both {other} and {name}: remove one of them")


def _stored_size(path):
    with _opened(path) as picture:
        return picture.height, picture.width


@contextlib.contextmanager
def _opened(path):
    try:
        with Image.open(path, formats=pictures.FORMATS) as picture:
            yield picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} does not decode as a picture ({error})") from error
