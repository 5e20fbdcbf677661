"""What the tests of the training scripts read of a run."""

import contextlib
import csv

import numpy as np
import pytest

from keras_saliency import callbacks, prediction


def metrics(run_dir):
    with open(run_dir / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def assert_same_weights(first, second):
    ours, theirs = (prediction.load(str(run)) for run in (first, second))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@contextlib.contextmanager
def cut_off(last):
    """A run in here is interrupted before epoch `last`, the first is 0, has its checkpoint."""

    def interrupt(self, epoch, logs=None):
        if epoch == last:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(callbacks.Generators, "on_epoch_end", interrupt)
        yield
