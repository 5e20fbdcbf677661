"""A trained generator, as a SavedModel for TensorFlow Serving."""

import os
import uuid

import keras
import numpy as np

from keras_saliency import files, folding, generators, pipeline, serving
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf

# All that an exported model's folder may hold, of every format.
EXPORTED = {
    "assets", "assets.extra", "fingerprint.pb", "model.bin", "model.onnx", "model.tflite",
    "model.xml", "saved_model.pb", "variables",
}  # fmt: skip


def float32_copy(model: keras.Model) -> keras.Model:
    """The same network with float32 arithmetic throughout, whatever it was trained in.

    Example:
        >>> keras.config.set_dtype_policy("mixed_bfloat16")
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> keras.config.set_dtype_policy("float32")
        >>> model.layers[0].compute_dtype, float32_copy(model).layers[0].compute_dtype
        ('bfloat16', 'float32')
    """
    return _copy(model, lambda layer: "float32")


def bfloat16_copy(model: keras.Model) -> keras.Model:
    """The same network with bfloat16 arithmetic, and float32 weights, up to its last kernel.

    What follows on it (an activation, a blur, a stretch) stays in float32, so
    the map does too.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input((2,)), keras.layers.Dense(1), keras.layers.Activation("sigmoid")]
        ... )
        >>> [layer.compute_dtype for layer in bfloat16_copy(model).layers]
        ['bfloat16', 'float32']
    """
    has_kernel = [any(len(v.shape) > 1 for v in layer.weights) for layer in model.layers]
    last = max((i for i, has in enumerate(has_kernel) if has), default=-1)
    reduced = {layer.name for layer in model.layers[: last + 1]}
    return _copy(model, lambda layer: "mixed_bfloat16" if layer.name in reduced else "float32")


def _copy(model, dtype_of):
    """The model with another dtype policy in every layer, and its weights."""

    def copied(layer):
        if isinstance(layer, keras.Model):
            return _copy(layer, lambda _: dtype_of(layer))
        if not isinstance(layer, keras.Layer):  # an operation, such as a flip of the channels
            return type(layer).from_config(layer.get_config())
        return type(layer).from_config({**layer.get_config(), "dtype": dtype_of(layer)})

    copy = keras.models.clone_model(model, clone_function=copied)
    copy.set_weights(model.get_weights())
    return copy


