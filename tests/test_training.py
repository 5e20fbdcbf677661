"""How a script ends: which status, and what it says."""

import argparse
import json
import os
import pickle
import re
import sys

import numpy as np
import pytest
import salicon_tree
from checks import refused
from PIL import Image

from keras_saliency import loading, map_files, runs, training
from keras_saliency.datasets import osie
from keras_saliency.datasets.example import example_inside
from keras_saliency.errors import InputError


def ending(error, capsys):
    """Exit status and stderr of a script that raises."""

    def main():
        raise error

    with pytest.raises(SystemExit) as done:
        training.run(main)
    return done.value.code, capsys.readouterr().err


def test_input_error_is_one_line_and_status_2(capsys):
    status, said = ending(InputError("a.jpg does not decode"), capsys)
    assert status == 2 and said.endswith(": a.jpg does not decode\n") and said.count("\n") == 1


def test_input_error_inside_a_data_pipeline_is_unwrapped(capsys):
    wrapped = RuntimeError("{{function_node}} InputError: b.jpg is gone\nTraceback: ...\n[[op]]")
    status, said = ending(wrapped, capsys)
    assert status == 2 and said.endswith(": b.jpg is gone\n") and said.count("\n") == 1


def test_disk_errors_name_the_file(capsys):
    status, said = ending(PermissionError(13, "Permission denied", "/runs/config.json"), capsys)
    assert status == 2 and "/runs/config.json: Permission denied" in said


def test_a_run_gone_wrong_is_not_bad_input(capsys):
    assert ending(FloatingPointError("generator_loss became nan"), capsys)[0] == 1
    assert ending(KeyboardInterrupt(), capsys)[0] == 130


def test_a_bug_keeps_its_traceback():
    def main():
        raise ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError):
        training.run(main)


@pytest.mark.parametrize("content", ["[]", '{"arguments": {}}', '{"arguments": 3}', "not JSON"])
def test_a_config_of_something_else_is_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json is not"):
        runs.recorded_arguments(str(tmp_path))


