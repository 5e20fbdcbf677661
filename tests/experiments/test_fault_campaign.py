"""A fault of each kind, and the run goes on to the very same end."""

import os
import sys

import pytest
import train_salgan

sys.path.insert(0, os.path.join(os.path.dirname(train_salgan.__file__), "faults"))

import fault_campaign
import faulty_trainings


def test_no_fault_loses_a_run(tmp_path):
    rows = fault_campaign.campaign(str(tmp_path), len(fault_campaign.KINDS), seed=1)
    done = {name: row for name, row in rows.items() if isinstance(row, dict)}
    assert len(done) >= 7  # tmpfs and chattr need root
    assert sum(row["faults"] for row in done.values()) == len(fault_campaign.KINDS)
    assert not {name: row for name, row in done.items() if not fault_campaign.good(row)}
    assert sum(row["stopped"] for row in done.values()) >= 5  # else the faults were none


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.npz", b"PK"), ("a.json", b"{"), ("a.csv", b"epoch,loss\n1,2"), ("a.png", b"\x89PNG")],
)
def test_half_a_file_is_noticed(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert len(faulty_trainings.half_written(str(tmp_path))) == 1
