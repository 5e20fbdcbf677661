"""The epoch to keep is the one with the best score."""

import matplotlib
import pytest
from matplotlib import figure

from keras_saliency import choosing, files, pictures
from keras_saliency.errors import InputError

NAN = float("nan")


def test_epochs_are_folders_or_generators_in_order(tmp_path):
    for name in ("epoch_0010", "epoch_0002", "epoch_12345", "epoch_7", "epoch_0003.png", "logs"):
        (tmp_path / name).mkdir()
    for name in ("epoch_0004.keras", "epoch_0005", "epoch_0006.png", "xepoch_0008.keras"):
        (tmp_path / name).touch()
    (tmp_path / "epoch_0009.keras").mkdir()
    found = choosing.epochs_in(str(tmp_path))
    assert list(found) == [2, 4, 10, 12345]
    assert found[4] == str(tmp_path / "epoch_0004.keras")
    assert found[10] == str(tmp_path / "epoch_0010")
    with pytest.raises(InputError, match=r"no such folder: .*missing"):
        choosing.epochs_in(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    "scores, lower, expected",
    [
        ({1: 0.5, 2: 0.9, 3: 0.1}, False, 2),
        ({1: 0.5, 2: 0.9, 3: 0.1}, True, 3),
        ({9: 0.9, 4: 0.9, 1: 0.2}, False, 4),
        ({9: 0.1, 4: 0.1, 1: 0.2}, True, 4),
        ({1: NAN, 2: -1.0, 3: NAN}, False, 2),
        ({1: NAN, 2: 5.0, 3: -float("inf")}, True, 2),
    ],
)
def test_the_best_epoch(scores, lower, expected):
    assert choosing.best(scores, lower) == expected


@pytest.mark.parametrize("scores", [{}, {1: NAN}])
def test_without_scores_there_is_no_best_epoch(scores):
    with pytest.raises(InputError, match="no epoch has a score"):
        choosing.best(scores)


def test_which_scores_are_to_be_low():
    low = {"kld", "KLD", "val_kld", "emd", "loss", "val_content_loss"}
    high = {"nss", "NSS", "val_cc", "auc_judd", "ig", "sim"}
    assert {name for name in low | high if choosing.lower_is_better(name)} == low


def test_scores_of_a_run(tmp_path):
    path = str(tmp_path / "metrics.csv")
    rows = [{"epoch": 1, "phase": "content", "cc": 0.25}, {"epoch": 2, "phase": "content"}]
    files.write_csv(path, [*rows, {"epoch": 3, "phase": "adversarial", "cc": 0.5, "val_cc": "nan"}])
    assert choosing.scores_of(path, "cc") == {1: 0.25, 3: 0.5}
    assert list(choosing.scores_of(path, "val_cc")) == [3]
    assert choosing.scores_of(path, "nss") == {}


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "no such file"),
        (b"", "not a run's metrics.csv"),
        (b"image,cc\na.jpg,1.5\n", "not a run's metrics.csv"),
        (b"epoch,cc\n1,high\n", "cc is not numbers by epoch"),
        (b"epoch,cc\nfirst,1\n", "cc is not numbers by epoch"),
        (b"epoch,cc\n,1\n", "cc is not numbers by epoch"),
        (b"\x89PNG\xff\xfe\n", "cannot be read as CSV"),
    ],
)
def test_what_is_no_runs_csv_is_one_line(tmp_path, content, reason):
    path = tmp_path / "metrics.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        choosing.scores_of(str(path), "cc")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


# The curves


@pytest.fixture
def curves(tmp_path, monkeypatch):
    """Draws the scores, returns the panels."""
    drawn = []
    save = figure.Figure.savefig
    monkeypatch.setattr(
        figure.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))
    )

    def draw(scores):
        choosing.write_scores(str(tmp_path / "a.png"), scores)
        width, height = drawn[-1].get_size_inches() * 100
        assert pictures.read(str(tmp_path / "a.png")).shape == (height, width, 3)
        return drawn[-1].axes

    return draw


def test_every_score_has_a_panel_and_its_best_epoch_is_marked(curves):
    nss, kld = curves({"nss": {3: 0.7, 1: 0.5, 2: 1.5234, 4: NAN}, "kld": {1: 0.9, 2: 0.8, 4: 2.0}})
    for axes, title, points, text, best in (
        (nss, "NSS ↑", [(1, 0.5), (2, 1.5234), (3, 0.7)], "epoch 2: 1.523", (2, 1.5234)),
        (kld, "KLD ↓", [(1, 0.9), (2, 0.8), (4, 2.0)], "epoch 2: 0.800", (2, 0.8)),
    ):
        assert axes.get_title("left") == title
        assert [t.get_text() for t in axes.texts] == [text] and axes.texts[0].xy[0] == best[0]
        curve, line, dot = axes.lines
        assert list(map(tuple, curve.get_xydata().tolist())) == points
        assert list(line.get_xdata()) == [best[0]] * 2
        assert list(map(tuple, dot.get_xydata().tolist())) == [best]


def test_a_loss_is_to_be_low(curves):
    (axes,) = curves({"val_loss": {1: 0.5, 2: 0.4, 3: 0.6}})
    assert axes.get_title("left") == "VAL-LOSS ↓"
    assert axes.texts[0].get_text() == "epoch 2: 0.400"


def test_scores_without_values_are_left_out(curves):
    (axes,) = curves({"cc": {}, "sim": {1: NAN}, "nss": {7: 0.5}})
    assert axes.get_title("left") == "NSS ↑"
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_many_scores_go_on_in_a_second_row(curves):
    found = curves({name: {1: 0.5, 2: 0.6} for name in ("nss", "cc", "sim", "kld", "ig")})
    tops = [round(axes.get_position().y1, 2) for axes in found]
    assert len(set(tops[:4])) == 1 and tops[4] < tops[0]


def test_the_text_stays_above_its_panel(curves):
    for best in (1, 2, 10, 19, 20):
        axes = curves({"nss": {e: float(e == best) for e in range(1, 21)}})[0]
        box = axes.texts[0].get_window_extent()
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1


def test_no_scores_are_no_curve(tmp_path):
    for scores in ({}, {"nss": {}}, {"nss": {1: NAN}}):
        with pytest.raises(InputError, match="no epoch has a score to draw"):
            choosing.write_scores(str(tmp_path / "a.png"), scores)
    assert not list(tmp_path.iterdir())


def test_the_persons_own_style_is_not_used_and_not_lost(curves, tmp_path):
    curves({"nss": {1: 0.5, 2: 0.6}})
    plain = (tmp_path / "a.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        curves({"nss": {1: 0.5, 2: 0.6}})
        assert (tmp_path / "a.png").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30
