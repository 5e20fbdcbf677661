"""Whether bulk prediction keeps its promises over thousands of pictures, in one run.

    python experiments/benchmarks/bulk.py

makes 5,000 small pictures, some of them rubbish, decompression bombs or cut off,
and a network with random weights, and predicts them

- with predict.py;
- with predict_many.py (Beam's direct runner), which is killed half way by a
  signal that no program can catch, and started once more;
- with predict_many.py from TFRecord files, and from a quarter of these.

Printed are whether all maps are the same bit for bit, whether the finished shards
were left alone, whether every bad picture was named, and the time and the peak
memory of each process. The status is 1 if a promise is broken. JuntingNet (the
default) and pix2pix round otherwise in another batch or with other constants,
SalGAN does not. TFRecord files are always predicted by frozen weights, as 5,000
pictures or more are: of fewer, those maps may differ.
"""

import argparse
import csv
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
EVERY = 701  # of so many pictures one is bad
SHARD = 256


def make_pictures(folder, count):
    """Returns the names of the bad ones."""
    random, bad = np.random.default_rng(0), set()
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = (int(side) for side in random.integers(48, 200, 2))
        noise = random.integers(0, 256, (1 + height // 16, 1 + width // 16, 3)).astype("uint8")
        Image.fromarray(noise).resize((width, height)).save(path)
        if number % EVERY == 5:
            bad.add(str(path.relative_to(folder)))
            spoil(path, len(bad) % 3)
    return bad


def spoil(path, how):
    if how == 0:
        path.write_bytes(b"rubbish")
    elif how == 1:
        path.write_bytes(path.read_bytes()[:300])
    else:  # of 10,001 x 10,001 pixels
        Image.new("L", (10_001, 10_001)).save(path)


def make_model(path, network):
    """In a process of its own: what is started counts this one's memory as its own."""
    from keras_saliency import training

    training.load_tensorflow()
    import keras

    from keras_saliency import models

    keras.utils.set_random_seed(0)
    {
        "juntingnet": models.JuntingNet,
        "pix2pix": models.Pix2PixGenerator,
        "salgan": lambda: models.SalGANGenerator((96, 128, 3), encoder="mobilenet", weights=None),
    }[network]().save(path)


def make_records(folder, photos):
    """The pictures in predict.py's order, in TFRecord files; in a process of its own too."""
    import tensorflow as tf

    from keras_saliency import inputs

    os.mkdir(folder)
    sources = inputs.find([str(photos)]).sources
    for first in range(0, len(sources), SHARD):
        with tf.io.TFRecordWriter(f"{folder}/{first:06d}.tfrecord") as writer:
            for source in sources[first : first + SHARD]:
                values = {"name": source.name.encode()}
                values["image"] = pathlib.Path(source.path).read_bytes()
                features = {
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
                    for name, value in values.items()
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())


def run(script, *arguments, until=None, bad=True):
    """A script's seconds and peak memory in MiB; it is killed as soon as `until()`.

    Any other end than the one that is wanted ends the benchmark: that with bad
    pictures is status 1, but so is a traceback's.
    """
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:  # a pipe would fill, and be waited for
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            if until and until():
                process.send_signal(signal.SIGKILL)
            time.sleep(0.05)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    wanted = -signal.SIGKILL if until else int(bad)
    if process.returncode != wanted or "Traceback" in text:
        sys.exit(f"{script} ended with {process.returncode}, not {wanted}:\n{text}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def maps(folder):
    """The name and PNG of every record of a job."""
    import tensorflow as tf

    for path in sorted((folder / "maps").glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            name, png = (features[key].bytes_list.value[0] for key in ("name", "png"))
            yield name.decode(), png


def same(folder, single):
    """How many maps of a job are predict.py's, how many are not, and how many it has alone."""
    equal = different = 0
    for name, png in maps(folder):
        path = single / f"{os.path.splitext(name)[0]}.png"
        if path.is_file() and path.read_bytes() == png:
            equal += 1
        else:
            different += 1
    return equal, different, sum(1 for _ in single.rglob("*.png")) - equal


def named(folder):
    with open(folder / "errors.csv", newline="", encoding="utf-8") as file:
        return {row["image"] for row in csv.DictReader(file)}


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "maps").glob("*.tfrecord")}


def measure(root, count, network):
    """Prints all; returns whether everything is as promised."""
    photos, records, single = root / "photos", root / "records", root / "single"
    bad = make_pictures(photos, count)
    model = root / "model.keras"
    making = [sys.executable, __file__, "--network", network, "--make", model, records, photos]
    subprocess.run(making, check=True, stderr=subprocess.DEVNULL)
    flags = ["--model", model, "--shard", SHARD]
    spoiled = {"bad": bool(bad)}
    alone = ["--model", model, photos, "--output", single]
    rows = {"predict.py": run("predict.py", *alone, **spoiled)}
    stopped, whole = root / "stopped", root / "whole"
    shards = sorted(records.glob("*.tfrecord"))

    def half_way():
        done = stopped / "done"
        return done.is_dir() and len(list(done.glob("*.json"))) >= len(shards) // 2

    many = "predict_many.py"
    rows[f"{many}, killed"] = run(many, photos, *flags, "--output", stopped, until=half_way)
    before = stamps(stopped)
    rows[f"{many}, resumed"] = run(many, photos, *flags, "--output", stopped, **spoiled)
    rows[f"{many}, TFRecord"] = run(many, *shards, *flags, "--output", whole, **spoiled)
    quarter = shards[: -(-len(shards) // 4)]
    less = [many, *quarter, *flags, "--output", root / "less"]
    rows[f"{many}, a quarter of it"] = run(*less, **spoiled)
    kept = report(rows, same(stopped, single), same(whole, single), before, stamps(stopped))
    said = all(named(folder) == bad for folder in (stopped, whole))
    print(f"\nbad pictures: {len(bad)}, all named and no other: {said}")
    return kept and said


def report(rows, resumed, whole, before, after):
    """Prints the table; returns whether no map differs or is missing, and none was made twice."""
    print("| process | seconds | peak memory, MiB |\n|---|---|---|")
    for name, (seconds, peak) in rows.items():
        print(f"| {name} | {seconds:.1f} | {peak:.0f} |")
    for name, found in (("killed and resumed", resumed), ("TFRecord", whole)):
        print(f"\n{name}: {found[0]} maps equal bit for bit, {found[1]} not, {found[2]} missing")
    left_alone = all(after[name] == stamp for name, stamp in before.items())
    print(f"\nshards: {len(after)}, finished when killed: {len(before)}, left alone: {left_alone}")
    return left_alone and not any(resumed[1:] + whole[1:])


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--pictures", type=int, default=5000, metavar="N")
    parser.add_argument(
        "--network", choices=("juntingnet", "pix2pix", "salgan"), default="juntingnet"
    )
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        model, records, photos = args.make
        make_model(model, args.network)
        make_records(records, photos)
        return
    from keras_saliency import provenance

    machine = f"{provenance.processor()}, {os.cpu_count()} cores"
    print(f"{machine}, {args.network}, {args.pictures} pictures\n")
    with tempfile.TemporaryDirectory() as folder:
        if not measure(pathlib.Path(folder), args.pictures, args.network):
            sys.exit(1)


if __name__ == "__main__":
    main()
