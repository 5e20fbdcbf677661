"""Runs every benchmark that this machine can, and puts their ratios into one table and picture.

    python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.13.0 numpy pillow scipy
    python experiments/benchmarks/run_all.py --torch /tmp/torch/bin/python --data-dir OSIE

What a benchmark needs is a flag; without it, it is left out, and said so (bulk.py
needs Apache Beam in this environment). Run it with nothing beside it: it takes two
hours or more. Not among them are backends.py and accelerators.py, which are for
other machines. `speed.md` has the machine,
the ratios with their spread, and below them what each benchmark printed;
`speed.png` shows the ratios. They are written anew after every benchmark.
"""

import argparse
import datetime
import importlib.util
import json
import os
import string
import subprocess
import sys
import tempfile

import measuring
import numpy as np

# What each is called with; what stands in braces is a flag of this script.
BENCHMARKS = {
    "salgan.py": "--torch {torch}",
    "pix2pix.py": "--torch {torch}",
    "juntingnet.py": "--torch {torch}",
    "serving.py": "--torch {torch}",
    "data.py": "--torch {torch} --data-dir {data_dir}",
    "scores.py": "--pysaliency {pysaliency}",
    "predict.py": "--pictures {pictures}",
    "step_parts.py": "",
    "workers.py": "",
    "growth.py": "",
    "encoders.py": "",
    "bulk.py": "",
    "precision.py": "--quick --data osie --data-dir {data_dir} --size 48x64",
}
HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    args = parse_args()
    rows, sections, failed = [], [], []
    for script in args.only:
        missing = lacking(script, args)
        if missing:
            print(f"{script}: left out, it needs {', '.join(missing)}", flush=True)
            continue
        print(f"{script}: begins", flush=True)
        flags = [part.format(**vars(args)) for part in BENCHMARKS[script].split()]
        status, printed, its_rows = run(script, flags)
        print(printed, flush=True)
        rows += its_rows
        failed += [script] if status else []
        sections.append(f"## {script}\n\n{printed if not status else 'It failed.'}")
        write(args.output, rows, sections)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def parse_args():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--torch", metavar="PYTHON", help="python of an environment with PyTorch")
    add("--pysaliency", metavar="PYTHON", help="of one with pysaliency: see scores.py")
    add("--data-dir", metavar="DIR", help="OSIE's folder: see data.py")
    add("--pictures", metavar="FOLDER", help="700 pictures or more: see predict.py")
    add("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS), metavar="SCRIPT")
    add("--output", metavar="FOLDER", default="docs", help="default: %(default)s")
    return parser.parse_args()


def lacking(script, args):
    """What is not there that the benchmark needs."""
    names = [name for _, name, _, _ in string.Formatter().parse(BENCHMARKS[script]) if name]
    found = ["--" + name.replace("_", "-") for name in names if not getattr(args, name)]
    if script == "bulk.py" and not importlib.util.find_spec("apache_beam"):
        found.append("Apache Beam")
    return found


def run(script, flags):
    """Its status, what it printed, and the rows that it handed over."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.json")
        command = [sys.executable, os.path.join(HERE, script), *flags]
        environment = {**os.environ, measuring.ROWS: path}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
        rows = []
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                rows = json.load(file)
    return done.returncode, done.stdout.strip(), rows


def write(folder, rows, sections):
    from keras_saliency import files

    head = measuring.machine("tensorflow", "keras", "numpy", "pillow")
    about = "Ratios above 1: ours is so many times as fast. Both were measured in turn, in one run."
    day = datetime.date.today().isoformat()
    parts = ["# How fast it is", f"{head}; {day}. {about}"]
    if rows:
        parts.append(measuring.comparison(rows))
        draw(rows, os.path.join(folder, "speed.png"))
    files.write_text(os.path.join(folder, "speed.md"), "\n\n".join([*parts, *sections]) + "\n")


def draw(rows, path):
    """A bar for each row, from 1 on; the black line on it goes from the least ratio to the most."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.28 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colors = {"float32": "tab:blue", "bfloat16": "tab:orange"}
    every = [ratio for row in rows for ratio in measuring.ratios(row)]
    for place, row in enumerate(rows):
        found = measuring.ratios(row)
        middle = np.median(found)
        spread = [[middle - min(found)], [max(found) - middle]]
        color = colors.get(row["precision"], "tab:gray")
        axes.barh(place, middle - 1, left=1, xerr=spread, color=color)
        axes.text(max(1, *found) * 1.04, place, f"{middle:.2f}", va="center", size=8)
    axes.axvline(1.0, color="black", linewidth=0.8)
    least, most = min(0.8, 0.8 * min(every)), 1.5 * max(1.5, *every)
    axes.set(xscale="log", xlim=(least, most))
    ticks = [tick for tick in (0.25, 0.5, 1, 1.5, 2, 4, 8, 16, 32) if least < tick < most]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    names = [", ".join(filter(None, (row["what"], row["precision"]))) for row in rows]
    axes.set_yticks(range(len(rows)), names, size=8)
    axes.invert_yaxis()
    rivals = sorted({row["against"].partition(",")[0] for row in rows})
    axes.set_xlabel(f"times as fast as {' and '.join(rivals)}")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
