"""Differences between models are told from chance, and a file that is no score file is named."""

import math
import tracemalloc

import numpy as np
import pytest

from keras_saliency import bootstrap, comparison, files
from keras_saliency.errors import InputError

NAN = math.nan


def rows(**columns):
    """Score rows by picture: `rows(nss=[1, 2])` has pictures 0.jpg and 1.jpg."""
    lines = zip(*columns.values(), strict=True)
    dicts = (dict(zip(columns, map(float, line), strict=True)) for line in lines)
    return {f"{i}.jpg": scores for i, scores in enumerate(dicts)}


def compared(a, b, **options):
    """The only record of a comparison by one score."""
    (record,) = comparison.compare(a, b, **options)
    return record


def written(folder, text, encoding="utf-8"):
    (folder / "scores.csv").write_bytes(text.encode(encoding))
    return str(folder / "scores.csv")


def test_what_evaluate_writes_is_read(tmp_path):
    path = str(tmp_path / "scores.csv")
    lines = [
        {"image": "a,1.jpg", "nss": 1 / 3, "kld": NAN, "seconds": "fast"},
        {"image": "b.jpg", "nss": -2e-7, "kld": 0.5, "seconds": ""},
    ]
    files.write_csv(path, lines)
    found = comparison.read_csv(path)
    assert list(found) == ["a,1.jpg", "b.jpg"]
    assert found["b.jpg"] == {"nss": -2e-7, "kld": 0.5}
    assert found["a,1.jpg"]["nss"] == 1 / 3 and math.isnan(found["a,1.jpg"]["kld"])


def test_other_programs_files_are_read(tmp_path):
    text = "\ufeffimage, nss\r\n\r\na.jpg, 1.5\r\nb.jpg,\r\n"
    found = comparison.read_csv(written(tmp_path, text))
    assert found["a.jpg"] == {"nss": 1.5} and math.isnan(found["b.jpg"]["nss"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["column `image`", "nss"]),
        ("image,nss\n", ["no pictures"]),
        ("name,nss\na.jpg,1\n", ["column `image`", "name,nss"]),
        ("image;nss\na.jpg;1\n", ["column `image`", "image;nss"]),
        ("image,speed\na.jpg,1\n", ["some of", "auc_judd", "image,speed"]),
        ("image,nss,nss\na.jpg,1,2\n", ["once each"]),
        ("image,image,nss\na.jpg,a.jpg,2\n", ["one column `image`"]),
        ("image,nss\na.jpg,1\nb.jpg,high\n", ["line 3", "nss", "'high'"]),
        ("image,nss\na.jpg,inf\n", ["line 2", "finite"]),
        ("image,nss\na.jpg,1\nb.jpg,2\na.jpg,1\n", ["line 4", "a.jpg", "second time"]),
        ("image,nss\na.jpg\n", ["line 2", "1 values", "2"]),
        ("image,nss\na.jpg,1,2\n", ["line 2", "3 values"]),
        ('image,nss\n"a\nb.jpg",1\n"a\nb.jpg",1\n', ["second time"]),
        ('image,nss\n"a.jpg,1\n', ["cannot be read as CSV"]),
    ],
)
def test_a_file_that_is_not_scores_is_named(tmp_path, text, words):
    path = written(tmp_path, text)
    refused(path, path, *words)


def test_a_file_that_is_missing_no_file_or_no_text_is_named(tmp_path):
    path = written(tmp_path, "image,nss\nä.jpg,1\n", "latin-1")
    refused(path, path, "cannot be read")
    refused(str(tmp_path / "no.csv"), "no such file", "no.csv")
    refused(str(tmp_path), str(tmp_path))


def refused(path, *words):
    with pytest.raises(InputError) as caught:
        comparison.read_csv(path)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_only_what_both_have_is_compared():
    a = {"1.jpg": {"kld": 1.0, "nss": 2.0}, "2.jpg": {"kld": 3.0, "nss": 4.0}}
    b = {name: {"sim": 0.0, "nss": 5.0, "kld": 6.0} for name in ("3.jpg", "2.jpg", "4.jpg")}
    pairs = comparison.paired(a, b)
    assert pairs.pictures == ("2.jpg",)
    assert pairs.scores == ("nss", "kld")
    assert pairs.a.tolist() == [[4, 3]] and pairs.b.tolist() == [[5, 6]]
    assert (pairs.only_a, pairs.only_b) == (1, 2)
    assert [record.score for record in comparison.compare(a, b)] == ["nss", "kld"]


def test_nothing_in_common_is_refused():
    with pytest.raises(InputError, match=r"no picture in common.*'0\.jpg' and 'other\.jpg'"):
        comparison.compare(rows(nss=[1]), {"other.jpg": {"nss": 1.0}})
    with pytest.raises(InputError, match=r"share no score.*nss.*kld"):
        comparison.compare(rows(nss=[1]), rows(kld=[1]))


