"""The progress line."""

import sys

import pytest

from keras_saliency import progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_terminal_sees_how_far_it_is(monkeypatch, clock, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = progress.Bar(10, "pictures")
    bar.update(1)
    assert capsys.readouterr().err == ""
    clock[0] = 10.0
    bar.update(5)
    assert "5/10 pictures, 0:10 left" in capsys.readouterr().err
    clock[0] = 100.0
    bar.update(10)
    out = capsys.readouterr().err
    assert "10/10 pictures, 0:00 left" in out and out.endswith("\n")


def test_a_file_sees_nothing(clock, capsys):
    bar = progress.Bar(10, "pictures")
    clock[0] = 10.0
    bar.update(5)
    assert capsys.readouterr().err == ""
