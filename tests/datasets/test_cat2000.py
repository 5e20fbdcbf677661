"""CAT2000's loader, on small trees in the published layout."""

import collections
import os
import shutil

import numpy as np
import pytest
from cat2000_tree import CATEGORIES, write_tree
from checks import refused
from PIL import Image
from scipy import io

from keras_saliency import loading, pictures
from keras_saliency.datasets import cat2000

# RandomState(42).permutation(100)[80:], sorted: other numbers were another split.
MSI_NETS = [1, 2, 14, 20, 21, 23, 29, 37, 51, 52, 60, 63, 71, 74, 82, 84, 86, 87, 91, 92]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """20 categories of 5 and 1 pictures; tests only read it."""
    folder = tmp_path_factory.mktemp("cat2000")
    write_tree(folder)
    return folder


@pytest.fixture
def tree(tmp_path):
    """Two categories that a test may break."""
    write_tree(tmp_path, ("Action", "Art"), 5, 1, (27, 48))
    return tmp_path


def names_of(folder, split="train", limit=None):
    return [example.name for example in cat2000.load(str(folder), split, limit)]


def test_train_and_val_are_four_and_one_of_five_of_every_category(whole):
    split = {name: names_of(whole, name) for name in cat2000.SPLITS}
    assert sorted(split["train"] + split["val"]) == split["all"]
    assert split["all"] == [f"{c}/{n:03d}.jpg" for c in CATEGORIES for n in range(1, 6)]
    assert collections.Counter(n.split("/")[0] for n in split["val"]) == dict.fromkeys(
        CATEGORIES, 1
    )
    assert split["test"] == [f"{category}/006.jpg" for category in CATEGORIES]


def test_of_a_complete_category_the_fifth_is_msi_nets():
    names = [f"{number:03d}.jpg" for number in range(0, 200, 2)]
    val = cat2000._of_split(names, "val")
    assert val == [names[i] for i in MSI_NETS]
    assert cat2000._of_split(names, "train") == sorted(set(names) - set(val))


@pytest.mark.parametrize(("count", "fifth"), [(1, 0), (2, 0), (3, 1), (7, 1), (8, 2), (101, 20)])
def test_a_fifth_is_rounded(count, fifth):
    names = [str(i) for i in range(count)]
    train, val = (cat2000._of_split(names, split) for split in ("train", "val"))
    assert len(val) == fifth
    assert sorted(train + val) == sorted(names)


def test_numbers_sort_as_numbers(tree):
    for folder, ending in (("Stimuli", ".jpg"), ("FIXATIONLOCS", ".mat")):
        part = tree / "trainSet" / folder / "Art"
        for stem in ("999", "1000"):
            shutil.copy(part / f"001{ending}", part / f"{stem}{ending}")
    assert names_of(tree, "all")[5:] == [
        f"Art/{n}.jpg" for n in ("001", "002", "003", "004", "005", "999", "1000")
    ]


def test_a_limit_takes_the_categories_in_turn(whole):
    assert names_of(whole, "all", 2) == ["Action/001.jpg", "Affective/001.jpg"]
    limited = names_of(whole, "all", 21)
    assert limited[:3] == ["Action/001.jpg", "Action/002.jpg", "Affective/001.jpg"]
    assert [name.split("/")[0] for name in limited[1:]] == list(CATEGORIES)
    assert names_of(whole, "all", 0) == []
    assert names_of(whole, "all", 1000) == names_of(whole, "all")


def test_a_limit_goes_on_where_a_category_ends(tree):
    for number in (2, 3, 4, 5):
        (tree / "trainSet" / "Stimuli" / "Action" / f"00{number}.jpg").unlink()
    assert names_of(tree, "all", 4) == [
        "Action/001.jpg", "Art/001.jpg", "Art/002.jpg", "Art/003.jpg",
    ]  # fmt: skip


