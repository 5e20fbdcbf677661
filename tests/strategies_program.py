"""Trains small networks of every kind on two devices of one machine; see test_strategies.py.

python tests/strategies_program.py OUT.pkl
python tests/strategies_program.py RUN_DIR train_salgan
"""

import os
import pickle
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZE = (32, 32)
PICTURES, VALIDATED = 13, 5  # not whole batches of 4
# By two devices: true and guessed.
SEEN = [
    [[1.0, 1.0, 0.0, 0.0], [0.9, 0.2, 0.1, 0.3]],
    [[0.0, 0.0, 0.0, 1.0], [0.8, 0.7, 0.9, 0.6]],
]
STEPPED_ONCE = [0.5, 2.0**14]  # the weight, and the scale, halved


def salgan(schedule):
    import keras

    from keras_saliency import SaliencyGAN, metrics, models
    from keras_saliency.optimizers import FusedAdam

    options = {"weights": None, "width": 1 / 16, "weight_decay": 1e-3}
    generator = models.SalGANGenerator((*SIZE, 3), **options)
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(SIZE, width=0.25, weight_decay=1e-3))
    gan.compile(
        keras.optimizers.SGD(0.01) if schedule == "content" else FusedAdam(1e-3),
        FusedAdam(1e-3),
        schedule=schedule,
        metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()],
    )
    return gan


def pix2pix():
    import keras

    from keras_saliency import SaliencyGAN, metrics, models

    generator = models.Pix2PixGenerator("cat2000", (48, 64, 3), width=1 / 16)
    gan = SaliencyGAN(generator, models.PatchGANDiscriminator((48, 64), 8, "batch"))
    gan.compile(
        keras.optimizers.SGD(1e-3),  # Adam makes steps of the rounding where a gradient is 0
        keras.optimizers.SGD(1e-3),
        content_loss=keras.losses.MeanAbsoluteError(),
        content_weight=10.0,
        content_downsample=1,
        adversarial_loss=keras.losses.BinaryCrossentropy(from_logits=True),
        schedule="joint",
        metrics=[metrics.CC()],
    )
    return gan


def juntingnet():
    import train_juntingnet

    # Normalizing by hardly any variance, as its own weights do, would make much of rounding.
    values = ["optimizer=sgd", "learning_rate=1e-3", "initializer=glorot"]
    args = train_juntingnet.parse_args(["--recipe", "small", "--size", "32x32", "--set", *values])
    network, _ = train_juntingnet.build(args, SIZE)
    train_juntingnet.compile_network(network, args)
    return network


CASES = {
    "content bfloat16": (lambda: salgan("content"), "mixed_bfloat16", SIZE, SIZE),
    "alternate": (lambda: salgan("alternate"), "float32", SIZE, SIZE),
    "pix2pix": (pix2pix, "float32", (48, 64), (48, 64)),
    "juntingnet": (juntingnet, "float32", SIZE, (16, 16)),
}


def train(strategy, case):
    """The history of two epochs, and by how much each weight moved, of one of `CASES`."""
    import keras

    from keras_saliency import pipeline, strategies
    from keras_saliency.datasets import synthetic

    make, policy, size, map_size = CASES[case]
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = make()
    before = [weight.numpy() for weight in model.trainable_variables]
    examples = synthetic.load(split="train", limit=PICTURES)
    source, validation = (
        pipeline.load(some, size, synthetic.SIGMA, map_size, lazy=True)
        for some in (examples, examples[:VALIDATED])
    )
    history = strategies.fit(
        model, source, validation, 4, 0, 2, callbacks=[], verbose=0,
        targets=None if hasattr(model, "generator") else lambda x, y: (x, y["density"]),
        augmentation={"mirror": True, "zoom": 0.2},
    ).history  # fmt: skip
    moves = [
        weight.numpy() - old for weight, old in zip(model.trainable_variables, before, strict=True)
    ]
    return history, moves


