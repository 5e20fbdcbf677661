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
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import faulty_trainings
import killing
from faulty_trainings import EPOCHS, PICTURES, STEPS

FOLDERS = ("checkpoints", "epochs", "pictures", "logs")
FULL = (0.02, 0.98)  # shares of what a whole run takes


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


class Case:
    """What a fault needs, and what was said."""

    def __init__(self, trainings, dice, size):
        self.trainings, self.dice, self.size = trainings, dice, size
        self.said, self.halves = [], []

    def run(self, run_dir, act=None, least=1):
        step = self.dice.randint(least, EPOCHS * STEPS - 1) if act else 0
        status, said = self.trainings.run(run_dir, step, act)
        self.said.append((status, said.strip()))
        self.halves += faulty_trainings.half_written(run_dir)
        return status


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


def disk_full(case, run_dir):
    share = case.dice.uniform(*FULL)
    size = max(4096, int(share * case.size))
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", run_dir)
    try:
        case.run(run_dir)
        _mount("-o", "remount,size=64m", run_dir)
        case.run(run_dir)
        kept = f"{run_dir}-kept"
        shutil.copytree(run_dir, kept)
    finally:
        subprocess.run(["umount", run_dir], check=True)
    os.rmdir(run_dir)
    os.rename(kept, run_dir)


def file_limit(case, run_dir):
    """No file may be larger than some bytes: each write beyond fails."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    most = case.dice.randint(100, 12_000)
    try:
        case.run(run_dir, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, usual[1])))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    case.run(run_dir)


def permission_lost(case, run_dir):
    """A flag of the file system, which binds root too: nothing new may be in the folder."""
    path = os.path.join(run_dir, case.dice.choice(("", *FOLDERS)))
    try:
        case.run(run_dir, lambda: os.path.exists(path) and _flag("+i", path))
    finally:
        if os.path.exists(path):
            _flag("-i", path)
    case.run(run_dir)


def folder_replaced(case, run_dir):
    path = os.path.join(run_dir, case.dice.choice(FOLDERS))

    def replace():
        if os.path.exists(path):
            os.rename(path, f"{run_dir}-aside")
        open(path, "w").close()

    case.run(run_dir, replace)
    os.remove(path)
    if os.path.exists(f"{run_dir}-aside"):
        os.rename(f"{run_dir}-aside", path)
    case.run(run_dir)


def logs_deleted(case, run_dir):
    logs = os.path.join(run_dir, "logs")
    case.run(run_dir, lambda: shutil.rmtree(logs))
    if case.said[-1][0]:
        case.run(run_dir)


def picture_deleted(case, run_dir):
    path = os.path.join(case.trainings.pictures, f"{case.dice.randrange(PICTURES)}.png")
    aside = f"{run_dir}-picture"
    try:
        case.run(run_dir, lambda: os.rename(path, aside))
    finally:
        if os.path.exists(aside):
            os.rename(aside, path)
    case.run(run_dir)


def stopped_again_and_again(case, run_dir):
    """Each training is stopped a few steps after it began."""
    for _ in range(case.dice.randint(1, 5)):
        signum = case.dice.choice((signal.SIGTERM, signal.SIGINT))
        status, said = case.trainings.run(
            run_dir, case.dice.randint(1, 3), lambda s=signum: faulty_trainings.send(s)
        )
        case.said.append((status, said.strip()))
        case.halves += faulty_trainings.half_written(run_dir)
        if status == 0:
            return
    case.run(run_dir)


def truncated(case, run_dir):
    path = _stopped_run(case, run_dir)
    os.truncate(path, case.dice.randrange(os.path.getsize(path)))
    _resumed(case, run_dir)


def flipped(case, run_dir):
    path = _stopped_run(case, run_dir)
    with open(path, "r+b") as file:
        for _ in range(case.dice.choice((1, 1, 1, 100))):
            at = case.dice.randrange(os.path.getsize(path))
            file.seek(at)
            old = file.read(1)[0]
            file.seek(at)
            file.write(bytes([old ^ (1 << case.dice.randrange(8))]))
    _resumed(case, run_dir)


def _stopped_run(case, run_dir):
    """The newest checkpoint of a run that was stopped, and has two."""
    from keras_saliency import checkpoints

    case.run(run_dir, faulty_trainings.send, least=2)
    return checkpoints.last(os.path.join(run_dir, "checkpoints")).path


def _resumed(case, run_dir):
    case.run(run_dir)
    said = case.said[-1][1]
    assert "is damaged" in said, said


KINDS = {
    "disk full (tmpfs)": (lambda folder: _lacks_tmpfs(folder), disk_full),
    "disk full (largest file)": (None, file_limit),
    "permission lost": (lambda folder: _lacks_flags(folder), permission_lost),
    "folder replaced by a file": (None, folder_replaced),
    "TensorBoard's folder deleted": (None, logs_deleted),
    "picture deleted in an epoch": (None, picture_deleted),
    "SIGTERM, Ctrl-C, again and again": (None, stopped_again_and_again),
    "checkpoint truncated": (None, truncated),
    "checkpoint's bytes flipped": (None, flipped),
}


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


def _mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _flag(how, path):
    subprocess.run(["chattr", how, path], check=True, capture_output=True)


def _lacks_tmpfs(folder):
    place = tempfile.mkdtemp(dir=folder)
    try:
        _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", place)
    except (OSError, subprocess.CalledProcessError):
        return "mounting a tmpfs is not allowed here"
    subprocess.run(["umount", place], check=True)
    return None


def _lacks_flags(folder):
    place = tempfile.mkdtemp(dir=folder)
    try:
        _flag("+i", place)
        _flag("-i", place)
    except (OSError, subprocess.CalledProcessError):
        return "chattr +i is not allowed here"
    return None


if __name__ == "__main__":
    main()
