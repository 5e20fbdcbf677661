"""One function a benchmark: predictions in, a file or folder to hand in out."""

import base64
import json
import os
import tempfile
import zipfile

import numpy as np
from PIL import Image

from keras_saliency import files
from keras_saliency.errors import InputError
from keras_saliency.submissions.checks import accepted, raise_problems
from keras_saliency.submissions.stimuli import files_below, stem, stimulus_sizes


def salicon(predictions, stimuli_dir: str, output: str) -> int:
    """Writes the saliency maps of SALICON's pictures, for the challenge of 2017 or 2015.

    The ending of `output` chooses. `.zip` is 2017 (CodaLab 17136): an 8-bit
    gray PNG a picture, 480x640, named like the picture, no folder around them;
    PNG and the missing folder are from memory, the challenge's page does not
    say. `.json` is 2015: a list of `image_id` and `saliency_map`, a PNG in
    base64, as salicon.net describes it; that server wanted one such file for
    val2014 and one for test2014, called `fixations_test2014_MODEL_results.json`,
    together in a zip.

    Args:
        predictions: iterable of `(name, saliency_map)`, in any order, read one
            at a time: the picture's file name, whatever its ending, and an
            array `(height, width)` or `(height, width, 1)` of the picture's own
            size, not negative; it is stretched to 0-255. An `InputError` in
            place of the array counts as one of the problems.
        stimuli_dir: folder that holds the pictures.
        output: `.zip` or `.json` file to write.

    Returns: the number of maps.

    Raises:
        InputError: lists what is wrong with names, sizes and values; nothing
            is written then.

    Reference: http://salicon.net/challenge-2017 and http://salicon.net/upload
    """
    _check_file(output, ".zip", ".json")
    sizes = stimulus_sizes("salicon", stimuli_dir)
    with files.replacing(output) as temporary, _room_beside(temporary) as folder:
        _write_pictures(predictions, sizes, folder, output, ending=".png")
        (_pack_json if output.endswith(".json") else _pack_zip)(folder, temporary)
    return len(sizes)


def mit300(predictions, stimuli_dir: str, output: str) -> int:
    """Writes the saliency maps of MIT300: 8-bit JPEGs with the pictures' names and sizes.

    `output` is a folder, or a `.zip` that holds the maps in a folder of its own
    name, which should be the model's. All that is on the benchmark's page. The
    JPEG quality is ours: 100, at most one shade of gray off.

    Args:
        predictions, stimuli_dir: as in `salicon`.
        output: folder or `.zip` file to write.

    Returns: the number of maps.

    Raises:
        InputError: as in `salicon`.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     os.mkdir(folder + "/stimuli")
        ...     Image.new("RGB", (8, 6)).save(folder + "/stimuli/i1.jpg")
        ...     maps = [("i1.jpg", np.arange(48.0).reshape(6, 8))]
        ...     count = mit300(maps, folder + "/stimuli", folder + "/maps")
        ...     count, os.listdir(folder + "/maps")
        (1, ['i1.jpg'])

    Reference: https://saliency.mit.edu/submission_mit300.html
    """
    return _folder_or_zip("mit300", predictions, stimuli_dir, output)


def cat2000(predictions, stimuli_dir: str, output: str) -> int:
    """Writes the saliency maps of CAT2000's test pictures: 8-bit JPEGs in category folders.

    As `mit300`, with names like `Action/001.jpg`, 1080x1920 each.

    Args:
        predictions: as in `salicon`.
        stimuli_dir: folder that holds the category folders, `testSet/Stimuli`.
        output: folder or `.zip` file to write.

    Returns: the number of maps.

    Raises:
        InputError: as in `salicon`.

    Reference: https://saliency.mit.edu/submission_cat2000.html
    """
    return _folder_or_zip("cat2000", predictions, stimuli_dir, output)


