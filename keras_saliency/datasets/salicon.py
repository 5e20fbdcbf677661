"""SALICON: 20,000 photographs of COCO, looked at through the mouse, in all its releases."""

import concurrent.futures
import os
import threading

import numpy as np

from keras_saliency import pictures
from keras_saliency.datasets import index, salicon_json, salicon_mat, salicon_releases
from keras_saliency.datasets.example import Example, check_split, example_inside
from keras_saliency.errors import InputError

SIGMA = 19.0  # pixels of a 480x640 picture: the authors' value
SPLITS = ("train", "val", "test")
SCORED = "val"  # nobody outside has the fixations of "test"
OFFERED = salicon_releases.OFFERED
# What is published for the release of 2017, the points outside the picture counted.
COUNTS = {"train": (10_000, 4_598_112), "val": (5_000, 2_576_914), "test": (5_000, None)}
# The same of every release. They share the pictures, but not where people looked.
RELEASES = {
    "2017": COUNTS,
    "2015-gaze": {**COUNTS, "train": (10_000, 3_171_533), "val": (5_000, 1_662_655)},
    "2015-json": {split: (count, None) for split, (count, _) in COUNTS.items()},
    "2015-mat": {split: (count, None) for split, (count, _) in COUNTS.items()},
}
_WITH_MAPS = ("2017", "2015-gaze")


def load(
    data_dir: str, split: str = "train", limit: int | None = None, release: str | None = None
) -> list[Example]:
    """SALICON: everyday photographs, about 60 observers each, 5 seconds.

    They saw a picture sharp only around the mouse, and moved it to look. The
    pictures lie in `images/<split>/*.jpg` or `images/*.jpg` below `data_dir`
    (or its folder `salicon` or `SALICON`); of their headers the size is read.
    Where people looked was published several times, and scores on one release
    cannot be compared with scores on another:

    - "2017": `gaze` in `fixations/<split>/*.mat`: fixations, found in the
      mouse's path. `density_path` is the picture in `maps/<split>`, if there.
    - "2015-gaze": the same files of the release before, offered on the same
      page. Both are told apart by the number of samples of the mouse; where
      that is as low as in 2015, the release must be passed.
    - "2015-json": `fixations_<split>2014.json` in `data_dir`, `annotations` or
      `fixations`. Not fixations but all samples, about 7,000 a picture: the
      train set takes about 1 GB of memory. Reading it takes half a minute.
    - "2015-mat": `I` in `fixation/*.mat`, the layout of the LSUN challenge. It
      says where people looked but not how often or who: several fixations of a
      pixel are one, and `observers` is None. `saliency/*.mat` is not read.

    The folders `fixation` and `fixations` may hold the .mat files of any
    release, by split or together. Coordinates count from 1 in the files and are
    brought to 0; what lies outside the picture is dropped and counted. EXIF
    tags do not turn the pictures (`exif` is False): neither did COCO.
    "test" has no fixations, and serves prediction and submissions only.

    Args:
        data_dir: folder that holds `images` and where people looked.
        split: one of `SPLITS`: "train", "val" or "test".
        limit: at most so many pictures, or None for all.
        release: one of `RELEASES`, or None for the one that is there.

    Returns: list of `Example`, in file-name order.

    Raises:
        InputError: if a folder or file is missing, damaged, or of another
            release; without `release`, also if there are several.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from scipy import io
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("images", "fixation"):
        ...         os.mkdir(os.path.join(folder, name))
        ...     Image.new("RGB", (4, 3)).save(folder + "/images/COCO_val2014_01.jpg")
        ...     fixated = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]])
        ...     io.savemat(folder + "/fixation/COCO_val2014_01.mat", {"I": fixated})
        ...     example = load(folder, "val")[0]
        >>> example.name, example.size, example.fixations.tolist()
        ('COCO_val2014_01.jpg', (3, 4), [[1.0, 2.0], [3.0, 0.0]])

    Reference: Jiang, Huang, Duan and Zhao, "SALICON: Saliency in Context", CVPR
    2015.
    """
    check_split(split, SPLITS)
    root = salicon_releases.root_of(data_dir)
    folder, names = salicon_releases.images(root, split)
    images = _places(root, "images", split)
    if split == "test":
        return index.examples(
            "salicon-test",
            root,
            names[:limit],
            images,
            lambda name: _example(os.path.join(folder, name)),
        )
    release, sources = salicon_releases.told(root, release, split)
    source, read = _reader(release, sources[split][0], names[:limit])
    # Nothing tells which release maps beside the others are of.
    maps = _places(root, "maps", split, ".png") if release in _WITH_MAPS else lambda name: []
    return index.examples(
        f"salicon-{release}-{split}",
        root,
        names[:limit],
        lambda name: [*images(name), source(name), *maps(name)],
        lambda name: _example(os.path.join(folder, name), read, maps(name)),
    )


