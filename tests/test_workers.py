"""Two processes on this machine, as two machines, train as one; and what if one dies."""

import json
import os
import pickle
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import workers_program

from keras_saliency import prediction


def start(run_dir, epochs, *flags, killed_at=0, own=((), ())):
    """Two workers, with flags and each with its own; the second kills itself after some steps."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        killed = str(killed_at if index else 0)
        command = [sys.executable, workers_program.__file__, str(run_dir), str(epochs), killed]
        workers.append(
            subprocess.Popen(
                [*command, *flags, *own[index]],
                env={**os.environ, "TF_CONFIG": json.dumps(task)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return workers


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of one process, and one of two of which one was killed, then resumed."""
    folder = tmp_path_factory.mktemp("runs")
    workers_program.train(str(folder / "one"), "4")
    chief, killed = start(folder / "two", 4, killed_at=5)
    assert killed.wait() == -9
    died = time.monotonic()
    said, _ = chief.communicate()
    waited = time.monotonic() - died
    files = {str(path.relative_to(folder)) for path in (folder / "two").rglob("*")}
    resumed = start(folder / "two", 4, "--resume")
    others = [worker.communicate()[0] for worker in resumed]
    assert [worker.returncode for worker in resumed] == [0, 0], "\n".join(others)
    return folder, said, chief.returncode, waited, files, others


def test_when_a_worker_dies_the_other_says_so_and_ends(runs):
    _, said, status, waited, *_ = runs
    assert status == 1 and waited < 60
    lost = "lost the connection to another worker: start all of them again, with --resume ("
    _, line, told = said.splitlines()[-1].partition(lost)
    assert line and "/task:1" in told and "{{" not in told
    assert "Traceback" not in said


def test_resumed_it_ends_as_one_process_does(runs):
    folder, *_, files, _ = runs
    assert "two/checkpoints/epoch_0001.npz" in files
    assert not {"two/checkpoints/epoch_0004.npz", "two/model.keras"} & files
    one, two = (
        np.genfromtxt(folder / name / "metrics.csv", delimiter=",", names=True)
        for name in ("one", "two")
    )
    assert one.dtype.names == two.dtype.names and len(one) == len(two) == 4
    for name in one.dtype.names:
        close = {"rtol": 1e-5} if name.endswith("loss") else {"atol": 1e-4}  # a score may be 0
        np.testing.assert_allclose(one[name], two[name], **close)
    weights = [prediction.load(str(folder / name)).get_weights() for name in ("one", "two")]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_chief_alone_writes(runs):
    folder, *_, (chief, other) = runs
    made = [
        {str(p.relative_to(folder / n)) for p in (folder / n).rglob("*")} for n in ("one", "two")
    ]
    assert {name for name in made[0] if "events" not in name} == {
        name for name in made[1] if "events" not in name
    }
    assert "NSS" in chief and "NSS" not in other and "worker 0 writes" in other


def test_workers_that_are_not_started_alike_all_say_so(tmp_path):
    workers = start(tmp_path / "run", 1, own=(("--seed", "1"), ("--seed", "2")))
    for worker in workers:
        said, _ = worker.communicate()
        assert worker.returncode == 2
        assert "the workers were not started alike" in said.splitlines()[-1]
    assert not list(tmp_path.rglob("*.npz"))


def test_turns_on_two_machines_are_those_on_one(runs):
    folder = runs[0]
    expected, weights = workers_program.alternate(tf.distribute.get_strategy())
    assert len(expected["val_cc"]) == 2  # stopped early, all of them
    for index in range(2):
        found, found_weights = pickle.loads((folder / f"two.{index}.pkl").read_bytes())
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
        assert found_weights == pytest.approx(weights, rel=1e-6)
