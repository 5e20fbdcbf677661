"""Whatever the precision policy: maps, losses, scores and statistics are float32, and finite."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_saliency import (
    SaliencyGAN,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    pipeline,
    scores,
)
from keras_saliency.datasets import synthetic

POLICIES = ("mixed_bfloat16", "mixed_float16")
SIZE = (32, 48)
NETWORKS = {
    "salgan": lambda: models.SalGANGenerator((*SIZE, 3), weights=None, width=1 / 16),
    "salgan mobilenet": lambda: models.SalGANGenerator(
        (*SIZE, 3), "mobilenet", weights=None, width=0.25
    ),
    "salgan discriminator": lambda: models.SalGANDiscriminator(SIZE, width=1 / 8),
    "salgan discriminator code": lambda: models.SalGANDiscriminator(SIZE, "code", width=1 / 8),
    "pix2pix": lambda: models.Pix2PixGenerator(input_shape=(48, 64, 3), width=1 / 32),
    "pix2pix B, batches": lambda: models.Pix2PixGenerator(
        input_shape=(48, 64, 3), layout="B", normalization="batch", width=1 / 32
    ),
    "isola256": lambda: models.Pix2PixGenerator("isola256", width=1 / 64),
    "patchgan": lambda: models.PatchGANDiscriminator((48, 64), filters=4),
    "juntingnet": lambda: models.JuntingNet(input_shape=(32, 32, 3), batch_norm=True),
    "juntingnet softmax": lambda: models.JuntingNet("bristol2020", "softmax", (32, 32, 3)),
    "juntingnet blurred": lambda: models.post_processed(
        models.JuntingNet(input_shape=(32, 32, 3)), "resize_then_blur", 2.0, (32, 32)
    ),
}
LOSSES = {
    "density crossentropy": losses.DensityCrossentropy,
    "kld": losses.KLD,
    "kld softmax": lambda: losses.KLD(target_distribution="softmax", pixel_mean=True),
    "bhattacharyya": losses.Bhattacharyya,
    "negative cc": losses.NegativeCC,
    "negative nss": losses.NegativeNSS,
    "weighted sum": lambda: losses.weighted_sum({"kld": 1.0, "cc": 0.5, "mse": 1e-9}),
}
METRICS = {
    "nss": metrics.NSS,
    "cc": metrics.CC,
    "sim": metrics.SIM,
    "kld": metrics.KLD,
    "information gain": lambda: metrics.InformationGain(halves()[0][0].astype("float32")),
}


def halves():
    """Density, fixation map and saliency map in float16, which no sum of them fits in."""
    random = np.random.default_rng(0)
    density, saliency_map = random.random((2, 4, 32, 48, 1)) * 60000
    looked = random.random(density.shape) > 0.9
    return density.astype("float16"), looked.astype("float16"), saliency_map.astype("float16")


def name_of(dtype):
    return keras.backend.standardize_dtype(dtype)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_networks_output_weights_and_statistics_are_float32(name, policy):
    keras.config.set_dtype_policy(policy)
    network = NETWORKS[name]()
    # Not all of it is: else the policy had not reached the network.
    assert any(layer.compute_dtype == policy[6:] for layer in network.layers)
    assert name_of(network.output.dtype) == "float32"
    numbers = [v for v in network.variables if "seed" not in v.path]
    assert {name_of(v.dtype) for v in numbers} == {"float32"}
    brightest = [np.full((2, *tensor.shape[1:]), 255.0, "float32") for tensor in network.inputs]
    brightest[0][1, ::2] = 0
    brightest[1:] = [each / 255 for each in brightest[1:]]
    found = network(brightest if len(brightest) > 1 else brightest[0], training=True)
    assert name_of(found.dtype) == "float32" and np.isfinite(found).all()
    assert all(np.isfinite(v).all() for v in network.weights)


@pytest.mark.parametrize("policy", POLICIES)
def test_statistics_are_taken_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    # The squares of these are beyond float16, and their spread is lost in bfloat16's.
    random = np.random.default_rng(0)
    x = np.round(random.normal(0, 4, (2, 16, 16, 3))) + 400
    for layer in (layers.InstanceNormalization(), keras.layers.BatchNormalization()):
        found = np.asarray(ops.cast(layer(x.astype(policy[6:]), training=True), "float32"))
        axes = (1, 2) if isinstance(layer, layers.InstanceNormalization) else (0, 1, 2)
        given = np.asarray(ops.convert_to_numpy(ops.cast(ops.cast(x, policy[6:]), "float32")))
        wanted = (given - given.mean(axes, keepdims=True)) / given.std(axes, keepdims=True)
        np.testing.assert_allclose(found, wanted, atol=0.03)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_whatever_comes_in(name, policy):
    keras.config.set_dtype_policy(policy)
    loss = LOSSES[name]()
    density, looked, saliency_map = halves()
    if name in ("density crossentropy", "kld softmax"):  # of values 0-1
        density, saliency_map = density / 65504, saliency_map / 65504
    target = looked if getattr(loss, "target", "") == "fixation_map" else density
    found = loss(target, saliency_map)
    assert name_of(found.dtype) == "float32" and np.isfinite(found)
    wanted = loss(target.astype("float32"), saliency_map.astype("float32"))
    assert float(found) == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_float32_whatever_comes_in(name, policy):
    keras.config.set_dtype_policy(policy)
    density, looked, saliency_map = halves()
    found = []
    for dtype in ("float16", "float32"):
        metric = METRICS[name]()
        target = looked if metric.target == "fixation_map" else density
        metric.update_state(target.astype(dtype), saliency_map.astype(dtype))
        found.append(metric.result())
        assert {name_of(v.dtype) for v in metric.variables} == {"float32"}
    assert name_of(found[0].dtype) == "float32" and np.isfinite(found[0])
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-6)


@pytest.mark.parametrize("score", [scores.cc, scores.sim, scores.kld, scores.nss])
def test_scores_are_float32_whatever_comes_in(score):
    keras.config.set_dtype_policy("mixed_float16")
    density, _, saliency_map = halves()
    found = score(density, saliency_map)
    assert name_of(found.dtype) == "float32" and np.isfinite(found).all()


def scores_of_seeds(policy, size, seeds):
    """NSS and CC on test scenes after a short training, of every seed."""
    keras.config.set_dtype_policy(policy)
    source, judged = (
        pipeline.load(synthetic.load(split, limit=limit, size=size), size, 4.0)
        for split, limit in (("train", 96), ("test", 40))
    )
    network = lambda: models.SalGANGenerator((*size, 3), weights=None, width=1 / 8)  # noqa: E731
    gan = SaliencyGAN(network(), models.SalGANDiscriminator(size, width=0.25))
    adam = optimizers.FusedAdam(1e-3)
    gan.compile(adam, schedule="content", metrics=[metrics.NSS(), metrics.CC()], jit_compile=False)
    untrained, found = [v.numpy() for v in adam.variables], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        gan.generator.set_weights(network().get_weights())
        for variable, value in zip(adam.variables, untrained, strict=True):
            variable.assign(value)
        data = pipeline.epochs(source, 8, seed=seed)
        gan.fit(data, steps_per_epoch=12, epochs=7, verbose=0, shuffle=False)
        judgement = gan.evaluate(pipeline.once(judged, 8), verbose=0, return_dict=True)
        found.append([judgement["nss"], judgement["cc"]])
    return np.array(found)


def test_a_mixed_run_scores_as_another_seed_would():
    exact, mixed = (
        scores_of_seeds(policy, (48, 64), range(3)) for policy in ("float32", "mixed_bfloat16")
    )
    assert (exact.mean(0) > [0.3, 0.15]).all()  # else nothing was learned that could be lost
    spread = np.sqrt((exact.var(0, ddof=1) + mixed.var(0, ddof=1)) / 2)
    assert (abs(mixed.mean(0) - exact.mean(0)) < 3 * spread).all()
