"""Picture files in, picture files out."""

import contextlib
import functools
import os
import struct
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from keras_saliency import files
from keras_saliency.errors import InputError

MAX_PIXELS = 100_000_000  # a larger one is a mistake or a decompression bomb
MAX_BYTES = 4 * MAX_PIXELS  # of a file that is read whole, before its header is seen
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
# Whatever the ending says; Pillow's others start programs (PostScript) or are seldom read.
# Cameras' pictures of several views (MPO) are JPEGs to it.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
_KINDS = f", or of another kind than {', '.join(FORMATS)}"
_SIXTEEN = ("PNG", "PPM")  # formats whose 16 bits some versions of Pillow give in 32
ALPHA = 0.65  # opacity of an overlay
COLORMAP = "inferno"
_TAIL = 65536  # bytes at the end of a PNG that are searched for a late EXIF block


def read(path: str, exif: bool = True) -> np.ndarray:
    """A picture file as people saw it: turned by its EXIF tag, in RGB.

    Of 16 bits the upper eight are taken. What is white in 32 bits, whole
    numbers or floats, no file says: such a picture is refused. Transparency is
    left out: the color below it is seen.

    Args:
        path: a file of one of `FORMATS`; of an animation, its first frame.
        exif: False: leave the EXIF tag's turn out.

    Returns: uint8 `(height, width, 3)`.

    Raises:
        InputError: names the file that is missing, damaged, no picture, of 32
            bits, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise InputError(f"{path} is too large: {width}x{height} pixels")
            if picture.mode == "F" or (picture.mode == "I" and picture.format not in _SIXTEEN):
                raise InputError(
                    f"{path} has 32 bits a pixel, of which no file says what is white: save it "
                    "with 8 or 16"
                )
            # Without a turn it would be a copy.
            if exif and picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
                picture = ImageOps.exif_transpose(picture)
            if picture.mode.startswith("I"):  # 16 bits; `convert` would cut off at 255
                gray = np.asarray(picture).clip(0, 65535) >> 8
                picture = Image.fromarray(gray.astype("uint8"))
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a picture{_KINDS}") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} does not decode as a picture ({error})") from error


@contextlib.contextmanager
def opened(path):
    """Opens a picture of one of `FORMATS`, not larger than `MAX_PIXELS`, as Pillow does.

    Raises:
        InputError: if it is larger.
        Exception: whatever Pillow raises.
    """
    with Image.open(path, formats=FORMATS) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise InputError(f"{path} is too large: {picture.width}x{picture.height} pixels")
        yield picture


def size(path: str, exif: bool = True) -> tuple[int, int]:
    """Height and width as `read` gives them, from the file's header alone.

    Raises:
        InputError: names the file that is missing, damaged, no picture, or
            larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            if picture.format == "TIFF":
                # `size` is turned already, in newer versions of Pillow.
                width, height = picture.tag_v2[256], picture.tag_v2[257]
            if width * height > MAX_PIXELS:
                raise InputError(f"{path} is too large: {width}x{height} pixels")
            turned = exif and _orientation(picture, path) in (5, 6, 7, 8)
            return (width, height) if turned else (height, width)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a picture{_KINDS}") from None
    except (OSError, SyntaxError, ValueError, KeyError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} does not open as a picture ({error})") from error


def _orientation(picture, path):
    # Pillow decodes a whole PNG to see whether EXIF follows the pixels.
    late = picture.format == "PNG" and _has_late_exif(path)
    exif = picture.getexif() if late else Image.Image.getexif(picture)
    return exif.get(ExifTags.Base.Orientation)


def _has_late_exif(path):
    with open(path, "rb") as file:
        file.seek(max(os.path.getsize(path) - _TAIL, 0))
        tail = file.read()
    return any(mark in tail for mark in (b"eXIf", b"Raw profile type exif", b"tiff:Orientation"))


def of(example) -> np.ndarray:
    """The picture of a `datasets.Example`, uint8 `(height, width, 3)`."""
    picture = example.image
    if picture is None:
        picture = read(example.image_path, example.exif)
    if example.file_size is None or picture.shape[:2] != example.file_size:
        return picture
    height, width = example.size
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def write_png(path: str, picture: np.ndarray) -> None:
    """Writes a uint8 picture, `(height, width)` or `(height, width, 1 or 3)`, as PNG, whole."""
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(png(picture))


def png(picture: np.ndarray) -> bytes:
    """An 8-bit picture as a PNG file's content.

    Pillow tries all of PNG's filters on every line. That each line differs
    little from the one above serves maps as well, in a third of the time.

    Args:
        picture: uint8 `(height, width)` or `(height, width, 1)`, gray, or
            `(height, width, 3)`, RGB.

    Example:
        >>> import io
        >>> gray = np.arange(6, dtype="uint8").reshape(2, 3, 1)
        >>> np.asarray(Image.open(io.BytesIO(png(gray)))).tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    height, width, channels = (*picture.shape, 1)[:3]
    if picture.dtype != "uint8" or channels not in (1, 3):
        raise TypeError(f"not an 8-bit picture: {picture.dtype}, {picture.shape}")
    lines = picture.reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), "uint8")
    filtered[:, 0] = 2  # "up": what follows is the difference to the line above
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    # Differences of maps come in runs; a photograph's do not.
    strategy = zlib.Z_RLE if channels == 1 else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    packed = packer.compress(filtered) + packer.flush()
    chunks = (b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind, content):
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def to_uint8(saliency_map: np.ndarray) -> np.ndarray:
    """A map stretched to its largest value, as 8-bit gray `(height, width, 1)`.

    Example:
        >>> to_uint8(np.array([[[0.0], [0.25], [0.5]]]))[0, :, 0].tolist()
        [0, 128, 255]
    """
    top = max(float(saliency_map.max()), 1e-12)
    return np.round(np.clip(saliency_map / top, 0, 1) * 255).astype("uint8")


def overlay(
    stimulus: np.ndarray,
    saliency_map: np.ndarray,
    alpha: float = ALPHA,
    colormap: str = COLORMAP,
) -> np.ndarray:
    """The saliency map in color over its stimulus.

    Args:
        stimulus: uint8 `(height, width, 3)`.
        saliency_map: `(height, width, 1)`, the same size; uint8, or real
            numbers, which are stretched to their largest value.
        alpha: opacity of the colors, 0-1.
        colormap: one of Matplotlib's.

    Returns: uint8 `(height, width, 3)`.

    Raises:
        InputError: if there is no such colormap.

    Example:
        >>> overlay(np.zeros((2, 2, 3), "uint8"), np.ones((2, 2, 1))).shape
        (2, 2, 3)
    """
    gray = saliency_map if saliency_map.dtype == "uint8" else to_uint8(saliency_map)
    over = stimulus * np.float32(1 - alpha)
    over += np.float32(alpha) * colors(colormap)[gray[..., 0]]
    return np.rint(over).astype("uint8")


@functools.cache
def colors(colormap: str) -> np.ndarray:
    """The 256 colors of one of Matplotlib's colormaps, float32 `(256, 3)`, 0-255.

    Raises:
        InputError: if there is no such colormap.

    Example:
        >>> colors("gray")[128].round().tolist()
        [128.0, 128.0, 128.0]
    """
    import matplotlib  # here: it takes half a second that `read` should not wait for

    if colormap not in matplotlib.colormaps:
        known = ", ".join(("inferno", "viridis", "turbo", "jet", "gray"))
        raise InputError(f"no colormap {colormap!r}; Matplotlib's are {known} and others")
    return (matplotlib.colormaps[colormap](np.arange(256))[:, :3] * 255).astype("float32")
