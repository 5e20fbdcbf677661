import functools
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_saliency import checkpoints, losses, metrics, scores
from keras_saliency.errors import InputError


def adam():
    return keras.optimizers.Adam(1e-3)


def snapshot(network):
    return [v.numpy() for v in network.trainable_variables]


def moved(before, network):
    return any(
        not np.array_equal(old, new.numpy())
        for old, new in zip(before, network.trainable_variables, strict=True)
    )


def compiled(gan, schedule="alternate", **options):
    options.setdefault("metrics", [metrics.NSS(), metrics.CC()])
    gan.compile(adam(), adam(), schedule=schedule, **options)
    return gan


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    ("schedule", "turns"),
    [
        ("content", [(True, False), (True, False)]),
        ("alternate", [(False, True), (True, False), (False, True)]),
        ("joint", [(True, True), (True, True)]),
    ],
)
def test_each_network_moves_in_its_own_turn_only(small_gan, batch, schedule, turns, jit_compile):
    gan = compiled(small_gan(), schedule, jit_compile=jit_compile)
    seen = []
    for _ in turns:
        before = snapshot(gan.generator), snapshot(gan.discriminator)
        gan.train_on_batch(*batch)
        seen.append((moved(before[0], gan.generator), moved(before[1], gan.discriminator)))
    assert seen == turns


def test_generator_loss_is_weighted_content_plus_adversarial(small_gan, batch):
    """One joint step against the formulas: the discriminator's first, then the generator's."""
    gan = compiled(small_gan(), "joint", content_weight=0.3)
    stimulus, targets = batch
    stimulus = tf.constant(stimulus)
    fake = gan.generator(stimulus)
    d_real = gan.discriminator([stimulus, tf.constant(targets["density"])]).numpy()
    d_fake = gan.discriminator([stimulus, fake]).numpy()
    pool = [tf.nn.avg_pool2d(m, 4, 4, "VALID").numpy() for m in (targets["density"], fake)]
    content = -np.mean(pool[0] * np.log(pool[1]) + (1 - pool[0]) * np.log(1 - pool[1]))
    logs = gan.train_on_batch(stimulus, targets, return_dict=True)
    assert logs["content_loss"] == pytest.approx(content, rel=1e-4)
    # The same maps, judged by the discriminator as its step has left it.
    judged_anew = gan.discriminator([stimulus, fake]).numpy()
    assert logs["adversarial_loss"] == pytest.approx(-np.mean(np.log(judged_anew)), rel=1e-4)
    assert np.abs(judged_anew - d_fake).max() > 1e-3
    expected = 0.3 * logs["content_loss"] + logs["adversarial_loss"]
    assert logs["generator_loss"] == pytest.approx(expected, rel=1e-4)
    judged = -np.mean(np.log(d_real)) - np.mean(np.log(1 - d_fake))
    assert logs["discriminator_loss"] == pytest.approx(judged / 2, rel=1e-4)
    assert logs["d_real"] == pytest.approx(d_real.mean(), rel=1e-4)
    assert logs["d_fake"] == pytest.approx(d_fake.mean(), rel=1e-4)


def test_discriminator_reduction_sum_is_twice_the_mean(small_gan, batch):
    values = []
    for reduction in ("mean", "sum"):
        keras.utils.set_random_seed(3)
        gan = compiled(small_gan(), "joint", discriminator_reduction=reduction)
        values.append(gan.train_on_batch(*batch, return_dict=True)["discriminator_loss"])
    assert values[1] == pytest.approx(2 * values[0], rel=1e-5)


def counting(network, name, calls, monkeypatch):
    """Counts a network's calls in `calls[name]`."""
    call = network.call

    @functools.wraps(call)
    def counted(*args, **kwargs):
        calls[name] += 1
        return call(*args, **kwargs)

    monkeypatch.setattr(network, "call", counted)


