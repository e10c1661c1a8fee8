"""Many new records on their way to Salesforce, killed again and again: none doubled, none lost, few calls."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cshub.library import JobLibrary
from tests.faults.two_way_stage import COLLECTION
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Course, Lab
from tests.pipeline.two_way import TOUCHPOINTS, Sync

PER_CALL = 200
DEATHS = 20
FIELDS = pytest.mark.parametrize("field", ["Totango_Id__c", None], ids=["with-an-external-id-field", "without-one"])
LOST: dict[str, Any] = {"kind": "drop_after_commit", "service": "salesforce", "only_writes": True, "every": 3}


def make_sync(folder: Path, records: int, field: str | None) -> Sync:
    """A world in which people of Totango have written ``records`` touchpoints that Salesforce does not have."""
    library = JobLibrary.from_settings()
    inbound, back = library.bound("salesforce_touchpoints_inbound"), library.bound("salesforce_touchpoints_outbound")
    target = back.job.target
    options = {**target.options, "external_id_field": field}
    job = back.job.model_copy(update={"target": target.model_copy(update={"options": options})})
    lab = Lab.make(folder, job=inbound, back=back.model_copy(update={"job": job}), meetings=0, accounts=8)
    sync = Sync(lab, TOUCHPOINTS)
    accounts = list(sync.common_accounts())
    for number in range(records):
        sync.note(accounts[number % len(accounts)], f"Note {number}", f"Words {number // 2}.")
    lab.wait(minutes=1)
    return sync


def carry_over(sync: Sync, records: int, *, seed: int, lost: bool) -> None:
    """Run the outbound job through all deaths to its end, and hold Salesforce against what was written."""
    if lost:
        sync.lab.fault(**LOST)
    course, rng = sync.lab.course(job=sync.lab.back), Random(seed)
    course.plan()
    deaths = 0
    while deaths < DEATHS and _dies(sync.lab, course, rng.randint(1, 12 + records // 100)):
        deaths += 1
        sync.lab.wait(minutes=4)
    course.insist()
    assert deaths > 3
    sync.lab.sandbox.faults.clear()
    events = sync.lab.sandbox.service("salesforce").state()["events"]
    found = Counter(row["Subject"] for row in events if row["Subject"].startswith("Note "))
    assert found == Counter(f"Note {number}" for number in range(records))
    written = [entry for entry in sync.lab.sandbox.log.entries if entry.write and COLLECTION in entry.path]
    calls = sum(entry.committed for entry in written)
    repeats = sum(entry.fault is not None for entry in written)
    assert calls - repeats <= math.ceil(1.10 * records / PER_CALL) + 1
    sync.lab.wait(minutes=10)
    before = len(sync.lab.sandbox.log.entries)
    assert sync.outbound().statistics.writes == 0
    assert not any(entry.write for entry in sync.lab.sandbox.log.entries[before:])
    sync.lab.ledger.close()


def _dies(lab: Lab, course: Course, boundary: int) -> bool:
    lab.fuse.renew(burns_at=boundary)
    try:
        course.insist()
    except Crash:
        return True
    finally:
        lab.fuse.renew()
    return False


@pytest.mark.parametrize("lost", [False, True], ids=["all-answers-arrive", "every-third-answer-lost"])
@FIELDS
def test_600_new_records_survive_twenty_deaths(tmp_path: Path, field: str | None, lost: bool) -> None:
    carry_over(make_sync(tmp_path, 600, field), 600, seed=1, lost=lost)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@FIELDS
def test_10_000_new_records_survive_twenty_deaths(tmp_path: Path, field: str | None) -> None:
    carry_over(make_sync(tmp_path, 10_000, field), 10_000, seed=2, lost=False)
