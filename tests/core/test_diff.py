from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cshub.core.diff import decide, needs_proof
from cshub.core.jobs import TargetEdit
from cshub.core.planning import Desired, PlanRow, PlanRules, Rule, TargetView
from cshub.core.records import Action, Link, LinkState, Origin, Presence, TargetRecord
from cshub.core.values import fingerprint, fingerprints

from .core_cast import KINDS, LONG_AGO, NOW, STEADY, VALUES, desired, link, note, rules

KEEP, OVERWRITE, NATIVE = TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H
POLICIES = [KEEP, OVERWRITE, NATIVE]
YOUNG = NOW - timedelta(hours=3)
HOUR = timedelta(hours=1)


def there(record: TargetRecord) -> TargetView:
    return TargetView(Presence.PRESENT, record)


GONE = TargetView(Presence.DELETED)


def written(row: PlanRow, before: TargetRecord | None) -> TargetRecord:
    """The target after the row was carried out."""
    base = before or TargetRecord("n1", row.account_id or "", {}, {"event_id": "e1"}, "m1", created_at=NOW)
    return replace(base, values=dict(row.values), modified_at=NOW)


def remembered(row: PlanRow, before: Link | None) -> Link:
    """The link after the row was carried out, before anything was read back."""
    old = before or Link(1, row.source_key, LinkState.PARKED, 0)
    writes = row.action in {Action.CREATE, Action.UPDATE}
    if not writes and row.state is None:
        return old
    target_base = row.target_base if row.target_base is not None or row.action is Action.CREATE else old.target_base
    return replace(
        old,
        state=row.state or old.state,
        version=old.version + 1,
        target_key="n1" if writes else row.target_key,
        target_account_id=row.account_id,
        target_extra=row.target_extra or {"event_id": "e1"},
        source_base=row.source_base,
        target_base=target_base,
        created_at=old.created_at or NOW,
        written_at=NOW if writes else old.written_at,
    )


def carried_out(row: PlanRow, before: TargetRecord | None, old: Link | None) -> tuple[TargetRecord | None, Link]:
    target = written(row, before) if row.action in {Action.CREATE, Action.UPDATE} else before
    return target, remembered(row, old)


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
    assert record is not None
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
    assert record is not None
    assert row.action is Action.UPDATE
    assert record.values["subject"] == "New"
    kept = policy is not OVERWRITE
    assert record.values["content"] == ("A person's words" if kept else "Agreed.")
    again = decide(desired(subject="New"), old, there(record), rules(policy))
    assert again.action is Action.UNCHANGED


@pytest.mark.parametrize("policy", [KEEP, NATIVE])
@pytest.mark.parametrize("read_back", [True, False])
def test_a_kept_edit_is_never_overwritten_by_later_changes_of_the_source(policy: TargetEdit, read_back: bool) -> None:
    record: TargetRecord | None = note(content="A person's words", modified_at=LONG_AGO + HOUR)
    old = link(read_back=read_back)
    changes: list[dict[str, Any]] = [{}, {"content": "v2"}, {"subject": "New"}, {"content": "v3", "subject": "New"}]
    for change in changes * 2:
        assert record is not None
        row = decide(desired(**change), old, there(record), rules(policy))
        record, old = carried_out(row, record, old)
        assert record is not None
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
    assert record is not None
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
    without = {name: mark for name, mark in link().source_base.items() if name != "people"}
    old = link(source_base=without, target_base=without)
    row = decide(desired(), old, there(note(people=["u9"])), rules(KEEP))
    assert [(change.field, change.after) for change in row.changes] == [("people", ["u1", "u2"])]


def test_a_new_record_is_created_with_its_values_and_without_nulls() -> None:
    row = decide(desired(subject=None), None, None, rules())
    assert (row.action, row.rule, row.account_id, row.target_key) == (Action.CREATE, Rule.NEW, "A1", None)
    assert dict(row.values) == {name: value for name, value in VALUES.items() if name != "subject"}
    assert row.state is LinkState.IN_STEP
    assert row.source_base == fingerprints({**VALUES, "subject": None}, KINDS)
    assert row.link_version is None


