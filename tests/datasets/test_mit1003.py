"""MIT1003's loader, on small trees in the published layout."""

import os
import shutil

import numpy as np
import pytest
from checks import refused
from PIL import Image

from keras_saliency import loading, pictures
from keras_saliency.datasets import index, mit1003

STRAY = "i05june05_static_street_boston_p1010764fixPts.jpg"
# As file names are sorted: capitals before small letters, "." before "_".
STEMS = [
    "i05june05_static_street_boston_p1010764", "i1000978947", "i113347832", "i113347832_b",
    "iStatic", "istatic_b", "z.with.dots",
]  # fmt: skip
SIZE = (40, 64)  # height, width


def points_of(number):
    """x, y of a picture's fixations, sorted by row: corners, neighbors, one of its own."""
    return [[0, 0], [63, 0], [30, 7], [31, 7], [30, 8], [number, 20], [0, 39], [63, 39]]


def write_points(path, points, size=SIZE, **options):
    white = np.zeros(size, "uint8")
    for x, y in points:
        white[y, x] = 255
    Image.fromarray(white).save(path, **{"quality": 75, **options})


@pytest.fixture
def tree(tmp_path):
    stimuli, maps = tmp_path / "ALLSTIMULI", tmp_path / "ALLFIXATIONMAPS"
    stimuli.mkdir()
    maps.mkdir()
    for number, stem in enumerate(STEMS):
        Image.new("RGB", SIZE[::-1], (number, 90, 90)).save(stimuli / f"{stem}.jpeg")
        write_points(maps / f"{stem}_fixPts.jpg", points_of(number))
        Image.new("L", SIZE[::-1], 7).save(maps / f"{stem}_fixMap.jpg")
    (maps / STRAY).write_bytes(b"never opened")
    return tmp_path


def names_of(folder, split="all", limit=None):
    return [example.name for example in mit1003.load(str(folder), split, limit)]


def test_fixations_are_the_white_pixels(tree):
    for number, example in enumerate(mit1003.load(str(tree), "all")):
        assert example.fixations.tolist() == points_of(number)
        assert example.fixations.dtype == "float32"
        assert (example.size, example.dropped, example.exif) == (SIZE, 0, False)
        assert example.observers is example.durations_ms is example.density is None


def test_an_example_knows_its_files(tree):
    (tree / "ALLFIXATIONMAPS" / f"{STEMS[-1]}_fixMap.jpg").unlink()
    examples = mit1003.load(str(tree), "all")
    assert [example.name for example in examples] == [f"{stem}.jpeg" for stem in STEMS]
    for stem, example in zip(STEMS, examples, strict=True):
        assert example.image_path == os.path.join(tree, "ALLSTIMULI", f"{stem}.jpeg")
        density_path = os.path.join(tree, "ALLFIXATIONMAPS", f"{stem}_fixMap.jpg")
        assert example.density_path == (None if stem == STEMS[-1] else density_path)


@pytest.mark.parametrize("quality", [75, 80, 85, 90, 95])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_gives_back_every_pixel_and_no_other(tmp_path, quality, mode):
    """Lone ones at each place of JPEG's 8x8 blocks, and up to half of all pixels white."""
    random = np.random.default_rng(quality)
    for share in (0.0005, 0.01, 0.1, 0.5):
        white = random.random((200, 300)) < share
        white[20:100:9, 20:100:9] = True
        path = str(tmp_path / "points.jpg")
        picture = Image.fromarray(white.astype("uint8") * 255).convert(mode)
        picture.save(path, quality=quality)
        found = np.zeros_like(white)
        x, y = mit1003._fixations(path, (200, 300)).astype(int).T
        found[y, x] = True
        np.testing.assert_array_equal(found, white)


def test_a_picture_that_nobody_looked_at_has_no_fixations(tree):
    write_points(tree / "ALLFIXATIONMAPS" / f"{STEMS[0]}_fixPts.jpg", [])
    assert mit1003.load(str(tree), "all")[0].fixations.shape == (0, 2)


