"""How well a saliency map tells where people looked: each formula, once.

Every function takes `(target, saliency_map)`, maps of shape
`(batch, height, width, 1)`, and returns one score a picture, `(batch,)`. They
are written in `keras.ops`: differentiable, and the same on every backend.
Computed in float64 if a float64 map comes in, else in float32.

The definitions are those of the MIT saliency benchmark (Bylinskii et al.,
"What do different evaluation metrics tell us about saliency models?", TPAMI
2019), with one generalisation: a fixation map may count several fixations on a
pixel, and each then weighs one.
"""

import keras
from keras import ops

EPSILON = 2.0**-52  # MATLAB's eps, as in the benchmark's KLdiv.m and InfoGain.m
AXES = (1, 2, 3)


def nss(fixation_map, saliency_map):
    """Normalized scanpath saliency: how high the map is where people looked.

    The map is shifted and scaled to mean 0 and (sample) standard deviation 1,
    then averaged over the fixations. Chance is 0; higher is better.

    Args:
        fixation_map: fixations per pixel.
        saliency_map: any real numbers; shift and positive scale do not matter.

    Returns: `(batch,)`, in standard deviations. A constant map scores 0; a
        picture without fixations has no score, NaN.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> looked = np.isin(ramp, [9, 15]) * 1.0
        >>> round(float(nss(looked, ramp)[0]), 6)
        0.945189

    Reference: Peters et al., "Components of bottom-up gaze allocation in
    natural images", Vision Research 2005.
    """
    fixation_map, saliency_map = _floats(fixation_map, saliency_map)
    pixels = saliency_map.shape[1] * saliency_map.shape[2]
    centered, deviation = _centered(saliency_map)
    # The benchmark's std divides by pixels - 1.
    deviation = deviation * (pixels / max(pixels - 1, 1)) ** 0.5
    z = ops.divide_no_nan(centered, deviation)
    count = ops.sum(fixation_map, AXES)
    total = ops.sum(fixation_map * z, AXES)
    return ops.where(count > 0, ops.divide_no_nan(total, count), float("nan"))


def cc(density, saliency_map):
    """Pearson's linear correlation of the two maps.

    Args:
        density: blurred fixations.
        saliency_map: any real numbers.

    Returns: `(batch,)`, -1 to 1, higher is better. A constant map scores 0.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(cc(ramp**2, ramp)[0]), 6)
        0.964635
    """
    density, saliency_map = _floats(density, saliency_map)
    a, a_deviation = _centered(density)
    b, b_deviation = _centered(saliency_map)
    # Each map is brought to unit variance before they are multiplied: the
    # product of two small deviations would be lost in float32.
    return ops.mean(ops.divide_no_nan(a, a_deviation) * ops.divide_no_nan(b, b_deviation), AXES)


def sim(density, saliency_map):
    """Similarity: the overlap of the two maps as distributions.

    Each map is stretched to 0-1 and divided by its sum; the score is the sum of
    the smaller of the two at every pixel.

    Args:
        density: blurred fixations.
        saliency_map: any real numbers.

    Returns: `(batch,)`, 0 to 1, higher is better. A constant map scores 0.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(sim(ramp**2, ramp)[0]), 6)
        0.852151
    """
    density, saliency_map = _floats(density, saliency_map)
    p, q = to_distribution(stretch(density)), to_distribution(stretch(saliency_map))
    return ops.sum(ops.minimum(p, q), AXES)


def kld(density, saliency_map, epsilon=EPSILON):
    """Kullback-Leibler divergence of the saliency map from the density.

    What is lost when the map stands in for the density; misses cost far more
    than false alarms. Both maps are divided by their sum.

    Args:
        density: blurred fixations, not negative.
        saliency_map: not negative.
        epsilon: float, keeps the logarithm finite. Scores depend on it where
            the map is zero; the default is the MIT benchmark's.

    Returns: `(batch,)`, in nats, 0 if equal, lower is better.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> round(float(kld(ramp**2 + 1, ramp + 1)[0]), 6)
        0.095202
    """
    density, saliency_map = _floats(density, saliency_map)
    p, q = to_distribution(density), to_distribution(saliency_map)
    return ops.sum(p * ops.log(epsilon + p / (q + epsilon)), AXES)


def information_gain(fixation_map, saliency_map, baseline_map):
    """How much better than the baseline the map foretells a fixation, in bits.

    Map and baseline are each stretched to 0-1 and divided by their sum; the
    score is the mean of `log2(map / baseline)` over the fixations. The stretch
    makes the smallest pixel's probability zero, so one fixation there costs
    the benchmark's -52 bits.

    Args:
        fixation_map: fixations per pixel.
        saliency_map: any real numbers.
        baseline_map: any real numbers, usually the center bias.

    Returns: `(batch,)`, bits per fixation, 0 if no better than the baseline.
        A picture without fixations has no score, NaN.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> bump = np.outer([1, 2, 2, 1], [1, 2, 2, 1]).reshape(1, 4, 4, 1) * 1.0
        >>> looked = np.isin(ramp, [5, 9]) * 1.0
        >>> round(float(information_gain(looked, ramp, bump)[0]), 6)
        -1.423998

    Reference: Kümmerer et al., "Information-theoretic model comparison unifies
    saliency metrics", PNAS 2015.
    """
    fixation_map, saliency_map, baseline_map = _floats(fixation_map, saliency_map, baseline_map)
    p, q = to_distribution(stretch(saliency_map)), to_distribution(stretch(baseline_map))
    bits = (ops.log(EPSILON + p) - ops.log(EPSILON + q)) / 0.6931471805599453
    count = ops.sum(fixation_map, AXES)
    total = ops.sum(fixation_map * bits, AXES)
    return ops.where(count > 0, ops.divide_no_nan(total, count), float("nan"))


def stretch(maps):
    """Each map of the batch, stretched to 0-1. A constant map becomes 0."""
    low = ops.min(maps, AXES, keepdims=True)
    high = ops.max(maps, AXES, keepdims=True)
    return ops.divide_no_nan(maps - low, high - low)


def to_distribution(maps):
    """Each map of the batch, divided by its sum. A zero map stays zero."""
    return ops.divide_no_nan(maps, ops.sum(maps, AXES, keepdims=True))


def _centered(maps):
    """Each map, brought to height 1, less its mean; and its population standard deviation."""
    # The scores do not depend on the scale: it needs no gradient, and at height
    # 1 the squares neither vanish nor overflow in float32.
    height = ops.stop_gradient(ops.max(ops.abs(maps), AXES, keepdims=True))
    maps = ops.divide_no_nan(maps, height)
    centered = maps - ops.mean(maps, AXES, keepdims=True)
    # Told by its extent, not its deviation: the float32 mean of half a million
    # equal numbers is off by 1e-5, and a constant map would score 1.
    extent = ops.max(maps, AXES, keepdims=True) - ops.min(maps, AXES, keepdims=True)
    flat = extent <= 1e-6
    variance = ops.mean(ops.square(centered), AXES, keepdims=True)
    # The square root's slope at 0 is infinite: a flat map must not reach it,
    # or its gradient is NaN although `where` drops the value.
    deviation = ops.where(flat, 0.0, ops.sqrt(ops.where(flat, 1.0, variance)))
    return centered, ops.cast(deviation, maps.dtype)


def _floats(*maps):
    """The maps as tensors of one dtype: float64 if any is, else float32."""
    double = any(
        keras.backend.standardize_dtype(getattr(m, "dtype", "float32")) == "float64" for m in maps
    )
    dtype = "float64" if double else "float32"
    return [ops.cast(ops.convert_to_tensor(m), dtype) for m in maps]
