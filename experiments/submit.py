"""Make what a public benchmark takes, or check what somebody made.

    python experiments/submit.py --benchmark mit300 --model runs/NAME \\
        --stimuli BenchmarkIMAGES --output my_model.zip
    python experiments/submit.py --benchmark tuebingen --predictions DIR ... --output my_model.h5
    python experiments/submit.py --benchmark salicon --check maps.zip --stimuli images/test

The ending of `--output` chooses the format: .zip (2017) or .json (2015) for
salicon, a folder or .zip for mit300 and cat2000, .h5 for tuebingen, which gets
log densities. Nothing is written if a name, a size or a value is wrong.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import numpy as np

from keras_saliency import densities, map_files, outputs, progress, submissions, trained, training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    sizes = submissions.stimulus_sizes(args.benchmark, args.stimuli)
    whole = submissions.PICTURES.get(args.benchmark, len(sizes))
    print(f"{args.benchmark}: {len(sizes)} pictures in {args.stimuli}")
    if len(sizes) != whole:
        print(f"  the benchmark's test set has {whole}: a part of it will hardly be taken")

    def counted(maps):
        bar = progress.Bar(len(sizes), "pictures")
        for done, each in enumerate(maps, start=1):
            yield each
            bar.update(done)

    if args.check:
        submissions.validate(args.check, args.benchmark, args.stimuli, counted)
        print(f"{args.check}: nothing is wrong")
        return
    maps = (
        from_folder(args.predictions, sizes) if args.predictions else from_model(args, list(sizes))
    )
    maps = ((name, suited(name, values, args.benchmark)) for name, values in maps)
    getattr(submissions, args.benchmark)(counted(maps), args.stimuli, args.output)
    print(f"wrote {args.output}")


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("--benchmark", choices=submissions.BENCHMARKS, required=True, help="who will score it")
    source = parser.add_mutually_exclusive_group(required=True)
    trained.add_flag(source, default=None)
    source.add_argument("--predictions", metavar="DIR", help="map files named like the pictures")
    source.add_argument("--check", metavar="PATH", help="only check this file or folder")
    add("--stimuli", required=True, metavar="DIR", help="folder that holds the test pictures")
    add("--output", default="", metavar="OUT", help="file or folder to write")
    args = parser.parse_args(argv)
    if bool(args.output) == bool(args.check):
        parser.error("--output OUT goes with --model and --predictions, and not with --check")
    if args.predictions and not os.path.isdir(args.predictions):
        parser.error(f"no such folder: {args.predictions}")
    return args


def from_folder(folder, names):
    """Yields name and map of every file; an unreadable one is listed with the other problems."""
    for file in submissions.files_below(folder):
        if file == outputs.RECORD:  # predict.py's
            continue
        try:
            values = map_files.read(os.path.join(folder, file))
        except InputError as error:
            values = error
        whole = os.path.splitext(file)[0]  # a.jpg.png is a map of a.jpg too
        yield whole if whole in names else file, values


def from_model(args, names):
    training.load_tensorflow()
    from keras_saliency import prediction

    model = prediction.load(args.model)
    stimuli = (submissions.read_stimulus(os.path.join(args.stimuli, name)) for name in names)
    yield from zip(names, prediction.saliency_maps(model, stimuli), strict=True)


def suited(name, values, benchmark):
    """Saliency map to log density or back, as the benchmark wants it."""
    if isinstance(values, InputError):
        return values
    if benchmark != "tuebingen":
        return np.exp(values) if densities.is_log_density(values) else values
    if np.min(values) < 0:  # meant as a log density; whether it is one will be checked
        return values
    try:
        # A map without zeros needs no floor, and would lose by it.
        return densities.log_density(values, 0.0 if np.min(values) > 0 else densities.FLOOR)
    except InputError as error:
        return InputError(f"{name}: {error}")


if __name__ == "__main__":
    training.run(main)
