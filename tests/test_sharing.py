"""The devices' parts are the whole batches, and nobody reads another's pictures."""

import numpy as np
import pytest
from checks import refused

from keras_saliency import pictures, pipeline, sharing
from keras_saliency.datasets import synthetic
from keras_saliency.sharing import Share

SIZE = (24, 32)
# Two machines of one device, one of two, and two of two.
SHARES = {
    "machines": [Share(2, 0, 1), Share(2, 1, 1)],
    "devices": [Share(2, 0, 2)],
    "both": [Share(4, 0, 2), Share(4, 2, 2)],
}


@pytest.fixture
def read(monkeypatch):
    """The names of the pictures that were decoded, in that order."""
    names, of = [], pictures.of

    def noted(example):
        names.append(example.name)
        return of(example)

    monkeypatch.setattr(pictures, "of", noted)
    return names


def source(count, **options):
    return pipeline.load(
        synthetic.load(split="train", limit=count), SIZE, synthetic.SIGMA, **options
    )


def stimuli(dataset, batches):
    return [stimulus.numpy() for stimulus, _ in dataset.take(batches)]


@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("lazy", [False, True])
def test_the_parts_make_the_batches_of_one_device(shares, lazy):
    whole = stimuli(pipeline.epochs(source(9), 4, zoom=0.2, seed=3), 5)
    found = [
        stimuli(pipeline.epochs(source(9, lazy=lazy), 4, zoom=0.2, seed=3, share=s), 5 * s.own)
        for s in shares
    ]
    for step, batch in enumerate(whole):
        parts = [
            p for s, own in zip(shares, found, strict=True) for p in own[step * s.own :][: s.own]
        ]
        np.testing.assert_array_equal(np.concatenate(parts), batch)


@pytest.mark.parametrize("count", [4, 5, 6, 9])
@pytest.mark.parametrize("shares", SHARES.values(), ids=SHARES)
def test_every_picture_is_judged_once_and_nobody_waits(shares, count):
    whole = np.concatenate(stimuli(pipeline.once(source(count), 4), -1))
    parts = [sharing.own_parts(count, 4, share) for share in shares]
    assert len({len(part) for part in parts}) == 1  # turns
    found = [
        stimuli(pipeline.once(source(count), 4, s), len(p))
        for s, p in zip(shares, parts, strict=True)
    ]
    assert min(len(turn) for own in found for turn in own) > 0
    judged = np.concatenate([turn for own in found for turn in own])
    assert sorted(each.tobytes() for each in judged) == sorted(each.tobytes() for each in whole)


def test_a_machine_decodes_its_own_pictures_alone(read):
    """In an epoch each picture once on one of them; what it has read it keeps."""
    seen = []
    for share in SHARES["machines"]:
        read.clear()
        stimuli(pipeline.epochs(source(8, lazy=True), 4, seed=1, share=share), 40)
        seen.append(set(read[:4]))  # the first epoch's
        assert len(read) == len(set(read)) <= 8
    assert len(seen[0] | seen[1]) == 8 and not seen[0] & seen[1]
    read.clear()
    stimuli(pipeline.once(source(8, lazy=True), 4, SHARES["machines"][1]), 4)
    assert sorted(read) == [f"train_{i:04d}" for i in range(4, 8)]


def test_too_few_pictures_are_told():
    refused(lambda: sharing.own_parts(1, 4, Share(2)), "1 pictures", "2 devices")