def test_a_generator_step_runs_each_network_once(small_gan, batch, monkeypatch):
    gan = compiled(small_gan(), "alternate", run_eagerly=True)
    calls = {"generator": 0, "discriminator": 0}
    counting(gan.generator, "generator", calls, monkeypatch)
    counting(gan.discriminator, "discriminator", calls, monkeypatch)
    gan.train_on_batch(*batch)
    assert calls == {"generator": 1, "discriminator": 2}
    gan.train_on_batch(*batch)
    assert calls == {"generator": 2, "discriminator": 3}


def test_a_joint_step_makes_its_maps_once(small_gan, batch, monkeypatch):
    gan = compiled(small_gan(), "joint", run_eagerly=True)
    calls = {"generator": 0, "discriminator": 0}
    counting(gan.generator, "generator", calls, monkeypatch)
    counting(gan.discriminator, "discriminator", calls, monkeypatch)
    gan.train_on_batch(*batch)
    assert calls == {"generator": 1, "discriminator": 3}


def test_a_joint_step_moves_each_network_along_its_own_gradient(small_gan, batch):
    """SGD of rate 1 steps by the gradient: the discriminator, then the generator."""
    gan = small_gan()
    sgd = [keras.optimizers.SGD(1.0) for _ in range(2)]
    gan.compile(*sgd, schedule="joint", content_weight=0.5, jit_compile=False)
    stimulus, density = (tf.constant(each) for each in (batch[0], batch[1]["density"]))
    crossentropy, content = keras.losses.BinaryCrossentropy(), gan.content_loss
    before = snapshot(gan.generator), snapshot(gan.discriminator)
    with tf.GradientTape() as tape:
        d_real = gan.discriminator([stimulus, density], training=True)
        fake = tf.stop_gradient(gan.generator(stimulus, training=True))
        d_fake = gan.discriminator([stimulus, fake], training=True)
        loss = crossentropy(tf.ones_like(d_real), d_real)
        loss = (loss + crossentropy(tf.zeros_like(d_fake), d_fake)) / 2
    d_gradients = tape.gradient(loss, gan.discriminator.trainable_variables)
    gan.train_on_batch(*batch)
    after = snapshot(gan.generator), snapshot(gan.discriminator)
    for old, new, gradient in zip(before[1], after[1], d_gradients, strict=True):
        np.testing.assert_allclose(new, old - gradient.numpy(), atol=1e-5)
    for variable, old in zip(gan.generator.trainable_variables, before[0], strict=True):
        variable.assign(old)
    with tf.GradientTape() as tape:
        fake = gan.generator(stimulus, training=True)
        judged = gan.discriminator([stimulus, fake], training=True)
        pooled = [tf.nn.avg_pool2d(each, 4, 4, "VALID") for each in (density, fake)]
        loss = 0.5 * content(*pooled) + crossentropy(tf.ones_like(judged), judged)
    g_gradients = tape.gradient(loss, gan.generator.trainable_variables)
    for old, new, gradient in zip(before[0], after[0], g_gradients, strict=True):
        np.testing.assert_allclose(new, old - gradient.numpy(), atol=1e-5)


def test_weight_decay_is_part_of_the_loss(batch):
    from keras_saliency import SaliencyGAN, models

    generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16, weight_decay=0.01)
    gan = SaliencyGAN(generator, models.SalGANDiscriminator((32, 32), width=0.25))
    compiled(gan, "content")
    penalty = float(sum(generator.losses))
    logs = gan.train_on_batch(*batch, return_dict=True)
    assert penalty > 0
    assert logs["generator_loss"] - logs["content_loss"] == pytest.approx(penalty, rel=1e-4)


def test_each_metric_gets_the_map_it_names(small_gan, batch):
    gan = compiled(small_gan(), metrics=[metrics.NSS(), metrics.KLD()])
    stimulus, targets = batch
    logs = gan.evaluate(stimulus, targets, verbose=0, return_dict=True)
    prediction = gan.predict(stimulus, verbose=0)
    assert logs["nss"] == pytest.approx(
        np.mean(scores.nss(targets["fixation_map"], prediction)), abs=1e-5
    )
    assert logs["kld"] == pytest.approx(np.mean(scores.kld(targets["density"], prediction)), 1e-4)


