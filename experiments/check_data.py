"""Check a dataset: is it whole, is it what was published, what is odd about it?

    python experiments/check_data.py --data osie --data-dir DIR
    python experiments/check_data.py --data cat2000 --data-dir DIR --download
    python experiments/check_data.py --data osie --data-dir DIR --sheet sheet.png

Loads every split, decodes every picture, and prints a table and a line for
whatever is worth knowing. Status 1 if something is wrong, 0 if all is well.
`--download` first fetches what is missing, if there is a public address.
"""

import contextlib
import os
import sys

import numpy as np

from keras_saliency import (
    blurs,
    checking,
    datasets,
    downloads,
    loading,
    map_files,
    maps,
    pictures,
    sheets,
    training,
)
from keras_saliency.errors import InputError


def main(argv=None):
    args = parse_args(argv)
    module, release = loading.dataset(args.data)
    splits = [args.split] if args.split else list(module.SPLITS)
    options = {"release": release} if release else {}
    if args.download:
        download(args, module, splits, options)
    loaded, findings = checking.load(module, args.data_dir, splits, args.limit, **options)
    if not loaded and not os.path.isdir(args.data_dir):
        raise InputError(findings[0].text)
    of_content, whole = report(args, module, loaded, options)
    findings += of_content
    findings = list(dict.fromkeys(findings))  # a file of several splits is read for each
    for finding in findings:
        text = finding.text.encode(errors="backslashreplace").decode()  # not every name is text
        print(f"{'wrong' if finding.wrong else 'note'}: {text}")
    wrong = sum(finding.wrong for finding in findings)
    things = "1 thing is" if wrong == 1 else f"{wrong} things are"
    print(f"{things} wrong" if wrong else "all is well")
    if args.sheet:
        write_sheet(args, whole)
    if wrong:
        sys.exit(1)


def parse_args(argv):
    parser = training.Parser(__doc__)
    add = parser.add_argument
    training.add_data(parser, required=True)
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add("--split", default="", help="default: all of them")
    add("--download", action="store_true", help="fetch what is missing into --data-dir")
    add("--limit", type=training.positive, metavar="N", help="only the first N of each split")
    add("--sheet", default="", metavar="OUT.png", help="draw some pictures, fixations, densities")
    add("--count", type=training.positive, default=8, metavar="N", help="of pictures drawn")
    training.add_pixels_per_degree(parser)
    args = parser.parse_args(argv)
    if args.split:
        module, _ = loading.dataset(args.data)
        datasets.example.check_split(args.split, tuple(module.SPLITS))
    if args.sheet and not args.sheet.lower().endswith(".png"):
        raise InputError(f"--sheet writes a PNG file, {args.sheet} does not end in .png")
    if args.count > sheets.MAX_ROWS:
        raise InputError(f"--count: a sheet holds {sheets.MAX_ROWS} pictures at most")
    return args


def download(args, module, splits, options):
    """Fetches the dataset's archives, as long as not all of every split is there."""
    if not args.data_dir:
        raise InputError("--download needs the folder to write into: --data-dir DIR")

    def whole():
        loaded, findings = checking.load(module, args.data_dir, splits, **options)
        counts = {} if findings else published_counts(args, module, options)
        return not any(
            finding.wrong for finding in findings + checking.against_published(loaded, counts)
        )

    if whole():
        print(f"nothing to download: {', '.join(splits)} can be loaded")
        return
    offered = getattr(module, "OFFERED", f"{args.data} is not offered for download")
    archives = getattr(module, "ARCHIVES", [])
    if not archives:
        raise InputError(f"there is no address that --download could fetch from: {offered}")
    try:
        downloads.get(archives, args.data_dir, whole)
    except InputError as error:
        raise InputError(f"{error} ({offered})") from error


def report(args, module, loaded, options):
    """Prints what there is; returns the findings, and the pictures that can be shown."""
    counts, findings = {}, []
    described = args.data + (f" in {args.data_dir}" if args.data_dir else "")
    try:
        if loaded and hasattr(module, "describe"):
            described = module.describe(args.data_dir, **options)
        if loaded and not args.limit:
            counts = published_counts(args, module, options)
    except InputError as error:
        findings.append(checking.Finding(str(error)))
    found = checking.entries(loaded)
    print(described)
    findings += checking.against_published(loaded, counts) + checking.looked_at(found)
    if not found:
        return findings, []
    print(f"\n{checking.table(loaded, counts)}\n\nsizes: {checking.sizes(found)}")
    of_pictures, whole = checking.decoded(found)
    findings += of_pictures + checking.names(found)
    if not args.limit and ("all" in loaded or len(loaded) == len(module.SPLITS)):
        findings += checking.strays(found)
    sigma = loading.sigma(args)
    blur, of_blur = blurs.compare(found, sigma)
    if blur:
        print(f"blur: {blur_line(blur, sigma)}")
    print()
    return findings + of_blur, whole


def published_counts(args, module, options):
    """The dataset's `COUNTS`, or those of the release that is there."""
    if hasattr(module, "RELEASES"):
        return module.RELEASES[options.get("release") or module.release(args.data_dir)]
    return getattr(module, "COUNTS", {})


def blur_line(blur, sigma):
    """How well the published densities match the fixations blurred, in words."""

    def said(times):
        return f"{times * sigma:.3g} px" if sigma else f"1/{blurs.WIDTHS / times:.3g} width"

    tried = ", ".join(f"{said(times)} {cc:.3f}" for times, cc in blur.ccs.items())
    return (
        f"{blur.pictures} published densities have CC {blur.ccs[1.0]:.3f} with the fixations "
        f"blurred by {said(1.0)}, the best is {said(blur.best)} ({tried})"
    )


def write_sheet(args, whole):
    """Pictures at even distances, with fixations and densities laid over them."""
    sigma = loading.sigma(args)
    looked = [entry for entry in whole if len(entry.example.fixations)] or whole
    chosen = [entry.example for entry in checking.spread(looked, args.count)]
    splits = [entry.split for entry in checking.spread(looked, args.count)]
    if not chosen:
        raise InputError("no picture can be drawn")
    published = any(map(checking.has_density, chosen))
    rows = []
    for split, example in zip(splits, chosen, strict=True):
        layers = []
        if sigma:
            layers.append(maps.density(example.fixations, example.size, sigma))
        if published:
            layers.append(published_density(example))
        stimulus = pictures.of(example)
        rows.append(sheets.Row(label(split, example), stimulus, example.fixations, tuple(layers)))
    titles = ["fixations"] + [f"blurred, {sigma:g} px"] * bool(sigma)
    sheets.write(args.sheet, rows, titles + ["published density"] * published)
    print(f"wrote {args.sheet}")


def published_density(example):
    """`(h, w, 1)`; all zero if there is none, or none that can be read."""
    if checking.has_density(example):
        with contextlib.suppress(InputError):
            density = map_files.of(example)
            return density.reshape(*density.shape[:2], 1)
    return np.zeros((*example.size, 1))


def label(split, example):
    """A picture's text on the sheet."""
    observers = set() if example.observers is None else set(example.observers.tolist())
    lines = [example.name, f"{split}, {example.size[0]}x{example.size[1]}"]
    lines.append(f"{len(example.fixations)} fixations")
    lines += [f"of {len(observers)} observers"] * (example.observers is not None)
    return (*lines, *[f"{example.dropped} outside"] * bool(example.dropped))


if __name__ == "__main__":
    training.run(main)
