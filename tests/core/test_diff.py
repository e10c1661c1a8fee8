from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cshub.core.diff import decide, needs_proof
from cshub.core.jobs import TargetEdit
from cshub.core.planning import Desired, Rule, TargetView
from cshub.core.records import Action, LinkState, Origin, Presence
from cshub.core.values import fingerprints

from .core_cast import LONG_AGO, NOW
from .planner_cast import GONE, KINDS, VALUES, carried_out, desired, link, note, remembered, rules, there, waiting

KEEP, OVERWRITE, NATIVE = TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H
POLICIES = [KEEP, OVERWRITE, NATIVE]
YOUNG = NOW - timedelta(hours=3)


def test_a_new_record_is_created_with_its_values_and_without_nulls() -> None:
    row = decide(desired(subject=None), None, None, rules())
    assert (row.action, row.rule, row.account_id, row.target_key) == (Action.CREATE, Rule.NEW, "A1", None)
    assert dict(row.values) == {name: value for name, value in VALUES.items() if name != "subject"}
    assert row.state is LinkState.IN_STEP
    assert row.source is not None
    assert row.source.mapped == fingerprints({**VALUES, "subject": None}, KINDS)
    assert row.link_version is None


@pytest.mark.parametrize("content", [None, "", " <br> ", ...])
def test_a_record_without_content_arrives_empty_and_is_filled_however_late(content: Any) -> None:
    row = decide(desired(content=content), None, None, rules())
    assert (row.action, row.state) == (Action.CREATE, LinkState.EMPTY)
    record, old = carried_out(row, None, None)
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


@pytest.mark.parametrize("state", [LinkState.IN_STEP, LinkState.EMPTY, LinkState.FAILED])
def test_a_record_deleted_in_the_target_is_never_made_again(state: LinkState) -> None:
    row = decide(desired(subject="New"), link(state=state), GONE, rules(OVERWRITE))
    assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.DELETED_IN_TARGET, LinkState.DELETED)
    old = link(state=LinkState.DELETED)
    for target in (None, GONE, there(note())):
        again = decide(desired(subject="Newer"), old, target, rules(OVERWRITE))
        assert (again.action, again.state) == (Action.SKIP, None)


@pytest.mark.parametrize("target", [None, TargetView(Presence.ABSENT)])
def test_a_target_record_that_is_not_shown_is_left_alone(target: TargetView | None) -> None:
    row = decide(desired(subject="New"), link(), target, rules(OVERWRITE))
    assert (row.action, row.rule, row.state) == (Action.SKIP, Rule.TARGET_NOT_READABLE, None)


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
    parked = waiting(LinkState.PARKED)
    assert decide(desired(account_id=None), parked, None, rules()).state is None
    created = decide(desired(), parked, None, rules())
    assert (created.action, created.link_version) == (Action.CREATE, 4)


@pytest.mark.parametrize("state", [LinkState.REJECTED, LinkState.FAILED])
def test_a_record_that_never_reached_the_target_is_tried_again(state: LinkState) -> None:
    old = waiting(state)
    assert decide(desired(), old, None, rules()).action is Action.CREATE
    assert decide(desired(account_id=None), old, None, rules()).state is LinkState.PARKED


@pytest.mark.parametrize("linked", [True, False])
def test_filtered_and_unreadable_records_are_skipped_with_their_reason(linked: bool) -> None:
    old, target = (link(), there(note())) if linked else (None, None)
    filtered = decide(replace(desired(subject="New"), skip_reason="no_show"), old, target, rules())
    assert (filtered.action, filtered.rule, filtered.reason) == (Action.SKIP, Rule.FILTERED, "no_show")
    unread = decide(Desired("m1", Origin.PENDING, presence=Presence.ABSENT), old, target, rules())
    assert (unread.action, unread.rule, unread.state) == (Action.SKIP, Rule.SOURCE_NOT_READABLE, None)


@pytest.mark.parametrize("linked", [True, False])
def test_a_proven_deletion_that_the_job_does_not_follow_leaves_the_target_alone(linked: bool) -> None:
    old, target = (link(), there(note())) if linked else (None, None)
    row = decide(Desired("m1", Origin.WINDOW, presence=Presence.DELETED), old, target, rules())
    rule = Rule.DELETION_NOT_FOLLOWED if linked else Rule.NEVER_SYNCED
    assert (row.action, row.rule, row.state) == (Action.SKIP, rule, None)


def test_a_record_that_is_there_already_is_adopted_instead_of_created() -> None:
    row = decide(desired(), None, there(note()), rules())
    assert (row.action, row.rule, row.target_key, row.state) == (
        Action.UNCHANGED,
        Rule.ADOPTED,
        "n1",
        LinkState.IN_STEP,
    )
    assert row.source is not None and row.target is not None
    assert row.target.marks == row.source.mapped == fingerprints(VALUES, KINDS)
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
    assert needs_proof(fresh.having(target={"marks": None}), there(note()), rules(), lag=lag)
    assert not needs_proof(link(written_at=None), there(note(subject="Edit")), rules(), lag=lag)
