"""The authors' weights in our network: their layers' definitions, and files that do not fit."""

import io
import pickle
import struct
import tracemalloc
import warnings
import zipfile

import keras
import numpy as np
import pytest
import salgan_files
from checks import refused
from scipy import signal

from keras_saliency import salgan_weights
from keras_saliency.errors import InputError

# Of the authors' generator in Lasagne, in order: convolutions, with whether Lasagne
# turns their kernels around (`flip_filters`: False in their VGG16; its default, True,
# in the decoder), 2x2 maximum pooling, and pixels repeated 2x2.
ENCODER = ["conv", "conv", "pool"] * 2 + ["conv", "conv", "conv", "pool"] * 2 + ["conv"] * 3
DECODER = (["true conv"] * 3 + ["repeat"]) * 3 + ["true conv"] * 2 + ["repeat"] + ["true conv"] * 2
NARROW = 1 / 16


def authors_map(picture, arrays):
    """`(height, width)` in float64, from `(height, width, 3)` RGB."""
    x = picture[..., ::-1].transpose(2, 0, 1) - np.array([103.939, 116.779, 123.68])[:, None, None]
    arrays = iter(arrays)
    for layer in ENCODER + DECODER:
        if layer == "pool":
            x = np.maximum(x[:, ::2], x[:, 1::2])
            x = np.maximum(x[..., ::2], x[..., 1::2])
        elif layer == "repeat":
            x = x.repeat(2, axis=1).repeat(2, axis=2)
        else:
            x = np.maximum(convolved(x, next(arrays), next(arrays), layer == "true conv"), 0)
    logits = convolved(x, next(arrays), next(arrays), True, border=0)[0]
    assert next(arrays, None) is None
    return 1 / (1 + np.exp(-logits))


def convolved(x, kernels, biases, true_convolution, border=1):
    x = np.pad(x, [(0, 0), (border, border), (border, border)])
    maps = np.empty((len(kernels), *np.subtract(x.shape[1:], 2 * border)))
    for i, kernel in enumerate(kernels.astype("float64")):
        if true_convolution:
            # It turns all axes; the channels are to stay.
            maps[i] = signal.convolve(x, kernel[::-1], "valid", "direct")[0]
        else:
            maps[i] = signal.correlate(x, kernel, "valid", "direct")[0]
    return maps + biases[:, None, None]


def pictures(*size):
    return np.random.default_rng(1).integers(0, 256, (*size, 3)).astype("float32")


