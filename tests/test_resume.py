"""Real processes that are killed and resumed end in the same bits as one that was not."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import train_salgan

sys.path.insert(0, os.path.join(os.path.dirname(train_salgan.__file__), "faults"))

import killing

from keras_saliency import checkpoints

OFTEN = ["--checkpoint-minutes", "0.000001"]  # after every step


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    started = killing.Runs(str(tmp_path_factory.mktemp("logs")))
    yield started
    assert "Traceback" not in started.said()
    started.close()


@pytest.fixture(scope="module")
def whole(runs, tmp_path_factory):
    """What an uninterrupted run of each trainer ends with."""
    known = {}

    def of(name):
        if name not in known:
            run_dir = str(tmp_path_factory.mktemp("whole") / name)
            assert runs.run(name, run_dir, *OFTEN) == 0, runs.said()
            known[name] = ends(run_dir)
        return known[name]

    return of


def ends(run_dir):
    pictures = sorted(path.name for path in (pathlib.Path(run_dir) / "pictures").iterdir())
    found = killing.points(run_dir)
    assert len({point[:3] for point in found}) == len(found) > 0  # none twice
    assert not list(pathlib.Path(run_dir).rglob(".writing-*"))
    return killing.state(run_dir), killing.metrics(run_dir), found, pictures


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        # In the content phase, then twice in a row in the adversarial phase's first epoch, the
        # second time while a checkpoint is written.
        ("salgan", ["epoch_0001_step*", "epoch_0002_step*", ".writing-*"]),
        ("juntingnet", [".writing-*", "epoch_0001_step*"]),
        ("pix2pix", ["epoch_0002_step*"]),
    ],
)
def test_a_killed_run_ends_as_if_it_had_not_been(name, moments, runs, whole, tmp_path):
    run_dir, flags = str(tmp_path / "run"), [*OFTEN]
    for moment in moments:
        when = killing.appears(run_dir, moment)
        assert runs.run(name, run_dir, *flags, when=when) == -signal.SIGKILL, runs.said()
        flags = ["--continue_train"]
    assert runs.run(name, run_dir, *flags) == 0, runs.said()
    assert ends(run_dir) == whole(name)


def test_sigterm_saves_the_step_and_says_how_to_go_on(runs, whole, tmp_path):
    run_dir, name = str(tmp_path / "run"), "juntingnet"
    when = killing.appears(run_dir, "epoch_0002.npz")  # nothing else is saved for ten minutes
    status = runs.run(name, run_dir, when=when, signum=signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert checkpoints.last(os.path.join(run_dir, "checkpoints")).step > 0
    script = os.path.join("experiments", "train_juntingnet.py")
    last = runs.said().splitlines()[-1]
    assert last.startswith("train_juntingnet.py: stopped; go on with: ")
    assert last.endswith(f"{script} --resume --run-dir {run_dir}")
    assert runs.run(name, run_dir, "--resume") == 0
    assert ends(run_dir) == whole(name)


@pytest.mark.parametrize(
    ("signum", "seconds"), [(signal.SIGINT, 0.3), (signal.SIGINT, 2), (signal.SIGTERM, 2)]
)
def test_a_signal_while_it_loads_ends_it_in_silence(signum, seconds, tmp_path):
    # A shell may have Ctrl-C ignored in what it runs in the background.
    code = "import signal, runpy, sys; signal.signal(2, signal.default_int_handler); "
    code += "from keras_saliency import stopping; stopping.listen(); print('listens', flush=True); "
    code += "sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[1]); sys.argv.pop(1); "
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    folder = os.path.dirname(train_salgan.__file__)
    command = [sys.executable, "-c", code, train_salgan.__file__, folder, "--run-dir", "run"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=tmp_path, text=True, **pipes)
    assert process.stdout.readline() == "listens\n"
    time.sleep(seconds)
    process.send_signal(signum)
    _, said = process.communicate()
    assert process.returncode in (128 + signum, -signum) and "Traceback" not in said


def test_nobody_reads_what_it_says_any_more():
    """`python train.py | tee log` and Ctrl-C, which ends tee first."""
    program = """
import os, signal, sys
from keras_saliency import stopping, training
signal.signal(2, signal.default_int_handler)  # a shell may have it ignored
stopping.listen()
def main():
    with stopping.deferred():
        sys.stdin.readline()
        os.kill(os.getpid(), 2)
        print("Epoch 2", "." * 100_000, flush=True)
        print("saved", "." * 100_000, file=sys.stderr)
training.run(main)
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", program], text=True, **pipes)
    process.stdout.close()
    process.stderr.close()  # 2>&1
    process.stdin.write("\n")
    process.stdin.close()
    assert process.wait() == 130
