"""Every kind of problem is found, and all of them are told at once."""

import numpy as np
import pytest

from keras_saliency.errors import InputError
from keras_saliency.submissions import check
from keras_saliency.submissions.checks import accepted, raise_problems

SIZES = {"a.jpg": (3, 4), "b/c.jpg": (5, 2)}


@pytest.fixture
def good():
    random = np.random.default_rng(0)
    return {name: random.random(size) for name, size in SIZES.items()}


def log_densities(maps):
    return {name: np.log(values / values.sum()) for name, values in maps.items()}


def problem(maps, log_density=False):
    found = check(maps.items(), SIZES, log_density)
    assert len(found) == 1, found
    return found[0]


def test_nothing_is_wrong(good):
    assert check(good.items(), SIZES) == []
    assert check(log_densities(good).items(), SIZES, log_density=True) == []


def test_the_ending_does_not_matter(good):
    renamed = {"a.png": good["a.jpg"], "b/c": good["b/c.jpg"]}
    assert check(renamed.items(), SIZES) == []


def test_a_last_axis_of_one_is_left_away(good):
    with_axis = {name: values[..., None] for name, values in good.items()}
    taken = dict(accepted(with_axis.items(), SIZES, []))
    assert taken.keys() == SIZES.keys()
    for name, values in taken.items():
        np.testing.assert_array_equal(values, good[name])


def test_missing(good):
    del good["b/c.jpg"]
    assert problem(good) == "b/c.jpg: missing"


def test_no_predictions_at_all():
    assert check([], SIZES) == ["a.jpg: missing", "b/c.jpg: missing"]


@pytest.mark.parametrize("name", ["c.jpg", "A.jpg", "b/a.jpg", "x/b/c.jpg", ""])
def test_unknown_name(good, name):
    assert problem({**good, name: np.eye(3)}) == f"{name}: there is no stimulus of this name"


def test_twice(good):
    found = check([*good.items(), ("a.png", good["a.jpg"])], SIZES)
    assert found == ["a.png: comes twice"]


@pytest.mark.parametrize("shape", [(4, 3), (3, 4, 3), (1, 3, 4), (12,), (), (0, 4)])
def test_wrong_size(good, shape):
    found = problem({**good, "a.jpg": np.zeros(shape)})
    assert found == f"a.jpg: {shape} instead of (3, 4) (height, width)"


@pytest.mark.parametrize("log_density", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(good, value, log_density):
    maps = log_densities(good) if log_density else good
    maps["a.jpg"][1, 2] = value
    assert problem(maps, log_density) == "a.jpg: not finite somewhere"


@pytest.mark.parametrize("log_density", [False, True])
def test_constant(good, log_density):
    maps = log_densities(good) if log_density else good
    maps["a.jpg"] = np.full((3, 4), -np.log(12.0) if log_density else 0.5)
    assert problem(maps, log_density) == "a.jpg: the same value everywhere"


def test_negative(good):
    good["a.jpg"][0, 0] = -0.25
    assert problem(good) == "a.jpg: negative somewhere: -0.25"


@pytest.mark.parametrize("shift", [-0.5, -0.002, 0.002, 0.5])
def test_not_normalised(good, shift):
    maps = log_densities(good)
    maps["a.jpg"] += shift
    assert f"is {shift:.3g} instead of 0" in problem(maps, log_density=True)


@pytest.mark.parametrize("shift", [-0.0005, 0.0005])
def test_normalised_well_enough(good, shift):
    maps = {name: values + shift for name, values in log_densities(good).items()}
    assert check(maps.items(), SIZES, log_density=True) == []


def test_a_saliency_map_is_no_log_density(good):
    assert len(check(good.items(), SIZES, log_density=True)) == 2


def test_an_error_in_place_of_a_map_is_listed(good):
    good["a.jpg"] = InputError("a.png does not decode")
    assert problem(good) == "a.png does not decode"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "bool"])
def test_any_kind_of_number(dtype):
    maps = {name: (np.indices(size).sum(axis=0) % 2).astype(dtype) for name, size in SIZES.items()}
    assert check(maps.items(), SIZES) == []


def test_after_the_first_problem_nothing_is_handed_on_but_all_are_found(good):
    sizes = {**SIZES, "d.jpg": (2, 2), "e.jpg": (2, 2)}
    maps = {**good, "d.jpg": np.ones((2, 2)), "e.jpg": np.eye(2), "f.jpg": np.eye(2)}
    maps["a.jpg"] = -maps["a.jpg"]
    problems = []
    assert not list(accepted(maps.items(), sizes, problems))
    assert [line.split(":")[0] for line in problems] == ["a.jpg", "d.jpg", "f.jpg"]


def test_all_problems_are_one_line():
    raise_problems([], "out.zip")
    with pytest.raises(InputError, match=r"^out\.zip: 1 problem: a: missing$"):
        raise_problems(["a: missing"], "out.zip")
    ten = [f"{i}: missing" for i in range(10)]
    with pytest.raises(InputError) as caught:
        raise_problems(ten, "out.zip")
    assert str(caught.value) == "out.zip: 10 problems: " + "; ".join(ten)


def test_ten_problems_are_named_and_the_others_counted():
    with pytest.raises(InputError) as caught:
        raise_problems([f"{i}: missing" for i in range(13)], "out.zip")
    assert str(caught.value).endswith("9: missing; and 3 more")
    assert "10: missing" not in str(caught.value)
    assert "13 problems" in str(caught.value)
