"""TensorBoard's curves, without a point twice or missing after a run was resumed."""

import contextlib
import glob
import os

import keras
import numpy as np

from keras_saliency import files
from keras_saliency.errors import reason
from keras_saliency.tensorflow_only import tf

BATCH = "batch_"  # begins the names of values that are counted by steps; others, by epochs
# What a GAN's health is seen by, under the names that SalGAN's PyTorch users know.
GAN = {
    "d_real": "real_score_mean",
    "d_fake": "fake_score_mean",
    "discriminator_loss": "d_loss",
    "generator_loss": "g_loss",
}


class Scalars(keras.callbacks.Callback):
    """Writes the losses and scores of every epoch, and the losses every so many steps.

    The files and names are those of Keras' `TensorBoard`, which counts the steps
    from 0 again when a run is resumed, and has its last minutes in memory when it is
    killed. Of a GAN `gan/` has what tells whether it is well, once more.

    Args:
        folder: TensorBoard's; gets `train/` and `validation/`.
        every: steps between two points, counted through the epochs; "epoch": none.
    """

    def __init__(self, folder: str, every: int | str = "epoch"):
        super().__init__()
        self.folder = folder
        self.every = every
        self.epoch = 0
        self.writers = {}

    def forget(self, epochs: int, steps: int) -> None:
        """Removes what there is from beyond so many epochs and steps: it comes again."""
        for path in sorted(glob.glob(os.path.join(glob.escape(self.folder), "*", "events*"))):
            _cut(path, epochs, steps)

    def on_train_begin(self, logs=None):
        with writing(self.folder):
            self.writers = {
                name: tf.summary.create_file_writer(os.path.join(self.folder, name))
                for name in ("train", "validation")
            }

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.every == "epoch":
            return
        step = self.epoch * self.params["steps"] + batch + 1
        if step % self.every == 0:
            self._write("train", BATCH, logs or {}, step)

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        seen = {name: value for name, value in logs.items() if not name.startswith("val_")}
        self._write("train", "epoch_", seen, epoch)
        if "d_real" in seen:
            known = {GAN[name]: seen[name] for name in GAN if name in seen}
            self._write("train", "gan/", known, epoch)
        judged = {name.removeprefix("val_"): logs[name] for name in logs if name not in seen}
        if judged:
            self._write("validation", "epoch_", judged, epoch)

    def on_train_end(self, logs=None):
        with writing(self.folder):
            for writer in self.writers.values():
                writer.close()

    def _write(self, where, begin, values, step):
        with writing(self.folder):
            # NumPy's: of Python's numbers TensorFlow keeps a copy each for good.
            with self.writers[where].as_default(step=np.int64(step)):
                for name, value in values.items():
                    tf.summary.scalar(begin + name, np.float32(value))
            self.writers[where].flush()


@contextlib.contextmanager
def writing(folder: str):
    """Of TensorFlow's errors makes the operating system's, which a script answers in one line."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(None, reason(error.message), folder) from error


def _cut(path, epochs, steps):
    """Writes an event file anew without what is beyond, or was cut off in the middle."""
    if all(keep for _, keep in _records(path, epochs, steps)):
        return
    with (
        writing(path),
        files.replacing(path) as temporary,
        tf.io.TFRecordWriter(temporary) as writer,
    ):
        for record, keep in _records(path, epochs, steps):
            if keep:
                writer.write(record)


def _records(path, epochs, steps):
    """Each record and whether it stays; one at a time, as there are pictures among them."""
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            tags = (value.tag for value in event.summary.value)
            yield record, all(_is_before(tag, event.step, epochs, steps) for tag in tags)
    except tf.errors.DataLossError:  # the rest was cut off
        yield b"", False


def _is_before(tag, step, epochs, steps):
    return step <= steps if tag.startswith(BATCH) else step < epochs
