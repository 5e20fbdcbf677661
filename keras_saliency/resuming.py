"""Training that begins anywhere, also inside an epoch, and ends there if it is asked to.

Keras' `fit` begins with a whole epoch. Of an epoch that was cut off, a `fit` of
fewer steps trains the rest, and another one all that follow. The callbacks see one
training: it begins once and ends once, the batches are counted on, and of the
epochs they are told all that there will be. The metrics, which Keras resets when an
epoch begins, are put back to where they were.
"""

import contextlib
import math
from collections.abc import Callable

import keras
import numpy as np

from keras_saliency import callbacks, checkpoints, event_files, stopping


class Parts(keras.callbacks.CallbackList):
    """The callbacks of a training that may be two calls of `fit`.

    `Checkpoints` come last: what stands before one was written if it was.

    Args:
        listed: list of Keras' callbacks.
        begun: `checkpoints.Progress`, or None, that training goes on from.
        model, verbose, epochs, steps: as Keras' `CallbackList`.
    """

    def __init__(self, listed: list, begun, model, verbose, epochs: int, steps: int):
        listed = sorted(listed, key=lambda one: isinstance(one, callbacks.Checkpoints))
        params = {"verbose": verbose, "epochs": epochs, "steps": steps}
        self.begun = begun
        self.skipped = begun.step if begun else 0  # steps of this epoch
        self.begins, self.ends = True, False
        bar = verbose != 0
        super().__init__(listed, add_history=True, add_progbar=bar, model=model, **params)

    def on_train_begin(self, logs=None):
        if self.begins:
            super().on_train_begin(logs)
        self.begins = False

    def on_epoch_begin(self, epoch, logs=None):
        if self.skipped:
            _put_back_metrics(self.begun.path, self.model)
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(self.skipped + batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        batch += self.skipped
        stopping.look()
        super().on_train_batch_end(batch, logs)
        if batch + 1 < self.params["steps"]:  # else the epoch is ended too
            stopping.check()

    def on_epoch_end(self, epoch, logs=None):
        stopping.look()
        super().on_epoch_end(epoch, logs)
        self.skipped = 0
        self.ends = epoch + 1 == self.params["epochs"] or self.model.stop_training
        stopping.check()

    def on_train_end(self, logs=None):
        if self.ends:
            super().on_train_end(logs)


def fit(
    model: keras.Model,
    training: Callable,
    first: int,
    last: int,
    listed: list,
    begun: checkpoints.Progress | None = None,
    **arguments,
):
    """`model.fit`, from wherever a checkpoint was made.

    Args:
        model: compiled, with the checkpoint's weights.
        training: function of an epoch and a step, to the endless dataset that begins there.
        first, last: int, epochs done before and after.
        listed: list of Keras' callbacks.
        begun: that training goes on from; None: from the beginning of an epoch.
        **arguments: of `keras.Model.fit`, `steps_per_epoch` among them.

    Returns: Keras' `History`.

    Raises:
        stopping.Stopped: after the step or epoch in which a signal came.
    """
    steps, verbose = arguments["steps_per_epoch"], arguments.get("verbose", "auto")
    skipped = begun.step if begun else 0
    for each in listed:
        if isinstance(each, event_files.Scalars):
            each.forget(first, first * steps + skipped)
    arguments["callbacks"] = Parts(listed, begun, model, verbose, last, steps)
    model.stop_training = False
    with stopping.deferred():
        if skipped:
            rest = {**arguments, "steps_per_epoch": steps - skipped}
            with _at_once(model, steps - skipped):
                model.fit(training(first, skipped), initial_epoch=first, epochs=first + 1, **rest)
            first += 1
        if first < last and not model.stop_training:
            model.fit(training(first, 0), initial_epoch=first, epochs=last, **arguments)
    return model.history


@contextlib.contextmanager
def _at_once(model, steps):
    """In here the steps that Keras takes at once divide `steps`: else it would take more."""
    usual = model.steps_per_execution
    model.steps_per_execution = math.gcd(usual, steps)
    try:
        yield
    finally:
        if model.steps_per_execution != usual:
            model.steps_per_execution = usual
            model.train_function = model.test_function = None  # which have it in them


def _put_back_metrics(path, model):
    if model.distribute_strategy.num_replicas_in_sync > 1:
        # A checkpoint inside an epoch was made on one device; there they were otherwise.
        print("the scores of this epoch are those of its rest: it was begun on one device")
        return
    if not hasattr(model, "score_metrics"):
        # Of a plain model Keras makes them in the first step, when it is too late.
        map_ = np.zeros((1, *model.output_shape[1:]), "float32")
        model.compute_metrics(None, map_, map_)
        model.reset_metrics()
    checkpoints.restore_running(path, model)
