"""How large, how fast and how good SalGAN's generator is with each encoder, in one run.

    python experiments/benchmarks/encoders.py
    python experiments/benchmarks/encoders.py --data osie --data-dir DIR --minutes 20

Size: parameters, and the file that a run saves. Speed: a picture of 192x256 in memory to
its map in memory, computed as predict.py does for many pictures; each encoder in a process
of its own, asked in turn. The weights are random, which takes the same time.

With --data each is trained too, from random weights and all for the same time, as
train_salgan.py does on few pictures: on the content loss (KLD), with augmentation, by Adam
(a tenth of the rate in the last fifth of the time), in the precision that `auto` takes. The
clock starts behind the first step. The scores are those of the split that a run is scored
on, at the pictures' own size, protocol mit. Weights of ImageNet, which this does without,
are another matter: see experiments/README.md.
"""

import contextlib
import os
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_saliency import loading, protocols, recipes, training

PRECISIONS = ("float32", "bfloat16")
CENTER_BIAS = "center bias"
SCORES = ("nss", "cc", "kld")
MAPS = 5  # of a measurement
BATCH = 8
AUGMENTATION = {"mirror": True, "zoom": 0.2, "color": 0.2}


def main():
    if sys.argv[1:2] == ["--measure"]:
        what, encoder, *rest = sys.argv[2:]
        measures = {"trained": measure_trained, **dict.fromkeys(PRECISIONS, measure_speed)}
        measures[what](what, encoder, parse_args(rest))
        return
    args = parse_args()
    facts, times = speeds(args)
    scored = {}
    if args.data:
        for name in (*args.encoders, CENTER_BIAS):
            scored[name] = measuring.once(sys.executable, __file__, "trained", name, *sys.argv[1:])
    measuring.hand_over(rows(times))
    print(f"{measuring.machine('tensorflow', 'keras')}\n\n{table(args, facts, times, scored)}")


def parse_args(argv=None):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add(
        "--encoders",
        nargs="+",
        choices=recipes.ENCODERS,
        default=recipes.ENCODERS,
        metavar="NAME",
        help="of them",
    )
    add("--repetitions", type=training.positive, default=measuring.REPETITIONS, metavar="N")
    training.add_size(parser, "--size", "of the network's input", default=(192, 256))
    training.add_data(parser, default=None)
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    training.add_pixels_per_degree(parser)
    add("--limit", type=training.positive, metavar="N", help="only the first N pictures")
    add("--minutes", type=training.above_zero, default=20.0, metavar="M", help="of each training")
    add("--learning-rate", type=training.above_zero, default=1e-4, metavar="R", help="of Adam")
    return parser.parse_args(argv)


# Size and speed


def speeds(args):
    """By encoder its facts; by encoder and precision its measurements, ms a picture."""
    facts, times = {}, {}
    for precision in PRECISIONS:
        with contextlib.ExitStack() as stack:
            processes = [
                stack.enter_context(
                    measuring.Process(sys.executable, __file__, precision, name, *sys.argv[1:])
                )
                for name in args.encoders
            ]
            found = measuring.in_turn(processes, args.repetitions)
        for name, process, measured in zip(args.encoders, processes, found, strict=True):
            facts[name], times[name, precision] = process.facts, measured
    return facts, times


def measure_speed(precision, encoder, args):
    training.load_tensorflow()
    from keras_saliency import engines, export, folding, models

    generator = models.SalGANGenerator((*args.size, 3), encoder, weights=None)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        folding.plain(generator).save(path)
        facts = {"parameters": generator.count_params(), "bytes": os.path.getsize(path)}
    network = export.bfloat16_copy(generator) if precision == "bfloat16" else generator
    network = engines.frozen_for(network, engines.FROZEN_FROM)
    stimulus = np.random.default_rng(0).integers(0, 256, (1, *args.size, 3)).astype("float32")
    measuring.answer_steps(lambda: network.predict_on_batch(stimulus), MAPS, 1, facts)


