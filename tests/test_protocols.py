"""The protocols, held to pysaliency's and the MATLAB code's own numbers."""

import dataclasses
import importlib.util
import json
import pathlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_saliency import auc, protocols, scores
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError
from keras_saliency.protocols import Truth
from keras_saliency.truths import Truths

HERE = pathlib.Path(__file__).parent
GOLDENS = HERE.parents[1] / "shared" / "goldens" / "metrics" / "osie_cases.npz"
REFERENCE = json.loads((HERE / "pysaliency" / "reference.json").read_text())["scores"]


def load_cases():
    spec = importlib.util.spec_from_file_location("cases", HERE / "pysaliency" / "cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load_cases()


@pytest.fixture(scope="module")
def tuebingen():
    examples = [
        Example(f"{i}.png", cases.SIZES[i], points, image=stimulus)
        for i, (points, stimulus) in enumerate(zip(cases.fixations(), cases.stimuli(), strict=True))
    ]
    truths = Truths(examples, "tuebingen", cases.SIGMA)
    return [
        dataclasses.replace(truths.of(i), baseline=cases.baseline(i)) for i in range(len(examples))
    ]


@pytest.mark.parametrize("kind", cases.KINDS)
def test_tuebingen_equals_pysaliency(kind, tuebingen):
    # pysaliency computes KLD and SIM of a float32 map in float32.
    tolerance = 1e-6 if kind == "float32" else 1e-9
    for index, truth in enumerate(tuebingen):
        found = protocols.score(cases.saliency_map(kind, index), truth, "tuebingen")
        assert set(found) == set(REFERENCE[kind])
        for name, value in found.items():
            expected = REFERENCE[kind][name][index]
            if np.isinf(expected):  # a fixation that the map calls impossible: finite here
                assert name == "ig" and -66 < value < 0
            else:
                assert value == pytest.approx(expected, abs=tolerance), (name, index)


@pytest.fixture(scope="module")
def golden():
    if not GOLDENS.exists():
        pytest.skip("no goldens of the official MATLAB code here")
    arrays = dict(np.load(GOLDENS))
    arrays["fixations"] = np.unpackbits(arrays["fixations"], axis=-1, count=160)
    return arrays


def golden_truth(golden, image):
    fixations = golden["fixations"]
    return Truth(
        size=(120, 160),
        fixated=np.flatnonzero(fixations[image]),
        density=golden["density"][image] / 255.0,
        others=np.flatnonzero(fixations[golden["other_images"][image]].any(0)),
        baseline=golden["maps"][image, list(golden["kinds"]).index("center")] / 255.0,
        seed=(0, image),
    )


def test_mit_equals_the_matlab_code(golden):
    names = [{"auc_shuffled": "sauc"}.get(name, name) for name in golden["metrics"]]
    found = []
    for image, maps in enumerate(golden["maps"] / 255.0):
        truth = golden_truth(golden, image)
        rows = [protocols.score(saliency_map, truth, "mit") for saliency_map in maps]
        found.append([[row[name] for name in names] for row in rows])
    difference = np.array(found) - golden["expected"]
    # The official values of these two are means over 100 random splits.
    tolerances = {"auc_borji": 0.01, "sauc": 0.01}
    for i, name in enumerate(names):
        if name == "auc_judd":  # the jitter is off in the goldens
            continue
        assert np.abs(difference[..., i]).max() < tolerances.get(name, 1e-6), name
        if name in ("auc_borji", "sauc"):
            assert np.abs(difference[..., i].mean()) < 0.002


def test_auc_equals_the_matlab_code(golden):
    fixations = golden["fixations"][..., None]
    for image in range(len(fixations)):
        maps = golden["maps"][image][..., None] / 255.0
        fixated = np.repeat(fixations[image][None], len(maps), 0)
        others = fixations[golden["other_images"][image]].any(0)[None].repeat(len(maps), 0)
        expected = golden["expected"][image]
        judd = auc.auc_judd(fixated, maps, jitter=False)
        np.testing.assert_allclose(judd, expected[:, 0], atol=1e-6)
        np.testing.assert_allclose(auc.auc_borji(fixated, maps), expected[:, 1], atol=0.01)
        np.testing.assert_allclose(
            auc.shuffled_auc(fixated, maps, others), expected[:, 2], atol=0.01
        )


def truth_of(size, seed=0, protocol="mit", count=20):
    """A truth of random fixations, with others and a baseline."""
    random = np.random.default_rng(seed)
    examples = [
        Example(f"{i}.png", size, random.uniform(0, [size[1] - 1, size[0] - 1], (count, 2)))
        for i in range(12)
    ]
    return Truths(examples, protocol, 3.0).of(0)


def test_mit_is_what_scores_computes():
    truth = truth_of((40, 60))
    saliency_map = np.random.default_rng(1).random((40, 60)) + 0.1
    found = protocols.score(saliency_map, truth, "mit")
    fixation_map = np.zeros((1, 40, 60, 1))
    fixation_map.reshape(-1)[truth.fixated] = 1
    batch = saliency_map[None, ..., None]
    density, baseline = truth.density[None, ..., None], truth.baseline[None, ..., None]
    expected = {
        "nss": scores.nss(fixation_map, batch),
        "cc": scores.cc(density, batch),
        "sim": scores.sim(density, batch),
        "kld": scores.kld(density, batch),
        "ig": scores.information_gain(fixation_map, batch, baseline),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value[0]), abs=1e-9), name


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


# The 4x4 cases that are worked by hand.

RAMP = np.arange(16.0).reshape(4, 4)
SQUARES = RAMP**2
BUMP = np.outer([1.0, 2.0, 2.0, 1.0], [1.0, 2.0, 2.0, 1.0])


def by_hand(saliency_map, fixated, density, protocol, baseline=None):
    truth = Truth((4, 4), np.array(fixated), density, None, baseline, (0,))
    return protocols.score(saliency_map, truth, protocol)


def test_worked_by_hand():
    mit = by_hand(RAMP, [9, 15], SQUARES, "mit", BUMP)
    tuebingen = by_hand(RAMP, [9, 15], SQUARES, "tuebingen")
    assert tuebingen["auc"] == pytest.approx(0.78125, abs=1e-6)
    assert mit["nss"] == pytest.approx(0.945189, abs=1e-6)
    assert tuebingen["nss"] == pytest.approx(0.976187, abs=1e-6)
    assert mit["cc"] == tuebingen["cc"] == pytest.approx(0.964635, abs=1e-6)
    assert mit["sim"] == pytest.approx(0.852151, abs=1e-6)
    assert mit["ig"] == pytest.approx(24.0, abs=0.05)
    assert by_hand(RAMP, [5, 9], SQUARES, "mit", BUMP)["ig"] == pytest.approx(-1.423998, abs=1e-6)


def test_one_added_to_both_maps_worked_by_hand():
    mit = by_hand(RAMP + 1, [9, 15], SQUARES + 1, "mit")
    assert mit["sim"] == pytest.approx(0.852151, abs=1e-6)
    assert mit["kld"] == pytest.approx(0.095202, abs=1e-6)
    reversed_ = by_hand(SQUARES + 1, [9, 15], RAMP + 1, "mit")
    assert reversed_["kld"] == pytest.approx(0.129011, abs=1e-6)
    tuebingen = by_hand(RAMP + 1, [9, 15], SQUARES + 1, "tuebingen")
    assert tuebingen["sim"] == pytest.approx(0.829993, abs=1e-6)
    assert tuebingen["kld"] == pytest.approx(0.095202, abs=1e-6)


# Properties.

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
