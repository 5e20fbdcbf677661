"""Stimuli in, saliency maps at the stimuli's own size out."""

import collections
import concurrent.futures
import itertools
import os

import keras
import numpy as np

from keras_saliency import (  # a model's file may name what is not used here
    fitting,
    gan,  # noqa: F401
    generators,
    layers,  # noqa: F401
    losses,  # noqa: F401
    metrics,  # noqa: F401
    resizing,
    shipped,
    stores,
    untrusted,
)
from keras_saliency.errors import InputError, reason
from keras_saliency.tensorflow_only import tf

BATCH = 8  # pictures that the network sees at a time
THREADS = min(os.cpu_count(), 8)  # that read and write; each holds a picture


def load(path: str) -> keras.Model:
    """The generator of a run, or of a .keras file that holds it alone or in a SaliencyGAN.

    Args:
        path: a finished run's folder, or a .keras file; "osie" is the network that
            comes with the package.

    Raises:
        InputError: if there is no such file, it is not a Keras model, or no
            generator: `(batch, height, width, 3)`, all but the batch fixed, to
            `(batch, height, width, 1)`.
    """
    if path == shipped.NAME:
        from keras_saliency import models

        return models.SalGANGenerator(weights=path)
    file = stores.model_file(path)
    if not os.path.isfile(file):
        raise InputError(f"no such file: {file}; a model is a finished run or a .keras file")
    try:
        untrusted.check_model(file)
        model = keras.models.load_model(file, compile=False, safe_mode=True)
    except InputError:
        raise
    except (Exception, MemoryError) as error:  # of damaged files Keras raises a dozen kinds
        raise InputError(f"{file} cannot be loaded as a Keras model ({reason(error)})") from error
    model = getattr(model, "generator", model)
    generators.check(model, path)
    return model


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
    """Makes the saliency map of every stimulus, at the stimulus' own size.

    Each is brought to the network's size as in training (stretched), and its
    map back by the same bilinear resize.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        stimuli: iterable of uint8 arrays `(height, width, 3)`, RGB, of any
            sizes; read one batch at a time.
        batch_size: int.
        resize: False: leave the maps at the network's size.
        fit: one of `fitting.FITS`, see `fitting.into`.

    Returns: iterator of float32 `(height, width, 1)`, 0-1, in the stimuli's order.

    Raises:
        InputError: at once if a setting is wrong or there is a single array in
            place of several; later if a stimulus is no such array, or its map
            holds NaN or infinity.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> [m.shape for m in saliency_maps(model, [np.zeros((30, 50, 3), "uint8")])]
        [(30, 50, 1)]
    """
    _check_settings(fit, batch_size)
    if getattr(stimuli, "ndim", 4) < 4:
        raise InputError("stimuli are several: of a single one give [stimulus]")
    return _maps(model, stimuli, batch_size, resize, fit)


def _maps(model, stimuli, batch_size, resize, fit):
    """A generator: nothing is done before the first map is asked for."""
    input_size, numbered = tuple(model.input_shape[1:3]), enumerate(stimuli)
    while batch := list(itertools.islice(numbered, batch_size)):
        for number, stimulus in batch:
            _check_stimulus(stimulus, f"stimuli[{number}]")
        with resizing.one_blas_thread():
            inputs = [fitting.into(stimulus, input_size, fit) for _, stimulus in batch]
        maps = _predicted(model, np.stack(inputs).astype("float32"))
        for (number, stimulus), saliency_map in zip(batch, maps, strict=True):
            _check_map(saliency_map, f"stimuli[{number}]")
            size = stimulus.shape[:2]
            saliency_map = fitting.out_of(saliency_map, size, input_size, fit)
            if resize:
                with resizing.one_blas_thread():
                    saliency_map = resizing.resize(saliency_map, size)
            yield saliency_map


def _check_settings(fit, batch_size):
    fitting.check(fit)
    if batch_size < 1:
        raise InputError(f"batch_size must be 1 or more. Received: {batch_size!r}")


