"""Pictures and fixations in pysaliency's HDF5 files."""

import itertools
import os

import numpy as np

from keras_saliency import pictures
from keras_saliency.datasets import hdf5_files, index
from keras_saliency.datasets.example import Example, check_split, example_inside, split_of
from keras_saliency.datasets.pysaliency_saving import FIXATIONS, STIMULI, save
from keras_saliency.errors import InputError
from keras_saliency.untrusted import inside

__all__ = ["COUNTS", "OFFERED", "SIGMA", "SPLITS", "describe", "load", "save"]

SIGMA = None  # depends on the experiment: --pixels-per-degree
SPLITS = ("all", "train", "test")
DAY = 86400.0  # seconds; a fixation that is longer is not known
COUNTS = {}  # any dataset may be in such files
OFFERED = (
    "pysaliency writes stimuli.hdf5 and fixations.hdf5 (Stimuli.to_hdf5, Fixations.to_hdf5, "
    "get_toronto(DIR)); files of one part, like stimuli_train.hdf5, are to be renamed"
)

_STIMULI = {"FileStimuli": ("1.0", "2.0", "2.1"), "Stimuli": ("1.0", "1.1")}
_FIXATIONS = {
    "Fixations": ("1.0", "1.1", "1.2"),
    "FixationTrains": ("1.0", "1.1", "1.2", "1.3"),
    "Scanpaths": ("1.0",),
    "ScanpathFixations": ("1.0",),
}
# What its arrays are called; of several names, the first that is there is read.
_FIELDS = ("x", "y", "n", "subjects", "durations", "lengths")
_NAMES = {
    "Fixations": ("x", "y", "n", "subject subjects", "duration durations", ""),
    "FixationTrains": (
        *("train_xs", "train_ys", "train_ns", "train_subjects"),
        "scanpath_fixation_attributes/durations scanpath_attributes/train_durations",
        "train_lengths",
    ),
    "Scanpaths": (
        *("xs", "ys", "n", "scanpath_attributes/subject"),
        "fixation_attributes/durations",
        "length lengths",
    ),
}


def load(data_dir: str, split: str = "all", limit: int | None = None) -> list[Example]:
    """Pictures and fixations that pysaliency stored, in any version of its HDF5 files.

    Reads `stimuli.hdf5` (FileStimuli, whose pictures are files below
    `data_dir`, or Stimuli, which holds them itself) and `fixations.hdf5`
    (Fixations, FixationTrains, ScanpathFixations or Scanpaths). EXIF tags do
    not turn the pictures, as in pysaliency.

    Coordinates stay the numbers that they are: both packages count pixels from
    0. But to pysaliency pixel i reaches from i to i + 1, here from i - 0.5 to i
    + 0.5. The protocol `tuebingen` counts fixations where pysaliency does, the
    others in the nearest pixel. What lies in the last half pixel before the
    right or lower border is moved to the border's pixel.

    `observers` are pysaliency's subjects, but None if all are 1.0, its sign for
    unknown. Durations come from the attribute "durations" (or "duration"), in
    seconds. A picture that is listed twice is one example.

    "test" is a fifth of the pictures and "train" the others. A picture's name
    alone decides where it belongs.

    Args:
        data_dir: folder that holds both files.
        split: one of `SPLITS`: "all", "train" or "test".
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, in the file's order. Names are those that `save`
        was given, else paths below `data_dir` (or below its folder `stimuli`,
        if all are there), else numbers.

    Raises:
        InputError: names the file that is missing, damaged, of another kind, or
            asks for what it should not: paths outside `data_dir`, links, huge
            arrays.

    Example:
        >>> import tempfile
        >>> picture = np.zeros((3, 4, 3), "uint8")
        >>> example = Example("a.png", (3, 4), np.array([[2.0, 1.5]]), image=picture)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save([example], folder)
        ...     found = load(folder)[0]
        >>> found.name, found.size, found.fixations.tolist()
        ('a.png', (3, 4), [[2.0, 1.5]])

    Reference: Kümmerer, Wallis and Bethge, pysaliency,
    https://github.com/matthias-k/pysaliency.
    """
    check_split(split, SPLITS)
    if not data_dir:
        raise InputError(f"pysaliency needs the folder with {STIMULI}: --data-dir DIR")
    stimuli, fixations = (os.path.join(data_dir, name) for name in (STIMULI, FIXATIONS))
    for path in (stimuli, fixations):
        if not os.path.isfile(path):
            raise InputError(f"no such file: {path}; {OFFERED}")
    with hdf5_files.reading(stimuli) as file:
        shown, firsts = _stimuli(file, data_dir, split, limit)
    with hdf5_files.reading(fixations) as file:
        columns = _fixations(file, firsts)
    order = np.argsort(columns["n"], kind="stable")
    ends = np.searchsorted(columns["n"], range(len(firsts) + 1), sorter=order)
    return [
        _looked_at(fields, columns, order[ends[number] : ends[number + 1]])
        for number, fields in shown.items()
    ]


