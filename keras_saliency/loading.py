"""What a script's flags say of the data: which pictures, how blurred, from where."""

import argparse
import os

from keras_saliency import datasets, maps
from keras_saliency.errors import InputError

NAMED = 5  # pictures in a message
DATASETS = tuple(name for name in datasets.__all__ if name != "Example")


def dataset(data: str):
    """The module of a `--data`, and the release that it names, or None."""
    name, _, release = data.partition(":")
    return getattr(datasets, name), release or None


def load_split(args: argparse.Namespace, split: str, limit: int | None = None) -> list:
    """The examples of one split; says how many, and which fixations were dropped."""
    module, release = dataset(args.data)
    if hasattr(module, "RELEASES"):
        # What was found is what the run records and tables are titled with.
        release = {"release": release or module.release(args.data_dir)}
        args.data = f"{args.data.partition(':')[0]}:{release['release']}"
    examples = module.load(args.data_dir, split, limit=limit, **(release or {}))
    fixations = sum(len(example.fixations) for example in examples)
    densities = sum(example.published for example in examples)
    looked = f"{densities} densities" if densities and not fixations else f"{fixations} fixations"
    print(f"{args.data} {split}: {len(examples)} pictures, {looked}")
    outside = [example for example in examples if example.dropped]
    if outside:
        names = ", ".join(example.name for example in outside[:NAMED])
        more = f" and {len(outside) - NAMED} more" if len(outside) > NAMED else ""
        dropped = sum(example.dropped for example in outside)
        print(f"  dropped {dropped} fixations outside their pictures: {names}{more}")
    return examples


def load_scored(args: argparse.Namespace, split: str, limit: int | None = None) -> list:
    """`load_split`, of what there is a truth for.

    Raises:
        InputError: if nothing that scores are taken against was published.
    """
    examples = load_split(args, split, limit)
    if not any(len(example.fixations) or example.published for example in examples):
        raise InputError(
            f"{args.data} {split} has neither fixations nor densities to score against: its truth "
            "was not published; submit.py writes what its benchmark takes"
        )
    return examples


def shards_folder(data_dir: str, size: tuple[int, int], map_size=None) -> str:
    """Where the shards of a dataset lie, for networks of these sizes of input and output."""
    sizes = ("x".join(map(str, each)) for each in (size, map_size or size))
    return os.path.join(data_dir, "shards", "-".join(dict.fromkeys(sizes)))


def source(args: argparse.Namespace, examples: list, size, sigma: float | None, map_size=None):
    """`pipeline.load`'s `Source`, from the dataset's shards where there are some."""
    from keras_saliency import pipeline, shards

    lazy = (
        getattr(args, "strategy", "none") == "multiworker"
    )  # each of several machines needs a part of them
    folder = shards_folder(args.data_dir, size, map_size)
    written = args.data_dir and os.path.isfile(os.path.join(folder, shards.INDEX))
    # They are of the pictures as they are in their files.
    if not written or any(example.file_size for example in examples):
        return pipeline.load(examples, size, sigma, map_size, lazy=lazy)
    try:
        found = shards.load(folder, examples, size, sigma, map_size)
    except InputError as error:
        print(f"  the shards are left alone: {error}")
        return pipeline.load(examples, size, sigma, map_size, lazy=lazy)
    print(f"  pictures from {folder}")
    return found


def scored_split(data: str) -> str:
    """The split of a dataset that scores are taken of after training on its "train"."""
    return getattr(dataset(data)[0], "SCORED", "test")


def unseen_split(data: str) -> str:
    """The split that a model which knows nothing of the dataset is scored on."""
    module, _ = dataset(data)
    whole = "all" in module.SPLITS and not hasattr(module, "SCORED")
    return "all" if whole else scored_split(data)


def sigma(args: argparse.Namespace, blurred: list = ()) -> float | None:
    """The density's blur in pixels: one degree if that is known, else the dataset's, or None.

    Args:
        args: of the script.
        blurred: list of `Example` that cannot do without.

    Raises:
        InputError: if there is none and one of `blurred` has fixations to blur.
    """
    if args.pixels_per_degree:
        return maps.degrees_to_pixels(1.0, args.pixels_per_degree)
    known = dataset(args.data)[0].SIGMA
    if known is None and any(len(e.fixations) and not e.published for e in blurred):
        raise InputError(
            f"how far to blur the fixations of {args.data} is not known: give --pixels-per-degree "
            "P; of pictures 1024 pixels wide, 40 cm on the screen and seen from 60 cm, P is "
            "keras_saliency.maps.pixels_per_degree(1024, 40, 60)"
        )
    return known


def at_size(examples: list, sigma: float | None, size: str) -> tuple[list, float | None]:
    """The examples with their pictures brought to one size, and the blur that goes with it.

    Args:
        examples: list of `datasets.Example`.
        sigma: in pixels of the pictures as they are, or None.
        size: "HxW", pixels.

    Raises:
        InputError: if it is no size, or the pictures' sizes differ, so that one
            blur cannot fit them all.
    """
    try:
        height, width = height_width(size)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"the size of the pictures: {error}") from None
    sizes = {example.size for example in examples}
    if sigma is not None and len(sizes) > 1:
        raise InputError(f"pictures of {len(sizes)} sizes cannot all be brought to {size}")
    scale = height / examples[0].size[0]
    resized = [datasets.example.at_size(example, (height, width)) for example in examples]
    return resized, None if sigma is None else sigma * scale


def height_width(text: str) -> tuple[int, int]:
    """Reads a flag that takes HEIGHTxWIDTH."""
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted HEIGHTxWIDTH like 192x256, got {text}") from None
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"wanted HEIGHTxWIDTH of at least one pixel, got {text}")
    return height, width
