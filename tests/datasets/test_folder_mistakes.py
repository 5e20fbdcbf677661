"""The loader of one's own data: a CSV that is not tidy is refused in one line."""

import pytest
from test_folder import ROWS, dataset, save

from keras_saliency import pictures
from keras_saliency.datasets import folder
from keras_saliency.errors import InputError


def refused(data_dir, *words, **options):
    with pytest.raises(InputError) as caught:
        folder.load(str(data_dir), **options)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_a_split_without_pictures_says_what_to_do(tmp_path):
    path = dataset(tmp_path, "image,x,y\na.jpg,1,1\nc.jpg,1,1\n", ["a.jpg", "c.jpg"])
    refused(path, "none of the 2 pictures", "'test'", "'all'", split="test")


def test_an_unknown_split_names_the_known_ones(tmp_path):
    refused(dataset(tmp_path), "all, train, test", "'val'", split="val")


def test_a_missing_folder_is_named(tmp_path):
    refused(tmp_path / "nowhere", "no such folder", "nowhere")
    refused("", "--data-dir")


def test_a_missing_csv_says_what_it_must_look_like(tmp_path):
    save(tmp_path / "a.jpg")
    refused(tmp_path, "fixations.csv", "image,x,y[,observer,duration_ms]")


def test_a_csv_that_is_a_folder_is_named(tmp_path):
    (tmp_path / "fixations.csv").mkdir()
    refused(tmp_path, "fixations.csv", "cannot be read")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["line 1", "no column 'image'", "image,x,y["]),
        ("a.jpg,3,4\na.jpg,5,6\n", ["line 1", "no column 'image'"]),
        ("image,x\na.jpg,3\n", ["line 1", "no column 'y'"]),
        ("image,x,y,x\na.jpg,3,4,5\n", ["line 1", "more than one column 'x'"]),
        ("image,x,y\n", ["lists no fixation"]),
        ("image,x,y\n\n,,\n", ["lists no fixation"]),
        ("image,x,y\na.jpg,3,4\n\na.jpg,left,4\n", ["line 4", "x must be a number", "'left'"]),
        ("image,x,y\na.jpg,3,\n", ["line 2", "y must be a number", "''"]),
        ("image,x,y\na.jpg,nan,4\n", ["line 2", "x must be a number", "'nan'"]),
        ("image,x,y\na.jpg,3,inf\n", ["line 2", "y must be a number", "'inf'"]),
        ("image,x,y,duration_ms\na.jpg,3,4,long\n", ["line 2", "duration_ms", "'long'"]),
        ("image,x,y,duration_ms\na.jpg,3,4,inf\n", ["line 2", "duration_ms", "'inf'"]),
        ("image,x,y\na.jpg,3\n", ["line 2 has 2 fields, the header has 3"]),
        ("image,x,y\na.jpg,3,5,4,0\n", ["line 2 has 5 fields, the header has 3"]),
        ("image,x,y\n,3,4\n", ["line 2", "'' is no path below"]),
        ("image,x,y\na.jpg,3,4\n../a.jpg,3,4\n", ["line 3", "'../a.jpg' is no path below"]),
        ("image,x,y\n/etc/a.jpg,3,4\n", ["line 2", "'/etc/a.jpg' is no path below"]),
        ("image,x,y\na.jpg,0.3,0.5\na.jpg,1,0\n", ["between 0 and 1", "pixels"]),
        ('image,x,y\na.jpg,"3,4\n5', ["line 3 has 2 fields"]),
        (f"image,x,y\n{'a' * 200_000},3,4\n", ["cannot be read as CSV"]),
    ],
)
def test_a_faulty_line_is_named(tmp_path, text, words):
    refused(dataset(tmp_path, text), "fixations.csv", *words)


def test_another_encoding_is_refused(tmp_path):
    refused(dataset(tmp_path, "image,x,y\nä.jpg,1,1\n", encoding="latin-1"), "UTF-8")
    refused(dataset(tmp_path, ROWS, encoding="utf-16"), "UTF-8")


def test_pictures_that_do_not_exist_are_counted(tmp_path):
    text = "image,x,y\na.jpg,1,1\nq.jpg,1,1\nr.jpg,1,1\nq.jpg,1,1\ns/t.jpg,1,1\n"
    refused(dataset(tmp_path, text), "3 pictures", "do not exist", "first is 'q.jpg' (line 3)")


@pytest.mark.parametrize("near", ["in/Photo_12.jpg", "images/in/Photo_12.jpg"])
def test_one_picture_that_does_not_exist_has_a_near_name(tmp_path, near):
    path = dataset(tmp_path, "image,x,y\nin/photo_12.jpg,1,1\n", [near])
    message = refused(path, "1 picture named", "does not exist", "is 'in/Photo_12.jpg' meant?")
    assert "images" not in message


def test_a_folder_is_no_picture(tmp_path):
    (tmp_path / "f.jpg").mkdir()
    refused(dataset(tmp_path, "image,x,y\nf.jpg,1,1\n"), "1 picture", "'f.jpg'")


def test_an_unreadable_picture_is_named(tmp_path):
    path = dataset(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    refused(path, "a.jpg", "not a picture")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "b.png").read_bytes()[:20])
    refused(path, "a.jpg")


def test_a_picture_that_is_too_large_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 12 * 16 - 1)
    refused(dataset(tmp_path), "a.jpg is too large", "16x12")
