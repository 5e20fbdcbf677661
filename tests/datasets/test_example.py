import dataclasses
import os

import numpy as np
import pytest

from keras_saliency.datasets import Example
from keras_saliency.datasets.example import at_size, check_split, example_inside, split_of
from keras_saliency.errors import InputError

POINTS = [[0.0, 0.0], [-0.6, 1.0], [3.4, 2.4], [3.5, 1.0], [1.0, np.nan], [1.0, 2.6]]


def test_a_pixel_reaches_half_a_pixel_around_its_center():
    example = example_inside("a.png", (3, 4), POINTS)
    np.testing.assert_allclose(example.fixations, [[0, 0], [3.4, 2.4]])
    assert example.dropped == 4


def test_observers_and_durations_stay_with_their_fixations():
    example = example_inside("a.png", (3, 4), POINTS, range(6), [100.0, 1, 200, 3, 4, 5])
    assert example.observers.tolist() == [0, 2]
    assert example.durations_ms.tolist() == [100, 200]


def test_what_is_unknown_stays_unknown():
    example = example_inside("a.png", (3, 4), POINTS)
    assert example.observers is None
    assert example.durations_ms is None


def test_types_are_those_that_are_promised():
    example = example_inside("a.png", np.array([3, 4]), POINTS, range(6), range(6), image_path="b")
    assert example.size == (3, 4)
    assert all(type(side) is int for side in example.size)
    assert type(example.dropped) is int
    assert example.fixations.dtype == "float32"
    assert example.observers.dtype == "int32"
    assert example.durations_ms.dtype == "float32"
    assert (example.name, example.image_path) == ("a.png", "b")


def test_no_fixations_have_two_columns_all_the_same():
    assert example_inside("a.png", (3, 4), []).fixations.shape == (0, 2)


def test_an_example_cannot_be_changed():
    example = Example("a.png", (3, 4), np.zeros((0, 2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        example.name = "b.png"


def test_an_unknown_split_names_the_known_ones():
    check_split("val", ("train", "val"))
    with pytest.raises(InputError, match=r"one of train, val\. Received: 'dev'"):
        check_split("dev", ("train", "val"))


def test_an_example_at_another_size_keeps_where_people_looked():
    """The corners stay the corners: a pixel's center is half a pixel from its edge."""
    corners = np.array([[-0.5, -0.5], [1919.5, 1079.5], [959.5, 539.5]], "float32")
    example = Example("a.jpg", (1080, 1920), corners, "a.jpg", observers=np.arange(3), exif=False)
    smaller = at_size(example, (140, 250))
    assert smaller.size == (140, 250) and smaller.file_size == (1080, 1920)
    expected = [[-0.5, -0.5], [249.5, 139.5], [124.5, 69.5]]
    np.testing.assert_allclose(smaller.fixations, expected, atol=1e-4)
    assert (smaller.name, smaller.image_path, smaller.exif) == ("a.jpg", "a.jpg", False)
    again = at_size(smaller, (540, 960))
    assert again.file_size == (1080, 1920)
    np.testing.assert_allclose(again.fixations, at_size(example, (540, 960)).fixations, atol=1e-3)


@pytest.mark.parametrize(
    ("count", "fields", "published"),
    [
        (0, {}, False),
        (2, {}, False),
        (0, {"density_path": "a.png"}, True),
        (2, {"density_path": "a.png"}, False),
        (0, {"density": np.eye(2)}, True),
        (2, {"density": np.eye(2), "density_path": "a.png"}, True),
    ],
)
def test_a_density_in_a_file_counts_where_no_fixations_do(count, fields, published):
    assert Example("a.jpg", (3, 4), np.zeros((count, 2)), **fields).published is published


def test_a_file_name_that_is_no_text_has_a_split():
    latin = os.fsdecode(b"caf\xe9.jpg")
    assert split_of(latin) in ("train", "test")
    assert {split_of(os.fsdecode(bytes([200, i]) + b".jpg")) for i in range(200, 220)} == {
        "train",
        "test",
    }
