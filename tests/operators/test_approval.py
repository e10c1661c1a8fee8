"""Deletions of a two-way job that pass its guard: what the person is asked, and that a no sends nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskAwaitingInput

from cshub.core.plan import count_plan, excesses
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action, Change, Origin, Pair, RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.dag_factory import build_dag
from cshub.ledger import Ledger
from cshub.library import JobLibrary
from cshub.operators.steps import first_deleted
from cshub.pipeline.opening import opened_run
from cshub.settings import Settings
from cshub_sandbox.testing import RunningSandbox
from tests.operators.conftest import HandMadeRun

TWO_WAY = "salesforce_touchpoints_inbound"
NOW = datetime(2026, 11, 20, 23, tzinfo=UTC)
SUBJECTS = ("Review `|` <b>bold</b>", "Kick-off", "", "A" * 200)


def deletion(number: int) -> PlanRow:
    subject = SUBJECTS[number % len(SUBJECTS)]
    changes = [
        Change("created_by", "dana@vendor.example", None),
        Change("content", f"What was said in meeting {number}", None),
        *([Change("subject", subject, None)] if subject else []),
    ]
    key = f"00U5g000000{number:04}"
    return PlanRow(
        key, Origin.WINDOW, Action.DELETE, Rule.DELETED_IN_SOURCE, target_key=f"90{number:04}", changes=changes
    )


@pytest.fixture
def planned(settings: Settings) -> HandMadeRun:
    """A run whose plan deletes 60 of 400 linked records, which waits for the approval."""
    bound = JobLibrary.from_settings(settings).bound(TWO_WAY)
    waiting = HandMadeRun(dict(build_dag(bound, settings).task_dict), dag_id=TWO_WAY, run_id="manual__1")
    rows = [deletion(number) for number in range(60)]
    counts = count_plan(rows)
    with opened_run(TWO_WAY, f"{TWO_WAY}:manual__1", RunKind.MANUAL, settings=settings) as run:
        run.ledger.open_run(
            run.run_id,
            job_id=TWO_WAY,
            pair=None,
            kind=run.kind,
            window=Window(NOW.replace(hour=0), NOW),
            job_digest=bound.digest,
            now=NOW,
        )
        first = first_deleted(run, rows)
    told = {
        "version": 1,
        "counts": counts.as_dict(),
        "statistics": RunStatistics(read=60, mapped=60).as_dict(),
        "excesses": [item.as_dict() for item in excesses(counts, bound.job.guard, linked=400)],
        "deleted_first": first,
    }
    waiting.context("diff")["ti"].xcom_push("return_value", told)
    return waiting


@pytest.fixture
def asked(planned: HandMadeRun, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Airflow is given to ask."""
    question: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **facts: question.update(facts))
    with pytest.raises(TaskAwaitingInput):
        planned.execute("approve")
    return question


def test_the_question_tells_the_number_the_limit_and_the_first_names(asked: dict[str, Any]) -> None:
    assert "60 deletes (limit 20)" in asked["subject"]
    body = asked["body"]
    assert "| delete | 60 |" in body and "**60 to delete in the target:**" in body
    assert "- `900001` `Kick-off`" in body and "- … and 50 more" in body
    assert f"`cshub plan {TWO_WAY} --run {TWO_WAY}:manual__1 --all`" in body
    assert (asked["options"], asked["defaults"]) == (["Approve", "Reject"], ["Reject"])


def test_names_of_records_stay_text_and_short_and_no_personal_value_is_told(asked: dict[str, Any]) -> None:
    body = asked["body"]
    assert "`Review '|' <b>bold</b>`" in body
    assert "A" * 60 in body and "A" * 61 not in body
    assert "`900002` `What was said in meeting 2`" in body
    assert "dana@vendor.example" not in body


@pytest.mark.parametrize("person", [{"id": "1", "name": "Dana"}, None], ids=["refused", "timed out"])
def test_deletions_that_are_refused_or_not_answered_are_not_sent(
    asked: dict[str, Any],
    planned: HandMadeRun,
    settings: Settings,
    sandbox: RunningSandbox,
    person: dict[str, str] | None,
) -> None:
    event = {"chosen_options": ["Reject"], "params_input": {}, "responded_at": NOW, "responded_by_user": person}
    complete: Callable[..., Any] = planned.operators["approve"].execute_complete
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        complete(planned.context("approve"), event)
    assert list(skipped.value.tasks) == ["load"]
    assert [entry for name in ("totango", "salesforce") for entry in sandbox.control.log(name, writes=True)] == []
    with Ledger.open(settings.ledger_url) as ledger:
        row = ledger.run(f"{TWO_WAY}:manual__1")
        assert row is not None and row.outcome is RunOutcome.REFUSED
        assert ledger.decisions(Pair(1), "900001") == []


def test_deletions_that_are_approved_go_on_to_the_load(planned: HandMadeRun, asked: dict[str, Any]) -> None:
    event = {"chosen_options": ["Approve"], "params_input": {}, "responded_at": NOW, "responded_by_user": None}
    answer = planned.operators["approve"].execute_complete(planned.context("approve"), event)
    assert answer == {"chosen_options": ["Approve"], "asked": True}
