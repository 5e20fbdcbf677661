"""What is to be done, in shards named by their place and content, and read back one by one."""

import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_saliency import inputs, listed, pictures, stores, worklists
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
    read = [picture for content, _ in work.parts for picture in listed.read(content)]
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
    (*_, last) = listed.read(work.parts[1][0], examples)
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
    read = [p for content, _ in work.parts for p in listed.read(content)]
    wanted = ["1.png", "a.png", "b.png", "b.tfrecord-00000-of-00001/000000"]
    assert [picture.name for picture in read] == wanted
    assert [picture.read()[0, 0, 0] for picture in read] == [1, 9, 9, 9]


def test_bad_records_are_named_and_the_others_read(photos):
    bad = {b"rubbish": "record 0 is no tf.train.Example"}
    bad[record(name=b"x")] = "record 1 has no bytes called image"
    bad[record(image=b"x")] = "record 2 is not a picture"
    write_records("a.tfrecord", [*bad, record(image=PNG)])
    read = list(listed.read({"records": "a.tfrecord"}))
    for picture, words in zip(read[:3], bad.values(), strict=True):
        with pytest.raises(InputError, match=f"a.tfrecord, {words}"):
            picture.read()
    assert read[3].read().shape == (4, 6, 3)


def test_a_damaged_file_of_records_ends_in_an_error(photos):
    write_records("a.tfrecord", [record(image=PNG)] * 3)
    content = bytearray((photos.parent / "a.tfrecord").read_bytes())
    content[-20] ^= 1
    (photos.parent / "a.tfrecord").write_bytes(content)
    *good, bad = listed.read({"records": "a.tfrecord"})
    assert len(good) == 2 and isinstance(bad, listed.Damage)
    with pytest.raises(InputError, match=r"a\.tfrecord is damaged behind 2 records"):
        bad.read()


@pytest.mark.parametrize("argument", ["nothing.tfrecord", "none*.tfrecord", "nothing.jpg"])
def test_an_input_that_is_not_there(photos, argument):
    with pytest.raises(InputError, match="no such file"):
        worklists.of_inputs([argument], "", 8)


def test_a_picture_that_vanished(photos):
    ((content, _), _) = worklists.of_inputs(["photos"], "", 8).parts
    os.remove("photos/0.png")
    picture = next(listed.read(content))
    with pytest.raises(InputError, match=r"no such file: photos/0\.png"):
        picture.read()
    assert stores.stamp("photos/0.png") == ""


def test_a_file_of_records_that_cannot_be_opened_is_not_damaged(photos):
    with pytest.raises(InputError, match=r"a\.tfrecord cannot be read \(.*No such file"):
        next(listed.read({"records": "a.tfrecord"}))
    os.mkdir("b.tfrecord")
    with pytest.raises(InputError, match=r"b\.tfrecord cannot be read"):
        next(listed.read({"records": "b.tfrecord"}))


def test_compressed_records_are_refused_by_name(photos):
    (photos.parent / "a.tfrecord.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.tfrecord\.gz is compressed"):
        worklists.of_inputs(["*.tfrecord*"], "", 8)


def test_what_several_arguments_name_is_done_once(photos):
    write_records("a.tfrecord", [record(image=PNG)])
    os.mkdir("empty")
    arguments = ["photos", "empty", "photos/3.png", f"{photos}/*", "*.tfrecord", "a.tfrecord"]
    work = worklists.of_inputs([*arguments, f"{photos.parent}/a.tfrecord"], "", 16)
    (paths, _), (records, _) = work.parts
    assert paths["pictures"] == [list(s) for s in inputs.find(arguments[:4]).sources]
    assert len(paths["pictures"]) == 10 and records == {"records": "a.tfrecord"}
    assert len(worklists.of_inputs(["empty", "a.tfrecord"], "", 8).parts) == 1
    with pytest.raises(InputError, match="there are no pictures in empty"):
        worklists.of_inputs(["empty"], "", 8)


def test_pictures_in_a_store(photos, monkeypatch):
    pytest.importorskip("apache_beam")
    import far_store

    monkeypatch.setattr(far_store.FarStore, "root", str(photos.parent))
    work = worklists.of_inputs(["far://photos/**", "far://photos/*.png", "photos/3.png"], "", 16)
    ((content, _),) = work.parts
    assert [name for _, name in content["pictures"]] == ["3.png", *(f"{i}.png" for i in range(10))]
    assert work.passed_over == {"no pictures": 1}
    picture = list(listed.read(content))[1]
    assert picture.read().shape == (4, 6, 3)
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"far://photos/0\.png is too large"):
        picture.read()
    with pytest.raises(InputError, match=r"no such file: far://photos; .* are far://photos/\*\*"):
        worklists.of_inputs(["far://photos"], "", 8)


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png"])
def test_a_name_in_a_store_that_leads_out_of_the_output(monkeypatch, name):
    found = [stores.File(f"far://bucket/{name}", "1")]
    monkeypatch.setattr(stores, "find", lambda _: found)
    with pytest.raises(InputError, match=r"far://bucket/\*\*: .*evil\.png"):
        worklists.of_inputs(["far://bucket/**"], "", 8)


def test_a_huge_file_here_is_not_read_whole(photos, monkeypatch):
    monkeypatch.setattr(stores, "read", None)
    with open("photos/0.png", "r+b") as file:
        file.truncate(1 << 40)
    ((content, _),) = worklists.of_inputs(["photos/0.png"], "", 8).parts
    assert next(listed.read(content)).read().shape == (4, 6, 3)
