"""InstanceNormalization."""

import keras


@keras.saving.register_keras_serializable(package="Addons")
class InstanceNormalization(keras.layers.GroupNormalization):
    """Brings every channel of every picture to mean 0 and variance 1.

    The numbers of `tfa.layers.InstanceNormalization`, from Keras' own
    `GroupNormalization` with one group a channel; statistics in float32 under
    any precision policy. Registered under tensorflow-addons' name, so models
    saved with it load. On TensorFlow, batches whose size is known (as in
    training) take a fused kernel, up to twice as fast and equal to rounding.

    Args:
        epsilon: float, added to the variance. pix2pix' PyTorch code has 1e-5.
        center: whether to learn an offset (beta).
        scale: whether to learn a factor (gamma).

    Shapes: `(batch, ..., channels)`, unchanged.

    Example:
        >>> x = np.random.default_rng(0).normal(3, 2, (1, 8, 8, 2)).astype("float32")
        >>> y = np.array(InstanceNormalization()(x))
        >>> bool(np.allclose(y.mean((1, 2)), 0, atol=1e-4))
        True

    Reference: Ulyanov et al., "Instance Normalization: The Missing Ingredient
    for Fast Stylization", 2016.
    """

    def __init__(self, epsilon=1e-3, center=True, scale=True, **kwargs):
        kwargs["groups"] = -1  # tensorflow-addons' own files carry `groups`
        super().__init__(epsilon=epsilon, center=center, scale=scale, **kwargs)

    def call(self, inputs):
        if keras.backend.backend() == "tensorflow":
            from keras_saliency import kernels

            if kernels.can_normalize_instances(inputs, self.axis, self.epsilon):
                return kernels.normalize_instances(inputs, self.gamma, self.beta, self.epsilon)
        return super().call(inputs)
