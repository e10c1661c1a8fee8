"""The question a run asks a person, and the answers by REST."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from tests.e2e.stage import Stage, await_true

READING_S = 3.0


def question(stage: Stage, job_id: str, run_id: str) -> dict[str, Any]:
    """What the run asks a person, as soon as it waits for the answer."""

    def asks() -> bool:
        if stage.rest.run_state(job_id, run_id).finished:
            raise AssertionError(f"ended without asking: {stage.rest.task_states(job_id, run_id)}")
        return bool(stage.task(job_id, run_id, "approve")["state"] == "awaiting_input")

    await_true("waits for a person", asks)
    return dict(stage.rest.call("GET", f"{_approve_path(job_id, run_id)}/hitlDetails"))


def answer(stage: Stage, job_id: str, run_id: str, option: str) -> None:
    """Answer as a person does, who reads first.

    Airflow 3.3.2 loses an answer that comes before its scheduler has noticed that the task waits, and asks again.
    """
    time.sleep(READING_S)
    path = f"{_approve_path(job_id, run_id)}/hitlDetails"
    stage.rest.call("PATCH", path, json={"chosen_options": [option], "params_input": {}})


def _approve_path(job_id: str, run_id: str) -> str:
    return f"dags/{job_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/approve/-1"