@pytest.mark.parametrize(("width", "size"), [(NARROW, (64, 48)), (NARROW, (32, 96)), (1, (32, 32))])
def test_the_maps_are_those_of_the_authors_layers(tmp_path, width, size):
    path = salgan_files.write(tmp_path / "gen_modelWeights0090.npz", width)
    model = salgan_weights.convert(path, (*size, 3), width)
    picture = pictures(*size)
    expected = authors_map(picture, salgan_files.arrays(width))
    assert expected.std() > 0.02 and expected.min() > 0.01 and expected.max() < 0.99
    found = model.predict(picture[None], verbose=0)[0, ..., 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_true_convolution_slides_a_kernel_that_is_turned_around():
    x, kernel = np.zeros((1, 5, 5)), np.arange(9.0).reshape(1, 1, 3, 3)
    x[0, 2, 2] = 1
    np.testing.assert_array_equal(
        convolved(x, kernel, np.zeros(1), True)[0, 1:4, 1:4], kernel[0, 0]
    )
    turned = kernel[0, 0, ::-1, ::-1]
    np.testing.assert_array_equal(convolved(x, kernel, np.zeros(1), False)[0, 1:4, 1:4], turned)


def test_the_whole_network_is_the_papers():
    assert sum(array.size for array in salgan_files.arrays()) == 31_787_009


def npy(header, content=b""):
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content


def described(shape, dtype="<f4"):
    return f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()


def convert(path):
    return salgan_weights.convert(str(path), (32, 32, 3), NARROW)


def same_weights(path, tmp_path):
    plain = convert(salgan_files.write(tmp_path / "plain.npz", NARROW))
    for one, other in zip(convert(path).get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_double_precision_big_endian_fortran_order_and_compression_are_read(tmp_path):
    arrays = salgan_files.arrays(NARROW)
    arrays[::3] = [np.asfortranarray(array.astype(">f8")) for array in arrays[::3]]
    np.savez_compressed(tmp_path / "a.npz", *arrays)
    same_weights(tmp_path / "a.npz", tmp_path)


def test_headers_of_python_2_are_read_without_a_warning(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for i, array in enumerate(salgan_files.arrays(NARROW)):
            shape = ", ".join(f"{side}L" for side in array.shape)
            archive.writestr(f"arr_{i}.npy", npy(described(f"({shape},)"), array.tobytes()))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*Python 2")
        same_weights(tmp_path / "a.npz", tmp_path)


def test_the_model_can_be_saved_trained_and_loaded(tmp_path):
    model = convert(salgan_files.write(tmp_path / "a.npz", NARROW))
    assert all(layer.trainable for layer in model.layers)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    picture = pictures(32, 32)[None]
    np.testing.assert_allclose(loaded(picture), model(picture), atol=1e-6)


ODD = {
    "one too few": ({"arr_53": None}, "53 arrays", "has 54, arr_0 to arr_53"),
    "one too many": ({"arr_54": np.ones(1)}, "55 arrays, 'arr_54' among them"),
    "another name": ({"arr_5": None, "W": np.ones(3)}, "54 arrays, 'W' among them"),
    "not turned": (
        {"arr_2": np.ones((3, 3, 4, 4), "float32")},
        "arr_2, the kernel of block1_conv2, is float32 of shape (3, 3, 4, 4)",
        "expected float32 of shape (4, 4, 3, 3)",
    ),
    "bias": ({"arr_53": np.ones(2, "float32")}, "arr_53, the bias of logits", "shape (1,)"),
    "dtype": ({"arr_1": np.ones(4, "int32")}, "arr_1", "is int32 of shape (4,)", "float32"),
    "complex": ({"arr_1": np.ones(4, "complex64")}, "arr_1", "is complex64"),
    "NaN": ({"arr_1": np.full(4, np.nan, "float32")}, "arr_1", "not finite"),
    "too large for float32": ({"arr_1": np.full(4, 1e300)}, "arr_1", "not finite"),
    "pickled": ({"arr_1": np.array([{}] * 4, object)}, "arr_1", "is object of shape (4,)"),
    "fields": ({"arr_1": np.zeros(4, [("x" * 300, "f4")])}, "arr_1", "expected float32"),
}


@pytest.mark.parametrize("name", ODD)
def test_what_does_not_fit_is_named(tmp_path, name):
    changes, *words = ODD[name]
    path = salgan_files.write(tmp_path / "odd.npz", NARROW, **changes)
    refused(lambda: convert(path), "odd.npz", *words)


def test_the_narrow_file_is_not_taken_for_the_whole_one(tmp_path):
    path = salgan_files.write(tmp_path / "a.npz", NARROW)
    refused(
        lambda: salgan_weights.convert(path), "arr_0", "is float32 of shape (4, 3, 3, 3)",
        "expected float32 of shape (64, 3, 3, 3)",
    )  # fmt: skip


def with_member(path, content):
    """A sound file, but for its arr_1."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, array in enumerate(salgan_files.arrays(NARROW)):
            whole = io.BytesIO()
            np.save(whole, array)
            archive.writestr(f"arr_{i}.npy", content if i == 1 else whole.getvalue())


HOSTILE = {
    "a shape of terabytes": npy(described("(2000000, 2000000)")),
    "an empty one that is endless": npy(described("(0, 99999999999999999999)")),
    "a long header": npy(b"{" + b" " * 60000 + b"}"),
    "a deep header": npy(b"(" * 4000),
    "a header that does": npy(b"__import__('os').mkdir('canary')"),
    "no header": b"",
    "a pickle": pickle.dumps([1]),
    "cut": npy(described("(4,)"), bytes(8)),
    "more than it says": npy(described("(4,)"), bytes(17)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arrays_are_refused(tmp_path, name):
    with_member(tmp_path / "a.npz", HOSTILE[name])
    refused(lambda: convert(tmp_path / "a.npz"), "a.npz")


def megabytes(call):
    """What Python and NumPy had allocated at most during the call."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


BOMB = 2**28  # bytes of zeros
HEAD = npy(described("(32, 32, 3, 3)"))
BOMBS = {
    "behind the numbers": (zipfile.ZIP_DEFLATED, HEAD),
    # Of version 2, where what was the length and two spaces says half a gigabyte.
    "in the header": (
        zipfile.ZIP_DEFLATED,
        npy(b"  " + described("(32, 32, 3, 3)")).replace(b"\1\0", b"\2\0", 1),
    ),
    "of another packer": (zipfile.ZIP_BZIP2, HEAD),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_go_off(tmp_path, name):
    kind, head = BOMBS[name]
    sound = salgan_files.write(tmp_path / "sound.npz", NARROW, arr_26=None)
    with zipfile.ZipFile(sound, "a", kind, compresslevel=1) as archive:
        archive.writestr("arr_26.npy", head + bytes(BOMB))
    assert megabytes(lambda: refused(lambda: convert(sound), "sound.npz", "damaged")) < 100


def test_an_endless_list_of_arrays_is_refused(tmp_path):
    entry = b"PK\1\2" + bytes(42)
    listed = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(listed), 0, 0)
    (tmp_path / "a.npz").write_bytes(listed + end)
    assert megabytes(lambda: refused(lambda: convert(tmp_path / "a.npz"), "a.npz")) < 100


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02}q\x01." * 99, bytes(1000)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "vgg16.pkl").write_bytes(content)
    refused(lambda: convert(tmp_path / "vgg16.pkl"), "vgg16.pkl", "not", "damaged or another kind")


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    refused(lambda: convert(tmp_path / "none.npz"), "no such file", "none.npz")
    refused(lambda: convert(tmp_path), "no such file")


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_is_found_wherever_it_is(tmp_path, compressed):
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, *salgan_files.arrays(NARROW))
    sound, random, found = path.read_bytes(), np.random.default_rng(0), 0
    expected = convert(path).get_weights()
    for _ in range(12):
        damaged = bytearray(sound)
        damaged[random.integers(len(sound))] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            weights = convert(path).get_weights()
        except InputError:
            found += 1
            continue
        for one, other in zip(weights, expected, strict=True):  # it was nowhere in the numbers
            np.testing.assert_array_equal(one, other)
    assert found > 6
