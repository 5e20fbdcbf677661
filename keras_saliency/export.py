"""A trained generator, as a SavedModel for TensorFlow Serving."""

import keras
import numpy as np
import tensorflow as tf

from keras_saliency import files, pipeline
from keras_saliency.errors import InputError


def float32_copy(model: keras.Model) -> keras.Model:
    """The same network with float32 arithmetic throughout, whatever it was trained in.

    Example:
        >>> keras.config.set_dtype_policy("mixed_bfloat16")
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> keras.config.set_dtype_policy("float32")
        >>> model.layers[0].compute_dtype, float32_copy(model).layers[0].compute_dtype
        ('bfloat16', 'float32')
    """

    def as_float32(layer):
        if isinstance(layer, keras.Model):
            return float32_copy(layer)
        if not isinstance(layer, keras.Layer):  # an operation, such as a flip of the channels
            return type(layer).from_config(layer.get_config())
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=as_float32)
    copy.set_weights(model.get_weights())
    return copy


def saved_model(model: keras.Model, folder: str, weights: str = "float32") -> None:
    """Writes a SavedModel whose graph goes from a picture to its saliency map.

    Signature `serving_default`: `image_bytes`, string `(batch,)`, JPEG or PNG
    files of any sizes -> `saliency_png_bytes`, string `(batch,)`, 8-bit gray
    PNGs of the pictures' own sizes, and `height_width`, int32 `(batch, 2)`.
    Signature `array`: `stimulus`, uint8 `(batch, height, width, 3)` RGB ->
    `saliency_map`, float32 `(batch, height, width, 1)`, 0-1.

    Args:
        model: a generator; its arithmetic is brought to float32.
        folder: for Serving, its name is a version number. Written whole.
        weights: "float32", or "float16": kernels are stored in half the space
            and brought back to float32 at every call.

    Raises:
        InputError: if `weights` is neither, or a kernel does not fit float16.
    """
    generator = float32_copy(model)
    size = generator.input_shape[1:3]
    stored = _stored(generator, weights)
    trained = len(generator.trainable_variables)

    def predict(stimuli):
        values = [tf.cast(v, "float32") if v.dtype == tf.float16 else v for v in stored]
        return generator.stateless_call(values[:trained], values[trained:], stimuli)[0]

    class Servable(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = stored

        @tf.function(
            input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "stimulus")],
            jit_compile=False,
        )
        def array(self, stimulus):
            own_size = tf.shape(stimulus)[1:3]
            saliency_map = predict(pipeline.as_stimulus(stimulus, size))
            return {"saliency_map": pipeline.resize(saliency_map, own_size)}

        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")], jit_compile=False
        )
        def image_bytes(self, image_bytes):
            stimuli, own_sizes = tf.map_fn(
                lambda content: _decode(content, size),
                image_bytes,
                fn_output_signature=(
                    tf.TensorSpec([*size, 3], tf.float32),
                    tf.TensorSpec([2], tf.int32),
                ),
            )
            maps = predict(stimuli)
            pngs = tf.map_fn(
                lambda pair: _encode(*pair), (maps, own_sizes), fn_output_signature=tf.string
            )
            return {"saliency_png_bytes": pngs, "height_width": own_sizes}

    servable = Servable()
    signatures = {"serving_default": servable.image_bytes, "array": servable.array}
    with files.replacing(folder) as temporary:
        tf.saved_model.save(servable, temporary, signatures=signatures)


def _stored(generator, weights):
    """The network's variables, in the order that `stateless_call` takes them."""
    if weights not in ("float32", "float16"):
        raise InputError(f"weights must be float32 or float16. Received: {weights!r}")
    stored = []
    for variable in [*generator.trainable_variables, *generator.non_trainable_variables]:
        value = variable.numpy()
        # What is small stays: a normalization's variances can be too large for float16.
        if weights == "float16" and value.dtype == "float32" and value.ndim > 1:
            with np.errstate(over="ignore"):
                value = value.astype("float16")
            if not np.isfinite(value).all():
                raise InputError(f"{variable.path} has numbers that float16 cannot hold")
        stored.append(tf.Variable(value, trainable=False))
    return stored


def _decode(content, size):
    """A file's bytes as the network's input, and the picture's own size."""
    picture = tf.cond(
        tf.io.is_jpeg(content),
        # The slow transform gives the very pixels that Pillow does in training.
        lambda: tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_png(content, 3),
    )
    picture.set_shape([None, None, 3])
    return pipeline.as_stimulus(picture, size), tf.shape(picture)[:2]


def _encode(saliency_map, own_size):
    resized = pipeline.resize(saliency_map, own_size)
    top = tf.maximum(tf.reduce_max(resized), 1e-12)
    return tf.io.encode_png(tf.cast(tf.round(resized / top * 255), tf.uint8))
