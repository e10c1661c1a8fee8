"""Runs and backfills in a running Airflow: start them, follow them live, tell how they ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from cshub.cli.airflow_rest import Access, AirflowRest, RunState
from cshub.cli.progress import progress_text
from cshub.cli.run_report import finish_run
from cshub.cli.screen import Screen
from cshub.core.errors import StateError
from cshub.core.stats import RunStatistics

POLL_S = 0.5
STEPS = ("extract", "map", "diff", "approve", "load")
SIGNS: Mapping[str | None, str] = {
    "success": "✓",
    "failed": "✗",
    "upstream_failed": "✗",
    "running": "▸",
    "skipped": "–",
    "up_for_retry": "↻",
    "deferred": "?",
    "awaiting_input": "?",
}
WAITING = frozenset({"deferred", "awaiting_input"})


@contextmanager
def signed_in(url: str) -> Iterator[AirflowRest]:
    rest = AirflowRest(url, Access.from_environment())
    try:
        yield rest
    finally:
        rest.close()


def run_in_airflow(screen: Screen, url: str, job: str, params: Mapping[str, Any], *, unpause: bool) -> NoReturn:
    """Trigger the job's DAG, follow it to its end, and end the command by its outcome."""
    with signed_in(url) as rest:
        ready(screen, rest, job, unpause=unpause)
        run_id = rest.trigger(job, params)
        screen.note(f"Started {run_id}; see {rest.base_url}/dags/{job}/runs/{run_id}")
        state = _follow(screen, rest, job, run_id)
        loaded, planned = rest.xcom(job, run_id, "load"), rest.xcom(job, run_id, "diff")
        states = rest.task_states(job, run_id)
    hub_run = f"{job}:{run_id}"
    if loaded is not None:
        outcome, numbers = str(loaded["outcome"]), loaded["stats"]
    elif state is RunState.SUCCESS and params.get("dry_run"):
        outcome, numbers = "planned", (planned or {}).get("statistics")
    elif states.get("approve") in {"success", "skipped"} and planned and state is RunState.SUCCESS:
        outcome, numbers = "refused", planned.get("statistics")
    else:
        outcome, numbers = "red", (planned or {}).get("statistics")
    statistics = RunStatistics.from_dict(numbers) if numbers else None
    extra = {"plan_id": planned["plan_id"]} if planned and "plan_id" in planned else {}
    if "plan_id" in extra:
        screen.show(f"The plan is kept: cshub plan --show {extra['plan_id']}")
    failed = [task for task, found in states.items() if found == "failed"]
    error = f"The task {failed[0]} failed; its log is at {url}/dags/{job}/runs/{run_id}." if failed else None
    finish_run(screen, job, hub_run, outcome, statistics, error=error, extra=extra)


def ready(screen: Screen, rest: AirflowRest, job: str, *, unpause: bool) -> None:
    """Raises :class:`StateError` when the DAG is paused and nobody asked to unpause it."""
    if not rest.dag(job).get("is_paused"):
        return
    if not unpause:
        raise StateError(
            f"The DAG {job} is paused, so a run of it would wait for ever. Switch it on in Airflow, or add --unpause."
        )
    rest.unpause(job)
    screen.note(f"The DAG {job} was paused; it is switched on now.")


def _follow(screen: Screen, rest: AirflowRest, job: str, run_id: str) -> RunState:
    asked = False
    with screen.err.status("Waiting for Airflow…") as status:
        while not (state := rest.run_state(job, run_id)).finished:
            states = rest.task_states(job, run_id)
            line = "  ".join(f"{SIGNS.get(states.get(step), '·')} {step}" for step in STEPS)
            running = next((step for step in STEPS if states.get(step) == "running"), None)
            told = rest.progress(job, run_id, running) if running else {}
            status.update(f"{line}   {progress_text(told) if told else ''}")
            if states.get("approve") in WAITING and not asked:
                asked = True
                screen.note(f"The plan passes the guard and waits for a person: {rest.base_url}/required_actions")
            time.sleep(POLL_S)
    return state
