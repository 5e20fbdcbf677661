"""TFRecord shards: pictures and maps at the network's size, decoded once and kept.

For datasets that do not fit into memory: from shards a picture comes many times
faster than from its JPEG. They are files for `tf.data.TFRecordDataset`, but read
here at any record, so that a training sees the same pictures in the same order
as without them.
"""

import concurrent.futures
import json
import os
import struct
import zlib

import numpy as np

from keras_saliency import fields, files, pipeline, progress, untrusted
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf

FORMAT = 1
INDEX = "index.json"
PER_SHARD = 256  # pictures; at 192x256 about 75 MB
_HEAD, _TAIL = 12, 4  # bytes around a record: its length and two checksums


def write(
    examples: list,
    size: tuple[int, int],
    sigma: float | None,
    folder: str,
    map_size: tuple[int, int] | None = None,
    per_shard: int = PER_SHARD,
) -> None:
    """Writes examples as shards; what is there already and whole is not written again.

    Each record is a `tf.train.Example` with `name`, `stimulus` (uint8),
    `density` (float16, its largest value is 1) and `fixation_map` (uint8, counts),
    raw bytes of `(height, width, 3 or 1)`. `index.json` has their sizes, names
    and the shards' checksums.

    Args:
        examples: list of `datasets.Example`.
        size, sigma, map_size: see `pipeline.load`.
        folder: made if it is missing.
        per_shard: int, pictures a file.

    Raises:
        InputError: as `pipeline.load`; or if two examples have one name.

    Example:
        >>> import tempfile
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="train", limit=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(examples, (24, 32), synthetic.SIGMA, folder)
        ...     source = load(folder, examples, (24, 32), synthetic.SIGMA)
        ...     stimulus, density, fixation_map = source.fetch(2)
        >>> stimulus.shape, density.shape
        (TensorShape([24, 32, 3]), TensorShape([24, 32, 1]))
    """
    pipeline.check(examples, sigma)
    _check_names(examples)
    head = _head(size, map_size or size, sigma)
    index = {**head, "shards": []}
    path = os.path.join(folder, INDEX)
    if os.path.exists(path):
        there = _read_index(path)
        # What was made otherwise is of no use any more.
        index = there if {name: there[name] for name in head} == head else index
    groups = [examples[i : i + per_shard] for i in range(0, len(examples), per_shard)]
    bar = progress.Bar(len(examples), "pictures")
    for number, group in enumerate(groups):
        file = f"{number:05d}-of-{len(groups):05d}.tfrecord"
        names = {example.name: _stamp(example) for example in group}
        kept = next((shard for shard in index["shards"] if shard["file"] == file), None)
        if not (kept and kept["pictures"] == names and _whole(folder, kept)):
            shard = _write_shard(os.path.join(folder, file), group, index)
            others = [shard for shard in index["shards"] if shard["file"] != file]
            index["shards"] = [*others, {"file": file, **shard, "pictures": names}]
            files.write_json(path, index)
        bar.update(min((number + 1) * per_shard, len(examples)))
    _drop_others(folder, index, len(groups))


def load(
    folder: str,
    examples: list,
    size: tuple[int, int],
    sigma: float | None,
    map_size: tuple[int, int] | None = None,
) -> pipeline.Source:
    """What `pipeline.load` gives, from shards.

    Several workers each take their part of the examples, `examples[i::n]`.

    Args:
        folder: that `write` filled.
        examples: some of those that were written, in any order.
        size, sigma, map_size: as they were written with.

    Raises:
        InputError: if a file is missing or damaged (every checksum is
            compared), or an example is not there or was another.
    """
    path = os.path.join(folder, INDEX)
    index = _read_index(path)
    head = _head(size, map_size or size, sigma)
    for name, wanted in head.items():
        if index[name] != wanted:
            raise InputError(f"{path}: {name} is {index[name]}, wanted {wanted}; write them again")
    places = {}
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for records in threads.map(lambda shard: _records(folder, shard), index["shards"]):
            places.update(records)
    chosen = []
    for example in examples:
        stamp, record = places.get(example.name, ("", None))
        if stamp != _stamp(example):
            fault = "was another" if record else "is not there"
            raise InputError(f"{example.name} {fault} when {folder} was written; write it again")
        chosen.append(record)
    return pipeline.Source(_fetch(chosen, size, map_size or size), len(examples))


