"""How fast SalGAN's and pix2pix' generators are on this machine's GPU, in every precision.

    python experiments/benchmarks/accelerators.py --out FOLDER

measures every implementation that is installed, each in a process of its own: the networks on
Keras' backends (TensorFlow, JAX, PyTorch), and the same networks written in PyTorch (channels
last, autocast), as they are and through torch.compile. Of each the maps of a batch, and the
gradients of a loss by all weights (forward and back, no optimizer). A row is printed, and written
to accelerators.json and accelerators.md in FOLDER ($OUT, where that is set), as soon as it is
measured. Rows that are there already stay, so that it can be done in parts:

    python experiments/benchmarks/accelerators.py --implementations jax --out FOLDER
    python experiments/benchmarks/accelerators.py --implementations torch twin --out FOLDER

"of the peak" is the part of the fastest that the machine does, measured in the same process: a
large product of matrices or a large convolution. Counted are the multiplications and additions of
convolutions, three times for the gradients. tensorfloat32 is what GPUs take for float32 where they
are let; float32 is the whole. Without a GPU, to try it:

    python experiments/benchmarks/accelerators.py --size 48x64 --batches 1 --precisions float32

It needs no TensorFlow; backends.py says how to bring Keras to a machine without a network.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BACKENDS = {
    "tensorflow": "tensorflow", "jax": "jax", "torch": "torch", "twin": "torch", "compiled": "torch"
}  # fmt: skip
NAMES = {
    "tensorflow": "Keras on TensorFlow",
    "jax": "Keras on JAX",
    "torch": "Keras on PyTorch",
    "twin": "PyTorch",
    "compiled": "PyTorch, compiled",
}
PRECISIONS = ("float32", "tensorfloat32", "bfloat16", "float16")
SIZES = {"SalGAN": (192, 256), "pix2pix": (144, 256)}
TWINS = ("twin", "compiled")
KEY = ("network", "size", "batch", "precision", "what", "implementation")


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--implementations", nargs="+", choices=BACKENDS, help="default: all that are installed")
    add("--precisions", nargs="+", choices=PRECISIONS, help="default: all; on a CPU three of them")
    add("--networks", nargs="+", choices=SIZES, default=list(SIZES))
    add("--size", metavar="HxW", help="of the pictures (default: what each is trained at)")
    add("--batches", nargs="+", type=int, default=[8, 64], metavar="N", help="pictures at a time")
    add("--out", metavar="FOLDER", default=os.environ.get("OUT"), help="where the table is written")
    add("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = {name: SIZES[name] for name in args.networks}
    if args.size:
        sizes = dict.fromkeys(sizes, tuple(int(side) for side in args.size.split("x")))
    if args.measure:
        measure(*args.measure, sizes, args.batches)
        return
    rows = read(args.out)
    found = [name for name, needs in BACKENDS.items() if importlib.util.find_spec(needs)]
    for implementation in args.implementations or found:
        for precision in args.precisions or PRECISIONS:
            for row in measured(implementation, precision):
                rows[tuple(row[key] for key in KEY)] = row
                print(line(row), flush=True)
                write(args.out, rows)
    print("\n" + table(rows))


def measured(implementation, precision):
    """The rows of a process of its own, as it prints them."""
    command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
    command += ["--measure", implementation, precision]
    environment = {**os.environ, "KERAS_BACKEND": BACKENDS[implementation]}
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=complaints, text=True, env=environment
        ) as process,
    ):
        about = {"implementation": implementation, "precision": precision}
        for said in process.stdout:
            if not said.startswith("{"):
                continue
            found = json.loads(said)
            if "peak" in found:
                about.update(found)
                print(peak_line(about), flush=True)
            else:
                yield {**about, **found}
        if process.wait():
            complaints.seek(0)
            last = complaints.read().strip().splitlines()[-1:]
            print(f"{NAMES[implementation]}, {precision}, failed: {' '.join(last)}", flush=True)


def measure(implementation, precision, sizes, batches):
    """Prints the peak, and then every row, as a line of JSON."""
    import keras
    import numpy as np
    from device import Device
    from implementations import prepared

    device = Device(precision)
    if precision == "tensorfloat32" and not device.gpu:
        return
    half = precision.endswith("float16")  # bfloat16 too
    keras.config.set_dtype_policy(f"mixed_{precision}" if half else "float32")
    peak = device.peak()
    say(peak=peak, device=device.name, versions=versions())
    for network, size in sizes.items():
        for batch in batches:
            calls, work = prepared(implementation, network, size, batch, device)
            for what, call in calls.items():
                rates = sorted(batch / seconds for seconds in device.seconds(call))
                teraflops = np.median(rates) * work * (3 if what == "gradients" else 1) / 1e12
                say(
                    network=network, size=f"{size[0]}x{size[1]}", batch=batch, what=what,
                    rate=np.median(rates), lowest=rates[0], highest=rates[-1],
                    share=teraflops / max(peak.values()),
                )  # fmt: skip


def say(**row):
    print(json.dumps(row), flush=True)


def versions():
    import importlib.metadata as metadata

    found = {}
    for name in ("keras", "tensorflow", "jax", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


# The table


def read(folder):
    path = os.path.join(folder or "", "accelerators.json")
    if not folder or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return {tuple(row[key] for key in KEY): row for row in json.load(file)}


def write(folder, rows):
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    for name, text in (("json", json.dumps(list(rows.values()), indent=1)), ("md", table(rows))):
        with open(os.path.join(folder, f"accelerators.{name}"), "w", encoding="utf-8") as file:
            file.write(text + "\n")


def line(row):
    return (
        f"{row['network']} {row['size']}, batch {row['batch']}, {row['precision']}, {row['what']}, "
        f"{NAMES[row['implementation']]}: {row['rate']:.1f} pictures a second "
        f"({row['lowest']:.1f}-{row['highest']:.1f}), {row['share']:.0%} of the peak"
    )


def peak_line(about):
    peak = about["peak"]
    return (
        f"{about['device']}, {NAMES[about['implementation']]}, {about['precision']}: product of "
        f"matrices {peak['product']:.3g}, convolution {peak['convolution']:.3g} TFLOP/s"
    )


def table(rows):
    """Every row beside the faster of the two in PyTorch, and the peaks under it."""
    if not rows:
        return "nothing was measured"
    some = next(iter(rows.values()))
    about = ", ".join(f"{name} {version}" for name, version in some["versions"].items())
    lines = [f"{some['device']}; {about}. Pictures a second, median of 5 blocks:", ""]
    lines += [
        "| network | batch | precision | what | implementation | pictures a second | all blocks | "
        "of the peak | of PyTorch's |",
        "|" + "---|" * 9,
    ]
    twins = {}
    for key, row in rows.items():
        if key[-1] in TWINS:
            twins[key[:-1]] = max(twins.get(key[:-1], 0), row["rate"])
    for key, row in sorted(rows.items(), key=lambda item: order(item[0])):
        ratio = f"{row['rate'] / twins[key[:-1]]:.2f}" if key[:-1] in twins else "–"
        lines.append(
            f"| {row['network']} {row['size']} | {row['batch']} | {row['precision']} | "
            f"{row['what']} | {NAMES[row['implementation']]} | {row['rate']:.1f} | "
            f"{row['lowest']:.1f} to {row['highest']:.1f} | {row['share']:.0%} | {ratio} |"
        )
    return "\n".join([*lines, "", *dict.fromkeys(peak_line(row) for row in rows.values())])


def order(key):
    network, size, batch, precision, what, implementation = key
    return (
        network,
        size,
        batch,
        what,
        PRECISIONS.index(precision),
        list(NAMES).index(implementation),
    )


if __name__ == "__main__":
    main()
