"""The trained network that comes with the package: `SalGANGenerator(weights="osie")`.

SalGAN's generator with MobileNet (ImageNet's weights, Apache-2.0) and the light decoder,
trained on the 500 training pictures of OSIE. docs/osie_model.md is its card.
"""

import os
import tempfile
from typing import TYPE_CHECKING

import h5py

from keras_saliency import files
from keras_saliency.errors import InputError

if TYPE_CHECKING:
    import keras

NAME = "osie"  # in place of the path of a model
ENCODER = "mobilenet"
FILE = os.path.join(os.path.dirname(__file__), "salgan_osie.weights.h5")
SHA256 = "e4a065667dc6b9151a2c79a78dba4f834ccaedd9b8a3cf5bce6903976b48788d"


def fill(model: "keras.Model") -> "keras.Model":
    """The model, with the file's weights.

    Raises:
        InputError: if the file is not the one that the package came with.
    """
    try:
        found = files.sha256(FILE)
    except OSError as error:
        found = f"not to be had ({error.strerror})"
    if found != SHA256:
        raise InputError(
            f"{FILE} is damaged: its SHA-256 is {found}, the package's has {SHA256}; "
            "install keras_saliency again"
        )
    model.load_weights(FILE)
    return model


def save(model: "keras.Model", path: str) -> str:
    """Writes a trained model's weights for `fill`: as Keras does, but kernels as float16.

    Args:
        model: its weights are for `SalGANGenerator(weights="osie")`.
        path: ends in `.weights.h5`.

    Returns: the file's SHA-256.
    """
    with files.replacing(path) as part, tempfile.TemporaryDirectory() as folder:
        whole = os.path.join(folder, "whole.weights.h5")
        model.save_weights(whole)
        with h5py.File(whole) as source, h5py.File(part, "w") as target:
            source.visititems(lambda name, item: _copy(target, name, item))
        return files.sha256(part)


def _copy(target, name, item):
    """A group or an array, whose names tell Keras where it goes."""
    if isinstance(item, h5py.Group):
        copied = target.require_group(name)
    else:
        # Of biases and statistics, which are few, nothing is rounded away.
        value = item[()].astype("float16") if item.ndim > 1 else item[()]
        copied = target.create_dataset(name, data=value, track_times=False)
    for key, value in item.attrs.items():
        copied.attrs[key] = value
