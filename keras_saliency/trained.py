"""What the scripts share that take trained models: the flag, and what the models' runs tell."""

import argparse
import os

from keras_saliency import loading, runs, shipped, stores
from keras_saliency.errors import InputError


def add_flag(parser, **settings) -> None:
    """Adds the --model of the scripts that predict; `settings`: of `add_argument`.

    Without a default of its own it is the one that comes with the package.
    """
    settings = settings or {"default": shipped.NAME}
    default = " (default: %(default)s)" if settings.get("default") else ""
    parser.add_argument(
        "--model",
        type=_model,
        metavar=f"RUN|FILE|{shipped.NAME}",
        help="a run folder, a .keras file, or the trained network that comes with the package: "
        f"{shipped.NAME}{default}",
        **settings,
    )


def default_to_the_runs(args: argparse.Namespace, models: list[str]) -> str:
    """The split, and in `args` the blur: if not given, as of the runs trained on this data.

    Args:
        args: of a script that scores.
        models: run folders or model files.

    Raises:
        InputError: if the runs were blurred differently, and `args` does not say how.
    """
    own = [model for model in models if model != shipped.NAME]  # that is no folder here
    trained = runs.trained_on(own, args.data, args.data_dir)
    blurs = {arguments.get("pixels_per_degree") for arguments in trained}
    if len(blurs) > 1 and not args.pixels_per_degree:
        raise InputError("the runs differ in their --pixels-per-degree: give the one to score with")
    if trained and not args.pixels_per_degree and (recorded := blurs.pop()):
        print(f"--pixels-per-degree {recorded:g}, as in training")
        args.pixels_per_degree = recorded
    if args.split:
        return args.split
    scored, unseen = loading.scored_split(args.data), loading.unseen_split(args.data)
    if scored == unseen:
        why = "the default"
    elif trained:
        why = f'a model was trained on the "train" of {args.data}'
    elif models:
        why = f"no model has a config.json that tells of training on {args.data} in this folder"
    else:
        why = "no --model is scored"
    print(f"--split {scored if trained else unseen}: {why}")
    return scored if trained else unseen


def _model(path):
    if path != shipped.NAME and not stores.is_remote(path) and not os.path.exists(path):
        raise argparse.ArgumentTypeError(
            f"no such file or folder: {path}; a model is a run's folder, a .keras file, or "
            f"{shipped.NAME}, which comes with the package"
        )
    lacks = os.path.isdir(path) and not os.path.exists(stores.model_file(path))
    if lacks and not os.path.exists(os.path.join(path, "epochs")):  # evaluate.py --epochs takes it
        raise argparse.ArgumentTypeError(
            f"{path} is no run: it has no model.keras, which training writes at its end (--resume "
            "goes on with one that was cut off)"
        )
    return path
