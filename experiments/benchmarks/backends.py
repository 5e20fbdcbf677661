"""Whether networks, losses and scores come out the same on every backend of Keras.

    python experiments/benchmarks/backends.py --reference reference.npz
    KERAS_BACKEND=jax python experiments/benchmarks/backends.py --compare reference.npz
    KERAS_BACKEND=torch python experiments/benchmarks/backends.py --compare reference.npz

The first, with TensorFlow, writes what comes out; the others read it, print the largest
difference of everything, and end with status 1 if one is above 1e-4. `--full` adds the
networks as they are published. Weights (460 MB of them) and inputs are drawn anew on both sides
by NumPy from the same seed; the file has the weights' checksums and what came out.

A machine that compares needs no TensorFlow: PyTorch or JAX, NumPy, SciPy and h5py, this
repository, and Keras, which may lie in a folder:

    pip download --no-deps --only-binary=:all: --python-version 3.12 -d wheels keras namex optree
    pip install --no-index --no-deps --target site wheels/*.whl
    PYTHONPATH=.:site KERAS_BACKEND=jax python experiments/benchmarks/backends.py ...

Differences are absolute, of values above 1 relative; those of gradients are relative to the
largest of their network. A GPU computes in whole float32 here, not in TensorFloat-32.

Where a ReLU's input is next to zero, rounding decides whether it has a gradient. So the
reference takes, of each network, the first seed at which its gradients do not mind when all
weights change by some roundings.
"""

import argparse
import importlib
import json
import os
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from compared import FULL, LOSSES, SCORES, SMALL
from keras import ops

from keras_saliency import scores

ALLOWED = 1e-4
PICTURES = 4
# A seed is taken if weights that are so much larger or smaller change the gradients by less.
SHAKEN, STEADY = 2e-6, 3e-5
SEEDS = 100


def computed(seeds, full):
    """Name -> array, of everything; names of gradients have theirs behind a colon."""
    yield from of_losses()
    for name, (build, loss) in SMALL.items():
        yield from of_network(name, build(), loss(), seeds[name])
    for name, build in FULL.items() if full else ():
        yield from of_network(name, build(), None, 0)


def of_losses():
    random = np.random.default_rng(0)
    density, saliency_map, baseline = random.random((3, PICTURES, 24, 32, 1), "float32")
    looked = (random.random(density.shape) > 0.95).astype("float32")
    for name, build in LOSSES.items():
        loss = build()
        target = looked if getattr(loss, "target", "") == "fixation_map" else density
        yield f"loss {name}", np.asarray(ops.convert_to_numpy(loss(target, saliency_map)))
        wanted = gradients(lambda maps, of=loss, to=target: of(to, maps[0]), [saliency_map])
        yield f"loss {name}: gradient", wanted[0]
    for name, score in SCORES.items():
        value = score(looked if name == "NSS" else density, saliency_map)
        yield f"score {name}", ops.convert_to_numpy(value)
    gain = scores.information_gain(looked, saliency_map, baseline)
    yield "score IG", ops.convert_to_numpy(gain)


