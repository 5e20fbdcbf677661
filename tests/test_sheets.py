"""A contact sheet shows each picture in its place, with its fixations and its maps."""

import matplotlib
import numpy as np
import pytest

from keras_saliency import pictures, sheets
from keras_saliency.errors import InputError

NO_FIXATIONS = np.zeros((0, 2))
LEFT = sheets.GAP + sheets.LABEL  # of the first panel
TOP = sheets.TITLES


def drawn(folder, rows, titles=("fixations",)):
    path = str(folder / "sheet.png")
    sheets.write(path, rows, list(titles))
    return pictures.read(path).astype(int)


def black(height, width):
    return np.zeros((height, width, 3), "uint8")


def panel(sheet, row=0, column=0):
    """The rectangle of the sheet that a picture is fitted into."""
    top = TOP + row * (sheets.PANEL[0] + sheets.GAP)
    left = LEFT + column * (sheets.PANEL[1] + sheets.GAP)
    return sheet[top : top + sheets.PANEL[0], left : left + sheets.PANEL[1]]


def yellow(sheet):
    """Rows and columns of the pixels in a fixation's colour."""
    return np.argwhere((sheet[..., 0] > 200) & (sheet[..., 1] > 150) & (sheet[..., 2] < 90))


def test_a_picture_of_the_panels_shape_fills_it(tmp_path):
    random = np.random.default_rng(0)
    stimulus = random.integers(0, 256, (*sheets.PANEL, 3)).astype("uint8")
    sheet = drawn(tmp_path, [sheets.Row(("a.jpg",), stimulus, NO_FIXATIONS)])
    np.testing.assert_array_equal(panel(sheet), stimulus)
    assert (sheet[:, -sheets.GAP :] == 255).all() and (sheet[-sheets.GAP :] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1001, 1), (33, 47), (47, 33), (3000, 2000)])
def test_a_picture_keeps_its_shape_and_is_centered(tmp_path, size):
    shown = panel(drawn(tmp_path, [sheets.Row(("a.jpg",), black(*size), NO_FIXATIONS)]))
    dark = np.argwhere(shown[..., 0] == 0)
    first, last = dark.min(0), dark.max(0)
    lengths = last + 1 - first
    scale = min(np.array(sheets.PANEL) / size)
    assert any(lengths == sheets.PANEL)
    assert np.abs(lengths - np.maximum(1, np.array(size) * scale)).max() <= 0.5
    assert np.abs(first + last + 1 - np.array(sheets.PANEL)).max() <= 1


@pytest.mark.parametrize("size", [(420, 560), (42, 56)])
def test_a_fixation_lies_where_it_was(tmp_path, size):
    # One pixel of the stimulus off the middle of its lower right quarter.
    y, x = size[0] * 3 // 4, size[1] * 3 // 4
    row = sheets.Row(("a.jpg",), black(*size), np.array([[x, y]]), (np.ones((2, 2, 1)),))
    sheet = drawn(tmp_path, [row], ["fixations", "map"])
    scale = sheets.PANEL[0] / size[0]
    wanted = (np.array([y, x]) + 0.5) * scale - 0.5
    np.testing.assert_allclose(yellow(panel(sheet)).mean(0), wanted, atol=1.01)


def test_a_fixation_at_the_border_or_outside_moves_nothing(tmp_path):
    points = np.array([[-0.4, -0.4], [559.4, 419.4], [-50, 30], [30, 500]])
    sheet = drawn(tmp_path, [sheets.Row(("a.jpg",), black(420, 560), points)])
    shown = panel(sheet)
    assert (shown[20:-20, [0, -1]] == 0).all() and (shown[[0, -1], 20:-20] == 0).all()
    assert yellow(shown[:9, :9]).size and yellow(shown[-9:, -9:]).size


def test_maps_of_any_size_lie_over_their_picture(tmp_path):
    stimulus = np.full((*sheets.PANEL, 3), 99, "uint8")
    maps = [np.zeros((*sheets.PANEL, 1)) for _ in range(2)]
    maps[0][:, :140], maps[1][:105] = 0.002, 7  # left half; upper half
    small = maps[1][::10, ::10].astype("float32")
    pairs = [(maps[0], maps[1]), (maps[0], small)]
    rows = [sheets.Row(("a.jpg",), stimulus, NO_FIXATIONS, pair) for pair in pairs]
    sheet = drawn(tmp_path, rows, ["fixations", "A", "B"])
    for i in range(2):
        expected = pictures.overlay(stimulus, maps[0])
        np.testing.assert_array_equal(panel(sheet, i, 1), expected)
    np.testing.assert_array_equal(panel(sheet, 0, 2), pictures.overlay(stimulus, maps[1]))
    upper, lower = panel(sheet, 1, 2)[:90], panel(sheet, 1, 2)[120:]
    assert upper.min() > 60 and np.ptp(upper[..., 0]) == 0
    assert lower[..., 0].max() < 60


