"""Downloads, from a server on this machine that misbehaves as servers do."""

import hashlib
import json
import os
import time

import numpy as np
import pytest
import web_server
from checks import refused

from keras_saliency import downloads

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    made = web_server.start(CONTENT)
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "a.bin"


def files(path):
    return sorted(each.name for each in path.parent.iterdir()) if path.parent.exists() else []


def ranges(server):
    return [asked.get("Range") for asked in server.asked]


def test_a_file_comes_whole_and_alone(server, path):
    downloads.fetch(server.url, str(path), MD5, len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert files(path) == ["a.bin"]
    downloads.fetch(server.url, str(path), MD5)
    assert len(server.asked) == 1, "it was there"


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha256"])
def test_checksums(server, path, kind):
    downloads.fetch(server.url, str(path), hashlib.new(kind, CONTENT).hexdigest().upper())
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("checksum", [MD5, None])
def test_a_cut_connection_goes_on_where_it_was(server, path, checksum, capsys):
    server.faults = [100_000, 50_000, 1]
    downloads.fetch(server.url, str(path), checksum)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", "bytes=150000-", "bytes=150001-"]
    assert [asked.get("If-Range") for asked in server.asked[1:]] == ['"1"'] * 3
    assert "cut at 100000 of 300000 bytes; trying again" in capsys.readouterr().err


def test_more_cuts_than_tries_do_not_matter_while_something_comes(server, path):
    server.faults = [10_000] * 12
    downloads.fetch(server.url, str(path), MD5)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 13


def test_another_run_goes_on(server, path):
    server.faults = [100_000] + [0] * 20
    refused(lambda: downloads.fetch(server.url, str(path), MD5), server.url, "cut at 100000")
    assert len(server.asked) == downloads.TRIES
    assert files(path) == ["a.bin.part", "a.bin.part.json"]
    server.faults, server.asked = [], []
    downloads.fetch(server.url, str(path), MD5)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == ["bytes=100000-"]
    assert files(path) == ["a.bin"]


def test_what_came_of_another_address_is_not_gone_on_with(server, path):
    server.faults = [100_000] + [0] * 20
    refused(lambda: downloads.fetch(server.url + "?v=1", str(path)), "cut at 100000")
    server.faults, server.asked = [], []
    downloads.fetch(server.url, str(path))
    assert ranges(server) == [None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("notes", ["", "[1]", "{}", None])
def test_a_part_of_which_nothing_is_known_is_not_gone_on_with(server, path, notes):
    path.parent.mkdir()
    (path.parent / "a.bin.part").write_bytes(b"x" * 1000)
    if notes is not None:
        (path.parent / "a.bin.part.json").write_text(notes)
    downloads.fetch(server.url, str(path))
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None]


def test_a_part_that_is_whole_is_only_checked(server, path):
    path.parent.mkdir()
    notes = {"url": server.url, "version": '"1"', "total": len(CONTENT)}
    (path.parent / "a.bin.part.json").write_text(json.dumps(notes))
    (path.parent / "a.bin.part").write_bytes(CONTENT)
    downloads.fetch(server.url, str(path), MD5)
    assert not server.asked
    assert files(path) == ["a.bin"]


@pytest.mark.parametrize("checksum", [MD5, None])
def test_a_server_that_ignores_ranges(server, path, checksum):
    server.ranges, server.faults = False, [100_000, 50_000]
    downloads.fetch(server.url, str(path), checksum)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-", "bytes=50000-"], "it began anew at once"


@pytest.mark.parametrize("ignores_if_range", [False, True])
def test_a_file_that_changes_between_two_connections(server, path, monkeypatch, ignores_if_range):
    old = bytes(300_000)
    server.content, server.tag, server.faults = old, '"0"', [100_000]
    whole = web_server.Handler.begin

    def before(handler):
        if len(server.asked) > 1:
            server.content, server.tag = CONTENT, '"1"'
            if ignores_if_range:
                del handler.headers["If-Range"]
        return whole(handler)

    monkeypatch.setattr(web_server.Handler, "begin", before)
    downloads.fetch(server.url, str(path))
    assert path.read_bytes() == CONTENT, "never half of the one and half of the other"


def test_without_a_version_only_a_checksum_lets_it_go_on(server, path):
    server.tag, server.faults = None, [100_000]
    downloads.fetch(server.url, str(path))
    assert ranges(server) == [None, None]
    assert path.read_bytes() == CONTENT
    path.unlink()
    server.faults, server.asked = [100_000], []
    downloads.fetch(server.url, str(path), MD5)
    assert ranges(server) == [None, "bytes=100000-"]
    assert path.read_bytes() == CONTENT


def test_two_halves_that_do_not_belong_together_are_fetched_again(server, path, monkeypatch):
    server.tag, server.content, server.faults = None, bytes(300_000), [100_000]
    begin = web_server.Handler.begin

    def changed(handler):
        server.content = CONTENT if len(server.asked) > 1 else server.content
        return begin(handler)

    monkeypatch.setattr(web_server.Handler, "begin", changed)
    downloads.fetch(server.url, str(path), MD5)
    assert ranges(server) == [None, "bytes=100000-", None]
    assert path.read_bytes() == CONTENT


def test_another_file_is_refused_and_nothing_is_kept(server, path):
    wrong = "0" * 32
    refused(lambda: downloads.fetch(server.url, str(path), wrong), server.url, MD5, wrong)
    assert files(path) == []
    assert len(server.asked) == 1
    refused(lambda: downloads.fetch(server.url, str(path), None, 299_999), "300000", "299999")
    assert "a.bin" not in files(path)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_status_that_no_other_try_mends(server, path, status):
    server.faults = [(status, {})] * 9
    refused(lambda: downloads.fetch(server.url, str(path)), server.url, str(status))
    assert len(server.asked) == 1
    assert files(path) == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_status_that_may_pass(server, path, status):
    server.faults = [(status, {})] * (downloads.TRIES - 1)
    downloads.fetch(server.url, str(path))
    assert path.read_bytes() == CONTENT
    server.faults = [(status, {})] * 99
    other = path.with_name("b.bin")
    refused(lambda: downloads.fetch(server.url, str(other)), server.url, str(status))
    assert files(path) == ["a.bin"]


def test_waits_double_up_to_a_minute_and_as_long_as_the_server_says(server, path, monkeypatch):
    waits = []
    monkeypatch.setattr(downloads.time, "sleep", waits.append)
    monkeypatch.setattr(downloads, "PAUSE", 20.0)
    server.faults = [(503, {}), (503, {"Retry-After": "45"}), (503, {}), (503, {})]
    downloads.fetch(server.url, str(path))
    assert waits == [20, 45, 60, 60]


def test_a_range_that_reaches_beyond_the_end_begins_anew(server, path):
    path.parent.mkdir()
    notes = {"url": server.url, "version": '"1"', "total": None}
    (path.parent / "a.bin.part.json").write_text(json.dumps(notes))
    (path.parent / "a.bin.part").write_bytes(CONTENT + b"more")
    downloads.fetch(server.url, str(path))
    assert path.read_bytes() == CONTENT


def test_a_server_that_stalls_is_left(server, path):
    server.faults = [web_server.Stall(100_000)]
    started = time.monotonic()
    downloads.fetch(server.url, str(path), MD5, timeout=0.3)
    assert path.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=100000-"]
    assert time.monotonic() - started < web_server.STALL


def test_chunks_end_where_they_say_so(server, path):
    server.chunked, server.faults = True, [100_000]
    downloads.fetch(server.url, str(path))
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_server_that_tells_no_length(server, path):
    server.length = False
    refused(lambda: downloads.fetch(server.url, str(path)), server.url, "length")
    assert "a.bin" not in files(path)
    server.faults, server.asked = [100_000], []
    downloads.fetch(server.url, str(path), MD5)
    assert path.read_bytes() == CONTENT, "the cut is seen by the checksum"
    path.unlink()
    server.faults = [100_000]
    downloads.fetch(server.url, str(path), None, len(CONTENT))
    assert path.read_bytes() == CONTENT, "or by the size"


def test_nobody_answers(path, monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    made = web_server.Server(CONTENT)
    url = made.url
    made.server_close()
    refused(lambda: downloads.fetch(url, str(path)), url, "refused")
    assert files(path) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "a.bin"])
