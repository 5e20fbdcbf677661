"""What loaders found in thousands of small files, kept for the next time.

Opening 15,000 pictures and as many .mat files takes minutes; their index is one
file that opens in a second.
"""

import concurrent.futures
import os
import zlib
from collections.abc import Callable

import numpy as np

from keras_saliency import files, progress
from keras_saliency.datasets.example import Example

FORMAT = "2"  # raised when a loader finds other things in the same files
WORTH = 200  # examples; fewer are read anew as fast
OPTIONAL = ("observers", "durations_ms")  # arrays as long as the fixations


def folder() -> str:
    """Where the indices lie: `keras_saliency` in Keras' own folder, `~/.keras` or `KERAS_HOME`."""
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return os.path.join(home, "keras_saliency")


def examples(
    dataset: str,
    root: str,
    names: list[str],
    paths: Callable[[str], list[str]],
    make: Callable[[str], Example],
) -> list[Example]:
    """The examples of some names, made, or taken from the index of an earlier time.

    An entry counts as long as its files are the same: names, sizes, times. So
    after a few files changed, only these are read again. The index lies in
    `folder()` and may be deleted.

    Args:
        dataset: str. What reads them, and how: other settings, another name.
        root: folder of the dataset.
        names: of the examples, in the order they are wanted.
        paths: name to the files that its example is made of.
        make: name to its `Example`; several threads call it.

    Returns: list of `Example`, as `names`.

    Raises: what `make` raises.
    """
    place = os.path.abspath(root)
    path = os.path.join(folder(), f"{dataset}-{zlib.crc32(os.fsencode(place)):08x}.npz")
    stamps = {name: _stamp(paths(name), root) for name in names}
    known = _read(path, root) if len(names) >= WORTH else {}
    found = {n: known[n][1] for n in names if n in known and known[n][0] == stamps[n]}
    fresh = [name for name in names if name not in found]
    found.update(zip(fresh, _made(fresh, make), strict=True))
    if len(fresh) >= WORTH or (fresh and len(names) >= WORTH):
        # Of other splits what is still there.
        known = {name: one for name, one in known.items() if os.path.exists(one[1].image_path)}
        known.update({name: (stamps[name], found[name]) for name in names})
        _write(path, root, known)
    return [found[name] for name in names]


def _made(names, make):
    bar = progress.Bar(len(names), "pictures")
    made = []
    with concurrent.futures.ThreadPoolExecutor() as threads:
        try:
            for example in threads.map(make, names):
                made.append(example)
                bar.update(len(made))
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    return made


def _stamp(paths, root):
    """Names, sizes and times of the files, as text."""
    stamps = []
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:  # `make` says what is wrong, if anything is
            stamps.append(f"{os.path.relpath(path, root)} -")
        else:
            of = os.path.relpath(path, root)
            stamps.append(f"{of} {found.st_size} {found.st_mtime_ns}")
    return zlib.crc32("\n".join(stamps).encode("utf-8", "surrogateescape"))


def _read(path, root):
    """{name: (stamp, example)} of the file; empty if it is not there, damaged or not ours."""
    try:
        with np.load(path, allow_pickle=False) as file:
            fields = {name: file[name] for name in file.files}
        if fields["of"].tolist() != [os.path.abspath(root), FORMAT]:
            return {}
        return _unpacked(fields, root)
    except Exception:  # an index is but a copy: whatever is wrong with it, it is made anew
        return {}


def _unpacked(fields, root):
    starts = np.cumsum(fields["counts"])[:-1]
    columns = {"fixations": np.split(fields["fixations"], starts)}
    for name in OPTIONAL:
        counts = np.where(fields[f"has_{name}"], fields["counts"], 0)
        columns[name] = np.split(fields[name], np.cumsum(counts)[:-1])
    known = {}
    plain = ("names", "stamps", "sizes", "image_paths", "density_paths", "dropped", "exif")
    for i, values in enumerate(zip(*(fields[name].tolist() for name in plain), strict=True)):
        name, stamp, size, image_path, density_path, dropped, exif = values
        optional = {each: columns[each][i] for each in OPTIONAL if fields[f"has_{each}"][i]}
        known[name] = (
            stamp,
            Example(
                name,
                tuple(size),
                columns["fixations"][i],
                os.path.join(root, image_path),
                density_path=os.path.join(root, density_path) if density_path else None,
                dropped=dropped,
                exif=exif,
                **optional,
            ),
        )
    return known


def _write(path, root, known):
    """An index that cannot be kept is no fault of the user's: the next time takes longer."""
    made = [example for _, example in known.values()]
    fields = {
        "of": [os.path.abspath(root), FORMAT],
        "names": list(known),
        "stamps": [stamp for stamp, _ in known.values()],
        "sizes": [example.size for example in made],
        "image_paths": [os.path.relpath(example.image_path, root) for example in made],
        "density_paths": [
            os.path.relpath(example.density_path, root) if example.density_path else ""
            for example in made
        ],
        "dropped": [example.dropped for example in made],
        "exif": [example.exif for example in made],
        "counts": [len(example.fixations) for example in made],
        "fixations": np.concatenate([example.fixations for example in made]),
    }
    for name in OPTIONAL:
        columns = [getattr(example, name) for example in made]
        fields[f"has_{name}"] = [column is not None for column in columns]
        given = [column for column in columns if column is not None]
        fields[name] = np.concatenate(given) if given else np.zeros(0)
    try:
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **fields)
    except OSError:
        pass
