"""Made-up scenes with made-up fixations: every step can run before any download."""

import colorsys
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from keras_saliency.datasets.example import Example, check_split

SIGMA = 12.0  # about 1 degree of visual angle, in pixels
SPLITS = {"train": 240, "val": 60, "test": 100}  # how many pictures

_OBJECTS_SHARE, _CENTER_SHARE, _UNIFORM_SHARE = 0.70, 0.20, 0.10
_OBJECT_STD = 0.45  # of the object's radius
_CENTER_STD = 0.16  # of the picture's width and height

# Attraction, and smallest and largest radius in a picture of 240 x 320.
_OBJECTS = {
    "face": (5.0, 16, 40),
    "text": (4.0, 18, 40),
    "color": (3.0, 12, 24),
    "size": (2.5, 18, 32),
    "orientation": (2.0, 13, 20),
}
# What may be seen in which surroundings. Singletons are listed once: two would be none.
_KINDS = {
    "plain": ("face", "face", "text", "text", "color"),
    "clutter": ("face", "face", "text", "text", "color"),
    "dots": ("face", "text", "color", "size"),
    "bars": ("face", "text", "color", "orientation"),
}

_OVERSAMPLING = 2  # drawn this much larger and averaged, for smooth edges
_ELLIPSE = np.array([(np.cos(turn), np.sin(turn)) for turn in np.arange(24) * np.pi / 12])
_RECTANGLE = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])


class _Object(NamedTuple):
    kind: str
    x: float
    y: float
    radius: float


class _Style(NamedTuple):
    """The hue of the background, and what the distractors have in common."""

    surroundings: str
    hue: float
    background: tuple[int, int, int]
    color: tuple[int, int, int]
    outline: np.ndarray
    sides: np.ndarray
    angle: float


def load(
    data_dir: str | None = None,
    split: str = "train",
    *,
    size: tuple[int, int] = (240, 320),
    limit: int | None = None,
    seed: int = 0,
) -> list[Example]:
    """Synthetic scenes in which a few objects pop out, with simulated fixations.

    Needs no files. Each scene is a colored texture, most with distractors (dots,
    parallel bars or brownish clutter), and holds 1 to 4 objects: simple drawings
    of a face or of text, or a singleton in color, size or orientation. Good for
    trying out a model and for tests, not for judging one: no person looked.

    10 observers make 6 to 10 fixations each. A fixation falls, with probability

    - 0.70 on an object, chosen in proportion to its attraction (face 5, text 4,
      color 3, size 2.5, orientation 2): normal around its center, standard
      deviation 0.45 of its radius;
    - 0.20 near the middle: normal, 0.16 of the picture's width and height;
    - 0.10 anywhere.

    Points outside the picture are drawn again. Distractors attract nothing.
    Durations are log-normal with a median of 250 ms. Picture number i depends on
    `size`, `seed`, `split` and i alone.

    Args:
        data_dir: ignored, here because every loader has it.
        split: one of `SPLITS`: "train" (240 pictures), "val" (60), "test" (100).
        size: `(height, width)` of the pictures in pixels; `SIGMA` is for 320 wide.
        limit: int, only the first so many pictures, or None for all.
        seed: int, at least 0. Another seed makes other pictures.

    Returns: list of `Example` with `image`, `fixations`, `observers` and
        `durations_ms`, named like "train_0007".

    Raises:
        InputError: `split` is none of those.

    Example:
        >>> example = load(split="val", limit=8)[7]
        >>> example.name, example.image.shape
        ('val_0007', (240, 320, 3))
        >>> len(set(example.observers.tolist()))
        10
    """
    check_split(split, tuple(SPLITS))
    count = SPLITS[split] if limit is None else min(limit, SPLITS[split])
    key = list(SPLITS).index(split)  # `hash` of a string changes from run to run
    return [
        _example(f"{split}_{index:04d}", size, np.random.default_rng([seed, key, index]))
        for index in range(count)
    ]


def _example(name, size, rng):
    image, objects = _scene(size, rng)
    counts = rng.integers(6, 11, 10)  # of the fixations of each observer
    fixations = _draw_fixations(objects, size, int(counts.sum()), rng)
    durations = 250 * np.exp(0.4 * rng.standard_normal(len(fixations)))
    return Example(
        name=name,
        size=(int(size[0]), int(size[1])),
        fixations=fixations.astype("float32"),
        image=image,
        observers=np.repeat(np.arange(len(counts), dtype="int32"), counts),
        durations_ms=durations.astype("float32"),
    )


