"""kill -9 at random moments, each run resumed to its end: does it end in the same bits?

    python experiments/faults/kill_campaign.py --kills 20 > campaign.md

trains SalGAN in its two phases, JuntingNet and pix2pix, small, on made-up scenes,
with dropout, augmentation, bfloat16 or float16 (pix2pix) and early stopping (JuntingNet):
once uninterrupted, then once for each of the random moments, at which it is killed and
from which it is resumed. Every fourth is killed while a checkpoint is written, every
fifth twice in a row. Wanted are the
uninterrupted run's weights, both optimizers, random layers, metrics.csv (SHA-256)
and TensorBoard's curves. The table is Markdown; exit status 1 if a run differs.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time

import killing

MINUTES = ["--checkpoint-minutes", "0.005"]


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="runs of each trainer")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments")
    args = parser.parse_args(argv)
    dice = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        runs = killing.Runs(folder)
        rows = [
            row_of(runs, folder, name, args.kills, dice)
            for name in ("salgan", "juntingnet", "pix2pix")
        ]
        said = runs.said()
        runs.close()
    print("| trainer | runs | kills | while a checkpoint was written | twice in a row | inside an "
          "epoch | same weights, optimizers, seeds | same metrics.csv | same curves |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row.values())) + " |")
    print(f"\ntracebacks: {said.count('Traceback')}")
    wrong = [row for row in rows if {row[name] for name in row if "same" in name} != {row["runs"]}]
    sys.exit(1 if wrong or "Traceback" in said else 0)


def row_of(runs, folder, name, count, dice):
    """Of one trainer: the numbers of runs, kills, and runs that ended alike."""
    whole = os.path.join(folder, f"{name}-whole")
    begun = time.monotonic()
    assert runs.run(name, whole, *MINUTES) == 0, runs.said()
    seconds = time.monotonic() - begun
    expected = [of(whole) for of in (killing.state, killing.metrics, killing.points)]
    row = dict.fromkeys(
        ("trainer", "runs", "kills", "writing", "twice", "inside", "same state", "same metrics",
         "same points"), 0,
    ) | {"trainer": name, "runs": count}  # fmt: skip
    for i in range(count):
        run_dir = os.path.join(folder, f"{name}-{i}")
        kill_and_resume(runs, name, run_dir, i, seconds, dice, row)
        found = [of(run_dir) for of in (killing.state, killing.metrics, killing.points)]
        for key, ours, theirs in zip(list(row)[-3:], found, expected, strict=True):
            row[key] += ours == theirs
        print(f"{name} {i + 1}/{count}: {row}", file=sys.stderr, flush=True)
    return row


def kill_and_resume(runs, name, run_dir, i, seconds, dice, row):
    """One run to its end, killed once or twice on the way."""
    writing, twice = i % 4 == 3, i % 5 == 4
    for kill in range(1 + twice):
        while True:
            later = killing.after(dice.uniform(0, seconds / (1 + kill)))
            written = killing.appears(run_dir, ".writing-*")
            status = runs.run(
                name, run_dir, *MINUTES, *resuming(run_dir),
                when=(lambda w=written, t=later: t() and w()) if writing else later,
            )  # fmt: skip
            if status or kill:
                break
            shutil.rmtree(run_dir)  # it ended before that moment: anew, with an earlier one
            seconds *= 0.8
        killed = status == -9
        row["kills"] += killed
        row["writing"] += killed and writing
        row["twice"] += killed and kill
        row["inside"] += killed and inside(run_dir)
        if status not in (0, -9):
            print(runs.said(), file=sys.stderr)
    assert runs.run(name, run_dir, *MINUTES, *resuming(run_dir)) == 0, runs.said()


def resuming(run_dir):
    """A run that was killed before it had written anything is begun again."""
    return ["--resume"] if os.path.isfile(os.path.join(run_dir, "config.json")) else []


def inside(run_dir):
    """Whether the run goes on inside an epoch."""
    from keras_saliency import checkpoints

    last = checkpoints.last(os.path.join(run_dir, "checkpoints"))
    return last is not None and last.step > 0


if __name__ == "__main__":
    main()
