"""Answers that get lost one after the other, again and again, while most calls come through."""

from __future__ import annotations

import pytest

from tests.pipeline.cast import meet
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import assert_held

RECORDS = 120


@pytest.mark.parametrize("kind", ["drop_after_commit", "drop_before_commit"])
def test_a_load_goes_on_as_long_as_it_gets_records_done(quiet: Lab, kind: str) -> None:
    for number in range(RECORDS):
        meet(quiet, ended_ago_s=600.0 * (number + 1), subject=f"Meeting {number}")
    course = quiet.course()
    course.plan()
    quiet.fault(kind, service="totango", method="POST", path="/api/v3/touchpoints/", probability=0.45, seed=1)
    assert course.load().statistics.created == RECORDS
    quiet.sandbox.faults.clear()
    assert_held(quiet.sandbox, quiet.sandbox.service("chorus").records.by_id.values())
    assert quiet.sync().statistics.writes == 0
