"""Writes that have begun and are not confirmed. A row here means: look at the target before sending again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from cshub.core.errors import LinkMoved, StateError
from cshub.core.records import Intent, Operation
from cshub.ledger import links
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import intent, run

_WITH_RUN = select(intent, run.c.run_id).select_from(intent.join(run, run.c.number == intent.c.run_number))


def begin(connection: Connection, values: Mapping[str, Any], expected_version: int | None) -> Intent:
    pair_id, source_key = values["pair_id"], values["source_key"]
    _demand_version(connection, pair_id, source_key, expected_version)
    inserted = insert_new(connection, intent).values(**values).returning(intent.c.id)
    number = connection.execute(inserted).scalar_one_or_none()
    if number is None:
        here = (intent.c.pair_id == pair_id) & (intent.c.source_key == source_key)
        pending = connection.execute(_WITH_RUN.where(here)).one()
        raise LinkMoved(
            f"A {pending.operation} of {source_key!r} began in run {pending.run_id!r} and is not settled: look at the "
            "target first, then confirm or abandon it. The next run does this before it writes."
        )
    return _intent(connection.execute(_WITH_RUN.where(intent.c.id == number)).one())


def close(connection: Connection, intent_id: int, packed: Sequence[Mapping[str, Any]]) -> Intent:
    """Remove an open intent. ``packed`` may only hold the link it is about."""
    here = intent.c.id == intent_id
    row = connection.execute(_WITH_RUN.where(here)).one_or_none()
    if row is None:
        raise StateError(
            f"The write {intent_id} is not open: it was confirmed or abandoned before. "
            "Read the link again and go on from it."
        )
    for link in packed:
        if (link["pair_id"], link["source_key"]) != (row.pair_id, row.source_key):
            raise StateError(f"The write {intent_id} is about {row.source_key!r}, not {link['source_key']!r}.")
    connection.execute(delete(intent).where(here))
    return _intent(row)


def still_open(connection: Connection, pair_id: int) -> list[Intent]:
    rows = connection.execute(_WITH_RUN.where(intent.c.pair_id == pair_id).order_by(intent.c.id))
    return [_intent(row) for row in rows]


def _demand_version(connection: Connection, pair_id: int, source_key: str, expected: int | None) -> None:
    stored = links.version_of(connection, pair_id, source_key)
    if expected is None:
        if stored is not None and stored[1] is not None:
            raise LinkMoved(
                f"{source_key!r} is already linked to the target record {stored[1]!r}, nothing is created. "
                "Plan again: the next run sees the link."
            )
    elif stored is None or stored[0] != expected:
        now = "gone" if stored is None else f"at version {stored[0]}"
        raise LinkMoved(
            f"The link of {source_key!r} was planned at version {expected} and is {now}. "
            "Nothing was sent. Plan again: the next run sees the change."
        )


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        id=row.id,
        pair_id=row.pair_id,
        source_key=row.source_key,
        operation=Operation(row.operation),
        run_id=row.run_id,
        begun_at=row.begun_at,
        target_key=row.target_key,
        payload_hash=row.payload_hash,
        hint=row.hint,
    )
