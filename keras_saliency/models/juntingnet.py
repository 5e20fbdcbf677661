"""JuntingNet: a shallow convolutional network that regresses the saliency map.

References: Pan and Giró-i-Nieto, "End-to-end Convolutional Network for Saliency
Prediction", LSUN 2015 (arXiv 1507.01422), and its authors' code; Pan, Sayrol,
Giró-i-Nieto, McGuinness and O'Connor, "Shallow and Deep Convolutional Networks
for Saliency Prediction", CVPR 2016; Chalk and Coyne, "An exploration of Shallow
Convolutional Networks for Saliency Prediction", University of Bristol 2020.
"""

import functools

import keras
from keras import layers, ops

from keras_saliency.errors import InputError
from keras_saliency.layers import GaussianBlur, Maxout
from keras_saliency.regularizers import FusedL2
from keras_saliency.scores import AXES

# Of each convolution: filters, size, zero padding, and the pooling's size behind it.
VARIANTS = {
    "lsun2015": ((32, 5, 0, 2), (64, 3, 0, 2), (64, 3, 0, 2)),
    "cvpr2016": ((32, 5, 0, 2), (64, 3, 0, 2), (128, 3, 0, 2)),
    "bristol2020": ((32, 5, 2, 2), (64, 3, 1, 3), (128, 3, 1, 3)),
}
# PyTorch's, in which the Bristol report was made. Keras' own momentum of 0.99
# takes more steps than a few hundred pictures have in an epoch or ten.
NORMALIZATION = {"momentum": 0.9, "epsilon": 1e-5}
ORDERS = ("blur_then_resize", "resize_then_blur", "resize_only")


def JuntingNet(
    variant: str = "lsun2015",
    output: str = "linear",
    input_shape: tuple[int, int, int] = (96, 96, 3),
    pairing: str = "pairs",
    final_dense: bool = True,
    batch_norm: bool = False,
    dropout: float = 0.0,
    max_norm: float | None = None,
    initializer: str = "gaussian",
    weight_decay: float = 0.0,
    conv1_padding: int = 2,
    name: str = "juntingnet",
) -> keras.Model:
    """JuntingNet: a stimulus in, its saliency map at half the size out.

    Three convolutions, a dense layer, a maxout, a dense layer with one unit a
    pixel of the map. `post_processed` adds what follows on the trained network.

    Args:
        variant: "lsun2015" (the first paper and its code, 34,864,384
            parameters), "cvpr2016" (twice the filters in the third convolution,
            64,392,512) or "bristol2020" (padded, wider poolings, no activation
            before the maxout, 76,778,816).
        output: "linear", for a loss of every pixel, or "softmax": the map is a
            distribution that sums to 1, for a loss of distributions.
        input_shape: `(height, width, 3)`, both sides even and at least 32;
            96x96 in all three papers.
        pairing: the maxout's, see `layers.Maxout`. "pairs" is the code's and
            the better one in the Bristol report, "halves" the other reading.
        final_dense: False: the maxout's output is the map, as the first paper's
            text can be read.
        batch_norm: normalize after every convolution and the first dense
            layer, before their activations; for the losses of distributions.
        dropout: float, 0-1, after the first dense layer.
        max_norm: float, largest norm of the weights into a unit of the maxout,
            or None.
        initializer: "gaussian": weights from N(0, 0.01), biases 0.1 (the
            papers), or "glorot": Glorot's uniform, biases 0 (the code).
        weight_decay: float, L2 penalty on all kernels and biases: it adds twice
            itself times the weight to the gradient.
        conv1_padding: 1 or 2, of "bristol2020", whose table says 1 but has the
            sizes of 2.
        name: str.

    Shapes: stimulus `(batch, height, width, 3)`, RGB, 0-255, to `(batch, height
        / 2, width / 2, 1)`, float32: around 0-1 but unbounded ("linear"), or
        summing to 1 ("softmax").

    Raises:
        InputError: if an argument is not one of these.

    Example:
        >>> model = JuntingNet("lsun2015")
        >>> model.count_params(), model.output_shape
        (34864384, (None, 48, 48, 1))
    """
    _check(variant, output, input_shape, initializer, conv1_padding)
    options = functools.partial(_weights, initializer, weight_decay)
    relu_before_maxout = variant != "bristol2020"
    stimulus = keras.Input(input_shape, name="stimulus")
    x = layers.Rescaling(1 / 255, name="zero_to_one")(stimulus)
    for i, (filters, size, padding, pool) in enumerate(VARIANTS[variant], start=1):
        padding = conv1_padding if padding == 2 else padding
        if padding:
            x = layers.ZeroPadding2D(padding, name=f"conv{i}_padding")(x)
        x = layers.Conv2D(filters, size, name=f"conv{i}", **options())(x)
        if batch_norm:
            x = layers.BatchNormalization(**NORMALIZATION, name=f"conv{i}_normalization")(x)
        # The papers have them the other way around: the same numbers, four times the work.
        x = layers.MaxPooling2D(pool, 2, name=f"pool{i}")(x)
        x = layers.Activation("relu", name=f"conv{i}_relu")(x)
    height, width = input_shape[0] // 2, input_shape[1] // 2
    x = layers.Flatten(name="flatten")(x)
    constraint = keras.constraints.MaxNorm(max_norm, axis=0) if max_norm else None
    x = layers.Dense(2 * height * width, kernel_constraint=constraint, name="fc1", **options())(x)
    if batch_norm:
        x = layers.BatchNormalization(**NORMALIZATION, name="fc1_normalization")(x)
    if relu_before_maxout:
        x = layers.Activation("relu", name="fc1_relu")(x)
    if dropout:
        x = layers.Dropout(dropout, name="dropout")(x)
    x = Maxout(2, pairing=pairing, name="maxout")(x)
    if final_dense:
        x = layers.Dense(height * width, name="fc2", **options())(x)
    x = layers.Activation(output, dtype="float32", name=output)(x)
    saliency_map = layers.Reshape((height, width, 1), dtype="float32", name="saliency_map")(x)
    return keras.Model(stimulus, saliency_map, name=name)


