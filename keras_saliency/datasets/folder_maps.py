"""One's own pictures with maps: of the fixated points, or of densities, or both.

`folder.load` says how they must lie; here they are found and read.
"""

import os
import posixpath

import numpy as np
from PIL import Image, ImageOps

from keras_saliency import pictures
from keras_saliency.datasets.example import Example
from keras_saliency.errors import InputError

IMAGES, FIXATIONS, MAPS = "images", "fixations", "maps"
ENDINGS = {
    IMAGES: pictures.ENDINGS,
    FIXATIONS: (".png", ".tif", ".tiff", ".bmp"),
    MAPS: (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy"),
}
FULL = (255, 65535)  # white, of 8 and of 16 bits
MOST = 99  # fixations that a gray level counts
COVERED = 0.1  # share of a picture: of more it is no map of points


def kinds(data_dir: str) -> list[str]:
    """Which of `FIXATIONS` and `MAPS` are in a folder."""
    return [kind for kind in (FIXATIONS, MAPS) if os.path.isdir(os.path.join(data_dir, kind))]


def find(data_dir: str) -> dict[str, dict[str, str]]:
    """The pictures' names, and of each the paths of the picture and of its maps, by kind.

    Raises:
        InputError: if there is no picture, if two files are called alike, or if
            pictures lack maps or maps pictures: counts them, names the first.
    """
    images = os.path.join(data_dir, IMAGES)
    if not os.path.isdir(images):
        raise InputError(f"no such folder: {images}; the pictures of the maps must lie in it")
    stems = _stems(images, ENDINGS[IMAGES])
    if not stems:
        raise InputError(f"{images} holds no pictures ({', '.join(ENDINGS[IMAGES])})")
    paths = {stem: {IMAGES: os.path.join(images, name)} for stem, name in stems.items()}
    for kind in kinds(data_dir):
        folder = os.path.join(data_dir, kind)
        maps = _stems(folder, ENDINGS[kind])
        lacking = sorted(stems[stem] for stem in stems.keys() - maps.keys())
        if lacking:
            wanted = f"{os.path.splitext(lacking[0])[0]}{ENDINGS[kind][0]}"
            raise InputError(
                f"{len(lacking)} of {len(stems)} pictures have no map in {folder}, the first is "
                f"{lacking[0]}: expected {wanted}{_other(folder, lacking[0], kind)}"
            )
        strangers = sorted(maps[stem] for stem in maps.keys() - stems.keys())
        if strangers:
            raise InputError(
                f"{len(strangers)} of {len(maps)} maps in {folder} have no picture in {images}, "
                f"the first is {strangers[0]}"
            )
        for stem, name in maps.items():
            paths[stem][kind] = os.path.join(folder, name)
    return {stems[stem]: found for stem, found in paths.items()}


def example(name: str, paths: dict[str, str]) -> Example:
    """Reads the picture's header and its fixations, but no density."""
    size = pictures.size(paths[IMAGES])
    points = np.zeros((0, 2), "float32")
    if FIXATIONS in paths:
        points = _points(paths[FIXATIONS], size)
    return Example(name, size, points, paths[IMAGES], density_path=paths.get(MAPS))


def _stems(folder, endings):
    """{path below the folder, with `/`, without its ending: the same with it}."""
    found = {}
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = os.path.relpath(where, folder).replace(os.sep, "/")
        for file in sorted(files):
            # Hidden ones are a computer's notes on the others.
            if file.startswith(".") or not file.lower().endswith(endings):
                continue
            name = posixpath.normpath(posixpath.join(below, file))
            first = found.setdefault(posixpath.splitext(name)[0], name)
            if first != name:
                raise InputError(f"{folder} holds {first} and {name}: which one is meant?")
    return found


def _other(folder, name, kind):
    """What to do with a map of points that is there in another format."""
    stem = os.path.join(folder, posixpath.splitext(name)[0])
    if kind == FIXATIONS and any(os.path.exists(stem + end) for end in (".jpg", ".jpeg")):
        return "; a JPEG smears points, save them as PNG"
    if kind == FIXATIONS and os.path.exists(stem + ".mat"):
        return "; .mat files are SALICON's way: --data salicon"
    return ""


def _points(path, size):
    """x and y of the fixations in a map, float32 `(n, 2)`."""
    of_map = pictures.size(path)
    if of_map != size:
        sides = "{}x{} pixels, its picture {}x{}".format(*of_map, *size)
        raise InputError(f"{path} is {sides} (height x width): points need the same size")
    levels = _levels(path)
    counts = np.where(np.isin(levels, FULL), 1, levels)
    rows, columns = np.nonzero(counts)
    seen = counts[rows, columns]
    if len(seen) > max(COVERED * counts.size, 1):
        raise InputError(
            f"{path}: {len(seen) / counts.size:.0%} of its pixels are not black; expected the "
            f"fixated ones alone; a density belongs into {MAPS}/"
        )
    wrong = (seen < 0) | (seen > MOST) | (seen % 1 != 0)
    if wrong.any():
        raise InputError(
            f"{path} has the gray level {seen[wrong][0]:g}: expected 0, how many fixations up to "
            f"{MOST}, or white; a density belongs into {MAPS}/"
        )
    return np.repeat(np.stack([columns, rows], axis=1), seen.astype(int), axis=0).astype("float32")


def _levels(path):
    """A picture's gray levels as they are stored; of colors the largest."""
    try:
        with pictures.opened(path) as picture:
            picture = ImageOps.exif_transpose(picture)
            if picture.mode == "1" or picture.mode.startswith(("I", "F")) or picture.mode == "L":
                return np.asarray(picture)
            return np.asarray(picture.convert("RGB")).max(axis=2)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} does not decode as a picture ({error})") from error
