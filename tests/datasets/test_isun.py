"""iSUN's loader, on small trees in the published layout."""

import os

import numpy as np
import pytest
from checks import refused
from PIL import Image
from scipy import io, sparse

from keras_saliency import loading, pictures
from keras_saliency.datasets import index, isun

# Name: (height, width), and what each observer looked at, x and y. The order is no alphabet's.
PICTURES = {
    "sun_b": ((40, 60), [[[10, 5], [59, 39]], [[0, 0]]]),
    "sun_a": ((30, 50), [[[49, 29], [50, 29], [-1, 3]], [], [[7.5, 8.25]]]),
    "sun_c": ((50, 30), [[[29, 49]]]),
}


def as_array(points):
    return np.array(points, "float64").reshape(-1, 2)


def person_each(trains):
    """`gaze` as a struct an observer, 1xK."""
    gaze = np.zeros((1, len(trains)), [("location", "O"), ("timestamp", "O"), ("fixation", "O")])
    for i, points in enumerate(trains):
        gaze[0, i] = (np.full((4, 2), 77.0), np.arange(4.0), as_array(points))
    return gaze


def in_cells(trains):
    """`gaze` as one struct with a cell an observer, 1xK."""
    cells = np.empty((1, len(trains)), "O")
    for i, points in enumerate(trains):
        cells[0, i] = as_array(points)
    return {"fixation": cells}


def records_of(contents=PICTURES, gaze=person_each, fields=("image", "resolution", "gaze")):
    records = np.zeros((len(contents), 1), [(name, "O") for name in fields])
    for record, (name, (size, trains)) in zip(records[:, 0], contents.items(), strict=True):
        values = {"image": name, "resolution": np.array([size], "float64"), "gaze": gaze(trains)}
        for field in fields:
            record[field] = values[field]
    return records


def write(folder, variable, records, **options):
    io.savemat(folder / f"{variable}.mat", {variable: records}, **options)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "images").mkdir()
    for name, ((height, width), _) in PICTURES.items():
        Image.new("RGB", (width, height), (90, 10, 10)).save(tmp_path / "images" / f"{name}.jpg")
    write(tmp_path, "training", records_of(), do_compression=True)
    write(tmp_path, "validation", records_of({"sun_c": PICTURES["sun_c"]}))
    write(tmp_path, "testing", records_of(fields=("image", "resolution")))
    return tmp_path


def load(folder, split="train", **options):
    return isun.load(str(folder), split, **options)


def names_of(folder, split="train", limit=None):
    return [example.name for example in load(folder, split, limit=limit)]


@pytest.mark.parametrize("gaze", [person_each, lambda g: person_each(g).T, in_cells])
def test_fixations_of_all_observers_as_the_file_has_them(tree, gaze):
    write(tree, "training", records_of(gaze=gaze))
    first, second, third = load(tree)
    assert first.fixations.tolist() == [[10, 5], [59, 39], [0, 0]]
    assert first.observers.tolist() == [0, 0, 1]
    assert second.fixations.tolist() == [[49, 29], [7.5, 8.25]]
    assert (second.observers.tolist(), second.dropped) == ([0, 2], 2)
    assert (third.fixations.tolist(), third.dropped) == ([[29, 49]], 0)
    assert first.fixations.dtype == "float32" and first.observers.dtype == "int32"


def test_counted_from_one_the_first_pixel_is_one_one(tree):
    first, second, third = load(tree, one_based=True)
    assert (first.fixations.tolist(), first.dropped) == ([[9, 4], [58, 38]], 1)
    assert second.fixations.tolist() == [[48, 28], [49, 28], [6.5, 7.25]]
    assert third.fixations.tolist() == [[28, 48]]


def test_examples_know_their_pictures_in_the_files_order(tree):
    examples = load(tree)
    assert [example.name for example in examples] == ["sun_b.jpg", "sun_a.jpg", "sun_c.jpg"]
    for example, (size, _) in zip(examples, PICTURES.values(), strict=True):
        assert example.image_path == os.path.join(tree, "images", example.name)
        assert pictures.of(example).shape[:2] == example.size == size
        assert example.density_path is example.durations_ms is example.density is None
    assert names_of(tree, "val") == ["sun_c.jpg"]


