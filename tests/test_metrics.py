"""The metrics: means over pictures, whatever the batches."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import metrics, scores

RNG = np.random.default_rng(0)
DENSITY = RNG.random((7, 5, 6, 1), "float32")
SALIENCY = RNG.random((7, 5, 6, 1), "float32")
COUNTS = RNG.integers(0, 3, (7, 5, 6, 1)).astype("float32")
BASELINE = RNG.random((5, 6, 1), "float32") + 1

MAKERS = {
    "nss": lambda **more: metrics.NSS(**more),
    "cc": lambda **more: metrics.CC(**more),
    "sim": lambda **more: metrics.SIM(**more),
    "kld": lambda **more: metrics.KLD(**more),
    "information_gain": lambda **more: metrics.InformationGain(BASELINE, **more),
}
FORMULAS = {
    "nss": scores.nss,
    "cc": scores.cc,
    "sim": scores.sim,
    "kld": scores.kld,
    "information_gain": lambda t, p: scores.information_gain(t, p, BASELINE[None]),
}
every_metric = pytest.mark.parametrize("name", MAKERS)


def target_of(metric):
    return {"fixation_map": COUNTS, "density": DENSITY}[metric.target]


def result(metric, target, saliency_map, sizes=None, **more):
    """The metric's result after batches of these sizes."""
    edges = np.cumsum([0, *(sizes or [len(target)])])
    for first, last in itertools.pairwise(edges):
        metric.update_state(target[first:last], saliency_map[first:last], **more)
    return float(metric.result())


@every_metric
def test_it_is_the_mean_of_the_score(name):
    metric = MAKERS[name]()
    target = target_of(metric)
    expected = float(np.mean(FORMULAS[name](target, SALIENCY)))
    assert result(metric, target, SALIENCY) == pytest.approx(expected, 1e-5)


@every_metric
def test_two_uneven_batches_are_one_big_one(name):
    big, small = MAKERS[name](), MAKERS[name]()
    target = target_of(big)
    one, two = result(big, target, SALIENCY), result(small, target, SALIENCY, [5, 2])
    assert two == pytest.approx(one, 1e-5)


@every_metric
def test_it_names_the_map_that_it_is_held_against(name):
    wanted = "fixation_map" if name in ("nss", "information_gain") else "density"
    assert MAKERS[name]().target == wanted


@every_metric
def test_reset_forgets(name):
    metric = MAKERS[name]()
    target = target_of(metric)
    result(metric, target[:3], SALIENCY[:3])
    metric.reset_state()
    fresh = result(MAKERS[name](), target[3:], SALIENCY[3:])
    assert result(metric, target[3:], SALIENCY[3:]) == fresh


@pytest.mark.parametrize("name", ["nss", "information_gain"])
def test_a_picture_without_fixations_is_left_out_of_the_mean(name):
    counts = COUNTS.copy()
    counts[[1, 4]] = 0
    kept = [0, 2, 3, 5, 6]
    expected = float(np.mean(FORMULAS[name](COUNTS[kept], SALIENCY[kept])))
    assert result(MAKERS[name](), counts, SALIENCY) == pytest.approx(expected, 1e-5)
    # A batch of nothing but such pictures must not poison the mean either.
    assert result(MAKERS[name](), counts[[1, *kept, 4]], SALIENCY[[1, *kept, 4]], [1, 5, 1]) == (
        pytest.approx(expected, 1e-5)
    )


@pytest.mark.parametrize("shape", [(7,), (7, 1)])
def test_sample_weights_weigh_pictures(shape):
    weights = np.array([1.0, 0, 2, 0, 0, 0, 0], "float32")
    metric = metrics.CC()
    metric.update_state(DENSITY, SALIENCY, sample_weight=weights.reshape(shape))
    each = np.asarray(scores.cc(DENSITY, SALIENCY))
    assert float(metric.result()) == pytest.approx((each[0] + 2 * each[2]) / 3, 1e-5)


def test_sample_weights_do_not_bring_pictures_without_fixations_back():
    counts = COUNTS.copy()
    counts[1] = 0
    metric = metrics.NSS()
    metric.update_state(counts, SALIENCY, sample_weight=np.array([2.0, 5, 0, 0, 0, 0, 0]))
    expected = float(scores.nss(COUNTS[:1], SALIENCY[:1])[0])
    assert float(metric.result()) == pytest.approx(expected, 1e-5)


@every_metric
def test_config_comes_back(name):
    more = {"epsilon": 0.01} if name == "kld" else {}
    metric = MAKERS[name](name="mine", **more)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(twin) is type(metric)
    assert twin.name == "mine"
    target = target_of(metric)
    assert result(twin, target, SALIENCY) == result(metric, target, SALIENCY)


def test_epsilon_is_the_scores():
    expected = float(np.mean(scores.kld(DENSITY, SALIENCY, 0.1)))
    got = result(metrics.KLD(epsilon=0.1), DENSITY, SALIENCY)
    assert got == pytest.approx(expected, 1e-5)
    assert result(metrics.KLD(), DENSITY, SALIENCY) != pytest.approx(expected, 1e-3)


def test_the_baseline_gains_nothing_over_itself():
    baseline = np.broadcast_to(BASELINE, COUNTS.shape)
    assert result(metrics.InformationGain(BASELINE), COUNTS, baseline) == 0


@every_metric
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_maps_are_scored_in_float32(name, dtype):
    half = tf.cast(SALIENCY, dtype)
    metric, twin = MAKERS[name](), MAKERS[name]()
    target = target_of(metric)
    expected = result(twin, target, tf.cast(half, "float32"))
    assert result(metric, target, half) == pytest.approx(expected, 1e-6)


@every_metric
def test_fit_and_evaluate_take_it(name):
    inputs = keras.Input((5, 6, 1))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    metric = MAKERS[name]()
    model.compile(loss="mse", metrics=[metric])
    target = target_of(metric)
    seen = model.evaluate(SALIENCY, target, batch_size=4, verbose=0, return_dict=True)
    expected = float(np.mean(FORMULAS[name](target, SALIENCY)))
    assert seen[metric.name] == pytest.approx(expected, 1e-4)
