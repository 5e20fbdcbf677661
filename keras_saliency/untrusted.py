"""Files and names from elsewhere: how much of them is read, and what in them is refused.

Each kind of file has its reader (`pictures`, `mat_files`, `datasets.hdf5_files`,
`datasets.unpickling`, `archives`, ...); here is what they and all others share.
docs/security.md has the table.
"""

import contextlib
import json
import ntpath
import os
import posixpath
import re
import zipfile

from keras_saliency.errors import InputError, printable

MB = 1024**2
MOST_JSON = 256 * MB
MOST_TABLE = 4096 * MB  # of a CSV file, which is read by the line
MOST_UNPACKED = 1024 * MB  # of a zip file's content, or
MOST_RATIO = 30  # so many times its size, if that is more
MOST_CONFIG = 64 * MB  # of a model's file: what says which layers it has

# Layers, and Keras' sign for a function's code, that are programs and not numbers.
PROGRAMS = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
# What table programs take for a formula; quotes before it are those that `cell` puts there.
_FORMULA = re.compile("'*[=+\\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


def read_bytes(path: str, most: int) -> bytes:
    """A file's content.

    Args:
        path: the file.
        most: bytes; of a larger file nothing is kept.

    Raises:
        InputError: if it is larger.
        OSError: as `open`.
    """
    with open(path, "rb") as file:
        _check_size(path, os.fstat(file.fileno()).st_size, most)
        content = file.read(most + 1)  # a pipe has no size
    _check_size(path, len(content), most)
    return content


def read_json(path: str, most: int = MOST_JSON):
    """What a JSON file holds.

    Raises:
        InputError: if it is larger than `most` bytes.
        ValueError: if it is no JSON, or nested too deeply.
        OSError: as `open`.
    """
    try:
        return json.loads(read_bytes(path, most))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


@contextlib.contextmanager
def table(path: str, most: int = MOST_TABLE):
    """Opens a CSV file, for the `csv` module to read.

    Raises:
        InputError: if it is larger than `most` bytes.
        OSError: as `open`.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        _check_size(path, os.fstat(file.fileno()).st_size, most)
        yield file


def _check_size(path, size, most):
    if size > most:
        raise InputError(f"{path} is too large: more than {most // MB or 1} MB")


def cell(value):
    """What a CSV file gets for a value: text that a table program took for a formula, quoted.

    It begins with `=`, `+`, `-`, `@`, a tab or a return, and is no number; a single
    quote is put before it.

    Example:
        >>> [cell(value) for value in ("=1+1", "-0.5", "a.jpg", -0.5, "'-a")]
        ["'=1+1", '-0.5', 'a.jpg', -0.5, "''-a"]
    """
    formula = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def from_cell(text: str) -> str:
    """The text that `cell` was given.

    Example:
        >>> [from_cell(cell(text)) for text in ("=1+1", "-0.5", "a.jpg", "'-a", "'a")]
        ['=1+1', '-0.5', 'a.jpg', "'-a", "'a"]
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def inside(path: str, where: str) -> str:
    """A path below a folder, with `/`; anything else is refused.

    Args:
        path: as a file names it.
        where: that file, for the message.

    Raises:
        InputError: if it leads out of the folder, or is the folder.

    Example:
        >>> inside("a\\\\./b.jpg", "index.json")
        'a/b.jpg'
    """
    name = posixpath.normpath(path.replace("\\", "/"))
    outside = posixpath.isabs(name) or ntpath.splitdrive(name)[0]
    if outside or name.split("/")[0] in (".", "..") or "\0" in name:
        raise InputError(f"{where} is refused: {path[:200]!r} is no path below its folder")
    return name


def check_zip(path: str) -> None:
    """Refuses a zip file, such as .npz or .keras, that unpacks to far more than it is.

    Raises:
        InputError: if it does.
        zipfile.BadZipFile, OSError: if it is none, or cannot be read.
    """
    most = max(MOST_UNPACKED, MOST_RATIO * os.path.getsize(path))
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > most:
            raise InputError(f"{path} is refused: it unpacks to more than {most // MB} MB")


def check_model(path: str) -> None:
    """Refuses a .keras or .h5 file whose layers are programs, or that unpacks to far too much.

    Keras' own safe mode, in which it is loaded, does not run them either; here one
    line says so before anything is made of the file.

    Raises:
        InputError: names the file and the layer.
        Exception: of a damaged file, whatever zipfile, h5py and json raise.

    Example:
        >>> import keras, tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder + "/a.keras")
        ...     check_model(folder + "/a.keras")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        keras_saliency.errors.InputError: /.../a.keras is refused: it holds a Lambda (...
    """
    found = _program(json.loads(_config(path)))
    if found:
        raise InputError(
            f"{path} is refused: it holds a {found}, a program of its own, which is not run; "
            "build the network of layers without it and save it again"
        )


def _config(path):
    """The JSON that says which layers a model's file has; "null" of weights alone."""
    if zipfile.is_zipfile(path):
        check_zip(path)
        with zipfile.ZipFile(path) as archive:
            _check_size(path, archive.getinfo("config.json").file_size, MOST_CONFIG)
            return archive.read("config.json")
    import h5py

    with h5py.File(path, "r") as file:
        config = file.attrs.get("model_config", "null")
    _check_size(path, len(config), MOST_CONFIG)
    return config


def _program(config):
    """The first of `PROGRAMS` in what `json` has read, or None."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            kind = str(value.get("class_name", "")).rpartition(">")[2]
            if kind in PROGRAMS:
                named = value.get("config")
                name = named.get("name") if isinstance(named, dict) else None
                return printable(f"{kind.strip('_')}{f' ({name})' if name else ''}"[:80])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return None
