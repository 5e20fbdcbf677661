"""Train JuntingNet, three convolutions and a maxout, by pixels or as a distribution.

    python experiments/train_juntingnet.py

trains it on made-up scenes in a few minutes and prints its scores beside the
center bias. On real eye-tracking data, and as it was published:

    python experiments/train_juntingnet.py --data osie --data-dir DIR
    python experiments/train_juntingnet.py --data osie --data-dir DIR --recipe paper --loss mse

The run folder holds the trained model, a SavedModel, scores, pictures, and
TensorBoard's logs. experiments/README.md says what scores to expect.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import stopping

if __name__ == "__main__":
    stopping.listen()  # before the rest is imported, which takes a while

import numpy as np

from keras_saliency import (
    checkpoints,
    devices,
    fingerprints,
    loading,
    recipes,
    runs,
    strategies,
    training,
)
from keras_saliency.errors import InputError

# The Bristol report's, for SALICON's 10,000 pictures. The first paper has no
# weight decay, held out a fifth and mirrored. Every name can be given to --set.
PAPER = {
    "size": (96, 96),
    "epochs": 1000,
    "batch_size": 128,
    "optimizer": "sgd",  # with Nesterov momentum 0.9
    "learning_rate": 0.05,  # the first paper has 0.03, its code 0.05
    "last_learning_rate": 0.0001,  # a straight line between the two, a step an epoch
    "weight_decay": 0.0005,  # adds itself times the weight to the gradient
    "mirror": True,
    "zoom": 0.0,
    "color": 0.0,
    "pairing": "pairs",  # or halves: layers.Maxout
    "batch_norm": False,
    "dropout": 0.0,  # 0.5 was tried in the first paper and dropped
    "max_norm": 0.0,  # of the maxout's weights; 0: none
    "initializer": "gaussian",
    "target_distribution": "softmax",
    "pixel_mean": False,  # the report does not say; PyTorch's default, True, hardly trains
    "hold_out": 0.0,  # share of the training pictures to validate on; 0.2 in the first paper
    "patience": 0,  # epochs without a better validation before it stops; 0: never
    "validate_every": 2,  # epochs
    "checkpoint_every": 50,
    "predict_every": 200,
    "order": "blur_then_resize",
    "sigma": 3.0,  # pixels of the map
}
# The report's network for distributions was best after some 45 epochs.
PAPER_DISTRIBUTION = {**PAPER, "batch_norm": True, "hold_out": 0.2, "patience": 40}
# A few hundred pictures: see experiments/README.md for what each of these brings.
SMALL = {
    **PAPER,
    "epochs": 60,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 3e-4,
    "last_learning_rate": 3e-6,
    "weight_decay": 0.004,
    "zoom": 0.4,
    "color": 0.4,
    "checkpoint_every": 10,
    "predict_every": 30,
    "batch_norm": True,
    "dropout": 0.5,
    "target_distribution": "sum",
    "sigma": 1.5,
}
QUICK = {**SMALL, "epochs": 40, "batch_size": 16, "predict_every": 20}  # a few minutes on two cores
# Of a map of values, or of a distribution: the output is one of the two. CC goes by neither.
LOSSES = "mse", "kld", "bhattacharyya", "cc"
CHOICES = {
    "optimizer": ("sgd", "adamw"),
    "pairing": ("pairs", "halves"),
    "initializer": ("gaussian", "glorot"),
    "target_distribution": ("sum", "softmax"),
    "order": ("blur_then_resize", "resize_then_blur", "resize_only"),
}
# From and up to where a number makes sense.
RANGES = {
    **dict.fromkeys(
        ("batch_size", "validate_every", "checkpoint_every", "predict_every"), (1, 1e9)
    ),
    **dict.fromkeys(("epochs", "patience"), (0, 1e9)),
    **dict.fromkeys(("learning_rate", "last_learning_rate", "weight_decay", "max_norm"), (0, 1e6)),
    **dict.fromkeys(("zoom", "dropout", "hold_out"), (0, 0.99)),
    "color": (0, 1),
    "sigma": (0, 100),
}
LEARNED_BY_SMALL = {"synthetic": QUICK, "osie": SMALL, "folder": SMALL}


def main(argv=None):
    args = parse_args(argv)
    scored = loading.scored_split(args.data)
    train, test = (loading.load_split(args, split, args.limit) for split in ("train", scored))
    monitored = test[: runs.MONITORED]
    if args.hold_out:
        train, monitored = recipes.held_out(train, args.hold_out, args.seed)
    sigma = loading.sigma(args, [*train, *test])
    run_dir = runs.create(args, "juntingnet")
    reached = runs.reached_of_one_phase(args, run_dir)
    done = reached.epoch if reached else 0
    strategy = training.prepare(args)

    from keras_saliency import early_stopping, fields, pipeline

    # Network
    with strategy.scope():
        network, final = build(args, test[0].size)

    # Data; a picture that cannot be read is found before anything is written
    map_size = network.output_shape[1:3]
    source = loading.source(args, train, args.size, sigma, map_size)
    validation = loading.source(args, monitored, args.size, sigma, map_size)
    judged = monitored, validation
    counts = {"train": len(train), "monitored": len(monitored), "test": len(test)}
    fields.check_densities(test, sigma)

    # Training
    with strategy.scope():
        compile_network(network, args)
    if reached:
        checkpoints.restore(reached.path, network)
    fingerprint = fingerprints.of(args, network, train, monitored)
    runs.write_config(run_dir, args, fingerprint, pictures=counts)
    chief = strategies.is_chief(args.strategy)
    saved = os.path.join(run_dir, "best.npz")
    best = early_stopping.Best(saved, "val_data_loss", args.patience, done, saves=chief)
    augmentation = {"mirror": args.mirror, "zoom": args.zoom, "color": args.color}
    validated = done % args.validate_every == 0  # it stops after no other epoch
    stopped = args.patience and validated and done - best.epoch >= args.patience
    if done < args.epochs and not stopped:
        if args.strategy == "none":
            steps = pipeline.steps_per_epoch(train, args.batch_size)
            network.steps_per_execution = devices.steps_per_execution(steps)
        strategies.fit(
            network, source, validation, args.batch_size, done, args.epochs,
            callbacks=callbacks_of(args, run_dir, final, test, sigma, judged, best),
            seed=args.seed, targets=density_only, augmentation=augmentation, begun=reached,
            validation_freq=args.validate_every, verbose=training.verbosity(),
        )  # fmt: skip
    if not chief:
        return
    if args.patience:
        best.restore(network)

    # Export and scores
    table = runs.finish(run_dir, final, "JuntingNet", test, sigma, f"{args.data} {scored}")
    print(f"\n{table}\n\nSee the run: tensorboard --logdir {os.path.join(run_dir, 'logs')}")


def parse_args(argv):
    parser = training.parser(__doc__)
    variants = ("lsun2015", "cvpr2016", "bristol2020")
    parser.add_argument("--variant", choices=variants, default="lsun2015")
    recipes.add_loss(parser, "--loss", default="kld", papers="mse", allowed=LOSSES)
    recipes.add_flags(parser, PAPER)
    args = training.parse(parser, argv)
    if has_values(args) and not {"mse", "cc"}.issuperset(recipes.loss_weights(args.loss)):
        raise InputError(
            "--loss: mse is of a map of values, kld and bhattacharyya are of a distribution; the "
            f"output is one of the two. Received: {args.loss}"
        )
    recipes.fill(args, recipe_of(args), CHOICES, RANGES)
    if args.patience and not args.hold_out:
        raise InputError("early stopping (patience) needs pictures to judge by: --set hold_out=0.2")
    return args


def has_values(args):
    """Whether the output is a map of values; else it is a distribution."""
    return "mse" in recipes.loss_weights(args.loss)


def recipe_of(args):
    paper = PAPER if has_values(args) else PAPER_DISTRIBUTION
    auto = LEARNED_BY_SMALL.get(args.data, paper)
    return {"paper": paper, "small": SMALL, "auto": auto}[args.recipe]


def build(args, stimulus_size):
    """The network to train, and the same with its post-processing."""
    from keras_saliency import models

    output = "linear" if has_values(args) else "softmax"
    # L2's gradient is twice its factor times the weight. AdamW does not go by the gradient.
    weight_decay = args.weight_decay / 2 if args.optimizer == "sgd" else 0.0
    network = models.JuntingNet(
        args.variant, output, (*args.size, 3), args.pairing, batch_norm=args.batch_norm,
        dropout=args.dropout, max_norm=args.max_norm or None, initializer=args.initializer,
        weight_decay=weight_decay,
    )  # fmt: skip
    final = models.post_processed(
        network, args.order, args.sigma, stimulus_size, lowest_to_zero=output == "linear"
    )
    return network, final


def compile_network(network, args):
    import keras

    from keras_saliency import losses, metrics, optimizers

    rate = args.learning_rate
    optimizer = {
        "sgd": lambda: optimizers.FusedSGD(rate, momentum=0.9, nesterov=True),
        "adamw": lambda: optimizers.FusedAdam(rate, weight_decay=args.weight_decay),
    }

    distribution = {"target_distribution": args.target_distribution}
    options = {
        "kld": {**distribution, "pixel_mean": args.pixel_mean}, "bhattacharyya": distribution,
    }  # fmt: skip

    def loss(**arguments):
        return losses.weighted_sum(recipes.loss_weights(args.loss), options, **arguments)

    def shown(loss, name):
        return keras.metrics.MeanMetricWrapper(loss, name=name)

    each = loss(reduction=None)
    terms = [shown(term, f"{term.name}_loss") for _, term in getattr(each, "terms", ())]
    # The loss has the weight decay in it, this has not.
    data_loss = shown(each, "data_loss")
    # Left to Keras, float16's loss scale would be one device's.
    optimizer = optimizers.ready(optimizer[args.optimizer](), network)
    network.compile(optimizer, loss(), metrics=[data_loss, *terms, metrics.CC()], jit_compile=False)


def callbacks_of(args, run_dir, final, test, sigma, judged, best):
    """What happens after an epoch; early stopping before what is saved of it."""
    import keras

    from keras_saliency import callbacks

    predictions = os.path.join(run_dir, "predictions")
    cadence = {
        "save_every": args.predict_every,
        "every": args.checkpoint_every,
        "minutes": args.checkpoint_minutes,
        "monitored": judged,
    }
    return [
        keras.callbacks.LearningRateScheduler(learning_rates(args)),
        *([best] if args.patience else []),
        *runs.callbacks(run_dir, "juntingnet", test, sigma, **cadence, final=final),
        callbacks.Predictions(final, test, predictions, args.predict_every),
    ]


def learning_rates(args):
    """Each epoch's: a straight line from the first one's to the last one's."""
    rates = np.linspace(args.learning_rate, args.last_learning_rate, max(args.epochs, 1))
    return lambda epoch, _: float(rates[epoch])


def density_only(stimulus, targets):
    return stimulus, targets["density"]


if __name__ == "__main__":
    training.run(main)
