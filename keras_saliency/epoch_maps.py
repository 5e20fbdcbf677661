"""To choose an epoch by eye: the maps of a few pictures, as a sheet and as an animation."""

import functools
import math
import os

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from keras_saliency import choosing, files, map_files, pictures
from keras_saliency.errors import InputError
from keras_saliency.protocols import heading

# Of the sheet, in pixels.
PANEL = (128, 256)  # height, width that every picture is fitted into
NARROWEST = 128  # of a column: its heading has to fit
NAME = 22  # of the names' column; they are turned by 90 degrees
CHARACTERS = 20  # of a name; so many fit along a panel
LINE = 18
GAP = 6
DOT = 1.8  # radius of a fixation
COLOURS = {"dot": "#ffd500", "text": "#333333", "pale": "#888888", "best": choosing.BEST}

# Of the animation.
HALF = (256, 256)  # height, width that the stimulus and the overlay are fitted into
CAPTION, BAR = 26, 4  # heights
CAPTIONED = 300  # of a frame, at least: its caption has to fit
FRAMES = 100
SHORTEST, LONGEST, LAST = 60, 800, 1500  # milliseconds of a frame, and of the last one
STILL = 8  # of 255; smaller changes from frame to frame are not seen, but are half the file
PALETTE = 128  # more make the file larger and are hardly seen
DARK = {"back": "#141417", "text": "#f2f2f2", "pale": "#3a3a40", "best": "#ffb02e"}


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
        panels = dotted, Image.fromarray(shown.astype("uint8"))
        frame = _frame(*panels, share[epoch], share.get(marked))
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


def _found(predictions, scores, score):
    """The folder of every epoch's maps; the best of these epochs, or None; each one's score."""
    folders = {
        epoch: each
        for epoch, each in choosing.epochs_in(predictions).items()
        if os.path.isdir(each)
    }
    if not folders:
        raise InputError(f"{predictions} holds no maps; wanted folders epoch_0001 and so on")
    known = {e: value for e, value in choosing.finite(scores or {}).items() if e in folders}
    texts = {e: f"{heading(score)[:-2]} {known[e]:.3f}" if e in known else "" for e in folders}
    return folders, choosing.best(known, choosing.lower_is_better(score)) if known else None, texts


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
    width, height = max(CAPTIONED, 2 * left.width + 3 * GAP), left.height + GAP + CAPTION + BAR
    frame = Image.new("RGB", (width, height), DARK["back"])
    for i, panel in enumerate((left, right)):
        frame.paste(panel, ((width - GAP) // 2 + i * GAP - (1 - i) * panel.width, GAP))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, height - BAR, width, height), DARK["pale"])
    draw.rectangle((0, height - BAR, max(round(share * width) - 1, 0), height), DARK["text"])
    if best_share:
        x = round(best_share * width)
        draw.rectangle((x - 4, height - BAR, x - 1, height), DARK["best"])
    return frame


def _with_one_palette(frames):
    """The frames in the same few colours: with a palette each, what stays would flicker."""
    kept = [*DARK.values(), COLOURS["dot"], "#000000"]  # too few pixels to get a colour else
    # Of some pixels of a dozen frames: all of them take seconds and tell no more.
    some = [np.asarray(frame)[::2, ::3] for frame in frames[:: math.ceil(len(frames) / 12)]]
    count = PALETTE - len(kept)
    colours = (
        Image.fromarray(np.concatenate(some)).quantize(count, kmeans=3).getpalette()[: 3 * count]
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette([*colours, *(part for each in kept for part in ImageColor.getrgb(each))])
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
