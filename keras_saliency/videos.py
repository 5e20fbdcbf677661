"""Videos in, frames out. PyAV decodes them, which brings its own FFmpeg; it is an extra."""

import importlib.util
import re

import numpy as np

from keras_saliency.errors import InputError

ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv")
# FFmpeg's names of formats whose header says how long they are; of others it guesses.
DATED = {"mov", "matroska", "avi", "asf"}


def readable() -> bool:
    """Whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def count(path: str, every: int = 1) -> int | None:
    """How many frames `frames` will yield, by the file's header; None if it does not say."""
    try:
        with _opened(path) as container:
            return -(-container.streams.video[0].frames // every) or None
    except InputError:
        return None


def frames(path: str, every: int = 1, wanted=lambda number: True):
    """Yields a video's frames: turned by the file's tag as a player does, in RGB.

    Pixels that are not square stay as they are stored: nothing is stretched.

    Args:
        path: any file that FFmpeg reads.
        every: int; of so many frames one, the first of them.
        wanted: function of a frame's number; where it is false, the frame is
            left out.

    Yields: the frame's number, the first is 0, and uint8 `(height, width, 3)`.

    Raises:
        InputError: names the file that cannot be opened or, after the frames
            before the damage, decoded, or that ends too early; or says that
            PyAV is missing.
    """
    number, shown = -1, None
    with _opened(path) as container:
        try:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                if number % every == 0 and wanted(number):
                    yield number, _turned(frame)
                shown = _end(frame)
            missing = _missing(container, stream, shown)
        except Exception as error:  # whatever it is, it must not end the others
            raise InputError(f"{path} is damaged after frame {number} ({_why(error)})") from error
    if number < 0:
        raise InputError(f"{path} holds no frames that can be decoded")
    if missing:
        raise InputError(f"{path} ends after {missing[0]:.1f} of {missing[1]:.1f} seconds")


def _end(frame):
    """The second until which a frame is shown; None if the file does not say."""
    return None if frame.pts is None else float((frame.pts + frame.duration) * frame.time_base)


def _missing(container, stream, shown):
    """The seconds that there are and should be, if a large part of a video is missing."""
    if shown is None or not DATED & set(container.format.name.split(",")):
        return None
    if stream.duration:
        begin, seconds = stream.start_time or 0, float(stream.duration * stream.time_base)
        begin = float(begin * stream.time_base)
    elif written := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, written.groups())  # Matroska's, from 0 on
        begin, seconds = 0.0, 3600 * hours + 60 * minutes + seconds
    else:
        begin, seconds = (container.start_time or 0) / 1e6, (container.duration or 0) / 1e6
    there = shown - begin
    return (there, seconds) if seconds > max(there + 1, there * 1.05) else None


def _turned(frame):
    """The tag says how far the frame is to be turned, counterclockwise."""
    quarters = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), quarters))


def _opened(path):
    av = _av()
    _check_no_list(path)
    try:
        container = av.open(path, metadata_errors="replace")  # a tag may be no UTF-8
    except Exception as error:
        raise InputError(f"{path} cannot be opened as a video ({_why(error)})") from error
    if not container.streams.video:
        container.close()
        raise InputError(f"{path} holds no video")
    return container


def _check_no_list(path):
    """FFmpeg would open what a playlist names, files of the machine or of the net."""
    try:
        with open(path, "rb") as file:
            begin = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    except OSError as error:
        raise InputError(f"{path} cannot be opened as a video ({error.strerror})") from error
    if begin.startswith((b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"v=0", b"[playlist]")):
        raise InputError(f"{path} is a list of other files, no video")


def _why(error):
    text = str(getattr(error, "strerror", None) or error).strip().partition("\n")[0]
    return text or type(error).__name__


def _av():
    if not readable():
        raise InputError("videos need the package PyAV: pip install 'keras_saliency[video]'")
    import av

    return av
