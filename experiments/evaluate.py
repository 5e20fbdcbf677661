"""Score a model on a dataset, picture by picture, beside the center bias.

    python experiments/evaluate.py --model runs/NAME --data osie --data-dir DIR

`--model` is a run folder or a .keras file. Scores are taken at each picture's
own size; `--csv` keeps them, a row a picture.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import datasets, files, training
from keras_saliency.errors import InputError

CENTER_BIAS_SIZE = (192, 256)


def main(argv=None):
    args = parse_args(argv)
    path = model_file(args.model)
    dataset = getattr(datasets, args.data)
    examples = dataset.load(args.data_dir, args.split, limit=args.limit)
    # Never from the pictures that are scored.
    others = [e for e in dataset.load(args.data_dir, "train") if e.name not in names(examples)]
    if not others:
        raise InputError(f"--split {args.split} leaves no training picture for the center bias")

    training.load_tensorflow()
    from keras_saliency import evaluation, maps, prediction

    model = load_model(path)
    bias = maps.center_bias(others, CENTER_BIAS_SIZE, dataset.SIGMA)
    stimuli = map(evaluation.stimulus, examples)
    scored = {
        args.model: prediction.saliency_maps(model, stimuli),
        "center bias": evaluation.center_bias_maps(bias, examples),
    }
    scored = {
        name: evaluation.score(saliency_maps, examples, dataset.SIGMA, bias)
        for name, saliency_maps in scored.items()
    }
    title = f"{args.data} {args.split}, {len(examples)} pictures: "
    print(evaluation.table(title + evaluation.PROTOCOL.format(sigma=dataset.SIGMA), scored))
    if args.csv:
        files.write_csv(args.csv, scored[args.model])


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="RUN|FILE", help="a run folder or a .keras file")
    add("--data", choices=training.DATASETS, default="synthetic", help="default: %(default)s")
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add("--split", default="test", help="default: %(default)s")
    add("--limit", type=int, metavar="N", help="only the first N pictures")
    add("--csv", default="", metavar="FILE", help="where to write the scores of every picture")
    return parser.parse_args(argv)


def names(examples):
    return {example.name for example in examples}


def model_file(model):
    path = os.path.join(model, "model.keras") if os.path.isdir(model) else model
    if not os.path.isfile(path):
        raise InputError(f"no such file: {path}; --model takes a finished run or a .keras file")
    return path


def load_model(path):
    import keras

    from keras_saliency import layers, losses, metrics  # noqa: F401  registers what a file may name

    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path} cannot be loaded as a Keras model ({reason})") from error


if __name__ == "__main__":
    training.run(main)
