import numpy as np
import pytest
from scipy import ndimage

from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError


@pytest.fixture(scope="module")
def examples():
    return synthetic.load(split="train", limit=60)


def fixation_map(size, fixations):
    counts = np.zeros(size)
    x, y = np.rint(fixations).astype(int).T
    np.add.at(counts, (y, x), 1)
    return counts


def density(size, fixations):
    return ndimage.gaussian_filter(fixation_map(size, fixations), synthetic.SIGMA, mode="constant")


def nss(saliency_map, fixations):
    x, y = np.rint(fixations).astype(int).T
    return np.mean((saliency_map[y, x] - saliency_map.mean()) / saliency_map.std())


def assert_equal(first, second):
    assert first.name == second.name
    for field in ("image", "fixations", "observers", "durations_ms"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_same_seed_same_pictures_whatever_the_limit():
    few, more = synthetic.load(split="val", limit=2), synthetic.load(split="val", limit=4)
    assert (len(few), len(more)) == (2, 4)
    for first, second in zip(few, more, strict=False):
        assert_equal(first, second)


def test_seeds_differ():
    first, second = (synthetic.load(limit=1, seed=seed)[0] for seed in (0, 1))
    assert (first.image != second.image).mean() > 0.5
    assert not np.array_equal(first.fixations, second.fixations)


def test_no_picture_is_in_two_splits():
    loaded = [e for split in synthetic.SPLITS for e in synthetic.load(split=split, limit=10)]
    assert len({example.name for example in loaded}) == 30
    assert len({example.image.tobytes() for example in loaded}) == 30


def test_a_split_has_its_number_of_pictures():
    assert len(synthetic.load(split="val", size=(24, 32))) == synthetic.SPLITS["val"] == 60
    assert len(synthetic.load(split="val", size=(24, 32), limit=1000)) == 60
    assert synthetic.load(limit=0) == []


def test_data_dir_is_ignored():
    assert_equal(synthetic.load("/nowhere", limit=1)[0], synthetic.load(limit=1)[0])


@pytest.mark.parametrize("size", [(240, 320), (61, 83), (120, 90)])
def test_shapes_types_and_ranges(size):
    for index, example in enumerate(synthetic.load(size=size, limit=5)):
        count = len(example.fixations)
        assert example.name == f"train_{index:04d}"
        assert example.size == size
        assert example.image.shape == (*size, 3) and example.image.dtype == "uint8"
        assert example.image.std() > 5
        assert example.fixations.shape == (count, 2) and example.fixations.dtype == "float32"
        assert example.observers.shape == (count,) and example.observers.dtype == "int32"
        assert example.durations_ms.shape == (count,) and example.durations_ms.dtype == "float32"
        assert example.dropped == 0 and example.image_path is None


def test_fixations_are_inside(examples):
    points = np.concatenate([example.fixations for example in examples])
    assert points.min() >= 0
    assert (points.max(axis=0) <= (319, 239)).all()
    # Up to the borders, and x is the horizontal one.
    assert (points.max(axis=0) > (310, 230)).all() and (points.min(axis=0) < 10).all()


def test_observers_and_durations(examples):
    for example in examples:
        counts = np.bincount(example.observers)
        assert len(counts) == 10 and counts.min() >= 6 and counts.max() <= 10
    durations = np.concatenate([example.durations_ms for example in examples])
    assert durations.min() > 0
    assert abs(np.median(durations) - 250) < 20


def test_center_bias_beats_chance_and_objects_beat_center_bias(examples):
    size = examples[0].size
    center_bias = sum(density(size, example.fixations) for example in examples)
    center, oracle = [], []
    for example in synthetic.load(split="test", limit=50):
        # What half of the observers looked at predicts the other half.
        half = example.observers < 5
        center.append(nss(center_bias, example.fixations[~half]))
        oracle.append(nss(density(size, example.fixations[half]), example.fixations[~half]))
    assert np.mean(center) > 0.3
    assert np.mean(oracle) > 2.0
    assert np.mean(oracle) > 2.5 * np.mean(center)


def test_brightness_gives_little_away():
    scores = [
        nss(ndimage.gaussian_filter(example.image.mean(axis=2), 6), example.fixations)
        for example in synthetic.load(split="test", limit=50)
    ]
    assert abs(np.mean(scores)) < 0.6


def test_distractors_attract_nothing(examples):
    for index, example in enumerate(examples[:10]):
        rng = np.random.default_rng([0, 0, index])
        image, objects = synthetic._scene((240, 320), rng)
        np.testing.assert_array_equal(image, example.image)
        offsets = example.fixations[:, None] - np.array([(thing.x, thing.y) for thing in objects])
        radii = np.array([thing.radius for thing in objects])
        on_object = (np.hypot(*offsets.transpose(2, 0, 1)) < 1.5 * radii).any(axis=1)
        assert on_object.mean() > 0.5


def test_bad_split():
    with pytest.raises(InputError, match=r"one of train, val, test\. Received: 'valid'"):
        synthetic.load(split="valid")
