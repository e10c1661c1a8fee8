"""Reading a stretch of time from Chorus's list so that its end, and every page before it, can be trusted.

The list walks newest first by an opaque key, gives no total, and ends in six different ways; pages may come empty or
twice. What is checked: a page whose key names a row it does not hold is asked for again; after the walk the end is
asked for once more and must bring nothing new.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cshub.core.errors import GatewayTimeout, ProtocolFault, ShortRead
from cshub.systems.chorus.client import ChorusClient, EngagementQuery, EngagementsPage

log = logging.getLogger(__name__)
Row = Mapping[str, Any]

_TRIES = 3
_EMPTY_PAGES_FOLLOWED = 20
_PAGES_FOLLOWED = 10_000
_SHORTEST = timedelta(minutes=15)
_MARGIN = timedelta(seconds=1)  # bounds may be inclusive or exclusive (chorus.md §8.1): ask for a little more


def key_of(row: Row) -> str:
    """The id of a row. Raises :class:`ProtocolFault` when it has none."""
    value = row.get("engagement_id")
    if value is None or not str(value).strip():
        raise ProtocolFault(
            "Chorus listed an engagement without an id. Run again; if it stays so, report it to Chorus."
        )
    return str(value).strip()


def moment_of(row: Row) -> datetime | None:
    """Start of an engagement, None when ``date_time`` is not a number of seconds since 1970."""
    value = row.get("date_time")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None


class Walk:
    """All rows of one query over one stretch of time, each once. For one use."""

    def __init__(self, client: ChorusClient, query: EngagementQuery) -> None:
        self._client = client
        self._query = query
        self._seen: set[str] = set()
        self._oldest: tuple[datetime, str] | None = None
        self._unexplained: set[str] = set()

    def rows(self, start: datetime, end: datetime) -> Iterator[Sequence[Row]]:
        """Rows of ``[start, end]``, perhaps a few around it. Raises :class:`ShortRead` when the end stays doubtful."""
        start, end = start - _MARGIN, end + _MARGIN
        pages = 0
        for fresh, _ in self._stretch(start, end):
            pages += 1
            yield fresh
        doubts = 0
        while doubts < _TRIES:
            upper = end if pages <= 1 or self._oldest is None else self._oldest[0] + _MARGIN
            known, met = len(self._seen), set[str]()
            for fresh, ids in self._stretch(start, upper):
                met |= ids
                yield fresh
            if len(self._seen) > known:
                log.info("Chorus: the list had ended early, %d more engagements came", len(self._seen) - known)
            elif self._oldest is None or self._oldest[1] in met:
                self._explain(start, end)
                return
            else:
                doubts += 1
        raise ShortRead(
            "Chorus's list of engagements ends elsewhere each time it is read. Some may be missing: run again later."
        )

    def _stretch(self, start: datetime, end: datetime) -> Iterator[tuple[list[Row], set[str]]]:
        """(rows not seen before, ids of the page), page by page; in halves when Chorus cannot answer it at once."""
        oldest = end
        try:
            for page in self._pages(replace(self._query, min_date=start, max_date=end)):
                ids = {key_of(row) for row in page.rows}
                moments = [moment for row in page.rows if (moment := moment_of(row)) is not None]
                oldest = min([oldest, *moments])
                yield self._fresh(page.rows), ids
        except GatewayTimeout:
            upper = min(end, oldest + _MARGIN)
            if upper - start <= _SHORTEST:
                raise
            middle = start + (upper - start) / 2
            log.info("Chorus could not answer %s to %s at once, asking for halves", start, upper)
            yield from self._stretch(middle - _MARGIN, upper)
            yield from self._stretch(start, middle)

    def _pages(self, query: EngagementQuery) -> Iterator[EngagementsPage]:
        key: str | None = None
        sent: set[str] = set()
        walked: set[str] = set()
        empty = 0
        for _ in range(_PAGES_FOLLOWED):
            page = self._sound_page(query, key, walked)
            walked |= {key_of(row) for row in page.rows}
            empty = 0 if page.rows else empty + 1
            yield page
            if page.next_key is None or page.next_key in sent or empty > _EMPTY_PAGES_FOLLOWED:
                if sent and not walked:
                    raise ShortRead(
                        "Chorus leads from page to page without giving a single engagement. Run again later."
                    )
                return
            key = page.next_key
            sent.add(key)
        raise ProtocolFault("Chorus's list of engagements does not end. Read a shorter window.")

    def _sound_page(self, query: EngagementQuery, key: str | None, walked: set[str]) -> EngagementsPage:
        """The page, asked for again when it contradicts its own key or repeats an earlier one."""
        page = self._client.engagements_page(query, key)
        for _ in range(_TRIES - 1):
            if self._is_sound(page, key, walked):
                return page
            page = self._client.engagements_page(query, key)
        if self._is_sound(page, key, walked):
            return page
        if page.rows and all(key_of(row) in walked for row in page.rows):
            raise ShortRead("Chorus gives the same page of engagements again and again. Run again later.")
        if page.named_row is not None:
            self._unexplained.add(page.named_row)
        return page

    @staticmethod
    def _is_sound(page: EngagementsPage, key: str | None, walked: set[str]) -> bool:
        if page.next_key is None or page.next_key == key:
            return True
        ids = {key_of(row) for row in page.rows}
        if page.named_row is not None:
            return page.named_row in {item.upper() for item in ids}
        return bool(ids - walked)

    def _fresh(self, rows: Sequence[Row]) -> list[Row]:
        fresh: list[Row] = []
        for row in rows:
            key = key_of(row)
            moment = moment_of(row)
            if moment is not None and (self._oldest is None or (moment, key) < self._oldest):
                self._oldest = (moment, key)
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(row)
        return fresh

    def _explain(self, start: datetime, end: datetime) -> None:
        """Rows that only a key named must not belong to this query. Raises :class:`ShortRead` when one does."""
        missing = sorted(self._unexplained - {key.upper() for key in self._seen})
        for row in self._client.engagements_by_id(missing) if missing else []:
            moment = moment_of(row)
            wanted = self._query.engagement_type in (None, row.get("engagement_type"))
            if wanted and moment is not None and start + _MARGIN <= moment < end - _MARGIN:
                raise ShortRead("Chorus left an engagement out of its list that it knows by id. Run again later.")
