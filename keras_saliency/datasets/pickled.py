"""SALICON as the JuntingNet papers packed it: pictures and densities in one pickle a split."""

import os

import numpy as np

from keras_saliency import files, untrusted
from keras_saliency.datasets import pickled_fields, unpickling
from keras_saliency.datasets.example import Example, check_split
from keras_saliency.datasets.pickled_fields import MAPS, PICTURES
from keras_saliency.errors import InputError

SIGMA = None  # the densities were published as they are
SPLITS = ("train", "val", "test")
SCORED = "val"  # "test" may have no densities
ENDINGS = (".npz", ".pkl", ".pickle")  # the first that is there is read


def load(data_dir: str, split: str = "train", limit: int | None = None) -> list[Example]:
    """Pictures and densities without fixations, from the JuntingNet papers' pickles.

    Reads `SPLIT.npz` below `data_dir`, which `convert` writes, or else
    `SPLIT.pkl` or `SPLIT.pickle` in either of two layouts:

    - a list of dicts with `X` (3 x 96 x 96), `y` (48 x 48) and `file_name`
      (Bristol, 2020). If they have `X_original` and `y_original` (480 x 640)
      too, these are the pictures and densities.
    - a tuple of `X` (n x 3 x 96 x 96) and `y` (n x 2304), or `X` alone
      (JuntingNet's own). Here the code that made them cut the pictures to their
      middle square but squeezed the whole densities into one: with 4:3 pictures
      they do not lie on one another. It cannot be undone.

    `X` may be 0-1 or 0-255, with one channel or three; `y` flat or not, 0-1,
    0-255 or -1 to 1; all sizes are the data's. A pickle is not trusted: what
    is not arrays, text or numbers is refused.

    Args:
        data_dir: folder that holds the files.
        split: one of `SPLITS`. "test" has no densities, and serves prediction,
            if its file has none.
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, in the file's order, with `image` (whole gray
        levels), `density` (float32, 0 to 1; None if the file has none) and no
        fixations. Names are the file's; one that comes again, as of mirrored
        copies, gets a number; where there are none, "000001" and so on.

    Raises:
        InputError: names the file, and the entry that is broken.

    Example:
        >>> import pickle, tempfile
        >>> entry = {"X": np.ones((3, 96, 96)), "y": np.eye(48), "file_name": "a.jpg"}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "train.pkl"), "wb") as file:
        ...         pickle.dump([entry, entry], file)
        ...     examples = load(folder, "train")
        >>> [example.name for example in examples]
        ['a.jpg', 'a-2.jpg']
        >>> examples[0].image.shape, examples[0].image.max(), examples[0].density.shape
        ((96, 96, 3), np.uint8(255), (48, 48))

    References: Pan, Sayrol, Giró-i-Nieto, McGuinness and O'Connor, "Shallow and
    deep convolutional networks for saliency prediction", CVPR 2016; Chalk and
    Coyne, "An exploration of shallow convolutional networks for saliency
    prediction", University of Bristol, 2020.
    """
    check_split(split, SPLITS)
    path = _find(data_dir, split)
    arrays = _read_npz(path) if path.endswith(".npz") else _from_pickle(path, limit, whole=False)
    images = arrays.get("original_images", arrays.get("images"))
    densities = arrays.get("original_densities", arrays.get("densities"))
    size, nowhere = images.shape[1:3], np.zeros((0, 2), "float32")
    return [
        Example(
            str(name),
            size,
            nowhere,
            image=images[i],
            density=None if densities is None else densities[i],
        )
        for i, name in enumerate(arrays["names"][:limit])
    ]


def convert(path: str, output: str) -> str:
    """Writes a pickle's pictures and densities as an `.npz` that anybody can read safely.

    It holds `images` (uint8, n x height x width x 3), `densities` (float32, n x
    height x width), `names`, and `original_images` and `original_densities` if
    the pickle has them. A third of the size of float32 pictures, and read in
    seconds.

    Args:
        path: a pickle in one of the layouts that `load` reads.
        output: file to write, ending in .npz; whole or not at all.

    Returns: what it found, like "500 pictures 96x96, maps 48x48".

    Raises:
        InputError: as `load`; or if `output` does not end in .npz.
    """
    if not output.endswith(".npz"):
        raise InputError(f"{output} must end in .npz")
    arrays = _from_pickle(path)
    with files.replacing(output) as temporary:
        np.savez(temporary, **arrays)
    found = f"{len(arrays['names'])} pictures"
    for images, densities in zip(PICTURES.values(), MAPS.values(), strict=True):
        if images in arrays:
            found += ", originals" if images.startswith("original") else ""
            found += " {}x{}".format(*arrays[images].shape[1:3])
            of_maps = arrays[densities].shape[1:] if densities in arrays else None
            found += ", maps {}x{}".format(*of_maps) if of_maps else ", no maps"
    return found


