"""Predict where people look in pictures and videos: a map of each one's own size.

    python experiments/predict.py photo.jpg
    python experiments/predict.py --model runs/NAME FOLDER --output maps --write png overlay
    python experiments/predict.py --model runs/NAME clip.mp4 --every 5 --output maps --resume

An input is a picture, a folder (searched to the bottom), a pattern, or a video,
of which every frame is a picture (pip install 'keras_saliency[video]'). The maps
have the pictures' names. A file that cannot be read is listed at the end, the
others are predicted; the status is then 1. What was stopped goes on with --resume.
"""

import argparse
import logging
import os
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import devices, inputs, outputs, pictures, progress, stores, trained, training
from keras_saliency.errors import InputError, printable

# What changes a map; beside it, its kinds, and of the model its file's content.
SETTINGS = ("fit", "precision", "engine", "reference", "alpha", "colormap")


def main(argv=None):
    args = parse_args(argv)
    written = outputs.Outputs(
        args.output, args.write, args.alpha, args.colormap, reference=args.reference
    )
    found = inputs.find(args.inputs, args.output)
    written.check(found.sources)
    said = ", ".join(f"{number} {what}" for what, number in sorted(found.passed_over.items()))
    said = f"; passed over: {printable(said)}" if said else ""
    print(f"{counted(len(found.sources), 'file')} to predict{said}")

    sources, settings = found.sources, settings_of(args)
    # Maps of nobody knows which model count for nothing.
    args.resume = args.resume and written.resume(settings)
    if args.resume:
        sources = [s for s in sources if s.is_video or not written.done(s.name)]
        print(f"  {len(found.sources) - len(sources)} of them are done already")
    if sources:
        with warnings.catch_warnings():
            # What Pillow can read it reads, and what it cannot is listed.
            warnings.filterwarnings("ignore", module="PIL")
            logging.getLogger("PIL").setLevel(logging.CRITICAL)
            predict(args, sources, written, settings)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="files, folders, patterns, videos")
    trained.add_flag(parser)
    add("--output", default="maps", metavar="DIR", help="folder to write to (default: maps)")
    add(
        "--write",
        nargs="+",
        default=["png"],
        choices=outputs.KINDS,
        metavar="KIND",
        help=f"one or several of {', '.join(outputs.KINDS)} (default: png)",
    )
    add(
        "--fit",
        choices=("stretch", "letterbox"),
        help="bring pictures to the network's size by stretching, as in training (default), or "
        "keep their shape and pad them",
    )
    add("--every", type=training.positive, default=1, metavar="N", help="of N frames one")
    add("--resume", action="store_true", help="leave out what has its files in --output already")
    add(
        "--alpha",
        type=share,
        default=pictures.ALPHA,
        metavar="A",
        help="opacity of the overlay's colors, 0-1 (default: %(default)s)",
    )
    add("--colormap", default=pictures.COLORMAP, metavar="NAME", help="default: %(default)s")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16"),
        help="arithmetic of the layers; auto takes what the GPU or processor is fast at (default: "
        "as the model was saved; another engine: float32)",
    )
    add("--engine", choices=("keras", "openvino"), default="keras", help="what computes")
    add(
        "--reference",
        action="store_true",
        help="resize pictures and maps as SalGAN's authors did, blur and 8 bits included",
    )
    args = parser.parse_args(argv)
    if not args.output:
        parser.error("--output: wanted a folder to write to")
    if args.reference and args.fit:
        parser.error("--fit: the --reference has its own")
    args.fit = args.fit or ("reference" if args.reference else "stretch")
    return args


def share(text):
    """Reads a flag that takes a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"wanted a number from 0 to 1, got {text}")
    return value


def settings_of(args):
    """What maps are made by, as it is recorded; the precision is chosen here."""
    if args.precision:
        training.load_tensorflow()
        args.precision, reason = devices.choose_precision_to_predict(args.precision)
        print(f"precision: {args.precision} ({reason})")
    settings = {name: getattr(args, name) for name in SETTINGS}
    return {"model": stores.model_digest(args.model), **settings, "write": sorted(set(args.write))}


def predict(args, sources, written, settings):
    """Predicts what is left to do, and ends with status 1 if something could not be."""
    training.load_tensorflow()
    from keras_saliency import prediction

    count = inputs.count(sources, args.every)
    model = load(args, count)
    there, problems, done, last, started = [], [], 0, "", time.monotonic()

    def wanted(name):
        if args.resume and written.done(name):
            there.append(name)
            return False
        return True

    bar = progress.Bar(count, "pictures", rate=True)
    frames = inputs.each(sources, args.every, wanted)
    try:
        if not args.resume:
            written.begin(settings)
        for picture, error in prediction.each(model, frames, written.write, args.fit):
            problems += [error] if error else []
            done += not error
            last = last if error else picture.name
            bar.update(len(there) + done + len(problems))
    except OSError as error:
        raise InputError(
            f"{error.filename or args.output} cannot be written: {error.strerror or error}; "
            "what is done is kept, --resume goes on with the others"
        ) from error
    except KeyboardInterrupt:
        print("\npredict.py: stopped; --resume goes on with the others", file=sys.stderr)
        sys.exit(130)
    finally:
        bar.close()
    rate = f"{done / (time.monotonic() - started):.1f} a second"
    files = f", as {', '.join(written.paths(last).values())}" if last else ""
    report(f"{args.output}: {counted(done, 'picture')}, {rate}{files}", there, problems)


def report(said, there, problems):
    there = f"; {counted(len(there), 'frame')} had been done already" if there else ""
    print(f"{printable(said)}{there}")
    if problems:
        listed = "\n  ".join(printable(str(problem)) for problem in problems)
        print(f"{len(problems)} could not be predicted:\n  {listed}", file=sys.stderr)
        sys.exit(1)


def counted(number, what):
    return f"{number} {what}" + "s" * (number != 1)


def load(args, count):
    """What has an `input_shape` and a `predict_on_batch`; for many pictures, the faster kind."""
    precision = args.precision
    from keras_saliency import engines

    return engines.for_many(args.model, count, precision, args.engine)


if __name__ == "__main__":
    training.run(main)
