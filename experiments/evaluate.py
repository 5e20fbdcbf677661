"""Score models, folders of predicted maps, and baselines on a dataset, picture by picture.

    python experiments/evaluate.py --model runs/NAME --data osie --data-dir DIR
    python experiments/evaluate.py --predictions MAPS --data folder --data-dir DIR
    python experiments/evaluate.py --baseline all --data osie --data-dir DIR --csv scores.csv
    python experiments/evaluate.py --model runs/NAME --epochs --data osie --data-dir DIR

A model is a run folder or a .keras file, also one of a run's; with --epochs, every generator that
the run kept is scored, and drawn in its pictures/. Predicted maps are named like their
pictures: .png (8 or 16 bit), .jpg, .npy (a map, or log densities). The
protocols: docs/protocols.md.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np

from keras_saliency import (
    baselines,
    choosing,
    evaluation,
    files,
    loading,
    map_files,
    pictures,
    reported,
    tables,
    trained,
    training,
)
from keras_saliency.errors import InputError
from keras_saliency.protocols import COLUMNS
from keras_saliency.truths import Truths

CURVES = ("auc", "auc_judd", "nss", "cc", "kld")  # of the epochs, those that the protocol has


def main(argv=None):
    args = parse_args(argv)
    split = trained.default_to_the_runs(args, args.model)
    examples, sigma = loading.load_scored(args, split, args.limit), loading.sigma(args)
    if args.size:
        examples, sigma = loading.at_size(examples, sigma, args.size)
    truths = Truths(examples, args.protocol, sigma, args.seed)
    sources = {
        **models(args),
        **predictions(args, truths),
        **wanted_baselines(args, truths),
    }
    csv_paths = paths_of(args.csv, sources) if args.csv else {}
    problems, scored = [], {}
    for name, source in sources.items():
        print(f"scoring {name}", flush=True)
        scored[name] = source(truths, problems)
        if args.csv:
            files.write_csv(csv_paths[name], scored[name])
    if "center bias" not in scored and len(truths.examples) > 1:
        scored["center bias"] = baseline("center_bias", args)(truths, problems)

    title = tables.title(f"{args.data} {split}", truths)
    print(f"\n{tables.table(title, scored, reported.rows(args.data, split))}")
    if args.epochs:
        draw_epochs(args, split, scored)
    elif categories := tables.category_table(scored):
        print(f"\n{categories}")
    if problems:
        listed = "\n  ".join(problems)
        raise InputError(f"{len(problems)} maps could not be scored:\n  {listed}")


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    names = ["all", *baselines.BASELINES]
    trained.add_flag(parser, nargs="+", action="extend", default=[])
    add("--epochs", action="store_true", help="score every epoch's generator of the runs")
    add("--predictions", nargs="+", default=[], metavar="DIR", help="folders of predicted maps")
    add("--baseline", nargs="+", default=[], choices=names, metavar="NAME", help=", ".join(names))
    training.add_data(parser)
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add(
        "--split",
        default="",
        help="default: what training does not see and has a truth: test, or of cat2000, isun, "
        "mit1003, pickled, salicon val; of folder, pysaliency all if no model was trained on it",
    )
    add("--protocol", choices=COLUMNS, default="mit", help="default: %(default)s")
    training.add_pixels_per_degree(parser)
    add(
        "--size",
        default="",
        metavar="HxW",
        help="bring pictures and fixations to this size first (default: the pictures' own)",
    )
    add("--emd", action="store_true", help="also the earth mover's distance (needs POT, slow)")
    add("--limit", type=training.positive, metavar="N", help="only the first N pictures")
    add("--seed", type=training.count, default=0, metavar="N", help="of what is drawn at random")
    add(
        "--csv",
        default="",
        metavar="FILE",
        help="the scores of every picture; of several models, FILE-NAME.csv each",
    )
    args = parser.parse_args(argv)
    if args.epochs and not args.model:
        parser.error("--epochs needs the run whose epochs to score: --model RUN")
    if not (args.model or args.predictions or args.baseline):
        parser.error("nothing to score: give --model, --predictions or --baseline")
    return args


def models(args):
    """A function that scores each of the models, by name."""

    def scorer(path, read_first=True):
        from keras_saliency import engines, prediction

        # A wrong path is answered before anything is scored; but a run's epochs
        # are not all in memory at a time.
        loaded = prediction.load(path) if read_first else None

        def score(truths, problems):
            unreadable = {}
            model = engines.frozen_for(loaded or prediction.load(path), len(truths.examples))
            maps = prediction.saliency_maps(model, stimuli(truths.examples, unreadable))
            found = (raising(unreadable.get(i), values) for i, values in enumerate(maps))
            return evaluation.score(found, truths, args.emd, problems)

        return score

    if args.model:
        training.load_tensorflow()
    if args.epochs:
        return {
            epoch_name(run, epoch): scorer(path, read_first=False)
            for run in args.model
            for epoch, path in epochs_of(run).items()
        }
    return {path: scorer(path) for path in args.model}


def epochs_of(run):
    """The generators that a run kept, by epoch."""
    folder = os.path.join(run, "epochs")
    found = choosing.epochs_in(folder)
    if not found:
        raise InputError(f"{folder} holds no generators; a run keeps them there, epoch_0001.keras")
    return found


def epoch_name(run, epoch):
    return f"{os.path.normpath(run)} epoch {epoch}"


def draw_epochs(args, split, scored):
    """The scores of each run's epochs as curves, in its pictures/."""
    names = [name for name in CURVES if name in COLUMNS[args.protocol]]
    for run in args.model:
        # A run that still trains may have saved another epoch meanwhile.
        found = {epoch: scored.get(epoch_name(run, epoch)) for epoch in epochs_of(run)}
        means = {epoch: evaluation.means(rows) for epoch, rows in found.items() if rows}
        curves = {name: {epoch: mean[name] for epoch, mean in means.items()} for name in names}
        of = "_".join(filter(None, ("scores", args.data, split, args.protocol, args.size)))
        path = os.path.join(run, "pictures", f"{of}.png")
        choosing.write_scores(path, curves)
        print(f"\ndrawn: {path}")


