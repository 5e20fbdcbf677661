"""SALICON's loader, on small trees in the published layouts of every release."""

import os
import shutil

import numpy as np
import pytest
from checks import refused
from numpy.lib.recfunctions import drop_fields
from PIL import Image
from salicon_tree import SAMPLES, annotation, image_record, save_gaze, save_json, write_tree
from scipy import io

from keras_saliency import mat_files, pictures
from keras_saliency.datasets import index, salicon, salicon_json, salicon_mat, salicon_releases

TRAIN = [f"COCO_train2014_{number:012d}.jpg" for number in (1, 2, 3, 4)]
MAT = "COCO_train2014_000000000001.mat"
# Of 48x64: the first and last pixels, and one point outside on each side, from 1.
POINTS = [[1, 1], [64, 48], [3, 2], [0, 5], [5, 0], [65, 5], [5, 49]]
INSIDE = [[0, 0], [63, 47], [2, 1]]


@pytest.fixture(params=salicon.RELEASES)
def any_release(request, tmp_path):
    """A release's name, and a tree of it."""
    write_tree(tmp_path, request.param)
    return request.param, tmp_path


@pytest.fixture
def tree(tmp_path):
    """A tree of 2017."""
    write_tree(tmp_path)
    return tmp_path


def load(folder, split="train", **options):
    return salicon.load(str(folder), split, **options)


def names_of(folder, split="train", **options):
    return [example.name for example in load(folder, split, **options)]


def test_the_counts_are_of_the_same_releases_and_splits():
    assert list(salicon.RELEASES) == list(salicon_releases.WHAT)
    assert all(tuple(counts) == salicon.SPLITS for counts in salicon.RELEASES.values())
    assert salicon.COUNTS["train"] == (10_000, 4_598_112)
    assert salicon.RELEASES["2015-gaze"]["val"] == (5_000, 1_662_655)
    assert salicon.RELEASES["2015-mat"]["val"] == (5_000, None)


def test_every_release_loads_its_splits(any_release):
    release, folder = any_release
    assert names_of(folder, release=release) == TRAIN
    assert names_of(folder, "val", release=release)[0] == "COCO_val2014_000000001001.jpg"
    assert len(names_of(folder, "val", release=release)) == 3
    test = load(folder, "test", release=release)
    assert [(len(e.fixations), e.density_path, e.observers) for e in test] == [(0, None, None)] * 2
    assert names_of(folder, limit=2, release=release) == TRAIN[:2]
    assert names_of(folder, limit=0, release=release) == []


def test_fixations_lie_on_the_blob(any_release):
    """x and y are not exchanged, and every picture has its own fixations."""
    release, folder = any_release
    for example in load(folder, release=release):
        picture = pictures.of(example)
        x, y = example.fixations.astype(int).T
        assert picture[y, x].mean() > picture.mean() + 30


def test_an_example_knows_its_files(any_release):
    release, folder = any_release
    example = load(folder, release=release)[1]
    flat = release == "2015-mat"
    assert example.image_path == os.path.join(folder, "images", "" if flat else "train", TRAIN[1])
    assert (example.size, example.exif, example.dropped) == ((48, 64), False, 0)
    maps = os.path.join(folder, "maps", "train", TRAIN[1].replace("jpg", "png"))
    assert example.density_path == (maps if release in ("2017", "2015-gaze") else None)
    count = {"2017": 28, "2015-gaze": 28, "2015-json": 80}.get(release)
    assert (example.observers is None) == flat
    if not flat:
        assert len(example.fixations) == len(example.observers) == count


def test_2017_counts_from_one_and_drops_what_lies_outside(tree):
    save_gaze(tree / "fixations" / "train" / MAT, [POINTS[:2], [], POINTS[2:]])
    example = load(tree)[0]
    assert example.fixations.tolist() == INSIDE
    assert example.observers.tolist() == [0, 0, 2]
    assert example.dropped == 4
    assert example.fixations.dtype == "float32"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_2017_points_may_be_of_any_numbers(tree, dtype):
    """Nothing wraps around below 0."""
    path = tree / "fixations" / "train" / MAT
    save_gaze(path, [POINTS])
    gaze = mat_files.read(str(path), "gaze")[0]
    gaze["fixations"][0, 0] = gaze["fixations"][0, 0].astype(dtype)
    io.savemat(path, {"gaze": gaze})
    example = load(tree)[0]
    assert (example.fixations.tolist(), example.dropped) == (INSIDE, 4)
    points, _ = salicon_mat.fixations(str(path), (48, 64))
    assert points[3].tolist() == [-1, 4]


