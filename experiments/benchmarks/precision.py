"""Whether reduced precision costs scores: the same training in every precision, with several seeds.

    python experiments/benchmarks/precision.py --quick --data osie --data-dir DIR --size 48x64

Flags that it does not know are train_salgan.py's; `--quick` takes its quick recipe (random
weights, a quarter as wide) for any dataset. Each run is a process of its own; its row is
printed when it is done. The table has the mean over the seeds, their standard deviation, and how
far a precision's mean is from the first one's, in standard deviations of a seed: differences
below 2 or so cannot be told from those of another seed.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

EXPERIMENTS = pathlib.Path(__file__).resolve().parent.parent
QUICK = "train_salgan.RECIPES = dict.fromkeys(train_salgan.RECIPES, train_salgan.QUICK)"
SHOWN = ("auc_judd", "sauc", "nss", "cc", "sim", "kld", "ig")


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    policies = ("float32", "mixed_bfloat16", "mixed_float16")
    add = parser.add_argument
    add("--precisions", nargs="+", choices=policies, default=["float32", "mixed_bfloat16"])
    add("--seeds", type=int, default=5, metavar="N", help="runs of each precision")
    add("--quick", action="store_true", help="the quick recipe, whatever the dataset")
    args, others = parser.parse_known_args()
    found = {}
    for seed in range(args.seeds):
        for precision in args.precisions:
            begin = time.perf_counter()
            scores = trained(precision, seed, others, args.quick)
            found.setdefault(precision, []).append(scores)
            shown = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
            seconds = time.perf_counter() - begin
            print(f"{precision}, seed {seed}: {shown} ({seconds:.0f} s)", flush=True)
    print("\n" + table(found))


def trained(precision, seed, flags, quick):
    """Score -> its mean over the test pictures, after one run of train_salgan.py."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        train = f"import train_salgan; {QUICK if quick else 'pass'}; train_salgan.main()"
        command = [sys.executable, "-c", train, *flags, "--precision", precision]
        command += ["--seed", str(seed), "--run-dir", str(run)]
        path = os.pathsep.join([str(EXPERIMENTS), *sys.path])
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stdout[-2000:])
        with open(run / "scores.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    return {name: float(np.nanmean([float(row[name] or "nan") for row in rows])) for name in SHOWN}


def table(found):
    names = list(found)
    lines = ["| | " + " | ".join(SHOWN).upper() + " |", "|---|" + "---|" * len(SHOWN)]
    values = {p: np.array([list(run.values()) for run in found[p]]) for p in names}
    for precision, runs in values.items():
        cells = zip(runs.mean(0), runs.std(0, ddof=1), strict=True)
        lines.append(f"| {precision} | " + " | ".join(f"{m:.3f} ±{s:.3f}" for m, s in cells) + " |")
    first = values[names[0]]
    for precision in names[1:]:
        spread = np.sqrt((first.var(0, ddof=1) + values[precision].var(0, ddof=1)) / 2)
        apart = (values[precision].mean(0) - first.mean(0)) / spread
        cells = " | ".join(f"{a:+.1f}" for a in apart)
        lines.append(f"| {precision}, standard deviations from {names[0]} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
