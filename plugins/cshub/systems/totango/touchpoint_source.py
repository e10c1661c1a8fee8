"""Touchpoints of Totango as a source of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from cshub.core.ports import ById, Lookup, Reading
from cshub.core.records import Page, RecordKey, SourceRecord
from cshub.core.values import iso_ms
from cshub.core.window import Window
from cshub.systems.totango.account_options import AccountMatch
from cshub.systems.totango.catalog import TouchpointSourceOptions
from cshub.systems.totango.choices import Catalogues, entry_name
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import EventType, Touchpoint, from_ms, read_touchpoint, to_ms
from cshub.systems.totango.people import AccountFinder
from cshub.systems.totango.port import TotangoPort, missing_record
from cshub.systems.totango.references import AccountReferences, PeopleReferences
from cshub.systems.totango.touchpoint_filter import TouchpointFilter, filter_of
from cshub.systems.totango.touchpoint_reader import TouchpointReader, created_at, extra_of, values_of

_KEYS_A_PAGE = 200
_LEFT_OUT_KEPT = 20_000  # touchpoints, some KB each


class TotangoTouchpointSource(TotangoPort):
    """Implements :class:`cshub.core.ports.Source`. A key is the note id as text, ``extra`` as in the target.

    A body has the names and forms of the target's values, and beside them what can only be read. ``account_id`` is the
    account's reference in the other system, ``touchpoint_id`` the external id where the note bears one. Names and
    e-mails that need a call of their own are looked up only when ``fields`` is empty or names them.
    """

    reading = Reading.BY_DATE
    lookup = Lookup(ById.BY_ACCOUNT, beside=1)  # the accounts' references

    def __init__(
        self, client: TotangoClient, options: TouchpointSourceOptions | None = None, fields: Sequence[str] = ()
    ) -> None:
        super().__init__(client)
        self._options = options or TouchpointSourceOptions()
        self._fields = frozenset(fields)
        self._catalogues = Catalogues(client)
        self._accounts = AccountReferences(client, self._options.account_reference, self.warnings)
        self._people = PeopleReferences(client, self.warnings)
        self._reader = TouchpointReader(client, AccountFinder(client, AccountMatch(), self.warnings).existing)
        self._left_out: dict[str, Touchpoint] = {}

    def check_options(self) -> None:
        """Raises :class:`SpecError` for a flow, type or reason that the tenant does not have."""
        _ = self._filter

    def read_window(self, window: Window) -> Iterator[Page]:
        """Touchpoints dated in the window that pass the filters, from the events search."""
        chosen = self._filter
        for events in self._client.events(EventType.NOTE, to_ms(window.start), to_ms(window.end)):
            notes = [note for event in events if (note := read_touchpoint(event)) is not None]
            passing = [note for note in notes if chosen.passes(note, window)]
            self._remember(notes, passing)
            if passing:
                yield Page(self._records(passing))

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These touchpoints, whatever the filters: what a window left out is there, not deleted.

        DELETED is told of what :meth:`TouchpointReader.by_key` proves gone, ACCOUNT_GONE of those whose account is not
        there either.
        """
        wanted = sorted({key.key: key for key in keys}.values(), key=lambda key: (key.account_id, key.key))
        for at in range(0, len(wanted), _KEYS_A_PAGE):
            batch = wanted[at : at + _KEYS_A_PAGE]
            found: dict[str, Touchpoint | None] = {
                key.key: self._left_out[key.key] for key in batch if key.key in self._left_out
            }
            found.update(self._reader.by_key([key for key in batch if key.key not in found]))
            records = self._records([note for note in found.values() if note is not None])
            vanished = self._reader.vanished({key.account_id for key in batch if key.key not in found})
            missing = [key for key in batch if found.get(key.key) is None]
            yield Page([*records, *(missing_record(key, key.key in found, vanished) for key in missing)])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the newest touchpoints of the window that pass, among the newest few thousand."""
        events = self._client.event_search.newest(
            EventType.NOTE,
            to_ms(window.start),
            to_ms(window.end),
            limit=limit,
            keep=lambda event: (note := read_touchpoint(event)) is not None and self._filter.passes(note, window),
        )
        return self._records([note for event in events if (note := read_touchpoint(event)) is not None])

    @cached_property
    def _filter(self) -> TouchpointFilter:
        return filter_of(self._options, self._catalogues)

    def _remember(self, notes: Sequence[Touchpoint], passing: Sequence[Touchpoint]) -> None:
        """Keep what a window left out, so that it needs no timeline when it is asked for by id."""
        kept = {note.note_id for note in passing}
        for note in notes:
            if note.note_id not in kept and len(self._left_out) < _LEFT_OUT_KEPT:
                self._left_out[str(note.note_id)] = note

    def _records(self, notes: Sequence[Touchpoint]) -> list[SourceRecord]:
        accounts = self._accounts.of({note.account_id for note in notes}) if self._wants("account_id") else {}
        people = {(note.account_id, user_id) for note in notes for user_id in note.participants or ()}
        emails = self._people.of(people) if self._wants("participant_emails") else {}
        return [
            SourceRecord(
                key=str(note.note_id),
                body=self._body(note, accounts.get(note.account_id), emails),
                modified_at=from_ms(note.modified_ms),
                created_at=created_at(note),
                dated_at=from_ms(note.timestamp_ms),
                account_id=note.account_id,
                extra=extra_of(note),
            )
            for note in notes
        ]

    def _body(
        self, note: Touchpoint, account: str | None, emails: Mapping[tuple[str, str], str | None]
    ) -> dict[str, Any]:
        was_edited = note.last_edit_ms is not None
        body = {
            **values_of(note),
            "account_id": account,
            "touchpoint_id": note.external_id or str(note.note_id),
            "external_id": note.external_id,
            "note_id": str(note.note_id),
            "last_update_date": iso_ms(from_ms(note.modified_ms)),
            "last_updater": note.last_editor if was_edited else note.author or None,
            "flow_id": note.activity_type_id,
            "touchpoint_type_id": note.touchpoint_type,
            "reason_ids": list(note.tags or ()),
            "origin": note.origin,
        }
        if self._wants("flow"):
            body["flow"] = entry_name(self._catalogues.flows, note.activity_type_id)
        if self._wants("touchpoint_type"):
            body["touchpoint_type"] = entry_name(self._catalogues.types, note.touchpoint_type)
        if self._wants("reasons"):
            body["reasons"] = [name for tag in note.tags or () if (name := entry_name(self._catalogues.reasons, tag))]
        if note.participants is not None and self._wants("participant_emails"):
            known = {emails.get((note.account_id, user_id)) for user_id in note.participants}
            body["participant_emails"] = sorted(email for email in known if email is not None)
        return body

    def _wants(self, field: str) -> bool:
        return not self._fields or field in self._fields
