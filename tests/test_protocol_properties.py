"""What every protocol promises, and what it makes of degenerate input."""

import dataclasses

import numpy as np
import pytest
from checks import truth_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_saliency import protocols
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.protocols import Truth
from keras_saliency.truths import Truths


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8", "uint16"])
def test_maps_of_other_kinds_of_numbers(protocol, dtype):
    truth = truth_of((24, 30), protocol=protocol)
    whole = np.random.default_rng(2).integers(0, 200, (24, 30))
    assert protocols.score(whole.astype(dtype), truth, protocol) == pytest.approx(
        protocols.score(whole.astype("float64"), truth, protocol), nan_ok=True
    )


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(protocol, bad):
    saliency_map = np.ones((24, 30))
    saliency_map[3, 4] = bad
    with pytest.raises(InputError, match="not finite"):
        protocols.score(saliency_map, truth_of((24, 30), protocol=protocol), protocol)


def test_shape_that_is_no_map():
    with pytest.raises(InputError, match="height, width, 1"):
        protocols.score(np.ones((24, 30, 3)), truth_of((24, 30)), "mit")


CONSTANT = {
    "mit": {"kld": (0, 10), "auc_judd": (0.3, 0.7)},
    "tuebingen": {
        "auc": (0.5, 0.5),
        "sauc": (0.5, 0.5),
        "nss": (0, 0),
        "cc": (0, 0),
        "sim": (0.1, 1),
        "kld": (0, 10),
        "ig": (-10, 10),
    },
    "salicon": {"auc_borji": (0.5, 0.5), "sauc": (0.5, 0.5), "nss": (0, 0)},
}


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@pytest.mark.parametrize("value", [0.1, 255.0])
def test_constant_map(protocol, value):
    """What each protocol's own code gives; NaN where it divides nothing by nothing."""
    truth = truth_of((24, 30), protocol=protocol, count=400)
    found = protocols.score(np.full((24, 30), value), truth, protocol)
    for name, score in found.items():
        if name in CONSTANT[protocol]:
            low, high = CONSTANT[protocol][name]
            assert low <= score <= high, name
        else:
            assert np.isnan(score), name


def test_a_constant_map_of_another_size_is_constant():
    for protocol in ("mit", "salicon"):
        truth = truth_of((24, 30), protocol=protocol, count=400)
        for value in (0.3, 1 / 3, -1.0):
            small = protocols.score(np.full((11, 13), value), truth, protocol)
            same = protocols.score(np.full((24, 30), value), truth, protocol)
            assert small == pytest.approx(same, nan_ok=True, abs=1e-6)
            assert same.get("kld", 0.0) < 10


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@pytest.mark.parametrize("scale", [1e-200, 1e-40, 1e39, 1e200])
def test_extreme_scales(protocol, scale):
    truth = truth_of((24, 30), protocol=protocol, count=100)
    saliency_map = np.random.default_rng(0).random((24, 30))
    assert protocols.score(saliency_map * scale, truth, protocol) == pytest.approx(
        protocols.score(saliency_map, truth, protocol), nan_ok=True, abs=1e-6
    )
    if protocol != "tuebingen":
        protocols.score(saliency_map[:9, :9] * scale, truth, protocol)


def test_a_sparse_map_that_is_zero_where_others_looked():
    truth = truth_of((24, 30))
    saliency_map = np.zeros(24 * 30)
    saliency_map[truth.fixated] = 1
    saliency_map[truth.others] = 0
    kept = dataclasses.replace(truth, fixated=np.setdiff1d(truth.fixated, truth.others))
    found = protocols.score(saliency_map.reshape(24, 30), kept, "mit")
    assert found["sauc"] == pytest.approx(1)


def test_a_constant_baseline_has_no_information_to_gain_over():
    truth = dataclasses.replace(truth_of((24, 30)), baseline=np.ones((24, 30)))
    assert np.isnan(protocols.score(truth.density, truth, "mit")["ig"])
    uniform = dataclasses.replace(truth_of((24, 30), 0, "tuebingen"), baseline=np.ones((24, 30)))
    assert 0 < protocols.score(uniform.density, uniform, "tuebingen")["ig"] < 10


def test_all_zero_map():
    found = protocols.score(np.zeros((24, 30)), truth_of((24, 30)), "mit")
    assert found["sim"] == 0
    assert found["kld"] > 20
    zero = protocols.score(np.zeros((24, 30)), truth_of((24, 30), 0, "tuebingen"), "tuebingen")
    ones = protocols.score(np.ones((24, 30)), truth_of((24, 30), 0, "tuebingen"), "tuebingen")
    assert zero == pytest.approx(ones)


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
def test_picture_without_fixations(protocol):
    nobody = Example("a.png", (24, 30), np.zeros((0, 2)))
    others = [Example(f"{i}.png", (24, 30), np.full((5, 2), i)) for i in range(3)]
    truth = Truths([nobody, *others], protocol, 3.0).of(0)
    found = protocols.score(np.random.default_rng(0).random((24, 30)), truth, protocol)
    assert all(np.isnan(score) for score in found.values())


def test_one_fixation():
    """AUC_Borji.m wants two."""
    examples = [Example(f"{i}.png", (24, 30), np.array([[3.0 + i, 4.0]])) for i in range(3)]
    found = protocols.score(
        np.random.default_rng(0).random((24, 30)), Truths(examples, "mit", 3.0).of(0), "mit"
    )
    assert [name for name in found if np.isnan(found[name])] == ["auc_borji"]