def _mixture(objects, size):
    """Shares, means and standard deviations of the Gaussians fixations come from."""
    height, width = size
    attraction = np.array([_OBJECTS[thing.kind][0] for thing in objects])
    shares = np.append(_OBJECTS_SHARE * attraction / attraction.sum(), _CENTER_SHARE)
    means = [(thing.x, thing.y) for thing in objects] + [((width - 1) / 2, (height - 1) / 2)]
    stds = [(_OBJECT_STD * thing.radius,) * 2 for thing in objects]
    stds.append((_CENTER_STD * width, _CENTER_STD * height))
    return shares, np.array(means), np.array(stds)


def _draw_fixations(objects, size, count, rng):
    shares, means, stds = _mixture(objects, size)
    last = np.array([size[1] - 1, size[0] - 1])  # the largest x and y
    source = rng.choice(len(shares) + 1, count, p=np.append(shares, _UNIFORM_SHARE))
    points = rng.uniform(0, 1, (count, 2)) * last
    again = source < len(shares)
    while again.any():
        chosen = source[again]
        points[again] = means[chosen] + stds[chosen] * rng.standard_normal((len(chosen), 2))
        again = ((points < 0) | (points > last)).any(axis=1)
    return points


def _scene(size, rng):
    """The picture, uint8 RGB, and the list of its objects."""
    height, width = size
    unit = min(height / 240, width / 320)
    style = _style(unit, rng)
    objects = _place_objects(style, size, unit, rng)
    canvas = Image.fromarray(_background(style, size, rng))
    canvas = canvas.resize((width * _OVERSAMPLING, height * _OVERSAMPLING), Image.BICUBIC)
    draw = ImageDraw.Draw(canvas)
    _draw_distractors(draw, style, objects, size, unit, rng)
    drawers = {"face": _draw_face, "text": _draw_text}
    for thing in objects:
        drawers.get(thing.kind, _draw_singleton)(draw, thing, style, rng)
    pixels = np.asarray(canvas.reduce(_OVERSAMPLING), "float32")
    grain = rng.standard_normal((height, width, 1), "float32") * rng.uniform(1, 9)
    return np.clip(pixels + grain, 0, 255).astype("uint8"), objects


def _style(unit, rng):
    surroundings = str(rng.choice(list(_KINDS)))
    bars = surroundings == "bars"
    hue, value = rng.uniform(), rng.uniform(0.25, 0.85)
    # Unless distractors stand out from the background, nothing can from distractors.
    contrast = rng.uniform(0.25, 0.5) * (1 if value < 0.5 else -1)
    # A bar can stand out by its orientation only if it is as long as the others.
    radius = unit * rng.uniform(*(_OBJECTS["orientation"][1:] if bars else (5, 9)))
    return _Style(
        surroundings=surroundings,
        hue=hue,
        background=_rgb(hue, rng.uniform(0, 0.7), value),
        color=_rgb(hue + rng.uniform(-0.25, 0.25), rng.uniform(0.05, 0.5), value + contrast),
        outline=_RECTANGLE if bars or rng.uniform() < 0.5 else _ELLIPSE,
        sides=radius * np.array([1, 0.22 if bars else 1]),
        angle=rng.uniform(0, np.pi) if bars else 0.0,
    )


def _place_objects(style, size, unit, rng):
    objects = []
    for kind in rng.choice(_KINDS[style.surroundings], rng.integers(1, 5), replace=False):
        smallest, largest = np.array(_OBJECTS[kind][1:]) * unit
        radius = style.sides[0] if kind == "orientation" else rng.uniform(smallest, largest)
        # One that finds no room is left out; the first always does.
        for _ in range(20):
            x, y = (rng.uniform(radius, side - 1 - radius) for side in (size[1], size[0]))
            if not _touches(objects, x, y, radius + 6 * unit):
                objects.append(_Object(str(kind), x, y, radius))
                break
    return objects


def _touches(objects, x, y, radius):
    return any(np.hypot(x - thing.x, y - thing.y) < radius + thing.radius for thing in objects)


