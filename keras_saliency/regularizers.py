"""FusedL2: a weight decay that does not copy the weights."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class FusedL2(keras.regularizers.L2):
    """Keras' `L2`, the same numbers: with TensorFlow its kernel that sums squares.

    Keras' own writes the squares down and sums them, and its gradient is three
    arrays as large as the weights before it is one.

    Args:
        l2: float, times the sum of the squares.

    Example:
        >>> float(FusedL2(0.1)(ops.convert_to_tensor([1.0, 3.0])))
        1.0
    """

    def __call__(self, x):
        if keras.backend.backend() != "tensorflow":
            return super().__call__(x)
        from keras_saliency import kernels

        return self.l2 * kernels.sum_of_squares(ops.convert_to_tensor(x))
