"""One shard of a bulk prediction: its maps, its scores, and last that it is done."""

import contextlib
import functools
import os
import time

from keras_saliency import (
    bulk,
    engines,
    evaluation,
    files,
    listed,
    outputs,
    pictures,
    prediction,
    provenance,
    resizing,
    stores,
)
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf


def load(job: bulk.Job):
    """The network, as predict.py has it."""
    with stores.here(job.model) as path:
        count = engines.FROZEN_FROM if job.frozen else 0
        return engines.for_many(path, count, job.precision, job.engine)


def predict(job: bulk.Job, model, name: str) -> dict:
    """Predicts one shard's pictures; what says that it is done is written last.

    The batches are those of `prediction.each` over the shard's list. Whoever
    predicts it once more writes the same files.

    Args:
        job: what is done with it.
        model: of `load`.
        name: of a shard that `begin` listed.

    Returns: what the shard's file in `bulk.DONE` says.

    Raises:
        InputError: if the output cannot be written.
    """
    started = time.monotonic()
    with bulk.writing(job):
        said, rows = _predict(job, model, name)
        if job.scoring:
            with stores.replacing(job.path(bulk.SCORES, name)) as path:
                files.write_csv(path, rows)
        said["seconds"] = round(time.monotonic() - started, 3)
        stores.write_json(job.path(bulk.DONE, name), said)
    return said


def _predict(job, model, name):
    """Writes one shard's maps; returns what is to be said of it, and the scores in order."""
    truth = bulk.truths(job.scoring) if job.scoring else None
    reading = listed.read(stores.read_json(job.path(bulk.LISTS, name)), truth and truth.examples)
    made, errors, rows, count = {}, [], {}, 0
    with _records(job, name) as keep:
        write = _maker(job, truth, made)
        for picture, error in prediction.each(model, reading, write, job.fit):
            count += not isinstance(picture, listed.Damage)
            png, row, problems = made.pop(picture, (None, None, []))
            if error:
                row, problems = truth and _row_without(picture, truth), [str(error)]
            elif png:
                keep(picture.name, png)
            errors += [[picture.name, problem] for problem in problems]
            if truth:
                rows[picture.index] = row
    said = {"pictures": count, "errors": sorted(errors), "versions": provenance.versions()}
    return said, [rows[index] for index in sorted(rows)]


def _maker(job, truth, made):
    """Of each picture's map, in a thread, its PNG or files, and its scores into `made`."""
    whole = None if job.as_records else outputs.Outputs(job.path(bulk.MAPS), job.write)

    def make(picture, saliency_map, size):
        png, row, problems = None, None, []
        if whole:
            whole.write(picture, saliency_map, size)
        if truth or not whole:
            saliency_map = resizing.resize(saliency_map, size)
        if not whole:
            png = pictures.png(pictures.to_uint8(saliency_map))
        if truth:
            row = evaluation.score_one(picture.index, saliency_map, truth, problems=problems)
        made[picture] = png, row, problems

    return make


def _row_without(picture, truth):
    """The scores of a picture that has no map."""

    def fail():
        raise InputError("no map")

    return evaluation.score_one(picture.index, fail, truth, problems=[])


@contextlib.contextmanager
def _records(job, name):
    """A function that keeps a picture's name and PNG in the shard's TFRecord file."""
    if not job.as_records:
        yield None
        return
    with stores.replacing(job.path(bulk.MAPS, name)) as path, contextlib.ExitStack() as closing:
        told = functools.partial(_told, job.path(bulk.MAPS, name))
        writer = tf.io.TFRecordWriter(path)
        closing.callback(told, writer.close)

        def keep(name, png):
            features = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in (("name", os.fsencode(name)), ("png", png))
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            told(writer.write, example.SerializeToString(deterministic=True))

        yield keep


def _told(path, step, *arguments):
    """Of TensorFlow's errors makes the operating system's; others may be the network's own."""
    try:
        step(*arguments)
    except tf.errors.OpError as error:
        raise OSError(None, error.message, path) from error