def test_2017_may_have_no_observer_and_no_fixation(tree):
    path = tree / "fixations" / "train" / MAT
    for lists in ([], [[]]):
        save_gaze(path, lists)
        example = load(tree, release="2017")[0]
        assert example.fixations.shape == (0, 2)
        assert example.observers.shape == (0,)


def test_2015_mat_reads_the_pixels_that_are_not_zero(tmp_path):
    write_tree(tmp_path, "2015-mat")
    looked = np.zeros((48, 64))
    looked[[0, 47, 5], [0, 63, 40]] = [1, 255, 0.5]
    for stored in (looked, np.ceil(looked).astype("uint8"), looked > 0):
        io.savemat(tmp_path / "fixation" / MAT, {"I": stored}, do_compression=True)
        example = load(tmp_path)[0]
        assert example.fixations.tolist() == [[0, 0], [40, 5], [63, 47]]
        assert example.fixations.dtype == "float32"


def test_2015_json_reads_rows_then_columns_from_one(tmp_path):
    write_tree(tmp_path, "2015-json", train=1)
    looked = [annotation(1, POINTS[:2], 7), annotation(1, [], 8), annotation(1, POINTS[2:], 900)]
    assert looked[0]["fixations"] == [[1, 1], [48, 64]]
    save_json(tmp_path / "fixations_train2014.json", [image_record(1, TRAIN[0])], looked)
    example = load(tmp_path)[0]
    assert example.fixations.tolist() == INSIDE
    assert example.observers.tolist() == [7, 7, 900]
    assert (example.dropped, example.fixations.dtype) == (4, "float32")


@pytest.mark.parametrize("release", ["2017", "2015-json", "2015-mat"])
def test_the_release_is_told_from_the_files(tmp_path, release):
    write_tree(tmp_path, release)
    assert salicon.release(str(tmp_path)) == release
    assert names_of(tmp_path) == names_of(tmp_path, release=release) == TRAIN


def test_gaze_of_2015_is_not_taken_for_that_of_2017(tmp_path):
    write_tree(tmp_path, "2015-gaze")
    words = ("115 mouse samples", "release='2015-gaze' or release='2017'", "fixations")
    refused(lambda: load(tmp_path), *words)
    refused(lambda: salicon.release(str(tmp_path)), *words)
    assert names_of(tmp_path, release="2015-gaze") == names_of(tmp_path, release="2017") == TRAIN


def test_samples_are_counted_over_several_pictures(tree):
    """One picture with few samples does not make a release."""
    save_gaze(tree / "fixations" / "train" / MAT, [[[1, 1]]] * 4, samples=10)
    assert salicon.release(str(tree)) == "2017"  # (3 * 400 + 10) / 4
    for name in TRAIN[1:]:
        path = tree / "fixations" / "train" / name.replace("jpg", "mat")
        save_gaze(path, [[[1, 1]]] * 4, samples=199)
    refused(lambda: salicon.release(str(tree)), "152 mouse samples")


def test_without_raw_samples_the_release_must_be_said(tree):
    for path in tree.glob("fixations/*/*.mat"):
        (gaze,) = mat_files.read(str(path), "gaze")
        io.savemat(path, {"gaze": drop_fields(gaze, "location")})
    refused(lambda: load(tree), "0 mouse samples", "release='2017'")
    assert names_of(tree, release="2017") == TRAIN


@pytest.mark.parametrize("asked", salicon.RELEASES)
@pytest.mark.parametrize("there", salicon.RELEASES)
def test_another_release_than_asked_for_is_told_by_name(tmp_path, there, asked):
    write_tree(tmp_path, there)
    if there == asked or {there, asked} == {"2017", "2015-gaze"}:
        assert names_of(tmp_path, release=asked) == TRAIN
        return
    place = {"2015-json": "fixations_train2014.json", "2015-mat": "fixation:"}
    words = (
        f"does not hold the {asked[:4]} release",
        f"this is the {there[:4]} release",
        f"pass release={there!r}",
        place.get(there, os.path.join("fixations", "train")),
    )
    refused(lambda: load(tmp_path, release=asked), *words)
    refused(lambda: salicon.describe(str(tmp_path), asked), *words[:3])


