"""What a train step must know of the other devices, which get the rest of its batch."""

import math

from keras_saliency.tensorflow_only import tf


def count() -> int:
    """How many devices share a batch; 1 without a `tf.distribute` strategy.

    Example:
        >>> count()
        1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def results(metrics: list) -> dict:
    """The metrics' results, by name, of what all devices have seen together.

    Each device has seen a part of the pictures, perhaps not as many as another:
    what the metrics keep is added up, and then the results are taken.

    Raises:
        ValueError: if there are several devices and a metric keeps something
            that is not added up.
    """
    if count() == 1:
        return {metric.name: metric.result() for metric in metrics}
    for metric in metrics:
        if any(variable.aggregation != "sum" for variable in metric.variables):
            raise ValueError(
                "On several devices the variables of a metric are added up; those of "
                f"{metric.name} have another aggregation."
            )
    variables = [variable for metric in metrics for variable in metric.variables]
    # All in one message.
    flat = tf.concat([tf.reshape(tf.cast(v.value, "float32"), (-1,)) for v in variables], 0)
    replica = tf.distribute.get_replica_context()
    sums = replica.all_reduce(tf.distribute.ReduceOp.SUM, flat)
    parts = tf.split(sums, [math.prod(v.shape) for v in variables])
    parts = [
        tf.cast(tf.reshape(p, v.shape), v.dtype) for p, v in zip(parts, variables, strict=True)
    ]
    found = {}
    for metric in metrics:
        its, parts = parts[: len(metric.variables)], parts[len(metric.variables) :]
        found[metric.name] = metric.stateless_result(its)
    return found


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
