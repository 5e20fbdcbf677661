"""Saliency maps in files, at their full precision.

An 8-bit picture is too coarse for a density: what lies below half a gray level
becomes 0, and each fixation there costs the scores with a logarithm a lot. A
Gaussian of sigma 20 over 1 % of uniform, in 240x320 pixels, loses in KLD 0.19
(information gain: 0.27 bits) as an 8-bit PNG, still 0.02 with `floor=FLOOR`,
but 1e-6 as a 16-bit PNG and nothing as a log density in float32.
"""

import glob
import os

import numpy as np
from PIL import Image, ImageOps

from keras_saliency import densities, files, pictures
from keras_saliency.errors import InputError

ENDINGS = (*pictures.ENDINGS, ".npy")


def find(folder: str, pictures: list[str]) -> list[str]:
    """The map files of some pictures, in their order.

    Args:
        folder: that holds a file for each picture, called like it with any
            ending, before or behind the picture's own: `a.png` and `a.jpg.png`
            are maps of `a.jpg`.
        pictures: names, perhaps with folders before them.

    Raises:
        InputError: if a picture has none, or several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_png(folder + "/b/a.png", [[0.0, 1.0]])
        ...     os.path.relpath(find(folder, ["b/a.jpg"])[0], folder)
        'b/a.png'
    """
    if not os.path.isdir(folder):
        raise InputError(f"no such folder: {folder}; it should hold the saliency maps")
    found = [_called_like(os.path.join(folder, picture)) for picture in pictures]
    for said, wrong in (
        ("no map", [not paths for paths in found]),
        ("several maps", [len(paths) > 1 for paths in found]),
    ):
        if any(wrong):
            first = pictures[wrong.index(True)]
            wanted = os.path.splitext(os.path.join(folder, first))[0]
            raise InputError(
                f"{sum(wrong)} of {len(pictures)} pictures have {said} in {folder}, the first is "
                f"{first}; wanted one file {wanted}.*"
            )
    paths = [path for (path,) in found]
    owners = {}
    for path, picture in zip(paths, pictures, strict=True):
        if owners.setdefault(path, picture) != picture:
            raise InputError(f"{path} would be the map of {owners[path]} and of {picture}")
    return paths


def _called_like(picture):
    stem = os.path.splitext(picture)[0]
    paths = sorted(glob.glob(glob.escape(stem) + ".*"))
    parts = [(*os.path.splitext(path), path) for path in paths]
    return [p for name, end, p in parts if name in (stem, picture) and end.lower() in ENDINGS]


def read_map(path: str) -> np.ndarray:
    """As `read`, but a log density comes as the density that it is of."""
    values = read(path)
    return np.exp(values) if densities.is_log_density(values) else values


def of(example) -> np.ndarray:
    """The published density of a `datasets.Example`, which has one: `example.published`.

    Returns: `(h, w)` or `(h, w, 1)` of any size and scale, nowhere negative.

    Raises:
        InputError: names the file, if it cannot be read or is no density.
    """
    if example.density is not None:
        return example.density
    density = read_map(example.density_path)
    if density.min() < 0:
        raise InputError(f"{example.density_path} has negative values: it is no density")
    return density


def write_png(path: str, saliency_map) -> None:
    """Writes a saliency map as a gray PNG of 16 bits.

    Its largest value becomes 65535, 0 stays 0, and anything above becomes at
    least 1. A map with negative values is shifted up first, as in `to_density`.

    Args:
        path: the file; replaced if it is there.
        saliency_map: `(height, width)` or `(height, width, 1)`, real numbers.

    Raises:
        InputError: if it is no such map or holds NaN or infinity.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_png(folder + "/a.png", [[0.0, 1e-9], [0.5, 2.0]])
        ...     read(folder + "/a.png")[..., 0].tolist()
        [[0.0, 1.0], [16384.0, 65535.0]]
    """
    values = densities.stretched(saliency_map)
    gray = np.where(values > 0, np.maximum(np.round(values * 65535), 1), 0)
    with files.replacing(path) as temporary:
        Image.fromarray(gray[..., 0].astype("uint16")).save(temporary, "PNG")


def write_log_density(path: str, log_density) -> None:
    """Writes a log density as a float32 NumPy file.

    Args:
        path: the file, its name ends in .npy; replaced if it is there.
        log_density: `(height, width)` or `(height, width, 1)`, natural
            logarithms of probabilities that sum to 1.

    Raises:
        InputError: if it is none; minus infinity (no `floor`) is refused too.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_log_density(folder + "/a.npy", densities.log_density([[1, 3]]))
        ...     densities.is_log_density(read(folder + "/a.npy"))
        True
    """
    if not str(path).lower().endswith(".npy"):
        raise InputError(f"a log density's file ends in .npy. Received: {path}")
    values = densities.checked(log_density, "the log density")
    if not densities.is_log_density(values):
        raise InputError("the probabilities of the log density do not sum to 1")
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, values.astype("float32"), allow_pickle=False)


def read(path: str) -> np.ndarray:
    """A prediction's file, at its full precision.

    Args:
        path: a NumPy file (.npy) with real numbers `(height, width)` or
            `(height, width, 1)`; or a picture, turned by its EXIF tag: gray of 8
            or 16 bits or floats, or in color, of which the luminance is taken.

    Returns: `(height, width, 1)`, the numbers as they are in the file; float64
        if float32 cannot hold them, else float32.

    Raises:
        InputError: names the file that is missing, damaged, no such map, or
            holds NaN or infinity.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(folder + "/a.npy", np.eye(2))
        ...     read(folder + "/a.npy")[..., 0].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}")
    try:
        if str(path).lower().endswith(".npy"):
            # Mapped, not read: a damaged header cannot ask for more than there is.
            loaded = np.lib.format.open_memmap(path, mode="r")
            if loaded.size > pictures.MAX_PIXELS:
                raise InputError(f"it is too large: {loaded.shape}")
        else:
            loaded = _gray(path)
    except Exception as error:  # NumPy and Pillow raise half a dozen kinds on damaged files
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"{path} is no saliency map that can be read ({reason})") from error
    values = densities.checked(loaded, str(path))
    return values.astype("float32" if np.can_cast(values.dtype, "float32") else "float64")


def _gray(path):
    with pictures.opened(path) as picture:
        picture = ImageOps.exif_transpose(picture)
        if picture.mode[0] not in "IF":
            picture = picture.convert("RGB").convert("L")  # not every mode has a direct way
        return np.asarray(picture)
