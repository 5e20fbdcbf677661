"""What more pictures cost: seconds a picture and peak memory, in one run.

    python experiments/benchmarks/growth.py --plot docs/growth.png

A small SalGAN trains on, is scored on, and predicts 1, 4 and 16 times as many
pictures, from files that are made for it and that no memory holds. Starting up,
which more pictures do not lengthen, is not counted: the clock runs from the
second batch on. Every measurement is a process of its own, and comes again; its
memory is the kernel's count of the most that it ever held (VmHWM), TensorFlow
included. Wanted is what stays flat within 10%.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WORK = ("training", "evaluating", "predicting")
TIMES = (1, 4, 16)
PICTURES = 96  # of the least
SCENES = 48  # that differ
SIZE, BATCH, WIDTH = (96, 128), 8, 0.125
REPETITIONS = 5


def scenes():
    from keras_saliency.datasets import synthetic

    return synthetic.load(limit=SCENES)


def file_name(number):
    return f"{number:05}.jpg"


def write_pictures(folder, count):
    """Each is a file of its own, which is read and decoded."""
    from PIL import Image

    for i, scene in enumerate(scenes()):
        Image.fromarray(scene.image).save(os.path.join(folder, file_name(i)), quality=90)
    for i in range(SCENES, count):
        first = os.path.join(folder, file_name(i % SCENES))
        shutil.copyfile(first, os.path.join(folder, file_name(i)))


def examples(folder, count):
    from keras_saliency.datasets import Example

    found, known = [], scenes()
    for i in range(count):
        name, scene = file_name(i), known[i % SCENES]
        path = os.path.join(folder, name)
        found.append(Example(name, scene.size, scene.fixations, path))
    return found


def seconds_of_training(folder, count):
    import keras

    from keras_saliency import SaliencyGAN, callbacks, metrics, models, optimizers, pipeline
    from keras_saliency.datasets import synthetic

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:  # both networks have had their first
                self.begin = time.perf_counter()
            self.end = time.perf_counter()

    gan = SaliencyGAN(generator(), models.SalGANDiscriminator(SIZE, width=WIDTH))
    adams = [optimizers.FusedAdam(1e-4) for _ in range(2)]
    gan.compile(*adams, metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()])
    warm_up = 2
    steps, clock = count // BATCH + warm_up, Clock()
    data = pipeline.batches(
        examples(folder, count), SIZE, BATCH, synthetic.SIGMA, training=True, cache_bytes=0
    )
    options = {"shuffle": False, "verbose": 0, "callbacks": [callbacks.NaNGuard(), clock]}
    gan.fit(data, steps_per_epoch=steps, **options)
    return clock.end - clock.begin


def seconds_of_evaluating(folder, count):
    from keras_saliency import evaluation, pictures, prediction
    from keras_saliency.datasets import synthetic
    from keras_saliency.truths import Truths

    model = generator()

    def scored(some):
        found = prediction.saliency_maps(model, map(pictures.of, some))
        return evaluation.score(found, Truths(some, "mit", synthetic.SIGMA))

    given = examples(folder, count)
    scored(given[:BATCH])
    begin = time.perf_counter()
    scored(given)
    return time.perf_counter() - begin


def seconds_of_predicting(folder, count):
    from keras_saliency import inputs, outputs, prediction

    model = generator()
    sources = inputs.find([folder]).sources[:count]
    with tempfile.TemporaryDirectory() as out:
        written = outputs.Outputs(out)
        written.check(sources)
        finished = prediction.each(model, inputs.each(sources), written.write)
        times = []
        for _, error in finished:
            assert error is None, error
            times.append(time.perf_counter())
        assert len(times) == count
    return (times[-1] - times[BATCH - 1]) * count / (count - BATCH)


def generator():
    from keras_saliency import models

    return models.SalGANGenerator((*SIZE, 3), weights=None, width=WIDTH)


def measure(work, folder, count):
    """Says seconds a picture and peak memory in MiB."""
    from keras_saliency import training

    training.load_tensorflow()
    timers = seconds_of_training, seconds_of_evaluating, seconds_of_predicting
    seconds = dict(zip(WORK, timers, strict=True))[work](folder, int(count))
    with open("/proc/self/status", encoding="utf-8") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    measuring.say([seconds / int(count), peak / 1024])


def main():
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
        return
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--plot", metavar="PNG", help="draw it too")
    add("--pictures", type=int, default=PICTURES, help="the least (default: %(default)s)")
    add("--repetitions", type=int, default=REPETITIONS, help="default: %(default)s")
    args = parser.parse_args()
    counts = [times * args.pictures for times in TIMES]
    found = {(work, count): [] for work in WORK for count in counts}
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(folder, counts[-1])
        for _ in range(args.repetitions):
            for (work, count), measured in found.items():
                measured.append(measuring.once(sys.executable, __file__, work, folder, str(count)))
    medians = {case: np.median(measured, axis=0) for case, measured in found.items()}
    print(f"{measuring.machine('tensorflow', 'keras')}\n\n{report(medians, found, counts)}")
    if args.plot:
        draw(medians, counts, args.plot)


def report(medians, found, counts):
    lines = [("", "pictures", "ms a picture", "least to most", "to the least pictures'",
              "peak memory, MiB", "to the least pictures'")]  # fmt: skip
    for (work, count), (seconds, peak) in medians.items():
        times = [1e3 * each for each, _ in found[work, count]]
        grown = medians[work, count] / medians[work, counts[0]] - 1
        spread = f"{min(times):.1f} to {max(times):.1f}"
        cells = (
            f"{1e3 * seconds:.1f}",
            spread,
            f"{grown[0]:+.1%}",
            f"{peak:.0f}",
            f"{grown[1]:+.1%}",
        )
        lines.append((work, str(count), *cells))
    return measuring.table(lines)


def draw(medians, counts, path):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, which, title in zip(figure.subplots(1, 2), (0, 1), TITLES, strict=True):
        axes.axhspan(0.9, 1.1, color="0.93")
        for work, marker in zip(WORK, "os^", strict=True):
            least = medians[work, counts[0]][which]
            values = [medians[work, count][which] / least for count in counts]
            axes.plot(counts, values, marker=marker, label=work)
        axes.set(title=title, xscale="log", xlabel="pictures", ylim=(0, 1.4))
        axes.set_xticks(counts, map(str, counts), minor=False)
        axes.minorticks_off()
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=100)


TITLES = ("seconds a picture, relative", "peak memory, relative")


if __name__ == "__main__":
    main()