@pytest.mark.parametrize("content", [None, "", " <br> ", ...])
def test_a_record_without_content_arrives_empty_and_is_filled_however_late(content: Any) -> None:
    row = decide(desired(content=content), None, None, rules())
    assert (row.action, row.state) == (Action.CREATE, LinkState.EMPTY)
    record, old = carried_out(row, None, None)
    assert record is not None
    for _ in range(2):
        waiting = decide(desired(content=content), old, there(record), rules())
        assert (waiting.action, waiting.rule) == (Action.UNCHANGED, Rule.STILL_EMPTY)
        old = remembered(waiting, old)
    assert waiting.state is None
    old = replace(old, created_at=LONG_AGO, written_at=LONG_AGO)
    for policy in POLICIES:
        filled = decide(desired(content="Now it is here"), old, there(record), rules(policy))
        assert (filled.action, filled.rule, filled.state) == (
            Action.UPDATE,
            Rule.CHANGED_IN_SOURCE,
            LinkState.IN_STEP,
        )
        assert filled.values["content"] == "Now it is here"


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


@pytest.mark.parametrize("state", [LinkState.IN_STEP, LinkState.EMPTY, LinkState.FAILED])
def test_a_record_deleted_in_the_target_is_never_made_again(state: LinkState) -> None:
    row = decide(desired(subject="New"), link(state=state), GONE, rules(OVERWRITE))
    assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.DELETED_IN_TARGET, LinkState.DELETED)
    old = replace(link(), state=LinkState.DELETED)
    for target in (None, GONE, there(note())):
        again = decide(desired(subject="Newer"), old, target, rules(OVERWRITE))
        assert (again.action, again.state) == (Action.SKIP, None)


@pytest.mark.parametrize("target", [None, TargetView(Presence.ABSENT)])
def test_a_target_record_that_is_not_shown_is_left_alone(target: TargetView | None) -> None:
    row = decide(desired(subject="New"), link(), target, rules(OVERWRITE))
    assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.TARGET_NOT_READABLE, None)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_field_that_the_target_does_not_show_is_written_when_the_source_changes(policy: TargetEdit) -> None:
    shown = note()
    shown = replace(shown, values={name: value for name, value in shown.values.items() if name != "people"})
    assert decide(desired(), link(), there(shown), rules(policy)).action is Action.UNCHANGED
    row = decide(desired(people=["u3"]), link(), there(shown), rules(policy))
    assert (row.action, row.rule, row.values["people"]) == (Action.UPDATE, Rule.CHANGED_IN_SOURCE, ["u3"])


@pytest.mark.parametrize(
    ("changes", "more", "expected"),
    [
        ({"reference": None, "account_id": None}, {}, (Action.PARK, Rule.NO_ACCOUNT_REFERENCE)),
        ({"account_id": None}, {}, (Action.PARK, Rule.NO_ACCOUNT)),
        ({}, {"allow_new": False}, (Action.SKIP, Rule.CREATION_NOT_ALLOWED)),
        ({"account_id": None}, {"allow_new": False}, (Action.PARK, Rule.NO_ACCOUNT)),
    ],
)
def test_a_record_that_cannot_be_created_says_why(
    changes: dict[str, Any], more: dict[str, Any], expected: tuple[Action, Rule]
) -> None:
    row = decide(desired(**changes), None, None, rules(**more))
    assert (row.action, row.rule, row.reason) == (*expected, expected[1].value)


def test_a_parked_record_is_parked_once_and_created_when_its_account_appears() -> None:
    row = decide(desired(account_id=None), None, None, rules())
    assert row.state is LinkState.PARKED
    parked = Link(1, "m1", LinkState.PARKED, 1)
    assert decide(desired(account_id=None), parked, None, rules()).state is None
    created = decide(desired(), parked, None, rules())
    assert (created.action, created.link_version) == (Action.CREATE, 1)


@pytest.mark.parametrize("state", [LinkState.REJECTED, LinkState.FAILED])
def test_a_record_that_never_reached_the_target_is_tried_again(state: LinkState) -> None:
    old = Link(1, "m1", state, 4)
    assert decide(desired(), old, None, rules()).action is Action.CREATE
    assert decide(desired(account_id=None), old, None, rules()).state is LinkState.PARKED


@pytest.mark.parametrize("linked", [True, False])
def test_filtered_and_unreadable_records_are_skipped_with_their_reason(linked: bool) -> None:
    old, target = (link(), there(note())) if linked else (None, None)
    filtered = decide(replace(desired(subject="New"), skip_reason="no_show"), old, target, rules())
    assert (filtered.action, filtered.rule, filtered.reason) == (Action.SKIP, Rule.FILTERED, "no_show")
    for presence in (Presence.ABSENT, Presence.DELETED):
        unread = decide(Desired("m1", Origin.PENDING, presence=presence), old, target, rules())
        assert (unread.action, unread.rule, unread.state) == (Action.SKIP, Rule.SOURCE_NOT_READABLE, None)


