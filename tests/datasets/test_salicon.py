"""SALICON's loader, on small trees in the published layouts of every release."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image
from salicon_tree import (
    MAT,
    TRAIN,
    annotation,
    image_record,
    load,
    names_of,
    save_gaze,
    save_json,
    write_tree,
)
from scipy import io

from keras_saliency import mat_files, pictures
from keras_saliency.datasets import salicon, salicon_mat

# Of 48x64: the first and last pixels, and one point outside on each side, from 1.
POINTS = [[1, 1], [64, 48], [3, 2], [0, 5], [5, 0], [65, 5], [5, 49]]
INSIDE = [[0, 0], [63, 47], [2, 1]]


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


def test_2017_counts_from_one_and_drops_what_lies_outside(salicon_2017):
    save_gaze(salicon_2017 / "fixations" / "train" / MAT, [POINTS[:2], [], POINTS[2:]])
    example = load(salicon_2017)[0]
    assert example.fixations.tolist() == INSIDE
    assert example.observers.tolist() == [0, 0, 2]
    assert example.dropped == 4
    assert example.fixations.dtype == "float32"


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64"])
def test_2017_points_may_be_of_any_numbers(salicon_2017, dtype):
    """Nothing wraps around below 0."""
    path = salicon_2017 / "fixations" / "train" / MAT
    save_gaze(path, [POINTS])
    gaze = mat_files.read(str(path), "gaze")[0]
    gaze["fixations"][0, 0] = gaze["fixations"][0, 0].astype(dtype)
    io.savemat(path, {"gaze": gaze})
    example = load(salicon_2017)[0]
    assert (example.fixations.tolist(), example.dropped) == (INSIDE, 4)
    points, _ = salicon_mat.fixations(str(path), (48, 64))
    assert points[3].tolist() == [-1, 4]


def test_2017_may_have_no_observer_and_no_fixation(salicon_2017):
    path = salicon_2017 / "fixations" / "train" / MAT
    for lists in ([], [[]]):
        save_gaze(path, lists)
        example = load(salicon_2017, release="2017")[0]
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


@pytest.mark.parametrize("inside", ["salicon", "SALICON"])
def test_the_folder_may_lie_in_another(tmp_path, inside):
    write_tree(tmp_path / inside)
    assert names_of(tmp_path) == TRAIN
    assert salicon.release(str(tmp_path)) == "2017"


def test_all_of_2017_may_lie_flat(salicon_2017):
    """Pictures, fixations and maps of all splits in a folder each."""
    split = load(salicon_2017, "val")
    for kind in ("images", "fixations", "maps"):
        for path in (salicon_2017 / kind).glob("*/*"):
            path.rename(salicon_2017 / kind / path.name)
    flat = load(salicon_2017, "val")
    assert [e.name for e in flat] == [e.name for e in split]
    assert [e.fixations.tolist() for e in flat] == [e.fixations.tolist() for e in split]
    name = flat[0].name
    assert flat[0].image_path == str(salicon_2017 / "images" / name)
    assert flat[0].density_path == str(salicon_2017 / "maps" / name.replace("jpg", "png"))
    assert (names_of(salicon_2017), len(load(salicon_2017, "test"))) == (TRAIN, 2)


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


def test_without_maps_there_is_no_density_path(salicon_2017):
    (salicon_2017 / "maps" / "train" / TRAIN[0].replace("jpg", "png")).unlink()
    assert [example.density_path is None for example in load(salicon_2017)] == [True, *[False] * 3]
    shutil.rmtree(salicon_2017 / "maps")
    assert {example.density_path for example in load(salicon_2017)} == {None}


def test_an_exif_tag_turns_no_picture(salicon_2017):
    path = salicon_2017 / "images" / "train" / TRAIN[0]
    tag = Image.Exif()
    tag[0x0112] = 6
    Image.open(path).save(path, exif=tag)
    example = load(salicon_2017)[0]
    assert example.size == pictures.of(example).shape[:2] == (48, 64)
