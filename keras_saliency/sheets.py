"""Contact sheets: pictures side by side, with fixations and maps, for people to look at."""

import dataclasses
import warnings

import numpy as np
from PIL import Image

from keras_saliency import files, pictures
from keras_saliency.errors import InputError

# Pixels of the sheet.
PANEL = (210, 280)  # height, width that every picture is fitted into
GAP = 10
LABEL = 250
TITLES = 30
LINE = 18
DPI = 100
CHARACTERS = {"bold": 24, "normal": 27}  # of a line: so many digits fit
MAX_ROWS = 100
DOT = "#ffd500"


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One picture on a sheet.

    Args:
        lines: text on the left, a line each; the first is in bold.
        stimulus: uint8 `(height, width, 3)`.
        fixations: `(n, 2)`, x and y in 0-based pixels of the stimulus.
        maps: saliency maps `(h, w, 1)` of any size, laid over the stimulus; one
            with negative values is shifted up so that its smallest is 0.
    """

    lines: tuple[str, ...]
    stimulus: np.ndarray
    fixations: np.ndarray
    maps: tuple[np.ndarray, ...] = ()


def write(path: str, rows: list[Row], titles: list[str]) -> None:
    """Draws a contact sheet: the text, the stimulus with its fixations, an overlay a map.

    Args:
        path: PNG file to write.
        rows: from top to bottom, all with the same number of maps.
        titles: one for the fixations and one for every map.

    Raises:
        InputError: if there are more rows than `MAX_ROWS`.

    Example:
        >>> import os, tempfile
        >>> row = Row(("1.jpg",), np.zeros((6, 8, 3), "uint8"), np.zeros((1, 2)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(os.path.join(folder, "sheet.png"), [row], ["fixations"])
        ...     os.listdir(folder)
        ['sheet.png']
    """
    import matplotlib  # here: it takes half a second that a table should not wait for
    from matplotlib import figure

    if len(rows) > MAX_ROWS:
        raise InputError(f"a sheet holds {MAX_ROWS} pictures at most, {len(rows)} were asked for")
    height = TITLES + len(rows) * (PANEL[0] + GAP)
    width = GAP + LABEL + len(titles) * (PANEL[1] + GAP)
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # a person's own style would not fit
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font lacks is a box
        sheet = figure.Figure((width / DPI, height / DPI), DPI, facecolor="white")
        for column, title in enumerate(titles):
            corner = (GAP + LABEL + column * (PANEL[1] + GAP), 0)
            _text(_axes(sheet, corner, (TITLES, PANEL[1])), 0.5, [title], "center")
        for i, row in enumerate(rows):
            _draw(sheet, row, TITLES + i * (PANEL[0] + GAP))
        with files.replacing(path) as temporary:
            sheet.savefig(temporary, format="png")


def _draw(sheet, row, top):
    _text(_axes(sheet, (GAP, top), (PANEL[0], LABEL - GAP)), 0, row.lines, "left")
    original = row.stimulus.shape[:2]
    scale = min(PANEL[0] / original[0], PANEL[1] / original[1])
    size = tuple(max(1, round(side * scale)) for side in original)
    stimulus = np.asarray(Image.fromarray(row.stimulus).resize(size[::-1]))
    overlays = [pictures.overlay(stimulus, _resized(each, size)) for each in row.maps]
    for column, panel in enumerate([stimulus, *overlays]):
        left = GAP + LABEL + column * (PANEL[1] + GAP) + (PANEL[1] - size[1]) // 2
        axes = _axes(sheet, (left, top + (PANEL[0] - size[0]) // 2), size)
        # The axes keep the coordinates of the original picture.
        border = (-0.5, original[1] - 0.5, original[0] - 0.5, -0.5)
        axes.imshow(panel, extent=border, aspect="auto", interpolation="nearest")
        if column == 0:
            x, y = np.reshape(row.fixations, (-1, 2)).T
            axes.scatter(x, y, s=12, c=DOT, edgecolors="black", linewidths=0.5, snap=False)
            axes.axis(border)


def _axes(sheet, corner, size):
    """An empty rectangle; `corner` is its left and top, `size` its height and width, in pixels."""
    width, height = sheet.get_size_inches() * DPI
    left, bottom = corner[0] / width, 1 - (corner[1] + size[0]) / height
    axes = sheet.add_axes((left, bottom, size[1] / width, size[0] / height))
    axes.axis("off")
    return axes


def _text(axes, x, lines, align):
    step = LINE / axes.bbox.height  # of the axes' height
    middle = 0.5 + step * (len(lines) - 1) / 2
    for i, line in enumerate(lines):
        weight = "normal" if i else "bold"
        axes.text(
            x,
            middle - i * step,
            _shortened(line, CHARACTERS[weight]),
            ha=align,
            va="center_baseline",
            fontsize=10,
            fontweight=weight,
            parse_math=False,
            clip_on=True,
        )


def _shortened(line, characters):
    half = characters // 2
    return line if len(line) <= characters else f"{line[: half - 1]}…{line[-half:]}"


def _resized(saliency_map, size):
    """The map `(h, w, 1)` at another size, from 0 to 1."""
    values = np.asarray(saliency_map, "float64")[..., 0]
    values = values - min(values.min(), 0)  # logarithms are negative
    picture = Image.fromarray((values / (values.max() or 1)).astype("float32"))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.BILINEAR))[..., None]
