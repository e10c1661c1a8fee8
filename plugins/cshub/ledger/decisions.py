"""The audit: one line for each record and run in which something happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, or_, select

from cshub.core.planning import Rule
from cshub.core.records import Change, DecisionEntry, Outcome, Pair
from cshub.ledger import links
from cshub.ledger.rows import DecisionRow
from cshub.ledger.statements import among
from cshub.ledger.tables import decision, run

_WITH_RUN = select(decision, run.c.run_id, run.c.job_id).select_from(
    decision.join(run, run.c.number == decision.c.run_number)
)


def store(
    connection: Connection, entries: Sequence[tuple[Pair, DecisionEntry]], *, run_number: int, now: datetime
) -> None:
    if entries:
        connection.execute(insert(decision), [_values(entry, pair, run_number, now) for pair, entry in entries])


def of_key(connection: Connection, pair_id: int, key: str) -> list[DecisionRow]:
    """Everything about a record of either side, in either direction, oldest first.

    Also what the record linked to it went through as a source, before they were linked too.
    """
    keys = [decision.c.source_key == key, decision.c.target_key == key]
    for both in links.keys_beside(connection, pair_id, key):
        keys += [
            and_(decision.c.mirrored == bool(side), decision.c.source_key == found)
            for side, found in enumerate(both)
            if found is not None
        ]
    here = (decision.c.pair_id == pair_id) & or_(*keys)
    return [_row(row) for row in connection.execute(_WITH_RUN.where(here).order_by(decision.c.id))]


def of_run(connection: Connection, run_id: str) -> list[DecisionRow]:
    return [_row(row) for row in connection.execute(_WITH_RUN.where(run.c.run_id == run_id).order_by(decision.c.id))]


def last_of(connection: Connection, pair: Pair, keys: Sequence[str]) -> dict[str, tuple[Outcome, str, str]]:
    """Source key → outcome, rule and reason of the last decision on it in this direction, if any."""
    here = and_(
        decision.c.pair_id == pair.number,
        decision.c.mirrored == pair.mirrored,
        among(connection, decision.c.source_key, keys),
    )
    newest = select(func.max(decision.c.id)).where(here).group_by(decision.c.source_key)
    told = (decision.c.source_key, decision.c.outcome, decision.c.rule, decision.c.reason)
    rows = connection.execute(select(*told).where(decision.c.id.in_(newest)))
    return {key: (Outcome(outcome), rule, reason or "") for key, outcome, rule, reason in rows}


def outcomes(connection: Connection, run_id: str) -> dict[str, Outcome]:
    """Source key → the last outcome this run recorded for it; what it settled for the other direction left out."""
    wanted = select(decision.c.source_key, decision.c.outcome).join(run, run.c.number == decision.c.run_number)
    here = and_(run.c.run_id == run_id, decision.c.mirrored == run.c.mirrored)
    rows = connection.execute(wanted.where(here).order_by(decision.c.id))
    return {source_key: Outcome(outcome) for source_key, outcome in rows}


def created(connection: Connection, ways: Sequence[Pair], keys: Sequence[str]) -> set[str]:
    """Those of these target keys whose records the hub has made in one of these directions of its pairs.

    Also what an undo made again, and what a rebuilt ledger tells of as made; not what the hub only found and linked.
    """
    if not ways:
        return set()
    by_way = or_(*(and_(decision.c.pair_id == way.number, decision.c.mirrored == way.mirrored) for way in ways))
    here = and_(
        decision.c.pair_id.in_({way.number for way in ways}),
        among(connection, decision.c.target_key, keys),
        or_(decision.c.outcome == Outcome.CREATED.value, decision.c.rule == Rule.RELINKED.value),
        by_way,
    )
    return set(connection.execute(select(decision.c.target_key).where(here)).scalars())


def has_remade(connection: Connection, run_ids: Collection[str]) -> bool:
    """Whether one of these runs made a record for a source that was linked before."""
    numbers = select(run.c.number).where(run.c.run_id.in_(run_ids))
    made = (decision.c.outcome == Outcome.CREATED.value) & (decision.c.rule != Rule.NEW.value)
    found = select(decision.c.id).where(decision.c.run_number.in_(numbers), made).limit(1)
    return connection.execute(found).first() is not None


def _values(entry: DecisionEntry, pair: Pair, run_number: int, now: datetime) -> dict[str, Any]:
    changes = [[item.field, item.before, item.after, item.winner] for item in entry.changes]
    return {
        "pair_id": pair.number,
        "mirrored": pair.mirrored,
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
        pair=Pair(row.pair_id, row.mirrored),
        job_id=row.job_id,
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
