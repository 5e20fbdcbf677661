"""Shards of maps: predict.py's and evaluate.py's to the bit, whatever is bad or was stopped."""

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import resource

import bulk_files
import evaluate
import predict
import predict_many
import pytest
import tensorflow as tf
from test_worklists import record, write_records

from keras_saliency import (
    bulk,
    bulk_shards,
    engines,
    models,
    outputs,
    prediction,
    provenance,
    worklists,
)
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
    """Without Beam: one shard after the other; the job as it is given, and not as planned."""
    if job.scoring:
        work = worklists.of_examples(bulk.truths(job.scoring).examples, 8)
    else:
        work = worklists.of_inputs(list(inputs), job.output, 8)
    shards = worklists.shards(work, job.settings())
    return work_off(job, shards, model)


def work_off(job, shards, model=None):
    left = bulk.begin(job, shards)
    model = model or bulk_shards.load(job)
    for name in left:
        bulk_shards.predict(job, model, name)
    return left, bulk.finish(job, shards)


def planned(*arguments):
    """The job and its work as the script plans them."""
    flags = ["--model", "model.keras", "--output", "out", "--shard", "8"]
    return predict_many.plan(predict_many.parse_args([*flags, *arguments])[0])


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


@pytest.fixture
def frozen(monkeypatch):
    """Every network that was frozen."""
    found, make = [], prediction.Frozen
    monkeypatch.setattr(prediction, "Frozen", lambda model: found.append(make(model)) or found[-1])
    return found


@pytest.mark.parametrize("many", [False, True])
def test_maps_of_a_network_are_those_of_predict(photos, monkeypatch, frozen, many):
    monkeypatch.setattr(engines, "FROZEN_FROM", bulk_files.COUNT + (not many))
    job, work = planned("photos", "--fit", "letterbox")
    work_off(job, worklists.shards(work, job.settings()))
    assert len(frozen) == many
    assert maps() == by_predict("--fit", "letterbox")
    assert len(frozen) == 2 * many


def test_another_engine_knows_nothing_of_frozen_weights(photos):
    alike = {
        engine: len(
            {
                str(dataclasses.replace(JOB, engine=engine, frozen=many).settings())
                for many in (False, True)
            }
        )
        for engine in ("keras", "openvino")
    }
    assert alike == {"keras": 2, "openvino": 1}


def test_files_are_those_of_predict(photos):
    run(dataclasses.replace(JOB, write=("png", "npy")))
    assert written("out/maps") == by_predict("--write", "png", "npy")


def test_records_give_the_maps_of_files(photos, monkeypatch, frozen):
    monkeypatch.setattr(engines, "FROZEN_FROM", bulk_files.COUNT)
    paths = [*sorted(photos.glob("*.png")), *sorted(photos.glob("sub/*.png"))]
    named = [(str(path.relative_to(photos)).encode(), path.read_bytes()) for path in paths]
    records = [record(name=name, image=content) for name, content in named]
    write_records("0.tfrecord", records[:8])
    write_records("1.tfrecord", records[8:])
    job, work = planned("*.tfrecord")
    work_off(job, worklists.shards(work, job.settings()))
    assert maps() == by_predict() and len(frozen) == 2
    found = errors()
    assert len(found) == len(bulk_files.BAD)
    assert "0.tfrecord, record 1 is not a picture" in found["02.png"]


def test_damage_is_no_picture(photos, telling):
    write_records("a.tfrecord", [record(image=(photos / "01.png").read_bytes())] * 3)
    content = pathlib.Path("a.tfrecord").read_bytes()
    pathlib.Path("a.tfrecord").write_bytes(content[:-9])
    assert run(inputs=["a.tfrecord"])[1] == (2, 1)
    assert errors() == {"a.tfrecord": "a.tfrecord is damaged behind 2 records: the others are lost"}


def test_records_that_cannot_be_opened_are_not_finished(photos, telling):
    write_records("a.tfrecord", [record(image=(photos / "01.png").read_bytes())])
    work = worklists.of_inputs(["a.tfrecord"], "")
    shards = worklists.shards(work, JOB.settings())
    os.rename("a.tfrecord", "elsewhere")
    with pytest.raises(InputError, match=r"a\.tfrecord cannot be read"):
        work_off(JOB, shards)
    assert not bulk.done(JOB) and not os.path.exists("out/done")
    os.rename("elsewhere", "a.tfrecord")
    assert work_off(JOB, shards)[1] == (1, 0)


def test_the_readers_example_leaves_old_shards_out(photos, telling):
    run(dataclasses.replace(JOB, fit="letterbox", output="maps"))
    run(dataclasses.replace(JOB, output="maps"))
    assert len(os.listdir("maps/maps")) == 6
    page = pathlib.Path(__file__).parents[1] / "docs" / "bulk.md"
    block = page.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    found = []
    exec(f"{block}    found.append(name.decode())\n", {"found": found})
    assert sorted(found) == sorted(maps("maps")) and len(set(found)) == len(found)


def test_versions_that_differ_are_in_the_manifest(photos, telling, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        run(model=bulk_files.Telling(last=1))
    known = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: {**known, "keras": "9.9"})
    run()
    with open("out/manifest.json", encoding="utf-8") as file:
        said = json.load(file)["versions"]
    assert said.pop("keras") == [known["keras"], "9.9"]
    assert said["tensorflow"] == [tf.__version__] and "keras_saliency" in said


def test_no_cell_of_the_errors_is_a_formula(photos, telling):
    os.rename("photos/02.png", "photos/=cmd()|x.png")
    run()
    assert "'=cmd()|x.png" in errors() and "09.png" in errors()


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


@contextlib.contextmanager
def little_room(size=300):
    """No file may become larger, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_one_line_and_keeps_what_is_done(photos, telling):
    shards = worklists.shards(worklists.of_inputs(["photos"], "", 8), JOB.settings())
    with little_room(), pytest.raises(InputError, match=r"cannot be written: .*is kept"):
        bulk.begin(JOB, shards)
    first, second, _ = bulk.begin(JOB, shards)
    bulk_shards.predict(JOB, bulk_files.Telling(), first)
    with (
        little_room(),
        pytest.raises(InputError, match=r"out/maps/000001.*cannot be written: .*kept"),
    ):
        bulk_shards.predict(JOB, bulk_files.Telling(), second)
    with pytest.raises(InputError, match="2 of 3 shards are not finished, the first is 000001"):
        bulk.finish(JOB, shards)


def test_an_error_of_the_network_is_not_the_disks(photos):
    class Broken(bulk_files.Telling):
        def predict_on_batch(self, stimuli):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with pytest.raises(tf.errors.ResourceExhaustedError):
        run(model=Broken())
