"""The folder of pictures says which names and sizes are wanted, and is the right one."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_saliency import submissions
from keras_saliency.errors import InputError


def refused(benchmark, folder, *words):
    with pytest.raises(InputError) as caught:
        submissions.stimulus_sizes(benchmark, str(folder))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("benchmark", ["salicon", "mit300", "cat2000"])
def test_names_and_sizes(stimuli, benchmark):
    folder, sizes = stimuli(benchmark)
    assert submissions.stimulus_sizes(benchmark, folder) == sizes


@pytest.mark.parametrize("benchmark", ["mit300", "cat2000"])
def test_tuebingen_takes_both_layouts(stimuli, benchmark):
    folder, sizes = stimuli(benchmark)
    assert submissions.stimulus_sizes("tuebingen", folder) == sizes


def test_output_folders_and_hidden_files_are_passed_over(stimuli, tmp_path):
    folder, sizes = stimuli("cat2000")
    other = tmp_path / "stimuli" / "cat2000" / "Action"
    (other / "Output").mkdir()
    (other / "._001.jpg").write_bytes(b"what macOS leaves")
    (other / "Thumbs.db").write_bytes(b"what Windows leaves")
    Image.new("RGB", (9, 9)).save(other / "Output" / "001.jpg")
    assert submissions.stimulus_sizes("cat2000", folder) == sizes


def test_the_other_pictures_of_mit300s_archive_are_passed_over(stimuli):
    folder, sizes = stimuli("mit300")
    (pathlib.Path(folder) / "SM").mkdir()
    Image.new("RGB", (9, 9)).save(pathlib.Path(folder) / "SM" / "i8.jpg")
    assert submissions.stimulus_sizes("mit300", folder) == sizes


def test_an_exif_tag_does_not_turn_a_picture(tmp_path):
    pixels = np.zeros((16, 24, 3), "uint8")
    pixels[:8] = 250
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "i1.jpg", exif=exif, quality=95)
    assert submissions.stimulus_sizes("mit300", str(tmp_path)) == {"i1.jpg": (16, 24)}
    read = submissions.read_stimulus(str(tmp_path / "i1.jpg"))
    np.testing.assert_allclose(read, pixels, atol=5)


def test_a_gray_stimulus_has_three_channels(tmp_path):
    Image.new("L", (5, 4), 7).save(tmp_path / "a.png")
    read = submissions.read_stimulus(str(tmp_path / "a.png"))
    assert read.shape == (4, 5, 3)
    assert (read == 7).all()


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_stimulus_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "i1.jpg"
    if content is not None:
        path.write_bytes(content)
        refused("mit300", tmp_path, "i1.jpg")
    with pytest.raises(InputError, match=r"i1\.jpg"):
        submissions.read_stimulus(str(path))


def test_an_unknown_benchmark(tmp_path):
    refused("mit1003", tmp_path, "mit1003", "mit300")


def test_a_missing_folder(tmp_path):
    refused("mit300", tmp_path / "nowhere", "no such folder", "nowhere")


def test_an_empty_folder(tmp_path):
    refused("mit300", tmp_path, "no pictures", str(tmp_path))


@pytest.mark.parametrize(
    ("benchmark", "given"),
    [("salicon", "mit300"), ("mit300", "cat2000"), ("cat2000", "mit300")],
)
def test_the_folder_of_another_benchmark(stimuli, benchmark, given):
    folder, _ = stimuli(given)
    refused(benchmark, folder, folder, benchmark)


@pytest.mark.parametrize("benchmark", ["salicon", "mit300", "cat2000"])
def test_the_folder_above(stimuli, tmp_path, benchmark):
    stimuli(benchmark)
    refused(benchmark, tmp_path / "stimuli", str(tmp_path / "stimuli"), benchmark + "/")
    refused("tuebingen", tmp_path / "stimuli", str(tmp_path / "stimuli"))


@pytest.mark.parametrize("benchmark", ["salicon", "cat2000"])
def test_pictures_of_another_size(stimuli, tmp_path, benchmark):
    folder, sizes = stimuli(benchmark)
    name = list(sizes)[1]
    Image.new("RGB", (640, 427)).save(tmp_path / "stimuli" / benchmark / name)
    refused(benchmark, folder, name, "(427, 640)", str(sizes[name]))


def test_two_pictures_of_one_name(tmp_path):
    for name in ("i1.jpg", "i1.k.jpg", "i1.png"):
        Image.new("L", (3, 3)).save(tmp_path / name)
    refused("mit300", tmp_path, "i1.jpg", "i1.png")
