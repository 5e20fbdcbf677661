"""The three protocols by which the field scores saliency maps, side by side.

docs/protocols.md has them in one table, with every difference. `mit` is the
MIT benchmark's MATLAB code, `tuebingen` is pysaliency and the MIT/Tuebingen
benchmark, `salicon` is SALICON's own evaluation code of 2015.

A score that a protocol does not define has no column. Higher is better but for
KLD and EMD. Here the formulas are in NumPy and float64, at a picture's own size
and for the CPU, ten times faster there than the differentiable ones of
`scores`, which they equal.
"""

import dataclasses

import numpy as np
from PIL import Image
from scipy import ndimage

from keras_saliency import auc
from keras_saliency.errors import InputError

EPSILON = 2.0**-52  # MATLAB's eps
PYSALIENCY_EPSILON = 2.2204e-16  # as it is written there
SMALLEST = 1e-20  # probability of a pixel that a map calls impossible, as pysaliency's
COLUMNS = {
    "mit": ("auc_judd", "auc_borji", "sauc", "nss", "cc", "sim", "kld", "ig"),
    "tuebingen": ("auc", "sauc", "nss", "cc", "sim", "kld", "ig"),
    "salicon": ("auc_borji", "sauc", "nss", "cc"),
}
LOWER_IS_BETTER = {"kld", "emd"}
SALICON_DRAWS = 100_000
BLOCK = 32768  # pixels
TINY = 1e-30  # squares of smaller numbers, and of larger than its inverse, are not to be trusted
NAN = float("nan")


@dataclasses.dataclass(frozen=True)
class Truth:
    """What one picture's saliency map is scored against, made by `truths`.

    Args:
        size: `(height, width)` of the picture.
        fixated: `(n,)` ints, flat pixel indices of the fixations that count,
            as often as they count. If only a density was published it is
            empty, and only the scores of densities can be had.
        density: float64 `(height, width)`.
        others: for shuffled AUC: flat pixel indices of where people looked in
            other pictures, for `salicon` weights, one a pixel; None if there
            are no other pictures.
        baseline: float64 `(height, width)`, what information gain is measured
            over, or None.
        seed: of what is drawn at random for this picture.
    """

    size: tuple[int, int]
    fixated: np.ndarray
    density: np.ndarray
    others: np.ndarray | None
    baseline: np.ndarray | None
    seed: tuple[int, ...]


def heading(score: str) -> str:
    """A score's name and the way to its better side, for a table.

    Example:
        >>> heading("auc_judd"), heading("kld")
        ('AUC-JUDD ↑', 'KLD ↓')
    """
    return f"{score.upper().replace('_', '-')} {'↓' if score in LOWER_IS_BETTER else '↑'}"


def score(saliency_map: np.ndarray, truth: Truth, protocol: str) -> dict[str, float]:
    """One picture's scores.

    Args:
        saliency_map: `(height, width)` or `(height, width, 1)`, real numbers.
        truth: what to score it against, of the same protocol.
        protocol: "mit", "tuebingen" or "salicon".

    Returns: the protocol's `COLUMNS`; NaN where the picture has no score.

    Raises:
        InputError: if the map has values that are not finite, or a size that
            the protocol does not take.

    Example:
        >>> ramp = np.arange(16.0).reshape(4, 4)
        >>> truth = Truth((4, 4), np.array([9, 15]), ramp**2, None, None, (0,))
        >>> {name: round(value, 2) for name, value in score(ramp, truth, "mit").items()}
        {'auc_judd': 0.91, 'auc_borji': 0.77, 'sauc': nan, 'nss': 0.95, 'cc': 0.96,
         'sim': 0.85, 'kld': 0.07, 'ig': nan}
    """
    values = np.asarray(saliency_map)
    values = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    if values.ndim != 2 or not values.size:
        raise InputError(f"a saliency map is (height, width, 1), this is {np.shape(saliency_map)}")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise InputError("the saliency map has values that are not finite (NaN or infinity)")
    if not (len(truth.fixated) or truth.density.any()):
        return dict.fromkeys(COLUMNS[protocol], NAN)
    height = max(abs(low), abs(high))
    if height and not TINY < height < 1 / TINY:  # no score depends on the scale
        values, low, high = values.astype("float64") / height, low / height, high / height
    if values.shape != tuple(truth.size):
        values = _resized(values, truth.size, protocol)
        low, high = float(values.min()), float(values.max())
    values = values.ravel()
    scores = {"mit": _mit, "tuebingen": _tuebingen, "salicon": _salicon}
    return scores[protocol](values, truth, low, constant=low == high)


def _resized(values, size, protocol):
    if protocol == "tuebingen":
        raise InputError(
            f"the saliency map is {values.shape[0]}x{values.shape[1]}, its picture "
            f"{size[0]}x{size[1]}: the protocol tuebingen takes maps of the picture's own size"
        )
    if values.min() == values.max():  # a spline would make noise of it
        return np.full(size, values.flat[0])
    if protocol == "salicon":
        factors = [to / whole for to, whole in zip(size, values.shape, strict=True)]
        return ndimage.zoom(values.astype("float64"), factors, order=3)
    picture = Image.fromarray(values.astype("float32"))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC))


