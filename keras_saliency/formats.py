"""A trained generator as a file for a server or another runtime, written once it predicts alike.

ONNX, LiteRT and OpenVINO files go from `stimulus`, float32 `(batch, height,
width, 3)`, RGB, 0-255, at the network's size, to `saliency_map`, float32
`(batch, height, width, 1)`, for batches of any size; the preprocessing is in
the network. For the SavedModel see `export.saved_model`.
"""

import contextlib
import logging
import os
import time
import warnings
from typing import NamedTuple

import keras
import numpy as np

from keras_saliency import export, files, folding, generators, pipeline, runtimes
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf

# The largest difference from the network's maps, of their largest value, by what is reduced.
ALLOWED = {"nothing": 1e-4, "weights": 2e-2, "precision": 1e-1}
TIMED = 10  # predictions


class Written(NamedTuple):
    """A file, and what it did when it was tried."""

    path: str
    difference: float  # the largest from the network's own maps, of their largest value
    milliseconds: float  # for one picture, the median


def write(
    model: keras.Model,
    folder: str,
    format: str,
    weights: str = "float32",
    precision: str = "float32",
) -> Written:
    """Writes a network for a server or another runtime, and tries it there.

    Args:
        model: a generator.
        folder: written whole, with `saved_model.pb`, `model.onnx`,
            `model.tflite`, or `model.xml` and `model.bin` in it.
        format: "saved_model", "onnx", "litert" or "openvino".
        weights: "float32", or "float16": kernels are stored in half the space,
            the arithmetic stays what it is.
        precision: "float32", or, of a SavedModel, "bfloat16". The other formats
            leave the arithmetic to the runtime, see `runtimes.read`.

    Raises:
        InputError: if an argument is none of these, a package is missing, the
            format cannot express the network, or its maps differ by more than
            `ALLOWED`; then nothing is written.

    Example:
        >>> import os, tempfile
        >>> from keras_saliency import models
        >>> model = models.JuntingNet(input_shape=(32, 32, 3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write(model, folder + "/1", "saved_model")
        ...     os.path.basename(written.path), written.difference < 1e-4
        ('saved_model.pb', True)
    """
    generators.check(model)
    export.check_folder(folder)
    served = format == "saved_model"
    name = "saved_model.pb" if served else runtimes.needed(format)
    if precision != "float32" and not served:
        raise InputError(f"precision is of a SavedModel: where {format} runs, its own is chosen")
    with files.replacing(folder) as temporary:
        if served:
            export.saved_model(model, temporary, weights=weights, precision=precision)
        else:
            os.mkdir(temporary)
            convert(model, temporary, format, weights)
        read = _saved_model if served else runtimes.READERS[format]
        try:
            predict = read(os.path.join(temporary, name), "float32").predict_on_batch
            difference, noise, milliseconds = _tried(model, predict)
            difference = max(difference, _served_apart(temporary, predict) if served else 0)
        except Exception as error:  # runtimes raise whatever they like
            raise InputError(
                f"{format} cannot run this network ({runtimes.one_line(error)})"
            ) from error
        reduced = "weights" if weights != "float32" else "nothing"
        allowed = ALLOWED["precision" if precision != "float32" else reduced]
        if not difference <= allowed + 10 * noise:  # NaN is not
            raise InputError(
                f"{format}'s maps of this network differ from Keras' by {difference:.2g} of the "
                f"largest value, more than {allowed:g}: nothing was written"
            )
    return Written(os.path.join(folder, name), difference, milliseconds)


def convert(model: keras.Model, folder: str, format: str, weights: str = "float32") -> None:
    """Writes "onnx", "litert" or "openvino" as `write` does, but does not try it.

    Args:
        model, format, weights: as `write`'s.
        folder: is there already.
    """
    if weights not in ("float32", "float16"):
        raise InputError(f"weights must be float32 or float16. Received: {weights!r}")
    path = os.path.join(folder, runtimes.needed(format))
    network = folding.folded(export.float32_copy(model))
    if weights == "float16":
        _round(network)
    # Of a dictionary the output has its name.
    network = keras.Model(network.inputs, {"saliency_map": network.outputs[0]})
    options = {"input_signature": [keras.InputSpec("float32", model.input_shape, name="stimulus")]}
    if format == "litert" and weights == "float16":
        options["optimizations"] = [tf.lite.Optimize.DEFAULT]
        options["target_spec"] = {"supported_types": [tf.float16]}
    try:
        with _quietly():
            network.export(path, format=format, verbose=False, **options)
    except Exception as error:  # converters raise whatever they like
        raise InputError(
            f"{format} cannot express this network ({runtimes.one_line(error)})"
        ) from error
    if format == "onnx":
        _finish_onnx(path, weights)
    if format == "openvino" and weights == "float16":
        with runtimes.unreported():
            import openvino

        # Mapped into memory, the file could not be written anew.
        whole = openvino.Core().read_model(path, config={"ENABLE_MMAP": False})
        openvino.save_model(whole, path, compress_to_fp16=True)


