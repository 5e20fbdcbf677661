"""The SalGAN paper's ablation, rung by rung: MSE, BCE, BCE of pooled maps, and the adversary.

    python experiments/ladder.py --output LADDER --data osie --data-dir DIR --encoder mobilenet \\
        --encoder-weights imagenet

Every rung is trained with several seeds, for as many epochs as the others; flags that
are not listed here are train_salgan.py's. Each run is a process of its own, in
LADDER/RUNG/seed_N. Given again, the command goes on where it was cut off, and leaves
what is finished as it is; so seeds can be added later.

LADDER/ladder.md has each rung's scores: the mean over pictures and seeds, the standard
deviation of the seeds' means, and how far the rung is from the one before. That is
compared picture by picture, each picture's score averaged over the seeds: its interval
and p tell of other pictures, the standard deviation tells of other trainings.
"""

import itertools
import os
import subprocess
import sys

import numpy as np
import train_salgan

from keras_saliency import comparison, files, protocols, training, untrusted
from keras_saliency.errors import InputError

# The content loss, how many times the maps are pooled for it, and whether an adversary follows.
RUNGS = {
    "MSE": ("mse", 1, False),
    "BCE": ("bce", 1, False),
    "BCE/4": ("bce", 4, False),
    "GAN/4": ("bce", 4, True),
}
SCRIPT = os.path.abspath(train_salgan.__file__)


def main(argv=None):
    args, flags = parse_args(argv)
    recipe = train_salgan.parse_args(flags)
    check_flags(args.output, flags)
    for seed in range(args.seeds):
        for rung in args.rungs:
            run_dir = folder(args.output, rung, seed)
            if not os.path.isfile(os.path.join(run_dir, "scores.csv")):
                print(f"{rung}, seed {seed}", flush=True)
                begin = [*flags, *flags_of(rung, recipe), "--seed", str(seed)]
                resumes = os.path.isfile(os.path.join(run_dir, "config.json"))
                train([*(["--resume"] if resumes else begin), "--run-dir", run_dir])
    found = {
        rung: [
            comparison.read_csv(os.path.join(folder(args.output, rung, seed), "scores.csv"))
            for seed in range(args.seeds)
        ]
        for rung in args.rungs
    }
    table = f"{title(recipe, args.seeds)}\n\n{ladder(found)}\n"
    files.write_text(os.path.join(args.output, "ladder.md"), table)
    print(f"\n{table}")


def parse_args(argv):
    """Its own arguments, and train_salgan.py's flags."""
    parser = training.Parser(__doc__)
    parser.allow_abbrev = False  # --seed is none of --seeds
    add = parser.add_argument
    add("--output", required=True, metavar="LADDER", help="folder of the runs and the table")
    add("--seeds", type=training.positive, default=3, metavar="N", help="runs of every rung")
    add("--rungs", nargs="+", choices=RUNGS, default=list(RUNGS), metavar="RUNG", help="of them")
    args, flags = parser.parse_known_args(argv)
    args.rungs = [rung for rung in RUNGS if rung in args.rungs]
    own = {"--seed", "--run-dir", "--resume", "--content-loss", "--content-downsample"}
    if taken := sorted(own & {flag.partition("=")[0] for flag in flags}):
        raise InputError(f"{taken[0]} is what the rungs and seeds differ in: leave it out")
    return args, flags


def check_flags(output, flags):
    """Notes what the runs are begun with; another time it must be the same.

    Raises:
        InputError: if it is not.
    """
    path = os.path.join(output, "ladder.json")
    if not os.path.isfile(path):
        files.write_json(path, flags)
    elif (begun := untrusted.read_json(path)) != flags:
        raise InputError(f"{output} was begun with {' '.join(begun)}: give the same, or another")


def folder(output, rung, seed):
    return os.path.join(output, rung.replace("/", "_"), f"seed_{seed}")


def flags_of(rung, recipe):
    """What a rung is trained with: as many epochs as any other."""
    loss, downsample, adversary = RUNGS[rung]
    content, epochs = recipe.content_epochs, recipe.epochs
    phases = (content, epochs) if adversary else (content + epochs, 0)
    flags = {
        "--content-loss": loss,
        "--content-downsample": downsample,
        "--content-epochs": phases[0],
        "--epochs": phases[1],
    }
    return [str(part) for pair in flags.items() for part in pair]


def train(flags):
    """A run in a process of its own, which has said what was wrong if it fails."""
    status = subprocess.run([sys.executable, SCRIPT, *flags]).returncode
    if status:
        sys.exit(status)


def title(recipe, seeds):
    epochs = recipe.content_epochs + recipe.epochs
    return (
        f"SalGAN with {recipe.encoder}, {recipe.data}, {epochs} epochs, {seeds} seeds. sd: of the "
        "seeds' means. Difference: to the line above, of each picture's mean over the seeds, with "
        "its 95% bootstrap interval; p: Wilcoxon's signed-rank test; Holm p: corrected for the "
        "number of scores"
    )


def ladder(found: dict[str, list[dict]]) -> str:
    """A Markdown table: of each score a line a rung.

    Args:
        found: of every rung each seed's scores, as from `comparison.read_csv`.
    """
    rungs = list(found)
    whole = {rung: averaged(runs) for rung, runs in found.items()}
    steps = {
        b: {record.score: record for record in comparison.compare(whole[a], whole[b])}
        for a, b in itertools.pairwise(rungs)
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
