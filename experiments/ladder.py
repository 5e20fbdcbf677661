"""The SalGAN paper's ablation, rung by rung: MSE, BCE, BCE of pooled maps, and the adversary.

    python experiments/ladder.py --output LADDER --data osie --data-dir DIR --encoder mobilenet \\
        --encoder-weights imagenet
    python experiments/ladder.py --without --output LADDER --data osie --data-dir DIR \\
        --encoder mobilenet --encoder-weights imagenet

The second is of the light decoder's recipe, whole and less one part of it at a time. Every
rung is trained with several seeds, for as many epochs as the others; flags that are not
listed here are train_salgan.py's. Each run is a process of its own, in
LADDER/RUNG/seed_N. Given again, the command goes on where it was cut off, and leaves
what is finished as it is; so seeds can be added later.

LADDER/ladder.md has each rung's scores: the mean over pictures and seeds, the standard
deviation of the seeds' means, and how far the rung is from the one before (--without:
from the whole recipe). That is compared picture by picture, each picture's score averaged
over the seeds: its interval and p tell of other pictures, the standard deviation tells of
other trainings.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import train_salgan

from keras_saliency import comparison, files, protocols, training, untrusted
from keras_saliency.errors import InputError

# The flags of each, and whether an adversary follows.
RUNGS = {
    "MSE": ("--content-loss mse --set content_downsample=1", False),
    "BCE": ("--content-loss bce --set content_downsample=1", False),
    "BCE/4": ("--content-loss bce --set content_downsample=4", False),
    "GAN/4": ("--content-loss bce --set content_downsample=4", True),
}
WITHOUT = {
    "all": ("", False),
    "BCE alone": ("--content-loss bce", False),
    "KLD alone": ("--content-loss kld", False),
    "no zoom, no color": ("--set zoom=0 color=0", False),
    "no dropout": ("--set dropout=0", False),
    "one rate": ("--set encoder_slowdown=1", False),
    "random encoder": ("--encoder-weights none", False),
    "adversary at last": ("", True),
}
SCRIPT = os.path.abspath(train_salgan.__file__)


def main(argv=None):
    args, flags = parse_args(argv)
    flags += ["--decoder", "light"] if args.without else []
    recipe = train_salgan.parse_args(flags)
    check_flags(args.output, flags)
    for seed in range(args.seeds):
        for rung in args.rungs:
            run_dir = folder(args.output, rung, seed)
            if not os.path.isfile(os.path.join(run_dir, "scores.csv")):
                print(f"{rung}, seed {seed}", flush=True)
                begin = [*flags, *flags_of(args.all[rung], recipe), "--seed", str(seed)]
                resumes = os.path.isfile(os.path.join(run_dir, "config.json"))
                train([*(["--resume"] if resumes else begin), "--run-dir", run_dir])
    found = {
        rung: [
            comparison.read_csv(os.path.join(folder(args.output, rung, seed), "scores.csv"))
            for seed in range(args.seeds)
        ]
        for rung in args.rungs
    }
    table = f"{title(args, recipe)}\n\n{ladder(found, args.without)}\n"
    files.write_text(os.path.join(args.output, "ladder.md"), table)
    print(f"\n{table}")


def parse_args(argv):
    """Its own arguments, and train_salgan.py's flags."""
    parser = training.Parser(__doc__)
    add = parser.add_argument
    add("--output", required=True, metavar="LADDER", help="folder of the runs and the table")
    add("--seeds", type=training.positive, default=3, metavar="N", help="runs of every rung")
    add("--without", action="store_true", help="the light decoder's recipe, less one part each")
    add("--rungs", nargs="+", choices=[*RUNGS, *WITHOUT], metavar="RUNG", help="of them")
    args, flags = parser.parse_known_args(argv)
    args.all = WITHOUT if args.without else RUNGS
    args.rungs = [rung for rung in args.all if rung in (args.rungs or args.all)]
    if not args.rungs:
        raise InputError(f"--rungs: some of {', '.join(args.all)}")
    own = {"--seed", "--run-dir", "--resume", "--content-loss"}
    if taken := sorted(own & {flag.partition("=")[0] for flag in flags}):
        raise InputError(f"{taken[0]} is what the rungs and seeds differ in: leave it out")
    return args, flags


