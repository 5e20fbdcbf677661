"""Weights of Keras 2, for networks that are built anew."""

import collections
import difflib
import functools
import os
import re
import tempfile

import keras

from keras_saliency.errors import InputError
from keras_saliency.legacy import reading

# A weight with one of these names is not one with another of them.
WEIGHTS = {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"}
SHOWN = 4  # of the layers that are left over on either side


def load_weights(model: keras.Model, path: str) -> None:
    """Puts the weights of a file of Keras 2 into a network that was built anew.

    All or nothing: every weight of the network comes from the file and every
    array of the file goes into the network (but for optimizers, metrics and
    random states), or it stays as it was.

    Layers are paired as Keras does it: in their order in an older `.h5`, by
    class and order in `.keras` and `.weights.h5`. The layers' names, which a
    `.weights.h5` does not have, must not speak against it: a name that both
    sides have must be in the same place. Of the numbers at names' ends only
    the order counts, since Keras counts all layers that it ever made.

    Args:
        model: the network; its layers made and called in the old one's order.
        path: `.h5`, `.keras` or `.weights.h5`.

    Raises:
        InputError: if it is another kind of file or damaged, if a layer is
            left over on either side, or if names speak against the order.

    Example:
        >>> def network():
        ...     return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        >>> old, new = network(), network()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     old.save(folder + "/old.h5")
        ...     load_weights(new, folder + "/old.h5")
        >>> bool(np.array_equal(old.get_weights()[0], new.get_weights()[0]))
        True
    """
    path = os.fspath(path)
    if not model.built or not model.weights:
        raise InputError(f"the network for {path} has no weights yet; build it first")
    with reading.opened(path) as (file, config), reading.damage_told(path):
        group = file.get("model_weights", file)
        in_order = "layer_names" in group.attrs or "layer_names0" in group.attrs
        stored = reading.in_order(group) if in_order else reading.by_path(file)
        names = dict(reading.names_in_config(config or {}))
    if not stored:
        raise InputError(f"{path} holds no weights; choose another file")
    if in_order:
        _load_in_order(model, stored, path)
    else:
        _load_by_path(model, stored, names, path)


def _load_in_order(model, stored, path):
    network = [(x.name, x.trainable_weights + x.non_trainable_weights) for x in model.layers]
    in_layers = {id(weight) for _, weights in network for weight in weights}
    network.append((reading.OUTSIDE, [w for w in model.weights if id(w) not in in_layers]))
    network = [(name, weights) for name, weights in network if weights]

    theirs = [(name, *(array.shape for _, array in arrays)) for name, arrays in stored]
    ours = [(name, *(tuple(weight.shape) for weight in weights)) for name, weights in network]
    alike = difflib.SequenceMatcher(None, [t[1:] for t in theirs], [o[1:] for o in ours], False)
    changes = [change for change in alike.get_opcodes() if change[0] != "equal"]
    _check_leftovers(
        [layer for _, start, end, _, _ in changes for layer in theirs[start:end]],
        [layer for _, _, _, start, end in changes for layer in ours[start:end]],
        path,
    )
    _check_names([layer[0] for layer in theirs], [layer[0] for layer in ours], path)

    pairs = [
        (f"{layer}/{name}".split(":")[0], array, weight, our_layer)
        for (layer, arrays), (our_layer, weights) in zip(stored, network, strict=True)
        for (name, array), weight in zip(arrays, weights, strict=True)
    ]
    for name, _, weight, our_layer in pairs:
        if len({name.rpartition("/")[2], weight.name} & WEIGHTS) == 2:
            raise _other_order(name, f"{our_layer}/{weight.name}", path)
    models = {layer.name for layer in model.layers if isinstance(layer, keras.Model)}
    inner = [(_owner(name), _owner(w.path)) for name, _, w, layer in pairs if layer in models]
    _check_names([name for name, _ in inner], [name for _, name in inner], path)
    for _, array, weight, _ in pairs:
        weight.assign(array)


def _load_by_path(model, stored, names, path):
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        own = os.path.join(folder, "own.weights.h5")
        model.save_weights(own)  # Keras tells only so which weight has which path
        with h5py.File(own, "r+") as file:
            shapes = reading.shapes_by_path(file)
            if len(shapes) != len(model.weights):
                raise InputError(
                    f"the weights of the network for {path} cannot be told apart by its kind of "
                    "file; save them as an .h5 in Keras 2"
                )
            differ = {at for at, array in stored.items() if array.shape != shapes.get(at)}
            differ |= shapes.keys() - stored.keys()
            _check_leftovers(
                [(at, stored[at].shape) for at in sorted(differ & stored.keys())],
                [(at, shapes[at]) for at in sorted(differ & shapes.keys())],
                path,
            )
            told = [layer for layer in names if any(at.startswith(f"{layer}/") for at in stored)]
            ours = [file[f"{layer}/vars"].attrs["name"] for layer in told]
            _check_names([names[layer] for layer in told], ours, path)
            for at, array in stored.items():
                del file[at]
                file[at] = array
        model.load_weights(own)


def _check_leftovers(theirs, ours, path):
    """Raises unless both lists of `(name, shape, shape...)` are empty."""
    if not theirs and not ours:
        return

    def told(layers):
        words = [" ".join(map(str, layer)) for layer in layers]
        more = [f"{len(words) - SHOWN} more"] if len(words) > SHOWN else []
        return ", ".join(words[:SHOWN] + more) or "nothing"

    raise InputError(
        f"{path} is of another network: left over in the file: {told(theirs)}; left over in the "
        f"network: {told(ours)}; build it as the file's was"
    )


def _check_names(theirs, ours, path):
    """Raises if names speak against `theirs` and `ours` being the same layers, one by one."""
    first, second = _ranked(theirs), _ranked(ours)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        other_class = a[0] != b[0] and {a[0], b[0]} <= _classes()
        if a != b and (a in second or b in first or other_class):
            raise _other_order(theirs[i], ours[i], path)


def _other_order(name, our_name, path):
    return InputError(
        f"{path} has {name} where the network has {our_name}; make and call its layers in the "
        "file's order, or name them as they are named there"
    )


def _ranked(names):
    """`conv2d_7` and `conv2d_9` as `("conv2d", 0)` and `("conv2d", 1)`."""
    split = [re.fullmatch(r"(.*?)(?:_(\d+))?", name, re.DOTALL).groups("-1") for name in names]
    numbers = collections.defaultdict(set)
    for stem, number in split:
        numbers[stem].add(int(number))
    return [(stem, sorted(numbers[stem]).index(int(number))) for stem, number in split]


def _owner(path):
    """The name of the layer whose weight this is; cells within it were numbered otherwise."""
    layers = [part for part in path.split("/")[:-1] if not re.search(r"_cell(_\d+)?$", part)]
    return layers[-1] if layers else path


@functools.cache
def _classes():
    """The names that Keras gives to layers, before the number."""
    return {reading.snake_case(name) for name in dir(keras.layers) if name[0].isupper()} - {"layer"}
