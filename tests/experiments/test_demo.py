"""What is behind the web page, without a browser and without Gradio."""

import os
import shutil
import sys

import demo
import numpy as np
import pytest
from PIL import Image
from predicted_files import opened, save_network, save_photos

from keras_saliency import files, map_files, pictures, prediction
from keras_saliency.errors import InputError


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "red.keras"
    save_network(path)  # its map is the red channel
    return str(path)


@pytest.fixture(scope="module")
def models(model_path):
    return demo.loaded([model_path])


@pytest.fixture
def photo(tmp_path):
    save_photos(tmp_path)
    return str(tmp_path / "a.jpg")  # turned by its EXIF tag: 64 high, 40 wide


def answer(models, tmp_path, path, aspect="1:1", regions=""):
    folder = tmp_path / "made"
    folder.mkdir(exist_ok=True)
    return demo.answer(models, str(folder), path, "red", aspect, regions)


def test_a_picture(models, model_path, photo, tmp_path):
    said, overlay, gray, regions, crop, rows, (fine, over, cut) = answer(models, tmp_path, photo)
    assert said.startswith("a.jpg, 40x64 pixels; the crop holds ")
    names = [os.path.basename(path) for path in (fine, over, cut)]
    assert names == ["a-png16.png", "a-overlay.png", "a-crop.jpg"]
    assert opened(cut).shape == (40, 40, 3)
    # The same as predict.py writes.
    stimulus = pictures.read(photo)
    (expected,) = prediction.saliency_maps(prediction.load(model_path), [stimulus])
    map_files.write_png(str(tmp_path / "expected.png"), expected)
    np.testing.assert_array_equal(opened(fine), opened(tmp_path / "expected.png"))
    np.testing.assert_array_equal(opened(over), pictures.overlay(stimulus, expected))
    np.testing.assert_array_equal(gray, pictures.to_uint8(expected)[..., 0])
    np.testing.assert_array_equal(overlay, opened(over))
    assert max(regions.size) == max(crop.size) == 1000
    assert [row[0] for row in rows][::4] == ["top left", "middle center", "bottom right"]
    assert sum(float(row[1].rstrip("%")) for row in rows) == pytest.approx(100, abs=0.5)


def test_own_regions_and_aspect(models, photo, tmp_path):
    text = "the logo: 0, 0, 40, 32\n\nface 10 40 20 20\n"
    _, *_, rows, (_, _, cut) = answer(models, tmp_path, photo, "4:3", text)
    assert [row[0] for row in rows] == ["the logo", "face"]
    assert rows[0][2] == "50.0%" and rows[1][2] == "15.6%"
    assert opened(cut).shape == (30, 40, 3)


def test_what_is_shown_is_smaller_than_what_is_downloaded(models, tmp_path):
    Image.new("RGB", (3200, 100), "red").save(tmp_path / "wide.png")
    _, overlay, *_, (fine, *_) = answer(models, tmp_path, str(tmp_path / "wide.png"))
    assert overlay.size == (1600, 50) and opened(fine).shape == (100, 3200)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.jpg is not a picture"),
        (b"no picture", "bad.jpg is not a picture"),
        (None, "bad.jpg does not decode"),
    ],
)
def test_a_bad_file_is_one_line_that_does_not_say_where_it_lay(
    models, photo, tmp_path, content, message
):
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "bad.jpg").write_bytes(whole[: len(whole) // 2] if content is None else content)
    said, *others = answer(models, tmp_path, str(tmp_path / "bad.jpg"))
    assert said.startswith(message) and "\n" not in said and str(tmp_path) not in said
    assert others == [None] * 6
    assert answer(models, tmp_path, photo)[0].startswith("a.jpg")


def test_a_picture_of_too_many_pixels_is_not_decoded(models, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "MOST_PIXELS", 40 * 64 - 1)
    monkeypatch.setattr(pictures, "read", None)
    said, *_ = answer(models, tmp_path, photo)
    assert said.startswith("a.jpg is too large: 40x64 pixels")


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("logo 1 2 3", "wanted a line"),
        ("1 2 3 4", "wanted a line"),
        ("logo -1 2 3 4", "wanted a line"),
        ("logo 0 0 41 10", "reaches out of the picture"),
        ("logo 0 0 0 10", "at least one pixel"),
        ("logo 0 0 9 9\nlogo 0 0 8 8", "two regions are called"),
        ("logo 0 0 9 " + "9" * 5000, "wanted a line"),
    ],
)
def test_bad_regions_are_one_line(models, photo, tmp_path, regions, message):
    said, *others = answer(models, tmp_path, photo, regions=regions)
    assert message in said and others == [None] * 6


def test_no_picture_is_nothing(models, tmp_path):
    assert answer(models, tmp_path, None) == [None] * 7


def test_models_have_their_names(model_path, tmp_path):
    for name in ("one/model.keras", "osie/model.keras", "x/last.keras"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(model_path, tmp_path / name)
    paths = [str(tmp_path / p) for p in ("osie", "one/model.keras", "osie/model.keras", "x/last")]
    found = demo.loaded([*paths[:3], paths[3] + ".keras"])
    assert list(found) == ["osie", paths[1], paths[2], "last"]


def test_what_is_old_is_swept_away_and_nothing_else(tmp_path):
    old, new = tmp_path / "session" / "a.jpg", tmp_path / "other" / "b.jpg"
    for path in (old, new):
        path.parent.mkdir()
        path.touch()
    for path in (old, old.parent, new.parent):
        os.utime(path, (0, 0))
    files.sweep(str(tmp_path), demo.KEPT)
    assert [path.name for path in tmp_path.rglob("*")] == ["other", "b.jpg"]


def test_without_gradio_one_line_says_what_to_install(model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(InputError, match=r"pip install 'keras_saliency\[demo\]'"):
        demo.main(["--model", model_path])
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_without_a_model_it_is_the_one_that_comes_with_the_package():
    assert demo.parse_args([]).model == ["osie"]
    assert demo.loaded(["osie"])["osie"].input_shape == (None, 192, 256, 3)


@pytest.mark.parametrize("flags", [["--model", "nowhere"], ["--share"], ["--port", "x"]])
def test_mistakes_on_the_command_line(flags, model_path, capsys):
    given = flags if "--model" in flags else ["--model", model_path, *flags]
    with pytest.raises(SystemExit) as ended:
        demo.main(given)
    assert ended.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1
