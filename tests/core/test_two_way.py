"""What two jobs of one pair do, one sentence each; the services and mappings are those of the simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cshub.core.diff import decide
from cshub.core.planning import Desired, PlanRow, Rule, TargetView
from cshub.core.records import Action, LinkState, Origin, Presence

from .two_sides import Act, History, RunStep, Simulation
from .two_worlds import OTHER, SALESFORCE, SYSTEMS, TOTANGO

HOUR = timedelta(hours=1)
BOTH_ORDERS = pytest.mark.parametrize("first", SYSTEMS)
SUBJECT = {SALESFORCE: "subject", TOTANGO: "title"}


class Sync(Simulation):
    """A pair under test: an hour lies between any two acts and runs unless said otherwise."""

    def runs(self, source: str, *, full: bool = True, reads_back: bool = True, answers: bool = True) -> PlanRow:
        self.at += HOUR
        (row,) = self.run(RunStep(source, full, reads_back, 0 if answers else 1))
        return row

    def edit(self, system: str, **values: Any) -> None:
        self.at += HOUR
        self.edit_at_once(system, **values)

    def edit_at_once(self, system: str, **values: Any) -> None:
        self.act(Act("edit", system, 0, values))

    def delete(self, system: str) -> None:
        self.act(Act("delete", system))

    def undelete(self, system: str) -> None:
        self.act(Act("undelete", system))

    def holds(self, system: str) -> dict[str, Any]:
        held = self.services[system].of(0)
        assert held is not None
        return held.values

    def has(self, system: str) -> bool:
        return self.services[system].of(0) is not None

    def state(self, system: str) -> LinkState:
        (link,) = self.ledger.seen_from(system)
        return link.source.state

    def rests(self) -> bool:
        """Whether both jobs have nothing to do and nothing to tell."""
        rows = [row for system in SYSTEMS for row in self.run(RunStep(system))]
        return all(row.action in (Action.UNCHANGED, Action.SKIP) for row in rows)


def synced(policy: str | None = None, made_in: str = SALESFORCE, **values: Any) -> Sync:
    """One record on both sides, which both jobs have looked at."""
    plain = {SUBJECT[made_in]: "Review", "status": "In Progress" if made_in == SALESFORCE else "open"}
    sync = Sync(History((), policy=policy))
    sync.act(Act("create", made_in, 0, {**plain, **values}))
    for source in (made_in, OTHER[made_in]):
        sync.runs(source)
    return sync


def test_edits_to_different_fields_of_one_record_are_merged_both_ways() -> None:
    sync = synced()
    sync.edit(SALESFORCE, subject="Ours")
    sync.edit(TOTANGO, body="Theirs")
    row = sync.runs(SALESFORCE)
    assert (row.rule, [change.field for change in row.changes]) == (Rule.CHANGED_IN_SOURCE, ["title"])
    row = sync.runs(TOTANGO)
    assert (row.rule, [change.field for change in row.changes]) == (Rule.CHANGED_IN_SOURCE, ["description"])
    assert (sync.holds(SALESFORCE)["description"], sync.holds(TOTANGO)["title"]) == ("Theirs", "Ours")
    assert sync.rests()


@BOTH_ORDERS
@pytest.mark.parametrize("later", SYSTEMS)
def test_of_two_edits_of_one_field_the_later_one_wins_whichever_job_runs_first(first: str, later: str) -> None:
    sync = synced()
    sync.edit(OTHER[later], **{SUBJECT[OTHER[later]]: "Earlier"})
    sync.edit(later, **{SUBJECT[later]: "Later"})
    sync.runs(first)
    sync.runs(OTHER[first])
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == ["Later", "Later"]
    assert sync.rests()


@BOTH_ORDERS
def test_a_tie_within_one_second_goes_to_the_system_whose_name_comes_first(first: str) -> None:
    sync = synced()
    sync.at = 10 * HOUR
    sync.edit_at_once(SALESFORCE, subject="Ours")
    sync.at += timedelta(milliseconds=900)
    sync.edit_at_once(TOTANGO, title="Theirs")
    sync.runs(first)
    sync.runs(OTHER[first])
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == ["Ours", "Ours"]


@BOTH_ORDERS
@pytest.mark.parametrize("later", SYSTEMS)
@pytest.mark.parametrize("policy", SYSTEMS)
def test_a_fields_own_policy_names_the_winner_whoever_edited_later(first: str, later: str, policy: str) -> None:
    sync = synced(policy)
    sync.edit(OTHER[later], **{SUBJECT[OTHER[later]]: OTHER[later]})
    sync.edit(later, **{SUBJECT[later]: later})
    sync.runs(first)
    sync.runs(OTHER[first])
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == [policy, policy]


def test_a_policy_of_one_field_leaves_the_others_to_the_later_edit() -> None:
    sync = synced(SALESFORCE)
    sync.edit(SALESFORCE, subject="Ours", description="Ours")
    sync.edit(TOTANGO, title="Theirs", body="Theirs")
    row = sync.runs(SALESFORCE)
    assert {change.field: change.winner for change in row.changes} == {"title": "source", "body": "target"}


def test_the_loser_is_told_with_the_winner_when_the_source_wins() -> None:
    sync = synced()
    sync.edit(TOTANGO, title="Theirs")
    sync.edit(SALESFORCE, subject="Ours")
    row = sync.runs(SALESFORCE)
    (change,) = row.changes
    assert (row.action, row.rule) == (Action.UPDATE, Rule.CONFLICT_OVERWRITTEN)
    assert (change.field, change.before, change.after, change.winner) == ("title", "Theirs", "Ours", "source")


def test_the_loser_is_told_once_when_the_target_wins_and_the_other_job_carries_the_winner() -> None:
    sync = synced()
    sync.edit(SALESFORCE, subject="Ours")
    sync.edit(TOTANGO, title="Theirs")
    row = sync.runs(SALESFORCE)
    (change,) = row.changes
    assert (row.action, row.rule) == (Action.CONFLICT, Rule.CONFLICT_KEPT)
    assert (change.field, change.before, change.after, change.winner) == ("title", "Theirs", "Ours", "target")
    assert sync.runs(SALESFORCE).rule is Rule.EDIT_OF_OTHER_DIRECTION
    row = sync.runs(TOTANGO)
    assert (row.rule, row.values["subject"]) == (Rule.CHANGED_IN_SOURCE, "Theirs")
    assert sync.rests()


def test_a_winner_that_is_taken_back_before_it_was_carried_still_stands() -> None:
    sync = synced()
    sync.edit(SALESFORCE, subject="Ours")
    sync.edit(TOTANGO, title="Theirs")
    sync.runs(SALESFORCE)
    sync.edit(TOTANGO, title="Review")
    sync.runs(SALESFORCE)
    sync.runs(TOTANGO)
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == ["Review", "Review"]


def test_the_same_edit_on_both_sides_writes_nothing_and_is_the_base_from_then_on() -> None:
    sync = synced()
    sync.edit(SALESFORCE, subject="New")
    sync.edit(TOTANGO, title="New ")
    assert sync.runs(SALESFORCE).rule is Rule.BOTH_AGREE
    assert sync.rests()
    sync.edit(TOTANGO, title="Review")
    assert sync.runs(SALESFORCE).rule is Rule.EDIT_OF_OTHER_DIRECTION
    assert sync.runs(TOTANGO).values["subject"] == "Review"


@pytest.mark.parametrize("reads_back", [True, False])
@pytest.mark.parametrize("edited", SYSTEMS)
def test_what_one_job_wrote_does_not_come_back_through_the_other(edited: str, reads_back: bool) -> None:
    sync = synced()
    sync.edit(edited, **{SUBJECT[edited]: "New"})
    assert sync.runs(edited, reads_back=reads_back).action is Action.UPDATE
    assert sync.rests()


@pytest.mark.parametrize("reads_back", [True, False])
def test_a_text_that_was_cut_on_the_way_does_not_come_back_cut(reads_back: bool) -> None:
    sync = synced()
    sync.edit(SALESFORCE, description="Everything that was agreed")
    sync.runs(SALESFORCE, reads_back=reads_back)
    assert len(sync.holds(TOTANGO)["body"]) < len("Everything that was agreed")
    assert sync.rests()
    assert sync.holds(SALESFORCE)["description"] == "Everything that was agreed"


@pytest.mark.parametrize("field", ["title", "body"])
def test_a_status_that_the_other_side_cannot_tell_apart_stays_as_it_is(field: str) -> None:
    sync = synced()
    assert (sync.holds(SALESFORCE)["status"], sync.holds(TOTANGO)["status"]) == ("In Progress", "open")
    sync.edit(TOTANGO, **{field: "Theirs"})
    sync.runs(TOTANGO)
    sync.edit(SALESFORCE, owner="Ada")
    sync.runs(SALESFORCE)
    assert sync.rests()
    assert sync.holds(SALESFORCE)["status"] == "In Progress"


def test_one_field_that_is_written_to_two_is_carried_to_both_and_not_back() -> None:
    sync = synced(start="2026-11-20")
    sync.edit(TOTANGO, when="2026-11-27")
    sync.runs(TOTANGO)
    assert (sync.holds(SALESFORCE)["start"], sync.holds(SALESFORCE)["day"]) == ("2026-11-27", "2026-11-27")
    sync.edit(SALESFORCE, start="2026-11-28")
    sync.runs(SALESFORCE)
    assert sync.rests()
    assert (sync.holds(TOTANGO)["when"], sync.holds(SALESFORCE)["day"]) == ("2026-11-28", "2026-11-27")


def test_our_own_write_is_not_the_later_edit() -> None:
    sync = synced()
    sync.edit(TOTANGO, score="1")
    sync.edit(SALESFORCE, subject="Ours", rating="2")
    assert sync.runs(SALESFORCE).action is Action.UPDATE  # it moves the time of the Totango record
    row = sync.runs(TOTANGO)
    assert (row.rule, row.action) == (Rule.CONFLICT_KEPT, Action.CONFLICT)
    assert sync.holds(SALESFORCE)["rating"] == "2"


@pytest.mark.parametrize("deleted", SYSTEMS)
@BOTH_ORDERS
def test_a_record_deleted_on_one_side_is_deleted_on_the_other(deleted: str, first: str) -> None:
    sync = synced()
    sync.delete(deleted)
    rows = [*sync.run(RunStep(first, full=False)), *sync.run(RunStep(OTHER[first], full=False))]
    assert [row.rule for row in rows if row.action is Action.DELETE] == [Rule.DELETED_IN_SOURCE]
    assert not sync.has(OTHER[deleted])
    assert sync.rests()


def test_a_record_that_the_other_job_found_gone_is_looked_at_by_id_in_the_next_run() -> None:
    sync = synced()
    sync.delete(TOTANGO)
    row = sync.runs(SALESFORCE)
    assert (row.action, row.rule, sync.state(TOTANGO)) == (Action.SKIP, Rule.DELETED_IN_TARGET, LinkState.MISSING)
    assert sync.runs(SALESFORCE).state is None


@pytest.mark.parametrize("deleted", SYSTEMS)
@pytest.mark.parametrize("field", ["title", "body", "status", "when", "assignee", "score"])
@BOTH_ORDERS
def test_an_edit_of_any_field_beats_a_deletion_on_the_other_side(deleted: str, field: str, first: str) -> None:
    names = {"title": "subject", "body": "description", "when": "start", "assignee": "owner", "score": "rating"}
    name = field if deleted == SALESFORCE else names.get(field, field)
    value = {"status": "done" if deleted == SALESFORCE else "Completed", "when": "2026-11-27", "start": "2026-11-27"}
    sync = synced()
    sync.delete(deleted)
    sync.edit(OTHER[deleted], **{name: value.get(name, "edited")})
    rows = [*sync.run(RunStep(first)), *sync.run(RunStep(OTHER[first])), *sync.run(RunStep(first))]
    assert Rule.EDIT_BEATS_DELETION in [row.rule for row in rows]
    assert all(row.action is not Action.DELETE for row in rows)
    assert sync.has(SALESFORCE)
    assert sync.has(TOTANGO)
    assert sync.rests()


def test_an_edit_that_beat_a_deletion_is_told_and_brings_the_record_back_once() -> None:
    sync = synced()
    sync.delete(SALESFORCE)
    sync.edit(TOTANGO, title="Theirs")
    row = sync.runs(SALESFORCE)
    assert (row.action, row.rule, row.state) == (Action.CONFLICT, Rule.EDIT_BEATS_DELETION, LinkState.GONE)
    assert [(change.field, change.before, change.winner) for change in row.changes] == [("title", "Theirs", "target")]
    assert sync.run(RunStep(SALESFORCE)) == []
    row = sync.runs(TOTANGO)
    assert (row.action, row.rule) == (Action.CREATE, Rule.EDIT_BEATS_DELETION)
    assert sync.holds(SALESFORCE)["subject"] == "Theirs"
    sync.delete(SALESFORCE)
    assert [row.action for row in sync.run(RunStep(SALESFORCE)) if row.target_key] == [Action.DELETE]


def test_an_edit_that_was_carried_over_before_does_not_keep_a_record_from_being_deleted() -> None:
    sync = synced()
    sync.edit(TOTANGO, title="Theirs")
    sync.runs(TOTANGO)
    sync.delete(SALESFORCE)
    assert sync.runs(SALESFORCE).action is Action.DELETE


def test_an_edit_of_a_field_that_no_run_has_looked_at_keeps_the_record() -> None:
    sync = Sync(History(()))
    sync.act(Act("create", SALESFORCE, 0, {"subject": "Review"}))
    sync.runs(SALESFORCE)
    sync.delete(TOTANGO)
    sync.edit(SALESFORCE, rating="5")
    sync.runs(SALESFORCE)
    (row,) = sync.run(RunStep(TOTANGO))
    assert (row.action, row.rule) == (Action.CONFLICT, Rule.EDIT_BEATS_DELETION)


def test_a_record_deleted_on_both_sides_is_only_remembered_so() -> None:
    sync = synced()
    sync.delete(SALESFORCE)
    sync.delete(TOTANGO)
    row = sync.runs(SALESFORCE)
    assert (row.action, row.rule, sync.state(TOTANGO)) == (Action.UNCHANGED, Rule.BOTH_DELETED, LinkState.GONE)
    assert sync.run(RunStep(TOTANGO)) == []


@pytest.mark.parametrize("restored", SYSTEMS)
def test_a_record_restored_on_one_side_is_made_again_on_the_other(restored: str) -> None:
    sync = synced()
    sync.delete(SALESFORCE)
    sync.runs(SALESFORCE)
    sync.undelete(restored)
    row = sync.runs(restored)
    assert (row.action, row.rule) == (Action.CREATE, Rule.RESTORED)
    assert sync.holds(OTHER[restored])[SUBJECT[OTHER[restored]]] == "Review"
    assert sync.rests()


@BOTH_ORDERS
def test_a_record_restored_on_both_sides_is_merged_against_the_old_base(first: str) -> None:
    sync = synced()
    sync.delete(SALESFORCE)
    sync.runs(SALESFORCE)
    sync.undelete(SALESFORCE)
    sync.undelete(TOTANGO)
    sync.edit(TOTANGO, title="Theirs")
    sync.edit(SALESFORCE, description="Ours")
    sync.runs(first)
    sync.runs(OTHER[first])
    assert (sync.holds(SALESFORCE)["subject"], sync.holds(TOTANGO)["body"]) == ("Theirs", "Ours")
    assert {len(sync.services[system].records) for system in SYSTEMS} == {1}
    assert sync.rests()


def test_a_record_that_is_merely_absent_is_left_alone() -> None:
    sync = synced()
    (link,) = sync.ledger.seen_from(SALESFORCE)
    row = decide(Desired("s1", Origin.WINDOW, presence=Presence.ABSENT), link, None, sync.both[SALESFORCE].rules)
    assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.SOURCE_NOT_READABLE, None)
    gone = Desired("s1", Origin.WINDOW, presence=Presence.DELETED)
    for view in (None, TargetView(Presence.ABSENT)):
        row = decide(gone, link, view, sync.both[SALESFORCE].rules)
        assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.TARGET_NOT_READABLE, None)


@pytest.mark.parametrize("made_in", SYSTEMS)
@pytest.mark.parametrize("edited", [True, False])
def test_a_record_that_was_made_and_never_read_back_shows_only_real_edits(made_in: str, edited: bool) -> None:
    other = OTHER[made_in]
    sync = Sync(History((), skews=(-600_000, -600_000)))
    sync.act(Act("create", made_in, 0, {SUBJECT[made_in]: "Review"}))
    sync.runs(made_in, reads_back=False)
    if edited:
        sync.edit_at_once(other, **{SUBJECT[other]: "Edited"})
    sync.runs(made_in)
    sync.runs(other)
    word = "Edited" if edited else "Review"
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == [word, word]
    assert sync.rests()


def test_a_create_whose_answer_was_lost_is_found_and_an_edit_made_since_is_carried_over() -> None:
    sync = Sync(History(()))
    sync.act(Act("create", SALESFORCE, 0, {"subject": "Review"}))
    sync.runs(SALESFORCE, answers=False)
    sync.edit(TOTANGO, title="Theirs")
    sync.runs(SALESFORCE)
    sync.runs(TOTANGO)
    assert sync.holds(SALESFORCE)["subject"] == "Theirs"
    assert len(sync.services[TOTANGO].records) == 1


def test_an_edit_made_between_a_write_and_its_reading_back_is_carried_over() -> None:
    sync = synced()
    sync.edit(SALESFORCE, subject="Ours")
    sync.run(RunStep(SALESFORCE, before_reading_back=(Act("edit", TOTANGO, 0, {"title": "Theirs", "body": "New"}),)))
    row = sync.runs(TOTANGO)
    assert (row.action, row.rule) == (Action.UPDATE, Rule.CHANGED_IN_SOURCE)
    assert (sync.holds(SALESFORCE)["subject"], sync.holds(SALESFORCE)["description"]) == ("Theirs", "New")
    assert sync.rests()


def test_fields_that_only_the_other_job_reads_are_noted_and_carried_by_it() -> None:
    sync = synced(description="Agreed")
    sync.edit(TOTANGO, score="9")
    assert sync.runs(SALESFORCE).rule is Rule.NOTHING_CHANGED
    sync.edit(SALESFORCE, subject="Ours")
    row = sync.runs(SALESFORCE)
    assert [change.field for change in row.changes] == ["title"]
    row = sync.runs(TOTANGO)
    assert [(change.field, change.after) for change in row.changes] == [("rating", "9")]
    assert sync.rests()


def test_a_record_made_by_the_other_job_takes_the_fields_that_only_this_job_reads() -> None:
    sync = synced(made_in=TOTANGO)
    assert sync.holds(SALESFORCE)["owner"] is None
    sync.edit(SALESFORCE, owner="Ada")
    row = sync.runs(SALESFORCE)
    assert [(change.field, change.after) for change in row.changes] == [("assignee", "Ada")]
    assert sync.rests()


def test_an_edit_that_nobody_carries_back_is_kept_until_the_source_changes() -> None:
    sync = synced(owner="Ada")
    sync.edit(TOTANGO, assignee="Bo")
    for _ in range(2):
        row = sync.runs(SALESFORCE)
        assert (row.action, row.rule) == (Action.UNCHANGED, Rule.EDIT_OF_OTHER_DIRECTION)
    assert sync.rests()
    sync.edit(SALESFORCE, owner="Cy")
    row = sync.runs(SALESFORCE)
    assert (row.rule, sync.holds(TOTANGO)["assignee"]) == (Rule.CONFLICT_OVERWRITTEN, "Cy")
    assert sync.rests()


@pytest.mark.parametrize("later", SYSTEMS)
def test_a_twin_that_carries_the_records_id_is_adopted_and_the_later_record_stands(later: str) -> None:
    sync = Sync(History(()))
    for system in (OTHER[later], later):
        sync.at += HOUR
        if system == SALESFORCE:
            sync.act(Act("create", SALESFORCE, 0, {"subject": "Ours"}))
        else:
            sync.services[TOTANGO].create(0, {"title": "Theirs", "body": "Only here"}, sync.at, "s1")
    row = sync.runs(SALESFORCE)
    word = "Ours" if later == SALESFORCE else "Theirs"
    assert row.rule is Rule.ADOPTED
    assert [(change.field, change.winner) for change in row.changes if change.field == "title"] == [
        ("title", "source" if later == SALESFORCE else "target")
    ]
    sync.judge.changes[0, TOTANGO] += 1
    sync.runs(TOTANGO)
    assert [sync.holds(system)[SUBJECT[system]] for system in SYSTEMS] == [word, word]
    assert sync.rests()


def test_blank_is_written_only_where_the_mapping_clears() -> None:
    sync = synced(start="2026-11-20")
    sync.edit(SALESFORCE, subject=None, start=None)
    row = sync.runs(SALESFORCE)
    assert [(change.field, change.after) for change in row.changes] == [("title", None)]
    assert (sync.holds(TOTANGO)["title"], sync.holds(TOTANGO)["when"]) == (None, "2026-11-20")
    assert sync.rests()


def test_a_link_seen_twice_from_the_other_side_is_the_same_link() -> None:
    (link,) = synced().ledger.seen_from(SALESFORCE)
    assert link.mirrored().mirrored() == link
    assert link.mirrored() == replace(
        link, source=link.target, target=link.source, pair=replace(link.pair, mirrored=not link.pair.mirrored)
    )
