from __future__ import annotations

from collections.abc import Callable

import pytest

from cshub.core.errors import StateError
from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.ledger import Ledger
from tests.ledger.cast import JOB, MINUTE, NOW, WINDOW, open_run, pair_of

NUMBERS = RunStatistics(read=3, mapped=2, rejected=1, created=1, skipped={"private": 1}, api_calls={"totango": 4})


def test_a_run_is_opened_followed_and_closed(ledger: Ledger) -> None:
    assert ledger.run("run-1") is None
    pair = open_run(ledger, "run-1")
    opened = ledger.run("run-1")
    assert opened is not None
    assert (opened.job_id, opened.pair, opened.kind, opened.window) == (JOB, pair, RunKind.SCHEDULED, WINDOW)
    assert (opened.attempt, opened.outcome, opened.progress) == (1, RunOutcome.RUNNING, {})
    assert (opened.statistics, opened.opened_at, opened.closed_at) == (None, NOW, None)

    ledger.progress("run-1", {"done": 1, "of": 2}, NOW + MINUTE)
    ledger.save_statistics("run-1", RunStatistics(read=3), NOW + MINUTE)
    during = ledger.run("run-1")
    assert during is not None
    assert (during.progress, during.updated_at) == ({"done": 1, "of": 2}, NOW + MINUTE)
    assert during.statistics == RunStatistics(read=3)

    ledger.close_run("run-1", RunOutcome.RED, NUMBERS, error="Poison \0 \ud800 here", now=NOW + 2 * MINUTE)
    closed = ledger.run("run-1")
    assert closed is not None
    assert (closed.outcome, closed.statistics, closed.closed_at) == (RunOutcome.RED, NUMBERS, NOW + 2 * MINUTE)
    assert closed.error == "Poison ␀ � here"


def test_a_retried_task_finds_its_run_and_counts_the_attempt(ledger: Ledger) -> None:
    pair = open_run(ledger, "run-1")
    ledger.close_run("run-1", RunOutcome.RED, NUMBERS, error="lost", now=NOW)
    again = ledger.open_run(
        "run-1", job_id=JOB, pair=pair, kind=RunKind.RETRY, window=None, job_digest="d2", now=NOW + MINUTE
    )
    assert (again.attempt, again.outcome, again.closed_at, again.error) == (2, RunOutcome.RUNNING, None, None)
    assert (again.kind, again.window, again.job_digest, again.opened_at) == (RunKind.SCHEDULED, WINDOW, "d2", NOW)
    assert again.statistics == NUMBERS


def test_a_run_that_failed_before_its_pair_was_known_learns_it_from_the_next_attempt(ledger: Ledger) -> None:
    asked = {"job_id": JOB, "kind": RunKind.MANUAL, "job_digest": "d", "now": NOW}
    early = ledger.open_run("run-1", pair=None, window=None, **asked)  # type: ignore[arg-type]
    ledger.close_run("run-1", RunOutcome.RED, RunStatistics(), error="no connection", now=NOW)
    pair = open_run(ledger, "run-1")
    again = ledger.run("run-1")
    assert again is not None
    assert (early.pair, early.window) == (None, None)
    assert (again.pair, again.window, again.attempt) == (pair, WINDOW, 2)


def test_two_jobs_may_not_share_a_run_id(ledger: Ledger) -> None:
    open_run(ledger, "run-1")
    with pytest.raises(StateError, match="differ between jobs"):
        open_run(ledger, "run-1", job_id="other")


def test_an_unknown_run_cannot_be_changed(ledger: Ledger) -> None:
    changes: list[Callable[[], None]] = [
        lambda: ledger.progress("none", {}, NOW),
        lambda: ledger.save_statistics("none", NUMBERS, NOW),
        lambda: ledger.close_run("none", RunOutcome.GREEN, NUMBERS, now=NOW),
    ]
    for change in changes:
        with pytest.raises(StateError, match="knows no run 'none'"):
            change()


def test_runs_are_listed_newest_first_by_job_or_all(ledger: Ledger) -> None:
    for number in range(4):
        open_run(ledger, f"run-{number}")
    open_run(ledger, "other-run", job_id="other", pair="other")
    assert [row.run_id for row in ledger.runs(JOB, limit=2)] == ["run-3", "run-2"]
    assert [row.run_id for row in ledger.runs(limit=2)] == ["other-run", "run-3"]


def test_a_run_without_a_window_has_none(ledger: Ledger) -> None:
    pair = pair_of(ledger)
    row = ledger.open_run("r", job_id=JOB, pair=pair, kind=RunKind.RETRY, window=None, job_digest="", now=NOW)
    assert row.window is None


def test_the_watermark_never_moves_back_unless_forced(ledger: Ledger) -> None:
    assert ledger.watermark(JOB) is None
    ledger.set_watermark(JOB, NOW, "run-1", NOW)
    ledger.set_watermark(JOB, NOW - MINUTE, "run-2", NOW)
    assert ledger.watermark(JOB) == NOW
    ledger.set_watermark(JOB, NOW + MINUTE, "run-3", NOW)
    assert ledger.watermark(JOB) == NOW + MINUTE
    ledger.set_watermark(JOB, NOW - MINUTE, "run-4", NOW, force=True)
    assert ledger.watermark(JOB) == NOW - MINUTE
    assert ledger.watermark("other") is None


def test_a_moment_without_a_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="no time zone"):
        ledger.set_watermark(JOB, NOW.replace(tzinfo=None), "run-1", NOW)
