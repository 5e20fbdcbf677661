"""What is written is what the benchmark takes; or nothing is written."""

import base64
import io
import json
import pathlib
import weakref
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from keras_saliency import submissions
from keras_saliency.errors import InputError


def stretched(values):
    values = values[..., 0].astype("float64")
    return np.round((values - values.min()) / np.ptp(values) * 255)


def gray(content):
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.mode == "L"
        return picture.format, np.asarray(picture).astype("float64")


def test_salicon_2017(stimuli, maps, tmp_path):
    folder, sizes = stimuli("salicon")
    predictions = maps(sizes)
    output = tmp_path / "new" / "maps.zip"
    assert submissions.salicon(predictions.items(), folder, str(output)) == 3
    with zipfile.ZipFile(output) as archive:
        assert archive.namelist() == [name.replace(".jpg", ".png") for name in sizes]
        for name, values in predictions.items():
            kind, pixels = gray(archive.read(name.replace(".jpg", ".png")))
            assert kind == "PNG"
            np.testing.assert_array_equal(pixels, stretched(values))
            assert (pixels.min(), pixels.max()) == (0, 255)
    assert [path.name for path in output.parent.iterdir()] == ["maps.zip"]


def test_salicon_2015(stimuli, maps, tmp_path):
    folder, sizes = stimuli("salicon")
    predictions = maps(sizes)
    output = tmp_path / "fixations_test2014_me_results.json"
    assert submissions.salicon(predictions.items(), folder, str(output)) == 3
    results = json.loads(output.read_text())
    assert [result["image_id"] for result in results] == [99, 123, 4567]
    for result, values in zip(results, predictions.values(), strict=True):
        kind, pixels = gray(base64.b64decode(result["saliency_map"]))
        assert kind == "PNG"
        np.testing.assert_array_equal(pixels, stretched(values))


@pytest.mark.parametrize("benchmark", ["mit300", "cat2000"])
def test_a_folder_of_jpegs(stimuli, maps, tmp_path, benchmark):
    folder, sizes = stimuli(benchmark)
    predictions = maps(sizes)
    output = tmp_path / "maps"
    assert getattr(submissions, benchmark)(predictions.items(), folder, f"{output}/") == 3
    written = [str(path.relative_to(output)) for path in output.rglob("*.*")]
    assert sorted(written) == list(sizes)
    for name, values in predictions.items():
        kind, pixels = gray((output / name).read_bytes())
        assert kind == "JPEG"
        np.testing.assert_allclose(pixels, stretched(values), atol=2)


@pytest.mark.parametrize("benchmark", ["mit300", "cat2000"])
def test_a_zip_holds_a_folder_of_the_models_name(stimuli, maps, tmp_path, benchmark):
    folder, sizes = stimuli(benchmark)
    output = tmp_path / "SalGAN.zip"
    getattr(submissions, benchmark)(maps(sizes).items(), folder, str(output))
    with zipfile.ZipFile(output) as archive:
        assert archive.namelist() == [f"SalGAN/{name}" for name in sizes]
        assert gray(archive.read(archive.namelist()[0]))[0] == "JPEG"


@pytest.mark.parametrize("benchmark", ["mit300", "cat2000"])
def test_tuebingen(stimuli, maps, tmp_path, benchmark):
    folder, sizes = stimuli(benchmark)
    predictions = maps(sizes, log=True)
    output = tmp_path / "model.h5"
    assert submissions.tuebingen(predictions.items(), folder, str(output)) == 3
    with h5py.File(output) as file:
        for name, values in predictions.items():
            assert file[name].dtype == "float32"
            np.testing.assert_array_equal(file[name][()], values[..., 0])
            assert abs(np.log(np.exp(file[name][()].astype("float64")).sum())) < 1e-5


