"""Many of Totango's touchpoints are not shown any more: nothing is deleted without proof and a person's word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import orjson
import pytest

from cshub.core.plan import excesses
from cshub.core.records import Operation, RunOutcome
from cshub_sandbox.inprocess import call
from cshub_sandbox.kernel import Request
from tests.faults.two_way_stage import Stage, Way, Work, make_stage, sent_rows
from tests.pipeline.lab import Course
from tests.pipeline.two_way import TOUCHPOINTS, Sync

SHARE = 0.4


def nobody_works(work: Work) -> None:
    """Nothing happens."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = make_stage(tmp_path_factory.mktemp("vanishing"), TOUCHPOINTS, nobody_works, records=60)
    yield stage
    stage.sync.lab.ledger.close()


def hide(sync: Sync, where: str) -> None:
    switches = sync.lab.sandbox.service("totango").switches
    switches.vanished_share, switches.vanished_from = SHARE, where


def shown(sync: Sync) -> set[str]:
    """Ids of the touchpoints that the timelines of Totango show."""
    headers = {"app-token": str(sync.lab.sandbox.service("totango").token)}
    found = set()
    for account in sync.common_accounts():
        asked = Request("GET", "/api/v2/events/", (("account_id", account),), headers, b"")
        reply = call(sync.lab.sandbox.gates["totango"], asked)
        found |= {event["id"] for event in orjson.loads(reply.body)}
    return {str(note["note_id"]) for note in sync.lab.touchpoints() if note["event_id"] in found}


def in_look_back(sync: Sync) -> set[str]:
    """Note ids of touchpoints that an ordinary run reads."""
    since_ms = (sync.lab.clock.now() - timedelta(days=30)).timestamp() * 1000
    return {str(note["note_id"]) for note in sync.lab.touchpoints() if note["timestamp_ms"] > since_ms}


def deleted_events(sync: Sync) -> set[str]:
    return {row["Id"] for row in sync.lab.sandbox.service("salesforce").state()["events"] if row["IsDeleted"]}


def guarded(sync: Sync, course: Course) -> list[int]:
    """How many deletions the guard would stop."""
    planned = course.plan()
    guard = course.job.job.guard if course.job else sync.lab.job.job.guard
    found = excesses(planned.counts, guard, linked=planned.linked)
    return [item.planned for item in found if item.operation is Operation.DELETE]


@pytest.mark.parametrize("full", [False, True], ids=["ordinary-run", "full-sync"])
def test_touchpoints_that_only_the_search_does_not_show_are_not_deleted(stage: Stage, sync: Sync, full: bool) -> None:
    hide(sync, "search")
    assert sync.outbound(full=full).statistics.deleted == 0
    sync.lab.wait(minutes=10)
    assert sync.inbound(full=full).statistics.writes == 0
    stage.check(sync, total=stage.total)


@pytest.mark.parametrize("approved", [False, True], ids=["refused", "approved"])
def test_touchpoints_that_no_answer_shows_trip_the_guard(sync: Sync, approved: bool) -> None:
    before = shown(sync)
    hide(sync, "everywhere")
    vanished = before - shown(sync)
    gone_before = deleted_events(sync)
    links = {link.target_key: link.source_key for link in sync.links()}
    dated = vanished & in_look_back(sync)
    course = sync.lab.course(job=sync.lab.back)
    [planned] = guarded(sync, course)
    assert planned == len(dated & links.keys()) > 10
    written = sent_rows(sync.lab)
    if approved:
        assert course.load().statistics.deleted == planned
        assert deleted_events(sync) - gone_before == {links[key] for key in dated & links.keys()}
        return
    run = sync.lab.new_run(run_id=course.run_id, job=sync.lab.back)
    assert course.mapped is not None
    run.ledger.close_run(run.run_id, RunOutcome.REFUSED, course.mapped.statistics, now=run.clock.now())
    assert (sent_rows(sync.lab), deleted_events(sync)) == (written, gone_before)


def test_after_a_refusal_everything_is_as_it_was(stage: Stage, sync: Sync) -> None:
    hide(sync, "everywhere")
    stage.course(sync, Way.OUTBOUND).plan()
    sync.lab.sandbox.service("totango").switches.vanished_share = 0.0
    sync.lab.wait(minutes=30)
    stage.check(sync, total=stage.total)