def test_the_complete_set_is_divided_as_msi_nets_code_does():
    # Its steps: shuffle the indices of the sorted names with seed 42, 803 first.
    indices = np.arange(1003)
    np.random.RandomState(42).shuffle(indices)
    names = [f"i{number:04d}.jpeg" for number in range(1003)]
    train, val = (mit1003._of_split(names, split) for split in ("train", "val"))
    assert train == [names[i] for i in sorted(indices[:803])]
    assert val == [names[i] for i in sorted(indices[803:])]
    assert [int(name[1:5]) for name in val[:8]] == [1, 4, 13, 14, 20, 21, 27, 32]
    counts = {split: (len(mit1003._of_split(names, split)), None) for split in mit1003.SPLITS}
    assert counts == mit1003.COUNTS


@pytest.mark.parametrize(("count", "fifth"), [(2, 0), (3, 1), (7, 1), (8, 2), (100, 20)])
def test_of_fewer_pictures_val_is_a_fifth(count, fifth):
    names = [str(i) for i in range(count)]
    train, val = (mit1003._of_split(names, split) for split in ("train", "val"))
    assert len(val) == fifth
    assert sorted(train + val) == sorted(names)


def test_splits_keep_the_order_and_a_limit_takes_the_first(tree):
    train, val = names_of(tree, "train"), names_of(tree, "val")
    assert (train, val) == (sorted(train), sorted(val))
    assert sorted(train + val) == names_of(tree)
    assert (len(train), len(val)) == (6, 1)
    assert names_of(tree, "train", 2) == train[:2]
    assert names_of(tree, "all", 0) == []
    assert names_of(tree, "all", 99) == names_of(tree)


def test_scores_are_not_taken_of_what_was_trained_on():
    assert loading.scored_split("mit1003") == "val"


def test_a_split_without_pictures_is_refused(tree):
    for stem in STEMS[2:]:
        (tree / "ALLSTIMULI" / f"{stem}.jpeg").unlink()
        (tree / "ALLFIXATIONMAPS" / f"{stem}_fixPts.jpg").unlink()
    assert len(names_of(tree, "train")) == 2
    refused(lambda: names_of(tree, "val"), "too few", "'val'", "'all'")


def test_an_unknown_split_names_the_known_ones(tree):
    refused(lambda: names_of(tree, "test"), "train, val, all", "'test'")


def test_a_picture_without_points_is_named(tree):
    path = tree / "ALLFIXATIONMAPS" / f"{STEMS[0]}_fixPts.jpg"
    path.unlink()  # the stray file is no substitute
    refused(lambda: names_of(tree), str(path), "unpack ALLFIXATIONMAPS.zip")


def test_points_without_their_picture_are_named(tree):
    """Else the rest would silently be divided in another way."""
    for stem in STEMS[1:3]:
        (tree / "ALLSTIMULI" / f"{stem}.jpeg").unlink()
    first = tree / "ALLSTIMULI" / f"{STEMS[1]}.jpeg"
    refused(lambda: names_of(tree, "train"), "2 of the pictures", str(first), "ALLSTIMULI.zip")


def test_points_of_no_picture_are_passed_over_if_all_pictures_are_there(tree, monkeypatch):
    monkeypatch.setitem(mit1003.COUNTS, "all", (len(STEMS), None))
    (tree / "ALLFIXATIONMAPS" / "other_fixPts.jpg").write_bytes(b"never opened")
    assert len(names_of(tree)) == len(STEMS)


