"""iSUN: 8926 scenes with gaze from webcams, recorded over the internet."""

import os

import numpy as np

from keras_saliency import mat_files, pictures
from keras_saliency.datasets import index
from keras_saliency.datasets.example import check_split, example_inside
from keras_saliency.errors import InputError

# Pixels of the picture: what a degree's share of SALICON's width is in a picture
# of about 800. No source gives a blur, and the pictures differ in size: it is too
# narrow for large ones, too wide for small ones.
SIGMA = 24.0
SPLITS = ("train", "val", "test")
SCORED = "val"  # the truth of "test" was not published
COUNTS = {"train": (6000, None), "val": (926, None), "test": (2000, None)}

_AT = "http://lsun.cs.princeton.edu/challenge/2015/eyetracking/data/"
# (address, MD5 that pysaliency's external_datasets has, what, its name here)
ARCHIVES = [
    (
        _AT + "training.mat",
        "5a8b15134b17c7a3f69b087845db1363",
        "fixations of train",
        "training.mat",
    ),
    (
        _AT + "validation.mat",
        "f68e9b011576e48d2460b883854fd86c",
        "fixations of val",
        "validation.mat",
    ),
    (_AT + "testing.mat", "be008ef0330467dcb9c9cd9cc96a8546", "names of test", "testing.mat"),
    (_AT + "image.zip", "0a3af01c5307f1d44f5dd309f71ea963", "pictures", "images"),
]
OFFERED = (
    "iSUN was offered at http://lsun.cs.princeton.edu/challenge/2015/eyetracking/data "
    "(training.mat, validation.mat, testing.mat, image.zip)"
)

_VARIABLES = {"train": "training", "val": "validation", "test": "testing"}


def load(
    data_dir: str, split: str = "train", limit: int | None = None, one_based: bool = False
) -> list:
    """iSUN: indoor and outdoor scenes of SUN, several people each, their gaze from webcams.

    Reads below `data_dir` (or `data_dir/iSUN`) `training.mat`, `validation.mat`
    or `testing.mat`, and the headers of the pictures in `images` (or `image`),
    no pixels. "test" has the fixations that its file has, if it has any.

    Whether the fixations count from 0 or from 1 is not known: pysaliency takes
    them as they are, and so does this unless `one_based` is set. The difference
    is one pixel. Fixations outside their picture are left out and counted in
    `dropped`.

    Every entry of a picture's `gaze` is taken for an observer; they are numbered
    anew in each picture. A picture that is listed twice is one example with the
    fixations of both. The published maps (.mat) are not read, `density_path` is
    None. The blur, `SIGMA`, is a guess; the scripts' `--pixels-per-degree` sets
    another. EXIF tags do not turn the pictures (`exif` is False).

    Args:
        data_dir: folder that holds the .mat files and `images`.
        split: one of `SPLITS`: "train", "val" or "test".
        limit: at most so many pictures, or None for all.
        one_based: True: the first pixel is (1, 1) in the files; it becomes (0, 0).
            For Python: the scripts take coordinates as they are.

    Returns: list of `Example`, in the order of the file.

    Raises:
        InputError: if a file is missing, damaged, or not iSUN's, or a picture
            is not of the size that the file says.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from scipy import io
        >>> gaze = {"fixation": np.array([[2.0, 1.0], [3.0, 2.0]])}
        >>> record = {"image": "sun_a", "resolution": [3, 4], "gaze": gaze}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     io.savemat(folder + "/training.mat", {"training": record})
        ...     os.mkdir(folder + "/images")
        ...     Image.new("RGB", (4, 3)).save(folder + "/images/sun_a.jpg")
        ...     (example,), (shifted,) = load(folder), load(folder, one_based=True)
        >>> example.name, example.fixations.tolist(), shifted.fixations.tolist()
        ('sun_a.jpg', [[2.0, 1.0], [3.0, 2.0]], [[1.0, 0.0], [2.0, 1.0]])

    Reference: Xu, Ehinger, Zhang, Finkelstein, Kulkarni and Xiao, "TurkerGaze:
    crowdsourcing saliency with webcam based eye tracking", arXiv:1504.06755, 2015.
    """
    check_split(split, SPLITS)
    root, path = _root(data_dir, _VARIABLES[split])
    records = _records(path, _VARIABLES[split], looked_at=split != "test")
    folder = _pictures(root)
    base = 1 if one_based else 0
    return index.examples(
        f"isun-{split}-from-{base}",
        root,
        list(records)[:limit],
        lambda name: [os.path.join(folder, name), path],
        lambda name: _example(name, folder, path, records[name], base),
    )