def unmended(strategy):
    """What Keras alone still gets wrong; see `mending.mended`."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.config.set_dtype_policy("float32")
    faults = []
    if overflowing(strategy, keras.optimizers.LossScaleOptimizer) != STEPPED_ONCE:
        faults.append("loss scale")
    with strategy.scope():
        dropout = keras.layers.Dropout(0.5, seed=1)
        dropout.build((None, 64))
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    masks = strategy.run(lambda: dropout(tf.ones((1, 64)), training=True)).values
    if np.array_equal(*masks):
        faults.append("dropout")
    data = tf.data.Dataset.from_tensor_slices((np.ones((3, 2)), np.ones((3, 1)))).batch(3)
    try:
        model.fit(data, shuffle=False, verbose=0)
    except tf.errors.InvalidArgumentError:
        faults.append("building")
    return faults


def overflowing(strategy, scaled):
    """A weight after two steps, the first of which overflows on the last device alone."""
    import keras
    import tensorflow as tf

    with strategy.scope():
        weight = keras.Variable([1.0])
        optimizer = scaled(keras.optimizers.SGD(1.0))
        optimizer.build([weight])

    @tf.function
    def steps():
        def step(gradient):
            last = tf.distribute.get_replica_context().replica_id_in_sync_group == 1
            gradient = tf.where(last, gradient, 0.25) * optimizer.dynamic_scale.value
            optimizer.apply([[gradient]], [weight])

        for gradient in (float("inf"), 0.25):
            strategy.run(step, args=(tf.constant(gradient),))

    steps()
    return [float(weight.numpy()[0]), float(optimizer.dynamic_scale.numpy())]


def metrics():
    """Keras' own that have a result of their own, or are no `Mean`."""
    import keras

    return [keras.metrics.RootMeanSquaredError(), keras.metrics.BinaryIoU(threshold=0.5)]


def seen_together(strategy, metrics):
    """The results of the metrics, of which each device has seen its part of `SEEN`."""
    import tensorflow as tf

    from keras_saliency import replicas

    def of_one():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        for metric in metrics:
            metric.update_state(*tf.unstack(tf.constant(SEEN)[replica]))
        return replicas.results(metrics)

    found = tf.function(lambda: strategy.run(of_one))()
    return {name: float(value.values[0]) for name, value in found.items()}


def refused(strategy):
    """What is said of a metric whose variables are not added up."""
    import keras

    with strategy.scope():
        metric = keras.metrics.Mean("kept")
        metric.add_variable((), "zeros", aggregation="mean")
    metric.update_state = lambda *_: None
    try:
        seen_together(strategy, [metric])
    except ValueError as error:
        return str(error)
    return ""


def train_salgan(run_dir):
    """A whole run of the script."""
    from unittest import mock

    import train_salgan

    tiny = {"size": SIZE, "batch_size": 2, "content_epochs": 1, "epochs": 1, "width": 1 / 16}
    with (
        mock.patch.dict(train_salgan.RECIPES, synthetic={**train_salgan.QUICK, **tiny}),
        mock.patch.dict(train_salgan.SAVE_EVERY, adversarial=1),
    ):
        train_salgan.main(["--run-dir", run_dir, "--limit", "4", "--strategy", "mirrored"])


def main(out, what="cases"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "experiments"))
    from keras_saliency import strategies, training

    training.load_tensorflow()
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    if what == "train_salgan":
        train_salgan(out)
        return
    strategy = strategies.begin("mirrored")
    from keras_saliency import optimizers

    found = {case: train(strategy, case) for case in CASES}
    found["overflowing"] = overflowing(strategy, optimizers.LossScale)
    with strategy.scope():
        some = metrics()
    found["metrics"] = seen_together(strategy, some)
    found["refused"] = refused(strategy)
    found["unmended"] = unmended(strategy)
    with open(out, "wb") as file:
        pickle.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
