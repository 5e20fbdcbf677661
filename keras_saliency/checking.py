"""Is a dataset whole, and what is odd about it? For people who have just unpacked it."""

import concurrent.futures
import dataclasses
import hashlib
import os
import unicodedata
from collections import Counter

import numpy as np

from keras_saliency import pictures, progress
from keras_saliency.errors import InputError

NAMED = 5  # of many, how many a line names
OUTSIDE = 0.1  # share of fixations outside their pictures from which on it is a mistake


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of what was found."""

    text: str
    wrong: bool = True  # False: good to know, and no fault of the copy


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A picture and the split that it is of."""

    split: str
    example: object

    def __str__(self):
        return f"{self.split} {self.example.name}"


def load(module, data_dir: str, splits, limit: int | None = None, **options):
    """The splits of a dataset that can be loaded, and a finding for each that cannot.

    Args:
        module: of `datasets`.
        data_dir: folder that holds it.
        splits: names.
        limit: at most so many pictures of each.
        **options: further arguments of the module's `load`.

    Returns: {split: list of `Example`}, list of `Finding`.
    """
    loaded, errors = {}, {}
    for split in splits:
        try:
            loaded[split] = module.load(data_dir, split, limit=limit, **options)
        except InputError as error:
            errors[split] = str(error)
    findings = []
    for split, error in errors.items():
        # One's own data need not have every split.
        own = loaded and not getattr(module, "COUNTS", None)
        lacking = own and ("all" in loaded or error.startswith("no such"))
        findings.append(Finding(f"{split} cannot be loaded: {error}", not lacking))
    return loaded, findings


def entries(loaded: dict[str, list]) -> list[Entry]:
    """Every picture of every split; "all" adds only what no other split has."""
    others = [Entry(s, e) for s, examples in loaded.items() if s != "all" for e in examples]
    known = {_file(entry) for entry in others}
    rest = [Entry("all", example) for example in loaded.get("all", ())]
    return others + [entry for entry in rest if _file(entry) not in known]


def _file(entry):
    example = entry.example
    path = example.image_path
    return os.path.abspath(path) if path else example.name


