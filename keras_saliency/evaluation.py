"""Scores of a dataset: per picture, then averaged, with intervals."""

import collections
import concurrent.futures
import math
import os

import numpy as np

from keras_saliency import baselines, bootstrap, emd, progress, protocols, resizing
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths, resized

RESAMPLES = 2000
SMALL = (24, 32)  # height, width on which maps are compared with one another
DENSITY_SCORES = ("cc", "sim", "kld", "emd")


def score(
    saliency_maps,
    truths: Truths,
    with_emd: bool = False,
    problems: list | None = None,
    workers: int | None = None,
) -> list[dict]:
    """Scores one saliency map per example, as they come.

    Only a few maps a worker are in memory at a time.

    Args:
        saliency_maps: iterable of `(height, width, 1)` in the order of
            `truths.examples`, as `prediction.saliency_maps` yields them; or of
            functions without arguments that make one, called in the workers.
        truths: the dataset, and the protocol.
        with_emd: also the earth mover's distance, which needs the package POT.
        problems: if a list, a map that cannot be scored adds a line to it and
            leaves its picture's row NaN; if None, it raises.
        workers: threads; by default one a core.

    Returns: one dict an example: "image" and the protocol's columns; NaN where
        a picture has no score.

    Raises:
        InputError: names the picture whose map cannot be scored.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="test", limit=3)
        >>> truths = Truths(examples, "tuebingen", synthetic.SIGMA)
        >>> perfect = [truths.of(index).density for index in range(3)]
        >>> [round(row["cc"], 6) for row in score(perfect, truths)]
        [1.0, 1.0, 1.0]
    """
    both = zip(truths.examples, saliency_maps, strict=True)
    with resizing.one_blas_thread():  # six times as fast on two cores
        return _rows(([pair] for pair in both), truths, with_emd, problems, workers)


def score_one(
    index: int, saliency_map, truths: Truths, with_emd: bool = False, problems: list | None = None
) -> dict:
    """One row of `score`: of `truths.examples[index]`. BLAS should have one thread.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> truths = Truths(synthetic.load(split="test", limit=3), "tuebingen", synthetic.SIGMA)
        >>> round(score_one(1, truths.of(1).density, truths)["cc"], 6)
        1.0
    """
    case = truths.examples[index], saliency_map
    return _row(index, [case], truths, with_emd, problems)


def score_baseline(
    name: str,
    truths: Truths,
    with_emd: bool = False,
    problems: list | None = None,
    workers: int | None = None,
) -> list[dict]:
    """Scores one of `baselines.BASELINES`, as `score`.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="test", limit=3)
        >>> truths = Truths(examples, "tuebingen", synthetic.SIGMA)
        >>> [row["auc"] for row in score_baseline("uniform", truths)]
        [0.5, 0.5, 0.5]
    """
    blank = DENSITY_SCORES if name == "gold_standard" else ()  # see there
    with resizing.one_blas_thread():
        cases = map(baselines.BASELINES[name](truths), range(len(truths.examples)))
        rows = _rows(cases, truths, with_emd and "emd" not in blank, problems, workers)
    wanted = columns(truths.protocol, with_emd)
    return [row | {c: np.nan for c in wanted if c in blank} for row in rows]


def columns(protocol: str, with_emd: bool = False) -> list[str]:
    """The scores that a protocol's rows have."""
    return [*protocols.COLUMNS[protocol], *(["emd"] if with_emd else [])]


def _rows(cases, truths, with_emd, problems, workers):
    """A row for each picture's cases, in order; several pictures are scored at a time."""
    if with_emd:
        emd.solver()  # if it is missing, that is said once and not of every picture
    workers = workers or os.cpu_count()
    rows, waiting = [], collections.deque()
    bar = progress.Bar(len(truths.examples), "pictures")
    with concurrent.futures.ThreadPoolExecutor(workers) as threads:
        try:
            for index, picture_cases in enumerate(cases):
                waiting.append(
                    threads.submit(_row, index, picture_cases, truths, with_emd, problems)
                )
                # As far ahead as keeps the workers busy: maps are large.
                while waiting and (len(waiting) > 2 * workers or waiting[0].done()):
                    rows.append(waiting.popleft().result())
                    bar.update(len(rows))
            for future in waiting:
                rows.append(future.result())
                bar.update(len(rows))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return rows


def _row(index, cases, truths, with_emd, problems):
    """One picture's scores, the mean over its cases."""
    name = truths.examples[index].name
    try:
        scored = [_scores(index, *case, truths, with_emd) for case in cases]
    except InputError as error:
        if problems is None:
            raise InputError(f"{name}: {error}") from error
        problems.append(f"{name}: {error}")
        scored = []
    wanted = columns(truths.protocol, with_emd)
    return {"image": name, **{c: _mean([found[c] for found in scored]) for c in wanted}}


def _scores(index, example, saliency_map, truths, with_emd):
    saliency_map = saliency_map() if callable(saliency_map) else saliency_map
    truth = truths.of(index, example)
    found = protocols.score(saliency_map, truth, truths.protocol)
    if with_emd:
        found["emd"] = emd.distance(truth.density, saliency_map)
    return found


def sameness(saliency_maps) -> float:
    """How alike the maps of different pictures are: their mean correlation with their mean.

    1 is one map whatever the picture, which is all that a network has learned
    that has found the center bias and nothing else.

    Args:
        saliency_maps: iterable of `(height, width, 1)`, of any sizes.

    Returns: float; NaN of no maps or only constant ones.

    Example:
        >>> ramp = np.arange(768.0).reshape(24, 32, 1)
        >>> round(sameness([ramp, 2 * ramp]), 6), round(sameness([ramp, ramp[::-1, ::-1]]), 6)
        (1.0, nan)
    """
    small = np.array([resized(np.asarray(m)[..., 0], SMALL) for m in saliency_maps])
    flat = small.reshape(len(small), math.prod(SMALL)).astype("float64")
    flat = flat - flat.mean(1, keepdims=True)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    flat = (flat / np.where(norms > 0, norms, np.nan))[norms[:, 0] > 0]
    middle = flat.mean(0) if len(flat) else np.zeros(1)
    norm = np.linalg.norm(middle)
    return float((flat @ middle).mean() / norm) if norm > 1e-9 else float("nan")


def means(rows: list[dict]) -> dict[str, float]:
    """The mean of each score over the pictures that have it.

    Example:
        >>> means([{"image": "a", "nss": 1.0}, {"image": "b", "nss": float("nan")}])
        {'nss': 1.0}
    """
    return {name: _mean([row[name] for row in rows]) for name in rows[0] if name != "image"}


def _mean(values):
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")


def intervals(rows: list[dict], seed: int = 0) -> dict[str, tuple[float, float]]:
    """The 95% bootstrap interval of each score's mean: how other pictures might have scored.

    Args:
        rows: of `score`.
        seed: int, of the resampling.

    Example:
        >>> low, high = intervals([{"image": str(i), "nss": i % 3} for i in range(300)])["nss"]
        >>> low < 1 < high
        True
    """
    names = list(means(rows))
    values = np.array([[row[name] for name in names] for row in rows], "float64")
    resampled = bootstrap.resampled_means(values, RESAMPLES, seed)
    found = dict.fromkeys(names, (np.nan, np.nan))
    for name, drawn in zip(names, resampled.T, strict=True):
        if not np.isnan(drawn).all():
            low, high = np.nanpercentile(drawn, [2.5, 97.5])
            found[name] = float(low), float(high)
    return found
