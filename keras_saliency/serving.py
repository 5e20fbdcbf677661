"""What stands around a network that is served: files' bytes in, files' bytes out.

All of it is TensorFlow's own operations, so that a server without Python runs it.
"""

import io
import os

import numpy as np
from PIL import Image

from keras_saliency import pipeline
from keras_saliency.tensorflow_only import tf

MAX_PIXELS = 25_000_000  # of a picture
MAX_SIDE = 16_384  # of long strips, a resize on its way would be larger than what it began with
SMALL = 2_500_000  # pixels of a picture; several of these are worked on at a time
TOGETHER = 8  # as many does the network see at a time, whatever is sent
MAX_PICTURES = 128  # of a request
COMPRESSION = 1  # of the maps' PNGs: level 6 takes four times as long, for a third less

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"  # what comes before width and height


def decode(image_bytes, size: tuple[int, int], max_pixels: int = MAX_PIXELS):
    """Pictures' files as a network's input, and the pictures' own sizes.

    Every header is looked at before any picture is decoded, so a file that
    claims to be huge costs nothing.

    Args:
        image_bytes: string tensor `(batch,)`, JPEG or PNG files.
        size: `(height, width)` of the network's input.
        max_pixels: int, of one picture.

    Returns: float32 `(batch, *size, 3)`, 0-255, and int32 `(batch, 2)`.

    Raises:
        InvalidArgumentError: in the graph, when it runs; names each file that
            is of another kind or too large by its place in the batch. What only
            decoding shows, TensorFlow says, without the place.

    Example:
        >>> png = tf.io.encode_png(tf.zeros((30, 50, 3), tf.uint8))
        >>> stimuli, own_sizes = decode(tf.stack([png]), (32, 32))
        >>> stimuli.shape, own_sizes.numpy().tolist()
        (TensorShape([1, 32, 32, 3]), [[30, 50]])
    """
    with tf.control_dependencies([_not_too_many(image_bytes)]):
        height, width = tf.map_fn(_header, image_bytes, fn_output_signature=(tf.int32, tf.int32))
    other = tf.maximum(height, width) < 0
    sound = _refuse(
        "image_bytes",
        (other, "is neither a JPEG nor a PNG"),
        (~other & (tf.minimum(height, width) < 1), "has a damaged header"),
        *_too_large(height, width, max_pixels),
    )
    with tf.control_dependencies([sound]):
        own_sizes = tf.stack([height, width], 1)
    spec = tf.TensorSpec([*size, 3], tf.float32)
    return _each(lambda i: _stimulus(image_bytes[i], size), own_sizes, spec), own_sizes


def checked_size(stimuli, max_pixels: int = MAX_PIXELS):
    """Height and width of pictures that were sent as an array.

    Args:
        stimuli: uint8 `(batch, height, width, 3)`.
        max_pixels: int, of one picture.

    Returns: int32 `(2,)`.

    Raises:
        InvalidArgumentError: in the graph, if they are too large or too many.

    Example:
        >>> checked_size(tf.zeros((2, 30, 50, 3), tf.uint8)).numpy().tolist()
        [30, 50]
    """
    size = tf.shape(stimuli)[1:3]
    sound = _refuse("stimulus", *_too_large(size[:1], size[1:], max_pixels))
    with tf.control_dependencies([sound, _not_too_many(stimuli)]):
        return tf.identity(size)


