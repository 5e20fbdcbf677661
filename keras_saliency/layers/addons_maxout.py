"""AddonsMaxout."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="Addons", name="Maxout")
class AddonsMaxout(keras.layers.Layer):
    """Is tensorflow-addons' `Maxout`, so that models saved with it load.

    New networks take `Maxout(pieces, pairing="halves")`: the same numbers on
    the last axis. Has no weights. Registered under tensorflow-addons' name.

    Args:
        num_units: int, at least 1. Channels that are left. Channel i competes
            with i + num_units, i + 2 num_units and so on.
        axis: int, where the channels are.

    Shapes: `(batch, ..., channels, ...)` to `(batch, ..., num_units, ...)`.

    Raises:
        ValueError: if `num_units` is not such a number; on build, if the
            input has no such axis or `num_units` does not divide its length.

    Example:
        >>> x = np.array([[1.0, 5.0, -3.0, -4.0]])
        >>> np.array(AddonsMaxout(num_units=2)(x)).tolist()
        [[1.0, 5.0]]

    Reference: Goodfellow et al., "Maxout Networks", ICML 2013.
    """

    def __init__(self, num_units, axis=-1, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(num_units, int) or num_units < 1:
            raise ValueError(
                f"`num_units` must be an int of at least 1. Received: num_units={num_units}"
            )
        self.num_units = num_units
        self.axis = axis

    def build(self, input_shape):
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(
                f"`axis` must be an axis of the input. "
                f"Received: axis={self.axis}, input shape {tuple(input_shape)}"
            )
        channels = input_shape[self.axis]
        if channels is not None and channels % self.num_units:
            raise ValueError(
                f"`num_units` must divide the number of channels. "
                f"Received: num_units={self.num_units}, input shape {tuple(input_shape)}"
            )
        super().build(input_shape)

    def call(self, inputs):
        axis = self.axis % len(inputs.shape)
        shape = ops.shape(inputs)
        split = (shape[axis] // self.num_units, self.num_units)
        return ops.max(ops.reshape(inputs, (*shape[:axis], *split, *shape[axis + 1 :])), axis=axis)

    def compute_output_shape(self, input_shape):
        output_shape = list(input_shape)
        output_shape[self.axis] = self.num_units
        return tuple(output_shape)

    def get_config(self):
        return {**super().get_config(), "num_units": self.num_units, "axis": self.axis}
