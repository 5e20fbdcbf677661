"""Train SalGAN: content loss first, then an adversary joins.

    python experiments/train_salgan.py

trains it, a quarter as wide, on made-up scenes in a few minutes and prints its
scores beside the center bias. Whole, on real eye-tracking data:

    python experiments/train_salgan.py --data osie --data-dir DIR

The run folder holds the trained model, a SavedModel, scores, pictures, and
TensorBoard's logs. experiments/README.md says what scores to expect.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import stopping

if __name__ == "__main__":
    stopping.listen()  # before the rest is imported, which takes a while

from keras_saliency import (
    checkpoints,
    devices,
    fingerprints,
    loading,
    recipes,
    runs,
    shipped,
    strategies,
    training,
)
from keras_saliency.errors import InputError

# The paper's (SalGAN, sections 4.2 and 5), for SALICON's 10,000 pictures.
PAPER = {
    "size": (192, 256),
    "batch_size": 32,
    "content_epochs": 15,
    "epochs": 105,
    "encoder_weights": "auto",
    "optimizer": "adagrad",
    "learning_rate": 3e-4,
    "schedule": "last_fifth",
    "weight_decay": 1e-4,
    "content_loss": "bce",
    "content_downsample": 4,
    "content_weight": 0.05,
    "encoder_slowdown": 1.0,
    "mirror": False,
    "zoom": 0.0,
    "color": 0.0,
    "dropout": 0.0,
    "width": 1.0,
}
# A few hundred pictures are too few steps for AdaGrad: Adam, at a tenth of the
# rate in the last fifth of a phase. They are soon learned by heart: augmentation.
# And a discriminator cannot be trusted with them as far as with the paper's.
SMALL = {
    **PAPER,
    "batch_size": 8,
    "content_epochs": 10,
    "epochs": 5,
    "optimizer": "adam",
    "learning_rate": 1e-4,
    "weight_decay": 0.0,
    "content_weight": 1.0,
    "mirror": True,
    "zoom": 0.2,
    "color": 0.2,
}
# A few minutes on two cores, no download: every layer with a quarter of its filters.
QUICK = {
    **SMALL,
    "size": (96, 128),
    "content_epochs": 16,
    "epochs": 6,
    "encoder_weights": "none",
    "learning_rate": 5e-4,
    "width": 0.25,
}
# Of the light decoder, whatever the data; a pretrained encoder learns at a tenth of the rate.
LIGHT = {
    **SMALL,
    "content_epochs": 12,
    "epochs": 0,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "content_loss": "kld+cc+0.2*nss",
    "encoder_slowdown": 0.1,
    "dropout": 0.3,
}
RECIPES = {"synthetic": QUICK, "osie": SMALL, "folder": SMALL}
CHOICES = {"optimizer": ("adagrad", "adam"), "schedule": recipes.SCHEDULES}
# From and up to where a number makes sense.
RANGES = {
    **dict.fromkeys(("batch_size", "content_downsample"), (1, 1e9)),
    **dict.fromkeys(("content_epochs", "epochs"), (0, 1e9)),
    **dict.fromkeys(("learning_rate", "weight_decay", "content_weight"), (0, 1e6)),
    **dict.fromkeys(("zoom", "dropout"), (0, 0.99)),
    **dict.fromkeys(("encoder_slowdown", "color"), (0, 1)),
    "width": (1 / 64, 4),
}
GENERATOR_SLOWDOWN = 0.2  # of Adam's rate in the adversarial phase: it is trained already
SAVE_EVERY = {"content": 5, "adversarial": 3}  # epochs, as in the authors' code


def main(argv=None):
    args = parse_args(argv)
    scored = loading.scored_split(args.data)
    train, test = (loading.load_split(args, split, args.limit) for split in ("train", scored))
    recipes.check_looked_at(recipes.loss_weights(args.content_loss), train)
    sigma = loading.sigma(args, [*train, *test])
    run_dir = runs.create(args, "salgan")
    reached = reached_of_two_phases(args, run_dir)
    strategy = training.prepare(args)

    from keras_saliency import SaliencyGAN, models, pipeline

    # Networks
    with strategy.scope():
        generator = build_generator(args)
        discriminator = models.SalGANDiscriminator(
            args.size, width=args.width, weight_decay=args.weight_decay
        )
        gan = SaliencyGAN(generator, discriminator)

    # Data; a picture that cannot be read is found before anything is written
    source = loading.source(args, train, args.size, sigma)
    monitored = test[: runs.MONITORED]
    validation = loading.source(args, monitored, args.size, sigma)
    steps = pipeline.steps_per_epoch(train, args.batch_size)
    fingerprint = fingerprints.of(args, gan, train, test)
    counts = {"train": len(train), "test": len(test)}
    runs.write_config(run_dir, args, fingerprint, pictures=counts)
    augmentation = {"mirror": args.mirror, "zoom": args.zoom, "color": args.color}

    def fit(phase, first, last, begun=None):
        """Trains from epoch `first` to `last`; the order of the data follows from the epoch."""
        print(f"{phase} phase, epochs {first + 1} to {last}")
        if args.strategy == "none":
            gan.steps_per_execution = devices.steps_per_execution(steps)
        strategies.fit(
            gan, source, validation, args.batch_size, first, last,
            callbacks=runs.callbacks(
                run_dir, phase, test, sigma, SAVE_EVERY[phase],
                monitored=(monitored, validation), minutes=args.checkpoint_minutes,
            ),
            seed=args.seed, augmentation=augmentation, begun=begun,
            verbose=training.verbosity(),
        )  # fmt: skip

    train_phases(gan, args, reached, steps, fit)

    if not strategies.is_chief(args.strategy):
        return

    # Export and scores
    table = runs.finish(run_dir, generator, "SalGAN", test, sigma, f"{args.data} {scored}")
    print(f"\n{table}\n\nSee the run: tensorboard --logdir {os.path.join(run_dir, 'logs')}")


def reached_of_two_phases(args, run_dir):
    """The `checkpoints.Progress` of a resumed run, or None of a new one."""
    last = runs.reached(args, run_dir)
    if last is None:
        return None
    content, end = args.content_epochs, args.content_epochs + args.epochs
    place = last.epoch, last.step
    fits = (content, 0) < place <= (end, 0) if in_adversarial(last) else place <= (content, 0)
    if not fits:
        raise InputError(
            f"{run_dir} has {last.behind}, the last in its {last.phase} phase: --content-epochs "
            "and --epochs cannot end before that"
        )
    return last


def in_adversarial(reached):
    return reached is not None and reached.phase == "adversarial"


def train_phases(gan, args, reached, steps, fit):
    """Content phase, then adversarial phase; a resumed run enters where it was cut off."""
    done = reached.epoch if reached else 0
    if not in_adversarial(reached):
        with gan.distribute_strategy.scope():
            rule = optimizer(args, steps * args.content_epochs, gan.generator)
            gan.compile(rule, schedule="content", **common_arguments(args))
        if reached:
            checkpoints.restore(reached.path, gan)
        if done < args.content_epochs:
            fit("content", done, args.content_epochs, reached)
    if args.epochs:
        compile_adversarial(gan, args, steps * args.epochs)
        begun = reached if in_adversarial(reached) else None
        if begun:
            checkpoints.restore(begun.path, gan)
        first, last = max(done, args.content_epochs), args.content_epochs + args.epochs
        if first < last:
            fit("adversarial", first, last, begun)


def parse_args(argv):
    parser = training.parser(__doc__)
    add = parser.add_argument
    add("--content-epochs", type=training.count, metavar="N", help="epochs of the phase before it")
    recipes.add_loss(parser, "--content-loss", "bce; light decoder: kld+cc+0.2*nss", papers="bce")
    add("--encoder", choices=recipes.ENCODERS, help="vgg16 is the paper's, and the default")
    add(
        "--encoder-weights",
        metavar="auto|imagenet|none|osie|PATH",
        help="auto takes imagenet if it can be had, else random weights; none trains everything; "
        "osie goes on from the network that comes with the package",
    )
    add("--decoder", choices=("paper", "light"), default="paper", help="light is ours, and small")
    recipes.add_flags(parser, PAPER)
    parser.set_defaults(content_loss=None)  # the recipe's
    args = training.parse(parser, argv)
    if args.encoder_weights == shipped.NAME:  # of a whole network
        if args.encoder not in (None, shipped.ENCODER):
            raise InputError(f"--encoder-weights {shipped.NAME} are of --encoder {shipped.ENCODER}")
        args.encoder, args.decoder = shipped.ENCODER, "light"
    args.encoder = args.encoder or "vgg16"
    recipes.fill(args, recipe_of(args), CHOICES, RANGES)
    if args.encoder_weights != "none":
        args.width = 1.0  # pretrained weights have their own
    return args


def recipe_of(args):
    if args.decoder == "light":
        return LIGHT
    return {"paper": PAPER, "small": SMALL, "auto": RECIPES.get(args.data, PAPER)}[args.recipe]


def build_generator(args):
    """The generator; notes in `args` what its encoder started from if that was left open."""
    from keras_saliency import models

    names = ("encoder", "width", "weight_decay", "decoder", "dropout")
    options = {name: getattr(args, name) for name in names}

    def build(weights):
        return models.SalGANGenerator((*args.size, 3), weights=weights, **options)

    if args.encoder_weights != "auto":
        return build(None if args.encoder_weights == "none" else args.encoder_weights)
    try:
        generator = build("imagenet")
        args.encoder_weights = "imagenet"
    except InputError as error:
        generator = build(None)  # raises again if it was not for the weights
        print(f"WARNING: the encoder starts from RANDOM weights: {error}")
        args.encoder_weights = "none"
    return generator


def compile_adversarial(gan, args, steps):
    # Each network gets every other batch.
    with gan.distribute_strategy.scope():
        gan.compile(
            optimizer(args, steps // 2, gan.generator, GENERATOR_SLOWDOWN),
            optimizer(args, steps // 2),
            schedule="alternate",
            content_weight=args.content_weight,
            **common_arguments(args),
        )


def optimizer(args, steps, generator=None, slowdown=1.0):
    """The recipe's optimizer for a phase of so many steps, of the generator or the other."""
    import keras

    from keras_saliency import models, optimizers

    if args.optimizer == "adagrad":
        # Lasagne's AdaGrad, which the paper used, starts from nothing.
        return keras.optimizers.Adagrad(
            args.learning_rate, initial_accumulator_value=0.0, epsilon=1e-6
        )
    rate = optimizers.SCHEDULES[args.schedule](args.learning_rate * slowdown, steps)
    pretrained = generator is not None and args.encoder_weights != "none"
    slowed = [v.path for v in models.encoder_variables(generator)] if pretrained else []
    return optimizers.FusedAdam(rate, slowed=slowed, slowdown=args.encoder_slowdown)


def common_arguments(args):
    from keras_saliency import losses, metrics

    return {
        "content_loss": losses.weighted_sum(recipes.loss_weights(args.content_loss)),
        "content_downsample": args.content_downsample,
        "metrics": [metrics.NSS(), metrics.CC(), metrics.KLD()],
    }


if __name__ == "__main__":
    training.run(main)
