from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cshub.core.records import RunKind
from cshub.pipeline.opening import telling_waits
from cshub.pipeline.plans import apply_plan
from tests.pipeline.cast import meet
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Lab
from tests.pipeline.test_kept_plans import apply, rehearse


def test_a_load_says_that_it_looks_for_lost_answers_and_reads_back(quiet: Lab) -> None:
    meet(quiet)
    meet(quiet)
    plan = rehearse(quiet)
    quiet.fuse.renew()
    quiet.fuse.only, quiet.fuse.burns_at = "after POST /api/v3/touchpoints/", 1
    with pytest.raises(Crash):
        apply(quiet, plan, run_id="apply")
    quiet.fuse.renew()
    told: list[Mapping[str, Any]] = []
    apply_plan(replace(quiet.new_run(RunKind.APPLY, run_id="apply"), on_progress=told.append), plan)
    start = {"step": "load", "done": 0, "total": 2}
    assert told[:2] == [start, {**start, "note": "looking for writes whose answers were lost"}]
    assert told[-1]["note"] == "reading back what was written"


def test_a_note_of_a_load_stands_in_the_ledger_beside_its_numbers(quiet: Lab) -> None:
    course = quiet.course()
    course.plan()
    assert course.run is not None
    course.run.note("not yet loading")
    course.run.show({"step": "load", "done": 1, "total": 3})
    course.run.note("waiting 23 s for the call budget")
    row = quiet.ledger.run(course.run_id)
    assert row is not None
    assert row.progress == {"step": "load", "done": 1, "total": 3, "note": "waiting 23 s for the call budget"}


def test_a_wait_for_the_call_budget_is_told_when_it_is_worth_a_word() -> None:
    told: list[str] = []
    slept: list[float] = []
    wait = telling_waits(told.append, slept.append)
    for seconds in (0.4, 23.2):
        wait(seconds)
    assert (told, slept) == (["waiting 23 s for the call budget"], [0.4, 23.2])
