"""What the benchmarks share, and what finds the multiplications in a step."""

import collections
import io
import json
import os
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_saliency import SaliencyGAN, models

FOLDER = pathlib.Path(__file__).parents[2] / "experiments" / "benchmarks"
CHILD = """
import sys
sys.path.insert(0, {folder!r})
import measuring
print("noise")
numbers = iter(range(int(sys.argv[3])))
measuring.answer(lambda: next(numbers), sys.argv[2:])
"""


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture
def child(tmp_path):
    path = tmp_path / "child.py"
    path.write_text(CHILD.format(folder=str(FOLDER)))
    return path


def test_processes_are_asked_in_turn_and_the_first_does_not_count(child):
    import measuring

    processes = [measuring.Process(sys.executable, child, name, "9") for name in ("a", "b")]
    with processes[0], processes[1]:
        assert [process.facts for process in processes] == [["a", "9"], ["b", "9"]]
        assert measuring.in_turn(processes, 3) == [[1, 2, 3], [1, 2, 3]]
    assert [process.process.returncode for process in processes] == [0, 0]
    assert measuring.once(sys.executable, child, "c", "0") == ["c", "0"]


def test_a_process_that_dies_is_an_error(child):
    import measuring

    with measuring.Process(sys.executable, child, "a", "1") as process:
        process.measure()
        with pytest.raises(RuntimeError, match="ended with status 1"):
            process.measure()


def test_ratios_go_by_pairs_and_rates_the_other_way_round():
    import measuring

    times = measuring.row("step", "float32", "ms", [1.0, 2.0, 4.0], [2.0, 2.0, 6.0], "PyTorch 2")
    rates = measuring.row("step", "", "a second", [6.0], [2.0], "PyTorch 2", rate=True)
    assert measuring.ratios(times) == [2.0, 1.0, 1.5]
    assert measuring.ratios(rates) == [3.0]
    lines = measuring.comparison([times, rates]).splitlines()
    assert lines[1] == "|---" * 8 + "|"
    assert lines[2].endswith("| 2 | 2 | PyTorch 2 | 1.50 | 1.00 to 2.00 |")


def test_epochs_of_a_fit_are_measured_when_asked(monkeypatch, capsys):
    import measuring

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1)))).repeat()
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n"))
    with pytest.raises(SystemExit):
        measuring.answer_epochs(model, data, 3, 4, facts="ready")
    lines = capsys.readouterr().out.splitlines()
    answers = [line for line in lines if line.startswith(measuring.MARK)]
    facts, *times = (json.loads(line.removeprefix(measuring.MARK)) for line in answers)
    assert facts == "ready" and len(times) == 2 and min(times) > 0
    assert int(model.optimizer.iterations) == 6


def frozen_gan():
    generator = models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16)
    for layer in generator.layers:
        if layer.name.startswith(("block1", "block2", "block3")):
            layer.trainable = False
    gan = SaliencyGAN(generator, models.SalGANDiscriminator((32, 32), width=0.25))
    gan.compile("sgd", "sgd", jit_compile=False)
    return gan


def test_frozen_blocks_and_the_other_network_have_no_gradients(batch):
    """Of 13 + 14 convolutions, 7 are frozen; the discriminator has 6 and three products."""
    import step_parts

    gan = frozen_gan()
    step = lambda data: gan._train_generator(*data)  # noqa: E731
    found = collections.Counter(op.type for op in step_parts.multiplications([step], batch))
    assert found["Conv2D"] == 27 + 6
    assert found["Conv2DBackpropFilter"] == 20
    assert found["Conv2DBackpropInput"] == 19 + 6
    assert found["MatMul"] == 3 + 3
    step = lambda data: gan._train_discriminator(*data)  # noqa: E731
    found = collections.Counter(op.type for op in step_parts.multiplications([step], batch))
    # Judged are the real maps and the painted ones. Four of the generator's convolutions double
    # their map: to TensorFlow these are gradients of a convolution, and their gradients are one.
    assert found["Conv2D"] == 23 + 2 * 6
    assert found["Conv2DBackpropFilter"] == 2 * 6
    assert found["Conv2DBackpropInput"] == 4 + 2 * 5
    assert found["MatMul"] == 2 * (3 + 6)


def test_the_multiplications_alone_are_all_computed(batch):
    import step_parts

    gan = frozen_gan()
    ops = step_parts.multiplications([lambda data: gan._train_generator(*data)], batch)
    found = step_parts.alone(ops)()
    assert found.shape == () and np.isfinite(float(found))


def test_the_table_and_the_picture_of_all_ratios(tmp_path):
    import measuring
    import run_all

    rows = [
        measuring.row(f"step {i}", "float32", "ms", [1.0, 2.0], [2.0, 3.0], "PyTorch 2.13")
        for i in range(20)
    ]
    run_all.write(str(tmp_path), rows, ["## salgan.py\n\nits table"])
    text = (tmp_path / "speed.md").read_text()
    assert "| step 19 | float32 | ms |" in text and text.endswith("its table\n")
    assert os.path.getsize(tmp_path / "speed.png") < 100_000
    assert Image.open(tmp_path / "speed.png").size[0] == 800


def test_what_a_benchmark_prints_and_hands_over_is_gathered(tmp_path, monkeypatch):
    import measuring
    import run_all

    script = "import sys, measuring\nmeasuring.hand_over([1, 2])\nprint('a table', sys.argv[1:])"
    (tmp_path / "one.py").write_text(f"import sys\nsys.path.insert(0, {str(FOLDER)!r})\n{script}")
    (tmp_path / "two.py").write_text("raise SystemExit(3)")
    monkeypatch.setattr(run_all, "HERE", str(tmp_path))
    monkeypatch.delenv(measuring.ROWS, raising=False)
    assert run_all.run("one.py", ["--a"]) == (0, "a table ['--a']", [1, 2])
    assert run_all.run("two.py", []) == (3, "", [])


def test_encoders_are_compared_with_the_papers():
    import encoders

    from keras_saliency.models.encoders import ENCODERS

    assert encoders.parse_args([]).encoders == tuple(ENCODERS)
    args = encoders.parse_args(["--encoders", "vgg16", "resnet50", "--data", "synthetic"])
    facts = {name: {"parameters": 2_500_000, "bytes": 10_000_000} for name in args.encoders}
    times = {
        (name, precision): [ms, 2 * ms, 3 * ms]
        for name, ms in (("vgg16", 100.0), ("resnet50", 40.0))
        for precision in encoders.PRECISIONS
    }
    rows = encoders.rows(times)
    assert [row["precision"] for row in rows] == ["float32", "bfloat16"]
    scores = {"nss": 1.0, "cc": 0.5, "kld": 0.7}
    scored = {name: {**scores, "steps": 9} for name in args.encoders}
    scored[encoders.CENTER_BIAS] = {**scores, "steps": 0}
    lines = encoders.table(args, facts, times, scored).splitlines()
    assert "ms a picture of 192x256, float32" in lines[0] and "NSS ↑" in lines[0]
    assert lines[3] == "| resnet50 | 2.50 | 10.0 | 80 | 80 | 1.000 | 0.500 | 0.700 | 9 |"
    assert lines[4] == "| center bias | – | – | – | – | 1.000 | 0.500 | 0.700 | – |"
