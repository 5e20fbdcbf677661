"""A run's row in TensorBoard's HPARAMS tab: its arguments and its final scores."""

import os
import time

from keras_saliency import event_files, files
from keras_saliency.tensorflow_only import tf

# Read in the order of their names. Each is written whole, anew when a run is resumed.
ARGUMENTS = "events.out.tfevents.0000000000.arguments"
SCORES = "events.out.tfevents.0000000001.scores"
NOT_COMPARED = {"run_dir", "data_dir", "resume", "checkpoint_minutes", "set"}


def begin(run_dir: str, arguments: dict) -> None:
    """Writes the arguments; scores of an earlier end are taken away, they come again.

    Args:
        run_dir: the run folder, after whose name the row is called.
        arguments: of the training script, as `config.json` has them.
    """
    from tensorboard.plugins.hparams import summary_v2  # here: it takes a while

    name = os.path.basename(os.path.abspath(run_dir))
    summary = summary_v2.hparams_pb(flat(arguments), trial_id=name)
    logs = os.path.join(run_dir, "logs")
    _write(os.path.join(logs, ARGUMENTS), summary.SerializeToString())
    if os.path.exists(os.path.join(logs, SCORES)):
        os.remove(os.path.join(logs, SCORES))


def end(run_dir: str, scores: dict[str, float]) -> None:
    """Writes the final scores of the run, by name; what is not a number is left out."""
    summary = tf.compat.v1.Summary()
    for name, value in scores.items():
        if value == value:
            summary.value.add(tag=f"final/{name}", simple_value=value)
    _write(os.path.join(run_dir, "logs", SCORES), summary.SerializeToString())


def flat(arguments: dict) -> dict:
    """The arguments that runs are compared by, as numbers, booleans and text.

    Example:
        >>> flat({"size": (96, 128), "mirror": True, "limit": None, "resume": 1})
        {'size': '96x128', 'mirror': True, 'limit': 'none'}
    """
    found = {}
    for name, value in arguments.items():
        if name in NOT_COMPARED:
            continue
        if isinstance(value, (list, tuple)):
            found[name] = "x".join(map(str, value))
        else:
            found[name] = "none" if value is None else value
    return found


def _write(path, summary):
    events = [
        tf.compat.v1.Event(wall_time=time.time(), file_version="brain.Event:2"),
        tf.compat.v1.Event(wall_time=time.time(), summary=tf.compat.v1.Summary.FromString(summary)),
    ]
    with (
        event_files.writing(path),
        files.replacing(path) as temporary,
        tf.io.TFRecordWriter(temporary) as writer,
    ):
        for event in events:
            writer.write(event.SerializeToString())
