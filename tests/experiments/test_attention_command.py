"""attention.py finds, prints, draws and writes; a bad picture does not lose the others."""

import json
import os
import pathlib
import subprocess
import sys

import attention
import numpy as np
import pytest
from PIL import Image

from keras_saliency import attention as measures
from keras_saliency import map_files, models, pictures, prediction

SIZE = (60, 80)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures, their maps, and a file of regions; the commands run in there."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("maps")
    random = np.random.default_rng(0)
    for name, (y, x) in {"a": (10, 60), "b": (40, 20)}.items():
        Image.fromarray(random.integers(0, 256, (*SIZE, 3)).astype("uint8")).save(f"{name}.png")
        saliency_map = np.zeros(SIZE)
        saliency_map[y, x], saliency_map[30, 40] = 3, 1
        map_files.write_png(f"maps/{name}.png", saliency_map)
    boxes = {"logo": [55, 5, 10, 10], "text": [15, 35, 10, 10]}
    entries = [{"name": name, "box": box} for name, box in boxes.items()]
    (tmp_path / "regions.json").write_text(json.dumps(entries))
    return tmp_path


def ran(*arguments):
    """Runs a command that has something to complain of; returns its status."""
    with pytest.raises(SystemExit) as caught:
        attention.main(list(arguments))
    return caught.value.code


def loaded(path):
    with open(path) as file:
        return json.load(file)


def test_regions(folder, capsys):
    flags = ["--map", "maps", "--regions", "regions.json", "--json", "out.json", "--draw", "r.png"]
    attention.main(["regions", "a.png", *flags])
    shown = capsys.readouterr().out.splitlines()
    assert shown[:5] == [
        "a.png",
        "           attention  area  per area",
        "logo           75.0%  2.1%     36.00",
        "text            0.0%  2.1%      0.00",
        "elsewhere      25.0%",
    ]
    found = loaded("out.json")
    assert abs(found["elsewhere"] - 0.25) < 1e-4
    logo, text = found["regions"]
    assert logo["name"] == "logo" and abs(logo["share"] - 0.75) < 1e-4
    assert abs(logo["area"] - 1 / 48) < 1e-9 and abs(logo["per_area"] - 36) < 0.01
    assert text["share"] == 0
    assert pictures.read("r.png").shape == (750, 1000, 3)


def test_focus_of_several_pictures(folder, capsys):
    attention.main(["focus", "a.png", "b.png", "--map", "maps", "--json", "f.json", "--draw", "f"])
    assert "b.png: x 20, y 40 (25.6% from the left, 67.5% from the top)" in capsys.readouterr().out
    assert loaded("f.json") == [
        {"picture": "a.png", "x": 60, "y": 10, "width": 80, "height": 60},
        {"picture": "b.png", "x": 20, "y": 40, "width": 80, "height": 60},
    ]
    assert sorted(os.listdir("f")) == ["a.png", "b.png"]


def test_a_crop(folder, capsys):
    flags = ["--aspect", "1:2", "--output", "crop.jpg", "--draw", "drawn.png", "--json", "c.json"]
    attention.main(["crop", "a.png", "--map", "maps/a.png", *flags])
    assert "a.png: 30x60 pixels from x 31, y 0: 100.0% of the attention" in capsys.readouterr().out
    assert pictures.size("crop.jpg") == (60, 30)
    (row,) = loaded("c.json")
    assert (row["x"], row["y"], row["width"], row["height"]) == (31, 0, 30, 60)
    assert abs(row["share"] - 1) < 1e-9
    assert pictures.read("drawn.png").shape == (750, 1000, 3)


