"""Rows that were rejected or failed, with every reason, until a later run settles them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, select, update

from cshub.core.records import LinkState, RejectEntry
from cshub.ledger.columns import storable
from cshub.ledger.database import chunks
from cshub.ledger.rows import RejectRow
from cshub.ledger.statements import among, insert_into
from cshub.ledger.tables import reject

VALUE_LIMIT = 500
"""Characters kept of an offending value."""
_UNSETTLED = (LinkState.REJECTED, LinkState.FAILED)


def store(
    connection: Connection, entries: Sequence[RejectEntry], *, pair_id: int, job_id: str, run_id: str, now: datetime
) -> None:
    """Keep the reasons of this run in place of older ones. A run repeated counts as one attempt."""
    reasons: dict[str, list[list[str]]] = {}
    for entry in entries:
        about = [entry.step, entry.field, entry.reason, entry.remedy, storable(entry.value)[:VALUE_LIMIT]]
        reasons.setdefault(entry.source_key, []).append(about)
    if not reasons:
        return
    inserted = insert_into(connection, reject)
    new = inserted.excluded
    settled = reject.c.resolved_at.is_not(None)
    statement = inserted.on_conflict_do_update(
        index_elements=[reject.c.pair_id, reject.c.source_key],
        set_={
            "job_id": new.job_id,
            "reasons": new.reasons,
            "attempts": case(
                (settled, 1), (reject.c.last_run_id == new.last_run_id, reject.c.attempts), else_=reject.c.attempts + 1
            ),
            "first_run_id": case((settled, new.first_run_id), else_=reject.c.first_run_id),
            "first_at": case((settled, new.first_at), else_=reject.c.first_at),
            "last_run_id": new.last_run_id,
            "last_at": new.last_at,
            "resolved_run_id": None,
            "resolved_at": None,
        },
    )
    common = {"pair_id": pair_id, "job_id": job_id, "attempts": 1, "first_run_id": run_id, "last_run_id": run_id}
    times = {"first_at": now, "last_at": now, "resolved_run_id": None, "resolved_at": None}
    rows = [{"source_key": key, "reasons": about, **common, **times} for key, about in sorted(reasons.items())]
    connection.execute(statement, rows)


def resolve(connection: Connection, pair_id: int, source_keys: Collection[str], run_id: str, now: datetime) -> None:
    """Close the open rejects of these rows."""
    unsettled = (reject.c.pair_id == pair_id) & reject.c.resolved_at.is_(None)
    for part in chunks(sorted(source_keys)):
        connection.execute(
            update(reject)
            .where(unsettled & among(connection, reject.c.source_key, part))
            .values(resolved_run_id=run_id, resolved_at=now)
        )


def resolve_written(connection: Connection, rows: Sequence[dict[str, Any]], run_id: str, now: datetime) -> None:
    """Close the open rejects of packed links that are neither rejected nor failed any more."""
    fine: dict[int, set[str]] = {}
    for row in rows:
        if row["state"] not in _UNSETTLED:
            fine.setdefault(row["pair_id"], set()).add(row["source_key"])
    for pair_id, keys in fine.items():
        unsettled = (reject.c.pair_id == pair_id) & reject.c.resolved_at.is_(None)
        waiting = connection.execute(select(reject.c.source_key).where(unsettled)).scalars().all()
        resolve(connection, pair_id, keys.intersection(waiting), run_id, now)


def of_job(connection: Connection, job_id: str, *, run_id: str | None, only_open: bool) -> list[RejectRow]:
    wanted = select(reject).where(reject.c.job_id == job_id).order_by(reject.c.source_key)
    if run_id is not None:
        wanted = wanted.where(reject.c.last_run_id == run_id)
    if only_open:
        wanted = wanted.where(reject.c.resolved_at.is_(None))
    return [item for row in connection.execute(wanted) for item in _rows(row)]


def _rows(row: Row[Any]) -> Iterator[RejectRow]:
    for step, field, reason, remedy, value in row.reasons:
        yield RejectRow(
            pair_id=row.pair_id,
            job_id=row.job_id,
            source_key=row.source_key,
            step=step,
            field=field,
            reason=reason,
            remedy=remedy,
            value=value,
            attempts=row.attempts,
            first_run_id=row.first_run_id,
            last_run_id=row.last_run_id,
            first_at=row.first_at,
            last_at=row.last_at,
            resolved_run_id=row.resolved_run_id,
            resolved_at=row.resolved_at,
        )