def test_predict_is_the_generator(small_gan, batch):
    gan = compiled(small_gan())
    np.testing.assert_array_equal(
        gan.predict(batch[0], verbose=0), gan.generator.predict(batch[0], verbose=0)
    )


def test_logits_need_no_sigmoid(batch):
    from keras_saliency import SaliencyGAN, models

    stimulus, saliency_map = keras.Input((32, 32, 3)), keras.Input((32, 32, 1))
    pair = keras.layers.Concatenate()([stimulus, saliency_map])
    patches = keras.layers.Conv2D(1, 4, strides=4)(pair)
    generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    gan = SaliencyGAN(generator, keras.Model([stimulus, saliency_map], patches))
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    logs = compiled(gan, "joint", adversarial_loss=logits).train_on_batch(*batch, return_dict=True)
    assert 0 <= logs["d_real"] <= 1 and np.isfinite(logs["discriminator_loss"])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_saved_and_loaded_it_trains_on_exactly(small_gan, batch, tmp_path, policy):
    keras.config.set_dtype_policy(policy)
    gan = compiled(small_gan(), "alternate", content_weight=0.2)
    gan.fit(*batch, batch_size=4, epochs=2, verbose=0, shuffle=False)
    gan.train_on_batch(*batch)  # an odd number of turns
    gan.save(tmp_path / "gan.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert loaded.schedule == "alternate" and loaded.content_weight == 0.2
    for name in ("generator_optimizer", "discriminator_optimizer"):
        ours, theirs = getattr(gan, name).variables, getattr(loaded, name).variables
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    logs = [
        model.fit(*batch, batch_size=4, verbose=0, shuffle=False).history for model in (gan, loaded)
    ]
    assert logs[0] == logs[1]


def test_each_optimizer_has_its_own_loss_scale(small_gan):
    keras.config.set_dtype_policy("mixed_float16")
    gan = compiled(small_gan())
    scaled = keras.optimizers.LossScaleOptimizer
    assert isinstance(gan.generator_optimizer, scaled)
    assert isinstance(gan.discriminator_optimizer, scaled)
    assert gan.generator_optimizer is not gan.discriminator_optimizer
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert not isinstance(compiled(small_gan()).generator_optimizer, scaled)


def test_turns_apart_are_one_step_an_execution(small_gan, monkeypatch):
    gan = compiled(small_gan(), "alternate")
    monkeypatch.setattr(gan, "_turns_apart", lambda: True)
    gan.make_train_function()
    gan.steps_per_execution = 4  # as the scripts do, after `compile`
    with pytest.raises(ValueError, match="Received: 4"):
        gan.make_train_function()


def test_an_overflow_skips_one_network_and_not_the_other(small_gan, batch):
    keras.config.set_dtype_policy("mixed_float16")
    gan = compiled(small_gan(), "joint", content_weight=float("inf"))
    before = snapshot(gan.generator), snapshot(gan.discriminator)
    gan.train_on_batch(*batch)
    assert not moved(before[0], gan.generator)
    assert moved(before[1], gan.discriminator)
    scales = [
        o.dynamic_scale.numpy() for o in (gan.generator_optimizer, gan.discriminator_optimizer)
    ]
    assert scales[0] == scales[1] / 2


def test_bfloat16_losses_are_float32s(small_gan, batch):
    values = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(5)
        gan = compiled(small_gan(), "joint")
        values.append(gan.train_on_batch(*batch, return_dict=True)["generator_loss"])
    assert values[0] == pytest.approx(values[1], rel=0.02)


def test_a_checkpoint_brings_everything_back(small_gan, batch, tmp_path):
    keras.utils.set_random_seed(1)
    gan = compiled(small_gan())
    gan.fit(*batch, batch_size=4, verbose=0, shuffle=False)
    checkpoints.save(str(tmp_path), gan, "adversarial", 3)
    expected = gan.fit(*batch, batch_size=4, verbose=0, shuffle=False).history
    other = compiled(small_gan())
    last = checkpoints.last(str(tmp_path))
    assert last[1:] == ("adversarial", 3, 0)
    checkpoints.restore(last.path, other)
    assert other.fit(*batch, batch_size=4, verbose=0, shuffle=False).history == expected


def test_the_last_two_checkpoints_stay(small_gan, tmp_path):
    gan = compiled(small_gan())
    for epoch in (9, 10, 11):
        checkpoints.save(str(tmp_path), gan, "content", epoch)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["epoch_0010.npz", "epoch_0011.npz"]


def test_a_checkpoint_of_another_size_is_refused_whole(small_gan, tmp_path):
    from keras_saliency import SaliencyGAN, models

    checkpoints.save(str(tmp_path), compiled(small_gan()), "content", 1)
    generator = models.SalGANGenerator((32, 64, 3), weights=None, width=1 / 16)
    other = compiled(SaliencyGAN(generator, models.SalGANDiscriminator((32, 64), width=0.25)))
    before = snapshot(generator)
    with pytest.raises(InputError, match="another network"):
        checkpoints.restore(checkpoints.last(str(tmp_path)).path, other)
    assert not moved(before, generator)


def test_a_damaged_or_foreign_checkpoint_is_named(small_gan, tmp_path):
    gan = compiled(small_gan(), "content")
    (tmp_path / "epoch_0001.npz").write_bytes(b"PK damaged")
    with pytest.raises(InputError, match=r"epoch_0001\.npz is damaged"):
        checkpoints.last(str(tmp_path))
    foreign = str(tmp_path / "epoch_0002.npz")
    checkpoints.write(foreign, phase="content", epoch=2, step=0, v0=np.zeros(3))
    with pytest.raises(InputError, match="another network"):
        checkpoints.restore(foreign, gan)


def test_wrong_arguments_are_named(small_gan):
    gan = small_gan()
    with pytest.raises(ValueError, match="`schedule` must be one of"):
        compiled(gan, "both")
    with pytest.raises(ValueError, match="discriminator_reduction"):
        compiled(gan, discriminator_reduction="max")
    with pytest.raises(ValueError, match="needs a `discriminator_optimizer`"):
        gan.compile(adam(), schedule="joint")


def test_fixation_losses_get_the_fixation_map(small_gan, batch):
    """NegativeNSS falls when it is the content loss, so it saw the right target."""
    gan = small_gan()
    loss = losses.NegativeNSS()
    gan.compile(adam(), schedule="content", content_loss=loss, content_downsample=1)
    stimulus, targets = batch
    expected = -np.mean(scores.nss(targets["fixation_map"], gan.generator(stimulus)))
    logs = gan.train_on_batch(stimulus, targets, return_dict=True)
    assert logs["content_loss"] == pytest.approx(expected, rel=1e-4)


def test_a_sum_of_losses_is_shown_term_by_term(small_gan, batch):
    """Of pooled maps; what is weighted and added up is the content loss."""
    gan = small_gan()
    weights = {"kld": 1.0, "cc": 0.5, "nss": 0.1}
    compiled(gan, "joint", content_loss=losses.weighted_sum(weights), content_downsample=2)
    stimulus, targets = batch
    logs = gan.evaluate(stimulus, targets, batch_size=5, verbose=0, return_dict=True)
    pool = {name: tf.nn.avg_pool2d(m, 2, 2, "VALID") for name, m in targets.items()}
    maps = tf.nn.avg_pool2d(gan.generator(stimulus), 2, 2, "VALID")
    expected = {
        "kld_loss": float(losses.KLD()(pool["density"], maps)),
        "cc_loss": float(losses.NegativeCC()(pool["density"], maps)),
        "nss_loss": float(losses.NegativeNSS()(pool["fixation_map"], maps)),
    }
    assert {name: logs[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    total = sum(w * logs[f"{name}_loss"] for name, w in weights.items())
    assert logs["content_loss"] == pytest.approx(total, rel=1e-5)
    assert {*expected, "generator_loss"} <= set(gan.train_on_batch(*batch, return_dict=True))
    with pytest.raises(ValueError, match="needs the fixation_map"):
        gan.evaluate(stimulus, targets["density"], verbose=0)


def test_training_on_a_sum_of_losses_lowers_it(small_gan, batch, tmp_path):
    keras.utils.set_random_seed(2)
    gan = small_gan()
    loss = losses.weighted_sum({"kld": 1.0, "nss": 0.2, "mse": 3.0})
    compiled(gan, "content", content_loss=loss, metrics=[])
    seen = gan.fit(*batch, batch_size=8, epochs=12, verbose=0).history["content_loss"]
    assert seen[-1] < seen[0] - 0.01
    gan.save(tmp_path / "gan.keras")
    loaded = keras.models.load_model(tmp_path / "gan.keras")
    assert [weight for weight, _ in loaded.content_loss.terms] == [1.0, 0.2, 3.0]
    values = [g.evaluate(*batch, verbose=0, return_dict=True) for g in (gan, loaded)]
    assert values[0] == values[1]


def test_without_a_fixation_map_a_score_of_fixations_is_refused(small_gan, batch):
    stimulus, targets = batch
    gan = compiled(small_gan(), run_eagerly=True)
    with pytest.raises(ValueError, match="nss needs the fixation_map"):
        gan.evaluate(stimulus, targets["density"], verbose=0)
    compiled(gan, metrics=[metrics.CC()]).evaluate(stimulus, targets["density"], verbose=0)


def test_losses_may_be_named_but_not_be_plain_functions(small_gan):
    gan = compiled(small_gan(), content_loss="MeanSquaredError")
    assert isinstance(gan.content_loss, keras.losses.MeanSquaredError)
    with pytest.raises(ValueError, match="Wanted a `keras"):
        compiled(small_gan(), content_loss=keras.losses.mean_squared_error)


def test_validation_weighs_pictures_not_batches(small_gan, batch):
    gan = compiled(small_gan())
    values = [
        gan.evaluate(*batch, batch_size=size, verbose=0, return_dict=True)["content_loss"]
        for size in (8, 5)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


TWO_DEVICES = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
from keras_saliency import SaliencyGAN, models
from keras_saliency.optimizers import FusedAdam

def history(strategy):
    keras.utils.set_random_seed(1)
    with strategy.scope():
        generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
        gan = SaliencyGAN(generator, models.SalGANDiscriminator((32, 32), width=0.25))
        optimizers = [keras.optimizers.SGD(0.1), FusedAdam(1e-3)]
        gan.compile(*optimizers, schedule="joint", jit_compile=False)
    random = np.random.default_rng(0)
    data = random.random((8, 32, 32, 3)) * 255, random.random((8, 32, 32, 1))
    begin = [v.numpy() for v in gan.discriminator.trainable_variables]
    found = gan.fit(*data, batch_size=8, epochs=3, verbose=0).history
    moved = [v.numpy() - b for v, b in zip(gan.discriminator.trainable_variables, begin)]
    assert 2e-3 < max(abs(step).max() for step in moved) < 4e-3  # Adam took three of 1e-3
    return found

one = history(tf.distribute.get_strategy())
two = history(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for name in one:
    np.testing.assert_allclose(one[name], two[name], rtol=1e-4)
"""


def test_two_devices_train_as_one():
    subprocess.run([sys.executable, "-c", TWO_DEVICES], check=True)


@pytest.mark.parametrize("schedule", ["content", "alternate", "joint"])
def test_several_steps_at_once_are_the_same_steps(small_gan, batch, schedule):
    histories, weights = [], []
    for at_once in (1, 3):
        keras.utils.set_random_seed(5)
        gan = compiled(small_gan(), schedule, steps_per_execution=at_once, jit_compile=False)
        data = tf.data.Dataset.from_tensor_slices(batch).batch(2, drop_remainder=True).repeat()
        history = gan.fit(data, steps_per_epoch=6, epochs=2, verbose=0, shuffle=False)
        histories.append(history.history)
        weights.append(gan.get_weights())
    assert histories[0] == histories[1]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
