"""The loader of one's own data: pictures with maps of points, or of densities."""

import os

import numpy as np
import pytest
from checks import refused
from PIL import Image
from test_folder import save

from keras_saliency.datasets import folder

SIZE = (12, 16)


def write(path, levels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(levels)).save(path)


def points(dtype="uint8", size=SIZE, level=255, **others):
    """Levels with `level` at (x 3, y 2), and another wherever `others` say: x_y=level."""
    levels = np.zeros(size, dtype)
    levels[2, 3] = level
    for place, value in others.items():
        x, y = place[1:].split("_")
        levels[int(y), int(x)] = value
    return levels


@pytest.fixture
def data(tmp_path):
    """Two pictures, one of them deeper, without any maps."""
    save(tmp_path / "images" / "a.jpg", SIZE)
    save(tmp_path / "images" / "in" / "b.JPG", SIZE, format="JPEG")
    return tmp_path


def with_points(data, levels=None):
    for name in ("a.png", "in/b.png"):
        write(data / "fixations" / name, points() if levels is None else levels)
    return str(data)


def with_maps(data):
    write(data / "maps" / "a.png", np.eye(5, dtype="uint16") * 60000)
    write(data / "maps" / "in" / "b.jpg", np.full((3, 4), 100, "uint8"))
    return str(data)


def test_white_pixels_are_fixations(data):
    first, second = folder.load(with_points(data, points(x15_0=255)))
    assert (first.name, second.name) == ("a.jpg", "in/b.JPG")
    assert first.image_path == os.path.join(data, "images", "a.jpg")
    assert first.size == second.size == SIZE
    assert sorted(second.fixations.tolist()) == [[3, 2], [15, 0]]
    assert first.fixations.dtype == "float32"
    assert not first.published and first.density_path is None


@pytest.mark.parametrize(
    ("levels", "times"),
    [
        (points(level=255), 1),
        (points(level=1), 1),
        (points(level=3, x0_0=1), 3),
        (points(level=2, x0_0=255), 2),
        (points("uint16", level=65535), 1),
        (points("uint16", level=2), 2),
        (points("bool", level=True), 1),
        (np.stack([points(), 0 * points(), 0 * points()], axis=-1), 1),
        (np.stack([points(level=2)] * 3, axis=-1), 2),
    ],
    ids=["white", "one", "counts", "mixed", "white16", "counts16", "bits", "red", "color"],
)
def test_a_level_says_how_many(data, levels, times):
    found = folder.load(with_points(data, levels))[0].fixations.tolist()
    assert found.count([3, 2]) == times
    assert len(found) == times + bool(levels[0, 0].any())


@pytest.mark.parametrize("ending", [".bmp", ".tif"])
def test_other_lossless_formats(data, ending):
    with_points(data)
    (data / "fixations" / "a.png").unlink()
    write(data / "fixations" / f"a{ending}", points())
    assert folder.load(str(data))[0].fixations.tolist() == [[3, 2]]


def test_nobody_looked(data):
    assert [len(e.fixations) for e in folder.load(with_points(data, 0 * points()))] == [0, 0]


def test_points_lie_on_the_picture_as_it_is_shown(data):
    exif = Image.Exif()
    exif[0x0112] = 6
    with_points(data)
    save(data / "images" / "a.jpg", SIZE[::-1], exif=exif)
    assert folder.load(str(data))[0].size == SIZE
    write(data / "fixations" / "a.png", points(size=SIZE[::-1]))
    refused(lambda: folder.load(str(data)), "a.png is 16x12", "its picture 12x16")
    turned = Image.fromarray(points(size=SIZE[::-1]))
    turned.save(data / "fixations" / "a.png", exif=exif)
    assert folder.load(str(data))[0].fixations.tolist() == [[13, 3]]


def test_densities_stay_in_their_files(data):
    with_maps(data)
    (data / "maps" / "a.png").write_text("read when it is needed")
    first, second = folder.load(str(data))
    assert first.published and len(first.fixations) == 0
    assert first.density_path == os.path.join(data, "maps", "a.png")
    assert second.density_path == os.path.join(data, "maps", "in", "b.jpg")


def test_fixations_come_before_densities(data):
    with_maps(data)
    first = folder.load(with_points(data))[0]
    assert len(first.fixations) == 1 and not first.published
    assert first.density_path == os.path.join(data, "maps", "a.png")