def test_means_and_wins_are_of_the_pictures_that_both_scored():
    record = compared(rows(nss=[1, 2, 3, NAN, 100]), rows(nss=[2, 2, 1, 100, NAN]))
    assert (record.pictures, record.mean_a, record.difference) == (3, 2, pytest.approx(-1 / 3))
    assert record.mean_b == pytest.approx(5 / 3)
    assert record.win_rate == 0.5  # one won, one tied, one lost


@pytest.mark.parametrize(("score", "better"), [("nss", "b"), ("kld", "a"), ("emd", "a")])
def test_lower_is_better_for_some(score, better):
    record = compared(rows(**{score: range(6)}), rows(**{score: [1, 3, 5, 7, 9, 11]}))
    assert record.difference == 3.5
    assert record.better == better
    assert record.win_rate == (better == "b")
    # Six differences of one sign: 2 of 2 ** 6 ways of giving out the signs.
    assert record.p == pytest.approx(2 / 64)


def test_equal_pictures_tell_the_test_nothing():
    changed = rows(nss=[1, 3, 5, 7, 9, 11, 0, 0, 0])
    record = compared(rows(nss=[0, 1, 2, 3, 4, 5, 0, 0, 0]), changed)
    assert record.p == pytest.approx(2 / 64)
    assert record.win_rate == 7.5 / 9


def test_identical_models_do_not_differ():
    a = rows(nss=np.random.default_rng(0).random(20), kld=[0.25] * 20)
    for record in comparison.compare(a, a):
        assert (record.difference, record.low, record.high) == (0, 0, 0)
        assert (record.p, record.holm_p, record.better, record.win_rate) == (1, 1, "", 0.5)


def test_swapping_the_models_mirrors_everything():
    random = np.random.default_rng(1)
    a, b = (rows(nss=random.random(30), kld=random.random(30) ** 3) for _ in range(2))
    for one, other in zip(comparison.compare(a, b), comparison.compare(b, a), strict=True):
        assert (one.mean_a, one.mean_b) == (other.mean_b, other.mean_a)
        assert one.difference == pytest.approx(-other.difference)
        assert one.low == pytest.approx(-other.high)
        assert one.high == pytest.approx(-other.low)
        assert (one.p, one.holm_p) == pytest.approx((other.p, other.holm_p))
        assert one.win_rate == pytest.approx(1 - other.win_rate)
        assert {one.better, other.better} == {"a", "b"}


def test_one_picture_has_no_interval():
    record = compared(rows(nss=[1]), rows(nss=[2]))
    assert (record.difference, record.p) == (1, 1)
    assert math.isnan(record.low + record.high)


def test_a_score_that_no_picture_has_does_not_weigh_on_the_others():
    a, b = rows(nss=range(6), ig=[NAN] * 6), rows(nss=[1, 3, 5, 7, 9, 11], ig=[1] * 6)
    told, untold = comparison.compare(a, b)
    assert told.holm_p == told.p < 0.05 and math.isnan(untold.holm_p)
    assert "| IG ↑ | 0 |" in comparison.table([untold], "A", "B")


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    random = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        a = random.normal(size=40)
        b = a + random.gamma(2, 1, 40) - 2 + 0.7  # skewed, as scores are
        record = compared(rows(nss=a), rows(nss=b), resamples=1000, seed=seed)
        held += record.low <= 0.7 <= record.high
    assert 0.9 <= held / 200 <= 0.99


def test_the_interval_is_the_normal_one_where_that_holds():
    random = np.random.default_rng(4)
    differences = random.normal(0.3, 2.0, 2000)
    record = compared(rows(nss=np.zeros(2000)), rows(nss=differences))
    half = 1.96 * differences.std() / math.sqrt(2000)
    wanted = pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.06 * half)
    assert (record.low, record.high) == wanted


def test_pictures_without_a_score_do_not_narrow_the_interval():
    differences = np.random.default_rng(5).normal(size=50)
    with_gaps = rows(nss=[*differences, *[NAN] * 150])
    record = compared(rows(nss=np.zeros(200)), with_gaps)
    alone = compared(rows(nss=np.zeros(50)), rows(nss=differences))
    assert record.difference == alone.difference
    assert (record.low, record.high) == pytest.approx((alone.low, alone.high), abs=0.05)


def test_a_seed_repeats_and_the_size_of_the_pieces_is_no_matter(monkeypatch):
    a, b = (rows(nss=line) for line in np.random.default_rng(7).random((2, 25)))
    at_once = compared(a, b, resamples=999)
    assert compared(a, b, resamples=999) == at_once
    assert compared(a, b, resamples=999, seed=1).low != at_once.low
    monkeypatch.setattr(bootstrap, "DRAWN_AT_ONCE", 1000)  # 24 pieces of 40, one of 39
    in_pieces = compared(a, b, resamples=999)
    assert (in_pieces.low, in_pieces.high) == pytest.approx((at_once.low, at_once.high), abs=0.02)


