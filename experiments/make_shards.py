"""Decodes a dataset once and for all: TFRecord shards at a network's size, in DIR/shards.

    python experiments/make_shards.py --data cat2000 --data-dir DIR --size 192x256

Trainers that are given the same --data-dir and --size then take the pictures
from there, many times faster than from their files, and train the same. Worth
it for datasets that do not fit into memory; a picture of 192x256 takes 300 kB.
Begun once more, it goes on with what is missing. JuntingNet also needs the
size of its output, --map-size 48x48; pix2pix those of its --size, and takes
none where its recipe resizes the pictures first (CAT2000's does).
"""

from keras_saliency import loading, training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    training.load_tensorflow()
    from keras_saliency import shards

    module, _ = loading.dataset(args.data)
    if "train" not in module.SPLITS:
        raise InputError(f"{args.data} has no fixations to make shards of")
    splits = ("train", loading.scored_split(args.data))  # what trainers take
    looked_at = [e for split in splits for e in loading.load_split(args, split, args.limit)]
    folder = loading.shards_folder(args.data_dir, args.size, args.map_size)
    shards.write(looked_at, args.size, loading.sigma(args, looked_at), folder, args.map_size)
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
