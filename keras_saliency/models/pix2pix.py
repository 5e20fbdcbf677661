"""pix2pix: a U-Net that paints the saliency map, and a discriminator of patches.

Reference: Isola, Zhu, Zhou and Efros, "Image-to-Image Translation with
Conditional Adversarial Networks", CVPR 2017, and its authors' code;
Chaldaiopoulos, "Predicting eye fixations using a pix2pix GAN", University of
Piraeus, for the network that takes CAT2000's pictures.
"""

import keras
from keras import layers

from keras_saliency.errors import InputError
from keras_saliency.layers import (
    AlwaysDropout,
    InstanceNormalization,
    MatrixConv2D,
    MatrixConv2DTranspose,
)

SIZES = {"cat2000": (144, 256), "isola256": (256, 256)}
# A side of the input must divide by this, so that the decoder meets the encoder.
STEPS = {"cat2000": 16, "isola256": 256}
NORMALIZATIONS = ("instance", "batch", None)


def Pix2PixGenerator(
    variant: str = "cat2000",
    input_shape: tuple[int, int, int] | None = None,
    layout: str = "A",
    channels: int = 1,
    normalization: str | None = "instance",
    dropout: float = 0.5,
    test_dropout: bool = False,
    width: float = 1.0,
    name: str = "pix2pix_generator",
) -> keras.Model:
    """pix2pix' generator, a U-Net: a stimulus in, its saliency map out.

    Args:
        variant: "cat2000": the saliency report's, five halvings of 144x256, of
            which the last has 3x3 kernels, since 9x16 cannot be halved by 4x4
            ones and doubled again; 31,859,585 parameters. "isola256": the
            paper's, eight halvings, to a single pixel at 256x256; with three
            channels its 54,409,603 parameters and the factors of its
            normalizations, where it has them.
        input_shape: `(height, width, 3)`, by default the variant's; both sides
            multiples of 16 ("cat2000", at least 48) or of 256 ("isola256").
        layout: of "cat2000", how its report is read. "A": at 5x8 a convolution
            turns the encoder into the decoder. "B": it halves once more, to
            3x4, and a transposed convolution goes back to 5x8.
        channels: int, of the map; the paper paints pictures, 3.
        normalization: "instance" (the report's; what the paper's batches of one
            picture come to, in training and after it), "batch" or None.
        dropout: float, share of the activations dropped in the decoder's first
            three layers.
        test_dropout: drop out in prediction too, as the paper does instead of a
            noise input: every prediction is another (but a SavedModel has one
            and the same noise).
        width: float, multiplies the number of filters of every layer.
        name: str.

    Shapes: stimulus `(batch, height, width, 3)`, RGB, 0-255, to saliency map
        `(batch, height, width, channels)`, float32, 0-1. Both are -1 to 1
        inside, where the last layer is a tanh.

    Raises:
        InputError: if the size does not fit, or an argument is not one of
            these.

    Example:
        >>> model = Pix2PixGenerator(input_shape=(48, 64, 3), width=0.0625)
        >>> model.predict(np.zeros((2, 48, 64, 3)), verbose=0).shape
        (2, 48, 64, 1)
    """
    if variant not in SIZES:
        raise InputError(f"variant must be one of {', '.join(SIZES)}. Received: {variant!r}")
    if layout not in ("A", "B"):
        raise InputError(f"layout must be A or B. Received: {layout!r}")
    _check_normalization(normalization)
    input_shape = input_shape or (*SIZES[variant], 3)
    step = STEPS[variant]
    if len(input_shape) != 3:
        raise InputError(f"input_shape must be (height, width, 3). Received: {input_shape}")
    # Below, an instance of a single pixel would be normalized to nothing.
    if any(side % step or side < 48 for side in input_shape[:2]):
        raise InputError(
            f"the sides of pix2pix' {variant} must be multiples of {step}, at least "
            f"{max(step, 48)} pixels. Received: {input_shape[0]}x{input_shape[1]} (--size HxW)"
        )
    dropping = AlwaysDropout if test_dropout else layers.Dropout

    def dropout_layer(name):
        return dropping(dropout, name=name)

    stimulus = keras.Input(input_shape, name="stimulus")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="minus_one_to_one")(stimulus)
    if variant == "cat2000":
        x = _cat2000(x, layout, normalization, dropout_layer, width)
    else:
        x = _isola256(x, normalization, dropout_layer, width)
    x = _doubled(x, channels, 4, "map")
    x = layers.Activation("tanh", dtype="float32", name="tanh")(x)
    saliency_map = layers.Rescaling(0.5, offset=0.5, dtype="float32", name="saliency_map")(x)
    return keras.Model(stimulus, saliency_map, name=name)


