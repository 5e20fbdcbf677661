"""A report's curves, filters and sheets show what the run's files and models hold."""

import dataclasses

import keras
import matplotlib
import numpy as np
import pytest
from matplotlib import figure

from keras_saliency import callbacks, files, models, pictures, reports, sheets
from keras_saliency.datasets import Example, synthetic
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths, resized

NAN = float("nan")


# Curves


@pytest.fixture
def curves(tmp_path, monkeypatch):
    """Writes the rows as metrics.csv, draws them, returns the two panels."""
    drawn = []
    save = figure.Figure.savefig
    monkeypatch.setattr(
        figure.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k))
    )

    def draw(rows):
        files.write_csv(str(tmp_path / "metrics.csv"), rows)
        reports.write_curves(str(tmp_path / "metrics.csv"), str(tmp_path / "curves.png"))
        assert pictures.read(str(tmp_path / "curves.png")).shape == (450, 1200, 3)
        return drawn[-1].axes

    return draw


def points(axes, curve):
    """The curve's pieces, each a list of (epoch, value)."""
    lines = [line for line in axes.lines if line.get_color() == reports.COLOURS[curve]]
    return [[tuple(point) for point in line.get_xydata().tolist()] for line in lines]


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def losses(name, values, **fields):
    return [{"epoch": i, "phase": "a", name: v, **fields} for i, v in enumerate(values, start=1)]


def test_the_left_panel_has_the_values_and_the_right_their_debiased_mean(curves):
    rows = losses("loss", [8.0, 4.0, 6.0])
    rows[1]["val_loss"], rows[2]["val_loss"] = 5.0, 7.0
    left, right = curves(rows)
    assert points(left, "training") == [[(1, 8), (2, 4), (3, 6)]]
    assert points(left, "validation") == [[(2, 5), (3, 7)]]
    # By hand: weights 1 of the last value, 0.6 of the one before, 0.36 of the first.
    expected = [8, (4 + 0.6 * 8) / 1.6, (6 + 0.6 * 4 + 0.36 * 8) / 1.96]
    np.testing.assert_allclose([y for _, y in points(right, "training")[0]], expected)
    np.testing.assert_allclose(points(right, "validation")[0], [(2, 5), (3, (7 + 0.6 * 5) / 1.6)])
    assert left.get_title("left") == "original" and right.get_title("left") == "smoothed (0.6)"
    assert legend(left) == legend(right) == ["training", "validation"]
    assert left.get_xlabel() == "epoch" and left.get_ylim() == right.get_ylim()


def test_validation_every_other_epoch_is_smoothed_by_the_epochs_between(curves):
    rows = losses("loss", [1.0] * 4)
    rows[1]["val_loss"], rows[3]["val_loss"] = 5.0, 7.0
    left, right = curves(rows)
    assert points(left, "validation") == [[(2, 5), (4, 7)]]
    assert points(right, "validation")[0][1][1] == pytest.approx((7 + 0.36 * 5) / 1.36)
    assert points(right, "training") == points(left, "training")


@pytest.mark.parametrize(
    "columns, drawn",
    [
        ({"loss": 3, "data_loss": 1, "val_loss": 6, "val_data_loss": 4}, "data loss"),
        ({"generator_loss": 9, "content_loss": 1, "val_content_loss": 4, "cc": 2}, "content loss"),
        ({"loss": 1, "val_loss": 4, "val_nss": 8}, "loss"),
        ({"data_loss": "", "loss": 1, "val_loss": 4}, "loss"),
    ],
)
def test_the_loss_without_penalties_is_drawn(curves, columns, drawn):
    left, right = curves([{"epoch": e, "phase": "a", **columns} for e in (1, 2)])
    assert left.get_ylabel() == right.get_ylabel() == drawn
    assert points(left, "training") == [[(1, 1), (2, 1)]]
    assert points(left, "validation") == [[(1, 4), (2, 4)]]


def test_phases_are_apart_and_smoothed_each_for_itself(curves):
    rows = losses("content_loss", [3.0, 2.0, 9.0, 8.0])
    for row in rows[2:]:
        row["phase"] = "b"
    left, right = curves(rows)
    assert points(left, "training") == [[(1, 3), (2, 2)], [(3, 9), (4, 8)]]
    assert points(right, "training")[1][0] == (3, 9)
    for axes in (left, right):
        assert [text.get_text() for text in axes.texts] == ["a → b"]
        assert [line.get_xdata() for line in axes.lines if line.get_color() == "0.6"] == [[2.5] * 2]
        assert legend(axes) == ["training"]


def test_one_phase_has_no_line(curves):
    left, _ = curves(losses("loss", [3.0, 2.0]))
    assert len(left.lines) == 1 and not left.texts


