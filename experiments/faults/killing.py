"""Runs that are killed and resumed, and what is left of them to compare."""

import glob
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LONGEST = 900  # seconds of one process: one that hangs is killed


class Runs:
    """Starts runs of `tiny_runs.py`, one at a time, and sends them signals.

    Args:
        folder: gets `log.txt`, of all of them.
    """

    def __init__(self, folder: str):
        self.log = os.path.join(folder, "log.txt")
        self.server = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "tiny_runs.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.server.stdout.readline() == "ready\n"

    def run(self, name, run_dir, *flags, when=None, signum=signal.SIGKILL) -> int:
        """One process; its exit status, negative if it was killed.

        Args:
            name: "salgan", "juntingnet" or "pix2pix".
            run_dir: the run; `--resume` goes on with it.
            *flags: of the training script.
            when: function without arguments; as soon as it is true the signal is sent.
            signum: int.
        """
        request = {"name": name, "flags": ["--run-dir", run_dir, *flags], "log": self.log}
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        self.pid = pid = int(self.server.stdout.readline())
        limit = threading.Timer(LONGEST, os.kill, (pid, signal.SIGKILL))
        limit.start()
        while when and os.path.exists(f"/proc/{pid}") and not _ended(pid):
            if when():
                os.kill(pid, signum)
                break
            time.sleep(0.0005)
        status = int(self.server.stdout.readline())
        limit.cancel()
        return status

    def said(self):
        """All that the runs have written."""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def close(self):
        self.server.stdin.close()
        self.server.wait()


def _ended(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def after(seconds):
    """True so many seconds from now on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def appears(run_dir, pattern):
    """True when such a file is new in the checkpoints; `.writing-*`: while one is written."""
    pattern = os.path.join(glob.escape(os.path.join(run_dir, "checkpoints")), pattern)
    before = set(glob.glob(pattern))
    return lambda: bool(set(glob.glob(pattern)) - before)


def state(run_dir) -> str:
    """SHA-256 of all that training changes: the last checkpoint, early stopping's best weights."""
    from keras_saliency import checkpoints

    last = checkpoints.last(os.path.join(run_dir, "checkpoints"))
    digest = hashlib.sha256(f"{last[1:]}".encode())
    for name, array in sorted(checkpoints.read(last.path).items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    best = os.path.join(run_dir, "best.npz")
    if os.path.isfile(best):
        digest.update(_content(best))
    return digest.hexdigest()


def metrics(run_dir) -> str:
    """SHA-256 of metrics.csv."""
    return hashlib.sha256(_content(os.path.join(run_dir, "metrics.csv"))).hexdigest()


def _content(path):
    with open(path, "rb") as file:
        return file.read()


def points(run_dir) -> list:
    """TensorBoard's scalars and histograms: curve, step, and the numbers as bytes."""
    import tensorflow as tf

    found = []
    for path in glob.glob(os.path.join(glob.escape(run_dir), "logs", "*", "events*")):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name in ("scalars", "histograms"):
                    where = os.path.basename(os.path.dirname(path))
                    number = tf.make_ndarray(value.tensor).tobytes()
                    found.append((where, value.tag, event.step, number))
    return sorted(found)