def PatchGANDiscriminator(
    input_shape: tuple[int, int] = (144, 256),
    filters: int = 128,
    normalization: str | None = "instance",
    channels: int = 1,
    name: str = "patchgan_discriminator",
) -> keras.Model:
    """pix2pix' discriminator: is each 70x70 patch of the map from people's eyes?

    Args:
        input_shape: `(height, width)`, multiples of 8, at least 32.
        filters: int, of the first layer; twice, four and eight times as many
            follow. The saliency report has 128 (11,034,753 parameters), the
            paper 64 (2,764,865).
        normalization: "instance", "batch" (the paper's) or None, of all layers
            but the first and the last.
        channels: int, of the map.
        name: str.

    Shapes: `[stimulus (batch, height, width, 3), 0-255, saliency map (batch,
        height, width, channels), 0-1]` to logits `(batch, height / 8 - 2,
        width / 8 - 2, 1)`, float32, above 0 where the patch looks real. Both
        inputs are brought to -1 to 1.

    Raises:
        InputError: if the size or the normalization does not fit.

    Example:
        >>> PatchGANDiscriminator((144, 256), filters=64).output_shape
        (None, 16, 30, 1)
    """
    _check_normalization(normalization)
    if any(side % 8 or side < 32 for side in input_shape):
        raise InputError(
            "the sides of PatchGANDiscriminator must be multiples of 8, at least 32 pixels. "
            f"Received: {input_shape[0]}x{input_shape[1]} (--size HxW)"
        )
    stimulus = keras.Input((*input_shape, 3), name="stimulus")
    saliency_map = keras.Input((*input_shape, channels), name="saliency_map")
    signed = [
        layers.Rescaling(1 / 127.5, offset=-1, name="minus_one_to_one")(stimulus),
        layers.Rescaling(2.0, offset=-1, name="signed_map")(saliency_map),
    ]
    x = layers.Concatenate(name="pair")(signed)
    # A normalization takes out what a bias adds.
    bias = normalization is None
    x = _halved(x, filters, 4, "conv1", None)
    x = _halved(x, 2 * filters, 4, "conv2", normalization, bias)
    x = _halved(x, 4 * filters, 4, "conv3", normalization, bias)
    x = layers.ZeroPadding2D(1, name="conv4_border")(x)
    x = _convolution(8 * filters, 4, "conv4", use_bias=bias)(x)
    x = _normalized(x, normalization, "conv4_norm")
    x = layers.LeakyReLU(0.2, name="conv4_leaky")(x)
    x = layers.ZeroPadding2D(1, name="patches_border")(x)
    x = _convolution(1, 4, "patches")(x)
    logits = layers.Activation("linear", dtype="float32", name="logits")(x)
    return keras.Model([stimulus, saliency_map], logits, name=name)


def _cat2000(x, layout, normalization, dropout, width):
    """All but the last layer of the report's network."""
    skips = []
    for i, filters in enumerate((64, 128, 256, 512, 1024), start=1):
        kernel = 4 if i < 5 else 3
        x = _halved(x, filters * width, kernel, f"encoder{i}", normalization if i > 1 else None)
        skips.append(x)
    size = x.shape[1:3]
    if layout == "A":
        x = _convolution(1024 * width, 3, "bottleneck", padding="same")(x)
    else:
        x = _halved(x, 1024 * width, 3, "encoder6", None)
        x = _doubled(x, 1024 * width, 3, "bottleneck", size)
    x = _activated(x, normalization, dropout, "bottleneck")
    for i, filters in enumerate((512, 256, 128, 64), start=1):
        x = layers.Concatenate(name=f"pair{i}")([x, skips.pop()])
        kernel = 3 if i == 1 else 4
        x = _doubled(x, filters * width, kernel, f"decoder{i}", skips[-1].shape[1:3])
        x = _activated(x, normalization, dropout if i < 3 else None, f"decoder{i}")
    return layers.Concatenate(name="pair5")([x, skips.pop()])


