"""The pictures show each epoch's own maps."""

import dataclasses
import os

import matplotlib
import numpy as np
import pytest
from PIL import Image

from keras_saliency import epoch_maps, map_files, pictures
from keras_saliency.datasets import Example, synthetic
from keras_saliency.errors import InputError

NAN = float("nan")
LEFT, RIGHT = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])  # maps of two pixels


def examples_of(count, size=(96, 128)):
    return synthetic.load(split="test", size=size, limit=count)


def write_maps(folder, examples, maps):
    """`maps`: by epoch, the one map of all pictures."""
    for epoch, values in maps.items():
        for example in examples:
            stem = os.path.splitext(example.name)[0]
            map_files.write_png(f"{folder}/epoch_{epoch:04d}/{stem}.png", values)
    return str(folder)


def rising(count):
    """Maps of so many epochs, each unlike the one before."""
    return {epoch: np.eye(6) + epoch / count for epoch in range(1, count + 1)}


@pytest.fixture
def lines(monkeypatch):
    """What is written into the pictures, in order: the line and whether it is in bold."""
    written, write = [], epoch_maps._write

    def spy(picture, middle, line, colour, bold=False, size=12):
        written.append((line, bold))
        write(picture, middle, line, colour, bold, size)

    monkeypatch.setattr(epoch_maps, "_write", spy)
    return written


def test_any_choice_of_epochs_has_the_first_the_last_and_the_best():
    for total in range(1, 14):
        epochs = [5 * i + 3 for i in range(total)]
        for count in range(3, 9):
            for marked in (None, *epochs):
                chosen = epoch_maps._spread(epochs, count, marked)
                assert chosen == sorted(set(chosen)) and set(chosen) <= set(epochs)
                assert len(chosen) == min(count, total)
                assert {epochs[0], epochs[-1], marked or epochs[0]} <= set(chosen)
    assert epoch_maps._spread(list(range(1, 31)), 4, None) == [1, 11, 20, 30]
    assert epoch_maps._spread(list(range(1, 31)), 4, 18) == [1, 11, 18, 30]
    assert epoch_maps._spread(list(range(1, 31)), 4, 2) == [1, 2, 20, 30]


# The sheet


def panels(path, rows, columns, width):
    """The sheet's rectangles, `(rows, columns, height, width, 3)`, below one line or two."""
    sheet = pictures.read(str(path)).astype(int)
    step = width + epoch_maps.GAP, epoch_maps.PANEL[0] + epoch_maps.GAP
    top = sheet.shape[0] - rows * step[1] + epoch_maps.GAP
    assert sheet.shape[1] == epoch_maps.NAME + columns * step[0] - epoch_maps.GAP
    return np.array(
        [
            [
                sheet[top + r * step[1] :, epoch_maps.NAME + c * step[0] :][
                    : epoch_maps.PANEL[0], :width
                ]
                for c in range(columns)
            ]
            for r in range(rows)
        ]
    )


def test_every_map_is_in_the_row_of_its_picture_and_the_column_of_its_epoch(tmp_path):
    examples = examples_of(2)
    folder = write_maps(tmp_path / "p", examples[:1], {1: LEFT, 2: RIGHT, 4: LEFT})
    write_maps(tmp_path / "p", examples[1:], {1: RIGHT, 2: RIGHT, 4: LEFT})
    epoch_maps.write_sheet(str(tmp_path / "a.png"), examples, folder)
    found = panels(tmp_path / "a.png", 2, 4, 171)[:, 1:]
    brighter = found[..., :40, :].mean((2, 3, 4)) > found[..., -40:, :].mean((2, 3, 4))
    assert brighter.tolist() == [[True, False, True], [False, False, True]]
    yellow, black = matplotlib.colormaps["inferno"]([1.0, 0.0])[:, :3] * 255
    np.testing.assert_allclose(found[0, 0, 64, 5], yellow, atol=1)
    np.testing.assert_allclose(found[0, 0, 64, -5], black, atol=1)


