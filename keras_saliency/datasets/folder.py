"""Your own data: a folder of pictures, and a CSV file or maps of where people looked."""

import array
import csv
import difflib
import math
import os
import posixpath

import numpy as np

from keras_saliency import pictures, untrusted
from keras_saliency.datasets import folder_maps, index
from keras_saliency.datasets.example import Example, check_split, example_inside, split_of
from keras_saliency.errors import InputError

CSV = "fixations.csv"
HEADER = "image,x,y[,observer,duration_ms]"
SIGMA = None  # depends on the screen and on how far away people sat: --pixels-per-degree
SPLITS = ("all", "train", "test")


def load(data_dir: str, split: str = "all", limit: int | None = None) -> list[Example]:
    """Your own pictures and where people looked: fixations in a CSV file, or maps.

    What is read depends on what is there. If there is a `fixations.csv`, it alone
    counts. It has the header `image,x,y[,observer,duration_ms]` and one fixation a
    line. Its columns may come in any order, further ones are ignored; `;` or
    tabs may separate them (then a comma in a number is a decimal point).

    - `image`: path of the picture below `data_dir/images` or `data_dir`, with
      `/`. Pictures may differ in size and lie in any folder; those that the CSV
      does not name are left out.
    - `x`, `y`: pixels of the picture as it is shown, after its EXIF turn; x to
      the right, y down, the center of the first pixel is (0, 0). Fixations
      outside their picture are dropped and counted (`Example.dropped`).
    - `observer`: any text; numbered in order of appearance.
    - `duration_ms`: may be empty.

    Else the pictures are those in `data_dir/images`, and each has a map of the
    same path and name with an ending of its own (`images/in/a.jpg`,
    `fixations/in/a.png`) in one of two folders, or in both:

    - `fixations`: a lossless picture (PNG, TIFF, BMP) of its picture's size, as
      it is shown. A pixel is black where nobody looked, white (255; of 16 bits
      65535) where one fixation was, or its level counts them, 1 to 99. Any other
      level is refused, and so is a map with more than a tenth of its pixels
      fixated: it is a density.
    - `maps`: the density, as gray PNG, TIFF, BMP of 8 or 16 bits, JPEG, or .npy
      as in `map_files.read_map`; of any size, of the whole picture. It becomes
      `Example.density_path`, and counts where there are no fixations.

    "test" is a fifth of the pictures and "train" the others. A picture's name
    alone decides where it belongs, so adding pictures moves none.

    Args:
        data_dir: folder that holds them all.
        split: one of `SPLITS`: "all", "train" or "test".
        limit: at most so many pictures, or None for all.

    Returns: list of `Example`, sorted by name: the path below `images`, if it
        is there, else below `data_dir`.

    Raises:
        InputError: names the file, and the line if it is one of the CSV's; or
            counts the pictures without a map, or maps without a picture.

    Example:
        >>> import os, tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (40, 30)).save(os.path.join(folder, "a.jpg"))
        ...     with open(os.path.join(folder, "fixations.csv"), "w") as file:
        ...         _ = file.write("image,x,y\\na.jpg,12,7.5\\na.jpg,39,29\\n")
        ...     example = load(folder)[0]
        >>> example.name, example.size, example.fixations.tolist()
        ('a.jpg', (30, 40), [[12.0, 7.5], [39.0, 29.0]])
    """
    check_split(split, SPLITS)
    if not data_dir:
        raise InputError("folder needs the folder that holds your data: --data-dir DIR")
    if not os.path.isdir(data_dir):
        raise InputError(f"no such folder: {data_dir}")
    of_csv = os.path.exists(os.path.join(data_dir, CSV)) or not folder_maps.kinds(data_dir)
    paths, make = (_csv if of_csv else _maps)(data_dir)
    chosen = sorted(name for name in paths if split in ("all", split_of(name)))
    if not chosen:
        raise InputError(
            f"none of the {len(paths)} pictures in {data_dir} belongs to the split {split!r}, "
            "which their names decide: add pictures, or use the split 'all'"
        )
    return index.examples(
        f"folder-{'csv' if of_csv else 'maps'}", data_dir, chosen[:limit], paths.get, make
    )


def describe(data_dir: str) -> str:
    """Whether it is a CSV or maps that are read, in a line."""
    maps = folder_maps.kinds(data_dir)
    if maps and not os.path.exists(os.path.join(data_dir, CSV)):
        return f"your own data in {data_dir}: images/ with maps in {'/ and '.join(maps)}/"
    beside = f"; {'/ and '.join(maps)}/ not read" if maps else ""
    return f"your own data in {data_dir}: fixations in {CSV}{beside}"


def _csv(data_dir):
    """{name: the files that its example is made of}, and the function that makes it."""
    path = os.path.join(data_dir, CSV)
    looked, columns = _read(path)
    _check_pixels(looked, path)
    found = _find(looked, data_dir, path)
    paths = {name: (picture, path) for name, (picture, _) in found.items()}
    return paths, lambda name: _example(name, *found[name], columns)