def table(loaded: dict[str, list], counts: dict) -> str:
    """A Markdown table: how much each split holds, beside what was published.

    Args:
        loaded: of `load`.
        counts: a dataset's `COUNTS`, {split: (pictures, fixations or None)}.

    Example:
        >>> from keras_saliency.datasets import Example
        >>> example = Example("a.png", (2, 3), np.zeros((7, 2)), "a.png")
        >>> print(table({"train": [example]}, {"train": (1, None)}).splitlines()[-1])
        | train | 1 | 1 | 7 | – | 7 | – | 0 | 0 |
    """
    heads = "pictures|published|fixations|published|a picture|observers|outside|densities"
    lines = [f"| split | {' | '.join(heads.split('|'))} |", "|---" * 9 + "|"]
    for split, examples in loaded.items():
        each = [len(example.fixations) for example in examples]
        low, high = min(each, default=0), max(each, default=0)
        observers = [e.observers for e in examples if e.observers is not None and len(e.observers)]
        cells = (
            len(examples),
            counts.get(split, (None, None))[0],
            sum(each),
            counts.get(split, (None, None))[1],
            f"{low}" if low == high else f"{low}-{high}",
            len(np.unique(np.concatenate(observers))) if observers else None,
            sum(example.dropped for example in examples),
            sum(has_density(example) for example in examples),
        )
        lines.append(f"| {split} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(value):
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else value


def sizes(found: list[Entry]) -> str:
    """How many pictures there are of each size, height x width, in words."""
    counts = Counter(entry.example.size for entry in found).most_common()
    named = [f"{h}x{w} ({count:,})" for (h, w), count in counts[:NAMED]]
    rest = counts[NAMED:]
    named += [f"{len(rest)} other sizes ({sum(n for _, n in rest):,})"] if rest else []
    return ", ".join(named)


def against_published(loaded: dict[str, list], counts: dict) -> list[Finding]:
    """Splits that hold more or fewer pictures or fixations than were published."""
    findings = []
    for split, examples in loaded.items():
        pictures_published, fixations_published = counts.get(split, (None, None))
        if pictures_published not in (None, len(examples)):
            findings.append(
                Finding(f"{split} has {len(examples):,} pictures, published {pictures_published:,}")
            )
        inside = sum(len(example.fixations) for example in examples)
        outside = sum(example.dropped for example in examples)
        # Some publications count those outside the pictures, some do not.
        if fixations_published not in (None, inside, inside + outside):
            findings.append(
                Finding(f"{split} has {inside:,} fixations, published {fixations_published:,}")
            )
    return findings


def looked_at(found: list[Entry]) -> list[Finding]:
    """Fixations outside their pictures, and pictures without any."""
    findings = []
    for split in dict.fromkeys(entry.split for entry in found):
        examples = [entry.example for entry in found if entry.split == split]
        outside = sorted((e for e in examples if e.dropped), key=lambda e: -e.dropped)
        if outside:
            count = sum(example.dropped for example in outside)
            share = count / (count + sum(len(example.fixations) for example in examples))
            hint = "; are x and y, or the pictures, mixed up?" if share > OUTSIDE else ""
            names = _named([f"{example.name} ({example.dropped})" for example in outside])
            said = f"{split}: {count:,} fixations ({share:.1%}) lie outside their pictures"
            findings.append(Finding(f"{said}: {names}{hint}", share > OUTSIDE))
        without = [e.name for e in examples if not len(e.fixations) and not has_density(e)]
        if len(without) == len(examples):
            told = split == "test"
            why = "; its truth was not published" if told else ""
            findings.append(Finding(f"{split} has neither fixations nor densities{why}", not told))
        elif without:
            findings.append(Finding(f"{split}: nobody looked at {_counted(without)}", False))
    return findings


def has_density(example) -> bool:
    """Whether a density of it was published."""
    return example.density is not None or example.density_path is not None


def decoded(found: list[Entry]) -> tuple[list[Finding], list[Entry]]:
    """Decodes every picture: those that are damaged, of another size, or the same as another.

    Returns: the findings, and the entries that can be shown.
    """
    bar = progress.Bar(len(found), "pictures decoded")
    digests, findings, whole = {}, [], []
    with concurrent.futures.ThreadPoolExecutor() as threads:
        try:
            for i, (digest, fault) in enumerate(threads.map(_decoded, found)):
                if fault:
                    findings.append(Finding(f"{found[i]}: {fault}"))
                if digest:
                    digests.setdefault(digest, []).append(found[i])
                    whole.append(found[i])
                bar.update(i + 1)
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return findings + _same(digests), whole


def _decoded(entry):
    """What is in the picture as a short text, or None; what is wrong with it, or ""."""
    example = entry.example
    try:
        picture = pictures.of(example)
    except InputError as error:
        return None, str(error)
    except (OSError, MemoryError) as error:
        return None, f"cannot be read ({error})"
    digest = hashlib.blake2b(np.ascontiguousarray(picture), digest_size=16)
    digest.update(str(picture.shape).encode())
    (height, width), found = example.size, picture.shape
    other = found[:2] != (height, width)
    fault = f"is {found[0]}x{found[1]} pixels, expected {height}x{width}" if other else ""
    return digest.hexdigest(), fault


def _same(digests):
    """Groups of pictures that show the same, pixel for pixel."""
    across, within = [], []
    for group in digests.values():
        splits = [entry.split for entry in group]
        if len(group) > 1:
            (across if len(set(splits)) > 1 else within).append(" = ".join(map(str, group)))
    findings = []
    if across:
        said = f"{_pictures(across)} of one split in another too (leakage)"
        findings.append(Finding(f"{said}: {_named(across)}"))
    if within:
        said = f"{_pictures(within)} more than once in a split"
        findings.append(Finding(f"{said}: {_named(within)}", False))
    return findings


def names(found: list[Entry]) -> list[Finding]:
    """Names that differ only in upper and lower case, or in how accents are encoded."""
    alike = {}
    for name in dict.fromkeys(entry.example.name for entry in found):
        key = unicodedata.normalize("NFC", name).casefold()
        alike.setdefault(key, []).append(name)
    groups = [" / ".join(map(ascii, group)) for group in alike.values() if len(group) > 1]
    said = f"{len(groups)} names differ only in case or in the encoding of accents"
    return [Finding(f"{said}, other systems take them for one: {_named(groups)}", False)] * bool(
        groups
    )


def strays(found: list[Entry]) -> list[Finding]:
    """Picture files beside the dataset's own that are in no split."""
    known = {os.path.abspath(e.example.image_path) for e in found if e.example.image_path}
    maps = {os.path.abspath(e.example.density_path) for e in found if e.example.density_path}
    others = [
        path
        for folder in sorted({os.path.dirname(path) for path in known})
        for path in (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
        if path not in known | maps
        and path.lower().endswith(pictures.ENDINGS)
        and not os.path.basename(path).startswith(".")
    ]
    return [Finding(f"no split has {_counted(others)}", False)] * bool(others)


def spread(items: list, count: int) -> list:
    """At most so many, from the first to the last at even distances.

    Example:
        >>> spread([0, 1, 2, 3, 4, 5, 6], 3)
        [0, 3, 6]
    """
    if len(items) <= count:
        return items
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, count)]


def _counted(items):
    return f"{_pictures(items)}: {_named(items)}"


def _pictures(items):
    return "1 picture" if len(items) == 1 else f"{len(items):,} pictures"


def _named(items):
    return ", ".join(items[:NAMED]) + (", ..." if len(items) > NAMED else "")
