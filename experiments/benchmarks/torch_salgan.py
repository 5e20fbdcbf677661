"""SalGAN in PyTorch, with the weights' order and the steps of ours: what it is measured against."""

import functools

import torch
from torch import nn
from torch.nn import functional

FROZEN = 7  # convolutions, in three blocks
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = ((512,) * 3, (512,) * 3, (256,) * 3, (128,) * 2, (64,) * 2)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        encoder = convolutions(ENCODER, nn.MaxPool2d(2), 3)
        decoder = convolutions(DECODER, nn.Upsample(scale_factor=2), 512)
        self.layers = nn.Sequential(*encoder, *decoder, nn.Conv2d(64, 1, 1))
        for layer in [layer for layer in encoder if isinstance(layer, nn.Conv2d)][:FROZEN]:
            layer.requires_grad_(False)
        self.register_buffer("mean", torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1))

    def forward(self, stimulus):
        return torch.sigmoid(self.layers(stimulus.flip(1) - self.mean).float())


def convolutions(blocks, between, channels):
    layers = []
    for i, block in enumerate(blocks):
        layers += [between] if i else []
        for filters in block:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
            channels = filters
    return layers


class Discriminator(nn.Module):
    """Gives logits."""

    def __init__(self, size):
        super().__init__()
        layers = [nn.Conv2d(4, 3, 1), nn.ReLU(inplace=True)]
        for block in ((3, 32),), ((32, 64), (64, 64)), ((64, 64), (64, 64)):
            for shape in block:
                layers += [nn.Conv2d(*shape, 3, padding=1), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        features = size[0] // 8 * size[1] // 8 * 64
        dense = nn.Linear(features, 100), nn.Tanh(), nn.Linear(100, 2), nn.Tanh()
        self.dense = nn.Sequential(*dense, nn.Linear(2, 1))

    def forward(self, stimulus, saliency_map):
        x = self.convolutions(torch.cat([stimulus / 255, saliency_map], 1))
        return self.dense(x.permute(0, 2, 3, 1).flatten(1)).float()


class GAN:
    """Both networks and their steps, on one batch that is held ready.

    Args:
        batch: stimuli and densities, NumPy arrays, channels last.
        layout: torch's memory format.
        autocast: bool, to bfloat16.
        rate, content_weight, content_downsample: the recipe's.
    """

    def __init__(self, batch, layout, autocast, rate, content_weight, content_downsample):
        self.content_weight, self.content_downsample = content_weight, content_downsample
        self.generator = Generator()
        self.discriminator = Discriminator(batch[0].shape[1:3])
        adam = functools.partial(torch.optim.Adam, lr=rate, eps=1e-7, fused=True)
        self.optimizers = []
        for network in (self.generator, self.discriminator):
            network.to(memory_format=layout)
            self.optimizers.append(adam([p for p in network.parameters() if p.requires_grad]))
        self.precision = torch.autocast("cpu", torch.bfloat16, enabled=autocast)
        tensors = (torch.from_numpy(each).permute(0, 3, 1, 2) for each in batch)
        self.stimuli, self.real = (each.contiguous(memory_format=layout) for each in tensors)

    def load(self, weights):
        """Keras' weights of the generator and of the discriminator, in their order."""
        for network, arrays in zip((self.generator, self.discriminator), weights, strict=True):
            for parameter, array in zip(network.parameters(), arrays, strict=True):
                array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
                parameter.data = torch.from_numpy(array.copy())

    def painted(self):
        with self.precision:
            return self.generator(self.stimuli)

    def judged(self, saliency_map, is_real):
        with self.precision:
            logits = self.discriminator(self.stimuli, saliency_map)
        target = torch.full_like(logits, is_real)
        return functional.binary_cross_entropy_with_logits(logits, target)

    def content(self, fake):
        pooled = (functional.avg_pool2d(x, self.content_downsample) for x in (fake, self.real))
        return functional.binary_cross_entropy(*pooled)

    def discriminator_step(self):
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = self.painted()
        return self._update(1, (self.judged(self.real, 1.0) + self.judged(fake, 0.0)) / 2)

    def generator_step(self):
        self.discriminator.requires_grad_(False)
        fake = self.painted()
        loss = self.content_weight * self.content(fake) + self.judged(fake, 1.0)
        return self._update(0, loss)

    def both_steps(self):
        return self.discriminator_step(), self.generator_step()

    def content_step(self):
        return self._update(0, self.content(self.painted()))

    @torch.no_grad()
    def losses(self):
        """Content, adversarial and the discriminator's."""
        fake = self.painted()
        judged = (self.judged(self.real, 1.0) + self.judged(fake, 0.0)) / 2
        return [loss.item() for loss in (self.content(fake), self.judged(fake, 1.0), judged)]

    def _update(self, which, loss):
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()
        return loss.item()
