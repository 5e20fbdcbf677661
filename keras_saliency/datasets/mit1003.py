"""MIT1003: 1003 photographs with the fixations of 15 observers."""

import os

import numpy as np

from keras_saliency import pictures
from keras_saliency.datasets import index
from keras_saliency.datasets.example import Example, check_split
from keras_saliency.errors import InputError

# Pixels of the picture: the blur of the MIT/Tuebingen benchmark's empirical maps
# (8 cycles a picture of 1024). One degree of visual angle is 35.
SIGMA = 24.0
SPLITS = ("train", "val", "all")
SCORED = "val"  # "all" holds what was trained on
# Nobody published how many fixations are left in the maps of points.
COUNTS = {"train": (803, None), "val": (200, None), "all": (1003, None)}

_AT = "http://people.csail.mit.edu/tjudd/WherePeopleLook/"
# (address, MD5 that pysaliency's external_datasets has, or None, what, the folder in it)
ARCHIVES = [
    (_AT + "ALLSTIMULI.zip", "0d7df8b954ecba69b6796e77b9afe4b6", "pictures", "ALLSTIMULI"),
    (_AT + "ALLFIXATIONMAPS.zip", None, "maps of points and densities", "ALLFIXATIONMAPS"),
]
OFFERED = (
    "MIT1003 is offered at https://people.csail.mit.edu/tjudd/WherePeopleLook "
    "(ALLSTIMULI.zip, ALLFIXATIONMAPS.zip)"
)

_POINTS, _DENSITY = "_fixPts.jpg", "_fixMap.jpg"
# Of 255. Saved as a JPEG of quality 50 or better, a white pixel stays above 160
# and a black one, even between white ones, below 105.
_FIXATED = 128


def load(data_dir: str, split: str = "train", limit: int | None = None) -> list[Example]:
    """MIT1003: indoor and outdoor photographs, 15 observers, 3 seconds of free viewing.

    Reads below `data_dir` (or `data_dir/MIT1003`) the pictures' headers in
    `ALLSTIMULI` and the white pixels of `ALLFIXATIONMAPS/<name>_fixPts.jpg`.
    Hidden files, files of other kinds and maps of no picture, like the one
    misnamed in the archive, are passed over.

    "val" is a fifth of the pictures, "train" the rest: of the complete set 200
    and 803, the same that MSI-Net's code divides it into. "all" is both.

    A map of points says where people looked but not how often or who, so
    several fixations of one pixel are one, and `observers` is None. It is a
    JPEG, but its blur stays far from the threshold of half white: a fixation
    comes out as one pixel, and two that are neighbors are two fixations. Who
    looked in which order would have to be found in the eye tracker's raw
    samples (`DATA`) by the authors' MATLAB program `checkFixations`; that is
    not done here. `density_path` is `<name>_fixMap.jpg`, if it is there. EXIF
    tags do not turn the pictures (`exif` is False): the fixations are of the
    pictures as they are stored.

    Args:
        data_dir: folder that holds `ALLSTIMULI` and `ALLFIXATIONMAPS`.
        split: one of `SPLITS`: "train", "val" or "all".
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, in file-name order.

    Raises:
        InputError: if a folder or file is missing or damaged, or a map is not
            of its picture's size.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("ALLSTIMULI", "ALLFIXATIONMAPS"):
        ...         os.mkdir(os.path.join(folder, name))
        ...     Image.new("RGB", (4, 3)).save(folder + "/ALLSTIMULI/i1.jpeg")
        ...     points = Image.fromarray(np.eye(3, 4, dtype="uint8") * 255)
        ...     points.save(folder + "/ALLFIXATIONMAPS/i1_fixPts.jpg")
        ...     example = load(folder, "all")[0]
        >>> example.name, example.size, example.fixations.tolist()
        ('i1.jpeg', (3, 4), [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])

    References: Judd, Ehinger, Durand and Torralba, "Learning to predict where
    humans look", ICCV 2009; the split: Kroner, Senden, Driessens and Goebel,
    "Contextual encoder-decoder network for visual saliency prediction", Neural
    Networks 129, 2020.
    """
    check_split(split, SPLITS)
    root = _root(data_dir)
    names = _of_split(_names(root), split)
    if not names:
        raise InputError(
            f"{root} holds too few pictures to have some in the split {split!r}; "
            "use the split 'all'"
        )
    return index.examples(
        "mit1003",
        root,
        names[:limit],
        lambda name: _paths(root, name),
        lambda name: _example(root, name),
    )


