"""What is drawn lies where it was found, at any size of the picture."""

import numpy as np
import pytest

from keras_saliency import attention_pictures as drawings

SIZES = [(60, 80), (33, 47), (1500, 2000), (1, 1), (2, 300), (300, 2)]


def gray(size):
    return np.full((*size, 3), 90, "uint8")


def white(drawn):
    """Left, top, right and bottom of the white pixels, as shares of the sides."""
    rows, columns = np.nonzero((drawn == 255).all(-1))
    height, width = drawn.shape[:2]
    return columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height


@pytest.mark.parametrize("size", SIZES)
def test_every_picture_is_drawn_at_one_size(size):
    found = {"logo": (0, 0, 1, 1), "mask": np.ones(size, bool)}
    for drawn in (
        drawings.regions(gray(size), np.zeros(size), found, ["1.0%", "2.0%"]),
        drawings.focus(gray(size), np.ones((*size, 1)), (size[1] - 1, 0)),
        drawings.crop(gray(size), (0, 0, 1, 1)),
    ):
        assert drawn.dtype == "uint8" and drawn.shape[2] == 3
        assert max(drawn.shape) == drawings.LONGEST
        scale = drawings.LONGEST / max(size)
        expected = np.maximum(1, np.array(size) * scale)
        assert np.abs(np.array(drawn.shape[:2]) - expected).max() <= 0.5


@pytest.mark.parametrize("size", [(60, 80), (1500, 2000), (90, 47)])
@pytest.mark.parametrize("as_mask", [False, True])
def test_a_region_is_outlined_where_it_lies(size, as_mask):
    # The lower right quarter, whose label is above it.
    height, width = size
    box = (width // 2, height // 2, width - width // 2, height - height // 2)
    region = box
    if as_mask:
        region = np.zeros(size, bool)
        region[box[1] :, box[0] :] = True
    drawn = drawings.regions(gray(size), np.zeros(size), {"": region}, [""])
    shown = drawn.copy()
    top = round(box[1] / height * shown.shape[0])
    shown[:top] = 0  # the label
    edges = white(shown)
    thick = 3 * drawings.LINE / min(shown.shape[:2])
    expected = (box[0] / width, box[1] / height, 1, 1)
    np.testing.assert_allclose(edges, expected, atol=thick)
    # Inside, and outside, the picture is as it was.
    middle = drawn[(top + shown.shape[0]) // 2, round(shown.shape[1] * 0.75)]
    assert len({*middle.tolist()}) and (middle < 90).all()
    assert (drawn[: top - 60, 30] == drawn[0, 0]).all()


def test_labels_are_told_apart_and_stay_in_the_picture():
    def drawn(name, label):
        return drawings.regions(gray((60, 80)), np.ones((60, 80)), {name: (70, 0, 10, 5)}, [label])

    plain = drawn("logo", "10.0%")
    assert (plain != drawn("logo", "20.0%")).any()
    assert (plain != drawn("Logo", "10.0%")).any()
    assert plain[:40, -300:].max() == 255 and (plain[:40, -8:] == 0).any()
    long = drawn("W" * 500, "10.0%")
    assert long.shape == plain.shape


def test_the_map_is_laid_over_its_picture():
    saliency_map = np.zeros((60, 80))
    saliency_map[:, 40:] = 0.001
    drawn = drawings.regions(gray((60, 80)), saliency_map, {}, []).astype(int)
    assert (drawn[300, 900] - drawn[300, 100]).max() > 50
    logarithms = np.log(saliency_map + 1e-9)
    np.testing.assert_array_equal(
        drawings.regions(gray((60, 80)), logarithms, {}, []).argmax(1),
        drawings.regions(gray((60, 80)), logarithms * 3, {}, []).argmax(1),
    )


@pytest.mark.parametrize("point", [(0, 0), (79, 59), (20, 30), (40, 0)])
def test_the_focus_is_marked(point):
    plain = drawings.regions(gray((60, 80)), np.zeros((60, 80)), {}, [])
    drawn = drawings.focus(gray((60, 80)), np.zeros((60, 80)), point)
    rows, columns = np.nonzero((drawn != plain).any(-1))
    expected = (np.array(point) + 0.5) * 12.5
    middle = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    inside = (expected > 35) & (expected < [965, 715])
    np.testing.assert_allclose(np.array(middle)[inside], expected[inside], atol=1)
    x, y = np.minimum(expected.astype(int), [999, 749])
    assert (drawn[y, x] == 255).all()


def test_what_a_crop_leaves_out_is_darker():
    drawn = drawings.crop(gray((60, 80)), (20, 10, 40, 40))
    assert (drawn[20:90, 20:980] == 31).all()  # 90 * 0.35
    assert (drawn[165:585, 295:705] == 90).all()
    np.testing.assert_allclose(white(drawn), (0.25, 1 / 6, 0.75, 5 / 6), atol=0.01)


def test_designs_lie_beside_each_other_with_their_shares():
    a = gray((60, 80)), np.ones((60, 80)), {"logo": (0, 0, 40, 60)}
    b = gray((80, 60)) // 2, np.ones((80, 60, 1)), {"logo": (0, 0, 15, 80)}
    sheet = drawings.designs([a, b], ["A: a.png", "B: b.png"])
    gap, top = drawings.GAP, sheet.shape[0] - 1000 - drawings.GAP
    assert sheet.shape[1] == gap + 1000 + gap + 750 + gap
    left = drawings.regions(*a, ["50.0%"])
    np.testing.assert_array_equal(sheet[top : top + 750, gap : gap + 1000], left)
    right = drawings.regions(*b, ["25.0%"])
    np.testing.assert_array_equal(sheet[top : top + 1000, 2 * gap + 1000 : -gap], right)
    assert sheet[:top, : gap + 200].min() < 100 and (sheet[top + 750 :, : gap + 1000] == 255).all()
