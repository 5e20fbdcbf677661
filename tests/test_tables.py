"""Scores as Markdown tables."""

import numpy as np

from keras_saliency import tables
from keras_saliency.datasets import Example
from keras_saliency.datasets.example import at_size
from keras_saliency.truths import Truths

NAN = float("nan")


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
    lines = tables.table("OSIE test", scored).splitlines()
    assert lines[:5] == [
        "OSIE test",
        "",
        "| | NSS ↑ | KLD ↓ |",
        "|---|---|---|",
        "| SalGAN | 2.000 ±0.000 | 0.625 ±0.125 |",
    ]
    assert "| center bias | 0.750 ±0.250 | 1.500 ±0.500 |" in lines
    assert [line for line in lines if "b.png" in line] == [
        "SalGAN: 1 pictures without a score: b.png"
    ]


def test_the_rows_of_the_table_stay_together():
    """A line of text between two rows ends a Markdown table."""
    rows = [{"image": "a.png", "nss": NAN}, {"image": "b.png", "nss": 1.0}]
    lines = tables.table("t", {"one": rows, "two": rows}).splitlines()
    kinds = [line.startswith("|") for line in lines[2:]]
    assert kinds == sorted(kinds, reverse=True)


def test_the_title_names_data_number_protocol_and_blur():
    points = np.array([[3.0, 4.0], [20.0, 10.0]], "float32")
    examples = [Example(name, (20, 30), points) for name in ("a.png", "b.png", "c.png")]
    title = tables.title("osie test", Truths(examples, "tuebingen", 24.0))
    assert title.startswith("osie test, 3 pictures, protocol tuebingen: ")
    assert "sigma 24 px" in title and "each picture's own size" in title
    assert "8 cycles" in tables.title("folder all", Truths(examples, "mit"))
    smaller = [at_size(example, (10, 15)) for example in examples]
    assert "scores at 10x15, " in tables.title("osie test", Truths(smaller, "mit", 12.0))


def test_the_share_of_explained_information_stands_beside_the_gold_standard():
    scored = {
        name: [{"image": "a.png", "ig": value}]
        for name, value in {"gold standard": 2.0, "SalGAN": 1.5, "uniform": NAN}.items()
    }
    lines = tables.table("t", scored).splitlines()
    assert lines[2] == "| | IG ↑ | explained IG ↑ |"
    assert lines[4].endswith("| 100% |") and lines[5].endswith("| 75% |")
    assert lines[6].endswith("| – |")


def test_a_gold_standard_without_scores_explains_nothing():
    scored = {
        name: [{"image": "a.png", "ig": value}]
        for name, value in {"gold standard": NAN, "SalGAN": 1.5}.items()
    }
    assert "explained" not in tables.table("t", scored)


def test_reported_numbers_stand_below():
    scored = {"SalGAN": [{"image": "a.png", "nss": 2.0, "cc": 0.5}]}
    lines = tables.table("t", scored, {"SalGAN (paper)": {"nss": 2.459}}).splitlines()
    assert lines[-1] == "| SalGAN (paper) | 2.459 | – |"


def test_a_table_by_category_has_the_mean_of_each_models_pictures():
    ours = {"Art/1.jpg": 1.0, "Art/2.jpg": 2.0, "Sketch/1.jpg": NAN, "Sketch/2.jpg": 4.0}
    scored = {
        "ours": [{"image": name, "nss": value} for name, value in ours.items()],
        "center bias": [{"image": name, "nss": 0.5} for name in ours],
    }
    assert tables.category_table(scored).splitlines() == [
        "| NSS ↑ | pictures | ours | center bias |",
        "|---|---|---|---|",
        "| Art | 2 | 1.500 | 0.500 |",
        "| Sketch | 2 | 4.000 | 0.500 |",
    ]


def test_without_categories_there_is_no_such_table():
    assert tables.category_table({"ours": [{"image": "1.jpg", "nss": 1.0}]}) == ""
    assert tables.category_table({"ours": [{"image": "Art/1.jpg", "nss": 1.0}]}) == ""
