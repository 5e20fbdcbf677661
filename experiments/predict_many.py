"""Predict, and score, millions of pictures: in shards, on one machine or many (Apache Beam).

    python experiments/predict_many.py --model runs/NAME PHOTOS --output maps
    python experiments/predict_many.py --model runs/NAME 'DIR/*.tfrecord' --output maps
    python experiments/predict_many.py --model runs/NAME --data salicon --data-dir DIR \\
        --split val --output scored
    python experiments/predict_many.py --model gs://B/model.keras 'gs://B/photos/**.jpg' \\
        --output gs://B/maps -- --runner=DataflowRunner --project=P --region=R

Inputs are files, folders, patterns, or TFRecord files (.tfrecord in the name) of
tf.train.Example with `name` and `image`. The maps are predict.py's, the scores
evaluate.py's, bit for bit. The same command once more goes on where it stopped.
What could not be read is in errors.csv; the status is then 1. Behind `--` stand
Beam's own flags. pip install 'keras_saliency[beam]'; docs/bulk.md.
"""

import dataclasses
import logging
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from keras_saliency import devices, inputs, outputs, stores, trained, training
from keras_saliency.errors import InputError, printable
from keras_saliency.outputs import TFRECORD
from keras_saliency.protocols import COLUMNS

# The flags that only a dataset has, and what they are if they are not given.
SCORING = {
    "data_dir": "", "split": "", "protocol": "mit", "pixels_per_degree": None, "limit": None,
    "seed": 0,
}  # fmt: skip


def main(argv=None):
    args, flags = parse_args(sys.argv[1:] if argv is None else argv)
    training.load_tensorflow()
    from keras_saliency import bulk, worklists

    show_progress()
    beam = beam_pipeline()
    pipeline = beam.pipeline(flags)  # a mistake in them is answered before anything is written
    job, work = plan(args)
    shards = worklists.shards(work, job.settings())
    claim(job, work)
    left = bulk.begin(job, shards)
    said = ", ".join(f"{number} {what}" for what, number in sorted(work.passed_over.items()))
    pictures = "" if work.count is None else f"{work.count} pictures in "
    print(f"{pictures}{len(shards)} shards" + (f"; passed over: {printable(said)}" if said else ""))
    if len(left) < len(shards):
        print(f"  {len(shards) - len(left)} of them are done already")
    started = time.monotonic()
    if left:
        beam.run(job, pipeline)
    result = bulk.finish(job, shards)
    print(f"{args.output}: {result.pictures} pictures, {time.monotonic() - started:.0f} seconds")
    if result.errors:
        problems = stores.join(args.output, bulk.ERRORS)
        print(f"{result.errors} errors are listed in {problems}", file=sys.stderr)
        sys.exit(1)


def parse_args(argv):
    """Our flags, and Beam's behind `--`."""
    ours, flags = argv, []
    if "--" in argv:
        at = argv.index("--")
        ours, flags = argv[:at], argv[at + 1 :]
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="files, folders, patterns, TFRecord files")
    trained.add_flag(parser)
    add("--output", required=True, metavar="DIR", help="folder of this job alone")
    add(
        "--write",
        nargs="+",
        default=[TFRECORD],
        choices=(TFRECORD, *outputs.KINDS),
        metavar="KIND",
        help=f"{TFRECORD} (default): files of tf.train.Example with name and png; or predict.py's "
        f"files: one or several of {', '.join(outputs.KINDS)}",
    )
    add("--shard", type=training.positive, default=1024, metavar="N", help="pictures in a shard")
    add("--fit", choices=("stretch", "letterbox"), default="stretch", help="as of predict.py")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16"),
        help="as of predict.py; auto looks at the processor of this machine, not of the others",
    )
    add("--engine", choices=("keras", "openvino"), default="keras", help="what computes")
    add_scoring(parser)
    args = parser.parse_args(ours)
    check(parser, args)
    return args, flags


def add_scoring(parser):
    """evaluate.py's flags; what is not given is None, until `check` has looked."""
    add = parser.add_argument
    training.add_data(parser, default=None)
    add("--data-dir", metavar="DIR", help="folder that holds the dataset")
    add("--split", help="of the dataset (default: as of evaluate.py)")
    add("--protocol", choices=COLUMNS, help=f"default: {SCORING['protocol']}")
    training.add_pixels_per_degree(parser)
    add("--limit", type=training.positive, metavar="N", help="only the dataset's first N pictures")
    add("--seed", type=training.count, metavar="N", help="of what scores draw")


def check(parser, args):
    """Ends with a line if flags contradict one another; gives the others their defaults."""
    if bool(args.inputs) == bool(args.data):
        parser.error("give either pictures or a dataset with fixations: INPUT ... or --data NAME")
    for name, default in SCORING.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
        elif not args.data:
            parser.error(f"--{name.replace('_', '-')} is of a dataset's: it needs --data NAME")
    if not args.output:
        parser.error("--output: wanted a folder to write to")
    if TFRECORD in args.write and len(args.write) > 1:
        parser.error(f"--write {TFRECORD} stands alone")


def beam_pipeline():
    try:
        from keras_saliency import bulk_pipeline
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("apache_beam"):
            raise
        raise InputError("Apache Beam is missing: pip install 'keras_saliency[beam]'") from error
    return bulk_pipeline


def plan(args):
    """The job, and all the pictures of it."""
    from keras_saliency import bulk, engines, worklists

    precision = args.precision
    if precision:
        precision, reason = devices.choose_precision_to_predict(precision)
        print(f"precision: {precision} ({reason})")
    job = bulk.Job(args.model, args.output, tuple(args.write), args.fit, precision, args.engine)
    if args.data:
        args.split = trained.default_to_the_runs(args, [args.model])
        scoring = bulk.Scoring(args.data, **{name: getattr(args, name) for name in SCORING})
        work = worklists.of_examples(bulk.truths(scoring).examples, args.shard)
    else:
        scoring, work = None, worklists.of_inputs(args.inputs, args.output, args.shard)
    many = work.count is None or work.count >= engines.FROZEN_FROM
    return dataclasses.replace(job, scoring=scoring, frozen=many), work


def claim(job, work):
    """Files instead of shards: there must be a folder for them, and names of their own."""
    from keras_saliency import bulk

    if job.as_records:
        return
    records = next((part["records"] for part, _ in work.parts if "records" in part), None)
    if records or stores.is_remote(job.output):
        raise InputError(
            f"--write {' '.join(job.write)}: maps of {records or 'what goes to a store'} are "
            f"written as {TFRECORD} only"
        )
    sources = [inputs.Source(*each) for part, _ in work.parts for each in part.get("pictures", ())]
    outputs.Outputs(job.path(bulk.MAPS), job.write).check(sources)
    bulk.claim(job, {os.path.abspath(path).removesuffix(name) for path, name in sources})


def show_progress():
    """A line a shard, where shards are predicted in this process; of Beam's, what is new."""
    log = logging.getLogger("keras_saliency")
    log.setLevel(logging.INFO)
    log.handlers, log.propagate = [logging.StreamHandler(sys.stdout)], False
    # Which of Beam's optional packages are missing; and our own errors, as tracebacks.
    logging.getLogger().addFilter(lambda record: record.levelno >= logging.ERROR)
    common = logging.getLogger("apache_beam.runners.common")
    common.addFilter(
        lambda record: (
            not (isinstance(record.msg, InputError) or "KeyboardInterrupt" in str(record.msg))
        )
    )


if __name__ == "__main__":
    training.run(main)