def _maps(data_dir):
    """As `_csv`."""
    found = folder_maps.find(data_dir)
    paths = {name: tuple(of_kinds.values()) for name, of_kinds in found.items()}
    return paths, lambda name: folder_maps.example(name, found[name])


def _read(path):
    """The CSV: {image: (first line, its x, y, observer, duration, x, y, ...)}, and its columns."""
    try:
        with untrusted.table(path) as file:
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            lines = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            columns = _columns(next(lines, []), path)
            return _rows(lines, columns, delimiter, path), columns
    except FileNotFoundError:
        raise InputError(
            f"no such file: {path}; it must have the header {HEADER} and one fixation a line "
            "(or give maps of images/ in fixations/ or maps/)"
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as 'CSV UTF-8'") from None
    except (OSError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV ({error})") from error


def _columns(header, path):
    """The header's names, in lower case."""
    columns = [name.strip().lower() for name in header]
    for name in ("image", "x", "y"):
        if columns.count(name) != 1:
            fault = "no" if name not in columns else "more than one"
            raise InputError(f"{path}, line 1 has {fault} column {name!r}; expected {HEADER}")
    return columns


def _rows(lines, columns, delimiter, path):
    needed = [
        columns.index(name) if name in columns else None
        for name in ("image", "x", "y", "observer", "duration_ms")
    ]
    looked, observers = {}, {}
    for fields in lines:
        fields = [field.strip() for field in fields]
        if not any(fields):
            continue
        where = f"{path}, line {lines.line_num}"
        # More may be a decimal comma: every column after it would be another one.
        if len(fields) < len(columns) or any(fields[len(columns) :]):
            raise InputError(f"{where} has {len(fields)} fields, the header has {len(columns)}")
        image, x, y, observer, duration = (
            None if index is None else fields[index] for index in needed
        )
        if delimiter != ",":
            x, y = x.replace(",", "."), y.replace(",", ".")
            duration = duration and duration.replace(",", ".")
        if image not in looked:
            looked[image] = lines.line_num, array.array("d")
        looked[image][1].extend((
            _number(x, "x", where),
            _number(y, "y", where),
            observers.setdefault(observer, len(observers)),
            # R writes NA for what is missing.
            math.nan if duration in (None, "", "NA") else _number(duration, "duration_ms", where),
        ))  # fmt: skip
    if not looked:
        raise InputError(f"{path} lists no fixation; one a line must follow the header")
    return looked


def _number(text, column, where):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: {column} must be a number. Received: {text[:40]!r}")
    return number


def _check_pixels(looked, path):
    """Fractions would all fall into the first pixel, and nothing else would complain."""
    x_y = np.concatenate([np.frombuffer(rows).reshape(-1, 4)[:, :2] for _, rows in looked.values()])
    if x_y.min() >= 0 and x_y.max() <= 1 and (x_y % 1).any():
        raise InputError(f"{path}: all x and y lie between 0 and 1; expected pixels, not fractions")


def _find(looked, data_dir, csv_path):
    """{name of the picture: (its path, its rows)}."""
    found, missing = {}, []
    for image, (line, rows) in looked.items():
        name = untrusted.inside(image, f"{csv_path}, line {line}")
        below = [f"images/{name}", name]
        inside = next((p for p in below if os.path.isfile(os.path.join(data_dir, p))), None)
        if inside is None:
            missing.append((line, name))
            continue
        # The same picture may be named in two ways.
        name = inside.removeprefix("images/")
        found.setdefault(name, (os.path.join(data_dir, inside), array.array("d")))[1].extend(rows)
    if missing:
        line, name = missing[0]
        count = "1 picture" if len(missing) == 1 else f"{len(missing)} pictures"
        verb = "does" if len(missing) == 1 else "do"
        raise InputError(
            f"{count} named in {csv_path} {verb} not exist, the first is {name!r} "
            f"(line {line}){_hint(name, data_dir)}"
        )
    return found


def _hint(name, data_dir):
    """A file of the same folder that is called almost so, as a question."""
    folder, file = posixpath.split(name)
    for root in (os.path.join(data_dir, "images"), data_dir):
        if os.path.isdir(os.path.join(root, folder)):
            near = difflib.get_close_matches(file, os.listdir(os.path.join(root, folder)), 1)
            if near:
                return f"; is {posixpath.join(folder, near[0])!r} meant?"
    return f"; it must lie below {data_dir}"


def _example(name, path, rows, columns):
    rows = np.frombuffer(rows).reshape(-1, 4)
    return example_inside(
        name,
        pictures.size(path),
        rows[:, :2],
        observers=rows[:, 2] if "observer" in columns else None,
        durations_ms=rows[:, 3] if "duration_ms" in columns else None,
        image_path=path,
    )