def post_processed(
    model: keras.Model,
    order: str = "blur_then_resize",
    sigma: float = 3.0,
    size: tuple[int, int] | None = None,
    lowest_to_zero: bool = True,
) -> keras.Model:
    """The trained network with the authors' last steps in it: blur, and stretch to 0-1.

    A map is resized to its stimulus' size wherever it is used; `order` says on
    which side of that the blur is. 3 pixels of a 48x48 map are 40 of a picture
    640 pixels wide, but 3 pixels of the picture itself can hardly be seen.

    Args:
        model: of `JuntingNet`; its weights are shared, not copied.
        order: "blur_then_resize" (the authors' code), "resize_then_blur" (the
            first paper's text) or "resize_only" (their later code).
        sigma: float, the blur's standard deviation in pixels.
        size: `(height, width)` of the stimuli, for "resize_then_blur".
        lowest_to_zero: stretch the map from its smallest value on, as the code
            does. False, for a map that is a distribution: from 0 on.

    Shapes: as the model's, or maps of `size`; float32, 0-1.

    Raises:
        InputError: if `order` is unknown or lacks its `size`.

    Example:
        >>> model = post_processed(JuntingNet(input_shape=(32, 32, 3)))
        >>> saliency_map = model.predict(np.ones((1, 32, 32, 3)), verbose=0)
        >>> saliency_map.shape, float(saliency_map.min()), float(saliency_map.max())
        ((1, 16, 16, 1), 0.0, 1.0)
    """
    if order not in ORDERS:
        raise InputError(f"order must be one of {', '.join(ORDERS)}. Received: {order!r}")
    x = model.output
    if order == "resize_then_blur":
        if size is None:
            raise InputError('order="resize_then_blur" needs the stimuli\'s size, (height, width)')
        x = layers.Resizing(*size, dtype="float32", name="resize")(x)
    if order != "resize_only":
        x = GaussianBlur(sigma, dtype="float32", name="blur")(x)
    if lowest_to_zero:
        x = x - ops.min(x, AXES, keepdims=True)
    # A constant map becomes 0, as in `scores.stretch`.
    x = ops.divide_no_nan(x, ops.max(x, AXES, keepdims=True))
    return keras.Model(model.input, x, name=model.name)


def _weights(initializer, weight_decay):
    """The arguments of a layer with weights; an initializer used twice would draw the same."""
    gaussian = initializer == "gaussian"
    penalty = FusedL2(weight_decay) if weight_decay else None
    return {
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.01)
        if gaussian
        else "glorot_uniform",
        "bias_initializer": keras.initializers.Constant(0.1) if gaussian else "zeros",
        "kernel_regularizer": penalty,
        "bias_regularizer": penalty,
    }


def _check(variant, output, input_shape, initializer, conv1_padding):
    for argument, value, choices in (
        ("variant", variant, tuple(VARIANTS)),
        ("output", output, ("linear", "softmax")),
        ("initializer", initializer, ("gaussian", "glorot")),
        ("conv1_padding", conv1_padding, (1, 2)),
    ):
        if value not in choices:
            wanted = ", ".join(map(str, choices))
            raise InputError(f"{argument} must be one of {wanted}. Received: {value!r}")
    if any(side % 2 or side < 32 for side in input_shape[:2]):
        raise InputError(
            "JuntingNet's sides must be even, at least 32 pixels. "
            f"Received: {input_shape[0]}x{input_shape[1]} (--size HxW)"
        )
