"""experiments/make_shards.py: what the trainers take instead of the pictures' files."""

import argparse

import cat2000_tree
import make_shards
import numpy as np
import pytest
from checks import refused

from keras_saliency import fields, loading
from keras_saliency.datasets import cat2000

SIZE = (24, 48)


@pytest.fixture
def tree(tmp_path):
    cat2000_tree.write_tree(tmp_path, ("Action", "Art"), 5, 1, (27, 48))
    return str(tmp_path)


def source(tree, split, size=SIZE):
    args = argparse.Namespace(data_dir=tree)
    return loading.source(args, cat2000.load(tree, split), size, cat2000.SIGMA)


def make(tree, *flags):
    make_shards.main(["--data", "cat2000", "--data-dir", tree, "--size", "24x48", *flags])


@pytest.mark.parametrize("split", ["train", "val"])
def test_trainers_take_every_splits_pictures_from_them(tree, split, capsys):
    plain = source(tree, split)
    make(tree)
    capsys.readouterr()
    written = source(tree, split)
    assert "pictures from" in capsys.readouterr().out
    assert written.count == plain.count
    for index in range(plain.count):
        for ours, theirs in zip(written.fetch(index), plain.fetch(index), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_of_other_sizes_the_files_are_read(tree, capsys):
    make(tree)
    assert source(tree, "val", (48, 24)).count == 2
    assert "pictures from" not in capsys.readouterr().out


def test_pictures_that_are_resized_first_come_from_their_files(tree, capsys):
    make(tree)
    examples, sigma = loading.at_size(cat2000.load(tree, "val"), cat2000.SIGMA, "14x24")
    args = argparse.Namespace(data_dir=tree)
    assert loading.source(args, examples, SIZE, sigma).count == 2
    assert "pictures from" not in capsys.readouterr().out


def test_the_output_may_have_another_size(tree):
    make(tree, "--map-size", "12x24")
    args = argparse.Namespace(data_dir=tree)
    examples = cat2000.load(tree, "val")
    found = loading.source(args, examples, SIZE, cat2000.SIGMA, (12, 24)).fetch(1)
    assert [field.shape for field in found] == list(fields.shapes(SIZE, (12, 24)))


def test_a_dataset_of_which_nothing_can_be_made_is_told(tree):
    refused(lambda: make(tree + "/nowhere"), "nowhere")
    arguments = ["--data", "mit300", "--data-dir", tree, "--size", "24x48"]
    refused(lambda: make_shards.main(arguments), "mit300 has no fixations")


def test_shards_that_do_not_fit_are_left_alone_and_it_is_said(tree, capsys):
    make(tree, "--limit", "1")
    assert source(tree, "train").count == 8
    said = capsys.readouterr().out
    assert "left alone" in said and "is not there" in said and "pictures from" not in said
