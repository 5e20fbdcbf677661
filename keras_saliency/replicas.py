"""What a train step must know of the other devices, which get the rest of its batch."""

import keras

from keras_saliency.tensorflow_only import tf


def count() -> int:
    """How many devices share a batch; 1 without a `tf.distribute` strategy.

    Example:
        >>> count()
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def means(metrics: list) -> dict:
    """Of the metrics that are means, by name, the mean of what all devices have seen.

    Each has seen a part of the pictures, perhaps not as many as another. On one
    device nothing is left to be done, and there is none.
    """
    if count() == 1:
        return {}
    metrics = [metric for metric in metrics if isinstance(metric, keras.metrics.Mean)]
    sums = tf.stack([tf.stack([metric.total.value, metric.count.value]) for metric in metrics])
    replica = tf.distribute.get_replica_context()
    totals, counts = tf.unstack(replica.all_reduce(tf.distribute.ReduceOp.SUM, sums), axis=1)
    found = tf.unstack(tf.math.divide_no_nan(totals, counts))
    return {metric.name: mean for metric, mean in zip(metrics, found, strict=True)}


def on_all(condition):
    """Whether something is so on every device of a `tf.distribute` strategy; else as it is.

    Example:
        >>> bool(on_all(tf.constant(True)))
        True
    """
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return condition
    failed = tf.cast(tf.logical_not(condition), "float32")
    return tf.equal(replica.all_reduce(tf.distribute.ReduceOp.SUM, failed), 0)
