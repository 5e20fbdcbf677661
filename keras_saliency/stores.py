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

from keras_saliency import files, shipped, untrusted
from keras_saliency.errors import InputError, reason

WRITING = ".writing-"  # begins the names of what is not whole, as `files.replacing`'s
# Of Beam, for each kind of store.
EXTRAS = {"gs": "gcp", "s3": "aws", "azfs": "azure", "hdfs": "hadoop"}


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
    """The files that a path or a pattern names, sorted.

    Raises:
        InputError: if a store is none that Beam knows here, or does not answer.
    """
    if is_remote(pattern):
        found = _match(pattern)
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
        found = _match(join(folder, "*"))
        return {posixpath.basename(metadata.path) for metadata in found}
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def read(path: str, at_most: int | None = None) -> bytes:
    """A file's content.

    Args:
        path: here or in a store.
        at_most: bytes that it may have.

    Raises:
        InputError: if it is not there, is larger, or cannot be had.
    """
    try:
        with _opened(path) as file:
            content = file.read(-1 if at_most is None else at_most + 1)
    except OSError as error:  # of Beam's stores too
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error
    if at_most is not None and len(content) > at_most:
        raise InputError(f"{path} is too large: more than {at_most:,} bytes")
    return content


def read_json(path: str):
    """What a JSON file holds.

    Raises:
        InputError: if it cannot be read, or is damaged.
    """
    try:
        return json.loads(read(path, untrusted.MOST_JSON))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is damaged: {error}") from error


def write_json(path: str, value) -> None:
    """`files.write_json`, also in a store."""
    with replacing(path) as temporary:
        files.write_json(temporary, value)


def model_file(model: str) -> str:
    """The file of a model: of a run's folder `model.keras`; "osie" comes with the package.

    Example:
        >>> model_file("photo.keras"), os.path.basename(model_file("osie"))
        ('photo.keras', 'salgan_osie.weights.h5')
    """
    if model == shipped.NAME:
        return shipped.FILE
    return os.path.join(model, "model.keras") if os.path.isdir(model) else model


def model_digest(model: str) -> str:
    """The SHA-256 of a model's file, or of the one in a run's folder.

    Raises:
        InputError: if it is not there, or cannot be had.
    """
    path = model_file(model)
    try:
        with here(path) as file:
            return files.sha256(file)
    except FileNotFoundError as error:
        raise InputError(
            f"no such file: {path}; a model is a finished run or a .keras file"
        ) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})") from error


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
        store = _store(path)
        with open(made, "rb") as source, store.create(beside, compression_type=_raw()) as target:
            shutil.copyfileobj(source, target)
        if store.exists(path):  # not every store renames over what is there: HDFS does not
            store.delete([path])
        store.rename([beside], [path])


def sweep(folder: str, below: bool = True) -> None:
    """Removes what someone who was killed had begun to write in a folder.

    Args:
        folder: here or in a store.
        below: also in the folders below it; a store has none.
    """
    if is_remote(folder):
        begun = [join(folder, name) for name in names(folder) if name.startswith(WRITING)]
        if begun:
            _store(folder).delete(begun)
        return
    for parent, folders, _ in os.walk(folder):
        for name in [name for name in folders if name.startswith(WRITING)]:
            folders.remove(name)
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
        if not below:
            return


def _opened(path):
    if is_remote(path):
        return _store(path).open(path, compression_type=_raw())
    return open(path, "rb")


def _match(pattern):
    store = _store(pattern)
    try:
        return store.match([pattern])[0].metadata_list
    except OSError as error:
        raise InputError(
            f"{pattern} cannot be listed ({reason(error)}){_needs(pattern)}"
        ) from error


def _raw():
    from apache_beam.io.filesystem import CompressionTypes

    return CompressionTypes.UNCOMPRESSED


def _store(path):
    """Beam's file system of an address."""
    try:
        from apache_beam.io.filesystems import FileSystems
    except ImportError as error:
        raise InputError(
            "files in a store need Apache Beam: pip install 'keras_saliency[beam]'"
        ) from error
    try:
        return FileSystems.get_filesystem(path)
    except (ValueError, OSError) as error:
        said = reason(error).partition(", please")[0]
        raise InputError(f"{path}: {said}{_needs(path)}") from error


def _needs(path):
    """What is to be installed for a store, as a message ends."""
    scheme = path.partition("://")[0]
    if scheme in EXTRAS:
        return f"; {scheme}:// needs pip install 'apache-beam[{EXTRAS[scheme]}]'"
    return f"; it knows {', '.join(f'{known}://' for known in EXTRAS)}"
