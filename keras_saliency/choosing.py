"""Which epoch's generator to keep: pictures to choose it by eye, a curve to choose it by number.

A GAN's losses do not tell, for its two networks get better against each other.
So people look at the maps of a few pictures, epoch by epoch, or score them.
"""

import csv
import functools
import math
import os
import re

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from keras_saliency import files, map_files, pictures
from keras_saliency.errors import InputError
from keras_saliency.protocols import LOWER_IS_BETTER, heading

# Of the sheet, in pixels.
PANEL = (128, 256)  # height, width that every picture is fitted into
NARROWEST = 112  # of a column: its heading has to fit
NAME = 22  # of the names' column; they are turned by 90 degrees
CHARACTERS = 20  # of a name; so many fit along a panel
LINE = 18
GAP = 6
DOT = 1.8  # radius of a fixation
COLOURS = {"dot": "#ffd500", "text": "#333333", "pale": "#888888", "best": "#c2410c"}

# Of the animation.
HALF = (256, 256)  # height, width that the stimulus and the overlay are fitted into
CAPTION, BAR = 26, 4  # heights
FRAMES = 100
SHORTEST, LONGEST, LAST = 60, 800, 1500  # milliseconds of a frame, and of the last one
STILL = 8  # of 255; smaller changes from frame to frame are not seen, but are half the file
PALETTE = 128  # more make the file larger and are hardly seen
DARK = {"back": "#141417", "text": "#f2f2f2", "pale": "#3a3a40", "best": "#ffb02e"}

