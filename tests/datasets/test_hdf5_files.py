"""Hostile HDF5 files are refused before they are read; sane ones are read."""

import zlib

import h5py
import numpy as np
import pytest
from checks import refused

from keras_saliency.datasets import hdf5_files

TEXT, LISTS = h5py.string_dtype(), h5py.vlen_dtype("int64")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.hdf5")


@pytest.fixture
def file(path):
    """A new file, open for writing; `found` and `refuses` close it."""
    with h5py.File(path, "w") as file:
        yield file


def read_at(path, read):
    with hdf5_files.reading(path) as reader:
        return read(reader)


def found(file, read):
    path = file.filename
    file.close()
    return read_at(path, read)


def refuses(file, read, *words):
    refused(lambda: found(file, read), "a.hdf5", *words)


def x(reader):
    return reader.numbers("x")


@pytest.mark.parametrize("dtype", ["int8", ">i4", "uint64", "float16", "float64", ">f8"])
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"chunks": True}])
def test_numbers_are_read(file, dtype, options):
    file.create_dataset("a/x", data=np.arange(6).reshape(2, 3).astype(dtype), **options)
    kept, made = found(
        file, lambda r: (r.numbers("a/x", None, (2,)), r.numbers("a/x", "float32", (1, 2)))
    )
    assert (kept.dtype, made.dtype) == (dtype, "float32")
    assert kept.tolist() == made.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_all_gzip_filters_together_are_read(file):
    values = np.arange(100_000)
    file.create_dataset("x", data=values, compression="gzip", shuffle=True, fletcher32=True)
    assert found(file, x).tolist() == values.tolist()


def test_texts_lists_and_attributes_are_read(file):
    file.attrs["type"] = np.bytes_("Kümmerer".encode())
    file.create_dataset("texts", data=["ü", "", "b" * 1000], dtype=TEXT)
    file["fixed"] = np.array([b"ab", b"c"])
    file.create_dataset("lists", 3, LISTS)
    file["lists"][0], file["lists"][2] = [1, 2, 3], [4]
    file["table"] = [[1, 2], [3, 4]]
    file.create_dataset("none", 0, TEXT)

    def read(reader):
        assert reader.attribute("type") == "Kümmerer"
        assert reader.attribute("version") == ""
        assert reader.texts("texts") == ["ü", "", "b" * 1000]
        assert reader.texts("fixed") == ["ab", "c"]
        assert reader.texts("none") == []
        assert [each.tolist() for each in reader.lists("lists")] == [[1, 2, 3], [], [4]]
        assert [each.tolist() for each in reader.lists("table")] == [[1, 2], [3, 4]]
        assert (reader.is_text("texts"), reader.is_text("table")) == (True, False)
        assert (reader.has("table"), reader.has("table/x"), reader.has("no")) == (
            True,
            False,
            False,
        )
        return True

    assert found(file, read)


@pytest.mark.parametrize("link", [h5py.SoftLink("/y"), h5py.ExternalLink("b.hdf5", "/x")])
def test_links_are_refused(file, link):
    file["y"], file["x"] = [1], link
    refuses(file, x, "refused", "x is a link")


def test_a_group_that_is_a_link_is_refused(file):
    file["a/x"], file["b"] = [1], h5py.SoftLink("/a")
    refuses(file, lambda r: r.numbers("b/x"), "is a link")


def test_what_lies_in_other_files_is_refused(file, path, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(8))
    file.create_dataset("x", 2, "f4", external=[(str(tmp_path / "secret"), 0, 8)])
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("b.hdf5", "x", (2,))
    file.create_virtual_dataset("v", layout)
    refuses(file, x, "x lies in other files")
    refused(lambda: read_at(path, lambda r: r.numbers("v")), "v lies in other files")


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": (1000,)}, {"chunks": (1000,), "compression": "gzip"}],
)
def test_terabytes_of_nothing_are_refused(file, options):
    file.create_dataset("x", 10**12, "f4", **options)
    refuses(file, x, "x asks for 4000000000000 bytes", "the whole file has")


def test_all_that_is_read_counts(file, path, monkeypatch):
    monkeypatch.setattr(hdf5_files, "MOST_BYTES", 8000)
    monkeypatch.setattr(hdf5_files, "MOST_RATIO", 0)
    file["x"] = np.zeros(500)
    assert len(found(file, lambda r: (x(r), x(r)))) == 2
    refused(lambda: read_at(path, lambda r: (x(r), x(r), x(r))), "asks for 4000 bytes")


def test_what_the_numbers_become_counts(file, monkeypatch):
    monkeypatch.setattr(hdf5_files, "MOST_BYTES", 8000)
    monkeypatch.setattr(hdf5_files, "MOST_RATIO", 0)
    file["x"] = np.zeros(1001, "int8")
    refuses(file, lambda r: r.numbers("x", "float64"), "asks for 8008 bytes")


def test_a_large_chunk_of_a_small_array_is_refused(file):
    file.create_dataset("x", 10, "u1", maxshape=(None,), chunks=(2**30,), compression="gzip")
    refuses(file, x, "chunks larger than the file")


