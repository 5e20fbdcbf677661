"""Image encoders from `keras.applications`, cut at 1/16 of the picture's size.

Each takes the stimulus (RGB, 0-255) and returns a list of its features of some
sizes; the preprocessing its weights were trained with is part of the network.
"""

import functools
import hashlib
import os
import socket
import warnings
from typing import NamedTuple

import keras
from keras import layers, ops

from keras_saliency.errors import InputError

VGG16_BLOCKS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
MOBILENET_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
# Of a batch normalization's statistics. With Keras' 0.99 a MobileNet from random weights had
# not found its own after 372 steps: NSS 0.12 on OSIE's test pictures, 1.4 in training.
SLOWEST_MOMENTUM = 0.9

# What each value of a pixel is multiplied by, and what is added then.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, RGB, 0-1
PREPROCESSING = {
    "caffe": (1.0, (-103.939, -116.779, -123.68)),  # of BGR
    "minus_one_to_one": (1 / 127.5, -1.0),
    "mean_zero": (
        tuple(1 / (255 * deviation) for deviation in _DEVIATION),
        tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),
    ),
}


class Application(NamedTuple):
    """A network of `keras.applications`, and where it is cut.

    `starts` are its first layers at 1/4, 1/8, 1/16 and 1/32 of the picture's size. The
    last of them is left out, with all behind it: what it would get are the features.
    """

    name: str
    starts: tuple[str, str, str, str]
    preprocessing: str
    preprocesses: bool = False  # of itself, unless told not to


APPLICATIONS = {
    "mobilenet": Application(
        "MobileNet", ("conv_pad_2", "conv_pad_4", "conv_pad_6", "conv_pad_12"), "minus_one_to_one"
    ),
    "mobilenetv2": Application(
        "MobileNetV2",
        ("block_1_pad", "block_3_pad", "block_6_pad", "block_13_pad"),
        "minus_one_to_one",
    ),
    "resnet50": Application(
        "ResNet50",
        ("pool1_pool", "conv3_block1_1_conv", "conv4_block1_1_conv", "conv5_block1_1_conv"),
        "caffe",
    ),
    "efficientnetv2b0": Application(
        "EfficientNetV2B0",
        ("block2a_expand_conv", "block3a_expand_conv", "block4a_dwconv2", "block6a_dwconv2"),
        "mean_zero",
        preprocesses=True,
    ),
    "convnext_tiny": Application(
        "ConvNeXtTiny",
        ("convnext_tiny_stem", *(f"convnext_tiny_downsampling_block_{i}" for i in range(3))),
        "mean_zero",
        preprocesses=True,
    ),
}

VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
FILES = {
    "VGG16": VGG16_FILE,
    "MobileNet": "mobilenet_{}_224_tf_no_top.h5",
    "MobileNetV2": "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    "ResNet50": "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "EfficientNetV2B0": "efficientnetv2-b0_notop.h5",
    "ConvNeXtTiny": "convnext_tiny_notop.h5",
}
# Of the files whose hash is known; Keras itself checks neither MobileNet's.
MD5 = {
    VGG16_FILE: "6d6bbae143d832006294945121d1f1fc",
    "mobilenet_2_5_224_tf_no_top.h5": "f313cee49f5d33dfb06f2b255c4adb64",
    FILES["ResNet50"]: "4d473c1dd8becc155b73f8504c6f6626",
    FILES["EfficientNetV2B0"]: "893217f2bb855e2983157299931e43ff",
}
SHA256 = {
    FILES["ConvNeXtTiny"]: "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
}


def vgg16(stimulus, weights, frozen_blocks, width=1.0, regularizer=None, shrunk=(16,)):
    """VGG16 up to `block5_conv3`: 13 convolutions, no last pooling, no dense layers.

    The layers are laid here under VGG16's own names and filled from
    `keras.applications.VGG16` one by one, so that `width` and the weight decay
    reach them.

    Args:
        shrunk: of 4, 8 and 16, how many times smaller than the picture the features
            that are returned are.
    """
    if weights is not None and width != 1.0:
        raise InputError(f"VGG16's pretrained weights need width=1.0. Received: width={width}")
    x = _preprocessed(stimulus, "caffe")
    convolutions, ends = {}, {}
    for block, filters in enumerate(VGG16_BLOCKS, start=1):
        for i, count in enumerate(filters, start=1):
            layer = layers.Conv2D(
                max(1, round(count * width)),
                3,
                padding="same",
                activation="relu",
                # A frozen kernel cannot decay.
                kernel_regularizer=None if block <= frozen_blocks else regularizer,
                trainable=block > frozen_blocks,
                name=f"block{block}_conv{i}",
            )
            x = layer(x)
            convolutions[layer.name] = layer
        ends[2 ** (block - 1)] = x
        if block < len(VGG16_BLOCKS):
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    if weights is not None:
        pretrained = _application("VGG16", weights, input_shape=(32, 32, 3))
        for name, layer in convolutions.items():
            layer.set_weights(pretrained.get_layer(name).get_weights())
    return [ends[times] for times in shrunk]


