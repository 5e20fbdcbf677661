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
TOGETHER = 8
SEARCHED = 16_000_000  # bytes of a file through which its end is looked for
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
            is of another kind, too large or damaged by its place in the batch.

    Example:
        >>> png = tf.io.encode_png(tf.zeros((30, 50, 3), tf.uint8))
        >>> stimuli, own_sizes = decode(tf.stack([png]), (32, 32))
        >>> stimuli.shape, own_sizes.numpy().tolist()
        (TensorShape([1, 32, 32, 3]), [[30, 50]])
    """
    height, width, whole = tf.map_fn(
        _header, image_bytes, fn_output_signature=(tf.int32, tf.int32, tf.bool)
    )
    pixels = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
    other = tf.maximum(height, width) < 0
    sound = _refuse(
        (other, "is neither a JPEG nor a PNG"),
        (~other & (tf.minimum(height, width) < 1), "has a damaged header"),
        (pixels > max_pixels, f"has more than {max_pixels} pixels"),
        (tf.maximum(height, width) > MAX_SIDE, f"has a side of more than {MAX_SIDE} pixels"),
        (~whole, "is cut off"),
    )
    with tf.control_dependencies([sound]):
        own_sizes = tf.stack([height, width], 1)
    spec = tf.TensorSpec([*size, 3], tf.float32)
    return _each(lambda i: _stimulus(image_bytes[i], size), own_sizes, spec), own_sizes


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
    """Height, width and whether the file has an end, without decoding it; all -1: another kind."""

    def png():
        sides = tf.io.decode_raw(tf.strings.substr(content, 16, 8), tf.int32, little_endian=False)
        return sides[1], sides[0], _has_end(content, b"IEND\xaeB`\x82")

    def jpeg():
        sides = tf.image.extract_jpeg_shape(content)[:2]
        # A small picture in the file's head has an end too, but other sides.
        head = tf.reshape(tf.stack([sides // 256, sides % 256], 1), [4])
        return sides[0], sides[1], _has_end(content, b"\xff\xd9", head)

    is_png = tf.strings.substr(content, 0, len(PNG)) == PNG
    return tf.case(
        [(is_png & (tf.strings.length(content) > 24), png), (tf.io.is_jpeg(content), jpeg)],
        default=lambda: (-1, -1, True),
    )


def _has_end(content, end, head=(0,)):
    """Whether a mark of a few bytes ends a file, or is followed by what does not belong to it."""

    def is_found():
        data = tf.io.decode_raw(content, tf.uint8)
        return tf.reduce_max(_places(data, list(end))) > tf.reduce_min(_places(data, head))

    ended = tf.strings.substr(content, -len(end), len(end)) == end
    searched = tf.strings.length(content) <= SEARCHED  # else the decoder will find out
    return tf.cond(searched & ~ended, is_found, lambda: True)


def _places(data, mark):
    """Where some bytes are followed by others."""
    mark = tf.cast(mark, tf.uint8)
    last = tf.size(data) - mark.shape[0] + 1
    same = [data[i : last + i] == mark[i] for i in range(mark.shape[0])]
    return tf.where(tf.reduce_all(same, 0))[:, 0]


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


def _refuse(*reasons):
    """An assertion that fails with the places and the reason of all that is wrong."""
    lines = []
    for wrong, reason in reasons:
        places = tf.strings.as_string(tf.where(wrong)[:, 0])
        lines.append(tf.strings.join(["image_bytes[", places, "] ", reason]))
    lines = tf.concat(lines, 0)
    text = tf.strings.reduce_join(lines, separator="; ")
    return tf.debugging.Assert(tf.equal(tf.size(lines), 0), [text])
