"""What a bulk prediction has to do: pictures in shards, each with a list of its own."""

import collections
import dataclasses
import hashlib
import io
import itertools
import json
import os
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_saliency import inputs, pictures, prediction, stores
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf

PER_SHARD = 1024  # pictures; of 480x640, maps of about 30 MB
RECORDS = re.compile(r"\.tfrecords?\b|\.tfrec$")
# What a record's picture and its name are called: ours, and TensorFlow's own examples'.
IMAGE_KEYS, NAME_KEYS = ("image", "image/encoded"), ("name", "image/filename")


class Shard(NamedTuple):
    """A part of the work: `name`, by its place and its content, and the list of its pictures."""

    name: str
    content: dict


class Work(NamedTuple):
    """All there is to do.

    Args:
        parts: for each shard the list of its pictures, and what changes when
            their files do.
        count: how many pictures, or None if that is not known.
        passed_over: files that are no pictures, by kind.
    """

    parts: list[tuple[dict, object]]
    count: int | None
    passed_over: collections.Counter


def are_records(path: str) -> bool:
    """Whether a path or pattern names TFRecord files.

    Example:
        >>> [are_records(p) for p in ("a.tfrecord", "a.tfrecord-00000-of-00010", "a.jpg")]
        [True, True, False]
    """
    return bool(RECORDS.search(os.path.basename(path)))


def of_inputs(arguments: list[str], output: str, per_shard: int = PER_SHARD) -> Work:
    """Shards of pictures' files, so many in each, then one for every TFRecord file.

    Args:
        arguments: as of `inputs.find`, or patterns in a store; TFRecord files
            and patterns of them.
        output: folder that the maps go to.
        per_shard: int, a multiple of `prediction.BATCH`: batches are then those
            of all the pictures one after the other.

    Raises:
        InputError: if an argument names nothing, or `per_shard` is no multiple.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for i in range(9):
        ...         open(f"{folder}/{i}.jpg", "w").close()
        ...     work = of_inputs([folder], "", 8)
        >>> [len(content["pictures"]) for content, _ in work.parts], work.count
        ([8, 1], 9)
    """
    check_size(per_shard)
    sources, stamps, records = [], [], []
    passed_over = collections.Counter()
    for argument in arguments:
        if are_records(argument):
            records += _found(argument)
        elif stores.is_remote(argument):
            for file in _found(argument):
                if file.path.lower().endswith(pictures.ENDINGS):
                    sources.append([file.path, _name(file.path, argument)])
                    stamps.append(file.stamp)
                else:
                    passed_over["no pictures"] += 1
        else:
            found = inputs.find([argument], output)
            passed_over += found.passed_over
            for source in found.sources:
                if source.is_video:
                    passed_over["videos"] += 1
                else:
                    sources.append(list(source))
                    stamps.append(stores.stamp(source.path))
    parts = []
    for i in range(0, len(sources), per_shard):
        part = slice(i, i + per_shard)
        parts.append(({"pictures": sources[part]}, stamps[part]))
    parts += [({"records": file.path}, file.stamp) for file in records]
    if not parts:
        raise InputError(f"there are no pictures in {', '.join(arguments)}")
    return Work(parts, None if records else len(sources), passed_over)


def of_examples(examples: list, per_shard: int = PER_SHARD) -> Work:
    """Shards of a dataset's examples, to be predicted and scored.

    Args:
        examples: list of `datasets.Example`.
        per_shard: see `of_inputs`.
    """
    check_size(per_shard)
    # The other pictures' fixations are in every picture's scores.
    everyone = hashlib.sha256()
    for example in examples:
        everyone.update(_stamp(example))
    count, stamp = len(examples), everyone.hexdigest()
    firsts = range(0, count, per_shard)
    parts = [({"examples": [i, min(i + per_shard, count)]}, stamp) for i in firsts]
    return Work(parts, count, collections.Counter())


def shards(work: Work, settings) -> list[Shard]:
    """The shards with their names: what was made otherwise, or of other files, has another.

    Args:
        work: of `of_inputs` or `of_examples`.
        settings: whatever else the maps depend on; JSON.

    Example:
        >>> work = Work([({"pictures": [["a.jpg", "a.jpg"]]}, "1")], 1, collections.Counter())
        >>> [shards(work, fit)[0].name for fit in ("stretch", "letterbox")]
        ['000000-6798cd0f53e0', '000000-882e21f283e4']
    """
    named = []
    for index, (content, stamp) in enumerate(work.parts):
        text = json.dumps([content, stamp, settings], sort_keys=True).encode()
        named.append(Shard(f"{index:06d}-{hashlib.sha256(text).hexdigest()[:12]}", content))
    return named


