"""OSIE: 700 photographs with the fixations of 15 observers."""

import glob
import hashlib
import os

import numpy as np
from scipy import ndimage

from keras_saliency import maps, mat_files
from keras_saliency.datasets.example import check_split, example_inside
from keras_saliency.errors import InputError

SIZE = (600, 800)  # height, width of every picture
# Pixels of the picture, about one degree of visual angle: the authors' value.
SIGMA = 24.0
WINDOW = 168  # pixels, where the authors' blur ends
SPLITS = {"train": (0, 500), "test": (500, 700)}  # in file-name order
# Fixations as counted in the authors' file: 98,321.
COUNTS = {"train": (500, 69_876), "test": (200, 28_445)}

OFFERED = "OSIE is offered at https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels"
_COMMIT = "63223a0dba3b521861cb7f356ad13400ef4b3d03"
# GitHub packs it anew each time, so that there is no checksum of the archive.
ARCHIVES = [
    (
        "https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels/archive/"
        + _COMMIT
        + ".zip",
        None,
        "pictures and fixations",
        "predicting-human-gaze-beyond-pixels-" + _COMMIT,
    )
]
# Of eye/fixations.mat, as in matthias-k/pysaliency, external_datasets/osie.py.
_MD5 = "8efdf6fe66f38b6e70f854c7ff45aa70"


def load(data_dir: str, split: str = "train", limit: int | None = None) -> list:
    """OSIE: everyday photographs, 15 observers, 3 seconds of free viewing.

    Reads `eye/fixations.mat` and the names in `stimuli/` below `data_dir` (or
    its folder `data`, as in the authors' archive, or that of the archive
    unpacked in it), no pixels. The first 500
    pictures in file-name order are "train", the last 200 "test". The file's
    coordinates count from 1 and are brought to 0.

    Args:
        data_dir: folder of the dataset.
        split: "train" or "test".
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, in file-name order.

    Raises:
        InputError: if a file is missing, damaged, or not OSIE's.

    Reference: Xu, Jiang, Wang, Kankanhalli and Zhao, "Predicting human gaze
    beyond pixels", Journal of Vision 14(1):28, 2014.
    """
    check_split(split, tuple(SPLITS))
    root = _root(data_dir)
    records = _records(os.path.join(root, "eye", "fixations.mat"))
    first, last = SPLITS[split]
    chosen = sorted(records, key=lambda record: record["img"])[first:last][:limit]
    return [_example(record, os.path.join(root, "stimuli")) for record in chosen]


def describe(data_dir: str) -> str:
    """Where it is, and whether its fixations are the published file, in a line.

    Raises:
        InputError: if there is no `eye/fixations.mat`.
    """
    root = _root(data_dir)
    with open(os.path.join(root, "eye", "fixations.mat"), "rb") as file:
        same = hashlib.file_digest(file, "md5").hexdigest() == _MD5
    return f"OSIE in {root}, fixations.mat {'as published' if same else 'is not the published one'}"


def published_density(example) -> np.ndarray:
    """An OSIE picture's density by its authors' own recipe, which `maps.density` is not.

    Theirs is binary (looking twice counts once), has zeros beyond the border
    and beyond a window of 168 pixels, and lies half a pixel up and left, as the
    middle of an even window does.

    Returns: float32 `(height, width, 1)`, 0-1.

    Example:
        >>> from keras_saliency.datasets import Example
        >>> published_density(Example("a", (60, 80), np.array([[40.0, 30.0]]))).max()
        np.float32(1.0)

    Reference: computeFixationMaps.m, config.m and normalise.m of its code.
    """
    rows, columns = maps.pixels(example.fixations, example.size)
    binary = np.zeros(example.size)
    binary[rows, columns] = 1
    line = np.exp(-((np.arange(WINDOW) - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA**2))
    # For a window of even length, SciPy's middle is the pixel after MATLAB's.
    for axis in (0, 1):
        binary = ndimage.correlate1d(binary, line, axis, mode="constant", origin=-1)
    binary -= binary.min()
    return (binary / max(binary.max(), 1e-30)).astype("float32")[..., None]


def _root(data_dir):
    if not data_dir:
        raise InputError("OSIE needs the folder that holds it: --data-dir DIR")
    # A folder in it: GitHub's archive unpacked there.
    packed = os.path.join(glob.escape(data_dir), "predicting-human-gaze-beyond-pixels*", "data")
    candidates = [os.path.join(data_dir, "data"), data_dir, *sorted(glob.glob(packed))]
    for root in candidates:
        if os.path.isfile(os.path.join(root, "eye", "fixations.mat")):
            return root
    wanted = os.path.join(data_dir, "data", "eye", "fixations.mat")
    raise InputError(f"no such file: {wanted}; {OFFERED}")


def _records(path):
    """The file's records: `img`, and `subjects`, as of `_subject`."""
    (cells,) = mat_files.read(path, "fixations", simplify=True)
    try:
        # A lone cell comes out of SciPy as itself, not as a list of one.
        return [
            {"img": _name(cell["img"]), "subjects": [*map(_subject, _listed(cell["subjects"]))]}
            for cell in _listed(cells)
        ]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} cannot be read as OSIE's fixations.mat ({type(error).__name__}): "
            "it is damaged or another file; fetch it again"
        ) from error


def _listed(cells):
    return cells if isinstance(cells, list) else np.atleast_1d(cells)


def _name(value):
    """Of a picture's file; it must not lead out of the folder."""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) < 256:
        raise ValueError("no name")
    if value.startswith(".") or set(value) & set("/\\:"):
        raise ValueError("no name of a file")
    return value


def _subject(cell):
    """Of an observer's fixations `(3, n)`: x, y, duration."""
    # Likewise a lone fixation, a number.
    rows = [np.atleast_1d(cell[f"fix_{field}"]) for field in ("x", "y", "duration")]
    if any(row.dtype.kind not in "buif" or row.ndim > 1 for row in rows):
        raise TypeError("no lists of numbers")
    return np.stack(rows)  # which complains if one is longer


def _example(record, stimuli):
    path = os.path.join(stimuli, record["img"])
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; fixations.mat names it")
    subjects = record["subjects"]
    x, y, durations = np.concatenate([np.zeros((3, 0)), *subjects], axis=1)
    return example_inside(
        record["img"],
        SIZE,
        np.stack([x, y], axis=1) - 1,
        observers=np.repeat(np.arange(len(subjects)), [len(of.T) for of in subjects]),
        durations_ms=durations,
        image_path=path,
    )
