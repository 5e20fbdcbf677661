"""What every dataset loader returns: a list of `Example`."""

import dataclasses
import zlib

import numpy as np

from keras_saliency.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """One stimulus and where people looked at it.

    Holds an index entry, not pixels: thousands of examples fit in memory.
    Only `datasets.synthetic` and `pickled`, which have no picture files, fill
    `image`.

    Args:
        name: the picture's file name, unique in its dataset.
        size: `(height, width)` of the picture in pixels.
        fixations: float32 `(n, 2)`, columns x (to the right) and y (down), in
            pixels of the picture, 0-based: the first pixel's center is (0, 0).
        image_path: where the picture is, or None if `image` is given.
        image: uint8 `(height, width, 3)` RGB, or None if `image_path` is given.
        observers: int32 `(n,)`, who made each fixation, or None if unknown.
        durations_ms: float32 `(n,)`, milliseconds, or None if unknown.
        density_path: file of a published density of the picture, or None; for
            `map_files.read_map`. Where no fixations are known it is taken like
            `density`, and read when it is needed.
        dropped: how many fixations were left out because they lay outside the
            picture.
        density: a published density of the whole picture, `(h, w)` or
            `(h, w, 1)` of any size and scale, not negative, or None. It is
            taken instead of the blurred fixations, even of those that are known.
        exif: False: the turn that the picture's EXIF tag asks for is wrong and
            not made.
        file_size: `(height, width)` of the picture in its file, if that is not
            `size`: see `at_size`.

    Example:
        >>> example = Example("a.png", (2, 3), np.array([[2.0, 1.0]]), "a.png")
        >>> example.fixations.tolist()
        [[2.0, 1.0]]
    """

    name: str
    size: tuple[int, int]
    fixations: np.ndarray
    image_path: str | None = None
    image: np.ndarray | None = None
    observers: np.ndarray | None = None
    durations_ms: np.ndarray | None = None
    density_path: str | None = None
    dropped: int = 0
    density: np.ndarray | None = None
    exif: bool = True
    file_size: tuple[int, int] | None = None

    @property
    def published(self) -> bool:
        """Whether the density was published: it is not its blurred fixations."""
        in_file = self.density_path is not None and not len(self.fixations)
        return self.density is not None or in_file


def at_size(example: Example, size: tuple[int, int]) -> Example:
    """The same example with its picture brought to another size, fixations and all.

    Some papers score CAT2000 at 140x250, not at its pictures' 1080x1920. The
    picture is resized when it is read.

    Args:
        size: `(height, width)` in pixels; proportions may change.

    Example:
        >>> example = at_size(Example("a.png", (6, 8), np.array([[7.0, 1.0]]), "a.png"), (3, 4))
        >>> example.size, example.file_size, example.fixations.tolist()
        ((3, 4), (6, 8), [[3.25, 0.25]])
    """
    scale = np.array([size[1] / example.size[1], size[0] / example.size[0]], "float32")
    return dataclasses.replace(
        example,
        size=tuple(size),
        fixations=(example.fixations + 0.5) * scale - 0.5,  # (0, 0) is a pixel's center
        file_size=example.file_size or example.size,
    )


def example_inside(name, size, fixations, observers=None, durations_ms=None, **fields):
    """An `Example` without the fixations that lie outside its picture.

    Args:
        name: str. The picture's file name.
        size: `(height, width)` in pixels.
        fixations: `(n, 2)` x and y, 0-based pixels, some perhaps outside.
        observers: `(n,)` or None.
        durations_ms: `(n,)` or None.
        **fields: the other fields of `Example`.

    Returns: an `Example` whose `dropped` counts what was left out.

    Example:
        >>> example = example_inside("a.png", (2, 3), [[2.0, 1.0], [3.0, 0.0]])
        >>> len(example.fixations), example.dropped
        (1, 1)
    """
    points = np.asarray(fixations, "float32").reshape(-1, 2)
    height, width = size
    # A pixel reaches half a pixel to each side of its center. Not-a-number
    # compares false and is left out too.
    inside = (
        (points[:, 0] > -0.5)
        & (points[:, 0] < width - 0.5)
        & (points[:, 1] > -0.5)
        & (points[:, 1] < height - 0.5)
    )

    def kept(values, dtype):
        return None if values is None else np.asarray(values, dtype)[inside]

    return Example(
        name=name,
        size=(int(height), int(width)),
        fixations=points[inside],
        observers=kept(observers, "int32"),
        durations_ms=kept(durations_ms, "float32"),
        dropped=int(np.sum(~inside)),
        **fields,
    )


def check_split(split: str, splits: tuple[str, ...]) -> None:
    """Raises `InputError` unless `split` is one of `splits`."""
    if split not in splits:
        raise InputError(f"split must be one of {', '.join(splits)}. Received: {split!r}")


def split_of(name: str) -> str:
    """For a fifth of the pictures "test", for the others "train"; the name alone decides.

    Example:
        >>> [split_of(name) for name in ("7.png", "8.png", "12.png")]
        ['train', 'test', 'test']
    """
    # Not every file name is text: what is none has its own escapes. Python's own
    # `hash` of a text changes from run to run.
    return "test" if zlib.crc32(name.encode(errors="backslashreplace")) % 5 == 0 else "train"