def _isola256(x, normalization, dropout, width):
    """All but the last layer of the paper's network."""
    skips = []
    for i, filters in enumerate((64, 128, 256, 512, 512, 512, 512), start=1):
        x = _halved(x, filters * width, 4, f"encoder{i}", normalization if i > 1 else None)
        skips.append(x)
    x = _convolution(512 * width, 4, "encoder8", strides=2, padding="same")(x)
    for i, filters in enumerate((512, 512, 512, 512, 256, 128, 64), start=1):
        # Skips come from behind LeakyReLU; what ReLU makes of that is ReLU.
        x = layers.ReLU(name=f"decoder{i}_relu")(x)
        x = _doubled(x, filters * width, 4, f"decoder{i}")
        x = _normalized(x, normalization, f"decoder{i}_norm")
        if i < 4:
            x = dropout(f"decoder{i}_dropout")(x)
        x = layers.Concatenate(name=f"pair{i}")([x, skips.pop()])
    return layers.ReLU(name="map_relu")(x)


def _halved(x, filters, kernel, name, normalization, use_bias=True):
    """A convolution of stride 2 with a border of one zero, normalized and activated."""
    # What "same" is for 4x4 kernels; for 3x3 it would be none on one side.
    if kernel == 3:
        x = layers.ZeroPadding2D(1, name=f"{name}_border")(x)
    padding = "same" if kernel == 4 else "valid"
    x = _convolution(filters, kernel, name, strides=2, padding=padding, use_bias=use_bias)(x)
    x = _normalized(x, normalization, f"{name}_norm")
    return layers.LeakyReLU(0.2, name=f"{name}_leaky")(x)


def _doubled(x, filters, kernel, name, size=None):
    """A transposed convolution of stride 2: what `_halved` with its kernel made of that size."""
    options = {"strides": 2, "kernel_initializer": _normal(), "name": name}
    filters = max(1, round(filters))
    if kernel == 4:
        return layers.Conv2DTranspose(filters, 4, padding="same", **options)(x)
    x = MatrixConv2DTranspose(filters, 3, padding="valid", **options)(x)
    beyond = [(1, found - 1 - wanted) for found, wanted in zip(x.shape[1:3], size, strict=True)]
    return layers.Cropping2D(beyond, name=f"{name}_border")(x)


def _activated(x, normalization, dropout, name):
    x = _normalized(x, normalization, f"{name}_norm")
    if dropout is not None:
        x = dropout(f"{name}_dropout")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _normalized(x, normalization, name):
    """As the authors' PyTorch code: instances without factors, batches with factors near 1."""
    if normalization == "instance":
        return InstanceNormalization(1e-5, center=False, scale=False, name=name)(x)
    if normalization == "batch":
        return layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, gamma_initializer=_normal(mean=1.0), name=name
        )(x)
    return x


def _convolution(filters, kernel, name, **options):
    filters = max(1, round(filters))
    # 3x3 kernels are those of the smallest maps.
    convolution = MatrixConv2D if kernel == 3 else layers.Conv2D
    return convolution(filters, kernel, kernel_initializer=_normal(), name=name, **options)


def _normal(mean=0.0):
    # One for each layer: an initializer gives the same numbers twice.
    return keras.initializers.RandomNormal(mean, 0.02)


def _check_normalization(normalization):
    if normalization not in NORMALIZATIONS:
        raise InputError(
            f"normalization must be instance, batch or None. Received: {normalization!r}"
        )
