"""MIT300's loader, on a small folder in the published layout."""

import os

import pytest
from checks import refused
from PIL import Image

from keras_saliency import pictures, submissions
from keras_saliency.datasets import index, mit300

# Height, width by number; the last has an EXIF tag that turns it.
SIZES = {1: (6, 8), 2: (8, 6), 3: (7, 8), 10: (6, 8)}


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "BenchmarkIMAGES"
    folder.mkdir()
    for number, (height, width) in SIZES.items():
        exif = Image.Exif()
        exif[0x0112] = 6 if number == 10 else 1
        picture = Image.new("RGB", (width, height), (number, 100, 200))
        picture.save(folder / f"i{number}.jpg", exif=exif)
    return tmp_path


def names_of(folder, limit=None):
    return [example.name for example in mit300.load(str(folder), limit=limit)]


def test_pictures_come_by_number_with_their_stored_sizes(tree):
    examples = mit300.load(str(tree))
    assert {example.name: example.size for example in examples} == {
        f"i{number}.jpg": size for number, size in SIZES.items()
    }
    assert [example.name for example in examples] == ["i1.jpg", "i2.jpg", "i3.jpg", "i10.jpg"]
    for example in examples:
        assert example.image_path == os.path.join(tree, "BenchmarkIMAGES", example.name)
        assert pictures.of(example).shape[:2] == example.size
        assert not example.exif


def test_there_are_no_fixations(tree):
    for example in mit300.load(str(tree), "test"):
        assert example.fixations.shape == (0, 2) and example.fixations.dtype == "float32"
        assert example.density_path is example.observers is example.density is None


def test_the_submission_writers_see_the_same_pictures(tree):
    sizes = submissions.stimulus_sizes("mit300", str(tree / "BenchmarkIMAGES"))
    assert sizes == {example.name: example.size for example in mit300.load(str(tree))}
    assert submissions.PICTURES["mit300"] == mit300.COUNTS["test"][0]


def test_a_limit_takes_the_first(tree):
    assert names_of(tree, 2) == ["i1.jpg", "i2.jpg"]
    assert names_of(tree, 0) == []
    assert names_of(tree, 9) == names_of(tree)


def test_folders_among_them_hidden_files_and_other_kinds_are_passed_over(tree):
    (tree / "BenchmarkIMAGES" / "SM").mkdir()
    for name in ("SM/i1.jpg", "._i1.jpg", "Thumbs.db", "i4.jpg.part"):
        (tree / "BenchmarkIMAGES" / name).write_bytes(b"never opened")
    assert len(names_of(tree)) == 4


@pytest.mark.parametrize("inside", ["MIT300", "MIT300/BenchmarkIMAGES", "BenchmarkIMAGES", ""])
def test_the_folder_may_be_around_or_the_pictures_own(tree, tmp_path, inside):
    where = tree
    if inside.startswith("MIT300"):
        where = tmp_path / "datasets"
        (where / "MIT300").mkdir(parents=True)
        (tree / "BenchmarkIMAGES").rename(where / "MIT300" / "BenchmarkIMAGES")
        assert len(names_of(where)) == 4
    assert len(names_of(where / inside)) == 4


def test_the_folder_is_asked_for_and_named(tmp_path):
    refused(lambda: mit300.load(""), "--data-dir")
    refused(lambda: names_of(tmp_path / "nowhere"), "nowhere", "BenchmarkIMAGES", "https://")
    refused(lambda: names_of(tmp_path), os.path.join(tmp_path, "BenchmarkIMAGES"), "https://")
    (tmp_path / "BenchmarkIMAGES").mkdir()
    refused(lambda: names_of(tmp_path), "no pictures", "i1.jpg", "https://")


def test_there_is_no_split_to_train_on(tree):
    refused(lambda: mit300.load(str(tree), "train"), "must be one of test", "'train'")


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_picture_is_named(tree, content):
    path = tree / "BenchmarkIMAGES" / "i2.jpg"
    path.write_bytes(content)
    refused(lambda: names_of(tree), str(path), "is not a picture")


def test_the_second_time_no_picture_is_opened(tree, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 2)
    first = mit300.load(str(tree))
    monkeypatch.setattr(pictures, "size", None)
    second = mit300.load(str(tree))
    assert [(e.name, e.size, e.exif) for e in second] == [(e.name, e.size, e.exif) for e in first]
    assert {example.fixations.shape for example in second} == {(0, 2)}
