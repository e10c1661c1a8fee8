"""The vendor's call limit: a fixed window of 60 s per token, over all endpoints of the API host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from cshub_sandbox.kernel import Clock, Reply
from cshub_sandbox.totango.errors import TOO_MANY_REQUESTS
from cshub_sandbox.totango.switches import TotangoSwitches

WINDOW_S = 60
_TOKENS_KEPT = 1_000


@dataclass(slots=True)
class _Window:
    opened_at: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one call found: ``used`` counts it; ``reset_s`` is whole seconds until the counter starts anew."""

    limit: int
    used: int
    reset_s: int

    @property
    def granted(self) -> bool:
        return self.used <= self.limit

    @property
    def headers(self) -> Mapping[str, str]:
        return {"RateLimit-Remaining": str(max(0, self.limit - self.used))}

    def refusal(self, switches: TotangoSwitches) -> Reply:
        """The 429 answer, with the headers that the switches leave in place."""
        headers = {"Content-Type": "application/json", "RateLimit-Limit": str(self.limit), **self.headers}
        if switches.rate_limit_reset_header:
            headers["RateLimit-Reset"] = str(self.reset_s)
        if switches.retry_after_header:
            headers["Retry-After"] = str(self.reset_s)
        return Reply(429, TOO_MANY_REQUESTS, headers)


class RateLimiter:
    """Counts calls per token. A window opens with a token's first call after the last window closed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def take(self, token: str, limit: int) -> Allowance:
        now = self._clock.now()
        window = self._windows.get(token)
        if window is None or not self._open(window, now):
            self._drop_closed(now)
            window = self._windows[token] = _Window(now, 0)
        window.calls += 1
        left = WINDOW_S - (now - window.opened_at).total_seconds()
        return Allowance(limit, window.calls, max(1, ceil(left)))

    @staticmethod
    def _open(window: _Window, now: datetime) -> bool:
        return timedelta(0) <= now - window.opened_at < timedelta(seconds=WINDOW_S)

    def _drop_closed(self, now: datetime) -> None:
        if len(self._windows) >= _TOKENS_KEPT:
            self._windows = {token: window for token, window in self._windows.items() if self._open(window, now)}
