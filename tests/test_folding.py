"""What is folded predicts the same, with fewer products."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_saliency import folding, models
from keras_saliency.layers import UpsampledConv2D
from keras_saliency.regularizers import FusedL2

SIZE = (32, 48)


def stimuli(batch=2):
    return np.random.default_rng(0).integers(0, 256, (batch, *SIZE, 3)).astype("float32")


def shuffled(model):
    """With biases, as training leaves them."""
    random = np.random.default_rng(1)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:
            layer.bias.assign(random.normal(0.1, 0.2, layer.bias.shape))
    return model


@pytest.mark.parametrize("encoder", ["vgg16", "mobilenet"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_folded_generator_predicts_the_same_to_its_borders(encoder, batch):
    options = {"encoder": encoder, "weights": None, "width": 0.25}
    model = shuffled(models.SalGANGenerator((*SIZE, 3), **options))
    before = model.get_weights()
    found = folding.folded(model)
    expected = model(stimuli(batch)).numpy()
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found(stimuli(batch)), expected, atol=2e-6)
    assert not any(isinstance(layer, layers.UpSampling2D) for layer in found.layers)
    assert sum(isinstance(layer, layers.Conv2DTranspose) for layer in found.layers) == 4
    assert (found.name, found.output_shape) == (model.name, model.output_shape)
    for weights, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, same)


def test_every_layer_keeps_its_arithmetic():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = models.SalGANGenerator((*SIZE, 3), weights=None, width=1 / 8)
    keras.config.set_dtype_policy("float32")
    found = folding.folded(model)
    dtypes = {layer.name: layer.compute_dtype for layer in model.layers[1:]}
    assert {layer.name: layer.compute_dtype for layer in found.layers[1:]} == dtypes
    assert {dtypes["caffe"], dtypes["decoder4_conv1"], dtypes["saliency_map"]} == {
        "float32", "bfloat16",
    }  # fmt: skip
    np.testing.assert_allclose(found(stimuli()), model(stimuli()), atol=0.02)


def doubling(after, **options):
    inputs = keras.Input((8, 6, 3))
    doubled = layers.UpSampling2D(**{"interpolation": "nearest", **options})(inputs)
    return keras.Model(inputs, after(doubled))


def convolution(**options):
    return layers.Conv2D(**{"filters": 4, "kernel_size": 3, "padding": "same", **options})


@pytest.mark.parametrize(
    "after",
    [convolution(), convolution(use_bias=False), convolution(activation="relu", name="other")],
)
def test_a_doubled_map_and_its_convolution_are_one(after):
    model = doubling(after)
    found = folding.folded(model)
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    np.testing.assert_allclose(found(x), model(x), atol=1e-5)
    assert found.get_layer(after.name).strides == (2, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: doubling(convolution(), interpolation="bilinear"),
        lambda: doubling(convolution(), size=(2, 3)),
        lambda: doubling(convolution(padding="valid")),
        lambda: doubling(convolution(kernel_size=5)),
        lambda: doubling(convolution(strides=2)),
        lambda: doubling(convolution(dilation_rate=2)),
        lambda: doubling(convolution(filters=3, groups=3)),
        lambda: doubling(layers.Activation("relu")),
        lambda: doubling(lambda x: x),
        lambda: doubling(lambda x: [x, convolution()(x)]),
        lambda: doubling(lambda x: layers.Add()([convolution()(x), convolution()(x)])),
        lambda: models.JuntingNet(input_shape=(32, 32, 3)),
    ],
)
def test_what_cannot_be_folded_stays(make):
    model = make()
    assert folding.folded(model) is model


def test_a_convolution_that_is_used_twice_stays():
    inputs, shared = keras.Input((8, 6, 3)), convolution(filters=3)
    model = keras.Model(inputs, shared(layers.UpSampling2D()(shared(inputs))))
    assert folding.folded(model) is model


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_plain_network_is_kerass_alone_and_predicts_the_same(policy):
    keras.config.set_dtype_policy(policy)
    model = shuffled(
        models.SalGANGenerator((*SIZE, 3), weights=None, width=1 / 8, weight_decay=1e-2)
    )
    found = folding.plain(model)
    keras.config.set_dtype_policy("float32")
    assert found.count_params() == model.count_params()
    assert "keras_saliency" not in found.to_json()
    assert float(sum(found.losses)) == pytest.approx(float(sum(model.losses)), rel=1e-5)
    atol = 1e-6 if policy == "float32" else 0.02
    np.testing.assert_allclose(found(stimuli()), model(stimuli()), atol=atol)
    np.testing.assert_allclose(folding.folded(found)(stimuli()), model(stimuli()), atol=atol)
    assert folding.plain(found) is found


def test_weights_of_a_branched_network_find_their_layers():
    # A doubling that comes between puts the branches' layers into another order.
    x = keras.Input((4, 4, 2))
    short = UpsampledConv2D(2, name="doubles")(layers.Conv2D(2, 1)(x))
    long = layers.Conv2DTranspose(2, 1, strides=2)(layers.Conv2D(2, 1)(x))
    penalty = {"kernel_regularizer": FusedL2(0.1), "bias_regularizer": FusedL2(0.2)}
    model = keras.Model(x, layers.Conv2D(1, 1, **penalty)(layers.Concatenate()([long, short])))
    found = folding.plain(model)
    assert "keras_saliency" not in found.to_json()
    pictures = np.random.default_rng(0).normal(size=(1, 4, 4, 2))
    np.testing.assert_allclose(found(pictures), model(pictures), atol=1e-5)
