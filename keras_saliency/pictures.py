"""Picture files in, picture files out."""

import os

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from keras_saliency import files
from keras_saliency.errors import InputError

MAX_PIXELS = 100_000_000  # a larger one is a mistake or a decompression bomb
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_SIXTEEN = ("PNG", "PPM")  # formats whose 16 bits some versions of Pillow give in 32
_TAIL = 65536  # bytes at the end of a PNG that are searched for a late EXIF block


def read(path: str, exif: bool = True) -> np.ndarray:
    """A picture file as people saw it: turned by its EXIF tag, in RGB.

    Of 16 bits the upper eight are taken. What is white in 32 bits, whole
    numbers or floats, no file says: such a picture is refused.

    Args:
        path: any file that Pillow reads; of an animation, its first frame.
        exif: False: leave the EXIF tag's turn out.

    Returns: uint8 `(height, width, 3)`.

    Raises:
        InputError: names the file that is missing, damaged, no picture, of 32
            bits, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(path) as picture:
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
                gray = np.asarray(picture) // 257
                picture = Image.fromarray(gray.clip(0, 255).astype("uint8"))
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except UnidentifiedImageError:
        raise InputError(f"{path} is not a picture, or of a kind that Pillow cannot read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} does not decode as a picture ({error})") from error


def size(path: str, exif: bool = True) -> tuple[int, int]:
    """Height and width as `read` gives them, from the file's header alone.

    Raises:
        InputError: names the file that is missing, damaged, no picture, or
            larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(path) as picture:
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
        raise InputError(f"{path} is not a picture, or of a kind that Pillow cannot read") from None
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
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    with files.replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, "PNG")


def to_uint8(saliency_map: np.ndarray) -> np.ndarray:
    """A map stretched to its largest value, as 8-bit gray `(height, width, 1)`.

    Example:
        >>> to_uint8(np.array([[[0.0], [0.25], [0.5]]]))[0, :, 0].tolist()
        [0, 128, 255]
    """
    top = max(float(saliency_map.max()), 1e-12)
    return np.round(np.clip(saliency_map / top, 0, 1) * 255).astype("uint8")


def overlay(stimulus: np.ndarray, saliency_map: np.ndarray, alpha: float = 0.65) -> np.ndarray:
    """The saliency map in colour over its stimulus.

    Args:
        stimulus: uint8 `(height, width, 3)`.
        saliency_map: `(height, width, 1)`, the same size; stretched to its
            largest value.
        alpha: opacity of the colours, 0-1.

    Returns: uint8 `(height, width, 3)`.

    Example:
        >>> overlay(np.zeros((2, 2, 3), "uint8"), np.ones((2, 2, 1))).shape
        (2, 2, 3)
    """
    import matplotlib  # here: it takes half a second that `read` should not wait for

    colours = matplotlib.colormaps["inferno"](to_uint8(saliency_map)[..., 0])[..., :3] * 255
    return np.round((1 - alpha) * stimulus + alpha * colours).astype("uint8")
