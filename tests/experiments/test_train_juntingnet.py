"""The training script from end to end, on a few tiny pictures."""

import json

import keras
import numpy as np
import pytest
import train_juntingnet
from run_folders import assert_same_weights, cut_off, metrics
from train_juntingnet import PAPER, PAPER_DISTRIBUTION, parse_args

from keras_saliency import map_files, optimizers, prediction
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError

TINY = {
    "size": (32, 40), "batch_size": 2, "epochs": 4, "checkpoint_every": 2, "predict_every": 3,
}  # fmt: skip


def train(run_dir, *flags):
    with pytest.MonkeyPatch.context() as patch:
        small = {**train_juntingnet.QUICK, **TINY}
        patch.setitem(train_juntingnet.LEARNED_BY_SMALL, "synthetic", small)
        train_juntingnet.main(["--run-dir", str(run_dir), "--limit", "6", *flags])
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
        "pictures/epoch_0002.png",
        "pictures/epoch_0004.png",
        "pictures/curves.png",
        "pictures/filters.png",
        "pictures/extremes.png",
        "checkpoints/epoch_0002.npz",
        "checkpoints/epoch_0004.npz",
        "epochs/epoch_0003.keras",
        "predictions/epoch_0003/test_0000.png",
    } <= names
    assert not [name for name in names if ".writing" in name or name == "best.npz"]


def test_config_says_which_recipe_was_used(run_dir):
    arguments = json.loads((run_dir / "config.json").read_text())["arguments"]
    assert arguments["variant"] == "lsun2015" and arguments["loss"] == "kld"
    assert arguments["batch_norm"] is True and arguments["target_distribution"] == "sum"


def test_validation_is_every_second_epoch_and_the_rate_falls_in_a_line(run_dir):
    rows = metrics(run_dir)
    assert [bool(row["val_data_loss"]) for row in rows] == [False, True, False, True]
    rates = [float(row["learning_rate"]) for row in rows]
    small = train_juntingnet.SMALL
    expected = np.linspace(small["learning_rate"], small["last_learning_rate"], 4)
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_the_saved_model_is_the_network_with_its_blur(run_dir):
    model = prediction.load(str(run_dir))
    stimulus = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype("uint8")
    saliency_map = next(prediction.saliency_maps(model, [stimulus]))
    assert saliency_map.shape == (50, 70, 1) and saliency_map.min() >= 0
    assert model.output.shape[1:] == (16, 20, 1) and "blur" in [m.name for m in model.layers]


def test_dumped_predictions_are_those_of_that_epoch(run_dir):
    model = prediction.load(str(run_dir / "epochs" / "epoch_0003.keras"))
    stimulus = synthetic.load(split="test", limit=1)[0].image
    expected = next(prediction.saliency_maps(model, [stimulus], resize=False))
    dumped = map_files.read(str(run_dir / "predictions" / "epoch_0003" / "test_0000.png"))
    assert dumped.shape == expected.shape == (16, 20, 1) and dumped.max() == 65535
    np.testing.assert_allclose(dumped / 65535, expected, atol=1e-3)


def test_a_cut_run_goes_on_from_its_checkpoint_to_the_same_end(run_dir, tmp_path):
    cut = tmp_path / "cut"
    with cut_off(2):
        train(cut)
    train(cut, "--resume")
    assert metrics(cut) == metrics(run_dir)
    assert_same_weights(cut, run_dir)


def test_early_stopping_validates_on_held_out_training_pictures(tmp_path):
    flags = ["--set", "hold_out=0.34", "patience=1", "validate_every=1", "learning_rate=0.5"]
    run = train(tmp_path / "run", "--loss", "bhattacharyya", "--epochs", "9", *flags)
    config = json.loads((run / "config.json").read_text())
    assert config["pictures"] == {"train": 4, "monitored": 2, "test": 6}
    losses = [float(row["val_data_loss"]) for row in metrics(run)]
    best = np.load(run / "best.npz")
    assert len(losses) < 9 and min(losses) == pytest.approx(float(best["lowest"]))
    kept = prediction.load(str(run)).get_weights()
    for i, array in enumerate(kept):
        np.testing.assert_array_equal(array, best[f"w{i}"])


def test_as_published_with_mse(tmp_path, capsys):
    run = train(tmp_path / "run", "--recipe", "paper", "--loss", "mse", "--size", "32x40",
                "--epochs", "2", "--variant", "bristol2020")  # fmt: skip
    rows = metrics(run)
    assert float(rows[0]["learning_rate"]) == pytest.approx(0.05)
    assert float(rows[1]["learning_rate"]) == pytest.approx(0.0001)
    # What the weight decay adds to the loss.
    assert float(rows[0]["loss"]) > float(rows[0]["data_loss"]) + 1e-3
    # Two epochs teach it no more than one map for all.
    assert "the same whatever the picture" in capsys.readouterr().out
    assert "softmax" not in [layer.name for layer in prediction.load(str(run)).layers]


