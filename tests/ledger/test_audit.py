from __future__ import annotations

from datetime import UTC, date, datetime

from cshub.core.records import Change, LinkState, Outcome, Pair
from cshub.ledger import Ledger
from tests.ledger.cast import JOB, MINUTE, NOW, at_work, entry_of, link_of, parked, reject_of, stored, takes_over


def test_a_record_of_either_side_tells_its_whole_story_oldest_first(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    waits = entry_of(outcome=Outcome.PARKED, reason="account 0011 is not in Totango")
    ledger.record(fence, "run-1", links=[parked(pair, "m1")], decisions=[waits, entry_of("m2")], now=NOW)
    _, fence = takes_over(ledger, "run-2")
    changes = (Change("subject", None, "Kick-off"), Change("content", "a", "b", winner="target"))
    linked = stored(ledger, link_of(pair)).having(target={"key": "note-m1"})
    made = entry_of(target_key="note-m1", changes=changes, answer="200")
    ledger.record(fence, "run-2", links=[linked], decisions=[made], now=NOW + MINUTE)

    by_source, by_target = ledger.decisions(pair, "m1"), ledger.decisions(pair, "note-m1")
    assert by_source == by_target
    assert [(row.run_id, row.at, row.outcome) for row in by_source] == [
        ("run-1", NOW, Outcome.PARKED),
        ("run-2", NOW + MINUTE, Outcome.CREATED),
    ]
    assert by_source[0].reason == "account 0011 is not in Totango"
    assert (by_source[1].changes, by_source[1].answer, by_source[1].rule) == (changes, "200", "new")
    assert ledger.decisions(pair, "unknown") == []
    assert ledger.decisions(Pair(pair.number + 1), "m1") == []


def test_the_story_of_a_record_holds_both_directions_and_tells_jobs_and_directions(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    made = entry_of(target_key="note-m1")
    ledger.record(fence, "run-1", links=[link_of(pair)], decisions=[made, entry_of("m2")], now=NOW)
    mirrored, fence = takes_over(ledger, "back-1", job_id="back", mirrored=True)
    entries = [
        entry_of("note-m1", Outcome.SKIPPED),
        entry_of("note-m2", target_key="m2"),
        entry_of("m1", Outcome.PARKED),
    ]
    ledger.record(fence, "back-1", links=[], decisions=entries, now=NOW)

    told = [(row.job_id, row.pair, row.source_key) for row in ledger.decisions(mirrored, "note-m1")]
    assert told == [(JOB, pair, "m1"), ("back", mirrored, "note-m1")]
    assert [row.source_key for row in ledger.decisions(pair.number, "m2")] == ["m2", "note-m2"]
    assert [row.source_key for row in ledger.decisions(pair, "m1")] == ["m1", "note-m1", "m1"]
    assert set(ledger.outcomes("back-1")) == {"note-m1", "note-m2", "m1"}


def test_records_of_both_sides_with_one_id_are_rejected_and_settled_apart(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    lone = parked(pair, "same", state=LinkState.REJECTED)
    ledger.record(fence, "run-1", links=[lone], decisions=[], rejects=[reject_of("same")], now=NOW)
    mirrored, fence = takes_over(ledger, "back-1", job_id="back", mirrored=True)
    ledger.record(fence, "back-1", links=[], decisions=[], rejects=[reject_of("same")], now=NOW)
    assert [row.pair for row in (*ledger.rejects(JOB), *ledger.rejects("back"))] == [pair, mirrored]
    ledger.resolve_rejects(mirrored, ["same"], "back-1", NOW)
    assert ledger.rejects("back") == []
    assert [row.source_key for row in ledger.rejects(JOB)] == ["same"]
    ledger.record(fence, "back-1", links=[], decisions=[], rejects=[reject_of("same")], now=NOW)
    linked = stored(ledger, lone).mirrored().having(source={"key": "same"}, target={"state": LinkState.REJECTED})
    ledger.record(fence, "back-1", links=[linked], decisions=[], now=NOW)
    assert ledger.rejects("back") == []
    assert [row.source_key for row in ledger.rejects(JOB)] == ["same"]


def test_a_run_lists_its_decisions_and_the_last_outcome_of_each_record(ledger: Ledger) -> None:
    _, fence = at_work(ledger)
    entries = [entry_of("a", Outcome.FAILED), entry_of("b", Outcome.SKIPPED), entry_of("a", Outcome.CREATED)]
    ledger.record(fence, "run-1", links=[], decisions=entries, now=NOW)
    assert [(row.source_key, row.outcome) for row in ledger.decisions_of_run("run-1")] == [
        ("a", Outcome.FAILED),
        ("b", Outcome.SKIPPED),
        ("a", Outcome.CREATED),
    ]
    assert ledger.outcomes("run-1") == {"a": Outcome.CREATED, "b": Outcome.SKIPPED}
    assert ledger.outcomes("unknown") == {}
    assert ledger.decisions_of_run("unknown") == []


def test_values_that_no_database_takes_are_kept_readable(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    poison = {"\ud800": ["\0", "\udfff", float("nan"), 2**70, datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1), {1}]}
    entry = entry_of(changes=(Change("content", poison, "\ud83d"),), reason="NUL \0", answer="half \udc00")
    ledger.record(fence, "run-1", links=[], decisions=[entry], rejects=[reject_of(value="\0" + "x" * 900)], now=NOW)
    row = ledger.decisions(pair, "m1")[0]
    kept = ["␀", "�", None, str(2**70), "2026-01-01 00:00:00+00:00", "2026-01-01", [1]]
    assert row.changes == (Change("content", {"�": kept}, "�"),)
    assert (row.reason, row.answer) == ("NUL ␀", "half �")
    assert ledger.rejects(JOB)[0].value == "␀" + "x" * 499


def test_a_row_with_three_faults_is_one_reject_with_three_reasons(ledger: Ledger) -> None:
    _, fence = at_work(ledger)
    faults = [reject_of(field=name) for name in ("subject", "content", "date")]
    ledger.record(fence, "run-1", links=[], decisions=[], rejects=[*faults, reject_of("m0")], now=NOW)
    rows = ledger.rejects(JOB)
    assert [(row.source_key, row.field, row.attempts) for row in rows] == [
        ("m0", "content", 1),
        ("m1", "subject", 1),
        ("m1", "content", 1),
        ("m1", "date", 1),
    ]
    assert (rows[1].step, rows[1].remedy, rows[1].first_run_id, rows[1].first_at) == (
        "map",
        "Shorten it.",
        "run-1",
        NOW,
    )
    assert ledger.rejects("other") == []


def test_a_reject_counts_the_runs_that_refused_it_not_their_repetitions(ledger: Ledger) -> None:
    _, fence = at_work(ledger)
    for _ in range(2):
        ledger.record(fence, "run-1", links=[], decisions=[], rejects=[reject_of()], now=NOW)
    _, fence = takes_over(ledger, "run-2")
    again = [reject_of(reason="still too long")]
    ledger.record(fence, "run-2", links=[], decisions=[], rejects=again, now=NOW + MINUTE)
    (row,) = ledger.rejects(JOB)
    assert (row.attempts, row.first_run_id, row.last_run_id) == (2, "run-1", "run-2")
    assert (row.first_at, row.last_at, row.reason) == (NOW, NOW + MINUTE, "still too long")
    assert ledger.rejects(JOB, run_id="run-1") == []
    assert ledger.rejects(JOB, run_id="run-2") == [row]


def test_a_settled_reject_is_listed_on_demand_and_starts_anew_when_it_comes_back(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    refusals = [reject_of("a"), reject_of("b")]
    ledger.record(fence, "run-1", links=[], decisions=[], rejects=refusals, now=NOW)
    ledger.resolve_rejects(pair, ["a", "unknown"], "run-2", NOW + MINUTE)
    ledger.resolve_rejects(pair, [], "run-2", NOW + MINUTE)
    assert [row.source_key for row in ledger.rejects(JOB)] == ["b"]
    everything = ledger.rejects(JOB, only_open=False)
    assert [(row.source_key, row.resolved_run_id, row.resolved_at) for row in everything] == [
        ("a", "run-2", NOW + MINUTE),
        ("b", None, None),
    ]
    _, fence = takes_over(ledger, "run-3")
    ledger.record(fence, "run-3", links=[], decisions=[], rejects=[reject_of("a")], now=NOW)
    back = ledger.rejects(JOB)[0]
    assert (back.source_key, back.attempts, back.first_run_id, back.resolved_at) == ("a", 1, "run-3", None)


def test_a_link_that_is_fine_again_settles_its_reject_and_a_failed_one_does_not(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    refusals = [reject_of(key) for key in ("fine", "waits", "failed")]
    ledger.record(fence, "run-1", links=[], decisions=[], rejects=refusals, now=NOW)
    links = [link_of(pair, "fine"), parked(pair, "waits"), parked(pair, "failed", state=LinkState.FAILED)]
    ledger.record(fence, "run-1", links=links, decisions=[], now=NOW)
    assert [row.source_key for row in ledger.rejects(JOB)] == ["failed"]
