"""Death at boundaries of a run: each call to a service and each commit of the ledger, on both sides of it.

The crash sweep (tests/campaigns/crash_sweep.py) kills a real process at every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cshub_sandbox.world import Meeting
from tests.pipeline.cast import absent_account, meet, plain_account
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Course, Lab
from tests.pipeline.oracle import assert_held

SHARE = 12
LOST_ANSWERS: dict[str, Any] = {"kind": "drop_after_commit", "service": "totango", "only_writes": True, "every": 4}


@dataclass
class Prepared:
    """A run of about 20 records that stands before its load: creations, fillings, twins, one that has no account."""

    lab: Lab
    course: Course
    folder: Path
    forks: int = 0

    @property
    def meetings(self) -> list[Meeting]:
        return list(self.lab.sandbox.service("chorus").records.by_id.values())

    def fork(self) -> tuple[Lab, Course]:
        self.forks += 1
        lab = self.lab.fork(self.folder / f"fork{self.forks}")
        return lab, self.course.on(lab)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("crashes")
    (folder / "origin").mkdir()
    lab = Lab.make(folder / "origin", accounts=8, meetings=0, cases=False)
    late = [meet(lab, summary=None, ended_ago_s=600 * number, subject=f"Late {number}") for number in range(1, 4)]
    lab.sync()
    lab.wait(hours=1)
    for item in late:
        lab.act("chorus", "finish_summary", id=item.id, summary=f"Summary of {item.subject}")
    for number in range(1, 13):
        account = lab.sandbox.world.accounts[number % 2]
        meet(lab, account=account.crm_id, ended_ago_s=500 * number, subject=f"Meeting {number}")
    for _ in range(2):
        meet(lab, ended_ago_s=7000, subject="Twins", account=plain_account(lab).crm_id)
    meet(lab, account=absent_account(lab).crm_id)
    course = lab.course()
    assert course.plan().counts.writes == 17
    yield Prepared(lab, course, folder)
    lab.ledger.close()


def boundaries_of_load(prepared: Prepared) -> int:
    lab, course = prepared.fork()
    course.load()
    lab.ledger.close()
    return len(lab.fuse.places)


def boundaries_of_the_whole_run(prepared: Prepared) -> int:
    lab, _ = prepared.fork()
    lab.course(run_id="whole").go_on()
    lab.ledger.close()
    return len(lab.fuse.places)


def survive(prepared: Prepared, boundary: int, *, whole: bool = False, lost: bool = False) -> None:
    """Die at a boundary, go on as Airflow does, and hold Totango against the world."""
    lab, course = prepared.fork()
    if whole:
        course = lab.course(run_id="whole")
    if lost:
        lab.fault(**LOST_ANSWERS)
    before = len(lab.written())
    lab.fuse.renew(burns_at=boundary)
    with pytest.raises(Crash):
        course.insist()
    lab.fuse.renew()
    lab.wait(minutes=1)
    done = course.insist()
    lab.sandbox.faults.clear()
    assert done.statistics.is_green
    assert done.statistics.writes + done.statistics.unchanged + done.statistics.skipped_total >= 17
    meetings = list(lab.sandbox.service("chorus").records.by_id.values())
    assert_held(lab.sandbox, meetings)
    happened = [entry.method for entry in lab.written()[before:] if entry.committed and 200 <= entry.status < 300]
    assert (happened.count("POST"), happened.count("PUT")) == (14, 3)
    assert lab.ledger.open_intents(done.run.pair) == []
    written = len(lab.written())
    lab.wait(minutes=10)
    assert lab.sync().statistics.writes == 0
    assert len(lab.written()) == written
    lab.ledger.close()


def test_killed_in_its_load_at_any_boundary_a_run_is_finished_by_its_retry(prepared: Prepared) -> None:
    boundaries = boundaries_of_load(prepared)
    assert boundaries > 17 * 6
    for boundary in sorted(Random(1).sample(range(1, boundaries + 1), SHARE)):
        survive(prepared, boundary)


def test_killed_while_answers_are_lost_too_a_run_is_finished_by_its_retry(prepared: Prepared) -> None:
    for boundary in sorted(Random(2).sample(range(1, boundaries_of_load(prepared) + 1), SHARE // 2)):
        survive(prepared, boundary, lost=True)


def test_killed_before_its_load_a_run_is_finished_by_its_retry(prepared: Prepared) -> None:
    last = boundaries_of_the_whole_run(prepared) - boundaries_of_load(prepared)
    for boundary in range(1, last, 4):
        survive(prepared, boundary, whole=True)
