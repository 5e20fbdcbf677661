"""The generators in every implementation that accelerators.py measures, as two calls each."""

import numpy as np


def prepared(implementation, network, size, batch, device):
    """The two calls, and the multiplications and additions of one map."""
    from keras_saliency import folding, models

    builder = models.SalGANGenerator if network == "SalGAN" else models.Pix2PixGenerator
    options = {"weights": None} if network == "SalGAN" else {}
    model = builder(input_shape=(*size, 3), **options)
    random = np.random.default_rng(0)
    stimuli = random.integers(0, 256, (batch, *size, 3)).astype("float32")
    targets = random.random((batch, *size, 1), "float32")
    if implementation in ("twin", "compiled"):
        work = 2 * multiplications(folding.plain(model))
        twin = torch_network(network)
        count = sum(weight.numel() for weight in twin.parameters())
        assert count == model.count_params(), (count, model.count_params())
        del model
        return torch_calls(twin, stimuli, targets, implementation == "compiled", device), work
    calls = {"jax": jax_calls, "torch": keras_torch_calls, "tensorflow": tensorflow_calls}
    work = 2 * multiplications(model)
    return calls[implementation](model, stimuli, targets, device), work


def multiplications(model):
    """Of all convolutions, for one picture."""
    total = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            # A transposed convolution multiplies its kernel with every pixel that comes in,
            # an UpsampledConv2D one of 4x4.
            doubles = type(layer).__name__ == "UpsampledConv2D"
            before = doubles or "Transpose" in type(layer).__name__
            pixels = np.prod((layer.input if before else layer.output).shape[1:3])
            places = 16 if doubles else np.prod(kernel.shape[:2])
            total += int(places * np.prod(kernel.shape[2:]) * pixels)
    return total


def jax_calls(model, stimuli, targets, device):
    import jax

    stimuli, targets = jax.numpy.asarray(stimuli), jax.numpy.asarray(targets)
    weights = [v.value for v in model.trainable_variables]
    rest = [v.value for v in model.non_trainable_variables]

    @jax.jit
    def maps(weights, rest, stimuli):
        return model.stateless_call(weights, rest, stimuli, training=False)[0]

    @jax.jit
    def gradients(weights, rest, stimuli, targets):
        def loss(weights):
            found = model.stateless_call(weights, rest, stimuli, training=True)[0]
            return jax.numpy.mean((found - targets) ** 2)

        return jax.grad(loss)(weights)

    return {
        "maps": lambda: maps(weights, rest, stimuli),
        "gradients": lambda: gradients(weights, rest, stimuli, targets),
    }


def tensorflow_calls(model, stimuli, targets, device):
    import tensorflow as tf

    stimuli, targets = tf.constant(stimuli), tf.constant(targets)

    @tf.function(jit_compile=device.gpu)
    def maps(stimuli):
        return model(stimuli, training=False)

    @tf.function(jit_compile=device.gpu)
    def gradients(stimuli, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(stimuli, training=True) - targets) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    return {"maps": lambda: maps(stimuli), "gradients": lambda: gradients(stimuli, targets)}


def keras_torch_calls(model, stimuli, targets, device):
    import torch

    stimuli, targets = (torch.from_numpy(each).to(device.place) for each in (stimuli, targets))

    def maps():
        with torch.no_grad():
            return model(stimuli, training=False)

    def gradients():
        model.zero_grad(set_to_none=True)
        ((model(stimuli, training=True) - targets) ** 2).mean().backward()

    return {"maps": maps, "gradients": gradients}


def torch_calls(network, stimuli, targets, through_compiler, device):
    import torch

    network = network.to(device.place, memory_format=torch.channels_last)
    stimuli, targets = (
        torch.from_numpy(each).permute(0, 3, 1, 2).to(device.place)  # are channels last so
        for each in (stimuli, targets)
    )
    if through_compiler:
        network = torch.compile(network)
    half = device.dtype != "float32"
    autocast = torch.autocast(device.place, getattr(torch, device.dtype), enabled=half)

    def maps():
        network.eval()
        with torch.inference_mode(), autocast:
            return network(stimuli).float()

    def gradients():
        network.train()
        network.zero_grad(set_to_none=True)
        with autocast:
            found = network(stimuli)
        ((found.float() - targets) ** 2).mean().backward()

    return {"maps": maps, "gradients": gradients}


def torch_network(name):
    """The network of that name with the package's inputs and outputs: 0-255 to 0-1."""
    import torch
    from pix2pix import torch_generator
    from torch import nn

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch_generator()

        def forward(self, stimuli):
            return self.inner(stimuli / 127.5 - 1) * 0.5 + 0.5

    class SalGAN(nn.Module):
        def __init__(self):
            super().__init__()
            blocks = (64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3
            layers, last = [], 3
            for i, block in enumerate((*blocks, *blocks[::-1])):
                if i:  # halved on the way down, doubled on the way up
                    layers += [nn.MaxPool2d(2)] * (i < 5) + [nn.Upsample(scale_factor=2)] * (i > 5)
                for filters in block:
                    layers += [nn.Conv2d(last, filters, 3, padding=1), nn.ReLU()]
                    last = filters
            self.layers = nn.Sequential(*layers, nn.Conv2d(last, 1, 1))
            mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
            self.register_buffer("mean", mean)

        def forward(self, stimuli):
            return torch.sigmoid(self.layers(stimuli.flip(1) - self.mean).float())

    return SalGAN() if name == "SalGAN" else Scaled()
