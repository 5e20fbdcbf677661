"""What must be alike for a resumed run to end in the same numbers."""

import dataclasses

import numpy as np
from checks import refused

from keras_saliency import datasets, fingerprints


def test_a_fingerprint_that_differs_is_told_and_other_pictures_are_refused(capsys):
    begun = {"threads": 2, "oneDNN": "default", "dataset": "1f"}
    fingerprints.compare("runs/a", begun, begun | {"new": 3})
    fingerprints.compare("runs/a", {}, begun)
    assert not capsys.readouterr().err
    fingerprints.compare("runs/a", begun, begun | {"threads": 4})
    said = capsys.readouterr().err
    assert "WARNING" in said and "threads 2 then, 4 now" in said and "oneDNN" not in said
    refused(
        lambda: fingerprints.compare("runs/a", begun, begun | {"dataset": "2e"}), "other pictures"
    )


def test_another_picture_or_fixation_is_another_dataset(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"1234")
    fixations = np.array([[1.0, 2.0]], "float32")
    example = datasets.Example("a.png", (3, 4), fixations, str(path))
    known = fingerprints._hash([[example], []])
    assert fingerprints._hash([[dataclasses.replace(example)], []]) == known
    moved = dataclasses.replace(example, fixations=fixations + 0.5)
    others = [[[moved], []], [[], [example]], [[example, example], []]]
    assert known not in [fingerprints._hash(splits) for splits in others]
    path.write_bytes(b"12345")
    assert fingerprints._hash([[example], []]) != known
