"""How fast pix2pix trains, against the same networks and the same step in PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy
    python experiments/benchmarks/pix2pix.py --torch /tmp/torch/bin/python

Both are asked in turn, each case in processes of its own: after some others it
would be slower, in full memory.

- joint step: the discriminator's step on a real and a painted map, then the
  generator's against it and on 100 times L1; 144x256 pixels, Adam(1e-5, 0.5);
- U-Net alone: the generator's step on L1.

Ours is `SaliencyGAN.fit` as experiments/train_pix2pix.py calls it: with the
pipeline, the losses' trackers, three scores and the callbacks. PyTorch's step
is pytorch-CycleGAN-and-pix2pix's, on batches that are held ready; it takes the
better of both memory layouts and of both Adams, and autocast for bfloat16. A
second table has our step without what makes it fast, and without instance
normalization.
"""

import contextlib
import functools
import os
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # and Keras' policy
SIZE = (144, 256)
EXAMPLES = 48
WARM_UP, STEPS = 2, 5  # STEPS are one measurement
RATE, BETA_1, L1_WEIGHT = 1e-5, 0.5, 100.0
GENERATOR = 31_859_585  # parameters
DISCRIMINATORS = {64: 2_764_865, 128: 11_034_753}  # by filters
# Schedule, filters of the discriminator, pictures a batch.
CASES = {
    "pix2pix, joint step, 64 filters": ("joint", 64, 1),
    "pix2pix, joint step, 128 filters": ("joint", 128, 1),
    "pix2pix, joint step, 64 filters, batch 4": ("joint", 64, 4),
    "pix2pix, U-Net alone, L1": ("content", 64, 1),
}
VARIED = "pix2pix, joint step, 64 filters"
UNFUSED = "Keras' GroupNormalization instead of the fused kernel"
PLAIN_ADAM, BARE = "Keras' Adam instead of FusedAdam", "no normalization"
VARIANTS = (UNFUSED, PLAIN_ADAM, BARE)


def batch(pictures):
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (pictures, *SIZE, 3)).astype("float32")
    return stimuli, random.random((pictures, *SIZE, 1), "float32")


# Ours


def measure_ours(what, precision, folder):
    from unittest import mock

    from keras_saliency import training

    training.load_tensorflow()
    import keras

    from keras_saliency import callbacks, console, kernels, pipeline
    from keras_saliency.datasets import synthetic

    keras.config.set_dtype_policy(PRECISIONS[precision])
    schedule, filters, pictures = CASES.get(what, CASES[VARIED])
    adam = keras.optimizers.Adam if what == PLAIN_ADAM else None
    gan = our_gan(schedule, filters, None if what == BARE else "instance", adam)
    source = pipeline.load(synthetic.load(limit=EXAMPLES), SIZE, synthetic.SIGMA)
    data = pipeline.epochs(source, pictures, mirror=False)
    board = keras.callbacks.TensorBoard(folder, write_graph=False, update_freq=500)
    fused = mock.patch.object(kernels, "can_normalize_instances", lambda *_: False)
    with fused if what == UNFUSED else contextlib.nullcontext():
        watching = [callbacks.NaNGuard(), console.Losses(500), board]
        measuring.answer_epochs(gan, data, STEPS, pictures, watching)


def our_gan(schedule, filters, normalization="instance", adam=None):
    """Compiled as experiments/train_pix2pix.py does."""
    import keras

    from keras_saliency import SaliencyGAN, metrics, models, optimizers

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
        metrics=[metrics.NSS(), metrics.CC(), metrics.KLD()],
        jit_compile=False,
    )
    return gan


# PyTorch's


def measure_torch(what, precision, _):
    import torch

    case = (*CASES[what], precision == "bfloat16")
    step, how = fastest(*case)
    name = f"PyTorch {torch.__version__.partition('+')[0]}, {how}"
    measuring.answer_steps(step, STEPS, CASES[what][2], name)


def fastest(*case):
    """The fastest step, and with what. Adam does not mind the layout: each is chosen alone."""
    import torch

    layouts = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    ways = {(name, "fused Adam"): (layouts[name], True) for name in layouts}
    times = {way: seconds_of(torch_train_step(*case, *ways[way])) for way in ways}
    layout, _ = min(times, key=times.get)
    way = layout, "default Adam"
    ways[way] = (layouts[layout], None)
    times[way] = seconds_of(torch_train_step(*case, *ways[way]))
    best = min(times, key=times.get)
    return torch_train_step(*case, *ways[best]), ", ".join(best)


def seconds_of(step):
    """The median time of a call, after a few that do not count."""
    times = []
    for _ in range(WARM_UP + STEPS):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[WARM_UP:]))


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


def torch_train_step(schedule, filters, pictures, autocast, layout, fused):
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
    return torch_step(networks, optimizers, stimuli, real, schedule == "joint", autocast)


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
    if sys.argv[1:2] == ["--measure"]:
        whose, *rest = sys.argv[2:]
        {"ours": measure_ours, "torch": measure_torch}[whose](*rest)
        return
    args = measuring.parse_args(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measuring.compared(args, __file__, what, p, folder)
            for what in CASES
            for p in PRECISIONS
        ]
        measuring.hand_over(rows)
        print(f"{measuring.machine('tensorflow', 'keras')}\n\n{measuring.comparison(rows)}\n")
        print(measuring.table(changes(args, folder)))


def changes(args, folder):
    """Our step without what makes it fast, all in turn: medians."""
    share = "instance normalization's share"
    lines = [(f"{VARIED}, batch 1: ms", "as it is", *VARIANTS, share)]
    for precision in PRECISIONS:
        with contextlib.ExitStack() as stack:
            processes = [
                measuring.Process(sys.executable, __file__, "ours", what, precision, folder)
                for what in (VARIED, *VARIANTS)
            ]
            for process in processes:
                stack.enter_context(process)
            found = measuring.in_turn(processes, args.repetitions)
        times = [float(np.median(each)) for each in found]
        cells = [f"{ms:.1f}" for ms in times]
        lines.append((precision, *cells, f"{1 - times[-1] / times[0]:.0%}"))
    return lines


if __name__ == "__main__":
    main()
