"""Files are written whole or not at all."""

import contextlib
import csv
import glob
import hashlib
import io
import json
import os
import shutil
import tempfile
import time

from keras_saliency import untrusted
from keras_saliency.errors import InputError

WRITING = ".writing-"  # begins the name of a folder of what is not complete
REPLACED = "-replaced"  # ends the name in there of the folder that was there before
_rooms = set()  # such folders of this process
_held = {}  # folder to the descriptor that locks it


@contextlib.contextmanager
def replacing(path: str):
    """Yields a temporary path beside `path`; on success it takes `path`'s place.

    What was at `path` before stays untouched until the new file, or every file
    of the new folder, is complete and on the disk; if the block raises, it
    stays for good.

    Args:
        path: file or folder to write; its parent is made if it is missing.

    Raises:
        OSError: names `path` if it cannot be written, also where Python does not
            know, as on a full disk.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(folder + "/a.txt") as path:
        ...         _ = open(path, "w").write("whole")
        ...     open(folder + "/a.txt").read()
        'whole'
    """
    parent, name = os.path.split(os.path.abspath(path))
    os.makedirs(parent, exist_ok=True)
    try:
        room = tempfile.mkdtemp(dir=parent, prefix=WRITING)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    _rooms.add(room)
    # The name stays the same: Keras chooses the format by its ending.
    temporary, old = os.path.join(room, name), os.path.join(room, f".{name}{REPLACED}")
    try:
        yield temporary
        _flush(temporary)
        if os.path.isdir(path) and not os.path.isdir(temporary):
            raise InputError(f"{path} is a folder; name a file to write")
        if os.path.isdir(temporary) and os.path.isdir(path):
            os.rename(path, old)
        try:
            os.replace(temporary, path)
        except OSError:
            if os.path.isdir(old):
                os.rename(old, path)
            raise
    except OSError as error:
        error.filename = error.filename or os.fspath(path)
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)
        _rooms.discard(room)


def abandon() -> None:
    """Removes what this process has begun to write: it is about to end."""
    for room in list(_rooms):
        _discard(room)


def clean(folder: str) -> None:
    """Removes what killed processes had begun to write, in a folder and in those within.

    No other process may be writing there: see `hold`.
    """
    for parent, names, _ in os.walk(folder):
        for name in names:
            if name.startswith(WRITING):
                _discard(os.path.join(parent, name))
        names[:] = [name for name in names if not name.startswith(WRITING)]


def _discard(room):
    """Removes a folder of what is not complete, but puts back what was already moved into it."""
    for old in glob.glob(os.path.join(glob.escape(room), ".*" + REPLACED)):
        name = os.path.basename(old)[1 : -len(REPLACED)]
        place = os.path.join(os.path.dirname(room), name)
        if not os.path.exists(place):
            with contextlib.suppress(OSError):
                os.rename(old, place)
    shutil.rmtree(room, ignore_errors=True)


def hold(folder: str) -> None:
    """Keeps other processes from writing in a folder until this one ends.

    On Windows, and where the file system has no locks of folders, nothing happens.

    Raises:
        InputError: if another one holds it.
    """
    try:
        import fcntl
    except ImportError:
        return
    place = os.path.realpath(folder)
    if place in _held:
        return
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _held[place] = descriptor  # the lock lasts while it is open
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(f"{folder} is written by another process, which still runs") from None
    except OSError:
        os.close(descriptor)


def sweep(folder: str, seconds: float) -> None:
    """Deletes what was not written to for so long in a folder, which itself stays.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_text(folder + "/a/b.txt", "b")
        ...     sweep(folder, 60), os.listdir(folder)
        ...     sweep(folder, -1), os.listdir(folder)
        (None, ['a'])
        (None, [])
    """
    for above, _, names in os.walk(folder, topdown=False):
        old = time.time() - seconds
        with contextlib.suppress(OSError):  # it is gone, or not empty
            is_old = os.stat(above).st_mtime < old  # before anything in it goes
            for path in (os.path.join(above, name) for name in names):
                if os.stat(path).st_mtime < old:
                    os.remove(path)
            if is_old and above != folder:
                os.rmdir(above)


def flush_names(folder: str) -> None:
    """Sees to it that a folder's new and removed names are on the disk."""
    if os.name == "nt":  # which opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(path):
    """Sees to it that the content of a file, or of every file in a folder, is on the disk."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    for each in paths if os.path.isdir(path) else [path]:
        with open(each, "rb") as file:
            os.fsync(file.fileno())


def sha256(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal digits.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_text(folder + "/a.txt", "whole")
        ...     sha256(folder + "/a.txt")[:8]
        '5d5766cf'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: str, text: str) -> None:
    """Writes a text file whole, in UTF-8; what is no text in a file's name as `\\udce9`."""
    encoding = {"encoding": "utf-8", "errors": "backslashreplace"}
    with replacing(path) as temporary, open(temporary, "w", **encoding) as file:
        file.write(text)


def write_json(path: str, value) -> None:
    """Writes a JSON file whole, indented, for people to read."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_csv(path: str, rows: list[dict]) -> None:
    """Writes a CSV file whole; the columns are the rows' keys, in order of appearance.

    Text that a table program would take for a formula is quoted: `untrusted.cell`.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_csv(folder + "/a.csv", [{"image": "x.jpg", "nss": 1.5}])
        ...     open(folder + "/a.csv").read()
        'image,nss\\nx.jpg,1.5\\n'
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    # Older Pythons do not see that a return alone must be in quotes too.
    returns = any("\r" in str(value) for row in rows for value in row.values())
    quoting = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(text, columns, "", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows({name: untrusted.cell(value) for name, value in row.items()} for row in rows)
    write_text(path, text.getvalue())
