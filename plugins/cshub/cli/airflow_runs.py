"""Runs and backfills in a running Airflow: start them, follow them live, tell how they ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NoReturn

from cshub.cli.airflow_rest import Access, AirflowRest, RunState
from cshub.cli.progress import progress_text
from cshub.cli.run_report import finish_run
from cshub.cli.screen import ExitCode, Screen, counted, grid
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


def backfill_in_airflow(
    screen: Screen, url: str, job: str, bounds: tuple[datetime, datetime], *, dry_run: bool, unpause: bool, again: bool
) -> NoReturn:
    """Airflow's own backfill of ``[start, end)``, followed to its end."""
    start, end = bounds
    last = end - timedelta(milliseconds=1)  # Airflow includes both ends; the hub's windows are half-open
    body = {
        "dag_id": job,
        "from_date": start.isoformat(),
        "to_date": last.isoformat(),
        "dag_run_conf": {},
        "max_active_runs": 1,
        "reprocess_behavior": "completed" if again else "none",
    }
    with signed_in(url) as rest:
        dates = rest.backfill_dates(body)
        if dry_run or not dates:
            screen.show(grid(("run for the interval that begins",), [(date,) for date in dates]))
            screen.show(
                f"{counted(len(dates), 'run')} would be made." if dates else "Every run of this window is there."
            )
            screen.document({"job": job, "backfill_id": None, "intervals": dates, "runs": []})
            screen.end(ExitCode.GREEN)
        ready(screen, rest, job, unpause=unpause)
        backfill_id = rest.start_backfill(body)
        screen.note(f"Backfill {backfill_id}: {counted(len(dates), 'run')}")
        runs = _follow_backfill(screen, rest, job, (start, last), backfill_id, set(dates))
        rows = [(str(run["logical_date"]), run["state"], _outcome(rest, job, run)) for run in runs]
    screen.show(grid(("=interval begins", "=state", "records"), rows))
    green = all(run["state"] == RunState.SUCCESS for run in runs) and len(runs) >= len(dates)
    screen.document(
        {
            "job": job,
            "backfill_id": backfill_id,
            "intervals": dates,
            "runs": [{"run_id": run["dag_run_id"], "state": run["state"]} for run in runs],
        }
    )
    screen.end(ExitCode.GREEN if green else ExitCode.RED)


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


def _follow_backfill(
    screen: Screen,
    rest: AirflowRest,
    job: str,
    bounds: tuple[datetime, datetime],
    backfill_id: int,
    dates: set[str],
) -> list[dict[str, Any]]:
    wanted = {datetime.fromisoformat(date) for date in dates}
    with screen.err.status("Waiting for Airflow…") as status:
        while True:
            found = rest.runs_between(job, *bounds)
            runs = [run for run in found if datetime.fromisoformat(run["logical_date"]) in wanted]
            states = Counter(str(run["state"]) for run in runs)
            finished = sum(RunState(run["state"]).finished for run in runs)
            status.update(f"{finished} of {len(wanted)} runs: {', '.join(f'{n} {name}' for name, n in states.items())}")
            if finished >= len(wanted) or rest.backfill(backfill_id)["completed_at"]:
                return runs
            time.sleep(POLL_S)


def _outcome(rest: AirflowRest, job: str, run: Mapping[str, Any]) -> str:
    loaded = rest.xcom(job, str(run["dag_run_id"]), "load")
    if loaded is None:
        return "–"
    numbers = loaded["stats"]
    return ", ".join(f"{numbers[name]} {name}" for name in ("read", "created", "updated", "unchanged", "failed"))
