"""How fast pix2pix trains, against the same networks and the same step in PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy
    python experiments/benchmarks/pix2pix.py --torch /tmp/torch/bin/python

Both do the same, one after the other, every time in a process of its own: after
some others it would be slower, in full memory.

- joint step: the discriminator's step on a real and a painted map, then the
  generator's against it and on 100 times L1; 144x256 pixels, Adam(1e-5, 0.5);
- U-Net alone: the generator's step on L1.

PyTorch's step is pytorch-CycleGAN-and-pix2pix's, its times are the better of
both memory layouts and of both Adams, its bfloat16 is autocast. A second table
has our step without what makes it fast, and without instance normalization.
"""

import argparse
import functools
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # and Keras' policy
SIZE = (144, 256)
WARM_UP, STEPS = 3, 10
RATE, BETA_1, L1_WEIGHT = 1e-5, 0.5, 100.0
GENERATOR = 31_859_585  # parameters
DISCRIMINATORS = {64: 2_764_865, 128: 11_034_753}  # by filters
# Schedule, filters of the discriminator, pictures a batch.
CASES = {
    "joint step, 64 filters": ("joint", 64, 1),
    "joint step, 128 filters": ("joint", 128, 1),
    "joint step, 64 filters, batch 4": ("joint", 64, 4),
    "U-Net alone, L1": ("content", 64, 1),
}
VARIED = "joint step, 64 filters"
UNFUSED = "Keras' GroupNormalization instead of the fused kernel"
PLAIN_ADAM, BARE = "Keras' Adam instead of FusedAdam", "no normalization"
VARIANTS = (UNFUSED, PLAIN_ADAM, BARE)


def median_ms(function):
    """The median time of a call, after a few that do not count."""
    times = []
    for _ in range(WARM_UP + STEPS):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[WARM_UP:])) * 1e3


def batch(pictures):
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (pictures, *SIZE, 3)).astype("float32")
    return stimuli, random.random((pictures, *SIZE, 1), "float32")


# Ours


def time_ours(what, precision):
    from unittest import mock

    from keras_saliency import training

    training.load_tensorflow()
    import keras

    from keras_saliency import kernels

    keras.config.set_dtype_policy(PRECISIONS[precision])
    case = CASES.get(what, CASES[VARIED])
    if what == UNFUSED:
        with mock.patch.object(kernels, "can_normalize_instances", lambda *_: False):
            return time_step(*case)
    if what == PLAIN_ADAM:
        return time_step(*case, adam=keras.optimizers.Adam)
    return time_step(*case, normalization=None if what == BARE else "instance")


def time_step(schedule, filters, pictures, normalization="instance", adam=None):
    """ms a picture; compiled as experiments/train_pix2pix.py does, without scores."""
    import keras
    import tensorflow as tf

    from keras_saliency import SaliencyGAN, models, optimizers

    adam = adam or optimizers.FusedAdam
    generator = models.Pix2PixGenerator(input_shape=(*SIZE, 3), normalization=normalization)
    discriminator = models.PatchGANDiscriminator(SIZE, filters, normalization)
    if normalization:  # else there are more biases
        assert generator.count_params() == GENERATOR
        assert discriminator.count_params() == DISCRIMINATORS[filters]
    gan = SaliencyGAN(generator, discriminator)
    gan.compile(
        *(adam(RATE, beta_1=BETA_1) for _ in range(2)),
        content_loss=keras.losses.MeanAbsoluteError(name="l1"),
        content_weight=2 * L1_WEIGHT,  # the maps are 0 to 1 here, half as far apart
        content_downsample=1,
        adversarial_loss=keras.losses.BinaryCrossentropy(from_logits=True),
        schedule=schedule,
        jit_compile=False,
    )
    data = iter(tf.data.Dataset.from_tensors(batch(pictures)).cache().repeat())
    gan.make_train_function()
    return median_ms(lambda: float(gan.train_function(data)["generator_loss"])) / pictures


# PyTorch's


def time_torch(what, precision):
    import torch

    return *fastest(*CASES[what], precision == "bfloat16"), torch.__version__


def fastest(*case):
    """ms a picture, and with what. Adam does not mind the layout, so each is chosen alone."""
    import torch

    layouts = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    times = {(name, "fused Adam"): time_torch_step(*case, layouts[name], True) for name in layouts}
    layout, _ = min(times, key=times.get)
    times[layout, "default Adam"] = time_torch_step(*case, layouts[layout], None)
    which = min(times, key=times.get)
    return times[which], ", ".join(which)


