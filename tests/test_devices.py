"""Which precision, and how many steps at once: what the devices are fast at."""

import pytest
import tensorflow as tf

from keras_saliency import devices


def test_precision_that_is_asked_for_is_taken():
    assert devices.choose_precision("mixed_float16") == ("mixed_float16", "as asked")
    policy, reason = devices.choose_precision("auto")
    assert policy in ("float32", "mixed_bfloat16", "mixed_float16") and reason


def with_gpus(monkeypatch, *details):
    """As if these GPUs were there: their compute capabilities, or None where it is not told."""
    keys = {"device_name": "Card"}
    details = [{**keys, "compute_capability": it} if it else keys for it in details]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: list(range(len(details))))
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details[gpu])


@pytest.mark.parametrize(
    ("capabilities", "policy", "words"),
    [
        ([(6, 1)], "float32", ["6.1", "no tensor cores"]),
        ([(7, 0)], "mixed_float16", ["7.0", "none for bfloat16"]),
        ([(7, 5)], "mixed_float16", ["7.5"]),
        ([(8, 0)], "mixed_bfloat16", ["Card", "8.0", "no loss scale"]),
        ([(9, 0)], "mixed_bfloat16", ["9.0"]),
        ([(12, 0)], "mixed_bfloat16", ["12.0"]),
        ([(9, 0), (7, 5)], "mixed_float16", ["7.5"]),
        ([None], "float32", ["Card", "does not tell"]),
    ],
)
def test_precision_of_a_gpu_follows_from_its_compute_capability(
    capabilities, policy, words, monkeypatch
):
    with_gpus(monkeypatch, *capabilities)
    chosen, reason = devices.choose_precision("auto")
    assert chosen == policy and all(word in reason for word in words)


@pytest.mark.parametrize(
    ("flags", "policy", "word"),
    [
        ("fpu avx2 avx512_bf16 amx_bf16", "mixed_bfloat16", "amx_bf16"),
        ("fpu avx512_bf16", "mixed_bfloat16", "avx512_bf16"),
        ("fpu avx2 avx512f", "float32", "bfloat16 instructions"),
        (None, "float32", "no-such-file"),
    ],
)
def test_precision_of_a_processor_follows_from_its_flags(
    flags, policy, word, monkeypatch, tmp_path
):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    with_gpus(monkeypatch)
    path = tmp_path / ("cpuinfo" if flags else "no-such-file")
    if flags:
        path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(devices, "CPUINFO", str(path))
    chosen, reason = devices.choose_precision("auto")
    assert chosen == policy and word in reason
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    chosen, reason = devices.choose_precision("auto")
    assert chosen == "float32" and "oneDNN" in reason


@pytest.mark.parametrize(("steps", "at_once"), [(64, 16), (62, 2), (30, 15), (7, 7), (17, 1)])
def test_on_a_gpu_an_epoch_is_taken_in_equal_parts(monkeypatch, steps, at_once):
    assert devices.steps_per_execution(steps) == 1
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one"])
    assert devices.steps_per_execution(steps) == at_once
