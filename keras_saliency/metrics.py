"""The scores as `keras.metrics`: averaged over pictures, batch after batch.

Each says in `target` which map it is held against, "density" or
"fixation_map"; `SaliencyGAN` hands it the right one. In plain `fit`, give the
one it names. A picture without a score (no fixation) is left out of the mean.
"""

import keras
from keras import ops

from keras_saliency import scores


@keras.saving.register_keras_serializable(package="keras_saliency")
class NSS(keras.metrics.Mean):
    """Mean of `scores.nss` over pictures; chance 0, higher is better.

    Shapes: fixation map (counts) and saliency map `(batch, height, width, 1)`.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> metric = NSS()
        >>> _ = metric.update_state(np.isin(ramp, [9, 15]), ramp)
        >>> round(float(metric.result()), 4)
        0.9452
    """

    target = "fixation_map"

    def __init__(self, name="nss", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*_scored(scores.nss(y_true, y_pred), sample_weight))


@keras.saving.register_keras_serializable(package="keras_saliency")
class CC(keras.metrics.Mean):
    """Mean of `scores.cc` over pictures; -1 to 1, higher is better.

    Shapes: density and saliency map `(batch, height, width, 1)`.
    """

    target = "density"

    def __init__(self, name="cc", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*_scored(scores.cc(y_true, y_pred), sample_weight))


@keras.saving.register_keras_serializable(package="keras_saliency")
class SIM(keras.metrics.Mean):
    """Mean of `scores.sim` over pictures; 0 to 1, higher is better.

    Shapes: density and saliency map `(batch, height, width, 1)`.
    """

    target = "density"

    def __init__(self, name="sim", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(*_scored(scores.sim(y_true, y_pred), sample_weight))


@keras.saving.register_keras_serializable(package="keras_saliency")
class KLD(keras.metrics.Mean):
    """Mean of `scores.kld` over pictures; in nats, lower is better.

    Args:
        epsilon: float, see `scores.kld`.

    Shapes: density and saliency map `(batch, height, width, 1)`, not negative.
    """

    target = "density"

    def __init__(self, epsilon=scores.EPSILON, name="kld", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.epsilon = epsilon

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = scores.kld(y_true, y_pred, self.epsilon)
        return super().update_state(*_scored(values, sample_weight))

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_saliency")
class InformationGain(keras.metrics.Mean):
    """Mean of `scores.information_gain` over a fixed baseline map, in bits.

    Args:
        baseline_map: `(height, width, 1)` array, usually `maps.center_bias` of
            the training pictures at the network's size.

    Shapes: fixation map (counts) and saliency map `(batch, height, width, 1)`.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> metric = InformationGain(ramp[0])
        >>> _ = metric.update_state(np.isin(ramp, [9, 15]), ramp)
        >>> float(metric.result())
        0.0
    """

    target = "fixation_map"

    def __init__(self, baseline_map, name="information_gain", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.baseline_map = ops.convert_to_numpy(baseline_map).astype("float32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        values = scores.information_gain(y_true, y_pred, self.baseline_map[None])
        return super().update_state(*_scored(values, sample_weight))

    def get_config(self):
        return {**super().get_config(), "baseline_map": self.baseline_map.tolist()}


def _scored(values, sample_weight):
    """The values and their weights, 0 where a picture has no score."""
    weights = ops.cast(ops.logical_not(ops.isnan(values)), "float32")
    if sample_weight is not None:
        weights = weights * ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
    # 0 * NaN is NaN: the value itself has to go too.
    return ops.where(ops.isnan(values), 0.0, values), weights
