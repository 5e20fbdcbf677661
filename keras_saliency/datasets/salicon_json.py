"""SALICON's JSON of 2015, read one annotation after the other.

The train set's file has 818 MB: decoded at once it would take 8 GB.
"""

import itertools
import json
import os

import numpy as np

from keras_saliency import progress
from keras_saliency.errors import InputError

CHUNK = 2**20  # characters read at a time
MOST = 2**26  # characters of one value; an annotation has about 2,000

_SIZES = "as published, fixations_train2014.json has 818 MB and fixations_val2014.json 459 MB"


def read(path: str, names: list[str]) -> dict:
    """Where people looked at some pictures.

    Takes the memory of these pictures' fixations, whatever the file's size.

    Args:
        path: a file in COCO's manner: a list `images`, of which `id`,
            `file_name`, `height` and `width` are read, and a list
            `annotations`: `image_id`, `worker_id`, and `fixations`, a list of
            [row, column] that count from 1.
        names: file names of pictures; those that the file does not know are
            left out.

    Returns: {name: (size, fixations, observers)}: `(height, width)`, float32
        `(n, 2)` of x and y that count from 0, and int32 `(n,)`, the workers.

    Raises:
        InputError: names the file that is missing, cut off, damaged or another.

    Example:
        >>> import tempfile
        >>> image = {"id": 9, "file_name": "a.jpg", "height": 3, "width": 4}
        >>> annotation = {"image_id": 9, "worker_id": 7, "fixations": [[1, 1], [3, 4]]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(folder + "/a.json", "w") as file:
        ...         json.dump({"images": [image], "annotations": [annotation]}, file)
        ...     size, fixations, observers = read(folder + "/a.json", ["a.jpg"])["a.jpg"]
        >>> size, fixations.tolist(), observers.tolist()
        ((3, 4), [[0.0, 0.0], [3.0, 2.0]], [7, 7])
    """
    names = set(names)
    images, looked, keys, count = {}, {}, set(), 0
    key = None
    try:
        for key, value in _members(path):
            keys.add(key)
            if key == "images":
                images[value["id"]] = _image(value)
            elif key == "annotations":
                count += 1
                image = value["image_id"]
                # The pictures may come last: then all of them may be wanted.
                if not images or (image in images and images[image][0] in names):
                    looked.setdefault(image, []).append(_points(value))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, _BrokenError):
            raise InputError(
                f"{path} is cut off or damaged ({error}, after {count} annotations): "
                f"fetch it again; {_SIZES}"
            ) from error
        raise InputError(
            f"{path} is not SALICON's ({str(key)[:40]!a} has an entry that is not as expected: "
            f"{type(error).__name__} {str(error)[:80]!a}); {_SIZES}"
        ) from error
    except (OSError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error})") from error
    if not {"images", "annotations"} <= keys:
        raise InputError(
            f"{path} is not SALICON's: it has no list of images, or none of annotations; {_SIZES}"
        )
    return {
        name: (size, *_joined(looked.pop(image, [])))
        for image, (name, size) in images.items()
        if name in names
    }


def _image(value):
    name = os.path.basename(value["file_name"])
    return name, (int(value["height"]), int(value["width"]))


def _points(value):
    """Row, column, row, column, ... and who looked."""
    pairs, worker = value["fixations"], int(value["worker_id"])
    if not isinstance(pairs, list) or set(map(type, pairs)) - {list} or set(map(len, pairs)) - {2}:
        raise ValueError("fixations are not pairs")
    if not -(2**31) <= worker < 2**31:
        raise ValueError("worker_id is too large")
    # Twice as fast as `np.asarray`, for 70 million points.
    return np.fromiter(itertools.chain.from_iterable(pairs), "float32"), worker


def _joined(looked):
    """float32 `(n, 2)`, x and y from 0, and int32 `(n,)`."""
    if not looked:
        return np.zeros((0, 2), "float32"), np.zeros(0, "int32")
    points, workers = zip(*looked, strict=True)
    observers = np.repeat(np.asarray(workers, "int32"), [len(each) // 2 for each in points])
    return np.concatenate(points).reshape(-1, 2)[:, ::-1] - 1, observers


def _members(path):
    """Key and value of an object in turn; where the value is a list, of each of its items."""
    with open(path, encoding="utf-8") as file:
        stream = _Stream(file, os.path.getsize(path))
        stream.skip("{")
        while stream.next() != "}":
            key = stream.value()
            stream.skip(":")
            if stream.next() == "[":
                stream.skip("[")
                while stream.next() != "]":
                    yield key, stream.value()
                    stream.skip_comma("]")
                stream.skip("]")
            else:
                yield key, stream.value()
            stream.skip_comma("}")
        stream.skip("}")


class _BrokenError(ValueError):
    """The text is no JSON."""


class _Stream:
    """Values and signs of a JSON text, of which a part is held at a time."""

    def __init__(self, file, size):
        self.file = file
        self.text, self.at = "", 0
        self.read = 0  # characters, all but a byte each
        self.bar = progress.Bar(size // 10**6, f"MB of {os.path.basename(file.name)}")
        self.decode = json.JSONDecoder().raw_decode

    def more(self):
        """Reads on, the longer the longer a value is; False at the end."""
        rest = self.text[self.at :]
        try:
            chunk = self.file.read(max(CHUNK, len(rest)))
        except UnicodeDecodeError:
            raise _BrokenError("no text") from None
        self.text, self.at = rest + chunk, 0
        self.read += len(chunk)
        self.bar.update(self.read // 10**6)
        return bool(chunk)

    def next(self):
        """The sign that comes next, white space left out."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in " \t\r\n":
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                raise _BrokenError("it ends too early")

    def skip(self, sign):
        if self.next() != sign:
            raise _BrokenError(f"{sign!r} was expected, {self.next()!r} found")
        self.at += 1

    def skip_comma(self, end):
        """The comma before another item, or nothing before the end."""
        if self.next() != end:
            self.skip(",")

    def value(self):
        self.next()
        while True:
            try:
                value, end = self.decode(self.text, self.at)
                # A number at the end of the part may go on.
                if end < len(self.text) or not self.more():
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > MOST:
                    raise _BrokenError(error.msg) from error
                if not self.more():
                    raise _BrokenError("it ends too early") from error