def test_hidden_files_and_other_kinds_are_passed_over(tree):
    (tree / "ALLSTIMULI" / ".svn").mkdir()
    for name in (".svn/a.jpeg", "._i1000978947.jpeg", "Thumbs.db", "a.jpg"):
        (tree / "ALLSTIMULI" / name).write_bytes(b"never opened")
    for name in ("._i1000978947_fixPts.jpg", ".DS_Store", "i1000978947.jpg"):
        (tree / "ALLFIXATIONMAPS" / name).write_bytes(b"never opened")
    assert len(names_of(tree)) == len(STEMS)


def test_points_of_another_size_are_refused(tree):
    path = tree / "ALLFIXATIONMAPS" / f"{STEMS[3]}_fixPts.jpg"
    write_points(path, [[1, 2]], (64, 40))
    refused(lambda: names_of(tree), str(path), "64x40", "40x64")


def test_exif_tags_turn_neither_picture_nor_points(tree):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tree / "ALLSTIMULI" / f"{STEMS[0]}.jpeg"
    Image.new("RGB", SIZE[::-1]).save(path, exif=exif)
    points = tree / "ALLFIXATIONMAPS" / f"{STEMS[0]}_fixPts.jpg"
    write_points(points, [[63, 0]], exif=exif)
    example = mit1003.load(str(tree), "all")[0]
    assert pictures.of(example).shape[:2] == example.size == SIZE
    assert example.fixations.tolist() == [[63, 0]]


@pytest.mark.parametrize("kept", [0, 300, -60], ids=["empty", "header", "most"])
def test_damaged_points_are_named(tree, kept):
    path = tree / "ALLFIXATIONMAPS" / f"{STEMS[2]}_fixPts.jpg"
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: names_of(tree), str(path), "picture")


def test_a_damaged_picture_is_named(tree):
    path = tree / "ALLSTIMULI" / f"{STEMS[2]}.jpeg"
    path.write_bytes(b"no picture")
    refused(lambda: names_of(tree), str(path), "is not a picture")


def test_of_pictures_only_the_header_is_read(tree):
    for path in (tree / "ALLSTIMULI").iterdir():
        path.write_bytes(path.read_bytes()[:640])
    assert len(names_of(tree)) == len(STEMS)


def test_the_folder_may_hold_all_of_mit1003(tree):
    (tree / "datasets" / "MIT1003").mkdir(parents=True)
    for name in ("ALLSTIMULI", "ALLFIXATIONMAPS"):
        (tree / name).rename(tree / "datasets" / "MIT1003" / name)
    assert len(names_of(tree / "datasets")) == len(names_of(tree / "datasets" / "MIT1003")) == 7


def test_the_folders_are_asked_for_and_named(tree, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    refused(lambda: mit1003.load(""), "--data-dir")
    refused(lambda: names_of(empty), os.path.join(empty, "ALLSTIMULI"), "https://")
    (empty / "ALLSTIMULI").mkdir()
    refused(lambda: names_of(empty), os.path.join(empty, "ALLFIXATIONMAPS"), "https://")
    shutil.copytree(tree / "ALLFIXATIONMAPS", empty / "ALLFIXATIONMAPS")
    refused(lambda: names_of(empty), "ALLSTIMULI", "no pictures", "https://")


def test_the_second_time_no_picture_is_opened(tree, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 2)
    first = mit1003.load(str(tree), "all")
    for name in ("size", "read"):
        monkeypatch.setattr(pictures, name, None)
    second = mit1003.load(str(tree), "train")
    known = {example.name: example for example in first}
    assert len(second) == 6
    for example in second:
        np.testing.assert_array_equal(example.fixations, known[example.name].fixations)
        assert example.density_path == known[example.name].density_path
        assert (example.size, example.exif) == (SIZE, False)


def test_a_changed_map_of_points_is_read_again(tree, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 2)
    mit1003.load(str(tree), "all")
    write_points(tree / "ALLFIXATIONMAPS" / f"{STEMS[1]}_fixPts.jpg", [[5, 6], [7, 8]])
    assert mit1003.load(str(tree), "all")[1].fixations.tolist() == [[5, 6], [7, 8]]