def test_a_limit_takes_the_first_and_opens_no_other(tree):
    (tree / "images" / "sun_c.jpg").unlink()
    assert names_of(tree, "train", 2) == ["sun_b.jpg", "sun_a.jpg"]
    assert names_of(tree, "train", 0) == []


def test_test_has_the_fixations_that_its_file_has(tree):
    examples = load(tree, "test")
    assert [example.name for example in examples] == names_of(tree)
    assert {example.fixations.shape for example in examples} == {(0, 2)}
    write(tree, "testing", records_of())
    assert [len(example.fixations) for example in load(tree, "test")] == [3, 2, 1]


@pytest.mark.parametrize("nothing", [np.zeros((0, 0)), np.zeros((0, 2)), person_each([])])
def test_a_picture_without_fixations_has_none(tree, nothing):
    write(tree, "training", records_of(gaze=lambda trains: nothing))
    assert {example.fixations.shape for example in load(tree)} == {(0, 2)}
    empty = person_each([[]])
    empty[0, 0]["fixation"] = np.zeros((0, 0))
    write(tree, "training", records_of(gaze=lambda trains: empty))
    assert {example.observers.shape for example in load(tree)} == {(0,)}


def test_a_picture_that_is_listed_twice_is_one_example(tree):
    records = records_of()
    again = records_of({"sun_b": ((40, 60), [[[1, 2]]])})
    write(tree, "training", np.concatenate([records, again]))
    first, *others = load(tree)
    assert first.fixations.tolist() == [[10, 5], [59, 39], [0, 0], [1, 2]]
    assert first.observers.tolist() == [0, 0, 1, 2]
    assert len(others) == 2


def test_names_with_their_ending_and_a_row_of_records(tree):
    contents = {f"{name}.jpg": content for name, content in PICTURES.items()}
    write(tree, "training", records_of(contents).T)
    assert names_of(tree) == ["sun_b.jpg", "sun_a.jpg", "sun_c.jpg"]


@pytest.mark.parametrize("variable", ["training", "testing"])
def test_foreign_files_are_passed_over(tree, variable):
    for name in (".DS_Store", "._sun_a.jpg", "sun_z.jpg"):
        (tree / "images" / name).write_bytes(b"never opened")
    assert len(names_of(tree, {"training": "train", "testing": "test"}[variable])) == 3


def test_the_folder_of_the_pictures_may_be_called_image(tree):
    (tree / "images").rename(tree / "image")
    assert len(names_of(tree)) == 3
    (tree / "image").rename(tree / "elsewhere")
    refused(lambda: load(tree), str(tree / "images"), str(tree / "image"), "image.zip")


def test_the_folder_may_hold_all_of_isun(tree):
    inside = tree / "datasets" / "iSUN"
    inside.mkdir(parents=True)
    for name in ("images", "training.mat"):
        (tree / name).rename(inside / name)
    assert len(names_of(tree / "datasets")) == len(names_of(inside)) == 3


def test_the_files_are_asked_for_and_named(tmp_path):
    refused(lambda: isun.load(""), "--data-dir")
    for split, variable in (("train", "training"), ("val", "validation"), ("test", "testing")):
        path = str(tmp_path / f"{variable}.mat")
        refused(lambda split=split: load(tmp_path, split), path, "http://")
    refused(lambda: load(tmp_path, "all"), "train, val, test", "'all'")


def test_scores_are_taken_of_val_with_a_blur():
    assert loading.scored_split("isun") == "val"
    assert isun.SIGMA > 0  # None would be refused by the trainers


def test_a_missing_picture_is_named(tree):
    path = tree / "images" / "sun_a.jpg"
    path.unlink()
    refused(lambda: load(tree), str(path), "training.mat names it", "image.zip")


