"""MatrixConv2DTranspose is Keras' Conv2DTranspose, by another way."""

import keras
import numpy as np
import pytest
from checks import check_layer, check_same

from keras_saliency.layers import MatrixConv2DTranspose

X = np.random.default_rng(0).normal(size=(2, 5, 8, 4)).astype("float32")
CASES = [
    {"kernel_size": 3, "strides": 2},
    {"kernel_size": 3},
    {"kernel_size": (4, 5), "strides": (2, 3)},
    {"kernel_size": 4, "strides": 4, "use_bias": False, "activation": "relu"},
    # What goes Keras' way.
    {"kernel_size": 2, "strides": 3},
    {"kernel_size": 4, "strides": 2, "padding": "same"},
    {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (0, 1)},
]


@pytest.mark.parametrize("settings", CASES)
@pytest.mark.parametrize("size", [(5, 8), (1, 1), (2, 7)])
def test_outputs_and_gradients_are_kerass(settings, size):
    layers = MatrixConv2DTranspose(6, **settings), keras.layers.Conv2DTranspose(6, **settings)
    check_same(*layers, X[:, : size[0], : size[1]])


@pytest.mark.parametrize("settings", CASES[:4])
def test_it_is_a_layer(settings):
    seeded = keras.initializers.GlorotUniform(seed=3)
    check_layer(MatrixConv2DTranspose(6, **settings, kernel_initializer=seeded), X)


def test_no_convolution_is_left_in_the_graph():
    import tensorflow as tf

    layer = MatrixConv2DTranspose(6, 3, strides=2)
    layer.build((None, 5, 8, 4))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((None, 5, 8, 4))).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert "MatMul" in operations and "Conv2DBackpropInput" not in operations


def test_an_unknown_size_goes_kerass_way():
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, MatrixConv2DTranspose(6, 3, strides=2)(inputs))
    assert model(X).shape == (2, 11, 17, 6)
