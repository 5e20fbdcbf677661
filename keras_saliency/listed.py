"""The pictures that a shard's list names, one by one: files, records, a dataset's examples."""

import dataclasses
import io
import os
from collections.abc import Callable

import numpy as np

from keras_saliency import inputs, pictures, stores
from keras_saliency.errors import InputError, reason
from keras_saliency.tensorflow_only import tf

# What a record's picture and its name are called: ours, and TensorFlow's own examples'.
IMAGE_KEYS, NAME_KEYS = ("image", "image/encoded"), ("name", "image/filename")


def read(content: dict, examples: list | None = None):
    """Yields what a shard's list names, as `prediction.each` takes it.

    A TFRecord file that is damaged ends in a `Damage`, whose `read` raises.

    Args:
        content: of a `worklists.Shard`.
        examples: the dataset, if the list is of one.

    Raises:
        InputError: if a TFRecord file cannot be had, which another time it may.
    """
    if "examples" in content:
        for index in range(*content["examples"]):
            yield Scored(index, examples[index])
    elif "records" in content:
        yield from _records(content["records"])
    else:
        for path, name in content["pictures"]:
            if stores.is_remote(path):
                yield Encoded(path, name, lambda p=path: stores.read(p, pictures.MAX_BYTES))
            else:
                yield inputs.Picture(path, name)


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
        return inputs.guarded(lambda: pictures.of(self.example), self.path)


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
        return inputs.guarded(lambda: pictures.read(_Named(self.content(), self.path)), self.path)


class _Named(io.BytesIO):
    """Bytes that a message calls by a path."""

    def __init__(self, content, path):
        super().__init__(content)
        self.path = path

    def __str__(self):
        return self.path


class Damage(inputs.Picture):
    """No picture: in its place, what is wrong with the rest of a TFRecord file."""


def _records(path):
    stem, count = os.path.basename(path), 0
    try:
        with stores.here(path) as file:
            for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
                yield _record(record, f"{path}, record {count}", f"{stem}/{count:06d}")
                count += 1
    except tf.errors.DataLossError:
        fault = InputError(f"{path} is damaged behind {count} records: the others are lost")
        yield Damage(path, stem, fault)
    except (tf.errors.OpError, OSError) as error:
        raise InputError(
            f"{path} cannot be read ({reason(error)}); the same command tries it again"
        ) from error


def _record(record, path, name):
    """One record's picture; what is wrong with it is raised when it is read."""
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's own kinds, which differ between its versions
        fault = InputError(f"{path} is no tf.train.Example ({reason(error)})")
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