def test_fixations_are_the_pixels_that_are_not_zero(tree):
    locations = np.zeros((27, 48))
    locations[[0, 26, 5], [0, 47, 40]] = [1, 255, 0.5]
    path = tree / "trainSet" / "FIXATIONLOCS" / "Action" / "001.mat"
    for stored in (locations, np.ceil(locations).astype("uint8"), locations > 0):
        io.savemat(path, {"fixLocs": stored}, do_compression=True)
        example = cat2000.load(str(tree), "all")[0]
        assert sorted(example.fixations.tolist()) == [[0, 0], [40, 5], [47, 26]]
        assert example.fixations.dtype == "float32"


def test_a_picture_that_nobody_looked_at_has_no_fixations(tree):
    path = tree / "trainSet" / "FIXATIONLOCS" / "Action" / "001.mat"
    io.savemat(path, {"fixLocs": np.zeros((27, 48), "uint8")})
    assert cat2000.load(str(tree), "all")[0].fixations.shape == (0, 2)


def test_an_example_knows_its_files_and_nothing_of_observers(whole):
    example = cat2000.load(str(whole), "all")[6]
    train = whole / "trainSet"
    assert example.name == "Affective/002.jpg"
    assert example.image_path == os.path.join(train, "Stimuli", "Affective", "002.jpg")
    assert example.density_path == os.path.join(train, "FIXATIONMAPS", "Affective", "002.jpg")
    assert (example.size, example.dropped) == ((108, 192), 0)
    assert example.image is example.observers is example.durations_ms is example.density is None


def test_fixations_lie_on_the_blob_and_on_no_border(whole):
    """x and y are not exchanged, and every picture has its own fixations."""
    for example in cat2000.load(str(whole), "val"):
        picture = pictures.of(example)
        x, y = example.fixations.astype(int).T
        assert picture[y, x].mean() > picture.mean() + 30
    bordered = cat2000.load(str(whole), "all")[1]
    assert (pictures.of(bordered)[:, :24] == 126).all()
    assert 24 <= bordered.fixations[:, 0].min() <= bordered.fixations[:, 0].max() < 168


def test_a_wrong_exif_tag_turns_neither_size_nor_picture(whole):
    for split in ("train", "val", "test"):
        example = cat2000.load(str(whole), split)[-1]
        with Image.open(example.image_path) as picture:
            assert picture.getexif()[0x0112] == 6
        assert example.size == pictures.of(example).shape[:2] == (108, 192)
    assert not any(e.exif for split in ("all", "test") for e in cat2000.load(str(whole), split))


def test_test_has_pictures_alone(whole):
    examples = cat2000.load(str(whole), "test")
    assert {len(example.fixations) for example in examples} == {0}
    assert {example.density_path for example in examples} == {None}
    assert examples[0].fixations.shape == (0, 2)


def test_without_published_maps_there_is_no_density_path(tree):
    shutil.rmtree(tree / "trainSet" / "FIXATIONMAPS")
    assert {example.density_path for example in cat2000.load(str(tree), "all")} == {None}


def test_pixels_are_not_read(tree):
    for path in (tree / "trainSet").rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:700])
    assert len(names_of(tree, "all")) == 10


@pytest.mark.parametrize("inside", ["", "trainSet"])
def test_the_folder_may_be_the_one_around_or_the_sets_own(tree, inside):
    assert len(names_of(tree / inside, "all")) == 10


def test_the_folder_may_hold_all_of_cat2000(tree):
    (tree / "datasets" / "CAT2000").mkdir(parents=True)
    for part in ("trainSet", "testSet"):
        (tree / part).rename(tree / "datasets" / "CAT2000" / part)
    assert len(names_of(tree / "datasets", "all")) == 10
    assert len(names_of(tree / "datasets", "test")) == 2


def test_the_train_set_does_not_pass_for_the_test_set(tree):
    assert len(names_of(tree / "testSet", "test")) == 2
    refused(lambda: names_of(tree / "trainSet", "test"), "testSet", "https://")


