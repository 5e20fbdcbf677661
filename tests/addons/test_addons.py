"""Our layers, held to tensorflow-addons' own numbers; its models load here.

`reference/` holds what tensorflow-addons 0.23.0 computed under TensorFlow
2.15.1; KERAS_SALIENCY_ADDONS names a folder with freshly computed files.

`keras_saliency.legacy` loads files saved with Keras 2.15. Keras 3.15.1 itself
(once `keras_saliency.layers` is imported) can read

- a whole model as `.h5`, with `load_model` and `compile=False`, unless there is
  a `Conv2DTranspose` in it, whose old setting `groups` it refuses, or a model
  within the model, whose calls it counts otherwise.
- weights alone as `.h5`, or the weights in a whole model's `.h5` or `.keras`:
  with `load_weights` into the network built anew, without `by_name`, which
  leaves layers out in silence where Keras counted their names differently.

but not a whole model as `.keras`, since the file names a module
(`keras.src.engine.functional`) that Keras 3 does not have.
"""

import os
import pathlib

import addons_cases as cases
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import legacy
from keras_saliency.errors import InputError
from keras_saliency.layers import AddonsMaxout, GaussianBlur, InstanceNormalization, Maxout

FOLDER = pathlib.Path(
    os.environ.get("KERAS_SALIENCY_ADDONS") or pathlib.Path(__file__).with_name("reference")
)
PADDINGS = {"SYMMETRIC": "reflect", "CONSTANT": "zero"}  # tensorflow-addons' name and ours


@pytest.fixture(scope="module")
def reference():
    return np.load(FOLDER / "reference.npz")


@pytest.mark.parametrize("index", range(len(cases.MAXOUT)))
def test_addons_maxout(index, reference):
    _, num_units, axis = cases.MAXOUT[index]
    found = AddonsMaxout(num_units, axis)(reference[f"maxout{index}_x"])
    np.testing.assert_array_equal(found, reference[f"maxout{index}_y"])


LAST = [
    index
    for index, (shape, num_units, axis) in enumerate(cases.MAXOUT)
    if axis in (-1, len(shape) - 1) and shape[-1] > num_units
]


