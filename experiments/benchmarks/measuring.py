"""What the benchmarks share: processes measured in turn, rows, their table, the machine's line.

A script that compares two programs starts each as a process of its own, which
makes itself ready, and then measures once whenever it is asked. So both run in
one and the same span of time, in turn, and what disturbs one disturbs the
other; who waits takes nothing. The environments of others import this too:
NumPy is all it needs.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

REPETITIONS = 5
MARK = "measured: "  # begins the lines that are answers; TensorFlow may print others
ROWS = "BENCHMARK_ROWS"  # environment variable: the file that the rows go into


class Process:
    """A benchmark script, called with `--measure WHAT ...`, that measures when it is asked.

    `facts` is what it says once it is ready. It ends with the `with` block.
    """

    def __init__(self, python, script, *what):
        command = [python, os.path.abspath(script), "--measure", *what]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.facts = self._answer()

    def measure(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        raise RuntimeError(f"{self.process.args} ended with status {self.process.wait()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def parse_args(description):
    """The command line of a script that compares with PyTorch."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=raw)
    add = parser.add_argument
    add("--torch", metavar="PYTHON", required=True, help="python of an environment with PyTorch")
    add("--repetitions", type=int, default=REPETITIONS, help="default: %(default)s")
    return parser.parse_args()


def compared(args, script, what, precision, folder):
    """The row of `script --measure ours ...` and `script --measure torch ...`, asked in turn."""
    ours = Process(sys.executable, script, "ours", what, precision, folder)
    theirs = Process(args.torch, script, "torch", what, precision, folder)
    with ours, theirs:
        times = in_turn([ours, theirs], args.repetitions)
        return row(what, precision, "ms a picture", *times, theirs.facts)


def once(python, script, *what):
    """What a process of its own says when it is ready, which is all it does."""
    with Process(python, script, *what) as process:
        return process.facts


def in_turn(processes, repetitions, warm_up=1):
    """Every process' measurements; one of each, then again. The first do not count."""
    found = [[] for _ in processes]
    for _ in range(warm_up + repetitions):
        for times, process in zip(found, processes, strict=True):
            times.append(process.measure())
    return [times[warm_up:] for times in found]


# In such a process


def say(value):
    print(MARK + json.dumps(value), flush=True)


def answer(measure, facts=None):
    """Says that it is ready, then the measurement whenever it is asked for one."""
    say(facts)
    for _ in sys.stdin:
        say(measure())


def answer_steps(step, count, pictures, facts=None):
    """Measures `count` calls of `step`: ms a picture."""

    def measure():
        begin = time.perf_counter()
        for _ in range(count):
            step()
        return (time.perf_counter() - begin) * 1e3 / (count * pictures)

    answer(measure, facts)


def answer_epochs(model, dataset, count, pictures, callbacks=(), facts=None):
    """Measures epochs of `count` steps of one and the same `fit`: ms a picture."""
    import keras

    class Timed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if not sys.stdin.readline():
                raise SystemExit
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            say((time.perf_counter() - self.begin) * 1e3 / (count * pictures))

    say(facts)
    # The last to begin an epoch and the first to end it: what else is done then is no step.
    callbacks = [*callbacks, Timed()]
    options = {"shuffle": False, "verbose": 0, "callbacks": callbacks}
    model.fit(dataset, steps_per_epoch=count, epochs=1_000_000, **options)


# Rows


def row(what, precision, unit, ours, theirs, against, rate=False):
    """One comparison.

    Args:
        what: str, what was measured.
        precision: str.
        unit: str, of `ours` and `theirs`.
        ours, theirs: lists of measurements, taken in turn.
        against: str, what theirs is.
        rate: more is better.
    """
    names = "what", "precision", "unit", "ours", "theirs", "against", "rate"
    return dict(
        zip(names, (what, precision, unit, list(ours), list(theirs), against, rate), strict=True)
    )


def ratios(row):
    """How many times as fast ours is, repetition by repetition."""
    pairs = zip(row["ours"], row["theirs"], strict=True)
    return [ours / theirs if row["rate"] else theirs / ours for ours, theirs in pairs]


def comparison(rows):
    """The rows as a Markdown table: medians, ratio, and its spread."""
    lines = [("", "precision", "unit", "ours", "theirs", "against", "ratio", "least to most")]
    for row in rows:
        found = ratios(row)
        medians = [f"{np.median(row[whose]):.4g}" for whose in ("ours", "theirs")]
        spread = f"{min(found):.2f} to {max(found):.2f}"
        ratio = f"{np.median(found):.2f}"
        cells = row["what"], row["precision"], row["unit"], *medians, row["against"], ratio, spread
        lines.append(cells)
    return table(lines)


def table(lines):
    """Tuples of cells as a Markdown table; the first is its head."""
    lines = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([lines[0], "|---" * (lines[0].count(" | ") + 1) + "|", *lines[1:]])


def hand_over(rows):
    """Gives the rows to run_all.py, if it is what started this."""
    path = os.environ.get(ROWS)
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(rows, file)


def machine(*packages):
    """Processor, cores, and the versions of Python and of what is measured."""
    from keras_saliency import provenance

    there = {distribution.name for distribution in importlib.metadata.distributions()}
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages if name in there]
    python = f"Python {platform.python_version()}"
    return ", ".join([provenance.processor(), f"{os.cpu_count()} cores", python, *versions])
