"""Pairs of objects kept in step, and who they were built with."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from cshub.core.errors import IdentityChanged
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import pair

Side = tuple[str, str, str]
"""System, object, identity (org, tenant or company)."""


def bind(connection: Connection, name: str, source: Side, target: Side, now: datetime) -> int:
    values = {
        "name": name,
        **dict(zip(("source_system", "source_object", "source_identity"), source, strict=True)),
        **dict(zip(("target_system", "target_object", "target_identity"), target, strict=True)),
        "bound_at": now,
    }
    connection.execute(insert_new(connection, pair).values(values))
    stored = connection.execute(select(pair).where(pair.c.name == name)).one()
    known = (
        (stored.source_system, stored.source_object, stored.source_identity),
        (stored.target_system, stored.target_object, stored.target_identity),
    )
    for side, was, given in zip(("source", "target"), known, (source, target), strict=True):
        if was != given:
            raise IdentityChanged(
                f"The pair {name!r} was built with the {side} {_shown(was)}, but the connection now leads to "
                f"{_shown(given)}. Nothing was read or written. Point the connection back to {was[2]}, "
                "or give the job a new name so that it starts a pair of its own."
            )
    return int(stored.id)


def number_of(connection: Connection, name: str) -> int | None:
    return connection.execute(select(pair.c.id).where(pair.c.name == name)).scalar_one_or_none()


def _shown(side: Side) -> str:
    return f"{side[0]} {side[1]} of {side[2]}"
