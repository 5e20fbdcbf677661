"""MatrixConv2D is Keras' Conv2D, by another way."""

import keras
import numpy as np
import pytest
from checks import check_layer, check_same

from keras_saliency.layers import MatrixConv2D

X = np.random.default_rng(0).normal(size=(2, 9, 16, 4)).astype("float32")
CASES = [
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 3, "strides": 2},
    {"kernel_size": (4, 2), "strides": (1, 3)},
    {"kernel_size": 4, "padding": "same", "use_bias": False, "activation": "relu"},
    {"kernel_size": 1},
    # What goes Keras' way.
    {"kernel_size": 3, "padding": "same", "strides": 2},
    {"kernel_size": 3, "dilation_rate": 2},
    {"kernel_size": 3, "groups": 2},
]


@pytest.mark.parametrize("settings", CASES)
@pytest.mark.parametrize("size", [(9, 16), (5, 8), (8, 7)])
def test_outputs_and_gradients_are_kerass(settings, size):
    layers = MatrixConv2D(6, **settings), keras.layers.Conv2D(6, **settings)
    check_same(*layers, X[:, : size[0], : size[1]])


@pytest.mark.parametrize("settings", CASES)
def test_it_is_a_layer(settings):
    if settings != {"kernel_size": 3, "dilation_rate": 2}:  # which no CPU trains in bfloat16
        seeded = keras.initializers.GlorotUniform(seed=3)
        check_layer(MatrixConv2D(6, **settings, kernel_initializer=seeded), X)


def test_no_convolution_is_left_in_the_graph():
    import tensorflow as tf

    layer = MatrixConv2D(6, 3, padding="same")
    layer.build((None, 5, 8, 4))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 5, 8, 4))).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert "MatMul" in operations and "Conv2D" not in operations


def test_an_unknown_size_goes_kerass_way():
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, MatrixConv2D(6, 3, padding="same")(inputs))
    assert model(X).shape == (2, 9, 16, 6)
