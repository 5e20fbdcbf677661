"""What the scripts share: the command line, its mistakes, the data, the precision.

Keras and TensorFlow are imported inside the functions, so that a mistake on the
command line is answered at once.
"""

import argparse
import os
import re
import sys
import tempfile

from keras_saliency import datasets, maps, runs
from keras_saliency.errors import InputError

DATASETS = tuple(name for name in datasets.__all__ if name != "Example")


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
        help="arithmetic of the layers; auto takes what the processor is fast at",
    )
    add("--run-dir", default="", metavar="DIR", help="where the run is written (default: runs/...)")
    add("--resume", action="store_true", help="go on with the run in --run-dir")
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
        help=f"dataset: {', '.join(DATASETS)}{default}; of SALICON the release is told from its "
        "files, or is given behind a colon: salicon:2017",
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
    parser.add_argument(flag, type=_size, metavar="HxW", help=meaning, **settings)


def parse(arguments: argparse.ArgumentParser, argv=None) -> argparse.Namespace:
    """Reads the command line; with --resume, the run's own arguments are the defaults."""
    args = arguments.parse_args(argv)
    if args.resume:
        if not args.run_dir:
            raise InputError("--resume needs the run to go on with: --run-dir DIR")
        recorded = runs.recorded_arguments(args.run_dir)
        # What --set adds to its default must not be what the run has already.
        arguments.set_defaults(**{**recorded, **({"set": []} if "set" in recorded else {})})
        args = arguments.parse_args(argv)
        if "set" in recorded:
            args.set = args.set or recorded["set"]
        changed = [name for name in recorded if getattr(args, name) != recorded[name]]
        frozen = sorted(set(changed) - runs.MAY_CHANGE)
        if frozen:
            flags = ", ".join("--" + name.replace("_", "-") for name in frozen)
            raise InputError(f"{args.run_dir} was begun otherwise: --resume cannot change {flags}")
    return args


def prepare(args: argparse.Namespace) -> None:
    """Loads TensorFlow and sets precision and seed."""
    load_tensorflow()
    import keras

    # What was chosen is what the run records, and resumes with.
    args.precision, reason = choose_precision(args.precision)
    print(f"precision: {args.precision} ({reason})")
    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(args.seed)


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


def dataset(data: str):
    """The module of a `--data`, and the release that it names, or None."""
    name, _, release = data.partition(":")
    return getattr(datasets, name), release or None


def load_split(args: argparse.Namespace, split: str, limit: int | None = None) -> list:
    """The examples of one split; says how many, and which fixations were dropped."""
    module, release = dataset(args.data)
    if hasattr(module, "RELEASES"):
        # What was found is what the run records and tables are titled with.
        release = {"release": release or module.release(args.data_dir)}
        args.data = f"{args.data.partition(':')[0]}:{release['release']}"
    examples = module.load(args.data_dir, split, limit=limit, **(release or {}))
    fixations = sum(len(example.fixations) for example in examples)
    densities = sum(example.published for example in examples)
    looked = f"{densities} densities" if densities and not fixations else f"{fixations} fixations"
    print(f"{args.data} {split}: {len(examples)} pictures, {looked}")
    outside = [example for example in examples if example.dropped]
    if outside:
        print(
            f"  dropped {sum(example.dropped for example in outside)} fixations outside "
            f"their pictures: {', '.join(example.name for example in outside)}"
        )
    return examples


def shards_folder(data_dir: str, size: tuple[int, int], map_size=None) -> str:
    """Where the shards of a dataset lie, for networks of these sizes of input and output."""
    sizes = ("x".join(map(str, each)) for each in (size, map_size or size))
    return os.path.join(data_dir, "shards", "-".join(dict.fromkeys(sizes)))


def source(args: argparse.Namespace, examples: list, size, sigma: float | None, map_size=None):
    """`pipeline.load`'s `Source`, from the dataset's shards where there are some."""
    from keras_saliency import pipeline, shards

    folder = shards_folder(args.data_dir, size, map_size)
    written = args.data_dir and os.path.isfile(os.path.join(folder, shards.INDEX))
    # They are of the pictures as they are in their files.
    if not written or any(example.file_size for example in examples):
        return pipeline.load(examples, size, sigma, map_size)
    print(f"  pictures from {folder}")
    return shards.load(folder, examples, size, sigma, map_size)


