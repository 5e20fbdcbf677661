"""Damages the files of every dataset and looks at what reading them does.

    python tests/hostile_files.py 2000 0

Each of so many files is changed somewhere (the second number chooses where): it
must be read, or refused in one line. Prints how many were, the slowest, the
memory, and every fault; needs no network and no data.
"""

import csv
import faulthandler
import json
import os
import pathlib
import resource
import sys
import tempfile
import time
import warnings

import cat2000_tree
import numpy as np
import salicon_tree
from PIL import Image
from scipy import io

from keras_saliency import datasets, map_files, pictures
from keras_saliency.datasets import pysaliency
from keras_saliency.errors import InputError

SLOW = 5.0  # seconds for one file
FORMATS = ("jpg", "png", "webp", "gif", "bmp", "tiff")


def make_salicon(release):
    def make(folder):
        salicon_tree.write_tree(folder, release, 3, 1, 0)
        return lambda: [datasets.salicon.load(folder, split) for split in ("train", "val")]

    return make


def make_cat2000(folder):
    cat2000_tree.write_tree(folder, ("Action", "Art"), 3, 1, (27, 48))
    return lambda: datasets.cat2000.load(folder, "all")


def make_mit1003(folder):
    below = pathlib.Path(folder)
    for name in ("ALLSTIMULI", "ALLFIXATIONMAPS"):
        (below / name).mkdir()
    for stem in "abc":
        noise((40, 64)).save(below / "ALLSTIMULI" / f"{stem}.jpeg")
        points = Image.fromarray(((np.indices((40, 64)).sum(0) % 37) == 0).astype("uint8") * 255)
        points.save(below / "ALLFIXATIONMAPS" / f"{stem}_fixPts.jpg")
        points.save(below / "ALLFIXATIONMAPS" / f"{stem}_fixMap.jpg")
    return lambda: datasets.mit1003.load(folder, "all")


def make_isun(folder):
    (pathlib.Path(folder) / "images").mkdir()
    records = np.zeros((3, 1), [(name, "O") for name in ("image", "resolution", "gaze")])
    for record, name in zip(records[:, 0], "abc", strict=True):
        noise((40, 64)).save(os.path.join(folder, "images", f"{name}.jpg"))
        gaze = np.zeros((1, 4), [("fixation", "O")])
        for i in range(4):
            gaze[0, i]["fixation"] = np.full((3, 2), 5.0 + i)
        for field, value in (("image", name), ("resolution", [[40.0, 64.0]]), ("gaze", gaze)):
            record[field] = value
    io.savemat(os.path.join(folder, "training.mat"), {"training": records}, do_compression=True)
    io.savemat(os.path.join(folder, "validation.mat"), {"validation": records})
    return lambda: [datasets.isun.load(folder, split) for split in ("train", "val")]


def make_osie(folder):
    below = pathlib.Path(folder)
    (below / "eye").mkdir()
    (below / "stimuli").mkdir()
    cells = np.empty((4, 1), "O")
    for i in range(4):
        noise((60, 80)).save(below / "stimuli" / f"{1001 + i}.jpg")
        looks = np.empty((15, 1), "O")
        for j in range(15):
            looks[j, 0] = {f"fix_{name}": [[100.0 + j]] for name in ("x", "y", "duration")}
        cells[i, 0] = {"img": f"{1001 + i}.jpg", "subjects": looks}
    io.savemat(below / "eye" / "fixations.mat", {"fixations": cells})
    return lambda: datasets.osie.load(folder, "train")


def make_folder(folder):
    with open(os.path.join(folder, "fixations.csv"), "w", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["image", "x", "y", "observer", "duration_ms"])
        for ending in FORMATS:
            noise((40, 64)).save(os.path.join(folder, f"a.{ending}"))
            lines.writerows([f"a.{ending}", i, i / 2, "me", 200] for i in range(30))
    return lambda: datasets.folder.load(folder)


def make_folder_maps(folder):
    below = pathlib.Path(folder)
    for name in ("images", "fixations", "maps"):
        (below / name).mkdir()
    for stem in "abc":
        noise((40, 64)).save(below / "images" / f"{stem}.jpg")
        noise((40, 64)).convert("L").point(lambda v: 255 * (v > 250)).save(
            below / "fixations" / f"{stem}.png"
        )
        noise((40, 64)).convert("L").save(below / "maps" / f"{stem}.png")
    return lambda: datasets.folder.load(folder)


