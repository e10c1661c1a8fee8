from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cshub.core.diff import decide
from cshub.core.jobs import TargetEdit
from cshub.core.planning import Rule
from cshub.core.records import Action, LinkState

from .core_cast import LONG_AGO, NOW
from .planner_cast import carried_out, desired, link, note, remembered, rules, there

KEEP, OVERWRITE, NATIVE = TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H
POLICIES = [KEEP, OVERWRITE, NATIVE]
YOUNG = NOW - timedelta(hours=3)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("read_back", [True, False])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_state_compared_with_itself_plans_nothing(policy: TargetEdit, read_back: bool) -> None:
    row = decide(desired(), link(read_back=read_back), there(note()), rules(policy))
    assert (row.action, row.rule, row.changes) == (Action.UNCHANGED, Rule.NOTHING_CHANGED, ())
    assert (row.state is None) is read_back


Row = tuple[str, str, TargetEdit, bool, Action, Rule, str]
TABLE: list[Row] = [
    # source, target, policy, created within a day, action, rule, subject after the run
    ("Review", "Review", KEEP, False, Action.UNCHANGED, Rule.NOTHING_CHANGED, "Review"),
    ("New", "Review", KEEP, False, Action.UPDATE, Rule.CHANGED_IN_SOURCE, "New"),
    ("New", "Review", OVERWRITE, False, Action.UPDATE, Rule.CHANGED_IN_SOURCE, "New"),
    ("New", "Review", NATIVE, False, Action.UPDATE, Rule.CHANGED_IN_SOURCE, "New"),
    ("Review", "Edit", KEEP, False, Action.UNCHANGED, Rule.EDIT_KEPT, "Edit"),
    ("Review", "Edit", KEEP, True, Action.UNCHANGED, Rule.EDIT_KEPT, "Edit"),
    ("Review", "Edit", OVERWRITE, False, Action.UPDATE, Rule.EDIT_OVERWRITTEN, "Review"),
    ("Review", "Edit", NATIVE, True, Action.UPDATE, Rule.EDIT_OVERWRITTEN, "Review"),
    ("Review", "Edit", NATIVE, False, Action.UNCHANGED, Rule.EDIT_KEPT, "Edit"),
    ("New", " new", KEEP, False, Action.CONFLICT, Rule.CONFLICT_KEPT, " new"),
    ("New", "New ", KEEP, False, Action.UNCHANGED, Rule.BOTH_AGREE, "New "),
    ("New", "New", OVERWRITE, False, Action.UNCHANGED, Rule.BOTH_AGREE, "New"),
    ("New", "Edit", KEEP, True, Action.CONFLICT, Rule.CONFLICT_KEPT, "Edit"),
    ("New", "Edit", OVERWRITE, False, Action.UPDATE, Rule.CONFLICT_OVERWRITTEN, "New"),
    ("New", "Edit", NATIVE, True, Action.UPDATE, Rule.CONFLICT_OVERWRITTEN, "New"),
    ("New", "Edit", NATIVE, False, Action.CONFLICT, Rule.CONFLICT_KEPT, "Edit"),
]


@pytest.mark.parametrize(("source", "target", "policy", "young", "action", "rule", "after"), TABLE)
def test_each_row_of_the_planners_table(
    source: str, target: str, policy: TargetEdit, young: bool, action: Action, rule: Rule, after: str
) -> None:
    old = link(created_at=YOUNG if young else LONG_AGO)
    before = note(subject=target)
    row = decide(desired(subject=source), old, there(before), rules(policy))
    assert (row.action, row.rule) == (action, rule)
    record, _ = carried_out(row, before, old)
    assert record.values["subject"] == after
    assert row.link_version == 3


def test_the_loser_of_a_conflict_is_kept_in_the_changes() -> None:
    row = decide(desired(subject="New"), link(), there(note(subject="Edit")), rules(KEEP))
    (change,) = row.changes
    assert (change.field, change.before, change.after, change.winner) == ("subject", "Edit", "New", "target")
    row = decide(desired(subject="New"), link(), there(note(subject="Edit")), rules(OVERWRITE))
    assert [(change.before, change.after, change.winner) for change in row.changes] == [("Edit", "New", "source")]


@pytest.mark.parametrize("policy", POLICIES)
def test_edits_to_different_fields_of_one_record_are_merged(policy: TargetEdit) -> None:
    before = note(content="A person's words")
    row = decide(desired(subject="New"), link(), there(before), rules(policy))
    record, old = carried_out(row, before, link())
    assert row.action is Action.UPDATE
    assert record.values["subject"] == "New"
    kept = policy is not OVERWRITE
    assert record.values["content"] == ("A person's words" if kept else "Agreed.")
    again = decide(desired(subject="New"), old, there(record), rules(policy))
    assert again.action is Action.UNCHANGED


@pytest.mark.parametrize("policy", [KEEP, NATIVE])
@pytest.mark.parametrize("read_back", [True, False])
def test_a_kept_edit_is_never_overwritten_by_later_changes_of_the_source(policy: TargetEdit, read_back: bool) -> None:
    record = note(content="A person's words", modified_at=LONG_AGO + HOUR)
    old = link(read_back=read_back)
    changes: list[dict[str, Any]] = [{}, {"content": "v2"}, {"subject": "New"}, {"content": "v3", "subject": "New"}]
    for change in changes * 2:
        row = decide(desired(**change), old, there(record), rules(policy))
        record, old = carried_out(row, record, old)
        assert record.values["content"] == "A person's words"


