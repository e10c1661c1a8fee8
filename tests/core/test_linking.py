"""Which record a create with a lost answer has made, and whether an update has happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.linking import has_updated, not_done, not_standing, shared_out
from cshub.core.objects import Kind
from cshub.core.plan import side_document
from cshub.core.ports import Candidate
from cshub.core.records import Intent, Link, LinkSide, Operation, Pair, TargetRecord
from cshub.core.values import fingerprints

from .core_cast import NOW

APART = timedelta(minutes=10)
NAMES = ("x", "y", "z")
KINDS = {"title": Kind.TEXT, "body": Kind.TEXT}
OFFERS = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3)), min_size=1, max_size=4)


def create(number: int, **more: Any) -> Intent:
    facts = {"source_key": f"s{number}", "run_id": "r", "begun_at": NOW, "target_key": None, "payload_hash": "0"}
    return Intent(number, Pair(1), operation=Operation.CREATE, hint={}, **{**facts, **more})


def made(key: str, age: timedelta = timedelta(0)) -> TargetRecord:
    return TargetRecord(key, "acme", {}, created_at=NOW - age)


def given_to(*offers: dict[str, int], taken: tuple[str, ...] = ()) -> dict[int, str]:
    """Intent → record, where each intent is offered records (name → doubt)."""
    candidates = [[Candidate(made(name), doubt) for name, doubt in offer.items()] for offer in offers]
    found = shared_out([create(number) for number in range(len(offers))], candidates, set(taken), apart=APART)
    return {number: record.key for number, record in found.items()}


def test_a_record_goes_to_the_create_it_fits_best_not_to_the_first_that_asks() -> None:
    assert given_to({"x": 3}, {"x": 1}) == {1: "x"}
    assert given_to({"x": 1, "y": 1}, {"x": 1, "y": 1}) == {0: "x", 1: "y"}


def test_of_equal_ones_the_create_with_least_choice_is_served_first() -> None:
    assert given_to({"x": 1, "y": 1}, {"x": 1}) == {0: "y", 1: "x"}


def test_what_is_linked_or_older_than_the_create_is_nobody_s() -> None:
    assert given_to({"x": 1}, taken=("x",)) == {}
    for age, found in ((timedelta(minutes=9), 1), (timedelta(minutes=11), 0)):
        assert len(shared_out([create(1)], [[Candidate(made("x", age))]], set(), apart=APART)) == found


def test_a_vague_record_counts_only_where_nothing_else_comes_into_question() -> None:
    def found(*offers: dict[str, int]) -> dict[int, str]:
        candidates = [
            [Candidate(made(name), doubt, is_vague=doubt == 3) for name, doubt in one.items()] for one in offers
        ]
        given = shared_out([create(number) for number in range(len(offers))], candidates, set(), apart=APART)
        return {number: record.key for number, record in given.items()}

    assert found({"x": 3}) == {0: "x"}
    assert found({"x": 3, "y": 3}) == {}
    assert found({"x": 3}, {"x": 3}) == {}
    assert found({"x": 3, "y": 3}, {"y": 1, "x": 3}) == {0: "x", 1: "y"}


def update(**written: tuple[str | None, str | None]) -> Intent:
    """An update that sets each field from one value to another."""
    hint = {
        "written": sorted(written),
        "expected": fingerprints({name: after for name, (_, after) in written.items()}, KINDS),
        "changes": [[name, before, after, "source"] for name, (before, after) in written.items()],
        "source": None,
        "target": None,
    }
    return replace(create(1), operation=Operation.UPDATE, target_key="x", hint=hint)


@pytest.mark.parametrize(
    ("now", "happened"),
    [
        ({"title": "new", "body": "new"}, True),
        ({"title": "old", "body": "old"}, False),
        ({"title": "new", "body": "edited since"}, True),
        ({"title": "new", "body": "old"}, False),  # a person has set the title alike
        ({"title": "edited since", "body": "edited since"}, False),
        ({"title": "new"}, False),  # the body is not shown
    ],
)
def test_an_update_has_happened_when_what_nobody_edited_since_is_as_written(
    now: dict[str, str], happened: bool
) -> None:
    intent = update(title=("old", "new"), body=("old", "new"))
    assert has_updated(intent, TargetRecord("x", "acme", now), kinds=KINDS) is happened


def test_a_field_that_held_the_value_before_proves_no_update() -> None:
    intent = update(title=("same", "same"), body=("old", "new"))
    shown = TargetRecord("x", "acme", {"title": "same", "body": "edited since"})
    assert not has_updated(intent, shown, kinds=KINDS)


def test_what_an_update_should_have_written_and_holds_something_else_is_named() -> None:
    intent = update(title=("old", "new"), body=("old", "new"))
    assert not_standing(intent, TargetRecord("x", "acme", {"title": "new", "body": "theirs"}), kinds=KINDS) == {"body"}
    assert not_standing(create(1), TargetRecord("x", "acme", {"title": "theirs"}), kinds=KINDS) == set()


@pytest.mark.parametrize(
    ("now", "counts_as_edit"),
    [("base", True), ("theirs", False), ("another", False)],  # the last two differ from the base by themselves
)
def test_a_field_set_back_after_a_plan_whose_update_did_not_happen_counts_as_an_edit(
    now: str, counts_as_edit: bool
) -> None:
    """Both sides had agreed on "base"; the plan saw "theirs"."""
    intent = update(title=("theirs", "ours"))
    base = fingerprints({"title": "base"}, KINDS)
    link = Link(Pair(1), LinkSide("s"), LinkSide("x", marks=base))
    kept = not_done(intent, link, TargetRecord("x", "acme", {"title": now}), kinds=KINDS, paths={})
    assert (kept is not None) is counts_as_edit
    assert kept is None or kept.target.marks == {"title": ""}


def test_what_both_sides_agreed_on_beside_an_update_that_did_not_happen_is_kept() -> None:
    """Both had "old" as their body, and hold "new" now; the update was about the title."""
    old, new = (fingerprints({"body": text}, KINDS) for text in ("old", "new"))
    marks = {"Body": new["body"]}
    sides = (LinkSide("s", marks=marks, mapped=new), LinkSide("x", marks=new))
    intent = update(title=("theirs", "ours"))
    hint = {**intent.hint, "source": side_document(sides[0]), "target": side_document(sides[1])}
    intent = replace(intent, hint={**hint, "expected": {**hint["expected"], **new}})
    link = Link(Pair(1), LinkSide("s", marks={"Body": old["body"]}, mapped=old), LinkSide("x", marks=old))
    shown = TargetRecord("x", "acme", {"title": "theirs", "body": "old"})  # set back since
    kept = not_done(intent, link, shown, kinds=KINDS, paths={"body": "Body", "title": "Title"})
    assert kept is not None
    assert (kept.source.marks, kept.source.mapped, kept.target.marks) == (marks, new, new)


@given(OFFERS)
def test_no_record_is_given_twice_and_none_is_left_that_somebody_lacks(offers: list[dict[str, int]]) -> None:
    found = given_to(*offers)
    assert len(set(found.values())) == len(found)
    for number, offer in enumerate(offers):
        if number in found:
            assert found[number] in offer
        else:
            assert offer.keys() <= set(found.values())


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_creates_are_asked_for_does_not_matter(order: tuple[int, ...]) -> None:
    offers = [{"x": 1}, {"x": 2, "y": 2}, {"y": 1, "z": 3}]
    found = given_to(*(offers[number] for number in order))
    assert {order[place]: key for place, key in found.items()} == {0: "x", 2: "y"}
