"""The protocols, held to pysaliency's and the MATLAB code's own numbers."""

import dataclasses
import importlib.util
import json
import pathlib

import numpy as np
import pytest
from checks import truth_of

from keras_saliency import auc, protocols, scores
from keras_saliency.datasets import Example
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


DENSITY_SCORES = {"mit": ["cc", "sim", "kld"], "tuebingen": ["cc", "sim", "kld"], "salicon": ["cc"]}
NOBODY = np.zeros(0, int)


def density_scores(saliency_map, density, protocol):
    """Scores against a published density; checks that there are no others."""
    truth = Truth(density.shape, NOBODY, density, None, np.ones(density.shape), (0,))
    found = protocols.score(saliency_map, truth, protocol)
    assert tuple(found) == protocols.COLUMNS[protocol]
    others = [name for name in found if name not in DENSITY_SCORES[protocol]]
    assert np.isnan([found[name] for name in others]).all()
    return {name: found[name] for name in DENSITY_SCORES[protocol]}


@pytest.mark.parametrize("protocol", protocols.COLUMNS)
def test_a_density_without_fixations_is_scored_by_the_scores_of_densities(protocol):
    ramp = np.arange(16.0).reshape(4, 4)
    perfect = density_scores(5 * ramp, ramp, protocol)
    assert perfect == pytest.approx(
        {name: value for name, value in (("cc", 1), ("sim", 1), ("kld", 0)) if name in perfect},
        abs=1e-12,
    )
    assert density_scores(-ramp, ramp, protocol)["cc"] == pytest.approx(-1)


def test_scores_of_a_density_worked_by_hand():
    density, saliency_map = np.array([[0.0, 1.0, 3.0]]), np.array([[0.0, 2.0, 2.0]])
    for protocol in ("mit", "tuebingen"):
        found = density_scores(saliency_map, density, protocol)
        # 0, 1/4, 3/4 and 0, 1/2, 1/2
        assert found["sim"] == pytest.approx(0.75)
        assert found["kld"] == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))
        # deviations -4/3, -1/3, 5/3 and -4/3, 2/3, 2/3
        assert found["cc"] == pytest.approx((16 - 2 + 10) / np.sqrt((16 + 1 + 25) * 24))


@pytest.mark.parametrize("level", [0.0, 2.0, -2.0])
@pytest.mark.parametrize("protocol", protocols.COLUMNS)
def test_a_constant_map_against_a_density_is_scored_as_against_fixations(protocol, level):
    random = np.random.default_rng(0)
    truth = Truth((6, 8), np.array([3, 11]), random.random((6, 8)), None, None, (0,))
    flat = np.full((6, 8), level)
    expected = protocols.score(flat, truth, protocol)
    found = density_scores(flat, truth.density, protocol)
    for name, value in found.items():
        np.testing.assert_equal(value, expected[name])


def test_a_picture_where_nobody_looked_and_no_density_has_no_score():
    for protocol in protocols.COLUMNS:
        truth = Truth((4, 4), NOBODY, np.zeros((4, 4)), None, None, (0,))
        assert np.isnan(list(protocols.score(np.eye(4), truth, protocol).values())).all()
