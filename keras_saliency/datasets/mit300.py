"""MIT300: the 300 pictures of the MIT benchmark, whose fixations nobody outside has."""

import os

import numpy as np

from keras_saliency import pictures
from keras_saliency.datasets import index
from keras_saliency.datasets.example import Example, check_split
from keras_saliency.errors import InputError

# Pixels of the picture: the blur of the MIT/Tuebingen benchmark's empirical maps.
SIGMA = 24.0
SPLITS = ("test",)
COUNTS = {"test": (300, None)}

# (address, MD5 that pysaliency's external_datasets has, what, the folder in it)
ARCHIVES = [
    (
        "http://saliency.mit.edu/BenchmarkIMAGES.zip",
        "03ed32bdf5e4289950cd28df89451260",
        "pictures",
        "BenchmarkIMAGES",
    )
]
OFFERED = "MIT300 is offered at https://saliency.mit.edu (BenchmarkIMAGES.zip)"


def load(data_dir: str, split: str = "test", limit: int | None = None) -> list[Example]:
    """MIT300: 300 pictures, 39 observers, 3 seconds of free viewing; pictures only.

    Reads the headers of the .jpg files in `data_dir/BenchmarkIMAGES` (or
    `data_dir/MIT300/BenchmarkIMAGES`, or `data_dir` itself), no pixels. What
    lies in folders among them and hidden files are passed over.

    The fixations were never published, so `fixations` is empty: no score can be
    taken and nothing be trained here. It serves prediction; what the benchmark
    takes is written by `submissions.mit300` and `submissions.tuebingen`. EXIF
    tags do not turn the pictures (`exif` is False), as in `submissions`.

    Args:
        data_dir: folder that holds `BenchmarkIMAGES`, or it itself.
        split: "test".
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, by number: i2.jpg comes before i10.jpg.

    Raises:
        InputError: if the folder is missing or holds no such pictures, or one
            is damaged.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     os.mkdir(folder + "/BenchmarkIMAGES")
        ...     Image.new("RGB", (4, 3)).save(folder + "/BenchmarkIMAGES/i1.jpg")
        ...     example = load(folder)[0]
        >>> example.name, example.size, len(example.fixations)
        ('i1.jpg', (3, 4), 0)

    Reference: Judd, Durand and Torralba, "A benchmark of computational models
    of saliency to predict human fixations", MIT technical report, 2012.
    """
    check_split(split, SPLITS)
    root = _root(data_dir)
    names = [
        name
        for name in os.listdir(root)
        if name.lower().endswith(".jpg") and not name.startswith(".")
    ]
    if not names:
        raise InputError(f"{root} holds no pictures like i1.jpg; {OFFERED}")
    names = sorted(names, key=lambda name: (len(name), name))[:limit]
    return index.examples(
        "mit300",
        root,
        names,
        lambda name: [os.path.join(root, name)],
        lambda name: _example(os.path.join(root, name), name),
    )


def describe(data_dir: str) -> str:
    """Where its pictures are, in a line.

    Raises:
        InputError: if there is no such folder.
    """
    return f"MIT300 in {_root(data_dir)}: pictures only, their fixations were not published"


def _root(data_dir):
    """The folder of the pictures."""
    if not data_dir:
        raise InputError("mit300 needs the folder that holds it: --data-dir DIR")
    wanted = os.path.join(data_dir, "BenchmarkIMAGES")
    for root in (wanted, os.path.join(data_dir, "MIT300", "BenchmarkIMAGES")):
        if os.path.isdir(root):
            return root
    if os.path.isdir(data_dir) and any(n.lower().endswith(".jpg") for n in os.listdir(data_dir)):
        return data_dir
    raise InputError(f"no such folder: {wanted}; {OFFERED}")


def _example(path, name):
    # As stored: an EXIF tag does not turn them.
    size = pictures.size(path, exif=False)
    return Example(name, size, np.zeros((0, 2), "float32"), path, exif=False)
