"""Files here, or in a store that Apache Beam knows: gs://, s3://, hdfs://, azfs://.

Files here need no Beam. What is in a store is copied to a temporary file and
from there back, whole.
"""

import contextlib
import glob
import json
import os
import posixpath
import shutil
import tempfile
from typing import NamedTuple

from keras_saliency import files
from keras_saliency.errors import InputError

WRITING = ".writing-"  # begins the names of what is not whole, as `files.replacing`'s


class File(NamedTuple):
    """A file that was found; `stamp` changes when it does."""

    path: str
    stamp: str


def is_remote(path: str) -> bool:
    """Whether a path is an address, as `gs://bucket/a.jpg`."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """A path below a folder here or in a store.

    Example:
        >>> join("gs://bucket/maps", "a", "b.png")
        'gs://bucket/maps/a/b.png'
    """
    return (posixpath if is_remote(folder) else os.path).join(folder, *names)


def find(pattern: str) -> list[File]:
    """The files that a path or a pattern names, sorted."""
    if is_remote(pattern):
        found = _beam().match([pattern])[0].metadata_list
        stamped = (File(m.path, f"{m.size_in_bytes} {m.last_updated_in_seconds}") for m in found)
        return sorted(stamped)
    paths = [pattern] if os.path.lexists(pattern) else glob.glob(pattern, recursive=True)
    return [File(path, stamp(path)) for path in sorted(paths) if os.path.isfile(path)]


def stamp(path: str) -> str:
    """Of a file here: its size and when it was changed; "" if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{found.st_size} {found.st_mtime_ns}"


def names(folder: str) -> set[str]:
    """The names of what lies in a folder, which may not be there yet."""
    if is_remote(folder):
        found = _beam().match([join(folder, "*")])[0].metadata_list
        return {posixpath.basename(metadata.path) for metadata in found}
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def read(path: str) -> bytes:
    """A file's content.

    Raises:
        InputError: if it is not there, or cannot be had.
    """
    try:
        with _opened(path) as file:
            return file.read()
    except OSError as error:  # of Beam's stores too
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error


def read_json(path: str):
    """What a JSON file holds.

    Raises:
        InputError: if it cannot be read, or is damaged.
    """
    try:
        return json.loads(read(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged: {error}") from error


def write_json(path: str, value) -> None:
    """Writes a JSON file whole."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)


@contextlib.contextmanager
def here(path: str):
    """Yields a path of the file on this machine: its own, or that of a copy for the while."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        # The name stays: Keras tells the format by its ending.
        copy = os.path.join(folder, posixpath.basename(path))
        with _opened(path) as source, open(copy, "wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


@contextlib.contextmanager
def replacing(path: str):
    """`files.replacing`, also in a store: written beside and renamed."""
    if not is_remote(path):
        with files.replacing(path) as temporary:
            yield temporary
        return
    folder, name = posixpath.split(path)
    with tempfile.TemporaryDirectory() as room:
        made = os.path.join(room, name)
        yield made
        beside = f"{folder}/{WRITING}{os.path.basename(room)}-{name}"
        store = _beam()
        with open(made, "rb") as source, store.create(beside, compression_type=_raw()) as target:
            shutil.copyfileobj(source, target)
        store.rename([beside], [path])


def sweep(folder: str) -> None:
    """Removes what someone who was killed had begun to write in a folder."""
    for name in names(folder):
        if name.startswith(WRITING) and is_remote(folder):
            _beam().delete([join(folder, name)])
        elif name.startswith(WRITING):
            shutil.rmtree(join(folder, name), ignore_errors=True)


def _opened(path):
    if is_remote(path):
        return _beam().open(path, compression_type=_raw())
    return open(path, "rb")


def _raw():
    from apache_beam.io.filesystem import CompressionTypes

    return CompressionTypes.UNCOMPRESSED


def _beam():
    try:
        from apache_beam.io.filesystems import FileSystems
    except ImportError as error:
        raise InputError(
            "files in a store need Apache Beam: pip install 'keras_saliency[beam]'"
        ) from error
    return FileSystems
