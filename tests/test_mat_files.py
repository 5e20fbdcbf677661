"""MATLAB files: read as SciPy does, or refused in a line before they do harm."""

import struct
import zlib

import numpy as np
import pytest
from checks import refused
from scipy import io

from keras_saliency import mat_files


def header(order="<"):
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "H", 0x0100) + b"IM"


def element(kind, content):
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(matrix_class, shape, rest=b"", name=b"x"):
    parts = element(6, struct.pack("<II", matrix_class, 0))
    parts += element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, name)
    return element(14, parts + rest)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("simplify", [False, True])
def test_it_reads_what_scipy_reads(tmp_path, compressed, simplify):
    path = str(tmp_path / "a.mat")
    gaze = np.zeros(3, dtype=[("fixations", object)])
    for i in range(3):
        gaze["fixations"][i] = np.ones((i, 2))
    values = {"gaze": gaze, "I": np.eye(3), "image": "COCO_1", "cell": np.array([1, "b"], object)}
    io.savemat(path, values, do_compression=compressed)
    found = mat_files.read(path, *values, simplify=simplify)
    expected = io.loadmat(path, simplify_cells=simplify)
    for name, value in zip(values, found, strict=True):
        assert repr(value) == repr(expected[name])


def test_big_endian_and_version_4_are_read(tmp_path):
    path = str(tmp_path / "a.mat")
    io.savemat(path, {"I": np.eye(2)}, format="4")
    assert mat_files.read(path, "I")[0].tolist() == np.eye(2).tolist()


def test_a_lacking_variable_is_named_with_those_that_are_there(tmp_path):
    path = str(tmp_path / "a.mat")
    io.savemat(path, {"gaze": 1.0, "image": "x"})
    refused(lambda: mat_files.read(path, "I"), "a.mat", "no variable 'I'", "gaze, image")


def test_a_missing_file_and_one_of_matlab_7_3_are_told(tmp_path):
    refused(lambda: mat_files.read(str(tmp_path / "b.mat"), "I"), "no such file", "b.mat")
    (tmp_path / "c.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\x02IM" + bytes(200))
    refused(lambda: mat_files.read(str(tmp_path / "c.mat"), "I"), "c.mat", "7.3", "-v7")


HOSTILE = {
    "a billion cells": matrix(1, (2**30, 1)),
    "as many structs": matrix(2, (2**15, 2**15), element(5, struct.pack("<i", 8))),
    "a negative size": matrix(1, (-1, 2)),
    "a long text of nothing": matrix(4, (1, 2**31 - 1), element(16, b"a")),
    "an element beyond the end": struct.pack("<II", 14, 2**31) + bytes(64),
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_asks_for_more_than_it_holds_is_refused(tmp_path, name, compressed):
    content = HOSTILE[name]
    if compressed:
        packed = zlib.compress(content)
        content = struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(header() + content)
    refused(lambda: mat_files.read(str(tmp_path / "a.mat"), "x"), "a.mat")


def test_cells_in_cells_in_cells_are_refused_before_they_end_the_process(tmp_path):
    nested = matrix(6, (1, 1), element(9, bytes(8)))
    for _ in range(3000):
        nested = matrix(1, (1, 1), nested, b"")
    (tmp_path / "a.mat").write_bytes(header() + nested)
    refused(lambda: mat_files.read(str(tmp_path / "a.mat"), "x"), "a.mat")


def test_a_bomb_is_refused(tmp_path):
    packed = zlib.compress(bytes(2 * mat_files.MOST_BYTES), 9)
    content = struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(header() + content)
    refused(lambda: mat_files.read(str(tmp_path / "a.mat"), "x"), "a.mat", "bytes")
