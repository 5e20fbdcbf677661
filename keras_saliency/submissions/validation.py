"""Is a file or folder that somebody made what the benchmark takes?"""

import base64
import functools
import io
import operator
import os
import zipfile

import numpy as np
from PIL import Image

from keras_saliency import pictures, untrusted
from keras_saliency.errors import InputError
from keras_saliency.submissions.checks import check, raise_problems
from keras_saliency.submissions.stimuli import JUNK, files_below, stem, stimulus_sizes
from keras_saliency.submissions.writers import image_id

MOST_RESULTS = 4096 * untrusted.MB  # of a JSON file with every map in it
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def validate(path: str, benchmark: str, stimuli_dir: str, progress=iter) -> int:
    """Checks names, sizes and values of a submission, whoever made it.

    Args:
        path: for "salicon" a `.zip` of PNGs (2017) or a `.json` (2015), for
            "mit300" and "cat2000" a folder or `.zip` of JPEGs or PNGs, for
            "tuebingen" an HDF5 file of log densities. The writers' docstrings
            say what they hold, and what of it is from memory.
        benchmark: one of `BENCHMARKS`.
        stimuli_dir: folder that holds the pictures, for CAT2000 the category
            folders.
        progress: wraps the iterator over the maps, such as `tqdm.tqdm`.

    Returns: the number of maps.

    Raises:
        InputError: one line that lists what is wrong.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("stimuli/i1.jpg", "maps/i1.png"):
        ...         os.makedirs(os.path.dirname(os.path.join(folder, name)))
        ...         Image.linear_gradient("L").save(os.path.join(folder, name))
        ...     validate(folder + "/maps", "mit300", folder + "/stimuli")
        1
    """
    sizes = stimulus_sizes(benchmark, stimuli_dir)
    if not os.path.exists(path):
        raise InputError(f"no such file or folder: {path}")
    if benchmark == "tuebingen":
        stored = _log_densities(path, sizes)
    elif benchmark == "salicon" and path.endswith(".json"):
        stored = _from_json(path, sizes)
    elif benchmark != "salicon" and os.path.isdir(path):
        stored = _from_folder(path)
    else:
        stored = _from_zip(path, benchmark)
    raise_problems(check(progress(stored), sizes, benchmark == "tuebingen"), path)
    return len(sizes)


def _from_folder(path):
    for name in files_below(path):
        opened = functools.partial(open, os.path.join(path, name), "rb")
        yield name, _gray(opened, name, _FORMATS)


def _from_zip(path, benchmark):
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as a zip file ({error})") from error
    formats = {".png": "PNG"} if benchmark == "salicon" else _FORMATS
    with archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        names = [name for name in names if not set(name.split("/")) & set(JUNK)]
        top = "" if benchmark == "salicon" else _top(names, benchmark)
        for name in names:
            opened = functools.partial(archive.open, name)
            yield name.removeprefix(top), _gray(opened, name, formats)


def _top(names, benchmark):
    """The folder of the model's name, if there is one around all maps."""
    tops = {name.partition("/")[0] for name in names}
    inside = all(name.count("/") > (benchmark == "cat2000") for name in names)
    return tops.pop() + "/" if inside and len(tops) == 1 else ""


def _from_json(path, sizes):
    names = {image_id(name): stem(name) + ".png" for name in sizes}
    try:
        found = untrusted.read_json(path, MOST_RESULTS)
        results = [(operator.index(result["image_id"]), result["saliency_map"]) for result in found]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not a JSON list of image_id and saliency_map "
            f"({type(error).__name__}: {error})"
        ) from error
    for number, text in results:
        name = names.get(number, f"image_id {number}")
        yield name, _gray(functools.partial(_decoded, text), name)


def _decoded(text):
    return io.BytesIO(base64.b64decode(text))


def _gray(opened, name, formats=None):
    """The pixels of an 8-bit gray picture, or an `InputError` that says why not."""
    try:
        with opened() as file, Image.open(file, formats=pictures.FORMATS) as picture:
            wanted = formats and formats.get(os.path.splitext(name)[1].lower())
            if formats and picture.format != wanted:
                endings = ", ".join(formats)
                return InputError(
                    f"{name}: a {picture.format} picture; wanted is one that ends in {endings} "
                    "and is what its ending says"
                )
            if picture.mode != "L":
                return InputError(f"{name}: mode {picture.mode}; wanted is L, 8-bit gray")
            if picture.width * picture.height > pictures.MAX_PIXELS:
                return InputError(f"{name}: too large, {picture.width}x{picture.height} pixels")
            return np.asarray(picture)
    except Exception as error:  # Pillow and zipfile raise half a dozen kinds on damaged files
        return InputError(f"{name}: does not decode as a picture ({error})")


def _log_densities(path, sizes):
    import h5py  # here: the other benchmarks do without it

    names_of = {stem(name): name for name in sizes}
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} cannot be read as an HDF5 file ({reason})") from error
    with file:
        names = []
        file.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        for name in names:
            values, picture = file[name], names_of.get(stem(name))
            if picture and name != picture:
                values = InputError(f"{name}: should be called {picture}")
            elif values.ndim != 2 or values.dtype.kind != "f":
                values = InputError(
                    f"{name}: {values.dtype} {values.shape}; wanted are floats (height, width)"
                )
            else:
                values = _read(values, name)
            yield name, values


def _read(dataset, name):
    if dataset.size > pictures.MAX_PIXELS:
        return InputError(f"{name}: too large, {dataset.shape}")
    try:
        return dataset[()]
    except OSError as error:
        return InputError(f"{name}: damaged ({error})")
