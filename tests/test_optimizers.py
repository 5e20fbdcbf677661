"""FusedAdam takes Keras' Adam's steps, FusedSGD takes Keras' SGD's."""

import keras
import numpy as np
import pytest

from keras_saliency.optimizers import FusedAdam, FusedSGD, LossScale, ready


def trained(cls, steps=12, **options):
    """The weights after some steps, and the optimizer."""
    random = np.random.default_rng(0)
    weights = [
        keras.Variable(random.normal(size=shape), dtype="float32") for shape in ((3, 4), (5,), ())
    ]
    optimizer = cls(**options)
    for _ in range(steps):
        optimizer.apply([random.normal(size=w.shape).astype("float32") for w in weights], weights)
    return [w.numpy() for w in weights], optimizer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"learning_rate": 0.1, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"learning_rate": 0.1, "amsgrad": True},
        {"learning_rate": 0.1, "weight_decay": 0.1},
        {"learning_rate": 0.1, "clipnorm": 0.1},
        {"learning_rate": 0.1, "use_ema": True, "ema_overwrite_frequency": 3},
        {"learning_rate": 0.1, "gradient_accumulation_steps": 3},
        {"learning_rate": keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.1, 0.01])},
    ],
    ids=lambda options: "-".join(options) or "default",
)
def test_the_same_steps(options):
    expected, reference = trained(keras.optimizers.Adam, **options)
    found, optimizer = trained(FusedAdam, **options)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)  # of steps of 0.1
    for a, b in zip(optimizer.variables, reference.variables, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=1e-5)


def test_the_state_of_adam_goes_on_in_it():
    """Saved by one, loaded by the other: the slots are the same."""
    random = np.random.default_rng(1)
    weights = {
        cls: keras.Variable(np.ones(6), dtype="float32")
        for cls in (keras.optimizers.Adam, FusedAdam)
    }
    optimizers = {cls: cls(0.1) for cls in weights}
    gradient = random.normal(size=6).astype("float32")
    for cls, optimizer in optimizers.items():
        optimizer.build([weights[cls]])
    adam = keras.optimizers.Adam
    optimizers[adam].apply([gradient], [weights[adam]])
    weights[FusedAdam].assign(weights[adam])
    for mine, its in zip(optimizers[FusedAdam].variables, optimizers[adam].variables, strict=True):
        mine.assign(its)
    for cls, optimizer in optimizers.items():
        optimizer.apply([gradient], [weights[cls]])
    np.testing.assert_allclose(weights[FusedAdam].numpy(), weights[adam].numpy(), rtol=1e-6)


def test_the_fused_kernel_is_what_runs(monkeypatch):
    from keras_saliency import kernels

    steps = []
    monkeypatch.setattr(kernels, "adam_step", lambda *arguments: steps.append(arguments))
    trained(FusedAdam, steps=1)
    trained(FusedAdam, steps=1, amsgrad=True)  # not this one
    assert len(steps) == 3


@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_a_compiled_model_and_saved(tmp_path, jit_compile):
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 2), "float32")
    losses = {}
    for cls in (keras.optimizers.Adam, FusedAdam):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(cls(0.01), "mse", jit_compile=jit_compile)
        model.fit(x, y, verbose=0, epochs=2)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert type(loaded.optimizer) is cls
        losses[cls] = loaded.fit(x, y, verbose=0, epochs=3).history["loss"]
    np.testing.assert_allclose(*losses.values(), rtol=1e-5)


def test_with_float16_it_goes_under_a_loss_scale():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="mixed_float16")])
    model.compile(keras.optimizers.LossScaleOptimizer(FusedAdam(0.01)), "mse")
    before = model.get_weights()[0]
    model.fit(np.ones((8, 3)), np.zeros((8, 2)), verbose=0)
    assert np.abs(model.get_weights()[0] - before).max() == pytest.approx(0.01, rel=0.1)


def test_keras_own_loss_scale_becomes_one_for_several_devices():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="mixed_float16")])
    inner = keras.optimizers.SGD(0.1)
    given = keras.optimizers.LossScaleOptimizer(inner, 8.0, dynamic_growth_steps=5, name="mine")
    found = ready(given, model)
    assert type(found) is LossScale and found.inner_optimizer is inner
    assert found.get_config() == given.get_config()
    assert float(found.dynamic_scale) == 8.0

    found = keras.optimizers.LossScaleOptimizer(inner, 8.0)
    found.build(model.trainable_variables)
    found.dynamic_scale.assign(2.0)
    found.step_counter.assign(3)
    found = ready(found, model)
    assert float(found.dynamic_scale) == 2.0 and int(found.step_counter) == 3
    count = len(found.variables)
    assert ready(found, model) is found and len(found.variables) == count


def test_weights_that_are_not_float32_go_keras_way():
    weight = keras.Variable(np.ones(3), dtype="float64")
    FusedAdam(0.1).apply([np.ones(3)], [weight])
    np.testing.assert_allclose(weight.numpy(), 0.9, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1, "clipnorm": 0.1},
        {"momentum": 0.9, "gradient_accumulation_steps": 3},
        {
            "momentum": 0.9,
            "learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
        },
    ],
    ids=lambda options: "-".join(options) or "default",
)
def test_the_same_steps_of_sgd(options):
    expected, reference = trained(keras.optimizers.SGD, **options)
    found, optimizer = trained(FusedSGD, **options)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for a, b in zip(optimizer.variables, reference.variables, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_the_fused_kernel_of_sgd_is_what_runs(monkeypatch):
    from keras_saliency import kernels

    steps = []
    monkeypatch.setattr(kernels, "momentum_step", lambda *arguments: steps.append(arguments))
    trained(FusedSGD, steps=1, momentum=0.9)
    trained(FusedSGD, steps=1)  # not this one
    assert len(steps) == 3


def test_sgd_in_a_compiled_model_with_a_rate_that_is_set(tmp_path):
    """As train_juntingnet.py does it: a scheduler sets each epoch's rate."""
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 2), "float32")
    losses = {}
    for cls in (keras.optimizers.SGD, FusedSGD):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(cls(0.01, momentum=0.9, nesterov=True), "mse", jit_compile=False)
        rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))
        model.fit(x, y, verbose=0, epochs=3, callbacks=[rates])
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert type(loaded.optimizer) is cls
        losses[cls] = loaded.fit(x, y, verbose=0, epochs=3).history["loss"]
    np.testing.assert_allclose(*losses.values(), rtol=1e-5)


@pytest.mark.parametrize("amsgrad", [False, True])  # with TensorFlow's kernel, and without
def test_what_is_slowed_takes_smaller_steps(amsgrad):
    weights = [keras.Variable(np.ones(3), dtype="float32", name=name) for name in ("old", "new")]
    optimizer = FusedAdam(0.1, slowed=["old"], slowdown=0.1, amsgrad=amsgrad)
    optimizer = FusedAdam.from_config(optimizer.get_config())
    optimizer.apply([np.ones(3, "float32")] * 2, weights)
    steps = [1 - weight.numpy() for weight in weights]
    np.testing.assert_allclose(steps, [[0.01] * 3, [0.1] * 3], rtol=1e-4)
