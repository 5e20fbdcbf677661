"""The numbers of the papers."""

from keras_saliency import protocols, reported


def test_every_row_reads():
    known = {name for names in protocols.COLUMNS.values() for name in names}
    for data, split in reported.REPORTED:
        rows = reported.rows(data, split)
        assert len(rows) == len(reported.REPORTED[data, split].strip().splitlines())
        for scores in rows.values():
            assert set(scores) <= known
            assert all(0 < value < 4 for value in scores.values())


def test_salgan_on_salicon():
    rows = reported.rows("salicon", "test")
    assert rows["SalGAN (SalGAN, arXiv 1701.01081)"] == {
        "auc_borji": 0.884,
        "sauc": 0.772,
        "nss": 2.459,
        "cc": 0.781,
    }


def test_releases_that_papers_do_not_have():
    assert reported.rows("salicon:2015-gaze", "val") == reported.rows("salicon", "val")
    assert reported.rows("salicon:2015-mat", "val") == reported.rows("salicon", "val")
    assert reported.rows("salicon:2017", "val") == reported.rows("salicon:2015-json", "val") == {}


def test_a_dataset_without_numbers():
    assert reported.rows("synthetic", "test") == {}
