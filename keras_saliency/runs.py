"""The run folder: what a training script leaves behind, and goes on from."""

import argparse
import datetime
import os
import sys

from keras_saliency import (
    checkpoints,
    files,
    fingerprints,
    provenance,
    stopping,
    strategies,
    untrusted,
)
from keras_saliency.errors import InputError

PANEL_PICTURES = 4
MONITORED = 64  # test pictures scored after every epoch; nothing is chosen by them
ALIKE = 0.97  # correlation of the maps with their mean, above which a run warns
# When a run is resumed.
MAY_CHANGE = {"checkpoint_minutes", "content_epochs", "data_dir", "epochs", "run_dir", "strategy"}


def create(args: argparse.Namespace, name: str) -> str:
    """The run folder's path; it is made when the first file is written into it.

    Args:
        args: of the training script.
        name: str, begins the folder's name where none is given.

    Raises:
        InputError: if the folder holds something already and `args.resume` is
            not set.
    """
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    run_dir = args.run_dir or os.path.join("runs", f"{name}-{args.data.replace(':', '-')}-{stamp}")
    if not strategies.is_chief(args.strategy):
        return run_dir  # perhaps the chief has begun to write it
    if os.path.exists(run_dir) and not os.path.isdir(run_dir):
        raise InputError(f"{run_dir} is a file: --run-dir takes a folder")
    names = os.listdir(run_dir) if os.path.isdir(run_dir) else []
    if not args.resume and any(not name.startswith(files.WRITING) for name in names):
        raise InputError(f"{run_dir} is not empty: give --resume to go on with it, or another name")
    if names:
        files.hold(run_dir)
    files.clean(run_dir)  # of a process that was killed
    print(f"run folder: {run_dir}")
    return run_dir


def write_config(
    run_dir: str, args: argparse.Namespace, fingerprint: dict | None = None, **facts
) -> None:
    """Writes `config.json`: arguments, versions, machine, commit, fingerprint, and `facts`.

    Of a resumed run it keeps the first start as it was and notes the new one.
    Of several machines the chief alone writes it.

    Raises:
        InputError: if the pictures are not those that the run was begun with.
    """
    if not strategies.is_chief(args.strategy):
        return
    from keras_saliency import hparams

    arguments = {key: value for key, value in vars(args).items() if key != "resume"}
    start = {
        "command": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "git_commit": provenance.git_commit(),
        "versions": provenance.versions(),
        "machine": {"processor": provenance.processor(), "cores": os.cpu_count()},
        "fingerprint": fingerprint or {},
    }
    if args.resume:
        config = _read_config(run_dir)
        fingerprints.compare(run_dir, config.get("fingerprint", {}), start["fingerprint"])
        config["resumed"] = [*config.get("resumed", []), start]
    else:
        config = {**start, "seed": args.seed, "precision": args.precision, **facts}
    if arguments.get("data_dir"):  # found again from any folder; of made-up pictures it is empty
        arguments["data_dir"] = os.path.abspath(arguments["data_dir"])
    config["arguments"] = {**arguments, "run_dir": run_dir}
    files.write_json(os.path.join(run_dir, "config.json"), config)
    files.hold(run_dir)
    hparams.begin(run_dir, arguments)
    stopping.can_go_on(run_dir)


def recorded_arguments(run_dir: str) -> dict:
    """The arguments in the run's `config.json`, to resume with.

    Raises:
        InputError: if there is no such file, or it is not a run's.
    """
    config = _read_config(run_dir)
    try:
        made_by, arguments = config["command"][0], dict(config["arguments"])
        arguments = {**arguments, "size": tuple(arguments["size"]), "run_dir": run_dir}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        path = os.path.join(run_dir, "config.json")
        raise InputError(f"{path} is not the configuration of a run") from error
    script = os.path.basename(sys.argv[0])
    if made_by != script:
        raise InputError(f"{run_dir} was made by {made_by}: {script} cannot go on with it")
    return arguments


def trained_on(models: list[str], data: str, data_dir: str) -> list[dict]:
    """The recorded arguments of those models that are of runs trained on this very data.

    Says so if a model was trained on a dataset of this name in another folder.

    Args:
        models: run folders or model files; a file may lie in a run, or in its `epochs`.
        data: the dataset's name, perhaps with its release: "salicon:2017".
        data_dir: its folder.
    """
    found = []
    for model in models:
        run_dir = _run_of(model)
        config = _read_config(run_dir) if run_dir else None
        arguments = config.get("arguments") if isinstance(config, dict) else None
        trained = str(arguments.get("data")) if isinstance(arguments, dict) else ""
        if data not in (trained, trained.partition(":")[0]):
            continue
        its_dir = str(arguments.get("data_dir") or "")
        if os.path.realpath(its_dir) == os.path.realpath(data_dir):
            found.append(arguments)
        else:
            print(
                f"{model} was trained on {trained} in {its_dir}, which is not {data_dir}: taken "
                "for other pictures; if they are the same, give --split and --pixels-per-degree"
            )
    return found


def _run_of(model):
    """The run folder that a model is or lies in, or None."""
    above = os.path.dirname(os.path.abspath(model))
    folders = [model] if os.path.isdir(model) else [above, os.path.dirname(above)]
    is_run = (folder for folder in folders if os.path.isfile(os.path.join(folder, "config.json")))
    return next(is_run, None)