def test_the_memory_of_many_pictures_is_bounded():
    a, b = (rows(nss=line, kld=line) for line in np.random.default_rng(8).random((2, 5000)))
    tracemalloc.start()
    comparison.compare(a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # the draws at once would be 400 MB


def test_holm_known_answer():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; the last may not fall below 0.06.
    assert comparison.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_few_many_and_unknown():
    assert comparison.holm([0.02]).tolist() == [0.02]
    assert comparison.holm([0.6, 0.5, 1.0]).tolist() == [1, 1, 1]
    np.testing.assert_allclose(comparison.holm([NAN, 0.01, 0.02]), [NAN, 0.02, 0.02])


def test_the_scores_are_corrected_together():
    a = rows(nss=range(6), cc=range(6), sim=[0] * 6)
    b = rows(nss=[1, 3, 5, 7, 9, 11], cc=[1, 3, 5, 7, 9, 11], sim=[0, 1, -1.5, 2, -2.5, 3])
    records = comparison.compare(a, b)
    expected = comparison.holm([record.p for record in records]).tolist()
    assert [record.holm_p for record in records] == expected
    assert records[0].holm_p == 3 * records[0].p


DIFFERENT = {
    "nss": (rows(nss=[0] * 6), rows(nss=[1, -3, NAN, 2, -1, 0])),
    "kld": (rows(kld=[0] * 6), rows(kld=[-1, 3, NAN, -2, 1, 0])),
}


@pytest.mark.parametrize("score", DIFFERENT)
def test_the_most_different_pictures_go_both_ways(score):
    def chosen(count):
        names = comparison.most_different(*DIFFERENT[score], score, count)
        return "".join(name.removesuffix(".jpg") for name in names)

    # Where a leads, most first: 1, 4; where b leads: 3, 0; 2 has no score, 5 no difference.
    assert [chosen(count) for count in (1, 2, 3, 4, 100)] == ["3", "13", "130", "1430", "1430"]


def test_a_half_that_one_side_cannot_fill_is_the_others():
    a, b = rows(nss=[0] * 4), rows(nss=[1, 3, 2, -4])
    assert comparison.most_different(a, b, "nss", 4) == ["3.jpg", "1.jpg", "2.jpg", "0.jpg"]
    assert comparison.most_different(b, a, "nss", 4) == ["1.jpg", "2.jpg", "0.jpg", "3.jpg"]


def test_a_score_to_choose_by_must_be_in_both():
    with pytest.raises(InputError, match="share no cc; they share nss"):
        comparison.most_different(*DIFFERENT["nss"], "cc", 2)


def line_of(**changes):
    """The table's line of a record with some fields changed, as a list of cells."""
    fields = {
        "score": "nss", "pictures": 40, "mean_a": 1.0, "mean_b": 1.25, "difference": 0.25,
        "low": 0.125, "high": 0.5, "p": 0.004, "holm_p": 0.02, "better": "b", "win_rate": 0.75,
    }  # fmt: skip
    record = comparison.Comparison(**{**fields, **changes})
    lines = comparison.table([record], "old", "new").splitlines()
    assert len({line.count("|") for line in lines[:3]}) == 1
    return [cell.strip() for cell in lines[2].strip("|").split("|")]


def test_a_line_of_the_table():
    assert line_of() == [
        "NSS ↑", "40", "1.000", "1.250", "+0.250", "+0.125 to +0.500", "0.004", "0.020", "75%",
        "**new**",
    ]  # fmt: skip
    assert line_of(p=1e-9, holm_p=1e-8)[6:8] == ["<0.001", "<0.001"]
    assert line_of(low=NAN, high=NAN)[5] == "–"
    assert comparison.table([], "a|b", "c").startswith("| | pictures | a\\|b | c |")


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"holm_p": 0.05}, "–"),
        ({"better": "a", "difference": -0.25}, "**old**"),
        ({"better": "a"}, "**old** (not by mean)"),
        ({"difference": -0.25}, "**new** (not by mean)"),
        ({"score": "kld", "difference": -0.25}, "**new**"),
        ({"score": "kld", "better": "a"}, "**old**"),
        ({"score": "kld"}, "**new** (not by mean)"),
    ],
)
def test_only_what_is_significant_has_a_winner(changes, verdict):
    assert line_of(**changes)[-1] == verdict
    assert line_of(**changes)[0].endswith("↓" if "score" in changes else "↑")


def test_ranks_and_means_can_disagree():
    b = [0.1 + i / 1000 for i in range(30)]
    record = compared(rows(nss=[0] * 31), rows(nss=[*b, -100]))
    assert record.difference < 0 and record.better == "b" and record.holm_p < 0.05
    assert "**new** (not by mean)" in comparison.table([record], "old", "new")
    assert compared(rows(nss=[0] * 5), rows(nss=[-1, -2, -3, 10, 20])).better == "b"  # ranks 6 : 9
