from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import LinkMoved, StateError
from cshub.core.records import Link, LinkState, Outcome
from cshub.ledger import Fence, Ledger
from cshub.ledger.shapes import Shape, pack, pack_target, unpack, unpack_target
from tests.ledger.cast import MINUTE, NOW, at_work, entry_of, link_of, open_run, parked

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
BASES = st.dictionaries(TEXTS, TEXTS | st.integers(0, 2**64 - 1).map("{:016x}".format), max_size=6)
HEX_BASES = st.dictionaries(TEXTS, st.integers(0, 2**64 - 1).map("{:016x}".format), max_size=9)


def record(ledger: Ledger, fence: Fence, links: list[Link], run_id: str = "run-1") -> None:
    ledger.record(fence, run_id, links=links, decisions=[], now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"target_base": None},
        {"target_base": {}},
        {"target_base": {"subject": "00112233445566aa", "content": "ffeeddccbbaa9988"}},
        {"target_base": {"other": "x"}},
        {"source_base": {}, "target_base": {}, "target_extra": {}, "target_account_id": None},
        {"source_base": {"a": "", "b": ""}, "target_base": {"a": "ABCD"}},
        {"source_base": {"a": "not hex", "ü": "☃"}, "mapping_version": ""},
        {"target_key": None, "state": LinkState.PARKED, "source_modified_at": None, "written_at": None},
    ],
)
def test_a_link_comes_back_as_it_was_given(ledger: Ledger, change: dict[str, Any]) -> None:
    pair, fence = at_work(ledger)
    given_link = link_of(pair, **change)
    record(ledger, fence, [given_link])
    assert ledger.links(pair, ["m1"]) == {"m1": replace(given_link, version=1, run_id="run-1")}


@given(st.one_of(BASES, HEX_BASES), st.one_of(st.none(), BASES, HEX_BASES, st.just("same")))
def test_packed_fingerprints_lose_nothing(source: dict[str, str], target: dict[str, str] | str | None) -> None:
    target_base = source if isinstance(target, str) else target
    link = link_of(1, source_base=source, target_base=target_base)
    shape = Shape.of(link)
    back = unpack(pack(source, shape.source), shape.source)
    assert back == source
    assert unpack_target(pack_target(link, shape), shape, back) == target_base


def test_sixteen_hex_digits_take_eight_bytes_and_an_equal_target_none() -> None:
    base = {f"attribute_{number}": f"{number:016x}" for number in range(8)}
    link = link_of(1, source_base=base, target_base=dict(base))
    assert len(pack(base, Shape.of(link).source)) == 8 * 8 + 1
    assert pack_target(link, Shape.of(link)) == b""


