"""The same network from other layers: with less work, or with Keras' own alone."""

import keras
from keras import layers, ops

from keras_saliency.layers import UpsampledConv2D
from keras_saliency.layers.upsampled_conv2d import of_small_map
from keras_saliency.regularizers import FusedL2


def folded(model: keras.Model) -> keras.Model:
    """The network with every doubling of a map and the convolution after it in one.

    As `layers.UpsampledConv2D` has it, with the kernels' sums taken once: other
    runtimes have its operation, and models of before it take a fifth less time.

    Args:
        model: a functional `keras.Model`; its weights are copied. Models in it
            stay as they are.

    Returns: `keras.Model`, equal to `model` but for rounding; the same one if
        there is nothing to fold.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> folded(model).get_layer("decoder4_conv1").strides
        (2, 2)
    """
    foldable = dict(_foldable(model)) if getattr(model, "outputs", None) else {}
    if not foldable:
        return model
    doublings = set(foldable.values())

    def clone(layer):
        config = layer.get_config()
        if layer.name in doublings:
            return layers.Identity(name=layer.name, dtype=config["dtype"])
        if layer.name in foldable:
            kept = ("filters", "activation", "use_bias", "name", "dtype", "trainable")
            kept = {key: config[key] for key in kept}
            return layers.Conv2DTranspose(kernel_size=4, strides=2, padding="same", **kept)
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in foldable:
            weights[0] = ops.convert_to_numpy(of_small_map(weights[0].astype("float64")))
        if weights:
            copy.get_layer(layer.name).set_weights(weights)
    return copy


def _foldable(model):
    """(convolution, doubling) names, where nothing else looks at the doubled map.

    An `UpsampledConv2D` is folded but for its kernel, and has no doubling.
    """
    outputs = {id(tensor) for tensor in model.outputs}
    for doubling in model.layers:
        if type(doubling) is UpsampledConv2D and len(doubling.weights) == 1 + doubling.use_bias:
            yield doubling.name, None
        if not isinstance(doubling, layers.UpSampling2D):
            continue
        config = doubling.get_config()
        plain = tuple(config["size"]) == (2, 2) and config["interpolation"] == "nearest"
        plain = plain and config["data_format"] == "channels_last"
        followers = [node.operation for node in doubling._outbound_nodes]
        seen = plain and len(followers) == 1 and len(doubling._inbound_nodes) == 1
        if seen and id(doubling.output) not in outputs and _is_plain(followers[0]):
            yield followers[0].name, doubling.name


def _is_plain(layer):
    """Whether it is a 3x3 convolution that keeps the size, used once."""
    if type(layer) is not layers.Conv2D or len(layer._inbound_nodes) != 1:
        return False
    if len(layer.weights) != 1 + layer.use_bias:  # LoRA's
        return False
    same = layer.padding == "same" and layer.data_format == "channels_last"
    ones = {*layer.strides, *layer.dilation_rate, layer.groups} == {1}
    return same and ones and layer.kernel_size == (3, 3)


def plain(model: keras.Model) -> keras.Model:
    """The network with Keras' own layers and regularizers in place of ours that do the same.

    So that its file can be loaded without this package: an `UpsampledConv2D`
    becomes an `UpSampling2D` and a `Conv2D`, a `FusedL2` an `L2`.

    Args:
        model: a functional `keras.Model`; its weights are copied. Models in it
            stay as they are.

    Returns: `keras.Model`; the same one if there is nothing of ours to replace.

    Example:
        >>> from keras_saliency import models
        >>> model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
        >>> type(plain(model).get_layer("decoder4_conv1")).__name__
        'Conv2D'
    """
    doubled = {layer.name for layer in model.layers if type(layer) is UpsampledConv2D}
    if not doubled and not any(_penalties(layer) for layer in model.layers):
        return model

    def clone(layer):
        config = layer.get_config()
        for name in _penalties(layer):
            penalty = keras.regularizers.L2(float(getattr(layer, name).l2))
            config[name] = keras.regularizers.serialize(penalty)
        return (layers.Conv2D if layer.name in doubled else type(layer)).from_config(config)

    def call(layer, *tensors, **arguments):
        if layer.name in doubled:
            name = layer.name.replace("conv1", "upsample")
            name = name if name != layer.name else f"{name}_upsample"
            tensors = [layers.UpSampling2D(name=name, dtype=layer.dtype_policy)(*tensors)]
        return layer(*tensors, **arguments)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in model.layers:  # by name: the order of a branched network's may be another
        if layer.weights:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _penalties(layer):
    """The arguments of a layer that are a `FusedL2`."""
    names = "kernel_regularizer", "bias_regularizer"
    return [name for name in names if type(getattr(layer, name, None)) is FusedL2]