def test_recorded_size_is_a_pair_again(tmp_path):
    command = [os.path.basename(sys.argv[0])]
    config = {"command": command, "arguments": {"size": [32, 48]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert runs.recorded_arguments(str(tmp_path))["size"] == (32, 48)


def test_a_run_of_another_script_is_not_gone_on_with(tmp_path):
    config = {"command": ["train_other.py"], "arguments": {"size": [32, 48]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"was made by train_other\.py"):
        runs.recorded_arguments(str(tmp_path))


def test_a_folder_without_its_datasets_name_is_refused():
    with pytest.raises(InputError, match=r"--data-dir is given, but .* --data folder"):
        training.parse(training.parser("Trains."), ["--data-dir", "mydata"])


def test_what_can_be_trained_on_and_what_is_scored():
    assert {"folder", "osie", "pickled", "synthetic"} <= set(loading.DATASETS)
    trained = {data: loading.scored_split(data) for data in loading.DATASETS}
    unseen = {data: loading.unseen_split(data) for data in loading.DATASETS}
    assert trained["pickled"] == unseen["pickled"] == "val"  # "test" comes without densities
    assert (trained["folder"], trained["osie"], trained["synthetic"]) == ("test",) * 3
    # Whoever has not seen it is scored on all of it.
    assert (unseen["folder"], unseen["osie"]) == ("all", "test")
    assert trained["cat2000"] == unseen["cat2000"] == "val"


def test_a_split_of_densities_says_so(tmp_path, capsys):
    random = np.random.default_rng(0)
    pair = random.random((3, 3, 8, 8)), random.random((3, 16))
    (tmp_path / "val.pkl").write_bytes(pickle.dumps(pair))
    args = training.parser("").parse_args(["--data", "pickled", "--data-dir", str(tmp_path)])
    assert len(loading.load_split(args, "val", limit=2)) == 2
    assert capsys.readouterr().out == "pickled val: 2 pictures, 2 densities\n"
    assert loading.sigma(args) is None


def own_data(folder, name, *flags):
    """A picture with a fixation in a CSV, or with a density; and a script's arguments."""
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (16, 12)).save(folder / "images" / name)
    return training.parser("").parse_args(["--data", "folder", "--data-dir", str(folder), *flags])


def test_fixations_need_a_blur_and_densities_none(tmp_path):
    args = own_data(tmp_path / "looked", "a.png")
    (tmp_path / "looked" / "fixations.csv").write_text("image,x,y\na.png,1,2\n")
    looked = loading.load_split(args, "all")
    refused(lambda: loading.sigma(args, looked), "folder", "--pixels-per-degree", "(1024, 40, 60)")
    assert loading.sigma(args) is None  # a protocol may have its own
    args.pixels_per_degree = 30.0
    assert loading.sigma(args, looked) == 30

    args = own_data(tmp_path / "mapped", "a.png")
    (tmp_path / "mapped" / "maps").mkdir()
    map_files.write_png(str(tmp_path / "mapped" / "maps" / "a.png"), np.eye(3))
    assert loading.sigma(args, loading.load_split(args, "all")) is None


def test_densities_in_files_are_counted(tmp_path, capsys):
    args = own_data(tmp_path, "a.png")
    (tmp_path / "maps").mkdir()
    map_files.write_png(str(tmp_path / "maps" / "a.png"), np.eye(3))
    loading.load_split(args, "all")
    assert capsys.readouterr().out == "folder all: 1 pictures, 1 densities\n"


def test_a_degree_goes_before_the_datasets_own_blur():
    args = training.parser("").parse_args(["--data", "synthetic", "--pixels-per-degree", "7.5"])
    assert loading.sigma(args) == 7.5


def config(run_dir, **arguments):
    run_dir.mkdir()
    (run_dir / "config.json").write_text(json.dumps({"arguments": arguments}))
    return str(run_dir)


def test_runs_that_were_trained_on_a_dataset(tmp_path):
    own = str(tmp_path / "data")
    ours = config(tmp_path / "ours", data="folder", data_dir=own, pixels_per_degree=30)
    others = config(tmp_path / "others", data="folder", data_dir=str(tmp_path), seed=3)
    osie = config(tmp_path / "osie", data="osie", data_dir=own)
    (tmp_path / "no run").mkdir()
    models = [ours, others, osie, str(tmp_path / "no run"), "model.keras"]
    (found,) = runs.trained_on(models, "folder", own + "/")
    assert found["pixels_per_degree"] == 30
    (tmp_path / "osie" / "config.json").write_text("[3]")
    assert runs.trained_on([osie], "osie", own) == []


@pytest.mark.parametrize(
    # SalGAN has five of its own: two phases, its loss and the pooling before it, and an encoder
    # with weights of its own; JuntingNet's loss is a flag, as its papers differ in it. How often a
    # run is saved is one for all three: it depends on the machine, not on the recipe.
    ("script", "most"),
    [("train_salgan", 20), ("train_juntingnet", 17), ("train_pix2pix", 16), ("evaluate", 15)],
)
def test_a_script_has_few_flags(script, most, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        __import__(script).parse_args(["--help"])
    flags = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert {"--data", "--pixels-per-degree"} <= flags and len(flags) <= most


def test_of_salicon_the_release_is_told_and_is_a_part_of_its_name(tmp_path, capsys):
    salicon_tree.write_tree(tmp_path, "2015-mat", 2, 1, 0)
    args = argparse.Namespace(data="salicon", data_dir=str(tmp_path))
    assert len(loading.load_split(args, "train")) == 2
    assert args.data == "salicon:2015-mat"
    assert len(loading.load_split(args, "val")) == 1
    assert "salicon:2015-mat val: 1 pictures" in capsys.readouterr().out
    args.data = "salicon:2017"
    refused(lambda: loading.load_split(args, "train"), "2015", "2017")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("salicon:2016", ["salicon has releases 2017", "not '2016'"]),
        ("osie:2017", ["osie has no releases"]),
        ("nonsense", ["no dataset 'nonsense'", "cat2000"]),
    ],
)
def test_a_dataset_or_release_that_is_not_there_is_told(data, words, capsys):
    with pytest.raises(SystemExit):
        training.parser("").parse_args(["--data", data])
    said = capsys.readouterr().err
    assert all(word in said for word in words)


def test_the_split_and_blur_of_a_release_are_the_datasets():
    assert loading.scored_split("salicon:2017") == "val"
    args = argparse.Namespace(data="salicon:2017", pixels_per_degree=None)
    assert loading.sigma(args) == 19.0


def test_salicon_is_resumed_by_its_name_alone(tmp_path):
    recorded = {"arguments": {"data": "salicon:2017", "size": [8, 8]}}
    recorded["command"] = [os.path.basename(sys.argv[0])]
    (tmp_path / "config.json").write_text(json.dumps(recorded))
    flags = ["--resume", "--run-dir", str(tmp_path), "--data"]
    for data in ("salicon", "salicon:2017"):
        assert training.parse(training.parser(""), [*flags, data]).data == "salicon:2017"
    for data in ("salicon:2015-mat", "osie"):
        refused(lambda d=data: training.parse(training.parser(""), [*flags, d]), "--data")


def test_of_many_pictures_with_fixations_outside_some_are_named(capsys, monkeypatch):
    examples = [
        example_inside(f"{i}.png", (4, 4), [[9, 9], [1, 1]], image_path="x") for i in range(8)
    ]
    monkeypatch.setattr(osie, "load", lambda *_, **__: examples)
    loading.load_split(argparse.Namespace(data="osie", data_dir=""), "train")
    assert (
        "dropped 8 fixations outside their pictures: 0.png, 1.png, 2.png, 3.png, 4.png and 3 more"
        in capsys.readouterr().out
    )


def test_a_misspelled_flag_is_answered_with_the_one_that_is_meant(capsys):
    for wrong, answer in (("--epochss", "--epochss 3; is --epochs meant?"), ("--zzz", "--zzz 3")):
        with pytest.raises(SystemExit) as ended:
            training.parse(training.parser("Trains."), [wrong, "3"])
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.endswith(f"unrecognized arguments: {answer}\n")
