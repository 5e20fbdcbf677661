"""The index: what was found is kept, and is worth no more than the files it was found in."""

import os

import numpy as np
import pytest

from keras_saliency import files
from keras_saliency.datasets import index
from keras_saliency.datasets.example import example_inside


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(index, "WORTH", 2)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))


@pytest.fixture
def tree(tmp_path):
    """Files a, b and c; and what reads them, which counts."""
    for name in "abc":
        (tmp_path / name).write_text(name)

    class Tree:
        root, made = str(tmp_path), []

        def path(self, name):
            return os.path.join(self.root, name)

        def make(self, name):
            self.made.append(name)
            points = np.arange(2 * ord(name) - 190).reshape(-1, 2)
            known = {"observers": points[:, 0], "exif": False} if name == "b" else {}
            density = {"density_path": self.path("a")} if name == "c" else {}
            return example_inside(
                name, (40, 5), points, image_path=self.path(name), **known, **density
            )

        def load(self, names="abc", dataset="here"):
            self.made.clear()
            names = list(names)
            return index.examples(dataset, self.root, names, lambda n: [self.path(n)], self.make)

    return Tree()


def fields(example):
    values = dict(vars(example))
    arrays = ("fixations", "observers", "durations_ms")
    kept = {n: (values[n].dtype, values[n].tolist()) for n in arrays if values[n] is not None}
    return {**{n: v for n, v in values.items() if n not in arrays}, **kept}


def test_the_second_time_nothing_is_read_and_all_is_the_same(tree):
    first = tree.load()
    assert tree.made == list("abc") and first[2].dropped
    second = tree.load()
    assert tree.made == []
    assert [fields(example) for example in second] == [fields(example) for example in first]


def test_order_and_choice_are_the_callers(tree):
    tree.load()
    assert [example.name for example in tree.load("cb")] == ["c", "b"]
    assert tree.made == []


def test_only_a_changed_file_is_read_again(tree):
    tree.load()
    with open(tree.path("b"), "w") as file:
        file.write("other")
    tree.load()
    assert tree.made == ["b"]
    os.utime(tree.path("c"), ns=(1, 1))
    tree.load()
    assert tree.made == ["c"]


def test_another_file_of_the_same_size_and_time_is_another(tree):
    tree.load()
    os.rename(tree.path("b"), tree.path("d"))
    moved = os.stat(tree.path("d"))
    assert moved.st_size == 1
    tree.path = lambda name: os.path.join(tree.root, "d" if name == "b" else name)
    assert tree.load()[1].image_path.endswith("d")
    assert tree.made == ["b"]


def test_paths_are_as_the_folder_was_given(tree, monkeypatch):
    tree.load()
    monkeypatch.chdir(tree.root)
    tree.root = "."
    assert [example.image_path for example in tree.load()] == ["./a", "./b", "./c"]
    assert tree.made == []


def test_what_is_gone_is_forgotten(tree):
    tree.load("abc")
    os.remove(tree.path("c"))
    tree.load("ab")
    with open(tree.path("a"), "w") as file:
        file.write("changed")
    tree.load("ab")
    (name,) = os.listdir(index.folder())
    with np.load(os.path.join(index.folder(), name)) as fields:
        assert fields["names"].tolist() == ["a", "b"]


def test_a_new_file_joins(tree):
    tree.load("ab")
    tree.load("abc")
    assert tree.made == ["c"]
    tree.load("abc")
    assert tree.made == []


def test_other_settings_have_an_index_of_their_own(tree):
    tree.load()
    tree.load(dataset="there")
    assert tree.made == list("abc")


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_index_is_made_anew(tree, damage):
    tree.load()
    (name,) = os.listdir(index.folder())
    path = os.path.join(index.folder(), name)
    with open(path, "rb") as file:
        content = bytearray(file.read())
    if damage == "flipped":
        content[len(content) // 2] ^= 255
    with open(path, "wb") as file:
        file.write(content if damage == "flipped" else content[: 100 if damage == "cut" else 0])
    assert len(tree.load()) == 3
    assert [fields(example) for example in tree.load()] == [fields(tree.make(n)) for n in "abc"]


def test_another_formats_index_is_not_taken(tree, monkeypatch):
    tree.load()
    monkeypatch.setattr(index, "FORMAT", "0")
    tree.load()
    assert tree.made == list("abc")


def test_where_it_cannot_be_kept_all_goes_on(tree, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(files, "replacing", full)
    assert len(tree.load()) == 3
    assert not os.path.exists(index.folder())


def test_a_fault_ends_it_and_is_the_makers(tree):
    def broken(name):
        raise ValueError(name)

    tree.make = broken
    with pytest.raises(ValueError, match="a"):
        tree.load()
