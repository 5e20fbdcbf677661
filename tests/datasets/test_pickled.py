"""The JuntingNet papers' pickles, in both layouts, made here; and their converted form."""

import contextlib
import pickle

import numpy as np
import pytest
from checks import refused

from keras_saliency import datasets, evaluation, pipeline
from keras_saliency.datasets import pickled
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (4, 3, 12, 12)).astype("uint8")
MAPS = RANDOM.random((4, 6, 6)).astype("float32")
MAPS /= MAPS.max((1, 2), keepdims=True)
FLOATS = PIXELS.astype("float32") / 255
NAMES = ["a.jpg", "b.jpg", "a.jpg", "c.jpg"]


def dump(folder, split, value, protocol=4, ending=".pkl"):
    path = folder / f"{split}{ending}"
    path.write_bytes(pickle.dumps(value, protocol))
    return str(path)


def entries(count=4, **fields):
    made = [{"X": FLOATS[i], "y": MAPS[i], "file_name": NAMES[i]} for i in range(count)]
    return [{**entry, **{k: v[i] for k, v in fields.items()}} for i, entry in enumerate(made)]


def pair(y=None):
    return FLOATS, (MAPS * 2 - 1 if y is None else y).reshape(4, -1)


def assert_same(examples, others):
    assert len(examples) == len(others) > 0
    for one, other in zip(examples, others, strict=True):
        assert (one.name, one.size) == (other.name, other.size)
        assert one.image.dtype == other.image.dtype == "uint8"
        np.testing.assert_array_equal(one.image, other.image)
        assert one.density.dtype == other.density.dtype == "float32"
        np.testing.assert_array_equal(one.density, other.density)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("layout", ["list", "tuple"])
def test_both_layouts(tmp_path, layout, protocol):
    dump(tmp_path, "train", entries() if layout == "list" else pair(), protocol)
    examples = pickled.load(str(tmp_path))
    assert len(examples) == 4
    for i, example in enumerate(examples):
        assert example.size == (12, 12) and type(example.name) is str
        assert example.image.dtype == "uint8"
        np.testing.assert_array_equal(example.image, PIXELS[i].transpose(1, 2, 0))
        assert example.density.dtype == "float32" and example.density.max() == 1
        np.testing.assert_allclose(example.density, MAPS[i], atol=1e-6)
        assert example.fixations.shape == (0, 2)
    names = ["a.jpg", "b.jpg", "a-2.jpg", "c.jpg"]
    numbers = ["000001", "000002", "000003", "000004"]
    assert [e.name for e in examples] == (names if layout == "list" else numbers)


def test_a_copied_name_never_meets_another(tmp_path):
    names = ["a.jpg", "a.jpg", "a-2.jpg", "a.jpg", b"d/\xe9.jpg", "C:\\x\\e.jpg", "", "x\n/"]
    dump(tmp_path, "val", [{"X": FLOATS[0], "y": MAPS[0], "file_name": name} for name in names])
    found = [e.name for e in pickled.load(str(tmp_path), "val")]
    expected = ["a.jpg", "a-2.jpg", "a-2-2.jpg", "a-3.jpg", "é.jpg", "e.jpg", "000007", "000008"]
    assert found == expected


@pytest.mark.parametrize("ending", [".npz", ".pkl"])
def test_limit_takes_the_first_and_changes_none(tmp_path, ending):
    path = dump(tmp_path, "train", entries(), ending=".pkl")
    if ending == ".npz":
        pickled.convert(path, str(tmp_path / "train.npz"))
    everything = pickled.load(str(tmp_path))
    assert_same(pickled.load(str(tmp_path), limit=3), everything[:3])
    assert_same(pickled.load(str(tmp_path), limit=99), everything)