def test_maps_are_stretched_each_for_itself(tmp_path):
    (example,) = examples_of(1)
    for epoch, factor in ((1, 1), (2, 1e-3)):
        path = tmp_path / "p" / f"epoch_{epoch:04d}"
        path.mkdir(parents=True)
        np.save(path / f"{example.name}.npy", np.eye(5) * factor - (epoch == 2))
    epoch_maps.write_sheet(str(tmp_path / "a.png"), [example], str(tmp_path / "p"))
    first, second = panels(tmp_path / "a.png", 1, 3, 171)[0, 1:]
    # The second is low and negative: shifted up and stretched, it is the first.
    np.testing.assert_allclose(first, second, atol=1)
    assert first.max() > 250 and first.min() < 5


def test_a_fixation_lies_where_it_was(tmp_path):
    picture = np.zeros((384, 512, 3), "uint8")
    example = Example("b/a.jpg", (384, 512), np.float32([[400, 96]]), image=picture)
    folder = write_maps(tmp_path / "p", [example], {1: LEFT})
    epoch_maps.write_sheet(str(tmp_path / "a.png"), [example], folder)
    shown = panels(tmp_path / "a.png", 1, 2, 171)[0, 0]
    yellow = np.argwhere((shown[..., 0] > 120) & (shown[..., 2] < 60))
    np.testing.assert_allclose(yellow.mean(0), np.array([96.5, 400.5]) / 3 - 0.5, atol=0.5)
    assert 4 <= len(yellow) <= 16


@pytest.mark.parametrize("size", [(96, 20), (30, 300), (1, 1), (100, 100)])
def test_pictures_of_any_shape_are_whole_and_in_the_middle(tmp_path, size):
    white = np.full((*size, 3), 99, "uint8")
    example = Example("a.jpg", size, np.zeros((0, 2), "float32"), image=white)
    folder = write_maps(tmp_path / "p", [example], {1: np.zeros((2, 2)), 2: LEFT})
    epoch_maps.write_sheet(str(tmp_path / "a.png"), [example], folder)
    scale = min(np.array(epoch_maps.PANEL) / size)
    width = max(epoch_maps.NARROWEST, round(size[1] * scale))
    for shown, value in zip(panels(tmp_path / "a.png", 1, 3, width)[0], (99, 0), strict=False):
        places = np.argwhere(np.abs(shown[..., 0] - value) < 5)
        first, last = places.min(0), places.max(0)
        np.testing.assert_allclose(last + 1 - first, np.array(size) * scale, atol=0.51)
        np.testing.assert_allclose(first + last + 1, shown.shape[:2], atol=1)


def test_the_heads_say_epoch_score_and_best(tmp_path, lines):
    examples = examples_of(2)
    examples[1] = dataclasses.replace(examples[1], name="Action/" + 30 * "x" + "_0001.jpg")
    folder = write_maps(tmp_path / "p", examples, rising(4))
    scores = {1: 0.5, 2: 1.5234, 3: NAN, 9: 7.0}  # 9 has no maps
    epoch_maps.write_sheet(str(tmp_path / "a.png"), examples, folder, scores)
    assert lines == [
        ("stimulus, fixations", False),
        ("epoch 1", False), ("NSS 0.500", False),
        ("epoch 2, best", True), ("NSS 1.523", True),
        ("epoch 3", False), ("epoch 4", False),
        ("test_0000", False), ("Action/xx…x_0001.jpg", False),
    ]  # fmt: skip


def test_the_best_by_kld_is_the_lowest_and_is_always_shown(tmp_path, lines):
    examples = examples_of(1)
    folder = write_maps(tmp_path / "p", examples, rising(12))
    scores = {epoch: abs(epoch - 8) + 0.25 for epoch in range(1, 13)}
    epoch_maps.write_sheet(str(tmp_path / "a.png"), examples, folder, scores, "kld", columns=3)
    assert lines[1:-1] == [
        ("epoch 1", False), ("KLD 7.250", False), ("epoch 8, best", True), ("KLD 0.250", True),
        ("epoch 12", False), ("KLD 4.250", False),
    ]  # fmt: skip


def test_without_scores_there_is_one_line_less(tmp_path, lines):
    examples = examples_of(1)
    folder = write_maps(tmp_path / "p", examples, rising(2))
    heights = []
    for scores in (None, {}, {1: NAN}, {1: 0.5}):
        epoch_maps.write_sheet(str(tmp_path / "a.png"), examples, folder, scores)
        heights.append(pictures.read(str(tmp_path / "a.png")).shape[0])
    assert np.diff(heights).tolist() == [0, 0, epoch_maps.LINE]


