"""Frames of videos, as a player shows them."""

from fractions import Fraction

import numpy as np
import pytest
import video_files
from checks import refused

from keras_saliency import videos

av = pytest.importorskip("av")


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize("every", [1, 3, 100])
def test_every_so_many_frames(tmp_path, ending, every):
    path = str(tmp_path / f"a{ending}")
    video_files.write(path)
    found = dict(videos.frames(path, every))
    assert list(found) == list(range(0, 7, every))
    for number, frame in found.items():
        assert frame.shape == (48, 64, 3)
        assert frame[5, 5].min() > 230
        assert abs(int(frame[40, 60, 2]) - 20 * number) < 12
    # Matroska's header has no number of frames.
    assert videos.count(path, every) == (None if ending == ".mkv" else len(found))


def test_frames_that_are_not_wanted_are_left_out(tmp_path):
    video_files.write(tmp_path / "a.mp4")
    path = str(tmp_path / "a.mp4")
    assert [n for n, _ in videos.frames(path, 2, lambda number: number > 2)] == [4, 6]


@pytest.mark.parametrize(
    ("degrees", "size", "white"),
    [(0, (48, 64), (0, 0)), (-90, (64, 48), (0, -1)), (90, (64, 48), (-1, 0))],
)
def test_a_phones_turn_is_made(tmp_path, degrees, size, white):
    video_files.write(tmp_path / "a.mp4", 1, degrees=degrees)
    ((_, frame),) = videos.frames(str(tmp_path / "a.mp4"))
    assert frame.shape == (*size, 3)
    assert frame[white].min() > 230
    assert frame.flags.c_contiguous


@pytest.mark.parametrize("content", [b"", b"hello", "half"])
def test_what_is_no_video(tmp_path, content):
    path = tmp_path / "a.mp4"
    if content == "half":
        video_files.write(path)
        content = path.read_bytes()[:400]
    path.write_bytes(content)
    refused(lambda: list(videos.frames(str(path))), "a.mp4")
    assert videos.count(str(path)) is None


def test_a_tag_that_is_no_text(tmp_path):
    path = tmp_path / "a.avi"
    video_files.write(path, tags={"title": "Cafe au lait"})
    path.write_bytes(path.read_bytes().replace(b"Cafe", b"Caf\xe9"))
    assert b"Caf\xe9" in path.read_bytes()
    assert len(list(videos.frames(str(path)))) == 7 == videos.count(str(path))


def test_a_video_that_ends_too_early(tmp_path):
    path = tmp_path / "a.mkv"
    video_files.write(path, 25)
    whole = path.read_bytes()
    assert len(list(videos.frames(str(path)))) == 25
    path.write_bytes(whole[: len(whole) // 2])
    seen = []
    refused(
        lambda: seen.extend(number for number, _ in videos.frames(str(path))),
        "a.mkv ends after 1.2 of 5.0 seconds",
    )
    assert seen == list(range(6))


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_sound_that_goes_on_is_no_damage(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    video_files.write(path, sound=4)
    with av.open(str(path)) as container:
        assert container.duration > 3.5e6
    assert len(list(videos.frames(str(path)))) == 7


def test_a_last_frame_that_stays_is_no_damage(tmp_path):
    path = str(tmp_path / "a.mp4")
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=100)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
        for time in (0, 10, 20, 900):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), "uint8"), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(list(videos.frames(path))) == 4


@pytest.mark.parametrize("error", [UnicodeDecodeError("utf-8", b"", 0, 1, "no"), MemoryError()])
def test_whatever_is_raised_names_the_video(tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    video_files.write(tmp_path / "a.mp4")
    path = str(tmp_path / "a.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(videos, "_turned", fail)
        refused(lambda: list(videos.frames(path)), "a.mp4 is damaged")
    monkeypatch.setattr(av, "open", fail)
    refused(lambda: list(videos.frames(path)), "a.mp4 cannot be opened")
    assert videos.count(path) is None


def test_a_missing_video():
    refused(lambda: list(videos.frames("nowhere.mp4")), "nowhere.mp4", "No such file")


def test_without_pyav(tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "readable", lambda: False)
    refused(lambda: list(videos.frames("a.mp4")), "PyAV", "pip install")


@pytest.mark.parametrize(
    "text", ["#EXTM3U\nhttp://x/a.ts\n", "\n<?xml?><MPD/>", "ffconcat version 1.0"]
)
def test_a_list_of_other_files_is_no_video(text, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_text(text)
    refused(lambda: next(videos.frames(str(path), 1)), "a.mp4 is a list of other files, no video")
