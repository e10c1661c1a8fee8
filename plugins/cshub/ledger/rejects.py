"""Rows that were rejected or failed, with every reason, until a later run settles them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, select, update

from cshub.core.records import Link, LinkState, Pair, RejectEntry
from cshub.ledger.columns import storable
from cshub.ledger.database import chunks
from cshub.ledger.rows import RejectRow
from cshub.ledger.statements import among, insert_into
from cshub.ledger.tables import reject

VALUE_LIMIT = 500
"""Characters kept of an offending value."""
_UNSETTLED = (LinkState.REJECTED, LinkState.FAILED)


def store(
    connection: Connection, entries: Sequence[RejectEntry], *, pair: Pair, job_id: str, run_id: str, now: datetime
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
        index_elements=[reject.c.pair_id, reject.c.mirrored, reject.c.source_key],
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
    place = {"pair_id": pair.number, "mirrored": pair.mirrored, "job_id": job_id}
    common = {**place, "attempts": 1, "first_run_id": run_id, "last_run_id": run_id}
    times = {"first_at": now, "last_at": now, "resolved_run_id": None, "resolved_at": None}
    rows = [{"source_key": key, "reasons": about, **common, **times} for key, about in sorted(reasons.items())]
    connection.execute(statement, rows)


def resolve(connection: Connection, pair: Pair, source_keys: Collection[str], run_id: str, now: datetime) -> None:
    """Close the open rejects of these rows of one direction."""
    for part in chunks(sorted(source_keys)):
        connection.execute(
            update(reject)
            .where(_unsettled(pair.number), reject.c.mirrored == pair.mirrored)
            .where(among(connection, reject.c.source_key, part))
            .values(resolved_run_id=run_id, resolved_at=now)
        )


def resolve_written(connection: Connection, links: Sequence[Link], run_id: str, now: datetime) -> None:
    """Close the open rejects of what is neither rejected nor failed any more, on both sides of these links."""
    fine = {
        (pair, side.key)
        for item in links
        for pair, side in ((item.pair, item.source), (Pair(item.pair.number, not item.pair.mirrored), item.target))
        if side.key is not None and side.state not in _UNSETTLED
    }
    for number in {pair.number for pair, _ in fine}:
        waiting = connection.execute(select(reject.c.mirrored, reject.c.source_key).where(_unsettled(number))).all()
        for mirrored in {row.mirrored for row in waiting}:
            pair = Pair(number, mirrored)
            keys = {row.source_key for row in waiting if (pair, row.source_key) in fine and row.mirrored == mirrored}
            resolve(connection, pair, keys, run_id, now)


def of_job(connection: Connection, job_id: str, *, run_id: str | None, only_open: bool) -> list[RejectRow]:
    wanted = select(reject).where(reject.c.job_id == job_id).order_by(reject.c.source_key)
    if run_id is not None:
        wanted = wanted.where(reject.c.last_run_id == run_id)
    if only_open:
        wanted = wanted.where(reject.c.resolved_at.is_(None))
    return [item for row in connection.execute(wanted) for item in _rows(row)]


def _unsettled(pair_id: int) -> ColumnElement[bool]:
    return and_(reject.c.pair_id == pair_id, reject.c.resolved_at.is_(None))


def _rows(row: Row[Any]) -> Iterator[RejectRow]:
    for step, field, reason, remedy, value in row.reasons:
        yield RejectRow(
            pair=Pair(row.pair_id, row.mirrored),
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
