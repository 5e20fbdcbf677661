"""Stimuli in, saliency maps at the stimuli's own size out."""

import itertools
import os
import zipfile

import keras
import numpy as np
import tensorflow as tf

from keras_saliency import gan, layers, losses, metrics, pipeline  # noqa: F401  a file may name them
from keras_saliency.errors import InputError


def load(path: str) -> keras.Model:
    """The generator of a run, or of a .keras file that holds it alone or in a SaliencyGAN.

    Args:
        path: a finished run's folder, or a .keras file.

    Raises:
        InputError: if there is no such file, or it is not a Keras model.
    """
    file = os.path.join(path, "model.keras") if os.path.isdir(path) else path
    if not os.path.isfile(file):
        raise InputError(f"no such file: {file}; a model is a finished run or a .keras file")
    try:
        model = keras.models.load_model(file, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{file} cannot be loaded as a Keras model ({reason})") from error
    return getattr(model, "generator", model)


class Frozen:
    """A model's weights as constants of its graph: faster, but they cannot change any more.

    The processor's kernels lay constant weights out as suits them, once, and
    reduced precision casts them once. Takes seconds to make (JuntingNet: 7);
    `saliency_maps` takes it for a model.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> stimuli = np.zeros((2, 32, 32, 3), "float32")
        >>> bool(np.allclose(Frozen(model).predict_on_batch(stimuli), model(stimuli)))
        True
    """

    def __init__(self, model: keras.Model):
        self.input_shape = model.input_shape
        variables = [model.trainable_variables, model.non_trainable_variables]
        weights = [[variable.numpy() for variable in group] for group in variables]

        @tf.function(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
        def predict(stimuli):
            constants = [[tf.constant(array) for array in group] for group in weights]
            return model.stateless_call(*constants, stimuli, training=False)[0]

        self._predict = predict

    def predict_on_batch(self, stimuli):
        return self._predict(np.asarray(stimuli, "float32")).numpy()


def saliency_maps(model: keras.Model, stimuli, batch_size: int = 8, resize: bool = True):
    """Yields the saliency map of every stimulus, at the stimulus' own size.

    Each is brought to the network's size as in training (stretched), and its
    map back by the same bilinear resize.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        stimuli: iterable of uint8 arrays `(height, width, 3)`, RGB, of any
            sizes; read one batch at a time.
        batch_size: int.
        resize: False: leave the maps at the network's size.

    Yields: float32 `(height, width, 1)`, 0-1, in the stimuli's order.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> [m.shape for m in saliency_maps(model, [np.zeros((30, 50, 3), "uint8")])]
        [(30, 50, 1)]
    """
    input_size = model.input_shape[1:3]
    stimuli = iter(stimuli)
    while batch := list(itertools.islice(stimuli, batch_size)):
        inputs = [np.asarray(pipeline.as_stimulus(stimulus, input_size)) for stimulus in batch]
        maps = model.predict_on_batch(np.stack(inputs))
        for stimulus, saliency_map in zip(batch, maps, strict=True):
            if resize:
                saliency_map = np.asarray(pipeline.resize(saliency_map, stimulus.shape[:2]))
            yield saliency_map
