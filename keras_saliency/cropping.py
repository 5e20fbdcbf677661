"""The part of a picture that people look at most, as a crop.

**Automatic crops can treat people unequally.** Twitter cropped pictures around
their most salient point until 2021, when its own study found that women were
kept rather than men and white people rather than Black people, that taking a
single most salient point makes small differences of the map large ones, and
that how to show a picture is better left to the person who posts it. A window
of most mass is less brittle than a point, and still decides who is seen. Look
at the crops of pictures of people before you use them; docs/attention.md says
what to check.

Reference: Yee, Tantipongpipat and Mishra, "Image cropping on Twitter: fairness
metrics, their limitations, and the importance of representation, design, and
agency", CSCW 2021.
"""

import bisect
import math
import os

import numpy as np
from PIL import Image, ImageOps

from keras_saliency import densities, files, pictures
from keras_saliency.errors import InputError

TIE = 1e-9  # of the map's mass; a smaller difference is rounding
# Kinds of pixels that a format stores as they are.
MODES = {
    ".jpg": ("L", "RGB", "CMYK"),
    ".jpeg": ("L", "RGB", "CMYK"),
    ".png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    ".webp": ("RGB", "RGBA"),
}


def crop_box(
    saliency_map, aspect_ratio: float, scale: float = 1.0, min_share: float | None = None
) -> tuple[int, int, int, int]:
    """The window of an aspect ratio that holds most of a saliency map's mass.

    Every position is compared; of several that hold equally much, the one
    nearest to the picture's middle is taken. What a crop leaves out may be a
    person: see the note at the module's top.

    Args:
        saliency_map: `(height, width)` or `(height, width, 1)`, real numbers; a
            map with negative values is shifted up so that its smallest is 0.
        aspect_ratio: width over height, as near as whole pixels come to it.
        scale: the window's sides, as a share of the largest that fits; above 0,
            at most 1.
        min_share: share of the mass that it must hold, 0-1: the window grows,
            from `scale` on, until it does.

    Returns: x, y, width, height in pixels; x and y are its left upper pixel.

    Raises:
        InputError: if no window holds `min_share`, or something is no map or
            number as above.

    Example:
        >>> saliency_map = np.array([[0, 0, 0, 1, 1, 0], [1, 0, 0, 1, 1, 0]])
        >>> crop_box(saliency_map, aspect_ratio=1)
        (3, 0, 2, 2)
        >>> crop_box(saliency_map, aspect_ratio=1, scale=0.5)
        (3, 0, 1, 1)
        >>> crop_box(saliency_map, aspect_ratio=1, scale=0.5, min_share=0.6)
        (3, 0, 2, 2)
    """
    _check(aspect_ratio, scale, min_share)
    density = densities.to_density(saliency_map)[..., 0]
    sums = np.zeros(np.add(density.shape, 1))  # of all that lies above and left
    sums[1:, 1:] = density.cumsum(0).cumsum(1)
    height, width = density.shape
    # The windows are counted by the side that ends up as long as the picture's.
    down = width >= height * aspect_ratio
    longest = height if down else width

    def best(length):
        across = length * aspect_ratio if down else length
        up = length if down else length / aspect_ratio
        return _best(sums, min(max(round(across), 1), width), min(max(round(up), 1), height))

    length = max(round(scale * longest), 1)
    if min_share is not None:
        # A window holds whatever a smaller one holds, so there is a first that will do.
        lengths = range(length, longest + 1)
        first = bisect.bisect_left(lengths, min_share - TIE, key=lambda n: best(n)[1])
        if first == len(lengths):
            raise InputError(
                f"the largest window of this aspect ratio holds {best(longest)[1]:.1%} of the "
                f"attention, less than the {min_share:.1%} asked for: show the whole picture, or "
                "ask for less"
            )
        length = lengths[first]
    return best(length)[0]


def _check(aspect_ratio, scale, min_share):
    if not 0 < aspect_ratio < math.inf:
        raise InputError(f"aspect_ratio must be a number above 0. Received: {aspect_ratio!r}")
    if not 0 < scale <= 1:
        raise InputError(f"scale must be above 0 and at most 1. Received: {scale!r}")
    if min_share is not None and not 0 <= min_share <= 1:
        raise InputError(f"min_share must be from 0 to 1. Received: {min_share!r}")


def _best(sums, width, height):
    """The window of this size that holds most, and how much."""
    held = sums[height:, width:] - sums[:-height, width:]
    held -= sums[height:, :-width] - sums[:-height, :-width]
    most = held.max()
    y, x = np.nonzero(held >= most - TIE)
    # From the picture's middle, in half pixels.
    away = (2 * x + width - sums.shape[1] + 1) ** 2 + (2 * y + height - sums.shape[0] + 1) ** 2
    nearest = away.argmin()
    return (int(x[nearest]), int(y[nearest]), width, height), float(most)


def write(path: str, picture_path: str, box: tuple[int, int, int, int]) -> None:
    """Writes a crop of a picture file: its pixels and its color profile, no other metadata.

    Args:
        path: file to write; its ending, .jpg, .png or .webp, is the format.
        picture_path: picture file; turned by its EXIF tag, as `pictures.read` does.
        box: x, y, width, height in pixels, of `crop_box`.

    Raises:
        InputError: if `path` has another ending, or is the picture itself.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (8, 6)).save(folder + "/a.png")
        ...     write(folder + "/b.jpg", folder + "/a.png", (2, 1, 4, 3))
        ...     Image.open(folder + "/b.jpg").size
        (4, 3)
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in MODES:
        raise InputError(f"a crop's file ends in {', '.join(MODES)}. Received: {path}")
    if os.path.exists(path) and os.path.samefile(path, picture_path):
        raise InputError(f"the crop would replace its own picture, {path}: give another name")
    x, y, width, height = box
    with pictures.opened(picture_path) as picture:
        profile = picture.info.get("icc_profile")
        crop = ImageOps.exif_transpose(picture).crop((x, y, x + width, y + height))
    if crop.mode not in MODES[ending]:
        if crop.mode.startswith("I"):  # 16 bits; `convert` would cut off at 255
            crop = Image.fromarray((np.asarray(crop) // 257).clip(0, 255).astype("uint8"))
        transparent = crop.has_transparency_data and ending != ".jpg" and ending != ".jpeg"
        # A profile is of one kind of color.
        profile = profile if crop.mode in ("RGB", "RGBA", "P") else None
        crop = crop.convert("RGBA" if transparent else "RGB")
    crop.info = {"transparency": crop.info["transparency"]} if "transparency" in crop.info else {}
    kept = {"icc_profile": profile} if profile else {}
    with files.replacing(path) as temporary:
        crop.save(temporary, quality=95, **kept)
