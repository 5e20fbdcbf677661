"""check_data.py: what it prints, its status, the sheet, and --download."""

import hashlib
import io
import pathlib
import subprocess
import sys
import zipfile

import cat2000_tree
import check_data
import numpy as np
import pytest
import web_server
from checks import refused
from PIL import Image
from test_bad_input import assert_one_line, run

from keras_saliency import downloads, map_files, maps, pictures
from keras_saliency.datasets import cat2000, osie, salicon, synthetic

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "osie"
COUNTS = {"train": (8, None), "val": (2, None), "all": (10, None), "test": (2, None)}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small CAT2000, whole but for its counts, with the blur of its own size."""
    cat2000_tree.write_tree(tmp_path / "cat", ("Action", "Art"))
    monkeypatch.setattr(cat2000, "COUNTS", COUNTS)
    monkeypatch.setattr(cat2000, "SIGMA", 4.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cat"


CAT = ["--data", "cat2000", "--data-dir", "cat"]


def check(*flags, wrong=False):
    """Runs it here; says whether the status is that of something wrong."""
    if not wrong:
        return check_data.main([*map(str, flags)])
    with pytest.raises(SystemExit) as caught:
        check_data.main([*map(str, flags)])
    assert caught.value.code == 1


def lines(capsys, start):
    said = capsys.readouterr().out.splitlines()
    return [line for line in said if line.startswith(start)]


def test_a_whole_dataset(tree, capsys):
    check(*CAT)
    said = capsys.readouterr().out
    assert "| train | 8 | 8 |" in said
    assert "| test | 2 | 2 | 0 |" in said
    assert "sizes: 108x192 (12)" in said
    assert "10 published densities have CC 1.000" in said
    assert "the best is 4 px" in said
    assert "wrong" not in said
    assert said.splitlines()[0].startswith("CAT2000; trainSet: cat")
    assert said.splitlines()[-1] == "all is well"


def test_what_is_wrong_has_a_line_and_the_status(tree, capsys):
    art = tree / "trainSet" / "Stimuli" / "Art"
    (art / "002.jpg").write_bytes((art / "002.jpg").read_bytes()[:2000])
    (tree / "testSet" / "Stimuli" / "Action" / "099.jpg").write_bytes(
        (art / "001.jpg").read_bytes()
    )
    check(*CAT, wrong=True)
    said = lines(capsys, ("wrong", "note", "3 things"))
    assert [line.split(":")[0] for line in said] == [
        "wrong",
        "note",
        "wrong",
        "wrong",
        "3 things are wrong",
    ]
    assert "test has 3 pictures, published 2" in said[0]
    assert str(pathlib.Path("Art", "002.jpg")) in said[2]
    assert "leakage" in said[3] and "Art/001.jpg = test Action/099.jpg" in said[3]


def test_a_split_that_is_lacking(tree, capsys):
    (tree / "testSet").rename(tree / "other")
    check(*CAT, wrong=True)
    assert "wrong: test cannot be loaded: no such folder" in capsys.readouterr().out
    check(*CAT, "--split", "train")
    assert "| val |" not in capsys.readouterr().out


def test_a_few_pictures_are_not_compared_with_what_is_published(tree, capsys):
    check(*CAT, "--limit", "1")
    said = capsys.readouterr().out
    assert "| train | 1 | – |" in said
    assert "all is well" in said


def test_a_picture_that_no_split_has(tree, capsys):
    (tree / "trainSet" / "Stimuli" / "Art" / "x.png").write_bytes(b"x")
    check(*CAT)
    assert "x.png" in lines(capsys, "note: no split has")[0]
    check(*CAT, "--limit", "2")
    assert "no split has" not in capsys.readouterr().out, "of a few, nobody can tell"


def test_another_blur(tree, capsys):
    check(*CAT, "--pixels-per-degree", "8")
    said = capsys.readouterr().out
    assert "blurred by 8 px, the best is 4 px" in said
    assert "note: the densities fit 0.5 times that blur better" in said


def test_the_sheet(tree, capsys, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        check_data.sheets, "write", lambda path, rows, titles: drawn.update(locals())
    )
    check(*CAT, "--sheet", "a/sheet.png", "--count", "4")
    assert "wrote a/sheet.png" in capsys.readouterr().out
    assert drawn["titles"] == ["fixations", "blurred, 4 px", "published density"]
    examples = {e.name: e for e in cat2000.load(str(tree), "all")}
    assert len(drawn["rows"]) == 4
    for row in drawn["rows"]:
        example = examples[row.lines[0]]
        np.testing.assert_array_equal(row.fixations, example.fixations)
        np.testing.assert_array_equal(row.stimulus, pictures.of(example))
        blurred, published = row.maps
        np.testing.assert_array_equal(blurred, maps.density(example.fixations, example.size, 4.0))
        np.testing.assert_array_equal(published, map_files.read_map(example.density_path))
        assert row.lines[2] == f"{len(example.fixations)} fixations"


def test_the_sheet_is_a_picture_and_is_drawn_when_something_is_wrong(tree, monkeypatch):
    path = tree / "trainSet" / "FIXATIONMAPS" / "Action" / "001.jpg"
    path.write_bytes(b"x")
    (tree / "trainSet" / "Stimuli" / "Action" / "002.jpg").write_bytes(
        (tree / "trainSet" / "Stimuli" / "Action" / "002.jpg").read_bytes()[:2000]
    )
    check(*CAT, "--sheet", "sheet.png", "--count", "100", wrong=True)
    with Image.open("sheet.png") as picture:
        assert picture.size[1] > 9 * 200


def test_without_files_and_densities(capsys):
    check("--data", "synthetic", "--limit", "3")
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "synthetic"
    assert "sizes: 240x320 (9)" in said
    assert "blur" not in said


def test_a_folder_of_ones_own(tmp_path, capsys):
    for i in range(3):
        Image.fromarray(np.full((30, 40, 3), i, "uint8")).save(tmp_path / f"{i}.png")
    (tmp_path / "fixations.csv").write_text("image,x,y\n0.png,12,7\n1.png,3,4\n1.png,99,4\n")
    check("--data", "folder", "--data-dir", tmp_path, wrong=True)
    said = capsys.readouterr().out
    assert "1.png (1); are x and y" in said
    assert f"note: no split has 1 picture: {tmp_path / '2.png'}" in said


def test_the_releases_of_salicon(monkeypatch, capsys):
    monkeypatch.setattr(salicon, "load", lambda d, split, limit=None, release=None: [])
    monkeypatch.setattr(salicon, "describe", lambda d, release=None: f"SALICON, {release}")
    monkeypatch.setattr(salicon, "release", lambda d: "2015-gaze")
    assert (
        check_data.published_counts(check_data.parse_args(["--data", "salicon"]), salicon, {})
        == (salicon.RELEASES["2015-gaze"])
    )
    check("--data", "salicon:2015-json", "--data-dir", ".", wrong=True)
    said = capsys.readouterr().out
    assert said.startswith("SALICON, 2015-json")
    assert "train has 0 pictures, published 10,000" in said


def test_mistakes_end_in_one_line(tmp_path):
    for flags, *parts in (
        (["--data", "nothing"], "nothing", "osie"),
        (["--data", "osie", "--data-dir", "nowhere"], "nowhere", osie.OFFERED),
    ):
        assert_one_line(run("check_data.py", *flags, cwd=tmp_path), *parts)
    for flags, *parts in (
        ([], "--data-dir"),
        (["--split", "val"], "train, test", "'val'"),
        (["--sheet", "a.jpg"], ".png"),
        (["--sheet", "a.png", "--count", "101"], "100"),
        (["--download"], "--data-dir"),
    ):
        refused(lambda flags=flags: check("--data", "osie", *flags), *parts)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_else(tmp_path, capsys):
    check("--data", "osie", "--data-dir", tmp_path, wrong=True)
    assert len(lines(capsys, "wrong: ")) == 2


@pytest.fixture
def server(tree, monkeypatch):
    """Serves the two archives of the small CAT2000, which is no longer on the disk."""
    monkeypatch.setattr(downloads, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    made = web_server.start(b"")
    offered = []
    for name in ("trainSet", "testSet"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as file:
            for path in sorted((tree / name).rglob("*")):
                file.write(path, path.relative_to(tree))
        made.others[f"/{name}.zip"] = stream.getvalue()
        url = made.url.replace("a.bin", f"{name}.zip")
        offered.append((url, hashlib.md5(stream.getvalue()).hexdigest(), f"the {name}", name))
    monkeypatch.setattr(cat2000, "ARCHIVES", offered)
    tree.rename(tree.parent / "original")
    yield made
    made.shutdown()
    made.server_close()


def test_download(server, capsys):
    server.faults = [5000, (500, {})]
    check(*CAT, "--download")
    assert "all is well" in capsys.readouterr().out
    names = sorted(path.name for path in pathlib.Path("cat").iterdir())
    assert names == [".downloaded.json", "testSet", "trainSet"]
    asked = len(server.asked)
    check(*CAT, "--download")
    assert "nothing to download: train, val, all, test" in capsys.readouterr().out
    assert len(server.asked) == asked


def test_a_half_unpacked_dataset_is_not_all_there(server, capsys):
    """Of each split a first picture can be loaded."""
    check(*CAT, "--download")
    asked = len(server.asked)
    locations = pathlib.Path("cat", "trainSet", "FIXATIONLOCS", "Art")
    kept = locations / "005.mat"
    kept.rename("005.mat")
    check(*CAT, "--download", wrong=True)
    said = capsys.readouterr().out
    assert "nothing to download" not in said and "trainSet is there already; to fetch" in said
    pathlib.Path("005.mat").rename(kept)
    for path in pathlib.Path("cat", "testSet", "Stimuli").rglob("006.jpg"):
        path.unlink()
        break
    check(*CAT, "--download", wrong=True)
    said = capsys.readouterr().out
    assert "nothing to download" not in said and "test has 1 pictures, published 2" in said
    assert len(server.asked) == asked


def test_a_download_that_fails_says_where_to_ask(server):
    server.faults = [(404, {})]
    refused(lambda: check(*CAT, "--download"), "trainSet.zip", "404", cat2000.OFFERED)
    server.others["/trainSet.zip"] = b"another"
    refused(lambda: check(*CAT, "--download"), "trainSet.zip", "md5", cat2000.OFFERED)
    assert not list(pathlib.Path("cat").iterdir())


def test_datasets_without_an_address(tmp_path, monkeypatch):
    flags = ["--data-dir", tmp_path / "x", "--download"]
    monkeypatch.setattr(salicon, "ARCHIVES", [], raising=False)
    refused(lambda: check("--data", "salicon", *flags), "no address", salicon.OFFERED)
    refused(lambda: check("--data", "folder", *flags), "not offered")
    check("--data", "synthetic", "--limit", "2", *flags)
    assert not (tmp_path / "x").exists()


def test_what_github_packs_is_found_where_it_unpacks(tmp_path):
    packed = tmp_path / "predicting-human-gaze-beyond-pixels-63223a0" / "data"
    (packed / "eye").mkdir(parents=True)
    (packed / "eye" / "fixations.mat").write_bytes(b"x")
    assert osie.describe(str(tmp_path)) == (
        f"OSIE in {packed}, fixations.mat is not the published one"
    )


@pytest.mark.skipif(not REAL.exists(), reason="OSIE is not here")
def test_the_real_osie_is_well(capsys):
    check("--data", "osie", "--data-dir", REAL)
    said = capsys.readouterr().out
    assert "fixations.mat as published" in said
    assert "| train | 500 | 500 | 69,876 | 69,876 | 111-179 | 15 | 0 | 0 |" in said
    assert said.endswith("all is well\n")


def test_tensorflow_is_not_waited_for():
    script = (
        f"import sys; sys.path.insert(0, {str(pathlib.Path(check_data.__file__).parent)!r})\n"
        "import check_data; check_data.main(['--data', 'synthetic', '--limit', '2'])\n"
        "print('loaded:', {'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("loaded: set()\n"), done.stderr


def test_every_dataset_can_be_asked_for():
    assert synthetic.SPLITS
    for name in check_data.loading.DATASETS:
        check_data.parse_args(["--data", name])