@pytest.mark.parametrize("index", LAST)
def test_maxout_of_halves(index, reference):
    """Of n channels in p pieces, i competes with i + n / p, i + 2 n / p and so on."""
    shape, num_units, _ = cases.MAXOUT[index]
    x, expected = reference[f"maxout{index}_x"], reference[f"maxout{index}_y"]
    np.testing.assert_array_equal(Maxout(shape[-1] // num_units, pairing="halves")(x), expected)
    assert np.any(Maxout(shape[-1] // num_units, pairing="pairs")(x) != expected)


def test_maxout_of_halves_is_compared_in_two_three_and_four_pieces():
    assert {cases.MAXOUT[i][0][-1] // cases.MAXOUT[i][1] for i in LAST} == {2, 3, 4}


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("index", range(len(cases.BLUR)))
def test_gaussian_blur(index, padding, reference):
    layer = GaussianBlur(cases.BLUR[index][1], PADDINGS[padding])
    expected = reference[f"blur{index}_{padding}"]
    np.testing.assert_allclose(layer(reference[f"blur{index}_x"]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("index", [0, 1])
def test_tensorflow_addons_reflect_is_another(index, reference):
    """Its default mirrors without repeating the edge pixel: away from the border no matter."""
    shape, sigma = cases.BLUR[index]
    found = np.asarray(GaussianBlur(sigma, "reflect")(reference[f"blur{index}_x"]))
    difference = np.abs(found - reference[f"blur{index}_REFLECT"])
    inner = np.s_[
        :, *[slice(cases.radius(sigma), size - cases.radius(sigma)) for size in shape[1:3]]
    ]
    assert difference[inner].size and difference[inner].max() < 1e-6
    assert difference.max() > 1e-2


@pytest.mark.parametrize("index", range(len(cases.NORMALIZATION)))
def test_instance_normalization(index, reference):
    shape, _, settings = cases.NORMALIZATION[index]
    layer = InstanceNormalization(**settings)
    layer.build(shape)
    layer.set_weights(
        [reference[f"normalization{index}_weight{n}"] for n in range(len(layer.weights))]
    )
    expected = reference[f"normalization{index}_y"]
    np.testing.assert_allclose(
        layer(reference[f"normalization{index}_x"]), expected, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("alone", [True, False], ids=["one picture", "all"])
@pytest.mark.parametrize("index", range(len(cases.NORMALIZATION)))
def test_gradients_of_instance_normalization(index, alone, reference):
    shape, _, settings = cases.NORMALIZATION[index]
    batch = 1 if alone else shape[0]
    layer = InstanceNormalization(**settings)
    layer.build(shape)
    layer.set_weights(
        [reference[f"normalization{index}_weight{n}"] for n in range(len(layer.weights))]
    )
    x = tf.constant(reference[f"normalization{index}_x"][:batch])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * cases.factors(x.shape))
    found = tape.gradient(loss, [x, *(weight.value for weight in layer.weights)])
    for number, gradient in enumerate(found):
        expected = reference[f"normalization{index}_batch{batch}_gradient{number}"]
        atol = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=atol)


def predicts_alike(model, name, reference):
    found = model.predict(reference[f"{name}_x"], verbose=0)
    np.testing.assert_allclose(found, reference[f"{name}_y"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["maxout_network", "instance_network"])
def test_a_model_loads(name, reference):
    model = keras.models.load_model(FOLDER / f"{name}.h5", compile=False)
    ours = [layer for layer in model.layers if type(layer) in (AddonsMaxout, InstanceNormalization)]
    assert len(ours) == 2
    predicts_alike(model, name, reference)


@pytest.mark.parametrize("name", ["maxout_network", "instance_network"])
def test_a_loaded_model_can_be_saved_in_the_new_format(name, reference, tmp_path):
    keras.models.load_model(FOLDER / f"{name}.h5", compile=False).save(tmp_path / "new.keras")
    predicts_alike(keras.models.load_model(tmp_path / "new.keras"), name, reference)


def layers_of(model):
    for layer in model.layers:
        yield layer
        yield from layers_of(layer) if isinstance(layer, keras.Model) else ()


@pytest.mark.parametrize("name", ["transposed_network", "unet_network"])
def test_a_model_with_a_transposed_convolution_loads(name, reference, tmp_path):
    model = legacy.load_model(FOLDER / f"{name}.h5")
    predicts_alike(model, name, reference)
    # Keras' own: without this package a new file needs no more than Keras has.
    assert keras.layers.Conv2DTranspose in {type(layer) for layer in layers_of(model)}
    model.save(tmp_path / "new.keras")
    predicts_alike(keras.models.load_model(tmp_path / "new.keras"), name, reference)


@pytest.mark.parametrize("name", ["maxout_network", "instance_network"])
def test_the_other_models_load_too(name, reference):
    predicts_alike(legacy.load_model(FOLDER / f"{name}.h5"), name, reference)


def maxout_network(first, second):
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(6, 3)(inputs)
    x = first(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(8)(x)
    x = second(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def instance_network():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = InstanceNormalization()(x)
    x = keras.layers.Conv2D(2, 3)(x)
    return keras.Model(inputs, InstanceNormalization(epsilon=1e-5, center=False)(x))


@pytest.mark.parametrize("ending", [".h5", "_weights.h5", ".keras"])
@pytest.mark.parametrize(
    "pair",
    [
        (lambda: Maxout(3, pairing="halves"), lambda: Maxout(2, pairing="halves")),
        (lambda: AddonsMaxout(2), lambda: AddonsMaxout(4)),
    ],
    ids=["Maxout", "AddonsMaxout"],
)
def test_weights_load_into_a_network_with_maxout(pair, ending, reference):
    """Files find weights by snake-cased class names, but Maxout has none: ours may differ."""
    model = maxout_network(*[make() for make in pair])
    model.load_weights(FOLDER / f"maxout_network{ending}")
    predicts_alike(model, "maxout_network", reference)


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_weights_load_into_a_network_with_instance_normalization(ending, reference):
    """In a `.keras` they are found since our class has tensorflow-addons' name."""
    model = instance_network()
    model.load_weights(FOLDER / f"instance_network{ending}")
    predicts_alike(model, "instance_network", reference)


def unet_network(change=None):
    layers = keras.layers
    inputs = keras.Input((8, 6, 3))
    down = layers.Conv2D(4, 4, strides=2, padding="same")(inputs)
    first, second = (layers.Conv2D(4, 3, padding="same", use_bias=False) for _ in range(2))
    if change == "two layers made in the other order":
        first, second = second, first
    x = first(layers.LeakyReLU(0.2)(down))
    x = InstanceNormalization(center=False, scale=False, epsilon=1e-5)(x)
    x = layers.LeakyReLU(0.2)(x)
    if change != "a layer fewer":
        x = second(x)
    if change == "a layer more":
        x = InstanceNormalization()(x)
    x = layers.Concatenate()([x, down])
    up = keras.Sequential()
    filters = 6 if change == "another size within" else 5
    up.add(layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False))
    up.add(InstanceNormalization(center=change != "no offset"))
    up.add(layers.Dropout(0.5))
    up.add(layers.ReLU())
    x = layers.ZeroPadding2D()(up(x))
    return keras.Model(inputs, layers.Conv2D(1, 3, activation="tanh")(x))


UNETS = [".h5", "_weights.h5", ".keras", ".weights.h5"]


@pytest.mark.parametrize("ending", UNETS)
def test_weights_load_into_a_unet(ending, reference):
    model = unet_network()
    model.compile("adam", "mse")  # its state is not the file's business
    legacy.load_weights(model, FOLDER / f"unet_network{ending}")
    predicts_alike(model, "unet_network", reference)


@pytest.mark.parametrize("network", ["maxout_network", "instance_network"])
@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_weights_load_into_the_other_networks(network, ending, reference):
    model = instance_network()
    if network == "maxout_network":
        model = maxout_network(Maxout(3, pairing="halves"), Maxout(2, pairing="halves"))
    legacy.load_weights(model, FOLDER / f"{network}{ending}")
    predicts_alike(model, network, reference)


@pytest.mark.parametrize("ending", UNETS)
@pytest.mark.parametrize(
    ("change", "file", "network"),
    [
        ("a layer more", "the file: nothing", "the network: .*instance_normalization"),
        ("a layer fewer", r"the file: .*conv2d_[12].*\(3, 3, 4, 4\)", "the network: "),
        ("another size within", r"\(4, 4, 5, 8\)", r"\(4, 4, 6, 8\)"),
        ("no offset", r"the file: .*sequential.* \(5,\)", "the network: "),
        ("two layers made in the other order", "has conv2d_1 where", r"conv2d_\d+; make"),
    ],
)
def test_weights_do_not_load_into_another_network(change, file, network, ending):
    if change.startswith("two") and ending == ".weights.h5":
        pytest.skip("has no names: of layers of one shape only the order is known")
    keras.utils.clear_session(free_memory=False)
    model = unet_network(change)
    before = model.get_weights()
    with pytest.raises(InputError, match=rf"unet_network{ending} .*{file}.*{network}"):
        legacy.load_weights(model, FOLDER / f"unet_network{ending}")
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)


def test_a_whole_model_as_keras_does_not_load():
    with pytest.raises(InputError, match=r"unet_network\.keras is .*legacy\.load_weights"):
        legacy.load_model(FOLDER / "unet_network.keras")
