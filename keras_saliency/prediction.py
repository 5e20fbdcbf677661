"""Stimuli in, saliency maps at the stimuli's own size out."""

import collections
import concurrent.futures
import itertools
import os
import zipfile

import keras
import numpy as np
import tensorflow as tf
import threadpoolctl

from keras_saliency import (  # a model's file may name what is not used here
    fitting,
    gan,  # noqa: F401
    layers,  # noqa: F401
    losses,  # noqa: F401
    metrics,  # noqa: F401
    resizing,
)
from keras_saliency.errors import InputError

BATCH = 8  # pictures that the network sees at a time


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


def saliency_maps(
    model: keras.Model,
    stimuli,
    batch_size: int = BATCH,
    resize: bool = True,
    fit: str = "stretch",
):
    """Yields the saliency map of every stimulus, at the stimulus' own size.

    Each is brought to the network's size as in training (stretched), and its
    map back by the same bilinear resize.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        stimuli: iterable of uint8 arrays `(height, width, 3)`, RGB, of any
            sizes; read one batch at a time.
        batch_size: int.
        resize: False: leave the maps at the network's size.
        fit: "stretch" or "letterbox", see `fitting.into`.

    Yields: float32 `(height, width, 1)`, 0-1, in the stimuli's order.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> [m.shape for m in saliency_maps(model, [np.zeros((30, 50, 3), "uint8")])]
        [(30, 50, 1)]
    """
    input_size = model.input_shape[1:3]
    predict = _on_one_device(model)
    stimuli = iter(stimuli)
    while batch := list(itertools.islice(stimuli, batch_size)):
        with _one_blas_thread():
            inputs = [fitting.into(stimulus, input_size, fit) for stimulus in batch]
        maps = predict(np.stack(inputs).astype("float32"))
        for stimulus, saliency_map in zip(batch, maps, strict=True):
            size = stimulus.shape[:2]
            saliency_map = fitting.out_of(saliency_map, size, input_size, fit)
            if resize:
                with _one_blas_thread():
                    saliency_map = resizing.resize(saliency_map, size)
            yield saliency_map


def _on_one_device(model):
    """`predict_on_batch`, without a strategy's other devices, which Keras would wait for."""
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is None or strategy.num_replicas_in_sync == 1:
        return model.predict_on_batch
    predict = tf.function(lambda stimuli: model(stimuli, training=False))
    return lambda stimuli: predict(stimuli).numpy()


def each(model: keras.Model, pictures, write, fit: str = "stretch", batch_size: int = BATCH):
    """Predicts many pictures, and reads the next and writes the last meanwhile.

    As many threads as there are cores read and write; only a few batches are
    under way at a time, so that any number of pictures takes the same memory.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        pictures: iterable of `inputs.Picture`, or of whatever has a `read`; it
            is asked for the next in a thread.
        write: function of a picture, the part of the network's map that lies
            over it, and the picture's size, such as `outputs.Outputs.write`;
            called in threads.
        fit: "stretch" or "letterbox", see `fitting.into`.
        batch_size: int.

    Yields: each picture as it is done, and None or the InputError for which it
        has no map.

    Example:
        >>> from keras_saliency import inputs, models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> picture = inputs.Picture("a.jpg", "a", np.zeros((30, 50, 3), "uint8"))
        >>> write = lambda picture, saliency_map, size: print(saliency_map.shape, size)
        >>> [
        ...     (picture.name, error)
        ...     for picture, error in each(model, [picture], write, fit="stretch")
        ... ]
        (32, 32, 1) (30, 50)
        [('a', None)]
    """
    input_size, pictures = tuple(model.input_shape[1:3]), iter(pictures)
    writing = collections.deque()

    def finish(picture, saliency_map, size):
        if not np.isfinite(saliency_map).all():
            raise InputError(f"{picture.path}: the network's map is not finite (NaN or infinity)")
        write(picture, fitting.out_of(saliency_map, size, input_size, fit), size)

    with (
        _one_blas_thread(),
        concurrent.futures.ThreadPoolExecutor(1) as ahead,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        try:
            following = ahead.submit(_batch, pictures, threads, input_size, fit, batch_size)
            while any(batch := following.result()):
                read, unreadable = batch
                following = ahead.submit(_batch, pictures, threads, input_size, fit, batch_size)
                yield from unreadable
                maps = model.predict_on_batch(np.stack([r[1] for r in read])) if read else ()
                for (picture, _, size), saliency_map in zip(read, maps, strict=True):
                    done = threads.submit(finish, picture, saliency_map, size)
                    writing.append((picture, done))
                yield from _finished(writing, at_most=batch_size)
            yield from _finished(writing, at_most=0)
        except BaseException:
            for pool in (ahead, threads):
                pool.shutdown(wait=False, cancel_futures=True)
            raise


def _batch(pictures, threads, size, fit, batch_size):
    """The next `(picture, network's input, own size)`, and `(picture, error)` met on the way."""

    def prepared(picture):
        try:
            stimulus = picture.read()
        except InputError as error:
            return picture, error
        return picture, fitting.into(stimulus, size, fit).astype("float32"), stimulus.shape[:2]

    read, unreadable = [], []
    while chosen := list(itertools.islice(pictures, batch_size - len(read))):
        for found in threads.map(prepared, chosen):
            (read if len(found) == 3 else unreadable).append(found)
    return read, unreadable


def _finished(writing, at_most):
    """Waits until only so many are being written; yields those that are done, in order."""
    while writing and (len(writing) > at_most or writing[0][1].done()):
        picture, done = writing.popleft()
        try:
            done.result()
        except InputError as error:
            yield picture, error
        else:
            yield picture, None


def _one_blas_thread():
    """BLAS' own threads would fight with ours and with the network's."""
    return threadpoolctl.threadpool_limits(1, user_api="blas")
