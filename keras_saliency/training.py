"""What the scripts share: the command line, its mistakes, the start.

Keras and TensorFlow are imported inside the functions, so that a mistake on the
command line is answered at once.
"""

import argparse
import difflib
import os
import re
import sys
import tempfile

from keras_saliency import (
    datasets,
    devices,
    loading,
    runs,
    stopping,
    strategies,
)
from keras_saliency.errors import InputError, printable, reason


class Parser(argparse.ArgumentParser):
    """Shows a script's docstring as its help, and answers a mistake with one line."""

    def __init__(self, description):
        super().__init__(
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # a slip must not be taken for another flag
        )

    def error(self, message):
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        meant = unknown and difflib.get_close_matches(unknown[1], self._option_string_actions, 1)
        hint = f"; is {meant[0]} meant?" if meant else ""
        self.exit(2, f"{self.prog}: {message}{hint}\n")


def parser(description: str) -> argparse.ArgumentParser:
    """The flags that every training script has; the recipe fills what is not given.

    Args:
        description: the script's docstring.
    """
    result = Parser(description)
    add = result.add_argument
    add_data(result)
    add("--data-dir", default="", metavar="DIR", help="folder that holds the dataset")
    add_pixels_per_degree(result)
    add_size(result, "--size", "height x width of the network's input, pixels")
    add("--epochs", type=count, metavar="N", help="epochs; of SalGAN, of the adversarial phase")
    add("--batch-size", type=positive, metavar="N", help="pictures a step")
    add(
        "--precision",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        default="auto",
        help="arithmetic of the layers; auto takes what the GPU or processor is fast at",
    )
    add(
        "--strategy",
        choices=strategies.NAMES,
        default="none",
        help="mirrored: all GPUs of this machine; multiworker: all machines in TF_CONFIG",
    )
    add("--run-dir", default="", metavar="DIR", help="where the run is written (default: runs/...)")
    add(
        "--resume",
        "--continue_train",
        action="store_true",
        help="go on with the run in --run-dir from where it was cut off",
    )
    add(
        "--checkpoint-minutes",
        type=above_zero,
        default=10.0,
        metavar="M",
        help="between two checkpoints inside an epoch (default: %(default)s)",
    )
    add("--seed", type=count, default=0, metavar="N", help="of weights, order and augmentation")
    add("--limit", type=positive, metavar="N", help="use only the first N pictures of each split")
    return result


def add_data(parser: argparse.ArgumentParser, **settings) -> None:
    """Adds the flag that `dataset` reads."""
    settings = settings or {"default": "synthetic"}
    default = " (default: %(default)s)" if settings.get("default") else ""
    parser.add_argument(
        "--data",
        type=_data,
        metavar="NAME",
        help=f"dataset: {', '.join(loading.DATASETS)}{default}; of SALICON the release is told "
        "from its files, or is given behind a colon: salicon:2017",
        **settings,
    )


