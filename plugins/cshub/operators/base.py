"""What the operators of a run share: which job, which kind of run, and the live progress."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowRescheduleException
from croniter import croniter

from cshub.core.errors import FencedOut, HubError, LockHeld, SpecError, WindowError
from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.operators.named import named_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from cshub.pipeline.run import Asked, Run

XCOM_VERSION = 1
TURN = timedelta(seconds=15)
_KINDS = {"scheduled": RunKind.SCHEDULED, "backfill": RunKind.BACKFILL}
_BY_SCHEDULE = frozenset(_KINDS.values())
_READS_MORE = ("window_start", "window_end", "full_sync", "only_waiting")


class HubOperator(BaseOperator):
    """One step of one job. ``job_id`` names the file in the jobs folder; it is read when the task runs."""

    ui_color = "#e8f0fe"

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id

    @contextmanager
    def hub_run(self, context: Context) -> Iterator[Run]:
        """The run this task belongs to, its ledger open for the time of the block.

        While another run of the pair is at work, the task is put off without a worker slot, and without using up one
        of its tries. After any other error the run is red in the ledger until a later try goes on with it; whether
        there is one is decided by the DAG's retry policy, by the kind of error.
        """
        from cshub.pipeline.opening import opened_run

        kind = run_kind(context)
        with opened_run(self.job_id, hub_run_id(context), kind, on_progress=_progress_into(context)) as run:
            try:
                yield run
            except LockHeld as error:
                self.log.info("Waits for its turn, and looks again in %.0f s. %s", TURN.total_seconds(), error)
                raise AirflowRescheduleException(run.clock.now() + TURN) from error  # type: ignore[no-untyped-call]
            except HubError as error:
                _note_failure(run, error)
                raise


@contextmanager
def failure_noted(job_id: str, context: Context) -> Iterator[None]:
    """For what a step does before it opens its run: an error makes the run red in the ledger all the same."""
    try:
        yield
    except HubError as error:
        from cshub.pipeline.opening import opened_run

        with opened_run(job_id, hub_run_id(context), run_kind(context)) as run:
            _note_failure(run, error)
        raise


def hub_run_id(context: Context) -> str:
    """The run's name in the ledger. Airflow's run ids are unique within a DAG only."""
    dag_run = context["dag_run"]
    return f"{dag_run.dag_id}:{dag_run.run_id}"


def run_kind(context: Context) -> RunKind:
    params = context["params"]
    if params.get("dry_run"):
        return RunKind.DRY
    if params.get("only_waiting") or params.get("records"):
        return RunKind.RETRY
    return _KINDS.get(str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type)), RunKind.MANUAL)


def asked_of(context: Context, *, cron: str | None, timezone: ZoneInfo, system: str) -> Asked:
    """What the scheduler or a person asked of this run; ``system`` is that of the source, for ids of named records.

    Raises :class:`WindowError` for a bound that is no date, :class:`SpecError` for what is no id, and for named records
    beside a window, a full sync or what waits.

    Airflow's trigger form gives every run a data interval: the last complete one of the schedule (``cron`` in
    ``timezone``) unless a person chose another. The first is ignored, so that a run by hand reads up to now; the second
    is read exactly.
    """
    from cshub.pipeline.run import Asked

    dag_run, params = context["dag_run"], context["params"]
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    interval = Window(start, end) if start and end and start < end else None
    records = named_records(params.get("records") or (), system=system)
    if records and any(params.get(name) for name in _READS_MORE):
        raise SpecError(
            "Named records are read by their ids and nothing else with them: leave out window_start, window_end, "
            "full_sync and only_waiting, or leave out records."
        )
    bounds = [_moment(name, params.get(name)) for name in ("window_start", "window_end")]
    if interval is not None and run_kind(context) not in _BY_SCHEDULE and not any(bounds):
        if not _is_inferred(interval, dag_run.logical_date, cron, timezone):
            bounds = [interval.start, interval.end]
        interval = None
    return Asked(
        interval=interval,
        window_start=bounds[0],
        window_end=bounds[1],
        full_sync=bool(params.get("full_sync")),
        records=records,
    )


def _is_inferred(interval: Window, logical_date: datetime | None, cron: str | None, timezone: ZoneInfo) -> bool:
    """Whether Airflow filled in the interval itself: the last that was complete at the logical date."""
    if logical_date is None or cron is None:
        return cron is None
    just_after = (logical_date.astimezone(timezone) + timedelta(microseconds=1)).replace(tzinfo=None)
    ticks = croniter(cron, just_after)
    end, start = ticks.get_prev(datetime), ticks.get_prev(datetime)
    return [start, end] == [bound.astimezone(timezone).replace(tzinfo=None) for bound in (interval.start, interval.end)]


def _moment(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WindowError(f"{name} is {text!r}: write a date and time such as 2026-11-20T00:00:00Z.") from error
    if moment.tzinfo is None:
        from cshub.settings import Settings

        moment = moment.replace(tzinfo=Settings.from_environment().timezone)
    return moment


def _note_failure(run: Run, error: HubError) -> None:
    """Close the run red with its error; one that failed before it was opened is kept in the history all the same."""
    if isinstance(error, FencedOut):
        return
    from cshub.pipeline.run import known_pair

    now = run.clock.now()
    row = run.ledger.run(run.run_id) or run.ledger.open_run(
        run.run_id,
        job_id=run.bound.id,
        pair=known_pair(run.bound, run.ledger),
        kind=run.kind,
        window=None,
        job_digest=run.bound.digest,
        now=now,
    )
    statistics = row.statistics or RunStatistics()
    run.ledger.close_run(run.run_id, RunOutcome.RED, statistics, error=str(error), now=now)


def _progress_into(context: Context) -> Any:
    """Mirror progress to Airflow's task state store, so that Airflow's own pages show it."""
    store = context.get("task_state_store")

    def show(progress: Mapping[str, Any]) -> None:
        if store is not None:
            store.set("progress", dict(progress))

    return show
