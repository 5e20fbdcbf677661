"""How far a mean over pictures might have come out otherwise, had other pictures been taken."""

import numpy as np

DRAWN_AT_ONCE = 1_000_000  # pictures; a few arrays of this length are held


def resampled_means(values: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The bootstrap's means: pictures drawn anew, for all scores the same ones.

    Args:
        values: `(pictures, scores)`, NaN where a picture has no score.
        resamples: how often they are drawn.
        seed: of the draws.

    Returns: float64 `(resamples, scores)`.

    Example:
        >>> values = np.arange(100.0)[:, None]
        >>> np.percentile(resampled_means(values, 2000, seed=0), [2.5, 97.5]).round().tolist()
        [44.0, 55.0]

    Reference: Efron, Annals of Statistics 7(1):1-26, 1979.
    """
    n, scores = values.shape
    known = ~np.isnan(values)
    summands = np.hstack([np.where(known, values, 0), known])
    random = np.random.default_rng(seed)
    totals = np.empty((resamples, 2 * scores))
    step = max(1, DRAWN_AT_ONCE // n)
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        drawn = random.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        totals[first : first + rows] = times @ summands
    with np.errstate(invalid="ignore"):  # nothing but pictures without the score: NaN
        return totals[:, :scores] / totals[:, scores:]
