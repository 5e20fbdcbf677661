"""Scores as Markdown tables, for people to read."""

import numpy as np

from keras_saliency import evaluation, protocols
from keras_saliency.truths import Truths


def title(data: str, truths: Truths) -> str:
    """What a table's scores were taken of, and how."""
    sigma = "8 cycles a picture" if truths.sigma is None else f"sigma {truths.sigma:g} px"
    published = all(example.published for example in truths.examples)
    density = "densities as published" if published else f"density of {sigma}"
    first = truths.examples[0]
    where = "{}x{}".format(*first.size) if first.file_size else "each picture's own size"
    text = (
        f"{data}, {len(truths.examples)} pictures, protocol {truths.protocol}: scores at {where}, "
        f"{density}; per picture, then averaged, ± half of the 95% bootstrap interval"
    )
    looked = any(len(example.fixations) for example in truths.examples)
    over_others = looked and len(truths.examples) > 1 and truths.baseline is None
    if "ig" in evaluation.columns(truths.protocol) and over_others:
        text += "; IG over the other pictures' center bias"
    return text


def table(title: str, scored: dict[str, list[dict]], reported: dict | None = None) -> str:
    """A Markdown table: one line a model, one column a score, arrows to the better side.

    If the gold standard was scored, the last column is the share of its
    information gain that a model reaches.

    Args:
        title: str, the protocol and dataset.
        scored: rows of `score` by the model's name.
        reported: of `reported.rows`, what papers say, to stand below.

    Example:
        >>> print(table("two pictures", {"center bias": [{"image": "a", "nss": 1.0}]}))
        two pictures
        <BLANKLINE>
        | | NSS ↑ |
        |---|---|
        | center bias | 1.000 ±0.000 |
    """
    names = [name for name in next(iter(scored.values()))[0] if name != "image"]
    ceiling = (
        evaluation.means(scored["gold standard"]).get("ig") if "gold standard" in scored else None
    )
    ceiling = ceiling if ceiling and ceiling > 0 else None
    heads = [protocols.heading(name) for name in names]
    heads += ["explained IG ↑"] if ceiling else []
    lines = [title, "", f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    notes = []  # a line between two rows would end the table
    for model, rows in scored.items():
        mean, between = evaluation.means(rows), evaluation.intervals(rows)
        cells = [_cell(mean[name], between[name]) for name in names]
        cells += (
            [f"{mean['ig'] / ceiling:.0%}" if mean["ig"] == mean["ig"] else "–"] if ceiling else []
        )
        lines.append(f"| {model} | {' | '.join(cells)} |")
        notes += _without_score(model, rows, mean)
    for model, found in (reported or {}).items():
        cells = [f"{found[name]:g}" if name in found else "–" for name in names]
        lines.append(f"| {model} | {' | '.join(cells + ['–'] * bool(ceiling))} |")
    return "\n".join([*lines, *([""] if notes else []), *notes])


def category_table(scored: dict[str, list[dict]], score: str = "nss") -> str:
    """A Markdown table of one score by category, as of CAT2000; "" if there is no more than one.

    A picture's category is the folder in its name.

    Args:
        scored: rows of `score` by the model's name.
        score: which.

    Example:
        >>> rows = [{"image": "Art/1.jpg", "nss": 1.0}, {"image": "Sketch/1.jpg", "nss": 2.0}]
        >>> print(category_table({"ours": rows}))
        | NSS ↑ | pictures | ours |
        |---|---|---|
        | Art | 1 | 1.000 |
        | Sketch | 1 | 2.000 |
    """
    found = {}  # rows by category, then by model
    for model, rows in scored.items():
        for row in rows:
            category = row["image"].rpartition("/")[0]
            found.setdefault(category, {}).setdefault(model, []).append(row)
    if len(found) < 2:
        return ""
    lines = [
        f"| {protocols.heading(score)} | pictures | {' | '.join(scored)} |",
        "|---" * (len(scored) + 2) + "|",
    ]
    for category, by_model in sorted(found.items()):
        means = [evaluation.means(by_model[model])[score] for model in scored]
        cells = ["–" if np.isnan(mean) else f"{mean:.3f}" for mean in means]
        count = len(next(iter(by_model.values())))
        lines.append(f"| {category or '(none)'} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(mean, interval):
    return "–" if np.isnan(mean) else f"{mean:.3f} ±{(interval[1] - interval[0]) / 2:.3f}"


def _without_score(model, rows, mean):
    """A line that names the pictures that lack a score which others have."""
    has = [name for name in mean if not np.isnan(mean[name])]
    missing = [row["image"] for row in rows if any(np.isnan(row[name]) for name in has)]
    if not missing:
        return []
    named = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
    return [f"{model}: {len(missing)} pictures without a score: {named}"]
