"""CAT2000: 20 categories of 100 pictures with the fixations of 18 observers."""

import itertools
import os

import numpy as np

from keras_saliency import mat_files, pictures
from keras_saliency.datasets import index
from keras_saliency.datasets.example import Example, check_split
from keras_saliency.errors import InputError

# Pixels of a 1080x1920 picture, about one degree of visual angle: the blur of the
# MIT/Tuebingen benchmark's empirical maps.
SIGMA = 40.0
SPLITS = ("train", "val", "all", "test")
SCORED = "val"  # nobody outside has the fixations of "test"

# Of the fixations, those of one pixel count once here: nobody published how many that are.
COUNTS = {"train": (1600, None), "val": (400, None), "all": (2000, None), "test": (2000, None)}

OFFERED = "CAT2000 is offered at https://saliency.mit.edu (trainSet.zip, testSet.zip)"
# Addresses and MD5s: matthias-k/pysaliency, external_datasets/cat2000.py.
ARCHIVES = [
    (
        "http://saliency.mit.edu/trainSet.zip",
        "56ad5c77e6c8f72ed9ef2901628d6e48",
        "pictures and fixations to train on",
        "trainSet",
    ),
    (
        "http://saliency.mit.edu/testSet.zip",
        "903ec668df2e5a8470aef9d8654e7985",
        "pictures without fixations",
        "testSet",
    ),
]


def load(data_dir: str, split: str = "train", limit: int | None = None) -> list[Example]:
    """CAT2000: pictures of 20 categories, 18 observers, 5 seconds of free viewing.

    Reads below `data_dir/trainSet` (or `data_dir/CAT2000/trainSet`, or `data_dir`
    itself) the pictures' headers in `Stimuli/<Category>/` and the `fixLocs` in
    `FIXATIONLOCS/<Category>/`, no pixels. Of "test" it reads `testSet/Stimuli`.
    What lies in folders of a category, like `Output`, and hidden files are
    passed over. Categories that are missing are not missed.

    "val" is a fifth of each category, "train" the rest: of the complete set 400
    and 1600 pictures, the same that MSI-Net's code divides it into. "all" is
    both. "test" has no fixations, and serves prediction and submissions only.

    A `fixLocs` says where people looked but not how often or who, so several
    fixations of one pixel are one, and `observers` is None. `density_path` is
    the picture in `FIXATIONMAPS`, if it is there. EXIF tags do not turn the
    pictures (`exif` is False): one of "test", `Pattern/134.jpg`, has a wrong one.

    Args:
        data_dir: folder that holds `trainSet` and `testSet`, or one of these.
        split: one of `SPLITS`: "train", "val", "all" or "test".
        limit: at most so many pictures, or None for all. They are taken from
            the categories in turn: of 30, each has one or two.

    Returns: list of `Example`, by category and number, named like
        "Action/001.jpg".

    Raises:
        InputError: if a folder or file is missing, damaged, or not CAT2000's.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from scipy import io
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     stimuli, locations = (
        ...         os.path.join(folder, "trainSet", name, "Action")
        ...         for name in ("Stimuli", "FIXATIONLOCS")
        ...     )
        ...     os.makedirs(stimuli)
        ...     os.makedirs(locations)
        ...     Image.new("RGB", (4, 3)).save(os.path.join(stimuli, "001.jpg"))
        ...     io.savemat(os.path.join(locations, "001.mat"), {"fixLocs": np.eye(3, 4)})
        ...     example = load(folder)[0]
        >>> example.name, example.size, example.fixations.tolist()
        ('Action/001.jpg', (3, 4), [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])

    References: Borji and Itti, "CAT2000: A large scale fixation dataset for
    boosting saliency research", CVPR 2015 workshop "Future of Datasets"; the
    split: Kroner, Senden, Driessens and Goebel, "Contextual encoder-decoder
    network for visual saliency prediction", Neural Networks 129, 2020.
    """
    check_split(split, SPLITS)
    root = _root(data_dir, "testSet" if split == "test" else "trainSet")
    files = _files(os.path.join(root, "Stimuli"))
    chosen = {category: _of_split(names, split) for category, names in files.items()}
    if not any(chosen.values()):
        raise InputError(
            f"{root} holds too few pictures of a category to have some in the split {split!r}; "
            "use the split 'all'"
        )
    names = _in_turn(chosen, limit)
    looked_at = split != "test"
    return index.examples(
        f"cat2000-{'looked-at' if looked_at else 'test'}",
        root,
        names,
        lambda name: _paths(root, name),
        lambda name: _example(root, name, looked_at),
    )


