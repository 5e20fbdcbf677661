"""What a batch brings, and which of its maps a loss or a metric is held against."""

import keras
from keras import ops


def unpack(data):
    """Stimuli, and targets by name, of a batch for `keras.Model.fit`."""
    stimulus, targets, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError("SaliencyGAN takes no sample weights.")
    if not isinstance(targets, dict):
        targets = {"density": targets}
    # Run eagerly, Keras hands arrays over as they came.
    targets = {name: ops.convert_to_tensor(target) for name, target in targets.items()}
    return ops.convert_to_tensor(stimulus), targets


def wanted(targets, score):
    """The map that a loss or a metric is held against; of several a dict."""
    names = target_of(score)
    for name in [names] if isinstance(names, str) else names:
        if name not in targets:
            raise ValueError(
                f"{score.name} needs the {name}: give targets as a dict with it. "
                f"Received: {', '.join(targets)}"
            )
    return targets[names] if isinstance(names, str) else {n: targets[n] for n in names}


def pooled(maps, times: int):
    """Each of some maps, alone or in tuples and dicts, average-pooled so many times."""
    if times <= 1:
        return maps
    return keras.tree.map_structure(
        lambda each: ops.average_pool(ops.cast(each, "float32"), times, times), maps
    )


def target_of(score) -> str | list[str]:
    """What a loss or a metric is held against: "density", "fixation_map", or both.

    Example:
        >>> target_of(keras.losses.MeanSquaredError())
        'density'
    """
    return getattr(score, "target", "density")


def as_loss(value):
    """The loss as an object: Keras' plain functions have a value a pixel."""
    config = {"class_name": value, "config": {}} if isinstance(value, str) else value
    loss = keras.losses.get(config)
    if not isinstance(loss, keras.losses.Loss):
        raise ValueError(f"Wanted a `keras.losses.Loss` or its class name. Received: {value!r}")
    return loss