def test_originals_are_the_pictures_where_there_are_any(tmp_path):
    large = RANDOM.integers(0, 256, (4, 3, 48, 64)).astype("uint8")
    wide = RANDOM.random((4, 48, 64))
    path = dump(tmp_path, "val", entries(X_original=large, y_original=wide))
    examples = pickled.load(str(tmp_path), "val")
    assert {e.size for e in examples} == {(48, 64)}
    np.testing.assert_array_equal(examples[1].image, large[1].transpose(1, 2, 0))
    np.testing.assert_allclose(examples[1].density, wide[1] / wide[1].max(), rtol=1e-6)
    found = pickled.convert(path, str(tmp_path / "val.npz"))
    assert found == "4 pictures 12x12, maps 6x6, originals 48x64, maps 48x64"
    assert_same(pickled.load(str(tmp_path), "val"), examples)
    with np.load(tmp_path / "val.npz") as file:
        assert file["images"].shape == (4, 12, 12, 3)
        assert file["densities"].shape == (4, 6, 6)


@pytest.mark.parametrize("test", [FLOATS, (FLOATS,), [FLOATS], (FLOATS, None), list(FLOATS)])
def test_a_test_file_has_only_pictures(tmp_path, test):
    path = dump(tmp_path, "test", test)
    examples = pickled.load(str(tmp_path), "test")
    assert [e.density for e in examples] == [None] * 4
    np.testing.assert_array_equal(examples[3].image, PIXELS[3].transpose(1, 2, 0))
    refused(lambda: pipeline.load(examples, (8, 8), pickled.SIGMA), "000001", "no density")
    assert pickled.convert(path, str(tmp_path / "test.npz")) == "4 pictures 12x12, no maps"
    assert [e.density for e in pickled.load(str(tmp_path), "test")] == [None] * 4


@pytest.mark.parametrize(
    "y",
    [MAPS, MAPS * 255, np.round(MAPS * 255).astype("uint8"), MAPS * 2 - 1, MAPS[:, None],
     MAPS.astype("float64"), MAPS.reshape(4, -1), MAPS * 0.01, MAPS - 0.01],
)  # fmt: skip
def test_every_kind_of_map(tmp_path, y):
    dump(tmp_path, "train", (FLOATS, y))
    for example, expected in zip(pickled.load(str(tmp_path)), MAPS, strict=True):
        assert example.density.min() >= 0 and example.density.max() == 1
        np.testing.assert_allclose(example.density, expected, atol=0.012)


def test_a_dim_map_is_taken_like_the_others_of_its_file(tmp_path):
    y = MAPS * 2 - 1
    y[2] = y[2] * 0.1 + 0.5  # 0.4 to 0.6, that is, 0.7 to 0.8 in 0-1
    dump(tmp_path, "train", (FLOATS, y))
    unit = (y[2] + 1) / 2
    np.testing.assert_allclose(pickled.load(str(tmp_path))[2].density, unit / unit.max(), 1e-5)


def test_a_map_where_nobody_looked_stays_zero(tmp_path):
    y = MAPS.copy()
    y[1] = 0
    dump(tmp_path, "train", (FLOATS, y))
    assert not pickled.load(str(tmp_path))[1].density.any()


@pytest.mark.parametrize(
    "x",
    [FLOATS, PIXELS, PIXELS.astype("float64"), PIXELS.astype("int64"),
     PIXELS.transpose(0, 2, 3, 1), (FLOATS * 1.02).clip(-0.01, 1.0)],
)  # fmt: skip
def test_every_kind_of_picture(tmp_path, x):
    dump(tmp_path, "train", (x, MAPS))
    found = np.stack([e.image for e in pickled.load(str(tmp_path))])
    assert np.abs(found.astype(int) - PIXELS.transpose(0, 2, 3, 1)).max() <= (
        5 if x.max() <= 1 and x is not FLOATS else 0
    )


@pytest.mark.parametrize("x", [FLOATS[:, :1], FLOATS[:, 0], FLOATS[:, 0, :, :, None]])
def test_gray_pictures_get_three_channels(tmp_path, x):
    dump(tmp_path, "train", (x, MAPS))
    example = pickled.load(str(tmp_path))[2]
    for channel in range(3):
        np.testing.assert_array_equal(example.image[..., channel], PIXELS[2, 0])


def test_black_bytes_stay_black(tmp_path):
    dump(tmp_path, "train", (np.ones((2, 3, 4, 4), "uint8"), MAPS[:2]))
    assert pickled.load(str(tmp_path))[0].image.max() == 1


