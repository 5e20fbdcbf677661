"""What a run tells while it trains, by a clock of the test's own."""

import keras
import numpy as np
import pytest

from keras_saliency import console


class Clock(keras.callbacks.Callback):
    """A step takes 30 seconds, the first 1000, what follows an epoch 60."""

    def __init__(self, monkeypatch, at_once):
        super().__init__()
        self.now, self.steps, self.at_once = 0.0, 0, at_once
        monkeypatch.setattr(console.time, "monotonic", lambda: self.now)

    def on_train_batch_end(self, batch, logs=None):
        self.now += 30 * self.at_once if self.steps else 1000
        self.steps += self.at_once

    def on_epoch_end(self, epoch, logs=None):
        self.now += 60


def lines(capsys, callbacks, epochs, at_once=1, begin=0):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=at_once)
    numbers = np.ones((12, 2), "float32"), np.ones((12, 1), "float32")
    model.fit(  # four steps an epoch
        *numbers, batch_size=3, initial_epoch=begin, epochs=epochs, verbose=0, callbacks=callbacks
    )
    return capsys.readouterr().out.splitlines()


def test_losses_are_shown_by_iterations_counted_through_the_epochs(capsys):
    found = lines(capsys, [console.Losses(3)], 3, begin=1)
    heads = [line.split(":")[0] for line in found]
    assert heads == ["iteration 6", "iteration 9", "iteration 12"]
    assert all("loss " in line for line in found)


def test_after_an_epoch_the_length_of_the_others_is_told_once(capsys, monkeypatch):
    # Three steps of 30 seconds and 60 of validation are three quarters of an epoch.
    found = lines(capsys, [Clock(monkeypatch, 1), console.TimeLeft()], 4)
    assert found[0].startswith("the first step takes longest")
    assert found[1:] == ["about 10 minutes for 3 more epochs"]


def test_an_epoch_in_one_piece_is_measured_by_the_next(capsys, monkeypatch):
    found = lines(capsys, [Clock(monkeypatch, 4), console.TimeLeft()], 4, at_once=4)
    assert found[1:] == ["about 6 minutes for 2 more epochs"]  # 120 + 60 seconds each


def test_one_epoch_has_nothing_left(capsys, monkeypatch):
    assert len(lines(capsys, [Clock(monkeypatch, 1), console.TimeLeft()], 1)) == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(29, "less than a minute"), (61, "about 1 minute"), (86400, "about 24 h 0 min")],
)
def test_lengths_of_time_in_words(seconds, said):
    assert console._said(seconds) == said
