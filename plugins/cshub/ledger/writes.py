"""What belongs together in one commit: links, decisions, rejects and the end of an intent.

Every function runs in a transaction of its caller and begins with the fence. What it records belongs to the run that
holds the lock, which after a crash may be a later one than the run that began the write.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cshub.core.errors import StateError
from cshub.core.records import DecisionEntry, RejectEntry
from cshub.ledger import decisions as audit
from cshub.ledger import intents, links, lock, runs
from cshub.ledger import rejects as refused
from cshub.ledger.rows import Fence

_log = logging.getLogger(__name__)
Packed = list[dict[str, Any]]
"""Links as :meth:`cshub.ledger.links.LinkBook.packed` gives them."""


def confirm(
    connection: Connection, fence: Fence, intent_id: int, *, packed: Packed, decision: DecisionEntry, now: datetime
) -> str:
    """Close the intent with the link and the decision it led to; the id of the run they were recorded for."""
    run_id = lock.demand(connection, fence, now)
    intent = intents.close(connection, intent_id, packed)
    run = runs.place(connection, run_id)
    links.store(connection, packed, run.number)
    audit.store(connection, [decision], pair_id=intent.pair_id, run_number=run.number, now=now)
    refused.resolve_written(connection, packed, run_id, now)
    return run_id


def abandon(
    connection: Connection,
    fence: Fence,
    intent_id: int,
    *,
    reason: str,
    packed: Packed,
    decision: DecisionEntry | None,
    reject: RejectEntry | None,
    now: datetime,
) -> None:
    """Close the intent of a write that did not happen, with what is known of it."""
    run_id = lock.demand(connection, fence, now)
    intent = intents.close(connection, intent_id, packed)
    run = runs.place(connection, run_id)
    links.store(connection, packed, run.number)
    if decision is not None:
        audit.store(connection, [decision], pair_id=intent.pair_id, run_number=run.number, now=now)
    if reject is not None:
        refused.store(connection, [reject], pair_id=intent.pair_id, job_id=run.job_id, run_id=run_id, now=now)
    _log.info("%s of %s (run %s) abandoned: %s", intent.operation, intent.source_key, intent.run_id, reason)


def record(
    connection: Connection,
    fence: Fence,
    run_id: str,
    *,
    packed: Packed,
    decisions: Sequence[DecisionEntry],
    rejects: Sequence[RejectEntry],
    now: datetime,
) -> None:
    """Store links, decisions and rejects of a run."""
    lock.demand(connection, fence, now)
    run = runs.place(connection, run_id)
    if any(row["pair_id"] != run.pair_id for row in packed):
        raise StateError(
            f"Run {run_id!r} works on pair {run.pair_id}; a link of another pair cannot be recorded for it."
        )
    links.store(connection, packed, run.number)
    audit.store(connection, decisions, pair_id=run.pair_id, run_number=run.number, now=now)
    refused.resolve_written(connection, packed, run_id, now)
    refused.store(connection, rejects, pair_id=run.pair_id, job_id=run.job_id, run_id=run_id, now=now)
