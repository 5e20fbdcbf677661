"""Maps and scores of millions of pictures: shard by shard, each begun and ended on its own.

No Apache Beam in here: `bulk_pipeline` hands the shards to the machines.
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import os
import time
import types
from typing import NamedTuple

from keras_saliency import (
    engines,
    evaluation,
    files,
    loading,
    outputs,
    pictures,
    prediction,
    resizing,
    stores,
    worklists,
)
from keras_saliency.errors import InputError
from keras_saliency.tensorflow_only import tf
from keras_saliency.truths import Truths

RECORDS = "tfrecord"
# Below the output.
LISTS, MAPS, SCORES, DONE = "lists", "maps", "scores", "done"
TODO, MANIFEST, ERRORS, TABLE = "todo.json", "manifest.json", "errors.csv", "scores.csv"
TOGETHER = 16  # small files written or read at a time: a store takes long for each
VERSIONS = ("keras", "tensorflow", "numpy", "pillow")


@dataclasses.dataclass(frozen=True)
class Scoring:
    """Which fixations maps are scored against, and how: `evaluate.py`'s flags."""

    data: str
    data_dir: str
    split: str
    limit: int | None = None
    protocol: str = "mit"
    pixels_per_degree: float | None = None
    seed: int = 0
    emd: bool = False


@dataclasses.dataclass(frozen=True)
class Job:
    """What is done with every shard; small, as each machine is sent it.

    Args:
        model: a run's folder or a .keras file, which every machine can read.
        output: folder, here or in a store.
        write: (`RECORDS`,) for TFRecord files; or some of `outputs.KINDS`,
            for files as predict.py writes them.
        fit, precision, engine: as predict.py's.
        frozen: bool, whether there are many pictures, see `engines.for_many`.
        scoring: if the pictures are a dataset's.
    """

    model: str
    output: str
    write: tuple[str, ...] = (RECORDS,)
    fit: str = "stretch"
    precision: str | None = None
    engine: str = "keras"
    frozen: bool = False
    scoring: Scoring | None = None

    def path(self, kind: str, shard: str = "") -> str:
        """Where something of a shard lies below the output."""
        endings = {LISTS: ".json", MAPS: ".tfrecord", SCORES: ".csv", DONE: ".json"}
        return stores.join(self.output, kind, shard + endings[kind] if shard else "")

    def settings(self) -> dict:
        """All that the maps depend on, as JSON; the model by its content."""
        known = {**dataclasses.asdict(self), "model": digest(self.model)}
        del known["output"]
        return known


def digest(model: str) -> str:
    """The SHA-256 of a model's file."""
    path = os.path.join(model, "model.keras") if os.path.isdir(model) else model
    with stores.here(path) as file, open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@functools.lru_cache(maxsize=1)
def truths(scoring: Scoring) -> Truths:
    """The dataset's truths, once a process."""
    args = types.SimpleNamespace(**dataclasses.asdict(scoring))
    examples = loading.load_split(args, scoring.split, scoring.limit)
    if not any(len(example.fixations) or example.published for example in examples):
        raise InputError(
            f"{scoring.data} {scoring.split} has neither fixations nor densities to score against"
        )
    return Truths(examples, scoring.protocol, loading.sigma(args), scoring.seed)


def begin(job: Job, shards: list[worklists.Shard]) -> list[str]:
    """Writes the lists of the shards that are not finished; returns their names."""
    listed, finished = stores.names(job.path(LISTS)), done(job)
    missing = [shard for shard in shards if shard.name not in finished]
    new = [shard for shard in missing if f"{shard.name}.json" not in listed]
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        for _ in threads.map(lambda s: stores.write_json(job.path(LISTS, s.name), s.content), new):
            pass
    left = [shard.name for shard in missing]
    stores.write_json(stores.join(job.output, TODO), left)
    return left


def done(job: Job) -> set[str]:
    """The names of the shards that are finished: what says so is written last."""
    wanted = [DONE, *([MAPS] if RECORDS in job.write else []), *([SCORES] if job.scoring else [])]
    stems = [{os.path.splitext(name)[0] for name in stores.names(job.path(k))} for k in wanted]
    return set.intersection(*stems)


def load(job: Job):
    """The network, as predict.py has it."""
    with stores.here(job.model) as path:
        count = engines.FROZEN_FROM if job.frozen else 0
        return engines.for_many(path, count, job.precision, job.engine)


