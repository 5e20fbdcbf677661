"""Maps and scores of millions of pictures: what is done, begun and ended, shard by shard.

`bulk_shards` predicts one of them. No Apache Beam in here: `bulk_pipeline` hands
the shards to the machines.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import types
from typing import NamedTuple

from keras_saliency import (
    files,
    loading,
    outputs,
    stores,
    worklists,
)
from keras_saliency.errors import InputError
from keras_saliency.truths import Truths

# Below the output.
LISTS, MAPS, SCORES, DONE = "lists", "maps", "scores", "done"
TODO, MANIFEST, ERRORS, TABLE = "todo.json", "manifest.json", "errors.csv", "scores.csv"
TOGETHER = 16  # small files written or read at a time: a store takes long for each


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


@dataclasses.dataclass(frozen=True)
class Job:
    """What is done with every shard; small, as each machine is sent it.

    Args:
        model: a run's folder or a .keras file, which every machine can read.
        output: folder, here or in a store.
        write: (`outputs.TFRECORD`,) for TFRecord files; or some of
            `outputs.KINDS`, for files as predict.py writes them.
        fit, precision, engine: as predict.py's.
        frozen: bool, whether there are many pictures, see `engines.for_many`.
        scoring: if the pictures are a dataset's.
    """

    model: str
    output: str
    write: tuple[str, ...] = (outputs.TFRECORD,)
    fit: str = "stretch"
    precision: str | None = None
    engine: str = "keras"
    frozen: bool = False
    scoring: Scoring | None = None

    def path(self, kind: str, shard: str = "") -> str:
        """Where something of a shard lies below the output."""
        endings = {LISTS: ".json", MAPS: ".tfrecord", SCORES: ".csv", DONE: ".json"}
        return stores.join(self.output, kind, shard + endings[kind] if shard else "")

    @property
    def as_records(self) -> bool:
        return outputs.TFRECORD in self.write

    def settings(self) -> dict:
        """All that the maps depend on, as JSON; the model by its content."""
        model, write = stores.model_digest(self.model), sorted(set(self.write))
        known = {**dataclasses.asdict(self), "model": model, "write": write}
        del known["output"]
        if self.engine != "keras":
            del known["frozen"]  # which other engines know nothing of
        return known


@functools.lru_cache(maxsize=1)
def truths(scoring: Scoring) -> Truths:
    """The dataset's truths, once a process."""
    args = types.SimpleNamespace(**dataclasses.asdict(scoring))
    examples = loading.load_scored(args, scoring.split, scoring.limit)
    return Truths(examples, scoring.protocol, loading.sigma(args), scoring.seed)


def claim(job: Job, folders: set[str]) -> None:
    """Of a job that writes files, records what they are made of and by.

    Such a file has its picture's name, whatever made it, and one that is
    finished is not looked at again: a folder's files must all be alike.

    Args:
        job: what is to be done.
        folders: where the pictures lie that give the files their names.

    Raises:
        InputError: if the output's files are of others.
    """
    written = outputs.Outputs(job.path(MAPS), job.write)
    settings = {**job.settings(), "folders": sorted(folders)}
    if not written.resume(settings):
        written.begin(settings)


@contextlib.contextmanager
def writing(job: Job):
    """Makes one line of what the disk or the store says, as when it is full."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or job.output} cannot be written: {error.strerror or error}; what "
            "is done is kept, the same command goes on with the others"
        ) from error


def begin(job: Job, shards: list[worklists.Shard]) -> list[str]:
    """Writes the lists of the shards that are not finished; returns their names.

    Raises:
        InputError: if they cannot be written.
    """
    there, finished = stores.names(job.path(LISTS)), done(job)
    left = [shard for shard in shards if shard.name not in finished]
    new = [shard for shard in left if f"{shard.name}.json" not in there]
    with writing(job), concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        for _ in threads.map(lambda s: stores.write_json(job.path(LISTS, s.name), s.content), new):
            pass
        stores.write_json(stores.join(job.output, TODO), [shard.name for shard in left])
    return [shard.name for shard in left]


def done(job: Job) -> set[str]:
    """The names of the shards that are finished: what says so is written last."""
    wanted = [DONE, *([MAPS] if job.as_records else []), *([SCORES] if job.scoring else [])]
    stems = [{os.path.splitext(name)[0] for name in stores.names(job.path(k))} for k in wanted]
    return set.intersection(*stems)


class Result(NamedTuple):
    """How many pictures were done, and of how many something is wrong."""

    pictures: int
    errors: int


def finish(job: Job, shards: list[worklists.Shard]) -> Result:
    """Writes what all shards say: `manifest.json`, `errors.csv` and, if scored, `scores.csv`.

    Raises:
        InputError: if a shard is not finished, or they cannot be written.
    """
    finished = done(job)
    missing = [shard.name for shard in shards if shard.name not in finished]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(shards)} shards are not finished, the first is "
            f"{missing[0]}; the same command goes on with them"
        )
    stores.sweep(job.output, below=False)
    for kind in (LISTS, MAPS, SCORES, DONE):
        stores.sweep(job.path(kind))
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        reports = list(threads.map(lambda s: stores.read_json(job.path(DONE, s.name)), shards))
    counted, wrong, made_by = [], [], collections.defaultdict(set)
    for shard, said in zip(shards, reports, strict=True):
        wrong += [{"image": name, "error": error} for name, error in said["errors"]]
        counts = {"pictures": said["pictures"], "errors": len(said["errors"])}
        counted.append({"name": shard.name, **counts})
        for package, version in said["versions"].items():
            made_by[package].add(version)
    manifest = {
        "format": 1,
        "settings": job.settings(),
        "versions": {package: sorted(found) for package, found in made_by.items()},
        "shards": counted,
    }
    with writing(job):
        if job.scoring:
            _join_scores(job, shards)
        with stores.replacing(stores.join(job.output, ERRORS)) as path:
            files.write_csv(path, wrong)
        stores.write_json(stores.join(job.output, MANIFEST), manifest)
    return Result(sum(shard["pictures"] for shard in counted), len(wrong))


def _join_scores(job, shards):
    """One table of all shards'; a line at a time, as there may be millions."""
    with stores.replacing(stores.join(job.output, TABLE)) as path, open(path, "wb") as table:
        for number, shard in enumerate(shards):
            lines = stores.read(job.path(SCORES, shard.name)).splitlines(keepends=True)
            table.writelines(lines[bool(number) :])
