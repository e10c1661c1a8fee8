"""Where a job stands: its last run, what waits, how far was read, when it runs next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from cshub.core.errors import JobFileError
from cshub.core.jobs import BoundJob
from cshub.core.records import RETRIED_STATES, RunKind, RunOutcome
from cshub.ledger import Ledger, RunRow, is_interrupted
from cshub.library import JobLibrary
from cshub.pipeline.run import known_pair
from cshub.settings import Settings

LOOK_BACK_RUNS = (10, 1000)
WAITS_FOR_SWITCH = "when switched on"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """``links`` and ``waiting``: state → number of records. ``next_at`` is None without a schedule, and for
    a job that waits to be switched on. ``partner``: the job that keeps the same pair in step in the other direction.

    ``last`` is the last run that could write; ``planned`` a later one that could not: a dry run, or a refused one.
    """

    job_id: str
    name: str
    enabled: bool
    schedule: str
    faults: int
    last: RunRow | None
    watermark: datetime | None
    next_at: datetime | None
    last_outcome: str = ""
    planned: RunRow | None = None
    open_intents: int = 0
    partner: str | None = None
    links: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


def status_of(job_id: str, library: JobLibrary, ledger: Ledger) -> JobStatus:
    """A job whose files have faults is told too, with what the ledger knows."""
    zone, now = Settings.from_environment().timezone, datetime.now(UTC)
    faults = 0
    bound: BoundJob | None = None
    try:
        bound = library.bound(job_id)
    except JobFileError as error:
        faults = len(error.faults)
    newest, last = _newest(job_id, ledger)
    switched_on = bool(bound and bound.job.enabled) or _ran_by_schedule(job_id, ledger)
    pair = known_pair(bound, ledger) if bound else None
    partner = library.partner(bound) if bound else None
    links = ledger.count_links(pair) if pair is not None else {}
    return JobStatus(
        job_id=job_id,
        name=bound.job.name if bound else "",
        enabled=bound.job.enabled if bound else False,
        schedule=_schedule(bound, zone, switched_on=switched_on),
        faults=faults,
        last=last,
        last_outcome=seen_outcome(last, ledger) if last is not None else "",
        watermark=ledger.watermark(job_id),
        next_at=next_run(bound, now, zone) if bound and switched_on else None,
        planned=newest if newest is not last else None,
        open_intents=len(ledger.open_intents(pair)) if pair is not None else 0,
        partner=partner.id if partner else None,
        links={state.value: count for state, count in links.items()},
        waiting={state.value: links[state] for state in RETRIED_STATES if links.get(state)},
    )


def could_write(row: RunRow) -> bool:
    """Whether a run may have sent anything: it was no dry run, and nobody refused its plan."""
    return row.kind is not RunKind.DRY and row.outcome not in {RunOutcome.PLANNED, RunOutcome.REFUSED}


def _newest(job_id: str, ledger: Ledger) -> tuple[RunRow | None, RunRow | None]:
    """The newest run, and the newest that could write."""
    newest: RunRow | None = None
    for limit in LOOK_BACK_RUNS:
        found = ledger.runs(job_id, limit=limit)
        newest = found[0] if found else None
        last = next((row for row in found if could_write(row)), None)
        if last is not None or len(found) < limit:
            return newest, last
    return newest, None


def seen_outcome(row: RunRow, ledger: Ledger) -> str:
    """The outcome as people are told it: a run that was broken off while it wrote is ``interrupted``."""
    if row.outcome is not RunOutcome.RUNNING:
        return row.outcome.value
    now = datetime.now(UTC)
    broken_off = is_interrupted(row, now, at_work=ledger.runs_at_work(now))
    return "interrupted" if broken_off else row.outcome.value


def next_run(bound: BoundJob, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The next time of the schedule after ``now``, in ``zone``; None when the job runs by hand."""
    cron = bound.schedule.as_cron()
    if cron is None:
        return None
    found: datetime = croniter(cron, now.astimezone(zone)).get_next(datetime)
    return found


def status_document(item: JobStatus) -> dict[str, Any]:
    return {
        "job": item.job_id,
        "name": item.name,
        "enabled": item.enabled,
        "schedule": item.schedule,
        "faults": item.faults,
        "partner": item.partner,
        "watermark": item.watermark,
        "next_run_at": item.next_at,
        "links": dict(item.links),
        "waiting": dict(item.waiting),
        "open_intents": item.open_intents,
        "last_run": run_document(item.last, item.last_outcome) if item.last is not None else None,
        "last_plan": run_document(item.planned) if item.planned is not None else None,
    }


def short_run(row: RunRow) -> str:
    """The run's id without the job's name in front, as Airflow shows it."""
    return row.run_id.removeprefix(f"{row.job_id}:")


def run_document(row: RunRow, outcome: str | None = None) -> dict[str, Any]:
    window = row.window
    return {
        "run_id": row.run_id,
        "kind": row.kind.value,
        "outcome": outcome or row.outcome.value,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()} if window else None,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "attempt": row.attempt,
        "statistics": row.statistics.as_dict() if row.statistics is not None else None,
        "progress": dict(row.progress),
        "error": row.error,
    }


def _ran_by_schedule(job_id: str, ledger: Ledger) -> bool:
    """Whether the scheduler has run the job: then a person has switched it on, whatever its file says."""
    return any(row.kind is RunKind.SCHEDULED for row in ledger.runs(job_id, limit=LOOK_BACK_RUNS[-1]))


def _schedule(bound: BoundJob | None, zone: ZoneInfo, *, switched_on: bool) -> str:
    if bound is None:
        return "unknown"
    cron = bound.schedule.as_cron()
    if cron is None:
        return "by hand"
    when = f"{bound.schedule.kind.value} ({cron}, {zone})"
    return when if switched_on else f"{when}, {WAITS_FOR_SWITCH}"
