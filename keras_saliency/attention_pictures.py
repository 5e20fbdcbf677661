"""Regions, focal points and crops drawn over their pictures, for people to look at."""

import os

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from keras_saliency import attention, densities, pictures, resizing

# Pixels of what is drawn.
LONGEST = 1000  # side of the picture
TEXT = 22
LINE = 3  # of white, with as much black around
GAP = 16
ALPHA = 0.5  # opacity of the map
DIMMED = 0.35  # brightness of what a crop leaves out
CHARACTERS = 40  # of a label


def regions(stimulus, saliency_map, found: dict, labels: list[str]) -> np.ndarray:
    """The map over its picture, with the regions outlined and labelled.

    Args:
        stimulus: uint8 `(height, width, 3)`.
        saliency_map: of its size.
        found: name to region, of `attention_regions.read`.
        labels: a short text for each, behind its name.

    Returns: uint8 `(h, w, 3)`, its longest side `LONGEST`.

    Example:
        >>> stimulus, saliency_map = np.zeros((6, 8, 3), "uint8"), np.ones((6, 8))
        >>> regions(stimulus, saliency_map, {"logo": (1, 1, 4, 3)}, ["30 %"]).shape
        (750, 1000, 3)
    """
    picture, size = _with_map(stimulus, saliency_map), stimulus.shape[:2]
    corners = []
    for region in found.values():
        if isinstance(region, tuple):
            corners.append(_box(picture, region, size))
        else:
            corners.append(_outline(picture, region))
    for corner, name, label in zip(corners, found, labels, strict=True):
        _label(picture, corner, f"{_shortened(name)} {label}")
    return np.asarray(picture)


def focus(stimulus, saliency_map, point: tuple[int, int]) -> np.ndarray:
    """The map over its picture, with a ring and a dot at the focal point.

    Returns: uint8 `(h, w, 3)`, its longest side `LONGEST`.
    """
    picture = _with_map(stimulus, saliency_map)
    # A pixel's middle, so the mark is on it however small the picture.
    x, y = (
        (at + 0.5) * side / whole
        for at, side, whole in zip(point, picture.size, stimulus.shape[1::-1], strict=True)
    )
    draw = ImageDraw.Draw(picture)
    for radius, width, color in ((29, 3 * LINE, "black"), (26, LINE, "white")):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), None, color, width)
    draw.ellipse((x - 7, y - 7, x + 7, y + 7), "white", "black", LINE)
    return np.asarray(picture)


def crop(stimulus, box: tuple[int, int, int, int]) -> np.ndarray:
    """The picture, darker where a crop leaves it out.

    Returns: uint8 `(h, w, 3)`, its longest side `LONGEST`.
    """
    x, y, width, height = box
    dimmed = (stimulus * DIMMED).astype("uint8")
    dimmed[y : y + height, x : x + width] = stimulus[y : y + height, x : x + width]
    picture = _resized(dimmed)
    _box(picture, box, stimulus.shape[:2])
    return np.asarray(picture)


def designs(drawn: list[tuple], titles: list[str]) -> np.ndarray:
    """Pictures beside each other, each as `regions` draws it, labelled with its shares.

    Args:
        drawn: stimulus, saliency map and regions by name, of each picture; of any
            sizes.
        titles: one for each.

    Returns: uint8 `(h, w, 3)`.

    Example:
        >>> design = np.zeros((6, 8, 3), "uint8"), np.ones((6, 8)), {"logo": (1, 1, 4, 3)}
        >>> designs([design, design], ["A", "B"]).shape
        (824, 2048, 3)
    """
    panels = []
    for stimulus, saliency_map, found in drawn:
        shares = attention.region_shares(saliency_map, found.values())
        panels.append(regions(stimulus, saliency_map, found, [f"{each:.1%}" for each in shares]))
    top = 2 * GAP + TEXT + GAP // 4
    height = top + max(panel.shape[0] for panel in panels) + GAP
    width = GAP + sum(panel.shape[1] + GAP for panel in panels)
    sheet = Image.new("RGB", (width, height), "white")
    left = GAP
    for panel, title in zip(panels, titles, strict=True):
        ImageDraw.Draw(sheet).text((left, GAP), _shortened(title), "black", _font())
        sheet.paste(Image.fromarray(panel), (left, top))
        left += panel.shape[1] + GAP
    return np.asarray(sheet)


def _with_map(stimulus, saliency_map):
    picture = _resized(stimulus)
    size = picture.size[::-1]
    values = resizing.resize(densities.stretched(saliency_map), size)
    return Image.fromarray(pictures.overlay(np.asarray(picture), values, ALPHA))


def _resized(stimulus):
    height, width = stimulus.shape[:2]
    scale = LONGEST / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(stimulus).resize(size, Image.Resampling.BICUBIC)


def _box(picture, box, size):
    """Outlines a box, inside its border; returns where its label goes."""
    x, y, width, height = box
    scales = picture.size[0] / size[1], picture.size[1] / size[0]
    left, top = round(x * scales[0]), round(y * scales[1])
    right = max(round((x + width) * scales[0]) - 1, left)
    bottom = max(round((y + height) * scales[1]) - 1, top)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, right, bottom), None, "black", 3 * LINE)
    if min(right - left, bottom - top) > 2 * LINE:
        inner = (left + LINE, top + LINE, right - LINE, bottom - LINE)
        draw.rectangle(inner, None, "white", LINE)
    return left, top


def _outline(picture, mask):
    """Outlines a mask, inside its border; returns where its label goes."""
    mask = np.asarray(Image.fromarray(mask).resize(picture.size, Image.Resampling.NEAREST))
    # Beyond the picture nothing is inside, so the picture's border is outlined too.
    depth = ndimage.distance_transform_cdt(np.pad(mask, 1), "chessboard")[1:-1, 1:-1]
    pixels = np.array(picture)
    pixels[mask & (depth <= 3 * LINE)] = 0
    pixels[mask & (depth > LINE) & (depth <= 2 * LINE)] = 255
    picture.paste(Image.fromarray(pixels))
    rows, columns = np.nonzero(mask)
    return (int(columns.min()), int(rows.min())) if len(rows) else (0, 0)


def _label(picture, corner, text):
    """White on black, above a corner if there is room, else below it."""
    draw, font = ImageDraw.Draw(picture), _font()
    width, height = round(draw.textlength(text, font)) + 12, TEXT + 10
    x = max(0, min(corner[0], picture.size[0] - width))
    y = corner[1] - height if corner[1] >= height else corner[1]
    draw.rectangle((x, y, x + width, y + height), "black")
    draw.text((x + 6, y + 3), text, "white", font)


def _shortened(text):
    half = CHARACTERS // 2
    return text if len(text) <= CHARACTERS else f"{text[: half - 1]}…{text[-half:]}"


def _font():
    import matplotlib  # here: it takes half a second that other commands should not wait for

    # It brings a font with more letters than Pillow's own.
    path = os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(path, TEXT)
