"""The files that the pages' examples speak of, made up: small, but each what it is called."""

import pathlib
import pickle
import shutil

import numpy as np
from document_blocks import ROOT, blocks
from PIL import Image

from keras_saliency import map_files, maps

PHOTOS = ("photo.jpg", "a.png", "b.png", "FOLDER/1.jpg", "FOLDER/in/2.png", "PHOTOS/1.jpg")
MORE = ("more/deep/3.png", "more/deep/4.jpg")
PHOTO_SIZE = (400, 500)  # the regions of docs/attention.md fit in
NAMES = [f"{i}.png" for i in range(13)]  # "8.png" and "12.png" are of "test"
SIZE = (60, 80)
OLD = ROOT / "tests" / "addons" / "reference"


def write(folder: pathlib.Path) -> None:
    """All but the runs, which are trained."""
    random = np.random.default_rng(0)
    for name in (*PHOTOS, *MORE):
        save(folder / name, picture(PHOTO_SIZE, random))
    save(folder / "face.png", 255 * (np.indices(PHOTO_SIZE).sum(0) < 200).astype("uint8"))
    write_regions(folder)
    write_mydata(folder / "mydata", random)
    (folder / "DIR").symlink_to("mydata")
    write_maps(folder, random)
    write_pickles(folder, random)
    for model in ("NAME", "bms"):
        rows = [f"{name},{random.random()},{random.random()}" for name in NAMES]
        (folder / f"scores-{model}.csv").write_text("\n".join(["image,nss,cc", *rows]))
    for name in ("old.h5", "old.keras"):
        shutil.copy(OLD / name.replace("old", "maxout_network"), folder / name)


def picture(size, random):
    coarse = random.integers(0, 256, (6, 8, 3)).astype("uint8")
    return np.asarray(Image.fromarray(coarse).resize(size[::-1]))


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def write_regions(folder):
    """The page's own, for the picture and for both designs."""
    [regions] = [each.text for each in blocks("docs/attention.md") if each.language == "json"]
    for name in ("regions.json", "a.json", "b.json"):
        (folder / name).write_text(regions)


def write_shown(folder: pathlib.Path, table: str) -> None:
    """A page's table of fixations, and the pictures that it names."""
    for line in table.splitlines()[1:]:
        save(folder / "images" / line.split(",")[0], np.zeros((700, 500, 3), "uint8"))
    (folder / "fixations.csv").write_text(table)


def write_mydata(folder, random):
    lines = ["image,x,y,observer,duration_ms"]
    for name in NAMES:
        save(folder / "images" / name, picture(SIZE, random))
        points = random.integers(0, SIZE[::-1], (6, 2))
        lines += [f"{name},{x},{y},{'ab'[i % 2]},200" for i, (x, y) in enumerate(points)]
    (folder / "fixations.csv").write_text("\n".join(lines))


def write_maps(folder, random):
    """Predicted maps of `mydata`, one of the photo, and a folder of pictures with densities."""
    for name in NAMES:
        values = maps.density(random.integers(0, 60, (3, 2)), SIZE, 6.0)
        map_files.write_png(str(folder / "MAPS" / name), values)
        map_files.write_png(str(folder / "mapped" / "maps" / name), values[::2, ::2])
    (folder / "mapped" / "images").symlink_to("../mydata/images")
    (folder / "maps").mkdir()
    photo = maps.density(np.array([[50.0, 60.0]]), PHOTO_SIZE, 30.0)
    np.save(folder / "maps" / "photo.npy", photo[..., 0].astype("float32"))


def write_pickles(folder, random):
    for name in ("train.pkl", "val.pkl"):
        entries = [
            {"X": random.random((3, 96, 96)), "y": random.random((48, 48)), "file_name": f"{i}"}
            for i in range(2)
        ]
        (folder / name).write_bytes(pickle.dumps(entries))
