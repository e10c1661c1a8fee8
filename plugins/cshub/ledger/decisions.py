"""The audit: one line for each record and run in which something happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select

from cshub.core.records import Change, DecisionEntry, Outcome
from cshub.ledger import links
from cshub.ledger.rows import DecisionRow
from cshub.ledger.tables import decision, run

_WITH_RUN = select(decision, run.c.run_id).select_from(decision.join(run, run.c.number == decision.c.run_number))


def store(
    connection: Connection, entries: Sequence[DecisionEntry], *, pair_id: int, run_number: int, now: datetime
) -> None:
    if entries:
        connection.execute(insert(decision), [_values(entry, pair_id, run_number, now) for entry in entries])


def of_key(connection: Connection, pair_id: int, key: str) -> list[DecisionRow]:
    """Everything about a source or target key, oldest first.

    For a target key also what its source record went through before it was linked.
    """
    keys = [decision.c.source_key == key, decision.c.target_key == key]
    source_key = links.source_of(connection, pair_id, key)
    if source_key is not None:
        keys.append(decision.c.source_key == source_key)
    here = (decision.c.pair_id == pair_id) & or_(*keys)
    return [_row(row) for row in connection.execute(_WITH_RUN.where(here).order_by(decision.c.id))]


def of_run(connection: Connection, run_id: str) -> list[DecisionRow]:
    return [_row(row) for row in connection.execute(_WITH_RUN.where(run.c.run_id == run_id).order_by(decision.c.id))]


def outcomes(connection: Connection, run_id: str) -> dict[str, Outcome]:
    """Source key → the last outcome this run recorded for it."""
    wanted = select(decision.c.source_key, decision.c.outcome).join(run, run.c.number == decision.c.run_number)
    rows = connection.execute(wanted.where(run.c.run_id == run_id).order_by(decision.c.id))
    return {source_key: Outcome(outcome) for source_key, outcome in rows}


def _values(entry: DecisionEntry, pair_id: int, run_number: int, now: datetime) -> dict[str, Any]:
    changes = [[item.field, item.before, item.after, item.winner] for item in entry.changes]
    return {
        "pair_id": pair_id,
        "run_number": run_number,
        "at": now,
        "source_key": entry.source_key,
        "target_key": entry.target_key,
        "outcome": entry.outcome.value,
        "rule": entry.rule,
        "reason": entry.reason or None,
        "changes": changes or None,
        "answer": entry.answer or None,
    }


def _row(row: Row[Any]) -> DecisionRow:
    return DecisionRow(
        id=row.id,
        pair_id=row.pair_id,
        run_id=row.run_id,
        at=row.at,
        source_key=row.source_key,
        target_key=row.target_key,
        outcome=Outcome(row.outcome),
        rule=row.rule,
        reason=row.reason or "",
        changes=tuple(Change(*item) for item in row.changes or ()),
        answer=row.answer or "",
    )