def test_moments_of_any_zone_come_back_in_utc(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    record(ledger, fence, [link_of(pair, source_modified_at=tokyo)])
    found = ledger.links(pair, ["m1"])["m1"].source_modified_at
    assert found == NOW and found.utcoffset() == timedelta(0)


def test_links_are_found_by_either_key_within_their_pair(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    other_id = open_run(ledger, "run-2", job_id="other", pair="other")
    record(ledger, fence, [link_of(pair, "a"), link_of(pair, "b"), parked(pair, "c")])
    record(ledger, fence, [link_of(other_id, "a")], "run-2")
    assert set(ledger.links(pair, ["a", "c", "unknown", "a"])) == {"a", "c"}
    assert ledger.links(pair, []) == {}
    assert {key: item.source_key for key, item in ledger.links_by_target(pair, ["note-b", "x"]).items()} == {
        "note-b": "b"
    }
    assert ledger.links(other_id, ["a"])["a"].pair == other_id


def test_links_are_found_and_counted_by_state(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    old = parked(pair, "old", first_seen_at=NOW - 9 * MINUTE)
    given_links = [link_of(pair, "a"), link_of(pair, "e", state=LinkState.EMPTY), parked(pair, "p"), old]
    record(ledger, fence, given_links)

    def keys(*states: LinkState, **more: object) -> list[str]:
        return [item.source_key for item in ledger.links_in_state(pair, states, **more)]  # type: ignore[arg-type]

    assert keys(LinkState.PARKED, LinkState.EMPTY) == ["e", "old", "p"]
    assert keys(LinkState.PARKED, seen_since=NOW - MINUTE) == ["p"]
    assert keys(LinkState.IN_STEP) == ["a"]
    assert keys(*LinkState) == ["a", "e", "old", "p"]
    assert keys() == []
    assert ledger.count_links(pair) == {LinkState.IN_STEP: 1, LinkState.EMPTY: 1, LinkState.PARKED: 2}
    assert ledger.count_links(99) == {}


def test_a_link_changed_since_the_plan_refuses_the_whole_batch(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    record(ledger, fence, [link_of(pair, "a"), link_of(pair, "b")])
    a = ledger.links(pair, ["a"])["a"]
    record(ledger, fence, [replace(a, state=LinkState.FAILED)])
    with pytest.raises(LinkMoved, match="a \\(planned at version 1, now 2\\)"):
        record(ledger, fence, [link_of(pair, "c"), replace(a, state=LinkState.EMPTY)])
    assert set(ledger.links(pair, ["a", "b", "c"])) == {"a", "b"}
    assert ledger.links(pair, ["a"])["a"].state is LinkState.FAILED


@pytest.mark.parametrize("version", [1, 7])
def test_a_link_that_is_not_there_cannot_be_changed(ledger: Ledger, version: int) -> None:
    pair, fence = at_work(ledger)
    with pytest.raises(LinkMoved, match="now 0"):
        record(ledger, fence, [link_of(pair, version=version)])


def test_a_link_that_is_there_cannot_be_made_again(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    record(ledger, fence, [link_of(pair)])
    with pytest.raises(LinkMoved, match="planned at version 0, now 1"):
        record(ledger, fence, [link_of(pair)])


def test_one_target_record_belongs_to_one_source_record(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    record(ledger, fence, [link_of(pair, "a", target_key="note-1")])
    with pytest.raises(LinkMoved, match="b → note-1"):
        record(ledger, fence, [link_of(pair, "b", target_key="note-1")])
    assert set(ledger.links(pair, ["a", "b"])) == {"a"}


def test_a_batch_names_each_link_once_and_stays_in_the_pair_of_its_run(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    with pytest.raises(ValueError, match="once"):
        record(ledger, fence, [parked(pair, "a"), parked(pair, "a")])
    with pytest.raises(StateError, match="another pair"):
        record(ledger, fence, [parked(Pair(pair.number + 1), "a")])


def test_nothing_is_recorded_for_a_run_that_was_never_opened(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    with pytest.raises(StateError, match="knows no run"):
        ledger.record(fence, "none", links=[parked(pair, "a")], decisions=[entry_of("a", Outcome.PARKED)], now=NOW)
    assert ledger.links(pair, ["a"]) == {}


def spent(work: Callable[[], object]) -> float:
    """Seconds of processor time, as they would be on a machine that adds ten million numbers in 0.2 s.

    Neighbours that compete for caches slow ``work`` more than the sum: hence the slack where this is compared.
    """
    begun = time.process_time()
    for _ in range(100):
        sum(range(100_000))
    measured = time.process_time()
    work()
    return (time.process_time() - measured) * 0.2 / (measured - begun)


def test_storing_ten_thousand_links_and_reading_a_hundred_thousand_take_seconds(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    base = {f"attribute_{number}": f"{number:016x}" for number in range(8)}
    keys = [f"{number:05}" for number in range(20_000)]
    links = [link_of(pair, key, source_base=base, target_base=base) for key in keys]
    record(ledger, fence, links[:10])
    stored_s = [spent(partial(record, ledger, fence, links[part : part + 5_000])) for part in range(10, 15_010, 5_000)]
    read_s = [spent(partial(ledger.links, pair, keys[:10_000])) for _ in range(3)]
    slack = 1.5
    assert min(stored_s) * 2 < 2 * slack
    assert min(read_s) * 10 < 3 * slack
