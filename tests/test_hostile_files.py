"""Damaged and hostile files of every kind are read, or refused in one line."""

import json
import os
import pathlib
import subprocess
import sys

import hostile_files
import numpy as np
import pytest

from keras_saliency import InputError, shards
from keras_saliency.datasets import synthetic

FILES = 2000
MEGABYTES = 1000


def test_two_thousand_damaged_files_bring_no_traceback():
    script = os.path.join(os.path.dirname(__file__), "hostile_files.py")
    done = subprocess.run(
        [sys.executable, script, str(FILES), "0"], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["faults"] == []
    assert found["read"] + found["refused"] >= FILES
    assert min(found["read"], found["refused"]) > FILES / 5
    assert found["megabytes"] < MEGABYTES


def test_damaged_shards_are_refused(tmp_path):
    examples = synthetic.load(split="train", limit=3, size=(24, 32))
    settings = {"size": (12, 16), "sigma": synthetic.SIGMA}
    shards.write(examples, folder=str(tmp_path), per_shard=2, **settings)
    random, refused = np.random.default_rng(0), 0
    for path in sorted(pathlib.Path(tmp_path).iterdir()) * 60:
        sound = path.read_bytes()
        path.write_bytes(damaged := hostile_files.mutated(sound, random))
        try:
            shards.load(str(tmp_path), examples, **settings)
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            # What is said about the shards may be said in another way.
            assert path.suffix == ".json" or damaged == sound
        path.write_bytes(sound)
    assert refused > 150


def test_a_fault_would_be_found(tmp_path):
    def broken():
        raise KeyError("I")

    found = {"read": 0, "refused": 0, "faults": [], "slowest": 0.0}
    hostile_files.try_one("some", tmp_path / "a", broken, found)
    assert found["faults"] == [["some", "a", "KeyError: 'I'"]]


@pytest.mark.parametrize("seed", range(3))
def test_damage_changes_the_bytes(seed):
    random = np.random.default_rng(seed)
    sound = bytes(range(256)) * 4
    changed = [hostile_files.mutated(sound, random) != sound for _ in range(50)]
    assert sum(changed) > 45
