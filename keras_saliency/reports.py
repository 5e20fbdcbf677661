"""The pictures of a training report: loss curves, first filters, best and worst maps.

Reference: Chalk and Coyne, "An exploration of Shallow Convolutional Networks
for Saliency Prediction", University of Bristol 2020, Fig. 2 to 5.
"""

import math
from collections.abc import Callable, Iterable

import keras
import numpy as np

from keras_saliency import choosing, files, pictures, sheets
from keras_saliency.errors import InputError
from keras_saliency.protocols import LOWER_IS_BETTER, heading
from keras_saliency.truths import Truths

# Of the curves.
LOSSES = ("data_loss", "content_loss", "loss")  # the first that a run has; "loss" has penalties in
SMOOTHING = 0.6  # weight of the epoch before, as TensorBoard's slider
COLOURS = {"training": "#ff7f0e", "validation": "#1f77b4"}
LOGARITHMIC = 20  # an axis whose values span more than this factor
MARKED = 40  # up to so many epochs each has its dot
FIGURE = (12, 4.5)  # inches
DPI = 100

# Of the filters.
FILTERS_WIDTH = 750  # pixels of the whole picture, about
GAP = 4

# Of the best and the worst.
RANKED_BY = ("nss", "cc")  # the first that some picture has: without fixations there is no NSS
SHOWN = ("nss", "cc", "kld")


def write_curves(metrics_csv: str, path: str) -> None:
    """Draws a run's loss by epoch, as it was on the left, smoothed on the right.

    The loss is the first of `LOSSES` that the run has, of training and, where
    there is one, of validation. The smoothed curve is the mean of all epochs of
    the phase up to then, each weighted by `SMOOTHING` to the power of its age.

    Args:
        metrics_csv: the run's `metrics.csv`.
        path: PNG file to write.

    Raises:
        InputError: if there is no such file, or it is not a run's.

    Example:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     metrics = os.path.join(folder, "metrics.csv")
        ...     files.write_csv(metrics, [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.4}])
        ...     write_curves(metrics, os.path.join(folder, "curves.png"))
        ...     sorted(os.listdir(folder))
        ['curves.png', 'metrics.csv']
    """
    import matplotlib  # here: it takes half a second that the filters should not wait for
    from matplotlib import figure

    loss, curves, borders = _read(metrics_csv)
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own style would not fit
        both = figure.Figure(FIGURE, DPI, facecolor="white", layout="constrained")
        both.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
        panels = both.subplots(1, 2, sharex=True, sharey=True)
        smoothed = {n: [(x, _smoothed(x, y)) for x, y in parts] for n, parts in curves.items()}
        for axes, title, shown in (
            (panels[0], "original", curves),
            (panels[1], f"smoothed ({SMOOTHING:g})", smoothed),
        ):
            pad = 22 if borders else 6  # room for the phases' names
            axes.set_title(title, loc="left", pad=pad, fontweight="bold", fontsize=11)
            axes.set_ylabel(loss.replace("_", " "))
            _draw(axes, shown, borders)
        with files.replacing(path) as temporary:
            both.savefig(temporary, format="png")


def write_filters(model, path: str) -> None:
    """Draws the kernels of the model's first convolution, the one nearest the stimulus.

    Gray is 0, bright is positive, dark negative, on one scale for all filters.
    Filters of a stimulus are in its colours, also where the network turns its
    channels round; any others are the mean over their channels.

    Args:
        model: `keras.Model`; models within it are looked into.
        path: PNG file to write, about `FILTERS_WIDTH` pixels wide.

    Raises:
        InputError: if the model has no Conv2D, or it has no weights yet.

    Example:
        >>> import os, tempfile
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(6, 5)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_filters(model, os.path.join(folder, "filters.png"))
        ...     pictures.read(os.path.join(folder, "filters.png")).shape
        (502, 751, 3)
    """
    kernel = _first_kernel(model)
    height, width, channels, count = kernel.shape
    if channels != 3:
        kernel = kernel.mean(axis=2, keepdims=True)
    largest = np.abs(kernel).max() or 1
    shades = np.round(127.5 * (1 + kernel / largest)).astype("uint8")
    columns = _columns(count)
    rows = math.ceil(count / columns)
    pixels = max(1, round((FILTERS_WIDTH / columns - GAP) / width))  # of one weight's square
    step = height * pixels + GAP, width * pixels + GAP
    sheet = np.full((rows * step[0] + GAP, columns * step[1] + GAP, kernel.shape[2]), 255, "uint8")
    for i in range(count):
        top, left = (
            GAP + place * side for place, side in zip(divmod(i, columns), step, strict=True)
        )
        tile = shades[..., i].repeat(pixels, axis=0).repeat(pixels, axis=1)
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    pictures.write_png(path, sheet)


