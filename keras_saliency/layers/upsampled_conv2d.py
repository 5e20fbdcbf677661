"""A map made twice as large and the convolution after it, computed as one."""

import keras
from keras import ops

from keras_saliency.errors import InputError


@keras.saving.register_keras_serializable(package="keras_saliency")
class UpsampledConv2D(keras.layers.Conv2D):
    """Keras' `UpSampling2D` and the 3x3 `Conv2D` after it, with less than half the work.

    Each pixel of a map that was made twice as large by repeating stands four
    times under a 3x3 kernel, so a 4x4 kernel of sums, laid out from the small
    map, does the same with 4 products for 9; so do its gradients. The weights
    are the 3x3 kernel and the bias, as `Conv2D` has them.

    Args:
        filters: int.
        **kwargs: of `Conv2D`, but for what is fixed: a kernel of 3x3, strides
            and dilation of 1, padding "same", one group, channels last.

    Shapes: `(batch, height, width, channels)` to `(batch, 2 * height,
        2 * width, filters)`.

    Raises:
        InputError: if something that is fixed is given otherwise.

    Example:
        >>> import numpy as np
        >>> stimuli = np.ones((1, 4, 6, 3), "float32")
        >>> layer = UpsampledConv2D(2)
        >>> layer(stimuli).shape, tuple(layer.kernel.shape)
        (TensorShape([1, 8, 12, 2]), (3, 3, 3, 2))
    """

    def __init__(self, filters, kernel_size=3, padding="same", **kwargs):
        super().__init__(filters, kernel_size, padding=padding, **kwargs)
        ones = {*self.strides, *self.dilation_rate, self.groups} == {1}
        last = self.data_format == "channels_last"
        if not (ones and last and padding == "same" and self.kernel_size == (3, 3)):
            raise InputError(
                f"{self.name}: an UpsampledConv2D has a 3x3 kernel, no strides or dilation, one "
                'group, padding "same", and channels last'
            )

    def add_weight(self, *args, **kwargs):
        # As they are: sums of kernels that were rounded before would be rounded twice.
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def call(self, inputs):
        kernel = of_small_map(ops.convert_to_tensor(self.kernel))
        kernel = ops.cast(kernel, self.compute_dtype)
        outputs = ops.conv_transpose(inputs, kernel, 2, "same", data_format="channels_last")
        if self.use_bias:
            outputs = ops.add(outputs, ops.cast(self.bias, self.compute_dtype))
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        sides = [None if side is None else 2 * side for side in input_shape[1:3]]
        return (input_shape[0], *sides, self.filters)


def of_small_map(kernel):
    """The 4x4 kernel of a transposed convolution for a 3x3 kernel on the doubled map.

    Args:
        kernel: `(3, 3, channels, filters)`, tensor or array.

    Returns: `(4, 4, filters, channels)`, for strides of 2 and padding "same".

    Example:
        >>> import numpy as np
        >>> of_small_map(np.ones((3, 3, 1, 1)))[:, 0, 0, 0].numpy().tolist()
        [1.0, 2.0, 2.0, 1.0]
    """
    for axis in (0, 1):
        first, middle, last = ops.unstack(kernel, 3, axis)
        kernel = ops.stack([last, middle + last, first + middle, first], axis)
    return ops.transpose(kernel, (0, 1, 3, 2))
