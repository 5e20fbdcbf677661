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

from keras_saliency import devices, fitting, inputs, outputs, stores, training
from keras_saliency.errors import InputError
from keras_saliency.protocols import COLUMNS

RECORDS = "tfrecord"


def main(argv=None):
    args, flags = parse_args(sys.argv[1:] if argv is None else argv)
    training.load_tensorflow()
    from keras_saliency import bulk, worklists

    show_progress()
    pipeline = beam_pipeline()
    job, work = plan(args)
    shards = worklists.shards(work, job.settings())
    left = bulk.begin(job, shards)
    said = ", ".join(f"{number} {what}" for what, number in sorted(work.passed_over.items()))
    pictures = "" if work.count is None else f"{work.count} pictures in "
    print(f"{pictures}{len(shards)} shards" + (f"; passed over: {said}" if said else ""))
    if len(left) < len(shards):
        print(f"  {len(shards) - len(left)} of them are done already")
    started = time.monotonic()
    if left:
        pipeline.run(job, flags)
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
    add("--model", required=True, metavar="RUN|FILE", help="a run folder or a .keras file")
    add("--output", required=True, metavar="DIR", help="folder of this job alone")
    add(
        "--write",
        nargs="+",
        default=[RECORDS],
        choices=(RECORDS, *outputs.KINDS),
        metavar="KIND",
        help=f"{RECORDS} (default): files of tf.train.Example with name and png; or predict.py's "
        f"files: one or several of {', '.join(outputs.KINDS)}",
    )
    add("--shard", type=training.positive, default=1024, metavar="N", help="pictures in a shard")
    add("--fit", choices=fitting.FITS, default="stretch", help="as of predict.py")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16"),
        help="as of predict.py; auto looks at the processor of this machine, not of the others",
    )
    add("--engine", choices=("keras", "openvino"), default="keras", help="what computes")
    training.add_data(parser, default=None)
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add("--split", default="", help="of the dataset")
    add("--protocol", choices=COLUMNS, default="mit", help="default: %(default)s")
    training.add_pixels_per_degree(parser)
    add("--limit", type=training.positive, metavar="N", help="only the dataset's first N pictures")
    add("--seed", type=training.count, default=0, metavar="N", help="of what scores draw")
    args = parser.parse_args(ours)
    if bool(args.inputs) == bool(args.data):
        parser.error("give either pictures or a dataset with fixations: INPUT ... or --data NAME")
    if args.data and not args.split:
        parser.error("--data needs the split to score: --split val")
    if RECORDS in args.write and len(args.write) > 1:
        parser.error(f"--write {RECORDS} stands alone")
    if not stores.is_remote(args.model) and not os.path.exists(args.model):
        parser.error(f"no such file or folder: {args.model}")
    return args, flags


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
        names = ("data", "data_dir", "split", "limit", "protocol", "pixels_per_degree", "seed")
        scoring = bulk.Scoring(**{name: getattr(args, name) for name in names})
        work = worklists.of_examples(bulk.truths(scoring).examples, args.shard)
    else:
        scoring, work = None, worklists.of_inputs(args.inputs, args.output, args.shard)
    if RECORDS not in args.write:
        check_files(job, work)
    many = work.count is None or work.count >= engines.FROZEN_FROM
    return dataclasses.replace(job, scoring=scoring, frozen=many), work


def check_files(job, work):
    """Files instead of shards: no two may have one name, and there must be a folder for them."""
    from keras_saliency import bulk

    records = next((part["records"] for part, _ in work.parts if "records" in part), None)
    if records or stores.is_remote(job.output):
        raise InputError(
            f"--write {' '.join(job.write)}: maps of {records or 'what goes to a store'} are "
            f"written as {RECORDS} only"
        )
    sources = [inputs.Source(*each) for part, _ in work.parts for each in part.get("pictures", ())]
    outputs.Outputs(job.path(bulk.MAPS), job.write).check(sources)


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
