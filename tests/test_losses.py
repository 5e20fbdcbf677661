"""The losses: their values, what they do in training, and that they come back from a file."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_saliency import losses, metrics, recipes

RNG = np.random.default_rng(0)
DENSITY = RNG.random((5, 6, 7, 1), "float32")
SALIENCY = RNG.random((5, 6, 7, 1), "float32")
COUNTS = (RNG.random((5, 6, 7, 1)) > 0.8).astype("float32")

CLASSES = {
    "density_crossentropy": losses.DensityCrossentropy,
    "kld": losses.KLD,
    "bhattacharyya": losses.Bhattacharyya,
    "negative_cc": losses.NegativeCC,
    "negative_nss": losses.NegativeNSS,
}
every_loss = pytest.mark.parametrize("loss_class", CLASSES.values(), ids=CLASSES)


def target_of(loss):
    return COUNTS if getattr(loss, "target", "density") == "fixation_map" else DENSITY


def normalized(maps):
    return maps.astype("float64") / maps.sum((1, 2, 3), keepdims=True, dtype="float64")


def test_density_crossentropy_is_the_mean_over_pixels():
    p = SALIENCY.astype("float64")
    expected = -np.mean(DENSITY * np.log(p) + (1 - DENSITY) * np.log(1 - p))
    assert float(losses.DensityCrossentropy()(DENSITY, SALIENCY)) == pytest.approx(expected, 1e-4)


def test_kld_is_the_mean_divergence():
    expected = stats.entropy(
        normalized(DENSITY).reshape(5, -1), normalized(SALIENCY).reshape(5, -1), axis=1
    ).mean()
    assert float(losses.KLD()(DENSITY, SALIENCY)) == pytest.approx(expected, 1e-4)


def test_bhattacharyya_is_minus_the_log_of_the_overlap():
    overlap = np.sqrt(normalized(DENSITY) * normalized(SALIENCY)).sum((1, 2, 3))
    got = float(losses.Bhattacharyya()(DENSITY, SALIENCY))
    assert got == pytest.approx(-np.log(overlap).mean(), 1e-4)


def softmaxed(maps):
    return (
        np.exp(maps.astype("float64"))
        / np.exp(maps.astype("float64")).sum((1, 2, 3))[:, None, None, None]
    )


def test_a_target_may_be_made_a_distribution_by_softmax():
    p, q = softmaxed(DENSITY), normalized(SALIENCY)
    kld = losses.KLD(target_distribution="softmax")(DENSITY, SALIENCY)
    assert float(kld) == pytest.approx((p * np.log(p / q)).sum((1, 2, 3)).mean(), 1e-4)
    overlap = np.sqrt(p * q).sum((1, 2, 3))
    bhattacharyya = losses.Bhattacharyya(target_distribution="softmax")(DENSITY, SALIENCY)
    assert float(bhattacharyya) == pytest.approx(-np.log(overlap).mean(), 1e-4)


def test_softmax_of_a_large_target_does_not_overflow():
    value = losses.KLD(target_distribution="softmax")(DENSITY * 1000, SALIENCY)
    assert np.isfinite(float(value))


def test_pixel_mean_divides_by_the_number_of_pixels():
    whole = float(losses.KLD()(DENSITY, SALIENCY))
    assert float(losses.KLD(pixel_mean=True)(DENSITY, SALIENCY)) == pytest.approx(whole / 42)


@pytest.mark.parametrize("loss_class", [losses.KLD, losses.Bhattacharyya])
def test_unknown_target_distributions_are_named(loss_class):
    with pytest.raises(ValueError, match=r'"sum" or "softmax".*max'):
        loss_class(target_distribution="max")


def test_negative_cc_is_zero_for_proportional_maps_and_two_for_opposed_ones():
    assert float(losses.NegativeCC()(DENSITY, 3 * DENSITY)) == pytest.approx(0, abs=1e-6)
    assert float(losses.NegativeCC()(DENSITY, 1 - DENSITY)) == pytest.approx(2, abs=1e-6)


def test_negative_nss_counts_zero_for_a_picture_without_fixations():
    counts = COUNTS.copy()
    counts[1:] = 0
    alone = float(losses.NegativeNSS()(COUNTS[:1], SALIENCY[:1]))
    assert alone != 0
    assert float(losses.NegativeNSS()(counts, SALIENCY)) == pytest.approx(alone / 5, 1e-5)


def test_only_negative_nss_wants_the_fixation_map():
    targets = {name: getattr(cls(), "target", "density") for name, cls in CLASSES.items()}
    assert targets.pop("negative_nss") == "fixation_map"
    assert set(targets.values()) == {"density"}


@every_loss
def test_one_value_a_picture_without_reduction(loss_class):
    loss = loss_class(reduction=None)
    values = loss(target_of(loss), SALIENCY)
    assert values.shape == (5,)
    mean = float(loss_class()(target_of(loss), SALIENCY))
    assert float(np.mean(values)) == pytest.approx(mean, 1e-5)


@every_loss
def test_config_comes_back(loss_class):
    loss = loss_class(reduction="sum", name="mine")
    if hasattr(loss, "epsilon"):
        loss = loss_class(epsilon=0.01, reduction="sum", name="mine")
    if hasattr(loss, "target_distribution"):
        loss.target_distribution = "softmax"
    if hasattr(loss, "pixel_mean"):
        loss.pixel_mean = True
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(twin) is loss_class
    for name in ("target_distribution", "pixel_mean"):
        assert getattr(twin, name, None) == getattr(loss, name, None)
    assert (twin.reduction, twin.name) == ("sum", "mine")
    assert getattr(twin, "epsilon", None) == getattr(loss, "epsilon", None)
    target = target_of(loss)
    assert float(twin(target, SALIENCY)) == float(loss(target, SALIENCY))


def test_a_loss_and_a_metric_of_one_name_are_told_apart():
    saved = [keras.saving.serialize_keras_object(one) for one in (losses.KLD(), metrics.KLD())]
    loss, metric = map(keras.saving.deserialize_keras_object, saved)
    assert type(loss) is losses.KLD
    assert type(metric) is metrics.KLD


@pytest.mark.parametrize("loss_class", [losses.KLD, losses.Bhattacharyya])
def test_epsilon_matters(loss_class):
    usual, large = (loss_class(**s)(DENSITY, SALIENCY) for s in ({}, {"epsilon": 0.1}))
    assert float(usual) != pytest.approx(float(large), 1e-3)


@every_loss
def test_a_few_steps_make_it_smaller(loss_class):
    loss = loss_class()
    logits = tf.Variable(np.random.default_rng(1).normal(size=SALIENCY.shape).astype("float32"))
    optimizer = keras.optimizers.Adam(0.1)
    seen = []
    for _ in range(6):
        with tf.GradientTape() as tape:
            value = loss(target_of(loss), tf.sigmoid(logits))
        optimizer.apply([tape.gradient(value, logits)], [logits])
        seen.append(float(value))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < seen[0] - 0.01


@every_loss
@pytest.mark.parametrize("height", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("target", ["as usual", "all zero"])
def test_value_and_gradient_at_a_flat_map_are_finite(loss_class, height, target):
    loss = loss_class()
    flat = tf.Variable(np.full(SALIENCY.shape, height, "float32"))
    wanted = target_of(loss) * (target == "as usual")
    with tf.GradientTape() as tape:
        value = loss(wanted, flat)
    assert np.isfinite(float(value))
    assert np.isfinite(tape.gradient(value, flat)).all()


@every_loss
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_maps_are_compared_in_float32(loss_class, dtype):
    loss = loss_class()
    half = tf.cast(SALIENCY, dtype)
    value = loss(target_of(loss), half)
    assert value.dtype == "float32"
    expected = loss(target_of(loss), tf.cast(half, "float32"))
    assert float(value) == pytest.approx(float(expected), 1e-6)


@every_loss
def test_a_mixed_precision_model_trains(loss_class):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = keras.Sequential(
            [keras.Input((6, 7, 3)), keras.layers.Conv2D(1, 1, activation="sigmoid")]
        )
        loss = loss_class()
        model.compile("adam", loss)
        stimuli = np.random.default_rng(2).random((5, 6, 7, 3), "float32")
        assert np.isfinite(model.train_on_batch(stimuli, target_of(loss)))
        assert all(np.isfinite(weights).all() for weights in model.get_weights())
    finally:
        keras.config.set_dtype_policy("float32")


BOTH = {"density": DENSITY, "fixation_map": COUNTS}


def test_a_weighted_sum_is_the_sum_of_its_losses_by_hand():
    """Two pictures of two pixels: squared errors .25, .04, .16, .01; 1 - CC is 0 and 2."""
    density = np.array([[0.5, 1.0], [0.6, 0.1]], "float32").reshape(2, 1, 2, 1)
    saliency_map = np.array([[0.0, 0.8], [0.2, 0.0]], "float32").reshape(2, 1, 2, 1)
    saliency_map[1, 0] = [[0.2], [0.2 + 1e-3]]  # rises where the density falls
    squared = [(0.25 + 0.04) / 2, (0.16 + (0.1 - 0.201) ** 2) / 2]
    terms = [(3.0, keras.losses.MeanSquaredError()), (0.5, losses.NegativeCC())]
    each = losses.WeightedSum(terms, reduction=None)(density, saliency_map)
    expected = [3 * squared[0] + 0.5 * 0, 3 * squared[1] + 0.5 * 2]
    np.testing.assert_allclose(np.asarray(each), expected, rtol=1e-4)
    mean = float(losses.WeightedSum(terms)(density, saliency_map))
    assert mean == pytest.approx(np.mean(expected), 1e-4)


def test_a_weighted_sum_hands_each_loss_its_own_target():
    loss = losses.weighted_sum({"kld": 1.0, "nss": 0.1})
    assert loss.target == ["density", "fixation_map"]
    expected = float(losses.KLD()(DENSITY, SALIENCY))
    expected += 0.1 * float(losses.NegativeNSS()(COUNTS, SALIENCY))
    assert float(loss(BOTH, SALIENCY)) == pytest.approx(expected, 1e-5)
    with pytest.raises(ValueError, match="needs a dict with density and fixation_map"):
        loss(DENSITY, SALIENCY)


def test_the_names_are_those_of_the_command_line():
    assert tuple(losses.NAMED) == recipes.LOSSES
    for name in recipes.LOSSES:
        loss = losses.weighted_sum({name: 1.0})
        assert type(loss) is losses.NAMED[name] and loss.name == name
        heavier = losses.weighted_sum({name: 2.5})
        target = target_of(loss)
        value = float(heavier(BOTH if name == "nss" else target, SALIENCY))
        assert value == pytest.approx(2.5 * float(loss(target, SALIENCY)), 1e-5)


def test_options_go_to_their_loss():
    options = {"kld": {"pixel_mean": True}}
    assert losses.weighted_sum({"kld": 1.0}, options).pixel_mean
    (_, kld), (_, cc) = losses.weighted_sum({"kld": 1.0, "cc": 2.0}, options).terms
    assert kld.pixel_mean and type(cc) is losses.NegativeCC


def test_a_weighted_sums_config_comes_back():
    loss = losses.weighted_sum({"mse": 2.0, "kld": 0.5, "nss": 0.1}, {"kld": {"epsilon": 0.01}})
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert [weight for weight, _ in twin.terms] == [2.0, 0.5, 0.1]
    assert twin.terms[1][1].epsilon == 0.01 and twin.target == loss.target
    assert float(twin(BOTH, SALIENCY)) == float(loss(BOTH, SALIENCY))


@pytest.mark.parametrize("weights", [{}, {"kld": 0.0}, {"kld": 1.0, "cc": -1.0}])
def test_weights_must_be_positive(weights):
    with pytest.raises(ValueError, match="positive weights"):
        losses.weighted_sum(weights)


def test_a_fixation_counts_at_its_cell_of_a_pooled_map():
    """NSS of pooled maps: of the pooled map's z, at the cells of the same fixations."""
    counts = np.zeros((1, 4, 8, 1), "float32")
    counts[0, [0, 1, 3], [0, 1, 7]] = [[2], [1], [1]]
    saliency_map = RNG.random((1, 4, 8, 1), "float32")
    pooled, looked = (np.asarray(keras.ops.average_pool(m, 2, 2)) for m in (saliency_map, counts))
    z = (pooled - pooled.mean()) / pooled.std(ddof=1)
    expected = -(3 * z[0, 0, 0, 0] + z[0, 1, 3, 0]) / 4
    assert float(losses.NegativeNSS()(looked, pooled)) == pytest.approx(expected, 1e-4)