def test_a_chunk_that_unpacks_to_gigabytes_is_refused(file):
    dataset = file.create_dataset("x", 1000, "u1", chunks=(1000,), compression="gzip")
    dataset.id.write_direct_chunk((0,), zlib.compress(bytes(300_000_000), 9))
    refuses(file, x, "compressed chunks of more than")


@pytest.mark.parametrize("options", [{"compression": "lzf"}, {"scaleoffset": 3}])
def test_other_compressions_are_refused(file, options):
    file.create_dataset("x", data=np.arange(1000), **options)
    refuses(file, x, "another way than gzip's")


def test_a_filter_twice_is_refused(file):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((1000,))
    settings.set_deflate(9)
    settings.set_deflate(9)
    space = h5py.h5s.create_simple((1000,))
    h5py.h5d.create(file.id, b"x", h5py.h5t.NATIVE_INT8, space, settings)
    refuses(file, x, "another way than gzip's")


@pytest.mark.parametrize("name", ["texts", "lists"])
def test_an_entry_that_lies_about_its_length_is_refused(file, path, name):
    # HDF5 itself makes room for all of it: 16 GB.
    file.create_dataset("texts", data=["abc"] * 3, dtype=TEXT)
    file.create_dataset("lists", 3, LISTS)[0] = [1, 2, 3]
    at = file[name].id.get_offset()
    file.close()
    with open(path, "r+b") as broken:
        broken.seek(at)
        broken.write((2**31 - 1).to_bytes(4, "little"))
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: read_at(path, lambda r: getattr(r, name)(name)), "an entry that is longer")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000  # KB


def test_one_entry_shown_a_thousand_times_counts_so_often(file, path, monkeypatch):
    monkeypatch.setattr(hdf5_files, "MOST_BYTES", 10**6)
    monkeypatch.setattr(hdf5_files, "MOST_RATIO", 0)
    file.create_dataset("texts", data=["a" * 5000, *["b"] * 999], dtype=TEXT)
    at = file["texts"].id.get_offset()
    file.close()
    with open(path, "r+b") as broken:
        broken.seek(at)
        entry = broken.read(16)
        broken.seek(at)
        broken.write(entry * 1000)
    refused(lambda: read_at(path, lambda r: r.texts("texts")), "texts asks for 5000 bytes")


def test_texts_in_chunks_are_refused(file):
    file.create_dataset("x", data=["a"], dtype=TEXT, chunks=(1,))
    refuses(file, lambda r: r.texts("x"), "another way than pysaliency's")


@pytest.mark.parametrize(
    "value",
    ["of no fixed length", np.bytes_("a" * 65_000), np.array([b"a", b"b"]), 7, h5py.Empty("S3")],
    ids=["varying", "long", "several", "number", "empty"],
)
def test_attributes_that_are_no_short_texts_are_refused(file, monkeypatch, value):
    monkeypatch.setattr(hdf5_files, "MOST_TEXT", 1000)
    file.attrs["type"] = value
    refuses(file, lambda r: r.attribute("type"), "its attribute type is no text")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (np.array([b"a"]), x),
        (np.array([1 + 1j]), x),
        (np.array([(1, 2)], "i4,i4"), x),
        (np.array([True]), x),
        (np.zeros((1, 1)), x),
        (1.0, x),
        (h5py.Empty("f4"), x),
        (np.zeros(3), lambda r: r.texts("x")),
        (np.array([[b"a"]]), lambda r: r.texts("x")),
        (np.zeros(3), lambda r: r.lists("x")),
        (np.array([b"a"]), lambda r: r.lists("x")),
        (np.array([b"\xff"]), lambda r: r.texts("x")),
        (np.zeros(3), lambda r: r.numbers("y")),
        (np.zeros(3), lambda r: r.numbers("x/y")),
        (np.zeros(3), lambda r: r.numbers("/")),
    ],
)
def test_what_is_something_else_is_refused(file, value, read):
    file["x"] = value
    refuses(file, read)


def test_a_missing_file_is_named(tmp_path):
    refused(lambda: read_at(str(tmp_path / "no.hdf5"), x), "no such file", "no.hdf5")


@pytest.mark.parametrize("content", [b"", b"abc", b"\x89HDF\r\n\x1a\n" + bytes(90)])
def test_another_kind_of_file_is_named(path, content):
    with open(path, "wb") as file:
        file.write(content)
    refused(lambda: read_at(path, x), "a.hdf5 cannot be read as HDF5", "damaged or another kind")


def test_flipped_bits_end_in_one_line_or_none(file, path):
    file.attrs["type"] = np.bytes_("a")
    file.create_dataset("x", data=np.arange(2000), compression="gzip")
    file.create_dataset("texts", data=["abc"] * 3, dtype=TEXT)
    file.close()
    with open(path, "rb") as whole:
        data = whole.read()
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for at in random.integers(0, len(data), 4):
            broken[at] = random.integers(256)
        with open(path, "wb") as target:
            target.write(broken)
        try:
            read_at(path, lambda r: (r.attribute("type"), x(r), r.texts("texts")))
        except hdf5_files.InputError as error:
            assert "\n" not in str(error)
