"""Predict where people look in pictures and videos: a map of each one's own size.

    python experiments/predict.py --model runs/NAME photo.jpg --output maps
    python experiments/predict.py --model runs/NAME FOLDER --output maps --write png overlay
    python experiments/predict.py --model runs/NAME clip.mp4 --every 5 --output maps --resume

An input is a picture, a folder (searched to the bottom), a pattern, or a video,
of which every frame is a picture (pip install 'keras_saliency[video]'). The maps
have the pictures' names. A file that cannot be read is listed at the end, the
others are predicted; the status is then 1.
"""

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import fitting, inputs, outputs, progress, training
from keras_saliency.errors import InputError

# Pictures. For fewer, `prediction.Frozen` does not pay: in batches of 8 it saves a hundredth
# of SalGAN's time, a quarter of JuntingNet's, and takes 2 and 8 seconds to make.
FROZEN_FROM = 5000


def main(argv=None):
    args = parse_args(argv)
    written = outputs.Outputs(
        args.output, args.write, args.alpha, args.colormap, reference=args.reference
    )
    found = inputs.find(args.inputs, args.output)
    written.check(found.sources)
    said = ", ".join(f"{number} {what}" for what, number in sorted(found.passed_over.items()))
    print(f"{len(found.sources)} files to predict" + (f"; passed over: {said}" if said else ""))

    there = []
    if args.resume:
        there = [s for s in found.sources if not s.is_video and written.done(s.name)]
        print(f"  {len(there)} of them are done already")
    sources = [source for source in found.sources if source not in there]
    if sources:
        predict(args, sources, written)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("inputs", nargs="+", metavar="INPUT", help="files, folders, patterns, videos")
    add("--model", required=True, metavar="RUN|FILE", help="a run folder or a .keras file")
    add("--output", required=True, metavar="DIR", help="folder to write to")
    add(
        "--write",
        nargs="+",
        default=["png"],
        choices=outputs.ENDINGS,
        metavar="KIND",
        help=f"one or several of {', '.join(outputs.ENDINGS)} (default: png)",
    )
    add(
        "--fit",
        choices=fitting.FITS,
        default="stretch",
        help="bring pictures to the network's size by stretching, as in training (default), or "
        "keep their shape and pad them",
    )
    add("--every", type=training.positive, default=1, metavar="N", help="of N frames one")
    add("--resume", action="store_true", help="leave out what has its files in --output already")
    add(
        "--alpha",
        type=share,
        default=outputs.ALPHA,
        metavar="A",
        help="opacity of the overlay's colors, 0-1 (default: %(default)s)",
    )
    add("--colormap", default=outputs.COLORMAP, metavar="NAME", help="default: %(default)s")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16"),
        help="arithmetic of the layers; auto takes what the processor is fast at (default: as "
        "the model was saved; another engine: float32)",
    )
    add("--engine", choices=("keras", "openvino"), default="keras", help="what computes")
    add(
        "--reference",
        action="store_true",
        help="bring maps to the pictures' size as SalGAN's authors did, blur and 8 bits included",
    )
    args = parser.parse_args(argv)
    if not os.path.exists(args.model):
        parser.error(f"no such file or folder: {args.model}")
    return args


def share(text):
    """Reads a flag that takes a number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def predict(args, sources, written):
    """Predicts what is left to do, and ends with status 1 if something could not be."""
    training.load_tensorflow()
    from keras_saliency import prediction

    count = inputs.count(sources, args.every)
    model = load(args, count)
    wanted = (lambda name: not written.done(name)) if args.resume else lambda name: True
    bar = progress.Bar(None if args.resume else count, "pictures", rate=True)
    problems, done, started = [], 0, time.monotonic()
    pictures = inputs.each(sources, args.every, wanted)
    try:
        for _, error in prediction.each(model, pictures, written.write, args.fit):
            problems += [error] if error else []
            done += not error
            bar.update(done + len(problems))
    except OSError as error:
        raise InputError(
            f"{error.filename or args.output} cannot be written: {error.strerror or error}; "
            "what is done is kept, --resume goes on with the others"
        ) from error
    finally:
        bar.close()
    seconds = time.monotonic() - started
    print(f"{args.output}: {done} pictures, {done / seconds:.1f} a second")
    if problems:
        listed = "\n  ".join(map(str, problems))
        print(f"{len(problems)} could not be predicted:\n  {listed}", file=sys.stderr)
        sys.exit(1)


def load(args, count):
    """What has an `input_shape` and a `predict_on_batch`; for many pictures, the faster kind."""
    precision = args.precision
    if precision:
        precision, reason = training.choose_precision(precision)
        if precision == "mixed_float16":  # for training, where a loss scale goes with it
            precision, reason = "float32", f"{reason}; maps are not predicted in float16"
        print(f"precision: {precision} ({reason})")
    if args.engine != "keras":
        from keras_saliency import engines

        reduced = precision == "mixed_bfloat16"
        return engines.load(args.model, args.engine, "bfloat16" if reduced else "float32")
    from keras_saliency import export, prediction

    model = prediction.load(args.model)
    if precision:
        copy = export.float32_copy if precision == "float32" else export.bfloat16_copy
        model = copy(model)
    return prediction.Frozen(model) if count and count >= FROZEN_FROM else model


if __name__ == "__main__":
    training.run(main)
