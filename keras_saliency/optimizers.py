"""FusedAdam: Adam in one pass over memory. LossScale: float16's, of several devices too."""

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

    Example:
        >>> weight = keras.Variable([1.0, 2.0])
        >>> FusedAdam(0.1).apply([np.array([1.0, -1.0])], [weight])
        >>> [round(float(number), 3) for number in weight.numpy()]
        [0.9, 2.1]

    Reference: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR
    2015.
    """

    def update_step(self, gradient, variable, learning_rate):
        plain = keras.backend.standardize_dtype(variable.dtype) == "float32" and not self.amsgrad
        if keras.backend.backend() != "tensorflow" or not plain:
            super().update_step(gradient, variable, learning_rate)
            return
        from keras_saliency import kernels

        index = self._get_variable_index(variable)
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
        from keras_saliency import kernels

        return kernels.on_all_replicas(finite)
