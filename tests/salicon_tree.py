"""A small SALICON to load, train on and score: made-up pictures in the published layouts."""

import json
import pathlib

import numpy as np
from PIL import Image
from scipy import io, ndimage

from keras_saliency.datasets import salicon

# Mouse samples an observer, in the files that have them: they tell the releases apart.
SAMPLES = {"2017": 400, "2015-gaze": 115, "2015-json": 20}


TRAIN = [f"COCO_train2014_{number:012d}.jpg" for number in (1, 2, 3, 4)]
MAT = "COCO_train2014_000000000001.mat"


def load(folder, split="train", **options):
    return salicon.load(str(folder), split, **options)


def names_of(folder, split="train", **options):
    return [example.name for example in load(folder, split, **options)]


def write_tree(folder, release="2017", train=4, val=3, test=2, size=(48, 64), seed=0):
    """Writes one release of SALICON below a folder, as its archives unpack.

    Each picture has a bright blob, near which four observers look, seven times
    each. In "2015-mat" all pictures lie in one folder, in the others each
    split's in its own.

    Args:
        folder: path, made if it is missing.
        release: one of `salicon.RELEASES`.
        train, val, test: pictures of each split; numbers start at 1, 1001, 2001.
        size: `(height, width)` of the pictures; the published are 480x640.
        seed: another one makes other pictures.
    """
    random = np.random.default_rng(seed)
    folder = pathlib.Path(folder)
    for split, first, count in (("train", 1, train), ("val", 1001, val), ("test", 2001, test)):
        images, annotations = [], []
        for number in range(first, first + count):
            stem = f"COCO_{split}2014_{number:012d}"
            picture, center = _picture(size, random)
            path = folder / "images" / ("" if release == "2015-mat" else split) / f"{stem}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path, quality=95, subsampling=0)
            if split == "test":
                continue
            lists = [_near(center, size, 7, random) for _ in range(4)]
            if release == "2015-mat":
                save_fixated(folder / "fixation" / f"{stem}.mat", lists, size)
                density = {"I": _density(lists, size)}
                _save(folder / "saliency" / f"{stem}.mat", density)
            elif release == "2015-json":
                images.append(image_record(number, path.name, size))
                for points in lists:
                    samples = np.concatenate([points, _near(center, size, 13, random)])
                    annotations.append(annotation(number, samples, len(annotations) % 4 + 10))
            else:
                name = folder / "fixations" / split / f"{stem}.mat"
                save_gaze(name, lists, size, SAMPLES[release])
                gray = Image.fromarray(np.round(255 * _density(lists, size)).astype("uint8"))
                path = folder / "maps" / split / f"{stem}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                gray.save(path)
        if images:
            save_json(folder / f"fixations_{split}2014.json", images, annotations)


def save_gaze(path, lists, size=(48, 64), samples=400, **others):
    """Writes a .mat file of 2017: of each observer a list of x and y that count from 1."""
    gaze = np.empty((len(lists), 1), [(n, "O") for n in ("location", "timestamp", "fixations")])
    for row, points in zip(gaze[:, 0], lists, strict=True):
        row["location"] = np.ones((samples, 2))
        row["timestamp"] = np.arange(samples, dtype="float64")[:, None]
        row["fixations"] = np.asarray(points, "uint16").reshape(-1, 2)
    variables = {"image": path.stem, "resolution": np.array([size]), "gaze": gaze}
    _save(path, {**variables, **others})


def save_fixated(path, lists, size=(48, 64)):
    """Writes a .mat file of the LSUN challenge of 2015: `I` is 1 at each fixated pixel."""
    looked = np.zeros(size, "uint8")
    x, y = np.concatenate(lists).T
    looked[y - 1, x - 1] = 1
    _save(path, {"I": looked})


def save_json(path, images, annotations, **others):
    """Writes a JSON file of 2015; the keys come in the order of the published file."""
    tree = {"info": {"year": 2014}, "images": images, "licenses": [{"id": 1}], "type": "fixations"}
    path.write_text(json.dumps({**tree, "annotations": annotations, **others}))


def image_record(number, name, size=(48, 64)):
    """A picture's entry in the JSON file."""
    return {"license": 4, "file_name": name, "height": size[0], "width": size[1], "id": number}


def annotation(number, points, worker):
    """An observer's entry in the JSON file, of x and y that count from 1."""
    rows_columns = np.asarray(points).reshape(-1, 2)[:, ::-1].tolist()
    return {"image_id": number, "fixations": rows_columns, "worker_id": worker, "id": 1}


def _save(path, variables):
    path.parent.mkdir(parents=True, exist_ok=True)
    io.savemat(path, variables, do_compression=True)


def _picture(size, random):
    """uint8 RGB, and x and y of its blob's center."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    radius = height / 10
    center = random.uniform(2 * radius, [width - 2 * radius, height - 2 * radius])
    blob = np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * radius**2))
    texture = ndimage.gaussian_filter(random.standard_normal((*size, 3)), (2, 2, 0.5)) * 80
    dull = random.uniform(40, 110, 3) + texture
    return np.clip(dull + blob[..., None] * (250 - dull), 0, 255).astype("uint8"), center


def _near(center, size, count, random):
    """Int `(count, 2)`, x and y that count from 1."""
    points = np.round(random.normal(center, size[0] / 12, (count, 2))).astype(int) + 1
    return np.clip(points, 1, size[::-1])


def _density(lists, size):
    x, y = np.concatenate(lists).T - 1
    looked = np.zeros(size)
    looked[y, x] = 1
    density = ndimage.gaussian_filter(looked, size[0] * 19 / 480)
    return density / density.max()
