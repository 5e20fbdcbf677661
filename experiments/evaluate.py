"""Score a model on a dataset, picture by picture, beside the center bias.

    python experiments/evaluate.py --model runs/NAME --data osie --data-dir DIR

`--model` is a run folder or a .keras file. Scores are taken at each picture's
own size; `--csv` keeps them, a row a picture.
"""

import os
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import datasets, files, training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    path = model_file(args.model)
    examples = training.load_split(args, args.split, args.limit)
    scored_names = {example.name for example in examples}
    # The center bias is never made of the pictures that are scored.
    others = [e for e in training.load_split(args, "train") if e.name not in scored_names]
    if not others:
        raise InputError(f"--split {args.split} leaves no training picture for the center bias")

    training.load_tensorflow()
    from keras_saliency import evaluation

    sigma = getattr(datasets, args.data).SIGMA
    scored = evaluation.beside_center_bias(args.model, load_model(path), others, examples, sigma)
    title = evaluation.title(f"{args.data} {args.split}", examples, sigma)
    print(f"\n{evaluation.table(title, scored)}")
    if args.csv:
        files.write_csv(args.csv, scored[args.model])


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="RUN|FILE", help="a run folder or a .keras file")
    add("--data", choices=training.DATASETS, default="synthetic", help="default: %(default)s")
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add("--split", default="test", help="default: %(default)s")
    add("--limit", type=training.positive, metavar="N", help="only the first N pictures")
    add("--csv", default="", metavar="FILE", help="where to write the scores of every picture")
    return parser.parse_args(argv)


def model_file(model):
    path = os.path.join(model, "model.keras") if os.path.isdir(model) else model
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; --model takes a finished run or a .keras file")
    return path


def load_model(path):
    """The generator in a .keras file, which may hold it alone or a whole SaliencyGAN."""
    import keras

    from keras_saliency import gan, layers, losses, metrics  # noqa: F401  what a file may name

    try:
        model = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path} cannot be loaded as a Keras model ({reason})") from error
    return getattr(model, "generator", model)


if __name__ == "__main__":
    training.run(main)
