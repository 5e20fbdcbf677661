"""AlwaysDropout."""

import keras


@keras.saving.register_keras_serializable(package="keras_saliency")
class AlwaysDropout(keras.layers.Dropout):
    """Keras' `Dropout`, in prediction as in training.

    pix2pix has no noise input: its predictions vary because dropout stays on.

    Args:
        rate: float, 0-1, share of the inputs that are set to 0; the others grow
            by 1 / (1 - rate).

    Shapes: any, unchanged.

    Example:
        >>> y = np.array(AlwaysDropout(0.5)(np.ones((1, 1000)), training=False))
        >>> sorted(set(y[0].tolist()))
        [0.0, 2.0]

    Reference: Isola et al., "Image-to-Image Translation with Conditional
    Adversarial Networks", CVPR 2017, section 3.2.
    """

    def call(self, inputs, training=False):
        return super().call(inputs, training=True)