def in_slices(predict, stimuli, shape: tuple[int, int, int]):
    """The maps of a few pictures at a time, so that many tiny ones do not fill the memory.

    Args:
        predict: function from `(n, ...)` to `(n, *shape)`, at most `TOGETHER`.
        stimuli: float32 `(batch, height, width, 3)`.
        shape: of a map.

    Returns: float32 `(batch, *shape)`.

    Example:
        >>> in_slices(lambda few: few[..., :1], tf.ones((17, 2, 2, 3)), (2, 2, 1)).shape
        TensorShape([17, 2, 2, 1])
    """
    slices = tf.maximum(-(-tf.shape(stimuli)[0] // TOGETHER), 1)

    def add(i, maps):
        few = stimuli[i * TOGETHER : (i + 1) * TOGETHER]
        return i + 1, maps.write(i, predict(few))

    maps = tf.TensorArray(tf.float32, slices, infer_shape=False, element_shape=(None, *shape))
    _, maps = tf.while_loop(lambda i, _: i < slices, add, (0, maps), parallel_iterations=1)
    return maps.concat()


def encode(saliency_maps, own_sizes):
    """Saliency maps as 8-bit gray PNGs of their pictures' sizes, each stretched to its largest.

    Args:
        saliency_maps: float32 `(batch, height, width, 1)`.
        own_sizes: int32 `(batch, 2)`.

    Returns: string tensor `(batch,)`.
    """

    def one(i):
        resized = pipeline.resize(saliency_maps[i], own_sizes[i])
        stretched = resized / tf.maximum(tf.reduce_max(resized), 1e-12)
        levels = tf.cast(tf.round(tf.clip_by_value(stretched, 0, 1) * 255), tf.uint8)
        return tf.io.encode_png(levels, compression=COMPRESSION)

    return _each(one, own_sizes, tf.TensorSpec([], tf.string))


def write_warmup(folder: str) -> None:
    """Writes the request that TensorFlow Serving sends itself when it has loaded a model.

    Without it the first person to ask waits while the graph is made ready.

    Args:
        folder: of the SavedModel.
    """
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(buffer, "PNG")
    tensor = tf.make_tensor_proto([buffer.getvalue()]).SerializeToString()
    # tensorflow_serving.apis.PredictionLog, whose classes are in a package of their own.
    model_spec = _field(3, b"serving_default")
    inputs = _field(1, b"image_bytes") + _field(2, tensor)
    request = _field(1, model_spec) + _field(2, inputs)
    extra = os.path.join(folder, "assets.extra")
    os.makedirs(extra, exist_ok=True)
    with tf.io.TFRecordWriter(os.path.join(extra, "tf_serving_warmup_requests")) as file:
        file.write(_field(6, _field(1, request)))


def _field(number, content):
    """A protocol buffer's field: its number and kind, the content's length, the content."""
    length, rest = [], len(content)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content


def _header(content):
    """Height and width without decoding; both -1: another kind of file."""

    def png():
        sides = tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.int32, little_endian=False)
        return sides[1], sides[0]

    def jpeg():
        sides = tf.image.extract_jpeg_shape(content)
        return sides[0], sides[1]

    is_png = tf.strings.substr(content, 0, len(PNG)) == PNG
    return tf.case(
        [(is_png & (tf.strings.length(content) > 24), png), (tf.io.is_jpeg(content), jpeg)],
        default=lambda: (-1, -1),
    )


def _stimulus(content, size):
    """A file's bytes as the network's input."""
    picture = tf.cond(
        tf.io.is_jpeg(content),
        # The slow transform gives the very pixels that Pillow does in training.
        lambda: tf.io.decode_jpeg(content, 3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_png(content, 3),
    )
    picture.set_shape([None, None, 3])
    return pipeline.as_stimulus(picture, size)


def _each(compute, sizes, spec):
    """`compute(i)` for every picture: large ones one after the other, for the memory's sake."""
    places = tf.range(tf.shape(sizes)[0])  # of the tensors themselves there may be none to see

    def computed(together):
        return lambda: tf.map_fn(
            compute, places, fn_output_signature=spec, parallel_iterations=together
        )

    small = tf.reduce_all(tf.reduce_prod(tf.cast(sizes, tf.int64), 1) <= SMALL)
    return tf.cond(small, computed(TOGETHER), computed(1))


def _too_large(height, width, max_pixels):
    """What `_refuse` takes, of sides that are tensors of one dimension."""
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    return (
        (pixels > max_pixels, f"has more than {max_pixels} pixels"),
        (tf.maximum(height, width) > MAX_SIDE, f"has a side of more than {MAX_SIDE} pixels"),
    )


def _not_too_many(pictures):
    few = tf.shape(pictures)[0] <= MAX_PICTURES
    return tf.debugging.Assert(few, [f"a request has at most {MAX_PICTURES} pictures"])


def _refuse(name, *reasons):
    """An assertion that fails with the places and the reason of all that is wrong."""
    lines = []
    for wrong, reason in reasons:
        places = tf.strings.as_string(tf.where(wrong)[:, 0])
        lines.append(tf.strings.join([f"{name}[", places, "] ", reason]))
    lines = tf.concat(lines, 0)
    text = tf.strings.reduce_join(lines, separator="; ")
    return tf.debugging.Assert(tf.equal(tf.size(lines), 0), [text])
