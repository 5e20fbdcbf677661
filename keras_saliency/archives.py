"""Archives, unpacked without trust: whole or not at all, and nowhere but into their folder."""

import contextlib
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile

from keras_saliency import progress
from keras_saliency.errors import InputError

MOST_FILES = 1_000_000  # in an archive
MOST_BYTES = 1024**3  # of it when unpacked, or
MOST_RATIO = 30  # so many times its size, if that is more
JUNK = ("__MACOSX", ".DS_Store", ".svn")  # left out
MB = 1024**2


def unpack(archive: str, folder: str) -> list[str]:
    """Unpacks a zip or tar archive aside; when all of it is there, it moves into the folder.

    Nothing of it may lie outside the folder or be a link, and nothing in the
    folder is overwritten. What Macs add (`__MACOSX`) is left out.

    Args:
        archive: the file.
        folder: made if it is missing.

    Returns: names of the folders and files that have come into `folder`.

    Raises:
        InputError: if it is no archive, damaged, protected by a password or not
            to be trusted, if there is no room for it, or something of it is
            there already.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with zipfile.ZipFile(folder + "/a.zip", "w") as file:
        ...         file.writestr("pictures/1.txt", "looked")
        ...     unpack(folder + "/a.zip", folder), open(folder + "/pictures/1.txt").read()
        (['pictures'], 'looked')
    """
    if not os.path.isfile(archive):
        raise InputError(f"no such file: {archive}")
    try:
        os.makedirs(folder, exist_ok=True)
        with contextlib.ExitStack() as stack:
            members = _checked(_members(archive, stack), archive, folder)
            roots = sorted({parts[0] for parts, *_ in members})
            room = tempfile.mkdtemp(dir=folder, prefix=".unpacking-")
            stack.callback(shutil.rmtree, room, ignore_errors=True)
            _write(members, room)
            _move(roots, room, folder)
        return roots
    except InputError:
        raise
    except Exception as error:  # zipfile and tarfile raise a dozen kinds on damaged files
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(
            f"{archive} cannot be unpacked into {folder} ({reason}); "
            "if it is damaged, remove it and fetch it again"
        ) from error


def _members(archive, stack):
    """Name, size, whether it is a link or the like, and how to open it (None: a folder)."""
    if zipfile.is_zipfile(archive):
        file = stack.enter_context(zipfile.ZipFile(archive))
        for each in file.infolist():
            kind = stat.S_IFMT(each.external_attr >> 16)
            odd = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            how = None if each.is_dir() else (lambda each=each: file.open(each))
            yield each.filename, each.file_size, odd, how
    elif tarfile.is_tarfile(archive):
        file = stack.enter_context(tarfile.TarFile.open(archive))
        for each in file:
            how = None if each.isdir() else (lambda each=each: file.extractfile(each))
            yield each.name, each.size, not (each.isfile() or each.isdir()), how
    else:
        raise InputError(f"{archive} is no zip or tar archive: remove it and fetch it again")


def _checked(members, archive, folder):
    """The parts of the name, and how to open it, of each that is wanted."""
    most = max(MOST_BYTES, MOST_RATIO * os.path.getsize(archive))
    total, chosen = 0, []
    for name, size, odd, how in members:
        path = name.replace("\\", "/")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if path.startswith("/") or ".." in parts or re.match("[A-Za-z]:", path):
            raise InputError(f"{archive} is not to be trusted: {name!r} lies outside its folder")
        if odd:
            raise InputError(f"{archive} is not to be trusted: {name!r} is a link or a device")
        total += size
        if total > most or len(chosen) >= MOST_FILES:
            raise InputError(
                f"{archive} is not to be trusted: it unpacks to more than {most // MB} MB "
                f"or {MOST_FILES} files"
            )
        if parts and not set(parts) & set(JUNK):
            chosen.append((parts, how))
    for root in sorted({parts[0] for parts, *_ in chosen}):
        if os.path.lexists(os.path.join(folder, root)):
            there = os.path.join(folder, root)
            raise InputError(f"{there} is there already; move it away to unpack {archive}")
    if not any(how for *_, how in chosen):
        raise InputError(f"{archive} holds no files")
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(
            f"no room to unpack {archive}: {total // MB} MB are needed, {free // MB} free"
        )
    return chosen


def _write(members, room):
    bar = progress.Bar(len(members), "files")
    for i, (parts, how) in enumerate(members, 1):
        path = os.path.join(room, *parts)
        os.makedirs(path if how is None else os.path.dirname(path), exist_ok=True)
        if how is not None:
            with how() as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, MB)
        bar.update(i)


def _move(roots, room, folder):
    moved = []
    try:
        for root in roots:
            os.rename(os.path.join(room, root), os.path.join(folder, root))
            moved.append(root)
    except OSError:
        for root in moved:
            os.rename(os.path.join(folder, root), os.path.join(room, root))
        raise
