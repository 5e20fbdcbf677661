"""Files and folders are written whole or not at all."""

import csv
import json
import os
import subprocess
import sys

import pytest

from keras_saliency import files
from keras_saliency.errors import InputError


def left_over(folder):
    return [name for name in os.listdir(folder) if name.startswith(".")]


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def make_folder(path, **contents):
    os.makedirs(path)
    for name, text in contents.items():
        write(os.path.join(path, name), text)


def test_the_new_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "made" / "on the way" / "a.txt"
    with files.replacing(str(path)) as temporary:
        write(temporary, "half")
        assert not path.exists()
        assert os.path.basename(temporary) == "a.txt"
    assert path.read_text() == "half"
    assert not left_over(path.parent)


def test_a_new_file_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    files.write_text(str(path), "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_if_the_writer_raises_the_old_file_stays(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), files.replacing(str(path)) as temporary:
        write(temporary, "half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_if_the_writer_raises_and_there_was_no_file_there_is_none(tmp_path):
    with pytest.raises(RuntimeError), files.replacing(str(tmp_path / "a.txt")) as temporary:
        write(temporary, "half")
        raise RuntimeError
    assert not os.listdir(tmp_path)


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "model"
    make_folder(folder, old="1", both="1")
    with files.replacing(str(folder)) as temporary:
        make_folder(temporary, new="2", both="2")
        assert sorted(os.listdir(folder)) == ["both", "old"]
    assert sorted(os.listdir(folder)) == ["both", "new"]
    assert (folder / "both").read_text() == "2"
    assert os.listdir(tmp_path) == ["model"]


def test_if_the_writer_of_a_folder_raises_the_old_folder_stays(tmp_path):
    folder = tmp_path / "model"
    make_folder(folder, old="1")
    with pytest.raises(RuntimeError), files.replacing(str(folder)) as temporary:
        make_folder(temporary, new="2")
        raise RuntimeError
    assert os.listdir(folder) == ["old"]
    assert os.listdir(tmp_path) == ["model"]


def test_if_nothing_was_written_the_old_folder_stays(tmp_path):
    folder = tmp_path / "model"
    make_folder(folder, old="1")
    with pytest.raises(OSError), files.replacing(str(folder)):
        pass
    assert os.listdir(folder) == ["old"]
    assert os.listdir(tmp_path) == ["model"]


def test_if_the_new_folder_cannot_take_its_place_the_old_one_stays(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    make_folder(folder, old="1")
    rename = os.replace

    def fail_for_the_new(source, target):
        if os.path.basename(source) == "model" and os.path.exists(os.path.join(source, "new")):
            raise PermissionError(target)
        rename(source, target)

    monkeypatch.setattr(os, "replace", fail_for_the_new)
    with pytest.raises(PermissionError), files.replacing(str(folder)) as temporary:
        make_folder(temporary, new="2")
    assert os.listdir(folder) == ["old"]


def test_a_file_does_not_take_the_place_of_a_folder(tmp_path):
    folder = tmp_path / "model"
    make_folder(folder, old="1")
    with pytest.raises(InputError, match="model is a folder; name a file"):
        files.write_text(str(folder), "new")
    assert os.listdir(folder) == ["old"]
    assert not left_over(tmp_path)


def test_a_path_without_a_folder_is_in_the_working_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_text("a.txt", "here")
    assert (tmp_path / "a.txt").read_text() == "here"


def test_text_is_utf8_whatever_the_locale(tmp_path):
    files.write_text(str(tmp_path / "a.txt"), "Kümmerer ↑")
    assert (tmp_path / "a.txt").read_bytes() == "Kümmerer ↑".encode()


def test_json_comes_back(tmp_path):
    value = {"size": [192, 256], "seed": 0, "data_dir": None}
    files.write_json(str(tmp_path / "a.json"), value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value
    assert text.endswith("}\n")


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        files.write_json(str(path), {"bad": object()})
    assert path.read_text() == "old"


def test_csv_columns_are_the_union_in_order_of_appearance(tmp_path):
    path = tmp_path / "a.csv"
    rows = [{"image": "a.jpg", "nss": 1.5}, {"image": "b, c.jpg", "cc": 0.25, "nss": 2}]
    files.write_csv(str(path), rows)
    with open(path, newline="", encoding="utf-8") as file:
        back = list(csv.reader(file))
    assert back == [["image", "nss", "cc"], ["a.jpg", "1.5", ""], ["b, c.jpg", "2", "0.25"]]
    assert b"\r" not in path.read_bytes()


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    files.write_csv(str(tmp_path / "a.csv"), [{"image": os.fsdecode(b"caf\xe9.jpg")}])
    assert (tmp_path / "a.csv").read_text() == "image\ncaf\\udce9.jpg\n"


@pytest.mark.parametrize("end", [files.abandon, lambda: files.clean("runs")])
def test_a_folder_that_was_being_replaced_is_put_back(tmp_path, monkeypatch, end):
    """A kill between two renames: the old one has gone, the new one has not come."""
    monkeypatch.chdir(tmp_path)
    make_folder("runs/1", a="old")
    make_folder("runs/.writing-x/1", a="new")
    os.rename("runs/1", "runs/.writing-x/.1-replaced")
    monkeypatch.setattr(files, "_rooms", {"runs/.writing-x"})
    end()
    assert os.listdir("runs") == ["1"]
    assert (tmp_path / "runs" / "1" / "a").read_text() == "old"


def test_two_processes_do_not_write_one_folder(tmp_path):
    program = f"from keras_saliency import files; files.hold({str(tmp_path)!r}); print('held')"

    def second():
        return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    files.hold(str(tmp_path))
    files.hold(str(tmp_path))  # this one may as often as it likes
    assert "is written by another process" in second().stderr
    os.close(files._held.pop(os.path.realpath(tmp_path)))
    assert second().stdout == "held\n"