def describe(data_dir: str) -> str:
    """What its two files say that they hold, in a line."""
    held = []
    for name, known in ((STIMULI, _STIMULI), (FIXATIONS, _FIXATIONS)):
        with hdf5_files.reading(os.path.join(data_dir, name)) as file:
            held.append(f"{name} ({_kind(file, known)} {file.attribute('version')})")
    return f"pysaliency's files in {data_dir}: {', '.join(held)}"


def _kind(file, known):
    """What the file says it holds, if that is one of the known kinds and versions."""
    kind, version = file.attribute("type"), file.attribute("version")
    if version not in known.get(kind, ()):
        expected = " or ".join(f"{name} up to {versions[-1]}" for name, versions in known.items())
        raise InputError(
            f"{file.path} holds {kind[:40]!r} {version[:40]!r}; expected pysaliency's {expected}"
        )
    return kind


def _stimuli(file, data_dir, split, limit):
    """Of the chosen pictures {number: fields of `Example`}; of all, which number is the first.

    A picture that is listed twice has two numbers.
    """
    in_files = _kind(file, _STIMULI) == "FileStimuli"
    if in_files:
        keys = [inside(path, file.path) for path in file.texts("filenames")]
    else:
        keys = list(itertools.takewhile(file.has, map(str, itertools.count())))
    names = _names(file, keys)
    if not names:
        raise InputError(f"{file.path} holds no pictures")
    firsts = {}
    for number, name in enumerate(names):
        firsts.setdefault(name, number)
    chosen = [number for name, number in firsts.items() if split in ("all", split_of(name))]
    if not chosen:
        raise InputError(
            f"none of the {len(firsts)} pictures in {file.path} belongs to the split {split!r}, "
            "which their names decide; use the split 'all'"
        )
    chosen = chosen[:limit]
    if in_files:
        fields = _in_files(file, data_dir, keys, chosen)
    else:
        fields = [_in_array(file, keys[number]) for number in chosen]
    shown = {i: {"name": names[i], **each} for i, each in zip(chosen, fields, strict=True)}
    return shown, np.array([firsts[name] for name in names])


def _names(file, keys):
    """Of every picture, what it is called."""
    if file.has("name"):  # which `save` writes
        names = [inside(name, file.path) for name in file.texts("name")]
        if len(set(names)) == len(names) == len(keys):
            return names
    folders = {key.split("/")[0].lower() for key in keys if "/" in key}
    if folders == {"stimuli"} and all("/" in key for key in keys):
        return [key.split("/", 1)[1] for key in keys]
    return [f"{int(key):06d}" if key.isdecimal() else key for key in keys]


def _in_files(file, data_dir, keys, chosen):
    """The fields of pictures that are files; their headers must agree with what the file says."""
    paths = {key: os.path.join(data_dir, *key.split("/")) for key in keys}
    shapes = file.lists("shapes")

    def sized(key):
        size, nowhere = pictures.size(paths[key], exif=False), np.zeros((0, 2), "float32")
        return Example(key, size, nowhere, paths[key])

    found = index.examples(
        "pysaliency", data_dir, [keys[i] for i in chosen], lambda key: [paths[key]], sized
    )
    for number, example in zip(chosen, found, strict=True):
        shape = shapes[number][:2].tolist() if number < len(shapes) else []
        if shape != list(example.size):
            raise InputError(
                f"{example.image_path} is {example.size[0]}x{example.size[1]}, but {file.path} "
                f"says {'x'.join(map(str, shape))}; use the pictures that it was written for"
            )
    return [{"size": e.size, "image_path": e.image_path, "exif": False} for e in found]


