"""What the training scripts share: the command line, the run folder, one phase.

Keras and TensorFlow are imported inside the functions, so that a mistake on the
command line is answered at once.
"""

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

import keras_saliency
from keras_saliency import datasets, files
from keras_saliency.errors import InputError

DATASETS = tuple(name for name in datasets.__all__ if name != "Example")
PANEL_PICTURES = 4
MONITORED = 64  # test pictures scored after every epoch; nothing is chosen by them


class Parser(argparse.ArgumentParser):
    """Shows a script's docstring as its help, and answers a mistake with one line."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}\n")


def parser(description: str) -> argparse.ArgumentParser:
    """The flags that every training script has; the recipe fills what is not given.

    Args:
        description: the script's docstring.
    """
    result = Parser(description)
    add = result.add_argument
    add("--data", choices=DATASETS, default="synthetic", help="dataset (default: %(default)s)")
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add("--size", type=_size, metavar="HxW", help="height x width of the network's input, pixels")
    add("--epochs", type=count, metavar="N", help="epochs of the adversarial phase")
    add("--batch-size", type=_positive, metavar="N", help="pictures a step")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        default="auto",
        help="arithmetic of the layers; auto takes what the processor is fast at",
    )
    add("--run-dir", default="", metavar="DIR", help="where the run is written (default: runs/...)")
    add("--resume", action="store_true", help="go on with the run in --run-dir")
    add("--seed", type=int, default=0, metavar="N", help="of weights, order and mirroring")
    add("--limit", type=_positive, metavar="N", help="use only the first N pictures of each split")
    return result


def parse(arguments: argparse.ArgumentParser, argv=None) -> argparse.Namespace:
    """Reads the command line; with --resume, the run's own arguments are the defaults."""
    args = arguments.parse_args(argv)
    if args.resume:
        if not args.run_dir:
            raise InputError("--resume needs the run to go on with: --run-dir DIR")
        recorded = _read_config(args.run_dir)["arguments"]
        arguments.set_defaults(**{**recorded, "size": tuple(recorded["size"])})  # JSON has lists
        args = arguments.parse_args(argv)
    return args


def start(args: argparse.Namespace, name: str) -> str:
    """Makes the run folder and sets precision and seed; returns the folder.

    Raises:
        InputError: if the folder holds something already and `args.resume` is
            not set.
    """
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    run_dir = args.run_dir or os.path.join("runs", f"{name}-{args.data}-{stamp}")
    if not args.resume and os.path.isdir(run_dir) and os.listdir(run_dir):
        raise InputError(f"{run_dir} is not empty: give --resume to go on with it, or another name")
    load_tensorflow()
    import keras

    policy, reason = choose_precision(args.precision)
    print(f"run folder: {run_dir}\nprecision: {policy} ({reason})")
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(args.seed)
    return run_dir


def choose_precision(precision: str) -> tuple[str, str]:
    """The dtype policy that is fastest here, and why.

    Args:
        precision: "auto" or a policy, which is then taken.
    """
    import tensorflow as tf

    if precision != "auto":
        return precision, "as asked"
    if tf.config.list_physical_devices("GPU"):
        return "mixed_float16", "there is a GPU"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        flags = []
    for flag in ("amx_bf16", "avx512_bf16"):
        if flag in flags:
            return "mixed_bfloat16", f"the processor has {flag}"
    return "float32", "neither a GPU nor a processor with bfloat16 instructions"


def load_data(args: argparse.Namespace) -> tuple[list, list, float]:
    """Training examples, test examples and the density's sigma in pixels."""
    dataset = getattr(datasets, args.data)
    splits = []
    for split in ("train", "test"):
        examples = dataset.load(args.data_dir, split, limit=args.limit)
        fixations = sum(len(example.fixations) for example in examples)
        print(f"{args.data} {split}: {len(examples)} pictures, {fixations} fixations")
        outside = [example for example in examples if example.dropped]
        if outside:
            print(
                f"  dropped {sum(example.dropped for example in outside)} fixations outside "
                f"their pictures: {', '.join(example.name for example in outside)}"
            )
        splits.append(examples)
    return *splits, dataset.SIGMA


