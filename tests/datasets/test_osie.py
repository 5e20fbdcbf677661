"""OSIE's loader, on a tree of six pictures in the authors' layout, and on the real one."""

import pathlib

import numpy as np
import pytest
from scipy import io, sparse

from keras_saliency.datasets import Example, osie
from keras_saliency.errors import InputError

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "osie"
NAMES = [f"{1001 + i}.jpg" for i in range(6)]


def cell(items):
    column = np.empty((len(items), 1), object)
    column[:, 0] = items
    return column


def subject(xs, ys, durations):
    row = {"fix_x": xs, "fix_y": ys, "fix_duration": durations}
    return {name: np.reshape(np.asarray(v, "float64"), (1, -1)) for name, v in row.items()}


def wide(value):
    return dict.fromkeys(("fix_x", "fix_y", "fix_duration"), value)


def record(name, subjects):
    return {"img": name, "subjects": cell(subjects)}


def subjects_of(i):
    """Fifteen observers; the first sees one point, the second none, the others two."""
    lone = subject([1.0 + i], [1.0], [100 + i])
    return [lone, subject([], [], []), *[subject([400.5, 800.0], [300.0, 600.0], [150, 250])] * 13]


def write_tree(folder, records, variable="fixations"):
    (folder / "eye").mkdir(parents=True)
    (folder / "stimuli").mkdir()
    for name in NAMES:
        (folder / "stimuli" / name).write_bytes(b"never opened")
    io.savemat(folder / "eye" / "fixations.mat", {variable: cell(records)})


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(osie, "SPLITS", {"train": (0, 4), "test": (4, 6)})
    write_tree(tmp_path / "data", [record(n, subjects_of(i)) for i, n in enumerate(NAMES)])
    return tmp_path


def one_line(caught, *words):
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("folder", ["", "data"])
def test_the_archive_and_its_data_folder_load_alike(tree, folder):
    examples = osie.load(str(tree / folder), "train")
    assert [e.name for e in examples] == NAMES[:4]
    assert examples[0].image_path == str(tree / "data" / "stimuli" / "1001.jpg")
    assert examples[0].image is None


def test_splits_are_cut_in_file_name_order(tmp_path, monkeypatch):
    monkeypatch.setattr(osie, "SPLITS", {"train": (0, 4), "test": (4, 6)})
    backwards = [record(n, subjects_of(i)) for i, n in reversed(list(enumerate(NAMES)))]
    write_tree(tmp_path, backwards)
    assert [e.name for e in osie.load(str(tmp_path), "train")] == NAMES[:4]
    assert [e.name for e in osie.load(str(tmp_path), "test")] == NAMES[4:]


def test_limit_takes_the_first(tree):
    assert [e.name for e in osie.load(str(tree), "test", limit=1)] == ["1005.jpg"]


def test_coordinates_count_from_zero(tree):
    example = osie.load(str(tree), "train")[2]
    assert example.size == (600, 800)
    assert example.fixations.dtype == "float32"
    np.testing.assert_allclose(example.fixations[0], [2, 0])
    np.testing.assert_allclose(example.fixations[1:3], [[399.5, 299], [799, 599]])
    assert example.dropped == 0


def test_one_and_no_fixation_of_an_observer_keep_the_observers_apart(tree):
    example = osie.load(str(tree), "train")[1]
    assert len(example.fixations) == 27
    assert example.observers.tolist() == [0, *np.repeat(np.arange(2, 15), 2)]
    assert example.durations_ms.tolist() == [101, *[150, 250] * 13]


def test_matlabs_other_empty_matrix_is_no_fixation_too(tmp_path, monkeypatch):
    monkeypatch.setattr(osie, "SPLITS", {"train": (0, 6)})
    nothing = {name: np.zeros((0, 0)) for name in ("fix_x", "fix_y", "fix_duration")}
    write_tree(tmp_path, [record(n, [nothing, subject([5], [6], [7])]) for n in NAMES])
    example = osie.load(str(tmp_path))[0]
    assert example.fixations.tolist() == [[4, 5]]
    assert example.observers.tolist() == [1]


def test_a_picture_that_nobody_looked_at_has_no_fixations(tmp_path, monkeypatch):
    monkeypatch.setattr(osie, "SPLITS", {"train": (0, 6)})
    write_tree(tmp_path, [record(n, [subject([], [], [])] * 15) for n in NAMES])
    assert osie.load(str(tmp_path))[0].fixations.shape == (0, 2)


def test_a_fixation_outside_is_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(osie, "SPLITS", {"train": (0, 6)})
    wandering = subject([0.4, 0.6, 800.6, 10, np.nan], [5, 5, 5, 601, 5], [1, 2, 3, 4, 5])
    write_tree(tmp_path, [record(n, [wandering] * 15) for n in NAMES])
    example = osie.load(str(tmp_path))[0]
    assert example.dropped == 60
    np.testing.assert_allclose(example.fixations, [[-0.4, 4]] * 15, rtol=1e-6)
    assert example.observers.tolist() == list(range(15))
    assert example.durations_ms.tolist() == [2] * 15


