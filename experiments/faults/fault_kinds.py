"""What can go wrong with a training, kind by kind: each lets it happen, and then puts it right."""

import os
import resource
import shutil
import signal
import subprocess
import tempfile

import faulty_trainings
from faulty_trainings import EPOCHS, PICTURES, STEPS

FOLDERS = ("checkpoints", "epochs", "pictures", "logs")
FULL = (0.02, 0.98)  # shares of what a whole run takes


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
