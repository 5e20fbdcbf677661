"""SalGAN: a VGG16 encoder with a mirrored decoder, and its discriminator.

Reference: Pan, Canton Ferrer, McGuinness, O'Connor, Torres, Sayrol and
Giró-i-Nieto, "SalGAN: Visual Saliency Prediction with Generative Adversarial
Networks", 2017 (arXiv 1701.01081v2), and its authors' code.
"""

import keras
from keras import layers

from keras_saliency import shipped
from keras_saliency.errors import InputError
from keras_saliency.layers import UpsampledConv2D
from keras_saliency.models.encoders import ENCODERS
from keras_saliency.regularizers import FusedL2

# Every tuple is a block: its convolutions' filters, then twice the size.
DECODER_BLOCKS = ((512,) * 3, (512,) * 3, (256,) * 3, (128,) * 2, (64,) * 2)
# Of the light decoder, at 1/16, 1/8 and 1/4 of the picture's size.
LIGHT_FILTERS = {16: 128, 8: 64, 4: 32}


def SalGANGenerator(
    input_shape: tuple[int, int, int] = (192, 256, 3),
    encoder: str = "vgg16",
    weights: str | None = "imagenet",
    frozen_blocks: int = 3,
    width: float = 1.0,
    weight_decay: float = 0.0,
    decoder: str = "paper",
    dropout: float = 0.0,
    name: str = "salgan_generator",
) -> keras.Model:
    """SalGAN's generator: a stimulus in, its saliency map out.

    With its defaults it has the paper's 31,787,009 parameters, of which the
    1,735,488 of the first three blocks are frozen. With `weights="osie"` it is a
    trained network that comes with the package, see `shipped`.

    Args:
        input_shape: `(height, width, 3)`; both sides multiples of 16, at least
            32.
        encoder: "vgg16" (the paper's), "mobilenet" (MobileNet v1, as many
            features from a tenth of the work), "mobilenetv2", "resnet50",
            "efficientnetv2b0" or "convnext_tiny": of `keras.applications`, with
            its preprocessing.
        weights: of the encoder. "imagenet": Keras' own file, from its cache or
            its server. None: random. "osie": of the whole network, which is then
            the one that they are of, whatever encoder, width and decoder say.
            Else the path of a file for the network of `keras.applications`
            without its top.
        frozen_blocks: int, how many of the encoder's blocks keep their
            pretrained weights; a block is all that has one resolution: the
            picture's own and half of it for VGG16's first two, half and a quarter
            for the others'. Random weights are never frozen.
        width: float, multiplies the number of filters of the decoder, and of the
            encoder if it is VGG16 (1.0 if pretrained) or MobileNet (0.25, 0.5,
            0.75 or 1.0). The other encoders have one width.
        weight_decay: float, L2 penalty on the trained kernels (the paper's
            1e-4; its authors' code applies none).
        decoder: "paper" mirrors VGG16. "light" is ours, a hundredth of its work: it
            stops at a quarter of the picture's size, finer than any density, and
            sees the encoder's features of every size.
        dropout: float, the share of the encoder's last features that are left out of
            a training step, each of them whole.
        name: str.

    Shapes: stimulus `(batch, height, width, 3)`, RGB, 0-255, to saliency map
        `(batch, height, width, 1)`, float32, 0-1.

    Raises:
        InputError: if the size does not fit, or the weights cannot be had or
            do not fit.

    Example:
        >>> model = SalGANGenerator((32, 48, 3), weights=None, width=0.125)
        >>> model.predict(np.zeros((2, 32, 48, 3)), verbose=0).shape
        (2, 32, 48, 1)
    """
    whole = weights == shipped.NAME  # not the encoder's alone
    if whole:
        encoder, width, decoder = shipped.ENCODER, 1.0, "light"
    _check_size(input_shape[:2], 16, 32)
    if encoder not in ENCODERS:
        raise InputError(f"encoder must be one of {', '.join(ENCODERS)}. Received: {encoder!r}")
    if decoder not in ("paper", "light"):
        raise InputError(f"decoder must be paper or light. Received: {decoder!r}")
    regularizer = FusedL2(weight_decay) if weight_decay else None
    stimulus = keras.Input(input_shape, name="stimulus")
    features = ENCODERS[encoder](
        stimulus, None if whole else weights, frozen_blocks if weights else 0, width, regularizer,
        shrunk=tuple(LIGHT_FILTERS) if decoder == "light" else (16,),
    )  # fmt: skip
    if dropout:
        features[0] = layers.SpatialDropout2D(dropout, name="decoder_dropout")(features[0])
    if decoder == "light":
        x = _light(features, width, regularizer)
    else:
        # Glorot's weights, which VGG16's features (up to hundreds) carry through the
        # decoder as in the paper; MobileNet's, at most 6, fade there: He's keep them.
        initializer = "glorot_uniform" if encoder == "vgg16" else "he_normal"
        x = _mirrored(features[0], width, regularizer, initializer)
    saliency_map = layers.Activation("sigmoid", dtype="float32", name="saliency_map")(x)
    model = keras.Model(stimulus, saliency_map, name=name)
    return shipped.fill(model) if whole else model


def _mirrored(x, width, regularizer, initializer):
    """The paper's decoder: features at 1/16 of the picture's size to the map's logits."""
    for block, filters in zip((5, 4, 3, 2, 1), DECODER_BLOCKS, strict=True):
        for i, count in enumerate(filters, start=1):
            first = block < 5 and i == 1  # behind it the map is twice as large
            x = (UpsampledConv2D if first else layers.Conv2D)(
                max(1, round(count * width)),
                3,
                padding="same",
                activation="relu",
                kernel_initializer=initializer,
                kernel_regularizer=regularizer,
                name=f"decoder{block}_conv{i}",
            )(x)
    return layers.Conv2D(1, 1, kernel_regularizer=regularizer, name="logits")(x)