def _find(data_dir, split):
    if not data_dir:
        raise InputError("pickled needs the folder that holds the pickles: --data-dir DIR")
    for ending in ENDINGS:
        path = os.path.join(data_dir, split + ending)
        if os.path.isfile(path):
            return path
    names = ", ".join(split + ending for ending in ENDINGS[1:])
    raise InputError(f"no such file: {os.path.join(data_dir, split)}.npz (nor {names})")


def _read_npz(path):
    """The arrays that `convert` wrote; of pictures that have originals, those alone."""
    try:
        untrusted.check_zip(path)
        with np.load(path, allow_pickle=False, max_header_size=4096) as file:
            whole = {"original_images", "original_densities"} <= set(file)
            wanted = [f"{'original_' if whole else ''}{name}" for name in ("images", "densities")]
            arrays = {name: file[name] for name in (*wanted, "names") if name in file}
        images, names = arrays[wanted[0]], arrays["names"]
        densities = arrays.get(wanted[1], np.zeros((len(names), 1, 1), "float32"))
        ours = (
            (images.dtype, images.ndim, images.shape[3:]) == ("uint8", 4, (3,))
            and (densities.dtype, densities.ndim) == ("float32", 3)
            and (names.dtype.kind, names.ndim) == ("U", 1)
            and len(images) == len(densities) == len(names) > 0
            and min(*images.shape, *densities.shape) > 0
            and np.isfinite(densities).all()
            and densities.min() >= 0
            and names.tolist() == _names([{"file_name": str(name)} for name in names])
        )
    except (Exception, MemoryError) as error:  # damaged, it raises a dozen kinds
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged or another kind of "
            "file; convert the pickle again"
        ) from error
    if not ours:
        raise InputError(f"{path} does not hold what experiments/convert_pickle.py writes")
    return arrays


def _from_pickle(path, limit=None, whole=True):
    try:
        return _arrays(_entries(path), path, limit, whole)
    except (MemoryError, RecursionError):
        raise InputError(f"{path} does not fit into this machine's memory") from None


def _entries(path):
    """Either layout as a list of dicts, one a picture."""
    found = unpickling.load(path)
    if isinstance(found, (list, tuple)) and any(isinstance(entry, dict) for entry in found):
        for number, entry in enumerate(found, start=1):
            if not isinstance(entry, dict):
                raise InputError(f"{path}, entry {number} of {len(found)} is no dict")
        return [
            {_text(key): field for key, field in entry.items() if isinstance(key, (str, bytes))}
            for entry in found
        ]
    columns = found if isinstance(found, (list, tuple)) and len(found) in (1, 2) else (found,)
    arrays = [pickled_fields.array(column) for column in columns if column is not None]
    if not arrays or any(a.dtype.kind not in "buif" or a.ndim < 2 for a in arrays):
        raise InputError(
            f"{path} holds neither a list of dicts with X and y nor a tuple of arrays X and y"
        )
    if any(len(array) and not array.size for array in arrays):
        raise InputError(f"{path} holds arrays without numbers")
    if len({len(array) for array in arrays}) > 1:
        raise InputError(f"{path} holds {len(arrays[0])} pictures and {len(arrays[1])} maps")
    return [dict(zip("Xy", fields, strict=False)) for fields in zip(*arrays, strict=True)]


def _text(text):
    return text.decode("latin1") if isinstance(text, bytes) else str(text)


def _arrays(entries, path, limit=None, whole=True):
    """The arrays of the converted file; without `whole`, of originals those alone.

    The entries are emptied on the way, so that nothing is in memory twice.
    """
    if not entries:
        raise InputError(f"{path} holds no pictures")
    arrays = {"names": np.array(_names(entries)[:limit])}
    found = set().union(*entries)
    keys = ["X", "y"] if "y" in found else ["X"]
    originals = ["X_original", "y_original"]
    if found.issuperset(originals):
        keys = [*keys, *originals] if whole else originals
    for key in keys:
        name = {**PICTURES, **MAPS}[key]
        arrays[name] = pickled_fields.stacked(entries, key, len(arrays["names"]), path)
    return arrays


def _names(entries):
    """The pictures' file names, without folders; no two differ in their endings alone."""
    names, stems, copies = [], set(), {}
    for number, entry in enumerate(entries, start=1):
        name = entry.get("file_name")
        name = _text(name).replace("\\", "/") if isinstance(name, (str, bytes)) else ""
        name = "".join(filter(str.isprintable, os.path.basename(name))) or f"{number:06d}"
        stem, ending = os.path.splitext(name)
        unique = stem
        while unique in stems:
            copies[stem] = copies.get(stem, 1) + 1
            unique = f"{stem}-{copies[stem]}"
        stems.add(unique)
        names.append(unique + ending)
    return names
