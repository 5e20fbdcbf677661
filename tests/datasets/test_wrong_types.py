"""Files that are sound but for a value of another kind: read, or refused in one line."""

import copy
import json
import pathlib

import cat2000_tree
import hypothesis
import numpy as np
import pytest
import salicon_tree
from hypothesis import strategies
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import io, sparse

from keras_saliency.datasets import cat2000, isun, osie, salicon
from keras_saliency.errors import InputError

SIZE = (24, 32)
NUMBERS = arrays.arrays(
    strategies.sampled_from(["float64", "uint8", "int16", "bool", "complex128"]),
    arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)
LEAVES = strategies.one_of(
    NUMBERS,
    strategies.sampled_from([np.nan, np.inf, -1.0, 3e9, 1e300, 1.5, 0, True, 2**40]),
    strategies.sampled_from(["", "text", "a\nb", "../../a.jpg", "12", "x" * 2000, "a.jpg"]),
    strategies.sampled_from([np.zeros((0, 0)), np.ones(SIZE), np.ones((3, 2)), np.eye(2)]),
    strategies.sampled_from([sparse.csc_array(np.eye(2)), sparse.csc_array((3, 2))]),
)
NAMES = strategies.sampled_from(["fixations", "location", "gaze", "img", "fix_x", "other"])


def cell(items):
    made = np.empty((len(items), 1), object)
    made[:, 0] = items
    return made


def structs(*names):
    return np.zeros((2, 1), [(name, "O") for name in names])


VALUES = strategies.recursive(
    LEAVES,
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3).map(cell),
        strategies.dictionaries(NAMES, inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)


def of_osie():
    looks = cell([{f"fix_{name}": [[5.0, 9.0]] for name in ("x", "y", "duration")}] * 2)
    return {"fixations": cell([{"img": f"{i}.jpg", "subjects": looks} for i in range(2)])}


def of_isun():
    gaze, records = structs("fixation"), structs("image", "resolution", "gaze")
    for each in gaze[:, 0]:
        each["fixation"] = np.ones((3, 2))
    for i, record in enumerate(records[:, 0]):
        for field, value in (("image", f"{i}"), ("resolution", [[*SIZE]]), ("gaze", gaze)):
            record[field] = np.asarray(value)
    return {"training": records}


def of_salicon():
    gaze = structs("location", "timestamp", "fixations")
    for each in gaze[:, 0]:
        each["location"], each["timestamp"] = np.ones((400, 2)), np.ones((400, 1))
        each["fixations"] = np.ones((3, 2))
    return {"image": "a", "resolution": np.array([SIZE]), "gaze": gaze}


def places(tree, path=()):
    """The way to everything in a tree of dicts, lists, cells and structs."""
    yield path
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = range(len(tree))
    elif getattr(getattr(tree, "dtype", None), "kind", "") == "O":
        keys = [(i, 0) for i in range(len(tree))]
    elif getattr(getattr(tree, "dtype", None), "names", None):
        keys = [(name, i) for name in tree.dtype.names for i in range(len(tree))]
    else:
        return
    for key in keys:
        yield from places(_at(tree, key), (*path, key))


def _at(tree, key):
    named = isinstance(key, tuple) and isinstance(key[0], str)
    return tree[key[0]][key[1], 0] if named else tree[key]


def replaced(tree, path, value):
    """A copy in which something else stands at a place."""
    if not path:
        return value
    tree = copy.deepcopy(tree)
    place = tree
    for key in path[:-1]:
        place = _at(place, key)
    if isinstance(path[-1], tuple) and isinstance(path[-1][0], str):
        place[path[-1][0]][path[-1][1], 0] = np.asarray(value, object) if np.ndim(value) else value
    else:
        place[path[-1]] = value
    return tree


def read_or_refused(read):
    try:
        examples = read()
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
        return
    for example in examples:
        x, y = example.fixations.T
        assert example.fixations.dtype == "float32"
        assert ((x > -0.5) & (x < example.size[1]) & (y > -0.5) & (y < example.size[0])).all()
        assert pathlib.PurePath(example.name).parent.name in ("", "Action")


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE[::-1]).save(path)


def write_osie(folder):
    for i in range(2):
        picture(folder / "stimuli" / f"{i}.jpg")
    (folder / "eye").mkdir()
    return folder / "eye" / "fixations.mat", of_osie(), lambda: osie.load(str(folder))


def write_isun(folder):
    for i in range(2):
        picture(folder / "images" / f"{i}.jpg")
    return folder / "training.mat", of_isun(), lambda: isun.load(str(folder))


def write_salicon(folder):
    salicon_tree.write_tree(folder, "2017", 1, 1, 0, SIZE)
    path = next(folder.glob("fixations/train/*.mat"))
    return path, of_salicon(), lambda: salicon.load(str(folder))


def write_salicon_2015(folder):
    salicon_tree.write_tree(folder, "2015-mat", 1, 1, 0, SIZE)
    path = next(folder.glob("fixation/*train*.mat"))
    return path, {"I": np.eye(*SIZE)}, lambda: salicon.load(str(folder))


def write_cat2000(folder):
    cat2000_tree.write_tree(folder, ("Action",), 1, 0, SIZE)
    path = folder / "trainSet" / "FIXATIONLOCS" / "Action" / "001.mat"
    return path, {"fixLocs": np.eye(*SIZE)}, lambda: cat2000.load(str(folder), "all")


WRITERS = [write_osie, write_isun, write_salicon, write_salicon_2015, write_cat2000]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("write", WRITERS)
def test_mat_files(write, tmp_path_factory):
    path, sound, read = write(tmp_path_factory.mktemp("wrong"))
    io.savemat(path, sound)
    assert sum(len(example.fixations) for example in read()) > 2
    ways = [way for way in places(sound) if way]

    @hypothesis.settings(max_examples=200)
    @hypothesis.given(strategies.sampled_from(ways), VALUES)
    def check(way, value):
        tree = replaced(sound, way, value)
        try:
            io.savemat(path, tree)
        except (TypeError, ValueError):  # SciPy cannot write this one
            hypothesis.assume(False)
        read_or_refused(read)

    check()


ODD = strategies.recursive(
    strategies.one_of(
        strategies.none(),
        strategies.booleans(),
        strategies.sampled_from([3e9, 10**400, -1, 0, 1.5, np.nan, np.inf, 1e300]),
        strategies.sampled_from(["", "12", "a\nb", "\ud800", "../a.jpg", "x" * 2000]),
    ),
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3),
        strategies.dictionaries(strategies.sampled_from(["id", "a\nb", ""]), inner, max_size=2),
    ),
    max_leaves=5,
)


@pytest.mark.filterwarnings("ignore")
def test_json(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrong")
    salicon_tree.write_tree(folder, "2015-json", 2, 1, 0, SIZE)
    path = folder / "fixations_train2014.json"
    sound = json.loads(path.read_text())
    sound["annotations"] = sound["annotations"][3:5]
    sound["annotations"] = [
        {**each, "fixations": each["fixations"][:2]} for each in sound["annotations"]
    ]
    ways = list(places(sound))

    @hypothesis.settings(max_examples=300)
    @hypothesis.given(strategies.sampled_from(ways), ODD)
    def check(way, value):
        path.write_text(json.dumps(replaced(sound, way, value)))
        read_or_refused(lambda: salicon.load(str(folder), release="2015-json"))

    check()