def test_sizes():
    truth = truth_of((24, 30))
    large = np.kron(np.random.default_rng(3).random((12, 15)), np.ones((4, 4)))
    same = np.kron(np.random.default_rng(3).random((12, 15)), np.ones((2, 2)))
    found = protocols.score(large, truth, "mit")
    assert found == pytest.approx(protocols.score(same, truth, "mit"), abs=0.1, nan_ok=True)
    protocols.score(large, truth_of((24, 30), protocol="salicon"), "salicon")
    with pytest.raises(InputError, match=r"48x60.*24x30"):
        protocols.score(large, truth_of((24, 30), protocol="tuebingen"), "tuebingen")


def test_salicon_drops_points_seen_once():
    points = np.array([[3.0, 4.0], [3.0, 4.0], [10.0, 11.0]])
    examples = [Example(f"{i}.png", (24, 30), points + i) for i in range(3)]
    truth = Truths(examples, "salicon").of(0)
    assert truth.fixated.tolist() == [4 * 30 + 3] * 2
    assert truth.others[5 * 30 + 4] == truth.others[6 * 30 + 5] == 1
    assert truth.others.sum() == 2
    assert truth.density.max() == 1


def test_mit_counts_a_pixel_once():
    points = np.array([[3.0, 4.0], [3.2, 4.2], [10.0, 11.0]])
    examples = [Example(f"{i}.png", (24, 30), points) for i in range(3)]
    assert Truths(examples, "mit").of(0).fixated.tolist() == [4 * 30 + 3, 11 * 30 + 10]
    tuebingen = Truths(examples, "tuebingen", 3.0).of(0)
    assert tuebingen.fixated.tolist() == [4 * 30 + 3, 4 * 30 + 3, 11 * 30 + 10]
    assert len(tuebingen.others) == 6


sizes = st.tuples(st.integers(2, 9), st.integers(2, 9))
# Whole numbers: scaled by powers of two, rounding makes no ties and breaks none.
wholes = st.integers(0, 60)


@st.composite
def pairs(draw):
    """A saliency map that is not constant, and a truth of the same odd size."""
    size = draw(sizes)
    saliency_map = draw(hnp.arrays("float64", size, elements=wholes))
    saliency_map[0, 0], saliency_map[-1, -1] = 0, 61
    points = draw(st.lists(st.integers(0, size[0] * size[1] - 1), min_size=1, max_size=8))
    density = draw(hnp.arrays("float64", size, elements=st.integers(1, 60)))
    density[0, -1] = 61
    baseline = draw(hnp.arrays("float64", size, elements=st.integers(1, 60)))
    baseline[-1, 0] = 61
    others = np.arange(0, size[0] * size[1], 2)
    return saliency_map, Truth(size, np.unique(points), density, others, baseline, (0,))


INVARIANT = {
    "mit": ({"auc_judd", "auc_borji", "sauc", "nss", "cc", "sim", "ig"}, {"kld"}),
    "tuebingen": ({"auc", "sauc", "nss", "cc"}, {"sim", "kld", "ig"}),
    "salicon": ({"auc_borji", "nss", "cc"}, set()),
}


@pytest.mark.parametrize("protocol", INVARIANT)
@given(pairs(), st.sampled_from([0.25, 4.0, 1024.0]), st.integers(1, 9))
def test_scale_and_offset(protocol, pair, scale, offset):
    saliency_map, truth = pair
    if protocol == "salicon":
        truth = dataclasses.replace(truth, others=None)
    to_both, to_scale = INVARIANT[protocol]
    plain = protocols.score(saliency_map, truth, protocol)
    scaled = protocols.score(saliency_map * scale, truth, protocol)
    moved = protocols.score((saliency_map + offset) * scale, truth, protocol)
    for name in to_both | to_scale:
        assert scaled[name] == pytest.approx(plain[name], abs=1e-6, nan_ok=True), name
    for name in to_both - {"auc_judd"}:
        assert moved[name] == pytest.approx(plain[name], abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("protocol", ["mit", "tuebingen"])
@given(pairs())
def test_cc_and_sim_are_symmetric_and_a_map_equals_itself(protocol, pair):
    saliency_map, truth = pair
    there = protocols.score(saliency_map, truth, protocol)
    swapped = dataclasses.replace(truth, density=saliency_map)
    back = protocols.score(truth.density, swapped, protocol)
    for name in ("cc", "sim"):
        assert there[name] == pytest.approx(back[name], abs=1e-9)
    same = protocols.score(saliency_map, swapped, protocol)
    assert (same["cc"], same["sim"]) == pytest.approx((1, 1), abs=1e-9)
    assert same["kld"] == pytest.approx(0, abs=1e-9)
    assert there["kld"] >= -1e-9


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
@given(pairs())
def test_scores_stay_in_their_ranges(protocol, pair):
    saliency_map, truth = pair
    if protocol == "salicon":
        truth = dataclasses.replace(truth, others=None)
    for name, value in protocols.score(saliency_map, truth, protocol).items():
        if "auc" in name or name == "sim":
            assert np.isnan(value) or -1e-9 <= value <= 1 + 1e-9, name
        elif name == "cc":
            assert -1 - 1e-9 <= value <= 1 + 1e-9
        else:
            assert np.isnan(value) or abs(value) < 1000, name


def test_densities_are_nowhere_negative():
    """Rounding in the frequency domain must not leave logarithms of negative numbers."""
    random = np.random.default_rng(0)
    points = random.uniform(0, [639, 479], (40, 2))
    for protocol in ("mit", "tuebingen"):
        truth = Truths([Example("a", (480, 640), points)] * 2, protocol, 8.0).of(0)
        assert truth.density.min() >= 0
        assert np.isfinite(protocols.score(random.random((480, 640)), truth, protocol)["kld"])
