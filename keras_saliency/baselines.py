"""What a saliency model has to be compared with: chance, the center bias, people.

Each function takes the `truths.Truths` of a dataset and returns a function of
a picture's index that returns cases: a list of `(example, make_map)`, where
`make_map()` is a saliency map, `(height, width)`, and the example has the
fixations that the map is scored against. A picture's score is the mean over
its cases; only the baselines that are made of observers have several.
"""

import dataclasses
import functools
import math

import numpy as np

from keras_saliency import classical, maps, pictures
from keras_saliency.errors import InputError
from keras_saliency.truths import GRID, UNIFORM_SHARE, Truths, mixed_with_uniform

GAUSSIAN_WIDTH = 0.2  # of the picture's sides
KDE_BANDWIDTHS = (0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12)  # of the picture's sides
OBSERVER_BANDWIDTHS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8)  # times the density's sigma
OBSERVER_SHARES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)  # of the center bias
OF_OBSERVERS = ("one_observer", "gold_standard")
OF_POINTS = ("kde", *OF_OBSERVERS)
OF_OTHERS = ("center_bias", "kde", "shuffled", *OF_OBSERVERS)
FITTED_PICTURES = 200  # that an observer's bandwidth is chosen on


def uniform(truths: Truths):
    """Everywhere alike: no prediction at all."""
    return _one_map(truths, lambda index: np.ones(truths.examples[index].size))


def gaussian(truths: Truths):
    """A Gaussian in the middle, a fifth of the picture's sides wide."""

    def one(index):
        lines = [np.linspace(-0.5, 0.5, 2 * n + 1)[1::2] for n in truths.examples[index].size]
        down, across = (np.exp(-0.5 * (line / GAUSSIAN_WIDTH) ** 2) for line in lines)
        return np.outer(down, across)

    return _one_map(truths, one)


def center_bias(truths: Truths):
    """The mean density of all other pictures."""
    _need("center_bias", truths)
    return _one_map(truths, truths.center_bias)


def kde(truths: Truths):
    """A kernel density estimate of all other pictures' fixations together.

    Its bandwidth is the one of `KDE_BANDWIDTHS` under which the fixations of
    each picture are most likely, given those of the others.
    """
    _need("kde", truths)
    pixels = [maps.pixels(e.fixations, e.size, GRID) for e in truths.examples]
    everything = [np.concatenate(lines) for lines in zip(*pixels, strict=True)]

    @functools.cache
    def whole(bandwidth):
        return _grid_blur(*everything, bandwidth)

    def without(index, bandwidth):
        return np.maximum(whole(bandwidth) - _grid_blur(*pixels[index], bandwidth), 0)

    def log_likelihood(bandwidth):
        total = 0.0
        for index, own in enumerate(pixels):
            rest = without(index, bandwidth)
            share = rest[own] / max(rest.sum(), 1e-30)
            share = (1 - UNIFORM_SHARE) * share + UNIFORM_SHARE / rest.size
            total += np.log(share).sum()
        return total

    best = max(KDE_BANDWIDTHS, key=log_likelihood)
    return _one_map(
        truths, lambda index: mixed_with_uniform(without(index, best), truths.examples[index].size)
    )


def shuffled(truths: Truths):
    """The density of another picture, drawn at random."""
    _need("shuffled", truths)

    def one(index):
        random = np.random.default_rng((truths.seed, index, 1))
        other = (index + random.integers(1, len(truths.examples))) % len(truths.examples)
        return truths.density_at(truths.examples[other], truths.examples[index].size)

    return _one_map(truths, one)


def one_observer(truths: Truths):
    """One observer foretells where the rest look: every observer in turn."""
    return _observers(truths, lambda observers, one: (observers == one, observers != one))


def gold_standard(truths: Truths):
    """The other observers foretell where one looks: every observer in turn.

    What can be known from people about people, the ceiling of every model that
    sees the picture alone. It holds for the scores of fixations; against the
    density of a single observer, CC, SIM and KLD would say nothing.
    """
    return _observers(truths, lambda observers, one: (observers != one, observers == one))


