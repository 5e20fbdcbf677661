import keras
import numpy as np
import pytest
from checks import check_layer

from keras_saliency.layers import Maxout

X = np.random.default_rng(0).normal(size=(3, 4, 5, 12)).astype("float32")


@pytest.mark.parametrize("shape", [(3, 12), (3, 4, 5, 12)])
@pytest.mark.parametrize("settings", [{"pieces": 3}, {"pieces": 4, "pairing": "halves"}])
def test_maxout_is_a_layer(shape, settings):
    check_layer(Maxout(**settings), X.reshape(-1, 12)[: np.prod(shape) // 12].reshape(shape))


@pytest.mark.parametrize("pieces", [2, 3, 12])
def test_neighbouring_channels_compete_in_pairs(pieces):
    expected = np.max([X[..., i::pieces] for i in range(pieces)], axis=0)
    np.testing.assert_array_equal(Maxout(pieces)(X), expected)


@pytest.mark.parametrize("pieces", [2, 3, 12])
def test_channels_a_part_away_compete_in_halves(pieces):
    expected = np.max(np.split(X, pieces, axis=-1), axis=0)
    np.testing.assert_array_equal(Maxout(pieces, pairing="halves")(X), expected)


def test_height_and_width_may_be_unknown():
    inputs = keras.Input((None, None, 12))
    model = keras.Model(inputs, Maxout()(inputs))
    assert model.output_shape == (None, None, None, 6)
    np.testing.assert_array_equal(model(X), Maxout()(X))


def test_all_but_the_batch_flattened_still_has_its_shape():
    inputs = keras.Input((12,))
    assert keras.layers.Dense(1)(Maxout(4)(inputs)).shape == (None, 1)


def test_the_gradient_goes_to_the_winner():
    inputs = keras.Input((4,))
    dense = keras.layers.Dense(4, use_bias=False, kernel_initializer="identity")
    model = keras.Model(inputs, Maxout()(dense(inputs)))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(np.array([[1.0, 5.0, -3.0, -4.0]]), np.array([[0.0, 0.0]]))
    moved = (dense.get_weights()[0] != np.eye(4)).any(axis=0)
    assert moved.tolist() == [False, True, True, False]


@pytest.mark.parametrize("pieces", [0, 1, -2, 2.0, "2", None])
def test_pieces_must_be_an_int_of_at_least_two(pieces):
    with pytest.raises(ValueError, match=f"`pieces` .*Received: pieces={pieces}"):
        Maxout(pieces)


def test_pairing_must_be_known():
    with pytest.raises(ValueError, match=r"`pairing` .*Received: pairing=thirds"):
        Maxout(pairing="thirds")


def test_pieces_must_divide_channels():
    with pytest.raises(ValueError, match="must divide the number of channels"):
        Maxout(5)(X)
    with pytest.raises(ValueError, match="must divide the number of channels"):
        Maxout(2)(keras.Input((4, None)))
