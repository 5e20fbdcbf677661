"""What the tests of pysaliency's files share: files in every version, and a comparison."""

import pathlib

import h5py
import numpy as np

from keras_saliency import pictures
from keras_saliency.datasets import pysaliency

# tests/pysaliency/make_hdf5.py had pysaliency write and read these.
THEIRS = pathlib.Path(__file__).parent / "pysaliency" / "hdf5"


def load(path, *args):
    return pysaliency.load(str(path), *args)


def save(examples, path):
    pysaliency.save(examples, str(path))


def write(path, kind, version, content):
    """An HDF5 file as pysaliency begins it, with these arrays."""
    with h5py.File(path, "w") as file:
        file.attrs["type"], file.attrs["version"] = np.bytes_(kind), np.bytes_(version)
        for name, values in content.items():
            file[name] = values
    return path


def write_stimuli(path, filenames, shape=(12, 16, 3), version="2.1"):
    """A FileStimuli of pictures that all have one shape."""
    write(path / "stimuli.hdf5", "FileStimuli", version, {})
    with h5py.File(path / "stimuli.hdf5", "a") as file:
        file.create_dataset("filenames", data=filenames, dtype=h5py.string_dtype())
        shapes = file.create_dataset("shapes", len(filenames), h5py.vlen_dtype("int64"))
        for number in range(len(filenames)):
            shapes[number] = np.array(shape)


def write_fixations(path, n, **more):
    """A Fixations with one at (1, 2) of each of these pictures."""
    count = len(n)
    given = {"x": np.full(count, 1.0), "y": np.full(count, 2.0), "n": n, "subjects": np.ones(count)}
    write(path / "fixations.hdf5", "Fixations", "1.0", given | more)


def same(first, second, **but):
    """Two examples agree in all but what is named."""
    for field in ("name", "size", "fixations", "observers", "durations_ms", "dropped"):
        a, b = but.get(field, getattr(first, field)), getattr(second, field)
        assert (a is None) == (b is None), field
        if a is not None:
            np.testing.assert_array_equal(a, b, field)
    np.testing.assert_array_equal(pictures.of(first), pictures.of(second))
