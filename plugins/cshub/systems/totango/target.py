"""Totango touchpoints as a target of changes."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from cshub.core.errors import NotFound, ProtocolFault
from cshub.core.records import TargetKey, TargetRecord
from cshub.core.text import html_to_text, length, truncate, wrap_html
from cshub.core.values import iso_ms, parse_moment
from cshub.core.window import Window
from cshub.systems.totango.catalog import CONTENT_LIMIT, ContentFormat, TouchpointOptions
from cshub.systems.totango.choices import Choices
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import (
    EventType,
    Touchpoint,
    TouchpointFields,
    from_ms,
    read_touchpoint,
    to_ms,
)
from cshub.systems.totango.people import AccountFinder, PeopleFinder
from cshub.systems.totango.recognition import hint_of, recognised

_FAR_FUTURE_MS = 4_102_444_800_000  # 2100-01-01
_TIMELINE_CAP = 1000  # a timeline whose length is a multiple of this may have been cut off
_CUT_MARKER = " … [cut]"


class TotangoTouchpoints:
    """Implements :class:`cshub.core.ports.Target`. A key is the note id as text.

    ``extra`` of a record: ``event_id``, and flow, type and reasons as they are (``activity_type_id``, ``meeting_type``,
    ``touchpoint_tags`` joined by commas), which an update sends along unchanged. ``warnings`` counts what was left out.
    """

    def __init__(self, client: TotangoClient, options: TouchpointOptions | None = None) -> None:
        self._client = client
        self._options = options or TouchpointOptions()
        self.warnings: Counter[str] = Counter()
        self._accounts = AccountFinder(client, self._options.account_match, self.warnings)
        self._people = PeopleFinder(client)
        self._choices = Choices(client, self._options)

    @property
    def calls(self) -> int:
        return self._client.calls

    def forecast(self, calls: int) -> float:
        return self._client.http.forecast(calls)

    def identity(self) -> str:
        """``SP-<service id>`` when the connection names it, else the e-mail domain of most team members."""
        if self._client.service_id:
            return f"SP-{self._client.service_id}"
        domains = Counter(member.email.rpartition("@")[2].lower() for member in self._client.internal_users())
        if not domains:
            raise ProtocolFault("Totango lists no team members. Give the service id in the connection.")
        return min(domains, key=lambda domain: (-domains[domain], domain))

    def check_options(self) -> None:
        """Raises :class:`SpecError` for a flow, type or reason that the tenant does not have."""
        _ = self._choices.chosen

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        """See :meth:`AccountFinder.find`."""
        return self._accounts.find(references)

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        """See :meth:`PeopleFinder.find`."""
        return self._people.find(wanted)

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """Touchpoints dated in the window, from the events search, which lags some seconds behind writes."""
        for events in self._client.events(EventType.NOTE, to_ms(window.start), to_ms(window.end)):
            notes = [note for event in events if (note := read_touchpoint(event)) is not None]
            yield [_record(note) for note in notes]

    def read_keys(self, keys: Sequence[TargetKey]) -> Mapping[str, TargetRecord | None]:
        """These touchpoints, by one timeline per account.

        None is given only for what is proven gone: missing in a timeline that is not cut off, missing in the search
        too, of an account that exists. A key about which nothing is proven is left out of the answer. Beyond the end
        of a timeline that is cut off, the search is believed for what it shows.
        """
        by_account: dict[str, list[TargetKey]] = defaultdict(list)
        for key in keys:
            by_account[key.account_id].append(key)
        found: dict[str, TargetRecord | None] = {}
        for account_id, wanted in by_account.items():
            found.update(self._read_account(account_id, [key.key for key in wanted]))
        return found

    def hint(self, account_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return hint_of(account_id, self._fields(values))

    def find(self, hint: Mapping[str, Any]) -> Sequence[TargetRecord]:
        """Touchpoints of the account with this date, author, subject and content, from its timeline, oldest first.

        Survives what the service does to a text: tags stripped, a line end added, the author in lower case. After
        these come touchpoints that somebody edited since: same author, and still the same date or content.
        """
        notes, is_whole = self._timeline(hint["account_id"])
        if not is_whole and hint["timestamp_ms"] is not None:
            notes = [*notes, *self._search(hint["account_id"], hint["timestamp_ms"])]
        return [_record(note) for note in recognised(notes, hint)]

    def create(self, account_id: str, values: Mapping[str, Any], *, external_id: str) -> TargetKey:
        """Make a touchpoint with the options' flow, type and reasons. Totango stores no external id."""
        chosen = self._choices.chosen
        fields = replace(
            self._fields(values),
            activity_type_id=chosen.activity_type_id,
            touchpoint_type=chosen.touchpoint_type,
            touchpoint_tags=chosen.touchpoint_tags,
        )
        return TargetKey(str(self._client.create_touchpoint(account_id, fields)), account_id)

    def update(self, key: TargetKey, values: Mapping[str, Any]) -> None:
        """Set the touchpoint to ``values``; flow, type and reasons stay as ``key.extra`` tells them."""
        event_id = key.extra.get("event_id") or self._event_id(key)
        if event_id is None:
            raise NotFound(
                f"Totango has no touchpoint {key.key} in account {key.account_id} any more: it was deleted there. "
                "The next run records that.",
                status=404,
            )
        fields = replace(self._fields(values), **self._choices.kept(key.extra))
        note_id = int(key.key)
        try:
            self._client.update_touchpoint(note_id, event_id, key.account_id, fields)
        except NotFound:
            current = self._event_id(key)
            if current is None or current == event_id:
                raise
            self._client.update_touchpoint(note_id, current, key.account_id, fields)

    def delete(self, key: TargetKey) -> None:
        """Remove the touchpoint. One already gone is no error; a wrong event id is looked up, not believed."""
        event_id = key.extra.get("event_id") or self._event_id(key)
        if event_id is None:
            return
        note_id = int(key.key)
        try:
            self._client.delete_touchpoint(note_id, event_id)
        except NotFound:
            current = self._event_id(key)
            if current is not None:
                self._client.delete_touchpoint(note_id, current)

    def _read_account(self, account_id: str, wanted: Sequence[str]) -> dict[str, TargetRecord | None]:
        timeline, is_whole = self._timeline(account_id)
        notes = {str(note.note_id): note for note in timeline}
        found: dict[str, TargetRecord | None] = {key: _record(notes[key]) for key in wanted if key in notes}
        missing = [key for key in wanted if key not in notes]
        if not missing or not self._accounts.exists(account_id):
            return found
        searched = {str(note.note_id): note for note in self._search(account_id)}
        for key in missing:
            if is_whole and key not in searched:
                found[key] = None
            elif not is_whole and key in searched:
                found[key] = _record(searched[key])
        return found

    def _timeline(self, account_id: str) -> tuple[list[Touchpoint], bool]:
        """Touchpoints of an account, and whether its timeline is surely not cut off."""
        events = self._client.account_events(account_id)
        notes = [note for event in events if (note := read_touchpoint(event)) is not None]
        return notes, not events or len(events) % _TIMELINE_CAP != 0

    def _search(self, account_id: str, around_ms: int | None = None) -> list[Touchpoint]:
        start, end = (0, _FAR_FUTURE_MS) if around_ms is None else (around_ms - 60_000, around_ms + 60_000)
        events = self._client.events(EventType.NOTE, start, end, account_id=account_id)
        return [note for batch in events for event in batch if (note := read_touchpoint(event)) is not None]

    def _event_id(self, key: TargetKey) -> str | None:
        notes = self._client.account_touchpoints(key.account_id)
        return next((note.event_id for note in notes if note.note_id == int(key.key)), None)

    def _fields(self, values: Mapping[str, Any]) -> TouchpointFields:
        """What is sent for the mapped attributes that are there; null clears texts and participants."""
        moment = values.get("touchpoint_date")
        return TouchpointFields(
            content=self._content(values["content"] or "") if "content" in values else None,
            subject=(values["subject"] or "") if "subject" in values else None,
            create_date_ms=to_ms(parse_moment(moment)) if moment else None,
            created_by=values.get("created_by") or None,
            participants=sorted(set(values["participants"] or ())) if "participants" in values else None,
            disable_sync=self._options.disable_sync,
        )

    def _content(self, content: str) -> str:
        """Content in the format of the options, within the limit. HTML that is too long is cut as text."""
        if self._options.content_format is ContentFormat.TEXT or not content.strip():
            return truncate(content, CONTENT_LIMIT, _CUT_MARKER)[0]
        wrapped = wrap_html(content)
        if length(wrapped) <= CONTENT_LIMIT:
            return wrapped
        text = html_to_text(content)
        fitting = bisect_right(
            range(len(_CUT_MARKER), CONTENT_LIMIT),
            CONTENT_LIMIT,
            key=lambda room: length(wrap_html(truncate(text, room, _CUT_MARKER)[0])),
        )
        return wrap_html(truncate(text, len(_CUT_MARKER) + fitting - 1, _CUT_MARKER)[0])


def _record(note: Touchpoint) -> TargetRecord:
    """The note in attribute names of the mapping. What its event does not carry is left out, not taken for empty."""
    values: dict[str, Any] = {
        "account_id": note.account_id,
        "content": note.text if note.has_formatting else note.text.removesuffix("\n"),  # added by the service
        "touchpoint_date": iso_ms(from_ms(note.timestamp_ms)),
        "created_by": note.author,
    }
    if note.subject is not None:
        values["subject"] = note.subject
    if note.participants is not None:
        values["participants"] = list(note.participants)
    return TargetRecord(
        key=str(note.note_id),
        account_id=note.account_id,
        values=values,
        extra={
            "event_id": note.event_id,
            "activity_type_id": note.activity_type_id or "",
            "meeting_type": note.touchpoint_type or "",
            "touchpoint_tags": ",".join(note.tags or ()),
        },
        external_id=note.external_id,
        created_at=None if note.creation_ms is None else from_ms(note.creation_ms),
        modified_at=from_ms(note.modified_ms),
        modified_by=note.last_editor,
    )
