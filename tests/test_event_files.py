"""TensorBoard's curves of a run that was cut off and resumed."""

from event_points import found

from keras_saliency import event_files


def written(folder, first, last, cut=None):
    """Two steps an epoch; `cut`: after so many steps the process is gone."""
    scalars = event_files.Scalars(str(folder), 1)
    scalars.set_params({"steps": 2})
    scalars.forget(first // 2, first)
    scalars.on_train_begin()
    for step in range(first, last):
        scalars.on_epoch_begin(step // 2)
        scalars.on_train_batch_end(step % 2, {"loss": step})
        if step + 1 == cut:
            return
        if step % 2:
            scalars.on_epoch_end(step // 2, {"loss": step, "val_nss": -step})
    scalars.on_train_end()


def test_no_point_is_twice_or_missing(tmp_path):
    written(tmp_path / "whole", 0, 8)
    assert ("validation", "epoch_nss", 3, -7.0) in found(tmp_path / "whole")
    assert ("train", "batch_loss", 1, 0.0) in found(tmp_path / "whole")
    written(tmp_path / "cut", 0, 8, cut=7)
    (torn,) = (tmp_path / "cut" / "train").glob("events*")
    torn.write_bytes(torn.read_bytes() + b"\x10\x00\x00half a record")
    written(tmp_path / "cut", 3, 8)  # the last checkpoint was in the second epoch
    assert found(tmp_path / "cut") == found(tmp_path / "whole")


def test_what_tells_whether_a_gan_is_well_has_the_names_that_people_know(tmp_path):
    scalars = event_files.Scalars(str(tmp_path))
    scalars.on_train_begin()
    alone = {"generator_loss": 3.0, "nss": 1.0}
    scalars.on_epoch_end(0, alone)  # the generator alone is no GAN
    scalars.on_epoch_end(1, {**alone, "discriminator_loss": 2.0, "d_real": 0.75, "d_fake": 0.25})
    scalars.on_train_end()
    assert [point[1:] for point in found(tmp_path) if point[1].startswith("gan/")] == [
        ("gan/d_loss", 1, 2.0),
        ("gan/fake_score_mean", 1, 0.25),
        ("gan/g_loss", 1, 3.0),
        ("gan/real_score_mean", 1, 0.75),
    ]


def test_what_is_not_touched_is_not_written_anew(tmp_path):
    written(tmp_path, 0, 4)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/events*")}
    event_files.Scalars(str(tmp_path)).forget(2, 4)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/events*")}
