"""What TensorBoard shows beside the losses, also of a run that was cut off and resumed."""

import dataclasses
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from event_points import found
from PIL import Image

from keras_saliency import board, callbacks, event_files, maps, pipeline, scores
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError
from keras_saliency.models.pix2pix import AlwaysDropout

SIZE = (24, 32)


@pytest.fixture(scope="module")
def examples():
    return synthetic.load(split="test", limit=5)


@pytest.fixture(scope="module")
def source(examples):
    return pipeline.load(examples, SIZE, synthetic.SIGMA)


def targets_of(source):
    ((_, targets),) = pipeline.once(source, source.count).as_numpy_iterator()
    return targets


def network(draws=False):
    """One convolution; or one behind a layer that drops out when it predicts, too."""
    keras.utils.set_random_seed(0)
    stimulus = keras.Input((*SIZE, 3))
    dropped = AlwaysDropout(0.5)(stimulus) if draws else stimulus
    layer = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    model = keras.Model(stimulus, layer(dropped))
    model.compile("sgd", "mse")
    return model


def written(folder, examples, source, first, last, cut=None):
    """An epoch each; `cut`: in this one the process is gone."""
    model = network()
    scalars = event_files.Scalars(str(folder))
    scalars.forget(first, 2 * first)
    shown = board.PictureScores(str(folder), examples, source, synthetic.SIGMA)
    shown.set_model(model)
    for each in (scalars, shown):
        each.on_train_begin()
    for epoch in range(first, last):
        model.layers[-1].bias.assign([0.1 * epoch])
        for each in (scalars, shown):
            each.on_epoch_begin(epoch)
            each.on_epoch_end(epoch, {"loss": epoch, "val_cc": 0.1 * epoch})
        if epoch == cut:
            return
    for each in (scalars, shown):
        each.on_train_end()


def test_scores_lines_and_histograms(tmp_path, examples, source):
    written(tmp_path, examples, source, 0, 2)
    points = found(tmp_path)
    curves = {(run, tag) for run, tag, *_ in points}
    assert {("validation", f"pictures/{name}") for name in ("nss", "cc", "sim", "kld")} <= curves
    for run in ("validation", "center_bias"):  # in the same charts
        assert {(run, f"epoch_{name}") for name in ("nss", "cc", "sim", "kld")} <= curves
    assert [tag for run, tag, *_ in points if run == "gold_standard"] == ["epoch_nss"] * 2
    # What Keras had validated stands there once, as Keras had it.
    assert [p for p in points if p[:2] == ("validation", "epoch_cc")][1][3] == pytest.approx(0.1)
    bins = next(p[3] for p in points if p[1] == "pictures/cc")
    assert sum(count for _, _, count in bins) == len(examples)


def test_a_resumed_run_has_no_point_twice_and_none_missing(tmp_path, examples, source):
    written(tmp_path / "whole", examples, source, 0, 4)
    written(tmp_path / "cut", examples, source, 0, 4, cut=2)
    written(tmp_path / "cut", examples, source, 1, 4)  # the last checkpoint was of the first epoch
    assert found(tmp_path / "cut") == found(tmp_path / "whole")


def test_without_a_validation_nothing_is_predicted(tmp_path, examples, source, monkeypatch):
    shown = board.PictureScores(str(tmp_path), examples, source, synthetic.SIGMA)
    shown.set_model(network())
    shown.on_train_begin()
    monkeypatch.setattr(board.prediction, "saliency_maps", None)
    shown.on_epoch_end(0, {"loss": 1.0})
    shown.on_train_end()


def test_nothing_is_drawn_from_the_seeds_of_training(tmp_path, examples, source):
    model = network(draws=True)
    shown = board.PictureScores(str(tmp_path), examples, source, synthetic.SIGMA)
    shown.set_model(model)
    shown.on_train_begin()
    (seeds,) = (v for v in model.variables if v.name == "seed_generator_state")
    before = seeds.numpy()
    shown.on_epoch_end(0, {"val_cc": 0.0})
    np.testing.assert_array_equal(seeds.numpy(), before)
    model.predict_on_batch(np.stack(shown.stimuli))
    assert not np.array_equal(seeds.numpy(), before)  # unless it is put back


def test_the_lines_are_what_others_look_at(examples, source):
    targets = targets_of(source)
    line = board.lines(examples, targets, synthetic.SIGMA)
    shares = targets["density"] / targets["density"].sum((1, 2, 3), keepdims=True)
    others = shares.sum(0) - shares
    expected = float(np.mean(scores.cc(targets["density"], others)))
    assert line["center_bias"]["cc"] == pytest.approx(expected, abs=0.02)  # of another grid
    # A map made of all observers, those that are scored among them, is better still.
    known = np.mean(scores.nss(targets["fixation_map"], targets["density"]))
    assert line["center_bias"]["nss"] < line["gold_standard"]["nss"] < known
    assert set(line["gold_standard"]) == {"nss"}