def of_network(name, network, loss, seed):
    """Its map or its judgement, and of a loss the gradients by all its weights."""
    inputs, target = drawn(network, seed)
    flat = b"".join(weight.tobytes() for weight in network.get_weights())
    yield f"{name}: weights", np.array([zlib.crc32(flat), len(flat) // 4], "uint64")
    yield name, ops.convert_to_numpy(network(inputs, training=False))
    if loss is None:
        return
    found = weight_gradients(network, loss, inputs, target)
    for variable, gradient in zip(network.trainable_variables, found, strict=True):
        yield f"{name}: gradient of {variable.path}", gradient


def weight_gradients(network, loss, inputs, target, change=0.0):
    """The gradients by the weights, if each is first changed by up to this part of it."""
    random = np.random.default_rng(0)
    weights = [ops.convert_to_numpy(v) for v in network.trainable_variables]
    weights = [w * (1 + change * (2 * random.random(w.shape, "float32") - 1)) for w in weights]
    rest = [ops.convert_to_tensor(v) for v in network.non_trainable_variables]

    def loss_of(weights):
        return loss(target, network.stateless_call(weights, rest, inputs, training=True)[0])

    return gradients(loss_of, weights)


def steady_seed(network, loss):
    for seed in range(SEEDS if loss else 0):
        inputs, target = drawn(network, seed)
        still, shaken = (weight_gradients(network, loss, inputs, target, c) for c in (0, SHAKEN))
        largest = max(np.abs(gradient).max() for gradient in still)
        moved = max(np.abs(a - b).max() for a, b in zip(still, shaken, strict=True))
        if moved < STEADY * largest:
            return seed
    if loss:
        sys.exit(f"{network.name}: no seed below {SEEDS} has steady gradients")
    return 0


def drawn(network, seed):
    """Draws the network's weights, its inputs, and a target for its output."""
    random = np.random.default_rng(seed)
    draw_weights(network, random)
    inputs = []
    for tensor in network.inputs:
        values = random.random((PICTURES, *tensor.shape[1:]), "float32")
        inputs.append(values * 255 if tensor.name == "stimulus" else values)
    target = random.random((PICTURES, *network.output.shape[1:]), "float32")
    return inputs if len(inputs) > 1 else inputs[0], target


def draw_weights(network, random):
    """Weights that every version of NumPy draws alike, as large as He's."""
    for variable in network.weights:
        drawn = random.random(variable.shape, "float32")
        if variable.path.endswith(("gamma", "variance")):
            drawn += 0.5
        else:
            # A transposed convolution's is smaller: its kernel ends in the inputs.
            inputs = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 100
            drawn = (drawn - 0.5) * np.float32((24 / inputs) ** 0.5)
        if "logits/kernel" in variable.path:
            # SalGAN's, of stimuli that are not normalized, would be hundreds, and their rounding
            # more than a trained network's whole.
            drawn *= np.float32(0.02)
        variable.assign(drawn)


def gradients(loss_of, values):
    """Of a function of a list of arrays, by each of them; as arrays."""
    backend = keras.backend.backend()
    values = [ops.convert_to_tensor(value) for value in values]
    if backend == "jax":
        import jax

        found = jax.jit(jax.grad(loss_of))(values)
    elif backend == "torch":
        import torch

        values = [value.detach().requires_grad_() for value in values]
        found = torch.autograd.grad(loss_of(values), values)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = loss_of(values)
        found = tape.gradient(loss, values)
    return [ops.convert_to_numpy(gradient) for gradient in found]


def whole_float32():
    """No TensorFloat-32, which GPUs take for float32 if they are let."""
    backend = keras.backend.backend()
    module = importlib.import_module(backend)
    if backend == "jax":
        module.config.update("jax_default_matmul_precision", "highest")
    elif backend == "torch":
        module.backends.cudnn.allow_tf32 = module.backends.cuda.matmul.allow_tf32 = False
    else:
        module.config.experimental.enable_tensor_float_32_execution(False)


def write(path, full):
    seeds = {name: steady_seed(build(), loss()) for name, (build, loss) in SMALL.items()}
    found = dict(computed(seeds, full))
    about = {"keras": keras.__version__, "backend": keras.backend.backend(), "seeds": seeds}
    np.savez_compressed(path, about=json.dumps(about), full=full, **found)
    print(f"{len(found)} arrays, {os.path.getsize(path) / 1e6:.1f} MB: {path}")


def differences(path):
    """Prints the largest of every network, loss and score as it is found; returns them."""
    with np.load(path) as file:
        reference = dict(file)
    about = json.loads(str(reference["about"]))
    print(f"reference: {about}; here: {keras.__version__}, {keras.backend.backend()}")
    # A weight before a normalization has no gradient but rounding: held against the largest.
    largest = {}
    for name, value in reference.items():
        if ": gradient" in name:
            network = name.partition(":")[0]
            largest[network] = max(largest.get(network, 0), np.abs(value).max())
    found = {}
    for name, value in computed(about["seeds"], bool(reference["full"])):
        if name.endswith(": weights"):
            if not np.array_equal(value, reference[name]):
                sys.exit(f"{name} were drawn otherwise here: another version of the package?")
            continue
        network, _, part = name.partition(":")
        row = network + (": gradients" if part else "")
        scale = largest[network] if part else max(1, np.abs(reference[name]).max())
        difference = np.abs(value - reference[name]).max() / scale
        if row not in found:
            print(f"... {row}", flush=True)
        # Not a number is no agreement, and `max` would lose it.
        found[row] = max(found.get(row, 0.0), np.inf if np.isnan(difference) else difference)
    return found


def main(argv=None):
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--reference", metavar="FILE", help="write what comes out here")
    what.add_argument("--compare", metavar="FILE", help="read it, and tell the differences")
    parser.add_argument("--full", action="store_true", help="the networks in full size as well")
    args = parser.parse_args(argv)
    whole_float32()
    if args.reference:
        write(args.reference, args.full)
        return
    found = differences(args.compare)
    print("\n| | largest difference |\n|---|---|")
    print("\n".join(f"| {name} | {value:.1e} |" for name, value in found.items()))
    if wrong := [name for name, value in found.items() if value > ALLOWED]:
        sys.exit(f"above {ALLOWED}: {', '.join(wrong)}")
    print(f"all within {ALLOWED}: the largest is {max(found.values()):.1e}")


if __name__ == "__main__":
    main()