def stimuli(examples, unreadable):
    """The pictures; for one that cannot be read a black one, and its error in `unreadable`."""
    for i, example in enumerate(examples):
        try:
            yield pictures.of(example)
        except InputError as error:
            unreadable[i] = error
            yield np.zeros((*example.size, 3), "uint8")


def raising(error, saliency_map):
    """The map, or if there was an error, a function that raises it where it is listed."""

    def fail():
        raise error

    return fail if error else saliency_map


def predictions(args, truths):
    """A function that scores each of the folders, by name."""

    def scorer(folder):
        paths = map_files.find(folder, [example.name for example in truths.examples])

        def score(truths, problems):
            maps = (lambda path=path: map_files.read_map(path) for path in paths)
            return evaluation.score(maps, truths, args.emd, problems)

        return score

    return {folder: scorer(folder) for folder in args.predictions}


def wanted_baselines(args, truths):
    """A function that scores each of the baselines, by name; of all, those that can be made."""
    names = baselines.BASELINES if "all" in args.baseline else args.baseline
    lacking = {name: baselines.lacks(name, truths) for name in names}
    for name, reason in lacking.items():
        if reason and "all" not in args.baseline:
            raise InputError(f"--baseline {name}: {reason}")
        if reason:
            print(f"  without {name}: {reason}")
    names = [name for name in names if not lacking[name]]
    return {name.replace("_", " "): baseline(name, args) for name in names}


def baseline(name, args):
    return lambda truths, problems: evaluation.score_baseline(name, truths, args.emd, problems)


def paths_of(path, names):
    """Where the scores of each go; of several, each has its name in its file's."""
    if os.path.isdir(path):
        raise InputError(f"--csv {path} is a folder; name a file to write")
    if len(names) == 1:
        return dict.fromkeys(names, path)
    stem, ending = os.path.splitext(path)
    called = {name: os.path.basename(os.path.normpath(name)).replace(" ", "_") for name in names}
    if len(set(called.values())) < len(called):  # the same names in different folders
        called = {
            name: os.path.normpath(name).strip(os.sep).replace(os.sep, "-").replace(" ", "_")
            for name in names
        }
    return {name: f"{stem}-{called[name]}{ending}" for name in names}


if __name__ == "__main__":
    training.run(main)
