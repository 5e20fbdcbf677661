"""What comes out of the pipeline, and in which order."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_saliency import maps, pipeline
from keras_saliency.datasets import Example
from keras_saliency.errors import InputError

SIZE = (12, 16)
SIGMA = 2.0
KEYS = ("density", "fixation_map")


def make_examples(count, size=(24, 32)):
    """Dark pictures with one bright pixel each, and a few fixations left of the middle."""
    rng = np.random.default_rng(0)
    examples = []
    for i in range(count):
        image = np.full((*size, 3), 10 * i, "uint8")
        image[3, 5] = 255
        fixations = rng.uniform(0, [size[1] / 2, size[0] - 1], (i + 1, 2)).astype("float32")
        examples.append(Example(f"{i}.png", size, fixations, image=image))
    return examples


def batches(examples, batch_size=2, **settings):
    return pipeline.batches(examples, SIZE, batch_size, SIGMA, **settings)


def flat(batch):
    stimulus, targets = batch
    return [np.asarray(stimulus), *(np.asarray(targets[key]) for key in KEYS)]


def taken(dataset, count=None):
    return [flat(batch) for batch in (dataset if count is None else dataset.take(count))]


def fields(dataset, count=None):
    """Stimuli, densities and fixation maps of some batches, one array each."""
    return [np.concatenate(arrays) for arrays in zip(*taken(dataset, count), strict=True)]


def names(stimuli):
    """Which example each stimulus is, by its gray."""
    return [round(float(np.median(stimulus)) / 10) for stimulus in stimuli]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for a, b in zip(first, second, strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_example_comes_once_and_in_order():
    examples = make_examples(5)
    stimuli, densities, fixation_maps = fields(batches(examples))
    assert stimuli.shape == (5, 12, 16, 3)
    assert densities.shape == fixation_maps.shape == (5, 12, 16, 1)
    assert {a.dtype for a in (stimuli, densities, fixation_maps)} == {np.dtype("float32")}
    assert names(stimuli) == [0, 1, 2, 3, 4]
    assert stimuli.min() >= 0
    assert stimuli.max() > 60
    np.testing.assert_array_equal(stimuli, np.round(stimuli))


def test_targets_are_those_of_maps():
    examples = make_examples(3)
    _, densities, fixation_maps = fields(batches(examples))
    for i, example in enumerate(examples):
        counts = maps.fixation_map(example.fixations, example.size, SIZE)
        density = maps.density(example.fixations, example.size, SIGMA, SIZE)
        np.testing.assert_array_equal(fixation_maps[i], counts)
        np.testing.assert_allclose(densities[i], density / density.max(), atol=1e-3)


def test_the_densitys_largest_value_is_one_and_the_fixation_map_counts():
    _, densities, fixation_maps = fields(batches(make_examples(4)))
    np.testing.assert_array_equal(densities.max((1, 2, 3)), 1)
    np.testing.assert_array_equal(fixation_maps.sum((1, 2, 3)), [1, 2, 3, 4])


def test_a_picture_without_fixations_has_zero_maps():
    example = Example("a", (24, 32), np.zeros((0, 2)), image=np.zeros((24, 32, 3), "uint8"))
    _, densities, fixation_maps = fields(batches([example]))
    assert not densities.any()
    assert not fixation_maps.any()


def test_shapes_are_known_to_the_graph_but_for_the_batch():
    for settings in ({}, {"cache_bytes": 0}, {"training": True}):
        stimulus, targets = batches(make_examples(3), **settings).element_spec
        assert stimulus.shape.as_list()[1:] == [12, 16, 3]
        assert all(targets[key].shape.as_list()[1:] == [12, 16, 1] for key in KEYS)


def test_the_last_partial_batch_is_kept_unless_training():
    examples = make_examples(5)
    assert [len(stimuli) for stimuli, *_ in taken(batches(examples))] == [2, 2, 1]
    assert pipeline.steps_per_epoch(examples, 2) == 2
    trained = taken(batches(examples, training=True), 4)
    assert [len(stimuli) for stimuli, *_ in trained] == [2, 2, 2, 2]
    for epoch in (trained[:2], trained[2:]):
        seen = names(np.concatenate([stimuli for stimuli, *_ in epoch]))
        assert len(set(seen)) == 4


def test_a_batch_is_never_larger_than_the_dataset():
    examples = make_examples(3)
    assert pipeline.steps_per_epoch(examples, 8) == 1
    stimuli, *_ = fields(batches(examples, batch_size=8, training=True), 1)
    assert sorted(names(stimuli)) == [0, 1, 2]


def test_epochs_are_shuffled_and_differ_from_one_another():
    stimuli, *_ = fields(batches(make_examples(8), training=True), 8)
    first, second = names(stimuli[:8]), names(stimuli[8:])
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != list(range(8))
    assert first != second


def test_a_resumed_run_gets_the_epoch_that_it_would_have_got():
    examples = make_examples(6)
    through = taken(batches(examples, training=True), 9)
    resumed = taken(batches(examples, training=True, initial_epoch=2), 3)
    assert_same(resumed, through[6:])


def test_the_order_does_not_depend_on_the_global_seed():
    examples = make_examples(6)
    tf.random.set_seed(1)
    first = taken(batches(examples, training=True), 3)
    tf.random.set_seed(2)
    assert_same(first, taken(batches(examples, training=True), 3))


def test_seeds_differ():
    examples = make_examples(8)
    first, *_ = fields(batches(examples, training=True, seed=0), 4)
    second, *_ = fields(batches(examples, training=True, seed=1), 4)
    assert names(first) != names(second)


def test_mirroring_turns_stimulus_density_and_fixation_map_together():
    examples = make_examples(8)
    plain = fields(batches(examples))
    turned = []
    for stimulus, density, fixation_map in zip(
        *fields(batches(examples, training=True), 16), strict=True
    ):
        i = names([stimulus])[0]
        one = [field[i] for field in plain]
        other = [field[i][:, ::-1] for field in plain]
        turned.append(not np.array_equal(stimulus, one[0]))
        wanted = other if turned[-1] else one
        for field, expected in zip((stimulus, density, fixation_map), wanted, strict=True):
            np.testing.assert_array_equal(field, expected)
    assert 8 <= sum(turned) <= 24


def test_mirror_false_turns_nothing():
    examples = make_examples(8)
    plain, *_ = fields(batches(examples))
    stimuli, *_ = fields(batches(examples, training=True, mirror=False), 4)
    np.testing.assert_array_equal(stimuli, plain[names(stimuli)])


@pytest.mark.parametrize("training", [False, True])
def test_cached_and_uncached_are_the_same(training):
    examples = make_examples(5)
    cached, uncached = (
        taken(batches(examples, training=training, cache_bytes=size), 3) for size in (10**9, 0)
    )
    assert_same(cached, uncached)


def test_pictures_are_read_from_files(tmp_path):
    path = str(tmp_path / "a.png")
    Image.fromarray(np.full((24, 32, 3), (10, 20, 30), "uint8")).save(path)
    stimuli, *_ = fields(batches([Example("a.png", (24, 32), [[1, 1]], path)]))
    np.testing.assert_array_equal(stimuli[0, 5, 7], [10, 20, 30])


def test_a_picture_that_does_not_decode_is_named(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_text("no picture")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        batches([Example("broken.jpg", (24, 32), [[1, 1]], str(path))])


def test_an_uncached_picture_that_does_not_decode_is_named_when_its_turn_comes(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_text("no picture")
    dataset = batches([Example("broken.jpg", (24, 32), [[1, 1]], str(path))], cache_bytes=0)
    with pytest.raises(tf.errors.OpError, match=r"broken\.jpg"):
        next(iter(dataset))


def test_a_picture_of_another_size_than_the_dataset_says_is_named():
    example = Example("odd.png", (24, 32), [[1, 1]], image=np.zeros((32, 24, 3), "uint8"))
    with pytest.raises(InputError, match=r"odd\.png is 32x24 pixels, the dataset says 24x32"):
        batches([example])


def test_no_pictures_is_an_input_error():
    with pytest.raises(InputError, match="no pictures"):
        batches([])


def test_resize_keeps_a_flat_picture_flat_and_its_center_in_place():
    np.testing.assert_allclose(pipeline.resize(np.full((7, 9, 1), 3.0), (5, 20)), 3, rtol=1e-6)
    ramp = np.arange(8.0)[None, :, None]
    np.testing.assert_allclose(
        np.ravel(pipeline.resize(ramp, (1, 16)))[[0, 1, 2, 15]], [0, 0.25, 0.75, 7]
    )


def test_shrinking_is_smoothed():
    stripes = np.tile([0.0, 1.0, 0.0, 0.0], 16)[None, :, None] * np.ones((4, 1, 1))
    shrunk = np.asarray(pipeline.resize(stripes, (4, 8)))
    np.testing.assert_allclose(shrunk, 0.25, atol=0.07)


def test_a_stimulus_is_whole_gray_levels():
    noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3)).astype("uint8")
    stimulus = np.asarray(pipeline.as_stimulus(noise, (5, 20)))
    assert stimulus.dtype == "float32"
    assert ((stimulus >= 0) & (stimulus <= 255) & (stimulus == np.round(stimulus))).all()


def disc_example(x, y, size=(48, 64)):
    """A white disc on gray, and fixations on it and nowhere else."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    disc = np.hypot(rows - y, columns - x) < 5
    image = np.where(disc[..., None], np.uint8(255), np.uint8(90)).repeat(3, -1)
    return Example(f"{x}-{y}.png", size, np.full((20, 2), (x, y), "float32"), image=image)