def describe(data_dir: str) -> str:
    """Which of its files are there, and where the pictures are, in a line.

    Raises:
        InputError: if there is no file or no folder of pictures.
    """
    roots = {}
    for variable in _VARIABLES.values():
        try:
            roots[f"{variable}.mat"] = _root(data_dir, variable)[0]
        except InputError as error:
            lacking = error
    if not roots:
        raise lacking
    (root, *_) = roots.values()
    return f"iSUN in {root}: {', '.join(roots)}; pictures in {_pictures(root)}"


def _root(data_dir, variable):
    """The folder of the dataset, and the split's file in it."""
    if not data_dir:
        raise InputError("isun needs the folder that holds it: --data-dir DIR")
    for root in (data_dir, os.path.join(data_dir, "iSUN")):
        path = os.path.join(root, f"{variable}.mat")
        if os.path.isfile(path):
            return root, path
    raise InputError(f"no such file: {os.path.join(data_dir, variable)}.mat; {OFFERED}")


def _pictures(root):
    folders = [os.path.join(root, name) for name in ("images", "image")]
    found = [folder for folder in folders if os.path.isdir(folder)]
    if not found:
        raise InputError(f"no such folder: {folders[0]} (nor {folders[1]}); unpack image.zip there")
    return found[0]


def _records(path, variable, looked_at):
    """{name of a picture: [(height and width, gaze)]}, in the file's order."""
    (structs,) = mat_files.read(path, variable)
    fields = set(getattr(structs.dtype, "names", None) or ())
    lacking = [name for name in ("image", "resolution", "gaze") if name not in fields]
    if lacking and (looked_at or lacking != ["gaze"]):
        raise InputError(
            f"{path}: {variable} has no field {lacking[0]!r}: it is not iSUN's; fetch it again"
        )
    records = {}
    for number, struct in enumerate(structs.ravel(), start=1):
        name, size = _name(struct["image"]), np.ravel(struct["resolution"])
        if not name or size.size != 2 or size.dtype.kind not in "iuf":
            raise InputError(
                f"{path}: record {number} names no picture, or no size of it: "
                "it is not iSUN's; fetch it again"
            )
        gaze = None if lacking else struct["gaze"]
        records.setdefault(name, []).append((size, gaze))
    return records


def _name(value):
    """Of a picture's file, or None; it must not lead out of the folder."""
    text = "".join(value.ravel()) if value.dtype.kind == "U" else ""
    if not text.isprintable() or not 0 < len(text) < 256:
        return None
    if text.startswith(".") or set(text) & set("/\\:"):
        return None
    return text if text.lower().endswith(".jpg") else f"{text}.jpg"


def _example(name, folder, path, records, base):
    image_path = os.path.join(folder, name)
    if not os.path.isfile(image_path):
        raise InputError(f"no such file: {image_path}; {path} names it, unpack image.zip again")
    # As stored: an EXIF tag does not turn them.
    size = pictures.size(image_path, exif=False)
    trains = []
    for resolution, gaze in records:
        # Height or width first: nobody says.
        if sorted(resolution.tolist()) != sorted(size):
            raise InputError(
                f"{image_path} is {size[0]}x{size[1]} pixels, {path} says "
                f"{'x'.join(f'{side:g}' for side in resolution)}; use the pictures of image.zip"
            )
        trains += _trains(gaze, path, name)
    points = np.concatenate([np.zeros((0, 2)), *trains]) - base
    counts = np.array([len(train) for train in trains], int)
    return example_inside(
        name,
        size,
        points,
        observers=np.repeat(np.arange(len(trains)), counts),
        image_path=image_path,
        exif=False,
    )


def _trains(gaze, path, name):
    """An array `(n, 2)` for each observer: `gaze` is a struct a person, or one with cells."""
    if gaze is None or not gaze.size:
        return []
    if "fixation" not in (gaze.dtype.names or ()):
        raise InputError(
            f"{path}: the gaze of {name} has no field 'fixation': it is not iSUN's; fetch it again"
        )
    trains = []
    for value in gaze["fixation"].ravel():
        trains += list(value.ravel()) if value.dtype.kind == "O" else [value]
    # Where nothing was found, it may be 0x0.
    trains = [np.zeros((0, 2)) if not np.size(train) else train for train in trains]
    for train in trains:
        numbers = isinstance(train, np.ndarray) and train.dtype.kind in "iuf"
        if not numbers or train.ndim != 2 or train.shape[1] != 2:
            raise InputError(
                f"{path}: the fixations of {name} are not numbers in two columns, x and y: "
                "it is not iSUN's; fetch it again"
            )
    return trains
