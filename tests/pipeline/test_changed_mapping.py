"""A mapping that is changed while two jobs keep a pair in step."""

from __future__ import annotations

from pathlib import Path

from cshub.core.jobs import Guard
from cshub.core.plan import excesses
from cshub.core.planning import Rule
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.run import Asked
from tests.pipeline.lab import Course
from tests.pipeline.remapping import mapped_to, remap, timed
from tests.pipeline.two_way import Sync, settled


def rules_of(course: Course) -> dict[str, Rule]:
    planned = course.plan()
    return {row.source_key: row.rule for row in staged_plan(course.lab.new_run(), planned.ref)}


def full_plan(sync: Sync) -> Course:
    return sync.lab.course(asked=Asked(full_sync=True))


def test_what_a_new_mapping_alone_would_change_waits_for_a_person_and_is_told_apart(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    edited = sync.event(Subject="Before")
    sync.round()
    remap(sync, "job", lambda row: [mapped_to("Id", "subject")] if row.target == "subject" else [row])
    sync.edit_salesforce(edited, Description="After")
    sync.lab.wait(minutes=5)
    course = full_plan(sync)
    rules = rules_of(course)
    planned = course.plan()
    remapped = [key for key, rule in rules.items() if rule is Rule.MAPPING_CHANGED]
    assert len(remapped) > 5
    assert rules[edited] is Rule.CHANGED_IN_SOURCE
    (found,) = excesses(planned.counts, Guard(), linked=planned.linked)
    assert (found.planned, planned.counts.remapped) == (len(remapped), len(remapped))
    assert course.load().statistics.is_green
    sync.lab.wait(minutes=10)
    assert set(rules_of(full_plan(sync)).values()) <= {Rule.NOTHING_CHANGED, Rule.NO_ACCOUNT}


def test_the_hour_that_a_person_of_totango_wrote_outlives_a_new_mapping(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    account = next(iter(sync.common_accounts()))
    note = sync.note(account, "Late call", "Words.")
    sync.lab.act("totango", "backdate", note_id=int(note), to="2026-11-19T23:30:00Z")
    sync.lab.wait(minutes=5)
    assert sync.round() == 1
    sync.round(full=True)
    timed(sync)
    sync.lab.wait(minutes=5)
    sync.round(full=True)
    touchpoint = sync.in_totango(note)
    assert touchpoint is not None
    assert touchpoint["timestamp_ms"] == 1_795_131_000_000  # 2026-11-19T23:30Z