def write_config(run_dir: str, args: argparse.Namespace, **facts) -> None:
    """Writes `config.json`: arguments, versions, machine, commit, and `facts`."""
    import keras
    import numpy
    import tensorflow as tf

    arguments = {key: value for key, value in vars(args).items() if key != "resume"}
    files.write_json(
        os.path.join(run_dir, "config.json"),
        {
            "arguments": {**arguments, "run_dir": run_dir},
            "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
            "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "precision": keras.config.dtype_policy().name,
            "seed": args.seed,
            "git_commit": _git_commit(),
            "versions": {
                "keras_saliency": keras_saliency.__version__,
                "python": platform.python_version(),
                "keras": keras.__version__,
                "tensorflow": tf.__version__,
                "numpy": numpy.__version__,
            },
            "machine": {"processor": processor(), "cores": os.cpu_count()},
            **facts,
        },
    )


def callbacks(run_dir: str, phase: str, test: list, sigma: float, save_every: int) -> list:
    """What every phase of a run writes, in the order it must be written."""
    import keras

    from keras_saliency import callbacks as ours

    logs = os.path.join(run_dir, "logs")
    return [
        ours.NaNGuard(),
        ours.MetricsCSV(os.path.join(run_dir, "metrics.csv"), phase),
        keras.callbacks.TensorBoard(logs, write_graph=False),
        ours.Panels(
            test[:PANEL_PICTURES],
            sigma,
            os.path.join(logs, "validation"),
            os.path.join(run_dir, "pictures"),
        ),
        ours.Generators(os.path.join(run_dir, "epochs"), save_every),
        ours.Checkpoints(os.path.join(run_dir, "checkpoints"), phase),
    ]


def finish(run_dir, generator, name, train, test, sigma, baseline_size) -> str:
    """Exports the generator, scores it beside the center bias, returns the table."""
    from keras_saliency import evaluation, export, maps, prediction

    final = export.float32_copy(generator)
    with files.replacing(os.path.join(run_dir, "model.keras")) as temporary:
        final.save(temporary)
    export.saved_model(final, os.path.join(run_dir, "saved_model", "1"))
    bias = maps.center_bias(train, baseline_size, sigma)
    stimuli = map(evaluation.stimulus, test)
    scored = {
        name: evaluation.score(prediction.saliency_maps(generator, stimuli), test, sigma, bias),
        "center bias": evaluation.score(evaluation.center_bias_maps(bias, test), test, sigma, bias),
    }
    files.write_csv(os.path.join(run_dir, "scores.csv"), scored[name])
    table = evaluation.table(evaluation.PROTOCOL.format(sigma=sigma), scored)
    files.write_text(os.path.join(run_dir, "scores.md"), table + "\n")
    return table


def run(main) -> None:
    """Calls a script's `main`; a mistake in its input ends in one line and status 2."""
    script = os.path.basename(sys.argv[0])
    try:
        main()
    except InputError as error:
        sys.exit(_complain(f"{script}: {error}"))
    except FloatingPointError as error:
        print(f"{script}: {error}; the last good epoch is in checkpoints/", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"\n{script}: stopped; a run goes on with --resume --run-dir DIR", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        # Raised in a data pipeline, it comes out wrapped in TensorFlow's own.
        wrapped = re.search(r"InputError: (.*)", str(error))
        if not wrapped:
            raise
        sys.exit(_complain(f"{script}: {wrapped[1]}"))


def load_tensorflow() -> None:
    """Imports TensorFlow without the lines about the machine that it prints.

    They come from below Python, before its own switch for them is read.
    """
    with tempfile.TemporaryFile() as aside:
        stderr = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def processor() -> str:
    """The processor's name, for tables of times."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = (line.split(":", 1)[1].strip() for line in file if "model name" in line)
            return next(names, platform.processor())
    except OSError:
        return platform.processor()


def verbosity() -> int:
    """Of Keras' `fit`: a bar for a person, a line an epoch for a file."""
    return 1 if sys.stdout.isatty() else 2


def _complain(line):
    print(line, file=sys.stderr)
    return 2


def _read_config(run_dir):
    path = os.path.join(run_dir, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; there is no run to resume") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from error


def _git_commit():
    folder = os.path.dirname(os.path.abspath(__file__))
    command = ["git", "-C", folder, "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _size(text):
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted HEIGHTxWIDTH like 192x256, got {text}") from None
    return height, width


def count(text: str) -> int:
    """Reads a flag that takes 0 or a positive whole number."""
    return _whole(text, 0)


def _positive(text):
    return _whole(text, 1)


def _whole(text, least):
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"wanted a whole number from {least}, got {text}")
    return int(text)