def tuebingen(predictions, stimuli_dir: str, output: str) -> int:
    """Writes log densities for the MIT/Tuebingen benchmark: an HDF5 file.

    A float32 dataset `(height, width)` a picture, under the picture's name,
    `i1.jpg` or `Action/001.jpg`: what pysaliency's `export_model_to_hdf5`
    writes and its `HDF5Model` reads. The server's code wants logarithms that
    sum to 1 within 0.001 and maps of the picture's own size. Its pictures are
    MIT300's, or CAT2000's test set; whether a COCO-Freeview folder is laid out
    in the same way was not looked up.

    Args:
        predictions: as in `salicon`, with natural logarithms of densities, see
            `densities.log_density`.
        stimuli_dir: folder that holds the pictures or the category folders.
        output: `.h5` or `.hdf5` file to write.

    Returns: the number of log densities.

    Raises:
        InputError: as in `salicon`.

    Reference: https://github.com/matthias-k/saliency-benchmarking and Kümmerer,
    Wallis and Bethge, "Saliency benchmarking made easy", ECCV 2018.
    """
    import h5py  # here: the other benchmarks do without it

    _check_file(output, ".h5", ".hdf5")
    sizes = stimulus_sizes("tuebingen", stimuli_dir)
    problems = []
    with files.replacing(output) as temporary:
        with h5py.File(temporary, "w") as file:
            for name, values in accepted(predictions, sizes, problems, log_density=True):
                # Shuffled, a smooth map takes a third less room; a date in the
                # file would make every copy another file.
                options = {"compression": 4, "shuffle": True, "track_times": False}
                file.create_dataset(name, data=values.astype("float32"), **options)
        raise_problems(problems, output)
    return len(sizes)


def _folder_or_zip(benchmark, predictions, stimuli_dir, output):
    if output.lower().endswith((".zip", ".json", ".h5", ".hdf5")):
        _check_file(output, ".zip")
        sizes = stimulus_sizes(benchmark, stimuli_dir)
        with files.replacing(output) as temporary, _room_beside(temporary) as folder:
            _write_pictures(predictions, sizes, folder, output)
            _pack_zip(folder, temporary, top=stem(os.path.basename(output)) + "/")
    else:
        _check_folder(output)
        sizes = stimulus_sizes(benchmark, stimuli_dir)
        with files.replacing(output) as temporary:
            _write_pictures(predictions, sizes, temporary, output)
    return len(sizes)


def _check_file(output, *endings):
    """Refuses before hours of prediction what could not be written after them."""
    if not output.lower().endswith(endings):
        raise InputError(f"{output} should be a file that ends in {' or '.join(endings)}")
    if os.path.isdir(output):
        raise InputError(f"{output} is a folder; name a file to write")


def _check_folder(output):
    """Refuses a folder that holds something: it would be replaced as a whole."""
    if os.path.isfile(output) or (os.path.isdir(output) and os.listdir(output)):
        raise InputError(f"{output} exists already; name a new folder, or a .zip file")


def _write_pictures(predictions, sizes, folder, output, ending=None):
    """Writes 8-bit maps under the pictures' names, or with another ending."""
    problems = []
    for name, values in accepted(predictions, sizes, problems):
        path = os.path.join(folder, name if ending is None else stem(name) + ending)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Image.fromarray(_stretched(values)).save(path, quality=100)
    raise_problems(problems, output)


def _stretched(values):
    values = values.astype("float64")
    low, high = values.min(), values.max()
    return np.round((values - low) / (high - low) * 255).astype("uint8")


def _room_beside(path):
    """A temporary folder on the disk that `path` is on."""
    return tempfile.TemporaryDirectory(dir=os.path.dirname(path))


def _pack_zip(folder, path, top=""):
    """Packs a folder's pictures, so that the same pictures make the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:  # pictures do not compress again
        for name in files_below(folder):
            entry = zipfile.ZipInfo(top + name)  # dated 1980
            entry.create_system = 3  # Unix, whatever this is
            entry.external_attr = 0o644 << 16
            with open(os.path.join(folder, name), "rb") as file:
                archive.writestr(entry, file.read())


def _pack_json(folder, path):
    with open(path, "w", encoding="utf-8") as results:
        separator = "["
        for name in files_below(folder):
            with open(os.path.join(folder, name), "rb") as file:
                picture = base64.b64encode(file.read()).decode("ascii")
            result = {"image_id": image_id(name), "saliency_map": picture}
            results.write(separator + json.dumps(result))
            separator = ",\n"
        results.write("]\n")


def image_id(name: str) -> int:
    """COCO's number of a picture, the last 12 digits of its name."""
    return int(stem(name)[-12:])