def predict_shard(job: Job, model, name: str) -> dict:
    """Predicts one shard's pictures; what says that it is done is written last.

    The batches are those of `prediction.each` over the shard's list. Whoever
    predicts it once more writes the same files.

    Args:
        job: what to do.
        model: of `load`.
        name: of a shard that `begin` listed.

    Returns: what the shard's file in `DONE` says.

    Raises:
        InputError: if the output cannot be written.
    """
    started = time.monotonic()
    content = stores.read_json(job.path(LISTS, name))
    truth = truths(job.scoring) if job.scoring else None
    reading = worklists.read(content, truth and truth.examples)
    made, errors, rows, count = {}, [], {}, 0
    try:
        with _records(job, name) as keep:
            write = _maker(job, truth, made)
            for picture, error in prediction.each(model, reading, write, job.fit):
                count += 1
                png, row, problems = made.pop(picture, (None, None, []))
                if error:
                    row, problems = truth and _row_without(picture, truth), [str(error)]
                elif png:
                    keep(picture.name, png)
                errors += [[picture.name, problem] for problem in problems]
                if truth:
                    rows[picture.index] = row
        if truth:
            with stores.replacing(job.path(SCORES, name)) as path:
                files.write_csv(path, [rows[index] for index in sorted(rows)])
        seconds = round(time.monotonic() - started, 3)
        said = {"pictures": count, "errors": sorted(errors), "seconds": seconds}
        stores.write_json(job.path(DONE, name), said)
    except OSError as error:
        raise InputError(
            f"{error.filename or job.output} cannot be written: {error.strerror or error}; what "
            "is done is kept, the same command goes on with the others"
        ) from error
    return said


def _maker(job, truth, made):
    """Of each picture's map, in a thread, its PNG or files, and its scores into `made`."""
    whole = None if RECORDS in job.write else outputs.Outputs(job.path(MAPS), job.write)

    def make(picture, saliency_map, size):
        png, row, problems = None, None, []
        if whole:
            whole.write(picture, saliency_map, size)
        if truth or not whole:
            saliency_map = resizing.resize(saliency_map, size)
        if not whole:
            png = pictures.png(pictures.to_uint8(saliency_map))
        if truth:
            scored = picture.index, saliency_map, truth, job.scoring.emd, problems
            row = evaluation.score_one(*scored)
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
    if RECORDS not in job.write:
        yield None
        return
    with (
        stores.replacing(job.path(MAPS, name)) as path,
        tf.io.TFRecordWriter(path) as writer,
    ):

        def keep(name, png):
            features = {
                key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                for key, value in (("name", os.fsencode(name)), ("png", png))
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString(deterministic=True))

        yield keep


class Result(NamedTuple):
    """How many pictures were done, and of how many something is wrong."""

    pictures: int
    errors: int


def finish(job: Job, shards: list[worklists.Shard]) -> Result:
    """Writes what all shards say: `manifest.json`, `errors.csv` and, if scored, `scores.csv`.

    Raises:
        InputError: if a shard is not finished.
    """
    finished = done(job)
    missing = [shard.name for shard in shards if shard.name not in finished]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(shards)} shards are not finished, the first is "
            f"{missing[0]}; the same command goes on with them"
        )
    for kind in (LISTS, MAPS, SCORES, DONE):
        stores.sweep(job.path(kind))
    counted, wrong = [], []
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        reports = list(threads.map(lambda s: stores.read_json(job.path(DONE, s.name)), shards))
    for shard, said in zip(shards, reports, strict=True):
        wrong += [{"image": name, "error": error} for name, error in said["errors"]]
        counts = {"pictures": said["pictures"], "errors": len(said["errors"])}
        counted.append({"name": shard.name, **counts})
    if job.scoring:
        _join_scores(job, shards)
    with stores.replacing(stores.join(job.output, ERRORS)) as path:
        files.write_csv(path, wrong)
    manifest = {
        "format": 1,
        "settings": job.settings(),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONS},
        "shards": counted,
    }
    stores.write_json(stores.join(job.output, MANIFEST), manifest)
    return Result(sum(shard["pictures"] for shard in counted), len(wrong))


def _join_scores(job, shards):
    """One table of all shards'; a line at a time, as there may be millions."""
    with stores.replacing(stores.join(job.output, TABLE)) as path, open(path, "wb") as table:
        for number, shard in enumerate(shards):
            lines = stores.read(job.path(SCORES, shard.name)).splitlines(keepends=True)
            table.writelines(lines[bool(number) :])
