"""What can be told without files of Keras 2; those are in `tests/addons`.

The files here are made in the layout of Keras 2, or by Keras 3 in the same one.
"""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from checks import refused

from keras_saliency import legacy

layers = keras.layers
OUTSIDE = "top_level_model_weights"


def old_file(path, stored, config=None):
    """An `.h5` as Keras 2 wrote it.

    Args:
        stored: {layer's name: {weight's name: array}}.
        config: of the whole model, if it is to be a file of one.
    """
    with h5py.File(path, "w") as file:
        group = file if config is None else file.create_group("model_weights")
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
            file.attrs["keras_version"] = "2.15.0"
            file["optimizer_weights/iteration:0"] = 3
        group.attrs["layer_names"] = [name.encode() for name in stored if name != OUTSIDE]
        for name, weights in stored.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = np.array([w.encode() for w in weights], "S")
            for weight, array in weights.items():
                layer[weight] = array


def dense(name, seed, shape=(3, 3)):
    random = np.random.default_rng(seed)
    return {
        f"{name}/kernel:0": random.normal(size=shape),
        f"{name}/bias:0": random.normal(size=shape[1]),
    }


def chain(*names):
    """Layers of one shape, one after the other; None lets Keras name one."""
    return keras.Sequential([keras.Input((3,)), *(layers.Dense(3, name=name) for name in names)])


def is_refused_and_stays(model, path, *words):
    before = model.get_weights()
    refused(lambda: legacy.load_weights(model, path), str(path), *words)
    for weights, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, old)


def test_weights_go_where_they_belong(tmp_path):
    stored = {name: dense(name, i) for i, name in enumerate(["dense_4", "out", "dense_10"])}
    old_file(tmp_path / "a.h5", {"input_1": {}, **stored})
    model = chain("dense_1", "out", "dense_2")  # 4 comes before 10, as 1 before 2
    legacy.load_weights(model, tmp_path / "a.h5")
    expected = [array for weights in stored.values() for array in weights.values()]
    for weights, array in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weights, array.astype("float32"))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["dense", "dense_1"], ["dense_8", "dense_7"]),
        (["first", "second"], ["second", "first"]),
        (["first", "second"], ["second", "third"]),
        (["first", "second"], ["zeroth", "first"]),
        (["conv2d", "out"], ["dense", "out"]),
    ],
)
def test_names_that_say_another_order_are_heeded(theirs, ours, tmp_path):
    old_file(tmp_path / "a.h5", {name: dense(name, i) for i, name in enumerate(theirs)})
    is_refused_and_stays(chain(*ours), tmp_path / "a.h5", f"has {theirs[0]} where", ours[0])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["first", "second"], ["dense", "dense_1"]),
        (["dense", "dense_1"], ["first", "second"]),
        (["layer_1", "layer_2"], ["dense", "dense_1"]),
        (["dense", "middle", "dense_1"], ["dense_5", "center", "dense_6"]),
    ],
)
def test_names_that_say_nothing_leave_it_to_the_order(theirs, ours, tmp_path):
    old_file(tmp_path / "a.h5", {name: dense(name, i) for i, name in enumerate(theirs)})
    model = chain(*ours)
    legacy.load_weights(model, tmp_path / "a.h5")
    np.testing.assert_allclose(
        model.layers[-1].get_weights()[1], dense("x", len(ours) - 1)["x/bias:0"], rtol=1e-6
    )


def test_an_order_that_only_a_keras_file_tells(tmp_path):
    def network(swap):
        first, second = layers.Dense(3), layers.Dense(3)
        return keras.Sequential(
            [keras.Input((3,)), *([second, first] if swap else [first, second])]
        )

    network(swap=False).save(tmp_path / "a.keras")
    is_refused_and_stays(network(swap=True), tmp_path / "a.keras", "has dense")
    legacy.load_weights(network(swap=False), tmp_path / "a.keras")


