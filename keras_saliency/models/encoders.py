"""Image encoders from `keras.applications`, cut at 1/16 of the picture's size.

Each takes the stimulus (RGB, 0-255) and returns its features; the
preprocessing its weights were trained with is part of the network.
"""

import hashlib
import os
import socket
import warnings

import keras
from keras import layers, ops

from keras_saliency.errors import InputError

VGG16_BLOCKS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
# The first layer of MobileNet's resolutions after the first: 1/4, 1/8, 1/16.
MOBILENET_BLOCK_STARTS = ("conv_pad_2", "conv_pad_4", "conv_pad_6")
MOBILENET_LAST = "conv_pw_11_relu"
MOBILENET_ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
# Of the files that are known; Keras itself checks VGG16's alone.
MD5 = {
    VGG16_FILE: "6d6bbae143d832006294945121d1f1fc",
    "mobilenet_2_5_224_tf_no_top.h5": "f313cee49f5d33dfb06f2b255c4adb64",
}


def vgg16(stimulus, weights, frozen_blocks, width=1.0, regularizer=None):
    """VGG16 up to `block5_conv3`: 13 convolutions, no last pooling, no dense layers.

    The layers are laid here under VGG16's own names and filled from
    `keras.applications.VGG16` one by one, so that `width` and the weight decay
    reach them.
    """
    if weights is not None and width != 1.0:
        raise InputError(f"VGG16's pretrained weights need width=1.0. Received: width={width}")
    # Keras' "caffe" preprocessing: BGR, less the mean of ImageNet, not divided.
    x = ops.flip(stimulus, axis=-1)
    x = layers.Rescaling(1.0, (-103.939, -116.779, -123.68), dtype="float32", name="caffe")(x)
    convolutions = {}
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
        if block < len(VGG16_BLOCKS):
            x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    if weights is not None:
        pretrained = _application("VGG16", weights, input_shape=(32, 32, 3))
        for name, layer in convolutions.items():
            layer.set_weights(pretrained.get_layer(name).get_weights())
    return x


def mobilenet(stimulus, weights, frozen_blocks, width=1.0, regularizer=None):
    """MobileNet v1 up to `conv_pw_11_relu`: 512 * `width` channels, as VGG16's.

    A frozen block keeps its batch normalisation's statistics too. `regularizer`
    is not used: that normalisation would undo the decay.
    """
    if width not in MOBILENET_ALPHAS:
        raise InputError(
            f"MobileNet comes in widths {', '.join(map(str, MOBILENET_ALPHAS))}. "
            f"Received: width={width}"
        )
    application = _application(
        "MobileNet", weights, input_shape=tuple(stimulus.shape[1:]), alpha=width
    )
    features = application.get_layer(MOBILENET_LAST).output
    encoder = keras.Model(application.inputs, features, name="mobilenet")
    block = 1
    for layer in encoder.layers:
        if layer.name in MOBILENET_BLOCK_STARTS:
            block += 1
        layer.trainable = block > frozen_blocks
    x = layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="minus_one_to_one")(stimulus)
    return encoder(x)


ENCODERS = {"vgg16": vgg16, "mobilenet": mobilenet}


def _application(name, weights, **arguments):
    """A network of `keras.applications` without its top, filled with weights."""
    build = getattr(keras.applications, name)
    if weights is None:
        return build(include_top=False, weights=None, **arguments)
    path = _cached_file(name, arguments.get("alpha", 1.0)) if weights == "imagenet" else weights
    file = os.path.abspath(path)
    with warnings.catch_warnings():
        # MobileNet warns that the picture is not 224x224; features do not mind.
        warnings.filterwarnings("ignore", message=".*input_shape.*")
        if os.path.isfile(file):
            try:
                return build(include_top=False, weights=file, **arguments)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{file} does not hold the weights of keras.applications.{name} "
                    f"without its top ({_first_line(error)})"
                ) from error
        if weights != "imagenet":
            raise InputError(f"no such file of encoder weights: {file}")
        return _downloaded(build, file, arguments)


def _downloaded(build, file, arguments):
    """Lets Keras fetch its own file into its cache, and says what to do if it cannot."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # Keras sets none: a dead network would hang
    try:
        return build(include_top=False, weights="imagenet", **arguments)
    except Exception as error:  # Keras raises a plain Exception here
        raise InputError(
            f"cannot download the encoder's ImageNet weights ({_first_line(error)}): put "
            f"{os.path.basename(file)} into {os.path.dirname(file)}, or start from random "
            "weights with --encoder-weights none (weights=None)"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _cached_file(name, alpha):
    """Where Keras keeps the ImageNet file; refuses one with the wrong hash.

    Keras itself would fetch it again and, where that fails, delete it.
    """
    mobilenet_file = f"mobilenet_{MOBILENET_ALPHAS[alpha]}_224_tf_no_top.h5"
    file_name = VGG16_FILE if name == "VGG16" else mobilenet_file
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    path = os.path.join(home, "models", file_name)
    expected = MD5.get(file_name)
    if expected and os.path.isfile(path):
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != expected:
            raise InputError(
                f"{path} is damaged: its MD5 is {found}, Keras' file has {expected}; "
                "delete it to have it downloaded again"
            )
    return path


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
