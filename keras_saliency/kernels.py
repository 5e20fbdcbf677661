"""TensorFlow's fused kernels for what `keras.ops` does in several passes over memory.

Used where they compute the same; other backends, and what the kernels do not
take, go Keras' way.
"""

import keras
import tensorflow as tf
from keras import ops

FUSED = ("float32", "bfloat16", "float16")
LEAST_EPSILON = 1e-5  # of NVIDIA's kernels
MOST_PICTURES = 16  # each becomes an operation of the graph


def can_normalize_instances(inputs, axis: int, epsilon: float) -> bool:
    """Whether `normalize_instances` takes this: pictures, so many at a time, channels last."""
    rank_4 = len(inputs.shape) == 4 and axis in (-1, 3)
    count = inputs.shape[0] if rank_4 else None
    known = tf.is_tensor(inputs) and keras.backend.standardize_dtype(inputs.dtype) in FUSED
    return known and bool(count) and count <= MOST_PICTURES and epsilon >= LEAST_EPSILON


def normalize_instances(inputs, gamma, beta, epsilon: float):
    """Every channel of every picture to mean 0 and variance 1, then times gamma plus beta.

    Batch normalization of a single picture is instance normalization, and
    TensorFlow has one kernel for it, with float32 statistics.

    Args:
        inputs: `(batch, height, width, channels)`, batch known.
        gamma, beta: `(channels,)`, or None for 1 and 0.
        epsilon: float, added to the variance.

    Example:
        >>> x = tf.constant([[[[1.0]], [[3.0]]]])
        >>> normalize_instances(x, None, None, 1e-5).numpy().round(3).ravel().tolist()
        [-1.0, 1.0]
    """
    channels = inputs.shape[-1]
    gamma = tf.ones([channels]) if gamma is None else ops.cast(gamma, "float32")
    beta = tf.zeros([channels]) if beta is None else ops.cast(beta, "float32")
    unknown = tf.zeros([0])  # statistics are taken, not given

    def one(picture):
        return tf.raw_ops.FusedBatchNormV3(
            x=picture, scale=gamma, offset=beta, mean=unknown, variance=unknown,
            epsilon=epsilon, is_training=True,
        ).y  # fmt: skip

    pictures = tf.split(inputs, inputs.shape[0])
    return one(inputs) if len(pictures) == 1 else tf.concat([one(p) for p in pictures], 0)


def product_on_its_side(matrix, other):
    """`transpose(matrix)` times `other`, without ever moving `matrix`, also in the gradients.

    Example:
        >>> product_on_its_side(tf.constant([[1.0], [2.0]]), tf.constant([[3.0], [4.0]])).numpy()
        array([[11.]], dtype=float32)
    """
    return tf.matmul(matrix, other, transpose_a=True)


def adam_step(variable, momentum, velocity, gradient, step, rate, beta_1, beta_2, epsilon):
    """One step of Adam, in place: reads and writes each number once.

    Args:
        variable: `tf.Variable`, float32.
        momentum, velocity: `keras.Variable`, Adam's two averages of it.
        gradient: as the variable.
        step: int scalar, 1 for the first.
        rate, beta_1, beta_2, epsilon: as Adam's.
    """
    step = ops.cast(step, "float32")
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=momentum.value.handle, v=velocity.value.handle,
        beta1_power=ops.power(beta_1, step), beta2_power=ops.power(beta_2, step),
        lr=rate, beta1=beta_1, beta2=beta_2, epsilon=epsilon, grad=gradient,
    )  # fmt: skip


def momentum_step(variable, momentum, gradient, rate, decay, nesterov):
    """One step of SGD with momentum, in place: reads and writes each number once.

    Args:
        variable: `tf.Variable`, float32.
        momentum: `keras.Variable`, what the steps before have left.
        gradient: as the variable.
        rate, decay, nesterov: as SGD's `learning_rate`, `momentum`, `nesterov`.
    """
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle, accum=momentum.value.handle, lr=rate, grad=gradient,
        momentum=decay, use_nesterov=nesterov,
    )  # fmt: skip


def sum_of_squares(tensor):
    """Of all numbers; nothing is written in between, and its gradient is one product.

    Example:
        >>> float(sum_of_squares(tf.constant([1.0, 2.0])))
        5.0
    """
    return 2 * tf.nn.l2_loss(tensor)
