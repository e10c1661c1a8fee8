"""Touchpoints of an account by its timeline, which shows writes at once and proves that one is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from cshub.core.records import RecordKey, TargetRecord
from cshub.core.values import iso_ms
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import FAR_FUTURE_MS, EventType, Touchpoint, from_ms, read_touchpoint

_AROUND_MS = 60_000
NOBODY = "none"
_TIMELINE_CAP = 1000  # a timeline whose length is a multiple of this may have been cut off


class TouchpointReader:
    """``existing`` tells which of some accounts Totango knows: of an unknown one nothing is proven."""

    def __init__(self, client: TotangoClient, existing: Callable[[AbstractSet[str]], AbstractSet[str]]) -> None:
        self._client = client
        self._existing = existing

    def by_key(self, keys: Sequence[RecordKey]) -> dict[str, Touchpoint | None]:
        """Note id → touchpoint, by one timeline per account.

        None is given only for what is proven gone: missing in a timeline that is not cut off, missing in the search
        too, of an account that exists. A key about which nothing is proven is left out of the answer. Beyond the end
        of a timeline that is cut off, the search is believed for what it shows; so it is for keys without account,
        for which it is read from its end until all are found.
        """
        by_account: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            by_account[key.account_id].append(key.key)
        found: dict[str, Touchpoint | None] = dict(self._anywhere(by_account.pop("", [])))
        doubtful: dict[str, bool] = {}
        for account_id, wanted in by_account.items():
            timeline, is_whole = self.timeline(account_id)
            notes = {str(note.note_id): note for note in timeline}
            found.update({key: notes[key] for key in wanted if key in notes})
            if any(key not in notes for key in wanted):
                doubtful[account_id] = is_whole
        existing = self._existing(doubtful.keys()) if doubtful else frozenset()
        for account_id, is_whole in doubtful.items():
            if account_id in existing:
                missing = [key for key in by_account[account_id] if key not in found]
                found.update(self._searched(account_id, missing, is_whole=is_whole))
        return found

    def vanished(self, account_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of ``account_ids`` that Totango does not know any more."""
        named = account_ids - {""}
        return named - self._existing(named) if named else named

    def one(self, key: RecordKey) -> Touchpoint | None:
        """The touchpoint as its account's timeline shows it, None when it is not there."""
        notes, _ = self.timeline(key.account_id)
        return next((note for note in notes if str(note.note_id) == key.key), None)

    def timeline(self, account_id: str) -> tuple[list[Touchpoint], bool]:
        """Touchpoints of an account, and whether its timeline is surely not cut off."""
        events = self._client.account_events(account_id)
        notes = [note for event in events if (note := read_touchpoint(event)) is not None]
        return notes, not events or len(events) % _TIMELINE_CAP != 0

    def around(self, account_id: str, moment_ms: int) -> list[Touchpoint]:
        """Touchpoints of an account dated within a minute of a moment, as the search knows them."""
        return self._search(account_id, moment_ms - _AROUND_MS, moment_ms + _AROUND_MS)

    def _searched(self, account_id: str, missing: Sequence[str], *, is_whole: bool) -> dict[str, Touchpoint | None]:
        """What the search tells of touchpoints that are not in the timeline."""
        shown = {str(note.note_id): note for note in self._search(account_id, 0, FAR_FUTURE_MS)}
        if is_whole:
            return {key: None for key in missing if key not in shown}
        return {key: shown[key] for key in missing if key in shown}

    def _anywhere(self, wanted: Sequence[str]) -> dict[str, Touchpoint]:
        found: dict[str, Touchpoint] = {}
        for events in self._client.events(EventType.NOTE, 0, FAR_FUTURE_MS) if wanted else ():
            notes = [note for event in events if (note := read_touchpoint(event)) is not None]
            found.update({str(note.note_id): note for note in notes if str(note.note_id) in wanted})
            if len(found) == len(wanted):
                break
        return found

    def _search(self, account_id: str, start_ms: int, end_ms: int) -> list[Touchpoint]:
        events = self._client.events(EventType.NOTE, start_ms, end_ms, account_id=account_id)
        return [note for batch in events for event in batch if (note := read_touchpoint(event)) is not None]


def values_of(note: Touchpoint) -> dict[str, Any]:
    """The note in attribute names of the catalogue. What its event does not carry is left out, not taken for empty."""
    values: dict[str, Any] = {
        "account_id": note.account_id,
        "content": note.text if note.has_formatting else note.text.removesuffix("\n"),  # added by the service
        "touchpoint_date": iso_ms(from_ms(note.timestamp_ms)),
        "created_by": note.author or None,
    }
    if note.subject is not None:
        values["subject"] = note.subject
    if note.participants is not None:
        values["participants"] = list(note.participants)
    return values


def extra_of(note: Touchpoint) -> dict[str, str]:
    """What a write needs beside the note id, and what an update sends along unchanged."""
    return {
        "event_id": note.event_id,
        "activity_type_id": note.activity_type_id or "",
        "meeting_type": note.touchpoint_type or "",
        "touchpoint_tags": ",".join(note.tags or ()),
        **({"participants": NOBODY} if note.participants == [] else {}),
        **({"parent_id": str(note.parent_id)} if note.parent_id is not None else {}),
        **({"follow_up": str(note.follow_up)} if note.follow_up is not None else {}),
    }


def created_at(note: Touchpoint) -> datetime | None:
    return None if note.creation_ms is None else from_ms(note.creation_ms)


def target_record(note: Touchpoint) -> TargetRecord:
    return TargetRecord(
        key=str(note.note_id),
        account_id=note.account_id,
        values=values_of(note),
        extra=extra_of(note),
        external_id=note.external_id,
        created_at=created_at(note),
        modified_at=from_ms(note.modified_ms),
        modified_by=note.last_editor,
    )
