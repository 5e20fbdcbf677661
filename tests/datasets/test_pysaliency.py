"""pysaliency's files, as it wrote them itself, in all versions, and bad ones."""

import json
import os
import pathlib
import shutil
import zlib

import h5py
import numpy as np
import pytest
from checks import refused
from PIL import Image
from pysaliency_files import THEIRS, load, save, write, write_fixations, write_stimuli

from keras_saliency import pictures, protocols
from keras_saliency.datasets import Example, pysaliency
from keras_saliency.truths import Truths

EXPECTED = json.loads((THEIRS / "expected.json").read_text())
BOTH = pytest.mark.parametrize("kind", ["files", "arrays"])


@pytest.fixture
def theirs(tmp_path):
    """A copy of pysaliency's files that a test may break."""
    return pathlib.Path(shutil.copytree(THEIRS / "files", tmp_path / "theirs"))


def expected_of(kind, number, field):
    """What pysaliency found of one picture."""
    found = EXPECTED[kind]
    return [value for value, n in zip(found[field], found["n"], strict=True) if n == number]


@BOTH
def test_what_pysaliency_wrote_is_read(kind):
    for number, example in enumerate(load(THEIRS / kind)):
        assert list(example.size) == EXPECTED[kind]["sizes"][number]
        assert pictures.of(example).mean() == pytest.approx(EXPECTED[kind]["means"][number])
        points = np.transpose([expected_of(kind, number, field) for field in "xy"])
        last = np.array(example.size[::-1]) - 0.5
        np.testing.assert_allclose(example.fixations, np.minimum(points, last), atol=1e-5)
        assert (example.fixations < last).all()
        assert (example.dropped, example.fixations.dtype) == (0, "float32")


def test_names_observers_and_durations_are_read():
    examples = load(THEIRS / "files")
    assert [example.name for example in examples] == ["a.png", "sub/b.png", "sub/c.png"]
    for number, example in enumerate(examples):
        assert example.observers.tolist() == expected_of("files", number, "subjects")
        seconds = np.array(expected_of("files", number, "durations"))
        np.testing.assert_allclose(example.durations_ms, seconds * 1000, rtol=1e-6)
    first, second, _ = load(THEIRS / "arrays")
    assert (first.name, second.name) == ("000000", "000001")
    assert first.observers is None
    assert first.durations_ms is None


@BOTH
def test_tuebingen_scores_as_pysaliency_does(kind):
    examples = load(THEIRS / kind)
    truths = Truths(examples, "tuebingen", 2.0)
    for number, example in enumerate(examples):
        truth = truths.of(number)
        rows, columns = (expected_of(kind, number, field) for field in ("row", "column"))
        assert truth.fixated.tolist() == (np.array(rows) * example.size[1] + columns).tolist()
        y, x = np.mgrid[: example.size[0], : example.size[1]]
        scores = protocols.score(x * 2.0 + y, truth, "tuebingen")
        assert scores["nss"] == pytest.approx(np.mean(expected_of(kind, number, "nss")), abs=1e-9)
        assert scores["auc"] == pytest.approx(EXPECTED[kind]["auc"][number], abs=1e-9)


def _trains(version, rows, **more):
    names = {f"train_{name}": values for name, values in rows.items()}
    return "FixationTrains", version, names | more


def _versions():
    """The same fixations in every version of pysaliency's file that is not in its folder here."""
    nan = np.nan
    x, y = [[3.0, 2.7, 5.0], [0.0, nan, nan]], [[2.0, 1.9, 5.5], [8.0, nan, nan]]
    seconds = [[0.2, 0.35, 0.1], [0.4, nan, nan]]
    rows = {"xs": x, "ys": y, "ts": x, "ns": [0, 1], "subjects": [7, 4]}
    flat = {"x": [0.0, 3.0, 2.7, 5.0], "y": [8.0, 2.0, 1.9, 5.5], "n": [1, 0, 0, 0]}
    flat["duration"] = [0.4, 0.2, 0.35, 0.1]
    paths = {"xs": x, "ys": y, "n": [0, 1], "length": [3, 1], "scanpath_attributes/subject": [7, 4]}
    paths["fixation_attributes/durations"] = seconds
    filled = {"train_lengths": [3, 1], "scanpath_fixation_attributes/durations": seconds}
    no_nan = {name: np.nan_to_num(values) for name, values in rows.items()}
    yield _trains("1.0", rows)
    yield _trains("1.1", rows, **{"scanpath_attributes/train_durations": seconds})
    yield _trains("1.2", rows, **{"scanpath_fixation_attributes/durations": seconds})
    yield _trains("1.3", no_nan, **filled)
    yield "Fixations", "1.0", flat | {"subjects": [4, 7, 7, 7]}
    yield "Fixations", "1.1", flat | {"subjects": [4, 7, 7, 7], "lengths": [0, 0, 1, 2]}
    yield "Fixations", "1.2", flat | {"subject": [4, 7, 7, 7], "lengths": [0, 0, 1, 2]}
    yield "Scanpaths", "1.0", paths
    yield "ScanpathFixations", "1.0", {f"scanpaths/{name}": each for name, each in paths.items()}
    names = np.array([b"Zoe", b"Ada"])
    yield "Scanpaths", "1.0", paths | {"scanpath_attributes/subject": names}


