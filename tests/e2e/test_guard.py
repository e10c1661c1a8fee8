"""Dry runs, and plans beyond a job's guard that wait for a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cshub.core.records import RunOutcome
from tests.e2e.conversation import answer, question
from tests.e2e.stage import Scene, Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(240)]

NOW = datetime.now(UTC)
WINDOW = {"window_start": NOW - timedelta(days=70), "window_end": NOW - timedelta(days=10)}


@pytest.fixture(scope="module")
def gate(stage: Stage) -> Scene:
    return stage.scene("gate", seed=43)


def test_a_dry_run_keeps_its_plan_and_sends_nothing(stage: Stage, gate: Scene) -> None:
    run_id = stage.run("guarded", dry_run=True, **WINDOW)
    planned = stage.rest.xcom("guarded", run_id, "diff")
    assert planned["counts"]["create"] > 3
    assert stage.task("guarded", run_id, "load")["state"] == "skipped"
    assert gate.writes() == 0
    with stage.ledger() as ledger:
        kept = ledger.plan(planned["plan_id"])
        run = ledger.run(f"guarded:{run_id}")
    assert kept is not None and kept.job_id == "guarded"
    assert run is not None and run.outcome is RunOutcome.PLANNED


def test_a_plan_beyond_the_guard_waits_and_is_sent_once_it_is_approved(stage: Stage, gate: Scene) -> None:
    run_id = stage.start("guarded", **WINDOW)
    asked = question(stage, "guarded", run_id)
    planned = stage.rest.xcom("guarded", run_id, "diff")["counts"]["create"]
    assert f"{planned} creates (limit 3)" in asked["subject"]
    assert f"| create | {planned} |" in asked["body"]
    assert gate.writes() == 0
    answer(stage, "guarded", run_id, "Approve")
    stage.finish("guarded", run_id)
    assert sum(gate.held().values()) == planned
    assert gate.held() == gate.expected(WINDOW["window_start"], WINDOW["window_end"])


def test_a_plan_that_is_rejected_is_not_sent_and_the_run_is_refused(stage: Stage) -> None:
    scene = stage.scene("barrier", seed=47)
    run_id = stage.start("refused", **WINDOW)
    question(stage, "refused", run_id)
    answer(stage, "refused", run_id, "Reject")
    stage.rest.wait("refused", run_id)
    assert stage.task("refused", run_id, "load")["state"] == "skipped"
    assert scene.writes() == 0
    with stage.ledger() as ledger:
        run = ledger.run(f"refused:{run_id}")
    assert run is not None and run.outcome is RunOutcome.REFUSED
