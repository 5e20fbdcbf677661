"""How a script ends: which status, and what it says."""

import json
import os
import pickle
import sys

import numpy as np
import pytest

from keras_saliency import runs, training
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


def test_precision_that_is_asked_for_is_taken():
    assert training.choose_precision("mixed_float16") == ("mixed_float16", "as asked")
    policy, reason = training.choose_precision("auto")
    assert policy in ("float32", "mixed_bfloat16", "mixed_float16") and reason


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


def test_what_can_be_trained_on_and_what_is_scored():
    assert {"osie", "pickled", "synthetic"} <= set(training.TRAINABLE)
    assert "folder" not in training.TRAINABLE
    splits = {data: training.test_split(data) for data in training.DATASETS}
    assert splits["pickled"] == "val"  # its test pictures come without densities
    assert (splits["folder"], splits["osie"], splits["synthetic"]) == ("all", "test", "test")


def test_a_split_of_densities_says_so(tmp_path, capsys):
    random = np.random.default_rng(0)
    pair = random.random((3, 3, 8, 8)), random.random((3, 16))
    (tmp_path / "val.pkl").write_bytes(pickle.dumps(pair))
    args = training.parser("").parse_args(["--data", "pickled", "--data-dir", str(tmp_path)])
    assert len(training.load_split(args, "val", limit=2)) == 2
    assert capsys.readouterr().out == "pickled val: 2 pictures, 2 densities\n"
    assert training.sigma(args) is None
