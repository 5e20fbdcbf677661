"""Saliency maps as densities, and the best map for each score.

Scores ask for different things: what is best for one is not for another. A
density (how likely people are to look at every pixel) says all that a model
knows, and the best map for any score follows from it (`optimal_map`).
"""

import math

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp

from keras_saliency import maps
from keras_saliency.errors import InputError

FLOOR = 0.5 / 255  # an 8-bit zero means less than this share of the largest value


def to_density(saliency_map, floor: float = 0.0) -> np.ndarray:
    """A saliency map as a probability for every pixel.

    Args:
        saliency_map: `(height, width)` or `(height, width, 1)`, real numbers; a
            map with negative values is shifted up so that its smallest is 0.
        floor: what is added to every pixel, as a share of the largest value.

    Returns: float64 `(height, width, 1)`, sum 1; uniform for a map of zeros.

    Raises:
        InputError: if it is no such map or holds NaN or infinity.

    Example:
        >>> to_density([[0, 1, 3]])[..., 0], to_density([[0, 1, 3]], floor=1 / 3)[..., 0].round(2)
        (array([[0.  , 0.25, 0.75]]), array([[0.14, 0.29, 0.57]]))
    """
    if not 0 <= floor < math.inf:
        raise InputError(f"floor must be a finite number, 0 or more. Received: {floor!r}")
    values = stretched(saliency_map)
    values = values + floor if values.any() else np.ones_like(values)
    return values / values.sum()


def log_density(saliency_map, floor: float = FLOOR) -> np.ndarray:
    """The natural logarithm of `to_density`.

    Args:
        saliency_map: as in `to_density`.
        floor: as in `to_density`. By default half a gray level of an 8-bit map,
            whose zeros mean "less than that": a single fixation on a density of
            0 costs infinity. 0 is right for maps without zeros.

    Returns: float64 `(height, width, 1)`; its exponentials sum to 1.

    Example:
        >>> log_density([[0, 255]]).round(2)[..., 0].tolist()
        [[-6.24, -0.0]]
    """
    with np.errstate(divide="ignore"):
        return np.log(to_density(saliency_map, floor))


def is_log_density(values) -> bool:
    """Whether the exponentials sum to 1, up to a thousandth.

    Example:
        >>> is_log_density(log_density([[0, 3], [1, 2]])), is_log_density([[0, 3], [1, 2]])
        (True, False)
    """
    return bool(abs(logsumexp(np.asarray(values, "float64"))) < 1e-3)


def optimal_map(density, score: str, sigma: float | None = None, prior=None) -> np.ndarray:
    """The saliency map that a model with this density should hand in for a score.

    It has the best expected score if people look as the density says:

    - "auc", "auc_judd", "auc_borji", "nss", "ig": the density itself.
    - "sauc": the density over the prior, from which the negatives come.
    - "kld": the mean ground truth, which is the density, blurred likewise.
    - "cc": the same, nearly the best.
    - "sim": `sim_map`.

    Args:
        density: of the fixations, `(height, width)` or `(height, width, 1)`;
            divided by its sum. A network trained on blurred ground truths does
            not give it: it gives the map for "kld" as it is.
        score: one of those above.
        sigma: for "kld", "cc", "sim": of the ground truth's blur, in pixels of
            the density.
        prior: for "sauc": center bias of its size, nowhere 0: give it a floor.

    Returns: float64 `(height, width, 1)`; a density but for "sauc".

    Raises:
        InputError: if something is missing or no density.

    Example:
        >>> density = to_density([[1, 2, 1], [2, 6, 4]])
        >>> prior = to_density([[1, 2, 1], [2, 8, 2]])
        >>> optimal_map(density, "sauc", prior=prior)[..., 0].round(2).tolist()
        [[1.0, 1.0, 1.0], [1.0, 0.75, 2.0]]

    Reference: Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy:
    separating models, maps and metrics", ECCV 2018.
    """
    density = _density(density)
    if score in ("auc", "auc_judd", "auc_borji", "nss", "ig"):
        return density
    if score == "sauc":
        prior = None if prior is None else _density(prior)
        if prior is None or prior.shape != density.shape or not prior.all():
            raise InputError("the best map for sauc needs a prior of its size, nowhere 0")
        return density / prior
    if score not in ("kld", "cc", "sim"):
        raise InputError(f"no best map is known for the score {score!r}")
    if not sigma or not 0 < sigma < math.inf:
        raise InputError(f"the best map for {score} needs the sigma of the ground truth's blur")
    if score == "sim":
        return sim_map(density, sigma)
    return gaussian_filter(density, (sigma, sigma, 0))  # its border reflects, as `maps.density`'s


def sim_map(
    density, sigma: float, fixations: int = 100, samples: int = 100, seed: int = 0
) -> np.ndarray:
    """The saliency map with the best SIM, on average over fixations drawn from the density.

    SIM sums the smaller of two maps, so raising the map at a pixel helps with as
    many ground truths as are higher there. At its best that share is the same
    everywhere: the map is a quantile of the ground truths at every pixel, of the
    order at which it sums to 1. Takes 4 bytes times `samples` a pixel.

    Args:
        density: `(height, width)` or `(height, width, 1)`; divided by its sum.
        sigma: of the ground truth's blur, in pixels of the density.
        fixations: how many the pictures of the ground truth have.
        samples: how many ground truths are drawn, at least 2.
        seed: of the draw.

    Returns: float64 `(height, width, 1)` that sums to 1.

    Example:
        >>> sim_map(to_density(np.eye(8)), sigma=1.0).shape
        (8, 8, 1)
    """
    if not (0 < sigma < math.inf and samples >= 2 and fixations >= 1):
        raise InputError("a map for sim needs a sigma above 0, 2 samples and a fixation")
    density = _density(density)
    size = density.shape[:2]
    random = np.random.default_rng(seed)
    drawn = random.choice(density.size, (samples, fixations), p=density.ravel())
    truths = np.empty((density.size, samples), "float32")
    for i, pixels in enumerate(drawn):
        points = np.stack([pixels % size[1], pixels // size[1]], axis=1)
        truths[:, i] = maps.density(points, size, sigma).ravel()
    truths.sort(axis=1)
    # The lowest sum to at most 1, the highest to at least 1. Between two
    # neighbors in order the share stays the same, so any mixture of them serves.
    sums = truths.sum(axis=0, dtype="float64")
    above = np.clip(np.searchsorted(sums, 1.0), 1, samples - 1)
    share = np.interp(1.0, sums[above - 1 : above + 1], (0, 1))
    best = (1 - share) * truths[:, above - 1] + share * truths[:, above]
    return (best / best.sum()).reshape(*size, 1)


def checked(values, name: str) -> np.ndarray:
    """A map `(height, width, 1)` of finite real numbers, or an InputError about `name`."""
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold real numbers. Received: {values.dtype}")
    values = values[..., None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] != 1 or not values.size:
        raise InputError(
            f"{name} must be (height, width) or (height, width, 1), not {values.shape}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite (NaN or infinity)")
    return values


def _density(density):
    density = checked(density, "the density").astype("float64")
    if density.min() < 0 or not density.any():
        raise InputError("a density is nowhere negative and somewhere above 0; see `to_density`")
    return density / density.sum()


def stretched(saliency_map) -> np.ndarray:
    """Float64, shifted up if it was negative, its largest value 1 unless all are 0."""
    values = checked(saliency_map, "the saliency map").astype("float64")
    # Divided first: neither the shift nor a sum of what comes out can overflow.
    values = values / (np.abs(values).max() or 1.0)
    values = values - min(values.min(), 0.0)
    return values / (values.max() or 1.0)
