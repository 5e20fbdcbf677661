"""A dataset's archives, fetched and unpacked, from a server on this machine."""

import hashlib
import io
import shutil
import zipfile

import pytest
import web_server

from keras_saliency import downloads
from keras_saliency.datasets import cat2000, isun, mit300, mit1003, osie


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    made = web_server.start(b"")
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def dataset(server):
    """Addresses of two archives and a file, as a dataset's `ARCHIVES`."""
    for name in ("trainSet", "testSet"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr(f"{name}/1.jpg", name)
        server.others[f"/{name}.zip"] = stream.getvalue()
    server.others["/points.mat"] = b"points"
    root = server.url.removesuffix("/a.bin")
    return [
        (
            root + path,
            hashlib.md5(body).hexdigest(),
            f"what {path[1:]} is",
            path[1:].split(".zip")[0],
        )
        for path, body in server.others.items()
    ]


def test_a_dataset_is_fetched_and_unpacked(server, dataset, tmp_path, capsys):
    downloads.get(dataset, str(tmp_path))
    names = [".downloaded.json", "points.mat", "testSet", "trainSet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "testSet" / "1.jpg").read_text() == "testSet"
    assert (tmp_path / "points.mat").read_bytes() == b"points"
    assert "what testSet.zip is" in capsys.readouterr().out
    downloads.get(dataset, str(tmp_path))
    assert len(server.asked) == 3, "all of it is there"
    assert "trainSet is there already" in capsys.readouterr().out


def test_what_was_lost_is_fetched_again(server, dataset, tmp_path):
    downloads.get(dataset, str(tmp_path))
    shutil.rmtree(tmp_path / "testSet")
    downloads.get(dataset, str(tmp_path))
    assert len(server.asked) == 4
    assert (tmp_path / "testSet" / "1.jpg").read_text() == "testSet"


def test_what_the_user_unpacked_or_fetched_is_used_and_kept(server, dataset, tmp_path):
    (tmp_path / "trainSet").mkdir()
    (tmp_path / "testSet.zip").write_bytes(server.others["/testSet.zip"])
    (tmp_path / "points.mat").write_bytes(b"points")
    downloads.get(dataset, str(tmp_path))
    assert not server.asked
    assert not list((tmp_path / "trainSet").iterdir())
    assert (tmp_path / "testSet" / "1.jpg").read_text() == "testSet"
    assert (tmp_path / "testSet.zip").exists()


@pytest.mark.parametrize("text", ["[1", "[1]", "3"])
def test_a_damaged_record_is_no_record(server, dataset, tmp_path, text):
    (tmp_path / ".downloaded.json").write_text(text)
    downloads.get(dataset, str(tmp_path))
    assert (tmp_path / "testSet").is_dir()


def test_what_an_archive_unpacks_to_need_not_be_called_like_it(server, dataset, tmp_path):
    """GitHub's `<commit>.zip` holds `<repository>-<commit>`, iSUN's `image.zip` `images`."""
    (url, checksum, what, _), *_ = dataset
    (tmp_path / "images").mkdir()
    downloads.get([(url, checksum, what, "images")], str(tmp_path))
    assert not server.asked
    (tmp_path / "images").rmdir()
    (tmp_path / "trainSet.zip.txt").touch()
    downloads.get([(url, checksum, what, "images")], str(tmp_path))
    assert (tmp_path / "trainSet" / "1.jpg").read_text() == "trainSet"


def test_nothing_more_is_fetched_once_all_is_there(server, dataset, tmp_path):
    downloads.get(dataset, str(tmp_path), lambda: (tmp_path / "trainSet").exists())
    assert len(server.asked) == 1
    assert not (tmp_path / "testSet").exists()


@pytest.mark.parametrize("module", [osie, cat2000, isun, mit1003, mit300])
def test_archives_are_addresses_with_full_checksums(module):
    for url, checksum, what, unpacked in module.ARCHIVES:
        assert url.startswith("http")
        assert downloads.ARCHIVE.search(url) or url.endswith("/" + unpacked)
        assert checksum is None or (len(checksum) in downloads.KINDS and int(checksum, 16))
        assert what and "/" not in unpacked and not downloads.ARCHIVE.search(unpacked)