def rows(times):
    """How many times as fast each is as the paper's encoder."""
    return [
        measuring.row(
            f"SalGAN, {name}, map of one picture", precision, "ms a picture", measured,
            times["vgg16", precision], "VGG16's encoder",
        )
        for (name, precision), measured in times.items()
        if name != "vgg16" and ("vgg16", precision) in times
    ]  # fmt: skip


# Training


def measure_trained(_, encoder, args):
    """Says the means of the scores, and how many steps the time was enough for."""
    training.load_tensorflow()
    import keras

    from keras_saliency import devices, evaluation
    from keras_saliency.truths import Truths

    devices.fix_threads()
    splits = "train", loading.scored_split(args.data)
    train, test = (loading.load_split(args, split, args.limit) for split in splits)
    sigma = loading.sigma(args, [*train, *test])
    truths, steps = Truths(test, "mit", sigma), 0
    if encoder == CENTER_BIAS:
        found = evaluation.score_baseline("center_bias", truths)
    else:
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(devices.choose_precision("auto")[0])
        generator, steps = trained(encoder, args, loading.source(args, train, args.size, sigma))
        found = scores_of(generator, truths)
    means = evaluation.means(found)
    measuring.say({**{name: means[name] for name in SCORES}, "steps": steps})


def trained(encoder, args, source):
    """The generator after so many minutes, and how many steps those were."""
    import keras

    from keras_saliency import SaliencyGAN, callbacks, losses, models, optimizers, pipeline

    class Until(keras.callbacks.Callback):
        """Ends training when the time is over; the last fifth is at a tenth of the rate."""

        def __init__(self):
            super().__init__()
            self.begin, self.steps = None, 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            self.begin = self.begin or time.perf_counter()
            share = (time.perf_counter() - self.begin) / (60 * args.minutes)
            if share > 0.8:
                adam.learning_rate = args.learning_rate / 10
            self.model.stop_training = share >= 1

    generator = models.SalGANGenerator((*args.size, 3), encoder, weights=None)
    # It has no turn; a pair of networks is what is trained.
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(args.size, width=1 / 16))
    gan.compile(
        optimizers.FusedAdam(args.learning_rate), schedule="content", content_loss=losses.KLD()
    )
    adam, until = gan.generator_optimizer, Until()
    gan.fit(
        pipeline.epochs(source, BATCH, **AUGMENTATION), steps_per_epoch=1_000_000, shuffle=False,
        verbose=0, callbacks=[callbacks.NaNGuard(), until],
    )  # fmt: skip
    return generator, until.steps


def scores_of(generator, truths):
    """As a run's are taken."""
    from keras_saliency import engines, evaluation, export, pictures, prediction

    final = engines.frozen_for(export.float32_copy(generator), len(truths.examples))
    maps = prediction.saliency_maps(final, map(pictures.of, truths.examples))
    return evaluation.score(maps, truths)


def table(args, facts, times, scored):
    size = "x".join(map(str, args.size))
    head = ["encoder", "parameters, million", "file, MB"]
    head += [f"ms a picture of {size}, {precision}" for precision in PRECISIONS]
    head += [*(protocols.heading(name) for name in SCORES), "steps"] if scored else []
    lines = [tuple(head)]
    for name in (*args.encoders, CENTER_BIAS) if scored else args.encoders:
        cells = ["–"] * 4
        if name in facts:
            cells = [f"{facts[name]['parameters'] / 1e6:.2f}", f"{facts[name]['bytes'] / 1e6:.1f}"]
            cells += [f"{np.median(times[name, precision]):.4g}" for precision in PRECISIONS]
        if scored:
            cells += [f"{scored[name][score]:.3f}" for score in SCORES]
            cells += [str(scored[name]["steps"] or "–")]
        lines.append((name, *cells))
    note = f"\n\nscores on {args.data}, after {args.minutes:g} minutes each" if scored else ""
    return measuring.table(lines) + note


if __name__ == "__main__":
    training.run(main)
