"""What a change costs of the daily quota of Salesforce."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from tests.faults.test_salesforce_creates import make_sync

PER_WRITE, PER_LOOK = 200, 2_000


def test_3_000_updates_take_six_calls_a_thousand(tmp_path: Path) -> None:
    records = 3_000
    sync = make_sync(tmp_path, records, "Totango_Id__c")
    assert sync.outbound().statistics.created >= records
    sync.lab.wait(minutes=10)
    for link in sync.links()[:records]:
        assert link.target.key is not None
        sync.edit_totango(link.target.key, subject=f"Edited {link.target.key}")
    sync.lab.wait(minutes=10)
    course = sync.lab.course(job=sync.lab.back)
    course.plan()
    before = len(sync.lab.sandbox.log.entries)
    assert course.load().statistics.updated == records
    calls = [entry for entry in sync.lab.sandbox.log.entries[before:] if entry.service == "salesforce"]
    told = Counter("sign-in" if "oauth2" in entry.path else entry.method for entry in calls)
    assert told.pop("sign-in") == 1
    assert told == {"PATCH": math.ceil(records / PER_WRITE), "POST": math.ceil(records / PER_LOOK), "GET": 1}
    assert told.total() <= 6 * records / 1_000