def write_extremes(
    path: str,
    truths: Truths,
    rows: list[dict],
    predict: Callable[[list], Iterable[np.ndarray]],
    score: str | None = None,
    count: int = 4,
) -> None:
    """Draws the pictures that a model predicts best and worst: stimulus, truth, prediction.

    From the best to the worst; pictures without the score are left out. If no
    picture has one, as of a model whose maps are constant, nothing is written.

    Args:
        path: PNG file to write.
        truths: what the model was scored against.
        rows: of `evaluation.score`, one an example of `truths`.
        predict: takes a list of examples and gives their saliency maps, `(h, w,
            1)` each; it gets those that are drawn.
        score: that they are ranked by; None: the first of `RANKED_BY` that some
            picture has.
        count: int, so many of the best and of the worst; fewer pictures than
            that are each drawn once.

    Raises:
        InputError: if the rows do not have the score.

    Example:
        >>> import os, tempfile
        >>> from keras_saliency import evaluation
        >>> from keras_saliency.datasets import synthetic
        >>> truths = Truths(synthetic.load(split="test", limit=3), "mit", synthetic.SIGMA)
        >>> maps = {e.name: truths.center_bias(i)[..., None] for i, e in enumerate(truths.examples)}
        >>> rows = evaluation.score(maps.values(), truths)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "extremes.png")
        ...     write_extremes(path, truths, rows, lambda chosen: [maps[e.name] for e in chosen])
        ...     os.listdir(folder)
        ['extremes.png']
    """
    if len(rows) != len(truths.examples):
        raise InputError(f"{len(rows)} rows of scores are not of {len(truths.examples)} pictures")
    score = score or next((name for name in RANKED_BY if _ranked(rows, name)), None)
    if score and score not in rows[0]:
        raise InputError(f"the rows have no {score}; they have {', '.join(rows[0])}")
    ranked = list(enumerate(_ranked(rows, score), start=1))
    few = len(ranked) <= 2 * count
    chosen = ranked if few else ranked[:count] + ranked[len(ranked) - count :]
    if not chosen:
        return
    examples = [truths.examples[index] for _, index in chosen]
    drawn = []
    for (place, index), example, found in zip(chosen, examples, predict(examples), strict=True):
        lines = _lines(rows[index], score, place, len(ranked))
        maps = (truths.of(index).density[..., None], found)
        drawn.append(sheets.Row(lines, pictures.of(example), example.fixations, maps))
    seen = any(len(example.fixations) for example in examples)
    sheets.write(path, drawn, ["fixations" if seen else "stimulus", "density", "prediction"])


def _read(path):
    """The loss's name, its curves, and where one phase goes over into the next.

    Curves: by name, the epochs and values of each phase. Borders: between which
    epochs, and between which phases.
    """
    rows = choosing.rows_of(path)
    columns = {name: _numbers(rows, name, path) for name in ("epoch", *LOSSES)}
    epochs = columns.pop("epoch")
    loss = next((name for name in LOSSES if np.isfinite(columns[name]).any()), None)
    if loss is None or not np.isfinite(epochs).all():
        raise InputError(
            f"{path} is not a run's metrics.csv: it should have a column `epoch` and a loss, "
            f"one of {', '.join(LOSSES)}"
        )
    phases = [row.get("phase") or "" for row in rows]
    starts = [i for i in range(1, len(rows)) if phases[i] != phases[i - 1]]
    curves = {}
    for name, column in (("training", loss), ("validation", f"val_{loss}")):
        values = _numbers(rows, column, path)
        parts = [i[np.isfinite(values[i])] for i in np.split(np.arange(len(rows)), starts)]
        curves[name] = [(epochs[i], values[i]) for i in parts if len(i)]
    borders = [(epochs[i - 1 : i + 1].mean(), f"{phases[i - 1]} → {phases[i]}") for i in starts]
    return loss, {name: parts for name, parts in curves.items() if parts}, borders


