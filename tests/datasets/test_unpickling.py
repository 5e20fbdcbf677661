"""The pickles that are read, and the hostile ones, which must not get to do anything."""

import builtins
import os
import pickle

import numpy as np
import pytest
from checks import refused

from keras_saliency.datasets import unpickling
from keras_saliency.errors import InputError

PROTOCOLS = range(6)

# Written by Python 2.7 and NumPy 1.16, protocols 0 and 2.
PYTHON_2 = [
    b"(lp1\n(dp2\nS'y'\ncnumpy.core.multiarray\n_reconstruct\np3\n(cnumpy\nndarray\np4\n(I0\ntS'b'"
    b"\ntRp5\n(I1\n(I2\nI2\ntcnumpy\ndtype\np6\n(S'f4'\nI0\nI1\ntRp7\n(I3\nS'<'\nNNNI-1\nI-1\nI0\n"
    b"tbI00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\x80?\\x00\\x00\\x00@\\x00\\x00\\x80@'\ntbsS'X'\ng3\n"
    b"(g4\n(I0\ntS'b'\ntRp8\n(I1\n(I3\nI2\nI2\ntg6\n(S'u1'\nI0\nI1\ntRp9\n(I3\nS'|'\nNNNI-1\nI-1\n"
    b"I0\ntbI00\nS'\\x00\\x14(<Pdx\\x8c\\xa0\\xb4\\xc8\\xdc'\ntbsS'k'\nL10L\nsS'n'\n"
    b"cnumpy.core.multiarray\nscalar\np10\n(g6\n(S'f8'\nI0\nI1\ntRp11\n(I3\nS'<'\nNNNI-1\nI-1\nI0\n"
    b"tbS'\\x00\\x00\\x00\\x00\\x00\\x00\\x04@'\ntRp12\nsS'file_name'\np13\nS'\\xe9.jpg'\np14\nsa.",
    b"\x80\x02]q\x01}q\x02(U\x01ycnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K"
    b"\x00\x85U\x01b\x87Rq\x05(K\x01K\x02K\x02\x86cnumpy\ndtype\nq\x06U\x02f4K\x00K\x01\x87Rq\x07(K"
    b"\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10\x00\x00\x00\x00\x00\x00\x80?"
    b"\x00\x00\x00@\x00\x00\x80@tbU\x01Xh\x03h\x04K\x00\x85U\x01b\x87Rq\x08(K\x01K\x03K\x02K\x02\x87"
    b"h\x06U\x02u1K\x00K\x01\x87Rq\t(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U"
    b"\x0c\x00\x14(<Pdx\x8c\xa0\xb4\xc8\xdctbU\x01k\x8a\x01\nU\x01ncnumpy.core.multiarray\nscalar\n"
    b"q\nh\x06U\x02f8K\x00K\x01\x87Rq\x0b(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU"
    b"\x08\x00\x00\x00\x00\x00\x00\x04@\x86Rq\x0cU\tfile_nameq\rU\x05\xe9.jpgq\x0eua.",
]


@pytest.fixture
def loaded(tmp_path):
    """Writes bytes to a file and loads it."""

    def load(content):
        (tmp_path / "a.pkl").write_bytes(content)
        return unpickling.load(str(tmp_path / "a.pkl"))

    return load


