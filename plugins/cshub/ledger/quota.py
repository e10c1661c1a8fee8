"""A budget of calls shared by every process that uses one ledger.

Each name has one row: the moments of the last ``limit`` grants, in order, future ones included. A caller adds its own
moment in one short transaction and then sleeps until it comes. Why it is made this way:
``docs/decisions/0003-shared-quota.md``.
"""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, extract, func, select, update

from cshub.ledger.statements import insert_new
from cshub.ledger.tables import quota

if TYPE_CHECKING:
    from cshub.ledger.ledger import Ledger

CALLS_A_PERIOD = 100
PERIOD_S = 60.0
"""Totango: 100 calls a minute per token (support.totango.com, article 15312978301588, "API rate limit")."""


def quota_name(token: str) -> str:
    """Name under which the budget of ``token`` is kept: 16 hex digits that do not reveal it."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


class SharedQuota:
    """At most ``limit`` calls in any ``period_s`` seconds, over all processes, first come, first served.

    Grants are spaced over ``period_s + margin_s``; the margin covers the time between a grant and the arrival of the
    call. A caller that wakes later than half the margin lets its grant pass and asks for another. A process that dies
    while it waits leaves a grant unused, nothing else. Time is the database's on PostgreSQL, the machine's on SQLite,
    unless ``clock`` (seconds, rising) is given. Implements :class:`cshub.core.quota.Quota`.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        name: str,
        limit: int = CALLS_A_PERIOD,
        period_s: float = PERIOD_S,
        margin_s: float = 1.0,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if limit < 1 or period_s <= 0 or margin_s < 0:
            raise ValueError("A quota needs a limit of at least 1, a period above 0 s and a margin of at least 0 s.")
        self._database = ledger.database
        self._name = name
        self._limit = limit
        self._span_s = period_s + margin_s
        self._patience_s = margin_s / 2
        self._clock = clock
        self._sleep = sleep

    def acquire(self, count: int = 1) -> float:
        """Wait until ``count`` calls may be sent at once; the seconds waited. ``ValueError`` above the limit."""
        if not 1 <= count <= self._limit:
            raise ValueError(f"{count} calls at once do not fit a budget of {self._limit}: ask for fewer.")
        asked_at, granted_at = self._reserve(count, 0.0)
        while True:
            late_s = self._lateness(granted_at)
            if late_s is not None and late_s <= self._patience_s:
                return granted_at + late_s - asked_at
            _, granted_at = self._reserve(count, min(late_s or 0.0, self._span_s))

    def penalise(self, until_s: float) -> None:
        """Nobody calls in the next ``until_s`` seconds; those already waiting are held up too."""
        with self._database.writing() as connection:
            self._slots(connection)
            until = self._now(connection) + until_s
            connection.execute(
                update(quota)
                .where(quota.c.name == self._name, quota.c.blocked_until < until)
                .values(blocked_until=until)
            )

    def forecast(self, calls: int) -> float:
        """Seconds from now until the last of ``calls`` further calls may be sent, if nobody else asks."""
        if calls < 1:
            return 0.0
        with self._database.reading() as connection:
            row = connection.execute(
                select(quota.c.slots, quota.c.blocked_until).where(quota.c.name == self._name)
            ).first()
            now = self._now(connection)
        slots, blocked_until = ([], 0.0) if row is None else (list(row.slots), row.blocked_until)
        periods, rest = divmod(calls - 1, self._limit)
        moment = now
        for _ in range(rest + 1):
            moment = self._next(slots, 1, max(now, blocked_until))
            slots = [*slots, moment][-self._limit :]
        return moment + periods * self._span_s - now

    def _reserve(self, count: int, ahead_s: float) -> tuple[float, float]:
        with self._database.writing() as connection:
            slots, blocked_until = self._slots(connection)
            now = self._now(connection)
            granted_at = self._next(slots, count, max(now + ahead_s, blocked_until))
            kept = [*slots, *[granted_at] * count][-self._limit :]
            old = bisect_right(kept, now - self._span_s)
            connection.execute(update(quota).where(quota.c.name == self._name).values(slots=kept[old:]))
        return now, granted_at

    def _next(self, slots: Sequence[float], count: int, earliest: float) -> float:
        moment = max(earliest, slots[-1]) if slots else earliest
        blocking = len(slots) - self._limit + count - 1
        return max(moment, slots[blocking] + self._span_s) if blocking >= 0 else moment

    def _lateness(self, granted_at: float) -> float | None:
        """Sleep until the grant's moment; the seconds past it, or None when the service asked for quiet meanwhile."""
        while True:
            with self._database.reading() as connection:
                blocked = select(quota.c.blocked_until).where(quota.c.name == self._name)
                blocked_until = connection.execute(blocked).scalar_one()
                now = self._now(connection)
            if now >= granted_at:
                return now - granted_at if now >= blocked_until else None
            self._sleep(granted_at - now)

    def _slots(self, connection: Connection) -> tuple[list[float], float]:
        connection.execute(insert_new(connection, quota).values(name=self._name, slots=[], blocked_until=0.0))
        mine = select(quota.c.slots, quota.c.blocked_until).where(quota.c.name == self._name).with_for_update()
        row = connection.execute(mine).one()
        return row.slots, row.blocked_until

    def _now(self, connection: Connection) -> float:
        if self._clock is not None:
            return self._clock()
        if connection.dialect.name == "postgresql":
            return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
        return time.time()
