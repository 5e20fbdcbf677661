"""compare.py: the table, the sheet, and one clear line for whatever is wrong."""

import pathlib
import subprocess
import sys

import compare
import numpy as np
import pytest
import salicon_tree
from PIL import Image
from test_bad_input import EXPERIMENTS, assert_one_line, run

from keras_saliency import comparison, files, pictures
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError

COUNT = 6


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the scores and the maps of two models on synthetic pictures."""
    names = [example.name for example in synthetic.load(split="test", limit=COUNT)]
    random = np.random.default_rng(0)
    for model, gain in (("old", 0), ("new", 1)):
        rows = [{"image": n, "nss": i % 3 * gain, "kld": 1.0} for i, n in enumerate(names, -2)]
        files.write_csv(str(tmp_path / f"{model}.csv"), rows)
        (tmp_path / model).mkdir()
        for name in names:
            saliency_map = random.integers(0, 256, (12, 16)).astype("uint8")
            Image.fromarray(saliency_map).save(tmp_path / model / f"{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


SHEET = ["old.csv", "new.csv", "--data", "synthetic", "--sheet", "sheets/sheet.png"]


def refused(*flags):
    before = sorted(pathlib.Path().rglob("*"))
    with pytest.raises(InputError) as caught:
        compare.main([*map(str, flags)])
    assert sorted(pathlib.Path().rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_table_is_printed(here, capsys):
    compare.main(["old.csv", "new.csv"])
    said = capsys.readouterr().out
    records = comparison.compare(comparison.read_csv("old.csv"), comparison.read_csv("new.csv"))
    assert comparison.table(records, "old", "new") in said
    assert f"{COUNT} pictures are in both files, 0 only in old.csv, 0 only in new.csv" in said
    assert not list(here.glob("*.png"))


def test_of_salicon_the_release_is_demanded_or_told(here, capsys):
    flags = ["old.csv", "new.csv", "--data", "salicon"]
    assert "salicon:2015-mat" in refused(*flags)
    salicon_tree.write_tree(here / "new_tree", "2017", 1, 1, 0)
    salicon_tree.write_tree(here / "old_tree", "2015-mat", 1, 1, 0)
    compare.main([*flags, "--data-dir", "new_tree"])
    said = capsys.readouterr().out
    assert said.startswith(f"salicon:2017 val: {COUNT} pictures") and "Reported" not in said
    for known in (["--data-dir", "old_tree"], ["--data", "salicon:2015-mat"]):
        compare.main([*flags, *known])
        assert "Reported for salicon:2015-mat val" in capsys.readouterr().out


def test_what_only_one_file_has_is_counted(here, capsys):
    lines = (here / "old.csv").read_text().splitlines(keepends=True)
    (here / "old.csv").write_text("".join(lines[:3]) + "a.jpg,1,1\n")
    compare.main(["old.csv", "new.csv"])
    said = capsys.readouterr().out
    assert f"2 pictures are in both files, 1 only in old.csv, {COUNT - 2} only in new.csv" in said


def test_files_of_one_name_are_told_apart_by_their_paths():
    assert compare.model_names("runs/a.csv", "b.v2.csv") == ["a", "b.v2"]
    assert compare.model_names("a/scores.csv", "b/scores.csv") == ["a/scores.csv", "b/scores.csv"]


def test_a_sheet_of_the_pictures_that_differ_most(here, monkeypatch, capsys):
    from keras_saliency import sheets

    drawn = {}
    monkeypatch.setattr(sheets, "write", lambda path, rows, titles: drawn.update(locals()))
    compare.main([*SHEET, "--count", "3", "--maps", "old", "new"])
    assert "wrote sheets/sheet.png" in capsys.readouterr().out
    assert drawn["titles"] == ["fixations", "old", "new"]
    a, b = comparison.read_csv("old.csv"), comparison.read_csv("new.csv")
    names = [row.lines[0] for row in drawn["rows"]]
    assert names == comparison.most_different(a, b, "nss", 3)
    examples = {example.name: example for example in synthetic.load(split="test")}
    for name, row in zip(names, drawn["rows"], strict=True):
        np.testing.assert_array_equal(row.stimulus, examples[name].image)
        np.testing.assert_array_equal(row.fixations, examples[name].fixations)
        for model, saliency_map in zip(("old", "new"), row.maps, strict=True):
            with Image.open(here / model / f"{name}.png") as picture:
                np.testing.assert_array_equal(saliency_map[..., 0], np.asarray(picture))


@pytest.mark.parametrize("maps", [[], ["--maps", "old", "new"]])
def test_the_sheet_is_a_picture(here, maps):
    compare.main([*SHEET, *maps])
    picture = pictures.read("sheets/sheet.png")
    assert picture.shape[1] > 800 if maps else 400 < picture.shape[1] < 800
    assert [path.name for path in (here / "sheets").iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("score", "values", "ahead"),
    [
        ("nss", (1.0, 3.5), "new"),
        ("nss", (3.5, 1.0), "old"),
        ("kld", (1.0, 3.5), "old"),
        ("kld", (3.5, 1.0), "new"),
    ],
)
def test_a_label_says_who_is_ahead(score, values, ahead):
    lines = compare.label("a.jpg", score, ["old", "new"], values)
    arrow = "↓" if score == "kld" else "↑"
    assert lines[:2] == ("a.jpg", f"{score.upper()} {arrow}, 2.500 apart")
    scored = [f"{value:.3f}  {name}" for value, name in zip(values, ("old", "new"), strict=True)]
    assert [line.removesuffix(" ✓") for line in lines[2:]] == scored
    assert [line.split()[1] for line in lines if "✓" in line] == [ahead]


def test_flags_that_need_each_other(here):
    assert "--data NAME" in refused("old.csv", "new.csv", "--sheet", "sheet.png")
    assert "--sheet OUT.png" in refused("old.csv", "new.csv", "--maps", "old", "new")
    flags = ["old.csv", "new.csv", "--data", "synthetic", "--sheet", "sheet.jpg"]
    assert "sheet.jpg does not end in .png" in refused(*flags)


def test_a_sheet_that_cannot_be_drawn(here):
    assert "no picture differs in kld" in refused(*SHEET, "--score", "kld")
    assert "share no sauc" in refused(*SHEET, "--score", "sauc")
    assert "not in synthetic train: see --split" in refused(*SHEET, "--split", "train")
    assert "split must be" in refused(*SHEET, "--split", "all")
    assert "nowhere" in refused(*SHEET, "--maps", "old", "nowhere")
    for path in (here / "new").iterdir():
        path.unlink()
    assert "no map in new" in refused(*SHEET, "--maps", "old", "new")


def test_mistakes_end_in_one_line(here):
    assert_one_line(run("compare.py", "old.csv", "no.csv", cwd=here), "no such file: no.csv")
    (here / "sheets").write_text("precious")
    assert_one_line(run("compare.py", *SHEET, cwd=here), "sheets")
    assert (here / "sheets").read_text() == "precious"


def test_tensorflow_is_not_waited_for(here):
    script = (
        f"import sys; sys.path.insert(0, {str(EXPERIMENTS)!r})\n"
        f"import compare; compare.main({[*SHEET, '--maps', 'old', 'new']})\n"
        "print('loaded:', {'keras', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("loaded: set()\n"), done.stderr
