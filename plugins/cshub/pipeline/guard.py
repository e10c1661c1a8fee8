"""The fence before every call: a process that was replaced must not send what it began."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from cshub.core.quota import Quota
from cshub.ledger import Fence, Ledger

LOCK_TTL = timedelta(minutes=3)  # renewed by each ledger write, and by calls that waited for their budget
CHECK_AFTER = timedelta(seconds=2)  # within this time the last ledger write vouches for the fence


class Now(Protocol):
    def now(self) -> datetime: ...


class SendGuard:
    """Renews the lock before calls that were kept waiting since the last look at it; idle without a lock.

    Between the intent of a write and its call may lie minutes of waiting for the call budget. A retry of the run may
    have taken over in that time, searched the target and sent the record itself.
    """

    def __init__(self) -> None:
        self._held: tuple[Ledger, Fence, Now] | None = None
        self._seen_at: datetime | None = None

    def arm(self, ledger: Ledger, fence: Fence, clock: Now) -> None:
        self._held, self._seen_at = (ledger, fence, clock), None

    def disarm(self) -> None:
        self._held = None

    def vouched(self, asked_at: datetime) -> None:
        """The ledger has accepted the fence. ``asked_at``: when it was asked, as its answer may have been long ago."""
        self._seen_at = asked_at

    def check(self) -> None:
        """Raises :class:`~cshub.core.errors.FencedOut` when another process holds the lock now."""
        if self._held is None:
            return
        ledger, fence, clock = self._held
        now = clock.now()
        if self._seen_at is None or not timedelta(0) <= now - self._seen_at <= CHECK_AFTER:
            ledger.renew(fence, now, LOCK_TTL)
            self._seen_at = now


class GuardedQuota:
    """A call budget that asks the guard after the wait. Implements :class:`cshub.core.quota.Quota`."""

    def __init__(self, quota: Quota, guard: SendGuard) -> None:
        self._quota = quota
        self._guard = guard

    def acquire(self, count: int = 1) -> float:
        waited_s = self._quota.acquire(count)
        self._guard.check()
        return waited_s

    def penalise(self, until_s: float) -> None:
        self._quota.penalise(until_s)

    def forecast(self, calls: int) -> float:
        return self._quota.forecast(calls)
