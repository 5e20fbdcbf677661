"""A published density may be in a file: it is read where it is needed, and like any other."""

import dataclasses

import numpy as np
import pytest
from checks import refused
from test_pipeline import SIGMA, SIZE, fields, make_examples, published

from keras_saliency import map_files, pipeline, tables
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.fields import density_of
from keras_saliency.truths import Truths


def test_an_examples_density_is_in_its_hand_or_in_its_file(tmp_path):
    path, nowhere = str(tmp_path / "a.png"), np.zeros((0, 2))
    map_files.write_png(path, np.eye(4))
    in_file = Example("a.jpg", (8, 8), nowhere, density_path=path)
    np.testing.assert_array_equal(map_files.of(in_file)[..., 0], 65535 * np.eye(4))
    given = np.ones((2, 2))
    assert map_files.of(dataclasses.replace(in_file, density=given)) is given
    np.save(tmp_path / "a.npy", -np.eye(4))
    negative = dataclasses.replace(in_file, density_path=str(tmp_path / "a.npy"))
    refused(lambda: map_files.of(negative), "a.npy", "negative")
    (tmp_path / "a.png").write_bytes(b"")
    refused(lambda: map_files.of(in_file), "a.png")


def in_files(examples, folder):
    """The examples with their densities in files instead."""
    for example in examples:
        path = str(folder / f"{example.name}.npy")
        np.save(path, example.density)
        yield dataclasses.replace(example, density=None, density_path=path)


@pytest.mark.parametrize("settings", [{}, {"cache_bytes": 0}])
def test_a_density_in_a_file_is_the_target(tmp_path, settings):
    examples = list(published(3))
    expected = fields(pipeline.batches(examples, SIZE, 2, None))
    found = fields(pipeline.batches(list(in_files(examples, tmp_path)), SIZE, 2, None, **settings))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_fixations_come_before_a_density_in_a_file(tmp_path):
    (example,) = make_examples(1)
    beside = dataclasses.replace(example, density_path=str(tmp_path / "there is none.png"))
    for size in (SIZE, example.size):
        np.testing.assert_array_equal(
            density_of(beside, SIGMA, size), density_of(example, SIGMA, size)
        )
    with pytest.raises(InputError, match="have no density"):
        pipeline.batches([beside], SIZE, 1, None)


@pytest.mark.parametrize("protocol", ["mit", "tuebingen"])
def test_what_is_scored_against_may_be_in_files(tmp_path, protocol):
    given = list(published(3))
    found = Truths(list(in_files(given, tmp_path)), protocol)
    expected = Truths(given, protocol)
    assert found.of(1).density.any()
    np.testing.assert_array_equal(found.of(1).density, expected.of(1).density)
    np.testing.assert_array_equal(found.center_bias(1), expected.center_bias(1))


def test_fixations_are_scored_before_a_density_in_a_file():
    examples = make_examples(3)
    beside = [dataclasses.replace(e, density_path="there is none.png") for e in examples]
    found, expected = Truths(beside, "tuebingen", SIGMA), Truths(examples, "tuebingen", SIGMA)
    np.testing.assert_array_equal(found.of(0).density, expected.of(0).density)
    with pytest.raises(InputError, match="--pixels-per-degree"):
        Truths(beside, "tuebingen")


def test_tables_say_that_densities_are_published(tmp_path):
    truths = Truths(list(in_files(published(2), tmp_path)), "mit")
    assert "densities as published" in tables.title("mine", truths)
