"""SALICON's .mat files: 2017's lists of fixations and 2015's maps of fixated pixels."""

import os

import numpy as np

from keras_saliency import mat_files
from keras_saliency.errors import InputError

# Of a file's variables, the one that tells its release.
HOLD = {"gaze": "lists of fixations", "I": "a map of the fixated pixels"}
_MOST_FIXATED = 0.25  # of the pixels; what has more is a density


def variable(path: str) -> str:
    """Which of `HOLD` a file holds: "gaze" or "I".

    Raises:
        InputError: if neither, or if the file is missing or damaged.
    """
    mat_files.read(path)  # one that cannot be read lacks no variable
    for name in HOLD:
        try:
            mat_files.read(path, name)
            return name
        except InputError as error:
            lacking = error
    raise InputError(f"{lacking}; SALICON's files hold gaze (2017) or I (2015)") from lacking


def samples(paths: list[str]) -> float:
    """Mouse samples an observer in some files' `gaze`, on average."""
    gazes = [_gaze(path)[0] for path in paths]
    count = sum(
        np.shape(location)[0]
        for gaze in gazes
        if "location" in (gaze.dtype.names or ())
        for location in gaze["location"].flat
    )
    return count / max(sum(gaze.size for gaze in gazes), 1)


def fixations(path: str, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x and y that count from 0, and who looked, of a file with `gaze`.

    Args:
        path: the file: `gaze` is a struct array with an element an observer,
            whose `fixations` is `(n, 2)`, x and y that count from 1.
        size: `(height, width)` of the picture.

    Returns: float32 `(n, 2)` and int `(n,)`, the observers numbered from 0.

    Raises:
        InputError: names the file that is missing, damaged, of another release
            or of another picture.
    """
    gaze, shown = _gaze(path)
    if shown is not None and (shown.dtype.kind not in "iuf" or shown.size != 2):
        raise InputError(f"{path}: its resolution is no height and width; fetch it again")
    if shown is not None and shown.ravel().tolist() != list(size):
        of = "x".join(map(str, shown.ravel()))
        raise InputError(
            f"{path} is of a picture of {of}, its picture is {size[0]}x{size[1]}; "
            "use the pictures as published, unchanged"
        )
    try:
        lists = [_points(each) for each in gaze["fixations"].flat]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"{path}: its gaze has no fixations, lists of x and y; fetch it again"
        ) from error
    if not lists:
        return np.zeros((0, 2), "float32"), np.zeros(0, int)
    return np.concatenate(lists) - 1, np.repeat(np.arange(len(lists)), [len(x) for x in lists])


def _gaze(path):
    """The file's `gaze`, and its `resolution` if there is one."""
    try:
        # Of a sparse matrix it makes an array of one object.
        return [*map(np.asarray, mat_files.read(path, "gaze", "resolution"))]
    except InputError:
        _expect(path, "gaze", "2015-mat")
        return [*map(np.asarray, mat_files.read(path, "gaze")), None]


def _points(values):
    # MATLAB's empty is 0x0. Whole numbers without a sign could not go below 0.
    points = np.asarray(values, "float32")
    if points.size and (points.ndim != 2 or points.shape[1] != 2):
        raise ValueError("no pairs")
    return points.reshape(-1, 2)


def fixated(path: str, size: tuple[int, int]) -> tuple[np.ndarray, None]:
    """Where a file's `I` is not zero: float32 `(n, 2)`, x and y from 0, and None.

    Args:
        path: the file: `I` is a map of the fixated pixels.
        size: `(height, width)` of the picture.

    Raises:
        InputError: names the file that is missing, damaged, of another release
            or of another picture, or that holds a density.
    """
    try:
        looked = np.asarray(mat_files.read(path, "I")[0])
    except InputError:
        _expect(path, "I", "2017")
        raise
    if looked.dtype.kind not in "buif":
        raise InputError(f"{path}: its I is no array of numbers; fetch it again")
    if looked.shape != size:
        of = "x".join(map(str, looked.shape))
        raise InputError(
            f"{path}: I is {of}, its picture {size[0]}x{size[1]}; "
            "use the pictures as published, unchanged"
        )
    # MATLAB stores columns: read along them it takes a tenth of `np.nonzero`'s time.
    x, y = np.divmod(np.flatnonzero(looked.T > 0), size[0])
    if len(x) > _MOST_FIXATED * looked.size:
        raise InputError(
            f"{path}: I is above 0 at {len(x)} of {looked.size} pixels, so it is a density, like "
            "those in saliency/; the maps of fixated pixels, fixation/*.mat, are needed"
        )
    return np.stack([x, y], axis=1).astype("float32"), None


def _expect(path, name, other):
    """Raises `InputError` unless the file holds a variable, not that of the release `other`."""
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; each picture has one, unpack them again")
    found = variable(path)
    if found != name:
        raise InputError(
            f"{path} does not belong to the others: this is the {other[:4]} release, it holds "
            f"{found}, {HOLD[found]}, not {name}, {HOLD[name]}; keep the releases in folders of "
            f"their own, or pass release={other!r}"
        )
