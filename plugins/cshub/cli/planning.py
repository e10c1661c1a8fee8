"""The dry steps of a run in this process: preview a few records, make a plan, open a plan that was kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cshub.cli.airflow_home import settle_airflow
from cshub.cli.personal import Mask
from cshub.cli.wording import INTERRUPTED
from cshub.core.errors import FencedOut, HubError, StateError
from cshub.core.jobs import BoundJob
from cshub.core.mapping import ABSENT
from cshub.core.objects import Role
from cshub.core.plan import PlanCounts, count_plan, excesses, in_step
from cshub.core.planning import PlanRow
from cshub.core.records import Origin, RejectEntry, RunKind, RunOutcome, SourceRecord
from cshub.core.stats import RunStatistics
from cshub.core.window import Window, choose_window
from cshub.ledger import Ledger
from cshub.ledger import PlanRow as KeptPlan
from cshub.pipeline.diff import diff, plan_mapped, staged_plan
from cshub.pipeline.extract import extract
from cshub.pipeline.forecast import Forecast, forecast_of
from cshub.pipeline.map import map_now, map_records, staged_rejects
from cshub.pipeline.opening import opened_run
from cshub.pipeline.plans import keep_plan
from cshub.pipeline.run import Asked, OnProgress, Run, known_pair, no_progress, window_facts
from cshub.staging import FrameRef


@dataclass(frozen=True, slots=True)
class MadePlan:
    """A plan, kept under ``plan_id`` unless it is that of a run.

    ``excesses``: operation, planned, limit, text of what exceeds the guard. ``undoes``: the run that it takes back.
    """

    plan_id: str | None
    job_id: str
    run_id: str
    window: Window
    rows: Sequence[PlanRow]
    rejects: Sequence[RejectEntry]
    counts: PlanCounts
    statistics: RunStatistics
    forecast: Forecast
    excesses: Sequence[dict[str, Any]]
    created_at: datetime
    applied_at: datetime | None = None
    applied_run_id: str | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the mapping for one record: what the source holds, what the target will."""

    source: str
    source_value: Any
    target: str
    target_value: Any


@dataclass(frozen=True, slots=True)
class Previewed:
    """One record as it will arrive. ``fate``: an action of the planner, or ``reject``."""

    record: SourceRecord
    fate: str
    rule: str
    reason: str
    rejects: Sequence[RejectEntry]
    fields: Sequence[Field]
    warnings: Sequence[str]


def new_run_id(job_id: str, what: str, now: datetime) -> str:
    return f"{job_id}:{what}__{now:%Y-%m-%dT%H:%M:%S}_{uuid.uuid4().hex[:6]}"


@contextmanager
def noted_run(job_id: str, run_id: str, kind: RunKind, *, on_progress: OnProgress = no_progress) -> Iterator[Run]:
    """A run in this process; an error makes it red in the ledger, as it would be in Airflow."""
    settle_airflow()
    with opened_run(job_id, run_id, kind, on_progress=on_progress) as run:
        try:
            yield run
        except FencedOut:
            raise
        except (HubError, KeyboardInterrupt) as error:
            row = run.ledger.run(run_id)
            if row is not None:
                reason = str(error) if isinstance(error, HubError) else INTERRUPTED
                numbers = row.statistics or RunStatistics()
                run.ledger.close_run(run_id, RunOutcome.RED, numbers, error=reason, now=run.clock.now())
            raise


def make_plan(run: Run, asked: Asked) -> MadePlan:
    """Extract, map, diff, and keep the plan: the steps of a dry run of the DAG."""
    read = extract(run, asked)
    run.show({"step": "map", "read": read.read})
    mapped = map_records(run, read.ref)
    run.show({"step": "diff", "mapped": mapped.statistics.mapped})
    planned = diff(run, mapped.ref, beside_lost=read.beside_lost)
    planning = RunStatistics(warnings=run.warnings(), api_calls=run.api_calls())
    numbers = mapped.statistics + RunStatistics(warnings=planned.warnings) + planning
    plan_id = keep_plan(run, planned, rejects=mapped.rejects, statistics=numbers, window=read.window)
    rows = list(staged_plan(run, planned.ref))
    run.ledger.close_run(run.run_id, RunOutcome.PLANNED, numbers, now=run.clock.now())
    return MadePlan(
        plan_id=plan_id,
        job_id=run.bound.id,
        run_id=run.run_id,
        window=read.window,
        rows=rows,
        rejects=staged_rejects(run, mapped.rejects),
        counts=planned.counts,
        statistics=numbers,
        forecast=forecast_of(run, rows),
        excesses=_passed(planned.counts, run.bound, planned.linked),
        created_at=run.clock.now(),
    )


def reopened(run: Run, plan: KeptPlan) -> MadePlan:
    """A kept plan with its rows, as it was shown when it was made."""
    if plan.window is None:
        raise StateError(f"The plan {plan.plan_id} has no window: make a new one with `cshub plan {plan.job_id}`.")
    made = _from_staging(
        run,
        FrameRef.from_dict(plan.reference["plan"]),
        FrameRef.from_dict(plan.reference["rejects"]),
        run_id=plan.run_id,
        window=plan.window,
        statistics=RunStatistics.from_dict(plan.reference["statistics"]),
        created_at=plan.created_at,
    )
    return replace(
        made,
        plan_id=plan.plan_id,
        applied_at=plan.applied_at,
        applied_run_id=plan.applied_run_id,
        undoes=plan.undoes_run_id,
    )


