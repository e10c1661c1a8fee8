"""A job whose mapping has changed: what is written for that alone is told apart, and nobody's words are overwritten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cshub.core.diff import decide
from cshub.core.jobs import Guard, TargetEdit
from cshub.core.plan import count_plan, excesses
from cshub.core.planning import PlanRow, PlanRules, Rule
from cshub.core.records import Action, Link, Operation
from cshub.core.values import fingerprints

from .core_cast import NOW
from .planner_cast import KINDS, carried_out, desired, link, note, rules, there

RAW = {"Subject": "m-review", "Start": "m-start"}
NEW_MAPPING: dict[str, Any] = {"subject": "REVIEW"}


def now(*, two_way: bool = False) -> PlanRules:
    paths = {"subject": "Subject", "held_at": "Start"}
    return replace(rules(TargetEdit.NEWEST), mapping_version="1:b", paths=paths, two_way=two_way)


def before(**changes: Any) -> Link:
    old = link(source_marks=RAW, target_modified_at=NOW - timedelta(days=2), **changes)
    return old.having(source={"mapping_version": "1:a", "modified_at": NOW - timedelta(days=2)})


def plan(old: Link, *, marks: dict[str, str] | None = None, two_way: bool = False, **target: Any) -> PlanRow:
    wanted = replace(desired(**NEW_MAPPING), marks=RAW if marks is None else marks)
    return decide(wanted, old, there(note(**target)), now(two_way=two_way))


@pytest.mark.parametrize("two_way", [True, False])
def test_what_only_the_mapping_changes_is_written_and_says_so(two_way: bool) -> None:
    row = plan(before(), two_way=two_way)
    assert (row.action, row.rule) == (Action.UPDATE, Rule.MAPPING_CHANGED)
    assert [(change.field, change.before, change.after) for change in row.changes] == [("subject", "Review", "REVIEW")]
    record, written = carried_out(row, note(), before())
    again = decide(replace(desired(**NEW_MAPPING), marks=RAW), written, there(record), now(two_way=two_way))
    assert (again.action, again.rule) == (Action.UNCHANGED, Rule.NOTHING_CHANGED)


def test_an_edit_of_the_source_is_one_also_under_a_new_mapping() -> None:
    assert plan(before(), marks={**RAW, "Subject": "m-edited"}).rule is Rule.CHANGED_IN_SOURCE


def test_without_marks_the_sources_own_clock_tells_an_edit() -> None:
    old = before().having(source={"marks": None})
    wanted = replace(desired(**NEW_MAPPING), modified_at=(NOW - timedelta(days=1)).isoformat())
    assert decide(wanted, old, there(note()), now()).rule is Rule.CHANGED_IN_SOURCE
    wanted = replace(wanted, modified_at=(NOW - timedelta(days=2)).isoformat())
    assert decide(wanted, old, there(note()), now()).rule is Rule.MAPPING_CHANGED


def test_what_a_person_wrote_in_the_target_stays_under_a_new_mapping() -> None:
    row = plan(before(), two_way=True, subject="Edited in the target")
    assert (row.action, row.rule) == (Action.UNCHANGED, Rule.EDIT_OF_OTHER_DIRECTION)


def test_what_the_old_mapping_did_not_make_is_not_written_over_in_a_two_way_sync() -> None:
    said = fingerprints({"subject": "Rev…"}, KINDS)
    old = before()
    row = plan(old.having(source={"mapped": {**old.source.mapped, **said}}), two_way=True)
    assert (row.action, row.rule) == (Action.UNCHANGED, Rule.NOTHING_CHANGED)
    assert row.source is not None and row.source.mapping_version == "1:b"


def test_a_field_that_is_new_in_the_mapping_counts_as_changed_by_it() -> None:
    old = before()
    old = old.having(source={"mapped": {name: mark for name, mark in old.source.mapped.items() if name != "subject"}})
    assert plan(old).rule is Rule.MAPPING_CHANGED
    never_seen = old.having(target={"marks": {}})
    assert plan(never_seen, two_way=True, subject=None).rule is Rule.MAPPING_CHANGED


@pytest.mark.parametrize(("later", "rule"), [(1, Rule.MAPPING_CHANGED), (-1, Rule.NOTHING_CHANGED)])
def test_a_field_that_is_new_in_the_mapping_takes_the_later_records_value_in_a_two_way_sync(
    later: int, rule: Rule
) -> None:
    old = before(target_marks={})
    old = old.having(source={"mapped": {name: mark for name, mark in old.source.mapped.items() if name != "subject"}})
    changed_at = NOW - timedelta(days=2)
    wanted = replace(desired(**NEW_MAPPING), marks=RAW, modified_at=changed_at.isoformat())
    theirs = note(subject="Theirs", modified_at=changed_at - timedelta(hours=later))
    assert decide(wanted, old, there(theirs), now(two_way=True)).rule is rule


def test_the_other_direction_still_sees_when_a_value_was_edited_that_a_new_field_left_alone() -> None:
    edited_on = NOW - timedelta(days=1)
    old = before(target_marks={})
    old = old.having(source={"mapped": {name: mark for name, mark in old.source.mapped.items() if name != "subject"}})
    wanted = replace(desired(**NEW_MAPPING), marks=RAW, modified_at=(NOW - timedelta(days=2)).isoformat())
    row = decide(wanted, old, there(note(subject="Theirs", modified_at=edited_on)), now(two_way=True))
    assert row.rule is Rule.NOTHING_CHANGED
    assert row.target is not None and row.target.edited_at == edited_on


@pytest.mark.parametrize(
    ("policy", "held", "rule"),
    [
        (TargetEdit.KEEP, "Theirs", Rule.NOTHING_CHANGED),
        (TargetEdit.KEEP, " ", Rule.MAPPING_CHANGED),
        (TargetEdit.KEEP, None, Rule.MAPPING_CHANGED),
        (TargetEdit.OVERWRITE, "Theirs", Rule.MAPPING_CHANGED),
    ],
)
def test_a_field_that_is_new_in_the_mapping_leaves_a_targets_words_where_edits_are_kept(
    policy: TargetEdit, held: str | None, rule: Rule
) -> None:
    old = before(target_marks={})
    old = old.having(source={"mapped": {name: mark for name, mark in old.source.mapped.items() if name != "subject"}})
    wanted = replace(desired(**NEW_MAPPING), marks=RAW)
    there_now = replace(now(), target_edit=policy)
    assert decide(wanted, old, there(note(subject=held)), there_now).rule is rule


def test_more_than_the_guard_lets_pass_waits_for_a_person() -> None:
    rows = [replace(plan(before()), source_key=f"m{number}") for number in range(3)]
    edits = [plan(before(), marks={**RAW, "Subject": "m-edited"}) for _ in range(20)]
    (found,) = excesses(count_plan([*rows, *edits]), Guard(), linked=40)
    assert (found.operation, found.planned, found.limit) == (Operation.UPDATE, 3, 2)
    assert found.text == "3 updates for a changed mapping (limit 2)"
    assert excesses(count_plan([*rows, *edits]), Guard(), linked=60) == []


@pytest.mark.parametrize("two_way", [True, False])
@pytest.mark.parametrize(
    ("source", "target", "rule"),
    [
        (0, 0, Rule.NOTHING_CHANGED),
        (1, 0, Rule.MAPPING_CHANGED),
        (0, 1, Rule.EDIT_OF_OTHER_DIRECTION),
        (2, 1, Rule.CONFLICT_OVERWRITTEN),
        (1, 2, Rule.CONFLICT_KEPT),
    ],
)
def test_under_another_fingerprint_algorithm_the_services_clocks_alone_tell_who_edited(
    source: int, target: int, rule: Rule, two_way: bool
) -> None:
    known = NOW - timedelta(days=9)
    old = before(target_marks={"subject": "of old"}, written_at=known - timedelta(days=1))
    old = old.having(
        source={"mapping_version": "0:a", "modified_at": known, "mapped": {"subject": "of old"}},
        target={"modified_at": known},
    )
    wanted = replace(desired(**NEW_MAPPING), marks=RAW, modified_at=(known + timedelta(days=source)).isoformat())
    row = decide(wanted, old, there(note(modified_at=known + timedelta(days=target))), now(two_way=two_way))
    one_way = {Rule.EDIT_OF_OTHER_DIRECTION: Rule.EDIT_KEPT}
    assert row.rule is (rule if two_way else one_way.get(rule, rule))
    assert row.source is not None and row.source.mapping_version == "1:b"
