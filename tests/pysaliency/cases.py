"""Pictures, fixations and maps that pysaliency and the protocol `tuebingen` both score.

NumPy only, and the same numbers under NumPy 1 and 2.
"""

import numpy as np

SIGMA = 4.0
SIZES = [(60, 80), (48, 48), (75, 50), (60, 80), (33, 91), (60, 80)]
KINDS = ["smooth", "ties", "constant", "negative", "sparse", "float32"]


def stimuli():
    random = np.random.default_rng(7)
    return [random.integers(0, 256, (*size, 3)).astype("uint8") for size in SIZES]


def fixations():
    """x and y of every picture; fractions, and some twice on a pixel."""
    random = np.random.default_rng(8)
    found = []
    for index, (height, width) in enumerate(SIZES):
        points = random.uniform(0, [width - 1, height - 1], (9 + 5 * index, 2))
        found.append(np.concatenate([points, points[:3]]))
    return found


def saliency_map(kind, index):
    random = np.random.default_rng((9, index))
    rows, columns = np.mgrid[: SIZES[index][0], : SIZES[index][1]]
    smooth = np.exp(-((rows - 20) ** 2 + (columns - 30) ** 2) / 900) + 0.01
    smooth = smooth + 0.1 * random.random(SIZES[index])
    return {
        "smooth": smooth,
        "ties": np.round(smooth * 6),
        "constant": np.full(SIZES[index], 0.5),
        "negative": smooth - 0.5,
        "sparse": np.where(smooth > 0.6, smooth, 0.0),
        "float32": smooth.astype("float32"),
    }[kind]


def baseline(index):
    height, width = SIZES[index]
    rows, columns = np.mgrid[:height, :width]
    return np.exp(-((rows / height - 0.5) ** 2 + (columns / width - 0.5) ** 2) / 0.1)