def describe(data_dir: str) -> str:
    """Where its two parts are, and how many categories each has, in a line."""
    parts = []
    for name in ("trainSet", "testSet"):
        try:
            stimuli = os.path.join(_root(data_dir, name), "Stimuli")
            parts.append(f"{name}: {stimuli} ({len(_files(stimuli))} categories)")
        except InputError:
            parts.append(f"{name}: nothing")
    return f"CAT2000; {'; '.join(parts)}"


def _root(data_dir, name):
    """The folder of `trainSet` or `testSet`."""
    if not data_dir:
        raise InputError("cat2000 needs the folder that holds it: --data-dir DIR")
    for root in (os.path.join(data_dir, name), os.path.join(data_dir, "CAT2000", name)):
        if os.path.isdir(os.path.join(root, "Stimuli")):
            return root
    # The train set's pictures must not pass for the test set's.
    train = os.path.isdir(os.path.join(data_dir, "FIXATIONLOCS"))
    if os.path.isdir(os.path.join(data_dir, "Stimuli")) and not (train and name == "testSet"):
        return data_dir
    raise InputError(f"no such folder: {os.path.join(data_dir, name, 'Stimuli')}; {OFFERED}")


def _files(stimuli):
    """{category: names of its pictures, by number}, the categories sorted."""
    files = {}
    for category in sorted(os.listdir(stimuli)):
        folder = os.path.join(stimuli, category)
        if category.startswith(".") or category.lower() == "output" or not os.path.isdir(folder):
            continue
        names = [
            name
            for name in os.listdir(folder)
            if name.lower().endswith(".jpg") and not name.startswith(".")
        ]
        if names:
            files[category] = sorted(names, key=lambda name: (len(name), name))
    if not files:
        raise InputError(f"{stimuli} holds no pictures like Action/001.jpg; {OFFERED}")
    return files


def _of_split(names, split):
    if split not in ("train", "val"):
        return names
    # NumPy has promised not to change the numbers of this older generator.
    order = np.random.RandomState(42).permutation(len(names))
    first = len(names) - round(len(names) / 5)
    kept = order[:first] if split == "train" else order[first:]
    return [names[i] for i in sorted(kept)]


def _in_turn(files, limit):
    """Category/file of at most `limit`: of each category one, then a second of each, ..."""
    paths = [[(category, name) for name in names] for category, names in files.items()]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*paths))
    chosen = set(itertools.islice(filter(None, turns), limit))
    return ["/".join(path) for path in itertools.chain.from_iterable(paths) if path in chosen]


def _paths(root, name):
    """Of a picture, its fixations and its published density."""
    stem = os.path.splitext(name)[0].split("/")
    return (
        os.path.join(root, "Stimuli", *name.split("/")),
        os.path.join(root, "FIXATIONLOCS", *stem) + ".mat",
        os.path.join(root, "FIXATIONMAPS", *stem) + ".jpg",
    )


def _example(root, name, looked_at):
    path, locations, density_path = _paths(root, name)
    # As stored: an EXIF tag does not turn them.
    size = pictures.size(path, exif=False)
    if not looked_at:
        return Example(name, size, np.zeros((0, 2), "float32"), path, exif=False)
    return Example(
        name,
        size,
        _fixations(locations, size),
        path,
        density_path=density_path if os.path.isfile(density_path) else None,
        exif=False,
    )


def _fixations(path, size):
    """Where the file's `fixLocs` is not zero: float32 `(n, 2)`, x and y from 0."""
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; each of trainSet's pictures has one, unpack it")
    locations = np.asarray(mat_files.read(path, "fixLocs")[0])
    if locations.dtype.kind not in "buif":
        raise InputError(f"{path} has no array fixLocs: it is not CAT2000's; unpack it again")
    if locations.shape != size:
        shape = "x".join(map(str, locations.shape))
        raise InputError(
            f"{path}: fixLocs is {shape}, its picture {size[0]}x{size[1]}; "
            "use pictures and fixations of the same archive, unchanged"
        )
    # MATLAB stores columns: read along them it takes a tenth of `np.nonzero`'s time.
    x, y = np.divmod(np.flatnonzero(locations.T > 0), size[0])
    return np.stack([x, y], axis=1).astype("float32")
