"""What training makes small: thin `keras.losses.Loss` shells.

All take `(density, saliency_map)` of shape `(batch, height, width, 1)`; the
saliency map is the network's, 0-1. Everything is computed in float32, whatever
the precision policy. Keras' own `MeanSquaredError` and `MeanAbsoluteError` go
where these go. `weighted_sum` adds any of them up.
"""

import keras
from keras import ops

from keras_saliency import scores
from keras_saliency.targets import target_of


@keras.saving.register_keras_serializable(package="keras_saliency")
class DensityCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of every pixel, averaged over the map.

    SalGAN's content loss: each pixel of the density, stretched to 0-1, is taken
    as the chance that it is salient.

    Shapes: density and saliency map `(batch, height, width, 1)`, values 0-1.

    Example:
        >>> half = np.full((1, 2, 2, 1), 0.5)
        >>> round(float(DensityCrossentropy()(half, half)), 4)
        0.6931

    Reference: Pan et al., "SalGAN", 2017, equation 2.
    """

    def __init__(self, reduction="sum_over_batch_size", name="density_crossentropy", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        # Keras' own clips at 1e-7, beyond which a map that has gone dark has no
        # gradient any more and never comes back.
        dark, light = ops.log(y_pred + 1e-20), ops.log(ops.maximum(1 - y_pred, 2.0**-24))
        likelihood = y_true * dark + (1 - y_true) * light
        return -ops.mean(likelihood, scores.AXES)


# `metrics.KLD` has the name `keras_saliency>KLD`.
@keras.saving.register_keras_serializable(package="keras_saliency", name="KLDLoss")
class KLD(keras.losses.Loss):
    """`scores.kld`: what is lost when the map stands in for the density, in nats.

    Args:
        epsilon: float, see `scores.kld`. Larger than the score's, so that the
            gradient stays small where the map is near zero.
        target_distribution: how the density becomes a distribution: divided by
            its "sum", or by "softmax", as the Bristol report does, after which
            a density of 0-1 is almost flat: no pixel has over 2.72 times
            another's share.
        pixel_mean: divide by the number of pixels, PyTorch's default reduction
            of its KLDivLoss: to SGD, so many times smaller a learning rate.

    Shapes: density and saliency map `(batch, height, width, 1)`, not negative.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(KLD()(ramp**2 + 1, ramp + 1)), 4)
        0.0952

    Reference: Jetley, Murray and Vig, "End-to-End Saliency Mapping via
    Probability Distribution Prediction", CVPR 2016.
    """

    def __init__(
        self,
        epsilon=1e-7,
        target_distribution="sum",
        pixel_mean=False,
        reduction="sum_over_batch_size",
        name="kld",
        **kwargs,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.epsilon = epsilon
        self.target_distribution = _known(target_distribution)
        self.pixel_mean = pixel_mean

    def call(self, y_true, y_pred):
        target = _distribution(y_true, self.target_distribution)
        value = scores.kld(target, y_pred, self.epsilon)
        if not self.pixel_mean:
            return value
        height, width = ops.shape(y_pred)[1:3]
        return value / ops.cast(height * width, value.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "target_distribution": self.target_distribution,
            "pixel_mean": self.pixel_mean,
        }


@keras.saving.register_keras_serializable(package="keras_saliency")
class Bhattacharyya(keras.losses.Loss):
    """Bhattacharyya distance: -log of the overlap `sum(sqrt(p q))`.

    The map is divided by its sum first.

    Args:
        epsilon: float, keeps the logarithm and the square root's slope finite.
        target_distribution: how the density becomes a distribution: "sum" or
            "softmax", see `KLD`.

    Shapes: density and saliency map `(batch, height, width, 1)`, not negative.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> bool(abs(float(Bhattacharyya()(ramp, ramp))) < 1e-4)
        True

    Reference: Bhattacharyya, "On a measure of divergence between two
    statistical populations", 1943.
    """

    def __init__(
        self,
        epsilon=1e-12,
        target_distribution="sum",
        reduction="sum_over_batch_size",
        name="bhattacharyya",
        **kwargs,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.epsilon = epsilon
        self.target_distribution = _known(target_distribution)

    def call(self, y_true, y_pred):
        p, q = _distribution(y_true, self.target_distribution), scores.to_distribution(y_pred)
        return -ops.log(ops.sum(ops.sqrt(p * q + self.epsilon**2), scores.AXES) + self.epsilon)

    def get_config(self):
        config = super().get_config()
        return {
            **config, "epsilon": self.epsilon, "target_distribution": self.target_distribution,
        }  # fmt: skip


@keras.saving.register_keras_serializable(package="keras_saliency")
class NegativeCC(keras.losses.Loss):
    """`1 - scores.cc`: 0 if the maps are proportional, 2 if opposed.

    Shapes: density and saliency map `(batch, height, width, 1)`.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(NegativeCC()(ramp, -ramp)), 4)
        2.0
    """

    def __init__(self, reduction="sum_over_batch_size", name="negative_cc", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        return 1 - scores.cc(y_true, y_pred)


@keras.saving.register_keras_serializable(package="keras_saliency")
class NegativeNSS(keras.losses.Loss):
    """`-scores.nss`: falls as the map rises where people looked.

    Its target is a fixation map, not a density. Pictures without fixations
    count 0. Of an average-pooled fixation map it is the mean over the same
    fixations, each at its cell of the pooled saliency map: how often a cell was
    looked at is divided by the cell's pixels there, and that cancels out.

    Shapes: fixation map (counts) and saliency map `(batch, height, width, 1)`.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(NegativeNSS()(np.isin(ramp, [9, 15]), ramp)), 4)
        -0.9452
    """

    target = "fixation_map"

    def __init__(self, reduction="sum_over_batch_size", name="negative_nss", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        value = -scores.nss(y_true, y_pred)
        return ops.where(ops.isnan(value), 0.0, value)


@keras.saving.register_keras_serializable(package="keras_saliency")
class WeightedSum(keras.losses.Loss):
    """Several losses at once, each as heavy as it is wanted.

    Each gives one value a picture: of a loss by pixels, as Keras', their mean.

    Args:
        terms: list of `(weight, loss)`, a positive number and a
            `keras.losses.Loss`, whose own reduction does not matter.

    Shapes: density, or a dict with what its `target` names, "density" and
        "fixation_map"; and saliency map, all `(batch, height, width, 1)`.

    Raises:
        ValueError: if there are no terms, or a weight is not positive.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> loss = WeightedSum([(1.0, KLD()), (0.5, NegativeCC())])
        >>> round(float(loss(ramp**2 + 1, ramp + 1)), 4)
        0.1129
    """

    def __init__(self, terms, reduction="sum_over_batch_size", name="weighted_sum", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)
        self.terms = [(float(weight), loss) for weight, loss in terms]
        if not self.terms or not all(0 < weight < float("inf") for weight, _ in self.terms):
            raise ValueError(f"`terms` must have positive weights. Received: terms={terms!r}")
        wanted = sorted({target_of(loss) for _, loss in self.terms})
        self.target = wanted if "fixation_map" in wanted else "density"

    def values(self, y_true, y_pred):
        """Each term's values, one a picture, before they are weighted."""
        found = []
        for _, loss in self.terms:
            target = y_true[target_of(loss)] if isinstance(y_true, dict) else y_true
            value = loss.call(ops.cast(target, self.dtype), ops.cast(y_pred, self.dtype))
            found.append(ops.mean(ops.reshape(value, (ops.shape(value)[0], -1)), -1))
        return found

    def call(self, y_true, y_pred):
        if not isinstance(y_true, dict) and self.target != "density":
            raise ValueError(f"{self.name} needs a dict with {' and '.join(self.target)}.")
        weighted = zip(self.terms, self.values(y_true, y_pred), strict=True)
        return sum(weight * value for (weight, _), value in weighted)

    def get_config(self):
        terms = [[w, keras.saving.serialize_keras_object(loss)] for w, loss in self.terms]
        return {**super().get_config(), "terms": terms}

    @classmethod
    def from_config(cls, config):
        terms = [(w, keras.saving.deserialize_keras_object(loss)) for w, loss in config["terms"]]
        return cls(**{**config, "terms": terms})


