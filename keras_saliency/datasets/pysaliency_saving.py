"""Pictures and fixations as pysaliency's HDF5 files, written."""

import contextlib
import json
import os
import shutil

import numpy as np
from PIL import ExifTags, Image

from keras_saliency import files, pictures
from keras_saliency.datasets.example import Example
from keras_saliency.errors import InputError
from keras_saliency.untrusted import inside

STIMULI, FIXATIONS = "stimuli.hdf5", "fixations.hdf5"


def save(examples: list[Example], data_dir: str) -> None:
    """Writes examples as `stimuli.hdf5` and `fixations.hdf5`, for pysaliency and for `load`.

    If all pictures are arrays, they are in `stimuli.hdf5` (Stimuli). Else it
    names files (FileStimuli): those that lie below `data_dir` stay where they
    are, others are copied into its folder `stimuli`. Arrays, and pictures that
    are resized or that their EXIF tag turns, become PNG files there.

    Names are kept as pysaliency's stimulus attribute "name", durations as its
    "duration", in seconds. Densities are not saved.

    Args:
        examples: at least one; no two with the same name.
        data_dir: folder to write into, made if it is missing. Each file is
            written whole or not at all.

    Raises:
        InputError: if names are not unique or no paths, a picture cannot be
            read, or a file cannot be written.
    """
    if len({example.name for example in examples}) < max(len(examples), 1):
        raise InputError("save needs examples, no two of them with the same name")
    for name in (example.name for example in examples):
        if inside(name, "the list of examples") != name:
            raise InputError(f"{name!r} is no plain path with /, which names in {STIMULI} must be")
    try:
        if all(example.image is not None for example in examples):
            with _writing(os.path.join(data_dir, STIMULI), "Stimuli", "1.1") as file:
                for number, example in enumerate(examples):
                    picture = pictures.of(example)
                    file.create_dataset(str(number), data=picture, compression="gzip")
                _write_names(file, examples)
        else:
            _save_files(examples, data_dir)
        _save_fixations(examples, data_dir)
    except (OSError, RuntimeError, UnicodeError) as error:  # h5py's when a disk is full, and others
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{data_dir} cannot be written to ({reason})") from error


@contextlib.contextmanager
def _writing(path, kind, version):
    """A new HDF5 file that takes its place when it is complete."""
    import h5py

    with files.replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["type"], file.attrs["version"] = np.bytes_(kind), np.bytes_(version)
        yield file


def _write_texts(file, name, texts):
    import h5py

    file.create_dataset(name, data=texts, dtype=h5py.string_dtype())


def _write_names(file, examples):
    _write_texts(file, "name", [example.name for example in examples])
    file.attrs["__attributes__"] = np.bytes_(json.dumps(["name"]))
    file.attrs["size"] = len(examples)


def _save_files(examples, data_dir):
    import h5py

    paths = [_place(example, data_dir) for example in examples]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise InputError(f"two pictures would be the same file, {os.path.join(data_dir, twice)}")
    shapes = np.empty(len(paths), object)
    for number, (example, path) in enumerate(zip(examples, paths, strict=True)):
        target = os.path.join(data_dir, path)
        _put(example, target)
        size = pictures.size(target, exif=False)
        with Image.open(target) as picture:
            channels = [len(picture.mode)] if len(picture.mode) > 1 else []  # as pysaliency counts
        shapes[number] = np.array([*size, *channels], "int64")
    with _writing(os.path.join(data_dir, STIMULI), "FileStimuli", "2.1") as file:
        _write_texts(file, "filenames", paths)
        file.create_dataset("shapes", data=shapes, dtype=h5py.vlen_dtype("int64"))
        _write_names(file, examples)


def _place(example, data_dir):
    """Where the picture is or will be, below the folder, with `/`."""
    if not _as_stored(example):
        ending = "" if example.name.lower().endswith(".png") else ".png"
        return f"stimuli/{example.name}{ending}"
    try:
        path = os.path.relpath(example.image_path, data_dir).replace(os.sep, "/")
    except ValueError:  # on another drive
        path = ".."
    if path.split("/")[0] != "..":
        return path
    stem = os.path.splitext(example.name)[0]
    return f"stimuli/{stem}{os.path.splitext(example.image_path)[1]}"


def _as_stored(example):
    """Whether the picture's file shows it as the example has it, if no EXIF tag turns it."""
    if example.image_path is None or example.file_size:
        return False
    if not example.exif:
        return True
    try:
        with Image.open(example.image_path) as picture:
            return picture.getexif().get(ExifTags.Base.Orientation, 1) == 1
    except Exception:  # `pictures` says what is wrong with it
        return False


def _put(example, target):
    if not _as_stored(example):
        pictures.write_png(target, pictures.of(example))
    elif not (os.path.exists(target) and os.path.samefile(example.image_path, target)):
        with files.replacing(target) as temporary:
            shutil.copyfile(example.image_path, temporary)


def _save_fixations(examples, data_dir):
    """As pysaliency's Fixations 1.0, which every version of it reads."""
    counts = [len(example.fixations) for example in examples]
    points = np.concatenate([example.fixations for example in examples]).astype("float64")
    subjects = _column([example.observers for example in examples], counts, -1)
    durations = _column([example.durations_ms for example in examples], counts, np.nan)
    path = os.path.join(data_dir, FIXATIONS)
    with _writing(path, "Fixations", "1.0") as file:
        file["x"], file["y"] = points.T
        file["n"] = np.repeat(np.arange(len(counts)), counts)
        file["t"] = np.zeros(len(points))  # when they were is not known
        for name in ("x_hist", "y_hist", "t_hist"):
            file[name] = np.full((len(points), 1), np.nan)
        # Ones that are not whole numbers are pysaliency's sign for unknown.
        file["subjects"] = np.ones(len(points)) if subjects is None else subjects.astype("int64")
        if durations is not None:
            file["duration"] = durations / 1000
        attributes = ["subjects"] if durations is None else ["subjects", "duration"]
        file.attrs["__attributes__"] = np.bytes_(json.dumps(attributes))


def _column(parts, counts, unknown):
    """All parts in one, float64; None if none is known."""
    if all(part is None for part in parts):
        return None
    return np.concatenate([
        np.full(count, unknown) if part is None else np.asarray(part, "float64")
        for part, count in zip(parts, counts, strict=True)
    ])  # fmt: skip
