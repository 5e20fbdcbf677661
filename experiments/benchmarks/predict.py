"""How fast predict.py is, against its own parts, and how much memory it takes, in one run.

    python experiments/benchmarks/predict.py --pictures FOLDER

The network is SalGAN with MobileNet's encoder at 192x256 (random weights: the
time is the same), in the precision that `auto` takes. Measured in a process of
its own each:

- all: predict.py's work on 700 pictures, from their files to 8-bit PNGs, with
  the model loaded and its graph made;
- files: the same with a network that takes no time (decoding, resizing,
  encoding, writing);
- network: the network alone, on as many batches of 8 that are held ready;
- all of 100, 350 and 700 pictures with each process' peak memory, the script's
  start and TensorFlow included.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZE = (192, 256)
COUNTS = (100, 350, 700)
BATCH = 8


def make_model(path):
    """Prints the precision that it was made in."""
    from keras_saliency import training

    training.load_tensorflow()
    import keras

    from keras_saliency import devices, models

    precision, reason = devices.choose_precision("auto")
    keras.config.set_dtype_policy(precision)
    models.SalGANGenerator((*SIZE, 3), encoder="mobilenet", weights=None).save(path)
    return f"{precision} ({reason})"


class Held:
    """A network that takes no time: its map is held ready."""

    input_shape = (None, *SIZE, 3)

    def __init__(self):
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        waves = np.sin(rows / 20) * np.sin(columns / 30) + 1
        noise = np.random.default_rng(0).normal(0, 0.002, SIZE)
        self.map = np.clip(waves / 2 + noise, 0, 1).astype("float32")[..., None]

    def predict_on_batch(self, stimuli):
        return np.stack([self.map] * len(stimuli))


def time_work(pictures, count, model):
    """Seconds and peak memory in MiB of predict.py's work on the first so many pictures."""
    from keras_saliency import inputs, outputs, training

    training.load_tensorflow()
    from keras_saliency import prediction

    network = warm(model) if model else Held()
    sources = inputs.find([pictures]).sources[: int(count)]
    with tempfile.TemporaryDirectory() as folder:
        written = outputs.Outputs(folder)
        written.check(sources)
        begin = time.perf_counter()
        for _, error in prediction.each(network, inputs.each(sources), written.write):
            assert error is None, error
        seconds = time.perf_counter() - begin
        assert len(sources) == int(count) and all(written.done(s.name) for s in sources)
    return [seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


def warm(model):
    """The network as predict.py takes it, its graph made."""
    from keras_saliency import folding, prediction

    network = folding.folded(prediction.load(model))
    for _ in range(2):
        network.predict_on_batch(np.zeros((BATCH, *SIZE, 3), "float32"))
    return network


def time_network(count, model):
    """Seconds of the network alone, on batches that are there."""
    from keras_saliency import training

    training.load_tensorflow()
    network = warm(model)
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (BATCH, *SIZE, 3)).astype("float32")
    begin = time.perf_counter()
    for first in range(0, int(count), BATCH):
        network.predict_on_batch(stimuli[: int(count) - first])
    return [time.perf_counter() - begin]


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--pictures", metavar="FOLDER", required=True, help="700 or more")
    parser.add_argument("--time", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.time:
        what, *rest = args.time
        made = {"model": make_model, "network": time_network}
        found = made[what](*rest) if what in made else time_work(args.pictures, *rest)
        print(json.dumps(found))
        return
    from keras_saliency import provenance

    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "pillow", "numpy")
    )
    with tempfile.TemporaryDirectory() as folder:
        model = os.path.join(folder, "model.keras")
        precision = timed(args, "model", model)
        python = platform.python_version()
        print(
            f"{provenance.processor()}, {os.cpu_count()} cores, {python}, {versions}; {precision}\n"
        )
        report(args, model)


def report(args, model):
    most = COUNTS[-1]
    work = {count: timed(args, "work", str(count), model) for count in COUNTS}
    seconds = {"network": timed(args, "network", str(most), model)[0]}
    seconds["files"] = timed(args, "work", str(most), "")[0]
    seconds["all"] = work[most][0]
    print(f"| {most} pictures | seconds | pictures a second |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.1f} | {most / taken:.1f} |")
    slower = max(("network", "files"), key=seconds.get)
    print(f"\nall takes {seconds['all'] / seconds[slower] - 1:+.1%} of {slower}\n")
    print("| pictures | peak memory, MiB |\n|---|---|")
    for count, (_, peak) in work.items():
        print(f"| {count} | {peak:.0f} |")


def timed(args, *what):
    """What a process of its own measures."""
    command = [sys.executable, os.path.abspath(__file__), "--pictures", args.pictures]
    command += ["--time", *what]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