def test_only_the_web_is_fetched(url, path):
    refused(lambda: downloads.fetch(url, str(path)), "http", url)


def test_a_checksum_that_is_none(server, path):
    refused(lambda: downloads.fetch(server.url, str(path), "abc"), "abc")


def test_a_file_that_is_another_is_left_alone(server, path):
    path.parent.mkdir()
    path.write_bytes(b"precious")
    refused(lambda: downloads.fetch(server.url, str(path), MD5), str(path), "move it away")
    assert path.read_bytes() == b"precious"
    assert not server.asked


def test_where_nothing_can_be_written(server, path, monkeypatch):
    path.parent.parent.joinpath("file").write_text("precious")
    below = path.parent.parent / "file" / "a.bin"
    refused(lambda: downloads.fetch(server.url, str(below)), str(below), "cannot be written")

    def read_only(*_, **__):
        raise PermissionError(13, "Permission denied", str(path.parent))

    monkeypatch.setattr(downloads.os, "makedirs", read_only)
    refused(lambda: downloads.fetch(server.url, str(path)), str(path), "Permission denied")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(server, path):
    path.parent.mkdir(mode=0o500)
    refused(lambda: downloads.fetch(server.url, str(path)), str(path), "Permission denied")


def test_a_full_disk(server, path, monkeypatch):
    usage = downloads.shutil.disk_usage
    monkeypatch.setattr(
        downloads.shutil, "disk_usage", lambda p: usage(p)._replace(free=len(CONTENT) - 1)
    )
    refused(lambda: downloads.fetch(server.url, str(path)), "no room", "a.bin")
    assert "a.bin" not in files(path)