WRITERS = {
    "sheet": lambda path, examples, *more: epoch_maps.write_sheet(path, examples, *more),
    "animation": lambda path, examples, *more: epoch_maps.write_animation(
        path, examples[-1], *more
    ),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_missing_and_damaged_maps_are_named_and_nothing_is_written(tmp_path, write):
    examples = examples_of(2)
    folder = write_maps(tmp_path / "p", examples, rising(3))
    target = tmp_path / "out"
    target.write_text("before")
    broken = tmp_path / "p" / "epoch_0003" / "test_0001.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(InputError, match=r"epoch_0003/test_0001\.png is no saliency map"):
        write(str(target), examples, folder)
    broken.unlink()
    with pytest.raises(InputError, match=r"no map in .*epoch_0003, the first is test_0001"):
        write(str(target), examples, folder)
    (tmp_path / "epochs").mkdir()
    (tmp_path / "epochs" / "epoch_0001.keras").touch()
    with pytest.raises(InputError, match="epochs holds no maps; wanted folders"):
        write(str(target), examples, str(tmp_path / "epochs"))
    with pytest.raises(InputError, match="no such folder"):
        write(str(target), examples, str(tmp_path / "none"))
    assert target.read_text() == "before" and not list(tmp_path.glob(".writing*"))


def test_a_sheet_needs_pictures_and_columns(tmp_path):
    examples = examples_of(1)
    folder = write_maps(tmp_path / "p", examples, rising(2))
    with pytest.raises(InputError, match="Received: 0 and 8"):
        epoch_maps.write_sheet(str(tmp_path / "a.png"), [], folder)
    with pytest.raises(InputError, match="Received: 1 and 2"):
        epoch_maps.write_sheet(str(tmp_path / "a.png"), examples, folder, columns=2)


# The animation


def frames_of(path):
    """The frames as a viewer shows them, and how long, in milliseconds."""
    frames, pauses = [], []
    with Image.open(path) as animation:
        assert animation.format == "GIF" and animation.info["loop"] == 0
        for i in range(animation.n_frames):
            animation.seek(i)
            frames.append(np.asarray(animation.convert("RGB")).astype(int))
            pauses.append(animation.info["duration"])
    return np.array(frames), pauses


def halves(frames):
    """The stimulus and the overlay of every frame, for a picture of 192x256."""
    left, right = epoch_maps.GAP, 2 * epoch_maps.GAP + 256
    inside = frames[:, epoch_maps.GAP :][:, :192]
    return inside[:, :, left : left + 256], inside[:, :, right : right + 256]


def test_frames_show_the_stimulus_still_and_every_epochs_map(tmp_path):
    (example,) = examples_of(1, (192, 256))
    random = np.random.default_rng(0)
    maps = {epoch: random.random((6, 8)) ** 3 for epoch in range(1, 9)}
    folder = write_maps(tmp_path / "p", [example], maps)
    path = str(tmp_path / "a.gif")
    epoch_maps.write_animation(path, example, folder, {4: 1.0})
    frames, _ = frames_of(path)
    assert frames.shape[0] == 8 and frames.shape[2] <= 640
    stimuli, overlays = halves(frames)
    assert (stimuli == stimuli[0]).all(), "the stimulus flickers"
    assert np.abs(stimuli[0] - example.image).mean() < 16  # fixations are on it
    gray = np.asarray(Image.fromarray(example.image).convert("L").convert("RGB"))
    for epoch in maps:
        values = map_files.read(f"{folder}/epoch_{epoch:04d}/{example.name}.png")[..., 0]
        large = Image.fromarray(values / values.max()).resize((256, 192), Image.Resampling.BILINEAR)
        wanted = pictures.overlay(gray, np.asarray(large)[..., None])
        away = [np.abs(overlay - wanted).mean() for overlay in overlays]
        assert away[epoch - 1] == min(away) < 6


def test_what_stays_is_never_far_from_what_it_should_be(tmp_path, monkeypatch):
    # Slow changes, each below what is seen, must not add up.
    (example,) = examples_of(1, (192, 256))
    maps = {e: np.array([[1.0, 0.2 + 0.01 * e], [0.5, 0.9 - 0.01 * e]]) for e in range(1, 31)}
    folder = write_maps(tmp_path / "p", [example], maps)
    drawn, quantized = [], epoch_maps._with_one_palette
    monkeypatch.setattr(
        epoch_maps, "_with_one_palette", lambda frames: (drawn.extend(frames), quantized(frames))[1]
    )
    epoch_maps.write_animation(str(tmp_path / "a.gif"), example, folder)
    shown = halves(np.array([np.asarray(frame) for frame in drawn]).astype(int))[1]
    gray = np.asarray(Image.fromarray(example.image).convert("L").convert("RGB"))
    for epoch, overlay in enumerate(shown, start=1):
        file = f"{folder}/epoch_{epoch:04d}/{example.name}.png"
        exact = np.asarray(epoch_maps._map(file, (256, 192), gray)).astype(int)
        assert np.abs(overlay - exact).max() <= epoch_maps.STILL
    assert (shown[1] == shown[0]).all(-1).mean() > 0.9


@pytest.mark.parametrize(
    "count, seconds, pause", [(10, 6.0, 500), (4, 20.0, 800), (12, 0.5, 60), (8, 6.1, 660)]
)
def test_the_animation_takes_its_time(tmp_path, count, seconds, pause):
    (example,) = examples_of(1)
    folder = write_maps(tmp_path / "p", [example], rising(count))
    epoch_maps.write_animation(str(tmp_path / "a.gif"), example, folder, seconds=seconds)
    _, pauses = frames_of(tmp_path / "a.gif")
    assert pauses == [pause] * (count - 1) + [1500]


def test_captions_and_bar_go_with_the_epochs(tmp_path, lines):
    (example,) = examples_of(1, (192, 256))
    folder = write_maps(tmp_path / "p", [example], rising(4))
    epoch_maps.write_animation(str(tmp_path / "a.gif"), example, folder, {1: 0.5, 3: 1.5234})
    assert lines == [
        ("epoch 1  NSS 0.500", False), ("epoch 2", False),
        ("epoch 3  NSS 1.523  best", True), ("epoch 4", False),
    ]  # fmt: skip
    frames, _ = frames_of(tmp_path / "a.gif")
    bars = frames[:, -1]
    white = (bars == 0xF2).all(-1).mean(1)
    np.testing.assert_allclose(white, [0.25, 0.5, 0.75, 1], atol=0.01)
    tick = np.flatnonzero((bars[0] == [0xFF, 0xB0, 0x2E]).all(-1))
    assert abs(tick.mean() / bars.shape[1] - 0.75) < 0.01 and len(tick) == 4


def test_of_many_epochs_some_are_shown(tmp_path, lines, monkeypatch):
    monkeypatch.setattr(epoch_maps, "FRAMES", 5)
    (example,) = examples_of(1)
    folder = write_maps(tmp_path / "p", [example], rising(12))
    epoch_maps.write_animation(
        str(tmp_path / "a.gif"), example, folder, {11: 0.1, 2: 0.9}, "val_kld"
    )
    assert len(lines) == 5
    assert lines[0][0] == "epoch 1" and lines[-1][0] == "epoch 12"
    assert ("epoch 11  VAL-KLD 0.100  best", True) in lines


@pytest.mark.parametrize("size", [(400, 300), (50, 900), (300, 4)])
def test_one_epoch_of_any_shape_is_an_animation(tmp_path, size):
    (example,) = examples_of(1)
    random = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype("uint8")
    example = dataclasses.replace(example, image=random, size=size)
    folder = write_maps(tmp_path / "p", [example], {200: LEFT})
    epoch_maps.write_animation(str(tmp_path / "a.gif"), example, folder)
    frames, pauses = frames_of(tmp_path / "a.gif")
    assert pauses == [1500] and 300 <= frames.shape[2] <= 640


@pytest.mark.parametrize("seconds", [0, -1, NAN, float("inf")])
def test_an_animation_takes_some_time(tmp_path, seconds):
    with pytest.raises(InputError, match="more than 0 seconds"):
        epoch_maps.write_animation(
            str(tmp_path / "a.gif"), examples_of(1)[0], str(tmp_path), seconds=seconds
        )
