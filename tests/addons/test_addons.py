"""Our layers, held to tensorflow-addons' own numbers; its models load here.

`reference/` holds what tensorflow-addons 0.23.0 computed under TensorFlow
2.15.1; KERAS_SALIENCY_ADDONS names a folder with freshly computed files.

Of files saved with Keras 2.15, Keras 3.15.1 can read (`load_model` with
`compile=False`, once `keras_saliency.layers` is imported):

- a whole model as `.h5`: with `load_model`. If there is a `Conv2DTranspose` in
  it, Keras refuses its own old setting `groups`; see `Transposed` below.
- weights alone as `.h5`, or the weights in a whole model's `.h5` or `.keras`:
  with `load_weights` into the network built anew, without `by_name`, which
  leaves layers out in silence where Keras counted their names differently.
- a whole model as `.keras`: not with `load_model`, since the file names a
  module (`keras.src.engine.functional`) that Keras 3 does not have.
"""

import os
import pathlib

import addons_cases as cases
import keras
import numpy as np
import pytest

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


class Transposed(keras.layers.Conv2DTranspose):
    """Keras' own, which no longer takes the `groups=1` that Keras 2 wrote."""

    def __init__(self, *args, groups=1, **kwargs):
        assert groups == 1
        super().__init__(*args, **kwargs)


def test_a_model_with_a_transposed_convolution_loads(reference):
    path = FOLDER / "transposed_network.h5"
    model = keras.models.load_model(path, {"Conv2DTranspose": Transposed}, compile=False)
    predicts_alike(model, "transposed_network", reference)


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
