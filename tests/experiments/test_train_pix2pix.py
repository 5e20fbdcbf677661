"""The training script from end to end, on a few tiny pictures and a tree like CAT2000's."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import train_pix2pix
from cat2000_tree import CATEGORIES, write_tree
from PIL import Image
from run_folders import assert_same_weights, cut_off, metrics
from test_bad_input import assert_one_line, run
from train_pix2pix import CAT2000, parse_args

from keras_saliency import map_files, pictures, pipeline, prediction
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError

TINY = {
    "size": (48, 64), "batch_size": 2, "epochs": 3, "width": 1 / 16, "discriminator_filters": 4,
    "hold_out": 0.34, "show_every": 2, "learning_rate": 1e-3,
}  # fmt: skip


def train(run_dir, *flags, data="synthetic"):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(train_pix2pix.RECIPES, data, {**train_pix2pix.RECIPES[data], **TINY})
        train_pix2pix.main(["--data", data, "--run-dir", str(run_dir), *flags])
    return run_dir


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "whole", "--limit", "9")


@pytest.fixture(scope="module")
def cat2000(tmp_path_factory):
    """A tree like CAT2000's, and a run on it."""
    folder = tmp_path_factory.mktemp("cat2000")
    write_tree(folder / "CAT2000")
    train(folder / "run", "--data-dir", str(folder / "CAT2000"), data="cat2000")
    return folder


def test_run_folder_has_every_epoch_and_the_pictures_to_choose_by(run_dir):
    names = {str(path.relative_to(run_dir)) for path in run_dir.rglob("*")}
    assert {
        "config.json",
        "metrics.csv",
        "scores.csv",
        "scores.md",
        "model.keras",
        "saved_model/1/saved_model.pb",
        *(f"epochs/epoch_000{i}.keras" for i in (1, 2, 3)),
        *(f"pictures/epoch_000{i}.png" for i in (1, 2, 3)),
        *(f"pictures/{name}" for name in ("epochs.png", "epochs.gif", "scores.png")),
        *(f"pictures/{name}" for name in ("curves.png", "extremes.png", "filters.png")),
        "checkpoints/epoch_0003.npz",
    } <= names
    assert not [name for name in names if ".writing" in name]
    with Image.open(run_dir / "pictures" / "epochs.gif") as animation:
        assert animation.n_frames == 3


def test_pictures_to_choose_by_are_held_out(run_dir):
    config = json.loads((run_dir / "config.json").read_text())
    assert config["pictures"] == {"train": 6, "monitored": 3, "test": 9}
    for epoch in (1, 2, 3):
        folder = run_dir / "predictions" / f"epoch_000{epoch}"
        names = sorted(path.stem for path in folder.iterdir())
        assert len(names) == 3 and all(name.startswith("train_") for name in names)
    assert all(row["val_nss"] for row in metrics(run_dir))


def test_maps_to_choose_by_are_the_epochs(run_dir):
    model = prediction.load(str(run_dir / "epochs" / "epoch_0002.keras"))
    path = next((run_dir / "predictions" / "epoch_0002").iterdir())
    examples = {example.name: example for example in synthetic.load(split="train", limit=9)}
    expected = next(prediction.saliency_maps(model, [examples[path.stem].image], resize=False))
    found = map_files.read(str(path)) / 65535  # stretched to its largest value
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-3)


def test_losses_are_shown_every_so_many_iterations(tmp_path, capsys):
    train(tmp_path / "run", "--limit", "9")
    lines = capsys.readouterr().out.splitlines()
    shown = [line for line in lines if line.startswith("iteration ")]
    assert [line.split(":")[0] for line in shown] == [f"iteration {i}" for i in (2, 4, 6, 8)]
    assert all(f"{name}_loss" in shown[0] for name in ("content", "adversarial", "discriminator"))
    assert any(line.startswith("best NSS of the held-out pictures: ") for line in lines)


def test_a_cut_run_goes_on_from_its_checkpoint_to_the_same_end(run_dir, tmp_path):
    cut = tmp_path / "cut"
    with cut_off(1):
        train(cut, "--limit", "9")
    train(cut, "--resume")
    assert metrics(cut) == metrics(run_dir)
    assert_same_weights(cut, run_dir)


def test_a_run_goes_on_for_more_epochs_with_its_command(tmp_path):
    flags = ["--limit", "6", "--set", "save_every=2", "l1_weight=50"]
    run = train(tmp_path / "run", *flags, "--epochs", "1")
    assert not (run / "epochs").exists()  # none was due
    train(run, *flags, "--epochs", "3", "--resume")
    assert [row["epoch"] for row in metrics(run)] == ["1", "2", "3"]
    assert [path.name for path in (run / "epochs").iterdir()] == ["epoch_0002.keras"]
    with pytest.raises(InputError, match="cannot change --set"):
        train(run, "--resume", "--epochs", "4", "--set", "l1_weight=60")


