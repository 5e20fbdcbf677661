"""Shards hold what the pipeline would have made of the files, or are refused."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf
from checks import refused
from PIL import Image

from keras_saliency import fields, pipeline, shards
from keras_saliency.datasets import Example, synthetic

SIZE, MAP_SIZE, SIGMA = (24, 32), (12, 16), synthetic.SIGMA
EXAMPLES = synthetic.load(split="train", limit=7, size=(48, 64))


@pytest.fixture
def folder(tmp_path):
    """Three shards, of 3, 3 and 1 pictures."""
    shards.write(EXAMPLES, SIZE, SIGMA, str(tmp_path), MAP_SIZE, per_shard=3)
    return str(tmp_path)


def load(folder, examples=EXAMPLES, **changes):
    settings = {"size": SIZE, "sigma": SIGMA, "map_size": MAP_SIZE, **changes}
    return shards.load(folder, examples, **settings)


def arrays(dataset):
    return [array.numpy() for batch in dataset for array in tf.nest.flatten(batch)]


def check_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_training_sees_the_same_batches(folder):
    plain = pipeline.load(EXAMPLES, SIZE, SIGMA, MAP_SIZE)
    settings = {"batch_size": 2, "zoom": 0.2, "color": 0.2, "seed": 3}
    epochs = [pipeline.epochs(source, **settings).take(7) for source in (load(folder), plain)]
    check_equal(*map(arrays, epochs))
    check_equal(*(arrays(pipeline.once(source, 3)) for source in (load(folder), plain)))


def test_several_workers_take_their_parts(folder):
    whole = arrays(pipeline.once(load(folder), 1))
    parts = [arrays(pipeline.once(load(folder, EXAMPLES[i::2]), 1)) for i in range(2)]
    check_equal(parts[0], [whole[3 * i + j] for i in range(0, 7, 2) for j in range(3)])
    check_equal(parts[1], [whole[3 * i + j] for i in range(1, 7, 2) for j in range(3)])


def test_tensorflow_reads_them_itself(folder):
    files = sorted(tf.io.gfile.glob(os.path.join(folder, "*.tfrecord")))
    assert [os.path.basename(file) for file in files] == [
        f"0000{i}-of-00003.tfrecord" for i in range(3)
    ]
    records = list(tf.data.TFRecordDataset(files))
    names = [
        tf.train.Example.FromString(record.numpy()).features.feature["name"].bytes_list.value[0]
        for record in records
    ]
    assert names == [example.name.encode() for example in EXAMPLES]


def test_what_is_whole_is_not_written_again(folder):
    def times():
        return {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in os.listdir(folder)}

    def write():
        shards.write(EXAMPLES, SIZE, SIGMA, folder, MAP_SIZE, per_shard=3)

    before = times()
    write()
    assert times() == before
    path = os.path.join(folder, "00001-of-00003.tfrecord")
    with open(path, "r+b") as file:
        file.truncate(100)
    write()
    changed = {name for name, time in times().items() if time != before[name]}
    assert changed == {"00001-of-00003.tfrecord", "index.json"}
    assert load(folder).count == 7


def test_a_writer_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    whole, made = fields.stacked, []

    def cut_off(examples, *rest):
        made.append(len(examples))
        if len(made) == 2:
            raise KeyboardInterrupt
        return whole(examples, *rest)

    monkeypatch.setattr(fields, "stacked", cut_off)
    with pytest.raises(KeyboardInterrupt):
        shards.write(EXAMPLES, SIZE, SIGMA, str(tmp_path), MAP_SIZE, per_shard=3)
    assert sorted(os.listdir(tmp_path)) == ["00000-of-00003.tfrecord", "index.json"]
    shards.write(EXAMPLES, SIZE, SIGMA, str(tmp_path), MAP_SIZE, per_shard=3)
    assert made == [3, 3, 3, 1]
    assert load(str(tmp_path)).count == 7


@pytest.mark.parametrize("at", [0, 9, 200, -1])
def test_a_flipped_byte_is_found(folder, at):
    path = os.path.join(folder, "00001-of-00003.tfrecord")
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        content[at] ^= 1
        file.seek(0)
        file.write(content)
    refused(lambda: load(folder), path, "is damaged")


def test_a_missing_shard_and_a_missing_index_are_named(folder, tmp_path):
    os.remove(os.path.join(folder, "00002-of-00003.tfrecord"))
    refused(lambda: load(folder), "00002-of-00003.tfrecord", "is missing")
    refused(lambda: load(str(tmp_path / "none")), "no such file", "index.json", "make_shards.py")


def test_other_sizes_another_sigma_and_other_pictures_are_refused(folder):
    refused(lambda: load(folder, size=(48, 64)), "size is [24, 32], wanted [48, 64]")
    refused(lambda: load(folder, map_size=None), "map_size is [12, 16]")
    refused(lambda: load(folder, sigma=3.0), "sigma is 12.0, wanted 3.0")
    other = dataclasses.replace(EXAMPLES[2], fixations=EXAMPLES[3].fixations)
    refused(lambda: load(folder, [other]), EXAMPLES[2].name, "was another")
    new = dataclasses.replace(EXAMPLES[2], name="new")
    refused(lambda: load(folder, [new]), "new is not there")


def test_what_was_written_otherwise_is_replaced(folder):
    shards.write(EXAMPLES[:5], SIZE, 3.0, folder, MAP_SIZE, per_shard=5)
    assert load(folder, EXAMPLES[:5], sigma=3.0).count == 5
    assert sorted(os.listdir(folder)) == ["00000-of-00001.tfrecord", "index.json"]


def test_a_changed_picture_or_density_is_noticed(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 48), (9, 200, 9)).save(tmp_path / name)
    example = Example("a.png", (48, 64), np.zeros((0, 2)), str(tmp_path / "a.png"))
    example = dataclasses.replace(example, density_path=str(tmp_path / "b.png"))
    folder = str(tmp_path / "shards")
    for changed in ("a.png", "b.png"):
        shards.write([example], SIZE, None, folder, MAP_SIZE)
        assert load(folder, [example], sigma=None).count == 1
        os.utime(tmp_path / changed, ns=(1, 1))
        refused(lambda: load(folder, [example], sigma=None), "a.png was another")


def test_where_the_files_lie_makes_no_difference(tmp_path, monkeypatch):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    given = Example("a.png", (48, 64), np.ones((3, 2)), "a.png")
    shards.write([given], SIZE, SIGMA, "shards", MAP_SIZE)
    absolute = dataclasses.replace(given, image_path=str(tmp_path / "a.png"))
    assert load("shards", [absolute]).count == 1


def test_two_pictures_of_one_name_are_refused(tmp_path):
    twice = [EXAMPLES[0], EXAMPLES[1], EXAMPLES[0]]
    refused(lambda: shards.write(twice, SIZE, SIGMA, str(tmp_path), MAP_SIZE), "two pictures")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"shards": 3}', "[" * 100000, "\x00", '{"shards": [{"file": "../a"}]}'],
)
def test_a_damaged_index_is_refused(folder, content):
    with open(os.path.join(folder, "index.json"), "w") as file:
        file.write(content)
    refused(lambda: load(folder), "index.json is damaged")


def test_a_shard_elsewhere_is_refused(folder):
    path = os.path.join(folder, "index.json")
    with open(path) as file:
        index = json.load(file)
    index["shards"][0]["file"] = "../" + index["shards"][0]["file"]
    with open(path, "w") as file:
        json.dump(index, file)
    refused(lambda: load(folder), "index.json is damaged")


def test_without_examples_nothing_is_written(tmp_path):
    refused(lambda: shards.write([], SIZE, SIGMA, str(tmp_path / "new")), "no pictures")
    assert not os.path.exists(tmp_path / "new")
