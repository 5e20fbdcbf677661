"""Stimuli in, saliency maps at the stimuli's own size out."""

import itertools

import keras
import numpy as np

from keras_saliency import pipeline


def saliency_maps(model: keras.Model, stimuli, batch_size: int = 8):
    """Yields the saliency map of every stimulus, at the stimulus' own size.

    Each is brought to the network's size as in training (stretched), and its
    map back by the same bilinear resize.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        stimuli: iterable of uint8 arrays `(height, width, 3)`, RGB, of any
            sizes; read one batch at a time.
        batch_size: int.

    Yields: float32 `(height, width, 1)`, 0-1, in the stimuli's order.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> [m.shape for m in saliency_maps(model, [np.zeros((30, 50, 3), "uint8")])]
        [(30, 50, 1)]
    """
    size = model.input_shape[1:3]
    stimuli = iter(stimuli)
    while batch := list(itertools.islice(stimuli, batch_size)):
        inputs = [np.asarray(pipeline.as_stimulus(stimulus, size)) for stimulus in batch]
        maps = model.predict_on_batch(np.stack(inputs))
        for stimulus, saliency_map in zip(batch, maps, strict=True):
            yield np.asarray(pipeline.resize(saliency_map, stimulus.shape[:2]))
