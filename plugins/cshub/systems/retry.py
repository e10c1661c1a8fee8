"""When a call is sent again, and after how long."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cshub.core.errors import GatewayTimeout, RateLimited, TransientError

_BELIEVABLE_S = 3600.0
_EPOCH_S, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. ``attempts`` count the first one; durations are in seconds.

    After a 429 the wait is what the service states, else ``rate_limit_first_s`` growing by ``rate_limit_growth``;
    never more than ``rate_limit_cap_s``, and never less than a floor that doubles, so that a service whose reset is
    always "in 0 s" is not stormed.
    """

    attempts: int = 5
    first_s: float = 1.0
    cap_s: float = 30.0
    gateway_timeout_attempts: int = 2
    rate_limit_attempts: int = 8
    rate_limit_first_s: float = 60.0
    rate_limit_growth: float = 1.0
    rate_limit_cap_s: float = 120.0

    def attempts_for(self, error: TransientError) -> int:
        if isinstance(error, RateLimited):
            return self.rate_limit_attempts
        return self.gateway_timeout_attempts if isinstance(error, GatewayTimeout) else self.attempts

    def wait_s(self, error: TransientError, attempt: int) -> float:
        """Seconds to wait after attempt number ``attempt`` (1, 2, …) ended with ``error``."""
        exponent = min(attempt - 1, 16)
        if not isinstance(error, RateLimited):
            return min(self.first_s * 2.0**exponent, self.cap_s)
        stated = error.reset_s
        wait = self.rate_limit_first_s * self.rate_limit_growth**exponent if stated is None else stated
        return min(max(wait, 2.0**exponent), self.rate_limit_cap_s)


def stated_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the stated reset of a limit: ``Retry-After`` (seconds or HTTP date), else ``RateLimit-Reset``.

    ``now``: seconds since 1970. A reset given as a moment since 1970 is understood. None when nothing believable is
    stated: no header, not a number, negative, more than an hour away.
    """
    for name in ("Retry-After", "RateLimit-Reset"):
        text = headers.get(name)
        seconds = None if text is None else _seconds(text.strip(), now)
        if seconds is not None and 0 <= seconds <= _BELIEVABLE_S:
            return seconds
    return None


def _seconds(text: str, now: float) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return _seconds_to_date(text, now)
    if not math.isfinite(value):
        return None
    if value >= _EPOCH_S:
        value = value / 1000 - now if value >= _EPOCH_MS else value - now
    return value


def _seconds_to_date(text: str, now: float) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
