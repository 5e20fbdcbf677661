"""Other runtimes than Keras that compute the same network's maps."""

import tempfile

import keras

from keras_saliency import export, folding, formats, prediction, runtimes
from keras_saliency.errors import InputError

ENGINES = tuple(runtimes.FORMATS)
# Pictures. For fewer, `prediction.Frozen` does not pay: in batches of 8 it saves a hundredth
# of SalGAN's time, a quarter of JuntingNet's, and takes 2 and 8 seconds to make.
FROZEN_FROM = 5000


def load(model: keras.Model | str, engine: str, precision: str = "float32"):
    """A network as `prediction.saliency_maps` takes it, computed by another runtime.

    Args:
        model: a generator, or the path of one, see `prediction.load`.
        engine: "openvino", "onnx" or "litert". Conversion takes seconds. Keras'
            own way to be faster is `prediction.Frozen`.
        precision: of the arithmetic, see `runtimes.read`.

    Returns: what has an `input_shape` and a `predict_on_batch`.

    Raises:
        InputError: if the model cannot be had, the engine is unknown, its
            package is missing, or it cannot express the network.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> load(model, "openvino").input_shape  # doctest: +SKIP
        (None, 32, 32, 3)
    """
    if engine not in ENGINES:
        raise InputError(f"engine must be one of {', '.join(ENGINES)}. Received: {engine!r}")
    name = runtimes.needed(engine)  # before the model, which takes seconds
    runtimes.check_precision(engine, precision)
    model = prediction.load(model) if isinstance(model, str) else model
    with tempfile.TemporaryDirectory() as folder:
        formats.convert(model, folder, engine)
        return runtimes.read(f"{folder}/{name}", precision)


def for_many(path: str, count: int | None, precision: str | None = None, engine: str = "keras"):
    """A network for so many pictures: what `predict.py` and the bulk pipeline compute with.

    Both come here, as maps are the same bit for bit only if the same computes them.

    Args:
        path: see `prediction.load`.
        count: int, or None if that is not known.
        precision: "float32", "mixed_bfloat16", or None: as the model was saved;
            another engine than "keras" then takes float32.
        engine: see `load`.

    Returns: what has an `input_shape` and a `predict_on_batch`.
    """
    if engine != "keras":
        return load(path, engine, "bfloat16" if precision == "mixed_bfloat16" else "float32")
    model = prediction.load(path)
    if precision:
        copy = export.float32_copy if precision == "float32" else export.bfloat16_copy
        model = copy(model)
    return frozen_for(model, count)


def frozen_for(model: keras.Model, count: int | None):
    """The model with less work (`folding.folded`), for `FROZEN_FROM` pictures also `Frozen`."""
    model = folding.folded(model)
    return prediction.Frozen(model) if count and count >= FROZEN_FROM else model