def test_nothing_is_chosen_by_test_pictures(tmp_path, capsys):
    run = train(tmp_path / "run", "--limit", "6", "--epochs", "1", "--set", "hold_out=0")
    assert "best NSS" not in capsys.readouterr().out
    drawn = {path.name for path in (run / "pictures").iterdir()}
    assert "epochs.png" in drawn and "scores.png" not in drawn


def test_without_fixations_cc_chooses(run_dir):
    held = synthetic.load(split="train", limit=2)
    assert list(train_pix2pix.scores_of_held_out(run_dir, held)) == ["nss", "cc", "kld"]
    published = [dataclasses.replace(e, fixations=np.zeros((0, 2))) for e in held]
    assert list(train_pix2pix.scores_of_held_out(run_dir, published)) == ["cc", "kld"]


def test_l1_alone_trains_no_discriminator(tmp_path):
    run = train(tmp_path / "run", "--limit", "6", "--epochs", "1", "--set", "adversary=no")
    row = metrics(run)[0]
    assert float(row["generator_loss"]) == float(row["content_loss"]) and "d_real" not in row


def test_jitter_cuts_windows_out_of_larger_pictures(tmp_path, monkeypatch):
    seen = []
    load = pipeline.load
    monkeypatch.setattr(
        pipeline,
        "load",
        lambda e, size, *rest, **how: seen.append(size) or load(e, size, *rest, **how),
    )
    flags = ["--set", "jitter=yes", "mirror=yes", "test_dropout=yes", "normalization=batch"]
    run = train(tmp_path / "run", "--limit", "6", "--epochs", "1", *flags)
    # 286 of 256, as much as pix2pix'; validation pictures are whole.
    assert seen == [(54, 72), (48, 64)]
    model = prediction.load(str(run))
    names = {type(layer).__name__ for layer in model.layers}
    assert {"AlwaysDropout", "BatchNormalization"} <= names and "Dropout" not in names


def test_recipes():
    report = parse_args(["--data", "cat2000", "--data-dir", "x"])
    assert {name: getattr(report, name) for name in CAT2000} == CAT2000
    assert (report.epochs, report.batch_size, report.learning_rate) == (100, 1, 1e-5)
    assert (report.l1_weight, report.discriminator_filters, report.layout) == (100, 128, "A")
    assert (report.size, report.picture_size) == ((144, 256), "140x250")
    assert not (report.jitter or report.mirror or report.test_dropout)
    assert (report.show_every, report.save_every) == (500, 1)
    assert parse_args(["--data", "osie", "--recipe", "paper"]).picture_size == "own"
    assert parse_args(["--data", "osie"]).batch_size == train_pix2pix.SMALL["batch_size"]
    assert parse_args(["--variant", "isola256"]).size == (256, 256)
    given = parse_args(["--epochs", "7", "--set", "layout=B", "--set", "adversary=no"])
    assert (given.epochs, given.layout, given.adversary) == (7, "B", False)


def test_optimizers_are_the_papers():
    steps = 10
    paper = train_pix2pix.optimizer(parse_args(["--recipe", "paper"]), steps)
    assert (paper.beta_1, paper.beta_2) == (0.5, 0.999)
    assert float(paper.learning_rate) == pytest.approx(1e-5)
    # Half of the epochs at the full rate, then down in a line: PyTorch's code.
    args = parse_args(["--epochs", "4", "--set", "decay=0.5", "learning_rate=0.3"])
    schedule = train_pix2pix.optimizer(args, steps)._learning_rate
    rates = [float(schedule(epoch * steps + step)) for epoch in range(4) for step in (0, 9)]
    np.testing.assert_allclose(rates, np.repeat([0.3, 0.3, 0.2, 0.1], 2), rtol=1e-5)


def test_l1_alone_takes_the_steps_of_weighted_l1():
    """Adam's do not depend on a loss's weight, if its epsilon is weighted likewise."""
    steps = {}
    for adversary, weight in (("yes", 200.0), ("no", 1.0)):
        adam = train_pix2pix.optimizer(parse_args(["--set", f"adversary={adversary}"]), 10)
        variable = keras.Variable(np.zeros(3), dtype="float32")
        gradient = np.array([1e-10, 1e-8, 1e-3], "float32")  # far below epsilon and far above
        adam.apply([weight * gradient], [variable])
        steps[adversary] = variable.numpy()
    np.testing.assert_allclose(steps["no"], steps["yes"], rtol=1e-4)


