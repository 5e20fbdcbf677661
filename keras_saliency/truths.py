"""What people did: the `protocols.Truth` of one picture after another."""

import functools

import numpy as np
from PIL import Image

from keras_saliency import auc, map_files, maps
from keras_saliency.errors import InputError
from keras_saliency.protocols import COLUMNS, Truth

GRID = (192, 256)  # height, width of the map that center biases are summed on
UNIFORM_SHARE = 0.01  # of the center bias: nowhere is a fixation impossible
SALICON_SIGMA = 19.0
MIT_OTHERS = 10  # pictures whose fixations stand against a picture's own
MIT_CYCLES = 8


class Truths:
    """The truths of a dataset, made as they are needed: only points stay in memory.

    Args:
        examples: all examples of the split, also those that are not scored: of
            their fixations are the center bias and the shuffled AUC's negatives.
        protocol: "mit", "tuebingen" or "salicon"; see `protocols`.
        sigma: blur of the density in pixels of each picture, about one degree
            of visual angle; None: 8 cycles a picture, as the MIT benchmark
            (`salicon` has its own, 19). Published densities need none.
        seed: int, of everything that is drawn at random.
        baseline: `(h, w)` of any size, what information gain is measured over;
            None: the center bias of the other pictures.

    Raises:
        InputError: if there are no examples, or `tuebingen` has no sigma to
            blur fixations with.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="test", limit=3)
        >>> truth = Truths(examples, "mit", synthetic.SIGMA).of(0)
        >>> truth.density.shape == examples[0].size
        True
    """

    def __init__(
        self,
        examples: list,
        protocol: str = "mit",
        sigma: float | None = None,
        seed: int = 0,
        baseline: np.ndarray | None = None,
    ):
        if not examples:
            raise InputError("there are no pictures to score")
        if protocol not in COLUMNS:
            raise InputError(
                f"protocol must be one of {', '.join(COLUMNS)}. Received: {protocol!r}"
            )
        blurred = any(not example.published for example in examples)
        if sigma is None and protocol == "tuebingen" and blurred:
            raise InputError(
                "the protocol tuebingen needs the density's sigma: give --pixels-per-degree"
            )
        self.examples = examples
        self.protocol = protocol
        self.sigma = SALICON_SIGMA if protocol == "salicon" else sigma
        self.seed = seed
        self._ends = np.cumsum([0, *(len(example.fixations) for example in examples)])
        self.baseline = baseline
        # Several cases of one picture, one an observer, share it.
        self.center_bias = functools.lru_cache(maxsize=8)(self.center_bias)
        self._all_at = functools.lru_cache(maxsize=8)(self._all_at)
        self._weights_at = functools.lru_cache(maxsize=8)(self._weights_at)

    def of(self, index: int, example=None) -> Truth:
        """The truth of `examples[index]`, or of `example`, which has some of its fixations."""
        example = example or self.examples[index]
        fixated = self._counting(self._flat(example, example.size))
        shuffled = len(self.examples) > 1 and len(fixated)
        return Truth(
            size=example.size,
            fixated=fixated,
            density=self._density(example, fixated),
            others=self._others(index) if shuffled else None,
            baseline=self._baseline(index),
            seed=(self.seed, index),
        )

    def center_bias(self, index: int) -> np.ndarray:
        """Where people look in the other pictures: the mean of their densities.

        Args:
            index: of the picture that is left out.

        Returns: float64 `(height, width)` of the picture's size; sums to 1.
        """
        example = self.examples[index]
        rest = self._summed_densities - self._grid_density(example)
        return mixed_with_uniform(np.maximum(rest, 0), example.size)

    def density_at(self, example, size) -> np.ndarray:
        """An example's density on a map of `size`, `(height, width, 1)`; sums to 1."""
        if not example.published:
            sigma = self.sigma_of(example.size)
            return maps.density(example.fixations, example.size, sigma, size)
        grid = _published(example, size)
        return (grid / (grid.sum() or 1))[..., None]

    def sigma_of(self, size) -> float:
        """The density's blur for a picture of this size, in pixels."""
        return maps.cycles_to_sigma(MIT_CYCLES, size) if self.sigma is None else self.sigma

    def _baseline(self, index):
        if self.baseline is not None:
            return resized(self.baseline, self.examples[index].size)
        known = len(self.examples) > 1 and self.protocol != "salicon"
        return self.center_bias(index) if known else None

    @functools.cached_property
    def _summed_densities(self):
        return sum(self._grid_density(example) for example in self.examples)

    def _grid_density(self, example):
        return self.density_at(example, GRID)[..., 0].astype("float64")

    def _flat(self, example, size):
        """Flat indices of the pixels that the fixations fall into, on a map of `size`."""
        if self.protocol == "tuebingen":
            # As pysaliency: scaled from the corner, and truncated.
            scale = np.array(size) / np.array(example.size)
            points = np.asarray(example.fixations, "float64").reshape(-1, 2)[:, ::-1]
            rows, columns = (points * scale).astype(int).clip(0, np.array(size) - 1).T
        else:
            rows, columns = maps.pixels(example.fixations, example.size, size)
        return rows * size[1] + columns

    def _counting(self, flat):
        """Those that the protocol counts, as often as it does."""
        if self.protocol == "mit":
            return np.unique(flat)
        if self.protocol == "salicon":
            pixels, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
            return pixels[inverse[counts[inverse] > 1]]
        return flat

    def _density(self, example, fixated):
        size = example.size
        if example.published:
            return _published(example, size)
        pixels = np.unique(fixated) if self.protocol == "salicon" else fixated
        rows, columns = np.divmod(pixels, size[1])
        border = "wrap" if self.protocol == "mit" else "reflect"
        density = maps.blur_pixels(rows, columns, size, [self.sigma_of(size)] * 2, border)
        return auc.stretch(density) if self.protocol == "salicon" else density

    def _others(self, index):
        size = self.examples[index].size
        if self.protocol == "mit":
            others = np.delete(np.arange(len(self.examples)), index)
            random = np.random.default_rng((self.seed, index))
            chosen = random.permutation(others)[:MIT_OTHERS]
            return np.unique(np.concatenate([self._flat(self.examples[i], size) for i in chosen]))
        if self.protocol == "salicon":
            weights = self._weights_at(size).copy()
            weights[self._counting(self._flat(self.examples[index], size))] = 0
            return weights
        return np.delete(self._all_at(size), slice(*self._ends[index : index + 2]))

    def _all_at(self, size):
        """Every fixation of every picture, on a map of `size`."""
        return np.concatenate([self._flat(example, size) for example in self.examples])

    def _weights_at(self, size):
        """In how many pictures each pixel is fixated, on a map of `size`."""
        weights = np.zeros(size[0] * size[1])
        for example in self.examples:
            weights[np.unique(self._counting(self._flat(example, size)))] += 1
        return weights


def _published(example, size):
    """A published density, brought to `size`; float64."""
    grid = np.asarray(map_files.of(example), "float64")
    return resized(grid.reshape(grid.shape[:2]), size)


def mixed_with_uniform(grid: np.ndarray, size) -> np.ndarray:
    """A sum of densities on a grid as a density of `size` with a uniform share, float64."""
    total = grid.sum()
    grid = resized(grid / total if total else np.full(grid.shape, 1 / grid.size), size)
    return (1 - UNIFORM_SHARE) * grid / grid.sum() + UNIFORM_SHARE / grid.size


def resized(grid: np.ndarray, size) -> np.ndarray:
    """Bilinear, float64; what has the size already is left as it is."""
    if grid.shape == tuple(size):
        return grid
    picture = Image.fromarray(grid.astype("float32"))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR), "float64")
