"""What a training step takes beside its convolutions and products of matrices, in one run.

    python experiments/benchmarks/step_parts.py

The step is that of `fit` with losses' trackers and scores, on batches that are
held ready: SalGAN's for the discriminator and the generator, pix2pix', and
JuntingNet's. Its graph is searched for the convolutions and the products that
its results need, forward and in the gradients; the same, of the same shapes, are
then put one after the other into a graph of their own, and nothing else. Both
are timed in turn. Asked of us: the step takes at most 1.20 times as long.

`--profile` runs TensorFlow's profiler over the step and prints where the time
goes, by kind of operation.
"""

import argparse
import collections
import glob
import inspect
import os
import sys
import tempfile
import time

import measuring
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}  # and Keras' policy
MODELS = ("SalGAN", "pix2pix", "JuntingNet")
KINDS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter", "MatMul", "BatchMatMulV2")
STEPS = {"SalGAN": 2, "pix2pix": 4, "JuntingNet": 4}  # of a measurement
SHOWN = 12  # kinds of operations in a profile
NOT_WORK = ("StatefulPartitionedCall", "PartitionedCall", "If", "StatelessIf", "IteratorGetNext")


def prepared(name, precision):
    """The compiled model, one batch, and the functions that make up a step, to be traced."""
    from keras_saliency import training

    training.load_tensorflow()
    import juntingnet
    import keras
    import pix2pix
    import salgan

    from keras_saliency import metrics

    keras.config.set_dtype_policy(PRECISIONS[precision])
    if name == "JuntingNet":
        network = juntingnet.our_network()
        return network, juntingnet.batch(), [network.train_step]
    stimuli, densities = salgan.batch() if name == "SalGAN" else pix2pix.batch(1)
    targets = {"density": densities, "fixation_map": (densities > 0.999).astype("float32")}
    if name == "SalGAN":
        gan = salgan.our_gan("alternate", [metrics.NSS(), metrics.CC(), metrics.KLD()])
        turns = [gan._train_discriminator, gan._train_generator]
        return gan, (stimuli, targets), [lambda data, turn=turn: turn(*data) for turn in turns]
    gan = pix2pix.our_gan("joint", 64)
    return gan, (stimuli, targets), [gan.train_step]


def whole_step(model, batch):
    import tensorflow as tf

    data = iter(tf.data.Dataset.from_tensors(batch).cache().repeat())
    model.make_train_function()
    return lambda: model.train_function(data)


def needed(graph):
    """The operations of a graph that its outputs and its side effects need."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    found = {}
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return [op for op in graph.get_operations() if op.name in found]


def multiplications(functions, batch):
    """The convolutions and products of matrices in the functions' graphs."""
    import tensorflow as tf

    spec = tf.nest.map_structure(lambda array: tf.TensorSpec(array.shape, array.dtype), batch)
    graphs = [tf.function(f).get_concrete_function(spec).graph for f in functions]
    return [op for graph in graphs for op in needed(graph) if op.type in KINDS]


def sizes(tensor):
    """The value of an integer input, which is a shape."""
    import tensorflow as tf

    if tensor.op.type == "ShapeN":
        return tensor.op.inputs[tensor.value_index].shape.as_list()
    return tf.get_static_value(tensor)


def alone(ops):
    """A function that computes copies of these operations, one after the other."""
    import tensorflow as tf

    tensors, calls = {}, []
    for op in ops:
        raw = getattr(tf.raw_ops, op.type)
        taken = inspect.signature(raw).parameters
        attributes = {a.name: op.get_attr(a.name) for a in op.op_def.attr if a.name in taken}
        inputs = {}
        for argument, tensor in zip(op.op_def.input_arg, op.inputs, strict=True):
            value = sizes(tensor) if tensor.dtype.is_integer else None
            key = (tuple(tensor.shape), tensor.dtype)
            if value is None and key not in tensors:
                tensors[key] = tf.cast(tf.random.normal(tensor.shape), tensor.dtype)
            inputs[argument.name] = key if value is None else value
        calls.append((raw, inputs, attributes))

    @tf.function
    def chained(given):
        given = dict(zip(tensors, given, strict=True))
        firsts = []
        for raw, inputs, attributes in calls:
            # After the one before. Its place keeps it from being merged with its like, and
            # one number that is taken of it from being left out.
            with tf.control_dependencies(firsts[-1:]):
                filled = {
                    name: given[value] if isinstance(value, tuple) else tf.constant(value)
                    for name, value in inputs.items()
                }
                firsts.append(tf.cast(tf.reshape(raw(**filled, **attributes), [-1])[0], "float32"))
        return tf.add_n(firsts)

    given = list(tensors.values())
    graph = chained.get_concrete_function(given).graph
    there = collections.Counter(op.type for op in graph.get_operations())
    assert all(there[kind] == n for kind, n in collections.Counter(o.type for o in ops).items())
    return lambda: chained(given)


