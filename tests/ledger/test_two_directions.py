"""Links and writes that jobs of opposite direction share."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cshub.core.errors import IdentityChanged, LinkMoved
from cshub.core.records import Link, LinkSide, LinkState, Operation, Outcome, Pair, RunKind
from cshub.core.window import Window
from cshub.ledger import Fence, Ledger
from cshub.ledger import links as reading
from cshub.ledger.database import READ_CHUNK
from tests.ledger.cast import (
    JOB,
    MINUTE,
    NOW,
    SOURCE,
    TARGET,
    at_work,
    begin,
    entry_of,
    link_of,
    open_run,
    pair_of,
    parked,
    stored,
)


def record(ledger: Ledger, fence: Fence, *links: Link, run_id: str = "run-1") -> None:
    ledger.record(fence, run_id, links=links, decisions=[], now=NOW)


def both(ledger: Ledger, name: str = JOB) -> tuple[Pair, Pair, Fence]:
    """The pair in both directions, and the fence of a run at work."""
    pair, fence = at_work(ledger, name=name)
    return pair, pair_of(ledger, name, mirrored=True), fence


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        (TARGET, (*SOURCE[:2], "other.example"), "the target chorus engagement of acme.chorus.example"),
        (("chorus", "email", SOURCE[2]), TARGET, "this job's is chorus email of acme.chorus.example. Nothing was read"),
    ],
)
def test_another_org_or_object_on_either_side_is_refused_in_the_words_of_the_job(
    ledger: Ledger, source: tuple[str, str, str], target: tuple[str, str, str], told: str
) -> None:
    pair_of(ledger)
    with pytest.raises(IdentityChanged, match=told):
        ledger.bind_pair(JOB, source=source, target=target, now=NOW)


def test_each_direction_sees_the_same_links_with_its_own_side_as_the_source(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    waiting = {"state": LinkState.EMPTY, "mapped": {"Name": "aa"}}
    made_here, made_there = link_of(pair, "a", target=waiting), link_of(back, "n2", source=waiting)
    record(ledger, fence, made_here, made_there)

    a = ledger.links(pair, ["a"])["a"]
    assert ledger.links(back, ["note-a"]) == {"note-a": a.mirrored()}
    assert ledger.links_by_target(back, ["a"]) == {"a": a.mirrored()}
    assert (a.source, a.target) == (made_here.source, made_here.target)
    there = ledger.links(pair, ["note-n2"])["note-n2"]
    assert (there.pair, there.source, there.target) == (pair, made_there.target, made_there.source)
    assert ledger.links(back, ["a", "note-n2"]) == ledger.links(pair, ["note-a", "n2"]) == {}


def test_states_are_those_of_the_side_that_the_caller_reads(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    deleted = link_of(pair, "a", source={"state": LinkState.DELETED}, target={"state": LinkState.EMPTY})
    record(ledger, fence, deleted, parked(pair, "p"), parked(back, "q", first_seen_at=NOW - MINUTE))

    def keys(seen: Pair, *states: LinkState, since: timedelta | None = None) -> list[str]:
        seen_since = None if since is None else NOW - since
        return [item.source_key for item in ledger.links_in_state(seen, states, seen_since=seen_since)]

    assert keys(pair, *LinkState) == ["a", "p"]
    assert keys(back, *LinkState) == ["note-a", "q"]
    assert (keys(pair, LinkState.DELETED), keys(back, LinkState.DELETED)) == (["a"], [])
    assert (keys(back, LinkState.EMPTY), keys(back, LinkState.PARKED, since=timedelta())) == (["note-a"], [])
    assert ledger.count_links(pair) == {LinkState.DELETED: 1, LinkState.PARKED: 1}
    assert ledger.count_links(back) == {LinkState.EMPTY: 1, LinkState.PARKED: 1}


def test_a_waiting_record_of_the_other_direction_is_found_by_target_and_has_no_source_key(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    record(ledger, fence, parked(back, "q"))
    (found,) = ledger.links_by_target(pair, ["q"]).values()
    assert (found.source, found.target.state, found.is_linked) == (LinkSide(), LinkState.PARKED, False)
    assert stored(ledger, parked(back, "q")) == found.mirrored()


def test_all_linked_ones_are_given_in_order_page_by_page(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)
    pair, back, fence = both(ledger)
    other = open_run(ledger, "run-2", job_id="other", pair="other")
    keys = ["k3", "k1", "k5", "k2", "k4"]
    record(ledger, fence, *(link_of(pair, key) for key in keys), parked(pair, "k0"), parked(back, "k9"))
    record(ledger, fence, link_of(other, "k6"), run_id="run-2")
    assert [link.source_key for link in ledger.linked(pair)] == sorted(keys)
    assert [link.mirrored() for link in ledger.linked(back)] == list(ledger.linked(pair))
    assert list(ledger.linked(Pair(99))) == []

    going = ledger.linked(pair)
    first = next(going)
    record(ledger, fence, stored(ledger, link_of(pair, "k5")).having(source={"state": LinkState.DELETED}))
    rest = list(going)
    assert [link.source_key for link in (first, *rest)] == sorted(keys)
    assert rest[-1].state is LinkState.DELETED


def test_links_are_found_by_their_date_in_its_order(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 2)
    pair, back, fence = both(ledger)

    def dated(key: str, minutes: int, state: LinkState = LinkState.IN_STEP) -> Link:
        return link_of(pair, key, dated_at=NOW + minutes * MINUTE, source={"state": state})

    record(
        ledger,
        fence,
        dated("before", -1),
        dated("late", 8),
        dated("twin-1", 5),
        dated("twin-2", 5),
        dated("twin-3", 5),
        dated("start", 0),
        dated("end", 10),
        dated("empty", 6, LinkState.EMPTY),
        dated("deleted", 6, LinkState.DELETED),
        dated("gone", 7, LinkState.GONE),
        link_of(pair, "undated", dated_at=None),
        parked(pair, "lone", dated_at=NOW),
    )
    window = Window(NOW, NOW + 10 * MINUTE)
    found = [link.source_key for link in ledger.links_dated(pair, window)]
    assert found == ["start", "twin-1", "twin-2", "twin-3", "empty", "late"]
    from_behind = {link.target_key for link in ledger.links_dated(back, window)}
    assert from_behind == {*found, "deleted", "gone"}
    assert list(ledger.links_dated(pair, Window(NOW + 11 * MINUTE, NOW + 12 * MINUTE))) == []


def test_a_link_that_gains_its_second_key_takes_in_what_the_other_direction_had_parked(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    seen = NOW - timedelta(days=9)
    there = parked(back, "n1", first_seen_at=seen).having(source={"mapped": {"Name": "aa"}, "mapping_version": "w1"})
    record(ledger, fence, there, parked(pair, "m1", first_seen_at=None))
    linked = stored(ledger, parked(pair, "m1")).having(source={"state": LinkState.IN_STEP}, target={"key": "n1"})
    record(ledger, fence, linked)

    found = stored(ledger, linked)
    assert (found.number, found.version, found.target_key) == (linked.number, 2, "n1")
    assert (found.first_seen_at, found.target.state) == (seen, LinkState.IN_STEP)
    assert (found.target.mapped, found.target.mapping_version) == ({"Name": "aa"}, "w1")
    assert ledger.links(back, ["n1"]) == {"n1": found.mirrored()}
    assert ledger.count_links(back) == {LinkState.IN_STEP: 1}


def test_what_a_link_already_knows_is_not_replaced_by_what_it_takes_in(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    there = parked(back, "n1", first_seen_at=NOW - MINUTE).having(source={"mapped": {"Name": "aa"}})
    record(ledger, fence, there, parked(pair, "m1"))
    known = {"key": "n1", "mapped": {"Name": "bb"}, "mapping_version": "w2"}
    record(ledger, fence, stored(ledger, parked(pair, "m1")).having(target=known))
    found = stored(ledger, parked(pair, "m1"))
    assert (found.first_seen_at, found.target.mapped) == (NOW, {"Name": "bb"})


def test_a_record_that_is_linked_to_another_is_not_taken_in(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    record(ledger, fence, link_of(back, "n1"), parked(pair, "m1"))
    before = stored(ledger, parked(pair, "m1"))
    with pytest.raises(LinkMoved, match="m1 → n1"):
        record(ledger, fence, before.having(target={"key": "n1"}))
    assert stored(ledger, before) == before
    assert ledger.links(back, ["n1"])["n1"].target_key == "note-n1"


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_new_link_of_a_record_that_has_one_in_the_other_direction_is_refused(ledger: Ledger, mirrored: bool) -> None:
    pair, back, fence = both(ledger)
    record(ledger, fence, parked(back, "n1"))
    new = link_of(pair, "m1", target={"key": "n1"})
    with pytest.raises(LinkMoved):
        record(ledger, fence, new.mirrored() if mirrored else new)
    assert ledger.links(pair, ["m1"]) == {}


def test_a_link_planned_in_one_direction_is_refused_after_the_other_has_changed_it(ledger: Ledger) -> None:
    pair, back, fence = both(ledger)
    record(ledger, fence, link_of(pair, "m1"))
    planned = stored(ledger, link_of(pair, "m1"))
    record(ledger, fence, planned.mirrored().having(source={"state": LinkState.FAILED}))
    with pytest.raises(LinkMoved, match="m1 \\(planned at version 1, now 2\\)"):
        record(ledger, fence, planned)
    assert ledger.links(back, ["note-m1"])["note-m1"].version == 2


@pytest.mark.parametrize(
    ("key", "target_key", "refused"),
    [("n1", "m1", True), ("n1", None, True), ("n2", "m1", True), ("n2", "m2", False), ("m1", "n1", False)],
)
def test_a_record_in_an_open_write_of_one_direction_is_not_written_by_the_other(
    ledger: Ledger, key: str, target_key: str | None, refused: bool
) -> None:
    pair, back, fence = both(ledger)
    first = begin(ledger, fence, pair, "m1", target_key="n1", operation=Operation.UPDATE)
    if refused:
        with pytest.raises(LinkMoved, match="A update of 'm1' began in run 'run-1' and is not settled"):
            begin(ledger, fence, back, key, target_key=target_key, operation=Operation.UPDATE)
        assert ledger.open_intents(back) == [first]
    else:
        second = begin(ledger, fence, back, key, target_key=target_key, operation=Operation.UPDATE)
        assert (first.pair, second.pair) == (pair, back)
        assert ledger.open_intents(pair) == ledger.open_intents(back) == [first, second]


TASKS, SERVICE = ("salesforce", "Task", "00D1"), ("totango", "task", "service-17")


def create(ledger: Ledger, pair: Pair, key: str, made: str, *, rule: str = "new", **more: Any) -> None:
    """A run of ``pair`` makes ``made`` of ``key``; with an ``outcome`` it does something else."""
    run_id = f"run-{pair.number}-{pair.mirrored}-{key}-{rule}"
    ledger.open_run(
        run_id, job_id=f"job-{pair.number}", pair=pair, kind=RunKind.MANUAL, window=None, job_digest="d", now=NOW
    )
    fence = ledger.acquire_lock("pair", holder="w", run_id=run_id, now=NOW, ttl=MINUTE)
    link = ledger.links(pair, [key]).get(key) or link_of(pair, key, target={"key": made})
    entry = replace(entry_of(key, target_key=made), rule=rule, **more)
    ledger.record(fence, run_id, links=[link.having(target={"key": made})], decisions=[entry], now=NOW)
    ledger.release(fence)


def test_records_that_another_pair_has_made_are_told_apart_from_those_it_only_found(ledger: Ledger) -> None:
    into = ledger.bind_pair("into", source=("chorus", "engagement", "acme"), target=TASKS, now=NOW)
    out = ledger.bind_pair("out", source=TASKS, target=SERVICE, now=NOW)
    elsewhere = ledger.bind_pair("elsewhere", source=SOURCE, target=(*TASKS[:2], "00D2"), now=NOW)
    create(ledger, into, "m1", "made")
    create(ledger, into, "m2", "found", rule="adopted", outcome=Outcome.UPDATED)
    create(ledger, elsewhere, "m1", "other")
    create(ledger, out, "own", "t1")

    asked = ["made", "found", "other", "own", "unknown"]
    assert ledger.made_elsewhere(out, asked) == {"made"}
    assert ledger.made_elsewhere(out, []) == set()
    assert ledger.made_elsewhere(into, ["m1"]) == set()
    assert ledger.made_elsewhere(Pair(out.number, mirrored=True), ["t1"]) == set()


@pytest.mark.parametrize("mirrored", [False, True])
def test_of_two_linked_records_only_the_one_that_the_hub_made_counts_as_made(ledger: Ledger, mirrored: bool) -> None:
    sides = (SERVICE, TASKS) if mirrored else (TASKS, SERVICE)
    both_ways = ledger.bind_pair("tasks", source=sides[0], target=sides[1], now=NOW)
    outbound = Pair(both_ways.number, mirrored=not mirrored)
    actions = ledger.bind_pair("actions", source=SERVICE, target=("salesforce", "Action__c", "00D1"), now=NOW)
    visits = ledger.bind_pair("visits", source=TASKS, target=("salesforce", "Visit__c", "00D1"), now=NOW)
    create(ledger, outbound, "55015", "00T-twin")
    create(ledger, Pair(both_ways.number, mirrored), "00T-person", "55016")

    assert ledger.made_elsewhere(actions, ["55015", "55016"]) == {"55016"}
    assert ledger.made_elsewhere(visits, ["00T-twin", "00T-person"]) == {"00T-twin"}


def test_what_an_undo_made_again_counts_as_made(ledger: Ledger) -> None:
    into = ledger.bind_pair("into", source=("chorus", "engagement", "acme"), target=TASKS, now=NOW)
    out = ledger.bind_pair("out", source=TASKS, target=SERVICE, now=NOW)
    create(ledger, into, "m1", "first", rule="adopted", outcome=Outcome.UNCHANGED)
    create(ledger, into, "m1", "again", rule="undone")
    assert ledger.made_elsewhere(out, ["first", "again"]) == {"again"}


def test_many_keys_are_told_apart_at_once(ledger: Ledger) -> None:
    into = ledger.bind_pair("into", source=("chorus", "engagement", "acme"), target=TASKS, now=NOW)
    out = ledger.bind_pair("out", source=TASKS, target=SERVICE, now=NOW)
    create(ledger, into, "m1", "made")
    assert ledger.made_elsewhere(out, [*map(str, range(READ_CHUNK)), "made"]) == {"made"}
