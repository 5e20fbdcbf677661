"""What is found in a dataset, each fault put into a whole one."""

import dataclasses
import types
import unicodedata

import numpy as np
import pytest
from PIL import Image

from keras_saliency import checking
from keras_saliency.checking import Entry, Finding
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError


@pytest.fixture
def loaded(tmp_path):
    """Two splits of three different pictures each, all looked at."""
    random = np.random.default_rng(0)
    made = {}
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        for i in range(3):
            path = tmp_path / split / f"{i}.png"
            Image.fromarray(random.integers(0, 256, (6, 8, 3)).astype("uint8")).save(path)
            fixations = random.uniform(0, 5, (4 + i, 2)).astype("float32")
            example = Example(f"{i}.png", (6, 8), fixations, str(path), observers=np.arange(4 + i))
            made.setdefault(split, []).append(example)
    return made


def changed(loaded, split, i, **fields):
    examples = [*loaded[split]]
    examples[i] = dataclasses.replace(examples[i], **fields)
    return {**loaded, split: examples}


def looked_at(loaded):
    return checking.looked_at(checking.entries(loaded))


def only(findings, wrong, *words):
    (finding,) = findings
    assert finding.wrong is wrong
    assert "\n" not in finding.text
    for word in words:
        assert word in finding.text


def test_a_whole_dataset_has_no_findings(loaded):
    found = checking.entries(loaded)
    counts = {"train": (3, 15), "test": (3, None)}
    assert checking.against_published(loaded, counts) == []
    assert looked_at(loaded) == []
    assert checking.decoded(found) == ([], found)
    assert checking.names(found) == []
    assert checking.strays(found) == []


def module(splits, **names):
    """A dataset's module; what cannot be loaded is text, the error's."""

    def load(data_dir, split, limit=None):
        if isinstance(splits[split], str):
            raise InputError(splits[split])
        return splits[split][:limit]

    return types.SimpleNamespace(load=load, **names)


def test_splits_that_cannot_be_loaded(loaded):
    broken = module({**loaded, "val": "no such file: x"}, COUNTS={"val": (9, None)})
    found, findings = checking.load(broken, "", ["train", "val", "test"], 2)
    assert {split: len(examples) for split, examples in found.items()} == {"train": 2, "test": 2}
    only(findings, True, "val cannot be loaded: no such file: x")


@pytest.mark.parametrize("names", [{}, {"COUNTS": {}}])
@pytest.mark.parametrize(
    ("splits", "wrong"),
    [
        ({"val": "no such file: x"}, True),
        ({"train": [], "val": "no such file: x"}, False),
        ({"train": [], "val": "x is damaged"}, True),
        ({"all": [], "val": "none of the pictures belong to it"}, False),
    ],
)
def test_ones_own_data_need_not_have_every_split(splits, wrong, names):
    only(checking.load(module(splits, **names), "", list(splits))[1], wrong, "val")


def test_all_adds_what_no_other_split_has(loaded, tmp_path):
    more = dataclasses.replace(loaded["test"][0], name="x", image_path=str(tmp_path / "x.png"))
    every = {"all": [*loaded["train"], *loaded["test"], more], **loaded}
    found = checking.entries(every)
    assert [str(entry) for entry in found] == [
        *("train 0.png", "train 1.png", "train 2.png"),
        *("test 0.png", "test 1.png", "test 2.png", "all x"),
    ]


def test_the_table(loaded):
    loaded = changed(loaded, "test", 1, dropped=1500, density_path="a")
    table = checking.table(loaded, {"train": (3, 1500)})
    assert table.splitlines()[2:] == [
        "| train | 3 | 3 | 15 | 1,500 | 4-6 | 6 | 0 | 0 |",
        "| test | 3 | – | 15 | – | 4-6 | 6 | 1,500 | 1 |",
    ]
    without = changed(loaded, "train", 0, observers=None)
    assert "| 6 | 0 | 0 |" in checking.table(without, {}).splitlines()[2]
    assert checking.table({"test": []}, {}).endswith("| test | 0 | – | 0 | – | 0 | – | 0 | 0 |")


def test_sizes_most_frequent_first():
    found = [Entry("a", Example("", (i, 9), [])) for i in [1, 2, 2, 3, 4, 5, 6, 7]]
    said = checking.sizes(found)
    assert said == "2x9 (2), 1x9 (1), 3x9 (1), 4x9 (1), 5x9 (1), 2 other sizes (2)"


def test_other_counts_than_published(loaded):
    only(checking.against_published(loaded, {"train": (4, 15)}), True, "train", "3 pict", "4")
    only(checking.against_published(loaded, {"test": (3, 1600)}), True, "test", "15 fix", "1,600")
    loaded = changed(loaded, "train", 0, dropped=2)
    for published in (15, 17):  # some count those outside
        assert checking.against_published(loaded, {"train": (3, published)}) == []
    only(checking.against_published(loaded, {"train": (3, 16)}), True, "15", "16")


