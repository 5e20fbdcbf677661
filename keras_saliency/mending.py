"""Keras 3.15, put right for training on several devices, while `fit` runs."""

import contextlib
from unittest import mock

import keras
from keras.src.backend.tensorflow import nn, random, trainer

from keras_saliency.tensorflow_only import tf


@contextlib.contextmanager
def mended(model, several):
    """Keras 3.15, put right for several devices.

    - dropout: every device would draw the same mask;
    - batch normalization: every device would go by its own part of the batch, or,
      `synchronized`, lose the variance in rounding where it is small;
    - `fit` begins with building the model, which is built already, and fails if
      the devices' first parts differ in size, or lie on several machines;
    - of several machines it cannot average what they show.

    tests/test_strategies.py says when Keras does without.
    """
    patches = [
        mock.patch.object(random, "dropout", _whole_dropout(random.dropout)),
        mock.patch.object(nn, "_compute_moments_sync", _whole_moments),
        mock.patch.object(
            trainer.TensorFlowTrainer, "_maybe_symbolic_build", lambda *_, **__: None
        ),
    ]
    if several:
        patches.append(mock.patch.object(trainer, "reduce_per_replica", _mean_of_all))
    normalizations = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        for layer in normalizations:
            stack.enter_context(mock.patch.object(layer, "synchronized", True))
        yield


def _whole_dropout(dropout):
    """Keras' `dropout`, that drops of a part of the batch what it would of the whole."""

    def part(inputs, rate, noise_shape=None, seed=None):
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1 or noise_shape is not None:
            return dropout(inputs, rate, noise_shape, seed)
        shape = tf.shape(inputs)
        whole = tf.concat([shape[:1] * replica.num_replicas_in_sync, shape[1:]], 0)
        factors = dropout(tf.ones(whole, inputs.dtype), rate, seed=seed)
        begin = replica.replica_id_in_sync_group * shape[0]
        return inputs * factors[begin : begin + shape[0]]

    return part


def _whole_moments(x, axes, keepdims):
    """Mean and variance of the whole batch, whose parts are of one size."""

    def mean(values):
        part = tf.reduce_mean(values, axes, keepdims=True)
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce("SUM", part) / replica.num_replicas_in_sync

    center = mean(x)
    variance = mean(tf.square(x - center))
    return [each if keepdims else tf.squeeze(each, axes) for each in (center, variance)]


def _mean_of_all(values, strategy, reduction):
    """What the machines show after a step, averaged over them in one message."""

    def stacked(values):
        return tf.stack([tf.cast(value, "float32") for value in values])

    assert reduction == "auto", "several machines do not predict together"
    mine = strategy.run(stacked, args=(list(values.values()),))
    means = tf.unstack(strategy.reduce("MEAN", mine, axis=None))
    return dict(zip(values, means, strict=True))
