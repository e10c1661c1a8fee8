from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from cshub.cli import airflow_runs
from cshub.cli.airflow_rest import Access, AirflowRest, RunState
from cshub.cli.airflow_runs import queued_behind
from cshub.cli.screen import Screen

URL = "http://airflow.example"


class Answers(AirflowRest):
    """An Airflow that answers from memory. ``states``: of the run that is followed, one for each look."""

    def __init__(self, ahead: Mapping[str, str | None], states: Sequence[RunState] = ()) -> None:
        super().__init__(URL, Access())
        self._ahead = ahead
        self._states: Iterator[RunState] = iter(states)

    def run_state(self, dag_id: str, run_id: str) -> RunState:
        return next(self._states)

    def running(self, dag_id: str) -> list[str]:
        return list(self._ahead)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        return {"diff": "success", "approve": self._ahead.get(run_id)}

    def progress(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("state", ["deferred", "awaiting_input"])
def test_a_run_queued_behind_one_that_waits_for_a_person_says_so_and_where_to_answer(state: str) -> None:
    told = queued_behind(Answers({"scheduled__1": state}), "job", "manual__2")
    assert "scheduled__1" in told and "a person" in told and f"{URL}/required_actions" in told


def test_a_run_queued_behind_one_at_work_says_so() -> None:
    told = queued_behind(Answers({"scheduled__1": None}), "job", "manual__2")
    assert "still at work" in told and f"{URL}/dags/job/runs/scheduled__1" in told


def test_a_run_with_nothing_ahead_is_not_called_queued_behind_another() -> None:
    assert queued_behind(Answers({"manual__2": None}), "job", "manual__2") == ""


def test_what_holds_a_queued_run_back_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(airflow_runs, "POLL_S", 0.0)
    states = [RunState.QUEUED, RunState.QUEUED, RunState.QUEUED, RunState.RUNNING, RunState.SUCCESS]
    rest = Answers({"scheduled__1": "deferred"}, states)
    assert airflow_runs._follow(Screen(), rest, "job", "manual__2") is RunState.SUCCESS
    assert capsys.readouterr().err.count("Queued behind the run scheduled__1") == 1