def _light(features, width, regularizer):
    """The light decoder: features at 1/16, 1/8 and 1/4 of the picture's size to the logits."""

    def conv(x, count, size, name):
        return layers.Conv2D(
            max(1, round(count * width)), size, padding="same", activation="relu",
            kernel_initializer="he_normal", kernel_regularizer=regularizer, name=name,
        )(x)  # fmt: skip

    x = None
    for seen, (times, filters) in zip(features, LIGHT_FILTERS.items(), strict=True):
        if x is not None:
            x = conv(x, filters, 1, f"decoder{times}_narrowed")
            x = layers.UpSampling2D(interpolation="bilinear", name=f"decoder{times}_doubled")(x)
            seen = [x, conv(seen, filters // 2, 1, f"decoder{times}_skip")]
            seen = layers.Concatenate(name=f"decoder{times}_beside")(seen)
        x = conv(seen, filters, 3, f"decoder{times}_conv")
    # Dark at first, as most of a density is, whatever the features: from 0.5 and features of
    # hundreds, MSE drives all logits so far down that the sigmoid has no gradient any more.
    x = layers.Conv2D(
        1, 1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(-3.0),
        kernel_regularizer=regularizer, name="logits",
    )(x)  # fmt: skip
    return layers.UpSampling2D(
        4, interpolation="bilinear", dtype="float32", name="decoder_enlarged"
    )(x)


def encoder_variables(generator: keras.Model) -> list:
    """The trained variables of a `SalGANGenerator` that are its encoder's.

    Example:
        >>> model = SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> len(encoder_variables(model)), len(model.trainable_variables)
        (26, 54)
    """
    layers = [each for each in generator.layers if not each.name.startswith(("decoder", "logits"))]
    return [variable for layer in layers for variable in layer.trainable_variables]


def SalGANDiscriminator(
    input_shape: tuple[int, int] = (192, 256),
    variant: str = "paper",
    width: float = 1.0,
    weight_decay: float = 0.0,
    name: str = "salgan_discriminator",
) -> keras.Model:
    """SalGAN's discriminator: does this map come from people's eyes?

    Args:
        input_shape: `(height, width)`; both sides multiples of 8 ("paper") or
            16 ("code").
        variant: "paper": table 1 of the paper, 5,045,696 parameters at
            192x256. "code": the authors' code, whose first pooling is 4x4,
            whose third block's filters have unit norm, and which sees the
            picture unscaled after the map; 1,359,296 parameters.
        width: float, multiplies the number of filters of every layer.
        weight_decay: float, L2 penalty on the kernels (the paper's 1e-4).
        name: str.

    Shapes: `[stimulus (batch, height, width, 3), 0-255, saliency map (batch,
        height, width, 1), 0-1]` to `(batch, 1)`, float32: the probability that
        the map is real. The paper does not say how the picture is scaled; here
        it comes down to 0-1 beside the map.

    Raises:
        InputError: if the size or the variant is not one of these.

    Example:
        >>> SalGANDiscriminator((192, 256)).count_params()
        5045696
    """
    if variant not in ("paper", "code"):
        raise InputError(f"variant must be paper or code. Received: {variant!r}")
    code = variant == "code"
    _check_size(input_shape, 16 if code else 8, 16)
    regularizer = FusedL2(weight_decay) if weight_decay else None

    def conv(filters, size, name, **options):
        return layers.Conv2D(
            max(1, round(filters * width)), size, padding="same", activation="relu",
            kernel_regularizer=regularizer, name=name, **options,
        )  # fmt: skip

    stimulus = keras.Input((*input_shape, 3), name="stimulus")
    saliency_map = keras.Input((*input_shape, 1), name="saliency_map")
    if code:
        x = layers.Concatenate(name="pair")([saliency_map, stimulus])
    else:
        scaled = layers.Rescaling(1 / 255, name="zero_to_one")(stimulus)
        x = layers.Concatenate(name="pair")([scaled, saliency_map])
    x = layers.Conv2D(3, 1, activation="relu", kernel_regularizer=regularizer, name="merge")(x)
    x = conv(32, 3, "conv1")(x)
    x = layers.MaxPooling2D(4 if code else 2, name="pool1")(x)
    x = conv(64, 3, "conv2_1")(x)
    x = conv(64, 3, "conv2_2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    unit = keras.constraints.UnitNorm(axis=[0, 1, 2]) if code else None
    third = [conv(64, 3, f"conv3_{i}", kernel_constraint=unit) for i in (1, 2)]
    for layer in third:
        x = layer(x)
        if code:  # a constraint acts after a step; begin within it too
            layer.kernel.assign(unit(layer.kernel.value))
    x = layers.MaxPooling2D(name="pool3")(x)
    x = layers.Flatten(name="flatten")(x)
    for units, layer_name in ((100, "fc4"), (2, "fc5")):
        x = layers.Dense(units, "tanh", kernel_regularizer=regularizer, name=layer_name)(x)
    x = layers.Dense(1, kernel_regularizer=regularizer, name="logit")(x)
    real = layers.Activation("sigmoid", dtype="float32", name="real")(x)
    return keras.Model([stimulus, saliency_map], real, name=name)


def _check_size(size, step, smallest):
    if any(side % step or side < smallest for side in size):
        raise InputError(
            f"SalGAN's sides must be multiples of {step}, at least {smallest} pixels. "
            f"Received: {size[0]}x{size[1]} (--size HxW)"
        )
