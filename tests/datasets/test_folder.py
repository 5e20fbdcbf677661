"""The loader of one's own data: any tidy CSV is read."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_saliency import pictures
from keras_saliency.datasets import folder

ROWS = "image,x,y,observer,duration_ms\nb.png,1,2,ann,200\na.jpg,3.5,4,bob,\nb.png,5,6,bob,150.5\n"


def save(path, size=(12, 16), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (9, 90, 200)).save(path, **options)


def dataset(tmp_path, text=ROWS, names=("a.jpg", "b.png"), encoding="utf-8"):
    for name in names:
        save(tmp_path / name)
    (tmp_path / "fixations.csv").write_bytes(text.encode(encoding))
    return str(tmp_path)


def only(tmp_path, text, **options):
    return folder.load(dataset(tmp_path, text, names=["a.jpg"], **options))[0]


def test_a_small_dataset_comes_sorted_and_complete(tmp_path):
    first, second = folder.load(dataset(tmp_path))
    assert (first.name, second.name) == ("a.jpg", "b.png")
    assert first.size == second.size == (12, 16)
    assert second.fixations.tolist() == [[1, 2], [5, 6]]
    assert second.observers.tolist() == [0, 1]
    assert first.observers.tolist() == [1]
    assert second.durations_ms.tolist() == [200, 150.5]
    assert np.isnan(first.durations_ms).tolist() == [True]
    assert first.fixations.dtype == first.durations_ms.dtype == "float32"
    assert first.observers.dtype == "int32"
    assert first.image_path == os.path.join(tmp_path, "a.jpg")
    np.testing.assert_array_equal(pictures.read(first.image_path).shape, (12, 16, 3))


def test_what_is_not_given_is_unknown(tmp_path):
    example = only(tmp_path, "image,x,y\na.jpg,0,0\n")
    assert example.observers is None
    assert example.durations_ms is None


@pytest.mark.parametrize(
    "text",
    [
        "y,duration_ms,image,gender,x,observer\n4,250,a.jpg,f,3.5,7\n",
        "image, x, y, observer, duration_ms\na.jpg, 3.5, 4, 7, 250\n",
        "Image,X,Y,Observer,Duration_ms\na.jpg,3.5,4,7,250\n",
        "image,x,y,observer,duration_ms\r\na.jpg,3.5,4,7,250\r\n",
        "\ufeffimage,x,y,observer,duration_ms\na.jpg,3.5,4,7,250",
        'image, "x", y, "observer", duration_ms\n"a.jpg", 3.5, 4, "7", 250\n',
        '"image","x","y","observer","duration_ms"\n"a.jpg","3.5","4","7","250"\n',
        "image,x,y,observer,duration_ms,\n\na.jpg,3.5,4,7,250,\n,,,,,\n",
        "image,x,y,observer,duration_ms\na.jpg,3.5,4,7,250,,\n",
        "image;x;y;observer;duration_ms\na.jpg;3,5;4;7;250,0\n",
        "image;x;y;observer;duration_ms\na.jpg;3.5;4;7;250\n",
        "image\tx\ty\tobserver\tduration_ms\na.jpg\t3,5\t4\t7\t250\n",
        "image,x,y,observer,duration_ms\n./a.jpg,3.5,4,7,250\n",
    ],
    ids=[
        "order", "spaces", "capitals", "crlf", "bom", "spaces and quotes", "quotes",
        "blank lines", "trailing commas", "semicolons", "semicolons and points", "tabs", "dot",
    ],
)  # fmt: skip
def test_every_tidy_csv_says_the_same(tmp_path, text):
    example = only(tmp_path, text)
    assert example.name == "a.jpg"
    assert example.fixations.tolist() == [[3.5, 4]]
    assert example.observers.tolist() == [0]
    assert example.durations_ms.tolist() == [250]


def test_observers_may_be_any_text_and_count_across_pictures(tmp_path):
    rows = "image,x,y,observer\nb.png,1,1,Zoë\na.jpg,1,1,07\nb.png,1,1,7\na.jpg,2,2,Zoë\n"
    first, second = folder.load(dataset(tmp_path, rows))
    assert second.observers.tolist() == [0, 2]
    assert first.observers.tolist() == [1, 0]
    # The numbers are the dataset's, whatever part of it is asked for.
    assert folder.load(str(tmp_path), limit=1)[0].observers.tolist() == [1, 0]


@pytest.mark.parametrize("missing", ["", "NA"])
def test_a_missing_duration_is_nan(tmp_path, missing):
    example = only(tmp_path, f"image,x,y,duration_ms\na.jpg,1,1,{missing}\na.jpg,1,1,3\n")
    np.testing.assert_array_equal(example.durations_ms, [np.nan, 3])


def test_fixations_outside_are_dropped_and_counted(tmp_path):
    example = only(
        tmp_path, "image,x,y,observer\na.jpg,15.4,11.4,a\na.jpg,16,1,b\na.jpg,1e30,1,c\n"
    )
    np.testing.assert_allclose(example.fixations, [[15.4, 11.4]])
    assert example.observers.tolist() == [0]
    assert example.dropped == 2


def test_pictures_without_fixations_are_left_out(tmp_path):
    path = dataset(tmp_path, "image,x,y\na.jpg,1,1\n")
    assert [example.name for example in folder.load(path)] == ["a.jpg"]


def test_pictures_may_lie_in_folders(tmp_path):
    names = ["z.png", "in/a b.jpg", "in/deep/ü.webp"]
    text = "image,x,y\n" + "".join(f"{name},1,1\n" for name in names)
    path = dataset(tmp_path, text, names)
    assert [example.name for example in folder.load(path)] == sorted(names)


def test_a_backslash_is_a_slash(tmp_path):
    path = dataset(tmp_path, "image,x,y\nin\\a.jpg,1,1\nin/a.jpg,2,2\n", ["in/a.jpg"])
    (example,) = folder.load(path)
    assert (example.name, len(example.fixations)) == ("in/a.jpg", 2)


def test_a_picture_below_images_has_one_name(tmp_path):
    text = "image,x,y\na.jpg,1,1\nimages/a.jpg,2,2\nb.png,3,3\n"
    first, second = folder.load(dataset(tmp_path, text, ["images/a.jpg", "b.png"]))
    assert (first.name, second.name) == ("a.jpg", "b.png")
    assert first.fixations.tolist() == [[1, 1], [2, 2]]
    assert first.image_path == os.path.join(tmp_path, "images/a.jpg")


def test_the_picture_below_images_comes_first(tmp_path):
    save(tmp_path / "a.jpg", (5, 5))
    (example,) = folder.load(dataset(tmp_path, "image,x,y\na.jpg,1,1\n", ["images/a.jpg"]))
    assert example.size == (12, 16)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_the_size_is_that_of_the_turned_picture(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / name, exif=exif)
    (example,) = folder.load(dataset(tmp_path, f"image,x,y\n{name},11,11\n", []))
    assert example.size == pictures.read(example.image_path).shape[:2]
    assert example.size == ((16, 12) if orientation > 4 else (12, 16))


def test_exif_after_the_pixels_of_a_png_counts(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    late = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    (tmp_path / "a.png").write_bytes(late)
    (example,) = folder.load(dataset(tmp_path, "image,x,y\na.png,11,11\n", []))
    assert example.size == pictures.read(example.image_path).shape[:2] == (16, 12)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif", "a.gif", "a.webp"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (301, 203)])
def test_pictures_of_all_kinds_and_sizes(tmp_path, name, size):
    save(tmp_path / name, size)
    (example,) = folder.load(dataset(tmp_path, f"image,x,y\n{name},0,0\n", []))
    assert example.size == size == pictures.read(example.image_path).shape[:2]


def test_no_pixel_is_decoded(tmp_path, monkeypatch):
    names = ["a.jpg", "b.png", "c.tif", "d.bmp", "e.gif", "f.webp"]
    path = dataset(tmp_path, "image,x,y\n" + "".join(f"{name},1,1\n" for name in names), names)

    def fail(*_):
        raise AssertionError("decoded")

    for kind in (Image.Image, *{type(Image.open(tmp_path / name)) for name in names}):
        monkeypatch.setattr(kind, "load", fail)
    assert len(folder.load(path)) == 6


def test_train_and_test_are_a_fixed_fifth(tmp_path):
    names = [f"{i:03d}.bmp" for i in range(200)]
    path = dataset(tmp_path, "image,x,y\n" + "".join(f"{n},1,1\n" for n in names), names)
    found = {split: [e.name for e in folder.load(path, split)] for split in folder.SPLITS}
    assert found["all"] == names
    assert sorted(found["train"] + found["test"]) == names
    assert 25 <= len(found["test"]) <= 55
    # Names are spread by their CRC-32: these are fixed for good.
    assert found["test"][:4] == ["008.bmp", "009.bmp", "016.bmp", "033.bmp"]


def test_adding_pictures_moves_none(tmp_path):
    names = [f"{i}.bmp" for i in range(40)]
    text = "image,x,y\n" + "".join(f"{n},1,1\n" for n in names[:20])
    before = {e.name for e in folder.load(dataset(tmp_path, text, names), "test")}
    text += "".join(f"{n},1,1\n" for n in names[20:])
    after = {e.name for e in folder.load(dataset(tmp_path, text, []), "test")}
    assert before == after & set(names[:20])
    assert before < after


def test_a_limit_takes_the_first_by_name(tmp_path):
    path = dataset(tmp_path)
    assert [e.name for e in folder.load(path, limit=1)] == ["a.jpg"]
    assert len(folder.load(path, limit=9)) == 2
    assert folder.load(path, limit=0) == []


def test_whole_numbers_of_0_and_1_are_pixels(tmp_path):
    assert only(tmp_path, "image,x,y\na.jpg,0,1\n").fixations.tolist() == [[0, 1]]


def test_the_blur_is_not_known():
    assert folder.SIGMA is None