def test_scale_and_min_share_of_crops(folder):
    flags = ["--map", "maps", "--aspect", "1", "--scale", "0.1", "--output", "crops"]
    attention.main(["crop", "a.png", "b.png", *flags])
    assert pictures.size("crops/a.png") == pictures.size("crops/b.png") == (6, 6)
    np.testing.assert_array_equal(
        pictures.read("crops/a.png"), pictures.read("a.png")[10:16, 55:61]
    )
    attention.main(["crop", "a.png", "b.png", *flags, "--min-share", "0.9"])
    assert pictures.size("crops/a.png") == pictures.size("crops/b.png") == (21, 21)


def test_pictures_that_cannot_be_cropped_are_left_out(folder, capsys):
    ends = np.zeros(SIZE)
    ends[30, [0, 79]] = 1
    map_files.write_png("maps/b.png", ends)
    pathlib.Path("bad.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save("no_map.png")
    flags = ["--map", "maps", "--aspect", "1:1", "--min-share", "0.8"]
    names = ["b.png", "bad.png", "none.png", "no_map.png", "a.png"]
    assert ran("crop", *names, *flags, "--output", "out", "--json", "c.json") == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "4 of 5 pictures were left out"
    for line in ("left out: b.png: the largest window", "left out: bad.png is not a picture"):
        assert sum(each.startswith(line) for each in said) == 1
    assert "left out: no such file: none.png" in said
    assert sum("no_map.png" in each for each in said) == 1
    assert os.listdir("out") == ["a.png"]
    assert [row["picture"] for row in loaded("c.json")] == ["a.png"]


def test_two_designs(folder, capsys):
    flags = ["--map", "maps", "--regions", "regions.json", "--draw", "d.png", "--json", "d.json"]
    attention.main(["compare", "a.png", "b.png", *flags])
    shown = capsys.readouterr().out
    assert shown.splitlines()[:5] == [
        "A: a.png",
        "B: b.png",
        "attention      A      B  B - A, points",
        "logo       75.0%   0.0%          -75.0",
        "text        0.0%  75.0%          +75.0",
    ]
    found = loaded("d.json")
    assert found["regions"][0]["difference"] == pytest.approx(-0.75, abs=1e-4)
    assert f"CC {found['cc']:.3f}, SIM {found['sim']:.3f}" in shown
    assert found["sim"] == pytest.approx(0.25, abs=1e-3)
    assert pictures.read("d.png").shape[1] > 2000


def test_designs_of_two_sizes_with_regions_of_their_own(folder, capsys):
    Image.new("RGB", (40, 30)).save("b.png")
    map_files.write_png("maps/b.png", np.ones((30, 40)))
    (folder / "b.json").write_text('[{"name": "logo", "box": [0, 0, 40, 15]}]')
    flags = ["--map", "maps", "--regions", "regions.json", "b.json"]
    attention.main(["compare", "a.png", "b.png", *flags])
    shown = capsys.readouterr().out
    assert "logo       75.0%  50.0%          -25.0" in shown
    assert "text        0.0%      –              –" in shown
    assert "their sizes differ" in shown


def test_a_model_gives_what_its_maps_give(folder, capsys):
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    model.save("model.keras")
    Image.new("RGB", (50, 40), (200, 30, 30)).save("c.png")
    names = ["a.png", "c.png", "b.png"]
    (folder / "none.png").write_bytes(b"")
    assert ran("focus", "none.png", *names, "--model", "model.keras", "--json", "f.json") == 1
    maps = list(prediction.saliency_maps(model, map(pictures.read, names)))
    expected = [measures.focal_point(each) for each in maps]
    assert [(row["x"], row["y"]) for row in loaded("f.json")] == expected
    assert [row["picture"] for row in loaded("f.json")] == names
    assert [row["width"] for row in loaded("f.json")] == [80, 50, 80]
    capsys.readouterr()


def test_a_map_of_another_size_is_stretched_and_that_is_said(folder, capsys):
    small = np.zeros((6, 8))
    small[1, 6] = 1
    np.save("small.npy", small)
    attention.main(["focus", "a.png", "--map", "small.npy", "--json", "f.json"])
    (row,) = loaded("f.json")
    assert abs(row["x"] - 64.5) <= 1 and abs(row["y"] - 14.5) <= 1
    assert "small.npy is stretched, 6x8 over 60x80 pixels" in capsys.readouterr().err


MAP = ["--map", "maps"]
REGIONS = [*MAP, "--regions", "regions.json"]
CROP = ["crop", "a.png", *MAP, "--aspect", "1:1"]


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["look", "a.png", *MAP], "choose from"),
        (["focus", "a.png", *MAP, "--model", "osie"], "not allowed with"),
        (["focus", *MAP], "PICTURE"),
        (["focus", "a.png", "--model", "nowhere"], "no such file or folder: nowhere"),
        (["focus", "a.png", "b.png", "--map", "maps/a.png"], "1 files for 2 pictures"),
        (["focus", "a.png", *REGIONS], "--regions does not go with focus"),
        (["regions", "a.png", *REGIONS, "--min-share", "1"], "--min-share does not go"),
        (["regions", "a.png", *MAP], "needs --regions"),
        (["regions", "a.png", "b.png", *REGIONS], "looks at 1, here are 2"),
        (["regions", "a.png", *REGIONS, "regions.json"], "needs --regions"),
        (["compare", "a.png", *REGIONS], "looks at 2, here are 1"),
        (["crop", "a.png", *MAP, "--output", "b.png"], "--aspect"),
        ([*CROP], "--output"),
        ([*CROP[:-1], "wide", "--output", "b.png"], "--aspect"),
        ([*CROP[:-1], "16:", "--output", "b.png"], "--aspect"),
        ([*CROP[:-1], "0:9", "--output", "b.png"], "--aspect"),
        ([*CROP, "--output", "b.png", "--scale", "1.5"], "at most 1"),
        ([*CROP, "--output", "b.png", "--min-share", "80"], "at most 1"),
    ],
)
def test_a_mistake_in_the_flags_is_one_line(folder, capsys, arguments, word):
    before = sorted(os.listdir())
    assert ran(*arguments) == 2
    said = capsys.readouterr().err
    assert word in said and said.count("\n") == 1
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    "arguments, word",
    [
        ([*CROP, "--output", "b.gif"], "--output writes .jpg"),
        ([*CROP, "--draw", "b.jpg"], "--draw writes .png"),
        ([*CROP, "--output", "a.png"], "among what is read"),
        ([*CROP, "--output", "."], "among what is read"),
        ([*CROP, "--output", "maps/crop.png"], "among what is read"),
        ([*CROP, "--output", "b.png", "--draw", "./b.png"], "written twice"),
        ([*CROP, "--json", "a.png"], "among what is read"),
        (["regions", "a.png", *REGIONS, "--json", "regions.json"], "among what is read"),
        (["focus", "a.png", "b.png", *MAP, "--draw", "b2.png"], "need a folder"),
        (["focus", "a.png", "./a.png", *MAP, "--draw", "out"], "written twice"),
        (["regions", "none.png", *REGIONS], "no such file: none.png"),
        (["regions", "a.png", *MAP, "--regions", "none.json"], "no such file: none.json"),
        (["regions", "bad.png", *REGIONS], "bad.png is not a picture"),
        (["compare", "a.png", "bad.png", *REGIONS], "bad.png is not a picture"),
        (["regions", "a.png", "--map", "bad.png", "--regions", "regions.json"], "bad.png is no"),
    ],
)
def test_a_mistake_in_the_files_is_one_line(folder, arguments, word):
    (folder / "bad.png").write_bytes(b"no picture")
    script = str(pathlib.Path(attention.__file__))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert word in done.stderr and done.stderr.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_model_that_comes_with_the_package_is_the_default():
    args = attention.parse_args(["focus", "a.png"])
    assert args.model == "osie" and args.map is None
    assert attention.parse_args(["focus", "a.png", "--map", "maps.png"]).model is None
