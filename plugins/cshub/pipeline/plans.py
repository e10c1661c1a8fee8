"""Plans that wait: kept by a dry run, reviewed by a person, applied exactly as shown."""

from __future__ import annotations

import hashlib

from cshub.core.errors import StateError
from cshub.core.records import RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Ledger, PlanKind
from cshub.ledger import PlanRow as KeptPlan
from cshub.pipeline.diff import Planned
from cshub.pipeline.load import Loaded, LoadOrder, load
from cshub.pipeline.run import Run
from cshub.staging import FrameRef


def keep_plan(
    run: Run,
    planned: Planned,
    *,
    rejects: FrameRef,
    statistics: RunStatistics,
    window: Window,
    kind: PlanKind = PlanKind.SYNC,
    undoes: str | None = None,
) -> str:
    """Keep a plan under a short id of its own, which comes back; the same run keeps it once. ``undoes``: a run's id.

    The id tells the job and the moment its run was opened, and ends with a digest of run and plan.
    """
    opened = run.ledger.run(run.run_id)
    moment = run.clock.now() if opened is None else opened.opened_at
    mark = hashlib.sha256(f"{run.run_id}\n{planned.digest}".encode()).hexdigest()[:6]
    plan_id = f"{run.bound.id}-{moment:%Y%m%d-%H%M%S}-{mark}"
    run.ledger.save_plan(
        plan_id,
        job_id=run.bound.id,
        pair_id=run.pair.number,
        run_id=run.run_id,
        window=window,
        reference={
            "plan": planned.ref.as_dict(),
            "rejects": rejects.as_dict(),
            "statistics": statistics.as_dict(),
            "digest": planned.digest,
            "job_digest": run.bound.digest,
        },
        counts=planned.counts.as_dict(),
        now=run.clock.now(),
        kind=kind,
        undoes=undoes,
    )
    return plan_id


def run_id_for(plan: KeptPlan, ledger: Ledger, *, new: str) -> str:
    """Id of the run that is to apply a plan: ``new``, or that of the run that began it and was interrupted.

    Under the old id the lock is taken over at once, what was done is known, and writes without an answer are settled.
    Raises :class:`StateError` when the plan was applied to its end.
    """
    if plan.applied_run_id is None:
        return new
    if is_finished(plan, ledger):
        raise StateError(
            f"The plan {plan.plan_id!r} was applied by run {plan.applied_run_id!r} at "
            f"{plan.applied_at:%Y-%m-%d %H:%M} UTC. A plan is applied once: make a new one with "
            f"`{_again(plan)}`."
        )
    return plan.applied_run_id


def is_finished(plan: KeptPlan, ledger: Ledger) -> bool:
    """Whether a plan was carried out to its end; records that the target refused do not count against that."""
    row = None if plan.applied_run_id is None else ledger.run(plan.applied_run_id)
    return row is not None and row.outcome is not RunOutcome.RUNNING and row.error is None


def apply_plan(run: Run, plan: KeptPlan) -> Loaded:
    """Carry out a kept plan; rows whose source, target or link moved since are left out and counted.

    Given again to the run that :func:`run_id_for` names, it goes on where that was interrupted. Raises
    :class:`StateError` when the plan was applied before, another run has begun it, or the job's files have changed.
    """
    run_id_for(plan, run.ledger, new=run.run_id)
    if plan.reference["job_digest"] != run.bound.digest:
        raise StateError(
            f"The job {run.bound.id} was changed after the plan {plan.plan_id} was made: make a new plan with "
            f"`{_again(plan)}`."
        )
    if plan.window is None:
        raise StateError(f"The plan {plan.plan_id} has no window: make a new plan with `{_again(plan)}`.")
    now, pair = run.clock.now(), run.pair
    run.ledger.mark_applied(plan.plan_id, run.run_id, now)
    run.ledger.open_run(
        run.run_id,
        job_id=run.bound.id,
        pair=pair,
        kind=run.kind,
        window=plan.window,
        job_digest=run.bound.digest,
        now=now,
    )
    order = LoadOrder(
        plan=FrameRef.from_dict(plan.reference["plan"]),
        rejects=FrameRef.from_dict(plan.reference["rejects"]),
        mapped=RunStatistics.from_dict(plan.reference["statistics"]),
        planned_at=plan.created_at,
        window=plan.window,
        first_run=False,
        is_whole=False,
        undoes=plan.undoes_run_id,
    )
    return load(run, order)


def _again(plan: KeptPlan) -> str:
    """The command that makes a plan like this one."""
    return f"cshub undo {plan.undoes_run_id}" if plan.undoes_run_id else f"cshub plan {plan.job_id}"
