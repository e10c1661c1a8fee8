"""The port through which a client asks for leave to call a service."""

from __future__ import annotations

from typing import Protocol


class Quota(Protocol):
    """A budget of calls in a period, in memory or shared by all processes that use one token.

    All durations are in seconds.
    """

    def acquire(self, count: int = 1) -> float:
        """Wait until ``count`` calls may be sent at once; the seconds waited. Call it right before each request."""
        ...

    def penalise(self, until_s: float) -> None:
        """The service refused for lack of budget: nobody who shares it calls in the next ``until_s`` seconds."""
        ...

    def forecast(self, calls: int) -> float:
        """Seconds from now until the last of ``calls`` further calls may be sent."""
        ...
