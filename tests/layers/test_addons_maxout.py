import keras
import numpy as np
import pytest
from checks import check_layer

from keras_saliency.layers import AddonsMaxout, Maxout

X = np.random.default_rng(0).normal(size=(3, 4, 6, 12)).astype("float32")


@pytest.mark.parametrize("shape", [(3, 12), (3, 4, 6, 12)])
@pytest.mark.parametrize("settings", [{"num_units": 3}, {"num_units": 2, "axis": 1}])
def test_addons_maxout_is_a_layer(shape, settings):
    check_layer(AddonsMaxout(**settings), X.reshape(-1, 12)[: np.prod(shape) // 12].reshape(shape))


@pytest.mark.parametrize("num_units", [1, 3, 6, 12])
def test_is_maxout_of_halves(num_units):
    pieces = 12 // num_units
    expected = X if pieces == 1 else Maxout(pieces, pairing="halves")(X)
    np.testing.assert_array_equal(AddonsMaxout(num_units)(X), expected)


@pytest.mark.parametrize(("axis", "num_units"), [(1, 2), (2, 2), (-2, 3), (3, 4), (-4, 1)])
def test_channels_a_part_away_compete_along_the_axis(axis, num_units):
    parts = np.split(X, X.shape[axis] // num_units, axis=axis)
    np.testing.assert_array_equal(AddonsMaxout(num_units, axis)(X), np.max(parts, axis=0))


def test_every_length_may_be_unknown():
    inputs = keras.Input((None, None, None))
    model = keras.Model(inputs, AddonsMaxout(2, axis=2)(inputs))
    assert model.output_shape == (None, None, 2, None)
    np.testing.assert_array_equal(model(X), AddonsMaxout(2, axis=2)(X))
    np.testing.assert_array_equal(model.predict(X, verbose=0), AddonsMaxout(2, axis=2)(X))


def test_configs_of_tensorflow_addons_load():
    config = {"name": "maxout_1", "trainable": True, "dtype": "float32", "num_units": 4, "axis": -2}
    registered = keras.saving.get_registered_object("Addons>Maxout")
    assert registered is AddonsMaxout
    layer = registered.from_config(config)
    assert (layer.name, layer.num_units, layer.axis) == ("maxout_1", 4, -2)


@pytest.mark.parametrize("num_units", [0, -2, 2.0, "2", None])
def test_num_units_must_be_an_int_of_at_least_one(num_units):
    with pytest.raises(ValueError, match=f"`num_units` .*Received: num_units={num_units}"):
        AddonsMaxout(num_units)


def test_num_units_must_divide_channels():
    with pytest.raises(ValueError, match=r"must divide .*num_units=5, input shape \(3, 4, 6, 12\)"):
        AddonsMaxout(5)(X)


@pytest.mark.parametrize("axis", [4, -5])
def test_axis_must_be_one_of_the_input(axis):
    with pytest.raises(ValueError, match=f"`axis` .*Received: axis={axis}"):
        AddonsMaxout(2, axis=axis)(X)
