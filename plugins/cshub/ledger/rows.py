"""What the ledger answers with, beside the values of :mod:`cshub.core.records`. All moments are aware and in UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cshub.core.records import Change, Outcome, RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.core.window import Window

LOCK_TAKING = timedelta(seconds=15)  # between a run's opening and its lock lie a few calls and transactions


@dataclass(frozen=True, slots=True)
class Fence:
    """Leave to write under a lock. It ends when somebody else is given a higher ``token`` for the same name."""

    name: str
    token: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``attempt`` counts how often it was opened, from 1; ``progress`` is the last that was reported.

    ``pair_id`` is None for a run that failed before it had reached both systems.
    """

    run_id: str
    job_id: str
    pair_id: int | None
    kind: RunKind
    window: Window | None
    job_digest: str
    attempt: int
    outcome: RunOutcome
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    progress: Mapping[str, Any]
    statistics: RunStatistics | None
    error: str | None


def is_interrupted(row: RunRow, now: datetime, *, at_work: Collection[str]) -> bool:
    """Whether a run that never ended was broken off while it wrote; ``at_work``: the runs that hold a lock now.

    Only a step that writes holds a lock. A run that reads, or waits for an approval, is not taken for interrupted.
    """
    writes = row.kind is RunKind.APPLY or row.progress.get("step") == "load"
    begun = now - row.updated_at > LOCK_TAKING
    return row.outcome is RunOutcome.RUNNING and writes and begun and row.run_id not in at_work


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One line of the audit, as it was recorded."""

    id: int
    pair_id: int
    run_id: str
    at: datetime
    source_key: str
    target_key: str | None
    outcome: Outcome
    rule: str
    reason: str
    changes: Sequence[Change]
    answer: str


@dataclass(frozen=True, slots=True)
class RejectRow:
    """One reason why one row was rejected or failed; a row with three faults has three of them.

    ``attempts`` counts the runs that rejected the row in a row. ``resolved_at`` is None while it is open.
    """

    pair_id: int
    job_id: str
    source_key: str
    step: str
    field: str
    reason: str
    remedy: str
    value: str
    attempts: int
    first_run_id: str
    last_run_id: str
    first_at: datetime
    last_at: datetime
    resolved_run_id: str | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A kept plan. ``reference`` leads to its staged frame; ``counts``: action → number of rows."""

    plan_id: str
    job_id: str
    pair_id: int
    run_id: str
    window: Window | None
    reference: Mapping[str, Any]
    counts: Mapping[str, int]
    created_at: datetime
    applied_at: datetime | None
    applied_run_id: str | None
