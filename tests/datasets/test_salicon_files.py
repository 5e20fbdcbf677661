"""SALICON's files: missing, damaged, another's; and what is kept of them."""

import os
import shutil

import numpy as np
import pytest
from checks import refused
from PIL import Image
from salicon_tree import (
    MAT,
    TRAIN,
    load,
    names_of,
    save_gaze,
    write_tree,
)
from scipy import io

from keras_saliency.datasets import index, salicon, salicon_json


def test_the_folder_is_asked_for_and_named(tmp_path):
    refused(lambda: load(""), "--data-dir")
    refused(lambda: load(tmp_path / "nowhere"), os.path.join("nowhere", "images"), "salicon.net")
    (tmp_path / "images").mkdir()
    refused(lambda: load(tmp_path), "no pictures of 'train'", "COCO_train2014", "salicon.net")


def test_hidden_files_and_other_kinds_are_passed_over(salicon_2017):
    for kind in ("images", "fixations", "maps"):
        for name in ("._" + TRAIN[0], "._" + MAT, "Thumbs.db", "readme.txt"):
            (salicon_2017 / kind / "train" / name).write_bytes(b"never opened")
    assert names_of(salicon_2017) == TRAIN


def test_pixels_are_not_read(salicon_2017):
    for path in (salicon_2017 / "images").rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:700])
    assert names_of(salicon_2017) == TRAIN


def test_resized_pictures_are_refused(any_release):
    release, folder = any_release
    path = next(folder.glob(f"images/**/{TRAIN[2]}"))
    Image.new("RGB", (32, 24)).save(path)
    refused(lambda: load(folder, release=release), "COCO_train2014_000000000003", "24x32", "48x64")


def test_a_missing_mat_is_named(salicon_2017):
    (salicon_2017 / "fixations" / "train" / "COCO_train2014_000000000003.mat").unlink()
    refused(
        lambda: load(salicon_2017),
        os.path.join("train", "COCO_train2014_000000000003.mat"),
        "no such",
    )


@pytest.mark.parametrize("kept", [0, 60, 200])
@pytest.mark.parametrize("number", [1, 3])
def test_a_cut_off_mat_is_named(salicon_2017, kept, number):
    path = salicon_2017 / "fixations" / "train" / f"COCO_train2014_{number:012d}.mat"
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: load(salicon_2017), str(path), "damaged")


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
def test_another_mat_is_named(salicon_2017, broken, words):
    path = salicon_2017 / "fixations" / "train" / "COCO_train2014_000000000003.mat"
    io.savemat(path, broken)
    refused(lambda: load(salicon_2017, release="2017"), str(path), *words)


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