ARRAYS = [
    np.linspace(0, 1, 24, dtype="float32").reshape(2, 3, 4),
    np.arange(24, dtype="uint8").reshape(2, 3, 4).transpose(1, 0, 2),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(12.0).reshape(3, 4)[:, ::2],
    np.arange(5, dtype=">i4"),
    np.array(3.5),
    np.zeros((0, 7), "float16"),
    np.array([True, False]),
    np.array(["a.jpg", "längst.jpg"]),
    np.array([b"a", b"bcd"]),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_of_every_protocol(loaded, array, protocol):
    found = np.asarray(loaded(pickle.dumps([array], protocol))[0])
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_not_an_array_comes_as_it_was(loaded, protocol):
    plain = {"a": [1, -2.5, 2**70, True, None], "é": (b"\xff\x00", b"", "text")}
    numbers = [np.float32(1.5), np.int64(-3), np.bool_(True), np.str_("é"), np.uint8(200)]
    found = loaded(pickle.dumps([plain, numbers], protocol))
    assert found[0] == plain
    assert found[1] == numbers


@pytest.mark.parametrize("protocol", [*range(4), 5])
def test_arrays_of_numpy_1(loaded, protocol):
    array = np.arange(6, dtype="float32").reshape(2, 3)
    new = pickle.dumps([array, array[0, 1]], protocol)
    old = new.replace(b"numpy._core.", b"numpy.core.")
    if protocol == 5:  # here lengths are written before the names, and before the whole
        old = old[:2] + old[11:]
        for name in (b"numeric", b"multiarray"):
            name = b"numpy.core." + name
            old = old.replace(bytes([len(name) + 1]) + name, bytes([len(name)]) + name)
    assert old != new
    first, second = loaded(old)
    np.testing.assert_array_equal(np.asarray(first), array)
    assert second == 1


@pytest.mark.parametrize("content", PYTHON_2, ids=["protocol 0", "protocol 2"])
def test_pickles_of_python_2(loaded, content):
    [entry] = loaded(content)
    entry = {key.decode(): value for key, value in entry.items()}
    np.testing.assert_array_equal(np.asarray(entry["X"]), np.arange(12).reshape(3, 2, 2) * 20)
    np.testing.assert_array_equal(np.asarray(entry["y"]), [[0, 1], [2, 4]])
    assert (entry["file_name"], entry["n"], entry["k"]) == (b"\xe9.jpg", 2.5, 10)


class Calls:
    """Pickled, it is a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Pickle wants a call's function to be callable, and so may be a call."""


def write(path):
    return f"open({str(path)!r}, 'w').close()"


# Each takes the path of a file that must not appear.
HOSTILE = {
    "os.system": lambda path: Calls(os.system, f"touch {path}"),
    "open": lambda path: Calls(open, str(path), "w"),
    "eval": lambda path: Calls(eval, write(path)),
    "exec": lambda path: Calls(exec, write(path)),
    "getattr": lambda path: Calls(
        Calls(getattr, Calls(__import__, "os"), "system"), f"touch {path}"
    ),
    "getattr of what is admitted": lambda path: Calls(
        Calls(getattr, Calls(getattr, np.ndarray, "tofile"), "__call__"), np.arange(3), str(path)
    ),
    "numpy.save": lambda path: Calls(np.savetxt, str(path), [1.0]),
    "numpy.load": lambda path: Calls(np.load, str(path)),
    "numpy.testing": lambda path: Calls(np.testing.measure, write(path)),
    "numpy.memmap": lambda path: Calls(np.memmap, str(path), "uint8", "w+", 0, 3),
    "pickle.loads": lambda path: Calls(
        pickle.loads, pickle.dumps(Calls(os.system, f"touch {path}"))
    ),
    "map": lambda path: Calls(list, Calls(map, os.system, [f"touch {path}"])),
}


def opcodes(path):
    """The same by hand, and what only opcodes can say."""
    command = f"touch {path}".encode()
    quoted = b"S'" + command + b"'\n"
    encode = b"c_codecs\nencode\n"
    dtype = b"cnumpy\ndtype\n(Vf8\nI00\nI00\ntR"
    return {
        "INST": b"(" + quoted + b"ios\nsystem\n.",
        "OBJ": b"(cos\nsystem\n" + quoted + b"o.",
        "posix": b"cposix\nsystem\n(" + quoted + b"tR.",
        "a dotted name": b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.",
        "a module's module": b"\x80\x04\x8c\x05numpy\x8c\x0atesting.os\x93.",
        "another codec": encode + b"(Vabc\nVrot13\ntR.",
        "a codec's alias": encode + b"(Vabc\nViso-8859-1\ntR.",
        "a function's attribute": encode + b"(N(dVfunction\nNstb.",
        "a function's state": encode + b"(dVfunction\nNsb.",
        "NEWOBJ": b"cnumpy\nndarray\n(I9\nt\x81.",
        "ndarray itself": b"cnumpy\nndarray\n((I9\nttR.",
        "an object array": b"cnumpy\ndtype\n(VO8\nI00\nI01\ntR.",
        "a record array": b"cnumpy\ndtype\n(VV8\nI00\nI01\ntR.",
        "a dtype's fields": dtype + b"(I3\nV<\nN(Va\nt(dI8\nI8\nI0\ntb.",
        "a dtype of a dict": b"cnumpy\ndtype\n((dtR.",
        "bytes of a length": b"cbuiltins\nbytes\n(I99999999999\ntR.",
        "persistent id": b"Pos\n.",
        "extension": b"\x80\x02\x82\x01.",
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_does_nothing(tmp_path, loaded, name, protocol):
    canary = tmp_path / "canary"
    content = pickle.dumps([{"X": np.ones(3), "y": HOSTILE[name](canary)}], protocol)
    refused(lambda: loaded(content), "a.pkl", "is refused", "names")
    assert not canary.exists()


@pytest.mark.parametrize("name", opcodes("canary"))
def test_a_hostile_pickle_by_hand_does_nothing(tmp_path, loaded, name):
    canary = tmp_path / "canary"
    refused(lambda: loaded(opcodes(canary)[name]), "a.pkl")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["os.system", "open", "eval", "numpy.save", "map"])
def test_the_hostile_pickles_are_hostile(tmp_path, name):
    canary = tmp_path / "canary"
    pickle.loads(pickle.dumps(HOSTILE[name](canary)))
    assert canary.exists()


def test_a_hostile_pickle_by_hand_is_hostile(tmp_path):
    for i, name in enumerate(["INST", "OBJ", "posix"]):
        canary = tmp_path / f"canary{i}"
        pickle.loads(opcodes(canary)[name])
        assert canary.exists(), name


def test_numpys_own_dtypes_cannot_be_changed(loaded):
    big_endian = b"cnumpy\ndtype\n(Vf8\nI00\nI00\ntR(I3\nV>\nNNNI-1\nI-1\nI0\ntb."
    loaded(big_endian)
    assert np.dtype("float64").isnative
    assert np.frombuffer(np.arange(3.0).tobytes(), "f8").tolist() == [0, 1, 2]


@pytest.mark.parametrize("function", [print, os.getcwd, builtins.compile, np.random.default_rng])
def test_whatever_is_not_admitted_is_named(loaded, function):
    name = pickle.dumps(function, 2).split(b"\n")[1].decode()
    refused(lambda: loaded(pickle.dumps(function, 4)), "names", name)


class Own:
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "thing", [Own(), 1j, np.array([None, 1]), np.array([(1, 2.0)], "i4,f4"), np.float32]
)
def test_other_objects_are_refused(loaded, thing, protocol):
    refused(lambda: loaded(pickle.dumps([thing], protocol)), "a.pkl")


def test_every_cut_off_pickle_is_one_line(loaded):
    for content in (pickle.dumps([{"X": np.ones((3, 4)), "y": "a"}], p) for p in (0, 2, 5)):
        for end in range(0, len(content), 9):
            with pytest.raises(InputError, match=r"a\.pkl cannot be read as a pickle") as caught:
                loaded(content[:end])
            assert "\n" not in str(caught.value)


def test_every_damaged_pickle_is_one_line_or_loads(loaded):
    random = np.random.default_rng(0)
    content = pickle.dumps([{"X": np.ones((3, 4)), "y": "a"}], 2)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[random.integers(len(content))] = random.integers(256)
        try:
            loaded(bytes(damaged))
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n", b"name,x,y\n1,2,3\n", b"PK\x03\x04"]
)
def test_another_kind_of_file(loaded, content):
    refused(lambda: loaded(content), "a.pkl cannot be read as a pickle")


def test_a_missing_file_and_a_folder(tmp_path):
    refused(lambda: unpickling.load(str(tmp_path / "no.pkl")), "no such file", "no.pkl")
    refused(lambda: unpickling.load(str(tmp_path)), str(tmp_path))