@pytest.mark.parametrize(
    ("benchmark", "name"),
    [("salicon", "a.zip"), ("salicon", "a.json"), ("mit300", "a.zip")],
)
def test_the_order_of_the_predictions_and_the_day_do_not_matter(
    stimuli, maps, tmp_path, benchmark, name
):
    folder, sizes = stimuli(benchmark)
    predictions = list(maps(sizes).items())
    for place, order in (("one", predictions), ("two", predictions[::-1])):
        getattr(submissions, benchmark)(order, folder, str(tmp_path / place / name))
    one, two = (tmp_path / place / name for place in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    if name.endswith(".zip"):
        with zipfile.ZipFile(one) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_same_densities_make_the_same_file(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    for name in ("a.h5", "b.hdf5"):
        submissions.tuebingen(maps(sizes, log=True).items(), folder, str(tmp_path / name))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()


OUTPUTS = [
    ("salicon", "a.zip"),
    ("salicon", "a.json"),
    ("mit300", "maps"),
    ("mit300", "a.zip"),
    ("cat2000", "maps"),
    ("tuebingen", "a.h5"),
]


@pytest.mark.parametrize(("benchmark", "name"), OUTPUTS)
def test_a_problem_in_the_last_map_leaves_nothing_new(stimuli, maps, tmp_path, benchmark, name):
    folder, sizes = stimuli("mit300" if benchmark == "tuebingen" else benchmark)
    predictions = maps(sizes, log=benchmark == "tuebingen")
    last = list(sizes)[-1]
    predictions[last][0, 0] = np.nan
    output = tmp_path / "out" / name
    if output.suffix:
        output.parent.mkdir()
        output.write_bytes(b"old")
    with pytest.raises(InputError) as caught:
        getattr(submissions, benchmark)(predictions.items(), folder, str(output))
    assert str(output) in str(caught.value)
    assert f"{last}: not finite" in str(caught.value)
    assert [p.name for p in output.parent.iterdir()] == ([name] if output.suffix else [])
    assert not output.suffix or output.read_bytes() == b"old"


def test_every_problem_is_told_at_once(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    predictions = maps(sizes)
    predictions["i10.png"] = predictions.pop("i10.jpg")[:-1]
    predictions["i3.jpg"] = predictions.pop("i2.jpg")
    with pytest.raises(InputError) as caught:
        submissions.mit300(predictions.items(), folder, str(tmp_path / "maps"))
    for part in ("3 problems", "i10.png: (33, 50, 1)", "i3.jpg: there is no", "i2.jpg: missing"):
        assert part in str(caught.value)


def test_one_map_is_held_at_a_time(stimuli, tmp_path):
    class Map(np.ndarray):
        pass

    folder = pathlib.Path(stimuli("mit300")[0])
    for i in range(20):
        Image.new("L", (8, 6)).save(folder / f"j{i}.jpg")
    made = []

    def predictions():
        for name, size in submissions.stimulus_sizes("mit300", str(folder)).items():
            values = np.random.default_rng(0).random(size).view(Map)
            made.append(weakref.ref(values))
            assert sum(each() is not None for each in made) <= 2
            yield name, values

    submissions.mit300(predictions(), str(folder), str(tmp_path / "a.zip"))
    assert len(made) == 23


@pytest.mark.parametrize(
    ("benchmark", "name", "word"),
    [
        ("salicon", "maps", ".zip or .json"),
        ("salicon", "maps.png", ".zip or .json"),
        ("tuebingen", "maps.zip", ".h5 or .hdf5"),
        ("tuebingen", "folder.h5", "is a folder"),
        ("salicon", "folder.zip", "is a folder"),
        ("mit300", "folder.zip", "is a folder"),
        ("mit300", "full", "exists already"),
        ("cat2000", "file", "exists already"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(tmp_path, benchmark, name, word):
    for folder in ("folder.h5", "folder.zip", "full"):
        (tmp_path / folder).mkdir()
    for file in ("full/precious", "file"):
        (tmp_path / file).write_bytes(b"old")
    before = sorted(tmp_path.rglob("*"))

    def predictions():
        raise AssertionError("asked for a map")
        yield

    with pytest.raises(InputError, match=word):
        getattr(submissions, benchmark)(predictions(), str(tmp_path), str(tmp_path / name))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    (tmp_path / "maps").mkdir()
    submissions.mit300(maps(sizes).items(), folder, str(tmp_path / "maps"))
    assert len(list((tmp_path / "maps").iterdir())) == 3


def test_a_faint_map_is_stretched_over_all_grays(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    faint = {name: 0.5 + values * 1e-6 for name, values in maps(sizes).items()}
    faint = {name: values.astype("float64") for name, values in faint.items()}
    submissions.mit300(faint.items(), folder, str(tmp_path / "maps"))
    pixels = gray((tmp_path / "maps" / "i1.jpg").read_bytes())[1]
    assert pixels.min() < 3
    assert pixels.max() > 252
