"""What the ledger answers with, beside the values of :mod:`cshub.core.records`. All moments are aware and in UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cshub.core.records import (
    Change,
    DecisionEntry,
    Link,
    Operation,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
    RunOutcome,
)
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

    ``pair``, with the job's direction, is None for a run that failed before it had reached both systems.
    """

    run_id: str
    job_id: str
    pair: Pair | None
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

    @property
    def pair_id(self) -> int | None:
        return None if self.pair is None else self.pair.number


def is_interrupted(row: RunRow, now: datetime, *, at_work: Collection[str]) -> bool:
    """Whether a run that never ended was broken off while it wrote; ``at_work``: the runs that hold a lock now.

    Only a step that writes holds a lock. A run that reads, or waits for an approval, is not taken for interrupted.
    """
    writes = row.kind is RunKind.APPLY or row.progress.get("step") == "load"
    begun = now - row.updated_at > LOCK_TAKING
    return row.outcome is RunOutcome.RUNNING and writes and begun and row.run_id not in at_work


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One line of the audit, as it was recorded, in the direction of ``pair``."""

    id: int
    pair: Pair
    job_id: str
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

    ``pair``: the direction that ``source_key`` is a source in. ``attempts`` counts the runs that rejected the row in a
    row. ``resolved_at`` is None while it is open.
    """

    pair: Pair
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


class PlanKind(StrEnum):
    """What a plan is for."""

    SYNC = "sync"
    UNDO = "undo"  # takes back what another run wrote


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A kept plan. ``reference`` leads to its staged frame; ``counts``: action → number of rows.

    ``undoes_run_id``: the run whose writes it takes back.
    """

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
    kind: PlanKind = PlanKind.SYNC
    undoes_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class IntentRequest:
    """A write that is about to be sent; the fields of :class:`~cshub.core.records.Intent`.

    ``expected_version``: the version of the link the plan was made on. None for a create: the source record must not
    be linked yet.
    """

    pair: Pair
    source_key: str
    operation: Operation
    target_key: str | None
    payload_hash: str
    hint: Mapping[str, Any]
    expected_version: int | None


@dataclass(frozen=True, slots=True)
class Closing:
    """The end of a write that had begun, and what is recorded with it.

    ``happened``: the write was done, and open rejects of the record are settled by it; otherwise it certainly was not,
    for ``reason``. ``link``, seen from either direction, is about the intent's record; ``decision`` and ``reject`` name
    it by the intent's source key.
    """

    intent_id: int
    happened: bool
    link: Link | None = None
    decision: DecisionEntry | None = None
    reject: RejectEntry | None = None
    reason: str = ""
