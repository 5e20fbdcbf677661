"""Which epoch's generator to keep: its scores, and the curves that choose it by number.

A GAN's losses do not tell, for its two networks get better against each other.
`epoch_maps` draws what a person chooses by.
"""

import csv
import math
import os
import re

from keras_saliency import files, untrusted
from keras_saliency.errors import InputError
from keras_saliency.protocols import LOWER_IS_BETTER, heading

CURVE = (4.2, 3.2)  # inches of a panel, width and height
IN_A_ROW = 4
MARKED = 40  # up to so many epochs each has its dot
DPI = 100
BEST = "#c2410c"


def epochs_in(folder: str) -> dict[int, str]:
    """What a run left for every epoch: folders of maps, or generators.

    Args:
        folder: a run's `predictions`, with folders `epoch_0012`, or its `epochs`,
            with files `epoch_0012.keras`; whatever else is in it is passed over.

    Returns: path by number of the epoch, the first epoch first.

    Raises:
        InputError: if there is no such folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("epoch_0010", "epoch_0002", "pictures"):
        ...         os.mkdir(os.path.join(folder, name))
        ...     list(epochs_in(folder))
        [2, 10]
    """
    if not os.path.isdir(folder):
        raise InputError(f"no such folder: {folder}; it should hold epoch_0001 and so on")
    found = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        match = re.fullmatch(r"epoch_([0-9]{4,})(\.keras)?", name)
        if match and (os.path.isfile(path) if match[2] else os.path.isdir(path)):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def scores_of(metrics_csv: str, column: str) -> dict[int, float]:
    """A score by epoch, from a run's `metrics.csv`.

    Args:
        metrics_csv: the file.
        column: the score's, as "val_cc".

    Returns: value by number of the epoch, without the epochs whose cell is
        empty, as after no validation; nothing if there is no such column.

    Raises:
        InputError: if there is no such file, or it is not a run's.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "metrics.csv")
        ...     files.write_csv(path, [{"epoch": 1, "cc": 0.5}, {"epoch": 2, "val_cc": 0.4}])
        ...     scores_of(path, "val_cc")
        {2: 0.4}
    """
    rows = rows_of(metrics_csv)
    if not rows or "epoch" not in rows[0]:
        raise InputError(f"{metrics_csv} is not a run's metrics.csv: it has no epochs")
    try:
        return {int(row["epoch"] or ""): float(row[column]) for row in rows if row.get(column)}
    except ValueError as error:
        raise InputError(f"{metrics_csv}: {column} is not numbers by epoch ({error})") from None


def rows_of(metrics_csv: str) -> list[dict[str, str]]:
    """The rows of a run's `metrics.csv`, one an epoch, as they stand there.

    Raises:
        InputError: if there is no such file, or it is not CSV.
    """
    try:
        with untrusted.table(metrics_csv) as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(
            f"no such file: {metrics_csv}; a run writes it after its first epoch"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{metrics_csv} cannot be read as CSV ({error})") from error


def lower_is_better(score: str) -> bool:
    """Whether a score's best value is its smallest: KLD, EMD and losses, of validation or not.

    Example:
        >>> lower_is_better("kld"), lower_is_better("val_loss"), lower_is_better("nss")
        (True, True, False)
    """
    name = score.lower().removeprefix("val_")
    return name in LOWER_IS_BETTER or name.endswith("loss")


def best(scores: dict[int, float], lower: bool = False) -> int:
    """The epoch with the best score, of equal ones the earliest.

    Args:
        scores: by number of the epoch; NaN and infinity do not count.
        lower: the smallest is the best; see `lower_is_better`.

    Raises:
        InputError: if no epoch has a score.

    Example:
        >>> best({1: 0.5, 2: 0.8, 3: 0.8})
        2
    """
    known = finite(scores)
    if not known:
        raise InputError("no epoch has a score to choose it by")
    return (min if lower else max)(known, key=known.get)


def write_scores(path: str, scores: dict[str, dict[int, float]]) -> None:
    """Draws scores by epoch, a panel each, and marks the best epoch of each.

    Args:
        path: PNG file to write.
        scores: by name, as "nss" or "val_cc", by number of the epoch. One without
            any value is left out.

    Raises:
        InputError: if none has a value.

    Example:
        >>> import tempfile
        >>> scores = {"nss": {1: 0.2, 2: 1.1, 3: 0.9}, "kld": {1: 1.4, 2: 0.9, 3: 0.8}}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_scores(folder + "/scores.png", scores)
        ...     os.listdir(folder)
        ['scores.png']
    """
    import matplotlib  # here: it takes half a second that `best` should not wait for
    from matplotlib import figure

    curves = {name: known for name, values in scores.items() if (known := finite(values))}
    if not curves:
        raise InputError("no epoch has a score to draw")
    columns = min(len(curves), IN_A_ROW)
    rows = math.ceil(len(curves) / columns)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own style would not fit
        size = (CURVE[0] * columns, CURVE[1] * rows)
        drawn = figure.Figure(size, DPI, facecolor="white", layout="constrained")
        drawn.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
        for place, (name, values) in enumerate(curves.items(), start=1):
            _curve(drawn.add_subplot(rows, columns, place), name, values)
        with files.replacing(path) as temporary:
            drawn.savefig(temporary, format="png")


def finite(scores: dict[int, float]) -> dict[int, float]:
    """The scores that are numbers, the first epoch first.

    Example:
        >>> finite({3: 0.5, 1: 0.25, 2: float("nan")})
        {1: 0.25, 3: 0.5}
    """
    return {epoch: scores[epoch] for epoch in sorted(scores) if math.isfinite(scores[epoch])}


def _curve(axes, name, values):
    """One score by epoch; its best epoch has a dot, a line and, above the line, its number."""
    epochs, lower = list(values), lower_is_better(name)
    chosen = best(values, lower)
    marker = "." if len(epochs) <= MARKED else None
    axes.plot(epochs, list(values.values()), color="#1f77b4", marker=marker)
    axes.axvline(chosen, color=BEST, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(chosen, values[chosen], "o", color=BEST, markersize=7, zorder=3)
    if len(epochs) == 1:
        axes.set_xlim(chosen - 1, chosen + 1)  # there would be ticks at fractions
    share = (chosen - epochs[0]) / (epochs[-1] - epochs[0] or 1)
    side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
    above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    text = f"epoch {chosen}: {values[chosen]:.3f}"
    axes.annotate(text, (chosen, 1), (0, 4), **above, ha=side, color=BEST)
    title = heading(name)[:-1] + ("↓" if lower else "↑")
    axes.set_title(title, loc="left", pad=22, fontweight="bold", fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