def test_recipes():
    mse = parse_args(["--data", "osie", "--recipe", "paper", "--loss", "mse"])
    assert {name: getattr(mse, name) for name in PAPER} == PAPER
    assert (PAPER["epochs"], PAPER["batch_size"], PAPER["weight_decay"]) == (1000, 128, 5e-4)
    kld = parse_args(["--data", "osie", "--recipe", "paper"])
    assert {name: getattr(kld, name) for name in PAPER} == PAPER_DISTRIBUTION
    assert kld.batch_norm and kld.hold_out == 0.2 and kld.patience
    assert parse_args([]).epochs == train_juntingnet.QUICK["epochs"]
    given = parse_args(["--epochs", "7", "--set", "dropout=0.25", "--set", "mirror=no"])
    assert (given.epochs, given.dropout, given.mirror) == (7, 0.25, False)


@pytest.mark.parametrize("name", ["SMALL", "QUICK", "PAPER", "PAPER_DISTRIBUTION"])
def test_a_recipe_is_saved_on_the_way(name):
    recipe = getattr(train_juntingnet, name)
    for every in ("validate_every", "checkpoint_every", "predict_every"):
        assert recipe[every] <= recipe["epochs"] / 2


def test_weight_decay_is_the_papers_gradient():
    """5e-4 times the weight, as PyTorch's; the loss has the square's half of it."""
    args = parse_args(["--recipe", "paper", "--loss", "mse", "--size", "32x32"])
    network, _ = train_juntingnet.build(args, (32, 32))
    train_juntingnet.compile_network(network, args)
    kernel = network.get_layer("fc2").kernel
    before = kernel.numpy()
    zero = np.zeros((1, 16, 16, 1), "float32")
    network.get_layer("fc1").kernel.assign(np.zeros(network.get_layer("fc1").kernel.shape))
    network.get_layer("fc1").bias.assign(np.zeros(network.get_layer("fc1").bias.shape))
    network.train_on_batch(np.zeros((1, 32, 32, 3)), zero)  # no gradient but the decay's
    rate = PAPER["learning_rate"]
    nesterov = 1 + 0.9  # times the first step
    np.testing.assert_allclose(kernel.numpy(), before * (1 - rate * nesterov * 5e-4), rtol=1e-5)


@pytest.mark.parametrize(("text", "output"), [("kld+0.5*cc", "softmax"), ("mse+2*cc", "linear")])
def test_the_loss_may_be_a_sum(text, output):
    """Its output is what its losses go by, and each of them is shown."""
    args = parse_args(["--loss", text, "--size", "32x32"])
    network, _ = train_juntingnet.build(args, (32, 32))
    stimulus = np.full((1, 32, 32, 3), 99.0)
    sums_to_one = abs(float(np.sum(network.predict(stimulus, verbose=0))) - 1) < 1e-3
    assert sums_to_one == (output == "softmax")
    train_juntingnet.compile_network(network, args)
    random = np.random.default_rng(0)
    pair = random.random((4, 32, 32, 3)) * 255, random.random((4, 16, 16, 1))
    logs = network.evaluate(*pair, verbose=0, return_dict=True)
    total = sum(
        weight * logs[f"{name}_loss"]
        for name, weight in train_juntingnet.recipes.loss_weights(text).items()
    )
    assert logs["data_loss"] == pytest.approx(total, rel=1e-4)
    assert logs["cc_loss"] == pytest.approx(1 - logs["cc"], rel=1e-4)


def test_with_float16_it_has_the_loss_scale_for_several_devices():
    args = parse_args(["--size", "32x32"])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network, _ = train_juntingnet.build(args, (32, 32))
        train_juntingnet.compile_network(network, args)
    finally:
        keras.config.set_dtype_policy(before)
    assert type(network.optimizer) is optimizers.LossScale
    network.optimizer.learning_rate = 0.25  # as the schedule does
    assert float(network.optimizer.inner_optimizer.learning_rate) == 0.25


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--set", "speed=3"], "NAME one of .*epochs.* Received: speed=3"),
        (["--set", "dropout"], "NAME=VALUE"),
        (["--set", "dropout=much"], "dropout is a number. Received: much"),
        (["--set", "mirror=maybe"], "mirror is yes or no"),
        (["--set", "epochs=1.5"], "epochs is a whole number"),
        (["--set", "size=9"], "size is given by its own flag"),
        (["--set", "optimizer=adam"], "optimizer is one of sgd, adamw"),
        (["--set", "validate_every=0"], "validate_every is 1 to"),
        (["--set", "batch_size=0"], "batch_size is 1 to"),
        (["--set", "dropout=1.5"], "dropout is 0 to 0.99"),
        (["--set", "sigma=-2"], "sigma is 0 to 100"),
        (["--set", "learning_rate=nan"], "learning_rate is a number"),
        (["--set", "patience=-1"], "patience is 0 to"),
        (["--epochs", "3", "--set", "epochs=4"], "given twice"),
        (["--set", "patience=3"], "hold_out=0.2"),
        (["--set", "hold_out=0.99"], "leaves nothing"),
        (["--loss", "mse+0.1*kld"], r"the output is one of the two. Received: mse\+0.1\*kld"),
        (["--size", "31x40"], "sides must be even"),
    ],
)
def test_mistakes_are_named_before_anything_is_written(tmp_path, flags, said):
    with pytest.raises(InputError, match=said):
        train(tmp_path / "run", *flags)
    assert not (tmp_path / "run").exists()