def test_each_observer_is_foretold_by_the_others_alone(source):
    """Two who never agree: the other's map is low where one looks."""
    corners = np.array([[20.0, 20.0], [300.0, 220.0]], "float32")
    looked = {"fixations": corners, "observers": np.array([0, 1], "int32")}
    examples = [dataclasses.replace(e, **looked) for e in synthetic.load(split="test", limit=3)]
    targets = targets_of(pipeline.load(examples, SIZE, synthetic.SIGMA))
    line = board.lines(examples, targets, synthetic.SIGMA)
    assert line["gold_standard"]["nss"] < line["center_bias"]["nss"]


@pytest.mark.parametrize(
    ("count", "changes", "known"),
    [
        (3, {"observers": None}, {"center_bias"}),
        (1, {}, set()),
        (3, {"fixations": np.zeros((0, 2)), "density": np.eye(24)[:, :20]}, {"center_bias"}),
    ],
)
def test_what_the_data_does_not_have_is_left_out(count, changes, known):
    examples = [
        dataclasses.replace(e, **changes) for e in synthetic.load(split="test", limit=count)
    ]
    targets = targets_of(pipeline.load(examples, SIZE, synthetic.SIGMA))
    line = board.lines(examples, targets, synthetic.SIGMA)
    assert set(line) == known
    assert all(np.isfinite(value) for names in line.values() for value in names.values())


def panels(folder, examples, epochs, begin=0):
    model = network()
    panel = callbacks.Panels(examples[:2], synthetic.SIGMA, str(folder / "logs"), str(folder))
    animation = board.Animation(examples[0], str(folder))
    stimuli = np.zeros((2, *SIZE, 3))
    model.fit(
        stimuli, stimuli[..., :1], initial_epoch=begin, epochs=epochs, verbose=0,
        callbacks=[panel, animation],
    )  # fmt: skip


def frames(path):
    with Image.open(path) as gif:
        return gif.n_frames


def test_the_animation_has_the_epochs_that_were_before_a_run_was_resumed(tmp_path, examples):
    panels(tmp_path, examples, 2)
    assert frames(tmp_path / "epochs.gif") == 2
    (tmp_path / "epoch_0009.png").write_bytes(b"no picture")
    panels(tmp_path, examples, 3, begin=2)
    assert frames(tmp_path / "epochs.gif") == 3
    assert (tmp_path / "epochs.gif").stat().st_size < 500_000


def test_the_animation_shows_the_map(tmp_path, examples):
    example = examples[0]
    saliency_map = np.zeros((*example.size, 1))
    saliency_map[30:60, 200:240] = 1
    panel = callbacks.Panels([example], synthetic.SIGMA, str(tmp_path), str(tmp_path))
    row = panel._row(example, panel.stimuli[0], panel.densities[0], saliency_map)
    seen = board.Animation(example, str(tmp_path))._prediction(row)
    assert seen.shape == (180, 240)
    rows, columns = np.nonzero(seen > 128)
    assert abs(rows.mean() / 180 - 45 / 240) < 0.02 and abs(columns.mean() / 240 - 220 / 320) < 0.02


def test_a_profile_is_of_the_steps_that_were_asked_for(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(tf.profiler.experimental, "start", lambda folder: done.append(folder))
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: done.append("stop"))
    assert board.profile("logs") == []
    monkeypatch.setenv(board.PROFILE, "2:3")
    (asked,) = board.profile("logs")
    for step in range(1, 5):
        asked.on_train_batch_begin(step)
        done.append(step)
        asked.on_train_batch_end(step)
    asked.on_train_end()
    assert done == [1, os.path.join("logs", "train"), 2, 3, "stop", 4]


def test_a_profile_of_a_run_that_ends_before_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv(board.PROFILE, "1:500")
    (asked,) = board.profile(str(tmp_path))
    asked.on_train_batch_begin(0)
    tf.reduce_sum(tf.ones((8, 8)))
    asked.on_train_batch_end(0)
    asked.on_train_end()
    assert list((tmp_path / "train" / "plugins" / "profile").rglob("*.xplane.pb"))


@pytest.mark.parametrize("asked", ["3", "3:2", "0:2", "a:b", ":", "-1:2"])
def test_a_profile_asked_for_wrongly(asked, monkeypatch):
    monkeypatch.setenv(board.PROFILE, asked)
    with pytest.raises(InputError, match="wanted FIRST:LAST"):
        board.profile("logs")


def test_fixations_are_on_the_maps_pixels(examples, source):
    """What the lines are of is what validation is of."""
    counted = maps.fixation_map(examples[0].fixations, examples[0].size, SIZE)
    np.testing.assert_array_equal(targets_of(source)["fixation_map"][0], counted)
