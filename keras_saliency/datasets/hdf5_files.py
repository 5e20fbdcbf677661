"""HDF5 files, looked over before they are read.

A hostile file of some kilobytes can declare terabytes of zeros, unpack to
gigabytes, or point into other files of the machine; here it is refused.
"""

import contextlib
import math
import os
import struct

import numpy as np

from keras_saliency.errors import InputError

MOST_BYTES = 128 * 1024**2  # of all that is read from a file, or
MOST_RATIO = 8  # so many times the file's size, if that is more
MOST_PACKED = 256 * 1024  # bytes of a compressed chunk; gzip's unpack to 1032 times as many
MOST_TEXT = 64 * 1024  # bytes of an attribute
GZIP, SHUFFLE, CHECKSUM = 1, 2, 3  # HDF5's numbers of its filters

# How HDF5 stores texts and lists of different lengths, each in a place of its own.
_ENTRY = struct.Struct("<IQI")  # length, address of a heap, index in it
_HEAP = struct.Struct("<5s3xQ")  # mark and version, size
_OBJECT = struct.Struct("<H6xQ")  # index, length


@contextlib.contextmanager
def reading(path: str):
    """Opens a file for as long as the block runs, and yields its `Reader`.

    Args:
        path: the file. It is not trusted.

    Raises:
        InputError: names the file that is missing, damaged, no HDF5, or asks
            for more than it should hold; also if the block finds it so.

    Example:
        >>> import h5py, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with h5py.File(folder + "/a.hdf5", "w") as file:
        ...         file["x"] = [1.0, 2.0]
        ...     with reading(folder + "/a.hdf5") as file:
        ...         file.numbers("x", "float32").tolist()
        [1.0, 2.0]
    """
    import h5py

    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}")
    try:
        with h5py.File(path, "r") as file:
            yield Reader(file, path)
    except InputError:
        raise
    except (Exception, MemoryError) as error:  # h5py raises half a dozen kinds on damaged files
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"{path} cannot be read as HDF5 ({reason}); it is damaged or another kind of file"
        ) from error


