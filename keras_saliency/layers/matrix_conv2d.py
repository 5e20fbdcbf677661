"""MatrixConv2D."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class MatrixConv2D(keras.layers.Conv2D):
    """Keras' `Conv2D`, computed as one product of matrices.

    For small maps of many channels, where nearly all time goes into reading and
    writing the kernel: at 5x8 pixels and 1024 to 1024 channels a training step
    takes half the time of a convolution's on a CPU. Takes `Conv2D`'s arguments
    and saves its weights. What this does not compute (groups, dilation,
    channels first, "same" but at stride 1, an unknown size) goes Keras' way.

    Shapes: as `Conv2D`'s.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(2, 5, 8, 3)).astype("float32")
        >>> layer = MatrixConv2D(4, 3, padding="same")
        >>> y = layer(x)
        >>> bool(np.allclose(y, ops.conv(x, layer.kernel, padding="same"), atol=1e-5))
        True
    """

    def convolution_op(self, inputs, kernel):
        height, width = inputs.shape[1:3]
        plain = self.data_format == "channels_last" and self.groups == 1
        plain = plain and set(self.dilation_rate) == {1} and None not in (height, width)
        whole = self.padding == "valid" or (self.padding == "same" and set(self.strides) == {1})
        if not (plain and whole):
            return super().convolution_op(inputs, kernel)
        if self.padding == "same":
            borders = [((size - 1) // 2, size // 2) for size in self.kernel_size]
            inputs = ops.pad(inputs, [(0, 0), *borders, (0, 0)])
        patches = self._patches(inputs)
        columns = ops.transpose(ops.reshape(patches, (-1, patches.shape[-1])))
        found = _product(ops.reshape(kernel, (-1, self.filters)), columns)
        return ops.reshape(ops.transpose(found), (-1, *patches.shape[1:3], self.filters))

    def _patches(self, inputs):
        """What each output sees, along the channels."""
        height, width = (
            (side - size) // stride * stride + 1
            for side, size, stride in zip(
                inputs.shape[1:3], self.kernel_size, self.strides, strict=True
            )
        )
        down, right = self.strides
        return ops.concatenate(
            [
                inputs[:, i : i + height : down, j : j + width : right]
                for i in range(self.kernel_size[0])
                for j in range(self.kernel_size[1])
            ],
            axis=-1,
        )


def _product(kernel, columns):
    """`kernel`, on its side, times `columns`.

    The kernel, by far the larger, comes first and as it is, here and in the
    gradients: last and on its side, a CPU would take three times as long.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.matmul(ops.transpose(kernel), columns)
    from keras_saliency import kernels

    return kernels.product_on_its_side(kernel, columns)