def test_the_csv_comes_before_everything(data):
    with_maps(data)
    with_points(data)
    (data / "fixations.csv").write_text("image,x,y\na.jpg,7,8\n")
    (example,) = folder.load(str(data))
    assert example.fixations.tolist() == [[7, 8]] and example.density_path is None


def test_splits_and_limit_go_by_name(data):
    for i in range(40):
        save(data / "images" / f"{i}.png", SIZE)
        write(data / "maps" / f"{i}.png", np.eye(4, dtype="uint8"))
    with_maps(data)
    train, test = (
        {example.name for example in folder.load(str(data), split)} for split in ("train", "test")
    )
    assert len(train | test) == 42 and not train & test and test
    assert len(folder.load(str(data), limit=3)) == 3


def test_what_a_computer_notes_is_no_picture(data):
    with_maps(data)
    for name in ("images/._a.jpg", "images/Thumbs.db", "maps/._a.png", "images/.cache/c.png"):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text("notes")
    assert len(folder.load(str(data))) == 2


@pytest.mark.parametrize("kind", ["fixations", "maps"])
def test_pictures_without_maps_and_maps_without_pictures_are_counted(data, kind):
    (with_points if kind == "fixations" else with_maps)(data)
    for name in ("c.png", "d.png"):
        save(data / "images" / name, SIZE)
    said = "2 of 4 pictures have no map in", kind, "the first is c.png: expected c.png"
    refused(lambda: folder.load(str(data)), *said)
    for name in ("a.jpg", "c.png", "d.png"):
        (data / "images" / name).unlink()
    said = "1 of 2 maps in", kind, "have no picture in", "the first is a.png"
    refused(lambda: folder.load(str(data)), *said)


@pytest.mark.parametrize(
    ("ending", "said"), [(".jpg", "JPEG smears points"), (".mat", "--data salicon")]
)
def test_maps_of_points_in_another_format(data, ending, said):
    with_points(data)
    (data / "fixations" / "a.png").rename(data / "fixations" / f"a{ending}")
    refused(lambda: folder.load(str(data)), "1 of 2 pictures", said)


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (points(level=128), ["gray level 128", "maps/"]),
        (points("uint16", level=300), ["gray level 300"]),
        (np.arange(192, dtype="uint8").reshape(SIZE) % 90, ["% of its pixels", "maps/"]),
        (255 - points(), ["99% of its pixels"]),
        (points(size=(6, 8)), ["6x8", "12x16"]),
        (points("float32", level=np.nan), ["gray level nan"]),
        (points("float32", level=1.5), ["gray level 1.5"]),
    ],
    ids=["between", "between16", "dim density", "black on white", "size", "nan", "half"],
)
def test_what_is_no_map_of_points_is_refused(data, levels, words):
    with_points(data)
    (data / "fixations" / "a.png").unlink()
    write(data / "fixations" / "a.tif", levels)
    refused(lambda: folder.load(str(data)), "a.tif", *words)


def test_a_damaged_map_is_named(data):
    with_points(data, np.random.default_rng(0).integers(0, 2, SIZE).astype("uint8"))
    path = data / "fixations" / "a.png"
    path.write_bytes(path.read_bytes()[:-30])
    refused(lambda: folder.load(str(data)), "a.png does not decode")


def test_two_files_of_one_name_are_refused(data):
    with_maps(data)
    save(data / "images" / "a.png", SIZE)
    refused(lambda: folder.load(str(data)), "a.jpg and a.png", "which one")


def test_maps_without_any_pictures(data):
    with_maps(data)
    for path in (data / "images").rglob("*.[jJ]*"):
        path.unlink()
    refused(lambda: folder.load(str(data)), "images holds no pictures")
    (data / "images").rename(data / "pictures")
    refused(lambda: folder.load(str(data)), "no such folder", "images")


def test_neither_a_csv_nor_maps(data):
    refused(lambda: folder.load(str(data)), "fixations.csv", "fixations/ or maps/")


def test_a_map_that_changed_is_read_again(data, monkeypatch):
    monkeypatch.setattr(folder.index, "WORTH", 1)
    with_points(data)
    assert len(folder.load(str(data))[0].fixations) == 1
    write(data / "fixations" / "a.png", points(x0_0=255, x1_1=255, x2_2=255))
    assert len(folder.load(str(data))[0].fixations) == 4