def release(data_dir: str) -> str:
    """The release of SALICON that a folder holds: one of `RELEASES`.

    It is told from the files; of the .mat files, a few are opened.

    Args:
        data_dir: as of `load`.

    Raises:
        InputError: if the folder holds none, several, or one that cannot be
            told. Says what there is, and what to pass to `load` as `release`.
    """
    return salicon_releases.told(salicon_releases.root_of(data_dir), None)[0]


def describe(data_dir: str, release: str | None = None) -> str:
    """The release of SALICON that a folder holds and its files, in one line.

    Args:
        data_dir: as of `load`.
        release: as of `load`.

    Raises:
        InputError: as of `load`.
    """
    root = salicon_releases.root_of(data_dir)
    release, sources = salicon_releases.told(root, release)
    parts = []
    for split in SPLITS:
        kinds = [("images", ".jpg"), ("maps", ".png")]
        found = [salicon_releases.folders(root, (kind,), split, end)[:1] for kind, end in kinds]
        if split not in sources or release not in _WITH_MAPS:
            found.pop()
        files = [
            f"{os.path.relpath(path, root)} ({len(names)} files)"
            for ((path, names),) in filter(None, found)
        ]
        if split in sources:
            path, size = sources[split]
            files.insert(1, f"{os.path.relpath(path, root)} ({size})")
        parts.append(f"{split}: {', '.join(files) or 'nothing'}")
    return f"SALICON, release {release}; {'; '.join(parts)}"


def _reader(release, source, names):
    """Of the picture's name: its file with fixations; with its size: x and y, and observers."""
    if release == "2015-json":
        return (lambda name: source), _json_reader(source, names)
    read = salicon_mat.fixated if release == "2015-mat" else salicon_mat.fixations

    def path(name):
        return os.path.join(source, f"{os.path.splitext(name)[0]}.mat")

    return path, lambda name, size: read(path(name), size)


def _json_reader(source, names):
    """Reads the file once, when the first picture is asked for: other threads wait."""
    reading, lock = concurrent.futures.Future(), threading.Lock()

    def read(name, size):
        with lock:
            if not reading.done():
                try:
                    reading.set_result(salicon_json.read(source, names))
                except Exception as error:  # the others need not read it to find out
                    reading.set_exception(error)
        looked = reading.result()
        if name not in looked:
            raise InputError(
                f"{source} does not list the picture {name}; use pictures and fixations of SALICON"
            )
        shown, points, observers = looked.pop(name)  # its memory is the example's now
        if shown != size:
            raise InputError(
                f"{source}: {name} has {shown[0]}x{shown[1]} pixels, its file {size[0]}x{size[1]}; "
                "use the pictures as published, unchanged"
            )
        return points, observers

    return read


def _places(root, kind, split, ending=None):
    """Of the picture's name: where a file of a kind may lie."""

    def places(name):
        file = os.path.splitext(name)[0] + ending if ending else name
        return [os.path.join(root, kind, split, file), os.path.join(root, kind, file)]

    return places


def _example(path, read=None, maps=()):
    name, size = os.path.basename(path), pictures.size(path, exif=False)
    points, observers = read(name, size) if read else (np.zeros((0, 2), "float32"), None)
    return example_inside(
        name,
        size,
        points,
        observers=observers,
        image_path=path,
        density_path=next(filter(os.path.isfile, maps), None),
        exif=False,
    )
