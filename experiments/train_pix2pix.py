"""Train pix2pix: a U-Net paints the saliency map, a discriminator judges its patches.

    python experiments/train_pix2pix.py

trains it, an eighth as wide, on made-up scenes in a few minutes and prints its
scores beside the center bias. Whole, on real eye-tracking data:

    python experiments/train_pix2pix.py --data osie --data-dir DIR
    python experiments/train_pix2pix.py --data cat2000 --data-dir DIR

Every epoch's generator is kept in the run folder's epochs/. Which one to take
can be seen in pictures/epochs.png and epochs.gif and read from scores.png;
experiments/evaluate.py --model RUN --epochs scores each. experiments/README.md
says what scores to expect.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import stopping

if __name__ == "__main__":
    stopping.listen()  # before the rest is imported, which takes a while

from keras_saliency import (
    checkpoints,
    choosing,
    epoch_maps,
    fingerprints,
    loading,
    recipes,
    runs,
    strategies,
    training,
)

# Of the report that predicts CAT2000's fixations with pix2pix, and where it is
# silent the pix2pix paper's. Every name can be given to --set.
PAPER = {
    "size": (144, 256),
    "epochs": 100,
    "batch_size": 1,
    "learning_rate": 1e-5,  # 2e-4 in the pix2pix paper
    "decay": 0.0,  # share of the epochs in which the rate falls to 0, the last; 0.5 in PyTorch
    "content_loss": "l1",  # or a sum such as l1+0.1*cc: recipes.LOSSES
    "l1_weight": 100.0,  # of the content loss, on maps of -1 to 1
    "adversary": True,  # no: the U-Net alone, on the content loss
    "discriminator_filters": 128,  # 64 in the pix2pix paper
    "discriminator_rate": 1.0,  # times the learning rate
    "layout": "A",  # or B: models.Pix2PixGenerator
    "normalization": "instance",
    "width": 1.0,
    "dropout": 0.5,
    "test_dropout": False,
    "jitter": False,  # load 286/256 larger, cut the size out
    "mirror": False,
    "zoom": 0.0,
    "color": 0.0,
    "picture_size": "own",  # at which pictures are trained on and scored; or HxW
    "hold_out": 0.1,  # share of the training pictures that the epoch can be chosen by
    "show_every": 500,  # iterations
    "save_every": 1,  # epochs; 127 MB each
    "checkpoint_every": 1,
}
CAT2000 = {**PAPER, "picture_size": "140x250"}
# A few hundred pictures: larger steps, an end to them, and augmentation. Of few
# pictures the discriminator soon knows too much to be of use: it learns slowly.
SMALL = {
    **PAPER,
    "epochs": 12,
    "batch_size": 4,
    "learning_rate": 2e-4,
    "decay": 0.3,
    "discriminator_rate": 0.1,
    "mirror": True,
    "zoom": 0.2,
    "color": 0.2,
    "show_every": 50,
}
# A few minutes on two cores, no download.
QUICK = {
    **SMALL,
    "size": (96, 128),
    "epochs": 20,
    "learning_rate": 5e-4,
    "width": 0.125,
    "discriminator_filters": 16,
}
CHOICES = {"layout": ("A", "B"), "normalization": ("instance", "batch", "none")}
# From and up to where a number makes sense.
RANGES = {
    **dict.fromkeys(("batch_size", "show_every", "save_every", "checkpoint_every"), (1, 1e9)),
    **dict.fromkeys(("epochs", "l1_weight"), (0, 1e9)),
    **dict.fromkeys(("learning_rate", "discriminator_rate"), (0, 1e3)),
    **dict.fromkeys(("decay", "color"), (0, 1)),
    **dict.fromkeys(("dropout", "zoom", "hold_out"), (0, 0.99)),
    "discriminator_filters": (1, 4096),
    "width": (0.01, 16),
}
# Any other dataset: PAPER.
RECIPES = {"synthetic": QUICK, "osie": SMALL, "folder": SMALL, "cat2000": CAT2000}
JITTER = 286 / 256
BETA_1, EPSILON = 0.5, 1e-7  # of Adam
SHOWN = 6  # pictures to choose the epoch by
DRAW_EVERY = 5  # epochs


def main(argv=None):
    args = parse_args(argv)
    scored = loading.scored_split(args.data)
    train, test = (loading.load_split(args, split, args.limit) for split in ("train", scored))
    sigma = loading.sigma(args, [*train, *test])
    recipes.check_looked_at(recipes.loss_weights(args.content_loss), train)
    if args.picture_size != "own":
        train, _ = loading.at_size(train, sigma, args.picture_size)
        test, sigma = loading.at_size(test, sigma, args.picture_size)
    monitored = test[: runs.MONITORED]
    if args.hold_out:
        train, monitored = recipes.held_out(train, args.hold_out, args.seed)
    run_dir = runs.create(args, "pix2pix")
    reached = runs.reached_of_one_phase(args, run_dir)
    done = reached.epoch if reached else 0
    strategy = training.prepare(args)

    from keras_saliency import pipeline

    with strategy.scope():
        gan = build(args)

    # Data; a picture that cannot be read is found before anything is written
    source = loading.source(args, train, loaded_size(args), sigma)
    validation = loading.source(args, monitored, args.size, sigma)
    steps = pipeline.steps_per_epoch(train, args.batch_size)
    counts = {"train": len(train), "monitored": len(monitored), "test": len(test)}

    # Training
    with strategy.scope():
        compile_gan(gan, args, steps)
    if reached:
        checkpoints.restore(reached.path, gan)
    fingerprint = fingerprints.of(args, gan, train, monitored)
    runs.write_config(run_dir, args, fingerprint, pictures=counts)
    if done < args.epochs:
        augmentation = {"mirror": args.mirror, "zoom": args.zoom, "color": args.color}
        crop = args.size if args.jitter else None
        strategies.fit(
            gan, source, validation, args.batch_size, done, args.epochs,
            callbacks=callbacks_of(args, run_dir, gan, monitored, validation, test, sigma),
            seed=args.seed, augmentation={**augmentation, "crop": crop}, begun=reached,
            verbose=training.verbosity(),
        )  # fmt: skip
    if not strategies.is_chief(args.strategy):
        return

    # Export and scores
    table = runs.finish(run_dir, gan.generator, "pix2pix", test, sigma, f"{args.data} {scored}")
    if args.hold_out and args.epochs:
        say_best(run_dir, scores_of_held_out(run_dir, monitored))
    print(f"\n{table}\n\nSee the run: tensorboard --logdir {os.path.join(run_dir, 'logs')}")


def parse_args(argv):
    parser = training.parser(__doc__)
    sizes = "cat2000: 144x256, isola256: the pix2pix paper's 256x256"
    parser.add_argument("--variant", choices=("cat2000", "isola256"), default="cat2000", help=sizes)
    recipes.add_flags(parser, PAPER)
    args = training.parse(parser, argv)
    auto = RECIPES.get(args.data, PAPER)
    recipe = {"auto": auto, "paper": CAT2000 if auto is CAT2000 else PAPER, "small": SMALL}
    recipe = dict(recipe[args.recipe])
    if args.variant == "isola256":
        recipe["size"] = (256, 256)
    recipes.fill(args, recipe, CHOICES, RANGES)
    recipes.loss_weights(args.content_loss)  # a mistake in it is answered at once
    return args


def build(args):
    """Both networks."""
    from keras_saliency import SaliencyGAN, models

    normalization = None if args.normalization == "none" else args.normalization
    generator = models.Pix2PixGenerator(
        args.variant, (*args.size, 3), args.layout, normalization=normalization,
        dropout=args.dropout, test_dropout=args.test_dropout, width=args.width,
    )  # fmt: skip
    judge = models.PatchGANDiscriminator(args.size, args.discriminator_filters, normalization)
    return SaliencyGAN(generator, judge)


def loaded_size(args):
    """Of the training pictures: somewhat larger if a window of `args.size` is cut out."""
    return tuple(round(side * JITTER) for side in args.size) if args.jitter else args.size


def compile_gan(gan, args, steps):
    import keras

    from keras_saliency import losses, metrics

    gan.compile(
        optimizer(args, steps),
        optimizer(args, steps, args.discriminator_rate),
        content_loss=losses.weighted_sum(recipes.loss_weights(args.content_loss)),
        content_weight=2 * args.l1_weight,  # the maps are 0 to 1 here, half as far apart
        content_downsample=1,
        adversarial_loss=keras.losses.BinaryCrossentropy(from_logits=True),
        schedule="joint" if args.adversary else "content",
        metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()],
    )


def optimizer(args, steps, times=1.0):
    """Adam; its rate falls in a straight line to 0 over the last epochs, if at all."""
    import keras

    from keras_saliency import optimizers

    rate, falling = times * args.learning_rate, round(args.decay * args.epochs)
    first = args.epochs - falling
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [(first + i) * steps - 1 for i in range(falling + 1)],
        [rate * (1 - i / (falling + 1)) for i in range(falling + 2)],
    )
    # Alone, L1 is not weighted. Adam's steps do not depend on that, but for epsilon.
    epsilon = EPSILON if args.adversary else EPSILON / (2 * args.l1_weight or 1)
    return optimizers.FusedAdam(schedule, beta_1=BETA_1, epsilon=epsilon)


def callbacks_of(args, run_dir, gan, monitored, validation, test, sigma):
    import keras

    from keras_saliency import callbacks, console

    predictions = os.path.join(run_dir, "predictions")

    def draw(epoch, logs):
        if (epoch + 1) % DRAW_EVERY == 0 or epoch + 1 == args.epochs:
            # What is not held out may be shown, but nothing is chosen by it.
            scores = scores_of_held_out(run_dir, monitored) if args.hold_out else {}
            draw_epochs(run_dir, monitored[:SHOWN], predictions, scores)

    chief = strategies.is_chief(args.strategy)
    cadence = {
        "save_every": args.save_every,
        "every": args.checkpoint_every,
        "minutes": args.checkpoint_minutes,
        "monitored": (monitored, validation),
    }
    return [
        console.Losses(args.show_every),
        *runs.callbacks(run_dir, "pix2pix", test, sigma, **cadence, log_every=args.show_every),
        callbacks.Predictions(gan.generator, monitored[:SHOWN], predictions, args.save_every),
        *([keras.callbacks.LambdaCallback(on_epoch_end=draw)] if chief else []),
    ]


def scores_of_held_out(run_dir, held):
    """By name, each score that there is, by epoch; the first one chooses."""
    looked = any(len(example.fixations) for example in held)
    names = ("nss", "cc", "kld") if looked else ("cc", "kld")
    metrics = os.path.join(run_dir, "metrics.csv")
    found = {name: choosing.scores_of(metrics, f"val_{name}") for name in names}
    return {name: known for name, values in found.items() if (known := choosing.finite(values))}


def draw_epochs(run_dir, shown, predictions, scores):
    """What a person, or a number, chooses the epoch by."""
    drawn = os.path.join(run_dir, "pictures")
    if scores:
        choosing.write_scores(os.path.join(drawn, "scores.png"), scores)
    if os.path.isdir(predictions):  # none is due yet, if few epochs are kept
        chooses = next(iter(scores), None)
        of_epochs = predictions, scores.get(chooses), chooses or "nss"
        epoch_maps.write_sheet(os.path.join(drawn, "epochs.png"), shown, *of_epochs)
        epoch_maps.write_animation(os.path.join(drawn, "epochs.gif"), shown[0], *of_epochs)


def say_best(run_dir, scores):
    """Names the best of the generators that were kept."""
    folder = os.path.join(run_dir, "epochs")
    kept = choosing.epochs_in(folder) if os.path.isdir(folder) else {}
    chooses, values = next(iter(scores.items()), ("", {}))
    known = {epoch: value for epoch, value in values.items() if epoch in kept}
    if known:
        best = choosing.best(known)
        print(f"\nbest {chooses.upper()} of the held-out pictures: {kept[best]} {known[best]:.3f}")


if __name__ == "__main__":
    training.run(main)