def application(
    encoder, stimulus, weights, frozen_blocks, width=1.0, regularizer=None, shrunk=(16,)
):
    """One of `APPLICATIONS` up to 1/16 of the picture's size; `shrunk`: see `vgg16`.

    A frozen block keeps its batch normalisation's statistics too. `width` is
    MobileNet's alone, the others have one. `regularizer` is not used: the
    normalisation behind their convolutions would undo the decay.
    """
    name, starts, preprocessing, preprocesses = APPLICATIONS[encoder]
    options = {"include_preprocessing": False} if preprocesses else {}
    if encoder == "mobilenet":
        if width not in MOBILENET_ALPHAS:
            raise InputError(
                f"MobileNet comes in widths {', '.join(map(str, MOBILENET_ALPHAS))}. "
                f"Received: width={width}"
            )
        options = {"alpha": width}
    network = _application(name, weights, input_shape=tuple(stimulus.shape[1:]), **options)
    network = _ungrouped(network) if encoder == "convnext_tiny" else network
    after = dict(zip((4, 8, 16), starts[1:], strict=True))
    ends = [network.get_layer(after[times]).input for times in shrunk]
    network = keras.Model(network.inputs, ends if len(ends) > 1 else ends[0], name=encoder)
    block = 1
    for layer in network.layers:
        block += layer.name in starts
        layer.trainable = block > frozen_blocks
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, SLOWEST_MOMENTUM)
    features = network(_preprocessed(stimulus, preprocessing))
    return features if len(ends) > 1 else [features]


ENCODERS = {
    "vgg16": vgg16,
    **{name: functools.partial(application, name) for name in APPLICATIONS},
}


def _preprocessed(stimulus, kind):
    """The stimulus as the weights know it, in float32 whatever the policy."""
    x = ops.flip(stimulus, axis=-1) if kind == "caffe" else stimulus
    return layers.Rescaling(*PREPROCESSING[kind], dtype="float32", name=kind)(x)


def _ungrouped(network):
    """The network with a depthwise layer for each convolution with a group a channel.

    The same sums. But on a processor TensorFlow has the latter by XLA alone, which
    no server of a SavedModel can be relied on to have.
    """

    def grouped(layer):
        return isinstance(layer, layers.Conv2D) and layer.groups > 1

    def clone(layer):
        config = layer.get_config()
        if not grouped(layer):
            return type(layer).from_config(config)
        kept = ("kernel_size", "padding", "name", "dtype")
        return layers.DepthwiseConv2D(**{key: config[key] for key in kept})

    copy = keras.models.clone_model(network, clone_function=clone)
    for layer in network.layers:
        weights = layer.get_weights()
        if grouped(layer):
            weights[0] = weights[0].transpose(0, 1, 3, 2)
        if weights:
            copy.get_layer(layer.name).set_weights(weights)
    return copy


def _application(name, weights, **arguments):
    """A network of `keras.applications` without its top, filled with weights."""
    build = functools.partial(getattr(keras.applications, name), include_top=False)
    if weights is None:
        return build(weights=None, **arguments)
    path = _cached_file(name, arguments.get("alpha", 1.0)) if weights == "imagenet" else weights
    file = os.path.abspath(path)
    with warnings.catch_warnings():
        # MobileNets warn that the picture is not 224x224; features do not mind.
        warnings.filterwarnings("ignore", message=".*input_shape.*")
        if os.path.isfile(file):
            try:
                return build(weights=file, **arguments)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{file} does not hold the weights of keras.applications.{name} "
                    f"without its top ({_first_line(error)})"
                ) from error
        if weights != "imagenet":
            raise InputError(f"no such file of encoder weights: {file}")
        network = build(weights=None, **arguments)
        # Of the size whose file it is: for some others MobileNets have files of their own.
        network.set_weights(_downloaded(build, file, {**arguments, "input_shape": (224, 224, 3)}))
        return network


def _downloaded(build, file, arguments):
    """Lets Keras fetch its own file into its cache, and says what to do if it cannot."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # Keras sets none: a dead network would hang
    try:
        return build(weights="imagenet", **arguments).get_weights()
    except Exception as error:  # Keras raises a plain Exception here
        raise InputError(
            f"cannot download the encoder's ImageNet weights ({_first_line(error)}): put "
            f"{os.path.basename(file)} into {os.path.dirname(file)}, or start from random "
            "weights with --encoder-weights none (weights=None), or from the trained network that "
            "comes with the package, --encoder-weights osie"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _cached_file(name, alpha):
    """Where Keras keeps the ImageNet file; refuses one with the wrong hash.

    Keras itself would fetch it again and, where that fails, delete it.
    """
    file_name = FILES[name].format(MOBILENET_ALPHAS[alpha])
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    path = os.path.join(home, "models", file_name)
    for algorithm, known in (("MD5", MD5), ("SHA256", SHA256)):
        if file_name not in known or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, algorithm.lower()).hexdigest()
        if found != known[file_name]:
            raise InputError(
                f"{path} is damaged: its {algorithm} is {found}, Keras' file has "
                f"{known[file_name]}; delete it to have it downloaded again"
            )
    return path


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