# Of the curves.
CURVE = (4.2, 3.2)  # inches of a panel, width and height
IN_A_ROW = 4
MARKED = 40  # up to so many epochs each has its dot
DPI = 100


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
    try:
        with open(metrics_csv, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        raise InputError(
            f"no such file: {metrics_csv}; a run writes it after its first epoch"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{metrics_csv} cannot be read as CSV ({error})") from error
    if not rows or "epoch" not in rows[0]:
        raise InputError(f"{metrics_csv} is not a run's metrics.csv: it has no epochs")
    try:
        return {int(row["epoch"] or ""): float(row[column]) for row in rows if row.get(column)}
    except ValueError as error:
        raise InputError(f"{metrics_csv}: {column} is not numbers by epoch ({error})") from None


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
    known = _known(scores)
    if not known:
        raise InputError("no epoch has a score to choose it by")
    return (min if lower else max)(known, key=known.get)


def write_sheet(
    path: str,
    examples: list,
    predictions: str,
    scores: dict[int, float] | None = None,
    score: str = "nss",
    columns: int = 8,
) -> None:
    """Draws pictures, one a row, and their maps, one epoch a column.

    The first, the last and the best epoch are always there, others evenly spread
    between. Every map is stretched to its own largest value, as most scores do.

    Args:
        path: PNG file to write.
        examples: list of `datasets.Example`, a handful, from top to bottom.
        predictions: folder with `epoch_0001/NAME.png`, as a run writes it.
        scores: by number of the epoch, of those that are known; the best one
            among the epochs that have maps is marked.
        score: which one they are.
        columns: int, at least 3, at most so many epochs.

    Raises:
        InputError: if there are no maps, one is missing or damaged, there is no
            picture, or there are too few columns.

    Example:
        >>> import tempfile
        >>> from keras_saliency.datasets import synthetic
        >>> example = synthetic.load(split="test", limit=1)[0]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     map_files.write_png(f"{folder}/epoch_0001/{example.name}.png", np.eye(8))
        ...     map_files.write_png(f"{folder}/epoch_0002/{example.name}.png", np.ones((8, 8)))
        ...     write_sheet(folder + "/sheet.png", [example], folder)
        ...     pictures.read(folder + "/sheet.png").shape
        (152, 547, 3)
    """
    if not examples or columns < 3:
        raise InputError(
            "a sheet has 1 picture or more, and 3 columns or more, for the first, the best and "
            f"the last epoch. Received: {len(examples)} and {columns}"
        )
    folders, marked, texts = _found(predictions, scores, score)
    chosen = _spread(list(folders), columns, marked)
    names = [example.name for example in examples]
    maps = np.transpose([map_files.find(folders[epoch], names) for epoch in chosen])
    rows = [[_stimulus(e, PANEL)[1]] for e in examples]
    for row, paths in zip(rows, maps, strict=True):
        row += [_map(file, row[0].size) for file in paths]
    heads = [("stimulus, fixations", COLOURS["pale"], False)]
    heads += [_head(epoch, marked, texts[epoch]) for epoch in chosen]
    pictures.write_png(path, np.asarray(_sheet(rows, names, heads)))


def write_animation(
    path: str,
    example,
    predictions: str,
    scores: dict[int, float] | None = None,
    score: str = "nss",
    seconds: float = 6.0,
) -> None:
    """Draws one picture as an animation: its fixations, and beside them its map epoch by epoch.

    Maps are stretched as on the sheet, and lie over the stimulus in gray. Of more
    than `FRAMES` epochs so many are shown, chosen as on the sheet.

    Args:
        path: GIF file to write, less than 640 pixels wide; it begins anew for ever.
        example: `datasets.Example`.
        predictions, scores, score: as of `write_sheet`.
        seconds: of the whole, about: a frame takes 0.06 to 0.8, the last 1.5.

    Raises:
        InputError: if there are no maps, or one is missing or damaged.

    Example:
        >>> import tempfile
        >>> from keras_saliency.datasets import synthetic
        >>> example = synthetic.load(split="test", limit=1)[0]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     map_files.write_png(f"{folder}/epoch_0001/{example.name}.png", np.eye(8))
        ...     map_files.write_png(f"{folder}/epoch_0002/{example.name}.png", np.ones((8, 8)))
        ...     write_animation(folder + "/epochs.gif", example, folder)
        ...     Image.open(folder + "/epochs.gif").n_frames
        2
    """
    if not 0 < seconds < math.inf:
        raise InputError(f"an animation takes more than 0 seconds. Received: {seconds}")
    folders, marked, texts = _found(predictions, scores, score)
    chosen = _spread(list(folders), FRAMES, marked)
    stimulus, dotted = _stimulus(example, HALF)
    gray = np.asarray(stimulus.convert("L").convert("RGB"))
    share = {epoch: i / len(folders) for i, epoch in enumerate(folders, start=1)}
    shown, frames = None, []
    for epoch in chosen:
        (file,) = map_files.find(folders[epoch], [example.name])
        overlay = np.asarray(_map(file, stimulus.size, gray)).astype(int)
        if shown is not None:
            still = np.abs(overlay - shown).max(axis=2, keepdims=True) <= STILL
            overlay = np.where(still, shown, overlay)
        shown = overlay
        frame = _frame(
            dotted, Image.fromarray(shown.astype("uint8")), share[epoch], share.get(marked)
        )
        line = f"epoch {epoch}  {texts[epoch]}" + ("  best" if epoch == marked else "")
        middle = frame.width / 2, frame.height - BAR - CAPTION / 2
        colour = DARK["best" if epoch == marked else "text"]
        _write(frame, middle, line.strip(), colour, epoch == marked, 14)
        frames.append(frame)
    pause = (1000 * seconds - LAST) / max(len(frames) - 1, 1)
    pause = round(min(max(pause, SHORTEST), LONGEST), -1)  # GIF counts in 10 ms
    first, *rest = _with_one_palette(frames)
    with files.replacing(path) as temporary:
        pauses = [*[int(pause)] * len(rest), LAST]
        first.save(temporary, "GIF", save_all=True, append_images=rest, duration=pauses, loop=0)


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
        ...     pictures.read(folder + "/scores.png").shape
        (320, 840, 3)
    """
    import matplotlib  # here: it takes half a second that `best` should not wait for
    from matplotlib import figure

    curves = {name: known for name, values in scores.items() if (known := _known(values))}
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


def _known(scores):
    """The scores that are numbers, the first epoch first."""
    return {epoch: scores[epoch] for epoch in sorted(scores) if math.isfinite(scores[epoch])}


def _found(predictions, scores, score):
    """The folder of every epoch's maps; the best of these epochs, or None; each one's score."""
    folders = {epoch: each for epoch, each in epochs_in(predictions).items() if os.path.isdir(each)}
    if not folders:
        raise InputError(f"{predictions} holds no maps; wanted folders epoch_0001 and so on")
    known = {e: value for e, value in _known(scores or {}).items() if e in folders}
    texts = {e: f"{heading(score)[:-2]} {known[e]:.3f}" if e in known else "" for e in folders}
    return folders, best(known, lower_is_better(score)) if known else None, texts


def _spread(epochs, count, marked):
    """So many epochs, evenly spread, the first, the last and the marked one among them."""
    places = np.linspace(0, len(epochs) - 1, min(count, len(epochs))).round().astype(int).tolist()
    if marked is not None and (at := epochs.index(marked)) not in places:
        places[min(range(1, len(places) - 1), key=lambda i: abs(places[i] - at))] = at
    return [epochs[place] for place in places]


def _stimulus(example, limit):
    """The stimulus at the size of a panel, as it is and with dots where people looked."""
    picture = Image.fromarray(pictures.of(example))
    scale = min(limit[0] / picture.height, limit[1] / picture.width)
    size = [max(1, round(side * scale)) for side in picture.size]
    stimulus = picture.resize(size, Image.Resampling.LANCZOS)
    dotted, fine = stimulus.copy(), 4  # drawn this much larger and averaged, for smooth edges
    centers = np.reshape(example.fixations, (-1, 2)) + 0.5  # the first pixel's center is (0, 0)
    centers = centers * np.divide(size, picture.size) * fine
    for radius, colour in ((DOT + 0.7, "black"), (DOT, COLOURS["dot"])):
        mask = Image.new("L", [side * fine for side in size])
        draw = ImageDraw.Draw(mask)
        for x, y in centers.tolist():
            reach = radius * fine
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
        dotted.paste(colour, mask=mask.reduce(fine))
    return stimulus, dotted


def _map(path, size, stimulus=None):
    """A map at the size of a panel, in colour, over a stimulus if there is one."""
    values = map_files.read_map(path)[..., 0].astype("float64")
    values = values - min(values.min(), 0)  # logarithms are negative
    resized = Image.fromarray((values / (values.max() or 1)).astype("float32")).resize(
        size, Image.Resampling.BILINEAR
    )
    values = np.asarray(resized)[..., None]
    if stimulus is None:
        return Image.fromarray(pictures.overlay(np.zeros((*values.shape[:2], 3)), values, 1.0))
    return Image.fromarray(pictures.overlay(stimulus, values))


@functools.cache
def _font(size, bold):
    import matplotlib  # its font: Pillow's own is not bold

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def _write(picture, middle, line, colour, bold=False, size=12):
    ImageDraw.Draw(picture).text(middle, line, colour, _font(size, bold), anchor="mm")


def _name(sheet, name, top):
    """A picture's name, upwards along the left of its row."""
    half = CHARACTERS // 2
    short = name if len(name) <= CHARACTERS else f"{name[: half - 1]}…{name[-half:]}"
    strip = Image.new("RGB", (PANEL[0], NAME), "white")
    _write(strip, (PANEL[0] / 2, NAME / 2), short, COLOURS["pale"], size=10)
    sheet.paste(strip.transpose(Image.Transpose.ROTATE_90), (0, top))


def _head(epoch, marked, text):
    """What stands above a column: its text, colour, and whether it is in bold."""
    if epoch == marked:
        return f"epoch {epoch}, best\n{text}", COLOURS["best"], True
    return f"epoch {epoch}\n{text}".strip(), COLOURS["text"], False


def _sheet(rows, names, heads):
    """Tiles in rows and columns, with a name beside each row and a head above each column."""
    step = max(NARROWEST, *(row[0].width for row in rows)) + GAP, PANEL[0] + GAP
    lines = max(text.count("\n") for text, _, _ in heads) + 1
    top = GAP + LINE * lines
    size = NAME + step[0] * len(heads) - GAP, top + step[1] * len(rows) - GAP
    sheet = Image.new("RGB", size, "white")
    for column, (text, colour, bold) in enumerate(heads):
        x = NAME + column * step[0] + (step[0] - GAP) // 2
        parts = text.split("\n")
        for i, part in enumerate(parts, start=lines - len(parts)):
            _write(sheet, (x, LINE * (i + 0.6)), part, colour, bold)
        for row, tiles in enumerate(rows):
            y = top + row * step[1] + PANEL[0] // 2
            sheet.paste(
                tiles[column], (x - tiles[column].width // 2, y - tiles[column].height // 2)
            )
    for row, name in enumerate(names):
        _name(sheet, name, top + row * step[1])
    return sheet


def _frame(left, right, share, best_share):
    """Two panels; along the lower edge, how far the epochs are and a tick at the best one."""
    size = 2 * left.width + 3 * GAP, left.height + GAP + CAPTION + BAR
    frame = Image.new("RGB", size, DARK["back"])
    frame.paste(left, (GAP, GAP))
    frame.paste(right, (2 * GAP + left.width, GAP))
    draw, top = ImageDraw.Draw(frame), size[1] - BAR
    draw.rectangle((0, top, *size), DARK["pale"])
    draw.rectangle((0, top, round(share * size[0]) - 1, size[1]), DARK["text"])
    if best_share:
        right = round(best_share * size[0]) - 1
        draw.rectangle((right - 3, top, right, size[1]), DARK["best"])
    return frame


def _with_one_palette(frames):
    """The frames in the same few colours: with a palette each, what stays would flicker."""
    kept = [*DARK.values(), COLOURS["dot"], "#000000"]  # too few pixels to get a colour else
    some = [np.asarray(frame) for frame in frames[:: math.ceil(len(frames) / 12)]]
    count = PALETTE - len(kept)
    colours = (
        Image.fromarray(np.concatenate(some)).quantize(count, kmeans=3).getpalette()[: 3 * count]
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette([*colours, *(part for each in kept for part in ImageColor.getrgb(each))])
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _curve(axes, name, values):
    """One score by epoch; its best epoch has a dot, a line and, above the line, its number."""
    epochs, lower = list(values), lower_is_better(name)
    chosen = best(values, lower)
    marker = "." if len(epochs) <= MARKED else None
    axes.plot(epochs, list(values.values()), color="#1f77b4", marker=marker)
    axes.axvline(chosen, color=COLOURS["best"], linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(chosen, values[chosen], "o", color=COLOURS["best"], markersize=7, zorder=3)
    if len(epochs) == 1:
        axes.set_xlim(chosen - 1, chosen + 1)  # there would be ticks at fractions
    share = (chosen - epochs[0]) / (epochs[-1] - epochs[0] or 1)
    side = "left" if share < 0.25 else "right" if share > 0.75 else "center"
    above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    text = f"epoch {chosen}: {values[chosen]:.3f}"
    axes.annotate(text, (chosen, 1), (0, 4), **above, ha=side, color=COLOURS["best"])
    title = heading(name)[:-1] + ("↓" if lower else "↑")
    axes.set_title(title, loc="left", pad=22, fontweight="bold", fontsize=11)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