def _in_array(file, key):
    """The fields of a picture in the file: gray or RGB, perhaps with alpha, as uint8 RGB."""
    picture = file.numbers(key, dimensions=(2, 3))
    picture = picture[..., None] if picture.ndim == 2 else picture
    height, width, channels = picture.shape
    if not 0 < height * width <= pictures.MAX_PIXELS or channels not in (1, 2, 3, 4):
        raise InputError(f"{file.path}: {key} is no picture, its shape is {picture.shape}")
    if picture.dtype != "uint8":
        low, high = float(picture.min()), float(picture.max())
        if not (low >= 0 and high <= 255):
            raise InputError(f"{file.path}: {key} has values of {low:g} to {high:g}, not 0 to 255")
        picture = np.round(picture).astype("uint8")
    color = picture[..., :3] if channels > 2 else np.repeat(picture[..., :1], 3, axis=2)
    return {"size": (height, width), "image": color}


def _fixations(file, firsts):
    """Arrays with a number a fixation: x, y, n, and subjects and durations or None."""
    columns = _columns(file)
    given = [column for column in columns.values() if column is not None]
    shapes = {column.shape for column in given if column.ndim == columns["x"].ndim}
    if len({len(column) for column in given}) > 1 or len(shapes) > 1:
        raise InputError(f"{file.path} is damaged: x, y, n and the others differ in length")
    n, lengths = columns["n"], columns.pop("lengths")
    if len(n) and not 0 <= n.min() <= n.max() < len(firsts):
        raise InputError(
            f"{file.path} has fixations of picture {n.max()}, but {STIMULI} holds {len(firsts)}; "
            "take both files from one dataset"
        )
    columns["n"] = firsts[n]
    return columns if columns["x"].ndim == 1 else _in_a_row(columns, lengths)


def _columns(file):
    """The file's arrays as they are, or None, by `_FIELDS`."""
    kind = _kind(file, _FIXATIONS)
    root, kind = ("scanpaths/", "Scanpaths") if kind == "ScanpathFixations" else ("", kind)
    dimensions = (1,) if kind == "Fixations" else (2,)
    columns = dict.fromkeys(_FIELDS)
    for field, names in zip(_FIELDS, _NAMES[kind], strict=True):
        paths = [root + name for name in names.split()]
        path = next(filter(file.has, paths), None)
        if path is None and field in ("x", "y", "n"):
            raise InputError(f"{file.path} is damaged: it has no {paths[0]}")
        if path is None:
            continue
        if field == "subjects":
            columns[field] = _subjects(file, path)
        elif field in ("n", "lengths"):
            columns[field] = file.numbers(path, "int64")
        else:
            dtype = "float64" if field == "durations" else "float32"
            columns[field] = file.numbers(path, dtype, dimensions)
    return columns


def _in_a_row(columns, lengths):
    """Scanpaths, of which each has a line that is filled up behind its end, one after another."""
    x = columns["x"]
    if lengths is None:
        ends = np.where(np.isnan(x), 0, np.arange(1, x.shape[1] + 1, dtype="int32"))
        lengths = ends.max(axis=1, initial=0)
    known = np.arange(x.shape[1]) < lengths[:, None]

    def flat(column):
        return column[known] if column.ndim == 2 else np.repeat(column, known.sum(axis=1))

    return {f: None if column is None else flat(column) for f, column in columns.items()}


def _subjects(file, name):
    """int32, -1 where unknown; or None if nobody is known."""
    if file.is_text(name):
        return np.unique(file.texts(name), return_inverse=True)[1].astype("int32")
    subjects = file.numbers(name)
    if subjects.dtype.kind == "f":
        if (subjects == 1).all():  # which pysaliency writes for want of any
            return None
        subjects = np.nan_to_num(subjects, nan=-1)
    return subjects.clip(-1, 2**31 - 1).astype("int32")


def _looked_at(fields, columns, rows):
    """An `Example` with these rows of the columns."""
    size = np.array(fields["size"][::-1], "float32")
    points = np.stack([columns["x"][rows], columns["y"][rows]], axis=1)
    # pysaliency's last pixel ends half a pixel later than ours.
    border = np.nextafter(size - np.float32(0.5), np.float32(0))
    points = np.where((points > border) & (points < size), border, points)
    observers, durations = (
        None if columns[field] is None else columns[field][rows]
        for field in ("subjects", "durations")
    )
    if len(rows) and observers is not None and (observers < 0).all():
        observers = None
    if durations is not None:
        durations = np.where(np.abs(durations) < DAY, durations * 1000, np.nan)  # were seconds
        durations = None if len(rows) and np.isnan(durations).all() else durations
    return example_inside(fixations=points, observers=observers, durations_ms=durations, **fields)
