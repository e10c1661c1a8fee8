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
from cshub.core.records import Link, LinkState, Outcome, Pair
from cshub.ledger import Fence, Ledger
from cshub.ledger.shapes import pack, pack_marks, unpack, unpack_marks
from tests.ledger.cast import MINUTE, NOW, at_work, entry_of, link_of, open_run, parked, stored

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
BASES = st.dictionaries(TEXTS, TEXTS | st.integers(0, 2**64 - 1).map("{:016x}".format), max_size=6)
BASE = {"subject": "00112233445566aa", "content": "ffeeddccbbaa9988"}
OTHER = {"Name": "0123456789abcdef", "Description__c": "fedcba9876543210", "OwnerId": "1111111111111111"}
HEX_BASES = st.dictionaries(TEXTS, st.integers(0, 2**64 - 1).map("{:016x}".format), max_size=9)


def record(ledger: Ledger, fence: Fence, links: list[Link], run_id: str = "run-1") -> None:
    ledger.record(fence, run_id, links=links, decisions=[], now=NOW)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("source", "target", "more"),
    [
        ({}, {}, {}),
        ({}, {"marks": None}, {}),
        ({}, {"marks": {}}, {}),
        ({}, {"marks": BASE}, {}),
        ({}, {"marks": {"other": "x"}}, {}),
        ({"mapped": {}}, {"marks": {}, "extra": {}, "account_id": None}, {"dated_at": None}),
        ({"mapped": {"a": "", "b": ""}}, {"marks": {"a": "ABCD"}}, {"created_at": None}),
        ({"mapped": {"a": "not hex", "ü": "☃"}, "mapping_version": ""}, {}, {}),
        ({"state": LinkState.PARKED, "modified_at": None}, {"key": None}, {"written_at": None}),
        ({"account_id": "0011", "extra": {"event_id": "e"}}, {"edited_at": NOW, "state": LinkState.GONE}, {}),
        ({"account_id": ""}, {"account_id": ""}, {}),
        ({"account_id": ""}, {"account_id": None}, {}),
        ({"marks": BASE, "mapped": OTHER, "edited_at": NOW}, {"marks": OTHER, "mapped": BASE}, {}),
        ({"marks": {}, "mapped": {}}, {"mapped": OTHER, "mapping_version": "w9"}, {"first_seen_at": None}),
    ],
)
def test_a_link_comes_back_as_it_was_given(
    ledger: Ledger, mirrored: bool, source: dict[str, Any], target: dict[str, Any], more: dict[str, Any]
) -> None:
    pair, fence = at_work(ledger)
    given_link = link_of(Pair(pair.number, mirrored), source=source, target=target, **more)
    record(ledger, fence, [given_link])
    back = stored(ledger, given_link)
    assert back == replace(given_link, number=back.number, version=1, run_id="run-1")
    assert back.number > 0


@given(st.one_of(BASES, HEX_BASES), st.one_of(st.none(), BASES, HEX_BASES, st.just("same")))
def test_packed_fingerprints_lose_nothing(mapped: dict[str, str], given_marks: dict[str, str] | str | None) -> None:
    marks = mapped if isinstance(given_marks, str) else given_marks
    mapped_names, marks_names = tuple(sorted(mapped)), tuple(sorted(marks or ()))
    back = unpack(pack(mapped, mapped_names), mapped_names)
    assert back == mapped
    packed = pack_marks(marks, marks_names, mapped, mapped_names)
    assert unpack_marks(packed, marks_names, back, mapped_names) == marks


def test_sixteen_hex_digits_take_eight_bytes_and_marks_equal_to_what_was_mapped_none() -> None:
    base = {f"attribute_{number}": f"{number:016x}" for number in range(8)}
    names = tuple(base)
    assert len(pack(base, names)) == 8 * 8 + 1
    assert pack_marks(dict(base), names, base, names) == b""


def test_moments_of_any_zone_come_back_in_utc(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    record(ledger, fence, [link_of(pair, source={"modified_at": tokyo})])
    found = ledger.links(pair, ["m1"])["m1"].source.modified_at
    assert found == NOW and found.utcoffset() == timedelta(0)


def test_links_are_found_by_either_key_within_their_pair(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    other = open_run(ledger, "run-2", job_id="other", pair="other")
    record(ledger, fence, [link_of(pair, "a"), link_of(pair, "b"), parked(pair, "c")])
    record(ledger, fence, [link_of(other, "a")], "run-2")
    assert set(ledger.links(pair, ["a", "c", "unknown", "a"])) == {"a", "c"}
    assert ledger.links(pair, []) == {}
    assert {key: item.source_key for key, item in ledger.links_by_target(pair, ["note-b", "x"]).items()} == {
        "note-b": "b"
    }
    assert ledger.links(other, ["a"])["a"].pair == other


def test_links_are_found_and_counted_by_state(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    old = parked(pair, "old", first_seen_at=NOW - 9 * MINUTE)
    given_links = [link_of(pair, "a"), link_of(pair, "e", source={"state": LinkState.EMPTY}), parked(pair, "p"), old]
    record(ledger, fence, given_links)

    def keys(*states: LinkState, **more: object) -> list[str]:
        return [item.source_key for item in ledger.links_in_state(pair, states, **more)]  # type: ignore[arg-type]

    assert keys(LinkState.PARKED, LinkState.EMPTY) == ["e", "old", "p"]
    assert keys(LinkState.PARKED, seen_since=NOW - MINUTE) == ["p"]
    assert keys(LinkState.PARKED, LinkState.EMPTY, linked=True) == ["e"]
    assert keys(LinkState.IN_STEP) == ["a"]
    assert keys(*LinkState) == ["a", "e", "old", "p"]
    assert keys() == []
    assert ledger.count_links(pair) == {LinkState.IN_STEP: 1, LinkState.EMPTY: 1, LinkState.PARKED: 2}
    assert ledger.count_links(Pair(99)) == {}


def test_a_link_changed_since_the_plan_refuses_the_whole_batch(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    record(ledger, fence, [link_of(pair, "a"), link_of(pair, "b")])
    a = ledger.links(pair, ["a"])["a"]
    record(ledger, fence, [a.having(source={"state": LinkState.FAILED})])
    with pytest.raises(LinkMoved, match="a \\(planned at version 1, now 2\\)"):
        record(ledger, fence, [link_of(pair, "c"), a.having(source={"state": LinkState.EMPTY})])
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
    record(ledger, fence, [link_of(pair, "a", target={"key": "note-1"})])
    with pytest.raises(LinkMoved, match="b → note-1"):
        record(ledger, fence, [link_of(pair, "b", target={"key": "note-1"})])
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
    links = [link_of(pair, key, source={"mapped": base}, target={"marks": base}) for key in keys]
    record(ledger, fence, links[:10])
    stored_s = [spent(partial(record, ledger, fence, links[part : part + 5_000])) for part in range(10, 15_010, 5_000)]
    read_s = [spent(partial(ledger.links, pair, keys[:10_000])) for _ in range(3)]
    slack = 1.5
    assert min(stored_s) * 2 < 2 * slack
    assert min(read_s) * 10 < 4 * slack
