"""The hub's own stores fail: the ledger in the middle of a load, the disk below the staged frames."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from cshub.core.errors import ServiceUnavailable, StagingCorrupt
from tests.pipeline.cast import meet
from tests.pipeline.lab import Lab, Maker
from tests.pipeline.oracle import assert_held


@pytest.fixture
def loaded_with(make_lab: Maker) -> Lab:
    lab = make_lab(accounts=8, meetings=0, cases=False)
    for number in range(8):
        meet(lab, ended_ago_s=600.0 * (number + 1), subject=f"Meeting {number}")
    return lab


def is_right(lab: Lab) -> None:
    assert_held(lab.sandbox, lab.sandbox.service("chorus").records.by_id.values())
    before = len(lab.written())
    lab.wait(minutes=10)
    assert lab.sync().statistics.writes == 0
    assert len(lab.written()) == before


@pytest.mark.parametrize("place", ["before commit", "after commit"])
@pytest.mark.parametrize("boundary", [1, 2, 3, 7, 12, 17])
def test_a_ledger_that_fails_in_the_middle_of_a_load_costs_a_retry_and_nothing_else(
    loaded_with: Lab, place: str, boundary: int
) -> None:
    lab = loaded_with
    course = lab.course()
    course.plan()
    lab.fuse.renew(burns_at=boundary)
    lab.fuse.only, lab.fuse.raises = place, ServiceUnavailable("The ledger does not work now. Check that it runs.")
    with pytest.raises(ServiceUnavailable, match="ledger"):
        course.load()
    lab.fuse.renew()
    lab.wait(minutes=1)
    assert course.insist().statistics.created == 8
    is_right(lab)


def test_a_full_disk_stops_the_run_before_anything_is_sent(loaded_with: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    course = loaded_with.course()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(ServiceUnavailable, match="has room; then run again"):
            course.go_on()
    assert loaded_with.written() == []
    assert loaded_with.ledger.watermark(loaded_with.job.id) is None
    course.insist()
    is_right(loaded_with)


@pytest.mark.parametrize("name", ["raw", "mapped", "plan"])
def test_a_staged_frame_that_was_changed_or_lost_is_refused_with_the_next_step(loaded_with: Lab, name: str) -> None:
    lab = loaded_with
    course = lab.course()
    course.plan()
    [frame] = (lab.folder / "staging").rglob(f"{name}.parquet")
    frame.write_bytes(frame.read_bytes()[:-1] + b"x")
    course.mapped = None if name == "raw" else course.mapped
    course.planned = None if name in ("raw", "mapped") else course.planned
    with pytest.raises(StagingCorrupt, match="clear the run's first task"):
        course.go_on()
    assert lab.written() == []
    lab.course(run_id=course.run_id).go_on()
    is_right(lab)
