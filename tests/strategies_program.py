"""Trains small networks of every kind on one or more devices; see test_strategies.py.

    python tests/strategies_program.py none|mirrored|multiworker OUT.npz CASE...
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZE = (32, 32)
PICTURES, VALIDATED = 13, 5  # not whole batches of 4


def salgan(schedule, policy="float32"):
    import keras

    from keras_saliency import SaliencyGAN, metrics, models
    from keras_saliency.optimizers import FusedAdam

    options = {"weights": None, "width": 1 / 16, "weight_decay": 1e-3}
    generator = models.SalGANGenerator((*SIZE, 3), **options)
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(SIZE, width=0.25, weight_decay=1e-3))
    gan.compile(
        keras.optimizers.Adagrad(0.01) if schedule == "content" else FusedAdam(1e-3),
        FusedAdam(1e-3),
        schedule=schedule,
        metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()],
    )
    return gan


def pix2pix():
    import keras

    from keras_saliency import SaliencyGAN, metrics, models
    from keras_saliency.optimizers import FusedAdam

    generator = models.Pix2PixGenerator("cat2000", (48, 64, 3), width=1 / 16)
    gan = SaliencyGAN(generator, models.PatchGANDiscriminator((48, 64), 8, "batch"))
    gan.compile(
        FusedAdam(1e-3, beta_1=0.5),
        FusedAdam(1e-3, beta_1=0.5),
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

    args = train_juntingnet.parse_args(["--recipe", "small", "--size", "32x32"])
    network, _ = train_juntingnet.build(args, SIZE)
    train_juntingnet.compile_network(network, args)
    return network


CASES = {
    "content": (lambda: salgan("content"), "float32", SIZE, SIZE),
    "alternate": (lambda: salgan("alternate"), "float32", SIZE, SIZE),
    "bfloat16": (lambda: salgan("alternate"), "mixed_bfloat16", SIZE, SIZE),
    "float16": (lambda: salgan("alternate"), "mixed_float16", SIZE, SIZE),
    "joint": (pix2pix, "float32", (48, 64), (48, 64)),
    "juntingnet": (juntingnet, "float32", SIZE, (16, 16)),
}


def train(strategy, case):
    """The history and the weights after three epochs of one of `CASES`."""
    import keras

    from keras_saliency import pipeline, strategies
    from keras_saliency.datasets import synthetic

    make, policy, size, map_size = CASES[case]
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = make()
    examples = synthetic.load(split="train", limit=PICTURES)
    source, validation = (
        pipeline.load(some, size, synthetic.SIGMA, map_size, lazy=True)
        for some in (examples, examples[:VALIDATED])
    )
    history = strategies.fit(
        model, source, validation, 4, 0, 3, callbacks=[], verbose=0,
        targets=None if hasattr(model, "generator") else lambda x, y: (x, y["density"]),
        augmentation={"mirror": True, "zoom": 0.2},
    ).history  # fmt: skip
    weights = {f"{case} w{i}": w.numpy() for i, w in enumerate(model.variables)}
    return {f"{case} {name}": values for name, values in history.items()} | weights


def main(name, out, *cases):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "experiments"))
    from keras_saliency import strategies, training

    training.load_tensorflow()
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    if name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    strategy = strategies.begin(name)
    found = {}
    for case in cases or CASES:
        import time; print(case, time.time(), time.process_time(), flush=True)
        found |= train(strategy, case)
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
