"""SIGTERM and Ctrl-C: training ends its step, saves it and says how to go on; all else just ends.

No exception is raised where a signal happens to come: in the middle of an import,
or of a destructor, it would end in a traceback or be swallowed. In training a note
is made, which `check` looks at after every step; else the process ends there.
"""

import contextlib
import os
import shlex
import shutil
import signal
import sys
import types

from keras_saliency import files

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_state = types.SimpleNamespace(asked=None, seen=False, training=False, command="")


class Stopped(BaseException):
    """A run that was asked to stop has saved what there is to save.

    Args:
        signum: int, the signal.
    """

    def __init__(self, signum: int):
        super().__init__(signum)
        self.signum = signum


def listen() -> None:
    """Answers `SIGNALS` from now on; one that is ignored, as under nohup, stays so."""
    for signum in SIGNALS:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _answer)


def can_go_on(run_dir: str) -> None:
    """Notes that the run in a folder is there to be resumed."""
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    _state.command = shlex.join([python, sys.argv[0], "--resume", "--run-dir", run_dir])


@contextlib.contextmanager
def deferred():
    """In here a signal waits until `check` is called; a second one ends the process at once."""
    _state.training = True
    try:
        yield
    finally:
        _state.training = False
    look()
    check()


def look() -> None:
    """Looks whether a signal waits; `asked` and `check` go by that until the next look.

    One that comes while the step is saved must not end training: it came too late to be
    saved because of it.
    """
    _state.seen = _state.asked is not None


def asked() -> bool:
    """Whether a signal waited at the last look."""
    return _state.seen


def check() -> None:
    """Raises `Stopped` if a signal waited at the last look."""
    if _state.seen:
        raise Stopped(_state.asked)


def message() -> str:
    """What a script says that was stopped: one line with the command that goes on."""
    script = os.path.basename(sys.argv[0])
    return f"{script}: stopped" + (f"; go on with: {_state.command}" if _state.command else "")


class _Unread:
    """A stream whose reader may have gone: Ctrl-C ends `| tee log` before training ends."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        with self._gone():
            self.stream.write(text)
        return len(text)

    def flush(self):
        with self._gone():
            self.stream.flush()

    @contextlib.contextmanager
    def _gone(self):
        try:
            yield
        except BrokenPipeError:  # what is left, and what comes, goes nowhere
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


def _answer(signum, frame):
    if _state.training:
        _state.asked = signum
        sys.stdout, sys.stderr = _Unread(sys.stdout), _Unread(sys.stderr)
        for each in SIGNALS:
            if signal.getsignal(each) is _answer:
                signal.signal(each, signal.SIG_DFL)
        _say(f"\n{signal.Signals(signum).name}: stops after this step; once more stops at once\n")
        return
    # Buffered output may be in the middle of its own work.
    with contextlib.suppress(RuntimeError, OSError):
        sys.stdout.flush()
    _say(f"\n{message()}\n")
    files.abandon()
    os._exit(128 + signum)


def _say(text):
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="backslashreplace"))
