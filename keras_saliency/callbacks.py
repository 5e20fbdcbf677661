"""What is written while a run trains: metrics.csv, panels, maps, generators, checkpoints."""

import os
import time

import keras
import numpy as np

from keras_saliency import (
    checkpoints,
    choosing,
    event_files,
    fields,
    files,
    folding,
    map_files,
    maps,
    pictures,
    pipeline,
    prediction,
    stopping,
)
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf


class NaNGuard(keras.callbacks.Callback):
    """Stops the run whose loss is not finite, before anything saves it.

    It looks when Keras brings the losses to the host anyway, after every
    `steps_per_execution` steps. None is missed: they are means since the epoch
    began, which one such number spoils for the rest of it.
    """

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not np.isfinite(value):
                when = "in" if self.model.steps_per_execution == 1 else "by"
                raise FloatingPointError(f"{name} became {value} {when} batch {batch + 1}")


class MetricsCSV(keras.callbacks.Callback):
    """Keeps `metrics.csv`: one row an epoch, the phases one below the other.

    The file is written whole after every epoch. Rows of `initial_epoch` and
    later, left by a run that was cut off, are replaced.

    Args:
        path: the file.
        phase: str, goes into the column "phase".
    """

    def __init__(self, path: str, phase: str):
        super().__init__()
        self.path = path
        self.phase = phase

    def on_epoch_end(self, epoch, logs=None):
        rows = []
        if os.path.isfile(self.path):
            rows = [row for row in self._read() if int(row["epoch"]) < epoch + 1]
        values = {name: float(value) for name, value in (logs or {}).items()}
        files.write_csv(self.path, [*rows, {"epoch": epoch + 1, "phase": self.phase, **values}])
        # Else a power cut might leave the checkpoint that follows, and not this row.
        files.flush_names(os.path.dirname(os.path.abspath(self.path)))

    def _read(self):
        try:
            rows = choosing.rows_of(self.path)
            if all(row["epoch"].isdecimal() and None not in row for row in rows):
                return rows
        except (InputError, AttributeError, KeyError):
            pass
        raise InputError(f"{self.path} is damaged: move it away, and go on with --resume")


