"""What we write in pysaliency's files comes back, and is laid out as pysaliency's own."""

import dataclasses
import os

import h5py
import numpy as np
import pytest
from checks import refused
from PIL import Image
from pysaliency_files import THEIRS, load, same, save

from keras_saliency.datasets import Example, synthetic
from keras_saliency.datasets.example import at_size


def example_of(path, name="x.png", size=(5, 6), **fields):
    """An example whose picture is a file, with a fixation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (*size, 3)).astype("uint8")).save(path, quality=95)
    return Example(name, size, np.array([[1.25, 2.0]], "float32"), str(path), **fields)


def test_pictures_that_are_arrays_come_back(tmp_path):
    examples = synthetic.load("test", limit=4)
    save(examples, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["fixations.hdf5", "stimuli.hdf5"]
    for before, after in zip(examples, load(tmp_path), strict=True):
        same(before, after)
        assert after.image is not None


def test_pictures_that_are_files_come_back(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    examples = [
        example_of(here / "own" / "a.jpg", "inside.png"),
        example_of(there / "b.jpg", "Action/b.jpg"),
        example_of(there / "c.jpg", "c", (7, 4)),
    ]
    save(examples, here)
    for before, after in zip(examples, load(here), strict=True):
        same(before, after)
        assert after.image_path.startswith(str(here))
    assert sorted(os.listdir(here)) == ["fixations.hdf5", "own", "stimuli", "stimuli.hdf5"]
    assert (here / "stimuli" / "Action" / "b.jpg").is_file()
    save(load(here), here)  # onto itself
    same(examples[1], load(here)[1])


def test_turned_and_resized_pictures_are_drawn_anew(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down, of the same size
    there = example_of(tmp_path / "there" / "a.jpg")
    with Image.open(there.image_path) as picture:
        picture.save(there.image_path, exif=exif)
    array = Example("b.jpg", (5, 6), there.fixations, image=np.full((5, 6, 3), 9, "uint8"))
    as_it_lies = dataclasses.replace(there, name="lies.jpg", exif=False)
    resized = at_size(dataclasses.replace(as_it_lies, name="half"), (10, 3))
    examples = [there, resized, array, as_it_lies]
    save(examples, tmp_path / "here")
    after = load(tmp_path / "here")
    for before, each in zip(examples, after, strict=True):
        same(before, each)
    assert [os.path.basename(e.image_path) for e in after] == [
        "x.png", "half.png", "b.jpg.png", "lies.jpg"
    ]  # fmt: skip


@pytest.mark.parametrize("observers", [[3, 0], None])
@pytest.mark.parametrize("durations", [[210.5, 1e6 / 7], [np.nan, 7], None])
def test_what_is_unknown_stays_unknown(tmp_path, observers, durations):
    image, points = np.zeros((9, 9, 3), "uint8"), np.array([[-0.4, 8.4], [1 / 3, 2]], "float32")
    known = Example("a", (9, 9), points, image=image, observers=observers, durations_ms=durations)
    unknown = Example("b", (9, 9), points, image=image)
    save([known, unknown], tmp_path)
    after = load(tmp_path)
    same(known, after[0], durations_ms=None if durations is None else np.float32(durations))
    same(unknown, after[1])


def test_nobody_looked_at_any(tmp_path):
    nowhere = Example("a", (9, 9), np.zeros((0, 2)), image=np.zeros((9, 9, 3), "uint8"))
    save([nowhere], tmp_path)
    assert load(tmp_path)[0].fixations.shape == (0, 2)


def layout(path):
    """Names of all that is in a file, kinds and shapes of arrays, and the pictures' shapes."""
    with h5py.File(path) as file:
        attributes = {name: np.asarray(value).dtype.kind for name, value in file.attrs.items()}
        texts = [file.attrs["type"], file.attrs["version"]]
        content = {name: (data.dtype.kind, data.shape) for name, data in file.items()}
        if "shapes" in file:
            content["shapes"] = [shape.tolist() for shape in file["shapes"]]
        return attributes, texts, content


@pytest.mark.parametrize("kind", ["files", "arrays"])
def test_the_files_are_laid_out_as_pysaliencys(tmp_path, kind):
    save(load(THEIRS / kind), tmp_path)
    attributes, texts, content = layout(tmp_path / "stimuli.hdf5")
    theirs = layout(THEIRS / kind / "stimuli.hdf5")
    assert (attributes, texts) == theirs[:2]
    named = {name for name in theirs[2] if name not in ("category", "1")}  # 1 is gray
    assert {name: content[name] for name in named} == {name: theirs[2][name] for name in named}
    attributes, texts, content = layout(tmp_path / "fixations.hdf5")
    theirs = layout(THEIRS / "arrays" / "fixations.hdf5")
    assert (attributes, texts) == theirs[:2]
    assert content.keys() == theirs[2].keys() | ({"duration"} if kind == "files" else set())
    assert {name: content[name] for name in "xyn"} == {name: theirs[2][name] for name in "xyn"}


def test_a_failure_leaves_what_was_there(tmp_path):
    good = example_of(tmp_path / "there" / "a.png")
    save([good], tmp_path / "here")
    (tmp_path / "there" / "b.png").write_bytes(b"no picture")
    bad = dataclasses.replace(good, name="b.png", image_path=str(tmp_path / "there" / "b.png"))
    refused(lambda: save([good, bad], tmp_path / "here"), "b.png", "not a picture")
    same(good, load(tmp_path / "here")[0])
    refused(lambda: save([good], tmp_path / "there" / "a.png"), "a.png", "cannot be written")


def test_names_must_be_paths_of_their_own(tmp_path):
    good = example_of(tmp_path / "there" / "a.png")
    twice = dataclasses.replace(good, image_path=good.image_path)
    refused(lambda: save([good, twice], tmp_path / "here"), "the same name")
    refused(lambda: save([], tmp_path / "here"), "needs examples")
    for name in ("../a.png", "/a.png", "C:\\a.png", "a\\b.png", ".", "a\0"):
        bad = dataclasses.replace(good, name=name)
        refused(lambda bad=bad: save([bad], tmp_path / "here"), "no p")
    other = dataclasses.replace(good, name="x.jpg")  # both are x.png
    refused(lambda: save([good, other], tmp_path / "here"), "the same file")
    assert not (tmp_path / "here").exists()
