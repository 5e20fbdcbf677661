"""What a run records, and what is found again by its models."""

import argparse
import json

import pytest

from keras_saliency import runs


@pytest.fixture
def run(tmp_path):
    """A run on the folder `data`, begun beside it, and the models in it."""
    (tmp_path / "data").mkdir()
    made = tmp_path / "runs" / "mine"
    (made / "epochs").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        args = argparse.Namespace(
            data="folder",
            data_dir="data",
            resume=False,
            seed=0,
            precision="float32",
            strategy="none",
        )
        runs.write_config(str(made), args)
    for name in ("model.keras", "epochs/epoch_0003.keras"):
        (made / name).touch()
    return made


@pytest.mark.parametrize("model", ["", "model.keras", "epochs/epoch_0003.keras"])
def test_a_model_in_a_run_is_known(run, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert len(runs.trained_on([str(run / model)], "folder", "data")) == 1
    assert len(runs.trained_on([f"runs/mine/{model}"], "folder", "data/")) == 1
    monkeypatch.chdir(run)
    assert len(runs.trained_on([model or "."], "folder", "../../data")) == 1
    assert not capsys.readouterr().out


def test_the_folder_of_the_data_does_not_depend_on_where_one_is(run, tmp_path, monkeypatch):
    recorded = json.loads((run / "config.json").read_text())["arguments"]["data_dir"]
    assert recorded == str(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    assert len(runs.trained_on([str(run)], "folder", str(tmp_path / "data"))) == 1
    assert runs.trained_on([str(run)], "folder", "data") == []


def test_another_folder_of_that_name_is_said(run, tmp_path, capsys):
    assert runs.trained_on([str(run / "model.keras")], "folder", str(tmp_path)) == []
    (line,) = capsys.readouterr().out.splitlines()
    assert str(tmp_path / "data") in line and "--split" in line
    assert runs.trained_on([str(run)], "osie", str(tmp_path)) == []
    assert not capsys.readouterr().out


def test_a_model_without_a_run_and_made_up_pictures(run, tmp_path):
    (tmp_path / "model.keras").touch()
    assert runs.trained_on([str(tmp_path / "model.keras"), "nowhere"], "folder", "data") == []
    args = argparse.Namespace(
        data="synthetic", data_dir="", resume=False, seed=0, precision="float32", strategy="none"
    )
    runs.write_config(str(run), args)
    assert json.loads((run / "config.json").read_text())["arguments"]["data_dir"] == ""
    assert len(runs.trained_on([str(run)], "synthetic", "")) == 1