class Reader:
    """What of an open HDF5 file is safe to read: numbers, texts, and attributes that are text.

    All that is read counts; more than `MOST_BYTES`, or `MOST_RATIO` times the
    file's size if that is more, is refused before it is read. So are links,
    what lies in other files, and filters other than gzip's.

    Args:
        file: an open `h5py.File`.
        path: its path, for messages.
    """

    def __init__(self, file, path: str):
        self.file, self.path = file, path
        self.size = os.path.getsize(path)
        self.left = max(MOST_BYTES, MOST_RATIO * self.size)

    def has(self, name: str) -> bool:
        """Whether the file has a dataset or group; `name` may be a path, like "a/b"."""
        return self._find(name) is not None

    def attribute(self, name: str, of: str = "/") -> str:
        """An attribute's text, of the file or of a group in it; "" if there is none."""
        import h5py

        attributes = self._found(of).attrs
        if name not in attributes:
            return ""
        raw = attributes.get_id(name)
        text = h5py.check_string_dtype(raw.dtype)
        # Of a text without a fixed length, the file could say that it has gigabytes.
        if raw.shape != () or not text or not text.length or text.length > MOST_TEXT:
            self._refuse(f"its attribute {name} is no text of a fixed, moderate length")
        return attributes[name].decode("utf-8")

    def is_text(self, name: str) -> bool:
        """Whether a dataset holds texts."""
        import h5py

        return h5py.check_string_dtype(self._dataset(name).dtype) is not None

    def numbers(self, name: str, dtype: str | None = None, dimensions=(1,)) -> np.ndarray:
        """A dataset of numbers.

        Args:
            name: its path in the file.
            dtype: what the numbers become; by default they stay what they are.
            dimensions: how many it may have.
        """
        dataset = self._dataset(name)
        kind, shape = dataset.dtype, dataset.shape
        if kind.kind not in "iuf" or kind.itemsize > 16 or len(shape) not in dimensions:
            expected = " or ".join(map(str, dimensions))
            self._refuse(f"{name} is no array of numbers with {expected} dimensions")
        wanted = np.dtype(dtype or kind)
        self._count(math.prod(shape) * max(kind.itemsize, wanted.itemsize), name)
        self._check_chunks(dataset, name)
        return dataset.astype(wanted)[...]

    def texts(self, name: str) -> list[str]:
        """A dataset of texts, decoded."""
        dataset = self._dataset(name)
        if not self.is_text(name) or len(dataset.shape) != 1:
            self._refuse(f"{name} is no list of texts")
        if dataset.dtype.kind == "S":
            self._count(math.prod(dataset.shape) * dataset.dtype.itemsize, name)
            self._check_chunks(dataset, name)
            found = dataset[...]
        else:
            found = self._entries(dataset, name, 1)
        return [text.decode("utf-8").rstrip("\0") for text in found]

    def lists(self, name: str) -> list[np.ndarray]:
        """A dataset of lists of whole numbers, of different lengths."""
        import h5py

        dataset = self._dataset(name)
        if len(dataset.shape) == 2:
            return list(self.numbers(name, dimensions=(2,)))
        kind = None if self.is_text(name) else h5py.check_vlen_dtype(dataset.dtype)
        if kind is None or np.dtype(kind).kind not in "iu":
            self._refuse(f"{name} holds no lists of whole numbers")
        entries = self._entries(dataset, name, kind.itemsize)
        return [np.frombuffer(entry, kind) for entry in entries]

    def _entries(self, dataset, name, itemsize):
        """The bytes of texts or lists, which a file holds apart, each with its own length.

        HDF5 itself does not survive wrong ones: it makes room for whatever
        length is written there, or never comes back.
        """
        count, start = math.prod(dataset.shape), dataset.id.get_offset()
        if not count:
            return []
        sizes = self.file.id.get_create_plist().get_sizes()
        if dataset.chunks or start is None or self.file.userblock_size or sizes != (8, 8):
            self._refuse(f"{name} is stored in another way than pysaliency's; write it anew")
        self._count(count * _ENTRY.size, name)
        with open(self.path, "rb") as file:
            file.seek(start)
            table = file.read(count * _ENTRY.size)
            if len(table) < count * _ENTRY.size:
                self._refuse(f"{name} reaches beyond the end")
            entries, heaps = [], {}
            for length, address, index in _ENTRY.iter_unpack(table):
                if length and address not in heaps:
                    heaps[address] = self._heap(file, address, name)
                entry = heaps[address].get(index, b"") if length else b""
                if len(entry) < length * itemsize:
                    self._refuse(f"{name} has an entry that is longer than what is there of it")
                self._count(length * itemsize, name)
                entries.append(bytes(entry[: length * itemsize]))
        return entries

    def _heap(self, file, address, name):
        """HDF5's "global heap collection" at an address: {index: bytes}."""
        file.seek(min(address, self.size))
        head = file.read(_HEAP.size)
        mark, size = _HEAP.unpack(head) if len(head) == _HEAP.size else (b"", 0)
        if mark != b"GCOL\1" or not _HEAP.size <= size <= self.size:
            self._refuse(f"{name} points to nothing")
        self._count(size, name)
        content, at, found = memoryview(file.read(size - _HEAP.size)), 0, {}
        while at + _OBJECT.size <= len(content):
            index, length = _OBJECT.unpack_from(content, at)
            if not index:  # the rest is free
                break
            at += _OBJECT.size
            found[index] = content[at : at + length]
            at += -(-length // 8) * 8
        return found

    def _dataset(self, name):
        import h5py

        found = self._found(name)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            self._refuse(f"{name} is no array")
        if found.is_virtual or found.external:
            self._refuse(f"{name} lies in other files")
        return found

    def _found(self, name):
        found = self._find(name)
        if found is None:
            self._refuse(f"it has no {name}")
        return found

    def _find(self, name):
        """What has this name, or None; whatever a link stands for is not looked at."""
        import h5py

        found = self.file
        for part in filter(None, name.split("/")):
            link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                self._refuse(f"{name} is a link to somewhere else")
            found = found[part]
        return found

    def _check_chunks(self, dataset, name):
        """A chunk is unpacked whole, whatever is wanted of it, and whatever that takes."""
        if not dataset.chunks:
            return
        if math.prod(dataset.chunks) * dataset.dtype.itemsize > max(MOST_BYTES, self.size):
            self._refuse(f"{name} has chunks larger than the file")
        settings = dataset.id.get_create_plist()
        filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
        if not {GZIP, SHUFFLE, CHECKSUM}.issuperset(filters) or len(set(filters)) < len(filters):
            self._refuse(f"{name} is compressed in another way than gzip's; write it anew")
        packed = []
        if filters:
            dataset.id.chunk_iter(lambda chunk: packed.append(chunk.size))
        if max(packed, default=0) > MOST_PACKED:
            self._refuse(f"{name} has compressed chunks of more than {MOST_PACKED} bytes")

    def _count(self, size, name):
        self.left -= size
        if self.left < 0:
            self._refuse(f"{name} asks for {size} bytes, the whole file has {self.size}")

    def _refuse(self, reason):
        raise InputError(f"{self.path} is refused: {reason}")
