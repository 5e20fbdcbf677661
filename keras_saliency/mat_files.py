"""MATLAB's .mat files, looked over before SciPy reads them.

A damaged or hostile file of a kilobyte can ask SciPy for gigabytes, or for a
recursion that ends the process; here it is refused.
"""

import math
import os
import struct
import zlib

from scipy import io

from keras_saliency import untrusted
from keras_saliency.errors import InputError

MOST_BYTES = 64 * 1024**2  # of a variable when unpacked, or
MOST_RATIO = 40  # so many times the file's size, if that is more
MOST_FILE = 4096 * untrusted.MB  # it is read whole
MOST_NESTED = 20  # cells in structs in cells

_COMPRESSED, _MATRIX = 15, 14  # types of elements
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE = 1, 2, 3, 4, 5  # classes of matrices; numbers follow


def read(path: str, *names: str, simplify: bool = False) -> list:
    """Some variables of a .mat file.

    Args:
        path: a file of MATLAB 5 to 7 (not 7.3, which is HDF5).
        *names: of the variables.
        simplify: structs as dicts, cells as lists or arrays, and whatever has
            one element as that element; else as `scipy.io.loadmat`.

    Returns: the variables, in the order of `names`.

    Raises:
        InputError: names the file that is missing, damaged, too large when
            unpacked, or lacks a variable.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     io.savemat(folder + "/a.mat", {"I": np.eye(2), "other": 1.0})
        ...     read(folder + "/a.mat", "I")[0].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}")
    try:
        _look_over(path)
        found = io.loadmat(path, variable_names=names, simplify_cells=simplify)
        lacking = [name for name in names if name not in found]
        there = [name for name, *_ in io.whosmat(path)] if lacking else []
    except Exception as error:  # SciPy raises half a dozen kinds on damaged files
        if isinstance(error, NotImplementedError):
            reason = "it is of MATLAB 7.3: save it with -v7"
        elif isinstance(error, _ExcessError):
            reason = f"{error}; it is damaged or hostile: fetch it again"
        else:
            reason = f"{type(error).__name__}: it is damaged or another file; fetch it again"
        raise InputError(f"{path} cannot be read as a .mat file ({reason})") from error
    if lacking:
        held = ", ".join(there[:9]) if there else "nothing"
        held = held[:200].encode("ascii", "backslashreplace").decode()
        raise InputError(f"{path} has no variable {lacking[0]!r}; it holds {held}")
    return [found[name] for name in names]


class _ExcessError(ValueError):
    pass


def _look_over(path):
    """Raises `_ExcessError` if the file asks for more than it holds."""
    data = untrusted.read_bytes(path, MOST_FILE)
    if data[124:128] == b"\0\x01IM":
        order = "<"
    elif data[124:128] == b"\x01\0MI":
        order = ">"
    else:
        return  # of another version, which SciPy tells; version 4 has no nested arrays
    most = max(MOST_BYTES, MOST_RATIO * len(data))
    for kind, content in _elements(memoryview(data)[128:], order):
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacked = unpacker.decompress(content, most)
            if unpacker.unconsumed_tail:
                raise _ExcessError(f"it has a variable of more than {most} bytes")
            for kind, inner in _elements(memoryview(unpacked), order):
                if kind == _MATRIX:
                    _check_matrix(inner, order, 0)
        elif kind == _MATRIX:
            _check_matrix(content, order, 0)


def _elements(data, order):
    """Type and content of one element after another."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # a small one: content in the tag
            yield kind & 0xFFFF, data[at + 4 : at + 4 + min(kind >> 16, 4)]
            at += 8
            continue
        if size > len(data) - at - 8:
            raise _ExcessError("an element reaches beyond the end")
        yield kind, data[at + 8 : at + 8 + size]
        # Compressed elements are not padded to 8 bytes.
        at += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)


def _check_matrix(data, order, depth):
    if depth > MOST_NESTED:
        raise _ExcessError("it is nested too deeply")
    if not len(data):  # how an empty one may be written
        return
    matrix_class = struct.unpack_from(order + "I", data, 8)[0] & 0xFF
    if matrix_class > _SPARSE:
        return  # NumPy refuses a shape that the numbers do not fill
    parts = _elements(data, order)
    next(parts)
    _, shape = next(parts)
    count = math.prod(struct.unpack(f"{order}{len(shape) // 4}i", shape))
    if count < 0 or (matrix_class in (_CHAR, _SPARSE) and count > max(8 * len(data), 64)):
        raise _ExcessError("an array is said to be larger than its content")
    if matrix_class in (_CHAR, _SPARSE):
        return
    # Each element of theirs has a tag of 8 bytes at least.
    if 8 * count > len(data):
        raise _ExcessError("an array is said to be larger than its content")
    for kind, inner in parts:
        if kind == _MATRIX:
            _check_matrix(inner, order, depth + 1)