def test_output_hidden_files_and_other_kinds_are_passed_over(tree):
    stimuli = tree / "trainSet" / "Stimuli"
    (stimuli / "Art" / "Output").rename(stimuli / "Art" / "output")
    shutil.copytree(stimuli / "Art" / "output", stimuli / "Output")
    shutil.copytree(stimuli / "Art", stimuli / ".hidden")
    (stimuli / "empty").mkdir()
    for name in ("._001.jpg", "Thumbs.db"):
        (stimuli / "Art" / name).write_bytes(b"never opened")
    (stimuli / "readme.jpg").write_bytes(b"never opened")
    assert len(names_of(tree, "all")) == 10


def test_part_of_the_categories_and_others_load(tree):
    shutil.rmtree(tree / "trainSet" / "Stimuli" / "Art")
    for folder in ("Stimuli", "FIXATIONLOCS"):
        (tree / "trainSet" / folder / "Action").rename(tree / "trainSet" / folder / "Mine")
    assert names_of(tree, "val") == ["Mine/004.jpg"]


def test_it_can_be_trained_on_and_scored():
    assert "cat2000" in loading.DATASETS
    assert loading.scored_split("cat2000") == "val"


def test_the_folder_is_asked_for_and_named(tmp_path):
    refused(lambda: cat2000.load(""), "--data-dir")
    refused(lambda: names_of(tmp_path / "nowhere"), "nowhere", "trainSet", "https://")
    (tmp_path / "trainSet" / "Stimuli" / "Action" / "Output").mkdir(parents=True)
    refused(lambda: names_of(tmp_path), "Stimuli", "no pictures", "Action/001.jpg")


def test_an_unknown_split_names_the_known_ones(tree):
    refused(lambda: names_of(tree, "valid"), "train, val, all, test", "'valid'")


def test_a_split_without_pictures_is_refused(tmp_path):
    write_tree(tmp_path, ("Action", "Art"), 2, 0, (27, 48))
    assert len(names_of(tmp_path, "train")) == 4
    refused(lambda: names_of(tmp_path, "val"), "too few", "'val'", "'all'")


def test_a_missing_mat_is_named(tree):
    (tree / "trainSet" / "FIXATIONLOCS" / "Art" / "003.mat").unlink()
    refused(lambda: names_of(tree, "all"), os.path.join("FIXATIONLOCS", "Art", "003.mat"), "unpack")


@pytest.mark.parametrize("kept", [0, 60, 200])
def test_a_cut_off_mat_is_named(tree, kept):
    path = tree / "trainSet" / "FIXATIONLOCS" / "Art" / "003.mat"
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: names_of(tree, "all"), str(path), "damaged", "fetch it again")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"other": np.eye(3)}, ["no variable 'fixLocs'", "other"]),
        ({"fixLocs": "text"}, ["no array fixLocs"]),
        ({"fixLocs": {"x": 1}}, ["no array fixLocs"]),
        ({"fixLocs": np.zeros((48, 27))}, ["48x27", "27x48", "same archive"]),
        ({"fixLocs": np.zeros((27, 48, 2))}, ["27x48x2"]),
    ],
    ids=["other variable", "text", "struct", "turned", "three dimensions"],
)
def test_another_mat_is_named(tree, broken, words):
    path = tree / "trainSet" / "FIXATIONLOCS" / "Art" / "003.mat"
    io.savemat(path, broken)
    refused(lambda: names_of(tree, "all"), str(path), *words)


def test_a_damaged_picture_is_named(tree):
    for part, split, number in (("trainSet", "all", 3), ("testSet", "test", 6)):
        path = tree / part / "Stimuli" / "Art" / f"00{number}.jpg"
        path.write_bytes(b"no picture")
        refused(lambda split=split: names_of(tree, split), str(path), "is not a picture")
