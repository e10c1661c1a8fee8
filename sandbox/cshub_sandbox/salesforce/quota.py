"""The daily allowance of calls: a count over the last 24 hours (docs/vendors/salesforce.md §3.5)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from cshub_sandbox.salesforce.errors import SalesforceError

_HOUR_S = 3_600
_WINDOW_HOURS = 24


class Quota:
    """Counts calls by the hour and sums the last 24 of them."""

    def __init__(self) -> None:
        self._hours: Counter[int] = Counter()

    def used(self, now: datetime) -> int:
        """Calls of the last 24 hours."""
        current = self._hour(now)
        return sum(count for hour, count in self._hours.items() if current - _WINDOW_HOURS < hour <= current)

    def take(self, now: datetime, *, limit: int, calls: int = 1) -> None:
        """Counts ``calls``. Raises the 403 of the vendor, and counts nothing, when the limit was reached before."""
        if self.used(now) >= limit:
            raise SalesforceError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        self._hours[self._hour(now)] += calls

    def reset(self) -> None:
        """Forgets every call."""
        self._hours.clear()

    def header(self, now: datetime, *, limit: int) -> str:
        """The value of ``Sforce-Limit-Info``."""
        return f"api-usage={self.used(now)}/{limit}"

    def _hour(self, now: datetime) -> int:
        return int(now.timestamp()) // _HOUR_S
