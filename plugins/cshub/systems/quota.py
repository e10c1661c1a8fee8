"""A call budget in memory, for one process that uses a token alone, without a ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pyrate_limiter import InMemoryBucket, Rate, RateItem

_PERIOD_MS = 60_250  # a quarter second beyond the minute: calls reach the service later than they are counted here


class LocalQuota:
    """At most ``calls_per_minute`` calls in any 60 seconds. Implements :class:`cshub.core.quota.Quota`; thread-safe.

    ``clock`` counts seconds and ``sleep`` waits them; both can be simulated.
    """

    def __init__(
        self,
        calls_per_minute: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = calls_per_minute
        self._clock, self._sleep = clock, sleep
        self._bucket = InMemoryBucket([Rate(calls_per_minute, _PERIOD_MS)])
        self._barred_until_ms = 0
        self._lock = threading.Lock()

    def acquire(self, count: int = 1) -> float:
        """Wait until ``count`` calls may be sent at once; the seconds waited. ``ValueError`` when they never may."""
        if count > self._limit:
            raise ValueError(f"{count} calls at once exceed the budget of {self._limit} a minute: ask for fewer.")
        waited_s = 0.0
        while (wait_ms := self._try(count)) > 0:
            self._sleep(wait_ms / 1000)
            waited_s += wait_ms / 1000
        return waited_s

    def penalise(self, until_s: float) -> None:
        """No call in the next ``until_s`` seconds."""
        with self._lock:
            self._barred_until_ms = max(self._barred_until_ms, self._now_ms() + round(until_s * 1000))

    def forecast(self, calls: int) -> float:
        """Seconds from now until the last of ``calls`` further calls may be sent."""
        with self._lock:
            now = self._now_ms()
            start = max(now, self._barred_until_ms)
            sent = [item.timestamp for item in self._bucket.items][-self._limit :]
            for _ in range(calls):
                if len(sent) >= self._limit:
                    start = max(start, sent[-self._limit] + _PERIOD_MS)
                sent.append(start)
            return (start - now) / 1000 if calls else 0.0

    def _try(self, count: int) -> int:
        """Takes the calls and returns 0, or returns the milliseconds to wait before the next try."""
        with self._lock:
            now = self._now_ms()
            if now < self._barred_until_ms:
                return self._barred_until_ms - now
            self._bucket.leak(now)
            item = RateItem("call", now, count)
            if self._bucket.put(item):
                return 0
            wait = self._bucket.waiting(item)
            return max(1, wait) if isinstance(wait, int) else 1

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
