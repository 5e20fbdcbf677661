"""How well a saliency map ranks fixated pixels above others: areas under ROC curves.

In NumPy: ranks have no gradient. The public functions take maps of shape
`(batch, height, width, 1)` and return one area a picture, float64 `(batch,)`:
1 is perfect, 0.5 is chance. They differ in what stands against the fixations:
every pixel (`auc_uniform`), the pixels that nobody fixated (`auc_judd`), pixels
drawn at random (`auc_borji`), or where people looked in other pictures
(`shuffled_auc`), which gives nothing for a center bias. Numbers of different
ones are not comparable.

A picture without fixations scores NaN; a map with NaN or infinity is an error.
"""

import numpy as np

from keras_saliency.errors import InputError

JITTER = 1e-7  # of AUC_Judd.m, against ties


def auc_uniform(fixation_map, saliency_map) -> np.ndarray:
    """The exact area, every pixel of the map standing against the fixations.

    Every fixation counts, ties count half: the probability that a fixated
    pixel is higher than one drawn from the whole picture. This is the AUC of
    the MIT/Tuebingen benchmark. A constant map scores 0.5.

    Args:
        fixation_map: fixations per pixel.
        saliency_map: any real numbers; only their order matters.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> auc_uniform(np.isin(ramp, [9, 15]), ramp).tolist()
        [0.78125]

    Reference: Kümmerer et al., "Saliency benchmarking made easy", ECCV 2018.
    """
    return _each(_uniform, fixation_map, saliency_map)


def auc_judd(fixation_map, saliency_map, jitter: bool = True, seed: int = 0) -> np.ndarray:
    """AUC-Judd: the map's values at the fixations are the thresholds.

    The pixels that nobody fixated stand against the fixated ones, each once
    however often it was fixated. Between two thresholds the curve is a straight
    line, so with few fixations the area is larger than the exact one.

    Args:
        fixation_map: fixations per pixel; what is above 0 is fixated.
        saliency_map: any real numbers; only their order matters.
        jitter: add noise below 1e-7 of the map's range, as the MIT benchmark
            does, so that ties are broken; a constant map then scores about 0.5.
            (The benchmark's noise is 1e-7 whatever the range; its maps are 0-1.)
        seed: int, of the noise; each picture of the batch has its own.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> auc_judd(np.isin(ramp, [9, 15]), ramp, jitter=False).round(6).tolist()
        [0.910714]

    Reference: Judd et al., "Learning to predict where humans look", ICCV 2009;
    AUC_Judd.m of the MIT saliency benchmark.
    """

    def one(fixations, values, index):
        values = stretch(values)
        if jitter:
            values = values + np.random.default_rng((seed, index)).random(values.size) * JITTER
        return judd(np.sort(values), values[fixations > 0])

    return _each(one, fixation_map, saliency_map)


def auc_borji(
    fixation_map, saliency_map, splits: int = 100, step: float = 0.1, seed: int = 0
) -> np.ndarray:
    """AUC-Borji: pixels drawn at random stand against the fixated ones.

    Each split draws as many pixels as are fixated, with replacement, from the
    whole map, which is first stretched to 0-1; the thresholds are 0, `step`,
    ... 1. The mean over the splits. The splits share their draws out over the
    map's values in proportion (systematic sampling): the mean is that of
    independent draws with far less noise, 0.0001 for 100 splits instead of the
    official code's 0.002 with 140 fixations.

    Args:
        fixation_map: fixations per pixel; what is above 0 is fixated.
        saliency_map: any real numbers.
        splits: how often to draw.
        step: distance of two thresholds.
        seed: int, of the draws; each picture of the batch has its own.

    Returns: as above; NaN for one fixation or none, and for a constant map, as
        AUC_Borji.m.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> auc_borji(np.isin(ramp, [9, 15]), ramp).round(1).tolist()
        [0.8]

    Reference: Borji et al., "Quantitative analysis of human-model agreement in
    visual saliency modeling", TIP 2013; AUC_Borji.m of the MIT benchmark.
    """

    def one(fixations, values, index):
        values = stretch(values)
        random = np.random.default_rng((seed, index))
        return borji(np.sort(values), values[fixations > 0], splits, grid(step), random)

    return _each(one, fixation_map, saliency_map)


def shuffled_auc(
    fixation_map,
    saliency_map,
    other_fixation_map,
    splits: int | None = 100,
    step: float | None = 0.1,
    seed: int = 0,
) -> np.ndarray:
    """Shuffled AUC: where people looked in other pictures stands against the fixations.

    A map that only knows the center bias scores 0.5.

    Args:
        fixation_map: fixations per pixel.
        saliency_map: any real numbers.
        other_fixation_map: fixations of other pictures per pixel; the MIT
            benchmark unites ten pictures, others take all.
        splits: each draws as many of the others' pixels as are fixated, without
            replacement; the mean over the splits, which share their draws out
            as in `auc_borji`. Pixels count once. None: all fixations and all
            the others' stand against each other, each counting as often as the
            maps say.
        step: distance of two thresholds on the map stretched to 0-1; None:
            every value is a threshold, the exact area, ties counting half.
        seed: int, of the draws; each picture of the batch has its own.

    Returns: as above; NaN too where the other map is empty, and with a `step`
        for a constant map.

    Example:
        >>> ramp = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> looked, elsewhere = np.isin(ramp, [9, 15]), np.isin(ramp, [2, 9, 10])
        >>> shuffled_auc(looked, ramp, elsewhere, splits=None, step=None).round(4).tolist()
        [0.75]

    Reference: Zhang et al., "SUN: A Bayesian framework for saliency", Journal
    of Vision 2008; AUC_shuffled.m of the MIT benchmark.
    """
    others = np.asarray(other_fixation_map)
    if others.shape != np.shape(fixation_map):
        raise InputError(
            f"the other fixation map's shape is {others.shape}, the fixation map's "
            f"{np.shape(fixation_map)}"
        )

    def one(fixations, values, index):
        other = others[index].ravel()
        values = stretch(values) if step else values
        if step and not values.any():  # a constant map
            return np.nan
        random = np.random.default_rng((seed, index))
        if splits is None:
            positives = np.repeat(values, fixations.astype(int))
            negatives = np.repeat(values, other.astype(int))
        else:
            positives, negatives = values[fixations > 0], values[other > 0]
        if step is None:
            return exact(positives, np.sort(negatives))
        return shuffled(positives, negatives, splits, grid(step), random)

    return _each(one, fixation_map, saliency_map)


