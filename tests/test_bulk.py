"""Shards of maps: predict.py's and evaluate.py's to the bit, whatever is bad or was stopped."""

import csv
import dataclasses
import os
import pathlib

import bulk_files
import evaluate
import predict
import pytest
import tensorflow as tf
from test_worklists import record, write_records

from keras_saliency import bulk, engines, models, outputs, worklists
from keras_saliency.errors import InputError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return bulk_files.write_all(tmp_path)


@pytest.fixture
def telling(monkeypatch):
    """Every script computes with a network whose maps betray the batches that it was given."""
    monkeypatch.setattr(engines, "for_many", lambda *_: bulk_files.Telling())


JOB = bulk.Job("model.keras", "out")


def run(job=JOB, inputs=("photos",), model=None):
    """Without Beam: one shard after the other."""
    if job.scoring:
        work = worklists.of_examples(bulk.truths(job.scoring).examples, 8)
    else:
        work = worklists.of_inputs(list(inputs), job.output, 8)
    shards = worklists.shards(work, job.settings())
    left = bulk.begin(job, shards)
    model = model or bulk.load(job)
    for name in left:
        bulk.predict_shard(job, model, name)
    return left, bulk.finish(job, shards)


def maps(folder="out"):
    """All records' PNGs by name."""
    found = {}
    for path in sorted(pathlib.Path(folder, "maps").glob("*.tfrecord")):
        for serialized in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            features = tf.train.Example.FromString(serialized).features.feature
            name, png = (features[key].bytes_list.value[0] for key in ("name", "png"))
            found[name.decode()] = png
    return found


def written(folder):
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def errors(folder="out"):
    with open(f"{folder}/errors.csv", newline="", encoding="utf-8") as file:
        return {row["image"]: row["error"] for row in csv.DictReader(file)}


def by_predict(*flags):
    with pytest.raises(SystemExit):
        predict.main(["--model", "model.keras", "photos", "--output", "single", *flags])
    os.remove(f"single/{outputs.RECORD}")
    return written("single")


def test_maps_are_those_of_predict_though_pictures_are_bad(photos, telling):
    _, result = run()
    assert maps() == by_predict()
    assert result == (bulk_files.COUNT, len(bulk_files.BAD))
    found = errors()
    for number, words in bulk_files.BAD.items():
        assert words in found.pop(f"{number:02d}.png")
    assert not found


def test_the_network_that_tells_does_tell(photos, telling):
    run()
    os.remove("photos/01.png")
    run(dataclasses.replace(JOB, output="without"))
    first, second = maps(), maps("without")
    assert [name for name in second if first[name] != second[name]]


@pytest.mark.parametrize("frozen", [False, True])
def test_maps_of_a_network_are_those_of_predict(photos, monkeypatch, frozen):
    monkeypatch.setattr(engines, "FROZEN_FROM", 5 if frozen else 5000)
    run(dataclasses.replace(JOB, frozen=frozen, fit="letterbox"))
    assert maps() == by_predict("--fit", "letterbox")


def test_files_are_those_of_predict(photos):
    run(dataclasses.replace(JOB, write=("png", "npy")))
    assert written("out/maps") == by_predict("--write", "png", "npy")


def test_records_give_the_maps_of_files(photos):
    paths = [*sorted(photos.glob("*.png")), *sorted(photos.glob("sub/*.png"))]
    names = [str(path.relative_to(photos)).encode() for path in paths]
    both = zip(names, paths, strict=True)
    write_records("in.tfrecord", [record(name=n, image=p.read_bytes()) for n, p in both])
    run(inputs=["in.tfrecord"])
    found = errors()
    assert maps() == by_predict() and len(found) == len(bulk_files.BAD)
    assert "in.tfrecord, record 1 is not a picture" in found["02.png"]


def test_what_was_stopped_goes_on_without_the_finished_shards(photos, telling):
    with pytest.raises(KeyboardInterrupt):
        run(model=bulk_files.Telling(last=2))
    assert len(os.listdir("out/maps")) == len(os.listdir("out/done")) == 2
    before = {name: os.stat(f"out/maps/{name}").st_mtime_ns for name in os.listdir("out/maps")}
    left, result = run()
    assert [name[:6] for name in left] == ["000002"] and result.pictures == bulk_files.COUNT
    assert (
        before.items()
        <= {
            name: os.stat(f"out/maps/{name}").st_mtime_ns for name in os.listdir("out/maps")
        }.items()
    )
    assert maps() == by_predict()
    whole = written("out/maps")
    assert run()[0] == []
    run(dataclasses.replace(JOB, output="at once"))
    assert written("at once/maps") == whole


def test_a_shard_whose_file_is_gone_is_made_again(photos, telling):
    run()
    name = min(os.listdir("out/maps"))
    os.remove(f"out/maps/{name}")
    assert run()[0] == [os.path.splitext(name)[0]]


def test_another_setting_or_model_is_another_shard(photos, telling):
    assert len(run()[0]) == 3
    assert len(run(dataclasses.replace(JOB, fit="letterbox"))[0]) == 3
    models.SalGANGenerator((32, 32, 3), weights=None, width=1 / 16).save("model.keras")
    assert len(run()[0]) == 3


def test_scores_are_those_of_evaluate(photos):
    scoring = bulk.Scoring("synthetic", "", "test", limit=10)
    run(dataclasses.replace(JOB, scoring=scoring))
    flags = ["--data", "synthetic", "--split", "test", "--limit", "10", "--csv", "single.csv"]
    evaluate.main(["--model", "model.keras", *flags])
    assert pathlib.Path("out/scores.csv").read_bytes() == pathlib.Path("single.csv").read_bytes()
    assert len(maps()) == 10


def test_a_picture_that_cannot_be_read_has_a_row_without_scores(photos, telling):
    good = sorted(set(range(bulk_files.COUNT)) - {0, 5, 10, 15, 20})
    lines = [f"{number:02d}.png,{x},{x}" for number in good for x in (5, 9)]
    (photos / "fixations.csv").write_text("\n".join(["image,x,y", *lines]))
    for number in bulk_files.BAD:  # the header is sound
        path = photos / f"{number:02d}.png"
        path.write_bytes((photos / "01.png").read_bytes()[:200])
    scoring = bulk.Scoring("folder", "photos", "all", protocol="tuebingen", pixels_per_degree=8.0)
    _, result = run(dataclasses.replace(JOB, scoring=scoring))
    with open("out/scores.csv", newline="", encoding="utf-8") as file:
        rows = {row["image"]: row["nss"] for row in csv.DictReader(file)}
    assert {name for name, nss in rows.items() if nss == "nan"} == set(errors())
    assert result == (len(good), 3) and list(rows) == [f"{number:02d}.png" for number in good]


def test_a_full_disk_is_one_line_and_keeps_what_is_done(photos, telling, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device", path)

    shards = worklists.shards(worklists.of_inputs(["photos"], "", 8), JOB.settings())
    name, *_ = bulk.begin(JOB, shards)
    monkeypatch.setattr(bulk.stores, "replacing", full)
    with pytest.raises(InputError, match=r"out/maps/000000.*No space.*is kept"):
        bulk.predict_shard(JOB, bulk_files.Telling(), name)
    with pytest.raises(InputError, match="3 of 3 shards are not finished, the first is 000000"):
        bulk.finish(JOB, shards)
