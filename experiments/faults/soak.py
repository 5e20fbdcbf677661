"""A training of thousands of epochs and thousands of requests: does memory grow?

    python experiments/faults/soak.py --epochs 2000 --requests 20000 > soak.md

trains a tiny network with all that a run writes after an epoch (metrics.csv, TensorBoard,
checkpoints, every hundredth epoch its panels and generator), then exports it and asks the
SavedModel, in this process, for maps of encoded pictures of changing sizes. Memory (RSS)
and open files are taken every hundredth part; the first fifth, in which buffers and
caches fill up, counts for nothing. Wanted: under 1 MB more each 1,000, by the straight line
through what was taken, and no more files open at the end. Markdown; exit status 1 if not.
"""

import argparse
import gc
import io
import os
import sys
import tempfile
import time

import faulty_trainings
import numpy as np
from faulty_trainings import BATCH, SIGMA, SIZE, STEPS
from PIL import Image

SETTLED = 0.2  # share of the way that is left out
MOST = 1.0  # MB more each 1,000
MB = 1024**2


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=2000, metavar="N")
    parser.add_argument("--requests", type=int, default=20000, metavar="N")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        trainings = faulty_trainings.Trainings(folder)
        rows = []
        if args.epochs:
            rows.append(row("epochs", args.epochs, epochs(trainings, folder, args.epochs)))
        if args.requests:
            rows.append(row("requests", args.requests, requests(trainings, folder, args.requests)))
    print("| | seconds | memory after a fifth, MB | at the end, MB | MB each 1,000 | open files "
          "after a fifth | at the end |")  # fmt: skip
    print("|---" * 7 + "|")
    for name, seconds, begin, end, slope, opened, left in rows:
        print(f"| {name} | {seconds:.0f} | {begin:.1f} | {end:.1f} | {slope:+.2f} | {opened} | "
              f"{left} |")  # fmt: skip
    sys.exit(any(slope >= MOST or left > opened for *_, slope, opened, left in rows))


class Meter:
    """Takes memory and open files every so many."""

    def __init__(self, count: int):
        self.every, self.taken = max(1, count // 100), []

    def __call__(self, done: int):
        if done % self.every == 0:
            gc.collect()
            with open("/proc/self/statm", encoding="ascii") as file:
                resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            self.taken.append((done, resident / MB, len(os.listdir("/proc/self/fd"))))
            print(f"{done}: {self.taken[-1][1:]}", file=sys.stderr, flush=True)


def row(what, count, measured):
    """Of the settled part: seconds, memory and files at its ends, and memory's slope."""
    seconds, taken = measured
    settled = [each for each in taken if each[0] >= SETTLED * count]
    done, memory, opened = map(np.array, zip(*settled, strict=True))
    slope = np.polyfit(done, memory, 1)[0] * 1000
    name = f"{count:,} {what}"
    return name, seconds, memory[0], memory[-1], slope, int(opened[0]), int(opened[-1])


def epochs(trainings, folder, count):
    """Trains on; what is taken."""
    import keras

    from keras_saliency import checkpoints, pipeline, resuming, runs

    model, meter = trainings.model, Meter(count)
    checkpoints.restore(checkpoints.last(trainings.begin).path, model)
    source = pipeline.load(trainings.examples, SIZE, SIGMA)

    def batches(epoch, step):
        found = pipeline.epochs(source, BATCH, initial_epoch=epoch, initial_step=step)
        return found.map(lambda stimulus, targets: (stimulus, targets["density"]))

    written = runs.callbacks(
        os.path.join(folder, "run"), "tiny", trainings.examples[:1], SIGMA,
        save_every=100, every=100, log_every=2, minutes=0.05,
        final=trainings.final,
    )  # fmt: skip
    taking = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: meter(epoch + 1))
    begun = time.monotonic()
    resuming.fit(
        model,
        batches,
        0,
        count,
        [*written, taking],
        steps_per_epoch=STEPS,
        shuffle=False,
        verbose=0,
    )
    return time.monotonic() - begun, meter.taken


def requests(trainings, folder, count):
    """Asks the exported model; what is taken."""
    import tensorflow as tf

    from keras_saliency import export

    path = os.path.join(folder, "saved_model", "1")
    export.saved_model(trainings.model, path)
    serving = tf.saved_model.load(path).signatures["serving_default"]
    name = next(iter(serving.structured_input_signature[1]))
    dice, encoded = np.random.default_rng(0), []
    for _ in range(64):
        size = dice.integers(16, 64, 2)
        content = io.BytesIO()
        Image.fromarray(dice.integers(0, 256, (*size, 3), dtype="uint8")).save(content, "JPEG")
        encoded.append(content.getvalue())
    meter, begun = Meter(count), time.monotonic()
    for i in range(count):
        serving(**{name: tf.constant([encoded[i % len(encoded)]])})
        meter(i + 1)
    return time.monotonic() - begun, meter.taken


if __name__ == "__main__":
    main()