# One picture, flat arrays: what the functions above and the protocols are made of.


def exact(positives, sorted_negatives) -> float:
    """The share of (positive, negative) pairs in which the positive is higher; ties are half."""
    if not len(positives) or not len(sorted_negatives):
        return float("nan")
    sides = [np.searchsorted(sorted_negatives, positives, side) for side in ("left", "right")]
    return float(np.mean(sides) / len(sorted_negatives))


def judd(sorted_pixels, fixated) -> float:
    """AUC-Judd from all the map's values in ascending order and those of the fixated pixels."""
    pixels, count = len(sorted_pixels), len(fixated)
    if not 0 < count < pixels:
        return float("nan")
    above = pixels - np.searchsorted(sorted_pixels, np.sort(fixated)[::-1], "left")
    hits = np.arange(1, count + 1)
    return _area(hits / count, (above - hits) / (pixels - count))


def borji(sorted_pixels, fixated, splits, thresholds, random) -> float:
    """AUC-Borji from values of 0-1."""
    if len(fixated) <= 1 or not sorted_pixels[-1] > 0:
        return float("nan")
    negatives = _between(sorted_pixels, thresholds)
    negatives = _drawn(negatives, splits * len(fixated), random)
    return _grid_area(np.sort(fixated), negatives, thresholds)


def shuffled(fixated, negatives, splits, thresholds, random, weights=None) -> float:
    """Shuffled AUC from values of 0-1; without splits, the negatives may have weights."""
    if not len(fixated) or not len(negatives):
        return float("nan")
    levels = np.searchsorted(thresholds, negatives, "right") - 1
    negatives = np.bincount(levels, weights, len(thresholds))
    if splits is not None:
        negatives = _drawn(negatives, splits * min(len(fixated), len(levels)), random)
    return _grid_area(np.sort(fixated), negatives, thresholds)


def grid(step: float) -> np.ndarray:
    """The thresholds 0, `step`, ... up to 1."""
    # As Octave's ranges: the seventh of 0:0.1:1 is a hair above 0.6.
    return step * np.arange(int(1 / step + 1e-9) + 1)


def stretch(values):
    """Values brought to 0-1, float64; all 0 if they are all the same."""
    values = np.asarray(values, "float64")
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _between(sorted_values, thresholds):
    """How many values lie between each threshold and the next."""
    above = len(sorted_values) - np.searchsorted(sorted_values, thresholds, "left")
    return -np.diff(above, append=0)


def _drawn(counts, draws, random):
    """So many draws, systematic, from groups of so many: how many fall into each group."""
    # The area is linear in the rates of the drawn, so its mean over the splits
    # is the area over all splits' draws together.
    upto = np.floor(np.cumsum(counts) * (draws / np.sum(counts)) + random.random())
    return np.diff(upto, prepend=0)


def _grid_area(sorted_fixated, negatives, thresholds):
    """The area, from how many negatives lie between each threshold and the next."""
    hits, false_alarms = (
        np.cumsum(counts[::-1]) / np.sum(counts)
        for counts in (_between(sorted_fixated, thresholds), negatives)
    )
    return _area(hits, false_alarms)


def _area(hits, false_alarms):
    """Under the straight lines from (0, 0) through the rates, in ascending order, to (1, 1)."""
    return float(np.trapezoid([0, *hits, 1], [0, *false_alarms, 1]))


def _uniform(fixations, values, index):
    return exact(np.repeat(values, fixations.astype(int)), np.sort(values))


def _each(score, fixation_maps, saliency_maps):
    """Calls `score(fixations, values, index)` with one picture's flat arrays after another."""
    fixation_maps, saliency_maps = np.asarray(fixation_maps), np.asarray(saliency_maps)
    if fixation_maps.shape != saliency_maps.shape or saliency_maps.ndim != 4:
        raise InputError(
            "wanted maps of one shape (batch, height, width, 1). Received: fixation map "
            f"{fixation_maps.shape}, saliency map {saliency_maps.shape}"
        )
    if not np.isfinite(saliency_maps).all():
        raise InputError("a saliency map has values that are not finite (NaN or infinity)")
    rows = zip(
        fixation_maps.reshape(len(fixation_maps), -1),
        saliency_maps.reshape(len(saliency_maps), -1),
        strict=True,
    )
    scores = [score(fixations, values, index) for index, (fixations, values) in enumerate(rows)]
    return np.array(scores, "float64")
