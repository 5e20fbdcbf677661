"""How much two machines train together, against one alone: SalGAN at 96x128, 8 pictures each.

    python experiments/benchmarks/workers.py

Machines are processes of this one, each with a core of its own; they exchange
gradients over loopback, as they would over a network. One after the other, and
that over and over: one worker alone, two that know nothing of each other (what
two cores of this processor can do at best), and two that train together. The
two together must have 1.6 times the pictures per second of one.

- content: the generator's step on its content loss, by which a run begins;
- alternate: a step of the discriminator, then one of the generator against it.

The first three blocks of the encoder are frozen, as with pretrained weights.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZE, BATCH, RATE = (96, 128), 8, 1e-4
FROZEN_BLOCKS = 3
WARM_UP, STEPS = 4, 12  # both even: turns come in pairs
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
SCHEDULES = ("content", "alternate")
ONE, APART, TOGETHER = "one worker", "two apart", "two together"
DEADLINE = 900  # seconds for one measurement


def work(core, schedule, precision, out, gate):
    """One worker: trains, and writes its pictures per second."""
    os.sched_setaffinity(0, {core})
    from keras_saliency import strategies, training

    training.load_tensorflow()
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    strategy = strategies.begin("multiworker" if "TF_CONFIG" in os.environ else "none")
    keras.config.set_dtype_policy(POLICIES[precision])
    keras.utils.set_random_seed(0)
    with strategy.scope():
        gan = compiled(schedule)
    times = Times(gate)
    source = made_up(BATCH * strategy.num_replicas_in_sync)
    strategies.fit(
        gan, source, source, BATCH * strategy.num_replicas_in_sync, 0, 1,
        callbacks=[times.callback()], validation_freq=10**6, verbose=0,
    )  # fmt: skip
    with open(out, "w", encoding="utf-8") as file:
        json.dump(BATCH * STEPS / (times.ended - times.begun), file)


class Times:
    """Notes when the steps that count begin and end."""

    def __init__(self, gate):
        self.gate = gate
        self.begun = self.ended = 0.0

    def callback(self):
        import keras

        return keras.callbacks.LambdaCallback(on_train_batch_end=self.note)

    def note(self, batch, logs):
        if batch + 1 == WARM_UP:
            self.wait()
            self.begun = time.perf_counter()
        self.ended = time.perf_counter()

    def wait(self):
        """Until all are as far, so that none has the processor's cache to itself."""
        with open(f"{self.gate}.{os.getpid()}", "w", encoding="utf-8"):
            pass
        while not os.path.exists(self.gate):
            time.sleep(0.01)


def made_up(pictures):
    """One batch over and over: the pictures' reading is not what is measured."""
    import tensorflow as tf

    from keras_saliency import pipeline

    random = np.random.default_rng(0)
    stacks = (
        tf.constant(random.integers(0, 256, (pictures, *SIZE, 3)), tf.uint8),
        tf.constant(random.random((pictures, *SIZE, 1)), tf.float16),
        tf.constant(random.random((pictures, *SIZE, 1)) > 0.99, tf.uint8),
    )
    return pipeline.Source(
        lambda i: tuple(tf.gather(stack, i % pictures) for stack in stacks),
        pictures * (WARM_UP + STEPS),
        at_once=True,
    )


def compiled(schedule):
    from keras_saliency import SaliencyGAN, metrics, models
    from keras_saliency.optimizers import FusedAdam

    generator = models.SalGANGenerator((*SIZE, 3), weights=None)
    for layer in generator.layers:
        if layer.name.startswith(tuple(f"block{i}_" for i in range(1, FROZEN_BLOCKS + 1))):
            layer.trainable = False
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(SIZE))
    gan.compile(
        FusedAdam(RATE), FusedAdam(RATE), schedule=schedule, content_weight=1.0,
        metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()], jit_compile=False,
    )  # fmt: skip
    return gan


def measure(constellation, schedule, precision):
    """Pictures per second, of all workers."""
    count = 1 if constellation == ONE else 2
    configs = cluster(count) if constellation == TOGETHER else [None] * count
    deadline = time.monotonic() + DEADLINE
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        gate, outs = os.path.join(folder, "gate"), [f"{folder}/{i}" for i in range(count)]
        try:
            for core, (out, config) in enumerate(zip(outs, configs, strict=True)):
                env = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
                env |= {"TF_CONFIG": config} if config else {}
                command = [sys.executable, os.path.abspath(__file__), "--work", str(core)]
                command += [schedule, precision, out, gate]
                workers.append(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL))
            while sum(name.startswith("gate.") for name in os.listdir(folder)) < count:
                check(workers, deadline)
            with open(gate, "w", encoding="utf-8"):
                pass
            while any(worker.poll() is None for worker in workers):
                check(workers, deadline)
            check(workers, deadline)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        speeds = []
        for out in outs:
            with open(out, encoding="utf-8") as file:
                speeds.append(json.load(file))
    return sum(speeds)


def check(workers, deadline):
    """Waits a moment; ends this if a worker failed, or all take too long."""
    time.sleep(0.05)
    if any(worker.poll() for worker in workers):
        sys.exit("a worker failed")
    if time.monotonic() > deadline:
        sys.exit(f"the workers were not done within {DEADLINE} seconds")


def cluster(count):
    """TF_CONFIG of every worker, with ports that are free."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}})
        for i in range(count)
    ]


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--repeat", type=int, default=5, metavar="N", help="times (default: 5)")
    add("--schedule", nargs="+", choices=SCHEDULES, default=SCHEDULES)
    add("--precision", nargs="+", choices=POLICIES, default=list(POLICIES))
    add("--work", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        core, *rest = args.work
        work(int(core), *rest)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and the workers with it
    apart, together = [], []
    for schedule in args.schedule:
        for precision in args.precision:
            speeds = [
                [measure(name, schedule, precision) for name in (ONE, APART, TOGETHER)]
                for _ in range(args.repeat)
            ]
            one, *two = zip(*speeds, strict=True)
            for rows, name, ours in zip((apart, together), (APART, TOGETHER), two, strict=True):
                what = f"SalGAN {schedule}, {name}"
                rows.append(measuring.row(what, precision, "pictures/s", ours, one, ONE, rate=True))
                print(measuring.comparison(rows[-1:]).splitlines()[-1], flush=True)
    measuring.hand_over(together)
    print(f"\n{measuring.machine('tensorflow', 'keras')}\n")
    print(measuring.comparison([*together, *apart]))


if __name__ == "__main__":
    main()
