"""What belongs together in one commit: links, decisions, rejects and the end of intents.

Every function runs in a transaction of its caller and begins with the fence. What it records belongs to the run that
holds the lock, which after a crash may be a later one than the run that began the write, and of the other direction.
What became of a write is told of the run that began it, which counts it when it goes on, and which can be taken back.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from cshub.core.errors import StateError
from cshub.core.records import DecisionEntry, Intent, Link, Pair, RejectEntry
from cshub.ledger import decisions as audit
from cshub.ledger import intents, link_writes, lock, runs
from cshub.ledger import rejects as refused
from cshub.ledger.intents import OpenWrite
from cshub.ledger.link_writes import LinkBatch
from cshub.ledger.rows import Closing, Fence
from cshub.ledger.runs import RunPlace
from cshub.ledger.shapes import ShapeBook

_log = logging.getLogger(__name__)


def settle(
    connection: Connection,
    shapes: ShapeBook,
    fence: Fence,
    closings: Sequence[Closing],
    *,
    batch: LinkBatch,
    now: datetime,
) -> list[Link]:
    """Close the intents with the links, decisions and rejects they led to; the links of ``batch`` as stored."""
    run = runs.place(connection, lock.demand(connection, fence, now))
    closed = intents.close(connection, [item.intent_id for item in closings])
    for item in closings:
        _demand_fit(run, closed[item.intent_id].intent, item.link)
    stored = link_writes.store(connection, shapes, batch, run)
    told: dict[int, list[tuple[Pair, DecisionEntry]]] = defaultdict(list)
    for item in closings:
        write = closed[item.intent_id]
        if item.decision is not None:
            told[write.run_number].append((write.intent.pair, item.decision))
    for number, entries in told.items():
        audit.store(connection, entries, run_number=number, now=now)
    ends = [item for item in closings if item.link is not None]
    written = [link for item, link in zip(ends, stored, strict=True) if item.happened]
    refused.resolve_written(connection, written, run.run_id, now)
    for item in closings:
        if not item.happened:
            _reject(connection, item, closed[item.intent_id], run, now)
    return stored


def record(
    connection: Connection,
    shapes: ShapeBook,
    fence: Fence,
    run_id: str,
    *,
    batch: LinkBatch,
    decisions: Sequence[DecisionEntry],
    rejects: Sequence[RejectEntry],
    now: datetime,
) -> None:
    """Store links, decisions and rejects of a run."""
    lock.demand(connection, fence, now)
    run = runs.place(connection, run_id)
    pair = run.pair
    if pair is None:
        raise StateError(f"Run {run_id!r} was opened without its pair: open it with the pair before it records.")
    if any(item.pair.number != pair.number for item in batch.links):
        raise StateError(
            f"Run {run_id!r} works on pair {pair.number}; a link of another pair cannot be recorded for it."
        )
    stored = link_writes.store(connection, shapes, batch, run)
    audit.store(connection, [(pair, entry) for entry in decisions], run_number=run.number, now=now)
    refused.resolve_written(connection, stored, run_id, now)
    refused.store(connection, rejects, pair=pair, job_id=run.job_id, run_id=run_id, now=now)


def _demand_fit(run: RunPlace, intent: Intent, link: Link | None) -> None:
    if run.pair is None or run.pair.number != intent.pair.number:
        raise StateError(f"The write {intent.id} belongs to another pair than run {run.run_id!r}, which cannot end it.")
    if link is None:
        return
    seen = link if link.pair.mirrored == intent.pair.mirrored else link.mirrored()
    if (seen.pair, seen.source.key) != (intent.pair, intent.source_key):
        raise StateError(f"The write {intent.id} is about {intent.source_key!r}, not {seen.source.key!r}.")


def _reject(connection: Connection, closing: Closing, write: OpenWrite, run: RunPlace, now: datetime) -> None:
    intent = write.intent
    if closing.reject is not None:
        job_id = run.job_id if run.pair == intent.pair else write.job_id
        refused.store(connection, [closing.reject], pair=intent.pair, job_id=job_id, run_id=run.run_id, now=now)
    _log.info("%s of %s (run %s) abandoned: %s", intent.operation, intent.source_key, intent.run_id, closing.reason)
