"""Disks that fill up, folders that vanish, damaged checkpoints: is a run ever lost?

    python experiments/faults/fault_campaign.py --faults 207 --processes 6 > campaign.md

trains a tiny network on a few pictures, with all that a run writes and a checkpoint after
every step, and lets one thing go wrong in each training, at a random step. Then what was
wrong is put right, and the run resumed. Wanted: each ends in the uninterrupted run's
weights, optimizer and metrics.csv (SHA-256), is answered in one line, never with a
traceback, and no file is ever half-written. `--processes`: of the training scripts
themselves, a process each, which get storms of SIGTERM. A kind that this machine does not
allow (a small tmpfs needs root) is left out and named. Markdown; exit status 1 if one
goes wrong.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time

import faulty_trainings
import killing
from fault_kinds import KINDS, Case


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--faults", type=int, default=207, metavar="N", help="in trainings of this process")
    add("--processes", type=int, default=6, metavar="N", help="storms of SIGTERM")
    add("--seed", type=int, default=0, metavar="N", help="of what goes wrong, and when")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = campaign(folder, args.faults, args.seed)
        if args.processes:
            rows["SIGTERM storm, the scripts"] = storms(folder, args.processes, args.seed)
    print(table(rows))
    wrong = [row for row in rows.values() if isinstance(row, dict) and not good(row)]
    sys.exit(1 if wrong else 0)


def campaign(folder, count, seed, only=None):
    """So many faults, of each kind about as many; what came out, by kind."""
    trainings = faulty_trainings.Trainings(folder)
    dice, whole = random.Random(seed), os.path.join(folder, "whole")
    assert trainings.run(whole) == (0, "")
    expected = faulty_trainings.ends(whole)
    case = Case(trainings, dice, sum(file.stat().st_size for file in _files(whole)))
    kinds, rows = {name: KINDS[name] for name in only or KINDS}, {}
    for name, (lacks, _) in kinds.items():
        rows[name] = (lacks and lacks(folder)) or dict.fromkeys(COLUMNS, 0)
    possible = [name for name in kinds if isinstance(rows[name], dict)]
    for i in range(count):
        name = possible[i % len(possible)]
        run_dir = os.path.join(folder, f"run-{i}")
        os.mkdir(run_dir)
        case.said, case.halves = [], []
        kinds[name][1](case, run_dir)
        note(rows[name], case, run_dir, expected)
        shutil.rmtree(run_dir, ignore_errors=True)
        print(f"{i + 1}/{count} {name}: {case.said}", file=sys.stderr, flush=True)
    return rows


COLUMNS = ("faults", "stopped", "resumed", "same", "tracebacks", "wordy", "half")


def note(row, case, run_dir, expected):
    """What the last of the case's trainings has come to."""
    row["faults"] += 1
    row["stopped"] += case.said[0][0] != 0
    row["resumed"] += case.said[-1][0] == 0
    with contextlib.suppress(Exception):  # no checkpoint at all is another one
        row["same"] += faulty_trainings.ends(run_dir) == expected
    row["tracebacks"] += sum("Traceback" in said for _, said in case.said)
    row["half"] += len(case.halves)
    row["wordy"] += sum(status == 2 and said.count("\n") > 0 for status, said in case.said)


def storms(folder, count, seed):
    """Scripts in processes of their own that get several SIGTERM at random moments."""
    dice, runs, row = random.Random(seed), killing.Runs(folder), dict.fromkeys(COLUMNS, 0)
    whole, begun = os.path.join(folder, "script"), time.monotonic()
    assert runs.run("juntingnet", whole) == 0, runs.said()
    seconds, expected = time.monotonic() - begun, faulty_trainings.ends(whole)
    for i in range(count):
        run_dir = os.path.join(folder, f"storm-{i}")
        moments = sorted(dice.uniform(0, seconds) for _ in range(dice.randint(2, 6)))
        ends = [time.monotonic() + moment for moment in moments]

        def storm(ends=ends):
            if ends and time.monotonic() >= ends[0]:
                ends.pop(0)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(runs.pid, signal.SIGTERM)
            return False

        status = runs.run("juntingnet", run_dir, when=storm)
        half = faulty_trainings.half_written(run_dir)
        if status == -signal.SIGTERM:  # a second one, at once: what it wrote beside stays there
            half = [path for path in half if ".writing-" not in path]
        resuming = ["--resume"] * os.path.isfile(os.path.join(run_dir, "config.json"))
        done = status == 0 or runs.run("juntingnet", run_dir, *resuming) == 0
        row["faults"] += 1
        row["stopped"] += status != 0
        row["resumed"] += done
        row["same"] += faulty_trainings.ends(run_dir) == expected
        row["half"] += len(half) + len(faulty_trainings.half_written(run_dir))
        print(f"storm {i + 1}/{count}: {row}", file=sys.stderr, flush=True)
    row["tracebacks"] = runs.said().count("Traceback")
    runs.close()
    return row


def good(row):
    none = row["tracebacks"], row["half"], row["wordy"]
    return row["resumed"] == row["same"] == row["faults"] and not any(none)


def table(rows):
    lines = [
        "| fault | runs | stopped | resumed to the end | epochs lost | tracebacks | of several "
        "lines | half-written |",
        "|---" * 8 + "|",
    ]
    for name, row in rows.items():
        if not isinstance(row, dict):
            lines.append(f"| {name} | left out: {row} | | | | | | |")
            continue
        cells = [row["faults"], row["stopped"], row["resumed"], row["faults"] - row["same"]]
        cells += [row["tracebacks"], row["wordy"], row["half"]]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    total = sum(row["faults"] for row in rows.values() if isinstance(row, dict))
    return "\n".join([*lines, "", f"{total} faults"])


def _files(folder):
    for parent, _, names in os.walk(folder):
        yield from (entry for entry in os.scandir(parent) if entry.name in names)


if __name__ == "__main__":
    main()
