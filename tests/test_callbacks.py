"""What a run writes while it trains, on a network of two layers."""

import keras
import numpy as np
import pytest

from keras_saliency import callbacks, checkpoints, early_stopping, map_files
from keras_saliency.datasets import synthetic

STIMULI = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("float32")
DENSITIES = np.random.default_rng(1).random((4, 8, 8, 1), "float32")


def network(seed=0, dropout=0.0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Dropout(dropout),
            keras.layers.Conv2D(1, 3, padding="same"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, epochs, given, initial_epoch=0):
    model.fit(
        STIMULI, DENSITIES, batch_size=2, initial_epoch=initial_epoch, epochs=epochs,
        shuffle=False, verbose=0, callbacks=given,
    )  # fmt: skip


class Validations(keras.callbacks.Callback):
    """Puts these values into the logs, one an epoch; None: no validation."""

    def __init__(self, values):
        super().__init__()
        self.values = values
        self.weights = {}

    def on_epoch_end(self, epoch, logs=None):
        if self.values[epoch] is not None:
            logs["val_loss"] = self.values[epoch]
        self.weights[epoch + 1] = self.model.get_weights()


def stopped_after(tmp_path, values, patience, begin=0):
    model = network()
    told = Validations(values)
    best = early_stopping.Best(str(tmp_path / "best.npz"), "val_loss", patience, begin)
    fit(model, len(values), [told, best], initial_epoch=begin)
    return max(told.weights), model, best, told


def test_early_stopping_counts_epochs_after_the_best_and_passes_over_those_without_a_validation(
    tmp_path, capsys
):
    values = [5, None, 3, None, 4, None, 3.5, None, 9, None, 1]
    last, model, best, told = stopped_after(tmp_path, values, patience=4)
    assert last == 7  # four epochs after the third
    best.restore(model)
    for found, expected in zip(model.get_weights(), told.weights[3], strict=True):
        np.testing.assert_array_equal(found, expected)
    assert "val_loss 3 after epoch 3" in capsys.readouterr().out


def test_an_improvement_in_time_goes_on(tmp_path):
    last, *_ = stopped_after(tmp_path, [5, 6, 6, 4, 6, 6, 6, 6], patience=3)
    assert last == 7


@pytest.mark.parametrize(("cut", "begin"), [(2, 2), (4, 4), (6, 6), (6, 3)])
def test_a_resumed_run_keeps_its_best_and_stops_where_it_would_have(tmp_path, cut, begin):
    """Also if its last checkpoint is older than its best weights."""
    values = [5, 3, 4, 2, 6, 6, 6, 6, 6]
    whole, *_ = stopped_after(tmp_path / "whole", values, patience=3)
    _, _, _, first = stopped_after(tmp_path, values[:cut], patience=3)
    last, model, best, resumed = stopped_after(tmp_path, values, 3, begin)
    assert last == whole == 7
    best.restore(model)
    expected = (first if cut >= 4 else resumed).weights[4]
    for found, weights in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, weights)


def test_an_early_stop_leaves_a_checkpoint_of_its_last_epoch(tmp_path):
    told = Validations([1, 2, 2, 2])
    best = early_stopping.Best(str(tmp_path / "best.npz"), "val_loss", 2)
    fit(network(), 4, [told, best, callbacks.Checkpoints(str(tmp_path), "one", every=50)])
    assert checkpoints.last(str(tmp_path))[1:] == ("one", 3, 0)


def test_a_new_run_does_not_look_at_an_old_best(tmp_path):
    stopped_after(tmp_path, [1, 1], patience=5)
    last, *_ = stopped_after(tmp_path, [5, 4, 3, 2], patience=2)
    assert last == 4


def test_without_a_validation_there_is_nothing_to_restore(tmp_path):
    stopped_after(tmp_path, [1, 1], patience=5)  # an earlier run's file
    _, model, best, _ = stopped_after(tmp_path, [None, None], patience=1)
    before = model.get_weights()
    best.restore(model)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_predictions_are_written_every_so_many_epochs(tmp_path):
    examples = synthetic.load(split="test", limit=2)
    given = callbacks.Predictions(network(), examples, str(tmp_path), every=2)
    fit(network(), 5, [given])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch_0002", "epoch_0004"]
    for path in map_files.find(str(tmp_path / "epoch_0004"), [e.name for e in examples]):
        assert map_files.read(path).shape == (8, 8, 1)


def test_checkpoints_every_so_many_epochs_and_after_the_last(tmp_path):
    fit(network(), 5, [callbacks.Checkpoints(str(tmp_path), "one", every=2)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch_0004.npz", "epoch_0005.npz"]
    assert checkpoints.last(str(tmp_path))[1:] == ("one", 5, 0)


def test_a_plain_model_goes_on_from_its_checkpoint_as_if_never_stopped(tmp_path):
    """Weights, momentum, and the state of the random layer."""
    whole = network(dropout=0.5)
    fit(whole, 4, [])
    cut = network(dropout=0.5)
    fit(cut, 2, [callbacks.Checkpoints(str(tmp_path), "one")])
    resumed = network(seed=7, dropout=0.5)
    checkpoints.restore(checkpoints.last(str(tmp_path)).path, resumed)
    fit(resumed, 4, [], initial_epoch=2)
    for found, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_panels_every_so_many_epochs_of_the_model_that_is_shown(tmp_path, monkeypatch):
    seen = []
    shown = network()
    monkeypatch.setattr(
        callbacks.prediction, "saliency_maps",
        lambda model, stimuli: seen.append(model) or [np.ones((*s.shape[:2], 1)) for s in stimuli],
    )  # fmt: skip
    examples = synthetic.load(split="test", limit=1)
    panels = callbacks.Panels(examples, 12.0, str(tmp_path / "logs"), str(tmp_path), 2, shown)
    fit(network(), 3, [panels])
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["epoch_0002.png", "epoch_0003.png"]
    assert seen == [shown, shown]


@pytest.mark.parametrize(("at_once", "when"), [(1, "in batch 2"), (3, "by batch 3")])
def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(tmp_path, at_once, when):
    model = network()
    model.steps_per_execution = at_once
    densities = np.repeat(DENSITIES, 2, 0)[:6]
    densities[2] = np.nan  # of the second batch of three; the third has none
    saved = callbacks.Checkpoints(str(tmp_path), "training")
    with pytest.raises(FloatingPointError, match=f"loss became nan {when}$"):
        model.fit(
            np.repeat(STIMULI, 2, 0)[:6], densities, batch_size=2, shuffle=False, verbose=0,
            callbacks=[callbacks.NaNGuard(), saved],
        )  # fmt: skip
    assert not any(tmp_path.iterdir())
