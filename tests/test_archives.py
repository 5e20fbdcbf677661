"""Archives: unpacked whole, in their place, and nothing believed of what they say."""

import io
import pathlib
import stat
import tarfile
import zipfile

import numpy as np
import pytest
from checks import refused

from keras_saliency import archives

NOISE = np.random.default_rng(0).bytes(5000)
TREE = {"set/a/1.jpg": NOISE, "set/2.txt": b"looked", "readme.txt": b""}


def write_zip(path, tree, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in tree.items():
            file.writestr(name, content)


def write_tar(path, tree, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for name, content in tree.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "data"
    made.mkdir()
    (made / "mine.txt").write_text("precious")
    return made


def assert_untouched(folder):
    assert content(folder) == {"mine.txt": b"precious"}
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert sorted(p.name for p in folder.parent.iterdir() if p.name.startswith("escaped")) == []


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_comes_out_beside_what_is_there(tmp_path, folder, write):
    write(tmp_path / "a", TREE)
    assert archives.unpack(str(tmp_path / "a"), str(folder)) == ["readme.txt", "set"]
    assert content(folder) == {**TREE, "mine.txt": b"precious"}
    assert sorted(path.name for path in folder.iterdir()) == ["mine.txt", "readme.txt", "set"]


def test_the_folder_is_made(tmp_path):
    write_zip(tmp_path / "a.zip", TREE)
    archives.unpack(str(tmp_path / "a.zip"), str(tmp_path / "new" / "data"))
    assert content(tmp_path / "new" / "data") == TREE


def test_what_macs_add_is_left_out(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {**TREE, "__MACOSX/set/._1.jpg": b"x", "set/.DS_Store": b"x"})
    archives.unpack(str(tmp_path / "a.zip"), str(folder))
    assert content(folder) == {**TREE, "mine.txt": b"precious"}


def test_backslashes_of_old_windows_programs_are_folders(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {"set\\1.txt": b"x"})
    archives.unpack(str(tmp_path / "a.zip"), str(folder))
    assert (folder / "set" / "1.txt").read_bytes() == b"x"


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize(
    "name",
    ["../escaped.txt", "set/../../escaped.txt", "/tmp/escaped.txt", "..\\escaped", "C:/escaped"],
)
def test_a_name_outside_the_folder(tmp_path, folder, write, name):
    write(tmp_path / "a", {**TREE, name: b"x"})
    refused(lambda: archives.unpack(str(tmp_path / "a"), str(folder)), "not to be trusted")
    assert_untouched(folder)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar(tmp_path, folder, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        member = tarfile.TarInfo("set/link")
        member.type, member.linkname = kind, "/etc/passwd"
        file.addfile(member)
    refused(lambda: archives.unpack(str(tmp_path / "a.tar"), str(folder)), "set/link", "link")
    assert_untouched(folder)


def test_a_link_in_a_zip(tmp_path, folder):
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc")
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "set/link", "link")
    assert_untouched(folder)


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_bomb(tmp_path, folder, write, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 100_000)
    write(tmp_path / "a", {"set/1": bytes(1_000_000), "set/2": bytes(1_000_000)})
    refused(lambda: archives.unpack(str(tmp_path / "a"), str(folder)), "unpacks to more than")
    assert_untouched(folder)


def test_what_does_not_shrink_may_be_large(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1000)
    write_zip(tmp_path / "a.zip", TREE)
    archives.unpack(str(tmp_path / "a.zip"), str(folder))
    assert (folder / "set" / "a" / "1.jpg").read_bytes() == NOISE


def test_too_many_files(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    write_zip(tmp_path / "a.zip", TREE)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "2 files")
    assert_untouched(folder)


def test_a_size_that_is_a_lie(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {"set/1.bin": bytes(50_000)})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    for at in (22, data.index(b"PK\x01\x02") + 24):  # both places say 50,000
        assert int.from_bytes(data[at : at + 4], "little") == 50_000
        data[at : at + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "a.zip")
    assert_untouched(folder)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip(tmp_path, folder, method):
    write_zip(tmp_path / "a.zip", TREE, method)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200] ^= 255  # of the first file
    (tmp_path / "a.zip").write_bytes(data)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "a.zip", "unpacked")
    assert_untouched(folder)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_that_is_cut_off(tmp_path, folder, mode):
    write_tar(tmp_path / "a.tar", TREE, mode)
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: 4000 if mode == "w" else len(data) - 200])
    refused(lambda: archives.unpack(str(tmp_path / "a.tar"), str(folder)), "a.tar")
    assert_untouched(folder)


def test_a_password(tmp_path, folder):
    write_zip(tmp_path / "a.zip", TREE)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1  # says that it is encrypted
    (tmp_path / "a.zip").write_bytes(data)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "a.zip", "password")
    assert_untouched(folder)


@pytest.mark.parametrize("data", [b"", b"<html>log in</html>", b"PK\x03\x04half"])
def test_no_archive(tmp_path, folder, data):
    (tmp_path / "a.zip").write_bytes(data)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "a.zip", "no zip")
    assert_untouched(folder)


def test_an_empty_archive(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {})
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "holds no files")


def test_a_missing_archive(folder):
    refused(lambda: archives.unpack("nowhere.zip", str(folder)), "no such file: nowhere.zip")


def test_nothing_is_overwritten(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {"mine.txt": b"x", "set/1": b"x"})
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "mine.txt", "already")
    assert_untouched(folder)


def test_a_file_that_should_be_a_folder(tmp_path, folder):
    write_zip(tmp_path / "a.zip", {"set": b"x", "set/1": b"x"})
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "a.zip")
    assert_untouched(folder)


def test_a_move_that_fails_half_way_is_taken_back(tmp_path, folder, monkeypatch):
    write_zip(tmp_path / "a.zip", TREE)
    rename = archives.os.rename

    def fails_once(source, target):
        if pathlib.Path(target) == folder / "set":
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(archives.os, "rename", fails_once)
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "Input/output error")
    assert_untouched(folder)


def test_no_room(tmp_path, folder, monkeypatch):
    write_zip(tmp_path / "a.zip", TREE)
    usage = archives.shutil.disk_usage
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda p: usage(p)._replace(free=5000))
    refused(lambda: archives.unpack(str(tmp_path / "a.zip"), str(folder)), "no room", "a.zip")
    assert_untouched(folder)
