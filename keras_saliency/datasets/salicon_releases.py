"""Which release of SALICON a folder holds, told from its files."""

import os

from keras_saliency.datasets import salicon_mat
from keras_saliency.errors import InputError

OFFERED = "SALICON is offered at http://salicon.net/challenge-2017 and http://salicon.net/download"
WHAT = {
    "2017": "the 2017 release (.mat files with gaze, about 400 mouse samples an observer)",
    "2015-gaze": "the 2015 release (.mat files with gaze, about 115 mouse samples an observer)",
    "2015-json": "the 2015 release (JSON, all mouse samples)",
    "2015-mat": "the 2015 release (.mat files with I, a map of the fixated pixels)",
}

_FEWEST_SAMPLES = 200  # of the mouse, an observer: about 115 in 2015 and 400 in 2017


def root_of(data_dir: str) -> str:
    """The folder that holds `images`: `data_dir`, or its folder `salicon` or `SALICON`."""
    if not data_dir:
        raise InputError("salicon needs the folder that holds it: --data-dir DIR")
    for root in (data_dir, *(os.path.join(data_dir, name) for name in ("salicon", "SALICON"))):
        if os.path.isdir(os.path.join(root, "images")):
            return root
    raise InputError(f"no such folder: {os.path.join(data_dir, 'images')}; {OFFERED}")


def images(root: str, split: str) -> tuple[str, list[str]]:
    """The folder with the pictures of a split, and their names, sorted."""
    found = folders(root, ("images",), split, ".jpg")
    if not found:
        raise InputError(
            f"{os.path.join(root, 'images')} holds no pictures of {split!r}, neither in a folder "
            f"{split} nor with names like COCO_{split}2014_000000000001.jpg; {OFFERED}"
        )
    return found[0]


def folders(root: str, kinds: tuple[str, ...], split: str, ending: str) -> list:
    """Folders with files of a split: [(path, the files' names, sorted)].

    These are the folders `<kind>/<split>`, and `<kind>` if names in it tell the
    split, as COCO's do.
    """
    found = []
    for kind in kinds:
        for folder, mark in ((os.path.join(kind, split), ""), (kind, f"_{split}")):
            path = os.path.join(root, folder)
            there = os.listdir(path) if os.path.isdir(path) else []
            names = [n for n in there if n.lower().endswith(ending) and mark in n and n[0] != "."]
            if names:
                found.append((path, sorted(names)))
    return found


def told(root: str, release: str | None, split: str | None = None) -> tuple[str, dict]:
    """The release, and where people looked: {split: (file or folder, its size in words)}.

    Args:
        root: of `root_of`.
        release: the one that is asked for, or None for the only one there.
        split: must be there; None: any of them.

    Prints a line if "2017" is asked for and the files of the split do not look so.

    Raises:
        InputError: says what there is, and what to do.
    """
    if release not in (None, *WHAT):
        raise InputError(f"release must be one of {', '.join(WHAT)}. Received: {release!r}")
    found = _found(root, release, split)
    if release is None and len(found) > 1:
        raise InputError(
            f"{root} holds several releases of SALICON, whose scores cannot be compared: "
            f"{_in_words(found, root)}; pass {_choices(found)}"
        )
    if not found:
        raise InputError(
            f"{root} holds images but not where people looked: neither fixations/train/*.mat nor "
            f"fixation/*.mat nor fixations_train2014.json (or val); {OFFERED}"
        )
    release = release or next(iter(found))
    sources = found.get(release, {})
    if not sources or split not in (None, *sources):
        others = _choices(each for each in found if each != release)
        instead = f"; pass {others} to read that instead" if others else ""
        of = f" for {split!r}" if split else ""
        raise InputError(
            f"{root} does not hold {WHAT[release]}{of}; found {_in_words(found, root)}{instead}"
        )
    return release, sources


def _found(root, release, asked):
    """What is there: {release: {split: (file or folder, its size in words)}}."""
    found = {}
    for split in ("train", "val"):
        for folder in ("", "annotations", "fixations"):
            path = os.path.join(root, folder, f"fixations_{split}2014.json")
            if os.path.isfile(path):
                size = f"{os.path.getsize(path) / 1e6:.0f} MB"
                found.setdefault("2015-json", {}).setdefault(split, (path, size))
        for path, names in folders(root, ("fixations", "fixation"), split, ".mat"):
            of = _release_of(path, names, release, tell=split == asked)
            found.setdefault(of, {}).setdefault(split, (path, f"{len(names)} files"))
    return found


def _release_of(folder, names, release, tell):
    """The release that a folder's .mat files are of, judged by a few; `release` is asked for."""
    paths = [os.path.join(folder, name) for name in names]
    if salicon_mat.variable(paths[0]) == "I":
        return "2015-mat"
    samples = salicon_mat.samples(paths[:: -(-len(paths) // 5)])
    if samples >= _FEWEST_SAMPLES:
        return "2017"
    few = (
        f"{folder} holds gaze with {samples:.0f} mouse samples an observer, as few as in the "
        "2015 release (about 115; 2017: about 400), whose files look alike"
    )
    if release is None:
        raise InputError(f"{few}; say which it is: pass {_choices(['2015-gaze', '2017'])}")
    if release == "2017" and tell:
        print(f"{few}; taken for that of 2017, as asked")
    return release if release == "2017" else "2015-gaze"


def _choices(releases):
    return " or ".join(f"release={release!r}" for release in releases)


def _in_words(found, root):
    """Where each release that was found is, and what it is."""
    words = []
    for release, sources in found.items():
        paths = dict.fromkeys(os.path.relpath(path, root) for path, _ in sources.values())
        words.append(f"{' and '.join(paths)}: this is {WHAT[release]}")
    return ", ".join(words)
