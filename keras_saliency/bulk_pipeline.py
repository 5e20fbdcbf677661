"""`bulk`'s shards on any of Apache Beam's runners (pip install 'keras_saliency[beam]')."""

import contextlib
import io
import logging
import re
import warnings

import apache_beam as beam
import threadpoolctl
from apache_beam.ml.inference import base
from apache_beam.options.pipeline_options import PipelineOptions

from keras_saliency import bulk, bulk_shards, stores
from keras_saliency.errors import InputError

# What DirectRunner is on a machine without Beam's Prism, which it would fetch from the network.
DIRECT = "FnApiRunner"
SAID = re.compile(r"InputError: (.*)")
_LOG = logging.getLogger(__name__)


class ShardHandler(base.ModelHandler):
    """Predicts whole shards, named one by one, with a network that a process loads once.

    Beam's own batches would hold other pictures on every run and rounding
    depends on the batch; so what Beam sees is a shard, and its batches of
    pictures are `prediction.each`'s, as predict.py's are.

    Args:
        job: `bulk.Job`.
    """

    def __init__(self, job: bulk.Job):
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.job = job

    def load_model(self):
        # For as long as the process lives: shards in several threads would otherwise take the
        # limit off one another.
        threadpoolctl.threadpool_limits(1, user_api="blas")
        # What Pillow can read it reads, and what it cannot is listed.
        warnings.filterwarnings("ignore", module="PIL")
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        if self.job.scoring:
            bulk.truths(self.job.scoring)
        return bulk_shards.load(self.job)

    def run_inference(self, batch, model, inference_args=None):
        for name in batch:
            said = bulk_shards.predict(self.job, model, name)
            count, seconds = said["pictures"], said["seconds"]
            beam.metrics.Metrics.counter("keras_saliency", "pictures").inc(count)
            beam.metrics.Metrics.counter("keras_saliency", "errors").inc(len(said["errors"]))
            _LOG.info("%s: %d pictures, %.1f a second", name, count, count / max(seconds, 1e-3))
            yield name

    def get_num_bytes(self, batch):
        return sum(map(len, batch))

    def get_metrics_namespace(self):
        return "keras_saliency"


def pipeline(flags: list[str] = ()) -> beam.Pipeline:
    """An empty one by Beam's own flags; stores are then opened by them too.

    Args:
        flags: such as `--runner=FlinkRunner`; without a runner it is this process.

    Raises:
        InputError: if Beam does not take a flag.
    """
    logging.basicConfig()  # as Beam does, but where stderr is still the terminal
    said = io.StringIO()  # all of Beam's usage, and in the last line what is wrong
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions([f"--runner={DIRECT}", *flags])
            options.get_all_options()  # reads the flags of all runners
            return beam.Pipeline(options=options)
    except (SystemExit, ValueError, ImportError) as error:
        last = said.getvalue().strip().rpartition("\n")[2].rpartition("error: ")[2]
        raise InputError(
            f"Beam's flags {' '.join(flags)}: {last if isinstance(error, SystemExit) else error}"
        ) from error


def run(job: bulk.Job, pipeline: beam.Pipeline) -> None:
    """Predicts the shards that `bulk.begin` listed, and waits until they are done.

    Args:
        job: what to do.
        pipeline: of `pipeline`.

    Raises:
        InputError: if an input cannot be had, or the output cannot be written.
    """
    todo = stores.join(job.output, bulk.TODO)
    (
        pipeline
        | "list" >> beam.Create([todo])
        | "shards" >> beam.FlatMap(stores.read_json)
        | "spread" >> beam.Reshuffle()
        | "predict" >> base.RunInference(ShardHandler(job))
    )
    try:
        pipeline.run().wait_until_finish()
    except Exception as error:
        if str(error).startswith("KeyboardInterrupt"):  # Beam makes an error of it
            raise KeyboardInterrupt from error
        # Of another process' error Beam hands on the text alone.
        ours = [str(error)] if isinstance(error, InputError) else SAID.findall(str(error))
        if not ours:
            raise
        raise InputError(ours[0].partition(" [while running ")[0]) from error
