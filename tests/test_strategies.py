"""Several devices train as one; several machines: test_workers.py."""

import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import strategies_program
import tensorflow as tf
from checks import refused

from keras_saliency import callbacks as ours
from keras_saliency import console, early_stopping, optimizers, strategies, training
from keras_saliency.sharing import ALONE

# Whether in bfloat16: of losses, of scores, and of how the weights move. The maps of a network
# that has hardly begun are nearly flat, and bfloat16's rounding is a good part of their NSS.
TOLERANCES = {
    False: ({"rtol": 1e-5}, {"rtol": 1e-3, "atol": 1e-4}, 1e-4),
    True: ({"rtol": 1e-2}, {"atol": 0.1}, 0.05),
}


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """What two logical devices of one process make of every case."""
    out = tmp_path_factory.mktemp("mirrored") / "found.pkl"
    program = strategies_program.__file__
    subprocess.run([sys.executable, program, str(out)], check=True)
    return pickle.loads(out.read_bytes())


@pytest.fixture(scope="module")
def mirrored_run(tmp_path_factory):
    """What a script printed, and the files that it made, on two logical devices."""
    folder = tmp_path_factory.mktemp("mirrored") / "run"
    command = [sys.executable, strategies_program.__file__, str(folder), "train_salgan"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout, {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("case", strategies_program.CASES)
def test_two_devices_train_as_one(case, mirrored):
    expected, moves = strategies_program.train(tf.distribute.get_strategy(), case)
    found, found_moves = mirrored[case]
    assert found.keys() == expected.keys()
    loss_close, score_close, moves_close = TOLERANCES["bfloat16" in case]
    for name, values in expected.items():
        close = loss_close if name.endswith("loss") else score_close
        np.testing.assert_allclose(found[name], values, **close)
    # Twice the gradient, or half of it, would be seen here.
    expected, found = (np.concatenate([m.ravel() for m in each]) for each in (moves, found_moves))
    apart = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert apart < moves_close


def test_what_overflows_on_one_device_is_skipped_by_all(mirrored):
    assert mirrored["overflowing"] == strategies_program.STEPPED_ONCE


def test_metrics_are_of_all_devices_together(mirrored):
    truths, guesses = np.reshape(strategies_program.SEEN, (2, 2, 4)).transpose(1, 0, 2)
    found = mirrored["metrics"]
    for metric in strategies_program.metrics():
        metric.update_state(truths.ravel(), guesses.ravel())
        assert found[metric.name] == pytest.approx(float(metric.result()), rel=1e-5)
    assert "kept have another aggregation" in mirrored["refused"]


def test_a_run_on_two_devices_from_end_to_end(mirrored_run):
    said, files = mirrored_run
    assert "devices: 2" in said and "center bias" in said
    wanted = "config.json", "metrics.csv", "scores.md", "model.keras", "pictures/epoch_0001.png"
    assert {*wanted, "checkpoints/epoch_0001.npz", "epochs/epoch_0001.keras"} <= files


def test_keras_still_needs_mending(mirrored):
    """If this fails, Keras has: `LossScale`, or a part of `mending.mended`, can go."""
    assert mirrored["unmended"] == ["loss scale", "dropout", "building"]


def test_keras_still_cannot_average_over_machines(monkeypatch):
    """If this fails, Keras has mended it: `mending._mean_of_all` can go."""
    from keras.src.backend.tensorflow import trainer

    monkeypatch.setattr(trainer, "_collective_all_reduce_multi_worker", lambda _: True)
    with pytest.raises(ValueError, match="Invalid reduction dimension"):
        trainer.reduce_per_replica(tf.constant(1.0), tf.distribute.get_strategy(), "auto")


def test_keras_still_lets_each_device_normalize_alone():
    """If this fails, `synchronized` need not be set any more."""
    assert keras.layers.BatchNormalization().synchronized is False


@pytest.mark.parametrize(
    "config",
    ["", "not JSON", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}',
     '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}'],
)  # fmt: skip
def test_a_wrong_cluster_is_told_before_anything_starts(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    refused(
        lambda: strategies.begin("multiworker"),
        "TF_CONFIG",
        "an index of its own",
        "docs/several_devices.md",
    )


def test_the_chief_of_old_comes_first(monkeypatch):
    jobs = '{"worker": ["b:1", "c:1"], "chief": ["a:1"]}'
    for task, index in (('"chief", "index": 0', 0), ('"worker", "index": 1', 2)):
        monkeypatch.setenv("TF_CONFIG", f'{{"cluster": {jobs}, "task": {{"type": {task}}}}}')
        assert strategies.cluster() == (["a:1", "b:1", "c:1"], index)
        assert strategies.is_chief("multiworker") == (index == 0)
    assert strategies.is_chief("none") and strategies.is_chief("mirrored")


def test_a_batch_must_fit_the_devices():
    class Two:
        num_replicas_in_sync = 2

    refused(lambda: strategies.share_of(Two(), 5), "batch of 5", "2 devices", "--batch-size")
    assert strategies.share_of(tf.distribute.get_strategy(), 5) == ALONE


def test_only_the_chief_has_callbacks_that_write_and_all_have_those_that_steer(tmp_path):
    path = str(tmp_path / "file")
    theirs = keras.callbacks
    writing = [
        console.Losses(1), console.TimeLeft(), ours.MetricsCSV(path, ""),
        ours.Panels([], 1.0, path, path),
        ours.Predictions(None, [], path, 1), ours.Generators(path, 1), ours.Checkpoints(path, ""),
        theirs.TensorBoard(path), theirs.ModelCheckpoint(path + ".keras"), theirs.CSVLogger(path),
        theirs.ProgbarLogger(), theirs.RemoteMonitor(),
    ]  # fmt: skip
    steering = [
        ours.NaNGuard(), early_stopping.Best(path, "loss", 1), theirs.EarlyStopping(),
        theirs.ReduceLROnPlateau(), theirs.LearningRateScheduler(float), theirs.TerminateOnNaN(),
        theirs.LambdaCallback(), theirs.Callback(),
    ]  # fmt: skip
    assert [c for c in [*writing, *steering] if not strategies._writes(c)] == steering


def test_what_cannot_train_on_several_devices_is_refused():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()), "mse")
    with pytest.raises(ValueError, match="looks at one device"):
        strategies._check_trains_together(model, [], several=False)
    model.compile(optimizers.ready(model.optimizer, model), "mse")
    strategies._check_trains_together(model, [], several=True)
    restoring = [keras.callbacks.BackupAndRestore("folder")]
    with pytest.raises(ValueError, match="BackupAndRestore"):
        strategies._check_trains_together(model, restoring, several=True)


ABORTED = """Graph execution error:

Detected at node a/CollectiveReduceV2 defined at (most recent call last):
  File "connect.py", line 89, in <module>

{{function_node a}} Collective ops is aborted by: heartbeats
long story"""


@pytest.mark.parametrize("kind", ["UnavailableError", "CancelledError", "InternalError"])
def test_a_lost_worker_ends_a_script_with_one_line(kind, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)

    def main():
        with strategies._lost_workers_named(True):
            raise getattr(tf.errors, kind)(None, None, ABORTED)

    with pytest.raises(SystemExit) as done:
        training.run(main)
    said = capsys.readouterr().err
    assert done.value.code == 1
    assert said.endswith("--resume (Collective ops is aborted by: heartbeats)\n")
    assert said.count("\n") == 1


def test_another_internal_error_is_not_taken_for_a_lost_worker():
    another = ABORTED.replace("Collective ops is aborted by: heartbeats", "cuDNN failed")
    for several, message in ((True, another), (False, ABORTED)):
        with pytest.raises(tf.errors.InternalError), strategies._lost_workers_named(several):
            raise tf.errors.InternalError(None, None, message)
