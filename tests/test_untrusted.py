"""What comes from elsewhere is read up to a limit, and never run."""

import csv
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from keras_saliency import (
    attention_regions,
    callbacks,
    checkpoints,
    comparison,
    files,
    legacy,
    map_files,
    models,
    pictures,
    prediction,
    untrusted,
)
from keras_saliency.errors import InputError

HOSTILE = ["=cmd|' /C calc'!A1.jpg", "+1+1.jpg", "-2.jpg", "@SUM(A1).jpg", "\tx.jpg", "\rx.jpg"]
HOSTILE += ["'=1.jpg", "''@.jpg", "'a.jpg", "a=b.jpg", "-1", '=é,".jpg']


def test_names_that_are_formulas_are_quoted_and_come_back(tmp_path):
    path = str(tmp_path / "scores.csv")
    rows = [{"image": name, "nss": -0.5 * i} for i, name in enumerate(HOSTILE)]
    files.write_csv(path, rows)
    with open(path, newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    formulas = [cell for cell in cells if cell[0] in "=+-@\t\r"]
    assert all(untrusted._NUMBER.fullmatch(cell) for cell in formulas) and "-0.5" in formulas
    read = comparison.read_csv(path)
    assert {name: scores["nss"] for name, scores in read.items()} == {
        row["image"]: row["nss"] for row in rows
    }


def test_a_metrics_csv_that_is_written_on_keeps_its_numbers(tmp_path):
    written = callbacks.MetricsCSV(str(tmp_path / "metrics.csv"), "content")
    for epoch in range(3):
        written.on_epoch_end(epoch, {"loss": -0.25, "cc": float("nan"), "nss": -1e-7})
    text = (tmp_path / "metrics.csv").read_text(encoding="utf-8")
    assert text.splitlines()[1:] == [f"{i},content,-0.25,nan,-1e-07" for i in (1, 2, 3)]


@pytest.mark.parametrize("text", ["", "loss\n1\n", "epoch,loss\nx,1\n", "epoch\n1,2\n", "\0\xff"])
def test_a_damaged_metrics_csv_is_one_line(text, tmp_path):
    (tmp_path / "metrics.csv").write_text(text, encoding="latin-1")
    written = callbacks.MetricsCSV(str(tmp_path / "metrics.csv"), "content")
    if not text:  # nothing is lost
        return written.on_epoch_end(1, {"loss": 1.0})
    with pytest.raises(InputError, match=r"metrics\.csv is damaged: move it away"):
        written.on_epoch_end(1, {"loss": 1.0})


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "C:\\a", "..\\a", ".", "", "a\0"])
def test_names_that_lead_outside_are_refused(name):
    with pytest.raises(InputError, match=r"list\.json is refused: .* is no path below its folder"):
        untrusted.inside(name, "list.json")


def test_a_mask_outside_its_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("L", (4, 4), 255).save(tmp_path / "face.png")
    for name in ("../face.png", str(tmp_path / "face.png")):
        text = json.dumps([{"name": "face", "mask": name}])
        (tmp_path / "in" / "regions.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match="is no path below"):
            attention_regions.read(str(tmp_path / "in" / "regions.json"), (4, 4))


def test_files_beyond_the_limit_are_not_read(tmp_path):
    path = tmp_path / "a.json"
    with open(path, "wb") as file:
        file.truncate(10 * untrusted.MB)  # takes no room
    with pytest.raises(InputError, match=r"a\.json is too large: more than 2 MB"):
        untrusted.read_json(str(path), 2 * untrusted.MB)
    with (
        pytest.raises(InputError, match="too large: more than 1 MB"),
        untrusted.table(str(path), untrusted.MB),
    ):
        pass
    assert len(untrusted.read_bytes(str(path), 10 * untrusted.MB)) == 10 * untrusted.MB


def test_what_has_no_size_is_not_read_without_end():
    with pytest.raises(InputError, match="too large"):
        untrusted.read_bytes("/dev/zero", 1000)


def test_nested_json_is_one_line(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(ValueError, match="nested too deeply"):
        untrusted.read_json(str(tmp_path / "a.json"))


def network(layer):
    stimulus = keras.Input((8, 8, 3))
    return keras.Model(stimulus, keras.layers.Conv2D(1, 1)(layer(stimulus)))


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("load", [prediction.load, legacy.load_model])
def test_a_lambda_is_refused_by_its_name_and_not_run(ending, load, tmp_path):
    path, sign = str(tmp_path / f"a{ending}"), tmp_path / "sign"
    # Within another model, as it would be hidden.
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x, name="bad")])
    network(inner).save(path)
    if load is legacy.load_model and ending == ".keras":
        pytest.skip("refuses any .keras file")
    keras.config.enable_unsafe_deserialization()  # a program that did so for another model
    try:
        with pytest.raises(InputError, match=r"is refused: it holds a Lambda \(bad\)") as caught:
            load(path)
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", None)
    assert "\n" not in str(caught.value) and not sign.exists()


def test_a_model_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "a.keras")
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=0.0625)
    model.save(path)
    assert prediction.load(path).input_shape == (None, 32, 32, 3)
    monkeypatch.setattr(untrusted, "MOST_UNPACKED", 1000)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/x", bytes(60 * untrusted.MB))
    with pytest.raises(InputError, match="is refused: it unpacks to more than"):
        prediction.load(path)


def test_a_damaged_model_is_one_line(tmp_path):
    path = tmp_path / "a.keras"
    for content in (b"", b"PK\5\6" + bytes(18), b"\x89HDF\r\n\x1a\n" + bytes(90)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.keras cannot be loaded as a Keras model") as said:
            prediction.load(str(path))
        assert "\n" not in str(said.value)


def test_weights_that_declare_more_than_they_hold_are_refused(tmp_path):
    path = str(tmp_path / "a.h5")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="d")])
    model.save_weights(str(tmp_path / "b.weights.h5"))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel:0"]
        group.create_dataset("d/kernel:0", (10**6, 10**6), "float32")  # of which nothing is stored
    with pytest.raises(InputError, match="declares far more than it holds"):
        legacy.load_weights(model, path)


def test_maps_are_of_the_formats_and_sizes_of_pictures(tmp_path, monkeypatch):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")  # of which Pillow would start a program
    os.rename(tmp_path / "a.eps", tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is no saliency map"):
        map_files.read(str(tmp_path / "a.png"))
    Image.new("L", (20, 20), 9).save(tmp_path / "b.png")
    np.save(tmp_path / "c.npy", np.ones((20, 20)))
    monkeypatch.setattr(pictures, "MAX_PIXELS", 100)
    for name in ("b.png", "c.npy"):
        with pytest.raises(InputError, match="too large"):
            map_files.read(str(tmp_path / name))


def test_a_checkpoint_that_unpacks_without_end_is_damaged(tmp_path, monkeypatch):
    path = str(tmp_path / "a.npz")
    checkpoints.write(path, v0=np.zeros(10_000))
    assert checkpoints.read(path)["v0"].shape == (10_000,)
    monkeypatch.setattr(untrusted, "MOST_UNPACKED", 1000)
    monkeypatch.setattr(untrusted, "MOST_RATIO", 0)
    with pytest.raises(InputError, match="is refused: it unpacks"):
        checkpoints.read(path)