def add_pixels_per_degree(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that `sigma` reads."""
    parser.add_argument(
        "--pixels-per-degree",
        type=above_zero,
        metavar="P",
        help="pixels of the pictures that one degree of visual angle covered: the density's "
        "sigma (default: the dataset's own)",
    )


def add_size(parser: argparse.ArgumentParser, flag: str, meaning: str, **settings) -> None:
    """Adds a flag that takes HEIGHTxWIDTH."""
    parser.add_argument(flag, type=loading.height_width, metavar="HxW", help=meaning, **settings)


def parse(arguments: argparse.ArgumentParser, argv=None) -> argparse.Namespace:
    """Reads the command line; with --resume, the run's own arguments are the defaults."""
    args = arguments.parse_args(argv)
    if args.data_dir and args.data == "synthetic" and not args.resume:
        raise InputError(
            "--data-dir is given, but synthetic data lie in no folder: say with --data what it "
            "holds (your own pictures: --data folder)"
        )
    if args.resume:
        if not args.run_dir:
            raise InputError("--resume needs the run to go on with: --run-dir DIR")
        recorded = runs.recorded_arguments(args.run_dir)
        # What --set adds to its default must not be what the run has already.
        arguments.set_defaults(**{**recorded, **({"set": []} if "set" in recorded else {})})
        args = arguments.parse_args(argv)
        if "set" in recorded:
            args.set = args.set or recorded["set"]
        if args.data == str(recorded.get("data")).partition(":")[0]:
            args.data = recorded["data"]  # the release was told from the files
        changed = [name for name in recorded if getattr(args, name) != recorded[name]]
        frozen = sorted(set(changed) - runs.MAY_CHANGE)
        if frozen:
            flags = ", ".join("--" + name.replace("_", "-") for name in frozen)
            raise InputError(f"{args.run_dir} was begun otherwise: --resume cannot change {flags}")
    return args


def prepare(args: argparse.Namespace):
    """Loads TensorFlow, finds the devices, sets precision and seed.

    Returns: the `tf.distribute.Strategy` to make networks and optimizers under.
    """
    load_tensorflow()
    import keras
    import tensorflow as tf

    devices.fix_threads()  # before anything is computed
    strategy = strategies.begin(args.strategy)

    # What was chosen is what the run records, and resumes with.
    args.precision, reason = devices.choose_precision(args.precision)
    print(f"precision: {args.precision} ({'as the run began' if args.resume else reason})")
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(args.seed)
    own = {"data_dir", "run_dir"}
    alike = {name: value for name, value in vars(args).items() if name not in own}
    strategies.check_alike(strategy, alike, keras.__version__, tf.__version__)
    return strategy


def run(main) -> None:
    """Calls a script's `main`; a mistake in its input ends in one line and status 2."""
    script = os.path.basename(sys.argv[0])
    sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be no text
    try:
        main()
    except InputError as error:
        sys.exit(_complain(f"{script}: {error}"))
    except FloatingPointError as error:
        print(f"{script}: {error}; the checkpoints are from before that", file=sys.stderr)
        strategies.leave(1)
    except stopping.Stopped as stop:
        print(stopping.message(), file=sys.stderr)
        strategies.leave(128 + stop.signum)
    except strategies.WorkerLostError as error:
        print(f"{script}: {error}", file=sys.stderr)
        strategies.leave(1)
    except OSError as error:
        if not error.filename:
            raise
        sys.exit(_complain(f"{script}: {error.filename}: {error.strerror or reason(error)}"))
    except KeyboardInterrupt:
        print(f"\n{script}: stopped", file=sys.stderr)
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
            from keras_saliency.tensorflow_only import tf

            tf.config.list_physical_devices()
        except BaseException:
            aside.seek(0)
            os.write(stderr, aside.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def verbosity() -> int:
    """Of Keras' `fit`: a bar for a person, a line an epoch for a file."""
    return 1 if sys.stdout.isatty() else 2


def _complain(line):
    print("\n".join(map(printable, line.split("\n"))), file=sys.stderr)
    return 2


def _data(text):
    name, _, release = text.partition(":")
    if name not in loading.DATASETS:
        raise argparse.ArgumentTypeError(
            f"no dataset {name!r}; there are {', '.join(loading.DATASETS)}"
        )
    releases = getattr(getattr(datasets, name), "RELEASES", ())
    if release and release not in releases:
        known = f"releases {', '.join(releases)}" if releases else "no releases"
        raise argparse.ArgumentTypeError(f"{name} has {known}, not {release!r}")
    return text


def above_zero(text: str) -> float:
    """Reads a flag that takes a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"wanted a number above 0, got {text}")
    return value


def count(text: str) -> int:
    """Reads a flag that takes 0 or a positive whole number."""
    return _whole(text, 0)


def positive(text: str) -> int:
    """Reads a flag that takes a positive whole number."""
    return _whole(text, 1)


def _whole(text, least):
    if not text.isdecimal() or not least <= int(text) < 2**32:
        raise argparse.ArgumentTypeError(f"wanted a whole number from {least} up, got {text}")
    return int(text)
