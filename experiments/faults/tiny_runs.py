"""Small runs of the training scripts, to be killed and resumed.

    python experiments/faults/tiny_runs.py

reads requests, a line of JSON each: {"name": "salgan", "flags": [...], "log": FILE}.
Each is a process of its own, forked from this one, which has imported TensorFlow but
not used it: it begins at once. Answers are two lines, its pid and its exit status.
What follows on training, the export, is left out.
"""

import json
import os
import signal
import sys
import traceback
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import keras
import train_juntingnet
import train_pix2pix
import train_salgan

from keras_saliency import models, runs, stopping, training

SMALL = {"size": (32, 48), "batch_size": 2}
EVERY = {"checkpoint_every": 1, "epochs": 4}
PLACES = {  # of each trainer's recipe for made-up scenes, and what is changed there
    "salgan": (
        train_salgan,
        "RECIPES",
        "QUICK",
        {"content_epochs": 2, "epochs": 2, "width": 0.0625},
    ),
    "juntingnet": (
        train_juntingnet,
        "LEARNED_BY_SMALL",
        "QUICK",
        {"checkpoint_every": 2, "epochs": 4, "predict_every": 2, "hold_out": 0.25, "patience": 3},
    ),
    "pix2pix": (
        train_pix2pix,
        "RECIPES",
        "QUICK",
        {**EVERY, "size": (48, 64), "width": 0.0625, "discriminator_filters": 4, "show_every": 3},
    ),
}
FLAGS = ["--limit", "17", "--precision"]
PRECISION = {"pix2pix": "mixed_float16"}  # which has a loss scale; the others: bfloat16


def begin(name, flags):
    """Trains; SalGAN, which drops nothing out, with pixels of the stimulus dropped out."""
    script, recipes, quick, changes = PLACES[name]
    recipe = {**getattr(script, quick), **SMALL, **changes}
    generator = models.SalGANGenerator

    def dropping(shape, **options):
        stimulus = keras.Input(shape)
        dropped = keras.layers.Dropout(0.2, seed=3)(stimulus)
        return keras.Model(stimulus, generator(shape, **options)(dropped))

    precision = PRECISION.get(name, "mixed_bfloat16")
    sys.argv = [script.__file__, *flags]
    stopping.listen()
    with (
        mock.patch.dict(getattr(script, recipes), synthetic=recipe),
        mock.patch.object(models, "SalGANGenerator", dropping),
        mock.patch.object(runs, "finish", lambda *_: "(left out)"),
        mock.patch.object(train_pix2pix, "say_best", lambda *_: None),
    ):
        training.run(lambda: script.main([*flags, *FLAGS, precision]))


def child(request):
    """Never returns; what is written goes into the log, after that of processes before."""
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    status = 0
    try:
        begin(request["name"], request["flags"])
    except SystemExit as done:
        status = done.code or 0
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
