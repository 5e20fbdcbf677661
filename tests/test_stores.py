"""Files here and in a store of Beam's are found, read and written whole in the same way."""

import os
import pathlib
import sys

import pytest

from keras_saliency import stores
from keras_saliency.errors import InputError


@pytest.fixture(params=["here", "far"])
def root(request, tmp_path, monkeypatch):
    if request.param == "here":
        return str(tmp_path)
    pytest.importorskip("apache_beam")
    import far_store

    monkeypatch.setattr(far_store.FarStore, "root", str(tmp_path))
    return "far://bucket"


def test_written_read_and_found(root):
    path = stores.join(root, "a", "b.json")
    stores.write_json(path, {"c": 1})
    assert stores.read_json(path) == {"c": 1}
    with stores.here(path) as local:
        assert os.path.basename(local) == "b.json"
        assert pathlib.Path(local).read_text() == '{\n  "c": 1\n}\n'
    assert stores.names(stores.join(root, "a")) == {"b.json"}
    assert stores.names(stores.join(root, "nothing")) == set()
    (found,) = stores.find(stores.join(root, "*", "*.json"))
    assert found.path == path
    stores.write_json(path, {"c": 1000})
    assert stores.find(path)[0].stamp != found.stamp


def test_what_fails_leaves_what_was_there(root):
    path = stores.join(root, "a.json")
    stores.write_json(path, 1)
    with pytest.raises(ZeroDivisionError), stores.replacing(path) as temporary:
        pathlib.Path(temporary).write_text("half")
        _ = 1 / 0
    assert stores.read_json(path) == 1
    assert stores.names(root) == {"a.json"}


def test_what_is_not_there_or_damaged(root):
    with pytest.raises(InputError, match=r"no\.json cannot be read"):
        stores.read(stores.join(root, "no.json"))
    path = stores.join(root, "a.json")
    with stores.replacing(path) as temporary:
        pathlib.Path(temporary).write_text("{")
    with pytest.raises(InputError, match=r"a\.json is damaged"):
        stores.read_json(path)
    assert stores.find(stores.join(root, "no.json")) == []


def test_sweep_leaves_what_is_whole(root, tmp_path):
    stores.write_json(stores.join(root, "a.json"), 1)
    below = tmp_path / ("bucket" if stores.is_remote(root) else "")
    begun = below / ".writing-x"
    if stores.is_remote(root):
        begun.write_text("half")
    else:
        (below / "sub" / ".writing-y").mkdir(parents=True)
        begun.mkdir()
        stores.sweep(root, below=False)
        assert os.listdir(below / "sub") == [".writing-y"] and not begun.exists()
        begun.mkdir()
    stores.sweep(root)
    assert stores.names(root) - {"sub"} == {"a.json"}
    assert not (below / "sub").exists() or not os.listdir(below / "sub")


def test_a_file_that_is_too_large(root):
    path = stores.join(root, "a.json")
    stores.write_json(path, 1)
    assert stores.read(path, 2) == b"1\n"
    with pytest.raises(InputError, match=r"a\.json is too large: more than 1 bytes"):
        stores.read(path, 1)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gs://bucket/*", r"pip install 'apache-beam\[gcp\]'"),
        ("s3://bucket/*", r"pip install 'apache-beam\[aws\]'"),
        ("hdfs://host/*", r"pip install 'apache-beam\[hadoop\]'"),
        ("foo://bucket/*", "it knows gs://, s3://"),
    ],
)
def test_a_store_that_beam_does_not_know_here(path, words):
    filesystems = pytest.importorskip("apache_beam.io.filesystems").FileSystems
    # What an earlier pipeline's flags were would be looked at.
    before, filesystems._pipeline_options = filesystems._pipeline_options, None
    try:
        with pytest.raises(InputError, match=words):
            stores.find(path)
    finally:
        filesystems._pipeline_options = before


def test_a_store_without_beam(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.io.filesystems", None)
    with pytest.raises(InputError, match=r"pip install 'keras_saliency\[beam\]'"):
        stores.find("gs://bucket/*.jpg")