def test_logarithms_and_zeros_are_maps_too(tmp_path):
    ramp = np.tile(np.linspace(0, 1e300, sheets.PANEL[1]), (sheets.PANEL[0], 1))[..., None]
    maps = (ramp, ramp - 1e300, np.zeros((3, 4, 1)))
    sheet = drawn(tmp_path, [sheets.Row((), black(*sheets.PANEL), NO_FIXATIONS, maps)], "fABC")
    shown = [panel(sheet, column=column) for column in (1, 2, 3)]
    np.testing.assert_allclose(shown[0], shown[1], atol=1)
    assert shown[0].max() > 100 > 10 > shown[2].max()


@pytest.mark.parametrize("text", ["W" * 300, "$x^$", "a_{b}$c$", "图片.jpg", "", "two\nlines"])
def test_no_text_spoils_the_panels(tmp_path, text, recwarn):
    row = sheets.Row((text, text), black(*sheets.PANEL), NO_FIXATIONS)
    sheet = drawn(tmp_path, [row], [text])
    assert not panel(sheet).any()
    assert not recwarn.list
    label = sheet[TOP:, :LEFT]
    assert (label.min() < 128) == bool(text)
    assert (label[:, -sheets.GAP :] == 255).all()


def test_a_long_name_keeps_its_beginning_and_its_end(tmp_path):
    assert sheets._shortened("x" * 24, 24) == "x" * 24
    shortened = sheets._shortened("beginning_" + "x" * 50 + "_end.jpg", 24)
    assert len(shortened) <= 24
    assert shortened.startswith("beginning_") and shortened.endswith("_end.jpg")
    for before in ((), ("",)):  # in bold, and not
        lines = [(*before, "8" * 50 + end) for end in "AB"]
        sheet = drawn(tmp_path, [sheets.Row(each, black(6, 8), NO_FIXATIONS) for each in lines])
        # One letter ends otherwise, left of the panels.
        labels = [sheet[TOP + 220 * i :][:210, :LEFT] for i in range(2)]
        assert (labels[0] != labels[1]).sum() > 100


def test_the_persons_own_style_is_not_used_and_not_lost(tmp_path):
    row = sheets.Row(("a.jpg", "1.0"), black(30, 40), np.array([[3, 4]]))
    plain = drawn(tmp_path, [row])
    own = {"savefig.dpi": 37, "font.size": 30, "savefig.bbox": "tight", "text.color": "red"}
    with matplotlib.rc_context(own):
        np.testing.assert_array_equal(drawn(tmp_path, [row]), plain)
        assert matplotlib.rcParams["savefig.dpi"] == 37


def test_too_many_rows_are_refused(tmp_path):
    rows = [sheets.Row(("a.jpg",), black(6, 8), NO_FIXATIONS)] * (sheets.MAX_ROWS + 1)
    with pytest.raises(InputError, match=r"100 pictures at most, 101"):
        drawn(tmp_path, rows)
    assert not list(tmp_path.iterdir())


def test_the_most_rows_are_not_too_high_to_draw():
    assert sheets.TITLES + sheets.MAX_ROWS * (sheets.PANEL[0] + sheets.GAP) < 2**16


def test_rows_lie_below_each_other(tmp_path):
    pictures_of = [black(6, 8) + shade for shade in np.uint8([0, 80, 160])]
    sheet = drawn(tmp_path, [sheets.Row((), each, NO_FIXATIONS) for each in pictures_of])
    assert [set(panel(sheet, i).ravel()) for i in range(3)] == [{0}, {80}, {160}]


def test_a_failure_leaves_the_old_sheet(tmp_path):
    (tmp_path / "sheet.png").write_bytes(b"old")
    good = sheets.Row(("a.jpg",), black(6, 8), NO_FIXATIONS)
    with pytest.raises(ValueError):
        drawn(tmp_path, [good, sheets.Row(("b.jpg",), black(6, 8), np.zeros(3))])
    assert (tmp_path / "sheet.png").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
