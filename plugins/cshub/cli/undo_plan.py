"""The plan that takes back a run: which run is meant, and what taking it back would change."""

from __future__ import annotations

from datetime import datetime

from cshub.cli.planning import MadePlan, kept_plan, reopened
from cshub.core.errors import StateError
from cshub.core.records import RunOutcome
from cshub.core.undoing import WRITTEN
from cshub.ledger import Ledger, RunRow
from cshub.library import JobLibrary
from cshub.pipeline.run import Run
from cshub.pipeline.undo import plan_undo


def run_to_undo(name: str, library: JobLibrary, ledger: Ledger, *, now: datetime) -> RunRow:
    """The run of this id, with its job in front or without.

    Raises :class:`StateError` when there is none or several, when it is still at work, or when it wrote nothing.
    """
    names = [name, *(f"{job_id}:{name}" for job_id in library.job_ids())]
    found = [row for run_id in names if (row := ledger.run(run_id)) is not None]
    if not found:
        raise StateError(f"There is no run {name}. `cshub history JOB` lists the runs of a job.")
    if len(found) > 1:
        known = ", ".join(row.run_id for row in found)
        raise StateError(f"Several jobs have a run {name}. Write one of {known}.")
    (row,) = found
    if row.outcome is RunOutcome.RUNNING and row.run_id in ledger.runs_at_work(now):
        raise StateError(f"The run {row.run_id} is still at work. Wait for its end, then take it back.")
    if not any(entry.outcome in WRITTEN for entry in ledger.decisions_of_run(row.run_id)):
        raise StateError(f"The run {row.run_id} wrote nothing, so there is nothing to take back.")
    return row


def make_undo(run: Run, undone_run_id: str) -> MadePlan:
    """Plan to take back a run, and keep the plan. Sends nothing."""
    run.show({"step": "diff"})
    plan_id, _ = plan_undo(run, undone_run_id)
    made = reopened(run, kept_plan(run.ledger, plan_id))
    run.ledger.close_run(run.run_id, RunOutcome.PLANNED, made.statistics, now=run.clock.now())
    return made
