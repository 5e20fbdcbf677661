"""SALICON's JSON of 2015: read in parts, whole or damaged, in any order."""

import json

import numpy as np
import pytest
from checks import refused
from salicon_tree import annotation, image_record, save_json

from keras_saliency.datasets import salicon_json

NAMES = [f"COCO_train2014_{number:012d}.jpg" for number in range(1, 6)]
IMAGES = [image_record(number, name) for number, name in enumerate(NAMES, 1)]


@pytest.fixture
def path(tmp_path):
    """Five pictures and thirty annotations of up to nine points."""
    random = np.random.default_rng(0)
    looked = [
        annotation(number % 5 + 1, random.integers(1, 49, (number % 10, 2)), number)
        for number in range(30)
    ]
    save_json(tmp_path / "a.json", IMAGES, looked)
    return tmp_path / "a.json"


def plainly(path):
    """The same by `json.load`, a point at a time."""
    tree = json.loads(path.read_text())
    found = {image["file_name"]: ([], []) for image in tree["images"]}
    names = {image["id"]: image["file_name"] for image in tree["images"]}
    for one in tree["annotations"]:
        for row, column in one["fixations"]:
            found[names[one["image_id"]]][0].append([column - 1, row - 1])
            found[names[one["image_id"]]][1].append(one["worker_id"])
    return found


def read(path, names=NAMES):
    found = salicon_json.read(str(path), names)
    assert {size for size, _, _ in found.values()} <= {(48, 64)}
    return {name: (xy.tolist(), who.tolist()) for name, (_, xy, who) in found.items()}


@pytest.mark.parametrize("chunk", [1, 7, 64, 10**6])
@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 1}])
def test_the_parts_in_which_it_is_read_do_not_matter(path, monkeypatch, chunk, style):
    path.write_text(json.dumps(json.loads(path.read_text()), **style))
    monkeypatch.setattr(salicon_json, "CHUNK", chunk)
    assert read(path) == plainly(path)


def test_annotations_may_come_before_the_images(path):
    expected = plainly(path)
    tree = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(tree.items()))))
    assert path.read_text().index("annotations") < path.read_text().index("images")
    assert read(path) == expected
    assert list(read(path, NAMES[2:3])) == NAMES[2:3]


def test_only_the_wanted_pictures_are_kept(path):
    expected = plainly(path)
    assert read(path, [NAMES[3], "unknown.jpg"]) == {NAMES[3]: expected[NAMES[3]]}
    assert read(path, []) == {}


def test_a_picture_that_nobody_saw_has_no_fixations(tmp_path):
    save_json(tmp_path / "a.json", IMAGES, [annotation(2, [[1, 1]], 5)])
    found = salicon_json.read(str(tmp_path / "a.json"), NAMES)
    assert found[NAMES[0]][1].shape == (0, 2)
    assert found[NAMES[0]][2].shape == (0,)
    assert found[NAMES[1]][1].tolist() == [[0, 0]]


def test_a_number_may_end_with_a_part(tmp_path, monkeypatch):
    """`"version": 12` is not 1 and then 2."""
    monkeypatch.setattr(salicon_json, "CHUNK", 1)
    save_json(tmp_path / "a.json", IMAGES, [annotation(1, [[12, 34]], 5)], version=12345)
    assert read(tmp_path / "a.json")[NAMES[0]] == ([[11.0, 33.0]], [5])


def test_a_cut_file_is_refused_wherever_it_was_cut(path):
    text = path.read_text()
    for kept in [*range(0, len(text) - 1, 97), len(text) - 2, len(text) - 1]:
        path.write_text(text[:kept])
        refused(lambda: read(path), str(path), "cut off or damaged", "818 MB")


def test_a_cut_file_says_how_far_it_goes(path):
    text = path.read_text()
    path.write_text(text[: text.index('"worker_id": 12,')])
    refused(lambda: read(path), "after 12 annotations")