def itti(truths: Truths):
    """Itti, Koch and Niebur's model; see `classical.itti`."""
    return _classical(truths, classical.itti)


def gbvs(truths: Truths):
    """Graph-based visual saliency; see `classical.gbvs`."""
    return _classical(truths, classical.gbvs)


def bms(truths: Truths):
    """Boolean map saliency; see `classical.bms`."""
    return _classical(truths, classical.bms)


BASELINES = {
    function.__name__: function
    for function in (
        uniform,
        gaussian,
        center_bias,
        kde,
        shuffled,
        itti,
        gbvs,
        bms,
        one_observer,
        gold_standard,
    )
}


def lacks(name: str, truths: Truths) -> str:
    """Why a baseline cannot be made of this data; empty if it can.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> lacks("kde", Truths(synthetic.load(limit=1)))
        'this baseline is made of the other pictures, and there is only one'
    """
    if name in OF_POINTS and not any(len(e.fixations) for e in truths.examples):
        return "this baseline is made of fixations, and the data has none"
    if name in OF_OBSERVERS and any(e.observers is None for e in truths.examples):
        return "this baseline needs to know who made each fixation, the data does not say"
    if name in OF_OTHERS and len(truths.examples) < 2:
        return "this baseline is made of the other pictures, and there is only one"
    return ""


def _need(name, truths):
    if reason := lacks(name, truths):
        raise InputError(reason)


def _one_map(truths, make):
    return lambda index: [(truths.examples[index], functools.partial(make, index))]


def _classical(truths, model):
    return _one_map(truths, lambda index: model(pictures.of(truths.examples[index])))


def _grid_blur(rows, columns, bandwidth):
    return maps.blur_pixels(rows, columns, GRID, [bandwidth * side for side in GRID])


def _observers(truths, divide):
    """Cases of observers; `divide(observers, one)` tells who foretells and who is foretold."""
    _need("gold_standard", truths)
    width, share = _fitted(truths, divide)

    def cases(index):
        example = truths.examples[index]
        center = functools.cache(functools.partial(truths.center_bias, index))

        def one(known):
            rows, columns = maps.pixels(example.fixations[known], example.size)
            sigmas = [width * truths.sigma_of(example.size)] * 2
            density = maps.blur_pixels(rows, columns, example.size, sigmas)
            return (1 - share) * density / density.sum() + share * center()

        return [
            (_part(example, foretold), functools.partial(one, known))
            for known, foretold in _divisions(example, divide)
        ]

    return cases


def _divisions(example, divide):
    """Who foretells and who is foretold, for each observer; none if there is only one."""
    for one in np.unique(example.observers):
        known, foretold = divide(example.observers, one)
        if known.any() and foretold.any():
            yield known, foretold


def _part(example, kept):
    return dataclasses.replace(
        example, fixations=example.fixations[kept], observers=example.observers[kept]
    )


def _fitted(truths, divide):
    """The bandwidth and the share of center bias under which the foretold are most likely."""
    likelihoods = np.zeros((len(OBSERVER_BANDWIDTHS), len(OBSERVER_SHARES)))
    shares = np.array(OBSERVER_SHARES)
    for index, example in enumerate(truths.examples[:FITTED_PICTURES]):
        points = example.fixations.astype("float64")
        squares = ((points[:, None] - points) ** 2).sum(-1)
        center = truths.center_bias(index)[maps.pixels(points, example.size)]
        for i, width in enumerate(OBSERVER_BANDWIDTHS):
            sigma = width * truths.sigma_of(example.size)
            kernels = np.exp(-0.5 * squares / sigma**2) / (2 * math.pi * sigma**2)
            for known, foretold in _divisions(example, divide):
                likely = kernels[foretold][:, known].mean(1)
                mixed = np.outer(likely, 1 - shares) + np.outer(center[foretold], shares)
                likelihoods[i] += np.log(mixed).sum(0)
    i, j = np.unravel_index(likelihoods.argmax(), likelihoods.shape)
    return OBSERVER_BANDWIDTHS[i], OBSERVER_SHARES[j]
