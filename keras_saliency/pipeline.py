"""Examples -> `tf.data` batches: read, resize, build the maps, shuffle, mirror.

The order and the augmentation of every epoch are a function of (seed, epoch,
index) alone, so a run that is resumed, inside an epoch too, goes on exactly as if
it had never stopped.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras_saliency import augmentation, fields, sharing
from keras_saliency.errors import InputError
from keras_saliency.sharing import ALONE, Share
from keras_saliency.tensorflow_only import tf

CACHE_BYTES = 4 * 1024**3  # more than this is read anew every epoch
FOREVER = 1_000_000  # epochs
PARALLEL = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}


def batches(
    examples: list,
    size: tuple[int, int],
    batch_size: int,
    sigma: float | None,
    training: bool = False,
    mirror: bool = True,
    seed: int = 0,
    initial_epoch: int = 0,
    cache_bytes: int = CACHE_BYTES,
) -> tf.data.Dataset:
    """What `SaliencyGAN.fit`, `evaluate` and `predict` take.

    Args:
        examples: list of `datasets.Example`.
        size: `(height, width)` of the network's input.
        batch_size: int; at most the number of examples is used.
        sigma: blur of the density in pixels of each picture, see
            `maps.density`; None if every example has a published density.
        training: False: every example once, in order. True: endless, shuffled
            epochs of `steps_per_epoch` whole batches each.
        mirror: in training, turn left and right around in half of the pictures.
        seed: int, of order and mirroring.
        initial_epoch: int, the epoch that training begins (or resumes) with.
        cache_bytes: the decoded pictures and maps are held in memory if they
            take no more than this.

    Returns: `tf.data.Dataset` of `(stimulus, {"density", "fixation_map"})`,
        float32 `(batch, height, width, 3 or 1)`. The density's largest value
        is 1; the fixation map counts, and is empty if no fixations are known.

    Raises:
        InputError: if there are no examples, or one has neither a density nor
            `sigma` to make it with, or a picture cannot be read (for an
            uncached dataset, TensorFlow wraps it when the picture's turn
            comes).

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="train", limit=4)
        >>> for stimulus, targets in batches(examples, (48, 64), 2, synthetic.SIGMA):
        ...     print(stimulus.shape, targets["density"].shape)
        (2, 48, 64, 3) (2, 48, 64, 1)
        (2, 48, 64, 3) (2, 48, 64, 1)
    """
    source = load(examples, size, sigma, cache_bytes=cache_bytes)
    if training:
        return epochs(source, batch_size, mirror, seed=seed, initial_epoch=initial_epoch)
    return once(source, batch_size)


class Source(NamedTuple):
    """Examples at the network's size: `fetch(index)` gives one's three arrays, in a graph.

    `at_once`: `fetch` also takes several indices, and gives stacks of arrays.
    """

    fetch: Callable
    count: int
    at_once: bool = False


def load(
    examples: list,
    size: tuple[int, int],
    sigma: float | None,
    map_size: tuple[int, int] | None = None,
    cache_bytes: int = CACHE_BYTES,
    lazy: bool = False,
) -> Source:
    """Reads the examples, if they fit into memory, for `epochs` and `once`.

    For the arguments see `batches`, which does it all in one call. A run of
    several phases loads once. `map_size` is the size of the network's output
    where it is not that of its input. `lazy`: each is read when its turn comes
    first, as suits one of several machines, which needs but a part of them.
    """
    check(examples, sigma)
    map_size = map_size or size
    stimulus_bytes, map_bytes = 3 * size[0] * size[1], 3 * map_size[0] * map_size[1]
    fits = len(examples) * (stimulus_bytes + map_bytes) <= cache_bytes
    if fits and not lazy:
        with tf.device("/cpu:0"):  # batches are put together there
            # The arrays themselves, not copies: they may fill half of the memory.
            stacks = [
                tf.experimental.dlpack.from_dlpack(stack.__dlpack__())
                for stack in fields.stacked(examples, size, map_size, sigma)
            ]
        return Source(lambda i: tuple(tf.gather(stack, i) for stack in stacks), len(examples), True)

    def read(i):
        return fields.of(examples[i], size, map_size, sigma)

    read = sharing.remembered(read) if fits else read

    def fetch(index):
        found = tf.numpy_function(lambda i: read(int(i)), [index], (tf.uint8, tf.float16, tf.uint8))
        for field, shape in zip(found, fields.shapes(size, map_size), strict=True):
            field.set_shape(shape)
        return tuple(found)

    return Source(fetch, len(examples))


def check(examples: list, sigma: float | None) -> None:
    """Raises `InputError` unless there are examples, and densities of them."""
    if not examples:
        raise InputError("there are no pictures to make batches of")
    fields.check_densities(examples, sigma)


def once(source: Source, batch_size: int, share: Share = ALONE) -> tf.data.Dataset:
    """Every example once, in order; the last batch may be smaller.

    Of several devices' shares over and over, see `sharing.own_parts`.
    """
    if share != ALONE:
        parts = tf.data.Dataset.from_tensor_slices(
            sharing.own_parts(source.count, batch_size, share)
        )
        return parts.repeat().flat_map(lambda part: _range(source, part)).prefetch(2)
    dataset = tf.data.Dataset.range(source.count)
    if not source.at_once:
        return dataset.map(source.fetch, **PARALLEL).batch(batch_size).map(_as_inputs).prefetch(2)
    batches = dataset.batch(batch_size)
    return batches.map(lambda some: _as_inputs(*source.fetch(some)), **PARALLEL).prefetch(2)


def _range(source, part):
    """A dataset of one batch: the examples from `part[0]` up to `part[1]`."""
    examples = tf.data.Dataset.range(part[0], part[1]).map(source.fetch, **PARALLEL)
    return examples.batch(part[1] - part[0]).map(_as_inputs)


def epochs(
    source: Source,
    batch_size: int,
    mirror: bool = True,
    zoom: float = 0.0,
    color: float = 0.0,
    crop: tuple[int, int] | None = None,
    seed: int = 0,
    initial_epoch: int = 0,
    share: Share = ALONE,
    initial_step: int = 0,
) -> tf.data.Dataset:
    """Endless shuffled epochs of `steps_per_epoch` whole batches, for training.

    Args:
        source: of `load`.
        batch_size: int.
        mirror: turn left and right around in half of the pictures.
        zoom: float, 0-1. Cut out a window of between `1 - zoom` and 1 of the
            sides, anywhere, and enlarge it to the whole. Weakens the center
            bias that the network learns.
        color: float, 0-1. Change contrast and saturation by up to this factor,
            brightness by up to this share of 255.
        crop: `(height, width)`. Cut out a window of this size, anywhere: the
            jitter of pix2pix, of pictures loaded somewhat larger.
        seed: int, of order and augmentation.
        initial_epoch: int, the epoch that training begins (or resumes) with.
        share: of several devices, those that are fed here.
        initial_step: int, batches of the first epoch to leave out: they were
            trained on. Of their pictures none is read.

    Returns: as `batches`.
    """
    batch_size = min(batch_size, source.count)

    def epoch_batches(epoch, begin=0):
        pair = tf.stack([tf.constant(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(
            tf.range(source.count, dtype=tf.int64), seed=pair
        )

        def example(index):
            dice = tf.random.experimental.stateless_fold_in(pair, index)
            return augmentation.augmented(source.fetch(index), dice, mirror, zoom, color, crop)

        # Before anything is read.
        order = sharing.own_order(order[begin * batch_size :], batch_size, share)
        dataset = tf.data.Dataset.from_tensor_slices(order).map(example, **PARALLEL)
        return dataset.batch(batch_size // share.all, drop_remainder=True)

    first = initial_epoch + (initial_step > 0)
    endless = tf.data.Dataset.range(first, FOREVER).flat_map(epoch_batches)
    if initial_step:
        cut = tf.data.Dataset.range(initial_epoch, first)
        rest = cut.flat_map(lambda epoch: epoch_batches(epoch, initial_step))
        endless = rest.concatenate(endless)
    endless = endless.map(_as_inputs).prefetch(2)
    return endless.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def steps_per_epoch(examples: list, batch_size: int) -> int:
    """Whole batches in an epoch of training.

    Example:
        >>> steps_per_epoch(list(range(10)), 4)
        2
    """
    return len(examples) // min(batch_size, len(examples))


def resize(picture, size: tuple[int, int]):
    """`resizing.resize` as a part of the graph: how exported models change sizes.

    Bilinear with half-pixel centers, smoothed when shrinking.

    Args:
        picture: `(height, width, channels)` or a batch of them.
        size: `(height, width)`.

    Returns: float32 tensor.
    """
    shrinks = tf.reduce_any(tf.shape(picture)[-3:-1] > size)
    # Enlarging has nothing to smooth, and the operation that could is four times slower.
    return tf.cond(
        shrinks,
        lambda: tf.image.resize(picture, size, method="bilinear", antialias=True),
        lambda: tf.image.resize(picture, size, method="bilinear"),
    )


def as_stimulus(picture, size: tuple[int, int]):
    """`resizing.as_stimulus` as a part of the graph.

    Returns: float32 tensor `(height, width, 3)`, or a batch, 0-255.
    """
    return tf.clip_by_value(tf.round(resize(picture, size)), 0, 255)


def _as_inputs(stimulus, density, fixation_map):
    targets = {
        "density": tf.cast(density, "float32"),
        "fixation_map": tf.cast(fixation_map, "float32"),
    }
    return tf.cast(stimulus, "float32"), targets
