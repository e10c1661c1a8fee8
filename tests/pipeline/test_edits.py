from __future__ import annotations

import pytest

from cshub.core.jobs import TargetEdit
from cshub.core.records import Outcome
from cshub.core.stats import RunStatistics as Statistics
from cshub.pipeline.run import Asked
from tests.pipeline.cast import edit, meet, policy, revise, touchpoint_of, writes_of
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Lab

KEEP, OVERWRITE, NATIVE = TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H
OVERWRITTEN = [(OVERWRITE, 1), (OVERWRITE, 40), (NATIVE, 1)]
KEPT = [(KEEP, 1), (KEEP, 40), (NATIVE, 40)]


@pytest.mark.parametrize(("wanted", "hours"), OVERWRITTEN)
def test_an_edit_in_totango_is_overwritten_where_the_policy_says_so(quiet: Lab, wanted: TargetEdit, hours: int) -> None:
    policy(quiet, wanted)
    item = meet(quiet, summary="From Chorus.")
    quiet.sync()
    quiet.wait(hours=hours)
    edit(quiet, item, content="From a user.")
    statistics = full(quiet)
    assert statistics.updated == 1
    assert touchpoint_of(quiet, item)["content"] == "From Chorus."
    before = len(quiet.written())
    full(quiet)
    assert writes_of(quiet, before) == []


@pytest.mark.parametrize(("wanted", "hours"), KEPT)
def test_an_edit_in_totango_is_kept_where_the_policy_says_so(quiet: Lab, wanted: TargetEdit, hours: int) -> None:
    policy(quiet, wanted)
    item = meet(quiet, summary="From Chorus.")
    quiet.sync()
    quiet.wait(hours=hours)
    edit(quiet, item, content="From a user.")
    before = len(quiet.written())
    assert full(quiet).unchanged == 1
    assert writes_of(quiet, before) == []
    assert touchpoint_of(quiet, item)["content"] == "From a user."


def test_a_kept_edit_survives_every_later_change_of_the_source(quiet: Lab) -> None:
    item = meet(quiet, summary="From Chorus.")
    quiet.sync()
    quiet.wait(minutes=10)
    edit(quiet, item, content="From a user.")
    for number in range(3):
        full(quiet)
        revise(quiet, item, summary=f"Revision {number}.")
        quiet.wait(minutes=10)
        statistics = full(quiet)
        assert statistics.conflicts_kept == 1
        assert touchpoint_of(quiet, item)["content"] == "From a user."


def test_edits_to_different_fields_are_merged(quiet: Lab) -> None:
    item = meet(quiet, subject="Review", summary="From Chorus.")
    quiet.sync()
    quiet.wait(minutes=10)
    edit(quiet, item, subject="Renamed by a user")
    revise(quiet, item, summary="From Chorus, again.")
    quiet.wait(minutes=10)
    assert full(quiet).updated == 1
    held = touchpoint_of(quiet, item)
    assert (held["subject"], held["content"]) == ("Renamed by a user", "From Chorus, again.")


@pytest.mark.parametrize(("wanted", "winner", "value"), [(KEEP, "target", "User."), (OVERWRITE, "source", "Chorus.")])
def test_a_conflict_is_audited_with_both_values_and_the_winner(
    quiet: Lab, wanted: TargetEdit, winner: str, value: str
) -> None:
    policy(quiet, wanted)
    item = meet(quiet, summary="First.")
    quiet.sync()
    quiet.wait(minutes=10)
    edit(quiet, item, content="User.")
    revise(quiet, item, summary="Chorus.")
    quiet.wait(minutes=10)
    done = quiet.sync()
    assert touchpoint_of(quiet, item)["content"] == value
    [entry] = [row for row in quiet.ledger.decisions_of_run(done.run.run_id) if row.source_key == item.id]
    assert entry.outcome is (Outcome.CONFLICT_KEPT if winner == "target" else Outcome.UPDATED)
    [change] = entry.changes
    assert (change.field, change.before.strip(), change.after, change.winner) == ("content", "User.", "Chorus.", winner)


def test_a_user_who_fills_an_empty_touchpoint_keeps_the_words_when_the_summary_comes(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    quiet.sync()
    quiet.wait(minutes=10)
    edit(quiet, item, content="My own notes.")
    quiet.act("chorus", "finish_summary", id=item.id, summary="Summary.")
    quiet.wait(minutes=10)
    quiet.sync()
    assert touchpoint_of(quiet, item)["content"] == "My own notes."


def test_words_typed_into_an_empty_touchpoint_before_a_killed_run_had_read_it_back_are_kept(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    course = quiet.course()
    course.plan()
    quiet.fuse.renew(burns_at=1)
    quiet.fuse.only = "events/search"
    with pytest.raises(Crash):
        course.load()
    quiet.fuse.renew()
    edit(quiet, item, content="My own notes.")
    quiet.wait(minutes=2)
    course.load()
    quiet.act("chorus", "finish_summary", id=item.id, summary="Summary.")
    quiet.wait(minutes=10)
    quiet.sync()
    assert touchpoint_of(quiet, item)["content"].strip() == "My own notes."


def test_an_update_that_waited_is_left_out_when_a_person_edited_the_touchpoint_meanwhile(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    quiet.sync()
    quiet.wait(minutes=30)
    quiet.act("chorus", "finish_summary", id=item.id, summary="Summary.")
    course = quiet.course()
    assert course.plan().counts.writes == 1
    edit(quiet, item, content="Typed while the plan waited.")
    quiet.wait(minutes=2)
    assert course.go_on().statistics.skipped == {"moved_since_plan": 1}
    assert touchpoint_of(quiet, item)["content"] == "Typed while the plan waited."
    quiet.wait(minutes=10)
    quiet.sync()
    assert touchpoint_of(quiet, item)["content"] == "Typed while the plan waited."


def full(lab: Lab) -> Statistics:
    """A run over everything, long enough after the last write for the search to be believed."""
    lab.wait(minutes=6)
    return lab.sync(asked=Asked(full_sync=True)).statistics