def center_of(maps_):
    """Row and column of each map's middle of mass."""
    maps_ = maps_.mean(-1)
    rows, columns = np.mgrid[: maps_.shape[1], : maps_.shape[2]]
    total = maps_.sum((1, 2))
    return np.stack([(maps_ * rows).sum((1, 2)), (maps_ * columns).sum((1, 2))], 1) / total[:, None]


def test_zoom_moves_stimulus_density_and_fixations_together():
    source = pipeline.load([disc_example(30, 22), disc_example(36, 26)], (48, 64), SIGMA)
    dataset = pipeline.epochs(source, 2, mirror=True, zoom=0.4)
    stimulus, density, counts = fields(dataset, 20)
    on_disc = center_of(np.clip(stimulus - 95, 0, None))
    assert np.abs(center_of(density) - on_disc).max() < 1.0
    assert np.abs(center_of(counts) - on_disc).max() < 1.5
    assert np.ptp(on_disc, axis=0).min() > 5
    np.testing.assert_allclose(density.max((1, 2, 3)), 1, atol=1e-3)


@pytest.mark.parametrize("cache_bytes", [pipeline.CACHE_BYTES, 0])
def test_maps_may_be_smaller_than_the_stimulus(cache_bytes):
    examples = [disc_example(30, 22), disc_example(36, 26)]
    source = pipeline.load(examples, (48, 64), SIGMA, (24, 32), cache_bytes)
    stimulus, density, counts = fields(pipeline.once(source, 2), 1)
    assert stimulus.shape == (2, 48, 64, 3)
    assert density.shape == counts.shape == (2, 24, 32, 1)
    whole = fields(pipeline.once(pipeline.load(examples, (48, 64), SIGMA), 2), 1)
    np.testing.assert_array_equal(counts.sum((1, 2, 3)), whole[2].sum((1, 2, 3)))
    # A fixation counts for a whole pixel of the smaller map.
    np.testing.assert_allclose(2 * center_of(density) + 0.5, center_of(whole[1]), atol=0.6)
    zoomed = pipeline.epochs(source, 2, mirror=True, zoom=0.4)
    stimulus, density, _ = fields(zoomed, 20)
    on_disc = center_of(np.clip(stimulus - 95, 0, None))
    assert np.abs(2 * center_of(density) + 0.5 - on_disc).max() < 1.5