def _saved_model(path, _):
    loaded = tf.saved_model.load(os.path.dirname(path))

    def predict_on_batch(stimuli):
        found = loaded.signatures["array"](stimulus=tf.constant(stimuli.astype("uint8")))
        return found["saliency_map"].numpy()

    return runtimes.Loaded((None, None, None, 3), predict_on_batch)


def _served_apart(folder, predict):
    """How far, of the largest value, a PNG of another size comes back from the `array`'s map.

    But for what 8 bits cannot hold.
    """
    picture = np.random.default_rng(1).integers(0, 256, (45, 67, 3)).astype("uint8")
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    served = signature(image_bytes=tf.stack([tf.io.encode_png(picture)]))
    levels = tf.io.decode_png(served["saliency_png_bytes"][0]).numpy().astype("float32")
    expected = np.clip(predict(picture[None].astype("float32"))[0], 0, None)
    apart = np.abs(levels / 255 - expected / max(expected.max(), 1e-12)).max()
    return max(float(apart) - 1 / 255, 0.0) if levels.shape == expected.shape else np.inf


def _round(network):
    """Kernels to what float16 can hold; small weights stay, as in `export.saved_model`."""
    for variable in network.variables:
        if len(variable.shape) > 1 and variable.dtype == "float32":
            variable.assign(export.halved(variable).astype("float32"))


def _finish_onnx(path, weights):
    """Names the batch's size, and halves the kernels."""
    import onnx

    network = onnx.load(path)
    graph = network.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    kernels = [t for t in graph.initializer if t.data_type == t.FLOAT and len(t.dims) > 1]
    for kernel in kernels if weights == "float16" else []:
        half = onnx.numpy_helper.to_array(kernel).astype("float16")
        name, stored = kernel.name, f"{kernel.name}_float16"
        kernel.CopyFrom(onnx.numpy_helper.from_array(half, stored))
        graph.node.insert(0, onnx.helper.make_node("Cast", [stored], [name], to=kernel.FLOAT))
    onnx.save(network, path)


def _tried(model, predict):
    """The largest differences, of the maps from the network's and of those from each other.

    And the milliseconds that a picture takes. A network that drops out in
    prediction too does not predict the same twice; how its maps differ says little.
    """
    height, width = model.input_shape[1:3]
    random = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([255 * x / width, 255 * y / height, 127 + 127 * np.sin(x / 9)], -1)
    network = export.float32_copy(model)
    differences, times = [], []
    for batch in (1, 3):
        pictures = random.integers(0, 256, (batch, height, width, 3))
        for stimuli in (pictures, np.repeat(smooth[None], batch, 0)):
            stimuli = np.floor(stimuli).astype("float32")
            expected = np.asarray(network(stimuli, training=False))
            found = predict(stimuli)
            if found.shape != expected.shape:  # a SavedModel's maps are of the pictures' size
                expected = pipeline.resize(expected, found.shape[1:3]).numpy()
            largest = max(np.abs(expected).max(), 1e-6)
            differences.append(np.abs(found - expected).max() / largest)
    one = stimuli[:1]
    twice = (np.asarray(network(one, training=False)) for _ in range(2))
    noise = np.abs(np.subtract(*twice)).max() / largest
    for _ in range(TIMED + 1):
        begin = time.perf_counter()
        predict(one)
        times.append(time.perf_counter() - begin)
    return float(np.max(differences)), float(noise), float(np.median(times[1:])) * 1e3


@contextlib.contextmanager
def _quietly():
    """Without what the converters say; what goes wrong they raise."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with runtimes.unreported(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
