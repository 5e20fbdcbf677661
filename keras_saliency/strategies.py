"""Training on several devices: the GPUs of one machine, or several machines.

Every batch is cut into as many parts as there are devices, so that they train as
one device would that gets the whole batch. What Keras lacks for that, `mending`
puts right while `fit` runs, and nothing else does.

Keras and TensorFlow are imported inside the functions: a command line is
answered before they have loaded.
"""

import contextlib
import hashlib
import json
import os
import re
import sys

from keras_saliency.errors import InputError

NAMES = ("none", "mirrored", "multiworker")
# Gradients that machines exchange at a time. All at once, as TensorFlow has it, they are copied
# together first: 100 MB took 0.60 s over loopback, in packs of this size 0.23 s.
PACK = 8 * 1024**2  # bytes
# In TensorFlow's internal errors that mean another machine is gone.
CONNECTION = re.compile("connect|collective|peer|socket|heartbeat", re.I)


class WorkerLostError(ConnectionError):
    """Another machine of the job, or the way to it, is gone."""


def cluster() -> tuple[list[str], int]:
    """The job's machines, "host:port" each, and which one this is; the first is the chief.

    Raises:
        InputError: if the environment variable TF_CONFIG does not say so.

    Example:
        >>> from unittest import mock
        >>> workers = {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}
        >>> config = {"cluster": workers, "task": {"type": "worker", "index": 1}}
        >>> with mock.patch.dict(os.environ, TF_CONFIG=json.dumps(config)):
        ...     cluster()
        (['10.0.0.1:2222', '10.0.0.2:2222'], 1)
    """
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        jobs, task = config["cluster"], config["task"]
        # Of old there may be a job "chief" of one machine.
        machines = [(job, i) for job in ("chief", "worker") for i in range(len(jobs.get(job, [])))]
        addresses = [str(jobs[job][i]) for job, i in machines]
        return addresses, machines.index((task["type"], int(task["index"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            "--strategy multiworker needs the environment variable TF_CONFIG, such as "
            '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", '
            '"index": 0}}, where each machine has an index of its own, the first 0; see '
            "docs/several_devices.md"
        ) from error


def is_chief(name: str) -> bool:
    """Whether this process writes the run: the only one, or the first of several machines."""
    return name != "multiworker" or cluster()[1] == 0


def begin(name: str):
    """The `tf.distribute.Strategy` to make networks and optimizers under.

    Args:
        name: one of `NAMES`. Before "multiworker" TensorFlow must not have been
            used for anything: it waits for the other machines.

    Raises:
        InputError: as `cluster`.
    """
    import tensorflow as tf

    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        strategy = tf.distribute.MirroredStrategy()
    else:
        addresses, index = cluster()
        others = ", ".join(addresses[:index] + addresses[index + 1 :])
        print(f"worker {index} of {len(addresses)}, waits for {others}", flush=True)
        options = tf.distribute.experimental.CommunicationOptions(bytes_per_pack=PACK)
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        if index:
            print("what the run writes, worker 0 writes", flush=True)
    print(f"devices: {strategy.num_replicas_in_sync}")
    return strategy


def check_alike(strategy, *facts) -> None:
    """Raises `InputError` on all machines unless each came with the same facts."""
    import tensorflow as tf

    if not _several_machines(strategy):
        return
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).digest()
    mine = tf.cast(tf.io.decode_raw(digest, tf.uint8), tf.float32)
    mean = strategy.reduce("MEAN", mine, axis=None)
    if bool(tf.reduce_any(strategy.reduce("MEAN", mine**2, axis=None) != mean**2)):
        raise InputError(
            "the workers were not started alike: all need the same flags, data and versions, the "
            "same run folder to --resume, and --precision if their processors differ"
        )


def fit(
    model,
    source,
    validation,
    batch_size: int,
    first: int,
    last: int,
    callbacks: list,
    seed: int = 0,
    targets=None,
    augmentation: dict | None = None,
    begun=None,
    **arguments,
):
    """`model.fit`, from wherever a checkpoint was made, on whatever devices the model was made for.

    Of several machines the chief alone has callbacks that write: this package's
    and Keras'. One of your own that writes asks `is_chief` itself.

    Args:
        model: compiled `keras.Model` or `SaliencyGAN`.
        source, validation: `pipeline.Source` to train on, and to validate on
            after an epoch.
        batch_size: int, pictures a step, of all devices together.
        first, last: int, epochs done before and after.
        callbacks: list of Keras' callbacks.
        seed, augmentation: of `pipeline.epochs`.
        targets: function of a batch, to what the model takes.
        begun: `checkpoints.Progress` that training goes on from, perhaps inside
            the epoch after `first`.
        **arguments: of `keras.Model.fit`.

    Returns: Keras' `History`.

    Raises:
        InputError: if the batch cannot be cut into as many equal parts as there
            are devices, or the machines were not started alike.
        ValueError: if the model or a callback cannot train on several devices.
        WorkerLostError: if another machine is gone.
    """
    from keras_saliency import pipeline, resuming, sharing

    strategy = model.distribute_strategy
    share = share_of(strategy, min(batch_size, source.count))

    def as_taken(dataset):
        dataset = dataset.map(targets) if targets else dataset
        if share.all == 1:
            return dataset
        # As it is: TensorFlow would cut every batch once more.
        return strategy.distribute_datasets_from_function(lambda _: dataset)

    def training(epoch, step):
        options = {**(augmentation or {}), "seed": seed, "share": share}
        options |= {"initial_epoch": epoch, "initial_step": step}
        return as_taken(pipeline.epochs(source, batch_size, **options))

    def run():
        judging = as_taken(pipeline.once(validation, batch_size, share))
        return resuming.fit(
            model, training, first, last, callbacks, begun, validation_data=judging, **arguments
        )

    arguments["steps_per_epoch"] = source.count // min(batch_size, source.count)
    arguments["shuffle"] = False
    if share.all == 1:
        return run()
    turns = sharing.own_parts(validation.count, batch_size, share)
    arguments["validation_steps"] = len(turns) // share.own
    if share.first:
        callbacks, arguments["verbose"] = [c for c in callbacks if not _writes(c)], 0
    facts = (first, last, batch_size, seed, source.count, validation.count, begun and begun[1:])
    return _run_together(run, model, callbacks, facts)


def _run_together(run, model, callbacks, facts):
    """Keras' `fit` on several devices, of what each has of the data."""
    from keras_saliency import mending

    strategy = model.distribute_strategy
    several = _several_machines(strategy)
    _check_trains_together(model, callbacks, several)
    with _lost_workers_named(several), mending.mended(model, several):
        check_alike(strategy, *facts)
        return run()


def _check_trains_together(model, callbacks, several):
    import keras

    # A SaliencyGAN has Keras' optimizer None, and its own made ready.
    if type(model.optimizer) is keras.optimizers.LossScaleOptimizer:
        raise ValueError(
            "Keras' LossScaleOptimizer looks at one device's gradients alone: compile the model "
            "with `optimizers.ready(optimizer, model)`"
        )
    if several and any(isinstance(c, keras.callbacks.BackupAndRestore) for c in callbacks):
        raise ValueError("BackupAndRestore would restore one machine alone")


def share_of(strategy, batch_size: int):
    """The `sharing.Share` that this process feeds.

    Raises:
        InputError: if the batch cannot be cut into that many equal parts.
    """
    from keras_saliency import sharing

    devices = strategy.num_replicas_in_sync
    if batch_size % devices:
        raise InputError(
            f"a batch of {batch_size} cannot be cut into equal parts for {devices} devices: give "
            "a multiple as --batch-size"
        )
    if devices == 1:
        return sharing.ALONE
    own = len(strategy.extended.worker_devices)
    return sharing.Share(devices, cluster()[1] * own if devices > own else 0, own)


def _several_machines(strategy):
    devices = strategy.num_replicas_in_sync
    return devices > 1 and devices > len(strategy.extended.worker_devices)


def _writes(callback):
    """Whether it writes or prints, and training goes the same way without it."""
    import keras

    from keras_saliency import board, console, event_files
    from keras_saliency import callbacks as ours

    theirs = keras.callbacks
    kinds = (
        *(console.Losses, console.TimeLeft),
        *(ours.MetricsCSV, ours.Panels, ours.Predictions, ours.Generators),
        *(ours.Checkpoints, event_files.Scalars, theirs.TensorBoard, theirs.ModelCheckpoint),
        *(board.PictureScores, board.Animation, board.Profile),
        *(theirs.CSVLogger, theirs.ProgbarLogger, theirs.RemoteMonitor),
    )
    return isinstance(callback, kinds)


@contextlib.contextmanager
def _lost_workers_named(several):
    """Turns what TensorFlow raises when a connection breaks into one line."""
    import tensorflow as tf

    lost = tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError
    try:
        yield
    except (*lost, tf.errors.CancelledError, tf.errors.InternalError) as error:
        told = _told(error.message)
        internal = isinstance(error, tf.errors.InternalError)
        if not several or (internal and not CONNECTION.search(told)):
            raise
        raise WorkerLostError(
            "lost the connection to another worker: start all of them again, with --resume "
            f"({told})"
        ) from error


def _told(message):
    """The first line of TensorFlow's message that says what happened, not where."""
    lines = re.sub(r"\{\{.*?\}\} *", "", message).splitlines()
    where = ("Graph execution error", "Detected at node", "  File ", "<stack traces")
    return next((line.strip() for line in lines if line.strip() and not line.startswith(where)), "")


def leave(status: int) -> None:
    """Ends this process after a mistake; one of several machines does not wait for the others."""
    if "TF_CONFIG" not in os.environ:
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
