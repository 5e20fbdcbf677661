"""Trainings of a tiny network in this process, with all that a run writes, and faults in them."""

import contextlib
import csv
import glob
import io
import json
import os
import shutil
import signal
import sys
import traceback
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import killing
import numpy as np
from PIL import Image

from keras_saliency import (
    checkpoints,
    console,
    datasets,
    files,
    metrics,
    pictures,
    pipeline,
    resuming,
    runs,
    stopping,
    training,
)

EPOCHS, BATCH, PICTURES, SIZE, SIGMA = 3, 2, 8, (16, 24), 2.0
STEPS = PICTURES // BATCH  # an epoch


class At(keras.callbacks.Callback):
    """Does something after so many steps of a training that this process begins."""

    def __init__(self, step: int, act):
        super().__init__()
        self.left, self.act = step, act

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            self.act()


class Trainings:
    """A tiny network, its pictures, and trainings of it that end as scripts do.

    Args:
        folder: gets `pictures/` and `begin/`.
    """

    def __init__(self, folder: str):
        self.pictures = os.path.join(folder, "pictures")
        _write_pictures(self.pictures)
        self.examples = datasets.folder.load(self.pictures)
        stimulus = keras.Input((*SIZE, 3))
        features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(stimulus / 255)
        features = keras.layers.Dropout(0.2, seed=1)(features)
        saliency_map = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(features)
        self.model = keras.Model(stimulus, saliency_map)
        self.final = keras.Model(stimulus, saliency_map)  # not compiled, as what trainers save
        self.model.compile("adam", "mse", metrics=[metrics.CC()], jit_compile=False)
        self.model.optimizer.build(self.model.trainable_variables)
        self.begin = os.path.join(folder, "begin")
        checkpoints.save(self.begin, self.model, "tiny", 0)

    def run(self, run_dir: str, step: int = 0, act=None) -> tuple[int, str]:
        """Trains from the last checkpoint, or the beginning, to the end.

        Args:
            run_dir: the run.
            step, act: what happens after how many steps.

        Returns: the exit status that a script would have, and what it would have said; of a
            fault that it does not answer, the traceback.
        """
        said = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
        stopping._state.asked, stopping._state.seen = None, False
        stopping.listen()
        status = 0
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                training.run(lambda: self._main(run_dir, step, act))
            except SystemExit as done:
                status = done.code or 0
            except BaseException:
                traceback.print_exc()
                status = 1
        stopping._state.asked, stopping._state.seen = None, False
        return status, said.buffer.getvalue().decode()

    def _main(self, run_dir, step, act):
        files.clean(run_dir)
        reached = checkpoints.last(os.path.join(run_dir, "checkpoints"))
        first = reached or checkpoints.last(self.begin)
        checkpoints.restore(first.path, self.model)
        source = pipeline.load(self.examples, SIZE, SIGMA, cache_bytes=0)  # read anew each epoch

        def batches(epoch, step):
            found = pipeline.epochs(source, BATCH, seed=5, initial_epoch=epoch, initial_step=step)
            return found.map(lambda stimulus, targets: (stimulus, targets["density"]))

        written = runs.callbacks(
            run_dir,
            "tiny",
            self.examples[:1],
            SIGMA,
            save_every=1,
            log_every=2,
            minutes=0.0,
            final=self.final,
        )
        # What it says is no answer to a fault.
        written = [each for each in written if not isinstance(each, console.TimeLeft)]
        resuming.fit(
            self.model, batches, first.epoch, EPOCHS, [*written, At(step, act)], reached,
            steps_per_epoch=STEPS, shuffle=False, verbose=0,
        )  # fmt: skip


def _write_pictures(folder):
    dice = np.random.default_rng(0)
    os.makedirs(folder)
    lines = ["image,x,y"]
    for i in range(PICTURES):
        noise = dice.integers(0, 256, (*SIZE, 3), dtype="uint8")
        Image.fromarray(noise).save(os.path.join(folder, f"{i}.png"))
        lines += [f"{i}.png,{x},{y}" for x, y in dice.integers(0, SIZE[0], (9, 2))]
    files.write_text(os.path.join(folder, "fixations.csv"), "\n".join(lines) + "\n")


def ends(run_dir: str) -> tuple[str, str]:
    """Of the last checkpoint and of metrics.csv, SHA-256."""
    return killing.state(run_dir), killing.metrics(run_dir)


def half_written(run_dir: str) -> list[str]:
    """The files of a run that are not whole, but TensorBoard's, to which is appended."""
    readers = {".npz": checkpoints.read, ".json": _json, ".csv": _csv, ".png": pictures.read}
    readers[".keras"] = _zip
    wrong = []
    for folder, _, names in os.walk(run_dir):
        for path in (os.path.join(folder, name) for name in names):
            try:
                readers.get(os.path.splitext(path)[1], lambda _: None)(path)
            except Exception as error:
                wrong.append(f"{path}: {error}")
    rooms = glob.glob(os.path.join(glob.escape(run_dir), "**", ".writing-*"), recursive=True)
    return [*wrong, *rooms]


def _json(path):
    with open(path, encoding="utf-8") as file:
        json.load(file)


def _csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    assert text.endswith("\n") and len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def _zip(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def send(signum=signal.SIGTERM):
    """A signal to this very process."""
    os.kill(os.getpid(), signum)


def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


if __name__ == "__main__":
    sys.exit("run fault_campaign.py")