def test_a_conflict_is_told_once_and_then_stays_a_kept_edit() -> None:
    record = note(subject="Edit")
    row = decide(desired(subject="New"), link(), there(record), rules(KEEP))
    assert row.rule is Rule.CONFLICT_KEPT
    again = decide(desired(subject="New"), remembered(row, link()), there(record), rules(KEEP))
    assert (again.action, again.rule, again.changes) == (Action.UNCHANGED, Rule.EDIT_KEPT, ())


@pytest.mark.parametrize("silent", [None, ...])
def test_a_source_that_falls_silent_does_not_make_an_edit_forgotten(silent: Any) -> None:
    record, old = note(subject="Edit"), link()
    for subject in (silent, "New", silent, "Newer"):
        row = decide(desired(subject=subject), old, there(record), rules(KEEP))
        assert row.action in {Action.UNCHANGED, Action.CONFLICT}
        old = remembered(row, old)


def test_an_edit_that_is_taken_back_lets_the_source_flow_again() -> None:
    kept = remembered(decide(desired(), link(), there(note(subject="Edit")), rules(KEEP)), link())
    back = remembered(decide(desired(), kept, there(note()), rules(KEEP)), kept)
    assert decide(desired(subject="New"), back, there(note()), rules(KEEP)).rule is Rule.CHANGED_IN_SOURCE


@pytest.mark.parametrize("policy", POLICIES)
def test_our_own_write_is_no_edit_even_when_the_services_clock_is_ahead(policy: TargetEdit) -> None:
    row = decide(desired(subject="v2"), link(), there(note()), rules(policy))
    record, old = carried_out(row, note(), link())
    ahead = replace(record, modified_at=NOW + timedelta(minutes=10))
    again = decide(desired(subject="v3"), old, there(ahead), rules(policy))
    assert (again.action, again.rule) == (Action.UPDATE, Rule.CHANGED_IN_SOURCE)


def test_what_the_service_makes_of_a_text_is_no_edit() -> None:
    old = link(read_back=False)
    shown = note(subject="Review (imported)", modified_at=LONG_AGO)
    row = decide(desired(), old, there(shown), rules(OVERWRITE))
    assert (row.action, row.rule) == (Action.UNCHANGED, Rule.NOTHING_CHANGED)
    learned = remembered(row, old)
    assert decide(desired(), learned, there(shown), rules(OVERWRITE)).state is None
    changed = decide(desired(subject="New"), learned, there(shown), rules(KEEP))
    assert changed.rule is Rule.CHANGED_IN_SOURCE


def test_an_edit_before_the_first_reading_back_is_known_by_its_time() -> None:
    edited = note(subject="Edit", modified_at=LONG_AGO + HOUR)
    row = decide(desired(), link(read_back=False), there(edited), rules(KEEP))
    assert row.rule is Rule.EDIT_KEPT
    assert decide(desired(), link(read_back=False), there(edited), rules(OVERWRITE)).action is Action.UPDATE


def test_a_field_that_the_mapping_gained_comes_from_the_source() -> None:
    without = {name: mark for name, mark in link().source.mapped.items() if name != "people"}
    old = link(source_mapped=without, target_marks=without)
    row = decide(desired(), old, there(note(people=["u9"])), rules(KEEP))
    assert [(change.field, change.after) for change in row.changes] == [("people", ["u1", "u2"])]


def test_null_leaves_the_target_alone_unless_the_job_says_that_it_clears() -> None:
    left = decide(desired(subject=None), link(), there(note()), rules(OVERWRITE))
    assert left.action is Action.UNCHANGED
    cleared = decide(desired(subject=None), link(), there(note()), rules(KEEP, clearing=("subject",)))
    assert (cleared.action, cleared.values["subject"]) == (Action.UPDATE, None)
    assert [(change.before, change.after) for change in cleared.changes] == [("Review", None)]


def test_absent_never_does_anything_even_where_null_clears() -> None:
    row = decide(desired(subject=...), link(), there(note()), rules(OVERWRITE, clearing=("subject",)))
    assert (row.action, row.state) == (Action.UNCHANGED, None)


def test_a_value_that_comes_back_after_null_is_no_change() -> None:
    old = remembered(decide(desired(subject=None), link(), there(note()), rules()), link())
    assert decide(desired(), old, there(note()), rules()).state is None


def test_what_cannot_be_updated_is_not_compared() -> None:
    row = decide(desired(author="bo@seller.example"), link(), there(note()), rules(OVERWRITE))
    assert row.action is Action.UNCHANGED


@pytest.mark.parametrize("policy", POLICIES)
def test_a_field_that_the_target_does_not_show_is_written_when_the_source_changes(policy: TargetEdit) -> None:
    shown = note()
    shown = replace(shown, values={name: value for name, value in shown.values.items() if name != "people"})
    assert decide(desired(), link(), there(shown), rules(policy)).action is Action.UNCHANGED
    row = decide(desired(people=["u3"]), link(), there(shown), rules(policy))
    assert (row.action, row.rule, row.values["people"]) == (Action.UPDATE, Rule.CHANGED_IN_SOURCE, ["u3"])


def test_a_changed_account_is_a_warning_and_the_record_stays_where_it_is() -> None:
    row = decide(desired(account_id="A2", subject="New"), link(), there(note()), rules())
    assert (row.action, row.account_id, row.warnings) == (Action.UPDATE, "A1", ("account_changed_in_source",))


def test_an_update_that_failed_before_is_sent_again() -> None:
    row = decide(desired(subject="New"), link(state=LinkState.FAILED), there(note()), rules())
    assert (row.action, row.state) == (Action.UPDATE, LinkState.IN_STEP)
    settled = decide(desired(), link(state=LinkState.FAILED), there(note()), rules())
    assert (settled.action, settled.state) == (Action.UNCHANGED, LinkState.IN_STEP)
