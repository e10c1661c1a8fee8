"""Undo: what a run did to the target, taken back by a plan that a person sees first."""

from __future__ import annotations

from collections.abc import Sequence

from cshub.core.errors import StateError
from cshub.core.plan import count_plan, plan_digest
from cshub.core.planning import PlanRow
from cshub.core.stats import RunStatistics
from cshub.ledger import PlanKind, RunRow
from cshub.pipeline.diff import Planned, stage_plan
from cshub.pipeline.map import stage_rejects
from cshub.pipeline.plans import keep_plan
from cshub.pipeline.run import Run
from cshub.pipeline.taking_back import undo_rows


def plan_undo(run: Run, undone_run_id: str) -> tuple[str, Sequence[PlanRow]]:
    """Plan to take back a run of this job; the id of the kept plan and its rows. Nothing is written to the target.

    Raises :class:`StateError` when the ledger has no such run of this job, or it wrote nothing.
    """
    undone = _undone(run, undone_run_id)
    run.ledger.open_run(
        run.run_id,
        job_id=run.bound.id,
        pair=run.pair,
        kind=run.kind,
        window=undone.window,
        job_digest=run.bound.digest,
        now=run.clock.now(),
    )
    rows = undo_rows(run, undone_run_id)
    if not rows:
        raise StateError(f"The run {undone_run_id} wrote nothing, so there is nothing to take back.")
    assert undone.window is not None
    planned = Planned(stage_plan(run, rows), count_plan(rows), plan_digest(rows), {}, 0)
    statistics = RunStatistics(read=len(rows), mapped=len(rows), api_calls=run.api_calls())
    plan_id = keep_plan(
        run,
        planned,
        rejects=stage_rejects(run, []),
        statistics=statistics,
        window=undone.window,
        kind=PlanKind.UNDO,
        undoes=undone_run_id,
    )
    return plan_id, rows


def _undone(run: Run, run_id: str) -> RunRow:
    row = run.ledger.run(run_id)
    if row is None or row.job_id != run.bound.id or row.window is None:
        raise StateError(
            f"There is no run {run_id} of {run.bound.id} that wrote anything. `cshub history {run.bound.id}` lists "
            "its runs."
        )
    return row
