"""Decodes a dataset once and for all: TFRecord shards at a network's size, in DIR/shards.

    python experiments/make_shards.py --data cat2000 --data-dir DIR --size 192x256

Trainers that are given the same --data-dir and --size then take the pictures
from there, many times faster than from their files, and train the same. Worth
it for datasets that do not fit into memory; a picture of 192x256 takes 300 kB.
Begun once more, it goes on with what is missing.
"""

from keras_saliency import training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    training.load_tensorflow()
    from keras_saliency import shards

    module, _ = training.dataset(args.data)
    splits = ["all"] if "all" in module.SPLITS else list(module.SPLITS)
    examples = [e for split in splits for e in training.load_split(args, split, args.limit)]
    looked_at = [e for e in examples if len(e.fixations) or e.published]
    if not looked_at:
        raise InputError(f"{args.data} has no fixations to make shards of")
    folder = training.shards_folder(args.data_dir, args.size, args.map_size)
    shards.write(looked_at, args.size, training.sigma(args, looked_at), folder, args.map_size)
    print(f"{len(looked_at)} pictures: {folder}")


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    training.add_data(parser, required=True)
    add("--data-dir", required=True, metavar="DIR", help="folder that holds the dataset")
    training.add_size(parser, "--size", "height x width of the network's input", required=True)
    training.add_size(parser, "--map-size", "of its output (default: --size; JuntingNet: 48x48)")
    training.add_pixels_per_degree(parser)
    add("--limit", type=training.positive, metavar="N", help="only the first N of each split")
    return parser.parse_args(argv)


if __name__ == "__main__":
    training.run(main)
