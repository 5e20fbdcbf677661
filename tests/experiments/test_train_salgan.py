"""The training script from end to end, on a few tiny pictures."""

import csv
import json
import subprocess
import sys

import evaluate
import keras
import numpy as np
import pytest
import tensorflow as tf
import train_salgan
from run_folders import assert_same_weights, cut_off, metrics

from keras_saliency import models, recipes
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError

TINY = {"size": (32, 48), "batch_size": 2, "content_epochs": 2, "epochs": 2, "width": 1 / 16}


def train(run_dir, *flags):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(train_salgan.RECIPES, "synthetic", {**train_salgan.QUICK, **TINY})
        train_salgan.main(["--run-dir", str(run_dir), "--limit", "5", *flags])
    return run_dir


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "whole")


def test_run_folder_has_everything(run_dir):
    names = {str(path.relative_to(run_dir)) for path in run_dir.rglob("*")}
    assert {
        "config.json",
        "metrics.csv",
        "scores.csv",
        "scores.md",
        "model.keras",
        "saved_model/1/saved_model.pb",
        "pictures/epoch_0004.png",
        "pictures/epochs.gif",
        "logs/gold_standard",
        "checkpoints/epoch_0003.npz",
        "checkpoints/epoch_0004.npz",
        "epochs/epoch_0003.keras",
    } <= names
    assert not [name for name in names if ".writing" in name]


def test_config_says_how_the_run_was_made(run_dir):
    config = json.loads((run_dir / "config.json").read_text())
    assert config["arguments"]["data"] == "synthetic" and config["arguments"]["limit"] == 5
    assert config["arguments"]["encoder_weights"] == "none" and config["seed"] == 0
    assert config["pictures"] == {"train": 5, "test": 5}
    assert config["precision"] != "auto"
    assert config["versions"]["tensorflow"] == tf.__version__
    assert config["machine"]["cores"] >= 1


def test_metrics_csv_has_a_row_an_epoch_of_both_phases(run_dir):
    rows = metrics(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["phase"] for row in rows] == ["content"] * 2 + ["adversarial"] * 2
    assert rows[0]["d_real"] == "" and 0 < float(rows[3]["d_real"]) < 1
    assert all(np.isfinite(float(row["val_nss"])) for row in rows)


def test_tensorboard_has_scalars_and_panels(run_dir):
    tags = set()
    for path in (run_dir / "logs").rglob("events*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            tags |= {value.tag for value in event.summary.value}
    assert {"epoch_nss", "epoch_content_loss", "epoch_d_real", "gan/real_score_mean"} <= tags
    assert {"pictures/nss", "pictures/kld", "final/auc_judd"} <= tags
    assert any("prediction" in tag and "test_0000" in tag for tag in tags)


def test_table_has_the_center_bias_beside_the_model(run_dir):
    table = (run_dir / "scores.md").read_text()
    assert "| SalGAN |" in table and "| center bias |" in table and "KLD ↓" in table
    with open(run_dir / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [f"test_000{i}" for i in range(5)]


def test_saved_files_predict_alike_in_a_new_process(run_dir, tmp_path):
    """model.keras and the SavedModel, neither with the project's code imported."""
    script = """
import sys, numpy as np, tensorflow as tf, keras
run, out = sys.argv[1:]
stimulus = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype("uint8")
kept = keras.models.load_model(run + "/model.keras").predict(stimulus, verbose=0)
served = tf.saved_model.load(run + "/saved_model/1").signatures["array"]
served = served(stimulus=tf.constant(stimulus))["saliency_map"].numpy()
np.savez(out, stimulus=stimulus, kept=kept, served=served)
"""
    out = tmp_path / "maps.npz"
    subprocess.run([sys.executable, "-c", script, run_dir, out], check=True, cwd=tmp_path)
    maps = np.load(out)
    np.testing.assert_allclose(maps["served"], maps["kept"], atol=1e-5)
    here = keras.models.load_model(run_dir / "model.keras").predict(maps["stimulus"], verbose=0)
    np.testing.assert_allclose(here, maps["kept"], atol=1e-6)
    assert maps["kept"].std() > 0


def test_a_run_cut_between_phases_goes_on_to_the_same_end(run_dir, tmp_path):
    cut = train(tmp_path / "cut", "--epochs", "0")
    assert len(metrics(cut)) == 2
    train(cut, "--resume", "--epochs", "2")
    assert metrics(cut) == metrics(run_dir)
    assert_same_weights(cut, run_dir)
    config = json.loads((cut / "config.json").read_text())
    assert len(config["resumed"]) == 1 and config["arguments"]["epochs"] == 2


def test_a_run_cut_within_a_phase_goes_on_to_the_same_end(run_dir, tmp_path):
    cut = tmp_path / "cut"
    with cut_off(3):
        train(cut)
    train(cut, "--resume")
    assert metrics(cut) == metrics(run_dir)
    assert_same_weights(cut, run_dir)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epochs", "0"], "cannot end before that"),
        (["--content-epochs", "4"], "cannot end before that"),
        (["--size", "32x32"], "--resume cannot change --size"),
        (["--seed", "3", "--batch-size", "1"], "--resume cannot change --batch-size, --seed"),
    ],
)
def test_a_resumed_run_cannot_become_another(run_dir, flags, message):
    names = ("model.keras", "config.json", "metrics.csv")
    before = [(run_dir / name).read_bytes() for name in names]
    with pytest.raises(InputError, match=message):
        train(run_dir, "--resume", *flags)
    assert [(run_dir / name).read_bytes() for name in names] == before


