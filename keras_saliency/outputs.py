"""What is written of a picture's saliency map: its files, their names, their content."""

import contextlib
import errno
import json
import os

import numpy as np

from keras_saliency import densities, files, map_files, pictures, resizing, untrusted
from keras_saliency.errors import InputError

KINDS = {  # and their files' endings
    "png": ".png",
    "png16": ".png",
    "npy": ".npy",
    "log-density": ".npy",
    "overlay": ".png",
    "side-by-side": ".png",
}
COLORED = ("overlay", "side-by-side")
GAP = 8  # white pixels between pictures side by side
TFRECORD = "tfrecord"  # what many maps go to instead, see `bulk`
RECORD = "predicted.json"  # by what the maps of a folder were made
# Errors of one file, by its name or what stands in its way; others (a full disk) are everybody's.
ITS_OWN = {
    errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ,
}  # fmt: skip


class Outputs:
    """The files of every picture's saliency map in a folder, each at the picture's own size.

    Their names are the pictures', with another ending, so that they are found as
    their maps. Of several kinds, all but "png" have the kind's name before the
    ending: `a.png`, `a-overlay.png`.

    A map should be 0-1. Negative values are cut to 0 in what has 8 bits; "png16"
    and "log-density" shift the whole map up instead, and "npy" keeps them.

    Args:
        folder: str; made when the first file is written.
        kinds: some of `KINDS`: "png", gray of 8 bits, stretched to the map's
            largest value; "png16", as `map_files.write_png`; "npy", float32,
            the map as it is; "log-density", as `map_files.write_log_density`;
            "overlay", the map in color over its picture; "side-by-side", the
            picture, the map and the overlay.
        alpha: opacity of the overlay's colors, 0-1.
        colormap: one of Matplotlib's.
        reference: bring maps to their pictures' size as SalGAN's authors did
            (`salgan_reference.postprocess`), in 8 bits and not stretched.

    Raises:
        InputError: if there is no such kind or colormap, or a kind that
            `reference` has too few bits for.

    Example:
        >>> outputs = Outputs("maps", ["png", "overlay"])
        >>> outputs.paths("clouds/a.jpg")
        {'png': 'maps/clouds/a.png', 'overlay': 'maps/clouds/a-overlay.png'}
    """

    def __init__(
        self,
        folder: str,
        kinds: tuple[str, ...] = ("png",),
        alpha: float = pictures.ALPHA,
        colormap: str = pictures.COLORMAP,
        reference: bool = False,
    ):
        self.folder, self.kinds = folder, tuple(dict.fromkeys(kinds))
        self.reference, self.since = reference, 0
        if unknown := [kind for kind in self.kinds if kind not in KINDS]:
            raise InputError(f"cannot write {unknown[0]!r}; there are {', '.join(KINDS)}")
        fine = [kind for kind in self.kinds if kind not in ("png", *COLORED)]
        if reference and fine:
            raise InputError(f"the reference's maps have 8 bits, too few for {fine[0]}")
        self.colored = bool(set(COLORED) & set(self.kinds))
        if self.colored:
            pictures.colors(colormap)  # or refused, before anything is predicted
        self.alpha, self.colormap = alpha, colormap

    def paths(self, name: str) -> dict[str, str]:
        """The file of every kind, for a picture of this name."""
        stem = os.path.join(self.folder, os.path.splitext(name)[0])
        return {kind: stem + self._suffix(kind) for kind in self.kinds}

    def _suffix(self, kind):
        plain = kind == "png" or len(self.kinds) == 1
        return ("" if plain else f"-{kind}") + KINDS[kind]

    def done(self, name: str) -> bool:
        """Whether all of a picture's files are there, and were written since the record.

        As they are written whole, it is done.
        """
        return all(self._is_new(path) for path in self.paths(name).values())

    def _is_new(self, path):
        try:
            return os.path.isfile(path) and os.stat(path).st_mtime_ns >= self.since
        except OSError:
            return False

    def resume(self, settings: dict) -> bool:
        """Whether the folder has the record of an earlier run, whose files count as `done`.

        Args:
            settings: as they were given to `begin`.

        Raises:
            InputError: names what of the settings was otherwise, or says that
                the record is damaged.
        """
        path = os.path.join(self.folder, RECORD)
        if not os.path.isfile(path):
            return False
        try:
            recorded = dict(untrusted.read_json(path))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path} is damaged: delete it and begin again") from error
        for name, value in settings.items():
            if name not in recorded or recorded[name] != value:
                was = f"{name} was {_short(recorded.get(name))} and is {_short(value)} now"
                raise InputError(
                    f"{path}: {was}; maps of both would be mixed: take what it was, or "
                    "another --output"
                )
        self.since = os.stat(path).st_mtime_ns
        return True

    def begin(self, settings: dict) -> None:
        """Records by what the maps are made; files of before do not count as `done` any more.

        Args:
            settings: all that changes a map; values that JSON has.
        """
        path = os.path.join(self.folder, RECORD)
        with _writing(path):
            files.write_json(path, settings)
        self.since = os.stat(path).st_mtime_ns

    def check(self, sources: list) -> None:
        """Raises `InputError` if two sources would be one file, or an input be written over.

        Also if the folder cannot be one.

        Args:
            sources: of `inputs.find`.
        """
        self._check_folder()
        given = {os.path.realpath(source.path): source.path for source in sources}
        owners, needed, clips = {}, {}, {}
        for source in sources:
            if source.is_video:
                clips[os.path.join(self.folder, source.name)] = source.path
            for path in self._places(source):
                self._refuse_both(owners.setdefault(path, source.path), source, path)
                if os.path.realpath(path) in given:
                    _refuse_over(given[os.path.realpath(path)])
                for folder in _above(path, self.folder):
                    needed.setdefault(folder, source.path)
        for source in sources:
            for path in self._places(source):
                if not source.is_video:
                    self._refuse_both(needed.get(path, source.path), source, path)
                    self._refuse_both(clips.get(os.path.dirname(path), source.path), source, path)
        clips = set(map(os.path.realpath, clips))
        for real, path in given.items():
            if os.path.dirname(real) in clips and self._is_frame(os.path.basename(real)):
                _refuse_over(path)

    def _check_folder(self):
        there = os.path.abspath(self.folder)
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        if not os.path.isdir(there):
            raise InputError(f"{there} is no folder: name another --output")

    def _places(self, source):
        """The files of a picture, the folder of a video's frames."""
        if source.is_video:
            return [os.path.join(self.folder, source.name)]
        return self.paths(source.name).values()

    def _refuse_both(self, other, source, path):
        if other != source.path:
            raise InputError(
                f"{other} and {source.path} would both be written to {path}: give the "
                "folder that holds both, or two commands with an --output each"
            )

    def _is_frame(self, name):
        suffixes = map(self._suffix, self.kinds)
        return any(name.endswith(s) and name.removesuffix(s).isdecimal() for s in suffixes)

    def write(self, picture, saliency_map: np.ndarray, size: tuple[int, int]) -> None:
        """Writes every kind of a picture's map, each file whole.

        Args:
            picture: `inputs.Picture`, or whatever has a `name` and, for what is
                colored, a `read`.
            saliency_map: `(h, w, 1)`, 0-1, of any size.
            size: `(height, width)` of the picture.

        Raises:
            InputError: if a file cannot be written by its name or what is there.
            OSError: if the disk is full or the folder cannot be written to; its
                `filename` is that of the file to be written.
        """
        if self.reference:
            from keras_saliency import salgan_reference

            gray = saliency_map = salgan_reference.postprocess(saliency_map, size)
        else:
            saliency_map = resizing.resize(saliency_map, size)
            gray = pictures.to_uint8(saliency_map)
        stimulus = over = None
        if self.colored:
            stimulus = picture.read()
            if stimulus.shape[:2] != tuple(size):
                raise InputError(f"{picture.path} has changed while it was predicted")
            over = pictures.overlay(stimulus, gray, self.alpha, self.colormap)
        for kind, path in self.paths(picture.name).items():
            with _writing(path):
                if kind == "png":
                    pictures.write_png(path, gray)
                elif kind == "overlay":
                    pictures.write_png(path, over)
                elif kind == "side-by-side":
                    pictures.write_png(path, _side_by_side(stimulus, gray, over))
                elif kind == "png16":
                    map_files.write_png(path, saliency_map)
                elif kind == "npy":
                    _write_npy(path, saliency_map)
                else:
                    _write_log_density(path, saliency_map)


