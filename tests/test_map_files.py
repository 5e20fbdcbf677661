"""Files of saliency maps lose next to nothing, and damaged ones are named."""

import os

import numpy as np
import pytest
from checks import NOT_MAPS, peaked, refused
from PIL import Image

from keras_saliency import densities, map_files, pictures


def test_16_bits_are_far_closer_than_8(tmp_path):
    density = peaked((240, 320), sigma=20.0)
    path = str(tmp_path / "a")
    pictures.write_png(path + "8.png", pictures.to_uint8(density))
    map_files.write_png(path + "16.png", density)
    map_files.write_log_density(path + ".npy", np.log(density))
    eight = map_files.read(path + "8.png")
    approximations = {
        "8 bits": densities.to_density(eight),
        "8 bits, floor": densities.to_density(eight, floor=densities.FLOOR),
        "16 bits": densities.to_density(map_files.read(path + "16.png")),
        "float": np.exp(map_files.read(path + ".npy").astype("float64")),
    }
    epsilon = 2.0**-52
    kld, gain = {}, {}
    for name, other in approximations.items():
        kld[name] = np.sum(density * np.log(epsilon + density / (other + epsilon)))
        gain[name] = np.sum(density * (np.log2(epsilon + density) - np.log2(epsilon + other)))
    # What the module's docstring says.
    assert 0.185 < kld["8 bits"] < 0.195
    assert 0.265 < gain["8 bits"] < 0.275
    assert 0.02 < kld["8 bits, floor"] < 0.025
    assert 0 < kld["16 bits"] < 1e-6
    assert 0 < gain["16 bits"] < 1.5e-6
    assert abs(kld["float"]) < 1e-7
    assert abs(gain["float"]) < 1e-7


def test_a_16_bit_picture_uses_the_full_range(tmp_path):
    path = str(tmp_path / "new" / "a.png")
    map_files.write_png(path, np.array([[0.0, 1e-30, 1e-4, 2e-3]]))
    with Image.open(path) as picture:
        assert (picture.format, picture.mode) == ("PNG", "I;16")
    values = map_files.read(path)
    assert values.dtype == "float32"
    assert values[..., 0].tolist() == [[0, 1, round(65535 / 20), 65535]]
    assert os.listdir(tmp_path / "new") == ["a.png"]


@pytest.mark.parametrize(
    "values, expected",
    [
        ([[0, 0]], [[0, 0]]),
        ([[3, 3]], [[65535, 65535]]),
        ([[-1, 0, 1]], [[0, 32768, 65535]]),
        ([[-3, -3]], [[0, 0]]),
        ([[True, False]], [[65535, 0]]),
        ([[5]], [[65535]]),
    ],
)
def test_any_map_fits_16_bits(tmp_path, values, expected):
    map_files.write_png(str(tmp_path / "a.png"), np.array(values))
    assert map_files.read(str(tmp_path / "a.png"))[..., 0].tolist() == expected


@pytest.mark.parametrize("values", NOT_MAPS, ids=str)
def test_what_is_no_map_is_not_written(tmp_path, values):
    (tmp_path / "a.png").write_bytes(b"old")
    refused(lambda: map_files.write_png(str(tmp_path / "a.png"), values))
    refused(lambda: map_files.write_log_density(str(tmp_path / "a.npy"), values))
    assert os.listdir(tmp_path) == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_a_log_density_comes_back(tmp_path):
    path = str(tmp_path / "new" / "a.npy")
    log_density = densities.log_density(peaked())
    map_files.write_log_density(path, log_density[..., 0])
    again = map_files.read(path)
    assert again.dtype == "float32"
    assert again.shape == log_density.shape
    np.testing.assert_allclose(again, log_density, rtol=1e-6)
    assert densities.is_log_density(again)
    assert os.listdir(tmp_path / "new") == ["a.npy"]