def test_a_changed_account_is_a_warning_and_the_record_stays_where_it_is() -> None:
    row = decide(desired(account_id="A2", subject="New"), link(), there(note()), rules())
    assert (row.action, row.account_id, row.warnings) == (Action.UPDATE, "A1", ("account_changed_in_source",))


def test_an_update_that_failed_before_is_sent_again() -> None:
    row = decide(desired(subject="New"), link(state=LinkState.FAILED), there(note()), rules())
    assert (row.action, row.state) == (Action.UPDATE, LinkState.IN_STEP)
    settled = decide(desired(), link(state=LinkState.FAILED), there(note()), rules())
    assert (settled.action, settled.state) == (Action.UNCHANGED, LinkState.IN_STEP)


def test_a_record_that_is_there_already_is_adopted_instead_of_created() -> None:
    row = decide(desired(), None, there(note()), rules())
    assert (row.action, row.rule, row.target_key, row.state) == (
        Action.UNCHANGED,
        Rule.ADOPTED,
        "n1",
        LinkState.IN_STEP,
    )
    assert row.target_base == row.source_base == fingerprints(VALUES, KINDS)
    assert row.target_extra == {"event_id": "e1"}


@pytest.mark.parametrize(
    ("policy", "created_at", "action"),
    [
        (OVERWRITE, LONG_AGO, Action.UPDATE),
        (KEEP, YOUNG, Action.UNCHANGED),
        (NATIVE, YOUNG, Action.UPDATE),
        (NATIVE, None, Action.UPDATE),
        (NATIVE, LONG_AGO, Action.UNCHANGED),
    ],
)
def test_an_adopted_record_that_differs_is_treated_by_the_jobs_policy(
    policy: TargetEdit, created_at: Any, action: Action
) -> None:
    record = note(subject="Theirs", created_at=created_at)
    row = decide(desired(), None, there(record), rules(policy))
    assert (row.action, row.rule) == (action, Rule.ADOPTED)
    (change,) = row.changes
    assert (change.before, change.after) == ("Theirs", "Review")
    assert change.winner == ("source" if action is Action.UPDATE else "target")


@pytest.mark.parametrize("policy", POLICIES)
def test_an_adopted_record_without_content_is_filled_whatever_the_policy(policy: TargetEdit) -> None:
    record = note(subject="Theirs", content="", created_at=LONG_AGO)
    row = decide(desired(), None, there(record), rules(policy))
    assert (row.action, row.state, row.values["content"]) == (Action.UPDATE, LinkState.IN_STEP, "Agreed.")
    assert row.values["subject"] == ("Review" if policy is OVERWRITE else "Theirs")


def test_a_difference_right_after_our_write_is_proven_by_id() -> None:
    lag = timedelta(minutes=5)
    fresh, old = link(written_at=NOW - timedelta(minutes=1)), link()
    assert needs_proof(old, None, rules(), lag=lag)
    assert needs_proof(old, TargetView(Presence.ABSENT), rules(), lag=lag)
    assert not needs_proof(old, there(note(subject="Edit")), rules(), lag=lag)
    assert needs_proof(fresh, there(note(subject="Edit")), rules(), lag=lag)
    assert not needs_proof(fresh, there(note()), rules(), lag=lag)
    assert needs_proof(replace(fresh, target_base=None), there(note()), rules(), lag=lag)
    assert not needs_proof(link(written_at=None), there(note(subject="Edit")), rules(), lag=lag)


