"""Runs and backfills in a running Airflow: start them, follow them live, tell how they ended."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from cshub.cli.airflow_rest import Access, AirflowRest, RunState
from cshub.cli.asking import opened_ledger
from cshub.cli.progress import progress_text
from cshub.cli.run_report import finish_run
from cshub.cli.screen import Screen
from cshub.core.errors import HubError, PermissionDenied, StateError, TransientError
from cshub.core.stats import RunStatistics
from cshub.settings import Settings

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


@contextmanager
def going_on(screen: Screen) -> Iterator[None]:
    """Tells, when a person ends the command, that Airflow goes on with what was started."""
    try:
        yield
    except KeyboardInterrupt:
        screen.note("Airflow goes on with what was started; only this command ends.")
        raise


def run_in_airflow(screen: Screen, url: str, job: str, params: Mapping[str, Any], *, unpause: bool) -> NoReturn:
    """Trigger the job's DAG, follow it to its end, and end the command by its outcome."""
    with signed_in(url) as rest:
        ready(screen, rest, job, unpause=unpause)
        run_id = rest.trigger(job, params)
        screen.note(f"Started {run_id}; see {rest.base_url}/dags/{job}/runs/{run_id}")
        with going_on(screen):
            state = _follow(screen, rest, job, run_id)
        loaded, planned = rest.xcom(job, run_id, "load"), rest.xcom(job, run_id, "diff")
        states = rest.task_states(job, run_id)
        error = failure_of(rest, job, run_id, states)
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
    finish_run(screen, job, hub_run, outcome, statistics, error=error, extra=extra)


def failure_of(rest: AirflowRest, job: str, run_id: str, states: Mapping[str, str | None]) -> str | None:
    """Why a run failed, by its ledger or else by the log of the task that failed; None when none failed."""
    failed = next((task for task, found in states.items() if found == "failed"), None)
    if failed is None:
        return None
    told = _noted(f"{job}:{run_id}")
    if told is None:
        try:
            told = rest.last_error(job, run_id, failed)
        except (PermissionDenied, TransientError):
            told = None
    where = f"The task {failed} failed; its log is at {rest.base_url}/dags/{job}/runs/{run_id}/tasks/{failed}."
    return f"{told}\n{where}" if told else where


def _noted(hub_run: str) -> str | None:
    """The error that the ledger holds of a run; None also when the ledger here is not that of the Airflow."""
    if Settings.from_environment().ledger_url is None:
        return None
    try:
        with opened_ledger() as ledger:
            row = ledger.run(hub_run)
    except HubError:
        return None
    return row.error if row is not None else None


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
    told = ""
    with screen.err.status("Waiting for Airflow…") as status:
        while not (state := rest.run_state(job, run_id)).finished:
            if state is RunState.QUEUED:
                waits_for = queued_behind(rest, job, run_id)
                if waits_for and waits_for != told:
                    screen.note(waits_for)
                told = waits_for or told
                status.update("Queued in Airflow…")
                time.sleep(POLL_S)
                continue
            states = rest.task_states(job, run_id)
            line = "  ".join(f"{SIGNS.get(states.get(step), '·')} {step}" for step in STEPS)
            running = next((step for step in STEPS if states.get(step) == "running"), None)
            progress = rest.progress(job, run_id, running) if running else {}
            status.update(f"{line}   {progress_text(progress) if progress else ''}")
            if states.get("approve") in WAITING and not asked:
                asked = True
                screen.note(f"The plan exceeds the guard and waits for a person: {rest.base_url}/required_actions")
            time.sleep(POLL_S)
    return state


def queued_behind(rest: AirflowRest, job: str, run_id: str) -> str:
    """Which run of the job holds a queued one back, and whether it waits for a person; "" when none does.

    A job has one run at a time (``max_active_runs``), and a run whose plan waits for an answer is one.
    """
    ahead = next((found for found in rest.running(job) if found != run_id), None)
    if ahead is None:
        return ""
    if rest.task_states(job, ahead).get("approve") in WAITING:
        return (
            f"Queued behind the run {ahead}, whose plan waits for a person to approve or reject it: "
            f"{rest.base_url}/required_actions\n"
            "This run starts when that is answered, or when the time to answer (guard.wait_hours) is over."
        )
    return f"Queued behind the run {ahead}, which is still at work: {rest.base_url}/dags/{job}/runs/{ahead}"