@pytest.mark.parametrize(
    "values, scale",
    [((1, 21), "log"), ((1, 19), "linear"), ((0, 21), "linear"), ((-1, 30), "linear")],
)
@pytest.mark.parametrize("column", ["loss", "val_loss"])
def test_losses_that_span_much_have_a_logarithmic_axis(curves, values, scale, column):
    rows = losses("loss", [values[0]] * 2)
    rows[1][column] = values[1]
    assert [axes.get_yscale() for axes in curves(rows)] == [scale] * 2


def test_one_epoch_is_a_dot(curves):
    left, right = curves(losses("loss", [0.5], val_loss=0.6))
    for axes in (left, right):
        assert points(axes, "training") == [[(1, 0.5)]]
        assert all(line.get_marker() == "." for line in axes.lines)
        assert all(tick == round(tick) for tick in axes.get_xticks())


def test_the_picture_has_both_colours_in_both_panels(curves, tmp_path):
    rows = losses("loss", np.linspace(3, 1, 60).tolist())
    for row in rows:
        row["val_loss"] = row["loss"] + 1
    curves(rows)
    drawn = pictures.read(str(tmp_path / "curves.png")).astype(int)
    for half in np.split(drawn, 2, axis=1):
        for colour in reports.COLOURS.values():
            wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
            assert (np.abs(half - wanted).max(-1) < 8).sum() > 300


def test_what_a_run_writes_can_be_drawn(tmp_path):
    path = str(tmp_path / "metrics.csv")
    for epoch, phase in enumerate(["content", "adversarial"]):
        callback = callbacks.MetricsCSV(path, phase)
        callback.on_epoch_end(epoch, {"content_loss": 0.5, "val_content_loss": 0.6, "val_cc": 0.1})
    reports.write_curves(path, str(tmp_path / "curves.png"))
    assert (tmp_path / "curves.png").exists()


@pytest.mark.parametrize(
    "content, reason",
    [
        (None, "no such file"),
        (b"", "not a run's metrics.csv"),
        (b"epoch,phase,loss\n", "not a run's metrics.csv"),
        (b"image,nss\na.jpg,1.5\n", "not a run's metrics.csv"),
        (b"phase,loss\na,1\n", "not a run's metrics.csv"),
        (b"epoch,loss\n1,\n2,nan\n", "not a run's metrics.csv"),
        (b"epoch,loss\n1,low\n", "column loss is not of numbers"),
        (b"epoch,loss,val_loss\n1,1,high\n", "column val_loss is not of numbers"),
        (b"epoch,loss\nfirst,1\n", "column epoch is not of numbers"),
        (b"\x89PNG\xff\xfe\n", "cannot be read as CSV"),
    ],
)
def test_what_is_no_runs_csv_is_one_line(tmp_path, content, reason):
    path = tmp_path / "metrics.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        reports.write_curves(str(path), str(tmp_path / "curves.png"))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "curves.png").exists()


def test_the_persons_own_style_is_not_used_and_not_lost(curves, tmp_path):
    rows = losses("loss", [3.0, 2.0])
    curves(rows)
    plain = (tmp_path / "curves.png").read_bytes()
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        curves(rows)
        assert (tmp_path / "curves.png").read_bytes() == plain
        assert matplotlib.rcParams["font.size"] == 30


# Filters


def model_of(kernel):
    kernel = np.asarray(kernel, "float32")
    height, width, channels, count = kernel.shape
    layer = keras.layers.Conv2D(count, (height, width), use_bias=False)
    model = keras.Sequential([keras.Input((8, 8, channels)), layer])
    layer.set_weights([kernel])
    return model


def tiles(folder, model):
    """The filters of the picture, `(filters, height, width, 3)`, and the whole picture."""
    path = str(folder / "filters.png")
    reports.write_filters(model, path)
    drawn = pictures.read(path).astype(int)
    # Within a tile a pixel may be white by itself, but no whole row or column is.
    rows, columns = (
        np.flatnonzero(np.diff(np.r_[1, (drawn == 255).all(axes), 1])).reshape(-1, 2)
        for axes in ((1, 2), (0, 2))
    )
    return np.array([drawn[slice(*r), slice(*c)] for r in rows for c in columns]), drawn


def test_gray_is_zero_and_every_weight_is_a_square_in_its_colour(tmp_path):
    kernel = np.zeros((2, 3, 3, 2))
    kernel[0, 0, :, 0] = 0.5, 0, -0.25  # row, column, channel, filter
    kernel[1, 2, :, 1] = -0.5, 0.25, 0
    (first, second), _ = tiles(tmp_path, model_of(kernel))
    side = first.shape[0] // 2
    assert first.shape[1] == 3 * side
    assert first[0, 0].tolist() == first[side - 1, side - 1].tolist() == [255, 128, 64]
    assert second[-1, -1].tolist() == second[side, 2 * side].tolist() == [0, 191, 128]
    assert (first[side:] == 128).all() and (first[:, side:] == 128).all()
    assert (second[:side] == 128).all() and (second[:, : 2 * side] == 128).all()