@pytest.mark.parametrize(
    "text",
    ["", "  ", "<html>", "[]", '"text"', "{1: 2}x", '{"images": [}', '{"a" 1}', '{"a": 1 "b": 2}',
     '{"images": [1 2]}', "{" * 10, "12", '{"a": nul}'],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    refused(lambda: read(tmp_path / "a.json"), "a.json")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe{", b"\x1f\x8b\x08\0", b'{"a": "\xe9"}', b"[" * 200_000, b'{"a": ' + b"[" * 200_000,
     b'{"a": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    refused(lambda: read(tmp_path / "a.json"), "a.json")


@pytest.mark.parametrize(
    "broken",
    [
        {"image_id": 1, "segmentation": []},
        {"image_id": 1, "fixations": [[1, 2]]},
        {"image_id": 1, "fixations": [[1, 2, 3]], "worker_id": 1},
        {"image_id": 1, "fixations": [[1]], "worker_id": 1},
        {"image_id": 1, "fixations": [[1, 2, 3], [4]], "worker_id": 1},
        {"image_id": 1, "fixations": ["12", "34"], "worker_id": 1},
        {"image_id": 1, "fixations": {}, "worker_id": 1},
        {"image_id": 1, "fixations": [[1, 2]], "worker_id": 3e9},
        {"image_id": 1, "fixations": [[1, 2]], "worker_id": 10**400},
        {"image_id": 1, "fixations": [1, 2], "worker_id": 1},
        {"image_id": 1, "fixations": None, "worker_id": 1},
        {"image_id": 1, "fixations": [["a", "b"]], "worker_id": 1},
        {"image_id": 1, "fixations": [[1, 2]], "worker_id": None},
        {"image_id": [1], "fixations": [[1, 2]], "worker_id": 1},
        {"fixations": [[1, 2]], "worker_id": 1},
        3,
    ],
)
def test_another_annotation_is_refused(tmp_path, broken):
    save_json(tmp_path / "a.json", IMAGES, [annotation(1, [[1, 1]], 5), broken])
    refused(lambda: read(tmp_path / "a.json"), "a.json", "not SALICON's", "annotations")


@pytest.mark.parametrize(
    "broken", [{"id": 9}, {"id": 9, "file_name": "a"}, [], {**IMAGES[0], "height": "tall"}]
)
def test_another_image_is_refused(tmp_path, broken):
    save_json(tmp_path / "a.json", [*IMAGES, broken], [])
    refused(lambda: read(tmp_path / "a.json"), "a.json", "not SALICON's", "images")


def test_files_without_a_list_are_refused(tmp_path):
    for tree in ({}, {"images": IMAGES}, {"annotations": [annotation(1, [], 1)]}):
        (tmp_path / "a.json").write_text(json.dumps(tree))
        refused(lambda: read(tmp_path / "a.json"), "a.json", "no list of images")
    refused(lambda: read(tmp_path / "b.json"), "no such file", "b.json")


def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    """What is held of the text stays about as long as a part of it."""
    monkeypatch.setattr(salicon_json, "CHUNK", 1000)
    longest = []
    more = salicon_json._Stream.more

    def watched(stream):
        found = more(stream)
        longest.append(len(stream.text))
        return found

    monkeypatch.setattr(salicon_json._Stream, "more", watched)
    looked = [annotation(1, [[1, 1]] * 5, worker) for worker in range(500)]
    save_json(tmp_path / "a.json", IMAGES, looked)
    assert len(read(tmp_path / "a.json")[NAMES[0]][0]) == 2500
    assert (tmp_path / "a.json").stat().st_size > 40_000
    assert max(longest) < 3000


def test_a_value_without_an_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(salicon_json, "CHUNK", 100)
    monkeypatch.setattr(salicon_json, "MOST", 1000)
    (tmp_path / "a.json").write_text('{"a": "' + "b" * 100_000)
    counted = []
    more = salicon_json._Stream.more
    monkeypatch.setattr(salicon_json._Stream, "more", lambda s: counted.append(1) or more(s))
    refused(lambda: read(tmp_path / "a.json"), "damaged")
    assert len(counted) < 10