def _check_stimulus(stimulus, name):
    kind = type(stimulus).__name__
    if isinstance(stimulus, np.ndarray):
        if stimulus.dtype == "uint8" and stimulus.shape[2:] == (3,) and stimulus.size:
            return
        kind = f"{stimulus.dtype}, {stimulus.shape}"
    raise InputError(f"{name}: wanted a uint8 array (height, width, 3), 0-255, got {kind}")


def _check_map(saliency_map, name):
    if not np.isfinite(saliency_map).all():
        raise InputError(f"{name}: the network's map is not finite (NaN or infinity)")


def _predicted(model, stimuli):
    """Maps in float32, which a network of bfloat16 may not give.

    Of a network for several devices, on one: Keras would wait for the others.
    """
    strategy = getattr(model, "distribute_strategy", None)
    alone = strategy is None or strategy.num_replicas_in_sync == 1
    maps = model.predict_on_batch(stimuli) if alone else model(stimuli, training=False)
    return np.asarray(maps).astype("float32", copy=False)


def each(model: keras.Model, pictures, write, fit: str = "stretch", batch_size: int = BATCH):
    """Predicts many pictures, and reads the next and writes the last meanwhile.

    Several threads read and write; only a few batches are under way at a time,
    so that any number of pictures takes the same memory.

    Args:
        model: a generator, `(batch, height, width, 3)` to a map.
        pictures: iterable of `inputs.Picture`, or of whatever has a `read`,
            which gives its pixels or raises `InputError`, and a `path`, by which
            messages name it; it is asked for the next in a thread.
        write: function of a picture, the part of the network's map that lies
            over it, and the picture's size, such as `outputs.Outputs.write`;
            called in threads.
        fit: one of `fitting.FITS`, see `fitting.into`.
        batch_size: int.

    Yields: each picture as it is done, and None or the InputError for which it
        has no map.

    Raises:
        InputError: if a setting is wrong.

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
    _check_settings(fit, batch_size)
    input_size, pictures = tuple(model.input_shape[1:3]), iter(pictures)
    writing = collections.deque()

    def finish(picture, saliency_map, size):
        _check_map(saliency_map, picture.path)
        write(picture, fitting.out_of(saliency_map, size, input_size, fit), size)

    with (
        resizing.one_blas_thread(),
        concurrent.futures.ThreadPoolExecutor(1) as ahead,
        concurrent.futures.ThreadPoolExecutor(THREADS) as threads,
    ):
        following = ahead.submit(_batch, pictures, threads, input_size, fit, batch_size)
        while batch := following.result():
            following = ahead.submit(_batch, pictures, threads, input_size, fit, batch_size)
            unreadable = [(p, found) for p, found, _ in batch if isinstance(found, InputError)]
            yield from unreadable
            if len(unreadable) == len(batch):
                continue
            maps = _predicted(model, np.stack([stimulus for *_, stimulus in batch]))
            for (picture, size, _), saliency_map in zip(batch, maps, strict=True):
                if not isinstance(size, InputError):
                    done = threads.submit(finish, picture, saliency_map, size)
                    writing.append((picture, done))
            yield from _finished(writing, at_most=batch_size)
        yield from _finished(writing, at_most=0)


def _batch(pictures, threads, size, fit, batch_size):
    """The next pictures: `(picture, own size or the error that it has, network's input)`.

    One that cannot be read leaves its place black. How a processor rounds depends on how many
    are in a batch, so a picture's map must not depend on whether others are sound.
    """

    def prepared(picture):
        try:
            stimulus = picture.read()
        except InputError as error:
            return picture, error, np.zeros((*size, 3), "float32")
        try:
            fitted = fitting.into(stimulus, size, fit)
        except InputError as error:
            error = InputError(f"{picture.path}: {error}")
            return picture, error, np.zeros((*size, 3), "float32")
        return picture, stimulus.shape[:2], fitted.astype("float32")

    return list(threads.map(prepared, itertools.islice(pictures, batch_size)))


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