def torch_generator():
    import torch
    from torch import nn

    doubled = functools.partial(nn.ConvTranspose2d, stride=2, padding=1)

    def encoder(inputs, filters, kernel):
        norm = nn.InstanceNorm2d(filters) if inputs > 3 else nn.Identity()
        halved = nn.Conv2d(inputs, filters, kernel, stride=2, padding=1)
        return nn.Sequential(halved, norm, nn.LeakyReLU(0.2, True))

    def decoder(layer, dropout):
        norm = nn.InstanceNorm2d(layer.out_channels)
        return nn.Sequential(layer, norm, *[nn.Dropout(0.5)] * dropout, nn.ReLU(True))

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            shapes = (3, 64, 4), (64, 128, 4), (128, 256, 4), (256, 512, 4), (512, 1024, 3)
            self.encoders = nn.ModuleList(encoder(*shape) for shape in shapes)
            self.bottleneck = decoder(nn.Conv2d(1024, 1024, 3, padding=1), True)
            decoders = [decoder(doubled(2048, 512, 3, output_padding=(0, 1)), True)]  # to 9x16
            for filters in (256, 128, 64):
                decoders.append(decoder(doubled(4 * filters, filters, 4), filters == 256))
            decoders.append(nn.Sequential(doubled(128, 1, 4), nn.Tanh()))
            self.decoders = nn.ModuleList(decoders)

        def forward(self, x):
            skips = [x := halve(x) for halve in self.encoders]
            x = self.bottleneck(x)
            for double in self.decoders:
                x = double(torch.cat([x, skips.pop()], 1))
            return x

    return Generator()


def torch_discriminator(filters):
    from torch import nn

    layers = [nn.Conv2d(4, filters, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    for inputs, stride in ((filters, 2), (2 * filters, 2), (4 * filters, 1)):
        halved = nn.Conv2d(inputs, 2 * inputs, 4, stride, padding=1, bias=False)
        layers += [halved, nn.InstanceNorm2d(2 * inputs), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * filters, 1, 4, padding=1))


def time_torch_step(schedule, filters, pictures, autocast, layout, fused):
    import torch

    networks = [torch_generator(), torch_discriminator(filters)]
    counts = [sum(weight.numel() for weight in network.parameters()) for network in networks]
    assert counts == [GENERATOR, DISCRIMINATORS[filters]], counts
    adam = functools.partial(torch.optim.Adam, lr=RATE, betas=(BETA_1, 0.999), fused=fused)
    optimizers = [adam(network.to(memory_format=layout).parameters()) for network in networks]
    # -1 to 1, as these networks take them, already: so they come from their authors' loader.
    stimuli, real = (torch.from_numpy(each).permute(0, 3, 1, 2) for each in batch(pictures))
    stimuli = (stimuli / 127.5 - 1).contiguous(memory_format=layout)
    real = (2 * real - 1).contiguous(memory_format=layout)
    step = torch_step(networks, optimizers, stimuli, real, schedule == "joint", autocast)
    return median_ms(step) / pictures


def torch_step(networks, optimizers, stimuli, real, joint, autocast):
    """As `Pix2PixModel.optimize_parameters`: a function that returns the generator's loss."""
    import torch
    from torch.nn import functional

    generator, discriminator = networks
    precision = torch.autocast("cpu", torch.bfloat16, enabled=autocast)

    def adversarial_loss(saliency_map, is_real):
        logits = discriminator(torch.cat([stimuli, saliency_map], 1)).float()
        target = torch.full_like(logits, is_real)
        return functional.binary_cross_entropy_with_logits(logits, target)

    def update(optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def step():
        with precision:
            fake = generator(stimuli).float()
        loss = L1_WEIGHT * functional.l1_loss(fake, real)
        if joint:
            discriminator.requires_grad_(True)
            with precision:
                losses = adversarial_loss(fake.detach(), False), adversarial_loss(real, True)
            update(optimizers[1], sum(losses) / 2)
            discriminator.requires_grad_(False)
            with precision:
                loss = loss + adversarial_loss(fake, True)
        update(optimizers[0], loss)
        return loss.item()

    return step


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--torch", metavar="PYTHON", help="python of an environment with PyTorch")
    parser.add_argument("--time", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.time:
        whose, *what = args.time
        print(json.dumps({"ours": time_ours, "torch": time_torch}[whose](*what)))
        return
    ours = times_of("ours", sys.executable, (*CASES, *VARIANTS))
    print(report(ours, times_of("torch", args.torch, CASES) if args.torch else None))


def times_of(whose, python, names):
    found = {}
    for what in ((name, precision) for name in names for precision in PRECISIONS):
        command = [python, os.path.abspath(__file__), "--time", whose, *what]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[what] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(ours, theirs):
    import importlib.metadata as metadata

    from keras_saliency import runs

    head = f"{runs.processor()}, {os.cpu_count()} cores, {platform.python_version()}, "
    head += ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras"))
    head += f", torch {next(iter(theirs.values()))[2]}" if theirs else ""
    steps = [("ms a picture", "precision", "ours", "PyTorch", "ratio", "PyTorch's fastest")]
    for what in ((name, precision) for name in CASES for precision in PRECISIONS):
        other, how, _ = theirs[what] if theirs else (float("nan"), "", "")
        cells = f"{ours[what]:.1f}", f"{other:.1f}", f"{other / ours[what]:.2f}", how
        steps.append((*what, *cells))
    share = "instance normalization's share"
    changes = [(f"{VARIED}, batch 1: ms", "as it is", *VARIANTS, share)]
    for precision in PRECISIONS:
        times = [ours[name, precision] for name in (VARIED, *VARIANTS)]
        cells = [f"{ms:.1f}" for ms in times]
        changes.append((precision, *cells, f"{1 - times[-1] / times[0]:.0%}"))
    return "\n\n".join([head, table(steps), table(changes)])


def table(rows):
    lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


if __name__ == "__main__":
    main()
