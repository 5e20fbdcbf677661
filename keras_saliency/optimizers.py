"""FusedAdam and FusedSGD: a step in one pass over memory. LossScale: of several devices too."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class FusedAdam(keras.optimizers.Adam):
    """Keras' `Adam`, with TensorFlow's fused kernel: the same numbers, four times faster on a CPU.

    A network of many weights and small batches, such as pix2pix at batch 1,
    spends a quarter of its step in Keras' own. Takes Adam's arguments and saves
    Adam's state. Where the kernel does not fit (another backend, `amsgrad`,
    weights that are not float32) it is Keras' Adam. Of a sparse gradient that
    names a row twice it takes the sum.

    Args:
        learning_rate: as Adam's.
        slowed: paths of variables that learn slower, such as those that are
            trained already.
        slowdown: float, what the rate is multiplied by for these.
        **kwargs: Adam's.

    Example:
        >>> weight = keras.Variable([1.0, 2.0])
        >>> FusedAdam(0.1).apply([np.array([1.0, -1.0])], [weight])
        >>> [round(float(number), 3) for number in weight.numpy()]
        [0.9, 2.1]

    Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR
    2015.
    """

    def __init__(self, learning_rate=0.001, slowed=(), slowdown=1.0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.slowed = list(slowed)
        self.slowdown = slowdown

    def get_config(self):
        return {**super().get_config(), "slowed": self.slowed, "slowdown": self.slowdown}

    def update_step(self, gradient, variable, learning_rate):
        # What comes here is TensorFlow's variable, which has no path.
        index = self._get_variable_index(variable)
        if self._trainable_variables[index].path in self.slowed:
            learning_rate = learning_rate * self.slowdown
        if self.amsgrad or not _fits(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        from keras_saliency import kernels

        kernels.adam_step(
            variable,
            self._momentums[index],
            self._velocities[index],
            ops.cast(gradient, "float32"),
            self.iterations + 1,
            ops.cast(learning_rate, "float32"),
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )


@keras.saving.register_keras_serializable(package="keras_saliency")
class FusedSGD(keras.optimizers.SGD):
    """Keras' `SGD` with momentum, with TensorFlow's fused kernel: the same numbers.

    Keras' own goes again and again over arrays as large as the weights: a tenth
    of JuntingNet's step. Takes SGD's arguments and saves SGD's state. Where the
    kernel does not fit (another backend, no momentum, weights that are not
    float32) it is Keras' SGD.

    Example:
        >>> weight = keras.Variable([1.0, 2.0])
        >>> optimizer = FusedSGD(0.1, momentum=0.9, nesterov=True)
        >>> optimizer.apply([np.array([1.0, -1.0])], [weight])
        >>> [round(float(number), 3) for number in weight.numpy()]
        [0.81, 2.19]

    Reference: Sutskever et al., "On the importance of initialization and
    momentum in deep learning", ICML 2013.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.momentum == 0 or not _fits(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        from keras_saliency import kernels

        kernels.momentum_step(
            variable,
            self.momentums[self._get_variable_index(variable)],
            ops.cast(gradient, "float32"),
            ops.cast(learning_rate, "float32"),
            self.momentum,
            self.nesterov,
        )


@keras.saving.register_keras_serializable(package="keras_saliency")
class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' `LossScaleOptimizer`, right on several devices too.

    Keras' looks at the gradients of one device, before they are added up: if
    only another's overflow, it takes the step all the same, and of several
    machines some would wait forever for those that skip it.

    Example:
        >>> weight = keras.Variable([1.0, 2.0])
        >>> LossScale(FusedAdam(0.1)).apply([np.array([np.inf, 1.0])], [weight])
        >>> weight.numpy().tolist()
        [1.0, 2.0]
    """

    def check_finite(self, grads):
        finite = super().check_finite(grads)
        if keras.backend.backend() != "tensorflow":
            return finite
        from keras_saliency import replicas

        return replicas.on_all(finite)


# How a rate falls over so many steps.
SCHEDULES = {
    "last_fifth": lambda rate, steps: keras.optimizers.schedules.PiecewiseConstantDecay(
        [round(0.8 * steps)], [rate, rate / 10]
    ),
    "cosine": lambda rate, steps: keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01),
}


def ready(optimizer, network: keras.Model):
    """The optimizer with its slots built, so that a saved state finds its place.

    Args:
        optimizer: `keras.optimizers.Optimizer` or its name; None stays None.
        network: what it trains. If that has float16 layers, the optimizer gets
            a `LossScale`; Keras' own becomes one, with its settings and state.

    Example:
        >>> optimizer = ready("adam", keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
        >>> len(optimizer.variables)
        6
    """
    if optimizer is None:
        return None
    optimizer = keras.optimizers.get(optimizer)
    if type(optimizer) is keras.optimizers.LossScaleOptimizer:
        optimizer = _right_on_several(optimizer, network)
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if not scales and any(layer.compute_dtype == "float16" for layer in network.layers):
        optimizer = LossScale(optimizer)
    if not optimizer.built:  # a second time it would make a second scale
        optimizer.build(network.trainable_variables)
    return optimizer


def _right_on_several(keras_own, network):
    settings = (keras_own.initial_scale, keras_own.dynamic_growth_steps, keras_own.name)
    optimizer = LossScale(keras_own.inner_optimizer, *settings)
    if keras_own.built:
        optimizer.build(network.trainable_variables)
        optimizer.dynamic_scale.assign(keras_own.dynamic_scale)
        optimizer.step_counter.assign(keras_own.step_counter)
    return optimizer


def _fits(variable):
    plain = keras.backend.standardize_dtype(variable.dtype) == "float32"
    return plain and keras.backend.backend() == "tensorflow"
