"""The script through Apache Beam: one run, what went on, and mistakes at the keyboard."""

import os
import pathlib
import sys

import bulk_files
import predict_many
import pytest
import test_bulk

import keras_saliency
from keras_saliency import engines, training
from keras_saliency.errors import InputError

FLAGS = ["--model", "model.keras", "--output", "out", "--shard", "8"]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return bulk_files.write_all(tmp_path)


@pytest.fixture
def telling(monkeypatch):
    monkeypatch.setattr(engines, "for_many", lambda *_: bulk_files.Telling())


def run(*arguments):
    predict_many.main([*FLAGS, *arguments])


def test_maps_through_beam_are_predicts(photos, telling, capsys):
    pytest.importorskip("apache_beam")
    for ending in ("done", "made"):
        with pytest.raises(SystemExit) as ended:
            run("photos")
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert "21 pictures in 3 shards" in said.out and "out: 21 pictures" in said.out
        assert "3 errors are listed in out/errors.csv" in said.err
        assert ("3 of them are done already" in said.out) == (ending == "made")
    assert test_bulk.maps() == test_bulk.by_predict()
    assert set(os.listdir("out")) == {
        "done", "errors.csv", "lists", "manifest.json", "maps", "todo.json"
    }  # fmt: skip


def test_a_store_and_a_dataset_through_beam(photos, tmp_path, monkeypatch):
    pytest.importorskip("apache_beam")
    import far_store

    monkeypatch.setattr(far_store.FarStore, "root", str(tmp_path))
    far = ["--model", "far://model.keras", "--output", "far://far"]
    with pytest.raises(SystemExit):
        predict_many.main([*far, "--shard", "8", "far://photos/**.png"])
    assert test_bulk.maps("far") == test_bulk.by_predict()
    predict_many.main(
        [*far[:3], "far://scored", "--data", "synthetic", "--split", "test", "--limit", "4"]
    )
    assert len(pathlib.Path("scored/scores.csv").read_text().splitlines()) == 5


def test_our_own_errors_come_out_of_beam_as_one_line(photos, telling, monkeypatch, capsys):
    pytest.importorskip("apache_beam")
    os.mkdir("out")
    pathlib.Path("out/maps").write_text("in the way")
    monkeypatch.setattr(sys, "argv", ["predict_many.py"])
    with pytest.raises(SystemExit) as ended:
        training.run(lambda: run("photos"))
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    assert "out/maps cannot be written" in line and line.endswith("goes on with the others")


def test_stopped_at_the_keyboard(photos, monkeypatch, capsys):
    pytest.importorskip("apache_beam")
    monkeypatch.setattr(engines, "for_many", lambda *_: bulk_files.Telling(last=1))
    with pytest.raises(KeyboardInterrupt):
        run("photos")
    assert not capsys.readouterr().err
    assert len(os.listdir("out/done")) == 1


def test_a_runner_that_is_none(photos):
    pytest.importorskip("apache_beam")
    with pytest.raises(InputError, match=r"--runner=Foo: Unexpected pipeline runner"):
        run("photos", "--", "--runner=Foo")


def test_without_beam(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "keras_saliency.bulk_pipeline", raising=False)
    monkeypatch.delitem(vars(keras_saliency), "bulk_pipeline", raising=False)
    with pytest.raises(InputError, match=r"pip install 'keras_saliency\[beam\]'"):
        run("photos")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "INPUT"),
        (["photos", "--data", "synthetic"], "INPUT"),
        (["--data", "synthetic"], "--split"),
        (["photos", "--write", "tfrecord", "png"], "alone"),
        (["photos", "--model", "nowhere.keras"], "nowhere.keras"),
        (["photos", "--runner=Foo"], "--runner"),
    ],
)
def test_a_mistake_at_the_keyboard(photos, capsys, arguments, word):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert word in line


def test_files_need_a_folder_and_names_of_their_own(photos):
    pytest.importorskip("apache_beam")
    with pytest.raises(InputError, match="would both be written"):
        (photos / "01.jpg").write_bytes((photos / "01.png").read_bytes())
        run("photos", "--write", "png")
    bulk_files.write_photos(pathlib.Path("more"))
    with pytest.raises(InputError, match="tfrecord only"):
        predict_many.main(
            ["--model", "model.keras", "more", "--output", "gs://b", "--write", "png"]
        )
    assert not os.path.exists("out")