def test_filters_stand_in_rows(tmp_path):
    kernel = np.ones((1, 1, 3, 6)) * [-1, -0.75, -0.5, -0.25, 0, 0.25]
    found, _ = tiles(tmp_path, model_of(kernel))
    assert [set(tile.ravel()) for tile in found] == [{0}, {32}, {64}, {96}, {128}, {159}]


def test_other_channels_are_averaged(tmp_path):
    kernel = np.zeros((2, 2, 4, 1))
    kernel[0, 0, :, 0], kernel[0, 1, :, 0] = (-4, 0, 0, 0), (-1, -1, -1, 1)
    (tile,), _ = tiles(tmp_path, model_of(kernel))
    middle = tile.shape[1] // 2
    assert (tile[:middle, :middle] == 0).all() and (tile[:middle, middle:] == 64).all()
    assert (tile[middle:] == 128).all()


@pytest.mark.parametrize("size, count", [(3, 64), (5, 32), (4, 64), (3, 8), (7, 1), (3, 7)])
def test_any_number_of_filters_fills_the_width(tmp_path, size, count):
    kernel = np.random.default_rng(0).uniform(-1, 0.5, (size, size, 3, count))
    found, drawn = tiles(tmp_path, model_of(kernel))
    assert 600 <= drawn.shape[1] <= 900
    shown = [tile for tile in found if (tile < 255).any()]
    assert len(shown) == count
    assert (drawn[[0, -1]] == 255).all() and (drawn[:, [0, -1]] == 255).all()


def test_filters_without_weights_are_gray(tmp_path):
    found, _ = tiles(tmp_path, model_of(np.zeros((3, 3, 3, 4))))
    assert (found == 128).all() and len(found) == 4


def test_salgans_filters_are_in_the_stimulus_colours(tmp_path):
    # VGG16 takes BGR; the network turns the channels round.
    model = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    layer = model.get_layer("block1_conv1")
    kernel = np.zeros(layer.kernel.shape)
    kernel[:, :, 2] = 1  # of red
    layer.set_weights([kernel, np.zeros(kernel.shape[-1])])
    model.save(tmp_path / "model.keras")
    for each in (model, keras.models.load_model(tmp_path / "model.keras")):
        found, _ = tiles(tmp_path, each)
        assert (found == [255, 128, 128]).all() and len(found) == 4


def test_the_first_convolution_of_models_within_models_is_found(tmp_path):
    inner = model_of(np.full((2, 2, 3, 1), -1.0))
    stimulus = keras.Input((8, 8, 3))
    x = inner(keras.layers.Rescaling(1 / 255)(stimulus))
    model = keras.Model(stimulus, keras.layers.Conv2D(9, 1)(x))
    found, _ = tiles(tmp_path, keras.Sequential([keras.Input((8, 8, 3)), model]))
    assert len(found) == 1 and (found == 0).all()


def test_a_model_without_filters_is_an_error(tmp_path):
    dense = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)], name="flat")
    with pytest.raises(InputError, match="flat has no Conv2D"):
        reports.write_filters(dense, str(tmp_path / "filters.png"))
    with pytest.raises(InputError, match="no weights yet"):
        unbuilt = keras.Sequential([keras.layers.Conv2D(2, 3)])
        reports.write_filters(unbuilt, str(tmp_path / "filters.png"))
    assert not list(tmp_path.iterdir())


# Best and worst


def examples_of(count):
    return synthetic.load(split="test", size=(48, 64), limit=count)


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """Draws the sheet; returns its rows, its titles, and the examples that were predicted."""
    written = []
    write = sheets.write
    monkeypatch.setattr(sheets, "write", lambda *a: (written.append(a[1:]), write(*a)))

    def draw(examples, rows, *arguments, **options):
        asked = []

        def predict(chosen):
            asked.extend(chosen)
            return (np.full((3, 4, 1), float(examples.index(each))) for each in chosen)

        truths = Truths(examples, "mit", 3.0)
        path = str(tmp_path / "extremes.png")
        reports.write_extremes(path, truths, rows, predict, *arguments, **options)
        return (*written[-1], asked) if written else None

    return draw


def rows_of(examples, values, score="nss", **fields):
    pairs = zip(examples, values, strict=True)
    return [{"image": example.name, score: value, **fields} for example, value in pairs]


