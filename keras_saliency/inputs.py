"""What is to be predicted: files, folders, patterns and videos."""

import collections
import dataclasses
import glob
import os
from typing import NamedTuple

import numpy as np

from keras_saliency import pictures, videos
from keras_saliency.errors import InputError, reason


class Source(NamedTuple):
    """A file to predict.

    Args:
        path: str.
        name: its path below the folder or the pattern that it was found by;
            its map has the same below the output.
    """

    path: str
    name: str

    @property
    def is_video(self) -> bool:
        return self.path.lower().endswith(videos.ENDINGS)


class Found(NamedTuple):
    """`sources`, and how many files of which kind were `passed_over`."""

    sources: list[Source]
    passed_over: collections.Counter


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """One picture to predict: a file, or a frame of a video.

    Args:
        path: str, by which messages name it.
        name: where its map goes, see `Source`; of a frame, the video's name and
            below it the frame's number.
        given: a frame's pixels, or the error that kept a video from being
            read; None: they are in the file.
    """

    path: str
    name: str
    given: np.ndarray | InputError | None = None

    def read(self) -> np.ndarray:
        """uint8 `(height, width, 3)`, RGB, as people see it; see `pictures.read`.

        Raises:
            InputError: names the file and what is wrong with it.
        """
        if isinstance(self.given, InputError):
            raise self.given
        if self.given is not None:
            return self.given
        return guarded(lambda: pictures.read(self.path), self.path)


def guarded(read, path: str):
    """`read()`; whatever is wrong is an `InputError` that names the path: the others go on."""
    try:
        return read()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read ({reason(error)})") from error


def find(arguments: list[str], output: str = "", needed: bool = True) -> Found:
    """The pictures and videos that some arguments name, sorted within each argument.

    In folders (searched to the bottom) and behind patterns, what is hidden or
    does not end like a picture or a video is passed over, and so is the
    output's folder below them. A file that is named is taken whatever it is.

    Args:
        arguments: files, folders, or patterns such as `photos/**/*.jpg`.
        output: folder that the maps go to.
        needed: False: there may be nothing to predict.

    Raises:
        InputError: if an argument does not exist, matches nothing, is the
            output itself or leads out of its pattern's folder, or there is
            nothing to predict though it is `needed`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a.jpg", "b.PNG", "notes.txt", ".hidden.jpg"):
        ...         open(os.path.join(folder, name), "w").close()
        ...     found = find([folder])
        >>> [source.name for source in found.sources], dict(found.passed_over)
        (['a.jpg', 'b.PNG'], {'hidden': 1, '.txt': 1})
    """
    sources, passed_over = {}, {}
    for argument in arguments:
        for path, name in _files(argument, output, passed_over):
            # A pattern with ** finds a folder and what is in it.
            sources.setdefault((os.path.abspath(path), name), Source(path, name))
    if needed and not sources:
        number = len(passed_over)
        among = f" among {number} file{'s' * (number > 1)}" if passed_over else ""
        raise InputError(f"there are no pictures{among} in {', '.join(arguments)}")
    for source in sources.values():
        passed_over.pop(source.path, None)
    return Found(list(sources.values()), collections.Counter(passed_over.values()))


def _files(argument, output, passed_over):
    """Paths and names of what one argument means."""
    if os.path.isdir(argument):
        if output and os.path.realpath(argument) == os.path.realpath(output):
            raise InputError(
                f"the maps cannot go to {output}, where the pictures are: they would be taken "
                "for pictures the next time; name another --output"
            )
        yield from _below(argument, "", output, passed_over)
    elif os.path.lexists(argument):
        if Source(argument, "").is_video and not videos.readable():
            raise InputError(
                f"{argument} is a video, which needs the package PyAV: "
                "pip install 'keras_saliency[video]'"
            )
        yield argument, os.path.basename(argument)
    else:
        yield from _matching(argument, output, passed_over)


def _matching(pattern, output, passed_over):
    """Paths and names of what a pattern matches."""
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        raise InputError(f"no such file or folder: {pattern}")
    root = pattern
    while glob.has_magic(root):
        root = os.path.dirname(root)
    root = root or os.curdir
    # Where the pattern itself begins in the output's folder, that is meant.
    skipped = output and _is_within(output, root) and not _is_within(root, output)
    for match in matches:
        name = os.path.relpath(match, root)
        if name.split(os.sep)[0] == os.pardir:
            raise InputError(f"{pattern}: {match} is not below {root}; give it for itself")
        if skipped and _is_within(match, output):
            continue
        if os.path.isdir(match):
            yield from _below(match, "" if name == os.curdir else name, output, passed_over)
        elif _admitted(match, passed_over):
            yield match, name


def _is_within(path, folder):
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([path, folder]) == folder


def _below(folder, name, output, passed_over):
    """Every picture and video in a folder; links are followed, but not in circles."""
    skipped = output and not _is_within(folder, output)
    above = {folder: ()}  # of every folder to come, where it and those above it really are

    def unreadable(error):
        passed_over[error.filename] = "folders that cannot be opened"

    for parent, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        real, reals = os.path.realpath(parent), above.pop(parent)
        if real in reals or (skipped and _is_within(real, output)):
            folders.clear()
            continue
        for hidden in [each for each in folders if each.startswith(".")]:
            passed_over[os.path.join(parent, hidden)] = "hidden"
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        above.update((os.path.join(parent, each), (*reals, real)) for each in folders)
        below = os.path.join(name, os.path.relpath(parent, folder))
        for file in sorted(files):
            if _admitted(os.path.join(parent, file), passed_over):
                yield os.path.join(parent, file), os.path.normpath(os.path.join(below, file))


def _admitted(path, passed_over):
    base, ending = os.path.basename(path), os.path.splitext(path)[1].lower()
    if base.startswith("."):
        passed_over[path] = "hidden"
    elif ending in videos.ENDINGS and not videos.readable():
        passed_over[path] = f"{ending} (pip install 'keras_saliency[video]')"
    elif ending not in (*pictures.ENDINGS, *videos.ENDINGS):
        passed_over[path] = ending or "without an ending"
    elif os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        passed_over[path] = "no files"
    return path not in passed_over


def count(sources: list[Source], every: int = 1) -> int | None:
    """How many pictures `each` will yield; None if a video does not say."""
    counts = [videos.count(s.path, every) if s.is_video else 1 for s in sources]
    return None if None in counts else sum(counts)


def each(sources: list[Source], every: int = 1, wanted=lambda name: True):
    """Yields the `Picture`s of some sources, one by one; videos frame by frame.

    A video that is damaged ends in a `Picture` whose `read` raises.

    Args:
        sources: of `find`.
        every: int; of so many frames of a video one.
        wanted: function of a picture's name; where it is false, the picture is
            left out.

    Example:
        >>> [picture.name for picture in each([Source("/photos/a/b.jpg", "a/b.jpg")])]
        ['a/b.jpg']
    """
    for source in sources:
        if not source.is_video:
            if wanted(source.name):
                yield Picture(*source)
            continue
        try:
            numbered = videos.frames(
                source.path, every, lambda number, video=source: wanted(frame_name(video, number))
            )
            for number, pixels in numbered:
                yield Picture(f"{source.path}, frame {number}", frame_name(source, number), pixels)
        except InputError as error:
            yield Picture(*source, error)


def frame_name(video: Source, number: int) -> str:
    """A frame's name, below its video's.

    Example:
        >>> frame_name(Source("clips/a.mp4", "a.mp4"), 12)
        'a.mp4/000012'
    """
    return os.path.join(video.name, f"{number:06d}")
