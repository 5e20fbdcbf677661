"""How fast pictures become batches, against a PyTorch DataLoader, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy pillow scipy
    python experiments/benchmarks/data.py --data osie --data-dir DIR --torch /tmp/torch/bin/python

From the picture's file and its fixations to batches of 8 at 192x256: the
picture decoded and resized (smoothed), the density blurred at that size, the
fixation map counted. The DataLoader does it with Pillow and SciPy, in as many
workers as there are cores, which are started before the clock is. Ours is
`pipeline.load` and `once`, and the same from TFRecord shards. Each a process of
its own, several times, in turn; the ratio is of the medians.

Then an epoch of SalGAN, fed by the pipeline and by the same batches held ready.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

SIZE, BATCH = (192, 256), 8
REPEATS = 5
TIMES = 3  # the pictures are taken, so that what begins a reading counts little
STEPS = 6  # of an epoch of SalGAN


def examples_of(data, data_dir):
    from keras_saliency import datasets

    module = getattr(datasets, data)
    examples = [e for split in module.SPLITS for e in module.load(data_dir, split)]
    return examples, module.SIGMA


# Ours


def time_files(data, data_dir, folder):
    """Pictures a second, decoded and all."""
    from keras_saliency import training

    training.load_tensorflow()
    from keras_saliency import pipeline

    examples, sigma = examples_of(data, data_dir)
    read_all(pipeline.batches(examples[:BATCH], SIZE, BATCH, sigma))
    examples = TIMES * examples
    begin = time.perf_counter()
    read_all(pipeline.batches(examples, SIZE, BATCH, sigma))
    return len(examples) / (time.perf_counter() - begin)


def time_shards(data, data_dir, folder):
    from keras_saliency import training

    training.load_tensorflow()
    from keras_saliency import pipeline, shards

    examples, sigma = examples_of(data, data_dir)
    shards.write(examples, SIZE, sigma, folder)
    examples = TIMES * examples
    begin = time.perf_counter()
    source = shards.load(folder, examples, SIZE, sigma)
    read_all(pipeline.once(source, BATCH))
    return len(examples) / (time.perf_counter() - begin)


def read_all(dataset):
    for _ in dataset:
        pass


def time_training(data, data_dir, folder):
    """Seconds of an epoch with the pipeline, and with batches held ready; medians, in turn."""
    from keras_saliency import training

    training.load_tensorflow()
    import keras
    import tensorflow as tf

    from keras_saliency import SaliencyGAN, devices, models, pipeline

    keras.config.set_dtype_policy(devices.choose_precision("auto")[0])
    examples, sigma = examples_of(data, data_dir)
    source = pipeline.load(examples, SIZE, sigma)
    fed = pipeline.epochs(source, BATCH, zoom=0.2, color=0.2)
    held = tf.data.Dataset.from_tensors(next(iter(fed))).cache().repeat()
    generator = models.SalGANGenerator((*SIZE, 3), weights=None)
    gan = SaliencyGAN(generator, models.SalGANDiscriminator(SIZE))
    gan.compile(keras.optimizers.Adam(1e-4), schedule="content", jit_compile=False)
    times = {"fed": [], "held": []}
    for _ in range(REPEATS + 1):
        for name, dataset in (("fed", fed), ("held", held)):
            begin = time.perf_counter()
            gan.fit(dataset, steps_per_epoch=STEPS, verbose=0)
            times[name].append(time.perf_counter() - begin)
    return [float(np.median(times[name][1:])) for name in ("fed", "held")]


# PyTorch's


def time_torch(index):
    """Pictures a second of a DataLoader's second epoch."""
    import torch
    from PIL import Image
    from scipy import ndimage
    from torch.utils import data

    with np.load(index) as file:
        paths, sizes, counts, sigma = (file[n] for n in ("paths", "sizes", "counts", "sigma"))
        fixations = np.split(file["fixations"], np.cumsum(counts)[:-1])

    class Pictures(data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, i):
            picture = Image.open(paths[i]).convert("RGB")
            picture = picture.resize(SIZE[::-1], Image.Resampling.BILINEAR)
            scale = np.array(SIZE) / sizes[i]
            at = np.floor((fixations[i][:, ::-1] + 0.5) * scale).astype(int)
            looked = np.zeros(SIZE, "float32")
            np.add.at(looked, tuple(at.clip(0, np.array(SIZE) - 1).T), 1)
            density = ndimage.gaussian_filter(looked, sigma * scale)
            density /= density.max()
            stimulus = np.asarray(picture, "float32").transpose(2, 0, 1)
            return torch.from_numpy(stimulus), torch.from_numpy(density), torch.from_numpy(looked)

    workers = os.cpu_count()
    loader = data.DataLoader(Pictures(), BATCH, num_workers=workers, persistent_workers=True)
    for _ in range(2):
        begin = time.perf_counter()
        read_all(loader)
    return [len(paths) / (time.perf_counter() - begin), torch.__version__]


