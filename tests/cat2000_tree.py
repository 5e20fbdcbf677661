"""A small CAT2000 to load, train on and score: made-up pictures in the published layout."""

import pathlib

import numpy as np
from PIL import Image
from scipy import io, ndimage

CATEGORIES = (
    "Action", "Affective", "Art", "BlackWhite", "Cartoon", "Fractal", "Indoor", "Inverted",
    "Jumbled", "LineDrawing", "LowResolution", "Noisy", "Object", "OutdoorManMade",
    "OutdoorNatural", "Pattern", "Random", "Satelite", "Sketch", "Social",
)  # fmt: skip


def write_tree(
    folder,
    categories=CATEGORIES,
    train_per_category=5,
    test_per_category=1,
    size=(108, 192),
    seed=0,
):
    """Writes `trainSet` and `testSet` below a folder, as the archives unpack.

    Each picture has a bright blob, where two thirds of its fixations are; the
    others are near the middle. Every second one has gray borders (126) left
    and right, an eighth of the width each, without fixations. The last
    category's pictures lie as they were shown but carry the EXIF tag of a turn,
    like the published `Pattern/134.jpg`. Numbers count from 001 in `trainSet`
    and go on in `testSet`, which has pictures only. `Output` folders hold
    pictures that are none of the dataset's.

    Args:
        folder: path, made if it is missing.
        categories: names of the category folders.
        train_per_category: pictures of each in `trainSet`; from 3 on one or
            more are of "val".
        test_per_category: pictures of each in `testSet`.
        size: `(height, width)` of the pictures; the published are 1080x1920.
        seed: another one makes other pictures.
    """
    random = np.random.default_rng(seed)
    for category in categories:
        tag = {"exif": _turned()} if category == categories[-1] else {}
        for number in range(1, train_per_category + test_per_category + 1):
            part = pathlib.Path(folder, "trainSet" if number <= train_per_category else "testSet")
            picture, points = _picture(size, number % 2 == 0, random)
            stimuli = part / "Stimuli" / category
            _save(picture, stimuli / f"{number:03d}.jpg", **tag)
            _save(picture[::4, ::4], stimuli / "Output" / f"{number:03d}_SaliencyMap.jpg")
            if part.name == "trainSet":
                _save_fixations(points, size, part, category, f"{number:03d}")


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    return exif


def _picture(size, bordered, random):
    """uint8 RGB, and int `(60, 2)`, the x and y of its fixations."""
    height, width = size
    border = width // 8 if bordered else 0
    y, x = np.mgrid[:height, :width]
    radius = height / 10
    center = np.array([
        random.uniform(border + 2 * radius, width - border - 2 * radius),
        random.uniform(2 * radius, height - 2 * radius),
    ])  # fmt: skip
    blob = np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * radius**2))
    texture = ndimage.gaussian_filter(random.standard_normal((*size, 3)), (2, 2, 0.5)) * 80
    dull = random.uniform(40, 110, 3) + texture
    picture = np.clip(dull + blob[..., None] * (250 - dull), 0, 255).astype("uint8")
    if border:
        picture[:, :border] = picture[:, -border:] = 126
    middle = np.array([width, height]) / 2
    points = np.concatenate([
        random.normal(center, radius * 0.8, (40, 2)),
        random.normal(middle, middle * 0.3, (20, 2)),
    ])  # fmt: skip
    last = [width - border - 1, height - 1]
    return picture, np.clip(points, [border, 0], last).astype(int)


def _save(picture, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=95, subsampling=0, **options)


def _save_fixations(points, size, part, category, stem):
    locations = np.zeros(size, "uint8")
    locations[points[:, 1], points[:, 0]] = 1
    path = part / "FIXATIONLOCS" / category / f"{stem}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    io.savemat(path, {"fixLocs": locations}, do_compression=True)
    # 40 pixels of 1080.
    density = ndimage.gaussian_filter(locations.astype("float64"), size[0] / 27)
    density = np.round(255 * density / density.max()).astype("uint8")
    _save(density, part / "FIXATIONMAPS" / category / f"{stem}.jpg")
    _save(density[::4, ::4], part / "FIXATIONMAPS" / category / "Output" / f"{stem}_map.jpg")
