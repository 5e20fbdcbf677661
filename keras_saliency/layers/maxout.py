"""Maxout."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_saliency")
class Maxout(keras.layers.Layer):
    """Keeps the largest of every `pieces` channels.

    Has no weights. After a `Dense` or `Conv2D` it turns `pieces` linear
    responses into one learned convex activation.

    Args:
        pieces: int, at least 2. Channels that compete for one output.
        pairing: which channels compete. "pairs": neighbours, 0 and 1, 2 and 3
            (Lasagne's `FeaturePoolLayer`, JuntingNet's own code). "halves":
            channel i and i + channels / pieces (tensorflow-addons).

    Shapes: `(batch, ..., channels)` to `(batch, ..., channels // pieces)`.

    Raises:
        ValueError: if an argument is not one of these; on build, if `pieces`
            does not divide the channels.

    Example:
        >>> x = np.array([[1.0, 5.0, -3.0, -4.0]])
        >>> np.array(Maxout(2)(x)).tolist()
        [[5.0, -3.0]]
        >>> np.array(Maxout(2, pairing="halves")(x)).tolist()
        [[1.0, 5.0]]

    Reference: Goodfellow et al., "Maxout Networks", ICML 2013.
    """

    def __init__(self, pieces=2, pairing="pairs", **kwargs):
        super().__init__(**kwargs)
        if not isinstance(pieces, int) or pieces < 2:
            raise ValueError(f"`pieces` must be an int of at least 2. Received: pieces={pieces}")
        if pairing not in ("pairs", "halves"):
            raise ValueError(f'`pairing` must be "pairs" or "halves". Received: pairing={pairing}')
        self.pieces = pieces
        self.pairing = pairing

    def build(self, input_shape):
        if input_shape[-1] is None or input_shape[-1] % self.pieces:
            raise ValueError(
                f"`pieces` must divide the number of channels. "
                f"Received: pieces={self.pieces}, input shape {tuple(input_shape)}"
            )
        super().build(input_shape)

    def call(self, inputs):
        outputs = inputs.shape[-1] // self.pieces
        pairs = self.pairing == "pairs"
        split = (outputs, self.pieces) if pairs else (self.pieces, outputs)
        leading = ops.shape(inputs)[:-1]
        return ops.max(ops.reshape(inputs, (*leading, *split)), axis=-1 if pairs else -2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // self.pieces)

    def get_config(self):
        return {**super().get_config(), "pieces": self.pieces, "pairing": self.pairing}
