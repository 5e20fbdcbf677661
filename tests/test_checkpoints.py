"""Checkpoints: whole, checked, the last two of them; and how training goes on from one."""

import types

import keras
import numpy as np
import pytest
from checks import refused

from keras_saliency import callbacks, checkpoints, pipeline, stopping, strategies
from keras_saliency.datasets import synthetic

SIGMA = 3.0


def network(seed=1):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input((8, 8, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Dropout(0.3, seed=2),
        keras.layers.Conv2D(1, 3, padding="same"),
    ]
    model = keras.Sequential(layers)
    error = keras.metrics.MeanAbsoluteError(name="error")
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=[error])
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def source():
    return pipeline.load(synthetic.load(split="train", limit=12), (8, 8), SIGMA)


class Told(keras.callbacks.Callback):
    """Notes what it is told; lets `at` happen in the step of a number, from 1."""

    def __init__(self, at=None):
        super().__init__()
        self.events, self.at = [], at or {}

    def on_train_begin(self, logs=None):
        self.events.append("begin")

    def on_train_end(self, logs=None):
        self.events.append("end")

    def on_train_batch_begin(self, batch, logs=None):
        self.at.get(1 + sum(isinstance(event, int) for event in self.events), lambda: None)()

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(batch)

    def on_epoch_end(self, epoch, logs=None):
        self.events.append((epoch, logs))


def fit(model, source, listed, first=0, begun=None, at_once=1):
    model.steps_per_execution = at_once
    return strategies.fit(
        model, source, source, 2, first, 3, listed, seed=4, begun=begun, verbose=0,
        targets=lambda stimulus, targets: (stimulus, targets["density"]),
    )  # fmt: skip


def cut_off(folder, source, after, at_once=1):
    """A training of three epochs of six steps, asked to stop after some steps."""

    def ask():
        stopping._state.asked = 15

    told = Told({after: ask})
    listed = [told, callbacks.Checkpoints(str(folder), "one")]
    try:
        with pytest.raises(stopping.Stopped):
            fit(network(), source, listed, at_once=at_once)
    finally:
        stopping._state.asked, stopping._state.seen = None, False
    return told


def test_a_signal_that_comes_while_a_step_is_saved_waits_for_the_next(tmp_path, source):
    class Asking(callbacks.Checkpoints):
        def _save(self, epoch, step=0):
            super()._save(epoch, step)
            stopping._state.asked = 15

    listed = [Asking(str(tmp_path), "one", minutes=0)]
    try:
        with pytest.raises(stopping.Stopped):
            fit(network(), source, listed)
    finally:
        stopping._state.asked, stopping._state.seen = None, False
    assert checkpoints.last(str(tmp_path))[2:] == (0, 2)


@pytest.mark.parametrize(("after", "at_once", "then"), [(8, 1, 1), (4, 2, 3), (13, 1, 1)])
def test_it_goes_on_inside_an_epoch_to_the_same_end(tmp_path, source, after, at_once, then):
    """Also where other steps are taken at once than before; the callbacks see one training."""
    whole, told = network(), Told()
    expected = fit(whole, source, [told]).history
    steps = after * at_once
    first = cut_off(tmp_path, source, after, at_once)
    begun = checkpoints.last(str(tmp_path))
    assert begun[1:] == ("one", steps // 6, steps % 6)
    resumed, rest = network(seed=9), Told()
    checkpoints.restore(begun.path, resumed)
    history = fit(resumed, source, [rest], begun.epoch, begun, then).history
    assert resumed.steps_per_execution == then
    for ours, theirs in zip(
        checkpoints._variables(resumed), checkpoints._variables(whole), strict=True
    ):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    assert history == {name: values[begun.epoch :] for name, values in expected.items()}
    if at_once == then == 1:
        seen = [*first.events, *rest.events[1:]]
        assert rest.events[0] == "begin" and seen == told.events


def test_steps_that_were_trained_on_are_left_out(source):
    def orders(**begin):
        taken = pipeline.epochs(source, 2, seed=3, **begin).take(7)
        return [stimulus.numpy() for stimulus, _ in taken]

    np.testing.assert_array_equal(
        orders(initial_epoch=1)[4:], orders(initial_epoch=1, initial_step=4)[:3]
    )


def saved(folder, *places):
    for epoch, step in places:
        checkpoints.save(str(folder), network(), "one", epoch, step)
    return sorted(path.name for path in folder.iterdir())


def test_the_last_two_stay_whatever_they_are_of(tmp_path):
    names = saved(tmp_path, (9999, 0), (10000, 0), (10000, 3))
    assert names == ["epoch_10000.npz", "epoch_10000_step_00000003.npz"]


def test_a_single_changed_byte_anywhere_is_noticed(tmp_path):
    path = str(tmp_path / "a.npz")
    checkpoints.write(path, a=np.arange(3.0), epoch=2)
    whole = (tmp_path / "a.npz").read_bytes()
    assert checkpoints.read(path)["a"].tolist() == [0, 1, 2]
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        (tmp_path / "a.npz").write_bytes(changed)
        refused(lambda: checkpoints.read(path), path, "damaged")
    for length in (0, 5, 40, len(whole) - 1):
        (tmp_path / "a.npz").write_bytes(whole[:length])
        refused(lambda: checkpoints.read(path), path, "damaged")


def test_of_a_damaged_one_the_one_before_is_used(tmp_path, capsys):
    saved(tmp_path, (1, 0), (1, 5))
    newest = tmp_path / "epoch_0001_step_00000005.npz"
    newest.write_bytes(newest.read_bytes()[:-9])
    assert checkpoints.last(str(tmp_path))[1:] == ("one", 1, 0)
    assert f"WARNING: {newest} is damaged" in capsys.readouterr().err
    # It must not push out a good one, neither a newer nor an older.
    assert saved(tmp_path, (1, 2), (2, 0)) == [
        "epoch_0001_step_00000002.npz", "epoch_0001_step_00000005.npz.damaged", "epoch_0002.npz",
    ]  # fmt: skip
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    refused(lambda: checkpoints.last(str(tmp_path)), "every checkpoint", "--run-dir")


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = network()
    model.optimizer.variables[2].assign(np.full(model.optimizer.variables[2].shape, np.inf))
    with pytest.raises(FloatingPointError, match="no longer finite"):
        checkpoints.save(str(tmp_path), model, "one", 1, 2)
    assert not list(tmp_path.iterdir())


def test_inside_an_epoch_it_is_saved_when_so_many_minutes_have_passed(
    tmp_path, source, monkeypatch
):
    clock = iter(range(10**6))
    monkeypatch.setattr(callbacks, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    places, save = [], checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *args: places.append(args[3:]) or save(*args))
    fit(network(), source, [callbacks.Checkpoints(str(tmp_path), "one", 9, minutes=4 / 60)])
    # A second passes whenever the clock is asked: four times, then it is due.
    assert len(places) > 3 and (3, 0) in places and any(step for _, step in places)
    assert all(0 <= step < 6 for _, step in places)