def _fetch(records, size, map_size):
    features = {
        name: tf.io.FixedLenFeature([], tf.string)
        for name in ("stimulus", "density", "fixation_map")
    }
    kinds = (tf.uint8, tf.float16, tf.uint8)

    def record(index):
        mapped, begin, end = records[index]
        return mapped[begin:end].tobytes()

    def fetch(index):
        parsed = tf.io.parse_single_example(
            tf.ensure_shape(tf.numpy_function(record, [index], tf.string), []), features
        )
        shapes = fields.shapes(size, map_size)
        return tuple(
            tf.reshape(tf.io.decode_raw(parsed[name], kind), shape)
            for name, kind, shape in zip(features, kinds, shapes, strict=True)
        )

    return fetch


def _check_names(examples):
    seen = set()
    for example in examples:
        if example.name in seen:
            raise InputError(
                f"two pictures are named {example.name}: shards cannot tell them apart"
            )
        seen.add(example.name)


def _drop_others(folder, index, count):
    """Removes what an earlier call wrote, which had another number of shards."""
    kept = [s for s in index["shards"] if s["file"].endswith(f"-of-{count:05d}.tfrecord")]
    if len(kept) < len(index["shards"]):
        files.write_json(os.path.join(folder, INDEX), {**index, "shards": kept})
    names = {shard["file"] for shard in kept}
    for file in os.listdir(folder):
        if file.endswith(".tfrecord") and file not in names:
            os.remove(os.path.join(folder, file))


def _head(size, map_size, sigma):
    return {"format": FORMAT, "size": list(size), "map_size": list(map_size), "sigma": sigma}


def _stamp(example):
    """A number that changes with what is known of the example, and with its files."""
    parts = [json.dumps([example.size, example.exif])]
    parts.append(np.asarray(example.fixations, "float32").tobytes())
    if example.density is not None:
        parts.append(np.asarray(example.density, "float32").tobytes())
    for path in (example.image_path, example.density_path if example.published else None):
        if path and os.path.exists(path):
            found = os.stat(path)
            parts.append(f"{found.st_size} {found.st_mtime_ns}")
    stamp = 0
    for part in parts:
        stamp = zlib.crc32(part.encode() if isinstance(part, str) else part, stamp)
    return f"{stamp:08x}"


def _read_index(path):
    try:
        index = untrusted.read_json(path)
        for shard in index["shards"]:
            name, pictures = shard["file"], shard["pictures"]
            sound = name == os.path.basename(name) and isinstance(pictures, dict)
            if not (sound and isinstance(shard["sha256"], str) and isinstance(shard["bytes"], int)):
                raise ValueError(name)
        return {name: index[name] for name in (*_head((), (), None), "shards")}
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; experiments/make_shards.py writes it") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is damaged or not an index of shards ({type(error).__name__}); "
            "delete the folder and write it again"
        ) from error


def _write_shard(path, examples, index):
    size, map_size = tuple(index["size"]), tuple(index["map_size"])
    arrays = fields.stacked(examples, size, map_size, index["sigma"])
    with files.replacing(path) as temporary:
        with tf.io.TFRecordWriter(temporary) as writer:
            for example, stimulus, density, counts in zip(examples, *arrays, strict=True):
                values = {"name": example.name.encode(), "stimulus": stimulus.tobytes()}
                values |= {"density": density.tobytes(), "fixation_map": counts.tobytes()}
                writer.write(_record(values))
        return {"sha256": files.sha256(temporary), "bytes": os.path.getsize(temporary)}


def _record(values):
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in values.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def _whole(folder, shard):
    path = os.path.join(folder, shard["file"])
    try:
        return os.path.getsize(path) == shard["bytes"] and files.sha256(path) == shard["sha256"]
    except OSError:
        return False


def _records(folder, shard):
    """{name: (stamp, (file in memory, begin, end))} of a shard that is as it was written."""
    path = os.path.join(folder, shard["file"])
    if not _whole(folder, shard):
        fault = "is damaged" if os.path.isfile(path) else "is missing"
        raise InputError(f"{path} {fault}; write the shards again, the others are kept")
    mapped = np.memmap(path, "uint8", "r")
    found, at = {}, 0
    for name, stamp in shard["pictures"].items():
        if at + _HEAD > len(mapped):
            raise InputError(f"{path} has fewer records than {INDEX} says; write it again")
        (length,) = struct.unpack_from("<Q", mapped, at)
        found[name] = stamp, (mapped, at + _HEAD, at + _HEAD + length)
        at += _HEAD + length + _TAIL
    return found
