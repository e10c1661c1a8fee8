"""The forecast of a two-way sync against the calls that were then made, in both systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from cshub.core.jobs import BoundJob
from cshub.core.records import RunKind
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.forecast import forecast_of
from cshub.pipeline.plans import apply_plan, keep_plan
from cshub.pipeline.undo import plan_undo
from cshub.staging import FrameRef
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

FACTOR = 1.5
RECORDS = 25
BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def rehearsed(sync: Sync, job: BoundJob) -> str:
    """The id of a kept plan."""
    course = sync.lab.course(RunKind.DRY, job=job)
    planned = course.plan()
    assert course.run and course.mapped and course.extracted
    numbers, window = course.mapped.statistics, course.extracted.window
    return keep_plan(course.run, planned, rejects=course.mapped.rejects, statistics=numbers, window=window)


def carried_out(sync: Sync, job: BoundJob, plan_id: str) -> str:
    """Apply a plan, compare its forecast with the calls made; the id of the run."""
    lab = sync.lab
    plan = lab.ledger.plan(plan_id)
    assert plan is not None
    planner = lab.new_run(RunKind.DRY, job=job)
    rows = list(staged_plan(planner, FrameRef.from_dict(plan.reference["plan"])))
    foretold = forecast_of(planner, rows)
    before = len(lab.sandbox.log.entries)
    run = lab.new_run(RunKind.APPLY, job=job)
    assert apply_plan(run, plan).statistics.writes >= RECORDS - 6
    assert_foretold(foretold.by_system, Counter(entry.service for entry in lab.sandbox.log.entries[before:]))
    lab.wait(minutes=10)
    return run.run_id


def assert_foretold(foretold: Mapping[str, int], made: Mapping[str, int]) -> None:
    """Each system within the factor or, where calls are few, within two."""
    assert foretold.keys() == made.keys()
    for system, count in made.items():
        wide = max(count * (FACTOR - 1), 2)
        assert count - wide <= foretold[system] <= count + wide, (foretold, made)


def undone(sync: Sync, job: BoundJob, run_id: str) -> None:
    plan_id, _ = plan_undo(sync.lab.new_run(RunKind.DRY, job=job), run_id)
    carried_out(sync, job, plan_id)


def back_of(sync: Sync) -> BoundJob:
    assert sync.lab.back is not None
    return sync.lab.back


@BOTH
def test_creates_in_salesforce_are_foretold_with_the_look_at_totango_and_so_is_their_undo(
    tmp_path: Path, kind: Kind
) -> None:
    sync = settled(tmp_path, kind)
    accounts = list(sync.common_accounts())
    for number in range(RECORDS):
        sync.note(accounts[number % len(accounts)], f"Made {number}", "text")
    sync.lab.wait(minutes=10)
    outbound = back_of(sync)
    undone(sync, outbound, carried_out(sync, outbound, rehearsed(sync, outbound)))


@BOTH
def test_updates_in_salesforce_are_foretold_with_the_look_at_totango_and_so_is_their_undo(
    tmp_path: Path, kind: Kind
) -> None:
    sync = settled(tmp_path, kind)
    for link in sync.links()[:RECORDS]:
        assert link.target.key is not None
        sync.edit_totango(link.target.key, **{kind.totango_texts[0]: f"New {link.target.key}"})
    sync.lab.wait(minutes=10)
    outbound = back_of(sync)
    undone(sync, outbound, carried_out(sync, outbound, rehearsed(sync, outbound)))


@BOTH
def test_creates_in_totango_of_several_accounts_are_foretold_and_so_is_their_undo(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    accounts = list(sync.common_accounts().values())
    for number in range(RECORDS):
        sync.event(WhatId=accounts[number % len(accounts)], Subject=f"Made {number}")
    sync.lab.wait(minutes=10)
    undone(sync, sync.lab.job, carried_out(sync, sync.lab.job, rehearsed(sync, sync.lab.job)))


@BOTH
def test_updates_in_totango_are_foretold_and_so_is_their_undo(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    for link in sync.links()[:RECORDS]:
        assert link.source.key is not None
        sync.edit_salesforce(link.source.key, Subject=f"New {link.source.key}")
    sync.lab.wait(minutes=10)
    undone(sync, sync.lab.job, carried_out(sync, sync.lab.job, rehearsed(sync, sync.lab.job)))


@BOTH
def test_a_run_that_nobody_looks_at_is_foretold_without_a_second_look(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    for number in range(RECORDS):
        sync.event(Subject=f"Made {number}")
    sync.lab.wait(minutes=10)
    course = sync.lab.course()
    planned = course.plan()
    assert course.run is not None
    foretold = forecast_of(course.run, list(staged_plan(course.run, planned.ref)))
    before = len(sync.lab.sandbox.log.entries)
    course.load()
    assert_foretold(foretold.by_system, Counter(entry.service for entry in sync.lab.sandbox.log.entries[before:]))
