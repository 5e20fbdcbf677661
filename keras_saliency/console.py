"""What a run tells the person at the keyboard, beside Keras' own lines."""

import sys
import time

import keras


class Losses(keras.callbacks.Callback):
    """Prints the losses every so many iterations, the mean since the epoch began.

    Args:
        every: int, iterations; they are counted through the epochs.
    """

    def __init__(self, every: int):
        super().__init__()
        self.every = every
        self.done = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.done = epoch * self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        iteration = self.done + batch + 1
        if iteration % self.every == 0:
            shown = ", ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
            begin = "\n" if sys.stdout.isatty() else ""  # not on the progress bar's line
            print(f"{begin}iteration {iteration}: {shown}", flush=True)


class TimeLeft(keras.callbacks.Callback):
    """Says when training begins why nothing moves, and after an epoch how long the others take.

    What is measured begins after the first step, in which TensorFlow builds its graphs.
    """

    def on_train_begin(self, logs=None):
        self.begun, self.behind = None, 0  # when, and how many steps were done of the epoch
        self.said = False
        print("the first step takes longest: TensorFlow builds its graphs", flush=True)

    def on_train_batch_end(self, batch, logs=None):
        if self.begun is None:
            self.begun, self.behind = time.monotonic(), batch + 1

    def on_epoch_begin(self, epoch, logs=None):
        if self.begun is None or self.said:
            return
        share = 1 - self.behind / self.params["steps"]  # of the epoch before
        now, left = time.monotonic(), self.params["epochs"] - epoch
        if share > 0:
            print(f"{_said((now - self.begun) / share * left)} for {left} more epochs", flush=True)
            self.said = True
        self.begun, self.behind = now, 0


def _said(seconds):
    """A length of time in the words of people.

    Example:
        >>> _said(20), _said(90), _said(8000)
        ('less than a minute', 'about 2 minutes', 'about 2 h 13 min')
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 100:
        return f"about {minutes} minute{'s' * (minutes > 1)}"
    return f"about {minutes // 60} h {minutes % 60} min"
