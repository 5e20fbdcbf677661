"""SalGAN's generator with the light decoder, whatever the encoder."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import models
from keras_saliency.errors import InputError
from keras_saliency.models import encoders

# What each encoder has at 1/16, 1/8 and 1/4 of the picture's size, by keras.applications.
CHANNELS = {
    "vgg16": (512, 512, 256),
    "mobilenet": (512, 256, 128),
    "mobilenetv2": (576, 192, 144),
    "resnet50": (1024, 512, 256),
    "efficientnetv2b0": (672, 192, 32),
    "convnext_tiny": (384, 192, 96),
}


def light(encoder, size=(32, 48), **options):
    return models.SalGANGenerator((*size, 3), encoder, None, decoder="light", **options)


@pytest.mark.parametrize("encoder", encoders.ENCODERS)
def test_it_sees_the_encoders_features_of_three_sizes(encoder):
    model = light(encoder)
    assert model.output_shape == (None, 32, 48, 1)
    inputs = [
        model.get_layer(name).input.shape[1:]
        for name in ("decoder16_conv", "decoder8_skip", "decoder4_skip")
    ]
    sixteenth, eighth, quarter = CHANNELS[encoder]
    assert inputs == [(2, 3, sixteenth), (4, 6, eighth), (8, 12, quarter)]


def test_every_skip_counts():
    """Each size of features reaches the map; the paper's decoder sees the smallest alone."""
    keras.utils.set_random_seed(0)
    model = light("vgg16", width=0.25)
    stimulus = np.random.default_rng(0).uniform(0, 255, (1, 32, 48, 3))
    before = np.asarray(model(stimulus))
    for name in ("decoder16_conv", "decoder8_skip", "decoder4_skip"):
        kernel = model.get_layer(name).kernel
        kept = np.asarray(kernel)
        kernel.assign(0 * kept)
        assert np.abs(np.asarray(model(stimulus)) - before).max() > 1e-4, name
        kernel.assign(kept)


def test_two_epochs_are_enough_for_a_random_encoders_statistics():
    """As Keras makes depthwise kernels, what the first normalizations see is a thousandth of 1."""
    keras.utils.set_random_seed(0)
    model = light("mobilenet", (32, 32), width=0.25)
    stimuli = np.random.default_rng(0).uniform(0, 255, (8, 32, 32, 3)).astype("float32")
    step = tf.function(lambda: model(stimuli, training=True))
    for _ in range(2 * 62):  # of 500 pictures, by 8
        trained = np.asarray(step())
    assert np.corrcoef(trained.ravel(), np.asarray(model(stimuli)).ravel())[0, 1] > 0.95


@pytest.mark.parametrize("encoder", ["vgg16", "mobilenet"])
def test_maps_are_dark_at_first(encoder):
    keras.utils.set_random_seed(0)
    stimuli = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3)).astype("float32")
    saliency_maps = np.asarray(light(encoder)(stimuli))
    assert 0.01 < saliency_maps.min() < saliency_maps.max() < 0.2


def test_maps_are_float32_where_the_layers_are_not():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = light("mobilenet", width=0.25)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == model.get_layer("decoder_enlarged").compute_dtype == "float32"
    assert model.get_layer("decoder4_conv").compute_dtype == "bfloat16"


@pytest.mark.parametrize("decoder", ["paper", "light"])
@pytest.mark.parametrize("encoder", ["vgg16", "mobilenet"])
def test_encoders_variables_are_all_but_the_decoders(encoder, decoder):
    model = models.SalGANGenerator((32, 32, 3), encoder, None, width=0.25, decoder=decoder)
    found = {v.path for v in models.encoder_variables(model)}
    others = {v.path for v in model.trainable_variables} - found
    assert found and all(path.startswith(("decoder", "logits")) for path in others)
    assert not any(path.startswith(("decoder", "logits")) for path in found)


def test_another_decoder_is_refused():
    with pytest.raises(InputError, match="decoder must be paper or light"):
        models.SalGANGenerator(weights=None, decoder="heavy")