@pytest.mark.parametrize("data_dir", [None, ""])
def test_without_a_folder_it_asks_for_one(data_dir):
    with pytest.raises(InputError) as caught:
        osie.load(data_dir)
    one_line(caught, "--data-dir")


def test_a_missing_folder_is_named_with_the_place_to_get_it(tmp_path):
    with pytest.raises(InputError) as caught:
        osie.load(str(tmp_path / "nowhere"))
    one_line(caught, "nowhere", "fixations.mat", "https://")


def test_an_unknown_split_names_the_known_ones(tree):
    with pytest.raises(InputError) as caught:
        osie.load(str(tree), "val")
    one_line(caught, "train, test", "'val'")


def test_a_missing_stimulus_is_named(tree):
    (tree / "data" / "stimuli" / "1002.jpg").unlink()
    with pytest.raises(InputError) as caught:
        osie.load(str(tree))
    one_line(caught, "1002.jpg")


@pytest.mark.parametrize("kept", [0, 60, 1000])
def test_a_cut_off_file_is_named(tree, kept):
    path = tree / "data" / "eye" / "fixations.mat"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError) as caught:
        osie.load(str(tree))
    one_line(caught, str(path))


@pytest.mark.parametrize(
    "broken",
    [
        {"wrong": np.eye(3)},
        {"fixations": np.eye(3)},
        {"fixations": cell([{"img": "1001.jpg"}])},
        {"fixations": cell([record("1001.jpg", [{"fix_x": 1.0}] * 2)] * 2)},
        {"fixations": cell([record("1001.jpg", [subject([1, 2], [1], [1])] * 2)] * 2)},
        {"fixations": cell([record(name, subjects_of(0)) for name in (1.0, "1001.jpg")])},
        {"fixations": cell([record(np.ones(3), subjects_of(0))] * 2)},
        {"fixations": cell([record("../../1001.jpg", subjects_of(0))] * 2)},
        {"fixations": cell([record("a\nb.jpg", subjects_of(0))] * 2)},
        {"fixations": cell([record("1001.jpg", [wide("text")] * 2)] * 2)},
        {"fixations": cell([record("1001.jpg", [wide(np.ones((2, 2)))] * 2)] * 2)},
        {"fixations": cell([record("1001.jpg", [wide(sparse.csc_array(np.eye(2)))] * 2)] * 2)},
    ],
)
def test_another_mat_file_is_named(tree, broken):
    path = tree / "data" / "eye" / "fixations.mat"
    io.savemat(path, broken)
    with pytest.raises(InputError) as caught:
        osie.load(str(tree))
    one_line(caught, str(path))


def test_the_real_dataset_has_its_published_counts():
    if not REAL.exists():
        pytest.skip(f"{REAL} is not on this machine")
    train, test = (osie.load(str(REAL), split) for split in ("train", "test"))
    assert (len(train), len(test)) == (500, 200)
    assert [e.name for e in train + test] == [f"{1001 + i}.jpg" for i in range(700)]
    counts = [len(e.fixations) + e.dropped for e in train + test]
    assert sum(counts) == 98_321
    assert (min(counts), max(counts)) == (111, 179)
    assert sum(e.dropped for e in train + test) == 0
    points = np.concatenate([e.fixations for e in train + test])
    np.testing.assert_allclose([points.min(0), points.max(0)], [[0.2, 0.2], [798.2, 598.2]], 1e-5)
    assert max(e.observers.max() for e in train) == 14


def test_the_authors_own_density_pixel_by_pixel():
    """imfilter(map, fspecial('gaussian', 168, 24)): each output sums -83 to +84 around itself."""
    random = np.random.default_rng(0)
    size = (200, 260)
    example = Example("a", size, random.uniform(-0.4, [259.4, 199.4], (25, 2)))
    points = np.unique(np.floor(example.fixations + 0.5).astype(int), axis=0)
    away = np.arange(1, 169) - 84.5
    line = np.exp(-(away**2) / (2 * 24.0**2))
    expected = np.zeros(size)
    for row in range(0, 200, 23):
        for column in range(0, 260, 29):
            for x, y in points:
                # MATLAB's origin of 168 numbers is the 84th.
                i, j = y - row + 83, x - column + 83
                if 0 <= i < 168 and 0 <= j < 168:
                    expected[row, column] += line[i] * line[j]
    found = osie.published_density(example)[..., 0]
    chosen = np.s_[0:200:23, 0:260:29]
    # Both stretched: compared up to a factor and an offset.
    a, b = found[chosen].ravel().astype("float64"), expected[chosen].ravel()
    slope, offset = np.polyfit(b, a, 1)
    np.testing.assert_allclose(a, slope * b + offset, atol=1e-6)
    assert abs(found.min()) < 1e-12 and found.max() == 1