@pytest.mark.parametrize(
    ("there", "other", "words"),
    [
        ("2017", "2015-mat", ["this is the 2015 release", "holds I", "release='2015-mat'"]),
        ("2015-mat", "2017", ["this is the 2017 release", "holds gaze", "release='2017'"]),
    ],
)
def test_one_file_of_another_release_is_named(tmp_path, there, other, words):
    for release in (there, other):
        write_tree(tmp_path / release, release)
    paths = [next((tmp_path / r).glob(f"fix*/**/{MAT[:-5]}3.mat")) for r in (there, other)]
    shutil.copy(paths[1], paths[0])
    for release in (None, there):
        refused(
            lambda release=release: load(tmp_path / there, release=release), str(paths[0]), *words
        )


def test_several_releases_must_not_be_mixed(tree):
    write_tree(tree, "2015-json")
    both = ("several", "fixations/train".replace("/", os.sep), "fixations_val2014.json")
    refused(lambda: load(tree), *both, "release='2015-json' or release='2017'")
    refused(lambda: salicon.release(str(tree)), *both)
    assert len(load(tree, release="2017")[0].fixations) == 28
    assert len(load(tree, release="2015-json")[0].fixations) == 80


def test_train_and_val_of_two_releases_are_refused(tmp_path):
    for release in ("2017", "2015-mat"):
        write_tree(tmp_path / release, release)
    shutil.rmtree(tmp_path / "2017" / "fixations" / "val")
    shutil.copytree(tmp_path / "2015-mat" / "fixation", tmp_path / "2017" / "fixations" / "val")
    tree = tmp_path / "2017"
    refused(lambda: load(tree), "several", "release='2017' or release='2015-mat'")
    refused(lambda: load(tree, "val", release="2017"), "for 'val'", "this is the 2015 release")
    assert names_of(tree, release="2017") == TRAIN
    assert len(names_of(tree, "val", release="2015-mat")) == 3


def test_a_split_without_fixations_is_named(tree):
    shutil.rmtree(tree / "fixations" / "val")
    assert names_of(tree) == TRAIN
    refused(
        lambda: load(tree, "val"),
        "does not hold the 2017 release", "'val'", os.path.join("fixations", "train"),
    )  # fmt: skip


def test_no_fixations_at_all(tree):
    shutil.rmtree(tree / "fixations")
    for call in (load, lambda folder: salicon.release(str(folder))):
        refused(lambda call=call: call(tree), "fixations/train", ".json", "salicon.net")
    refused(lambda: load(tree, release="2017"), "not where people looked")
    assert len(load(tree, "test")) == 2


def test_an_unknown_release_or_split_names_the_known_ones(tree):
    refused(lambda: load(tree, release="2016"), "2017, 2015-gaze, 2015-json, 2015-mat", "'2016'")
    refused(lambda: salicon.describe(str(tree), "2016"), "'2016'")
    refused(lambda: load(tree, "valid"), "train, val, test", "'valid'")


def test_the_folder_is_asked_for_and_named(tmp_path):
    refused(lambda: load(""), "--data-dir")
    refused(lambda: load(tmp_path / "nowhere"), os.path.join("nowhere", "images"), "salicon.net")
    (tmp_path / "images").mkdir()
    refused(lambda: load(tmp_path), "no pictures of 'train'", "COCO_train2014", "salicon.net")


def test_describe_names_release_folders_and_counts(any_release):
    release, folder = any_release
    text = salicon.describe(str(folder), release).replace(os.sep, "/")
    assert "\n" not in text
    assert text.startswith(f"SALICON, release {release}; train: ")
    images = "images" if release == "2015-mat" else "images/train"
    where = {"2015-json": "fixations_train2014.json (", "2015-mat": "fixation (4 files)"}
    assert f"train: {images} (4 files), " in text
    assert where.get(release, "fixations/train (4 files), maps/train (4 files);") in text
    assert "val: images" in text and "(3 files)" in text
    assert text.endswith("(2 files)")
    if release != "2015-gaze":
        assert salicon.describe(str(folder)).replace(os.sep, "/") == text


def test_describe_says_what_is_not_there(tree):
    shutil.rmtree(tree / "images" / "test")
    shutil.rmtree(tree / "images" / "train")
    shutil.rmtree(tree / "maps" / "train")
    text = salicon.describe(str(tree)).replace(os.sep, "/")
    assert "; train: fixations/train (4 files); val: images/val (3 files), fix" in text
    assert text.endswith("test: nothing")


