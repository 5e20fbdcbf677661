"""Which release of SALICON a folder holds: told, or asked about, never guessed."""

import os
import shutil

import pytest
from checks import refused
from numpy.lib.recfunctions import drop_fields
from salicon_tree import (
    MAT,
    SAMPLES,
    TRAIN,
    load,
    names_of,
    save_gaze,
    write_tree,
)
from scipy import io

from keras_saliency import mat_files
from keras_saliency.datasets import salicon, salicon_releases


def test_the_counts_are_of_the_same_releases_and_splits():
    assert list(salicon.RELEASES) == list(salicon_releases.WHAT)
    assert all(tuple(counts) == salicon.SPLITS for counts in salicon.RELEASES.values())
    assert salicon.COUNTS["train"] == (10_000, 4_598_112)
    assert salicon.RELEASES["2015-gaze"]["val"] == (5_000, 1_662_655)
    assert salicon.RELEASES["2015-mat"]["val"] == (5_000, None)


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


def test_a_release_that_is_passed_is_held_against_the_files(tmp_path, capsys):
    write_tree(tmp_path / "new", "2017")
    refused(lambda: load(tmp_path / "new", release="2015-gaze"), "about 400 mouse", "'2017'")
    load(tmp_path / "new", release="2017")
    assert not capsys.readouterr().out
    write_tree(tmp_path / "old", "2015-gaze")
    load(tmp_path / "old", release="2015-gaze")
    assert not capsys.readouterr().out
    load(tmp_path / "old", "val", release="2017")
    (line,) = capsys.readouterr().out.splitlines()
    assert "115 mouse samples" in line and line.endswith("taken for that of 2017, as asked")
    assert os.path.join("fixations", "val") in line


def test_samples_are_counted_over_several_pictures(salicon_2017):
    """One picture with few samples does not make a release."""
    save_gaze(salicon_2017 / "fixations" / "train" / MAT, [[[1, 1]]] * 4, samples=10)
    assert salicon.release(str(salicon_2017)) == "2017"  # (3 * 400 + 10) / 4
    for name in TRAIN[1:]:
        path = salicon_2017 / "fixations" / "train" / name.replace("jpg", "mat")
        save_gaze(path, [[[1, 1]]] * 4, samples=199)
    refused(lambda: salicon.release(str(salicon_2017)), "152 mouse samples")


def test_without_raw_samples_the_release_must_be_said(salicon_2017):
    for path in salicon_2017.glob("fixations/*/*.mat"):
        (gaze,) = mat_files.read(str(path), "gaze")
        io.savemat(path, {"gaze": drop_fields(gaze, "location")})
    refused(lambda: load(salicon_2017), "0 mouse samples", "release='2017'")
    assert names_of(salicon_2017, release="2017") == TRAIN


@pytest.mark.parametrize("asked", salicon.RELEASES)
@pytest.mark.parametrize("there", salicon.RELEASES)
def test_another_release_than_asked_for_is_told_by_name(tmp_path, there, asked):
    write_tree(tmp_path, there)
    if there == asked or (there, asked) == ("2015-gaze", "2017"):
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


def test_several_releases_must_not_be_mixed(salicon_2017):
    write_tree(salicon_2017, "2015-json")
    both = ("several", "fixations/train".replace("/", os.sep), "fixations_val2014.json")
    refused(lambda: load(salicon_2017), *both, "release='2015-json' or release='2017'")
    refused(lambda: salicon.release(str(salicon_2017)), *both)
    assert len(load(salicon_2017, release="2017")[0].fixations) == 28
    assert len(load(salicon_2017, release="2015-json")[0].fixations) == 80


def test_train_and_val_of_two_releases_are_refused(tmp_path):
    for release in ("2017", "2015-mat"):
        write_tree(tmp_path / release, release)
    shutil.rmtree(tmp_path / "2017" / "fixations" / "val")
    shutil.copytree(tmp_path / "2015-mat" / "fixation", tmp_path / "2017" / "fixations" / "val")
    salicon_2017 = tmp_path / "2017"
    refused(lambda: load(salicon_2017), "several", "release='2017' or release='2015-mat'")
    refused(
        lambda: load(salicon_2017, "val", release="2017"), "for 'val'", "this is the 2015 release"
    )
    assert names_of(salicon_2017, release="2017") == TRAIN
    assert len(names_of(salicon_2017, "val", release="2015-mat")) == 3


def test_a_split_without_fixations_is_named(salicon_2017):
    shutil.rmtree(salicon_2017 / "fixations" / "val")
    assert names_of(salicon_2017) == TRAIN
    refused(
        lambda: load(salicon_2017, "val"),
        "does not hold the 2017 release", "'val'", os.path.join("fixations", "train"),
    )  # fmt: skip


def test_no_fixations_at_all(salicon_2017):
    shutil.rmtree(salicon_2017 / "fixations")
    for call in (load, lambda folder: salicon.release(str(folder))):
        refused(lambda call=call: call(salicon_2017), "fixations/train", ".json", "salicon.net")
    refused(lambda: load(salicon_2017, release="2017"), "not where people looked")
    assert len(load(salicon_2017, "test")) == 2


def test_an_unknown_release_or_split_names_the_known_ones(salicon_2017):
    refused(
        lambda: load(salicon_2017, release="2016"), "2017, 2015-gaze, 2015-json, 2015-mat", "'2016'"
    )
    refused(lambda: salicon.describe(str(salicon_2017), "2016"), "'2016'")
    refused(lambda: load(salicon_2017, "valid"), "train, val, test", "'valid'")


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


def test_describe_says_what_is_not_there(salicon_2017):
    shutil.rmtree(salicon_2017 / "images" / "test")
    shutil.rmtree(salicon_2017 / "images" / "train")
    shutil.rmtree(salicon_2017 / "maps" / "train")
    text = salicon.describe(str(salicon_2017)).replace(os.sep, "/")
    assert "; train: fixations/train (4 files); val: images/val (3 files), fix" in text
    assert text.endswith("test: nothing")


def test_the_trees_differ_in_samples_as_the_releases_do(tmp_path):
    write_tree(tmp_path)
    (gaze,) = mat_files.read(str(tmp_path / "fixations" / "train" / MAT), "gaze")
    assert gaze.shape == (4, 1)
    assert gaze.dtype.names == ("location", "timestamp", "fixations")
    assert len(gaze["location"][0, 0]) == SAMPLES["2017"]