def broken(number, **fields):
    made = entries()
    made[number - 1] = {k: v for k, v in {**made[number - 1], **fields}.items() if v is not None}
    return made


def holed(array, value=np.nan):
    array = array.astype("float64")
    array.flat[7] = value
    return array


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (broken(3, y=None), ["entry 3 of 4", "no y"]),
        (broken(2, X=None), ["entry 2 of 4", "no X"]),
        (broken(4, X=FLOATS[0, :2]), ["entry 4 of 4", "X", "(2, 12, 12)"]),
        (broken(4, y=MAPS[0, :3]), ["entry 4 of 4", "y has another size"]),
        (broken(1, y=np.ones(35)), ["entry 1 of 4", "y", "(35,)"]),
        (broken(2, y="dark"), ["entry 2 of 4", "y must be numbers"]),
        (broken(2, X=[[1], [2, 3]]), ["entry 2 of 4", "X must be numbers"]),
        (broken(2, X={"a": 1}), ["entry 2 of 4", "X must be numbers"]),
        (broken(3, X=holed(FLOATS[0])), ["entry 3 of 4", "X", "NaN"]),
        (broken(3, y=holed(MAPS[0])), ["entry 3 of 4", "y", "NaN"]),
        (broken(1, y=holed(MAPS[0], np.inf)), ["entry 1 of 4", "y", "infinity"]),
        (broken(2, X_original=FLOATS[0], y_original=MAPS[0]), ["entry 1 of 4", "X_original"]),
        ([*entries(), 5], ["entry 5 of 5", "no dict"]),
        (pair(np.stack([holed(m) for m in MAPS])), ["entry 1 of 4", "y", "NaN"]),
        (pair(MAPS - 0.3), ["y has values of -0.", "-1 to 1"]),
        (pair(MAPS * 600 - 300), ["y has values of -", "-1 to 1"]),
        ((FLOATS * 2 - 1, MAPS), ["X has values of -1", "0 to 255"]),
        ((FLOATS, MAPS[:3]), ["4 pictures", "3 maps"]),
        ((FLOATS, MAPS, MAPS), ["neither"]),
        ((FLOATS[:0], MAPS[:0]), ["no pictures"]),
        ((np.empty((10**9, 0)),), ["without numbers"]),
        ([], ["neither"]),
        ({"X": FLOATS, "y": MAPS}, ["neither"]),
        ("train", ["neither"]),
        (5.0, ["neither"]),
        (None, ["neither"]),
    ],
)
def test_a_broken_entry_is_named(tmp_path, value, words):
    path = dump(tmp_path, "train", value)
    refused(lambda: pickled.load(str(tmp_path)), path, *words)
    refused(lambda: pickled.convert(path, str(tmp_path / "out.npz")), path, *words)
    assert not (tmp_path / "out.npz").exists()


def test_where_it_looks(tmp_path):
    refused(lambda: pickled.load(""), "--data-dir")
    refused(lambda: pickled.load(str(tmp_path), "dev"), "train, val, test")
    refused(lambda: pickled.load(str(tmp_path)), "train.npz", "train.pkl", "train.pickle")
    dump(tmp_path, "train", pair(), ending=".pickle")
    assert pickled.load(str(tmp_path))[0].name == "000001"
    dump(tmp_path, "train", entries())
    assert pickled.load(str(tmp_path))[0].name == "a.jpg"
    (tmp_path / "train.npz").write_bytes(b"damaged")
    refused(lambda: pickled.load(str(tmp_path)), "train.npz", "convert the pickle again")


@pytest.mark.parametrize("layout", ["list", "tuple"])
def test_the_converted_file_equals_the_pickle(tmp_path, layout, capfd):
    path = dump(tmp_path, "train", entries() if layout == "list" else pair())
    expected = pickled.load(str(tmp_path))
    assert pickled.convert(path, str(tmp_path / "new" / "train.npz")) == (
        "4 pictures 12x12, maps 6x6"
    )
    assert_same(pickled.load(str(tmp_path / "new")), expected)
    assert capfd.readouterr() == ("", "")


def test_examples_are_views_of_one_array(tmp_path):
    dump(tmp_path, "train", entries())
    first, second = pickled.load(str(tmp_path), limit=2)
    assert first.image.base is second.image.base is not None
    assert first.density.base is second.density.base is not None


