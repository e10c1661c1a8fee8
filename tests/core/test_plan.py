from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cshub.core.jobs import Guard, GuardLimit
from cshub.core.plan import PLAN_COLUMNS, Excess, count_plan, excesses, in_step, plan_digest, plan_frame, plan_rows
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action, Change, LinkSide, LinkState, Operation, Origin

from .core_cast import STEADY

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MARKS = st.dictionaries(TEXT, TEXT, max_size=3)
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
SIDES = st.builds(
    LinkSide,
    key=st.none() | TEXT,
    account_id=st.none() | TEXT,
    extra=MARKS,
    marks=st.none() | MARKS,
    mapped=MARKS,
    mapping_version=TEXT,
    state=st.sampled_from(LinkState),
    modified_at=MOMENTS,
    edited_at=MOMENTS,
)
ROWS = st.lists(
    st.builds(
        PlanRow,
        source_key=TEXT,
        origin=st.sampled_from(Origin),
        action=st.sampled_from(Action),
        rule=st.sampled_from(Rule),
        reason=TEXT,
        account_id=st.none() | TEXT,
        target_key=st.none() | TEXT,
        target_extra=MARKS,
        link_version=st.none() | st.integers(0, 2**40),
        values=st.dictionaries(TEXT, JSON, max_size=3),
        changes=st.lists(st.builds(Change, TEXT, JSON, JSON, st.sampled_from(["source", "target"])), max_size=2).map(
            tuple
        ),
        source=st.none() | SIDES,
        target=st.none() | SIDES,
        external_id=TEXT,
        dated_at=st.none() | TEXT,
        warnings=st.lists(TEXT, max_size=2).map(tuple),
    ),
    max_size=5,
)


def row(action: Action, reason: str = "", key: str = "m1") -> PlanRow:
    return PlanRow(key, Origin.WINDOW, action, Rule.NEW, reason)


def by_parquet(frame: pd.DataFrame) -> pd.DataFrame:
    stored = io.BytesIO()
    frame.to_parquet(stored)
    return pd.read_parquet(io.BytesIO(stored.getvalue()))


@settings(STEADY, max_examples=60)
@given(ROWS)
def test_a_plan_survives_the_frame_and_the_file(rows: list[PlanRow]) -> None:
    frame = plan_frame(rows)
    assert list(plan_rows(frame)) == rows
    stored = list(plan_rows(by_parquet(frame)))
    assert stored == rows
    assert plan_digest(stored) == plan_digest(rows)


def test_an_empty_plan_has_all_columns_and_their_types() -> None:
    empty, full = plan_frame([]), plan_frame([row(Action.CREATE)])
    assert tuple(empty.columns) == PLAN_COLUMNS
    assert dict(empty.dtypes) == dict(full.dtypes)
    assert list(plan_rows(by_parquet(empty))) == []


CHANGES: list[dict[str, Any]] = [
    {"source_key": "m2"},
    {"action": Action.UPDATE},
    {"rule": Rule.ADOPTED},
    {"reason": "because"},
    {"account_id": "A1"},
    {"target_key": "n1"},
    {"link_version": 4},
    {"values": {"subject": "b"}},
    {"changes": (Change("subject", None, "b"),)},
    {"target_extra": {"event_id": "e1"}},
    {"source": LinkSide("m1", mapped={"subject": "1"})},
    {"target": LinkSide("n1", marks={})},
    {"external_id": "m1"},
    {"dated_at": "2026-11-20T10:00:00.000Z"},
    {"warnings": ("content_cut",)},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_any_change_of_a_plan_changes_its_digest(change: dict[str, Any]) -> None:
    first = row(Action.CREATE)
    assert plan_digest([first]) != plan_digest([replace(first, **change)])


def test_the_digest_tells_the_order_and_the_number_of_rows() -> None:
    one, two = row(Action.CREATE), row(Action.CREATE, key="m2")
    assert len({plan_digest(rows) for rows in ([], [one], [one, two], [two, one], [one, one])}) == 5
    assert len(plan_digest([one])) == 16


def test_rows_are_counted_by_action_and_skips_by_reason() -> None:
    counts = count_plan(
        [
            row(Action.CREATE),
            row(Action.CREATE),
            row(Action.UPDATE),
            row(Action.SKIP, "no_show"),
            row(Action.SKIP, "email"),
            row(Action.SKIP, "email"),
            row(Action.PARK),
        ]
    )
    assert counts.as_dict() == {
        "create": 2,
        "update": 1,
        "delete": 0,
        "unchanged": 0,
        "skip": 3,
        "park": 1,
        "conflict": 0,
    }
    assert counts.skipped == {"no_show": 1, "email": 2}
    assert counts.writes == 3


@pytest.mark.parametrize(
    ("deletions", "linked", "limit"),
    [
        (50, 1000, None),
        (51, 1000, 50),
        (5, 100, None),
        (6, 100, 5),
        (51, 100_000, 50),
        (1, 20, None),
        (1, 19, 0),
        (1, 0, 0),
        (0, 0, None),
    ],
)
def test_deletions_are_guarded_at_the_smaller_of_fifty_and_five_percent(
    deletions: int, linked: int, limit: int | None
) -> None:
    counts = count_plan([row(Action.DELETE)] * deletions)
    expected = (
        [] if limit is None else [Excess(Operation.DELETE, deletions, limit, f"{deletions} deletes (limit {limit})")]
    )
    assert excesses(counts, Guard(), linked=linked) == expected


def test_a_share_is_of_the_records_that_both_sides_have() -> None:
    assert in_step({}) == 0
    assert in_step(dict.fromkeys(LinkState, 1)) == 3
    counted = {LinkState.IN_STEP: 60, LinkState.EMPTY: 10, LinkState.MISSING: 2}
    past = {LinkState.GONE: 900, LinkState.DELETED: 40, LinkState.PARKED: 30, LinkState.FAILED: 1}
    assert in_step({**counted, **past}) == 72


def test_creations_and_updates_pass_unless_the_job_sets_a_limit() -> None:
    counts = count_plan([row(Action.CREATE)] * 30 + [row(Action.UPDATE)] * 30)
    assert excesses(counts, Guard(), linked=10) == []
    guard = Guard(create=GuardLimit(count=29), update=GuardLimit(share=0.29))
    assert excesses(counts, guard, linked=100) == [
        Excess(Operation.CREATE, 30, 29, "30 creates (limit 29)"),
        Excess(Operation.UPDATE, 30, 29, "30 updates (limit 29)"),
    ]


@STEADY
@given(st.integers(0, 100), st.integers(0, 10_000))
def test_a_share_in_whole_percent_is_counted_exactly(percent: int, linked: int) -> None:
    counts = count_plan([row(Action.UPDATE)] * (percent * linked // 100 + 1))
    guard = Guard(update=GuardLimit(share=percent / 100))
    (excess,) = excesses(counts, guard, linked=linked)
    assert excess.limit == percent * linked // 100