def test_the_l1_loss_is_weighted_as_on_maps_of_minus_1_to_1(tmp_path):
    flags = ["--limit", "6", "--epochs", "1", "--set", "l1_weight=7"]
    row = metrics(train(tmp_path / "run", *flags))[0]
    expected = 7 * 2 * float(row["content_loss"]) + float(row["adversarial_loss"])
    assert float(row["generator_loss"]) == pytest.approx(expected, rel=1e-4)


def test_the_content_loss_may_be_a_sum():
    args = parse_args(["--set", "content_loss=l1+0.5*kld", "width=0.0625", "--size", "48x64"])
    gan = train_pix2pix.build(args)
    train_pix2pix.compile_gan(gan, args, steps=1)
    assert [(weight, loss.name) for weight, loss in gan.content_loss.terms] == [
        (1.0, "l1"),
        (0.5, "kld"),
    ]
    assert (gan.content_weight, gan.content_downsample) == (200.0, 1)
    assert parse_args([]).content_loss == "l1"


def test_cat2000_is_trained_on_and_scored_at_the_reports_size(cat2000):
    config = json.loads((cat2000 / "run" / "config.json").read_text())
    # Five pictures a category, of which one is "val"; a third of the others is held out.
    assert config["pictures"] == {"train": 53, "monitored": 27, "test": 20}
    table = (cat2000 / "run" / "scores.md").read_text()
    assert "cat2000 val, 20 pictures" in table and "scores at 140x250" in table


def test_cat2000_is_evaluated_by_category(cat2000):
    flags = ["--model", "run", "--data", "cat2000", "--data-dir", "CAT2000", "--size", "140x250"]
    done = run("evaluate.py", *flags, "--csv", "s.csv", cwd=cat2000)
    assert done.returncode == 0, done.stderr
    assert "pix2pix, 128 discriminator filters" in done.stdout  # what the report says
    lines = done.stdout.splitlines()
    rows = [
        line.split(" | ")
        for line in lines[lines.index("| NSS ↑ | pictures | run | center bias |") + 2 :]
    ]
    assert [row[0].removeprefix("| ") for row in rows] == sorted(CATEGORIES)
    assert all(row[1] == "1" and float(row[2]) == float(row[2]) for row in rows)


def test_every_epoch_is_scored(cat2000):
    flags = ["--data", "cat2000", "--data-dir", "CAT2000", "--limit", "4", "--csv", "s.csv"]
    done = run("evaluate.py", "--model", "run", "--epochs", *flags, cwd=cat2000)
    assert done.returncode == 0, done.stderr
    for epoch in (1, 2, 3):
        assert f"| run epoch {epoch} | " in done.stdout
        assert (cat2000 / f"s-run_epoch_{epoch}.csv").is_file()
    drawn = pictures.read(str(cat2000 / "run" / "pictures" / "scores_cat2000_val_mit.png"))
    assert drawn.std() > 0


def test_the_last_epoch_is_the_model(run_dir):
    assert_same_weights(run_dir, pathlib.Path(run_dir) / "epochs" / "epoch_0003.keras")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--size", "100x128"], ["multiples of 16", "100x128"]),
        (["--variant", "isola256", "--size", "144x256"], ["multiples of 256", "144x256"]),
        (["--set", "layout=C"], ["layout", "A, B"]),
        (["--set", "picture_size=large"], ["size of the pictures", "large"]),
        (["--set", "picture_size=0x8"], ["at least one pixel", "0x8"]),
        (["--set", "lambda=3"], ["NAME=VALUE", "l1_weight"]),
        (["--set", "content_loss=l1+emd"], ["a loss is a sum", "bhattacharyya", "l1+emd"]),
        (["--data", "cat2000"], ["--data-dir"]),
        (["--data", "cat2000", "--data-dir", "nowhere"], ["nowhere"]),
    ],
)
def test_mistakes(flags, parts, tmp_path):
    assert_one_line(run("train_pix2pix.py", *flags, cwd=tmp_path), *parts)
    assert not (tmp_path / "runs").exists()


def test_epochs_without_a_run_of_them(tmp_path):
    done = run("evaluate.py", "--baseline", "uniform", "--epochs", cwd=tmp_path)
    assert_one_line(done, "--epochs", "--model RUN")
    (tmp_path / "empty" / "epochs").mkdir(parents=True)
    done = run("evaluate.py", "--model", "empty", "--epochs", cwd=tmp_path)
    assert_one_line(done, "epochs", "no generators")