# By their names on the command line, which `recipes.loss_weights` reads.
NAMED = {
    "bce": DensityCrossentropy,
    "mse": keras.losses.MeanSquaredError,
    "l1": keras.losses.MeanAbsoluteError,
    "kld": KLD,
    "bhattacharyya": Bhattacharyya,
    "cc": NegativeCC,
    "nss": NegativeNSS,
}


def weighted_sum(weights: dict[str, float], options: dict | None = None, **arguments):
    """The sum of some of `NAMED`; one alone that weighs 1 is itself.

    Args:
        weights: by name.
        options: arguments of a loss, by its name.
        **arguments: of every `keras.losses.Loss`, such as `reduction`.

    Example:
        >>> weighted_sum({"kld": 1.0}).name, weighted_sum({"kld": 1.0, "cc": 0.5}).name
        ('kld', 'weighted_sum')
    """

    def named(name, **arguments):
        return NAMED[name](name=name, **(options or {}).get(name, {}), **arguments)

    if list(weights.values()) == [1.0]:
        return named(*weights, **arguments)
    terms = [(weight, named(name, reduction=None)) for name, weight in weights.items()]
    return WeightedSum(terms, **arguments)


def _known(target_distribution):
    if target_distribution not in ("sum", "softmax"):
        raise ValueError(
            '`target_distribution` must be "sum" or "softmax". '
            f"Received: target_distribution={target_distribution!r}"
        )
    return target_distribution


def _distribution(density, how):
    """Each density of the batch as a distribution."""
    if how == "softmax":
        density = ops.exp(density - ops.max(density, scores.AXES, keepdims=True))
    return scores.to_distribution(density)
