"""One writer at a time, and never an old one.

Every holder gets a higher token than all before it. A write begins by locking the row of its lock and comparing
tokens, in its own transaction: a takeover waits for a commit under way, and whoever waited sees the new token.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from cshub.core.errors import FencedOut, LockHeld
from cshub.ledger.rows import Fence
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import lock


def acquire(connection: Connection, name: str, *, holder: str, run_id: str, now: datetime, ttl: timedelta) -> Fence:
    connection.execute(
        insert_new(connection, lock).values(
            name=name, token=0, acquired_at=now, expires_at=now, ttl_s=ttl.total_seconds()
        )
    )
    row = _locked(connection, name)
    if row is None:
        raise LockHeld(f"The lock {name!r} was removed from the ledger by hand at this moment: start again.")
    if row.run_id not in (None, run_id) and now < row.expires_at:
        raise LockHeld(
            f"{name!r} is at work in run {row.run_id!r} ({row.holder}) since {_shown(row.acquired_at)}; its lock is "
            f"good until {_shown(row.expires_at)} and is renewed while it works. Wait for that run to end, or, if it "
            "is dead, start again after that moment."
        )
    token = row.token + 1
    connection.execute(
        update(lock)
        .where(lock.c.name == name)
        .values(
            token=token,
            holder=holder,
            run_id=run_id,
            acquired_at=now,
            expires_at=now + ttl,
            ttl_s=ttl.total_seconds(),
        )
    )
    return Fence(name, token)


def demand(connection: Connection, fence: Fence, now: datetime, ttl: timedelta | None = None) -> str:
    """Lock the fence's row until the transaction ends and renew it, by its own time to live unless ``ttl`` is given.

    The run that holds it; :class:`FencedOut` when the fence is no longer the current one.
    """
    row = _locked(connection, fence.name)
    if row is None or row.token != fence.token or row.run_id is None:
        taken = (
            "was released"
            if row is None or row.run_id is None
            else f"was taken over by run {row.run_id!r} ({row.holder})"
        )
        raise FencedOut(
            f"{fence.name!r} {taken}: this process must not write any more. Nothing of this step was recorded; "
            "end it, the newer run goes on from what is in the ledger."
        )
    seconds = row.ttl_s if ttl is None else ttl.total_seconds()
    expires = max(row.expires_at, now + timedelta(seconds=seconds))
    connection.execute(update(lock).where(lock.c.name == fence.name).values(expires_at=expires, ttl_s=seconds))
    holder_run: str = row.run_id
    return holder_run


def release(connection: Connection, fence: Fence) -> None:
    mine = (lock.c.name == fence.name) & (lock.c.token == fence.token)
    connection.execute(update(lock).where(mine).values(holder=None, run_id=None, expires_at=lock.c.acquired_at))


def holders(connection: Connection, now: datetime) -> set[str]:
    held = select(lock.c.run_id).where(lock.c.run_id.is_not(None), lock.c.expires_at > now)
    return set(connection.execute(held).scalars())


def _locked(connection: Connection, name: str) -> Row[*tuple[Any, ...]] | None:
    wanted = select(lock.c.token, lock.c.holder, lock.c.run_id, lock.c.acquired_at, lock.c.expires_at, lock.c.ttl_s)
    return connection.execute(wanted.where(lock.c.name == name).with_for_update()).one_or_none()


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
