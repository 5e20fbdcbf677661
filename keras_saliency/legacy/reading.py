"""What is in files of weights."""

import collections
import contextlib
import io
import json
import os
import re
import zipfile

import numpy as np

from keras_saliency import untrusted
from keras_saliency.errors import InputError

MOST_EMPTY = 64 * untrusted.MB  # bytes of an array that may be declared and not stored
OUTSIDE = "top_level_model_weights"  # Keras' name for weights that are in no layer


@contextlib.contextmanager
def opened(path):
    """The HDF5 file, if need be from within a `.keras`, and that one's config or None."""
    import h5py

    if not os.path.isfile(path):
        raise InputError(f"{path} is not a file; name an .h5, .weights.h5 or .keras file")
    with damage_told(path):
        if zipfile.is_zipfile(path):
            untrusted.check_zip(path)
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read("model.weights.h5"))
                config = json.loads(archive.read("config.json"))["config"]
        elif h5py.is_hdf5(path):
            source, config = path, None
        else:
            raise InputError(f"{path} is neither HDF5 nor .keras; fetch or save it again")
        file = h5py.File(source, "r")
    with file:
        yield file, config


@contextlib.contextmanager
def damage_told(path):
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # cut-off files raise half a dozen kinds
        reason = f"{type(error).__name__}: {error}".partition("\n")[0][:150]
        raise InputError(f"{path} is damaged ({reason}); fetch or save it again") from error


def _datasets(group):
    """Every array below a group, unread, by its path."""
    import h5py

    found = {}

    def keep(name, item):  # is called for what is in the file, not for links
        if isinstance(item, h5py.Dataset):
            found[name] = item

    group.visititems(keep)
    return found


def _numbers(dataset):
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} is kept in another file")
    if dataset.dtype.kind not in "fiub":
        raise ValueError(f"{dataset.name} holds no numbers")
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(MOST_EMPTY, untrusted.MOST_RATIO * stored):
        raise ValueError(f"{dataset.name} declares far more than it holds")
    return np.asarray(dataset[()])


def in_order(group):
    """`(layer's name, [(weight's name, array)])` of all layers with weights."""
    datasets = _datasets(group)
    stored = []
    for layer in [*_strings(group, "layer_names"), OUTSIDE]:
        names = _strings(group[layer], "weight_names") if layer in group else []
        weights = [(name, _numbers(datasets.pop(f"{layer}/{name}"))) for name in names]
        # TensorFlow's random state was a weight of its layer for a while.
        weights = [(n, a) for n, a in weights if not n.rpartition("/")[2].startswith("StateVar")]
        if weights:
            stored.append((layer, weights))
    if datasets:
        raise ValueError(f"no layer lists its array {min(datasets)}")
    return stored


def _strings(group, name):
    """A list of names; a long one is cut into the attributes `name0`, `name1` and so on."""
    parts = [name, *(f"{name}{i}" for i in range(len(group.attrs)))]
    strings = [string for part in parts for string in group.attrs.get(part, [])]
    return [s.decode() if isinstance(s, bytes) else str(s) for s in strings]


def by_path(file):
    """Arrays by their paths, such as `layers/conv2d_1/vars/0`."""
    return {path: _numbers(dataset) for path, dataset in _weights(file)}


def shapes_by_path(file):
    return {path: dataset.shape for path, dataset in _weights(file)}


def _weights(file):
    datasets = _datasets(file).items()
    return [pair for pair in datasets if not pair[0].startswith(("optimizer/", "metrics/"))]


def names_in_config(config, above=""):
    """The path, and the name, of every layer of a `.keras`."""
    count = collections.Counter()
    for layer in config.get("layers", []):
        kind = snake_case(layer["class_name"])
        path = f"{above}layers/{kind}" + (f"_{count[kind]}" if count[kind] else "")
        count[kind] += 1
        yield path, layer["config"]["name"]
        yield from names_in_config(layer["config"], f"{path}/")


def snake_case(name):
    """As Keras names layers after their class."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
