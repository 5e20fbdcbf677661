"""The walk of GBVS ends where a walker taken step by step ends."""

import importlib

import numpy as np
import pytest

from keras_saliency.classical import gbvs

model = importlib.import_module("keras_saliency.classical.gbvs")


def walked(feature, steps=500):
    """The same by the definition: a matrix of transitions, applied again and again."""
    places = [(y, x) for y in range(feature.shape[0]) for x in range(feature.shape[1])]
    sigma = 0.15 * sum(feature.shape) / 2
    weights = np.array(
        [
            [
                abs(feature[a] - feature[b])
                * np.exp(-((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) / (2 * sigma**2))
                for b in places
            ]
            for a in places
        ]
    )
    transitions = weights / weights.sum(axis=0)
    share = np.full(len(places), 1 / len(places))
    for _ in range(steps):
        share = transitions @ share
    return share.reshape(feature.shape)


@pytest.mark.parametrize("size", [(6, 8), (5, 5), (1, 7)])
def test_the_equilibrium_is_where_a_walker_ends_up(size):
    feature = np.random.default_rng(0).random(size)
    np.testing.assert_allclose(model._activation(feature), walked(feature), atol=1e-9)


def test_an_odd_node_has_half_of_all_visits():
    # A walker taken step by step would go to and fro for ever.
    feature = np.zeros((6, 8))
    feature[2, 5] = 1
    activation = model._activation(feature)
    assert activation[2, 5] == pytest.approx(0.5)
    assert activation.sum() == pytest.approx(1)


def test_a_uniform_feature_adds_nothing():
    assert not model._activation(np.zeros((6, 8))).any()


def test_an_odd_item_in_the_middle_of_many_is_most_salient():
    stimulus = np.full((240, 320, 3), 128, "uint8")
    for y in range(40, 240, 80):
        for x in range(40, 320, 80):
            stimulus[y - 10 : y + 10, x - 10 : x + 10] = 90, 160, 90
    stimulus[110:130, 190:210] = 200, 60, 60
    saliency_map = gbvs(stimulus)[..., 0]
    y, x = np.unravel_index(saliency_map.argmax(), saliency_map.shape)
    assert abs(y - 120) < 16
    assert abs(x - 200) < 16


def test_opponents_are_zero_for_gray():
    level = np.broadcast_to(np.random.default_rng(0).random((1, 20, 20)), (4, 20, 20))
    maps = model._features(level)
    assert maps.shape == (8, 20, 20)
    np.testing.assert_allclose(maps[0], level[0])
    assert not maps[1:3].any()


def test_opponents_of_the_colours():
    def of(red, green, blue):
        level = np.array([red, green, blue, max(red, green, blue)]).reshape(4, 1, 1)
        return model._features(level * np.ones((1, 20, 20)))[:4, 0, 0]

    np.testing.assert_allclose(of(1.0, 0, 0), [0.299, 1, -0.5, 1])
    np.testing.assert_allclose(of(0, 0.5, 0), [0.2935, -0.5, -0.25, 0.5])
    np.testing.assert_allclose(of(0, 0, 1.0), [0.114, 0, 1, 1])