def measure_step(name, precision):
    model, batch, _ = prepared(name, precision)
    measuring.answer_steps(whole_step(model, batch), STEPS[name], 1)


def measure_alone(name, precision):
    """ms a step; of SalGAN one run is the multiplications of two steps, of both turns."""
    _, batch, functions = prepared(name, precision)
    ops = multiplications(functions, batch)
    turns = len(functions)
    kinds = [op.type for op in ops]
    measuring.answer_steps(alone(ops), STEPS[name] // turns, turns, kinds)


def profile(name, precision):
    """ms a step by kind of operation, whatever thread it ran in."""
    import tensorflow as tf

    model, batch, _ = prepared(name, precision)
    step = whole_step(model, batch)
    for _ in range(2):
        step()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with tf.profiler.experimental.Profile(folder):
            for _ in range(STEPS[name]):
                step()
            seconds = time.perf_counter() - begin
        path = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)[0]
        times = kinds_in(path)
    shares = {kind: ms / STEPS[name] for kind, ms in times.items()}
    measuring.say([seconds * 1e3 / STEPS[name], shares])


def kinds_in(path):
    """ms by kind of operation in a file of the profiler."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    with open(path, "rb") as file:
        space.ParseFromString(file.read())
    times = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                scope, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if scope and ":" not in scope and kind.isidentifier() and kind not in NOT_WORK:
                    times[kind] += event.duration_ps / 1e9
    return times


def main():
    if sys.argv[1:2] == ["--measure"]:
        what, *rest = sys.argv[2:]
        {"step": measure_step, "alone": measure_alone, "profile": profile}[what](*rest)
        return
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--profile", action="store_true", help="where the time of a step goes")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--repetitions", type=int, default=measuring.REPETITIONS)
    args = parser.parse_args()
    cases = [(name, precision) for name in args.models for precision in PRECISIONS]
    print(measuring.machine("tensorflow", "keras") + "\n")
    if args.profile:
        for case in cases:
            print_profile(*case)
    else:
        print(measuring.table([HEAD, *(ratio(*case, args.repetitions) for case in cases)]))


HEAD = ("ms a step", "precision", "step", "multiplications alone", "step / alone", "least to most",
        "their number")  # fmt: skip


def ratio(name, precision, repetitions):
    """The table's cells."""
    step = measuring.Process(sys.executable, __file__, "step", name, precision)
    part = measuring.Process(sys.executable, __file__, "alone", name, precision)
    with step, part:
        steps, parts = measuring.in_turn([step, part], repetitions)
        found = [whole / part for whole, part in zip(steps, parts, strict=True)]
    medians = f"{np.median(steps):.1f}", f"{np.median(parts):.1f}", f"{np.median(found):.2f}"
    spread = f"{min(found):.2f} to {max(found):.2f}"
    number = ", ".join(f"{count} {kind}" for kind, count in collections.Counter(part.facts).items())
    return name, precision, *medians, spread, number


def print_profile(name, precision):
    step, shares = measuring.once(sys.executable, __file__, "profile", name, precision)
    total = sum(shares.values())
    lines = [(f"{name}, {precision}: {step:.1f} ms a step", "ms", "share")]
    largest = sorted(shares, key=shares.get, reverse=True)
    for kind in largest[:SHOWN]:
        lines.append((kind, f"{shares[kind]:.1f}", f"{shares[kind] / total:.1%}"))
    rest = sum(shares[kind] for kind in largest[SHOWN:])
    lines.append((f"{len(largest) - SHOWN} others", f"{rest:.1f}", f"{rest / total:.1%}"))
    print(measuring.table(lines) + "\n", flush=True)


if __name__ == "__main__":
    main()