TEXT = st.sampled_from(["", " ", "a", "b", "a<br>b", "c"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "subject": TEXT | st.none() | st.just(...),
    "content": TEXT | st.none() | st.just(...),
    "people": st.lists(st.sampled_from(["u1", "u2", "u3"]), max_size=3) | st.none() | st.just(...),
    "author": st.sampled_from(["ada@x.example", "bo@x.example"]),
}
SIDES = st.fixed_dictionaries(FIELDS)
BASES = st.none() | SIDES
RULES = st.builds(
    rules,
    st.sampled_from(POLICIES),
    clearing=st.sampled_from([(), ("subject",), ("subject", "content", "people")]),
)
Build = Callable[..., Any]


def marks(side: dict[str, Any]) -> dict[str, str]:
    return fingerprints({name: value for name, value in {**VALUES, **side}.items() if value is not ...}, KINDS)


LINKS = st.builds(
    lambda source, target, created, written_at, state: link(
        source_base=marks(source),
        target_base=None if target is None else marks(target),
        created_at=created,
        written_at=written_at,
        state=state,
    ),
    SIDES,
    BASES,
    st.sampled_from([YOUNG, LONG_AGO]),
    st.sampled_from([YOUNG, LONG_AGO, None]),
    st.sampled_from([LinkState.IN_STEP, LinkState.EMPTY, LinkState.FAILED]),
)
NOTES = st.builds(
    lambda side, modified, created: note(
        modified_at=modified, created_at=created, **{name: value for name, value in side.items() if value is not ...}
    ),
    SIDES,
    st.sampled_from([None, LONG_AGO, YOUNG, NOW]),
    st.sampled_from([None, LONG_AGO, YOUNG]),
)
STATES = st.tuples(LINKS | st.none(), NOTES)
THOROUGH = settings(STEADY, max_examples=300)


@THOROUGH
@given(SIDES, STATES, RULES)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(
    source: dict[str, Any], state: tuple[Link | None, TargetRecord], laid_down: PlanRules
) -> None:
    old, record = state
    wanted = desired(**source)
    target: TargetRecord | None = record
    first = decide(wanted, old, there(record), laid_down)
    target, known = carried_out(first, target, old)
    assert target is not None
    second = decide(wanted, known, there(target), laid_down)
    assert second.action is Action.UNCHANGED, second
    target, known = carried_out(second, target, known)
    assert target is not None
    third = decide(wanted, known, there(target), laid_down)
    assert (third.action, third.state) == (Action.UNCHANGED, None)


@THOROUGH
@given(SIDES, LINKS, NOTES | st.none(), RULES)
def test_a_linked_record_is_never_deleted_nor_created(
    source: dict[str, Any], old: Link, record: TargetRecord | None, laid_down: PlanRules
) -> None:
    row = decide(desired(**source), old, GONE if record is None else there(record), laid_down)
    assert row.action not in {Action.DELETE, Action.CREATE, Action.PARK}
    assert row.target_key == "n1"


@THOROUGH
@given(SIDES, LINKS, NOTES, RULES)
def test_only_what_the_changes_name_is_written(
    source: dict[str, Any], old: Link, record: TargetRecord, laid_down: PlanRules
) -> None:
    row = decide(desired(**source), old, there(record), laid_down)
    if row.action is not Action.UPDATE:
        assert all(change.winner == "target" for change in row.changes)
        return
    named = {change.field for change in row.changes if change.winner == "source"}
    for name in laid_down.updateable - named:
        before, after = record.values.get(name), row.values.get(name)
        assert fingerprint(before, KINDS[name]) == fingerprint(after, KINDS[name])
    assert named


@THOROUGH
@given(SIDES, st.lists(SIDES, min_size=1, max_size=4), st.sampled_from(["subject", "content"]))
def test_an_edit_that_was_kept_stands_whatever_the_source_says_later(
    start: dict[str, Any], later: list[dict[str, Any]], edited: str
) -> None:
    begin = {name: VALUES[name] if value is ... else value for name, value in start.items()}
    record = note(**begin)
    old = link(source_base=marks(begin), target_base=fingerprints(record.values, KINDS))
    record = replace(record, values={**record.values, edited: "A person's words"}, modified_at=YOUNG)
    for side in later:
        row = decide(desired(**side), old, there(record), rules(KEEP))
        after, old = carried_out(row, record, old)
        assert after is not None
        assert after.values[edited] == "A person's words"
        record = after


@STEADY
@given(SIDES, STATES, RULES, st.randoms(use_true_random=False))
def test_the_order_of_fields_never_matters(
    source: dict[str, Any], state: tuple[Link | None, TargetRecord], laid_down: PlanRules, random: Any
) -> None:
    def shuffled(values: Any) -> dict[str, Any]:
        names = list(values)
        random.shuffle(names)
        return {name: values[name] for name in names}

    old, record = state
    row = decide(desired(**source), old, there(record), laid_down)
    other = decide(
        replace(desired(**source), values=shuffled(desired(**source).values)),
        old,
        there(replace(record, values=shuffled(record.values))),
        laid_down,
    )
    assert sorted(change.field for change in row.changes) == sorted(change.field for change in other.changes)
    assert replace(row, changes=()) == replace(other, changes=())
