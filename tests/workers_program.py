"""One of two machines that train JuntingNet, and then a small GAN; see test_workers.py.

python tests/workers_program.py RUN_DIR EPOCHS KILLED_AT FLAG...
"""

import os
import pickle
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TINY = {
    "size": (32, 40), "batch_size": 4, "optimizer": "sgd", "learning_rate": 1e-4,
    "last_learning_rate": 1e-5, "checkpoint_every": 1, "hold_out": 0.3, "patience": 9,
    "validate_every": 1,
}  # fmt: skip
PICTURES = 15  # 10 or 11 to train on, the others held out


def train(run_dir, epochs, *flags):
    """A run of JuntingNet on a few pictures."""
    from unittest import mock

    import train_juntingnet

    small = {**train_juntingnet.QUICK, **TINY}
    with mock.patch.dict(train_juntingnet.LEARNED_BY_SMALL, synthetic=small):
        train_juntingnet.main(
            [
                "--run-dir",
                run_dir,
                "--epochs",
                epochs,
                "--limit",
                str(PICTURES),
                "--precision",
                "float32",
                *flags,
            ]
        )


def alternate(strategy):
    """The history of a GAN of few layers in turns, stopped early, and the sum of its weights."""
    import keras
    import numpy as np

    from keras_saliency import SaliencyGAN, metrics, pipeline, strategies
    from keras_saliency.datasets import synthetic

    keras.utils.set_random_seed(2)
    with strategy.scope():
        stimulus, saliency_map = keras.Input((16, 16, 3)), keras.Input((16, 16, 1))
        scaled = keras.layers.Rescaling(1 / 255)(stimulus)
        painted = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(scaled)
        pair = keras.layers.Concatenate()([scaled, saliency_map])
        judged = keras.layers.Dense(1, "sigmoid")(keras.layers.Flatten()(pair))
        networks = keras.Model(stimulus, painted), keras.Model([stimulus, saliency_map], judged)
        gan = SaliencyGAN(*networks)
        adam = [keras.optimizers.Adam(1e-3) for _ in networks]
        gan.compile(*adam, schedule="alternate", metrics=[metrics.CC()])
    source = pipeline.load(synthetic.load(split="train", limit=9), (16, 16), 3.0, lazy=True)
    stops = keras.callbacks.EarlyStopping("val_cc", mode="max", min_delta=9, patience=1)
    history = strategies.fit(gan, source, source, 4, 0, 4, callbacks=[stops], verbose=0).history
    return history, float(sum(np.abs(v.numpy()).sum() for v in gan.trainable_variables))


def main(run_dir, epochs, killed_at, *flags):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "experiments"))
    from keras_saliency import callbacks, console, strategies

    steps, begun, begin = [], [], strategies.begin

    def count(self, batch, logs=None):
        steps.append(batch)
        if len(steps) == int(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)

    console.Losses.on_train_batch_end = callbacks.NaNGuard.on_train_batch_end = count
    strategies.begin = lambda name: begun.append(begin(name)) or begun[0]
    train(run_dir, epochs, "--strategy", "multiworker", *flags)
    _, index = strategies.cluster()
    with open(f"{run_dir}.{index}.pkl", "wb") as file:
        pickle.dump(alternate(*begun), file)


if __name__ == "__main__":
    from keras_saliency import training

    training.run(lambda: main(*sys.argv[1:]))