@pytest.mark.parametrize(
    "values", [peaked(), densities.log_density(peaked()) + 0.1, np.array([[-np.inf, 0.0]])], ids=str
)
def test_what_is_no_log_density_is_not_written(tmp_path, values):
    refused(lambda: map_files.write_log_density(str(tmp_path / "a.npy"), values), "log density")
    assert os.listdir(tmp_path) == []


def test_a_log_density_needs_its_ending(tmp_path):
    refused(lambda: map_files.write_log_density(str(tmp_path / "a.png"), [[0.0]]), ".npy", "a.png")


RAMP = np.arange(48, dtype="uint8").reshape(6, 8) * 5


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.PNG"])
def test_8_bit_gray_is_read_as_it_is(tmp_path, name):
    Image.fromarray(RAMP).save(tmp_path / name)
    values = map_files.read(str(tmp_path / name))
    assert values.dtype == "float32"
    np.testing.assert_array_equal(values, RAMP[..., None])


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_gray_is_read_as_it_is(tmp_path, name):
    values = (np.arange(48).reshape(6, 8) * 1394 + 17).astype("uint16")
    Image.fromarray(values).save(tmp_path / name)
    again = map_files.read(str(tmp_path / name))
    assert again.dtype == "float32"
    np.testing.assert_array_equal(again, values[..., None])


def test_floats_in_a_tiff_are_read_as_they_are(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")
    Image.fromarray(values).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(map_files.read(str(tmp_path / "a.tif")), values[..., None])


def test_a_jpeg_is_read(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_allclose(map_files.read(str(tmp_path / "a.jpg"))[..., 0], RAMP, atol=2)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "YCbCr"])
def test_gray_in_any_mode_stays_gray(tmp_path, mode, recwarn):
    gray = (RAMP > 100).astype("uint8") * 255 if mode == "1" else RAMP
    palette = {"palette": Image.Palette.ADAPTIVE} if mode == "P" else {}
    name = "a.jpg" if mode == "YCbCr" else "a.tif"  # which Pillow 12.3 cannot read again as a TIFF
    quality = {"quality": 100} if mode == "YCbCr" else {}
    picture = Image.fromarray(gray).convert("RGB").convert(mode, **palette)
    picture.save(tmp_path / name, **quality)
    values = map_files.read(str(tmp_path / name))
    assert values.shape == (6, 8, 1)
    np.testing.assert_allclose(values[..., 0], gray, atol=2 if mode == "YCbCr" else 0)
    assert not recwarn


def test_a_color_is_its_luminance(tmp_path):
    colors = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], "uint8")
    Image.fromarray(colors).save(tmp_path / "a.png")
    assert map_files.read(str(tmp_path / "a.png"))[..., 0].tolist() == [[76, 150, 29]]


def test_a_turned_picture_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RAMP).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(
        map_files.read(str(tmp_path / "a.png"))[..., 0], np.rot90(RAMP, -1)
    )


@pytest.mark.parametrize(
    "dtype, expected",
    [
        ("bool", "float32"),
        ("uint8", "float32"),
        ("uint16", "float32"),
        ("int32", "float64"),
        ("float16", "float32"),
        (">f4", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("longdouble", "float64"),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1)])
def test_numpy_files_keep_their_precision(tmp_path, dtype, expected, shape):
    values = (np.arange(6) / (1 if dtype[0] in "biu" else 3)).astype(dtype).reshape(shape)
    np.save(tmp_path / "a.npy", values)
    again = map_files.read(str(tmp_path / "a.npy"))
    assert again.dtype == expected
    np.testing.assert_array_equal(again, values.reshape(2, 3, 1).astype(expected))
    again += 1  # a copy, not the file


def test_a_fortran_array_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(RAMP))
    np.testing.assert_array_equal(map_files.read(str(tmp_path / "a.npy"))[..., 0], RAMP)


@pytest.mark.parametrize("values", NOT_MAPS, ids=str)
def test_numpy_files_of_other_things_are_refused(tmp_path, values):
    np.save(tmp_path / "a.npy", values)
    refused(lambda: map_files.read(str(tmp_path / "a.npy")), "a.npy")


