"""Pairs of objects kept in step, and who they were built with."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select, update

from cshub.core.errors import IdentityChanged
from cshub.core.records import Pair
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import SIDES, pair

Side = tuple[str, str, str]
"""System, object, identity (org, tenant or company)."""
ObjectName = tuple[str, str]
"""System and object."""
_WANTED = select(
    pair.c.id,
    *(pair.c[f"{side}_{name}"] for side in SIDES for name in ("system", "object", "identity")),
)


class PairSides(NamedTuple):
    """What a pair was first built with: left the source of that job, right its target."""

    left: Side
    right: Side


def bind(connection: Connection, name: str, source: Side, target: Side, now: datetime) -> Pair:
    values = {
        "name": name,
        **dict(zip(("left_system", "left_object", "left_identity"), source, strict=True)),
        **dict(zip(("right_system", "right_object", "right_identity"), target, strict=True)),
        "bound_at": now,
    }
    connection.execute(insert_new(connection, pair).values(values))
    number, known = _stored(connection.execute(_WANTED.where(pair.c.name == name)).one())
    mirrored = _is_mirrored(known, source, target)
    was = (known.right, known.left) if mirrored else known
    for side, before, given in zip(("source", "target"), was, (source, target), strict=True):
        if before != given:
            raise IdentityChanged(_changed(name, side, before, given))
    return Pair(number, mirrored)


def users_of(connection: Connection, seen: Pair) -> tuple[str, str]:
    """Ids of the users last signed in to source and target of a pair, "" where none is known."""
    known = connection.execute(select(pair.c.left_user, pair.c.right_user).where(pair.c.id == seen.number)).one()
    left, right = (user or "" for user in known)
    return (right, left) if seen.mirrored else (left, right)


def remember_users(connection: Connection, seen: Pair, source: str, target: str) -> None:
    left, right = (target, source) if seen.mirrored else (source, target)
    told = {name: user for name, user in (("left_user", left), ("right_user", right)) if user}
    connection.execute(update(pair).where(pair.c.id == seen.number).values(told))


def pairs_into(connection: Connection, seen: Pair) -> list[Pair]:
    """Other pairs that have the source object of ``seen`` on a side, each in the direction that writes it."""
    left, right = _stored(connection.execute(_WANTED.where(pair.c.id == seen.number)).one())[1]
    wanted = right if seen.mirrored else left
    others = map(_stored, connection.execute(_WANTED.where(pair.c.id != seen.number).order_by(pair.c.id)))
    return [
        Pair(number, mirrored)
        for number, sides in others
        for mirrored in (False, True)
        if (sides.left if mirrored else sides.right) == wanted
    ]


def number_of(connection: Connection, name: str) -> int | None:
    return connection.execute(select(pair.c.id).where(pair.c.name == name)).scalar_one_or_none()


def sides_of(connection: Connection, name: str) -> PairSides | None:
    row = connection.execute(_WANTED.where(pair.c.name == name)).one_or_none()
    return None if row is None else _stored(row)[1]


def seen_by(connection: Connection, name: str, source: ObjectName, target: ObjectName) -> Pair | None:
    """The pair in the direction of a job between these objects; None when it was not built with them."""
    row = connection.execute(_WANTED.where(pair.c.name == name)).one_or_none()
    if row is None:
        return None
    number, known = _stored(row)
    objects = (known.left[:2], known.right[:2])
    if (source, target) == objects:
        return Pair(number)
    return Pair(number, mirrored=True) if (target, source) == objects else None


def _is_mirrored(known: PairSides, source: Side, target: Side) -> bool:
    """The order that fits wholly; else the one whose objects fit, so that the identity is told that differs."""
    if (source, target) == known:
        return False
    if (target, source) == known:
        return True
    objects = (known.left[:2], known.right[:2])
    return (target[:2], source[:2]) == objects and (source[:2], target[:2]) != objects


def _stored(row: Row[Any]) -> tuple[int, PairSides]:
    number, left, right = row.id, tuple(row)[1:4], tuple(row)[4:7]
    return number, PairSides((left[0], left[1], left[2]), (right[0], right[1], right[2]))


def _changed(name: str, side: str, before: Side, given: Side) -> str:
    built = f"The pair {name!r} was built with the {side} {_shown(before)}, but"
    if before[2] == given[2]:
        return (
            f"{built} this job's is {_shown(given)}. Nothing was read or written. Write `pair:` with another name in "
            "the job file, or leave it out, so that the job starts a pair of its own."
        )
    return (
        f"{built} the connection now leads to {_shown(given)}. Nothing was read or written. Point the connection back "
        f"to {before[2]}, or give the job a new name so that it starts a pair of its own."
    )


def _shown(side: Side) -> str:
    return f"{side[0]} {side[1]} of {side[2]}"
