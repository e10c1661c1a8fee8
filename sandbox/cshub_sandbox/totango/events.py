"""All timeline entries: at once by account, and some seconds later in a search index by type and time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cshub_sandbox.totango.records import Event, EventType

_LAST = "\uffff"  # sorts after every event id


class TimeIndex:
    """Event ids by time; ties by id. Adding at the newer end, removing and slicing cost no rescan."""

    def __init__(self) -> None:
        self._keys: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, event: Event) -> None:
        insort(self._keys, (event.timestamp_ms, event.id))

    def remove(self, event: Event) -> None:
        del self._keys[bisect_left(self._keys, (event.timestamp_ms, event.id))]

    def newest_first(self, low_ms: int | None = None, high_ms: int | None = None) -> Sequence[tuple[int, str]]:
        """Keys with ``low_ms <= timestamp <= high_ms``, newest first; None leaves a side open."""
        start = 0 if low_ms is None else bisect_left(self._keys, (low_ms, ""))
        end = len(self._keys) if high_ms is None else bisect_right(self._keys, (high_ms, _LAST))
        return self._keys[start:end][::-1]


@dataclass(frozen=True, slots=True)
class _Write:
    """A change on its way into the search index; ``event`` None removes."""

    at: datetime
    event_id: str
    event: Event | None


class SearchIndex:
    """What events/search sees: every change of the log, in its order, after the lag."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._by_type: dict[EventType, TimeIndex] = {kind: TimeIndex() for kind in EventType}
        self._by_account: defaultdict[str, TimeIndex] = defaultdict(TimeIndex)
        self._waiting: deque[_Write] = deque()

    def note(self, at: datetime, event_id: str, event: Event | None) -> None:
        self._waiting.append(_Write(at, event_id, event))

    def catch_up(self, now: datetime, lag_s: float) -> None:
        """Apply the changes that are at least ``lag_s`` seconds old, or younger than a clock that was set back."""
        lag = timedelta(seconds=lag_s)
        while self._waiting and not self._waiting[0].at <= now < self._waiting[0].at + lag:
            self._apply(self._waiting.popleft())

    def find(
        self, types: Iterable[EventType], *, account_id: str | None, low_ms: int | None, high_ms: int | None
    ) -> list[str]:
        """Ids of the events of these types in this closed interval, newest first."""
        wanted = list(types)
        if account_id is not None:
            keys = self._by_account[account_id].newest_first(low_ms, high_ms) if account_id in self._by_account else ()
            return [event_id for _, event_id in keys if self._events[event_id].type in wanted]
        slices = [self._by_type[kind].newest_first(low_ms, high_ms) for kind in wanted]
        merged = slices[0] if len(slices) == 1 else sorted((key for keys in slices for key in keys), reverse=True)
        return [event_id for _, event_id in merged]

    def get(self, event_id: str) -> Event:
        return self._events[event_id]

    def _apply(self, write: _Write) -> None:
        old = self._events.pop(write.event_id, None)
        if old is not None:
            self._by_type[old.type].remove(old)
            self._by_account[old.account_id].remove(old)
        if write.event is not None:
            self._events[write.event_id] = write.event
            self._by_type[write.event.type].add(write.event)
            self._by_account[write.event.account_id].add(write.event)


class EventLog:
    """The truth of all timelines, and the search index that follows it."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}
        self._by_account: defaultdict[str, TimeIndex] = defaultdict(TimeIndex)
        self.index = SearchIndex()

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events.values())

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._events

    def put(self, event: Event, at: datetime) -> None:
        """Add an event, or replace the one with its id. The search index shows it the lag after ``at``."""
        self._forget(event.id)
        self._events[event.id] = event
        self._by_account[event.account_id].add(event)
        self.index.note(at, event.id, event)

    def remove(self, event_id: str, at: datetime) -> None:
        """Take an event out of both reads. Raises ``KeyError`` when it is not there."""
        if event_id not in self._events:
            raise KeyError(event_id)
        self._forget(event_id)
        self.index.note(at, event_id, None)

    def timeline(self, account_id: str) -> list[Event]:
        """Every event of one account, newest first, without lag."""
        if account_id not in self._by_account:
            return []
        return [self._events[event_id] for _, event_id in self._by_account[account_id].newest_first()]

    def _forget(self, event_id: str) -> None:
        old = self._events.pop(event_id, None)
        if old is not None:
            self._by_account[old.account_id].remove(old)