def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(tmp_path, monkeypatch):
    from keras_saliency import losses

    monkeypatch.setattr(losses.DensityCrossentropy, "call", lambda self, y, p: p * float("nan"))
    with pytest.raises(FloatingPointError, match="loss became nan in batch 1"):
        train(tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_evaluate_repeats_the_runs_scores(run_dir, tmp_path, capsys):
    out = tmp_path / "scores.csv"
    flags = ["--model", str(run_dir), "--limit", "5", "--csv", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        # The run had five training pictures for its center bias, not all.
        patch.setitem(synthetic.SPLITS, "train", 5)
        evaluate.main(flags)
    assert "| center bias |" in capsys.readouterr().out
    with open(out, newline="") as ours, open(run_dir / "scores.csv", newline="") as runs:
        for a, b in zip(csv.DictReader(ours), csv.DictReader(runs), strict=True):
            assert a.pop("image") == b.pop("image")
            for column in a:
                assert float(a[column]) == pytest.approx(float(b[column]), abs=1e-4)


def test_recipe_of_large_data_is_the_papers(monkeypatch):
    monkeypatch.delitem(train_salgan.RECIPES, "osie")
    args = train_salgan.parse_args(["--data", "osie"])
    assert (args.size, args.batch_size, args.content_epochs) == ((192, 256), 32, 15)
    assert (args.optimizer, args.learning_rate, args.content_weight) == ("adagrad", 3e-4, 0.05)
    adagrad = train_salgan.optimizer(args, steps=10)
    assert adagrad.initial_accumulator_value == 0.0 and adagrad.epsilon == 1e-6


def test_auto_says_loudly_that_the_encoder_is_random(monkeypatch, capsys):
    build = models.SalGANGenerator

    def without_network(shape, weights, **options):
        if weights == "imagenet":
            raise InputError("cannot download: put vgg16.h5 into the cache")
        return build(shape, weights=weights, **{**options, "width": 1 / 16})

    monkeypatch.setattr(models, "SalGANGenerator", without_network)
    args = train_salgan.parse_args(["--data", "osie", "--size", "32x32"])
    train_salgan.build_generator(args)
    assert args.encoder_weights == "none"
    assert "RANDOM weights: cannot download: put vgg16.h5" in capsys.readouterr().out


def test_every_encoder_can_be_chosen():
    from keras_saliency.models import encoders

    assert tuple(encoders.ENCODERS) == recipes.ENCODERS
    assert train_salgan.parse_args(["--encoder", "convnext_tiny"]).encoder == "convnext_tiny"


def test_the_content_loss_is_a_sum_of_pooled_maps(tmp_path):
    flags = ["--content-loss", "kld+0.5*cc+0.1*nss", "--set", "content_downsample=2"]
    run = train(tmp_path / "run", *flags, "--epochs", "0", "--content-epochs", "1")
    (row,) = metrics(run)
    for begin in ("", "val_"):
        kld, cc, nss = (float(row[f"{begin}{name}_loss"]) for name in ("kld", "cc", "nss"))
        total = kld + 0.5 * cc + 0.1 * nss
        assert float(row[f"{begin}content_loss"]) == pytest.approx(total, rel=1e-4)
    args = train_salgan.parse_args(["--run-dir", str(run), "--resume"])
    assert (args.content_loss, args.content_downsample) == (flags[1], 2)
    with pytest.raises(InputError, match="cannot change --content-loss"):
        train_salgan.parse_args(["--run-dir", str(run), "--resume", "--content-loss", "bce"])


def test_a_loss_of_one_name_is_that_loss():
    args = train_salgan.parse_args([])
    loss = train_salgan.common_arguments(args)["content_loss"]
    assert type(loss).__name__ == "DensityCrossentropy"
    assert train_salgan.common_arguments(args)["content_downsample"] == 4


def test_the_light_decoders_recipe(tmp_path):
    """Pretrained, the encoder learns slower than the decoder; from random weights as fast."""
    flags = ["--decoder", "light", "--encoder", "mobilenet", "--encoder-weights", "none"]
    run = train(tmp_path / "run", *flags, "--size", "32x48", "--set", "content_epochs=1")
    config = json.loads((run / "config.json").read_text())["arguments"]
    assert config["content_loss"] == "kld+cc+0.2*nss" and config["dropout"] == 0.3
    generator = keras.models.load_model(run / "model.keras")
    assert "decoder_dropout" in {layer.name for layer in generator.layers}
    for weights, pretrained in (("none", False), ("osie", True)):
        args = train_salgan.parse_args([*flags, "--encoder-weights", weights])
        adam = train_salgan.optimizer(args, 10, models.SalGANGenerator(weights="osie"))
        assert ("conv_pw_11/kernel" in adam.slowed) == pretrained
        assert "decoder16_conv/kernel" not in adam.slowed
        assert adam.slowdown == 0.1
    assert (args.encoder, args.decoder) == ("mobilenet", "light")
    with pytest.raises(InputError, match="osie are of --encoder mobilenet"):
        train_salgan.parse_args(["--encoder", "vgg16", "--encoder-weights", "osie"])
    with pytest.raises(InputError, match="dropout is 0 to"):
        train_salgan.parse_args(["--set", "dropout=1"])