def test_fixations_outside_their_picture(loaded):
    loaded = changed(loaded, "train", 1, dropped=1)
    only(looked_at(loaded), False, "train: 1 fixations (6.2%)", "1.png (1)")
    loaded = changed(loaded, "train", 2, dropped=9)
    only(looked_at(loaded), True, "10 fix", "2.png (9), 1.png (1)", "x and y")


def test_pictures_that_nobody_looked_at(loaded):
    nobody = np.zeros((0, 2))
    loaded = changed(loaded, "train", 1, fixations=nobody)
    only(looked_at(loaded), False, "train: nobody looked at 1 picture: 1.png")
    published = changed(loaded, "train", 1, density_path="a.png")
    assert looked_at(published) == []
    for split, wrong in (("train", True), ("test", False)):
        empty = [dataclasses.replace(e, fixations=nobody) for e in loaded["test"]]
        only(looked_at({split: empty}), wrong, f"{split} has neither")


def test_pictures_that_do_not_decode(loaded):
    path = loaded["train"][1].image_path
    with open(path, "r+b") as file:
        file.truncate(100)
    found = checking.entries(loaded)
    findings, whole = checking.decoded(found)
    only(findings, True, "train 1.png", path)
    assert whole == [entry for entry in found if str(entry) != "train 1.png"]


def test_a_picture_that_is_gone(loaded, tmp_path):
    (tmp_path / "test" / "0.png").unlink()
    only(checking.decoded(checking.entries(loaded))[0], True, "test 0.png", "no such file")


def test_a_picture_of_another_size(loaded):
    loaded = changed(loaded, "test", 2, size=(8, 6))
    found = checking.entries(loaded)
    findings, whole = checking.decoded(found)
    only(findings, True, "test 2.png", "is 6x8 pixels, expected 8x6")
    assert whole == found, "it can be shown"


def test_the_same_picture_in_two_splits(loaded, tmp_path):
    content = (tmp_path / "train" / "0.png").read_bytes()
    (tmp_path / "test" / "2.png").write_bytes(content)
    findings, _ = checking.decoded(checking.entries(loaded))
    only(findings, True, "leakage", "train 0.png = test 2.png", "1 picture of")


def test_the_same_file_in_two_splits(loaded):
    loaded = {**loaded, "val": loaded["train"][:1]}
    findings, _ = checking.decoded(checking.entries(loaded))
    only(findings, True, "leakage", "train 0.png = val 0.png")


def test_the_same_picture_twice_in_a_split(loaded, tmp_path):
    # Other bytes, the same pixels.
    Image.open(tmp_path / "train" / "0.png").save(tmp_path / "train" / "2.png", compress_level=0)
    findings, _ = checking.decoded(checking.entries(loaded))
    only(findings, False, "more than once", "train 0.png = train 2.png")


def test_the_same_bytes_in_another_shape_are_another_picture():
    flat = np.zeros((2, 6, 3), "uint8")
    examples = [
        Example(str(a.shape), a.shape[:2], [], image=a) for a in (flat, flat.reshape(6, 2, 3))
    ]
    found = checking.entries({"train": examples})
    assert checking.decoded(found) == ([], found)


def test_names_that_other_systems_take_for_one(loaded):
    cases = [
        ("a.png", "A.PNG"),
        *[tuple(unicodedata.normalize(f, "é.png") for f in ("NFC", "NFD"))],
    ]
    for names in cases:
        changing = loaded
        for i, name in enumerate(names):
            changing = changed(changing, "train", i, name=name)
        only(checking.names(checking.entries(changing)), False, ascii(names[0]), ascii(names[1]))


def test_pictures_that_no_split_has(loaded, tmp_path):
    for name in ("x.JPG", ".hidden.png", "notes.txt"):
        (tmp_path / "train" / name).write_bytes(b"x")
    only(
        checking.strays(checking.entries(loaded)), False, "1 picture", str(tmp_path / "train/x.JPG")
    )
    loaded = changed(loaded, "train", 0, density_path=str(tmp_path / "train" / "x.JPG"))
    assert checking.strays(checking.entries(loaded)) == []


def test_of_many_a_few_are_named(loaded):
    examples = [
        dataclasses.replace(loaded["train"][0], fixations=[], name=f"{i}") for i in range(9)
    ]
    findings = looked_at({"train": [*examples, loaded["train"][1]]})
    only(findings, False, "9 pictures: 0, 1, 2, 3, 4, ...")


def test_a_finding_is_wrong_unless_it_says_otherwise():
    assert Finding("x").wrong


def test_spread_takes_the_first_and_the_last():
    assert checking.spread(list(range(100)), 2) == [0, 99]
    assert checking.spread([1, 2], 5) == [1, 2]
    assert len(set(checking.spread(list(range(100)), 50))) == 50
