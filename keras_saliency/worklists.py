"""What a bulk prediction has to do: pictures in shards, each with a list of its own."""

import collections
import hashlib
import itertools
import json
import os
import re
from typing import NamedTuple

import numpy as np

from keras_saliency import inputs, pictures, prediction, stores
from keras_saliency.errors import InputError

PER_SHARD = 1024  # pictures; of 480x640, maps of about 30 MB
_RECORDS = re.compile(r"\.tfrecords?\b|\.tfrec$")
_COMPRESSED = (".bz2", ".gz", ".xz", ".zip", ".zlib", ".zst", ".zz")


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
    return bool(_RECORDS.search(os.path.basename(path)))


def of_inputs(arguments: list[str], output: str, per_shard: int = PER_SHARD) -> Work:
    """Shards of pictures' files, so many in each, then one for every TFRecord file.

    What several arguments name is done once. Files here come before those in stores.

    Args:
        arguments: as of `inputs.find`, or patterns in a store; TFRecord files
            and patterns of them.
        output: folder that the maps go to.
        per_shard: int, a multiple of `prediction.BATCH`: batches are then those
            of all the pictures one after the other.

    Raises:
        InputError: if an argument names nothing, a TFRecord file is compressed,
            or `per_shard` is no multiple.

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
    far = [each for each in arguments if stores.is_remote(each) and not are_records(each)]
    local = [each for each in arguments if not stores.is_remote(each) and not are_records(each)]
    passed_over, stamped = collections.Counter(), []
    if local:
        found = inputs.find(local, output, needed=False)
        passed_over += found.passed_over
        clips = sum(source.is_video for source in found.sources)
        passed_over += collections.Counter({"videos": clips})
        pictured = (source for source in found.sources if not source.is_video)
        stamped += [(list(source), stores.stamp(source.path)) for source in pictured]
    in_stores, others = _in_stores(far)
    stamped += in_stores
    passed_over += collections.Counter({"no pictures": others})
    parts = []
    for i in range(0, len(stamped), per_shard):
        sources, stamps = zip(*stamped[i : i + per_shard], strict=True)
        parts.append(({"pictures": list(sources)}, list(stamps)))
    records = _records_in([each for each in arguments if are_records(each)])
    parts += [({"records": file.path}, file.stamp) for file in records]
    if not parts:
        raise InputError(f"there are no pictures in {', '.join(arguments)}")
    return Work(parts, None if records else len(stamped), passed_over)


def _in_stores(patterns):
    """The files in stores with their names, each once, and how many are no pictures."""
    named, others = {}, set()
    for pattern in patterns:
        for file in _found(pattern):
            if file.path.lower().endswith(pictures.ENDINGS):
                named.setdefault((file.path, _name(file.path, pattern)), file)
            else:
                others.add(file.path)
    sources = [([*source], file.stamp) for source, file in named.items()]
    return sources, len(others)


def _records_in(patterns):
    """The TFRecord files, each once."""
    found = {}
    for pattern in patterns:
        for file in _found(pattern):
            if file.path.lower().endswith(_COMPRESSED):
                raise InputError(f"{file.path} is compressed: unpack it first")
            known = file.path if stores.is_remote(file.path) else os.path.abspath(file.path)
            found.setdefault(known, file)
    return list(found.values())


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


def _found(argument):
    found = stores.find(argument)
    if not found:
        hint = f"; a folder's files are {argument.rstrip('/')}/**" * stores.is_remote(argument)
        raise InputError(f"no such file: {argument}{hint}")
    return found


def _name(path, pattern):
    """A file's path below the last folder of a pattern that is no pattern."""
    fixed = itertools.takewhile(lambda part: not re.search(r"[*?\[]", part), pattern.split("/"))
    folder = "/".join(fixed)
    name = os.path.basename(path) if path == folder else path[len(folder) + 1 :]
    if os.path.isabs(name) or os.pardir in name.split("/"):
        raise InputError(f"{pattern}: {path} is not below {folder} once it is a file's name")
    return name


def _stamp(example):
    """Bytes that change with what is known of the example, and with its files."""
    known = [example.name, example.size, example.exif, example.file_size]
    parts = [json.dumps(known).encode(), np.asarray(example.fixations, "float32").tobytes()]
    for array in (example.density, example.image):
        parts.append(b"" if array is None else np.ascontiguousarray(array).tobytes())
    for path in (example.image_path, example.density_path):
        parts.append(stores.stamp(path).encode() if path else b"")
    return b"\n".join(parts)
