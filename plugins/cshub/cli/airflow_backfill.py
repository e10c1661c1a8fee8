"""Airflow's own backfill of a window, in whole intervals of the job's schedule, followed to its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from rich.text import Text

from cshub.cli.airflow_rest import AirflowRest, RunState
from cshub.cli.airflow_runs import POLL_S, failure_of, going_on, ready, signed_in
from cshub.cli.asking import local_time
from cshub.cli.intervals import IntervalRange, overlapping
from cshub.cli.screen import ExitCode, Screen, counted, grid, printable
from cshub.cli.wording import worded
from cshub.core.errors import StateError
from cshub.core.stats import RunStatistics
from cshub.settings import Settings

TOLD = (
    "read", "created", "updated", "deleted", "unchanged", "skipped", "conflicts_kept", "parked", "rejected", "failed",
)  # fmt: skip


def backfill_in_airflow(
    screen: Screen, url: str, job: str, bounds: tuple[datetime, datetime], *, dry_run: bool, unpause: bool, again: bool
) -> NoReturn:
    """Backfill every interval of the schedule that overlaps ``[start, end)``, and end the command by the outcome."""
    with signed_in(url) as rest:
        wanted = _intervals(rest, job, bounds)
        body = {
            "dag_id": job,
            "from_date": wanted.first.isoformat(),
            "to_date": wanted.last.isoformat(),
            "dag_run_conf": {},
            "max_active_runs": 1,
            "reprocess_behavior": "completed" if again else "none",
        }
        screen.show(_stretch(wanted))
        if wanted.end > datetime.now(UTC):
            screen.show(
                f"The last of them is not over yet, and Airflow leaves it out: cshub run {job} reads up to now."
            )
        dates = rest.backfill_dates(body)
        if dry_run or not dates:
            if dates:
                screen.show(grid(("run for the interval that begins",), [(_local(date),) for date in dates]))
                screen.show(f"{counted(len(dates), 'run')} would be made.")
            else:
                screen.show("Every run of this window is there.")
            screen.document(_document(job, None, wanted, dates, [], {}))
            screen.end(ExitCode.GREEN)
        ready(screen, rest, job, unpause=unpause)
        backfill_id = rest.start_backfill(body)
        screen.note(f"Backfill {backfill_id}: {counted(len(dates), 'run')}")
        with going_on(screen):
            runs = _follow(screen, rest, job, (wanted.first, wanted.last), backfill_id, set(dates))
        rows = [(_local(run["logical_date"]), run["state"], _outcome(rest, job, run)) for run in runs]
        errors = {str(run["dag_run_id"]): _error(rest, job, run) for run in runs}
    screen.show(grid(("=interval begins", "=state", "records"), rows))
    for run_id, error in errors.items():
        if error:
            screen.show(Text(f"✗ {run_id}: {printable(error)}", style="red"))
    green = all(run["state"] == RunState.SUCCESS for run in runs) and len(runs) >= len(dates)
    screen.document(_document(job, backfill_id, wanted, dates, runs, errors))
    screen.end(ExitCode.GREEN if green else ExitCode.RED)


def _intervals(rest: AirflowRest, job: str, bounds: tuple[datetime, datetime]) -> IntervalRange:
    """By the schedule that Airflow itself holds. Raises :class:`StateError` for a job that runs by hand only."""
    cron, name = rest.schedule(job)
    if not croniter.is_valid(cron):
        raise StateError(
            f"{job} has no schedule, so there are no intervals to backfill. Read the window in one run: "
            f"cshub run {job} --from … --to …"
        )
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        zone = Settings.from_environment().timezone
    return overlapping(cron, zone, *bounds)


def _stretch(wanted: IntervalRange) -> str:
    zone = Settings.from_environment().timezone
    return f"Read in whole intervals of the schedule: {local_time(wanted.first)} … {local_time(wanted.end)} {zone}"


def _local(moment: Any) -> str:
    return local_time(datetime.fromisoformat(str(moment)))


def _document(
    job: str,
    backfill_id: int | None,
    wanted: IntervalRange,
    dates: list[str],
    runs: list[dict[str, Any]],
    errors: Mapping[str, str | None],
) -> dict[str, Any]:
    return {
        "job": job,
        "backfill_id": backfill_id,
        "window": {"start": wanted.first, "end": wanted.end},
        "intervals": dates,
        "runs": [
            {"run_id": run["dag_run_id"], "state": run["state"], "error": errors[run["dag_run_id"]]} for run in runs
        ],
    }


def _follow(
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
    return records_text(RunStatistics.from_dict(loaded["stats"]))


def _error(rest: AirflowRest, job: str, run: Mapping[str, Any]) -> str | None:
    if run["state"] != RunState.FAILED:
        return None
    run_id = str(run["dag_run_id"])
    return failure_of(rest, job, run_id, rest.task_states(job, run_id))


def records_text(statistics: RunStatistics) -> str:
    """``47 read, 32 created, 9 skipped, 5 parked, 1 rejected``; what is 0 is left out, but for what was read."""
    numbers = {**statistics.as_dict(), "skipped": statistics.skipped_total}
    return ", ".join(f"{numbers[name]:,} {worded(name)}" for name in TOLD if numbers[name] or name == "read")
