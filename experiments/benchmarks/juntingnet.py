"""How fast JuntingNet trains and predicts, against the same network in PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy pillow
    python experiments/benchmarks/juntingnet.py --torch /tmp/torch/bin/python

Both do the same, in processes of their own, one after the other:

- training step: 128 pictures, mean squared error, SGD with Nesterov momentum,
  weight decay 5e-4 (the papers' recipe);
- map of one picture: 96x96 pixels in memory to a 48x48 map;
- file to map: a JPEG of 600x800 pixels to a map of its own size: decoded,
  resized, predicted, blurred, resized. The first paper reports 200 ms (GTX 980).

PyTorch's times are the better of both memory layouts; its bfloat16 is autocast
in training, and in prediction the better of autocast and bfloat16 weights.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = ("float32", "bfloat16")
BATCH = 128
STEPS, PREDICTIONS = 12, 60
PAPER_MS = 200.0
NAMES = {
    "training step": "training step, ms a picture",
    "map of one picture": "map of one picture, ms",
    "file to map": "file to map, ms",
}


def median_ms(function, repetitions):
    """The median time of a call, after a few that do not count."""
    times = []
    for i in range(repetitions + 3):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
        if i < 3:
            times.clear()
    return sorted(times)[len(times) // 2] * 1e3


def batch():
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (BATCH, 96, 96, 3)).astype("float32")
    return stimuli, random.random((BATCH, 48, 48, 1), "float32")


def write_picture(path):
    """A photograph's stand-in: smooth with some noise, as large as OSIE's."""
    from PIL import Image

    random = np.random.default_rng(1)
    small = Image.fromarray(random.integers(0, 256, (30, 40, 3)).astype("uint8"))
    picture = np.asarray(small.resize((800, 600), Image.Resampling.BICUBIC), "float32")
    picture = picture + random.normal(0, 6, picture.shape)
    Image.fromarray(picture.clip(0, 255).astype("uint8")).save(path, "JPEG", quality=90)


# Ours


def time_ours(path):
    from keras_saliency import training

    training.load_tensorflow()
    import keras

    found = {}
    for precision in PRECISIONS:
        policy = "float32" if precision == "float32" else f"mixed_{precision}"
        keras.config.set_dtype_policy(policy)
        found[precision] = times_ours(path)
    return found


def times_ours(path):
    import keras
    import tensorflow as tf

    from keras_saliency import models, pictures, prediction

    network = models.JuntingNet(initializer="glorot", weight_decay=2.5e-4)
    network.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "mse")
    data = iter(tf.data.Dataset.from_tensors(batch()).cache().repeat())
    network.make_train_function()
    step = network.train_function
    training_step = median_ms(lambda: float(step(data)["loss"]), STEPS) / BATCH

    frozen = prediction.Frozen(network)
    one = batch()[0][:1]
    final = prediction.Frozen(models.post_processed(network))
    return {
        "training step": training_step,
        "map of one picture": median_ms(lambda: frozen.predict_on_batch(one), PREDICTIONS),
        "file to map": median_ms(
            lambda: next(prediction.saliency_maps(final, [pictures.read(path)])), PREDICTIONS
        ),
    }


# PyTorch's


def time_torch(path):
    return {precision: times_torch(path, precision) for precision in PRECISIONS}


def torch_network():
    import torch
    from torch import nn

    class JuntingNet(nn.Module):
        def __init__(self):
            super().__init__()
            layers = []
            for inputs, filters, size in ((3, 32, 5), (32, 64, 3), (64, 64, 3)):
                layers += [nn.Conv2d(inputs, filters, size), nn.ReLU(), nn.MaxPool2d(2)]
            self.convolutions = nn.Sequential(*layers, nn.Flatten())
            self.fc1 = nn.Linear(6400, 4608)
            self.fc2 = nn.Linear(2304, 2304)

        def forward(self, stimulus):
            x = torch.relu(self.fc1(self.convolutions(stimulus / 255)))
            x = self.fc2(x.view(len(x), 2304, 2).amax(-1))
            return x.view(-1, 1, 48, 48)

    return JuntingNet()


def times_torch(path, precision):
    import torch

    half = precision == "bfloat16"
    layouts = (torch.contiguous_format, torch.channels_last)
    steps = [torch_step(layout, half) for layout in layouts]
    cases = [(layout, half and not whole, half and whole)
             for layout in layouts for whole in (False, True)]  # fmt: skip
    predictors = [torch_predictor(*case) for case in cases]
    one = torch.from_numpy(batch()[0][:1]).permute(0, 3, 1, 2)
    singles = [median_ms(lambda p=p: p(one).float().numpy(), PREDICTIONS) for p in predictors]
    best = predictors[int(np.argmin(singles))]
    return {
        "training step": min(steps) / BATCH,
        "map of one picture": min(singles),
        "file to map": median_ms(lambda: torch_file(path, best), PREDICTIONS),
    }


def torch_step(layout, autocast):
    import torch

    network = torch_network().to(memory_format=layout)
    optimizer = torch.optim.SGD(
        network.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    stimuli, targets = (torch.from_numpy(each).permute(0, 3, 1, 2) for each in batch())
    stimuli = stimuli.contiguous(memory_format=layout)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found = network(stimuli)
        loss = torch.nn.functional.mse_loss(found.float(), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return median_ms(step, STEPS)


def torch_predictor(layout, autocast, whole):
    """A function of one float32 stimulus."""
    import torch

    network = torch_network().eval().to(memory_format=layout)
    dtype = torch.bfloat16 if whole else torch.float32
    network = network.to(dtype)

    def predict(stimulus):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return network(stimulus.to(dtype).contiguous(memory_format=layout))

    return predict


def torch_file(path, predict):
    """As `prediction.saliency_maps` with the post-processing."""
    import torch
    from PIL import Image
    from torch.nn import functional

    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    stimulus = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    stimulus = functional.interpolate(stimulus, (96, 96), mode="bilinear", antialias=True)
    saliency_map = predict(stimulus.round().clamp(0, 255)).float()
    taps = torch.exp(-0.5 * (torch.arange(-12, 13) / 3.0) ** 2)
    taps = taps / taps.sum()
    for shape, widths in (((1, 1, 25, 1), (0, 0, 12, 12)), ((1, 1, 1, 25), (12, 12, 0, 0))):
        padded = functional.pad(saliency_map, widths, mode="reflect")
        saliency_map = functional.conv2d(padded, taps.view(shape))
    saliency_map = saliency_map - saliency_map.min()
    saliency_map = saliency_map / saliency_map.max()
    size = pixels.shape[:2]
    return functional.interpolate(saliency_map, size, mode="bilinear")[0, 0].numpy()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--torch", metavar="PYTHON", help="python of an environment with PyTorch")
    parser.add_argument("--times-of", choices=("ours", "torch"), help=argparse.SUPPRESS)
    parser.add_argument("--picture", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.times_of:
        timed = {"ours": time_ours, "torch": time_torch}[args.times_of]
        print(json.dumps(timed(args.picture)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture.jpg")
        write_picture(path)
        ours = times_of("ours", sys.executable, path)
        theirs = times_of("torch", args.torch, path) if args.torch else None
    print(report(ours, theirs))


def times_of(whose, python, path):
    command = [python, os.path.abspath(__file__), "--times-of", whose, "--picture", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(ours, theirs):
    import importlib.metadata as metadata

    from keras_saliency import runs

    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras"))
    lines = [f"{runs.processor()}, {os.cpu_count()} cores, {platform.python_version()}, {versions}"]
    lines += ["", "| | precision | ours | PyTorch | ratio |", "|---|---|---|---|---|"]
    for what, name in NAMES.items():
        for precision in PRECISIONS:
            mine = ours[precision][what]
            other = theirs[precision][what] if theirs else float("nan")
            cells = f"{mine:.2f} | {other:.2f} | {other / mine:.2f}"
            lines.append(f"| {name} | {precision} | {cells} |")
    fastest = min(ours[precision]["file to map"] for precision in PRECISIONS)
    return "\n".join([*lines, "", f"file to map, the paper's 200 ms: {PAPER_MS / fastest:.1f}x"])


if __name__ == "__main__":
    main()
