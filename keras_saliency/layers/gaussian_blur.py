"""GaussianBlur."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class GaussianBlur(keras.layers.Layer):
    """Blurs maps with a Gaussian, JuntingNet's last step.

    Has no weights. The kernel reaches four standard deviations, as SciPy's
    does; the blur is separable and computed in float32.

    Args:
        sigma: float, standard deviation in pixels; 0 changes nothing.
        padding: what lies beyond the border. "reflect" mirrors the map with
            its edge pixel repeated (SciPy's word for it), "edge" repeats the
            edge pixel, "zero" is black: it darkens the border and so fakes a
            center bias.

    Shapes: `(batch, height, width, channels)`, unchanged.

    Raises:
        ValueError: if `sigma` is negative or `padding` unknown.

    Example:
        >>> flat = np.ones((1, 8, 8, 1), "float32")
        >>> bool(np.allclose(GaussianBlur(sigma=3.0)(flat), flat))
        True

    Reference: Pan and Giró-i-Nieto, "End-to-end Convolutional Network for
    Saliency Prediction", LSUN 2015, section 3.1.
    """

    def __init__(self, sigma, padding="reflect", **kwargs):
        super().__init__(**kwargs)
        if sigma < 0:
            raise ValueError(f"`sigma` must not be negative. Received: sigma={sigma}")
        if padding not in ("reflect", "edge", "zero"):
            raise ValueError(
                f'`padding` must be "reflect", "edge" or "zero". Received: padding={padding}'
            )
        self.sigma = float(sigma)
        self.padding = padding
        self.autocast = False  # blurring in float16 would round away the tails

    def call(self, inputs):
        if not self.sigma:
            return ops.cast(inputs, self.compute_dtype)
        maps = ops.cast(inputs, "float32")
        for axis in (1, 2):
            maps = self._blur_along(maps, axis)
        return ops.cast(maps, self.compute_dtype)

    def _blur_along(self, maps, axis):
        radius = int(4 * self.sigma + 0.5)
        taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / self.sigma) ** 2)
        shape = [1, 1, 1, 1]
        shape[axis - 1] = len(taps)
        kernel = (taps / taps.sum()).astype("float32").reshape(shape)
        kernel = np.repeat(kernel, maps.shape[-1], axis=2)
        return ops.depthwise_conv(self._pad(maps, axis, radius), kernel, padding="valid")

    def _pad(self, maps, axis, radius):
        if self.padding == "zero":
            widths = [[0, 0]] * 4
            widths[axis] = [radius, radius]
            return ops.pad(maps, widths)
        size = maps.shape[axis]
        if size is None:
            size = ops.shape(maps)[axis]
        index = ops.arange(-radius, size + radius)
        if self.padding == "edge":
            index = ops.clip(index, 0, size - 1)
        else:  # a mirror at each border, as often as a wide kernel needs
            index = ops.mod(index, 2 * size)
            index = ops.minimum(index, 2 * size - 1 - index)
        return ops.take(maps, index, axis=axis)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma, "padding": self.padding}
