"""Compare two models by the scores that evaluate.py wrote of every picture.

    python experiments/compare.py A.csv B.csv

Prints a table: means, their difference with its interval, and whether it is
more than chance. With `--sheet OUT.png --data NAME` it also draws the pictures
on which the two differ most; `--maps A_DIR B_DIR` adds their saliency maps,
files named like the picture.
"""

import os

from keras_saliency import comparison, loading, pictures, protocols, reported, training
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    a, b = comparison.read_csv(args.a), comparison.read_csv(args.b)
    names = model_names(args.a, args.b)
    pairs = comparison.paired(a, b)
    of = f"{args.data} {args.split}: " if args.data else ""
    print(
        f"{of}{len(pairs.pictures)} pictures are in both files, "
        f"{pairs.only_a} only in {args.a}, {pairs.only_b} only in {args.b}\n"
    )
    print(comparison.table(comparison.compare(a, b), *names))
    if args.data:
        print(reported.table(args.data, args.split), end="")
    if args.sheet:
        write_sheet(args, a, b, names)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("a", metavar="A.csv", help="one model's scores, from evaluate.py --csv")
    add("b", metavar="B.csv", help="the other's, of the same pictures")
    add("--sheet", default="", metavar="OUT.png", help="draw the pictures that differ most")
    training.add_data(parser, default=None)  # what papers report for it, and --sheet
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add(
        "--split",
        default="",
        help="default: test, or val where it has no truth; of folder, pysaliency all",
    )
    add("--score", choices=comparison.SCORES, default="nss", help="that they differ most in")
    add("--count", type=training.positive, default=8, metavar="N", help="of pictures drawn")
    add("--maps", nargs=2, metavar=("A_DIR", "B_DIR"), help="folders of the models' maps")
    args = parser.parse_args(argv)
    if args.data:
        args.data = with_release(args.data, args.data_dir)
        args.split = args.split or loading.unseen_split(args.data)
    if args.sheet and not args.data:
        raise InputError("--sheet draws the pictures: give their dataset too, --data NAME")
    if args.maps and not args.sheet:
        raise InputError("--maps are for the contact sheet: give --sheet OUT.png too")
    if args.sheet and not args.sheet.lower().endswith(".png"):
        raise InputError(f"--sheet writes a PNG file, {args.sheet} does not end in .png")
    return args


def with_release(data, data_dir):
    """The dataset's name with the release that scores and papers' numbers are of."""
    module, release = loading.dataset(data)
    if release or not hasattr(module, "RELEASES"):
        return data
    if not data_dir:
        raise InputError(
            f"of which release of {data} are the scores? Give its folder, --data-dir DIR, or "
            f"--data {' or '.join(f'{data}:{each}' for each in module.RELEASES)}"
        )
    return f"{data}:{module.release(data_dir)}"


def model_names(a, b):
    """The files' names without their ending, or the paths if those are the same."""
    names = [os.path.splitext(os.path.basename(path))[0] for path in (a, b)]
    return names if names[0] != names[1] else [a, b]


def write_sheet(args, a, b, names):
    from keras_saliency import map_files, sheets

    chosen = comparison.most_different(a, b, args.score, args.count)
    if not chosen:
        raise InputError(f"no picture differs in {args.score}: there is nothing to draw")
    found = [map_files.find(folder, chosen) for folder in args.maps or ()]
    examples = {example.name: example for example in loading.load_split(args, args.split)}
    rows = []
    for i, name in enumerate(chosen):
        if name not in examples:
            raise InputError(f"{name} of {args.a} is not in {args.data} {args.split}: see --split")
        example = examples[name]
        stimulus = pictures.of(example)
        maps = tuple(map_files.read_map(paths[i]) for paths in found)
        lines = label(name, args.score, names, (a[name][args.score], b[name][args.score]))
        rows.append(sheets.Row(lines, stimulus, example.fixations, maps))
    sheets.write(args.sheet, rows, ["fixations", *(names if args.maps else [])])
    print(f"wrote {args.sheet}")


def label(picture, score, names, values):
    """A picture's text on the sheet; the better model has a tick."""
    lower = score in protocols.LOWER_IS_BETTER
    ticks = ("", " ✓") if (values[1] > values[0]) != lower else (" ✓", "")
    scored = zip(values, names, ticks, strict=True)
    return (
        picture,
        f"{protocols.heading(score)}, {abs(values[1] - values[0]):.3f} apart",
        *(f"{value:.3f}  {name}{tick}" for value, name, tick in scored),
    )


if __name__ == "__main__":
    training.run(main)
