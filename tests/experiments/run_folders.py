"""What the tests of the training scripts read of a run."""

import csv

import numpy as np

from keras_saliency import prediction


def metrics(run_dir):
    with open(run_dir / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def assert_same_weights(first, second):
    ours, theirs = (prediction.load(str(run)) for run in (first, second))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
