"""Early stopping that a resumed run goes on with."""

import os

import keras
import numpy as np

from keras_saliency import checkpoints


class Best(keras.callbacks.Callback):
    """Early stopping: keeps the weights of the best validation, stops when none is better.

    What it knows is in its file: a resumed run stops where it would have.

    Args:
        path: `.npz` file of the best weights so far.
        monitor: str, a value of the logs, to be low; epochs without it, which
            have no validation, are passed over.
        patience: int, so many epochs after the best one training ends.
        initial_epoch: int, the epoch that training begins (or resumes) with.
        saves: bool; of several machines one does.
    """

    def __init__(
        self, path: str, monitor: str, patience: int, initial_epoch: int = 0, saves: bool = True
    ):
        super().__init__()
        self.saves = saves
        self.path = path
        self.monitor = monitor
        self.patience = patience
        self.lowest, self.epoch = np.inf, initial_epoch
        if initial_epoch and os.path.isfile(path):
            # Perhaps of an epoch after the last checkpoint: it was this run's all the same.
            found = checkpoints.read(path)
            self.lowest, self.epoch = float(found["lowest"]), int(found["epoch"])

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is None:
            return
        if value < self.lowest:
            self.lowest, self.epoch = value, epoch + 1
            if not self.saves:
                return
            weights = {f"w{i}": array for i, array in enumerate(self.model.get_weights())}
            checkpoints.write(self.path, lowest=self.lowest, epoch=self.epoch, **weights)
        elif epoch + 1 - self.epoch >= self.patience:
            self.model.stop_training = True

    def restore(self, model) -> None:
        """Gives a model the best weights and says which; without a validation, the last stay."""
        if not np.isfinite(self.lowest):
            print(f"no epoch had {self.monitor}: the weights are the last epoch's")
            return
        found = checkpoints.read(self.path)
        model.set_weights([found[f"w{i}"] for i in range(len(found) - 2)])
        print(f"best validation: {self.monitor} {found['lowest']:.5g} after epoch {found['epoch']}")
