"""Turn the pickles of the JuntingNet papers into files that load fast and safely.

    python experiments/convert_pickle.py train.pkl val.pkl --output DIR

writes DIR/train.npz and DIR/val.npz, whole or not at all. The pickles are not
trusted: what is not arrays, text or numbers is refused. Then

    python experiments/train_juntingnet.py --data pickled --data-dir DIR

and evaluate.py with the same two flags need the pickles no more.
"""

import os

from keras_saliency import training
from keras_saliency.datasets import pickled
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    problems = []
    for path, output in outputs(args.pickles, args.output).items():
        print(f"reading {path}", flush=True)
        try:
            found = pickled.convert(path, output)
        except InputError as error:
            problems.append(str(error))
            continue
        print(f"  {found}\n  wrote {output}: it loads without the pickle")
        if os.path.basename(output) not in [f"{split}.npz" for split in pickled.SPLITS]:
            print(f"  rename it for --data pickled: {'.npz, '.join(pickled.SPLITS)}.npz")
    if problems:
        listed = "".join(f"\n  {line}" for line in problems[1:])
        raise InputError(problems[0] + listed)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("pickles", nargs="+", metavar="PICKLE", help="train.pkl, val.pkl or the like")
    add("--output", required=True, metavar="DIR", help="folder to write into")
    return parser.parse_args(argv)


def outputs(paths, folder):
    """Where each pickle goes."""
    found = {}
    for path in paths:
        stem = os.path.splitext(os.path.basename(path))[0]
        output = os.path.join(folder, f"{stem}.npz")
        if output in found.values():
            raise InputError(f"two pickles would both become {output}")
        found[path] = output
    return found


if __name__ == "__main__":
    training.run(main)
