"""The earth mover's distance between two maps, by optimal transport."""

import functools
import os

import numpy as np
from PIL import Image

from keras_saliency.errors import InputError

SHRINK = 32  # of the MIT benchmark's EMD.m


def emd(density, saliency_map) -> np.ndarray:
    """How far the saliency map's mass has to be moved to become the density.

    Both maps are shrunken to a 32nd of their sides (bicubic, rounded up) and
    divided by their sum; the distance is counted in shrunken pixels. Exact, by
    the network simplex of the package POT.

    Args:
        density: `(batch, height, width, 1)`, blurred fixations, not negative.
        saliency_map: the same shape, not negative.

    Returns: float64 `(batch,)`; 0 if equal, lower is better; NaN if the density
        is all zero. An all-zero saliency map counts as uniform.

    Raises:
        InputError: if POT is not installed.

    Example:
        >>> corner, other = np.zeros((2, 1, 32, 128, 1))
        >>> corner[:, :, :32], other[:, :, 96:] = 1, 1
        >>> round(float(emd(corner, other)[0]))
        3

    Reference: Rubner et al., "The earth mover's distance as a metric for image
    retrieval", IJCV 2000; EMD.m of the MIT saliency benchmark; Flamary et al.,
    "POT: Python optimal transport", JMLR 2021.
    """
    pairs = zip(np.asarray(density)[..., 0], np.asarray(saliency_map)[..., 0], strict=True)
    return np.array([distance(*pair) for pair in pairs], "float64")


def distance(density: np.ndarray, saliency_map: np.ndarray) -> float:
    """As `emd`, of one picture's maps `(height, width)`; the saliency map may have another size."""
    size = tuple(-(-side // SHRINK) for side in density.shape)
    p, q = _shrunken(density, size), _shrunken(saliency_map, size)
    if not p.any():
        return float("nan")
    q = q if q.any() else np.ones_like(q)
    return float(solver().emd2(p / p.sum(), q / q.sum(), _distances(size), numItermax=10_000_000))


def solver():
    """The package POT.

    Raises:
        InputError: if it is not installed.
    """
    for backend in ("TENSORFLOW", "PYTORCH", "JAX", "CUPY"):  # seconds to load, not used here
        os.environ.setdefault(f"POT_BACKEND_DISABLE_{backend}", "1")
    try:
        import ot
    except ImportError:
        raise InputError(
            "the earth mover's distance needs the package POT: pip install 'keras_saliency[emd]'"
        ) from None
    return ot


def _shrunken(values, size):
    picture = Image.fromarray(np.asarray(values, "float32").reshape(np.shape(values)[:2]))
    small = np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC), "float64")
    return small.clip(0).ravel()  # bicubic shrinking undershoots


@functools.lru_cache(maxsize=1)
def _distances(size):
    rows, columns = np.divmod(np.arange(size[0] * size[1]), size[1])
    return np.hypot(rows[:, None] - rows, columns[:, None] - columns)
