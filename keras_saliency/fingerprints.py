"""What must be the same for a resumed run to end in the very same numbers.

TensorFlow is imported inside the functions: a command line is answered before it
has loaded.
"""

import hashlib
import os
import sys

import numpy as np

from keras_saliency import provenance
from keras_saliency.errors import InputError


def of(args, model, *splits: list) -> dict:
    """A run's fingerprint, for its `config.json`.

    Args:
        args: of the training script.
        model: `keras.Model` that is trained.
        *splits: lists of `Example`, trained on and judged by.
    """
    import tensorflow as tf

    return {
        "threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "precision": args.precision,
        "jit": bool(model.jit_compile),
        "oneDNN": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1"),  # which is TensorFlow's default
        **provenance.versions(),
        "processor": provenance.processor(),
        "batch size": args.batch_size,
        "strategy": args.strategy,
        "devices": model.distribute_strategy.num_replicas_in_sync,
        "GPUs": [_name(gpu) for gpu in tf.config.get_visible_devices("GPU")],
        "dataset": _hash(splits),
    }


def _hash(splits):
    """Of the pictures' names, sizes and bytes in their files, and of the fixations."""
    found = hashlib.sha256()
    for split in splits:
        for example in split:
            paths = (example.image_path, example.density_path)
            stored = [os.path.getsize(path) for path in paths if path and os.path.isfile(path)]
            index = example.name, tuple(map(int, example.size)), len(example.fixations), stored
            found.update(f"{index}\n".encode(errors="backslashreplace"))
            found.update(np.ascontiguousarray(example.fixations, "<f4").tobytes())
        found.update(b"\n")
    return found.hexdigest()


def compare(run_dir: str, recorded: dict, found: dict) -> None:
    """Says on stderr in what a run's fingerprint differs from the one that it was begun with.

    Raises:
        InputError: if the pictures do, or their order: that is another run.

    Example:
        >>> compare("runs/a", {"threads": 2}, {"threads": 2})
    """
    differing = {name for name in recorded if name in found and recorded[name] != found[name]}
    if "dataset" in differing:
        raise InputError(
            f"{run_dir} was begun with other pictures, or in another order, than the dataset has "
            "now: --resume needs the same"
        )
    if differing:
        told = ", ".join(f"{n} {recorded[n]} then, {found[n]} now" for n in sorted(differing))
        print(
            f"WARNING: {run_dir} was begun otherwise ({told}): it goes on, but not to the very "
            "same numbers",
            file=sys.stderr,
        )


def _name(gpu):
    import tensorflow as tf

    return tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