def test_floats_that_are_not_finite_are_refused(tmp_path):
    Image.fromarray(np.array([[1, np.nan]], "float32")).save(tmp_path / "a.tif")
    refused(lambda: map_files.read(str(tmp_path / "a.tif")), "a.tif", "not finite")


@pytest.mark.parametrize("name", ["a.npy", "a.png", "a.jpg", "a.tif"])
def test_damaged_files_are_refused(tmp_path, name):
    path = tmp_path / name
    refused(lambda: map_files.read(str(path)), "no such file", name)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40)).astype("uint8")
    if name == "a.npy":
        np.save(path, noise)
    else:
        Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for contents in (
        b"",
        b"nothing of the kind\n" * 20,
        *(whole[: len(whole) // k] for k in (2, 50)),
    ):
        path.write_bytes(contents)
        refused(lambda: map_files.read(str(path)), name)


def test_a_header_cannot_ask_for_more_than_the_file_has(tmp_path):
    with open(tmp_path / "a.npy", "wb") as file:
        shape = {"descr": "<f8", "fortran_order": False, "shape": (10**7, 10**7)}
        np.lib.format.write_array_header_1_0(file, shape)
        file.write(b"\0" * 64)
    refused(lambda: map_files.read(str(tmp_path / "a.npy")), "a.npy")


class _Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled(tmp_path):
    payload = np.array([[_Payload(str(tmp_path / "made"))]], object)
    np.save(tmp_path / "a.npy", payload, allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(payload.dumps())
    for name in ("a.npy", "b.npy"):
        refused(lambda name=name: map_files.read(str(tmp_path / name)), name)
    assert not (tmp_path / "made").exists()


def test_an_archive_called_npy_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", RAMP)
    os.rename(tmp_path / "a.npz", tmp_path / "a.npy")
    refused(lambda: map_files.read(str(tmp_path / "a.npy")), "a.npy")


def test_a_folder_is_refused(tmp_path):
    refused(lambda: map_files.read(str(tmp_path)), tmp_path.name)


# Which file belongs to a picture.


def put(folder, *names):
    for name in names:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        np.save(path, np.eye(2)) if name.endswith(".npy") else map_files.write_png(path, np.eye(2))


def test_the_maps_of_pictures_are_found_by_their_names(tmp_path):
    put(tmp_path, "a.png", "b.jpg.npy", "c/d.png", "a.b.png")
    found = map_files.find(str(tmp_path), ["c/d.jpg", "b.jpg", "a.jpg"])
    assert [os.path.relpath(path, tmp_path) for path in found] == ["c/d.png", "b.jpg.npy", "a.png"]


def test_missing_maps_are_counted_and_the_first_is_named(tmp_path):
    put(tmp_path, "a.png")
    refused(
        lambda: map_files.find(str(tmp_path), ["a.jpg", "b.jpg", "c.jpg"]),
        *("2 of 3 pictures have no map", "b.jpg"),
    )
    refused(lambda: map_files.find(str(tmp_path / "nowhere"), ["a.jpg"]), "no such folder")


def test_one_map_of_two_pictures_is_refused_and_other_files_are_none(tmp_path):
    put(tmp_path, "a.png")
    (tmp_path / "a.txt").write_text("how it was made")
    assert len(map_files.find(str(tmp_path), ["a.jpg"])) == 1
    refused(lambda: map_files.find(str(tmp_path), ["a.jpg", "a.webp"]), "a.jpg and of a.webp")


def test_several_maps_of_one_picture_are_refused(tmp_path):
    put(tmp_path, "a.png", "a.npy")
    refused(lambda: map_files.find(str(tmp_path), ["a.jpg"]), "1 of 1 pictures have several maps")


def test_a_log_density_is_read_as_the_density(tmp_path):
    path = str(tmp_path / "a.npy")
    density = peaked()
    map_files.write_log_density(path, np.log(density))
    np.testing.assert_allclose(map_files.read_map(path), density, rtol=1e-5)
    np.save(path, density)
    np.testing.assert_array_equal(map_files.read_map(path), density)
