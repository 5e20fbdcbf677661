"""The script from pickles to files that load without them."""

import os
import pickle
import subprocess
import sys

import convert_pickle
import numpy as np
import pytest

from keras_saliency.datasets import pickled
from keras_saliency.errors import InputError


class Hostile:
    def __reduce__(self):
        return os.mkdir, ("canary",)


@pytest.fixture
def pickles(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.random((3, 3, 12, 12), "float32"), random.random((3, 6, 6), "float32")
    entries = [{"X": x[i], "y": y[i], "file_name": f"{i}.jpg"} for i in range(3)]
    large = {"X_original": np.ones((3, 24, 32)), "y_original": np.eye(24, 32)}
    contents = {
        "train": entries,
        "val": [{**entry, **large} for entry in entries],
        "test": x,
        "data_T": (x, y),
    }
    for name, value in contents.items():
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value, 2))
    (tmp_path / "hostile.pkl").write_bytes(pickle.dumps([Hostile()]))
    return tmp_path


def test_it_says_what_it_found_and_the_pickle_is_no_longer_needed(pickles, capsys):
    paths = [str(pickles / f"{split}.pkl") for split in ("train", "val", "test")]
    before = {split: pickled.load(str(pickles), split) for split in pickled.SPLITS}
    convert_pickle.main([*paths, "--output", str(pickles / "new")])
    said = capsys.readouterr().out
    for part in (
        f"reading {paths[0]}",
        "3 pictures 12x12, maps 6x6\n",
        "maps 6x6, originals 24x32, maps 24x32",
        "12x12, no maps",
        f"wrote {pickles / 'new' / 'val.npz'}: it loads without the pickle",
    ):
        assert part in said
    assert "rename" not in said
    for split, examples in before.items():
        (pickles / f"{split}.pkl").unlink()
        found = pickled.load(str(pickles / "new"), split)
        assert [e.name for e in found] == [e.name for e in examples]
        for one, other in zip(found, examples, strict=True):
            np.testing.assert_array_equal(one.image, other.image)
            np.testing.assert_array_equal(one.density, other.density)


def test_another_name_has_to_be_changed(pickles, capsys):
    convert_pickle.main([str(pickles / "data_T.pkl"), "--output", str(pickles)])
    assert "rename it" in capsys.readouterr().out
    assert (pickles / "data_T.npz").exists()


def test_a_bad_pickle_does_not_keep_the_others_back(pickles):
    (pickles / "cut.pkl").write_bytes(b"\x80\x04")
    names = ["hostile.pkl", "cut.pkl", "train.pkl"]
    with pytest.raises(InputError) as caught:
        convert_pickle.main([*(str(pickles / n) for n in names), "--output", str(pickles)])
    first, second = str(caught.value).splitlines()
    assert "hostile.pkl is refused" in first and "mkdir" in first
    assert "cut.pkl cannot be read as a pickle" in second
    assert (pickles / "train.npz").exists()
    assert not (pickles / "hostile.npz").exists()


def test_two_of_one_name(pickles):
    paths = [str(pickles / "train.pkl"), str(pickles / "other" / "train.pkl")]
    with pytest.raises(InputError, match="both become"):
        convert_pickle.main([*paths, "--output", str(pickles / "new")])
    assert not (pickles / "new").exists()


def test_at_the_keyboard(pickles):
    command = [sys.executable, convert_pickle.__file__, "hostile.pkl", "--output", "."]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pickles)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and "is refused" in done.stderr
    assert not (pickles / "canary").exists()