@pytest.mark.parametrize("version", list(_versions()), ids=lambda v: f"{v[0]} {v[1]}")
def test_every_version_says_the_same(theirs, version):
    write(theirs / "fixations.hdf5", *version)
    first, second, third = load(theirs)
    np.testing.assert_allclose(first.fixations, [[3, 2], [2.7, 1.9], [5, 5.5]], rtol=1e-6)
    assert second.fixations.tolist() == [[0, 8]]
    assert third.fixations.shape == (0, 2)
    text = "subject" in str(version[2].keys()) and "Zoe" in str(version[2])
    assert first.observers.tolist() == [1 if text else 7] * 3
    assert second.observers.tolist() == [0 if text else 4]
    if version[1] == "1.0" and version[0] == "FixationTrains":
        assert first.durations_ms is None
    else:
        np.testing.assert_allclose(first.durations_ms, [200, 350, 100], rtol=1e-6)
        np.testing.assert_allclose(second.durations_ms, [400], rtol=1e-6)


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.1"])
def test_paths_are_below_the_folder(theirs, version):
    write_stimuli(theirs, ["Stimuli\\a.png", "./Stimuli/a.png"], version=version)
    write_fixations(theirs, [1, 0, 1])
    (example,) = load(theirs)  # the same picture twice is one
    assert example.name == "a.png"
    assert example.image_path == os.path.join(theirs, "Stimuli", "a.png")
    assert len(example.fixations) == 3


def test_a_picture_outside_of_the_folder_stimuli_keeps_all_names_whole(theirs):
    shutil.copy(theirs / "Stimuli" / "a.png", theirs / "b.png")
    write_stimuli(theirs, ["Stimuli/a.png", "b.png"])
    write_fixations(theirs, [0])
    assert [example.name for example in load(theirs)] == ["Stimuli/a.png", "b.png"]


def test_what_is_outside_of_the_picture_is_dropped_as_by_pysaliency(theirs):
    x = np.array([-0.6, -0.4, 15.999, 16.0, np.nan, 1.0])
    write_fixations(theirs, [0] * 6, x=x)
    example = load(theirs)[0]
    assert example.dropped == 3
    assert (example.fixations[:, 0] + 0.5).astype(int).tolist() == [0, 15, 1]


def test_absurd_durations_are_unknown(theirs):
    write_fixations(theirs, [0] * 4, duration=np.array([0.2, 1e300, np.inf, np.nan]))
    durations = load(theirs)[0].durations_ms
    assert (durations[0], np.isnan(durations).tolist()) == (200, [False, True, True, True])


def test_exif_tags_do_not_turn_the_pictures(theirs):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 12)).save(theirs / "Stimuli" / "a.png", exif=exif)
    example = load(theirs)[0]
    assert example.size == pictures.of(example).shape[:2] == (12, 16)


def test_splits_go_by_the_names(tmp_path):
    image = np.zeros((2, 2, 3), "uint8")
    names = [f"{number:03d}.png" for number in range(60)]
    save([Example(name, (2, 2), np.zeros((1, 2)), image=image) for name in names], tmp_path)
    found = {split: [e.name for e in load(tmp_path, split)] for split in pysaliency.SPLITS}
    assert found["all"] == names
    assert sorted(found["train"] + found["test"]) == names
    assert found["test"] == [name for name in names if zlib.crc32(name.encode()) % 5 == 0]
    assert [e.name for e in load(tmp_path, "test", 2)] == found["test"][:2]
    refused(lambda: load(tmp_path, "val"), "all, train, test")
    save([Example("0.png", (2, 2), np.zeros((1, 2)), image=image)], tmp_path)
    empty = "train" if zlib.crc32(b"0.png") % 5 == 0 else "test"
    refused(lambda: load(tmp_path, empty), "none of the 1 pictures", "'all'")


# Bad ones.


def test_a_missing_file_says_where_it_comes_from(theirs):
    refused(lambda: load(""), "--data-dir")
    refused(lambda: load(theirs / "no"), "no such file", "stimuli.hdf5", "pysaliency")
    os.remove(theirs / "fixations.hdf5")
    refused(lambda: load(theirs), "no such file", "fixations.hdf5")