def saved_model(
    model: keras.Model,
    folder: str,
    weights: str = "float32",
    precision: str = "float32",
    max_pixels: int = serving.MAX_PIXELS,
) -> None:
    """Writes a SavedModel whose graph goes from a picture to its saliency map.

    Signature `serving_default`: `image_bytes`, string `(batch,)`, JPEG or PNG
    files of any sizes -> `saliency_png_bytes`, string `(batch,)`, 8-bit gray
    PNGs of the pictures' own sizes, and `height_width`, int32 `(batch, 2)`.
    Signature `array`: `stimulus`, uint8 `(batch, height, width, 3)` RGB ->
    `saliency_map`, float32 `(batch, height, width, 1)`, 0-1.

    The network is `folding.folded`. The folder also holds a request that the
    server warms up with. The weights are variables: as constants they would
    make a server 5 % faster and four times as large, and let it take seconds
    longer to start.

    Args:
        model: a generator; its arithmetic is brought to `precision`.
        folder: for Serving, its name is a version number. Written whole; an
            export that is there is replaced, anything else is not.
        weights: "float32", or "float16": kernels are stored in half the space
            and brought back to float32 once, when the model is loaded.
        precision: "float32" or "bfloat16": the arithmetic of the network, and
            what its kernels are stored in; what leaves it is float32.
        max_pixels: int, of a picture; larger ones are refused before they are
            decoded.

    Raises:
        InputError: if an argument is none of these, the model is no generator,
            a kernel does not fit float16, or `folder` holds other things.
    """
    for name, value, known in (
        ("weights", weights, ("float32", "float16")),
        ("precision", precision, ("float32", "bfloat16")),
    ):
        if value not in known:
            raise InputError(f"{name} must be {' or '.join(known)}. Received: {value!r}")
    if (weights, precision) == ("float16", "bfloat16"):
        raise InputError("bfloat16 weights have half the size already: leave weights at float32")
    if not isinstance(max_pixels, int) or not 0 < max_pixels < 2**31:
        raise InputError(f"max_pixels must be a whole number above 0. Received: {max_pixels!r}")
    generators.check(model)
    check_folder(folder)
    generator = folding.folded(float32_copy(model))
    generator = generator if precision == "float32" else bfloat16_copy(generator)
    dtype = weights if precision == "float32" else precision
    stored = [_weight(variable, dtype) for variable in _in_order(generator)]
    size, trained = generator.input_shape[1:3], len(generator.trainable_variables)

    def some_maps(stimuli):
        values = [weight.read_value() for weight in stored]
        count = tf.shape(stimuli)[0]
        # Of no pictures at all, oneDNN's convolutions get the shapes wrong.
        some = tf.pad(stimuli, [[0, tf.cast(tf.equal(count, 0), tf.int32)], [0, 0], [0, 0], [0, 0]])
        maps = generator.stateless_call(values[:trained], values[trained:], some)[0]
        return tf.cast(maps[:count], tf.float32)

    def network(stimuli):
        return serving.in_slices(some_maps, stimuli, generator.output_shape[1:])

    class Servable(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = stored
            self.halves = [weight.half for weight in stored if isinstance(weight, Widened)]

        @tf.function(
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "stimulus")],
            jit_compile=False,
        )
        def array(self, stimulus):
            own_size = serving.checked_size(stimulus, max_pixels)
            saliency_map = network(pipeline.as_stimulus(stimulus, size))
            return {"saliency_map": pipeline.resize(saliency_map, own_size)}

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")], jit_compile=False
        )
        def image_bytes(self, image_bytes):
            with tf.device("/cpu:0"):
                stimuli, own_sizes = serving.decode(image_bytes, size, max_pixels)
            saliency_maps = network(stimuli)
            with tf.device("/cpu:0"):
                pngs = serving.encode(saliency_maps, own_sizes)
            return {"saliency_png_bytes": pngs, "height_width": own_sizes}

    servable = Servable()
    signatures = {"serving_default": servable.image_bytes, "array": servable.array}
    with files.replacing(folder) as temporary:
        tf.saved_model.save(servable, temporary, signatures=signatures)
        serving.write_warmup(temporary)


def check_folder(folder: str) -> None:
    """Refuses a folder of anything but an exported model: it would be replaced.

    Raises:
        InputError: names what is in the way.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder} is a file: a model is exported to a folder")
    others = set(os.listdir(folder)) - EXPORTED if os.path.isdir(folder) else ()
    if others:
        raise InputError(
            f"{folder} holds {min(others)}, which is no part of an exported model: it would be "
            "replaced; name another folder"
        )


def _in_order(generator):
    """A network's variables as `stateless_call` takes them."""
    return [*generator.trainable_variables, *generator.non_trainable_variables]


def _weight(variable, dtype):
    """A network's variable as it is stored, and read in the graph.

    What is small stays float32: a normalization's variances can be too large for float16.
    """
    value = variable.numpy()
    if dtype == "float32" or value.dtype != "float32" or value.ndim < 2:
        return tf.Variable(value, trainable=False)
    if dtype == "bfloat16":
        return tf.Variable(tf.cast(value, tf.bfloat16), trainable=False)
    return Widened(halved(variable))


def halved(variable) -> np.ndarray:
    """A Keras variable's numbers as float16.

    Raises:
        InputError: if they are too large for it.
    """
    with np.errstate(over="ignore"):
        half = variable.numpy().astype("float16")
    if not np.isfinite(half).all():
        raise InputError(f"{variable.path} has numbers that float16 cannot hold")
    return half


class Widened(tf.saved_model.experimental.TrackableResource):
    """Numbers stored as float16 and brought to float32 when they are loaded, not at every call.

    Args:
        half: float16 array.
    """

    def __init__(self, half):
        super().__init__()
        self.half = tf.Variable(half, trainable=False)
        self._name = f"widened-{uuid.uuid4()}"  # two models in one process must not share it

    def _create_resource(self):
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32, shape=self.half.shape, shared_name=self._name
        )

    def _destroy_resource(self):
        tf.raw_ops.DestroyResourceOp(resource=self.resource_handle, ignore_lookup_error=True)

    def _initialize(self):
        wide = tf.cast(self.half, tf.float32)
        tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=wide)

    def read_value(self):
        value = tf.raw_ops.ReadVariableOp(resource=self.resource_handle, dtype=tf.float32)
        return tf.ensure_shape(value, self.half.shape)
