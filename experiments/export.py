"""Write a trained model for a server, a telephone, or another program.

    python experiments/export.py --model runs/NAME --output served/salgan/1
    python experiments/export.py --model runs/NAME --output onnx/1 --format onnx

A SavedModel takes pictures' files and gives maps' files (TensorFlow Serving
loads it from served/salgan); ONNX, LiteRT and OpenVINO take pictures of the
network's size, see docs/formats.md. What was written is tried before it is in
its place: its maps must be the network's.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import runtimes, trained, training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    check_output(args.output, args.format)
    if args.format in runtimes.FORMATS:
        runtimes.needed(args.format)
    training.load_tensorflow()
    from keras_saliency import formats, prediction

    model = prediction.load(args.model)
    height, width = model.input_shape[1:3]
    print(f"{args.model}: {model.name}, {height}x{width}, {model.count_params():,} weights")
    written = formats.write(model, args.output, args.format, args.weights, args.precision)
    print(
        f"{written.path}: {args.format}, weights {args.weights}, precision {args.precision}, "
        f"{size_of(args.output) / 1e6:.1f} MB\n"
        f"  maps differ from the network's by up to {written.difference:.1e} of the largest value\n"
        "  (random and smooth pictures, 1 and 3 at a time)\n"
        f"  a picture takes {written.milliseconds:.1f} ms here, the median of {formats.TIMED}"
    )


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    trained.add_flag(parser)
    add(
        "--output",
        required=True,
        metavar="DIR/VERSION",
        help="folder to write; servers take the highest version in DIR, a whole number",
    )
    add(
        "--format",
        choices=("saved_model", *runtimes.FORMATS),
        default="saved_model",
        help="default: %(default)s",
    )
    add(
        "--weights",
        choices=("float32", "float16"),
        default="float32",
        help="how weights are stored; float16 takes half the space (default: %(default)s)",
    )
    add(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="arithmetic of a SavedModel; bfloat16 is faster on processors that have it "
        "(default: %(default)s)",
    )
    args = parser.parse_args(argv)
    if args.precision != "float32" and args.format != "saved_model":
        parser.error(f"--precision is a SavedModel's; {args.format} is told where it runs")
    return args


def check_output(folder, format):
    """Says early what is odd about the folder."""
    name = os.path.basename(os.path.abspath(folder))
    if os.path.splitext(name)[1] in (".onnx", ".tflite", ".xml", ".pb", ".keras"):
        version = os.path.join(os.path.dirname(folder), "1")
        raise InputError(f"{folder} would be a folder: --output takes one, like {version}")
    if format == "saved_model":
        if not (name.isascii() and name.isdecimal() and int(name) > 0):
            print(f"WARNING: TensorFlow Serving ignores {folder}: {name} is no version like 1")
        elif os.path.isdir(folder):
            print(
                f"WARNING: {folder} is replaced; a server that runs keeps the old one: its number"
            )


def size_of(folder):
    places = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return sum(map(os.path.getsize, places))


if __name__ == "__main__":
    training.run(main)