def _background(style, size, rng):
    """A gradient and a smooth colored texture, at a quarter of the size."""
    height, width = max(size[0] // 4, 2), max(size[1] // 4, 2)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    ramp = (np.cos(angle) * x + np.sin(angle) * y)[..., None]
    tilt = rng.uniform(-40, 40) + rng.uniform(-15, 15, 3)
    # Unequal blurs make some textures streaky; the one over channels tames the colors.
    sigmas = height / 60 * np.exp(rng.uniform(np.log(0.7), np.log(9), 2))
    noise = rng.standard_normal((height, width, 3), "float32")
    noise = ndimage.gaussian_filter(noise, (*sigmas, rng.uniform(0.6, 1.5)))
    noise *= rng.uniform(6, 24) / max(noise.std(), 1e-6)
    return np.clip(style.background + ramp * tilt + noise, 0, 255).astype("uint8")


def _draw_distractors(draw, style, objects, size, unit, rng):
    if style.surroundings == "clutter":
        _draw_clutter(draw, objects, size, unit, rng)
    if style.surroundings not in ("bars", "dots"):
        return
    tightest, widest = (2.0, 2.8) if style.surroundings == "bars" else (3.2, 5.0)
    step = style.sides[0] * rng.uniform(tightest, widest)
    grid = np.mgrid[step / 2 : size[1] : step, step / 2 : size[0] : step].reshape(2, -1)
    grid += rng.uniform(-0.15, 0.15, grid.shape) * step
    angles = style.angle + rng.normal(0, 0.06, grid.shape[1])
    for (x, y), angle in zip(grid.T, angles, strict=True):
        if not _touches(objects, x, y, style.sides[0]):
            _draw_shape(draw, style.outline, x, y, style.sides, style.color, angle)


def _draw_clutter(draw, objects, size, unit, rng):
    """Gray and brown shapes, among them blank plates and faces without features."""
    for _ in range(rng.integers(30, 90)):
        x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
        sides = unit * rng.uniform(4, 24) * np.array([1, rng.uniform(0.4, 1)])
        outline = _ELLIPSE if rng.uniform() < 0.5 else _RECTANGLE
        color = _rgb(rng.uniform(0.04, 0.12), rng.uniform(0, 0.5), rng.uniform(0.2, 0.95))
        if not _touches(objects, x, y, sides[0]):
            _draw_shape(draw, outline, x, y, sides, color, rng.uniform(0, np.pi))


def _draw_face(draw, face, style, rng):
    x, y, radius = face.x, face.y, face.radius
    dark = _rgb(0.07, 0.5, rng.uniform(0.05, 0.2))
    skin = _rgb(rng.uniform(0.04, 0.09), rng.uniform(0.25, 0.6), rng.uniform(0.45, 0.95))
    if rng.uniform() < 0.5:
        hair = _rgb(rng.uniform(0.03, 0.12), rng.uniform(0.2, 0.7), rng.uniform(0.1, 0.6))
        _draw_shape(draw, _ELLIPSE, x, y - 0.2 * radius, (0.82 * radius, 0.8 * radius), hair)
    _draw_shape(draw, _ELLIPSE, x, y, (0.72 * radius, 0.95 * radius), skin)
    for side in (-0.3, 0.3):
        eye = x + side * radius, y - 0.22 * radius
        _draw_shape(draw, _ELLIPSE, *eye, (0.15 * radius, 0.1 * radius), dark)
    lips = _rgb(0.0, rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.5))
    mouth = rng.uniform(0.22, 0.36) * radius, 0.09 * radius
    _draw_shape(draw, _ELLIPSE, x, y + 0.45 * radius, mouth, lips)


def _draw_text(draw, plate, style, rng):
    radius = plate.radius
    half_height = radius * rng.uniform(0.4, 0.65)
    light = _rgb(rng.uniform(), rng.uniform(0, 0.25), rng.uniform(0.75, 1))
    dark = _rgb(rng.uniform(), rng.uniform(0, 0.6), rng.uniform(0.05, 0.35))
    _draw_shape(draw, _RECTANGLE, plate.x, plate.y, (radius, half_height), light)
    rows = rng.integers(2, 4)
    for y in plate.y + half_height * (np.arange(1, 2 * rows, 2) / rows - 1):
        for x in plate.x + radius * np.arange(-0.82, 0.83, 0.2):
            if rng.uniform() < 0.85:  # else a space
                sides = radius * rng.uniform(0.03, 0.07), half_height / rows * rng.uniform(0.4, 0.7)
                _draw_shape(draw, _RECTANGLE, x, y, sides, dark, rng.uniform(-0.5, 0.5))


def _draw_singleton(draw, thing, style, rng):
    color, sides, angle = style.color, np.full(2, 0.9 * thing.radius), 0.0
    if thing.kind == "color":
        color = _rgb(style.hue + rng.uniform(0.35, 0.65), rng.uniform(0.75, 1), rng.uniform(0.5, 1))
    elif thing.kind == "orientation":
        sides, angle = style.sides, style.angle + rng.uniform(0.3, 0.7) * np.pi
    _draw_shape(draw, style.outline, thing.x, thing.y, sides, color, angle)


def _draw_shape(draw, outline, x, y, sides, color, angle=0.0):
    """Fills an outline that reaches `sides` each way, turned by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    turned = (outline * sides) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    # A pixel's center is at a whole number, in the picture and on the canvas.
    corners = (turned + 0.5) * _OVERSAMPLING - 0.5
    draw.polygon(corners.ravel().tolist(), fill=color)


def _rgb(hue, saturation, value):
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, saturation, value))
