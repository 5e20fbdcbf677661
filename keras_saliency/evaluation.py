"""Scores of a dataset: per picture, then averaged, beside the center bias."""

import sys

import keras
import numpy as np

from keras_saliency import maps, pictures, pipeline, prediction, scores

# Column, and whether a higher value is better.
SCORES = {"nss": True, "cc": True, "sim": True, "kld": False, "ig": True}
CENTER_BIAS_SIZE = (192, 256)


def stimulus(example) -> np.ndarray:
    """The example's picture, uint8 `(height, width, 3)`."""
    return example.image if example.image is not None else pictures.read(example.image_path)


def score(saliency_maps, examples: list, sigma: float, baseline_map: np.ndarray) -> list[dict]:
    """Scores one saliency map per example, as they come.

    Args:
        saliency_maps: iterable of `(height, width, 1)`, each of its example's
            size and in the examples' order; `prediction.saliency_maps` yields
            them so that no more than a batch is in memory.
        examples: list of `datasets.Example`.
        sigma: blur of the density in pixels of each picture.
        baseline_map: `(h, w, 1)` of any size, what `ig` is measured over;
            usually `maps.center_bias` of the training split.

    Returns: one dict an example, "image" and the columns of `SCORES`; NaN
        where a picture has no score.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="test", limit=2)
        >>> bias = maps.center_bias(synthetic.load(limit=9), (60, 80), 12.0)
        >>> rows = score(center_bias_maps(bias, examples), examples, 12.0, bias)
        >>> [round(abs(row["ig"]), 6) for row in rows]
        [0.0, 0.0]
    """
    shown = len(examples) > 50 and sys.stdout.isatty()
    bar = keras.utils.Progbar(len(examples), unit_name="picture", verbose=int(shown))
    rows = []
    for example, saliency_map in zip(examples, saliency_maps, strict=True):
        fixation_map = maps.fixation_map(example.fixations, example.size)[None]
        density = maps.density(example.fixations, example.size, sigma)[None]
        baseline = np.asarray(pipeline.resize(baseline_map, example.size))[None]
        saliency_map = np.asarray(saliency_map)[None]
        values = {
            "nss": scores.nss(fixation_map, saliency_map),
            "cc": scores.cc(density, saliency_map),
            "sim": scores.sim(density, saliency_map),
            "kld": scores.kld(density, saliency_map),
            "ig": scores.information_gain(fixation_map, saliency_map, baseline),
        }
        rows.append(
            {"image": example.name, **{name: float(value[0]) for name, value in values.items()}}
        )
        bar.update(len(rows))
    return rows


def center_bias_maps(center_bias: np.ndarray, examples: list):
    """Yields the center bias at every example's size, as a model's maps would come."""
    for example in examples:
        yield np.asarray(pipeline.resize(center_bias, example.size))


def beside_center_bias(
    name: str, model: keras.Model, train: list, test: list, sigma: float
) -> dict[str, list[dict]]:
    """Scores a model and, as the row to compare it with, the center bias.

    Args:
        name: str, the model's key in the result.
        model: a generator.
        train: examples that the center bias is made of, none of `test`.
        test: examples to score.
        sigma: blur of the density in pixels of each picture.

    Returns: rows of `score` by name; the second name is "center bias".
    """
    bias = maps.center_bias(train, CENTER_BIAS_SIZE, sigma)
    predicted = {
        name: prediction.saliency_maps(model, map(stimulus, test)),
        "center bias": center_bias_maps(bias, test),
    }
    return {key: score(found, test, sigma, bias) for key, found in predicted.items()}


def title(data: str, examples: list, sigma: float) -> str:
    """What a table's scores were taken of, and how."""
    return (
        f"{data}, {len(examples)} pictures: scores at each picture's own size against its "
        f"density (sigma {sigma:g} px) and all its fixations; per picture, then averaged; "
        "ig over the training split's center bias"
    )


def means(rows: list[dict]) -> dict[str, float]:
    """The mean of each score over the pictures that have it.

    Example:
        >>> means([{"image": "a", "nss": 1.0}, {"image": "b", "nss": float("nan")}])
        {'nss': 1.0}
    """
    columns = [name for name in rows[0] if name != "image"]
    kept = {name: [row[name] for row in rows if not np.isnan(row[name])] for name in columns}
    return {name: float(np.mean(kept[name])) if kept[name] else float("nan") for name in columns}


def table(title: str, scored: dict[str, list[dict]]) -> str:
    """A Markdown table: one line a model, one column a score, arrows to the better side.

    Args:
        title: str, the protocol and dataset.
        scored: rows of `score` by the model's name.

    Example:
        >>> print(table("two pictures", {"center bias": [{"image": "a", "nss": 1.0}]}))
        two pictures
        <BLANKLINE>
        | | NSS ↑ |
        |---|---|
        | center bias | 1.000 |
    """
    columns = [name for name in next(iter(scored.values()))[0] if name != "image"]
    arrows = [f"{name.upper()} {'↑' if SCORES[name] else '↓'}" for name in columns]
    lines = [title, "", f"| | {' | '.join(arrows)} |", "|---" * (len(columns) + 1) + "|"]
    notes = []  # a line between two rows would end the table
    for name, rows in scored.items():
        mean = means(rows)
        lines.append(f"| {name} | {' | '.join(f'{mean[column]:.3f}' for column in columns)} |")
        missing = [row["image"] for row in rows if any(np.isnan(row[column]) for column in columns)]
        if missing:
            notes.append(f"{name}: {len(missing)} pictures without a score: {', '.join(missing)}")
    return "\n".join([*lines, *([""] if notes else []), *notes])
