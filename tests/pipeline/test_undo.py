from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cshub.core.errors import StateError
from cshub.core.records import RunKind
from cshub.pipeline.run import Asked
from cshub.pipeline.undo import plan_undo
from tests.pipeline.lab import Done
from tests.pipeline.two_way import KINDS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def undo(sync: Sync, done: Done) -> dict[str, Any]:
    """Take back a run of the inbound job; what applying the plan counted."""
    sync.lab.wait(minutes=5)
    numbers = sync.lab.take_back(done).as_dict()
    sync.lab.wait(minutes=5)
    return {name: count for name, count in numbers.items() if count and name not in {"api_calls", "read", "mapped"}}


@BOTH
def test_a_created_record_is_deleted_again_and_its_source_stays(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event()
    done = sync.inbound()
    twin = sync.twin_of(key)
    assert undo(sync, done) == {"deleted": 1}
    for _ in range(2):
        assert sync.round(full=True) == 0
    assert (sync.in_totango(twin), sync.in_salesforce(key) is not None) == (None, True)


@BOTH
def test_a_changed_record_gets_its_values_back_and_both_sides_rest(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Before")
    sync.round()
    sync.edit_salesforce(key, Subject="After")
    sync.lab.wait(minutes=1)
    done = sync.inbound()
    assert undo(sync, done) == {"updated": 1}
    for _ in range(2):
        assert sync.round(full=True) == 0
    twin, event = sync.in_totango(sync.twin_of(key)), sync.in_salesforce(key)
    assert twin is not None and event is not None
    assert (twin.get("subject") or twin.get("title"), event["Subject"]) == ("Before", "After")


@BOTH
def test_a_deleted_record_is_made_again_and_left_alone_after(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Once more")
    sync.round()
    sync.delete_salesforce(key)
    sync.lab.wait(minutes=1)
    done = sync.inbound()
    assert done.statistics.deleted == 1
    before = sum(sync.totango().values())
    assert undo(sync, done) == {"created": 1}
    assert sum(sync.totango().values()) == before + 1
    for _ in range(2):
        assert sync.round(full=True) == 0


@BOTH
def test_a_record_made_again_comes_back_into_step_when_the_other_job_is_given_its_name(
    tmp_path: Path, kind: Kind
) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Once more")
    sync.round()
    sync.delete_salesforce(key)
    sync.lab.wait(minutes=1)
    undo(sync, sync.inbound())
    again = sync.twin_of(key)
    assert sync.lab.sync(asked=Asked(records=(key,))).statistics.writes == 0
    assert sync.lab.sync_back(asked=Asked(records=(again,))).statistics.created == 1
    sync.assert_equal()
    assert sync.round(full=True) == 0


@BOTH
def test_a_record_made_again_comes_back_into_step_when_its_source_is_back_and_named(tmp_path: Path, kind: Kind) -> None:
    sync = settled(tmp_path, kind)
    key = sync.event(Subject="Once more")
    sync.round()
    sync.delete_salesforce(key)
    sync.lab.wait(minutes=1)
    undo(sync, sync.inbound())
    sync.lab.act("salesforce", "undelete_record", id=key)
    sync.edit_salesforce(key, Subject="Back again")
    sync.lab.wait(minutes=5)
    assert sync.round(full=True) == 0
    assert sync.lab.sync(asked=Asked(records=(key,))).statistics.updated == 1
    sync.lab.wait(minutes=5)
    sync.assert_equal()
    assert sync.round(full=True) == 0


def test_a_value_put_back_stays_until_its_own_field_is_edited(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    key = sync.event(Subject="Before")
    sync.round()
    sync.edit_salesforce(key, Subject="After")
    sync.lab.wait(minutes=1)
    undo(sync, sync.inbound())
    sync.edit_salesforce(key, Description="Another field.")
    sync.lab.wait(minutes=5)
    sync.round(full=True)
    sync.lab.sync(asked=Asked(records=(key,)))
    twin = sync.in_totango(sync.twin_of(key))
    assert twin is not None and (twin["subject"], twin["content"].strip()) == ("Before", "Another field.")
    sync.edit_salesforce(key, Subject="Newer")
    sync.lab.wait(minutes=5)
    sync.round(full=True)
    sync.assert_equal()


def test_what_changed_since_the_run_is_left_as_it_is(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    key = sync.event(Subject="Before")
    sync.round()
    sync.edit_salesforce(key, Subject="After")
    sync.lab.wait(minutes=1)
    done = sync.inbound()
    sync.edit_totango(sync.twin_of(key), subject="By hand")
    assert undo(sync, done) == {"skipped": {"changed_since_the_run": 1}}
    twin = sync.in_totango(sync.twin_of(key))
    assert twin is not None and twin["subject"] == "By hand"


def test_a_run_that_wrote_nothing_cannot_be_taken_back(tmp_path: Path) -> None:
    sync = settled(tmp_path)
    done = sync.inbound()
    with pytest.raises(StateError, match="wrote nothing"):
        plan_undo(sync.lab.new_run(RunKind.DRY), done.run.run_id)