def describe(data_dir: str) -> str:
    """Where it is, and how many pictures and maps there are, in a line.

    Raises:
        InputError: if a folder is missing.
    """
    root = _root(data_dir)
    counts = [
        f"{folder} ({len(_ending(os.path.join(root, folder), ending))} {ending})"
        for folder, ending in (
            ("ALLSTIMULI", ".jpeg"),
            ("ALLFIXATIONMAPS", _POINTS),
            ("ALLFIXATIONMAPS", _DENSITY),
        )
    ]
    return f"MIT1003 in {root}: {', '.join(counts)}"


def _root(data_dir):
    """The folder that holds the two others."""
    if not data_dir:
        raise InputError("mit1003 needs the folder that holds it: --data-dir DIR")
    roots = (data_dir, os.path.join(data_dir, "MIT1003"))
    root = next((r for r in roots if os.path.isdir(os.path.join(r, "ALLSTIMULI"))), data_dir)
    for name in ("ALLSTIMULI", "ALLFIXATIONMAPS"):
        if not os.path.isdir(os.path.join(root, name)):
            raise InputError(f"no such folder: {os.path.join(root, name)}; {OFFERED}")
    return root


def _names(root):
    """The pictures' file names, sorted."""
    stimuli, points = (os.path.join(root, name) for name in ("ALLSTIMULI", "ALLFIXATIONMAPS"))
    names = sorted(_ending(stimuli, ".jpeg"))
    if not names:
        raise InputError(f"{stimuli} holds no pictures like i1000978947.jpeg; {OFFERED}")
    known = {os.path.splitext(name)[0] for name in names}
    lacking = sorted({name[: -len(_POINTS)] for name in _ending(points, _POINTS)} - known)
    # Without them, the others would be divided into other splits.
    if lacking and len(names) < COUNTS["all"][0]:
        raise InputError(
            f"{len(lacking)} of the pictures with fixations are missing, the first is "
            f"{os.path.join(stimuli, lacking[0])}.jpeg; unpack ALLSTIMULI.zip again"
        )
    return names


def _ending(folder, ending):
    names = os.listdir(folder)
    return [name for name in names if name.endswith(ending) and not name.startswith(".")]


def _of_split(names, split):
    if split == "all":
        return names
    # NumPy has promised not to change the numbers of this older generator.
    order = np.random.RandomState(42).permutation(len(names))
    first = len(names) - round(len(names) * 200 / 1003)
    kept = order[:first] if split == "train" else order[first:]
    return [names[i] for i in sorted(kept)]


def _paths(root, name):
    """Of a picture, its map of points and its published density."""
    stem = os.path.join(root, "ALLFIXATIONMAPS", os.path.splitext(name)[0])
    return os.path.join(root, "ALLSTIMULI", name), stem + _POINTS, stem + _DENSITY


def _example(root, name):
    path, points, density_path = _paths(root, name)
    # As stored: an EXIF tag does not turn them.
    size = pictures.size(path, exif=False)
    return Example(
        name,
        size,
        _fixations(points, size),
        path,
        density_path=density_path if os.path.isfile(density_path) else None,
        exif=False,
    )


def _fixations(path, size):
    """Where the map of points is white: float32 `(n, 2)`, x and y from 0."""
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; each picture has one, unpack ALLFIXATIONMAPS.zip")
    gray = pictures.read(path, exif=False)[..., 0]
    if gray.shape != size:
        raise InputError(
            f"{path} is {gray.shape[0]}x{gray.shape[1]} pixels, its picture {size[0]}x{size[1]}; "
            "use pictures and maps as they were published"
        )
    y, x = np.nonzero(gray > _FIXATED)
    return np.stack([x, y], axis=1).astype("float32")
