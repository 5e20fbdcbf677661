"""How fast the exported SalGAN predicts on this processor, against PyTorch, in one run.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy
    pip install 'keras_saliency[export]'
    python experiments/benchmarks/serving.py --torch /tmp/torch/bin/python

Pictures of 192x256, in memory, to maps, in memory; VGG16's encoder, random
weights, the same everywhere: every row's maps are compared with the first's.
Every row is a process of its own. PyTorch's is the better of autocast and
bfloat16 weights, channels last, in inference mode. A format whose package is
missing is left out.
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

SIZE = (192, 256)
PARAMETERS = 31_787_009
WARM_UP = 2
REPETITIONS = {1: 15, 8: 5}  # by batch
TOLERANCES = {"float32": 1e-4, "bfloat16": 5e-2}
ENCODER = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
DECODER = ((512,) * 3, (512,) * 3, (256,) * 3, (128,) * 2, (64,) * 2)
OURS = "SavedModel"
# What computes, and in what.
ROWS = [
    ("PyTorch", "float32"), ("Keras, predict_on_batch", "float32"), ("Frozen", "float32"),
    (OURS, "float32"), ("OpenVINO", "float32"), ("ONNX Runtime", "float32"), ("LiteRT", "float32"),
    ("PyTorch", "bfloat16"), ("Keras, predict_on_batch", "bfloat16"), ("Frozen", "bfloat16"),
    (OURS, "bfloat16"), ("OpenVINO", "bfloat16"),
]  # fmt: skip
FORMATS = {"OpenVINO": "openvino", "ONNX Runtime": "onnx", "LiteRT": "litert"}


def pictures(batch):
    return np.random.default_rng(0).integers(0, 256, (batch, *SIZE, 3)).astype("uint8")


def times_of(predict, batch):
    """ms a picture of every repetition, and what was predicted."""
    stimuli, times = pictures(batch), []
    for _ in range(WARM_UP + REPETITIONS[batch]):
        begin = time.perf_counter()
        found = predict(stimuli)
        times.append((time.perf_counter() - begin) * 1e3 / batch)
    return times[WARM_UP:], found


# Ours


def prepare(folder):
    """Writes the model in every format, and its maps; says which formats there are."""
    from keras_saliency import training

    training.load_tensorflow()
    from keras_saliency import export, formats, models, runtimes
    from keras_saliency.errors import InputError

    model = models.SalGANGenerator((*SIZE, 3), weights=None)
    assert model.count_params() == PARAMETERS
    random = np.random.default_rng(1)
    for layer in model.layers:
        if getattr(layer, "bias", None) is not None:  # zeros would be optimized away
            layer.bias.assign(random.normal(0, 0.1, layer.bias.shape))
    model.save(os.path.join(folder, "model.keras"))
    np.savez(os.path.join(folder, "weights.npz"), *model.get_weights())
    expected = model.predict_on_batch(pictures(8).astype("float32"))
    np.save(os.path.join(folder, "expected.npy"), expected)
    for precision in TOLERANCES:
        path = os.path.join(folder, f"saved_model-{precision}")
        export.saved_model(model, path, precision=precision)
    there = []
    for format in FORMATS.values():
        try:
            runtimes.needed(format)
        except InputError as error:
            print(error, file=sys.stderr)
            continue
        os.mkdir(os.path.join(folder, format))
        formats.convert(model, os.path.join(folder, format), format)
        there.append(format)
    return there


def predictor(name, precision, folder):
    """A function from uint8 pictures to float32 maps."""
    from keras_saliency import runtimes

    if name in FORMATS:
        format = FORMATS[name]
        path = os.path.join(folder, format, runtimes.needed(format))
        return runtimes.read(path, precision).predict_on_batch
    from keras_saliency import training

    training.load_tensorflow()
    import tensorflow as tf

    from keras_saliency import export, folding, prediction

    if name == OURS:
        loaded = tf.saved_model.load(os.path.join(folder, f"saved_model-{precision}"))
        array = loaded.signatures["array"]
        # With what it is of: it must outlive its signature.
        return lambda x, _=loaded: array(stimulus=tf.constant(x))["saliency_map"].numpy()
    model = prediction.load(os.path.join(folder, "model.keras"))
    model = export.bfloat16_copy(model) if precision == "bfloat16" else model
    if name == "Frozen":
        model = prediction.Frozen(folding.folded(model))
    return lambda x: model.predict_on_batch(x.astype("float32"))


# PyTorch's


def torch_network(folder):
    import torch
    from torch import nn

    layers, channels = [], 3
    for blocks, between in ((ENCODER, nn.MaxPool2d(2)), (DECODER, nn.Upsample(scale_factor=2))):
        for i, block in enumerate(blocks):
            layers += [between] if i else []
            for filters in block:
                layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
                channels = filters
    network = nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)).eval()
    with np.load(os.path.join(folder, "weights.npz")) as arrays:
        weights = [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
    parameters = list(network.parameters())
    assert sum(p.numel() for p in parameters) == PARAMETERS
    for parameter, array in zip(parameters, weights, strict=True):
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array
        parameter.data = torch.from_numpy(np.ascontiguousarray(array))
    return network.to(memory_format=torch.channels_last)


def torch_predictor(folder, dtype, autocast):
    import torch

    network = torch_network(folder).to(dtype)
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

    @torch.inference_mode()
    def predict(stimuli):
        bgr = torch.from_numpy(stimuli).permute(0, 3, 1, 2).flip(1).float() - mean
        bgr = bgr.to(dtype).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = network(bgr)
        return torch.sigmoid(logits.float()).permute(0, 2, 3, 1).numpy()

    return predict


def torch_predictors(precision, folder):
    import torch

    if precision == "float32":
        return [torch_predictor(folder, torch.float32, False)]
    ways = (torch.float32, True), (torch.bfloat16, False)
    return [torch_predictor(folder, *way) for way in ways]


def timed(name, precision, batch, folder):
    if name == "PyTorch":
        predictors = torch_predictors(precision, folder)
    else:
        predictors = [predictor(name, precision, folder)]
    found = [times_of(predict, batch) for predict in predictors]
    times, maps = min(found, key=lambda one: np.median(one[0]))
    expected = np.load(os.path.join(folder, "expected.npy"))[:batch]
    difference = float(np.abs(maps - expected).max())
    assert difference < TOLERANCES[precision], f"{name} predicts something else: {difference}"
    return times


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--torch", metavar="PYTHON", help="python of an environment with PyTorch")
    parser.add_argument("--row", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.prepare:
        print(json.dumps(prepare(args.prepare)))
    elif args.row:
        name, precision, batch, folder = args.row
        print(json.dumps(timed(name, precision, int(batch), folder)))
    else:
        with tempfile.TemporaryDirectory() as folder:
            formats = called(sys.executable, "--prepare", folder)
            times = measured(args.torch, formats, folder)
        measuring.hand_over(rows_of(times))
        print(report(times))


def measured(torch, formats, folder):
    """Row and batch -> times; row by row, so that what disturbs one batch does not all."""
    times = {}
    for name, precision in ROWS:
        python = torch if name == "PyTorch" else sys.executable
        if not python or (name in FORMATS and FORMATS[name] not in formats):
            continue
        for batch in REPETITIONS:
            row = called(python, "--row", name, precision, str(batch), folder)
            times[name, precision, batch] = row
    return times


def called(python, *arguments):
    command = [python, os.path.abspath(__file__), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(times):
    """The exported model's times beside PyTorch's."""
    rows = []
    for (name, precision, batch), ours in times.items():
        theirs = times.get(("PyTorch", precision, batch))
        if name == OURS and theirs:
            what = f"SalGAN, exported, {batch} at once"
            rows.append(measuring.row(what, precision, "ms a picture", ours, theirs, "PyTorch"))
    return rows


def report(times):
    packages = ("tensorflow", "keras", "openvino", "onnxruntime", "ai-edge-litert")
    lines = [measuring.machine(*packages), ""]
    lines += ["| | precision | batch | ms a picture | least to most | a second | PyTorch / this |"]
    lines += ["|---" * 7 + "|"]
    for (name, precision, batch), row in times.items():
        median = float(np.median(row))
        theirs = np.median(times.get(("PyTorch", precision, batch), float("nan")))
        cells = f"{median:.1f} | {min(row):.1f} to {max(row):.1f} | {1e3 / median:.2f}"
        lines.append(f"| {name} | {precision} | {batch} | {cells} | {theirs / median:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
