"""Chorus engagements as a source of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cshub.core.errors import ProtocolFault
from cshub.core.ports import ById, Lookup, Reading
from cshub.core.records import Page, Presence, RecordKey, SourceRecord
from cshub.core.window import Window
from cshub.systems.chorus.catalog import EngagementOptions
from cshub.systems.chorus.client import ChorusClient, EngagementQuery
from cshub.systems.chorus.walk import Walk, key_of, moment_of

_IDS_A_CALL = 50  # no cap is documented; 50 ids keep the address short (chorus.md §3.1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class ChorusEngagements:
    """Implements :class:`cshub.core.ports.Source`. A body is the row exactly as Chorus sent it, whatever ``fields``.

    Read as by change: a meeting that is not listed may be private or hidden now, so its absence means nothing.
    """

    reading = Reading.BY_CHANGE
    lookup = Lookup(ById.IN_BATCHES, _IDS_A_CALL)

    def __init__(
        self, client: ChorusClient, options: EngagementOptions | None = None, fields: Sequence[str] = ()
    ) -> None:
        self._client = client
        self._options = options or EngagementOptions()

    @property
    def calls(self) -> int:
        return self._client.calls

    def forecast(self, calls: int) -> float:
        return self._client.http.forecast(calls)

    def user(self) -> str:
        """Nobody: a company's records are the same for all its tokens."""
        return ""

    def identity(self) -> str:
        """E-mail domain of the company the token's user belongs to."""
        domain = self._client.me().domain
        if not domain:
            raise ProtocolFault(
                "Chorus does not say which company this token belongs to. Check the connection's token."
            )
        return domain

    def read_window(self, window: Window) -> Iterator[Page]:
        """Every engagement that starts in the window, newest first, each once; see :class:`Walk` for what is checked.

        A row whose date cannot be read is kept, so that the mapping rejects it with its reason.
        """
        seen: set[str] = set()
        for query in self._queries():
            for rows in Walk(self._client, query).rows(window.start, window.end):
                fresh = [row for row in rows if key_of(row) not in seen and _belongs(row, window)]
                seen |= {key_of(row) for row in fresh}
                if fresh:
                    yield Page([_record(row) for row in fresh])

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These engagements, 50 a call. One that does not come back is absent: deleted, private or hidden, unproven."""
        wanted = list(dict.fromkeys(key.key for key in keys))
        for at in range(0, len(wanted), _IDS_A_CALL):
            batch = wanted[at : at + _IDS_A_CALL]
            rows = self._client.engagements_by_id(batch, with_trackers=self._options.with_trackers)
            found = {key_of(row): _record(row) for row in rows}
            absent = (SourceRecord(key, None, None, Presence.ABSENT) for key in batch if key not in found)
            yield Page([*found.values(), *absent])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the newest engagements of the window: one call per engagement type of the options."""
        rows: dict[str, Mapping[str, Any]] = {}
        for query in self._queries(window):
            page = self._client.engagements_page(query)
            rows.update({key_of(row): row for row in page.rows if _belongs(row, window)})
        newest = sorted(rows.values(), key=lambda row: moment_of(row) or _BEGINNING, reverse=True)
        return [_record(row) for row in newest[:limit]]

    def _queries(self, window: Window | None = None) -> list[EngagementQuery]:
        options = self._options
        return [
            EngagementQuery(
                min_date=window.start if window else None,
                max_date=window.end if window else None,
                min_duration_s=options.min_duration_s,
                max_duration_s=options.max_duration_s,
                engagement_type=kind.value if kind else None,
                team_ids=options.team_ids,
                user_ids=options.user_ids,
                participants_email=options.participants_email,
                with_trackers=options.with_trackers,
            )
            for kind in (options.engagement_types or (None,))
        ]


def _belongs(row: Mapping[str, Any], window: Window) -> bool:
    moment = moment_of(row)
    return moment is None or moment in window


def _record(row: Mapping[str, Any]) -> SourceRecord:
    return SourceRecord(key_of(row), row, None, dated_at=moment_of(row))