def check_size(per_shard: int) -> None:
    """Raises `InputError` unless shards of so many pictures are whole batches."""
    if per_shard % prediction.BATCH:
        raise InputError(
            f"pictures a shard must be a multiple of {prediction.BATCH}, which the network sees "
            f"at a time. Received: {per_shard}"
        )


def read(content: dict, examples: list | None = None):
    """Yields what a shard's list names, as `prediction.each` takes it.

    A TFRecord file that is damaged ends in a picture whose `read` raises.

    Args:
        content: of a `Shard`.
        examples: the dataset, if the list is of one.
    """
    if "examples" in content:
        for index in range(*content["examples"]):
            yield Scored(index, examples[index])
    elif "records" in content:
        yield from _records(content["records"])
    else:
        for path, name in content["pictures"]:
            yield Encoded(path, name, lambda path=path: stores.read(path))


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A picture of a dataset, at its place there."""

    index: int
    example: object

    @property
    def name(self):
        return self.example.name

    @property
    def path(self):
        return self.example.image_path or self.name

    def read(self):
        return _guarded(lambda: pictures.of(self.example), self.path)


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """A picture as its file's bytes, wherever they come from.

    Args:
        path: by which messages name it.
        name: its map's.
        content: gives the bytes, or raises `InputError`.
    """

    path: str
    name: str
    content: Callable[[], bytes]

    def read(self) -> np.ndarray:
        """As `inputs.Picture.read`."""
        return _guarded(lambda: pictures.read(_Named(self.content(), self.path)), self.path)


class _Named(io.BytesIO):
    """Bytes that a message calls by a path."""

    def __init__(self, content, path):
        super().__init__(content)
        self.path = path

    def __str__(self):
        return self.path


def _guarded(read, path):
    try:
        return read()
    except InputError:
        raise
    except Exception as error:  # whatever it is, it must not end the others
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{path} cannot be read ({reason})") from error


def _found(argument):
    found = stores.find(argument)
    if not found:
        raise InputError(f"no such file: {argument}")
    return found


def _name(path, pattern):
    """A file's path below the last folder of a pattern that is no pattern."""
    fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), pattern.split("/"))
    folder = "/".join(fixed)
    return os.path.basename(path) if path == folder else path[len(folder) + 1 :]


def _stamp(example):
    """Bytes that change with what is known of the example, and with its files."""
    known = [example.name, example.size, example.exif, example.file_size]
    parts = [json.dumps(known).encode(), np.asarray(example.fixations, "float32").tobytes()]
    for array in (example.density, example.image):
        parts.append(b"" if array is None else np.ascontiguousarray(array).tobytes())
    for path in (example.image_path, example.density_path):
        parts.append(stores.stamp(path).encode() if path else b"")
    return b"\n".join(parts)


def _records(path):
    stem, count = os.path.basename(path), 0
    try:
        with stores.here(path) as file:
            for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
                yield _record(record, f"{path}, record {count}", f"{stem}/{count:06d}")
                count += 1
    except (tf.errors.OpError, OSError):
        fault = InputError(f"{path} is damaged behind {count} records: the others are lost")
        yield inputs.Picture(path, stem, fault)


def _record(record, path, name):
    """One record's picture; what is wrong with it is raised when it is read."""
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's own kinds, which differ between its versions
        fault = InputError(f"{path} is no tf.train.Example ({_first(error)})")
        return inputs.Picture(path, name, fault)
    found = {key: list(features[key].bytes_list.value) for key in features}
    image, called = (
        next((found[key][0] for key in keys if found.get(key)), None)
        for keys in (IMAGE_KEYS, NAME_KEYS)
    )
    name = called.decode(errors="surrogateescape") if called else name
    if image is None:
        fault = InputError(f"{path} has no bytes called {' or '.join(IMAGE_KEYS)}")
        return inputs.Picture(path, name, fault)
    return Encoded(path, name, lambda: image)


def _first(error):
    return str(error).partition("\n")[0] or type(error).__name__
