"""How fast JuntingNet trains and predicts, against the same network in PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy pillow
    python experiments/benchmarks/juntingnet.py --torch /tmp/torch/bin/python

Both do the same, asked in turn, each in a process of its own:

- full step: `fit` as experiments/train_juntingnet.py calls it with the papers'
  recipe: 128 pictures from the pipeline, mean squared error, SGD with Nesterov
  momentum, weight decay 5e-4, two metrics and the callbacks. PyTorch's batch is
  held ready, and its loss is read;
- gradient step: the same on a batch that is held ready, and nothing beside it;
- map of one picture: 96x96 pixels in memory to a 48x48 map;
- file to map: a JPEG of 600x800 pixels to a map of its own size: decoded,
  resized, predicted, blurred, resized. The first paper reports 200 ms (GTX 980).

PyTorch's times are the best of both memory layouts and both SGDs; its bfloat16 is autocast
in training, and in prediction the better of autocast and bfloat16 weights.
"""

import os
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = ("float32", "bfloat16")
BATCH, EXAMPLES = 128, 240
PAPER_MS = 200.0
PICTURE = "picture.jpg"
PARAMETERS = 34_864_384
FULL, GRADIENT = "JuntingNet, full step", "JuntingNet, gradient step"
MAP, FILE = "JuntingNet, map of one picture", "JuntingNet, file to map"
# Of a measurement: steps or maps, and pictures in each.
COUNTS = {FULL: (6, BATCH), GRADIENT: (6, BATCH), MAP: (30, 1), FILE: (30, 1)}


def seconds_of(function, repetitions):
    """The median time of a call, after a few that do not count."""
    times = []
    for _ in range(3 + repetitions):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[3:]))


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


def measure_ours(what, precision, folder):
    from keras_saliency import training

    training.load_tensorflow()
    import keras

    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    network = our_network()
    if what == FULL:
        measure_our_fit(network, folder)
    else:
        measuring.answer_steps(our_step(network, what, folder), *COUNTS[what])


def our_network():
    """Compiled as experiments/train_juntingnet.py does with the papers' recipe."""
    import keras

    from keras_saliency import metrics, models, optimizers

    network = models.JuntingNet(initializer="gaussian", weight_decay=2.5e-4)
    assert network.count_params() == PARAMETERS
    loss = keras.losses.MeanSquaredError
    data_loss = keras.metrics.MeanMetricWrapper(loss(reduction=None), name="data_loss")
    sgd = optimizers.FusedSGD(0.05, momentum=0.9, nesterov=True)
    network.compile(sgd, loss(), metrics=[data_loss, metrics.CC()], jit_compile=False)
    return network


def measure_our_fit(network, folder):
    import keras

    from keras_saliency import callbacks, pipeline
    from keras_saliency.datasets import synthetic

    map_size = network.output_shape[1:3]
    examples = synthetic.load(limit=EXAMPLES)
    source = pipeline.load(examples, (96, 96), synthetic.SIGMA, map_size)
    data = pipeline.epochs(source, BATCH, mirror=True)
    data = data.map(lambda stimulus, targets: (stimulus, targets["density"]))
    board = keras.callbacks.TensorBoard(folder, write_graph=False)
    measuring.answer_epochs(network, data, *COUNTS[FULL], [callbacks.NaNGuard(), board])


def our_step(network, what, folder):
    import tensorflow as tf

    from keras_saliency import models, pictures, prediction

    if what == GRADIENT:
        network.compile(network.optimizer, "mse", jit_compile=False)
        data = iter(tf.data.Dataset.from_tensors(batch()).cache().repeat())
        network.make_train_function()
        return lambda: float(network.train_function(data)["loss"])
    if what == MAP:
        frozen, one = prediction.Frozen(network), batch()[0][:1]
        return lambda: frozen.predict_on_batch(one)
    final = prediction.Frozen(models.post_processed(network))
    path = os.path.join(folder, PICTURE)
    return lambda: next(prediction.saliency_maps(final, [pictures.read(path)]))


# PyTorch's


def measure_torch(what, precision, folder):
    import torch

    half = precision == "bfloat16"
    layouts = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    if what in (FULL, GRADIENT):
        fused = {"": None, ", fused SGD": True}
        ways = {
            name + sgd: torch_step(layout, half, fused[sgd])
            for name, layout in layouts.items()
            for sgd in fused
        }
    else:
        ways = torch_maps(layouts, half)
    times = {name: seconds_of(way, 3) for name, way in ways.items()}
    best = min(times, key=times.get)
    step = ways[best]
    if what == FILE:
        path, map_of_one = os.path.join(folder, PICTURE), step
        step = lambda: torch_file(path, map_of_one)  # noqa: E731
    name = f"PyTorch {torch.__version__.partition('+')[0]}, {best}"
    measuring.answer_steps(step, *COUNTS[what], name)


def torch_maps(layouts, half):
    """Functions that predict one picture's map, by what they do it with."""
    import torch

    one = torch.from_numpy(batch()[0][:1]).permute(0, 3, 1, 2)
    ways = {}
    for name, layout in layouts.items():
        for whole in (False, True) if half else (False,):
            predict = torch_predictor(layout, half and not whole, whole)
            key = f"{name}, bfloat16 weights" if whole else name
            ways[key] = lambda stimulus=one, p=predict: p(stimulus).float().numpy()
    return ways


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

    network = JuntingNet()
    assert sum(weight.numel() for weight in network.parameters()) == PARAMETERS
    return network


def torch_step(layout, autocast, fused):
    import torch

    network = torch_network().to(memory_format=layout)
    optimizer = torch.optim.SGD(
        network.parameters(), 0.05, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=fused
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

    return step


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
    saliency_map = torch.from_numpy(predict(stimulus.round().clamp(0, 255)))
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
    if sys.argv[1:2] == ["--measure"]:
        whose, *rest = sys.argv[2:]
        {"ours": measure_ours, "torch": measure_torch}[whose](*rest)
        return
    args = measuring.parse_args(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        write_picture(os.path.join(folder, PICTURE))
        rows = [
            measuring.compared(args, __file__, what, p, folder)
            for what in COUNTS
            for p in PRECISIONS
        ]
    measuring.hand_over(rows)
    print(f"{measuring.machine('tensorflow', 'keras')}\n\n{measuring.comparison(rows)}")
    fastest = min(float(np.median(row["ours"])) for row in rows if row["what"] == FILE)
    print(f"\nfile to map, the paper's 200 ms: {PAPER_MS / fastest:.1f}x")


if __name__ == "__main__":
    main()
