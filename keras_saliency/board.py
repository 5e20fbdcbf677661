"""What TensorBoard shows of a run beside its losses: each picture's scores, lines to hold them to.

docs/tensorboard.md says where it all is. None of it draws from training's seeds.
"""

import contextlib
import os
import re
import tempfile

import keras
import numpy as np

from keras_saliency import (
    baselines,
    callbacks,
    epoch_maps,
    event_files,
    map_files,
    maps,
    pictures,
    pipeline,
    prediction,
    scores,
)
from keras_saliency.datasets.example import at_size
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf
from keras_saliency.truths import Truths

SCORES = {"nss": scores.nss, "cc": scores.cc, "sim": scores.sim, "kld": scores.kld}
PICTURES = 64  # that are looked at one by one, the first ones
BUCKETS = 20  # of a histogram of so few
PROFILE = "KERAS_SALIENCY_PROFILE"  # environment variable: FIRST:LAST, steps


class PictureScores(keras.callbacks.Callback):
    """After each validation a histogram of every score, and the lines beside its mean.

    The pictures are predicted once more, as Keras' validation gives only means
    away; a score that validation has not gets its mean from here. A line is a curve
    that stays where it is, in a run of its own and with the score's tag, so that
    TensorBoard draws both in one chart.

    Args:
        folder: TensorBoard's; `validation/` gets the histograms.
        examples: list of `datasets.Example` that are validated on; the first `PICTURES`
            are looked at.
        source: `pipeline.Source` of them.
        sigma: blur of their densities, pixels of each picture, or None.
    """

    def __init__(self, folder: str, examples: list, source, sigma: float | None):
        super().__init__()
        self.folder, self.source, self.sigma = folder, source, sigma
        self.examples = examples[:PICTURES]
        self.lines, self.writers = {}, {}

    def on_train_begin(self, logs=None):
        batches = pipeline.once(self.source, prediction.BATCH).take(PICTURES // prediction.BATCH)
        batches = list(batches.as_numpy_iterator())
        self.stimuli = [s for stimuli, _ in batches for s in stimuli.astype("uint8")]
        names = batches[0][1]
        self.targets = {name: np.concatenate([t[name] for _, t in batches]) for name in names}
        self.lines = lines(self.examples, self.targets, self.sigma)
        with event_files.writing(self.folder):
            self.writers = {
                name: tf.summary.create_file_writer(os.path.join(self.folder, name))
                for name in ("validation", *self.lines)
            }

    def on_epoch_end(self, epoch, logs=None):
        judged = {name.removeprefix("val_") for name in logs or {} if name.startswith("val_")}
        if not judged:
            return
        generator = getattr(self.model, "generator", self.model)
        states = _random_states(generator)
        predicted = np.stack([*prediction.saliency_maps(generator, self.stimuli, resize=False)])
        for variable, state in states:
            if not np.array_equal(variable.numpy(), state):
                variable.assign(state)
        found = each_score(self.targets, predicted)
        means = {name: np.mean(values) for name, values in found.items() if name not in judged}
        epoch = np.int64(epoch)  # of Python's numbers TensorFlow keeps a copy each for good
        with event_files.writing(self.folder):
            with self.writers["validation"].as_default(step=epoch):
                for name, values in found.items():
                    tf.summary.histogram(f"pictures/{name}", values, buckets=BUCKETS)
            for run, curves in {"validation": means, **self.lines}.items():
                with self.writers[run].as_default(step=epoch):
                    for name, value in curves.items():
                        tf.summary.scalar(f"epoch_{name}", np.float32(value))
                self.writers[run].flush()

    def on_train_end(self, logs=None):
        with event_files.writing(self.folder):
            for writer in self.writers.values():
                writer.close()


def _random_states(model):
    """Of random layers; some draw when they predict, too (pix2pix' test_dropout)."""
    return [(v, v.numpy()) for v in model.variables if v.name == "seed_generator_state"]


def each_score(targets: dict, saliency_maps: np.ndarray) -> dict[str, np.ndarray]:
    """The scores of every picture that has them, by name; a score that none has is left out.

    Args:
        targets: "density" and "fixation_map", `(pictures, height, width, 1)`.
        saliency_maps: of the same shape.

    Example:
        >>> ramp = np.arange(32.0).reshape(2, 4, 4, 1)
        >>> found = each_score({"density": ramp, "fixation_map": 0 * ramp}, ramp)
        >>> {name: (values.round(3) + 0.0).tolist() for name, values in found.items()}
        {'cc': [1.0, 1.0], 'sim': [1.0, 1.0], 'kld': [0.0, 0.0]}
    """
    found = {}
    for name, score in SCORES.items():
        target = targets["fixation_map" if name == "nss" else "density"]
        values = keras.ops.convert_to_numpy(score(target, saliency_maps))
        if np.isfinite(values).any():
            found[name] = values[np.isfinite(values)]
    return found


def lines(examples: list, targets: dict, sigma: float | None) -> dict[str, dict[str, float]]:
    """What the center bias and other people score on these pictures, at the maps' size.

    Args:
        examples: list of `datasets.Example`.
        targets: as of `each_score`, of these examples.
        sigma: blur of their densities, pixels of each picture, or None.

    Returns: mean scores by "center_bias", which is the other pictures' density, and by
        "gold_standard", the other observers of the same picture: that has NSS
        alone, see `baselines.gold_standard`. What the data does not have is left out.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> examples = synthetic.load(split="test", limit=3)
        >>> batches = pipeline.batches(examples, (24, 32), 3, synthetic.SIGMA)
        >>> ((_, targets),) = batches.as_numpy_iterator()
        >>> found = lines(examples, targets, synthetic.SIGMA)
        >>> found["center_bias"]["nss"] < found["gold_standard"]["nss"]
        True
    """
    size = targets["density"].shape[1:3]
    if sigma is not None:  # the gold standard's own blur is a fitted multiple of it
        sigma *= np.mean([np.prod(size) / np.prod(example.size) for example in examples]) ** 0.5
    truths = Truths([at_size(example, size) for example in examples], "mit", sigma)
    found = {}
    if not baselines.lacks("center_bias", truths):
        centers = np.stack([truths.center_bias(i) for i in range(len(examples))])[..., None]
        found["center_bias"] = each_score(targets, centers)
    if not (baselines.lacks("gold_standard", truths) or baselines.lacks("kde", truths)):
        cases = map(baselines.gold_standard(truths), range(len(examples)))
        means = [_mean_nss(picture_cases) for picture_cases in cases if picture_cases]
        found["gold_standard"] = {"nss": means} if means else {}
    return {
        run: {name: float(np.mean(values)) for name, values in line.items()}
        for run, line in found.items()
    }


def _mean_nss(cases):
    """One picture's, over the observers of whom each is foretold by the others."""
    looked = np.stack([maps.fixation_map(one.fixations, one.size) for one, _ in cases])
    foretold = np.stack([make() for _, make in cases])[..., None]
    return float(np.mean(scores.nss(looked, foretold.astype("float32"))))


class Animation(keras.callbacks.Callback):
    """After the last epoch draws `epochs.gif`: one picture, and its map epoch by epoch.

    It is made of the panels that are there, so that a resumed run shows all epochs.

    Args:
        example: the `datasets.Example` that is first on each.
        folder: where `callbacks.Panels` leaves `epoch_0001.png` and so on.
    """

    def __init__(self, example, folder: str):
        super().__init__()
        self.example = example
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        # Before the checkpoint: after it the run has nothing left to train.
        if epoch + 1 < self.params["epochs"] and not self.model.stop_training:
            return
        with tempfile.TemporaryDirectory() as predictions:
            for name in sorted(os.listdir(self.folder)):
                path = os.path.join(predictions, name[:-4], f"{self.example.name}.png")
                if re.fullmatch(r"epoch_[0-9]{4,}\.png", name):
                    with contextlib.suppress(InputError):  # another picture that is called so
                        sheet = pictures.read(os.path.join(self.folder, name))
                        map_files.write_png(path, self._prediction(sheet))
            if os.listdir(predictions):
                gif = os.path.join(self.folder, "epochs.gif")
                epoch_maps.write_animation(gif, self.example, predictions)

    def _prediction(self, sheet):
        """The fourth panel of the first row, gray."""
        height, width = self.example.size
        side, high = round(width * callbacks.Panels.HEIGHT / height), callbacks.Panels.HEIGHT
        left = 3 * (side + callbacks.Panels.GAP)
        return sheet[:high, left : left + side, 0]


class Profile(keras.callbacks.Callback):
    """Records what a few steps spend their time on, for TensorBoard's PROFILE tab.

    Args:
        folder: TensorBoard's.
        first, last: int, steps of this process, from 1 on; where Keras takes
            several at once, so many times that number.
    """

    def __init__(self, folder: str, first: int, last: int):
        super().__init__()
        self.folder, self.first, self.last = folder, first, last
        self.step, self.runs = 0, False

    def on_train_batch_begin(self, batch, logs=None):
        self.step += 1
        if self.step == self.first:
            tf.profiler.experimental.start(os.path.join(self.folder, "train"))
            self.runs = True

    def on_train_batch_end(self, batch, logs=None):
        if self.step == self.last:
            self._stop()

    def on_train_end(self, logs=None):
        self._stop()

    def _stop(self):
        if self.runs:
            tf.profiler.experimental.stop()
        self.runs = False


def profile(folder: str) -> list[Profile]:
    """The `Profile` that the environment variable `PROFILE` asks for, if it does.

    Raises:
        InputError: if it is not FIRST:LAST.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, {PROFILE: "20:25"}):
        ...     [asked] = profile("logs")
        >>> asked.first, asked.last
        (20, 25)
    """
    asked = os.environ.get(PROFILE, "")
    if not asked:
        return []
    first, _, last = asked.partition(":")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise InputError(f"{PROFILE} is {asked!r}: wanted FIRST:LAST, steps such as 20:25")
    return [Profile(folder, int(first), int(last))]