def _numbers(rows, name, path):
    """A column, NaN where it is empty or missing."""
    try:
        return np.array([float(row.get(name) or "nan") for row in rows])
    except ValueError as error:
        raise InputError(f"{path}: the column {name} is not of numbers ({error})") from None


def _smoothed(epochs, values):
    """The mean of each value and those before; their weight falls with every epoch between."""
    total = weight = 0.0
    means = []
    for gap, value in zip(np.diff(epochs, prepend=epochs[0]), values, strict=True):
        total = total * SMOOTHING**gap + value
        weight = weight * SMOOTHING**gap + 1
        means.append(total / weight)
    return np.array(means)


def _draw(axes, curves, borders):
    """The curves, and lines between the phases."""
    for name, parts in curves.items():
        few = sum(len(epochs) for epochs, _ in parts) <= MARKED
        for i, (epochs, values) in enumerate(parts):
            marker = "." if few or len(epochs) == 1 else None
            label = None if i else name  # the legend names a curve once
            axes.plot(epochs, values, color=COLOURS[name], marker=marker, label=label)
    for epoch, name in borders:
        axes.axvline(epoch, color="0.6", linewidth=0.8, zorder=1)
        above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        axes.annotate(name, (epoch, 1), (0, 4), **above, ha="center", fontsize=9, color="0.4")
    values = np.concatenate([values for parts in curves.values() for _, values in parts])
    epochs = np.concatenate([epochs for parts in curves.values() for epochs, _ in parts])
    if values.min() > 0 and values.max() > LOGARITHMIC * values.min():
        axes.set_yscale("log")
    if np.ptp(epochs) == 0:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)  # there would be ticks at fractions
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.tick_params(labelleft=True)  # the right panel too, though it shares the axis
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _first_kernel(model):
    """The weights of the first Conv2D, its channels as the stimulus', RGB."""
    turned = False
    for operation in _operations(model):
        # `ops.flip` of the channels: VGG16 was trained on BGR.
        if type(operation).__name__ == "Flip" and operation.axis in (-1, 3):
            turned = not turned
        if isinstance(operation, keras.layers.Conv2D):
            if not operation.built:
                raise InputError(f"{model.name} has no weights yet: call it on a stimulus first")
            kernel = np.asarray(keras.ops.convert_to_numpy(operation.kernel), "float64")
            return kernel[:, :, ::-1] if turned and kernel.shape[2] == 3 else kernel
    raise InputError(f"{model.name} has no Conv2D: there are no filters to draw")


def _operations(model):
    """The model's layers and what lies between them, those of models within it in their place."""
    for operation in getattr(model, "operations", model.layers):
        yield from _operations(operation) if isinstance(operation, keras.Model) else [operation]


def _columns(count):
    """Of a grid for so many tiles: somewhat wider than high, and full if that can be."""
    least = math.ceil(math.sqrt(count))
    return next((n for n in range(least, 2 * least + 1) if count % n == 0), least)


def _ranked(rows, score):
    """Indices of the rows that have a score, the best first."""
    known = [i for i, row in enumerate(rows) if np.isfinite(row.get(score, np.nan))]
    return sorted(known, key=lambda i: rows[i][score], reverse=score not in LOWER_IS_BETTER)


def _lines(row, score, place, places):
    """A picture's text on the sheet."""
    side = "best" if 2 * place <= places + 1 else "worst"
    names = [score, *(name for name in SHOWN if name != score)]
    known = [name for name in names if np.isfinite(row.get(name, np.nan))]
    return (
        row["image"],
        f"{side} by {heading(score)[:-2]}",
        f"place {place} of {places}",
        "",
        *(f"{heading(name)}  {row[name]:.3f}" for name in known),
    )