def write_index(path, data, data_dir):
    examples, sigma = examples_of(data, data_dir)
    examples = TIMES * examples
    np.savez(
        path,
        paths=[example.image_path for example in examples],
        sizes=[example.size for example in examples],
        counts=[len(example.fixations) for example in examples],
        fixations=np.concatenate([example.fixations for example in examples]),
        sigma=sigma,
    )


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--data", default="osie", help="default: %(default)s")
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument("--torch", metavar="PYTHON", help="python of an environment with PyTorch")
    parser.add_argument("--time", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.time:
        what, *rest = args.time
        timers = {"files": time_files, "shards": time_shards, "training": time_training}
        given = [args.data, args.data_dir, *rest]
        print(json.dumps(timers[what](*given) if what in timers else time_torch(*rest)))
        return
    with tempfile.TemporaryDirectory() as folder:
        index, written = os.path.join(folder, "index.npz"), os.path.join(folder, "shards")
        write_index(index, args.data, args.data_dir)
        print(rates(args, index, written), flush=True)
        fed, held = timed(args, sys.executable, "training", folder)
    epoch = f"An epoch of {STEPS} steps of SalGAN: {fed:.2f} s, with batches held ready "
    print(f"\n{epoch}{held:.2f} s ({fed / held - 1:+.1%})")


def timed(args, python, *what):
    command = [python, os.path.abspath(__file__), "--data", args.data]
    command += ["--data-dir", args.data_dir, "--time", *what]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rates(args, index, written):
    """A table of pictures a second, with every repeat."""
    found = {"files": [], "shards": [], "torch": []}
    for _ in range(REPEATS):
        found["files"].append(timed(args, sys.executable, "files", ""))
        found["shards"].append(timed(args, sys.executable, "shards", written))
        if args.torch:
            rate, version = timed(args, args.torch, "torch", index)
            found["torch"].append(rate)
    if args.torch:
        hand_over(found, f"PyTorch {version.partition('+')[0]}, DataLoader")
    head = measuring.machine("tensorflow", "pillow")
    names = {"files": "ours, from files", "shards": "ours, from shards", "torch": "DataLoader"}
    rows = ["| pictures a second | median | all | ratio |", "|---|---|---|---|"]
    theirs = np.median(found["torch"] or [float("nan")])
    for name, times in found.items():
        if times:
            each = ", ".join(f"{one:.0f}" for one in times)
            median = np.median(times)
            rows.append(f"| {names[name]} | {median:.0f} | {each} | {median / theirs:.2f} |")
    return "\n".join([head, "", *rows])


def hand_over(found, against):
    rows = []
    for source in ("files", "shards"):
        times = found[source], found["torch"]
        what = f"batches from {source}"
        rows.append(measuring.row(what, "", "pictures a second", *times, against, rate=True))
    measuring.hand_over(rows)


if __name__ == "__main__":
    main()
