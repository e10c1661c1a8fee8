"""Which records belong together, told by the records alone; and what the next plan makes of the links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.diff import decide
from cshub.core.jobs import TargetEdit
from cshub.core.objects import FieldSpec, Kind, Role
from cshub.core.planning import PlanRules, Rule
from cshub.core.rebuilding import Clue, Lens, Matching, Packed, Sight, Signs, match
from cshub.core.records import Action, Link, LinkState, Pair, RecordKey, TargetRecord
from cshub.core.relinking import View, is_made_by_source, relinked
from cshub.core.values import fingerprints

from .core_cast import LONG_AGO, NOW, STEADY
from .planner_cast import KINDS, VALUES, desired, note, rules, there

ATTRIBUTES = {
    "subject": FieldSpec("subject", Kind.TEXT, "Subject", role=Role.TITLE),
    "content": FieldSpec("content", Kind.RICH_TEXT, "Content", role=Role.CONTENT),
    "held_at": FieldSpec("held_at", Kind.DATETIME, "Date", role=Role.DATE),
    "stage": FieldSpec("stage", Kind.TEXT, "Stage"),
    "people": FieldSpec("people", Kind.IDS, "People", role=Role.PEOPLE),
}
LENS = Lens.of(ATTRIBUTES)
PLAIN: Mapping[str, Any] = {
    "subject": "Review",
    "content": "Agreed on the pilot.",
    "held_at": "2026-11-19T16:00:00.000Z",
    "stage": "open",
    "people": ["u1"],
}
ROLES = {**{name: spec.role for name, spec in ATTRIBUTES.items()}, "author": Role.AUTHOR}
LATER_ON = "2026-12-03T16:00:00.000Z"
SALESFORCE_ID = "00U5g00000XyZ12EAF"


def source(account: str | None = "A1", external_id: str = "m1", **changes: Any) -> Signs:
    return LENS.source_signs(account_id=account, external_id=external_id, values={**PLAIN, **changes})


def target(account: str | None = "A1", key: str = "n1", external_id: str | None = None, **changes: Any) -> Signs:
    return LENS.target_signs(account_id=account, key=key, external_id=external_id, values={**PLAIN, **changes})


def matched(left: Mapping[str, Signs], right: Mapping[str, Signs]) -> Matching:
    return match(left, right, LENS.clues)


def clue_of(left: Signs, right: Signs) -> Clue | None:
    found = matched({"m1": left}, {"n1": right}).matches
    return found[0].clue if found else None


@pytest.mark.parametrize(
    ("left", "right", "clue"),
    [
        (source(external_id=SALESFORCE_ID), target("B2", external_id=SALESFORCE_ID.lower()), Clue.ID_CARRIED),
        (source(external_id=SALESFORCE_ID[:15]), target("B2", external_id=SALESFORCE_ID), Clue.ID_CARRIED),
        (source(external_id="900123"), target("B2", key="900123"), Clue.ID_NAMED),
        (
            source(external_id=SALESFORCE_ID, subject="x", content="y"),
            target(external_id=SALESFORCE_ID[:15].lower()),
            Clue.ID_CARRIED_ALIKE,
        ),
        (source(external_id=SALESFORCE_ID), target("B2", external_id=SALESFORCE_ID[:15].lower()), None),
        (source(), target(people=[]), Clue.EVERYTHING),
        (source(), target(subject=" Review ", content="<p>Agreed on the pilot.</p>"), Clue.EVERYTHING),
        (source(stage="closed"), target(), Clue.DATE_AND_TEXTS),
        (source(subject="Edited"), target(), Clue.DATE_AND_A_TEXT),
        (source(content="Edited"), target(), Clue.DATE_AND_TITLE),
        (source(content=None), target(), Clue.DATE_AND_TITLE),
        (source(held_at=LATER_ON), target(), Clue.TEXTS),
        (
            source(subject="Edited", content="Edited", held_at="2026-11-19T16:02:31.000Z"),
            target(held_at="2026-11-19T16:02:31.000Z"),
            Clue.MOMENT,
        ),
        (source(subject="Edited", content="Edited"), target(), None),
        (source(), target("B2"), None),
        (source(None), target(None), None),
        (source(subject=None, content=None), target(subject="", content=""), None),
    ],
)
def test_the_strongest_clue_tells_that_two_records_are_one(left: Signs, right: Signs, clue: Clue | None) -> None:
    assert clue_of(left, right) is clue


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (source(content=None), target(content=None, held_at=LATER_ON)),
        (source(subject="Edited", content="Edited"), target()),
        (source(subject="Edited", content=None), target(content=None)),
    ],
    ids=["a short text on another day", "all texts rewritten", "its only text rewritten"],
)
def test_what_tells_too_little_is_a_doubt_and_no_match(left: Signs, right: Signs) -> None:
    found = matched({"m1": left}, {"n1": right})
    assert (found.matches, found.left_doubts, found.right_doubts) == ([], {"m1": ["n1"]}, {"n1": ["m1"]})


def test_twins_are_not_told_apart_and_each_names_all_that_it_may_belong_to() -> None:
    found = matched({"m1": source(), "m2": source()}, {"n1": target(), "n2": target()})
    assert found.matches == []
    assert found.left_doubts == {"m1": ["n1", "n2"], "m2": ["n1", "n2"]}
    assert found.right_doubts == {"n1": ["m1", "m2"], "n2": ["m1", "m2"]}


def test_one_of_two_alike_that_is_missing_on_the_other_side_leaves_both_in_doubt() -> None:
    found = matched({"m1": source(), "m2": source()}, {"n1": target()})
    assert (found.matches, sorted(found.left_doubts)) == ([], ["m1", "m2"])


def test_twins_of_which_one_carries_an_id_are_told_apart() -> None:
    right = {"n1": target(external_id="m1"), "n2": target(key="n2")}
    found = matched({"m1": source(), "m2": source(external_id="m2")}, right)
    assert [(item.left, item.right, item.clue) for item in found.matches] == [
        ("m1", "n1", Clue.ID_CARRIED),
        ("m2", "n2", Clue.EVERYTHING),
    ]


def test_a_record_moved_to_the_date_of_another_of_its_title_keeps_its_own() -> None:
    """The other one was edited too, so that nothing stronger than date and title tells where that one belongs."""
    moved = {"m1": source(external_id="m1", held_at=LATER_ON)}
    own, other = target(key="n1"), target(key="n2", held_at=LATER_ON, content="Agreed on something else altogether.")
    (found,) = matched(moved, {"n1": own, "n2": other}).matches
    assert (found.right, found.clue) == ("n1", Clue.TEXTS)


def test_a_record_without_a_like_is_in_no_doubt() -> None:
    found = matched(
        {"m1": source(), "new": source(subject="Kick-off", content="Begun.", held_at=LATER_ON)}, {"n1": target()}
    )
    assert ([item.left for item in found.matches], dict(found.left_doubts)) == (["m1"], {})


SHORT = st.sampled_from(["Review", "Call", "QBR", ""])
LONG = st.sampled_from(["Agreed.", "They ask for the roadmap.", "", None])
DAYS = st.sampled_from(["2026-11-18T12:00:00.000Z", "2026-11-19T12:00:00.000Z", "2026-11-19T12:07:03.000Z"])
FACTS = st.fixed_dictionaries({"subject": SHORT, "content": LONG, "held_at": DAYS})
RECORDS = st.lists(st.tuples(st.sampled_from(["A1", "A2"]), FACTS), max_size=12)


def lefts(records: list[tuple[str, dict[str, Any]]]) -> dict[str, Signs]:
    return {f"m{at}": source(account, f"m{at}", **facts) for at, (account, facts) in enumerate(records)}


def rights(records: list[tuple[str, dict[str, Any]]]) -> dict[str, Signs]:
    return {f"n{at}": target(account, f"n{at}", **facts) for at, (account, facts) in enumerate(records)}


@STEADY
@given(RECORDS, RECORDS, st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_count_and_no_record_is_matched_twice(
    left: list[tuple[str, dict[str, Any]]], right: list[tuple[str, dict[str, Any]]], rng: Random
) -> None:
    ours, theirs = lefts(left), rights(right)
    found = matched(ours, theirs)
    assert matched(_shuffled(ours, rng), _shuffled(theirs, rng)) == found
    for mine, doubts in (([item.left for item in found.matches], found.left_doubts),
                         ([item.right for item in found.matches], found.right_doubts)):  # fmt: skip
        assert len(set(mine)) == len(mine)
        assert not set(mine) & doubts.keys()


@STEADY
@given(RECORDS, RECORDS)
def test_what_is_in_doubt_names_only_records_that_are_free_and_doubt_is_mutual(
    left: list[tuple[str, dict[str, Any]]], right: list[tuple[str, dict[str, Any]]]
) -> None:
    found = matched(lefts(left), rights(right))
    taken = {item.right for item in found.matches}
    for key, fits in found.left_doubts.items():
        assert fits and not taken & set(fits)
        assert all(key in found.right_doubts[other] for other in fits)


@STEADY
@given(RECORDS)
def test_records_that_both_sides_hold_alike_are_matched_unless_they_have_a_twin(
    records: list[tuple[str, dict[str, Any]]],
) -> None:
    found = matched(lefts(records), rights(records))
    assert all(item.left[1:] == item.right[1:] for item in found.matches)
    alone = {
        f"m{at}"
        for at, item in enumerate(records)
        if sum(_same(item, other) for other in records) == 1 and (item[1]["subject"] or item[1]["content"])
    }
    assert alone <= {item.left for item in found.matches}


@STEADY
@given(st.lists(st.tuples(st.text(min_size=1), st.text(alphabet="0123456789abcdef", min_size=16, max_size=16)),
                unique_by=lambda item: item[0]))  # fmt: skip
def test_packed_fingerprints_come_back_as_they_were(items: list[tuple[str, str]]) -> None:
    assert Packed.of(dict(items)).marks() == dict(items)


def test_nothing_but_fingerprints_is_packed() -> None:
    with pytest.raises(ValueError, match="only fingerprints"):
        Packed.of({"subject": ""})


EARLY, LATE = NOW - timedelta(days=3), NOW - timedelta(days=1)
PATHS = {name: name for name in KINDS}
TWO_WAY = replace(
    rules(TargetEdit.NEWEST), two_way=True, paths=PATHS, mapping_version="x2:in", source_system="s", target_system="t"
)


def sight(values: Mapping[str, Any], key: str, modified_at: datetime) -> Sight:
    marks = Packed.of(fingerprints(values, KINDS))
    facts: dict[str, Any] = {"created_at": LONG_AGO, "modified_at": modified_at, "dated_on": "2026-11-19"}
    return Sight(RecordKey(key, "A1"), LENS.no_signs, marks, marks, **facts)


def views(
    left: Mapping[str, Any], right: Mapping[str, Any], left_at: datetime, right_at: datetime, plan: PlanRules = TWO_WAY
) -> tuple[View, View]:
    """Both directions of a pair whose systems call everything alike."""
    ours, theirs = sight(left, "m1", left_at), sight(right, "n1", right_at)
    mirrored = replace(plan, source_system="t", target_system="s", mapping_version="x2:out")
    return View(ours, theirs, plan, ROLES), View(theirs, ours, mirrored, ROLES)


def next_row(link: Link, left: Mapping[str, Any], right: Mapping[str, Any], at: tuple[datetime, datetime],
             plan: PlanRules) -> Any:  # fmt: skip
    wanted = replace(desired(**left), modified_at=at[0].isoformat(), marks=fingerprints(left, KINDS))
    record: TargetRecord = note(modified_at=at[1], created_at=LONG_AGO, **right)
    return decide(wanted, link, there(record), plan)


SIDES = st.fixed_dictionaries({"subject": st.sampled_from(["Review", "Edited"]),
                               "content": st.sampled_from(["Agreed.", "Edited."])})  # fmt: skip


@STEADY
@given(SIDES, SIDES, st.booleans(), st.booleans())
def test_what_differs_goes_to_the_later_edit_in_whichever_direction_runs_first(
    left: dict[str, Any], right: dict[str, Any], source_is_later: bool, both_seen: bool
) -> None:
    ours, theirs = {**VALUES, **left}, {**VALUES, **right}
    at = (LATE, EARLY) if source_is_later else (EARLY, LATE)
    own, back = views(ours, theirs, *at)
    link = relinked(Pair(1), own, back if both_seen else None, None, now=NOW)
    differing = {name for name in ours if ours[name] != theirs[name]}
    row = next_row(link, ours, theirs, at, own.rules)
    sent = {change.field for change in row.changes if change.winner == "source"}
    assert sent == (differing if source_is_later else set())
    if not differing:
        assert (row.action, row.rule) == (Action.UNCHANGED, Rule.NOTHING_CHANGED)
    back_row = next_row(_swapped(link), theirs, ours, (at[1], at[0]), back.rules)
    sent_back = {change.field for change in back_row.changes if change.winner == "source"}
    assert sent_back == (set() if source_is_later else differing)


@pytest.mark.parametrize(
    ("policy", "sent"), [(TargetEdit.KEEP, set()), (TargetEdit.OVERWRITE, {"subject"}), (TargetEdit.NEWEST, set())]
)
def test_in_a_one_way_job_its_policy_decides_what_differs(policy: TargetEdit, sent: set[str]) -> None:
    ours, theirs = VALUES, {**VALUES, "subject": "Edited by hand"}
    one_way = replace(rules(policy), mapping_version="x2:in")
    own, _ = views(ours, theirs, EARLY, LATE, one_way)
    link = relinked(Pair(1), own, None, None, now=NOW)
    row = next_row(link, ours, theirs, (EARLY, LATE), one_way)
    assert {change.field for change in row.changes if change.winner == "source"} == sent


@pytest.mark.parametrize("policy", [TargetEdit.KEEP, TargetEdit.OVERWRITE, TargetEdit.OVERWRITE_WITHIN_24H])
def test_a_target_that_is_still_empty_is_filled_whatever_the_policy_and_read_again(policy: TargetEdit) -> None:
    ours, theirs = VALUES, {**VALUES, "content": ""}
    one_way = replace(rules(policy), mapping_version="x2:in")
    own, _ = views(ours, theirs, EARLY, LATE, one_way)
    link = relinked(Pair(1), own, None, None, now=NOW)
    assert link.state is LinkState.EMPTY
    row = next_row(link, ours, theirs, (EARLY, LATE), one_way)
    assert [change.field for change in row.changes if change.winner == "source"] == ["content"]


def test_a_value_that_the_other_direction_makes_of_what_is_there_is_no_edit() -> None:
    """A note of half past three and an event of that day: only the way back can tell that they agree."""
    ours, theirs = {**VALUES, "held_at": "2026-11-19T12:00:00.000Z"}, {**VALUES, "held_at": "2026-11-19T15:30:00.000Z"}
    own, back = views(ours, theirs, LATE, EARLY)
    back = replace(back, made=replace(back.made, mapped=own.made.mapped))
    link = relinked(Pair(1), own, back, None, now=NOW)
    assert next_row(link, ours, theirs, (LATE, EARLY), own.rules).action is Action.UNCHANGED


def test_a_link_seen_only_by_the_other_direction_is_the_mirror_of_its_own() -> None:
    _, back = views(VALUES, VALUES, EARLY, LATE)
    link = relinked(Pair(1), None, back, None, now=NOW)
    assert link == relinked(Pair(1, True), back, None, None, now=NOW).mirrored()
    assert (link.source.key, link.target.key, link.pair) == ("m1", "n1", Pair(1))


def test_a_record_that_waited_alone_keeps_its_number_and_when_it_was_first_seen() -> None:
    own, back = views(VALUES, VALUES, EARLY, LATE)
    alone = replace(relinked(Pair(1), own, back, None, now=LONG_AGO), number=7, version=3)
    link = relinked(Pair(1), own, back, alone, now=NOW)
    assert (link.number, link.version, link.first_seen_at) == (7, 3, LONG_AGO)


def test_the_younger_of_two_records_is_the_one_that_the_hub_made() -> None:
    own, back = views(VALUES, VALUES, EARLY, LATE)
    young = replace(own, made=replace(own.made, created_at=LATE))
    assert is_made_by_source(own, back)
    assert not is_made_by_source(young, back)
    assert is_made_by_source(replace(young, rules=replace(TWO_WAY, two_way=False)), None)


def _shuffled(items: Mapping[str, Signs], rng: Random) -> dict[str, Signs]:
    keys = list(items)
    rng.shuffle(keys)
    return {key: items[key] for key in keys}


def _same(one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]) -> bool:
    """Whether two records of an account share all that a clue could tell."""
    names = ("subject", "content", "held_at")
    return one[0] == other[0] and all((one[1][name] or "") == (other[1][name] or "") for name in names)


def _swapped(link: Link) -> Link:
    """The link in the other direction, with the keys that a planner's source and target have there."""
    mirrored = link.mirrored()
    return mirrored.having(source={"key": "m1"}, target={"key": "n1"})