def test_what_is_left_over_is_named(tmp_path):
    stored = {"in": dense("in", 0, (3, 2)), "mid": dense("mid", 1, (2, 5)), "out": dense("out", 2)}
    old_file(tmp_path / "a.h5", stored)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(4, name="mine")])
    words = "in the file: mid (2, 5) (5,), out (3, 3) (3,)", "in the network: mine (2, 4) (4,)"
    is_refused_and_stays(model, tmp_path / "a.h5", *words)
    is_refused_and_stays(chain(*"abcdefg"), tmp_path / "a.h5", "2 more; build")


def test_an_offset_is_not_a_factor(tmp_path):
    old_file(tmp_path / "a.h5", {"norm": {"norm/beta:0": np.ones(3)}})
    model = keras.Sequential(
        [keras.Input((3,)), layers.LayerNormalization(center=False, name="norm")]
    )
    is_refused_and_stays(model, tmp_path / "a.h5", "norm/beta where", "norm/gamma")
    model = keras.Sequential([keras.Input((3,)), layers.LayerNormalization(scale=False)])
    legacy.load_weights(model, tmp_path / "a.h5")


def test_names_within_a_model_are_heeded(tmp_path):
    weights = {**dense("first", 0), **dense("second", 1)}
    old_file(tmp_path / "a.h5", {"sequential": weights})

    def network(*names):
        return keras.Sequential([keras.Input((3,)), chain(*names)])

    is_refused_and_stays(network("second", "first"), tmp_path / "a.h5", "first where")
    model = network("first", "second")
    legacy.load_weights(model, tmp_path / "a.h5")
    np.testing.assert_allclose(model.get_weights()[3], weights["second/bias:0"], rtol=1e-6)


def test_weights_outside_of_layers_are_weights(tmp_path):
    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)
            self.factor = self.add_weight(shape=(2,), name="factor")

        def call(self, inputs):
            return self.dense(inputs)

    model = Network()
    model(np.zeros((1, 3)))
    stored = {"dense": dense("dense", 0)}
    old_file(tmp_path / "a.h5", stored)
    is_refused_and_stays(model, tmp_path / "a.h5", f"{OUTSIDE} (2,)")
    old_file(tmp_path / "b.h5", {**stored, OUTSIDE: {"factor:0": np.array([5.0, 6.0])}})
    legacy.load_weights(model, tmp_path / "b.h5")
    np.testing.assert_array_equal(model.factor, [5, 6])
    is_refused_and_stays(chain("dense"), tmp_path / "b.h5", f"{OUTSIDE} (2,)")


def test_states_of_random_layers_and_optimizers_are_no_weights(tmp_path):
    flip = {"random_flip": {"StateVar:0": np.array([1, 2, 3])}}
    old_file(tmp_path / "a.h5", {**flip, "dense": dense("dense", 0)})
    legacy.load_weights(chain("dense"), tmp_path / "a.h5")

    def network():
        model = keras.Sequential([keras.Input((3,)), layers.Dense(3), layers.Dropout(0.5)])
        model.compile("adam", "mse", metrics=["mae"])
        return model

    trained, fresh = network(), network()
    trained.fit(np.ones((4, 3)), np.ones((4, 3)), verbose=0)
    for name in ("b.keras", "b.weights.h5"):
        (trained.save if name == "b.keras" else trained.save_weights)(tmp_path / name)
        legacy.load_weights(fresh, tmp_path / name)
        np.testing.assert_array_equal(fresh.get_weights()[0], trained.get_weights()[0])
        assert int(fresh.optimizer.iterations) == 0


def test_long_lists_of_names_come_in_parts(tmp_path):
    stored = {name: dense(name, i) for i, name in enumerate("abc")}
    old_file(tmp_path / "a.h5", stored)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"a", b"b"], [b"c"]
    model = chain(*"abc")
    legacy.load_weights(model, tmp_path / "a.h5")
    np.testing.assert_allclose(model.get_weights()[5], stored["c"]["c/bias:0"], rtol=1e-6)


