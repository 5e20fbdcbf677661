"""A progress line for a person at a terminal; nothing for a file."""

import sys
import time

SLOW = 3.0  # seconds; what takes less needs no line


class Bar:
    """Says how far a loop is and how long it will still take.

    Not Keras' own: that would load TensorFlow, which scoring does not need.

    Args:
        total: how many there are.
        unit: what is counted, in the plural.

    Example:
        >>> bar = Bar(2, "pictures")
        >>> bar.update(2)  # on a terminal, after 3 seconds: 2/2 pictures, 0:00 left
    """

    def __init__(self, total: int, unit: str):
        self.total, self.unit = total, unit
        self.started = self.shown = time.monotonic()
        self.visible = sys.stderr.isatty()

    def update(self, done: int) -> None:
        """`done` of them are done; the last call ends the line."""
        now = time.monotonic()
        if not self.visible or now - self.started < SLOW:
            return
        if now - self.shown > 0.2 or done >= self.total:
            self.shown = now
            left = round((now - self.started) * (self.total - done) / max(done, 1))
            line = f"{done}/{self.total} {self.unit}, {left // 60}:{left % 60:02d} left"
            end = "\n" if done >= self.total else ""
            print(f"\r{line:<60}", end=end, file=sys.stderr, flush=True)