def check_flags(output, flags):
    """Notes what the runs are begun with; once there is one, it must be the same.

    Raises:
        InputError: if it is not.
    """
    path = os.path.join(output, "ladder.json")
    runs = pathlib.Path(output).glob("*/seed_*/config.json")  # none, if the flags were wrong
    if not os.path.isfile(path) or not any(runs):
        files.write_json(path, flags)
    elif (begun := untrusted.read_json(path)) != flags:
        raise InputError(f"{output} was begun with {' '.join(begun)}: give the same, or another")


def folder(output, rung, seed):
    return os.path.join(output, rung.replace("/", "_").replace(" ", "_"), f"seed_{seed}")


def flags_of(rung, recipe):
    """What a rung is trained with: as many epochs as any other."""
    flags, adversary = rung
    content, epochs = recipe.content_epochs, recipe.epochs
    if adversary and not epochs:  # a recipe without one
        content, epochs = content - content // 3, content // 3
    phases = (content, epochs) if adversary else (content + epochs, 0)
    return [*flags.split(), "--content-epochs", str(phases[0]), "--epochs", str(phases[1])]


def train(flags):
    """A run in a process of its own, which has said what was wrong if it fails."""
    status = subprocess.run([sys.executable, SCRIPT, *flags]).returncode
    if status:
        sys.exit(status)


def title(args, recipe):
    epochs = recipe.content_epochs + recipe.epochs
    to = "first line" if args.without else "line above"
    return (
        f"SalGAN with {recipe.encoder}, {recipe.decoder} decoder, {recipe.data}, {epochs} epochs, "
        f"{args.seeds} seeds. sd: of the "
        f"seeds' means. Difference: to the {to}, of each picture's mean over the seeds, with "
        "its 95% bootstrap interval; p: Wilcoxon's signed-rank test; Holm p: corrected for the "
        "number of scores"
    )


def ladder(found: dict[str, list[dict]], to_first: bool = False) -> str:
    """A Markdown table: of each score a line a rung.

    Args:
        found: of every rung each seed's scores, as from `comparison.read_csv`.
        to_first: compare each rung with the first, not with the one before.
    """
    rungs = list(found)
    whole = {rung: averaged(runs) for rung, runs in found.items()}
    before = [rungs[0]] * (len(rungs) - 1) if to_first else rungs[:-1]
    steps = {
        b: {record.score: record for record in comparison.compare(whole[a], whole[b])}
        for a, b in zip(before, rungs[1:], strict=True)
    }
    first = next(iter(whole[rungs[0]].values()))
    lines = ["| | | mean | sd | difference | 95% interval | p | Holm p |", "|---" * 8 + "|"]
    for score in first:
        for rung in rungs:
            means = [mean(run, score) for run in found[rung]]
            cells = [protocols.heading(score) if rung == rungs[0] else "", rung]
            cells += [f"{np.mean(means):.3f}"]
            cells += [f"{np.std(means, ddof=1):.3f}" if len(means) > 1 else "–"]
            cells += difference(steps[rung][score]) if rung in steps else ["–"] * 4
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def averaged(runs):
    """Each picture's scores, their mean over the runs."""
    return {
        image: {score: float(np.mean([run[image][score] for run in runs])) for score in scores}
        for image, scores in runs[0].items()
    }


def mean(run, score):
    """Over the pictures that have the score."""
    values = np.array([scores[score] for scores in run.values()])
    return values[~np.isnan(values)].mean() if not np.isnan(values).all() else np.nan


def difference(record):
    """The cells of a `comparison.Comparison`."""
    if not record.pictures:
        return ["–"] * 4
    between = "–" if np.isnan(record.low) else f"{record.low:+.3f} to {record.high:+.3f}"
    chances = ["<0.001" if p < 0.001 else f"{p:.3f}" for p in (record.p, record.holm_p)]
    return [f"{record.difference:+.3f}", between, *chances]


if __name__ == "__main__":
    training.run(main)