def test_a_damaged_picture_is_named(tree):
    path = tree / "images" / "sun_a.jpg"
    path.write_bytes(b"no picture")
    refused(lambda: load(tree), str(path), "is not a picture")


def test_a_picture_of_another_size_is_refused_a_turned_resolution_is_not(tree):
    contents = {name: (size[::-1], trains) for name, (size, trains) in PICTURES.items()}
    write(tree, "training", records_of(contents))
    assert [example.size for example in load(tree)] == [size for size, _ in PICTURES.values()]
    path = tree / "images" / "sun_a.jpg"
    Image.new("RGB", (25, 15)).save(path)
    refused(lambda: load(tree), str(path), "15x25", "training.mat", "50x30", "image.zip")


def test_exif_tags_do_not_turn_pictures(tree):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tree / "images" / "sun_b.jpg", exif=exif)
    example = load(tree)[0]
    assert pictures.of(example).shape[:2] == example.size == (40, 60)


@pytest.mark.parametrize("kept", [0, 60, 200])
def test_a_cut_off_mat_is_named(tree, kept):
    path = tree / "training.mat"
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: load(tree), str(path), "damaged", "fetch it again")


def changed(field, value):
    records = records_of()
    records[1, 0][field] = value
    return records


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (np.eye(3), ["no field 'image'"]),
        (records_of(fields=("image", "resolution")), ["no field 'gaze'"]),
        (records_of(fields=("image", "gaze")), ["no field 'resolution'"]),
        (changed("image", 3.0), ["record 2"]),
        (changed("image", ""), ["record 2"]),
        (changed("image", "../secret"), ["record 2"]),
        (changed("image", "a/sun_a"), ["record 2"]),
        (changed("image", "a\\sun_a"), ["record 2"]),
        (changed("resolution", np.zeros((0, 0))), ["record 2"]),
        (changed("resolution", "40x"), ["record 2"]),
        (changed("gaze", {"fixations": np.eye(2)}), ["sun_a", "no field 'fixation'"]),
        (changed("gaze", np.eye(2)), ["sun_a", "no field 'fixation'"]),
        (changed("gaze", {"fixation": np.ones((2, 3))}), ["sun_a", "two columns"]),
        (changed("gaze", {"fixation": "text"}), ["sun_a", "two columns"]),
        (changed("gaze", {"fixation": {"x": 1.0}}), ["sun_a", "two columns"]),
        (changed("gaze", {"fixation": sparse.csc_matrix(np.eye(2))}), ["sun_a", "two columns"]),
    ],
)
def test_another_mat_is_named(tree, records, words):
    write(tree, "training", records)
    refused(lambda: load(tree), str(tree / "training.mat"), "fetch it again", *words)


def test_a_mat_of_another_split_is_named(tree):
    (tree / "testing.mat").rename(tree / "training.mat")
    refused(lambda: load(tree), str(tree / "training.mat"), "no variable 'training'", "testing")


def test_the_second_time_no_picture_is_opened(tree, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 2)
    first = load(tree)
    size = pictures.size
    monkeypatch.setattr(pictures, "size", None)
    second = load(tree)
    for before, now in zip(first, second, strict=True):
        assert (now.name, now.size, now.dropped) == (before.name, before.size, before.dropped)
        np.testing.assert_array_equal(now.fixations, before.fixations)
        np.testing.assert_array_equal(now.observers, before.observers)
        assert not now.exif
    # Another base or another split is not to be taken from there.
    monkeypatch.setattr(pictures, "size", size)
    assert load(tree, one_based=True)[0].fixations.tolist() == [[9, 4], [58, 38]]
    assert len(load(tree, "test")[0].fixations) == 0


def test_a_changed_mat_is_read_again(tree, monkeypatch):
    monkeypatch.setattr(index, "WORTH", 2)
    load(tree)
    contents = {**PICTURES, "sun_b": ((40, 60), [[[1, 2]]])}
    write(tree, "training", records_of(contents))
    assert load(tree)[0].fixations.tolist() == [[1, 2]]
