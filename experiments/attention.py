"""What people look at in a picture: regions, focal point, crops, two designs.

    python experiments/attention.py regions photo.jpg --regions regions.json
    python experiments/attention.py focus *.jpg --json focus.json
    python experiments/attention.py crop photo.jpg --aspect 16:9 --output crop.jpg
    python experiments/attention.py compare a.png b.png --regions a.json b.json --model RUN

Instead of `--model`, `--map` takes maps that are there already. `--draw` writes
what was found over the picture, to look at. `crop` and `focus` take several
pictures; those that cannot be read are left out and listed, with status 1.
Crops of people need your own eyes: docs/attention.md says what to check.
"""

import argparse
import collections
import contextlib
import dataclasses
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import (
    attention,
    attention_pictures,
    attention_regions,
    cropping,
    files,
    map_files,
    pictures,
    resizing,
    shipped,
    trained,
    training,
)
from keras_saliency.errors import InputError

# Which flags go with what.
FLAGS = {
    "regions": {"regions"},
    "focus": set(),
    "crop": {"aspect", "scale", "min_share", "output"},
    "compare": {"regions"},
}


def main(argv=None):
    args = parse_args(argv)
    commands = {"regions": regions, "focus": focus, "crop": crop, "compare": compare}
    failed = []
    found = commands[args.what](args, failed)
    if args.json:
        files.write_json(args.json, found)
        print(f"wrote {args.json}")
    if failed:
        print(*(f"left out: {line}" for line in failed), sep="\n", file=sys.stderr)
        print(f"{len(failed)} of {len(args.pictures)} pictures were left out", file=sys.stderr)
        sys.exit(1)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("what", choices=tuple(FLAGS), help="what to find out")
    add("pictures", nargs="+", metavar="PICTURE", help="picture files; two for compare")
    source = parser.add_mutually_exclusive_group()
    trained.add_flag(source, default=None)
    source.add_argument(
        "--map",
        nargs="+",
        metavar="PATH",
        help="a map file for each picture, or a folder of map files named like them",
    )
    add("--regions", nargs="+", metavar="JSON", help="regions of the picture; of compare, of each")
    add("--aspect", type=aspect, metavar="W:H", help="of the crop, width to height: 16:9")
    add("--scale", type=share, metavar="S", help="of the crop: 0.5 is half of the largest's sides")
    add(
        "--min-share",
        type=share,
        metavar="P",
        help="of the attention that a crop must hold, 0-1; it grows from --scale on until it does",
    )
    add("--output", default="", metavar="PATH", help="crops: a .jpg, .png or .webp, or a folder")
    add("--draw", default="", metavar="PATH", help="draw the result: a .png, or a folder")
    add("--json", default="", metavar="OUT.json", help="write the numbers too")
    args = parser.parse_args(argv)
    args.model = args.model or (None if args.map else shipped.NAME)
    check(parser, args)
    return args


def check(parser, args):
    """Mistakes of the command line, before anything slow."""
    for name in sorted(set().union(*FLAGS.values()) - FLAGS[args.what]):
        if getattr(args, name):
            parser.error(f"--{name.replace('_', '-')} does not go with {args.what}")
    wanted = {"regions": 1, "compare": 2}.get(args.what)
    if wanted and len(args.pictures) != wanted:
        parser.error(f"{args.what} looks at {wanted}, here are {len(args.pictures)} pictures")
    if wanted and not 1 <= len(args.regions or ()) <= wanted:
        parser.error(f"{args.what} needs --regions JSON, of the picture or of each")
    if args.what == "crop" and not (args.aspect and (args.output or args.draw or args.json)):
        parser.error("crop needs --aspect W:H, and --output PATH, --draw PATH or --json OUT.json")
    if args.map and not one_folder(args.map) and len(args.map) != len(args.pictures):
        parser.error(f"--map has {len(args.map)} files for {len(args.pictures)} pictures")
    # Two designs are drawn in one file.
    drawn = args.pictures[:1] if args.what == "compare" else args.pictures
    args.crops = outputs("--output", args.output, args.pictures, tuple(cropping.MODES))
    args.drawings = outputs("--draw", args.draw, drawn, (".png",))
    read = set(map(os.path.realpath, [*args.pictures, *(args.map or ()), *(args.regions or ())]))
    written = [os.path.realpath(path) for path in [*args.crops, *args.drawings, args.json] if path]
    for path in written:
        if written.count(path) > 1:
            raise InputError(f"{path} would be written twice: give folders, or other names")
        if path in read or (args.map and os.path.dirname(path) == os.path.realpath(args.map[0])):
            raise InputError(f"{path} would be written among what is read: write elsewhere")


def outputs(flag, path, read, endings):
    """What is written for each picture: `path`, or a file called like the picture in it."""
    if not path:
        return [""] * len(read)
    ending = os.path.splitext(path)[1].lower()
    if not ending or os.path.isdir(path):
        names = map(os.path.splitext, map(os.path.basename, read))
        return [os.path.join(path, n + (e if e.lower() in endings else ".png")) for n, e in names]
    if ending not in endings:
        raise InputError(f"{flag} writes {', '.join(endings)}, or into a folder, not {path}")
    if len(read) > 1:
        raise InputError(f"{flag}: {len(read)} pictures need a folder, {path} is one file")
    return [path]


def aspect(text):
    """Reads 16:9, or the number that it is."""
    width, colon, height = text.partition(":")
    return training.above_zero(width) / training.above_zero(height if colon else "1")


def share(text):
    value = training.above_zero(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"wanted a number above 0, at most 1, got {text}")
    return value


