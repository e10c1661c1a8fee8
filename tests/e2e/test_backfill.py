"""Backfill by Airflow's own command and by REST: exactly the missing touchpoints, and nothing the second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from cshub_runtime.rest import RunState
from cshub_runtime.supervisor import run_airflow
from tests.e2e.stage import Scene, Stage, await_true

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(300)]

BY_COMMAND, BY_REST = "backfilled_by_command", "backfilled_by_rest"
NOW = datetime.now(UTC).replace(microsecond=0)
FIRST, LAST = NOW - timedelta(days=100), NOW - timedelta(days=22)
"""Three months with the interval that begins last: old enough that every summary is there."""


def backfill_runs(stage: Stage, job_id: str) -> list[dict[str, Any]]:
    return [run for run in stage.rest.runs(job_id) if run["run_type"] == "backfill"]


def ended(stage: Stage, job_id: str) -> list[dict[str, Any]]:
    """The runs of the backfill once all have ended; empty before."""
    runs = backfill_runs(stage, job_id)
    return runs if runs and all(RunState(run["state"]).finished for run in runs) else []


def covered(runs: list[dict[str, Any]]) -> tuple[datetime, datetime]:
    """The stretch of time the runs' intervals cover; they must touch one another."""
    intervals = sorted((run["data_interval_start"], run["data_interval_end"]) for run in runs)
    for (_, end), (start, _) in pairwise(intervals):
        assert end == start
    return datetime.fromisoformat(intervals[0][0]), datetime.fromisoformat(intervals[-1][1])


def by_command(stage: Stage, *more: str) -> str:
    told = run_airflow(
        stage.airflow.home,
        *("backfill", "create", "--dag-id", BY_COMMAND, "--max-active-runs", "3"),
        *("--from-date", FIRST.isoformat(), "--to-date", LAST.isoformat(), *more),
    )
    assert told.returncode == 0, told.stderr[-2000:]
    return told.stdout


@pytest.fixture(scope="module")
def past(stage: Stage) -> Scene:
    return stage.scene("past", seed=31, accounts=12, meetings=240, now=NOW)


@pytest.fixture(scope="module")
def filled(stage: Stage, past: Scene) -> list[dict[str, Any]]:
    """The runs of a backfill by command, in a tenant that has two weeks of them already."""
    stage.run(BY_COMMAND, window_start=NOW - timedelta(days=64), window_end=NOW - timedelta(days=50))
    await_true("quiet", lambda: all(RunState(run["state"]).finished for run in stage.rest.runs(BY_COMMAND)))
    assert past.writes() > 0
    by_command(stage)
    return list(await_true("the end of the backfill", lambda: ended(stage, BY_COMMAND), 240))


def test_a_backfill_by_command_makes_exactly_the_missing_touchpoints(
    stage: Stage, past: Scene, filled: list[dict[str, Any]]
) -> None:
    assert len(filled) >= 5
    assert {run["state"] for run in filled} == {"success"}
    start, end = covered(filled)
    held = past.held()
    assert set(held.values()) == {1}
    within = {note for note in held if start.timestamp() <= note[1] / 1000 < end.timestamp()}
    assert within == set(past.expected(start, end))
    created = sum(stage.statistics(BY_COMMAND, run["dag_run_id"])["created"] for run in filled)
    unchanged = sum(stage.statistics(BY_COMMAND, run["dag_run_id"])["unchanged"] for run in filled)
    assert created + unchanged == len(within)
    assert unchanged >= 5


def test_a_backfill_by_rest_makes_exactly_the_missing_touchpoints(stage: Stage) -> None:
    scene = stage.scene("past_again", seed=37, accounts=12, meetings=160, now=NOW)
    stage.rest.backfill(BY_REST, FIRST, LAST, max_active_runs=3)
    stage.rest.unpause(BY_REST)
    runs = await_true("the end of the backfill", lambda: ended(stage, BY_REST), 180)
    assert {run["state"] for run in runs} == {"success"}
    start, end = covered(runs)
    within = {note: times for note, times in scene.held().items() if _inside(note, start, end)}
    assert within == dict(scene.expected(start, end))


def test_the_same_backfill_again_writes_nothing_even_if_it_runs_every_interval_again(
    stage: Stage, past: Scene, filled: list[dict[str, Any]]
) -> None:
    before = past.writes()
    await_true("the first backfill is closed", lambda: _open_backfills(stage, BY_COMMAND) == [], 90)
    by_command(stage, "--reprocess-behavior", "completed")
    earlier = {run["dag_run_id"]: run["end_date"] for run in filled}

    def all_again() -> bool:
        runs = ended(stage, BY_COMMAND)
        return bool(runs) and all(run["end_date"] != earlier[run["dag_run_id"]] for run in runs)

    await_true("the end of the second backfill", all_again, 240)
    assert {run["state"] for run in backfill_runs(stage, BY_COMMAND)} == {"success"}
    assert len(backfill_runs(stage, BY_COMMAND)) == len(filled)
    assert past.writes() == before


def _inside(note: tuple[str, int, str], start: datetime, end: datetime) -> bool:
    return start.timestamp() <= note[1] / 1000 < end.timestamp()


def _open_backfills(stage: Stage, job_id: str) -> list[dict[str, Any]]:
    found = stage.rest.call("GET", "backfills", params={"dag_id": job_id})["backfills"]
    return [backfill for backfill in found if backfill["completed_at"] is None]