def _short(value):
    """A setting as a message names it; of the model's long hash, its beginning."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) > 40 else json.dumps(value)


def _above(path, top):
    """The folders between a file and the topmost one."""
    while (path := os.path.dirname(path)) not in (top, ""):
        if path == os.path.dirname(path):
            return
        yield path


def _refuse_over(path):
    raise InputError(f"{path} would be written over: name another --output")


@contextlib.contextmanager
def _writing(path):
    """Errors name the file that was to be written, and not a temporary one."""
    try:
        yield
    except OSError as error:
        number = error.errno or errno.ENOSPC  # NumPy gives none where it could not write all
        if number in ITS_OWN:
            raise InputError(f"{path} cannot be written ({os.strerror(number)})") from error
        raise OSError(number, os.strerror(number), path) from error


def _side_by_side(stimulus, gray, over):
    gap = np.full((len(over), GAP, 3), 255, "uint8")
    return np.hstack([stimulus, gap, np.repeat(gray, 3, axis=2), gap, over])


def _write_npy(path, saliency_map):
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, saliency_map.astype("float32", copy=False), allow_pickle=False)


def _write_log_density(path, saliency_map):
    # A map without zeros needs no floor, and would lose by it.
    floor = 0.0 if saliency_map.min() > 0 else densities.FLOOR
    map_files.write_log_density(path, densities.log_density(saliency_map, floor))
