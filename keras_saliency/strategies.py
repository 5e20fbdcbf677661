"""Training on several devices: the GPUs of one machine, or several machines.

Every batch is cut into as many parts as there are devices, so that they train as
one device would that gets the whole batch. What Keras lacks for that is put
right here, while `fit` runs, and nowhere else.

Keras and TensorFlow are imported inside the functions: a command line is
answered before they have loaded.
"""

import contextlib
import hashlib
import json
import os
import sys
from unittest import mock

from keras_saliency.errors import InputError

NAMES = ("none", "mirrored", "multiworker")


class WorkerLostError(ConnectionError):
    """Another machine of the job, or the way to it, is gone."""


def cluster() -> tuple[list[str], int]:
    """The job's machines, "host:port" each, and which one this is; the first is the chief.

    Raises:
        InputError: if the environment variable TF_CONFIG does not say so.

    Example:
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
            '"index": 0}}, index 0 to 1; see docs/several_devices.md'
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
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
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
    **arguments,
):
    """`model.fit`, on whatever devices the model was made for.

    Of several machines the chief alone has callbacks that write.

    Args:
        model: compiled `keras.Model` or `SaliencyGAN`.
        source, validation: `pipeline.Source` to train on, and to validate on
            after an epoch.
        batch_size: int, pictures a step, of all devices together.
        first, last: int, epochs done before and after.
        callbacks: list of Keras' callbacks.
        seed, augmentation: of `pipeline.epochs`.
        targets: function of a batch, to what the model takes.
        **arguments: of `keras.Model.fit`.

    Returns: Keras' `History`.

    Raises:
        InputError: if the batch cannot be cut into as many equal parts as there
            are devices, or the machines were not started alike.
        WorkerLostError: if another machine is gone.
    """
    from keras_saliency import pipeline, sharing

    strategy = model.distribute_strategy
    share = share_of(strategy, min(batch_size, source.count))
    training = pipeline.epochs(
        source, batch_size, **(augmentation or {}), seed=seed, initial_epoch=first, share=share
    )
    judging = pipeline.once(validation, batch_size, share)
    if targets:
        training, judging = training.map(targets), judging.map(targets)
    arguments["steps_per_epoch"] = source.count // min(batch_size, source.count)
    arguments |= {"initial_epoch": first, "epochs": last, "shuffle": False}
    if share.all == 1:
        return model.fit(training, validation_data=judging, callbacks=callbacks, **arguments)
    turns = sharing.own_parts(validation.count, batch_size, share)
    arguments["validation_steps"] = len(turns) // share.own
    if share.first:
        callbacks, arguments["verbose"] = [c for c in callbacks if _steers(c)], 0
    several = _several_machines(strategy)
    with _lost_workers_named(several), _mended(model, several):
        check_alike(strategy, first, last, batch_size, seed, source.count, validation.count)
        # As they are: TensorFlow would cut every batch once more.
        training, judging = (
            strategy.distribute_datasets_from_function(lambda _, dataset=dataset: dataset)
            for dataset in (training, judging)
        )
        return model.fit(training, validation_data=judging, callbacks=callbacks, **arguments)


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


def _steers(callback):
    """Whether training goes another way without it."""
    import keras

    from keras_saliency import callbacks

    kinds = (callbacks.Best, callbacks.NaNGuard, keras.callbacks.LearningRateScheduler)
    return isinstance(callback, kinds)


@contextlib.contextmanager
def _mended(model, several):
    """Keras 3.15, put right for several devices.

    - dropout: every device would draw the same mask;
    - batch normalization: every device would go by its own part of the batch, or,
      `synchronized`, lose the variance in rounding where it is small;
    - `fit` begins with building the model, which is built already, and fails if
      the devices' first parts differ in size, or lie on several machines;
    - of several machines it cannot average what they show.

    tests/test_strategies.py says when Keras does without.
    """
    import keras
    from keras.src.backend.tensorflow import nn, random, trainer

    patches = [
        mock.patch.object(random, "dropout", _whole_dropout(random.dropout)),
        mock.patch.object(nn, "_compute_moments_sync", _whole_moments),
        mock.patch.object(
            trainer.TensorFlowTrainer, "_maybe_symbolic_build", lambda *_, **__: None
        ),
    ]
    if several:
        patches.append(mock.patch.object(trainer, "reduce_per_replica", _mean_of_all))
    normalizations = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    with contextlib.ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        for layer in normalizations:
            stack.enter_context(mock.patch.object(layer, "synchronized", True))
        yield


def _whole_dropout(dropout):
    """Keras' `dropout`, that drops of a part of the batch what it would of the whole."""
    import tensorflow as tf

    def part(inputs, rate, noise_shape=None, seed=None):
        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1 or noise_shape is not None:
            return dropout(inputs, rate, noise_shape, seed)
        shape = tf.shape(inputs)
        whole = tf.concat([shape[:1] * replica.num_replicas_in_sync, shape[1:]], 0)
        factors = dropout(tf.ones(whole, inputs.dtype), rate, seed=seed)
        begin = replica.replica_id_in_sync_group * shape[0]
        return inputs * factors[begin : begin + shape[0]]

    return part


def _whole_moments(x, axes, keepdims):
    """Mean and variance of the whole batch, whose parts are of one size."""
    import tensorflow as tf

    def mean(values):
        part = tf.reduce_mean(values, axes, keepdims=True)
        replica = tf.distribute.get_replica_context()
        return replica.all_reduce("SUM", part) / replica.num_replicas_in_sync

    center = mean(x)
    variance = mean(tf.square(x - center))
    return [each if keepdims else tf.squeeze(each, axes) for each in (center, variance)]


def _mean_of_all(values, strategy, reduction):
    """What the machines show after a step, averaged over them in one message."""
    import tensorflow as tf

    def stacked(values):
        return tf.stack([tf.cast(value, "float32") for value in values])

    assert reduction == "auto", "several machines do not predict together"
    mine = strategy.run(stacked, args=(list(values.values()),))
    means = tf.unstack(strategy.reduce("MEAN", mine, axis=None))
    return dict(zip(values, means, strict=True))


@contextlib.contextmanager
def _lost_workers_named(several):
    """Turns what TensorFlow raises when a connection breaks into one line."""
    import tensorflow as tf

    errors = tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError
    try:
        yield
    except (*errors, tf.errors.CancelledError, tf.errors.InternalError) as error:
        if not several:
            raise
        raise WorkerLostError(
            "lost the connection to another worker: start all of them again, with --resume"
        ) from error


def leave(status: int) -> None:
    """Ends this process after a mistake; one of several machines does not wait for the others."""
    if "TF_CONFIG" not in os.environ:
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
