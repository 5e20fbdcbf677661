"""A submission that is right passes, whoever made it; every mistake in one is named."""

import base64
import io
import json
import pathlib
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from keras_saliency import submissions
from keras_saliency.errors import InputError


def refused(path, benchmark, folder, *words):
    with pytest.raises(InputError) as caught:
        submissions.validate(str(path), benchmark, folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message, message


def picture(size, kind="PNG", mode="L"):
    file = io.BytesIO()
    ramp = np.arange(size[0] * size[1]).reshape(size) % 251
    Image.fromarray(ramp.astype("uint8")).convert(mode).save(file, kind)
    return file.getvalue()


def zipped(path, contents):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("benchmark", "name"),
    [
        ("salicon", "a.zip"),
        ("salicon", "a.json"),
        ("mit300", "maps"),
        ("mit300", "a.zip"),
        ("cat2000", "maps"),
        ("cat2000", "a.zip"),
    ],
)
def test_what_is_written_here_is_right(stimuli, maps, tmp_path, benchmark, name):
    folder, sizes = stimuli(benchmark)
    path = str(tmp_path / name)
    getattr(submissions, benchmark)(maps(sizes).items(), folder, path)
    assert submissions.validate(path, benchmark, folder) == 3


@pytest.mark.parametrize("layout", ["mit300", "cat2000"])
def test_densities_that_are_written_here_are_right(stimuli, maps, tmp_path, layout):
    folder, sizes = stimuli(layout)
    path = str(tmp_path / "a.h5")
    submissions.tuebingen(maps(sizes, log=True).items(), folder, path)
    assert submissions.validate(path, "tuebingen", folder) == 3


def test_progress_goes_over_every_map(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    path = str(tmp_path / "maps")
    submissions.mit300(maps(sizes).items(), folder, path)
    seen = []

    def progress(stored):
        for name, values in stored:
            seen.append(name)
            yield name, values

    submissions.validate(path, "mit300", folder, progress)
    assert seen == list(sizes)


@pytest.mark.parametrize("top", ["", "model/"])
@pytest.mark.parametrize("benchmark", ["mit300", "cat2000"])
def test_a_zip_that_others_packed(stimuli, tmp_path, benchmark, top):
    folder, sizes = stimuli(benchmark)
    contents = {f"{top}{name[:-4]}.png": picture(size) for name, size in sizes.items()}
    contents |= {f"{top}folder/": b"", f"{top}.DS_Store": b"x", "__MACOSX/._i1.jpg": b"x"}
    path = zipped(tmp_path / "a.zip", contents)
    assert submissions.validate(str(path), benchmark, folder) == 3


def test_a_folder_around_salicons_maps(stimuli, tmp_path):
    folder, sizes = stimuli("salicon")
    contents = {f"maps/{name[:-4]}.png": picture(size) for name, size in sizes.items()}
    path = zipped(tmp_path / "a.zip", contents)
    refused(path, "salicon", folder, "6 problems", "maps/COCO", "no stimulus", "missing")


def bad_pictures(size):
    return {
        "coloured": (picture(size, mode="RGB"), "mode RGB"),
        "one_bit": (picture(size, mode="1"), "mode 1"),
        "small": (picture((7, 9)), "(7, 9) instead of"),
        "jpeg_called_png": (picture(size, "JPEG"), "JPEG"),
        "no_picture": (b"no picture", "does not decode"),
        "cut_off": (picture(size)[:60], "does not decode"),
        "empty": (b"", "does not decode"),
    }


@pytest.mark.parametrize("kind", bad_pictures((8, 8)))
@pytest.mark.parametrize("benchmark", ["salicon", "mit300", "json"])
def test_a_bad_picture_is_named(stimuli, tmp_path, benchmark, kind):
    layout = "salicon" if benchmark == "json" else benchmark
    folder, sizes = stimuli(layout)
    contents = {name[:-4] + ".png": picture(size) for name, size in sizes.items()}
    name = list(contents)[1]
    contents[name], word = bad_pictures(list(sizes.values())[1])[kind]
    if benchmark == "json":
        path = tmp_path / "a.json"
        path.write_text(json.dumps(results(contents)))
        if kind == "jpeg_called_png":  # its ending is ours; either kind will do
            assert submissions.validate(str(path), layout, folder) == 3
            return
    else:
        path = zipped(tmp_path / "a.zip", contents)
    refused(path, layout, folder, "1 problem", f"{name}: ", word)


def results(contents):
    return [
        {"image_id": int(name[-16:-4]), "saliency_map": base64.b64encode(content).decode()}
        for name, content in contents.items()
    ]


def test_a_constant_and_a_double_and_a_stray_file(stimuli, tmp_path):
    folder, _ = stimuli("mit300")
    maps = tmp_path / "maps"
    maps.mkdir()
    Image.new("L", (50, 33), 9).save(maps / "i1.jpg")
    for name in ("i10.jpg", "i10.png"):
        Image.linear_gradient("L").resize((50, 34)).save(maps / name)
    (maps / "README.txt").write_text("my maps")
    refused(
        maps, "mit300", folder, "4 problems", "README.txt: there is no stimulus",
        "i1.jpg: the same value", "i10.png: comes twice", "i2.jpg: missing",
    )  # fmt: skip


def test_one_category_alone_is_not_taken_for_the_models_folder(stimuli, tmp_path):
    folder, sizes = stimuli("cat2000")
    contents = {n: picture(s, "JPEG") for n, s in sizes.items() if n.startswith("Action")}
    path = zipped(tmp_path / "a.zip", contents)
    refused(path, "cat2000", folder, "1 problem: Satelite/001.jpg: missing")


def test_a_picture_that_is_too_large_is_not_decoded(stimuli, tmp_path, monkeypatch):
    folder, sizes = stimuli("mit300")
    path = zipped(tmp_path / "a.zip", {n: picture(s, "JPEG") for n, s in sizes.items()})
    monkeypatch.setattr("keras_saliency.pictures.MAX_PIXELS", 34 * 50)
    refused(path, "mit300", folder, "1 problem: i2.jpg: too large, 50x35 pixels")


def test_salicon_wants_png(stimuli, tmp_path):
    folder, sizes = stimuli("salicon")
    path = zipped(tmp_path / "a.zip", {n: picture(s, "JPEG") for n, s in sizes.items()})
    refused(path, "salicon", folder, "3 problems", ".png")


def test_an_image_id_that_is_not_asked_for(stimuli, tmp_path):
    folder, sizes = stimuli("salicon")
    entries = results({name: picture(size) for name, size in sizes.items()})
    entries[0]["image_id"] = 5
    path = tmp_path / "a.json"
    path.write_text(json.dumps(entries))
    refused(path, "salicon", folder, "image_id 5", "no stimulus", "000000000099.jpg: missing")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "3", "[3]", '{"image_id": 99}', '[{"image_id": 99}]', "\x00"),
        '[{"image_id": "99", "saliency_map": ""}]',
        '[{"image_id": [99], "saliency_map": ""}]',
    ],
)
def test_a_json_file_of_something_else(stimuli, tmp_path, text):
    folder, _ = stimuli("salicon")
    path = tmp_path / "a.json"
    path.write_text(text)
    refused(path, "salicon", folder, "is not a JSON list of image_id and saliency_map")


