"""Are a dataset's published densities its fixations, blurred? And with which sigma?"""

import dataclasses
import statistics

import numpy as np

from keras_saliency import checking, map_files, maps, progress
from keras_saliency.errors import InputError
from keras_saliency.truths import resized

SIDE = 320  # pixels of the longest side that densities are compared at
SAMPLE = 50  # densities
SIGMAS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0)  # tried, times the dataset's own
WIDTHS = 34  # without one of its own: the picture's width by this, as it is at SALICON
FIT = 0.8  # CC below which densities are not of these fixations
BETTER = 0.01  # CC that another sigma must gain to be worth a line


@dataclasses.dataclass(frozen=True)
class Blur:
    """How well published densities agree with blurred fixations."""

    pictures: int  # that were compared
    ccs: dict[float, float]  # mean CC by the blur, times the dataset's sigma
    worst: tuple[str, float]  # the picture that agrees least under the best blur, its CC

    @property
    def best(self) -> float:
        """The blur that agrees best."""
        return max(self.ccs, key=self.ccs.get)


def compare(
    found: list[checking.Entry], sigma: float | None
) -> tuple[Blur | None, list[checking.Finding]]:
    """Compares published densities with the fixations blurred, on a sample.

    Args:
        found: of `entries`.
        sigma: the dataset's, in pixels of its pictures; None: a 34th of the width.

    Returns: the comparison, None if there is nothing to compare, and findings.
    """
    both = [
        entry
        for entry in found
        if len(entry.example.fixations) and checking.has_density(entry.example)
    ]
    ccs, findings = [], []
    chosen = checking.spread(both, SAMPLE)
    bar = progress.Bar(len(chosen), "densities compared")
    for i, entry in enumerate(chosen, 1):
        try:
            ccs.append((str(entry), _ccs(entry.example, sigma)))
        except InputError as error:
            findings.append(checking.Finding(f"{entry}: {error}"))
        bar.update(i)
    if not ccs:
        return None, findings
    means = {s: statistics.fmean(cc[i] for _, cc in ccs) for i, s in enumerate(SIGMAS)}
    at = SIGMAS.index(max(means, key=means.get))
    worst = min(((name, cc[at]) for name, cc in ccs), key=lambda pair: pair[1])
    result = Blur(len(ccs), means, worst)
    return result, findings + _of_blur(result)


def _ccs(example, sigma):
    """The correlation of an example's density with its fixations under each blur."""
    scale = min(1, SIDE / max(example.size))
    size = tuple(max(2, round(side * scale)) for side in example.size)
    density = np.asarray(map_files.of(example), "float64")
    density = resized(density.reshape(density.shape[:2]), size).ravel()
    sigma = sigma or example.size[1] / WIDTHS
    blurred = (maps.density(example.fixations, example.size, s * sigma, size) for s in SIGMAS)
    flat = density.std() == 0
    return [0.0 if flat else float(np.corrcoef(density, b.ravel())[0, 1]) for b in blurred]


def _of_blur(found):
    best, named = found.best, f"{found.worst[0]} (CC {found.worst[1]:.2f})"
    if found.ccs[best] < FIT:
        said = f"the densities do not fit the fixations: CC {found.ccs[best]:.2f} at best"
        return [
            checking.Finding(
                f"{said}, least at {named}; are they of other pictures, turned, or of another blur?"
            )
        ]
    findings = []
    if found.ccs[best] - found.ccs[1.0] > BETTER:
        findings.append(
            checking.Finding(f"the densities fit {best:g} times that blur better", False)
        )
    if found.worst[1] < FIT / 2:
        findings.append(checking.Finding(f"a density that does not fit its fixations: {named}"))
    return findings
