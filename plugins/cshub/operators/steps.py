"""extract ▸ map ▸ diff ▸ load. Each returns a plain versioned dict: references to staged frames, and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from cshub.core.errors import RowsFailed
from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.operators.base import XCOM_VERSION, HubOperator, asked_of
from cshub.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cshub.core.planning import PlanRow
    from cshub.pipeline.run import Run

EXTRACT, MAP, DIFF, APPROVE, LOAD = "extract", "map", "diff", "approve", "load"
NAMED_DELETIONS = 10
NAME_LENGTH = 60


class ExtractOperator(HubOperator):
    """Read the window and everything that waits."""

    def execute(self, context: Context) -> dict[str, Any]:
        from cshub.pipeline.extract import extract

        with self.hub_run(context) as run:
            asked = asked_of(
                context,
                cron=run.bound.schedule.as_cron(),
                timezone=Settings.from_environment().timezone,
                system=run.bound.source.system,
            )
            done = extract(run, asked, only_waiting=run.kind is RunKind.RETRY)
            self.log.info("Read %d records of %s: %s", done.read, done.window.as_text(), dict(done.by_origin))
            return {
                "version": XCOM_VERSION,
                "raw": done.ref.as_dict(),
                "window": {"start": done.window.start.isoformat(), "end": done.window.end.isoformat()},
                "first_run": done.first_run,
                "is_whole": done.is_whole,
                "beside_lost": done.beside_lost,
                "read": done.read,
                "by_origin": dict(done.by_origin),
                "api_calls": run.api_calls(),
                "warnings": run.warnings(),
            }


class MapOperator(HubOperator):
    """Rename, transform, cast and validate."""

    def execute(self, context: Context) -> dict[str, Any]:
        from cshub.pipeline.map import map_records
        from cshub.staging import FrameRef

        with self.hub_run(context) as run:
            extracted = pulled(context, EXTRACT)
            done = map_records(run, FrameRef.from_dict(extracted["raw"]))
            reading = RunStatistics(warnings=extracted.get("warnings", {}), api_calls=extracted["api_calls"])
            numbers = done.statistics + reading
            self.log.info("Mapped %d, rejected %d of %d records", numbers.mapped, numbers.rejected, numbers.read)
            run.ledger.save_statistics(run.run_id, numbers, run.clock.now())
            return {
                "version": XCOM_VERSION,
                "mapped": done.ref.as_dict(),
                "rejects": done.rejects.as_dict(),
                "statistics": numbers.as_dict(),
            }


class DiffOperator(HubOperator):
    """Compare with the target and the ledger, and plan each record. A dry run ends here and keeps its plan."""

    def execute(self, context: Context) -> dict[str, Any]:
        from cshub.core.plan import excesses
        from cshub.pipeline.diff import diff, staged_plan
        from cshub.pipeline.forecast import forecast_of
        from cshub.pipeline.plans import keep_plan
        from cshub.staging import FrameRef

        with self.hub_run(context) as run:
            extracted, mapped = pulled(context, EXTRACT), pulled(context, MAP)
            planned_at = run.clock.now()
            beside_lost = extracted.get("beside_lost", False)
            done = diff(run, FrameRef.from_dict(mapped["mapped"]), beside_lost=beside_lost)
            planning = RunStatistics(warnings=done.warnings) + RunStatistics(
                warnings=run.warnings(), api_calls=run.api_calls()
            )
            numbers = RunStatistics.from_dict(mapped["statistics"]) + planning
            rows = list(staged_plan(run, done.ref))
            forecast = forecast_of(run, rows)
            self.log.info("Planned %s; about %d calls, %.0f s", done.counts.as_dict(), forecast.calls, forecast.seconds)
            result: dict[str, Any] = {
                "version": XCOM_VERSION,
                "plan": done.ref.as_dict(),
                "digest": done.digest,
                "counts": done.counts.as_dict(),
                "skipped": dict(done.counts.skipped),
                "statistics": numbers.as_dict(),
                "planned_at": planned_at.isoformat(),
                "forecast": {"calls": forecast.calls, "seconds": round(forecast.seconds, 1)},
                "excesses": [item.as_dict() for item in excesses(done.counts, run.bound.job.guard, linked=done.linked)],
                "deleted_first": first_deleted(run, rows),
            }
            if run.kind is RunKind.DRY:
                window = window_of(extracted)
                rejects = FrameRef.from_dict(mapped["rejects"])
                result["plan_id"] = keep_plan(run, done, rejects=rejects, statistics=numbers, window=window)
                run.ledger.close_run(run.run_id, RunOutcome.PLANNED, numbers, now=run.clock.now())
            return result


class LoadOperator(HubOperator):
    """Carry out the plan. Repeated after any interruption, it goes on where it stood."""

    def execute(self, context: Context) -> dict[str, Any]:
        from cshub.pipeline.load import LoadOrder, load
        from cshub.staging import FrameRef

        with self.hub_run(context) as run:
            extracted, mapped, planned = pulled(context, EXTRACT), pulled(context, MAP), pulled(context, DIFF)
            order = LoadOrder(
                plan=FrameRef.from_dict(planned["plan"]),
                rejects=FrameRef.from_dict(mapped["rejects"]),
                mapped=RunStatistics.from_dict(planned["statistics"]),
                planned_at=datetime.fromisoformat(planned["planned_at"]),
                window=window_of(extracted),
                first_run=extracted["first_run"],
                is_whole=extracted.get("is_whole", True),
            )
            done = load(run, order)
            result = {
                "version": XCOM_VERSION,
                "outcome": done.outcome.value,
                "run_id": run.run_id,
                "window": extracted["window"],
                "stats": done.statistics.as_dict(),
            }
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"outcome": done.outcome.value, "stats": done.statistics.as_dict()}
        if done.outcome is not RunOutcome.GREEN:
            context["ti"].xcom_push(key="return_value", value=result)
            raise RowsFailed(
                f"The target refused {done.statistics.failed} of {done.statistics.mapped} records; the others are "
                f"done. See `cshub rejects {self.job_id}`; they are tried again in the next run, or now with "
                f"`cshub retry {self.job_id}`."
            )
        return result


def pulled(context: Context, task_id: str) -> dict[str, Any]:
    """What an earlier step of this run returned."""
    value = context["ti"].xcom_pull(task_ids=task_id)
    if not isinstance(value, dict) or value.get("version") != XCOM_VERSION:
        from cshub.core.errors import StagingCorrupt

        raise StagingCorrupt(f"The result of the task {task_id} is gone: clear {task_id} and the tasks after it.")
    return value


def first_deleted(run: Run, rows: Sequence[PlanRow]) -> list[list[str]]:
    """Key and name of the first records that a plan deletes, for the person who is asked.

    The name is the first text that the job maps and that is not personal, cut to :data:`NAME_LENGTH` characters.
    """
    from cshub.core.objects import Kind
    from cshub.core.records import Action

    mapping = run.mapping
    named = [
        name
        for name, spec in mapping.attributes.items()
        if spec.kind in {Kind.TEXT, Kind.RICH_TEXT} and name not in mapping.personal
    ]
    found = []
    for row in islice((row for row in rows if row.action is Action.DELETE), NAMED_DELETIONS):
        values = {change.field: change.before for change in row.changes}
        name = next((str(values[name]) for name in named if values.get(name)), "")
        found.append([row.target_key or row.source_key, name[:NAME_LENGTH]])
    return found


def window_of(extracted: dict[str, Any]) -> Window:
    window = extracted["window"]
    return Window(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]))
