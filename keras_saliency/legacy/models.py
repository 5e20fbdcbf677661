"""Whole models of Keras 2."""

import json
import os
import shutil
import tempfile

import keras

from keras_saliency import layers, untrusted
from keras_saliency.errors import InputError
from keras_saliency.legacy import reading

REBUILD = "build the network anew and use keras_saliency.legacy.load_weights"
KNOWN = {
    "Addons>GroupNormalization": keras.layers.GroupNormalization,
    "Addons>InstanceNormalization": layers.InstanceNormalization,
    "Addons>Maxout": layers.AddonsMaxout,
}
# Keras 2 wrote `groups=1` with them, which Keras 3 does not know.
WITHOUT_GROUPS = {"Conv1DTranspose", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"}


def load_model(path: str) -> keras.Model:
    """A whole model that Keras 2 saved as `.h5`, as a model of Keras 3.

    Knows tensorflow-addons' `InstanceNormalization`, `GroupNormalization` and
    `Maxout`, and models within models. The model is not compiled.

    Args:
        path: the file.

    Raises:
        InputError: if it is another kind of file or damaged, or if Keras 3
            cannot make this model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder + "/old.h5")
        ...     load_model(folder + "/old.h5").output_shape
        (None, 3)
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise InputError(
            f"{path} is a folder; a SavedModel becomes a layer of a network with "
            f"keras.layers.TFSMLayer({path!r}, call_endpoint='serving_default')"
        )
    with reading.opened(path) as (file, config):
        if config:
            raise InputError(
                f"{path} is a .keras file: keras.models.load_model opens those of Keras 3, "
                f"nothing those of Keras 2; {REBUILD}"
            )
        if "model_config" not in file.attrs:
            raise InputError(f"{path} holds no whole model; {REBUILD}")
    try:
        untrusted.check_model(path)
        return _made(path)
    except InputError as error:
        raise InputError(f"{path}: {error}; {REBUILD}") from error
    except Exception as error:  # whatever Keras 3 does not like about it
        reason = str(error).rpartition("Exception encountered: ")[2].partition("\n")[0][:150]
        raise InputError(
            f"Keras 3 cannot make the model in {path} ({reason}); {REBUILD}"
        ) from error


def _made(path):
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "model.h5")
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            version = file.attrs.get("keras_version", b"2")
            if not (version if isinstance(version, str) else version.decode()).startswith("3"):
                config = _as_keras_3(json.loads(file.attrs["model_config"]))
                file.attrs["model_config"] = json.dumps(config)
        return keras.models.load_model(copy, KNOWN, compile=False, safe_mode=True)


def _as_keras_3(value):
    """A configuration of Keras 2, or a part of it, in Keras 3's words."""
    if isinstance(value, list):
        return [_as_keras_3(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _as_keras_3(item) for key, item in value.items()}
    name, config = value.get("class_name"), value.get("config")
    if name == "Policy":
        return config["name"]  # such as mixed_float16
    if name in WITHOUT_GROUPS and config.pop("groups", 1) != 1:
        raise InputError(f"in Keras 3 the {name} {config.get('name')} cannot have groups")
    if name == "SeparableConv2D":  # of these it has one for either of its kernels
        for setting in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
            config.pop(setting, None)
    return _with_calls_from_0(value) if "output_layers" in value else value


def _with_calls_from_0(network):
    """Of a model within a model, Keras 2 counted as call 0 that it was made."""
    models = {x["name"]: x["class_name"] for x in network["layers"] if "layers" in x["config"]}
    inputs = [
        reference
        for layer in network["layers"]
        for call in layer["inbound_nodes"]
        for reference in call
        if isinstance(reference, list)
    ]
    references = [*inputs, *network["output_layers"]]
    first = {name: min(index for at, index, *_ in references if at == name) for name in models}
    for reference in references:
        reference[1] -= first.get(reference[0], 0)
    for reference in network["output_layers"]:
        # Here, and for these models alone, Keras 3 goes back by one itself.
        reference[1] += models.get(reference[0]) in ("Functional", "Model")
    for ends in ("input_layers", "output_layers"):
        if len(network[ends]) == 1:  # else one output would come as a list, which no layer takes
            network[ends] = network[ends][0]
    return network