@pytest.mark.parametrize(
    "path", ["../a.png", "/etc/passwd", "Stimuli/../../a.png", "C:\\a.png", "..\\a.png", ".", ""]
)
def test_a_path_out_of_the_folder_is_refused(theirs, path):
    write_stimuli(theirs, ["Stimuli/a.png", path])
    refused(lambda: load(theirs, "all", 1), "stimuli.hdf5 is refused", "no path below")


@pytest.mark.parametrize("name", ["../a.png", "/a.png"])
def test_a_name_out_of_the_folder_is_refused(theirs, name):
    with h5py.File(theirs / "stimuli.hdf5", "a") as file:
        file.create_dataset("name", data=["a", name, "c"], dtype=h5py.string_dtype())
    refused(lambda: load(theirs), "stimuli.hdf5 is refused", "no path below")


def test_pictures_must_be_those_of_the_file(theirs):
    Image.new("RGB", (16, 11)).save(theirs / "Stimuli" / "a.png")
    refused(lambda: load(theirs), "a.png is 11x16", "says 12x16")
    os.remove(theirs / "Stimuli" / "a.png")
    refused(lambda: load(theirs), "no such file", "a.png")


@pytest.mark.parametrize("n", [[0, 3], [-1, 0]])
def test_fixations_of_no_picture_are_refused(theirs, n):
    write_fixations(theirs, n)
    refused(lambda: load(theirs), "fixations.hdf5", "holds 3", "from one dataset")


@pytest.mark.parametrize("field", ["x", "y", "n", "subjects", "duration"])
def test_uneven_arrays_are_refused(theirs, field):
    write_fixations(theirs, [0, 1])
    with h5py.File(theirs / "fixations.hdf5", "a") as file:
        file.pop(field, None)
        file[field] = [1]
    refused(lambda: load(theirs), "fixations.hdf5 is damaged", "differ in length")


@pytest.mark.parametrize(
    "content",
    [
        {"train_xs": np.ones((2, 3)), "train_ys": np.ones((2, 2)), "train_ns": [0, 1]},
        {"train_xs": np.ones((2, 3)), "train_ys": np.ones((2, 3)), "train_ns": [0]},
        {"train_xs": np.ones((2, 3)), "train_ys": np.ones((2, 3))},
        {"train_xs": np.ones(2), "train_ys": np.ones(2), "train_ns": [0, 1]},
        {"train_xs": [[b"1"]], "train_ys": [[1]], "train_ns": [0]},
    ],
)
def test_scanpaths_that_are_none_are_refused(theirs, content):
    write(theirs / "fixations.hdf5", "FixationTrains", "1.0", content)
    refused(lambda: load(theirs), "fixations.hdf5")


@pytest.mark.parametrize("name", ["stimuli.hdf5", "fixations.hdf5"])
@pytest.mark.parametrize(
    "content", [("Fixations", "9.0", {}), ("Model", "1.0", {}), ("", "", {}), ("a\nb" * 99, "", {})]
)
def test_other_kinds_are_refused(theirs, name, content):
    write(theirs / name, *content)
    refused(lambda: load(theirs), name, "expected pysaliency's", "up to")


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((0, 4, 3), "uint8"), np.zeros((4, 4, 5), "uint8"), np.zeros(4, "uint8"),
        np.full((4, 4), 256, "uint16"), np.full((4, 4), np.nan), np.full((4, 4), -1),
        np.array([[b"a"]]),
    ],
)  # fmt: skip
def test_arrays_that_are_no_pictures_are_refused(theirs, picture):
    write(theirs / "stimuli.hdf5", "Stimuli", "1.1", {"0": picture})
    refused(lambda: load(theirs), "stimuli.hdf5")


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_pictures_of_all_kinds_become_rgb(tmp_path, channels, dtype):
    values = np.arange(24).reshape(2, 3, 4)
    picture = values[..., 0] if channels is None else values[..., :channels]
    write(tmp_path / "stimuli.hdf5", "Stimuli", "1.0", {"0": picture.astype(dtype)})
    write_fixations(tmp_path, [0])
    (example,) = load(tmp_path)
    gray = np.repeat(values[..., :1], 3, axis=2)
    np.testing.assert_array_equal(example.image, values[..., :3] if channels in (3, 4) else gray)
    assert example.image.dtype == "uint8"


def test_damaged_files_end_in_one_line(theirs):
    for name in ("stimuli.hdf5", "fixations.hdf5"):
        whole = (theirs / name).read_bytes()
        for broken in (b"", b"no HDF5", whole[:100], whole[: len(whole) // 2]):
            (theirs / name).write_bytes(broken)
            refused(lambda: load(theirs), name)
        (theirs / name).write_bytes(whole)
    assert len(load(theirs)) == 3