class Panels(keras.callbacks.Callback):
    """Shows a few pictures after every epoch, in TensorBoard and as a PNG.

    One row a picture: stimulus, fixations, density, prediction, overlay.

    Args:
        examples: list of `datasets.Example`, four are plenty.
        sigma: blur of the density in pixels of each picture; None if all have a
            published one.
        log_dir: TensorBoard's folder.
        pictures_dir: gets `epoch_0001.png` ... and is for people to leaf through.
        every: int, epochs between two.
        shown: `keras.Model` whose predictions to show; by default the trained
            one's.
    """

    HEIGHT, GAP = 180, 6  # pixels of a row, and between panels

    def __init__(
        self,
        examples: list,
        sigma: float | None,
        log_dir: str,
        pictures_dir: str,
        every: int = 1,
        shown: keras.Model | None = None,
    ):
        super().__init__()
        self.examples = examples
        self.every = every
        self.shown = shown
        self.log_dir = log_dir
        self.pictures_dir = pictures_dir
        self.stimuli = [pictures.of(example) for example in examples]
        self.densities = [fields.density_of(e, sigma, e.size) for e in examples]
        self.writer = None

    def on_train_begin(self, logs=None):
        with event_files.writing(self.log_dir):
            self.writer = tf.summary.create_file_writer(self.log_dir)

    def on_epoch_end(self, epoch, logs=None):
        if not _due(self, epoch):
            return
        predictions = prediction.saliency_maps(self.shown or _generator(self), self.stimuli)
        rows = [
            self._row(*shown)
            for shown in zip(self.examples, self.stimuli, self.densities, predictions, strict=True)
        ]
        with event_files.writing(self.log_dir):
            with self.writer.as_default(step=np.int64(epoch)):
                for example, row in zip(self.examples, rows, strict=True):
                    name = f"stimulus, fixations, density, prediction, overlay/{example.name}"
                    tf.summary.image(name, row[None])
            self.writer.flush()
        width = max(row.shape[1] for row in rows)
        sheet = [np.pad(row, ((0, self.GAP), (0, width - row.shape[1]), (0, 0))) for row in rows]
        path = os.path.join(self.pictures_dir, f"epoch_{epoch + 1:04d}.png")
        pictures.write_png(path, np.concatenate(sheet))

    def on_train_end(self, logs=None):
        with event_files.writing(self.log_dir):
            self.writer.close()

    def _row(self, example, stimulus, density, saliency_map):
        height, width = example.size
        small = (self.HEIGHT, round(width * self.HEIGHT / height))
        counts = maps.fixation_map(example.fixations, example.size, small)
        dots = tf.nn.max_pool2d(counts[None], 5, 1, "SAME")[0].numpy() > 0
        fixations = np.where(dots, np.uint8([255, 220, 0]), _shrink(stimulus, small) // 3)
        panels = [
            _shrink(stimulus, small),
            fixations,
            _gray(_shrink(pictures.to_uint8(density), small)),
            _gray(_shrink(pictures.to_uint8(saliency_map), small)),
            _shrink(pictures.overlay(stimulus, saliency_map), small),
        ]
        gap = np.full((small[0], self.GAP, 3), 255, "uint8")
        row = [panel for pair in zip(panels, [gap] * len(panels), strict=True) for panel in pair]
        return np.concatenate(row[:-1], axis=1)


class Predictions(keras.callbacks.Callback):
    """Writes the maps of a whole split every so many epochs, for `evaluate.py --predictions`.

    Args:
        model: `keras.Model` that predicts; shares its weights with the trained
            one.
        examples: list of `datasets.Example`.
        folder: gets `epoch_0200/NAME.png` and so on: 16 bits, of the size of
            the network's map.
        every: int, epochs between two.
    """

    def __init__(self, model: keras.Model, examples: list, folder: str, every: int):
        super().__init__()
        self.predicting = model
        self.examples = examples
        self.folder = folder
        self.every = every

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        with files.replacing(os.path.join(self.folder, f"epoch_{epoch + 1:04d}")) as temporary:
            stimuli = map(pictures.of, self.examples)
            found = prediction.saliency_maps(self.predicting, stimuli, resize=False)
            for example, saliency_map in zip(self.examples, found, strict=True):
                name = os.path.splitext(example.name)[0] + ".png"
                map_files.write_png(os.path.join(temporary, name), saliency_map)


class Generators(keras.callbacks.Callback):
    """Saves the generator every so many epochs, to choose among them later.

    Args:
        folder: gets `epoch_0005.keras` and so on.
        every: int, epochs between two.
        saved: `keras.Model` to save; by default the trained one.
    """

    def __init__(self, folder: str, every: int, saved: keras.Model | None = None):
        super().__init__()
        self.folder = folder
        self.every = every
        self.saved = saved

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            path = os.path.join(self.folder, f"epoch_{epoch + 1:04d}.keras")
            with files.replacing(path) as temporary:
                folding.plain(self.saved or _generator(self)).save(temporary)


class Checkpoints(keras.callbacks.Callback):
    """Saves all that training changes, to resume from.

    It does so too when training was asked to stop. On several devices it waits for
    the epoch's end: inside it the metrics of each have seen other pictures.

    Args:
        folder: the run's `checkpoints/`; the last two stay.
        phase: str, which phase of the run this is.
        every: int, epochs between two; the last epoch is saved in any case, also
            that of an early stopping whose callback stands before this one.
        minutes: float, after so many since the last one, the next step is saved.
    """

    def __init__(self, folder: str, phase: str, every: int = 1, minutes: float = 10.0):
        super().__init__()
        self.folder = folder
        self.phase = phase
        self.every = every
        self.minutes = minutes
        self.epoch, self.saved = 0, time.monotonic()

    def on_train_begin(self, logs=None):
        self.saved = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        inside = batch + 1 < (self.params["steps"] or 0)
        alone = self.model.distribute_strategy.num_replicas_in_sync == 1
        if inside and alone and self._time_has_come():
            self._save(self.epoch, batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        if _due(self, epoch) or self._time_has_come():
            self._save(epoch + 1)

    def _time_has_come(self):
        return stopping.asked() or time.monotonic() - self.saved >= 60 * self.minutes

    def _save(self, epoch, step=0):
        checkpoints.save(self.folder, self.model, self.phase, epoch, step)
        self.saved = time.monotonic()


def _generator(callback):
    """What is trained: of a `SaliencyGAN` its generator, else the model itself."""
    return getattr(callback.model, "generator", callback.model)


def _due(callback, epoch):
    """Whether a callback's turn has come: every so many epochs, and after the last."""
    last = epoch + 1 == callback.params["epochs"] or callback.model.stop_training
    return last or (epoch + 1) % callback.every == 0


def _shrink(picture, size):
    resized = np.asarray(pipeline.resize(picture, size))
    return np.round(resized).clip(0, 255).astype("uint8")


def _gray(picture):
    return np.repeat(picture, 3, axis=-1)