def reached(args: argparse.Namespace, run_dir: str):
    """The `checkpoints.Progress` of a resumed run, or None of a new one."""
    return checkpoints.last(os.path.join(run_dir, "checkpoints")) if args.resume else None


def reached_of_one_phase(args: argparse.Namespace, run_dir: str):
    """As `reached`.

    Raises:
        InputError: if the run has more behind it than `args.epochs`.
    """
    last = reached(args, run_dir)
    if last and (last.epoch, last.step) > (args.epochs, 0):
        raise InputError(f"{run_dir} has {last.behind}: --epochs cannot end before that")
    return last


def callbacks(
    run_dir: str,
    phase: str,
    test: list,
    sigma: float,
    save_every: int,
    every: int = 1,
    final=None,
    monitored: tuple | None = None,
    log_every: int | str = "epoch",
    minutes: float = 10.0,
) -> list:
    """What every phase of a run writes, in the order it must be written.

    Args:
        run_dir: the run folder.
        phase: str, which phase of the run this is.
        test: list of `Example`, the first few are shown.
        sigma: blur of the density in pixels of each picture.
        save_every: int, epochs between two generators in `epochs/`.
        every: int, epochs between two checkpoints, and two panels.
        final: `keras.Model` to show and to save, if it is not the trained one
            itself but what follows on it too.
        monitored: list of `Example` that are validated on, and their
            `pipeline.Source`; None: TensorBoard gets no scores of each.
        log_every: steps between two points of the losses in TensorBoard;
            "epoch": each epoch's alone.
        minutes: float, between two checkpoints inside an epoch.
    """
    from keras_saliency import board, console, event_files
    from keras_saliency import callbacks as ours

    logs, drawn = os.path.join(run_dir, "logs"), os.path.join(run_dir, "pictures")
    return [
        ours.NaNGuard(),
        console.TimeLeft(),
        ours.MetricsCSV(os.path.join(run_dir, "metrics.csv"), phase),
        event_files.Scalars(logs, log_every),
        ours.Panels(
            test[:PANEL_PICTURES],
            sigma,
            os.path.join(logs, "validation"),
            drawn,
            every,
            final,
        ),
        board.Animation(test[0], drawn),
        *([board.PictureScores(logs, *monitored, sigma)] if monitored else []),
        *board.profile(logs),
        ours.Generators(os.path.join(run_dir, "epochs"), save_every, final),
        ours.Checkpoints(os.path.join(run_dir, "checkpoints"), phase, every, minutes),
    ]


def finish(run_dir, generator, name, test, sigma, data) -> str:
    """Exports the generator, scores it beside the center bias, draws the report's pictures.

    Args:
        run_dir: the run folder; `pictures/` gets `curves.png`, `filters.png`
            and `extremes.png`, see `reports`.
        generator: `keras.Model`.
        name: str, the model's row in the table.
        test: list of `Example`.
        sigma: blur of the density in pixels of each picture.
        data: str, dataset and split, for the table's title.

    Returns: the table of scores, Markdown.
    """
    from keras_saliency import (
        engines,
        evaluation,
        export,
        folding,
        hparams,
        pictures,
        prediction,
        reports,
        tables,
    )
    from keras_saliency.truths import Truths

    final = folding.plain(export.float32_copy(generator))
    with files.replacing(os.path.join(run_dir, "model.keras")) as temporary:
        final.save(temporary)
    export.saved_model(final, os.path.join(run_dir, "saved_model", "1"))
    truths = Truths(test, "mit", sigma)
    seen = []
    judged = engines.frozen_for(final, len(test))  # as evaluate.py does
    predicted = prediction.saliency_maps(judged, map(pictures.of, test))
    scored = {name: evaluation.score(_noting(predicted, seen), truths)}
    if len(test) > 1 and evaluation.sameness(seen) > ALIKE:
        print("WARNING: the maps are nearly the same whatever the picture: a center bias, no more")
    if len(test) > 1:
        scored["center bias"] = evaluation.score_baseline("center_bias", truths)
    files.write_csv(os.path.join(run_dir, "scores.csv"), scored[name])
    hparams.end(run_dir, evaluation.means(scored[name]))
    table = tables.table(tables.title(data, truths), scored)
    files.write_text(os.path.join(run_dir, "scores.md"), table + "\n")
    metrics, drawn = os.path.join(run_dir, "metrics.csv"), os.path.join(run_dir, "pictures")
    if os.path.isfile(metrics):  # a run of no epochs has none
        reports.write_curves(metrics, os.path.join(drawn, "curves.png"))
    reports.write_filters(final, os.path.join(drawn, "filters.png"))
    reports.write_extremes(
        os.path.join(drawn, "extremes.png"),
        truths,
        scored[name],
        lambda chosen: prediction.saliency_maps(judged, map(pictures.of, chosen)),
    )
    return table


def _noting(saliency_maps, seen):
    """The maps; a small copy of each is put into `seen`."""
    for saliency_map in saliency_maps:
        step = max(1, max(saliency_map.shape) // 64)
        seen.append(saliency_map[::step, ::step].copy())
        yield saliency_map


def _read_config(run_dir):
    path = os.path.join(run_dir, "config.json")
    try:
        return untrusted.read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"no such file: {path}; there is no run to resume") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error})") from error