def test_the_output_is_an_npz(tmp_path):
    path = dump(tmp_path, "train", entries())
    refused(lambda: pickled.convert(path, str(tmp_path / "train.tfrecord")), ".npz")


def test_a_conversion_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "train.npz").write_text("precious")
    path = dump(tmp_path, "train", broken(3, y=None))
    refused(lambda: pickled.convert(path, str(tmp_path / "train.npz")), "entry 3")
    assert (tmp_path / "train.npz").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 2


IMAGES = np.zeros((2, 4, 4, 3), "uint8")


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"images": IMAGES},
        {"images": IMAGES, "names": np.array(["a"])},
        {"images": IMAGES / 1.0, "names": np.array(["a", "b"])},
        {"images": IMAGES[..., :2], "names": np.array(["a", "b"])},
        {"images": IMAGES[:0], "names": np.array([], "U1")},
        {"images": IMAGES, "names": np.array(["a", "b"]), "densities": np.zeros((2, 9), "f4")},
        {"images": IMAGES, "names": np.array(["a", None])},
    ],
)
def test_another_npz_is_named(tmp_path, arrays):
    np.savez(tmp_path / "train.npz", **arrays)
    refused(lambda: pickled.load(str(tmp_path)), "train.npz")


def test_a_cut_off_npz_is_named(tmp_path):
    pickled.convert(dump(tmp_path, "train", entries()), str(tmp_path / "train.npz"))
    content = (tmp_path / "train.npz").read_bytes()
    for kept in (0, 100, len(content) // 2, len(content) - 10):
        (tmp_path / "train.npz").write_bytes(content[:kept])
        refused(lambda: pickled.load(str(tmp_path)), "train.npz")


def test_from_the_pickle_to_batches_and_scores(tmp_path):
    dump(tmp_path, "val", entries())
    examples = datasets.pickled.load(str(tmp_path), "val")
    [(stimuli, targets)] = pipeline.batches(examples, (12, 12), 4, pickled.SIGMA)
    np.testing.assert_array_equal(stimuli, PIXELS.transpose(0, 2, 3, 1))
    assert np.shape(targets["density"]) == (4, 12, 12, 1)
    truths = Truths(examples, "mit", pickled.SIGMA)
    rows = evaluation.score([truths.of(i).density for i in range(4)], truths)
    assert [row["image"] for row in rows] == ["a.jpg", "b.jpg", "a-2.jpg", "c.jpg"]
    np.testing.assert_allclose([[row["cc"], row["sim"]] for row in rows], 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"names": np.array(["../../b.jpg", "c.jpg"])},
        {"names": np.array(["/tmp/b.jpg", "c.jpg"])},
        {"names": np.array(["b.jpg", "b.png"])},
        {"densities": np.full((2, 6, 6), np.nan, "float32")},
        {"densities": np.full((2, 6, 6), -1, "float32")},
        {"images": np.zeros((2, 0, 12, 3), "uint8")},
    ],
)
def test_a_converted_file_that_somebody_changed_is_refused(tmp_path, changed):
    """Names above all: files are called after them."""
    arrays = {
        "names": np.array(["b.jpg", "c.jpg"]),
        "images": np.zeros((2, 12, 12, 3), "uint8"),
        "densities": np.ones((2, 6, 6), "float32"),
    }
    path = tmp_path / "train.npz"
    np.savez(path, **arrays)
    assert len(pickled.load(str(tmp_path))) == 2
    np.savez(path, **{**arrays, **changed})
    refused(lambda: pickled.load(str(tmp_path)), str(path), "convert_pickle.py")


def test_every_damaged_converted_file_is_one_line_or_loads(tmp_path):
    path = dump(tmp_path, "train", entries())
    pickled.convert(path, str(tmp_path / "train.npz"))
    whole = (tmp_path / "train.npz").read_bytes()
    random = np.random.default_rng(0)
    for at in random.integers(0, len(whole), 200):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 77]) + whole[at + 1 :]):
            (tmp_path / "train.npz").write_bytes(damaged)
            with contextlib.suppress(InputError):
                pickled.load(str(tmp_path))
