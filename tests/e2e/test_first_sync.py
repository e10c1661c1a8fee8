"""The first syncs of a job in a real Airflow, and where their numbers are to be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cshub.core.records import RunOutcome
from tests.e2e.stage import Scene, Stage, await_true, settled_counts

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(300)]

JOB = "first_sync"


@pytest.fixture(scope="module")
def scene(stage: Stage) -> Scene:
    return stage.scene("calm")


@pytest.fixture(scope="module")
def first(stage: Stage, scene: Scene) -> str:
    """The run that the schedule itself begins when the DAG is switched on."""
    stage.rest.unpause(JOB)
    (run,) = await_true("the first run", lambda: stage.rest.runs(JOB))
    stage.finish(JOB, run["dag_run_id"])
    return str(run["dag_run_id"])


def test_the_first_sync_makes_a_touchpoint_of_every_meeting_of_seven_days(
    stage: Stage, scene: Scene, first: str
) -> None:
    end = datetime.fromisoformat(stage.rest.xcom(JOB, first, "load")["window"]["end"])
    now = datetime.now(UTC)
    held = scene.held()
    assert set(held.values()) == {1}
    assert set(held) >= set(scene.expected(end - timedelta(days=7), min(end, now - timedelta(hours=3))))


def test_the_statistics_add_up_and_are_the_same_in_xcom_ledger_and_asset_event(
    stage: Stage, scene: Scene, first: str
) -> None:
    report = stage.rest.xcom(JOB, first, "load")
    statistics = report["stats"]
    assert report["outcome"] == RunOutcome.GREEN.value
    assert statistics["read"] == settled_counts(statistics) >= 20
    assert statistics["created"] == sum(scene.held().values())
    assert statistics["api_calls"]["totango"] > statistics["created"]
    with stage.ledger() as ledger:
        row = ledger.run(report["run_id"])
    assert row is not None and row.statistics is not None
    assert (row.outcome, row.statistics.as_dict()) == (RunOutcome.GREEN, statistics)
    events = stage.rest.call("GET", "assets/events", params={"source_dag_id": JOB, "source_run_id": first})
    assert [event["extra"]["stats"] for event in events["asset_events"]] == [statistics]


def test_progress_of_a_load_is_kept_where_airflows_own_pages_show_it(stage: Stage, first: str) -> None:
    path = f"dags/{JOB}/dagRuns/{first.replace('+', '%2B')}/taskInstances/load/state-store"
    entries = stage.rest.call("GET", path)
    assert "progress" in str(entries)


def test_the_second_sync_writes_nothing(stage: Stage, scene: Scene, first: str) -> None:
    stage.run(JOB)  # a summary may have come meanwhile
    before = scene.writes()
    run_id = stage.run(JOB)
    statistics = stage.statistics(JOB, run_id)
    assert scene.writes() == before
    assert statistics["created"] == statistics["updated"] == statistics["deleted"] == 0
    assert statistics["unchanged"] > 0


def test_a_broken_job_file_is_told_with_its_line_while_the_other_jobs_run(stage: Stage, first: str) -> None:
    (error,) = stage.rest.import_errors()
    assert error.startswith("job_files.py")
    assert "broken.yaml:18: allow_new_records" in error
    assert "broken" not in stage.rest.dag_ids()
    now = datetime.now(UTC)
    assert datetime.fromisoformat(stage.rest.run(JOB, first)["end_date"]) < now