def test_a_network_must_have_weights_to_take_some(tmp_path):
    old_file(tmp_path / "a.h5", {"dense": dense("dense", 0)})
    model = keras.Sequential([layers.Dense(3)])
    refused(lambda: legacy.load_weights(model, tmp_path / "a.h5"), "a.h5", "build it")


def bad_files(folder):
    chain("dense").save(folder / "whole.keras")
    old_file(folder / "old.h5", {"dense": dense("dense", 0)})
    for name in ("whole.keras", "old.h5"):
        content = (folder / name).read_bytes()
        (folder / f"cut_{name}").write_bytes(content[: len(content) // 2])
    (folder / "text.h5").write_text("nothing of the kind")
    (folder / "empty.h5").write_bytes(b"")
    with zipfile.ZipFile(folder / "other.keras", "w") as archive:
        archive.writestr("a.txt", "a")
    h5py.File(folder / "bare.h5", "w").close()
    old_file(folder / "words.h5", {"dense": {"kernel:0": b"words", "bias:0": np.zeros(3)}})
    old_file(folder / "unlisted.h5", {"dense": dense("dense", 0)})
    with h5py.File(folder / "unlisted.h5", "r+") as file:
        file["dense/more"] = [1.0]
    old_file(folder / "elsewhere.h5", {"dense": {**dense("dense", 0)}})
    with h5py.File(folder / "elsewhere.h5", "r+") as file:
        del file["dense/dense/bias:0"]
        file["dense/dense/bias:0"] = h5py.ExternalLink("old.h5", "dense/dense/bias:0")
    (folder / "folder").mkdir()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("none.h5", "is not a file"),
        ("folder", "is not a file"),
        ("cut_whole.keras", "neither HDF5 nor"),
        ("cut_old.h5", "is damaged"),
        ("text.h5", "neither HDF5 nor"),
        ("empty.h5", "neither HDF5 nor"),
        ("other.keras", "is damaged"),
        ("bare.h5", "no weights"),
        ("words.h5", "no numbers"),
        ("unlisted.h5", "dense/more"),
        ("elsewhere.h5", "is damaged"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(name, word, tmp_path):
    bad_files(tmp_path)
    is_refused_and_stays(chain("dense"), tmp_path / name, word)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("none.h5", "is not a file"),
        ("folder", "keras.layers.TFSMLayer"),
        ("whole.keras", "legacy.load_weights"),
        ("cut_whole.keras", "neither HDF5 nor"),
        ("cut_old.h5", "is damaged"),
        ("text.h5", "neither HDF5 nor"),
        ("old.h5", "holds no whole model; build the network anew"),
    ],
)
def test_what_is_no_whole_model_is_refused(name, word, tmp_path):
    bad_files(tmp_path)
    refused(lambda: legacy.load_model(tmp_path / name), str(tmp_path / name), word)


def with_groups(path, model, groups):
    """Saves a model as `.h5`; its convolutions get the setting that Keras 2 wrote."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"][1:]:
            layer["config"]["groups"] = groups
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"


@pytest.mark.parametrize("name", ["Conv2DTranspose", "Conv1DTranspose", "SeparableConv2D"])
def test_the_groups_of_keras_2_are_taken_if_there_is_one(name, tmp_path):
    size = (8, 2) if "1D" in name else (8, 8, 2)
    layer = getattr(layers, name)
    model = keras.Sequential([keras.Input(size), layer(3, 3, name="upwards")])
    with_groups(tmp_path / "one.h5", model, 1)
    loaded = legacy.load_model(str(tmp_path / "one.h5"))
    assert type(loaded.layers[0]) is layer and not loaded.compiled
    x = np.random.default_rng(0).random((2, *size))
    np.testing.assert_array_equal(loaded(x), model(x))
    with_groups(tmp_path / "two.h5", model, 2)
    refused(lambda: legacy.load_model(tmp_path / "two.h5"), "two.h5", "upwards", "groups", "anew")


def described(kind, at, inputs, **config):
    """A layer in a configuration of Keras 2; `inputs` is one list of references for every call."""
    calls = [[[*reference, {}] for reference in call] for call in inputs]
    return {
        "class_name": kind,
        "config": {"name": at, **config},
        "name": at,
        "inbound_nodes": calls,
    }


def functional(name, inputs, outputs, *described_layers):
    layers = [described("InputLayer", inputs, [], batch_input_shape=[None, 3]), *described_layers]
    return {
        "name": name,
        "layers": layers,
        "input_layers": [[inputs, 0, 0]],
        "output_layers": outputs,
    }


def test_a_model_within_a_model_that_is_called_twice(tmp_path):
    """Keras 2 counts its calls from 1."""
    inner = functional(
        "inner", "in", [["a", 0, 0]], described("Dense", "a", [[["in", 0, 0]]], units=3)
    )
    config = functional(
        "outer", "out", [["b", 0, 0], ["inner", 2, 0]],
        described("Functional", "inner", [[["out", 0, 0]], [["b", 0, 0]]], **inner),
        described("Dense", "b", [[["inner", 1, 0]]], units=3),
    )  # fmt: skip
    stored = {"out": {}, "inner": dense("a", 0), "b": dense("b", 1)}
    old_file(tmp_path / "a.h5", stored, {"class_name": "Functional", "config": config})
    x = np.random.default_rng(2).random((2, 3))
    once = x @ stored["inner"]["a/kernel:0"] + stored["inner"]["a/bias:0"]
    between = once @ stored["b"]["b/kernel:0"] + stored["b"]["b/bias:0"]
    twice = between @ stored["inner"]["a/kernel:0"] + stored["inner"]["a/bias:0"]
    found = legacy.load_model(tmp_path / "a.h5")(x)
    np.testing.assert_allclose(found[0], between, rtol=1e-5)
    np.testing.assert_allclose(found[1], twice, rtol=1e-5)


def test_a_model_within_a_sequence(tmp_path):
    """Keras 2 wrote one output as a list of one."""
    inner = functional(
        "inner", "in", [["a", 0, 0]], described("Dense", "a", [[["in", 0, 0]]], units=3)
    )
    first = described("InputLayer", "out", [], batch_input_shape=[None, 3])
    middle = described("Functional", "inner", [], **inner)
    config = {"name": "s", "layers": [first, middle, described("Dense", "b", [], units=3)]}
    stored = {"inner": dense("a", 0), "b": dense("b", 1)}
    old_file(tmp_path / "a.h5", stored, {"class_name": "Sequential", "config": config})
    assert legacy.load_model(tmp_path / "a.h5")(np.ones((2, 3))).shape == (2, 3)


def test_a_policy_of_keras_2_is_kept(tmp_path):
    policy = {"class_name": "Policy", "config": {"name": "mixed_bfloat16"}}
    layer = described("Dense", "a", [[["in", 0, 0]]], units=3, dtype=policy)
    config = functional("m", "in", [["a", 0, 0]], layer)
    old_file(
        tmp_path / "a.h5", {"a": dense("a", 0)}, {"class_name": "Functional", "config": config}
    )
    found = legacy.load_model(tmp_path / "a.h5").get_layer("a")
    assert (found.compute_dtype, found.variable_dtype) == ("bfloat16", "float32")


@pytest.mark.parametrize("call", [[["in", 0, 0, {}]], ["in", 0, 0, {"y": 2.0}]])
def test_a_layer_that_nobody_knows_is_named(call, tmp_path):
    config = functional(
        "m", "in", [["x", 0, 0]], {**described("Unheard", "x", []), "inbound_nodes": [call]}
    )
    old_file(tmp_path / "a.h5", {}, {"class_name": "Functional", "config": config})
    refused(lambda: legacy.load_model(tmp_path / "a.h5"), "a.h5", "Unheard", "load_weights")
