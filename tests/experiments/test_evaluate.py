"""evaluate.py as a user runs it: models, maps, baselines, one's own data."""

import csv

import cat2000_tree
import numpy as np
import pytest
from PIL import Image
from test_bad_input import assert_one_line, run

from keras_saliency import densities, map_files


@pytest.fixture
def folder(tmp_path):
    """Pictures of different sizes with the fixations of three observers, and a map of each."""
    random = np.random.default_rng(0)
    (tmp_path / "data" / "more").mkdir(parents=True)
    lines = ["image,x,y,observer,duration_ms"]
    for name, (height, width) in {
        "a.jpg": (60, 80),
        "b.png": (48, 100),
        "more/c.jpg": (90, 50),
        "d.jpg": (64, 64),
    }.items():
        picture = random.integers(0, 256, (height, width, 3)).astype("uint8")
        Image.fromarray(picture).save(tmp_path / "data" / name)
        spot = random.uniform([15, 15], [width - 15, height - 15])
        for observer in ("anna", "ben", "cem"):
            for x, y in random.normal(spot, 4, (5, 2)).clip(0, [width - 1, height - 1]):
                lines.append(f"{name},{x:.1f},{y:.1f},{observer},200")
        rows, columns = np.mgrid[:height, :width]
        near = np.exp(-((columns - spot[0]) ** 2 + (rows - spot[1]) ** 2) / 200)
        map_files.write_png(str(tmp_path / "good" / name.replace(".jpg", ".png")), near)
        map_files.write_log_density(
            str(tmp_path / "noise" / (name + ".npy")),
            densities.log_density(random.random((height, width))),
        )
    (tmp_path / "data" / "fixations.csv").write_text("\n".join(lines))
    return tmp_path


def read(path):
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row.pop("image"): {k: float(v) for k, v in row.items()} for row in rows}


OWN = ["--data", "folder", "--data-dir", "data", "--pixels-per-degree", "8"]


