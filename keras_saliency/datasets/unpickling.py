"""Pickles of arrays, text and numbers; any other is refused before it can do anything.

A pickle is a program: what it names, Python imports and calls. Here it gets
nothing to call but a few functions of this file, which stand in for those that
NumPy and Python themselves write into a pickle of arrays, and which take only
what they write.
"""

import pickle
import re

import numpy as np

from keras_saliency.errors import InputError

# Bool, whole numbers, floats and text. No objects: they could be anything.
DTYPES = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|f16|[SU][1-9]\d{0,3})")


def load(path: str):
    """What a pickle holds, if that is arrays, text, numbers, and lists, tuples and dicts of them.

    Reads what Python 2 or 3 wrote, in any protocol, with any version of NumPy.

    Args:
        path: the file. It is not trusted.

    Returns: the object. For an array it holds something that `numpy.asarray`
        makes one of, without a copy; what was `str` in Python 2 is bytes.

    Raises:
        InputError: names the file that is missing, no pickle, damaged, or
            holds anything else. Nothing of it was run.

    Example:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "a.pkl")
        ...     with open(path, "wb") as file:
        ...         pickle.dump({"X": np.arange(3), "file_name": "a.jpg"}, file)
        ...     found = load(path)
        >>> np.asarray(found["X"]).tolist(), found["file_name"]
        ([0, 1, 2], 'a.jpg')
    """
    try:
        with open(path, "rb") as file:
            # Python 2's text as bytes: its arrays come as text, gigabytes of it.
            return _Unpickler(file, encoding="bytes").load()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    except _RefusedError as error:
        raise InputError(
            f"{path} is refused: it {error}; a pickle of pictures holds only arrays, text, "
            "numbers, and lists, tuples and dicts of them"
        ) from None
    except MemoryError:
        raise InputError(f"{path} does not fit into this machine's memory") from None
    except Exception as error:  # on damaged files pickle raises whatever its opcodes run into
        raise InputError(
            f"{path} cannot be read as a pickle ({type(error).__name__}): "
            "it is cut off, damaged, or another kind of file"
        ) from None


class _RefusedError(Exception):
    """Says what is wrong with a pickle that is not broken."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        # Looked up as it is written: a dotted name would reach into what is admitted.
        if (module, name) not in ADMITTED:
            wanted = f"{module}.{name}"
            raise _RefusedError(f"names {wanted[:80]!a}")
        return ADMITTED[module, name]


class _Callable:
    """A function that a pickle may call and cannot change."""

    __slots__ = ("function",)

    def __init__(self, function):
        self.function = function

    def __call__(self, *args):
        return self.function(*args)

    def __setstate__(self, state):  # or pickle would set its attributes
        raise _RefusedError("changes a function")


class _Array:
    """Becomes an array when pickle gives it its state."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    def __setstate__(self, state):
        *_, shape, dtype, fortran, data = state
        if isinstance(data, list):
            raise _RefusedError("holds an array of objects")
        self.array = _from_buffer(data, dtype, shape, "F" if fortran else "C").array

    def __array__(self, dtype=None, copy=None):
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy else array


class _Dtype:
    """NumPy's own would let a pickle change the byte order of every float in the program."""

    __slots__ = ("dtype",)

    def __init__(self, dtype):
        self.dtype = dtype

    def __setstate__(self, state):
        order, *parts = state[1:5]
        if any(part is not None for part in parts):
            raise _RefusedError("holds an array of records")
        order = _text(order)
        self.dtype = self.dtype.newbyteorder({"|": "="}.get(order, order))


def _make_dtype(text, align=False, copy=False):
    text = _text(text)
    if not DTYPES.fullmatch(text):
        raise _RefusedError(f"holds an array of type {text[:20]!a}")
    return _Dtype(np.dtype(text))


def _reconstruct(kind, shape, dtype):
    if kind is not NDARRAY:
        raise _RefusedError("holds an array of an unknown class")
    return _Array(np.empty(0))


def _from_buffer(data, dtype, shape, order, axes=None):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    flat = np.frombuffer(data, dtype.dtype) if len(data) else np.empty(0, dtype.dtype)
    if order == "K" and axes is not None:
        return _Array(flat.reshape(shape).transpose(axes))
    return _Array(flat.reshape(shape, order=order))


def _ndarray(*_):
    raise _RefusedError("makes an array as NumPy never writes it")


def _scalar(dtype, data):
    return np.frombuffer(data, dtype.dtype, 1)[0]


def _latin1(text, encoding):
    """How Python 3 writes bytes for Python 2; any other codec might do anything."""
    if encoding != "latin1":
        raise _RefusedError(f"names the codec {str(encoding)[:40]!a}")
    return text.encode("latin1")


def _text(text):
    return text.decode("latin1") if isinstance(text, bytes) else str(text)


NDARRAY = _Callable(_ndarray)
ADMITTED = {
    ("numpy", "ndarray"): NDARRAY,
    ("numpy", "dtype"): _Callable(_make_dtype),
    ("_codecs", "encode"): _Callable(_latin1),
    **{(m, "bytes"): _Callable(lambda: b"") for m in ("builtins", "__builtin__")},
    **{
        (f"numpy.{core}.{module}", name): _Callable(function)
        for core in ("core", "_core")  # before and since NumPy 2
        for module, name, function in (
            ("multiarray", "_reconstruct", _reconstruct),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