def names(rows):
    return [row.lines[0][-1] for row in rows]  # "test_0003" and so on


@pytest.mark.parametrize("score, expected", [("nss", "5143"), ("kld", "3415")])
def test_best_and_worst_are_drawn_in_order(sheet, score, expected):
    examples = examples_of(6)
    values = [0.5, 2.0, 0.6, -1.0, 0.1, 3.0]
    rows, _, asked = sheet(examples, rows_of(examples, values, score), score, count=2)
    assert "".join(names(rows)) == expected
    assert [example.name for example in asked] == [row.lines[0] for row in rows]
    assert [int(row.maps[1].flat[0]) for row in rows] == list(map(int, expected))


@pytest.mark.parametrize("pictures_of, expected", [(1, "0"), (3, "012"), (4, "0123"), (5, "0134")])
def test_no_picture_is_drawn_twice(sheet, pictures_of, expected):
    examples = examples_of(pictures_of)
    rows, _, _ = sheet(examples, rows_of(examples, range(10, 10 - pictures_of, -1)), count=2)
    assert "".join(names(rows)) == expected


def test_pictures_without_the_score_are_left_out(sheet):
    examples = examples_of(4)
    rows, _, _ = sheet(examples, rows_of(examples, [NAN, 1.0, NAN, 2.0]))
    assert names(rows) == ["3", "1"]


def test_a_row_shows_the_picture_its_truth_and_its_scores(sheet):
    examples = examples_of(3)
    scored = rows_of(examples, [0.25, 1.5, 1.0], cc=0.5, kld=NAN, sim=0.1)
    rows, titles, _ = sheet(examples, scored)
    assert titles == ["fixations", "density", "prediction"]
    truths = Truths(examples, "mit", 3.0)
    for row, index in zip(rows, (1, 2, 0), strict=True):
        assert row.stimulus is examples[index].image
        assert row.fixations is examples[index].fixations
        np.testing.assert_array_equal(row.maps[0][..., 0], truths.of(index).density)
    assert rows[0].lines == (
        "test_0001", "best by NSS", "place 1 of 3", "", "NSS ↑  1.500", "CC ↑  0.500",
    )  # fmt: skip
    assert rows[1].lines[1] == "best by NSS" and rows[2].lines[1:3] == (
        "worst by NSS", "place 3 of 3",
    )  # fmt: skip


def test_the_score_that_ranks_stands_first(sheet):
    examples = examples_of(2)
    rows, _, _ = sheet(examples, rows_of(examples, [1.0, 2.0], kld=0.5), "kld")
    assert rows[0].lines[4:] == ("KLD ↓  0.500", "NSS ↑  1.000")


def test_only_the_drawn_pictures_are_read(sheet, tmp_path):
    drawn = examples_of(2)
    path = str(tmp_path / "missing.png")
    missing = [Example(f"{i}", (48, 64), drawn[0].fixations, path) for i in range(5)]
    examples = [drawn[0], *missing, drawn[1]]
    rows, _, _ = sheet(examples, rows_of(examples, [2, 1, 1, 1, 1, 1, 0]), count=1)
    assert [row.lines[0] for row in rows] == [example.name for example in drawn]


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 1), (6, 8)])
def test_without_fixations_the_density_is_the_truth_and_cc_ranks(sheet, shape):
    examples = [
        dataclasses.replace(
            each,
            fixations=np.zeros((0, 2), "float32"),
            density=np.random.default_rng(0).random(shape),
        )
        for each in examples_of(3)
    ]
    scored = rows_of(examples, [0.1, 0.9, 0.5], "cc", nss=NAN)
    rows, titles, _ = sheet(examples, scored)
    assert names(rows) == ["1", "2", "0"] and rows[0].lines[1] == "best by CC"
    assert titles[0] == "stimulus"
    for row, index in zip(rows, (1, 2, 0), strict=True):
        published = examples[index].density.reshape(shape[:2])
        truth = resized(published, (48, 64))
        np.testing.assert_array_equal(row.maps[0][..., 0], truth)


def test_where_there_are_no_scores_nothing_is_written(sheet, tmp_path):
    examples = examples_of(2)
    assert sheet(examples, rows_of(examples, [NAN, NAN], cc=NAN)) is None
    assert sheet(examples, rows_of(examples, [NAN, NAN]), "nss") is None
    assert not list(tmp_path.iterdir())


def test_rows_that_do_not_fit_are_an_error(sheet):
    examples = examples_of(2)
    rows = rows_of(examples, [1.0, 2.0])
    with pytest.raises(InputError, match="the rows have no emd; they have image, nss"):
        sheet(examples, rows, "emd")
    with pytest.raises(InputError, match="1 rows of scores are not of 2 pictures"):
        sheet(examples, rows[:1])
