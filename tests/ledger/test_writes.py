from __future__ import annotations

from dataclasses import replace

import pytest

from cshub.core.errors import LinkMoved, StateError
from cshub.core.records import LinkState, Operation, Outcome, Pair
from cshub.ledger import Ledger
from tests.ledger.cast import JOB, MINUTE, NOW, at_work, begin, entry_of, link_of, open_run, parked, reject_of


def test_an_intent_is_open_from_its_commit_until_it_is_confirmed(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    hint = {"account_id": "0011", "content": "ab\ud800c\0d", "timestamp_ms": 1795000000000}
    intent = begin(ledger, fence, pair, hint=hint)
    assert ledger.open_intents(pair) == [intent]
    assert (intent.operation, intent.run_id, intent.begun_at) == (Operation.CREATE, "run-1", NOW)
    assert intent.hint == hint | {"content": "ab�c␀d"}
    assert ledger.open_intents(Pair(pair.number + 1)) == []

    link = link_of(pair)
    stored = ledger.confirm(fence, intent.id, link=link, decision=entry_of(target_key="note-m1"), now=NOW)
    assert stored.number > 0
    assert stored == replace(link, number=stored.number, version=1, run_id="run-1")
    assert ledger.links(pair, ["m1"]) == {"m1": stored}
    assert ledger.open_intents(pair) == []
    assert ledger.outcomes("run-1") == {"m1": Outcome.CREATED}


def test_a_confirmed_or_abandoned_write_is_not_settled_twice(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    intent = begin(ledger, fence, pair)
    ledger.abandon(fence, intent.id, reason="refused", now=NOW)
    with pytest.raises(StateError, match="not open"):
        ledger.confirm(fence, intent.id, link=link_of(pair), decision=entry_of(), now=NOW)
    with pytest.raises(StateError, match="not open"):
        ledger.abandon(fence, intent.id, reason="refused", now=NOW)
    assert ledger.links(pair, ["m1"]) == {}
    assert begin(ledger, fence, pair).id > intent.id


def test_a_second_write_of_a_record_waits_for_the_first_to_be_settled(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    begin(ledger, fence, pair)
    open_run(ledger, "run-2")
    with pytest.raises(LinkMoved, match="began in run 'run-1' and is not settled"):
        begin(ledger, fence, pair, run_id="run-2")
    begin(ledger, fence, pair, "m2")


def test_a_create_demands_that_nothing_is_linked_yet(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    links = [link_of(pair, "linked"), parked(pair, "parked")]
    ledger.record(fence, "run-1", links=links, decisions=[], now=NOW)
    with pytest.raises(LinkMoved, match="already linked to the target record 'note-linked'"):
        begin(ledger, fence, pair, "linked")
    begin(ledger, fence, pair, "parked")
    begin(ledger, fence, pair, "new")


@pytest.mark.parametrize(("key", "expected", "now"), [("linked", 2, "at version 1"), ("none", 1, "gone")])
def test_an_update_demands_the_version_it_was_planned_on(ledger: Ledger, key: str, expected: int, now: str) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[link_of(pair, "linked")], decisions=[], now=NOW)
    with pytest.raises(LinkMoved, match=now):
        begin(ledger, fence, pair, key, operation=Operation.UPDATE, expected_version=expected)
    assert ledger.open_intents(pair) == []
    begin(ledger, fence, pair, "linked", operation=Operation.UPDATE, expected_version=1, target_key="note-linked")


def test_a_write_of_a_run_that_was_never_opened_does_not_begin(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    with pytest.raises(StateError, match="open the run before"):
        begin(ledger, fence, pair, run_id="unknown")


def test_a_confirmation_that_does_not_fit_leaves_the_intent_open(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[link_of(pair, "other")], decisions=[], now=NOW)
    intent = begin(ledger, fence, pair)
    with pytest.raises(StateError, match="about 'm1', not 'm2'"):
        ledger.confirm(fence, intent.id, link=link_of(pair, "m2"), decision=entry_of("m2"), now=NOW)
    with pytest.raises(LinkMoved):
        ledger.confirm(fence, intent.id, link=link_of(pair, version=4), decision=entry_of(), now=NOW)
    with pytest.raises(LinkMoved, match="already linked"):
        ledger.confirm(fence, intent.id, link=link_of(pair, target={"key": "note-other"}), decision=entry_of(), now=NOW)
    assert ledger.open_intents(pair) == [intent]
    assert ledger.outcomes("run-1") == {}


def test_what_became_of_a_write_is_told_of_the_run_that_began_it_whoever_settles_it(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    intent = begin(ledger, fence, pair)
    _, later = at_work(ledger, "run-1")
    ledger.release(later)
    _, later = at_work(ledger, "run-2")
    stored = ledger.confirm(later, intent.id, link=link_of(pair), decision=entry_of(), now=NOW)
    assert stored.run_id == "run-2"
    assert ledger.outcomes("run-1") == {"m1": Outcome.CREATED}
    assert ledger.outcomes("run-2") == {}


def test_an_abandoned_write_may_leave_a_failed_link_a_decision_and_a_reject(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    intent = begin(ledger, fence, pair)
    failed = parked(pair, "m1", state=LinkState.FAILED)
    refusal = reject_of(step="load", reason="refused")
    entry = entry_of(outcome=Outcome.FAILED, answer="400: subject missing")
    ledger.abandon(fence, intent.id, reason="refused", decision=entry, link=failed, reject=refusal, now=NOW)
    assert ledger.links(pair, ["m1"])["m1"].state is LinkState.FAILED
    assert [row.reason for row in ledger.rejects(JOB)] == ["refused"]
    assert ledger.decisions(pair, "m1")[0].answer == "400: subject missing"
    assert ledger.open_intents(pair) == []


def test_a_success_settles_the_reject_of_its_row(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[], decisions=[], rejects=[reject_of("m1"), reject_of("m2")], now=NOW)
    open_run(ledger, "run-2")
    again = ledger.acquire_lock(JOB, holder="w", run_id="run-2", now=NOW + 9 * MINUTE, ttl=MINUTE)
    intent = begin(ledger, again, pair, run_id="run-2")
    ledger.confirm(again, intent.id, link=link_of(pair), decision=entry_of(), now=NOW + 9 * MINUTE)
    assert [row.source_key for row in ledger.rejects(JOB)] == ["m2"]
    settled = next(row for row in ledger.rejects(JOB, only_open=False) if row.source_key == "m1")
    assert (settled.resolved_run_id, settled.resolved_at) == ("run-2", NOW + 9 * MINUTE)
