"""Everything that training changes, in one file an epoch.

Keras' own ways leave the state of random layers behind, and write in place.
"""

import glob
import os

import numpy as np

from keras_saliency import files
from keras_saliency.errors import InputError

KEPT = 2


def save(folder: str, model, phase: str, epoch: int) -> None:
    """Writes `epoch_0001.npz` and so on, whole, and removes all but the last `KEPT`.

    Args:
        folder: the run's `checkpoints/`.
        model: compiled `SaliencyGAN`, or any compiled `keras.Model`.
        phase: str, the phase of the run that `epoch` ended in.
        epoch: int, epochs done since the run began.
    """
    arrays = {f"v{i}": v.numpy() for i, v in enumerate(_variables(model))}
    with files.replacing(os.path.join(folder, f"epoch_{epoch:04d}.npz")) as temporary:
        np.savez(temporary, phase=phase, epoch=epoch, **arrays)
    for old in _found(folder)[:-KEPT]:
        os.remove(old)


def last(folder: str) -> tuple[str, int] | None:
    """`(phase, epoch)` of the newest checkpoint, or None if there is none."""
    paths = _found(folder)
    if not paths:
        return None
    arrays = read(paths[-1])
    if "phase" not in arrays:
        raise InputError(f"{paths[-1]} is not a checkpoint of a run")
    return str(arrays["phase"]), int(arrays["epoch"])


def restore(folder: str, model) -> None:
    """Puts the newest checkpoint back into a model that is built and compiled alike.

    Raises:
        InputError: if the file is damaged or of another network.
    """
    path = _found(folder)[-1]
    variables = _variables(model)
    arrays = read(path)
    values = [arrays[f"v{i}"] for i in range(len(arrays) - 2)]
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise InputError(f"{path} is of another network or other optimizers than these")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _variables(model):
    """Weights, seeds of random layers, and the optimizers' state, in a fixed order."""
    if not hasattr(model, "generator"):
        return [*model.variables, *model.optimizer.variables]
    optimizers = [model.generator_optimizer, model.discriminator_optimizer]
    states = [optimizer.variables for optimizer in optimizers if optimizer is not None]
    networks = [*model.generator.variables, *model.discriminator.variables, model.turn]
    return [*networks, *(variable for state in states for variable in state)]


def _found(folder):
    return sorted(glob.glob(os.path.join(glob.escape(folder), "epoch_*.npz")))


def read(path: str) -> dict:
    """All arrays of a file of the run, and its "epoch"; all are read before any is used.

    Raises:
        InputError: if it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        return {"epoch": values.pop("epoch"), **values}
    except Exception as error:  # a cut-off zip raises half a dozen kinds
        raise InputError(f"{path} is damaged ({error}); delete it to go on without it") from error