def make_hdf5(folder):
    examples = datasets.synthetic.load(limit=2, size=(24, 32))
    pysaliency.save(examples, folder)
    return lambda: pysaliency.load(folder)


def make_pictures(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    for ending in FORMATS:
        noise((40, 64)).save(os.path.join(folder, f"a.{ending}"))
    noise((40, 64)).convert("CMYK").save(os.path.join(folder, "cmyk.jpg"), exif=exif)
    noise((40, 64)).convert("P").save(os.path.join(folder, "palette.png"))
    Image.fromarray(np.arange(2560, dtype="uint16").reshape(40, 64)).save(folder + "/16.png")
    noise((40, 64)).convert("RGBA").save(os.path.join(folder, "alpha.png"))
    frames = [noise((40, 64), i) for i in range(3)]
    frames[0].save(os.path.join(folder, "moving.gif"), save_all=True, append_images=frames[1:])
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return lambda: [(pictures.size(path), pictures.read(path)) for path in paths]


def make_maps(folder):
    map_files.write_png(os.path.join(folder, "a.png"), np.random.default_rng(0).random((40, 64)))
    np.save(os.path.join(folder, "b.npy"), np.eye(40, dtype="float32"))
    return lambda: [map_files.read(os.path.join(folder, name)) for name in ("a.png", "b.npy")]


KINDS = {
    "salicon 2017": make_salicon("2017"),
    "salicon 2015 mat": make_salicon("2015-mat"),
    "salicon 2015 json": make_salicon("2015-json"),
    "cat2000": make_cat2000,
    "mit1003": make_mit1003,
    "isun": make_isun,
    "osie": make_osie,
    "folder": make_folder,
    "folder of maps": make_folder_maps,
    "pysaliency": make_hdf5,
    "pictures": make_pictures,
    "maps": make_maps,
}


def noise(size, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (*size, 3), "uint8")
    return Image.fromarray(values)


def mutated(content, random):
    """The bytes with one to four things done to them."""
    content = bytearray(content)
    for _ in range(random.integers(1, 5)):
        # Headers and dictionaries are at both ends.
        end = len(content) if random.random() < 0.5 else min(len(content), 256)
        at, many = int(random.integers(0, end + 1)), int(2 ** random.integers(0, 9))
        kind = random.integers(0, 7)
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content[at : at + many] = b""
        elif kind == 2:
            content[at:at] = random.bytes(many)
        elif kind == 3:
            content[at:at] = content[at : at + many]
        elif kind == 4:
            number = random.choice([0, 1, 0x7F, 0x80, 0xFF], 8).astype("uint8").tobytes()
            content[at : at + 8] = number
        elif content:
            at = min(at, len(content) - 1)
            content[at] ^= 1 << int(random.integers(0, 8))
    return bytes(content)


def campaign(count, seed):
    random = np.random.default_rng(seed)
    found = {"read": 0, "refused": 0, "faults": [], "slowest": 0.0}
    with tempfile.TemporaryDirectory() as root:
        for name, make in KINDS.items():
            folder = os.path.join(root, name.replace(" ", "-"))
            os.mkdir(folder)
            read = make(folder)
            read()  # sound, it is read
            files = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
            for _ in range(-(-count // len(KINDS))):
                path = files[random.integers(len(files))]
                sound = path.read_bytes()
                path.write_bytes(mutated(sound, random))
                try_one(name, path, read, found)
                path.write_bytes(sound)
    found["megabytes"] = most_memory()
    return found


def most_memory():
    """Megabytes that this process has held at most."""
    try:
        # `ru_maxrss` also counts the process that this one was forked from.
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def try_one(name, path, read, found):
    begin = time.perf_counter()
    faulthandler.dump_traceback_later(10 * SLOW, exit=True)
    fault = ""
    try:
        read()
        found["read"] += 1
    except InputError as error:
        found["refused"] += 1
        if "\n" in str(error) or len(str(error)) > 1000:
            fault = f"not a line: {str(error)[:300]!r}"
    except Exception as error:  # a traceback for the user
        fault = f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        faulthandler.cancel_dump_traceback_later()
    seconds = time.perf_counter() - begin
    found["slowest"] = max(found["slowest"], seconds)
    if fault or seconds > SLOW:
        found["faults"].append([name, path.name, fault or f"{seconds:.1f} s"])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(campaign(*map(int, sys.argv[1:3]))))
