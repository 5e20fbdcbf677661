"""What is to be done, in shards named by their place and content, and read back one by one."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_saliency import pictures, stores, worklists
from keras_saliency.datasets import synthetic
from keras_saliency.errors import InputError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A folder of ten pictures and a text."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("photos")
    for number in range(10):
        Image.new("RGB", (6, 4), (number, 0, 0)).save(f"photos/{number}.png")
    (tmp_path / "photos" / "notes.txt").write_text("notes")
    return tmp_path / "photos"


def names(arguments, settings="", per_shard=8):
    work = worklists.of_inputs(arguments, "", per_shard)
    return [shard.name for shard in worklists.shards(work, settings)]


def record(**features):
    lists = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


def write_records(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in records:
            writer.write(each)


PNG = pictures.png(np.full((4, 6, 3), 9, "uint8"))


def test_pictures_in_the_order_of_predict(photos):
    work = worklists.of_inputs(["photos"], "", 8)
    assert [len(content["pictures"]) for content, _ in work.parts] == [8, 2]
    read = [picture for content, _ in work.parts for picture in worklists.read(content)]
    assert [picture.name for picture in read] == [f"{number}.png" for number in range(10)]
    assert [picture.read()[0, 0, 0] for picture in read] == list(range(10))
    assert work.count == 10 and work.passed_over == {".txt": 1}


def test_a_shards_name_is_of_its_place_and_content(photos):
    before = names(["photos"])
    assert [name[:7] for name in before] == ["000000-", "000001-"]
    assert names(["photos"]) == before
    Image.new("RGB", (9, 9)).save(photos / "9.png")
    changed = names(["photos"])
    assert changed[0] == before[0] and changed[1] != before[1]
    Image.new("RGB", (9, 9)).save(photos / "91.png")
    more = names(["photos"])
    assert more[0] == before[0] and more[1] not in (before[1], changed[1])
    assert not set(names(["photos"], "other")) & set(more)


def test_a_datasets_shards_change_with_any_fixation(photos):
    examples = synthetic.load(split="test", limit=10)
    work = worklists.of_examples(examples, 8)
    assert [content["examples"] for content, _ in work.parts] == [[0, 8], [8, 10]]
    examples[9].fixations[0] += 1
    before, after = (worklists.shards(w, "") for w in (work, worklists.of_examples(examples, 8)))
    assert not {shard.name for shard in before} & {shard.name for shard in after}
    (*_, last) = worklists.read(work.parts[1][0], examples)
    assert (last.index, last.name) == (9, examples[9].name)
    np.testing.assert_array_equal(last.read(), examples[9].image)


def test_a_shard_is_whole_batches(photos):
    with pytest.raises(InputError, match="multiple of 8"):
        worklists.of_inputs(["photos"], "", 12)


def test_records_of_either_convention(photos):
    named = {"image/encoded": PNG, "image/filename": b"b.png"}
    write_records("a.tfrecord", [record(name=b"a.png", image=PNG), record(**named)])
    write_records("b.tfrecord-00000-of-00001", [record(image=PNG)])
    work = worklists.of_inputs(["*.tfrecord*", "photos/1.png"], "", 8)
    assert work.count is None and len(work.parts) == 3
    read = [p for content, _ in work.parts for p in worklists.read(content)]
    wanted = ["1.png", "a.png", "b.png", "b.tfrecord-00000-of-00001/000000"]
    assert [picture.name for picture in read] == wanted
    assert [picture.read()[0, 0, 0] for picture in read] == [1, 9, 9, 9]


def test_bad_records_are_named_and_the_others_read(photos):
    bad = {b"rubbish": "record 0 is no tf.train.Example"}
    bad[record(name=b"x")] = "record 1 has no bytes called image"
    bad[record(image=b"x")] = "record 2 is not a picture"
    write_records("a.tfrecord", [*bad, record(image=PNG)])
    read = list(worklists.read({"records": "a.tfrecord"}))
    for picture, words in zip(read[:3], bad.values(), strict=True):
        with pytest.raises(InputError, match=f"a.tfrecord, {words}"):
            picture.read()
    assert read[3].read().shape == (4, 6, 3)


def test_a_damaged_file_of_records_ends_in_an_error(photos):
    write_records("a.tfrecord", [record(image=PNG)] * 3)
    content = bytearray((photos.parent / "a.tfrecord").read_bytes())
    content[-20] ^= 1
    (photos.parent / "a.tfrecord").write_bytes(content)
    *good, bad = worklists.read({"records": "a.tfrecord"})
    assert len(good) == 2
    with pytest.raises(InputError, match=r"a\.tfrecord is damaged behind 2 records"):
        bad.read()


@pytest.mark.parametrize("argument", ["nothing.tfrecord", "none*.tfrecord", "nothing.jpg"])
def test_an_input_that_is_not_there(photos, argument):
    with pytest.raises(InputError, match="no such file"):
        worklists.of_inputs([argument], "", 8)


def test_a_picture_that_vanished(photos):
    ((content, _), _) = worklists.of_inputs(["photos"], "", 8).parts
    os.remove("photos/0.png")
    picture = next(worklists.read(content))
    with pytest.raises(InputError, match=r"photos/0\.png cannot be read \(No such file"):
        picture.read()
    assert stores.stamp("photos/0.png") == ""
