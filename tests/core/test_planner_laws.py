from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cshub.core.diff import decide
from cshub.core.jobs import TargetEdit
from cshub.core.planning import PlanRules
from cshub.core.records import Action, Link, LinkState, TargetRecord
from cshub.core.values import fingerprint, fingerprints

from .core_cast import LONG_AGO, NOW, STEADY
from .planner_cast import GONE, KINDS, VALUES, carried_out, desired, link, note, rules, there

KEEP, OVERWRITE, NATIVE = TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H
POLICIES = [KEEP, OVERWRITE, NATIVE]
YOUNG = NOW - timedelta(hours=3)


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
        source_mapped=marks(source),
        target_marks=None if target is None else marks(target),
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
    target = record
    first = decide(wanted, old, there(record), laid_down)
    target, known = carried_out(first, target, old)
    second = decide(wanted, known, there(target), laid_down)
    assert second.action is Action.UNCHANGED, second
    target, known = carried_out(second, target, known)
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
    old = link(source_mapped=marks(begin), target_marks=fingerprints(record.values, KINDS))
    record = replace(record, values={**record.values, edited: "A person's words"}, modified_at=YOUNG)
    for side in later:
        row = decide(desired(**side), old, there(record), rules(KEEP))
        after, old = carried_out(row, record, old)
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