def plan_of_run(run: Run, run_id: str) -> MadePlan:
    """What a run planned, from what it staged. Raises :class:`StateError` when that is not there."""
    job_id = run.bound.id
    full_id = run_id if run_id.startswith(f"{job_id}:") else f"{job_id}:{run_id}"
    row = run.ledger.run(full_id)
    plan = run.staging.find(job_id, full_id, "plan")
    rejects = run.staging.find(job_id, full_id, "rejected")
    if row is None or row.window is None or plan is None or rejects is None:
        raise StateError(f"There is no plan of a run {run_id}. `cshub history {job_id}` lists the runs.")
    numbers = row.statistics or RunStatistics()
    return _from_staging(
        run, plan, rejects, run_id=full_id, window=row.window, statistics=numbers, created_at=row.opened_at
    )


def _from_staging(
    run: Run,
    plan: FrameRef,
    rejects: FrameRef,
    *,
    run_id: str,
    window: Window,
    statistics: RunStatistics,
    created_at: datetime,
) -> MadePlan:
    rows = list(staged_plan(run, plan))
    counts = count_plan(rows)
    pair = known_pair(run.bound, run.ledger)
    linked = in_step(run.ledger.count_links(pair)) if pair is not None else 0
    return MadePlan(
        plan_id=None,
        job_id=run.bound.id,
        run_id=run_id,
        window=window,
        rows=rows,
        rejects=staged_rejects(run, rejects),
        counts=counts,
        statistics=statistics,
        forecast=forecast_of(run, rows),
        excesses=_passed(counts, run.bound, linked),
        created_at=created_at,
    )


def kept_plan(ledger: Ledger, plan_id: str) -> KeptPlan:
    """Raises :class:`StateError` when there is no such plan."""
    plan = ledger.plan(plan_id)
    if plan is None:
        raise StateError(f"There is no plan {plan_id}. `cshub plans JOB` lists those of a job.")
    return plan


def preview(run: Run, asked: Asked, limit: int) -> tuple[Window, list[Previewed], Forecast]:
    """The newest records of the window as they will arrive, the left-out ones among them, and what these will cost.

    Writes nothing.
    """
    window = choose_window(window_facts(run, asked), run.window_rules)
    records = run.source.sample(window, limit)[:limit]
    mapped, rejects = map_now(run, [(record, Origin.WINDOW) for record in records])
    planned = {row.source_key: row for row in plan_mapped(run, mapped)}
    values = {item.source_key: (item.values, item.account_reference) for item in mapped}
    by_key: dict[str, list[RejectEntry]] = {}
    for entry in rejects:
        by_key.setdefault(entry.source_key, []).append(entry)
    shown = []
    for record in records:
        row, reasons = planned.get(record.key), by_key.get(record.key, [])
        attributes, reference = values.get(record.key, ({}, None))
        shown.append(
            Previewed(
                record=record,
                fate=row.action.value if row is not None else "reject",
                rule=row.rule.value if row is not None else "",
                reason=row.reason if row is not None else "; ".join(f"{it.field}: {it.reason}" for it in reasons),
                rejects=reasons,
                fields=_fields(run, record, row, attributes, reference),
                warnings=row.warnings if row is not None else (),
            )
        )
    return window, shown, forecast_of(run, list(planned.values()))


def mask_of(bound: BoundJob, *, show_personal: bool) -> Mask:
    """What is masked of a job's target: what its mapping, either catalogue or the partner's mapping calls personal.

    Fields that the partner alone reads are told too, where somebody has edited them.
    """
    from cshub.core.mapping import compile_mapping
    from cshub.library import JobLibrary
    from cshub.systems import registry

    if show_personal:
        return Mask()
    source, target = registry.object_spec(bound.source), registry.object_spec(bound.target)
    personal = compile_mapping(bound, source, target, version="mask").personal
    partner = JobLibrary.from_settings().partner(bound)
    read = {row.source for row in partner.fields if row.personal and row.source is not None} if partner else set()
    return Mask(personal | read, target.holds_personal)


def _passed(counts: PlanCounts, bound: BoundJob, linked: int) -> list[dict[str, Any]]:
    return [item.as_dict() for item in excesses(counts, bound.job.guard, linked=linked)]


def _fields(run: Run, record: SourceRecord, row: PlanRow | None, attributes: Any, reference: str | None) -> list[Field]:
    arriving = {**attributes, **(row.values if row is not None else {})}
    fields = []
    for mapped in run.mapping.rows:
        spec = mapped.target
        value = arriving.get(spec.name)
        if row is not None and row.action.value != "skip":
            if spec.role is Role.RECORD_KEY:
                value = row.external_id
            elif spec.role is Role.ACCOUNT_KEY:
                value = row.account_id or reference
        raw = mapped.value_of(record.body or {})
        source = ".".join(mapped.path) or "(constant)"
        fields.append(Field(source, "(absent)" if raw is ABSENT else raw, spec.name, value))
    return fields