def test_a_map_that_is_no_base64(stimuli, tmp_path):
    folder, sizes = stimuli("salicon")
    entries = results({name: picture(size) for name, size in sizes.items()})
    entries[0]["saliency_map"], entries[1]["saliency_map"] = "****", None
    path = tmp_path / "a.json"
    path.write_text(json.dumps(entries))
    refused(path, "salicon", folder, "2 problems", "000000000099.png: does not decode")


@pytest.mark.parametrize("benchmark", ["salicon", "mit300", "tuebingen"])
def test_a_file_that_cannot_be_opened(stimuli, tmp_path, benchmark):
    folder, _ = stimuli("mit300" if benchmark == "tuebingen" else benchmark)
    refused(tmp_path / "nowhere", benchmark, folder, "no such file")
    (tmp_path / "text").write_text("text")
    refused(tmp_path / "text", benchmark, folder, "cannot be read as")
    if benchmark != "mit300":
        refused(folder, benchmark, folder, "cannot be read as")


def test_a_damaged_map_in_a_zip(stimuli, tmp_path):
    folder, sizes = stimuli("mit300")
    path = zipped(tmp_path / "a.zip", {n: picture(s, "JPEG") for n, s in sizes.items()})
    content = bytearray(path.read_bytes())
    content[40:60] = bytes(20)
    path.write_bytes(content)
    refused(path, "mit300", folder, "1 problem", "i1.jpg: does not decode")


def densities(path, contents):
    with h5py.File(path, "w") as file:
        for name, values in contents.items():
            file[name] = values
    return path


def test_what_can_be_wrong_with_a_file_of_densities(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    good = {name: values[..., 0] for name, values in maps(sizes, log=True).items()}
    path = tmp_path / "a.h5"
    for name, values, word in [
        ("i2.png", good["i2.jpg"], "i2.png: should be called i2.jpg"),
        ("x/i2.jpg", good["i2.jpg"], "x/i2.jpg: there is no stimulus"),
        ("i2.jpg", good["i2.jpg"][..., None], "i2.jpg: float32 (35, 50, 1)"),
        ("i2.jpg", good["i2.jpg"] + 1, "i2.jpg: no log density"),
        ("i2.jpg", np.zeros((35, 50), "uint8"), "i2.jpg: uint8"),
        ("i2.jpg", good["i1.jpg"], "i2.jpg: (33, 50) instead of (35, 50)"),
    ]:
        contents = {"i1.jpg": good["i1.jpg"], "i10.jpg": good["i10.jpg"], name: values}
        refused(densities(path, contents), "tuebingen", folder, word)
    del good["i2.jpg"]
    refused(densities(path, good), "tuebingen", folder, "1 problem: i2.jpg: missing")


def test_a_damaged_density(stimuli, maps, tmp_path):
    folder, sizes = stimuli("mit300")
    path = tmp_path / "a.h5"
    submissions.tuebingen(maps(sizes, log=True).items(), folder, str(path))
    with h5py.File(path) as file:
        start = file["i10.jpg"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start : start + 40] = bytes(40)
    pathlib.Path(path).write_bytes(content)
    refused(path, "tuebingen", folder, "1 problem", "i10.jpg: damaged")
