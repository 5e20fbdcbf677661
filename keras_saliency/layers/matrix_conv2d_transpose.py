"""MatrixConv2DTranspose."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class MatrixConv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' `Conv2DTranspose` without padding, computed as one product of matrices.

    For small maps of many channels: see `MatrixConv2D`. Takes
    `Conv2DTranspose`'s arguments and saves its weights; what this does not
    compute (padding "same", output padding, dilation, channels first, strides
    beyond the kernel, an unknown size) goes Keras' way.

    Shapes: `(batch, height, width, channels)` to `(batch, (height - 1) * stride
        + kernel, ..., filters)`.

    Example:
        >>> layer = MatrixConv2DTranspose(4, 3, strides=2)
        >>> layer(np.zeros((2, 5, 8, 3))).shape
        TensorShape([2, 11, 17, 4])
    """

    def call(self, inputs):
        height, width, channels = inputs.shape[1:]
        plain = self.data_format == "channels_last" and self.padding == "valid"
        plain = plain and set(self.dilation_rate) == {1} and self.output_padding is None
        reaches = all(s <= k for s, k in zip(self.strides, self.kernel_size, strict=True))
        if not (plain and reaches) or None in (height, width):
            return super().call(inputs)
        rows, columns = self.kernel_size
        kernel = ops.reshape(self.kernel, (-1, channels))
        # The kernel, by far the larger, comes first: see MatrixConv2D.
        spread = ops.matmul(kernel, ops.transpose(ops.reshape(inputs, (-1, channels))))
        shape = (-1, height, width, rows, columns, self.filters)
        spread = ops.reshape(ops.transpose(spread), shape)
        down = _overlapped(ops.unstack(spread, rows, 3), 1, self.strides[0])
        outputs = _overlapped(ops.unstack(down, columns, 3), 2, self.strides[1])
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def _overlapped(taps, axis, stride):
    """Lays tap k of pixel i at `stride` i + k along an axis, and adds what meets there."""
    beyond = (len(taps) - 1) // stride  # pixels by which the last tap reaches further
    phases = []
    for first in range(stride):
        shifted = []
        for by, tap in enumerate(taps[first::stride]):
            width = [(0, 0)] * len(tap.shape)
            width[axis] = (by, beyond - by)
            shifted.append(ops.pad(tap, width))
        phases.append(sum(shifted[1:], start=shifted[0]))
    shape = list(phases[0].shape)
    length = stride * (taps[0].shape[axis] - 1) + len(taps)
    shape[0], shape[axis] = -1, stride * shape[axis]
    laid = ops.reshape(ops.stack(phases, axis + 1), shape)
    return laid[(slice(None),) * axis + (slice(length),)]
