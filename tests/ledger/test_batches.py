"""Writes that go out together: begun in one transaction, and settled in one."""

from __future__ import annotations

import pytest

from cshub.core.errors import FencedOut, LinkMoved, StateError
from cshub.core.records import Intent, LinkState, Operation, Outcome, Pair
from cshub.ledger import Closing, Ledger
from tests.ledger.cast import JOB, MINUTE, NOW, at_work, entry_of, link_of, parked, reject_of, request_of, takes_over


def begun(answer: Intent | LinkMoved) -> Intent:
    assert isinstance(answer, Intent)
    return answer


def test_each_write_of_a_batch_begins_or_is_told_why_not(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    links = [link_of(pair, "linked"), link_of(pair, "changed")]
    ledger.record(fence, "run-1", links=links, decisions=[], now=NOW)
    update = {"operation": Operation.UPDATE, "expected_version": 1}
    requests = [
        request_of(pair, "new"),
        request_of(pair, "linked"),
        request_of(pair, "linked", target_key="note-linked", **update),
        request_of(pair, "changed", target_key="note-changed", **(update | {"expected_version": 2})),
        request_of(pair, "new"),
        request_of(Pair(pair.number, mirrored=True), "note-linked"),
    ]
    answers = ledger.begin_many(fence, requests, run_id="run-1", now=NOW)
    told = [str(answer) if isinstance(answer, LinkMoved) else answer.source_key for answer in answers]
    assert (told[0], told[2]) == ("new", "linked")
    for place, part in (
        (1, "already linked to the target record 'note-linked'"),
        (3, "planned at version 2 and is at version 1"),
        (4, "A create of 'new' began in run 'run-1'"),
        (5, "already linked to the target record 'linked'"),
    ):
        assert part in told[place]
    assert ledger.open_intents(pair) == [answers[0], answers[2]]
    assert ledger.begin_many(fence, [], run_id="run-1", now=NOW) == []


def test_an_old_fence_begins_none_and_settles_none(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    (intent,) = ledger.begin_many(fence, [request_of(pair, "a")], run_id="run-1", now=NOW)
    ledger.release(fence)
    with pytest.raises(FencedOut):
        ledger.begin_many(fence, [request_of(pair, "b")], run_id="run-1", now=NOW)
    with pytest.raises(FencedOut):
        ledger.settle_many(fence, [Closing(begun(intent).id, False, reason="no")], now=NOW)
    assert ledger.open_intents(pair) == [intent]


def test_a_batch_settles_what_happened_and_what_did_not_together(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[], decisions=[], rejects=[reject_of("a"), reject_of("b")], now=NOW)
    requests = [request_of(pair, key) for key in "abc"]
    a, b, c = map(begun, ledger.begin_many(fence, requests, run_id="run-1", now=NOW))
    closings = [
        Closing(a.id, True, link_of(pair, "a"), entry_of("a", target_key="note-a")),
        Closing(
            b.id,
            False,
            parked(pair, "b", state=LinkState.FAILED),
            entry_of("b", Outcome.FAILED, answer="400"),
            reject_of("b", step="load", reason="refused"),
            "refused",
        ),
        Closing(c.id, False, reason="nothing was sent"),
    ]
    first, second = ledger.settle_many(fence, closings, now=NOW + MINUTE / 2)
    assert ledger.links(pair, list("abc")) == {"a": first, "b": second}
    assert (first.version, first.run_id, second.state) == (1, "run-1", LinkState.FAILED)
    assert ledger.open_intents(pair) == []
    assert ledger.outcomes("run-1") == {"a": Outcome.CREATED, "b": Outcome.FAILED}
    assert [(row.source_key, row.reason) for row in ledger.rejects(JOB)] == [("b", "refused")]
    assert ledger.settle_many(fence, [], now=NOW) == []


def test_confirmed_writes_come_back_as_stored_in_their_order(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[parked(pair, "old")], decisions=[], now=NOW)
    old = ledger.links(pair, ["old"])["old"].having(target={"key": "note-old"})
    intents = ledger.begin_many(fence, [request_of(pair, key) for key in ("z", "old", "a")], run_id="run-1", now=NOW)
    links = [link_of(pair, "z"), old, link_of(pair, "a")]
    confirmed = [
        (begun(intent).id, link, entry_of(link.source_key)) for intent, link in zip(intents, links, strict=True)
    ]
    stored = ledger.confirm_many(fence, confirmed, now=NOW)
    assert [(link.source_key, link.version) for link in stored] == [("z", 1), ("old", 2), ("a", 1)]
    assert {link.source_key: link for link in stored} == ledger.links(pair, ["z", "old", "a"])
    assert [row.source_key for row in ledger.decisions_of_run("run-1")] == ["z", "old", "a"]


@pytest.mark.parametrize("fault", ["moved", "closed", "twice", "foreign"])
def test_one_write_that_cannot_be_settled_leaves_all_of_the_batch_open(ledger: Ledger, fault: str) -> None:
    pair, fence = at_work(ledger)
    requests = [request_of(pair, key) for key in "ab"]
    a, b = map(begun, ledger.begin_many(fence, requests, run_id="run-1", now=NOW))
    good = Closing(a.id, True, link_of(pair, "a"), entry_of("a"))
    bad = {
        "moved": Closing(b.id, True, link_of(pair, "b", version=3), entry_of("b")),
        "closed": Closing(b.id + 1, False, reason="was never begun"),
        "twice": Closing(a.id, False, reason="the same once more"),
        "foreign": Closing(b.id, True, link_of(pair, "c"), entry_of("b")),
    }[fault]
    with pytest.raises(LinkMoved if fault == "moved" else StateError):
        ledger.settle_many(fence, [good, bad], now=NOW)
    assert ledger.open_intents(pair) == [a, b]
    assert ledger.links(pair, list("abc")) == {}
    assert ledger.outcomes("run-1") == {}


@pytest.mark.parametrize("seen_from_the_settling_side", [False, True])
def test_a_run_of_the_other_direction_settles_a_write_in_the_direction_it_began(
    ledger: Ledger, seen_from_the_settling_side: bool
) -> None:
    pair, fence = at_work(ledger)
    requests = [request_of(pair, key) for key in ("m1", "m2")]
    happened, refused = map(begun, ledger.begin_many(fence, requests, run_id="run-1", now=NOW))
    back, later = takes_over(ledger, "back-1", job_id="back", mirrored=True)
    made = link_of(pair, "m1")
    closings = [
        Closing(happened.id, True, made.mirrored() if seen_from_the_settling_side else made, entry_of("m1")),
        Closing(refused.id, False, reject=reject_of("m2"), reason="refused"),
    ]
    (stored,) = ledger.settle_many(later, closings, now=NOW + 60 * MINUTE)
    assert stored.run_id == "back-1"
    assert ledger.links(pair, ["m1"])["m1"].target_key == "note-m1"
    assert [(row.pair, row.job_id, row.source_key) for row in ledger.decisions(pair, "m1")] == [(pair, JOB, "m1")]
    assert ledger.outcomes("run-1") == {"m1": Outcome.CREATED}
    assert ledger.outcomes("back-1") == {}
    assert [(row.pair, row.source_key, row.last_run_id) for row in ledger.rejects(JOB)] == [(pair, "m2", "back-1")]
    assert ledger.rejects("back") == []
    assert ledger.open_intents(back) == []
