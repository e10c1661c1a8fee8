"""A mapping that is changed while two jobs keep a pair in step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cshub.pipeline.run as run_module
from cshub.core import mapping, values
from cshub.core.jobs import Guard
from cshub.core.plan import excesses
from cshub.core.planning import Rule
from cshub.pipeline.diff import staged_plan
from cshub.pipeline.run import Asked
from tests.pipeline.lab import Course
from tests.pipeline.remapping import mapped_to, remap, timed
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


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


@contextmanager
def another_algorithm() -> Iterator[None]:
    """As if the ledger had been written before fingerprints were made as today."""
    with pytest.MonkeyPatch.context() as patch:
        today = values.fingerprint
        for module in (values, mapping):
            patch.setattr(module, "fingerprint", lambda value, kind: today(value, kind)[::-1])
        patch.setattr(run_module, "FINGERPRINT_VERSION", "x0")
        yield


@BOTH
def test_a_ledger_of_an_older_fingerprint_algorithm_resends_nothing_and_loses_no_edit(
    tmp_path: Path, kind: Kind
) -> None:
    with another_algorithm():
        sync = settled(tmp_path, kind)
        sync.lab.wait(minutes=10)
        assert sync.round(full=True) == 0
    theirs, ours, *_ = sorted(link.source_key for link in sync.links())
    there = sync.twin_of(theirs)
    sync.edit_salesforce(ours, Subject="Ours")
    sync.edit_totango(there, **{kind.totango_texts[0]: "Theirs"})
    sync.lab.wait(minutes=10)
    assert sync.inbound(full=True).statistics.writes == 1
    sync.lab.wait(minutes=10)
    assert sync.outbound(full=True).statistics.writes == 1
    sync.lab.wait(minutes=10)
    assert sync.round(full=True) == 0
    edited = sync.in_salesforce(theirs)
    assert edited is not None and edited["Subject"] == "Theirs"
    sync.assert_equal()
    sync.edit_salesforce(theirs, Subject="And on")
    sync.lab.wait(minutes=10)
    assert sync.round() == 1