def _mit(values, truth, low, constant):
    density, fixated = truth.density.ravel(), truth.fixated
    sums = values.sum(dtype="float64"), density.sum()
    for_sim, for_kld = (low, density.min()), (0.0 if constant else min(low, 0.0), 0.0)
    found = dict.fromkeys(COLUMNS["mit"], NAN)
    found |= _of_densities(values, density, sums, fixated, 1, for_kld, for_sim, EPSILON)
    if constant:
        found |= {"nss": NAN, "cc": NAN, "sim": 0.0 if low == 0 else NAN}
    if not len(fixated):
        return found
    stretched = auc.stretch(values)
    random = np.random.default_rng(truth.seed)
    jittered = stretched + random.random(values.size) * auc.JITTER
    found["auc_judd"] = auc.judd(np.sort(jittered), jittered[fixated])
    if constant:
        return found
    thresholds = auc.grid(0.1)
    found["auc_borji"] = auc.borji(np.sort(stretched), stretched[fixated], 100, thresholds, random)
    if truth.others is not None:
        others = stretched[truth.others]
        found["sauc"] = auc.shuffled(stretched[fixated], others, 100, thresholds, random)
    baseline = None if truth.baseline is None else auc.stretch(truth.baseline.ravel())
    if baseline is not None and baseline.any():
        p, q = stretched[fixated] / stretched.sum(), baseline[fixated] / baseline.sum()
        found["ig"] = _gain(p, q, EPSILON)
    return found


def _tuebingen(values, truth, low, constant):
    fixated, known = truth.fixated, len(truth.fixated) > 0
    found = dict.fromkeys(COLUMNS["tuebingen"], NAN)
    if known:
        found["auc"] = auc.exact(values[fixated], np.sort(values))
    if known and truth.others is not None:
        found["sauc"] = auc.exact(values[fixated], np.sort(values[truth.others]))
    if constant and low <= 0:
        values, low = np.ones_like(values), 1.0  # all zero, or shifted to it, is uniform
    shifts, density = (min(low, 0.0), 0.0), truth.density.ravel()
    sums = values.sum(dtype="float64"), density.sum()
    found |= _of_densities(values, density, sums, fixated, 0, shifts, shifts, PYSALIENCY_EPSILON)
    if constant:
        found |= {"nss": 0.0 if known else NAN, "cc": 0.0}
    if known and truth.baseline is not None:
        p = (values[fixated].astype("float64") - shifts[0]) / (sums[0] - shifts[0] * values.size)
        baseline = truth.baseline.ravel()
        found["ig"] = _gain(p, baseline[fixated] / baseline.sum(), SMALLEST)
    return found


def _salicon(values, truth, low, constant):
    fixated = truth.fixated
    if constant and len(fixated):
        return {"auc_borji": 0.5, "sauc": 0.5, "nss": 0.0, "cc": NAN}
    density = truth.density.ravel()
    sums, shifts = (values.sum(dtype="float64"), density.sum()), (min(low, 0.0), 0.0)
    found = _of_densities(values, density, sums, fixated, 0, shifts, shifts, EPSILON)
    if not len(fixated):
        return {name: found.get(name, NAN) for name in COLUMNS["salicon"]}
    stretched, thresholds = auc.stretch(values), auc.grid(0.01)[:-1]
    random = np.random.default_rng(truth.seed)
    negatives = stretched[random.integers(values.size, size=SALICON_DRAWS)]
    area = auc.shuffled(stretched[fixated], negatives, None, thresholds, random)
    shuffled = NAN
    if truth.others is not None:
        pixels = np.flatnonzero(truth.others)
        others, weights = stretched[pixels], truth.others[pixels]
        shuffled = auc.shuffled(stretched[fixated], others, None, thresholds, random, weights)
    return {"auc_borji": area, "sauc": shuffled, "nss": found["nss"], "cc": found["cc"]}


# The formulas, of flat maps.


def _of_densities(values, density, sums, fixated, ddof, for_kld, for_sim, epsilon):
    """NSS, CC, SIM and KLD, in one pass over blocks that stay in the processor's cache.

    `sums` of the map and of the density; `for_kld`, `for_sim`: what is taken off
    each of the two before it is divided by what it then sums to.
    """
    size, means = values.size, [total / values.size for total in sums]
    of_kld, of_sim = (
        [
            (shift, 1 / (total - shift * size or 1.0))
            for shift, total in zip(shifts, sums, strict=True)
        ]
        for shifts in (for_kld, for_sim)
    )
    product = of_map = of_density = overlap = divergence = 0.0
    for first in range(0, size, BLOCK):
        blocks = values[first : first + BLOCK].astype("float64"), density[first : first + BLOCK]
        q, p = map(_share, blocks, of_kld)
        divergence += p.dot(np.log(epsilon + p / (q + epsilon)))
        overlap += np.minimum(*((q, p) if of_sim == of_kld else map(_share, blocks, of_sim))).sum()
        v, d = blocks[0] - means[0], blocks[1] - means[1]
        product, of_map, of_density = product + v.dot(d), of_map + v.dot(v), of_density + d.dot(d)
    deviation = np.sqrt(of_map / max(size - ddof, 1))
    norm = np.sqrt(of_map * of_density)
    nss = NAN
    if deviation and len(fixated):
        nss = float((values[fixated].mean(dtype="float64") - means[0]) / deviation)
    return {
        "nss": nss,
        "cc": float(product / norm) if norm else NAN,
        "sim": float(overlap),
        "kld": float(divergence),
    }


def _share(block, of_sum):
    """Pixels as probabilities: `of_sum` is (offset, one over the sum of the rest)."""
    offset, scale = of_sum
    return (block - offset) * scale if offset else block * scale


def _gain(p, q, epsilon):
    """Bits a fixation, of one probability over the other at the fixations."""
    return float(np.mean(np.log2(epsilon + p) - np.log2(epsilon + q)))