@pytest.mark.parametrize("inside", ["salicon", "SALICON"])
def test_the_folder_may_lie_in_another(tmp_path, inside):
    write_tree(tmp_path / inside)
    assert names_of(tmp_path) == TRAIN
    assert salicon.release(str(tmp_path)) == "2017"


def test_all_of_2017_may_lie_flat(tree):
    """Pictures, fixations and maps of all splits in a folder each."""
    split = load(tree, "val")
    for kind in ("images", "fixations", "maps"):
        for path in (tree / kind).glob("*/*"):
            path.rename(tree / kind / path.name)
    flat = load(tree, "val")
    assert [e.name for e in flat] == [e.name for e in split]
    assert [e.fixations.tolist() for e in flat] == [e.fixations.tolist() for e in split]
    name = flat[0].name
    assert flat[0].image_path == str(tree / "images" / name)
    assert flat[0].density_path == str(tree / "maps" / name.replace("jpg", "png"))
    assert (names_of(tree), len(load(tree, "test"))) == (TRAIN, 2)


def test_2015_mat_may_lie_by_split_and_be_called_fixations(tmp_path):
    write_tree(tmp_path, "2015-mat")
    flat = load(tmp_path)
    for kind, name in (("images", "images"), ("fixation", "fixations")):
        for path in list((tmp_path / kind).glob("*train*")):
            (tmp_path / name / "train").mkdir(parents=True, exist_ok=True)
            path.rename(tmp_path / name / "train" / path.name)
    again = load(tmp_path)
    assert [e.fixations.tolist() for e in again] == [e.fixations.tolist() for e in flat]
    assert again[0].image_path == str(tmp_path / "images" / "train" / TRAIN[0])
    assert len(load(tmp_path, "val")) == 3


@pytest.mark.parametrize("place", ["annotations", "fixations"])
def test_the_json_may_lie_in_a_folder(tmp_path, place):
    write_tree(tmp_path, "2015-json")
    (tmp_path / place).mkdir()
    for path in tmp_path.glob("*.json"):
        path.rename(tmp_path / place / path.name)
    assert names_of(tmp_path) == TRAIN


def test_hidden_files_and_other_kinds_are_passed_over(tree):
    for kind in ("images", "fixations", "maps"):
        for name in ("._" + TRAIN[0], "._" + MAT, "Thumbs.db", "readme.txt"):
            (tree / kind / "train" / name).write_bytes(b"never opened")
    assert names_of(tree) == TRAIN


def test_without_maps_there_is_no_density_path(tree):
    (tree / "maps" / "train" / TRAIN[0].replace("jpg", "png")).unlink()
    assert [example.density_path is None for example in load(tree)] == [True, *[False] * 3]
    shutil.rmtree(tree / "maps")
    assert {example.density_path for example in load(tree)} == {None}


def test_an_exif_tag_turns_no_picture(tree):
    path = tree / "images" / "train" / TRAIN[0]
    tag = Image.Exif()
    tag[0x0112] = 6
    Image.open(path).save(path, exif=tag)
    example = load(tree)[0]
    assert example.size == pictures.of(example).shape[:2] == (48, 64)


def test_pixels_are_not_read(tree):
    for path in (tree / "images").rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:700])
    assert names_of(tree) == TRAIN


def test_resized_pictures_are_refused(any_release):
    release, folder = any_release
    path = next(folder.glob(f"images/**/{TRAIN[2]}"))
    Image.new("RGB", (32, 24)).save(path)
    refused(lambda: load(folder, release=release), "COCO_train2014_000000000003", "24x32", "48x64")


def test_a_missing_mat_is_named(tree):
    (tree / "fixations" / "train" / "COCO_train2014_000000000003.mat").unlink()
    refused(lambda: load(tree), os.path.join("train", "COCO_train2014_000000000003.mat"), "no such")


