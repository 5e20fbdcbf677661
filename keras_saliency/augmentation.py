"""How a training picture and its maps are changed: turned, cut, recoloured, all three alike."""

from keras_saliency.tensorflow_only import tf


def augmented(fields, dice, mirror=True, zoom=0.0, color=0.0, crop=None):
    """One example's stimulus, density and fixation map, changed by what the dice say.

    Args:
        fields: the three arrays, `(height, width, 3 or 1)`.
        dice: int64 `(2,)`, seed of everything that is drawn.
        mirror, zoom, color, crop: see `pipeline.epochs`.

    Returns: the three; the stimulus float32, 0-255. The density's largest value
        is 1 again if something was cut off.

    Example:
        >>> fields = [np.zeros((6, 8, channels), "uint8") for channels in (3, 1, 1)]
        >>> [field.shape for field in augmented(fields, [0, 1], crop=(4, 4))]
        [TensorShape([4, 4, 3]), TensorShape([4, 4, 1]), TensorShape([4, 4, 1])]
    """
    flip, side, top, left, light, contrast, saturation = tf.unstack(
        tf.random.stateless_uniform([7], dice)
    )
    if mirror:
        fields = tf.cond(flip < 0.5, lambda: tuple(f[:, ::-1] for f in fields), lambda: fields)
    if crop:
        fields = _cropped(fields, crop, top, left)
    if zoom:
        fields = _zoomed(fields, 1 - zoom * side, top, left)
    stimulus, density, counts = fields
    if color:
        stimulus = _recoloured(stimulus, color, light, contrast, saturation)
    return tf.clip_by_value(tf.cast(stimulus, "float32"), 0, 255), density, counts


def _cropped(fields, size, top, left):
    """A window of this size, no pixel changed."""
    room = [whole + 1 - part for whole, part in zip(fields[0].shape[:2], size, strict=True)]
    begin = [tf.cast(die * space, "int32") for die, space in zip((top, left), room, strict=True)]
    cut = [tf.slice(field, [*begin, 0], [*size, field.shape[2]]) for field in fields]
    return cut[0], _stretched(tf.cast(cut[1], "float32")), cut[2]


def _zoomed(fields, side, top, left):
    """A window of `side` of the whole, enlarged to the whole."""
    box = tf.stack([top * (1 - side), left * (1 - side)])
    box = tf.concat([box, box + side], 0)[None]

    def cut(field, method):
        size = field.shape[:2]
        field = tf.cast(field, "float32")[None]
        return tf.image.crop_and_resize(field, box, [0], size, method)[0]

    stimulus, density, counts = fields
    return cut(stimulus, "bilinear"), _stretched(cut(density, "bilinear")), cut(counts, "nearest")


def _stretched(density):
    return density / tf.maximum(tf.reduce_max(density), 1e-6)


def _recoloured(stimulus, color, light, contrast, saturation):
    spread = lambda die: 1 + color * (2 * die - 1)  # noqa: E731
    stimulus = tf.cast(stimulus, "float32") / 255 + color * (2 * light - 1)
    stimulus = tf.image.adjust_contrast(stimulus, spread(contrast))
    gray = tf.reduce_mean(stimulus, -1, keepdims=True)
    return (gray + (stimulus - gray) * spread(saturation)) * 255
