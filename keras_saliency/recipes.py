"""A training script's recipe: its values, --set, its loss, and the pictures held out."""

import argparse
import ast
import pathlib

import numpy as np

from keras_saliency.errors import InputError

# Of --set: what a value is called, and how it is read.
KINDS = {
    bool: ("yes or no", {"yes": True, "true": True, "no": False, "false": False}.__getitem__),
    int: ("a whole number", int),
    float: ("a number", float),
    str: ("a word", str),
}


def _names(module, table):
    """Those in a module's table: read, as importing it would take Keras' seconds."""
    text = (pathlib.Path(__file__).parent / module).read_text(encoding="utf-8")
    [names] = [
        node.value.keys
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == table
    ]
    return tuple(ast.literal_eval(name) for name in names)


LOSSES = _names("losses.py", "NAMED")
ENCODERS = ("vgg16", *_names("models/encoders.py", "APPLICATIONS"))
SCHEDULES = _names("optimizers.py", "SCHEDULES")


def add_flags(parser: argparse.ArgumentParser, recipe: dict) -> None:
    """Adds --recipe and --set.

    Args:
        parser: of `training.parser`.
        recipe: dict, whose names the help lists.
    """
    parser.add_argument(
        "--recipe",
        choices=("auto", "paper", "small"),
        default="auto",
        help="as published, or for a few hundred pictures; auto: small for synthetic, osie, folder",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help=f"of {', '.join(recipe)}",
    )


def fill(args: argparse.Namespace, recipe: dict, choices: dict, ranges: dict) -> None:
    """Gives `args` what the command line left open: --set's values, else the recipe's.

    Args:
        args: of `training.parse`; changed in place.
        recipe: values by name.
        choices: by name, the words that are allowed.
        ranges: by name, from and up to where a number makes sense.

    Raises:
        InputError: if --set names what the recipe has not, or a value is none
            of these, or is given twice.
    """
    assigned = assignments(args.set, recipe)
    for name, value in {**recipe, **assigned}.items():
        if name in assigned and getattr(args, name, value) not in (None, value):
            raise InputError(f"{name} is given twice: by --{name.replace('_', '-')} and by --set")
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    for name, allowed in choices.items():
        if getattr(args, name) not in allowed:
            wanted = ", ".join(allowed)
            raise InputError(f"--set {name} is one of {wanted}. Received: {getattr(args, name)}")
    for name, (low, high) in ranges.items():
        if not low <= getattr(args, name) <= high:
            raise InputError(f"{name} is {low} to {high:g}. Received: {getattr(args, name)}")


def assignments(texts: list[str], recipe: dict) -> dict:
    """Reads the values of --set NAME=VALUE, each of the kind that the recipe has.

    Example:
        >>> assignments(["dropout=0.5", "mirror=no"], {"dropout": 0.0, "mirror": True})
        {'dropout': 0.5, 'mirror': False}
    """
    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in recipe or not value:
            known = ", ".join(name for name, old in recipe.items() if type(old) in KINDS)
            raise InputError(f"--set takes NAME=VALUE, NAME one of {known}. Received: {text}")
        wanted, convert = KINDS.get(type(recipe[name]), ("given by its own flag", None))
        try:
            found[name] = convert(value)
            if not isinstance(found[name], str) and not abs(found[name]) < 2**31:
                raise ValueError  # nor NaN or infinity
        except (KeyError, TypeError, ValueError):
            raise InputError(f"--set {name} is {wanted}. Received: {value}") from None
    return found


def add_loss(
    parser: argparse.ArgumentParser,
    flag: str,
    default: str,
    papers: str,
    allowed: tuple[str, ...] = LOSSES,
) -> None:
    """Adds a flag that takes what `loss_weights` reads.

    Args:
        parser: of `training.parser`.
        flag, default: the flag, and what it is if it is not given.
        papers: what it is in the paper, for the help.
        allowed: some of `LOSSES`.
    """

    def checked(text):
        try:
            loss_weights(text, allowed)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    meaning = f"such as kld+0.5*cc, of {', '.join(allowed)} (default: {default}; paper: {papers})"
    parser.add_argument(flag, type=checked, default=default, metavar="SUM", help=meaning)


def loss_weights(text: str, allowed: tuple[str, ...] = LOSSES) -> dict[str, float]:
    """Reads a weighted sum of losses.

    Args:
        text: names of `allowed` with `+` between, each perhaps with a number and `*` before it.

    Returns: the weights by name; what `losses.weighted_sum` takes.

    Raises:
        InputError: if it is no such sum, or has a name twice.

    Example:
        >>> loss_weights("kld + 0.5*cc")
        {'kld': 1.0, 'cc': 0.5}
    """
    found = {}
    for term in text.split("+"):
        weight, times, name = term.rpartition("*")
        name = name.strip()
        try:
            number = float(weight) if times else 1.0
        except ValueError:
            number = 0.0
        if name not in allowed or name in found or not 0 < number < float("inf"):
            raise InputError(
                "a loss is a sum such as kld+0.5*cc, with weights above 0, of these, each once: "
                f"{', '.join(allowed)}. Received: {text}"
            )
        found[name] = number
    return found


def check_looked_at(weights: dict[str, float], examples: list) -> None:
    """Raises `InputError` if a loss goes by fixations, and none of the examples has any."""
    if "nss" in weights and not any(len(example.fixations) for example in examples):
        raise InputError("the loss nss needs fixations, and the pictures have densities alone")


def held_out(train: list, share: float, seed: int) -> tuple[list, list]:
    """The pictures to train on, and those to validate on; nothing is chosen by test pictures.

    Args:
        train: list of `datasets.Example`.
        share: float, 0-1, of the pictures to hold out; at least one is.
        seed: int, decides which.

    Raises:
        InputError: if nothing is left on one of the sides.

    Example:
        >>> from keras_saliency.datasets import synthetic
        >>> [len(part) for part in held_out(synthetic.load(split="train", limit=10), 0.2, 0)]
        [8, 2]
    """
    groups = {}
    for example in train:
        groups.setdefault(_likeness(example), []).append(example)
    random = np.random.default_rng(seed)
    groups = list(groups.values())
    shuffled = [groups[i] for i in random.permutation(len(groups))]
    held = []
    while shuffled and len(held) < max(1, round(share * len(train))):
        held += shuffled.pop()
    kept = [example for group in shuffled for example in group]
    if not kept or not held:
        raise InputError(f"hold_out={share} of {len(train)} pictures leaves nothing")
    return kept, held


def _likeness(example):
    """What a picture and its mirror image have in common: one must not be judged by the other."""
    if example.image is None:
        return example.name
    return min(example.image.tobytes(), example.image[:, ::-1].tobytes())