def test_own_data_in_one_step(folder):
    done = run("evaluate.py", *OWN, "--predictions", "good", "--csv", "s.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "folder all, 4 pictures, protocol mit" in done.stdout and "sigma 8 px" in done.stdout
    assert "| center bias |" in done.stdout and "dropped" not in done.stdout
    scores = read(folder / "s.csv")
    assert list(scores) == ["a.jpg", "b.png", "d.jpg", "more/c.jpg"]
    columns = ["auc_judd", "auc_borji", "sauc", "nss", "cc", "sim", "kld", "ig"]
    for row in scores.values():
        assert list(row) == columns
        assert row["auc_judd"] > 0.85 and row["nss"] > 1.5 and row["cc"] > 0.7


@pytest.mark.parametrize("protocol", ["mit", "tuebingen", "salicon"])
def test_several_at_once_and_every_baseline(folder, protocol):
    flags = ["--predictions", "good", "noise", "--baseline", "all", "--protocol", protocol]
    done = run("evaluate.py", *OWN, *flags, "--csv", "s.csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    names = {path.stem.removeprefix("s-") for path in folder.glob("s-*.csv")}
    assert {"good", "noise", "gold_standard", "gbvs", "center_bias"} <= names
    assert len(names) == 12
    if protocol != "salicon":
        good, noise = read(folder / "s-good.csv"), read(folder / "s-noise.csv")
        assert all(good[name]["nss"] > noise[name]["nss"] for name in good)
        assert "explained IG" in done.stdout


def test_all_baselines_of_nameless_observers(folder):
    path = folder / "data" / "fixations.csv"
    lines = [",".join(line.split(",")[:3]) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    done = run("evaluate.py", *OWN, "--baseline", "all", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "without gold_standard" in done.stdout and "| gbvs |" in done.stdout
    done = run("evaluate.py", *OWN, "--baseline", "gold_standard", cwd=folder)
    assert_one_line(done, "--baseline gold_standard", "who made each fixation")


def test_folders_of_one_name_have_files_of_their_own(folder):
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / ("good" if name == "one" else "noise")).rename(folder / name / "maps")
    flags = ["--predictions", "one/maps", "two/maps", "--csv", "s.csv"]
    assert run("evaluate.py", *OWN, *flags, cwd=folder).returncode == 0
    assert read(folder / "s-one-maps.csv") != read(folder / "s-two-maps.csv")


def test_one_picture(folder):
    """There are no others: no center bias, no shuffled AUC, no information gain."""
    flags = ["--predictions", "good", "--limit", "1", "--csv", "s.csv"]
    done = run("evaluate.py", *OWN, *flags, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "center bias |" not in done.stdout
    row = read(folder / "s.csv")["a.jpg"]
    assert [name for name in row if np.isnan(row[name])] == ["sauc", "ig"]


def test_the_same_seed_gives_the_same_numbers(folder):
    flags = [*OWN, "--predictions", "noise", "--csv"]
    run("evaluate.py", *flags, "a.csv", cwd=folder)
    run("evaluate.py", *flags, "b.csv", cwd=folder)
    assert (folder / "a.csv").read_text() == (folder / "b.csv").read_text()


def test_the_earth_movers_distance_has_its_column(folder):
    pytest.importorskip("ot")
    flags = ["--baseline", "gaussian", "--emd", "--csv", "s.csv"]
    done = run("evaluate.py", *OWN, *flags, cwd=folder)
    assert "EMD ↓" in done.stdout
    assert all(row["emd"] >= 0 for row in read(folder / "s.csv").values())


def test_a_bad_map_does_not_lose_the_others(folder):
    np.save(folder / "noise" / "b.png.npy", np.full((48, 100), np.nan))
    flags = ["--predictions", "noise", "--csv", "s.csv"]
    done = run("evaluate.py", *OWN, *flags, cwd=folder)
    assert done.returncode == 2
    assert "1 maps could not be scored" in done.stderr and "b.png" in done.stderr
    scores = read(folder / "s.csv")
    assert np.isnan(scores["b.png"]["nss"]) and not np.isnan(scores["a.jpg"]["nss"])


def test_a_picture_that_cannot_be_read_is_listed(folder):
    path = folder / "data" / "d.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = run("evaluate.py", *OWN, "--baseline", "bms", "--csv", "s.csv", cwd=folder)
    assert done.returncode == 2
    assert "1 maps could not be scored" in done.stderr and "d.jpg" in done.stderr
    assert "| bms |" in done.stdout
    assert [n for n, row in read(folder / "s.csv").items() if np.isnan(row["nss"])] == ["d.jpg"]


def test_a_map_of_another_size(folder):
    map_files.write_png(str(folder / "good" / "a.png"), np.random.default_rng(0).random((30, 40)))
    assert run("evaluate.py", *OWN, "--predictions", "good", cwd=folder).returncode == 0
    flags = ["--predictions", "good", "--protocol", "tuebingen"]
    done = run("evaluate.py", *OWN, *flags, cwd=folder)
    assert done.returncode == 2 and "a.jpg" in done.stderr and "30x40" in done.stderr


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        ([], ["nothing to score", "--baseline"]),
        (["--baseline", "best"], ["--baseline", "best", "gbvs"]),
        (["--predictions", "nowhere"], ["no such folder", "nowhere"]),
        (["--predictions", "data/more"], ["4 of 4 pictures have no map", "a.jpg"]),
        (["--baseline", "uniform", "--split", "val"], ["val", "all"]),
        (["--baseline", "uniform", "--protocol", "cat"], ["--protocol", "tuebingen"]),
        (["--baseline", "uniform", "--pixels-per-degree", "0"], ["--pixels-per-degree", "above 0"]),
        (["--model", "nowhere"], ["no such file", "nowhere"]),
        (["--baseline", "uniform", "--csv", "data"], ["--csv data is a folder"]),
    ],
)
def test_mistakes(folder, flags, parts):
    assert_one_line(run("evaluate.py", *OWN, *flags, cwd=folder), *parts)


def test_a_split_without_truth_is_not_scored(tmp_path):
    cat2000_tree.write_tree(tmp_path / "cat", ("Action",), 3, 1, (27, 48))
    (tmp_path / "cat" / "testSet" / "Stimuli" / "Action").rename(tmp_path / "BenchmarkIMAGES")
    for data, *flags in (("mit300", "--data-dir", "."),):
        done = run("evaluate.py", "--data", data, *flags, "--baseline", "bms", cwd=tmp_path)
        assert_one_line(done, "mit300 test", "not published", "submit.py")
        assert "|" not in done.stdout
    (tmp_path / "BenchmarkIMAGES").rename(tmp_path / "cat" / "testSet" / "Stimuli" / "Action")
    flags = ["--data", "cat2000", "--data-dir", "cat", "--split", "test", "--baseline", "bms"]
    assert_one_line(run("evaluate.py", *flags, cwd=tmp_path), "cat2000 test", "not published")


def test_tuebingen_wants_a_degree(folder):
    flags = ["--data", "folder", "--data-dir", "data", "--baseline", "uniform"]
    done = run("evaluate.py", *flags, "--protocol", "tuebingen", cwd=folder)
    assert_one_line(done, "--pixels-per-degree")
    done = run("evaluate.py", *flags, cwd=folder)
    assert done.returncode == 0 and "8 cycles a picture" in done.stdout