@pytest.mark.parametrize("kept", [0, 60, 200])
@pytest.mark.parametrize("number", [1, 3])
def test_a_cut_off_mat_is_named(tree, kept, number):
    path = tree / "fixations" / "train" / f"COCO_train2014_{number:012d}.mat"
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: load(tree), str(path), "damaged")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"other": np.eye(3)}, ["holds other", "gaze (2017) or I (2015)"]),
        ({"gaze": np.eye(3)}, ["gaze has no fixations"]),
        ({"gaze": {"location": np.eye(3)}}, ["gaze has no fixations"]),
        ({"gaze": {"fixations": np.ones((2, 3))}}, ["gaze has no fixations"]),
        ({"gaze": {"fixations": np.ones((2, 2, 2))}}, ["gaze has no fixations"]),
        ({"gaze": {"fixations": "text"}}, ["gaze has no fixations"]),
    ],
    ids=["other variable", "numbers", "no fixations", "triples", "three dimensions", "text"],
)
def test_another_mat_is_named(tree, broken, words):
    path = tree / "fixations" / "train" / "COCO_train2014_000000000003.mat"
    io.savemat(path, broken)
    refused(lambda: load(tree, release="2017"), str(path), *words)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("text", ["no array of numbers"]),
        (np.zeros((64, 48)), ["64x48", "48x64"]),
        (np.zeros((48, 64, 2)), ["48x64x2"]),
        (np.full((48, 64), 0.5), ["a density", "saliency/", "3072 of 3072"]),
    ],
    ids=["text", "turned", "three dimensions", "density"],
)
def test_another_map_is_named(tmp_path, broken, words):
    write_tree(tmp_path, "2015-mat")
    path = tmp_path / "fixation" / "COCO_train2014_000000000003.mat"
    io.savemat(path, {"I": broken})
    refused(lambda: load(tmp_path), str(path), *words)


def test_densities_do_not_pass_for_fixations(tmp_path):
    write_tree(tmp_path, "2015-mat")
    shutil.rmtree(tmp_path / "fixation")
    (tmp_path / "saliency").rename(tmp_path / "fixation")
    refused(lambda: load(tmp_path), MAT, "a density")


def test_a_picture_that_the_json_does_not_list_is_named(tmp_path):
    write_tree(tmp_path, "2015-json")
    name = "COCO_train2014_000000000099.jpg"
    shutil.copy(tmp_path / "images" / "train" / TRAIN[0], tmp_path / "images" / "train" / name)
    refused(lambda: load(tmp_path), name, "fixations_train2014.json", "does not list")
    assert names_of(tmp_path, limit=4) == TRAIN


@pytest.mark.parametrize("release", ["2017", "2015-json"])
def test_the_second_load_comes_from_the_index(tmp_path, monkeypatch, release):
    monkeypatch.setattr(index, "WORTH", 3)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    write_tree(folder, release)
    first = load(folder)
    with monkeypatch.context() as patch:
        patch.setattr(salicon.salicon_json, "read", None)
        patch.setattr(salicon.salicon_mat, "fixations", None)
        second = load(folder)
    for one, other in zip(first, second, strict=True):
        assert one.fixations.tolist() == other.fixations.tolist()
        assert one.observers.tolist() == other.observers.tolist()
        assert (one.name, one.size, one.image_path) == (other.name, other.size, other.image_path)
        assert (one.density_path, one.exif) == (other.density_path, other.exif)


def test_the_index_keeps_releases_and_places_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 1)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "data"
    for release in ("2017", "2015-json"):
        write_tree(folder, release)
    for _ in range(2):
        assert len(load(folder, release="2017")[0].fixations) == 28
        assert len(load(folder, release="2015-json")[0].fixations) == 80
    for kind in ("images", "maps"):
        for path in (folder / kind).glob("train/*"):
            path.rename(folder / kind / path.name)  # sizes and times stay
    example = load(folder, release="2017")[0]
    assert os.path.isfile(example.image_path) and os.path.isfile(example.density_path)
    save_gaze(folder / "fixations" / "train" / MAT, [[[3, 4]]])
    assert load(folder, release="2017")[0].fixations.tolist() == [[2, 3]]


def test_the_json_is_read_once_whatever_the_threads(tmp_path, monkeypatch):
    write_tree(tmp_path, "2015-json", train=30)
    calls = []
    read = salicon_json.read

    def counted(path, names):
        calls.append(path)
        return read(path, names)

    monkeypatch.setattr(salicon_json, "read", counted)
    assert len(load(tmp_path)) == 30
    assert len(calls) == 1
    (tmp_path / "fixations_train2014.json").write_text('{"images": [')
    refused(lambda: load(tmp_path), "cut off")
    assert len(calls) == 2


def test_the_trees_differ_in_samples_as_the_releases_do(tmp_path):
    write_tree(tmp_path)
    (gaze,) = mat_files.read(str(tmp_path / "fixations" / "train" / MAT), "gaze")
    assert gaze.shape == (4, 1)
    assert gaze.dtype.names == ("location", "timestamp", "fixations")
    assert len(gaze["location"][0, 0]) == SAMPLES["2017"]
