"""The script through Apache Beam: one run, what went on, and mistakes at the keyboard."""

import json
import os
import pathlib
import shutil
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


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--runner=Foo", "Unexpected pipeline runner"),
        ("--direct_num_workers=many", "invalid int value: 'many'"),
        ("--direct_running_mode=sideways", "invalid choice: 'sideways'"),
    ],
)
def test_a_flag_that_beam_does_not_take(photos, capsys, flag, words):
    pytest.importorskip("apache_beam")
    with pytest.raises(InputError, match=f"{flag}: .*{words}"):
        run("photos", "--", flag)
    assert not os.path.exists("out") and not capsys.readouterr().err


def test_files_of_other_settings_or_pictures_are_refused(photos, telling):
    pytest.importorskip("apache_beam")

    def go(*arguments):
        with pytest.raises(SystemExit):
            run(*arguments, "--write", "png")

    go("photos")
    shutil.copytree("photos", "others")
    with pytest.raises(InputError, match='fit was "stretch" and is "letterbox" now'):
        run("photos", "--write", "png", "--fit", "letterbox")
    with pytest.raises(InputError, match=r"folders was .*photos.* and is .*others"):
        run("others", "--write", "png")
    before = test_bulk.written("out/maps")
    shutil.copy("photos/01.png", "photos/99.png")
    go("photos")
    after = test_bulk.written("out/maps")
    assert after.keys() - before.keys() == {"99.png"}
    os.remove("photos/99.png")


def test_scores_are_blurred_as_the_run_was(photos, telling, capsys):
    pytest.importorskip("apache_beam")
    os.mkdir("run")
    os.rename("model.keras", "run/model.keras")
    arguments = {"data": "synthetic", "data_dir": "", "pixels_per_degree": 5.0}
    pathlib.Path("run/config.json").write_text(json.dumps({"arguments": arguments}))
    flags = ["--data", "synthetic", "--limit", "4", "--protocol", "tuebingen"]
    predict_many.main(["--model", "run", "--output", "out", *flags])
    assert "--pixels-per-degree 5, as in training" in capsys.readouterr().out
    with open("out/manifest.json", encoding="utf-8") as file:
        scoring = json.load(file)["settings"]["scoring"]
    assert (scoring["pixels_per_degree"], scoring["split"]) == (5.0, "test")


def test_names_reach_the_terminal_as_python_shows_them(photos, telling, capsys):
    pytest.importorskip("apache_beam")
    (photos / "a.\x1b[2J").touch()
    with pytest.raises(SystemExit):
        run("photos")
    said = capsys.readouterr()
    assert "passed over: 1 .\\x1b[2j" in said.out and "\x1b" not in said.out + said.err


def test_a_large_picture_is_no_warning(photos, telling, recwarn):
    pytest.importorskip("apache_beam")
    with pytest.raises(SystemExit):
        run("photos")
    assert not [each for each in recwarn if "DecompressionBomb" in str(each.category)]


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
        (["photos", "--limit", "3"], "--limit is of a dataset's"),
        (["photos", "--seed", "0"], "--seed"),
        (["photos", "--protocol", "mit"], "--protocol"),
        (["photos", "--output", ""], "--output"),
        (["photos", "--fit", "reference"], "--fit"),
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
