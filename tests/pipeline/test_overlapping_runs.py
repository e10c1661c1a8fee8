"""Runs of both directions that overlap, and people who edit while a run is on its way: no change is undone or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.lab import Course
from tests.pipeline.two_way import KINDS, TOUCHPOINTS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def outbound(sync: Sync) -> Course:
    return sync.lab.course(job=sync.lab.back)


def title_of(sync: Sync, key: str) -> tuple[str, str]:
    event, twin = sync.in_salesforce(key), sync.in_totango(sync.twin_of(key))
    assert event is not None and twin is not None
    return event["Subject"], twin["subject" if sync.kind is TOUCHPOINTS else "title"]


def retitle_in_totango(sync: Sync, key: str, title: str) -> None:
    sync.edit_totango(sync.twin_of(key), **{"subject" if sync.kind is TOUCHPOINTS else "title": title})


@BOTH
def test_what_a_run_read_before_the_other_direction_wrote_it_is_not_written_back(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Old")
    sync.round()
    course = outbound(sync)
    course.plan()
    course.mapped = course.planned = None
    sync.edit_salesforce(key, Subject="New")
    sync.lab.wait(minutes=1)
    assert sync.inbound().statistics.updated == 1
    sync.lab.wait(minutes=1)
    assert course.go_on().statistics.writes == 0
    assert title_of(sync, key) == ("New", "New")
    sync.lab.wait(minutes=10)
    assert sync.round() == 0


@BOTH
def test_an_edit_that_is_left_out_because_its_record_moved_is_read_again(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Old")
    sync.round()
    sync.edit_salesforce(key, Subject="New")
    sync.lab.wait(hours=3)
    course = sync.lab.course()
    course.plan()
    text = {"content": "More."} if kind is TOUCHPOINTS else {"description": "More."}
    sync.edit_totango(sync.twin_of(key), **text)
    sync.lab.wait(minutes=30)
    assert course.load().statistics.skipped == {"moved_since_plan": 1}
    sync.lab.wait(minutes=10)
    sync.round()
    assert title_of(sync, key) == ("New", "New")
    assert sync.round() == 0
