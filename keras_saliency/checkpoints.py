"""Everything that training changes, in one file an epoch, and one every so many minutes.

Keras' own ways leave the state of random layers behind, write in place, and know
of whole epochs alone. The last 32 bytes of a file are the SHA-256 of the rest.
"""

import contextlib
import glob
import hashlib
import os
import re
import sys
from typing import NamedTuple

import numpy as np

from keras_saliency import files, untrusted
from keras_saliency.errors import InputError

KEPT = 2
DIGEST = hashlib.sha256().digest_size


class Progress(NamedTuple):
    """How far a run has come by a checkpoint: `epoch` whole epochs, and `step` steps of the next.

    `phase` is the one that the last step was in.
    """

    path: str
    phase: str
    epoch: int
    step: int = 0

    @property
    def behind(self) -> str:
        """How many epochs that is, in words for a message."""
        return f"{self.epoch} epochs behind it{' and more' if self.step else ''}"


def save(folder: str, model, phase: str, epoch: int, step: int = 0) -> None:
    """Writes `epoch_0001.npz` and so on, whole, and removes all but the last `KEPT`.

    Inside an epoch it is `epoch_0001_step_00000020.npz`, and holds the state of the
    metrics too.

    Args:
        folder: the run's `checkpoints/`.
        model: compiled `SaliencyGAN`, or any compiled `keras.Model`.
        phase: str, the phase of the run.
        epoch: int, epochs done since the run began.
        step: int, steps done of the epoch after them.

    Raises:
        FloatingPointError: if a weight is not finite; nothing is written then.
    """
    arrays = {f"v{i}": variable.numpy() for i, variable in enumerate(_variables(model))}
    for variable, array in zip(_variables(model), arrays.values(), strict=True):
        if not np.isfinite(array).all():
            raise FloatingPointError(f"the weights of {variable.path} are no longer finite")
    if step:
        arrays |= {f"m{i}": variable.numpy() for i, variable in enumerate(running(model))}
    inside = f"_step_{step:08d}" if step else ""
    path = os.path.join(folder, f"epoch_{epoch:04d}{inside}.npz")
    write(path, phase=phase, epoch=epoch, step=step, **arrays)
    for old in _found(folder)[:-KEPT]:
        os.remove(old)


def last(folder: str) -> Progress | None:
    """The newest checkpoint that is not damaged, or None if there is none at all.

    Those that are damaged are named on stderr and get another ending, `.damaged`: they
    must not count among the last `KEPT`.

    Raises:
        InputError: if each is damaged.
    """
    found, damaged = _found(folder), []
    for path in reversed(found):
        try:
            arrays = read(path, "phase|epoch|step")
        except InputError as error:
            print(f"WARNING: {error}", file=sys.stderr)
            damaged.append(path)
            continue
        except FileNotFoundError:  # another machine has found it damaged, and renamed it
            continue
        if len(arrays) < 3:
            raise InputError(f"{path} is not a checkpoint of a run")
        for each in damaged:
            with contextlib.suppress(OSError):
                os.replace(each, each + ".damaged")
        return Progress(path, str(arrays["phase"]), int(arrays["epoch"]), int(arrays["step"]))
    if found:
        raise InputError(
            f"{found[-1]} is damaged or of an older version, as is every checkpoint beside it: "
            "begin the run anew, with another --run-dir"
        )
    return None


def restore(path: str, model) -> None:
    """Puts a checkpoint back into a model that is built and compiled alike.

    Raises:
        InputError: if the file is damaged or of another network.
    """
    _put(path, "v", _variables(model))


def restore_running(path: str, model) -> None:
    """Puts the metrics back to where they were inside the epoch; Keras must have made them."""
    _put(path, "m", running(model))


def running(model) -> list:
    """What the metrics have seen of an epoch, in a fixed order."""
    return [variable for metric in model.metrics for variable in metric.variables]


def write(path: str, **arrays) -> None:
    """Writes arrays into a file, whole, with their checksum; it is on the disk then."""
    with files.replacing(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        digest = _digest(temporary, os.path.getsize(temporary))
        with open(temporary, "ab") as file:
            file.write(digest)
    files.flush_names(os.path.dirname(os.path.abspath(path)))


def read(path: str, names: str = ".*") -> dict:
    """The arrays of a file that `write` wrote; all are read before any is used.

    Args:
        path: the file, which is checked as a whole.
        names: regular expression of those that are wanted.

    Raises:
        InputError: if it is damaged: a single byte that changed is noticed.
    """
    try:
        size = os.path.getsize(path) - DIGEST
        with open(path, "rb") as file:
            file.seek(max(size, 0))
            expected = file.read()
        if size < 0 or _digest(path, size) != expected:
            raise InputError(f"{path} is damaged: it is not what its checksum is of")
        untrusted.check_zip(path)
        # What follows on a zip's own end is passed over.
        with np.load(path, allow_pickle=False) as arrays:
            wanted = (name for name in arrays.files if re.fullmatch(names, name))
            return {name: arrays[name] for name in wanted}
    except (PermissionError, FileNotFoundError, InputError):
        raise
    except Exception as error:  # a zip that is none raises half a dozen kinds
        raise InputError(f"{path} is damaged ({error})") from error


def _digest(path, size):
    """SHA-256 of a file's first `size` bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size > 0 and (block := file.read(min(size, 1 << 20))):
            digest.update(block)
            size -= len(block)
    return digest.digest()


def _put(path, letter, variables):
    arrays = read(path, rf"{letter}\d+")
    values = list(arrays.values())
    if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
        raise InputError(f"{path} is of another network or other optimizers than these")
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"{letter}{i}"])


def _variables(model):
    """Weights, seeds of random layers, and the optimizers' state, in a fixed order."""
    if not hasattr(model, "generator"):
        return [*model.variables, *model.optimizer.variables]
    optimizers = [model.generator_optimizer, model.discriminator_optimizer]
    states = [optimizer.variables for optimizer in optimizers if optimizer is not None]
    networks = [*model.generator.variables, *model.discriminator.variables, model.turn]
    return [*networks, *(variable for state in states for variable in state)]


def _found(folder):
    """The checkpoints in a folder, the newest last."""
    paths = glob.glob(os.path.join(glob.escape(folder), "epoch_*.npz"))
    return sorted((path for path in paths if _place(path)), key=_place)


def _place(path):
    """(epochs, steps) that a checkpoint's name tells, or None of another file's."""
    named = re.fullmatch(r"epoch_(\d+)(?:_step_(\d+))?\.npz", os.path.basename(path))
    return named and (int(named[1]), int(named[2] or 0))