def test_color_changes_the_stimulus_alone_and_keeps_its_range():
    source = pipeline.load([disc_example(30, 22)] * 2, (48, 64), SIGMA)
    plain = fields(pipeline.epochs(source, 2, mirror=False), 8)
    colored = fields(pipeline.epochs(source, 2, mirror=False, color=0.5), 8)
    np.testing.assert_array_equal(plain[1], colored[1])
    np.testing.assert_array_equal(plain[2], colored[2])
    assert colored[0].min() >= 0 and colored[0].max() <= 255
    backgrounds = colored[0][:, 0, 0, 0]
    assert np.ptp(backgrounds) > 50


def test_augmentation_of_a_resumed_epoch_is_the_same():
    source = pipeline.load(make_examples(4), SIZE, SIGMA)
    settings = {"zoom": 0.3, "color": 0.3, "seed": 4}
    whole = taken(pipeline.epochs(source, 2, **settings), 6)[4:]
    resumed = taken(pipeline.epochs(source, 2, **settings, initial_epoch=2), 2)
    for ours, theirs in zip(whole, resumed, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def published(count, channel=False):
    """Examples with a density of 6x8 whose peak moves to the right, and no fixations."""
    for i, example in enumerate(make_examples(count)):
        density = np.zeros((6, 8), "float32")
        density[2, i + 1] = 3
        yield dataclasses.replace(
            example,
            fixations=np.zeros((0, 2), "float32"),
            density=density[..., None] if channel else density,
        )


@pytest.mark.parametrize("settings", [{}, {"cache_bytes": 0}])
@pytest.mark.parametrize("channel", [False, True])
def test_a_published_density_is_the_target(channel, settings):
    examples = list(published(3, channel))
    _, densities, fixation_maps = fields(pipeline.batches(examples, SIZE, 2, None, **settings))
    assert not fixation_maps.any()
    np.testing.assert_allclose(densities.max((1, 2, 3)), 1)
    for i, example in enumerate(examples):
        whole = pipeline.resize(np.reshape(example.density, (6, 8, 1)), SIZE).numpy()
        np.testing.assert_allclose(densities[i], whole / whole.max(), atol=1e-3)
        assert np.argwhere(densities[i] > 0.99)[:, 1].tolist() == [2 * i + 2, 2 * i + 3] * 2


def test_a_published_density_of_the_networks_size_is_left_as_it_is():
    density = np.random.default_rng(0).random(SIZE, "float32")
    example = dataclasses.replace(make_examples(1)[0], density=density)
    _, densities, counts = fields(pipeline.batches([example], SIZE, 1, SIGMA))
    np.testing.assert_allclose(densities[0, ..., 0], density / density.max(), atol=5e-4)
    assert counts.sum() == 1  # its fixations stay


def test_published_densities_are_turned_around_with_their_pictures():
    example = next(published(1))
    _, densities, _ = fields(pipeline.batches([example], SIZE, 1, None, training=True), 8)
    middles = center_of(densities)[:, 1].round(1)
    assert set(middles.tolist()) == {2.5, 12.5}


@pytest.mark.parametrize("settings", [{}, {"cache_bytes": 0}])
def test_without_density_and_sigma_there_is_nothing_to_train_on(settings):
    examples = [*published(2), *make_examples(1)]
    with pytest.raises(InputError, match=r"1 of 3 pictures have no density, the first is 0\.png"):
        pipeline.batches(examples, SIZE, 2, None, **settings)