def test_split(data: str) -> str:
    """The split of a dataset that scores are taken of after training on its "train"."""
    return getattr(dataset(data)[0], "SCORED", "test")


def unseen_split(data: str) -> str:
    """The split that a model which knows nothing of the dataset is scored on."""
    module, _ = dataset(data)
    whole = "all" in module.SPLITS and not hasattr(module, "SCORED")
    return "all" if whole else test_split(data)


def sigma(args: argparse.Namespace, blurred: list = ()) -> float | None:
    """The density's blur in pixels: one degree if that is known, else the dataset's, or None.

    Args:
        args: of the script.
        blurred: list of `Example` that cannot do without.

    Raises:
        InputError: if there is none and one of `blurred` has fixations to blur.
    """
    if args.pixels_per_degree:
        return maps.degrees_to_pixels(1.0, args.pixels_per_degree)
    known = dataset(args.data)[0].SIGMA
    if known is None and any(len(e.fixations) and not e.published for e in blurred):
        raise InputError(
            f"how far to blur the fixations of {args.data} is not known: give --pixels-per-degree "
            "P; of pictures 1024 pixels wide, 40 cm on the screen and seen from 60 cm, P is "
            "keras_saliency.maps.pixels_per_degree(1024, 40, 60)"
        )
    return known


def at_size(examples: list, sigma: float | None, size: str) -> tuple[list, float | None]:
    """The examples with their pictures brought to one size, and the blur that goes with it.

    Args:
        examples: list of `datasets.Example`.
        sigma: in pixels of the pictures as they are, or None.
        size: "HxW", pixels.

    Raises:
        InputError: if it is no size, or the pictures' sizes differ, so that one
            blur cannot fit them all.
    """
    try:
        height, width = _size(size)
    except argparse.ArgumentTypeError as error:
        raise InputError(f"the size of the pictures: {error}") from None
    sizes = {example.size for example in examples}
    if sigma is not None and len(sizes) > 1:
        raise InputError(f"pictures of {len(sizes)} sizes cannot all be brought to {size}")
    scale = height / examples[0].size[0]
    resized = [datasets.example.at_size(example, (height, width)) for example in examples]
    return resized, None if sigma is None else sigma * scale


def run(main) -> None:
    """Calls a script's `main`; a mistake in its input ends in one line and status 2."""
    script = os.path.basename(sys.argv[0])
    try:
        main()
    except InputError as error:
        sys.exit(_complain(f"{script}: {error}"))
    except FloatingPointError as error:
        print(f"{script}: {error}; nothing of that epoch was saved", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if not error.filename:
            raise
        sys.exit(_complain(f"{script}: {error.filename}: {error.strerror}"))
    except KeyboardInterrupt:
        hint = "; a run goes on with --resume --run-dir DIR" if script.startswith("train") else ""
        print(f"\n{script}: stopped{hint}", file=sys.stderr)
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


def verbosity() -> int:
    """Of Keras' `fit`: a bar for a person, a line an epoch for a file."""
    return 1 if sys.stdout.isatty() else 2


def _complain(line):
    print(line, file=sys.stderr)
    return 2


def _data(text):
    name, _, release = text.partition(":")
    if name not in DATASETS:
        raise argparse.ArgumentTypeError(f"no dataset {name!r}; there are {', '.join(DATASETS)}")
    releases = getattr(getattr(datasets, name), "RELEASES", ())
    if release and release not in releases:
        known = f"releases {', '.join(releases)}" if releases else "no releases"
        raise argparse.ArgumentTypeError(f"{name} has {known}, not {release!r}")
    return text


def _size(text):
    try:
        height, width = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted HEIGHTxWIDTH like 192x256, got {text}") from None
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(f"wanted HEIGHTxWIDTH of at least one pixel, got {text}")
    return height, width


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
