"""Reading events of all accounts completely, although it is not known what ``offset`` counts or whether ``lte`` works.

Time is cut into slices that hold less than a page, so that a second page is never needed. Where the upper bound turns
out to be ignored or refused, pages are read by offset, after finding out whether it counts pages or records
(totango.md §2.5, "Offset trap"). The stated total is compared with what came.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice, pairwise
from typing import Any, Protocol

from cshub.core.errors import ProtocolFault, RequestRefused, ShortRead
from cshub.systems.totango.models import Event, EventType

_PAGE = 1000
_FILL = 700  # events aimed at per slice, so that a slice seldom comes back full
_LARGEST_CUT = 64
_TRIES = 3
_SAMPLED_SLICES = 5


@dataclass(frozen=True, slots=True)
class EventsPage:
    """One page. ``received``: rows as they came; ``total``: hits in all, None when the service states none."""

    events: Sequence[Event]
    received: int
    total: int | None


class ReadPage(Protocol):
    def __call__(
        self, terms: Sequence[Mapping[str, Any]], *, count: int = ..., offset: int = ..., account_id: str | None = None
    ) -> EventsPage: ...


class Offset(Enum):
    PAGES = "pages"
    RECORDS = "records"


class _NoUpperBound(Exception):
    """The service ignores or refuses the upper bound of a date."""


@dataclass(frozen=True, slots=True)
class _Question:
    kind: EventType
    account_id: str | None
    low_ms: int
    high_ms: int
    bounded: bool = True

    def terms(self) -> list[dict[str, Any]]:
        date = {"type": "date", "term": "date", "gte": self.low_ms}
        if self.bounded:
            date["lte"] = self.high_ms - 1
        return [{"type": "event_property", "name": "event_type", "eq": self.kind.value}, date]


class EventSearch:
    """Remembers what it found out about the service."""

    def __init__(self, read_page: ReadPage, *, label: str = "Totango") -> None:
        self._read_page = read_page
        self._label = label
        self._has_upper_bound = True
        self._offset: Offset | None = None

    def read(
        self, kind: EventType, start_ms: int, end_ms: int, *, account_id: str | None = None
    ) -> Iterator[list[Event]]:
        """Every event of ``[start_ms, end_ms)``, each once, in slices of time: later ones first, any order within.

        Complete or :class:`ShortRead`.
        """
        seen: set[str] = set()
        question = _Question(kind, account_id, start_ms, end_ms)
        if self._has_upper_bound:
            try:
                for events in self._slices(question):
                    yield from _fresh(events, question, seen)
                return
            except _NoUpperBound:
                self._has_upper_bound = False
        unbounded = replace(question, bounded=False)
        yield from _fresh(self._by_offset(unbounded), unbounded, seen)

    def newest(
        self, kind: EventType, start_ms: int, end_ms: int, *, limit: int, keep: Callable[[Event], bool]
    ) -> list[Event]:
        """Up to ``limit`` events of ``[start_ms, end_ms)`` that pass, newest first.

        From one page where that holds enough of them, so that a service which lists the newest first needs one call;
        else from the latest few slices. Fewer than there are may come.
        """
        question = _Question(kind, None, start_ms, end_ms, bounded=self._has_upper_bound)
        try:
            page = self._first_page(question)
        except _NoUpperBound:
            self._has_upper_bound = False
            page = self._first_page(replace(question, bounded=False))
        found = [event for event in page.events if start_ms <= event.timestamp_ms < end_ms and keep(event)]
        if len(found) < limit and page.received >= _PAGE:
            found = []
            for events in islice(self.read(kind, start_ms, end_ms), _SAMPLED_SLICES):
                found += filter(keep, events)
                if len(found) >= limit:
                    break
        distinct = {event.id: event for event in found}.values()
        return sorted(distinct, key=lambda event: (event.timestamp_ms, event.id), reverse=True)[:limit]

    def _slices(self, whole: _Question) -> Iterator[Sequence[Event]]:
        waiting = [whole]
        while waiting:
            question = waiting.pop()
            page = self._sound_page(question)
            if page.received < _PAGE:
                yield page.events
            elif question.high_ms - question.low_ms <= 1:
                yield self._by_offset(question)
            else:
                waiting.extend(_cut(question, page))

    def _sound_page(self, question: _Question) -> EventsPage:
        """The first page of a question, asked again while it contradicts the question or its own total."""
        beyond = False
        for _ in range(_TRIES):
            page = self._first_page(question)
            times = [event.timestamp_ms for event in page.events]
            beyond = any(time >= question.high_ms for time in times)
            below = any(time < question.low_ms for time in times)
            if not beyond and not below and (page.received >= _PAGE or _is_complete(page)):
                return page
        if beyond and not below:
            raise _NoUpperBound
        raise self._short(page.total, len(page.events))

    def _first_page(self, question: _Question) -> EventsPage:
        try:
            return self._read_page(question.terms(), count=_PAGE, offset=0, account_id=question.account_id)
        except RequestRefused as error:
            if question.bounded and error.status == 400:
                raise _NoUpperBound from error
            raise

    def _by_offset(self, question: _Question) -> list[Event]:
        """All events of a question that does not fit a page."""
        for _ in range(_TRIES):
            found, total = self._pages(question)
            if total is None or len(found) >= total:
                return list(found.values())
        raise self._short(total, len(found))

    def _pages(self, question: _Question) -> tuple[dict[str, Event], int | None]:
        page = self._read_page(question.terms(), count=_PAGE, offset=0, account_id=question.account_id)
        found = {event.id: event for event in page.events}
        total, number = page.total, 0
        while page.received >= _PAGE:
            number += 1
            if self._offset is None:
                self._offset = self._find_out(question, found)
            offset = number if self._offset is Offset.PAGES else number * _PAGE
            page = self._read_page(question.terms(), count=_PAGE, offset=offset, account_id=question.account_id)
            known = len(found)
            found.update({event.id: event for event in page.events})
            if page.received and len(found) == known:
                raise ProtocolFault(f"{self._label}: the events search gives the same page again. Run again later.")
        return found, total

    def _find_out(self, question: _Question, first: Mapping[str, Event]) -> Offset:
        """Whether ``offset`` 1 means the second page or the second record: by how much it overlaps the first page."""
        page = self._read_page(question.terms(), count=_PAGE, offset=1, account_id=question.account_id)
        overlap = sum(event.id in first for event in page.events)
        return Offset.RECORDS if overlap * 2 > len(first) else Offset.PAGES

    def _short(self, total: int | None, came: int) -> ShortRead:
        return ShortRead(
            f"{self._label}: POST /api/v2/events/search states {total} events, {came} fitting ones came. "
            "Nothing is taken for complete or deleted; run again later, or read a shorter window."
        )


def _is_complete(page: EventsPage) -> bool:
    return page.total is None or len({event.id for event in page.events}) >= page.total


def _cut(question: _Question, page: EventsPage) -> list[_Question]:
    """Slices that cover the question without gap or overlap. A moment with most events becomes one of its own."""
    low, high = question.low_ms, question.high_ms
    commonest = Counter(event.timestamp_ms for event in page.events).most_common(1)
    if commonest and commonest[0][1] * 2 > len(page.events):
        moment = commonest[0][0]
        edges = sorted({low, moment, moment + 1, high})
    else:
        last = max(event.timestamp_ms for event in page.events) + 1
        top = last if low < last < high - (last - low) else high  # perhaps nothing lies between the last one and high
        parts = min(max(2, math.ceil((page.total or 0) / _FILL)), _LARGEST_CUT, top - low)
        edges = sorted({*(low + (top - low) * part // parts for part in range(parts + 1)), high})
    return [replace(question, low_ms=start, high_ms=end) for start, end in pairwise(edges)]


def _fresh(events: Sequence[Event], question: _Question, seen: set[str]) -> Iterator[list[Event]]:
    fresh: list[Event] = []
    for event in events:
        if event.id not in seen and question.low_ms <= event.timestamp_ms < question.high_ms:
            seen.add(event.id)
            fresh.append(event)
    if fresh:
        yield fresh
