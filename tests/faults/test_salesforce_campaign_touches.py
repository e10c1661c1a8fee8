"""Death and lost answers while campaign touches become events: each exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cshub.library import JobLibrary
from tests.faults.touches import JOB_ID, expected, held
from tests.faults.two_way_stage import sent_rows
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Course, Lab

SHARE = 5
LOST: dict[str, Any] = {"kind": "drop_after_commit", "service": "salesforce", "only_writes": True, "count": 1}


@dataclass
class Prepared:
    """A run that is to bring some fifty touches, of which half a dozen have no account in Salesforce."""

    lab: Lab
    folder: Path
    forks: int = 0

    def fork(self) -> tuple[Lab, Course]:
        self.forks += 1
        lab = self.lab.fork(self.folder / f"fork{self.forks}")
        return lab, lab.course(run_id="touches")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("touches")
    (folder / "origin").mkdir()
    lab = Lab.make(folder / "origin", job=JobLibrary.from_settings().bound(JOB_ID), meetings=0, accounts=8)
    for number in range(6):
        lab.act("totango", "send_campaign", name=f"News {number}", ongoing=number % 2 == 0)
        lab.wait(minutes=10)
    yield Prepared(lab, folder)
    lab.ledger.close()


def survive(prepared: Prepared, boundary: int, *, lost: bool = False) -> None:
    """Die at a boundary, go on as Airflow does, and hold Salesforce against Totango."""
    lab, course = prepared.fork()
    if lost:
        lab.fault(**LOST)
    lab.fuse.renew(burns_at=boundary)
    with pytest.raises(Crash):
        course.go_on()
    lab.fuse.renew()
    lab.wait(minutes=1)
    assert course.insist().statistics.is_green
    lab.sandbox.faults.clear()
    assert held(lab) == expected(lab)
    assert held(lab).total() > 40
    lab.wait(minutes=10)
    before = sent_rows(lab)
    assert (lab.sync().statistics.writes, sent_rows(lab)) == (0, before)
    if not lost:
        assert before["salesforce PATCH"] == held(lab).total()
    assert lab.ledger.open_intents(lab.new_run().pair) == []
    lab.ledger.close()


def boundaries(prepared: Prepared) -> int:
    lab, course = prepared.fork()
    course.go_on()
    lab.ledger.close()
    return len(lab.fuse.places)


def test_killed_anywhere_a_run_is_finished_by_its_retry(prepared: Prepared) -> None:
    for boundary in sorted(Random(8).sample(range(1, boundaries(prepared) + 1), SHARE)):
        survive(prepared, boundary)


def test_killed_anywhere_while_the_answer_to_all_of_them_is_lost_a_run_is_finished(prepared: Prepared) -> None:
    last = boundaries(prepared)
    for boundary in range(last - 12, last, 4):
        survive(prepared, boundary, lost=True)
