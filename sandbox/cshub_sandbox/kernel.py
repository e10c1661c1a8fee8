"""What every simulated service is made of: requests and replies as values, a clock, a log.

A service is a function from a :class:`Request` to a :class:`Reply`; it never sees a socket.
The same service object therefore answers over HTTP (``server.py``) and in process (``inprocess.py``),
and a whole history of calls can be replayed under one seed without a thread or a port.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, already read in full. Header names are lower case."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    def param(self, name: str) -> str | None:
        """The last value of a query parameter, or None when it was not sent."""
        values = [value for key, value in self.query if key == name]
        return values[-1] if values else None

    def form(self) -> list[tuple[str, str]]:
        """Pairs of an ``application/x-www-form-urlencoded`` body, in order."""
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    def json(self) -> Any:
        """The JSON body; raises ``orjson.JSONDecodeError`` (a ValueError) when it is not JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer. ``body`` is complete; transport faults are added by the server, not here."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(
        cls, status: int, value: Any, *, media_type: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """An answer with a JSON body. Text that is not valid Unicode (a lone surrogate) is escaped, not refused."""
        try:
            body = orjson.dumps(value)
        except TypeError:
            body = json.dumps(value).encode()
        return cls(status, body, {"Content-Type": media_type, **(headers or {})})


class Service(Protocol):
    """One simulated vendor."""

    name: str

    def handle(self, request: Request) -> Reply:
        """Behave. Never raises for a bad request: answers with the vendor's own error body."""
        ...

    def state(self) -> dict[str, Any]:
        """All that the service holds now, as JSON-ready values, for assertions."""
        ...

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """An edit of the world made as a user of this service would make it in its own pages.

        Raises ``KeyError`` for an unknown action or record and ``ValueError`` for bad arguments.
        """
        ...


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC time of the simulated world."""
        ...


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2999, 12, 31, tzinfo=UTC)


def check_world_time(at: datetime) -> datetime:
    """``at``, when a world can live then: its past and future must fit the calendar. Raises ``ValueError``."""
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"the time of the world must lie between {EARLIEST:%Y} and {LATEST:%Y}; got {at.isoformat()}")
    return at


class SandboxClock:
    """Runs with real time, can be moved (backwards too), can be frozen."""

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._base = start or datetime.now(UTC)
        self._mark = monotonic()
        self._frozen = frozen

    def now(self) -> datetime:
        if self._frozen:
            return self._base
        return self._base + timedelta(seconds=monotonic() - self._mark)

    def set(self, at: datetime) -> None:
        """The world's time is ``at`` from now on. Raises ``ValueError`` outside ``EARLIEST`` to ``LATEST``."""
        check_world_time(at)
        self._base, self._mark = at.astimezone(UTC), monotonic()

    def advance(self, by: timedelta) -> None:
        """Moves the time by ``by``, back when it is negative. Raises as ``set`` does."""
        self.set(self.now() + by)

    def freeze(self, frozen: bool) -> None:
        self.set(self.now())
        self._frozen = frozen


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One call as the service received it. The token appears only as a short digest.

    ``status`` is what the caller was told (0 when the call got no further than the door); ``committed`` is False when
    a fault kept the call from the service; ``write`` tells calls that change something from those that only read.
    """

    service: str
    method: str
    path: str
    query: Sequence[tuple[str, str]]
    status: int
    at: datetime
    token: str
    body: Any
    fault: str | None
    limiter: Mapping[str, int] | None
    committed: bool = True
    write: bool = False