def one_folder(paths):
    return len(paths) == 1 and os.path.isdir(paths[0])


# What each of them does: it prints, draws, and returns what goes into the JSON file.


def regions(args, failed):
    # Before a model is loaded: mistakes are more likely here.
    found = attention_regions.read(args.regions[0], pictures.size(args.pictures[0]))
    ((i, path, stimulus, saliency_map),) = with_maps(args)
    measures = (attention.region_shares, attention.area_shares, attention.per_area)
    shares, *others = (measure(saliency_map, found.values()) for measure in measures)
    rest = attention.elsewhere(saliency_map, found.values())
    lines = list(zip(found, shares, *others, strict=True))
    print(path)
    table(
        ["", "attention", "area", "per area"],
        [[name, percent(a), percent(b), f"{c:.2f}"] for name, a, b, c in lines]
        + [["elsewhere", percent(rest), "", ""]],
    )
    labels = list(map(percent, shares))
    draw(args.drawings[i], attention_pictures.regions, stimulus, saliency_map, found, labels)
    keys = ("name", "share", "area", "per_area")
    rows = [dict(zip(keys, line, strict=True)) for line in lines]
    return {"picture": path, "regions": rows, "elsewhere": rest}


def focus(args, failed):
    rows = []
    for i, path, stimulus, saliency_map in with_maps(args, failed):
        with leaving_out(failed, f"{path}: "):
            x, y = attention.focal_point(saliency_map)
            height, width = stimulus.shape[:2]
            draw(args.drawings[i], attention_pictures.focus, stimulus, saliency_map, (x, y))
            across, down = percent((x + 0.5) / width), percent((y + 0.5) / height)
            print(f"{path}: x {x}, y {y} ({across} from the left, {down} from the top)")
            rows.append({"picture": path, "x": x, "y": y, "width": width, "height": height})
    return rows


def crop(args, failed):
    rows = []
    for i, path, stimulus, saliency_map in with_maps(args, failed):
        with leaving_out(failed, f"{path}: "):
            box = cropping.crop_box(saliency_map, args.aspect, args.scale or 1, args.min_share)
            (held,) = attention.region_shares(saliency_map, [box])
            if args.crops[i]:
                cropping.write(args.crops[i], path, box)
            draw(args.drawings[i], attention_pictures.crop, stimulus, box)
            x, y, width, height = box
            print(f"{path}: {width}x{height} pixels from x {x}, y {y}: {held:.1%} of the attention")
            size = {"x": x, "y": y, "width": width, "height": height}
            rows.append({"picture": path, **size, "share": held})
    return rows


def compare(args, failed):
    jsons = args.regions * 2 if len(args.regions) == 1 else args.regions
    sizes = map(pictures.size, args.pictures)
    found = list(map(attention_regions.read, jsons, sizes))
    a, b = designs = list(with_maps(args))
    result = attention.compare_designs(a[3], b[3], *found)
    print(f"A: {a[1]}\nB: {b[1]}")
    table(
        ["attention", "A", "B", "B - A, points"],
        [
            [r["name"], percent(r["a"]), percent(r["b"]), points(r["difference"])]
            for r in result.regions
        ],
    )
    alike = "a map is constant" if a[3].shape == b[3].shape else "their sizes differ"
    if result.cc is not None:
        alike = f"CC {result.cc:.3f}, SIM {result.sim:.3f}"
    print(f"how alike the two maps are: {alike}")
    drawn = [(d[2], d[3], regions) for d, regions in zip(designs, found, strict=True)]
    draw(args.drawings[0], attention_pictures.designs, drawn, [f"A: {a[1]}", f"B: {b[1]}"])
    return {"a": a[1], "b": b[1], **dataclasses.asdict(result)}


@contextlib.contextmanager
def leaving_out(failed, where=""):
    """One picture's mistake does not lose the others. Without a list it is raised."""
    try:
        yield
    except InputError as error:
        if failed is None:
            raise
        failed.append(f"{where}{error}")


def with_maps(args, failed=None):
    """Yields the number, path, pixels and map of every picture that can be read."""
    waiting = collections.deque()

    def readable():
        for i, path in enumerate(args.pictures):
            stimulus = saliency_map = None
            with leaving_out(failed):
                stimulus = pictures.read(path)
                saliency_map = stimulus if args.model else read_map(args, i, stimulus.shape[:2])
            if saliency_map is not None:
                waiting.append((i, path, stimulus))
                yield saliency_map

    maps = readable()
    if args.model:
        training.load_tensorflow()
        from keras_saliency import prediction

        maps = prediction.saliency_maps(prediction.load(args.model), maps)
    for saliency_map in maps:
        yield (*waiting.popleft(), saliency_map)


def read_map(args, i, size):
    """The map file of a picture; one of another size is stretched over it."""
    named = [os.path.basename(args.pictures[i])]
    file = map_files.find(args.map[0], named)[0] if one_folder(args.map) else args.map[i]
    values = map_files.read_map(file)
    if values.shape[:2] == size:
        return values
    shapes = " over ".join(f"{height}x{width}" for height, width in (values.shape[:2], size))
    print(f"note: {file} is stretched, {shapes} pixels", file=sys.stderr)
    return resizing.resize(values, size)


def draw(path, function, *arguments):
    if path:
        pictures.write_png(path, function(*arguments))
        print(f"wrote {path}")


def percent(value):
    return "–" if value is None else f"{value:.1%}"


def points(value):
    return "–" if value is None else f"{100 * value:+.1f}"


def table(titles, rows):
    """Prints columns below each other, numbers at the right."""
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in [titles, *rows]:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())


if __name__ == "__main__":
    training.run(main)
