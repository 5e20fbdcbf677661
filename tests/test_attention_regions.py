"""Files of regions are read, and what is wrong with one is said in a line that names it."""

import json

import numpy as np
import pytest
from checks import refused
from PIL import Image

from keras_saliency import attention_regions

SIZE = (6, 8)


def written(folder, content):
    path = folder / "regions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return str(path)


def test_boxes_and_masks_in_the_files_order(tmp_path):
    (tmp_path / "masks").mkdir()
    gray = np.zeros(SIZE, "uint8")
    gray[1, 2:5] = 127, 128, 255
    Image.fromarray(gray).save(tmp_path / "masks" / "face.png")
    entries = [
        {"name": "preis €", "box": [0, 0, 8, 6]},
        {"name": "face", "mask": "masks/face.png"},
        {"name": "dot", "box": [7.0, 5, 1, 1]},
    ]
    found = attention_regions.read(written(tmp_path, entries), SIZE)
    assert list(found) == ["preis €", "face", "dot"]
    assert found["preis €"] == (0, 0, 8, 6) and found["dot"] == (7, 5, 1, 1)
    assert found["face"].dtype == bool
    assert np.argwhere(found["face"]).tolist() == [[1, 3], [1, 4]]


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = written(tmp_path, "\ufeff" + json.dumps([{"name": "a", "box": [0, 0, 1, 1]}]))
    assert attention_regions.read(path, SIZE) == {"a": (0, 0, 1, 1)}


def box(*numbers):
    return [{"name": "logo", "box": numbers}]


@pytest.mark.parametrize(
    "content, words",
    [
        ("", ["no JSON"]),
        ("{", ["no JSON"]),
        ("[" * 100_000, ["no JSON"]),
        ('[{"name": "a", "box": [0, 0, 1, 1' + "0" * 5000 + "]}]", []),
        ("{}", ["no list"]),
        ("[]", ["no list"]),
        ("3", ["no list"]),
        ([3], ["region 1", '"name"']),
        ([{"box": [0, 0, 1, 1]}], ["region 1", '"name"']),
        ([{"name": " ", "box": [0, 0, 1, 1]}], ["region 1", '"name"']),
        ([{"name": "a\nb", "box": [0, 0, 1, 1]}], ["region 1", '"name"']),
        ([{"name": 3, "box": [0, 0, 1, 1]}], ["region 1", '"name"']),
        ([{"name": "a"}], ["region 1", '"box" or "mask"']),
        ([{"name": "a", "Box": [0, 0, 1, 1]}], ["region 1", "Box"]),
        ([{"name": "a", "x\n": 1, "box": [0, 0, 1, 1]}], ["region 1"]),
        ([{"name": "a", "box": [0, 0, 1, 1], "mask": "a.png"}], ["box, 'mask'"[:3]]),
        (box(0, 0, 1, 1) * 2, ["two regions", "'logo'"]),
        (box(0, 0, 1), ["'logo'", "whole pixels"]),
        (box(0, 0, 1, 1, 1), ["'logo'", "whole pixels"]),
        (box(0, 0, 1.5, 1), ["'logo'", "whole pixels"]),
        (box(0, 0, "1", 1), ["'logo'", "whole pixels"]),
        (box(0, 0, None, 1), ["'logo'", "whole pixels"]),
        (box(0, 0, [1], 1), ["'logo'"]),
        (box(True, False, True, True), ["'logo'", "whole pixels"]),
        (box(0, 0, float("nan"), 1), ["'logo'", "whole pixels"]),
        (box(0, 0, float("inf"), 1), ["'logo'", "whole pixels"]),
        (box(0, 0, 10**30, 1), ["'logo'"]),
        (box(0, 0, 2**62, 2**62), ["'logo'", "reaches out"]),
        (box(0, 0, 0, 1), ["'logo'", "at least one pixel"]),
        (box(0, 0, 1, -1), ["'logo'", "at least one pixel"]),
        (box(-1, 0, 1, 1), ["'logo'", "reaches out", "8 wide and 6 high"]),
        (box(7, 0, 2, 1), ["'logo'", "reaches out"]),
        (box(0, 5, 1, 2), ["'logo'", "reaches out"]),
        ([{"name": "logo", "box": "0 0 1 1"}], ["'logo'", "a box is"]),
        ([{"name": "logo", "box": [[1, 0], [0, 1]]}], ["'logo'"]),
        ([{"name": "logo", "mask": 3}], ["'logo'", "a mask is"]),
        ([{"name": "logo", "mask": "missing.png"}], ["missing.png"]),
        ([{"name": "logo", "mask": "regions.json"}], ["regions.json", "not a picture"]),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path, content, words):
    path = written(tmp_path, content)
    refused(lambda: attention_regions.read(path, SIZE), str(tmp_path), *words)


def test_a_missing_file_and_one_in_another_encoding(tmp_path):
    refused(lambda: attention_regions.read(str(tmp_path / "none.json"), SIZE), "no such file")
    path = tmp_path / "regions.json"
    path.write_bytes('[{"name": "Größe", "box": [0, 0, 1, 1]}]'.encode("latin-1"))
    refused(lambda: attention_regions.read(str(path), SIZE), str(path), "no JSON")


@pytest.mark.parametrize(
    "shape, shade, words", [((6, 9), 255, ["9 wide"]), ((6, 8), 127, ["without a pixel"])]
)
def test_masks_that_do_not_fit(tmp_path, shape, shade, words):
    Image.fromarray(np.full(shape, shade, "uint8")).save(tmp_path / "face.png")
    path = written(tmp_path, [{"name": "face", "mask": "face.png"}])
    refused(lambda: attention_regions.read(path, SIZE), "'face'", "face.png", *words)


@pytest.mark.parametrize(
    "region",
    [
        np.ones((6, 8)),
        np.ones((6, 8), int),
        np.ones((6, 8, 3), bool),
        np.ones((6, 8, 1, 1), bool),
        np.zeros((6, 8), bool),
        np.ones((8, 6), bool),
        "logo",
        None,
        3,
        [],
        [[1, 2], [3]],
    ],
)
def test_what_is_no_region_is_refused(region):
    refused(lambda: attention_regions.checked(region, SIZE, "the face"), "the face")


def test_a_region_as_a_mask():
    mask = attention_regions.as_mask((2, 1, 3, 4), SIZE)
    assert np.argwhere(mask).min(0).tolist() == [1, 2]
    assert np.argwhere(mask).max(0).tolist() == [4, 4]
    assert mask.sum() == 12
    assert attention_regions.as_mask(mask, SIZE) is mask
