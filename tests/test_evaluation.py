"""Rows, means and tables of scores."""

import warnings

import numpy as np
import pytest
from PIL import Image

from keras_saliency import evaluation, maps, scores
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError

SIGMA = 3.0
NAN = float("nan")


def example(name, size, count):
    points = np.random.default_rng(len(name)).uniform(0, [size[1] - 1, size[0] - 1], (count, 2))
    return Example(name, size, points.astype("float32"), image=np.zeros((*size, 3), "uint8"))


@pytest.fixture
def examples():
    return [example("a.png", (20, 30), 5), example("bb.png", (16, 12), 8)]


@pytest.fixture
def center_bias(examples):
    return maps.center_bias(examples, (10, 10), SIGMA)


def random_maps(examples):
    rng = np.random.default_rng(1)
    return [rng.random((*e.size, 1), "float32") for e in examples]


def test_rows_have_the_pictures_name_and_every_score(examples, center_bias):
    rows = evaluation.score(random_maps(examples), examples, SIGMA, center_bias)
    assert [row["image"] for row in rows] == ["a.png", "bb.png"]
    for row in rows:
        assert list(row) == ["image", "nss", "cc", "sim", "kld", "ig"]
        assert all(type(row[name]) is float for name in evaluation.SCORES)


def test_scores_are_taken_at_the_pictures_own_size(examples, center_bias):
    saliency_maps = random_maps(examples)
    rows = evaluation.score(saliency_maps, examples, SIGMA, center_bias)
    for row, one, saliency_map in zip(rows, examples, saliency_maps, strict=True):
        counts = maps.fixation_map(one.fixations, one.size)[None]
        density = maps.density(one.fixations, one.size, SIGMA)[None]
        assert row["nss"] == pytest.approx(float(scores.nss(counts, saliency_map[None])[0]))
        for name in ("cc", "sim", "kld"):
            expected = float(getattr(scores, name)(density, saliency_map[None])[0])
            assert row[name] == pytest.approx(expected)


def test_the_density_itself_scores_best(examples, center_bias):
    own = [maps.density(e.fixations, e.size, SIGMA) for e in examples]
    for row in evaluation.score(own, examples, SIGMA, center_bias):
        assert (row["cc"], row["sim"], row["kld"]) == pytest.approx((1, 1, 0), abs=1e-5)


def test_the_center_bias_gains_nothing_over_itself(examples, center_bias):
    found = list(evaluation.center_bias_maps(center_bias, examples))
    assert [one.shape for one in found] == [(20, 30, 1), (16, 12, 1)]
    rows = evaluation.score(found, examples, SIGMA, center_bias)
    assert [row["ig"] for row in rows] == [0, 0]
    assert rows[0]["cc"] != 0


def test_maps_are_taken_as_they_come(examples, center_bias):
    rows = evaluation.score(iter(random_maps(examples)), examples, SIGMA, center_bias)
    assert rows == evaluation.score(random_maps(examples), examples, SIGMA, center_bias)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_or_too_many_maps_are_an_error(examples, center_bias, count):
    three = [*random_maps(examples), np.zeros((20, 30, 1), "float32")]
    with pytest.raises(ValueError, match=r"shorter|longer"):
        evaluation.score(three[:count], examples, SIGMA, center_bias)


def test_a_picture_without_fixations_has_no_location_score(center_bias):
    nobody = example("c.png", (20, 30), 0)
    [row] = evaluation.score(random_maps([nobody]), [nobody], SIGMA, center_bias)
    assert np.isnan([row["nss"], row["ig"]]).all()
    assert (row["cc"], row["sim"]) == (0, 0)


def test_means_are_over_the_pictures_that_have_the_score():
    rows = [{"image": "a", "nss": 1.0, "cc": 0.5}, {"image": "b", "nss": NAN, "cc": 0.7}]
    assert evaluation.means(rows) == {"nss": 1.0, "cc": pytest.approx(0.6)}


def test_a_score_that_no_picture_has_is_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(evaluation.means([{"image": "a", "nss": NAN}])["nss"])


def test_the_table_in_full():
    scored = {
        "SalGAN": [
            {"image": "a.png", "nss": 2.0, "kld": 0.5},
            {"image": "b.png", "nss": NAN, "kld": 0.75},
        ],
        "center bias": [
            {"image": "a.png", "nss": 0.5, "kld": 1.0},
            {"image": "b.png", "nss": 1.0, "kld": 2.0},
        ],
    }
    lines = evaluation.table("OSIE test", scored).splitlines()
    assert lines[:5] == [
        "OSIE test",
        "",
        "| | NSS ↑ | KLD ↓ |",
        "|---|---|---|",
        "| SalGAN | 2.000 | 0.625 |",
    ]
    assert "| center bias | 0.750 | 1.500 |" in lines
    assert [line for line in lines if "b.png" in line] == [
        "SalGAN: 1 pictures without a score: b.png"
    ]


def test_the_rows_of_the_table_stay_together():
    """A line of text between two rows ends a Markdown table."""
    rows = [{"image": "a.png", "nss": NAN}, {"image": "b.png", "nss": 1.0}]
    lines = evaluation.table("t", {"one": rows, "two": rows}).splitlines()
    kinds = [line.startswith("|") for line in lines[2:]]
    assert kinds == sorted(kinds, reverse=True)


def test_the_title_names_data_number_and_sigma():
    title = evaluation.title("osie test", [None] * 200, 24.0)
    assert title.startswith("osie test, 200 pictures: ") and "sigma 24 px" in title


def test_the_stimulus_is_the_array_or_the_file(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype("uint8")
    Image.fromarray(picture).save(tmp_path / "a.png")
    for fields in ({"image": picture}, {"image_path": str(tmp_path / "a.png")}):
        one = Example("a.png", (4, 5), np.zeros((0, 2)), **fields)
        np.testing.assert_array_equal(evaluation.stimulus(one), picture)
    missing = Example("b.png", (4, 5), np.zeros((0, 2)), str(tmp_path / "b.png"))
    with pytest.raises(InputError, match=r"b\.png"):
        evaluation.stimulus(missing)
