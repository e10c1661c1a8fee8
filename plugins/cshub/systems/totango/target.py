"""Touchpoints of Totango as a target of changes."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from cshub.core.errors import NotFound
from cshub.core.ports import ById, Candidate, Lookup, Verdict, Write
from cshub.core.records import Operation, RecordKey, TargetRecord
from cshub.core.text import html_to_text, is_wrapped_html, length, truncate, wrap_html
from cshub.core.validate_online import OptionFault, refuse_options
from cshub.core.values import parse_moment
from cshub.core.window import Window
from cshub.systems.singly import write_singly
from cshub.systems.totango.catalog import CONTENT_LIMIT, ContentFormat, TouchpointOptions
from cshub.systems.totango.choices import Catalogues, Choices
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import EventType, Touchpoint, TouchpointFields, read_touchpoint, to_ms
from cshub.systems.totango.people import AccountFinder, PeopleFinder
from cshub.systems.totango.port import TotangoPort
from cshub.systems.totango.recognition import hint_of, recognised
from cshub.systems.totango.target_checks import touchpoint_option_faults
from cshub.systems.totango.touchpoint_reader import NOBODY, TouchpointReader, extra_of, target_record, values_of

_CUT_MARKER = " … [cut]"
_KEPT = ("subject", "content", "participants")  # whether an update that leaves them out clears them is not known


class TotangoTouchpoints(TotangoPort):
    """Implements :class:`cshub.core.ports.Target`. A key is the note id as text.

    ``extra`` of a record: ``event_id``, and flow, type, reasons and thread as they are (``activity_type_id``,
    ``meeting_type``, ``touchpoint_tags`` joined by commas, ``parent_id``, ``follow_up``), which an update sends along
    unchanged; ``participants`` is ``none`` where it has none. All attributes are read, whatever ``attributes``:
    they come in the same answer.
    """

    batch_size = 1
    lookup = Lookup(ById.BY_ACCOUNT)

    def __init__(
        self, client: TotangoClient, options: TouchpointOptions | None = None, attributes: Sequence[str] = ()
    ) -> None:
        super().__init__(client)
        self._options = options or TouchpointOptions()
        self._accounts = AccountFinder(client, self._options.account_match, self.warnings)
        self._people = PeopleFinder(client)
        self._catalogues = Catalogues(client)
        self._choices = Choices(self._catalogues, self._options)
        self._reader = TouchpointReader(client, self._accounts.existing)

    def check_options(self) -> None:
        """Raises :class:`SpecError` for flows, types and reasons that the tenant does not have."""
        refuse_options(self.option_faults(), "target.options")

    def option_faults(self) -> list[OptionFault]:
        """Every name of a flow, type or reason that the tenant does not have."""
        return touchpoint_option_faults(self._catalogues, self._options)

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
            yield [target_record(note) for note in notes]

    def read_keys(self, keys: Sequence[RecordKey]) -> Mapping[str, TargetRecord | None]:
        """See :meth:`TouchpointReader.by_key`: a key about which nothing is proven is left out."""
        notes = self._reader.by_key(keys)
        return {key: None if note is None else target_record(note) for key, note in notes.items()}

    def read_external(self, external_ids: AbstractSet[str]) -> Mapping[str, TargetRecord]:
        """Nothing: Totango cannot look touchpoints up by an external id (totango.md §0, row 10)."""
        return {}

    def read_alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], list[TargetRecord]]:
        """Nothing: touchpoints are found by their date."""
        return {}

    def hint(self, write: Write) -> Mapping[str, Any]:
        return hint_of(write.account_id, self._fields(write.values))

    def find(self, hints: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Candidate]]:
        """Touchpoints of the hint's account with its date, author, subject and content, oldest first.

        One timeline per account. Survives what the service does to a text: tags stripped, a line end added, the author
        in lower case. After these come touchpoints that somebody edited since: same author, and still the same date or
        content.
        """
        by_account: dict[str, list[int]] = defaultdict(list)
        for at, hint in enumerate(hints):
            by_account[hint["account_id"]].append(at)
        found: dict[int, list[Candidate]] = {}
        for account_id, places in by_account.items():
            timeline, is_whole = self._reader.timeline(account_id)
            for at in places:
                notes, moment = timeline, hints[at]["timestamp_ms"]
                if not is_whole and moment is not None:
                    notes = [*timeline, *self._reader.around(account_id, moment)]
                found[at] = recognised(notes, hints[at])
        return [found[at] for at in range(len(hints))]

    def write(self, writes: Sequence[Write]) -> Sequence[Verdict]:
        """See :func:`write_singly`."""
        calls = {Operation.CREATE: self._create, Operation.UPDATE: self._update, Operation.DELETE: self._delete}
        return write_singly(writes, calls)

    def _create(self, write: Write) -> RecordKey:
        """Make a touchpoint with the options' flow, type and reasons. Totango stores no external id."""
        chosen = self._choices.chosen
        fields = replace(
            self._fields(write.values),
            activity_type_id=chosen.activity_type_id,
            touchpoint_type=chosen.touchpoint_type,
            touchpoint_tags=chosen.touchpoint_tags,
        )
        return RecordKey(str(self._client.create_touchpoint(write.account_id, fields)), write.account_id)

    def _update(self, write: Write) -> RecordKey:
        """Set the touchpoint to the values; flow, type, reasons and thread stay as the key's ``extra`` tells them.

        Subject, content and participants that are not written are read first and sent as they are; participants are
        not, where ``extra`` tells that there were none.
        """
        key = _key_of(write)
        values = {name: value for name, value in write.values.items() if name not in self._options.create_only()}
        fields, extra = self._fields(values), key.extra
        if write.changed and "content" in values.keys() - write.changed:
            fields = replace(fields, content=values["content"] or "")
        left_out = {name for name in _KEPT if name not in values}
        if not extra.get("event_id") or left_out - ({"participants"} if extra.get("participants") == NOBODY else set()):
            note = self._current(key)
            fields, extra = replace(fields, **_left_as_is(note, values)), extra_of(note)
        fields = replace(fields, **self._choices.kept(extra))
        try:
            self._client.update_touchpoint(int(key.key), extra["event_id"], key.account_id, fields)
        except NotFound:
            current = self._current(key).event_id
            if current == extra["event_id"]:
                raise
            self._client.update_touchpoint(int(key.key), current, key.account_id, fields)
        return key

    def _delete(self, write: Write) -> RecordKey:
        """Remove the touchpoint. One already gone is no error; a wrong event id is looked up, not believed."""
        key = _key_of(write)
        event_id = key.extra.get("event_id") or self._event_id(key)
        if event_id is None:
            return key
        try:
            self._client.delete_touchpoint(int(key.key), event_id)
        except NotFound:
            current = self._event_id(key)
            if current is not None:
                self._client.delete_touchpoint(int(key.key), current)
        return key

    def _current(self, key: RecordKey) -> Touchpoint:
        note = self._reader.one(key)
        if note is None:
            raise NotFound(
                f"Totango has no touchpoint {key.key} in account {key.account_id} any more: it was deleted there. "
                "The next run records that.",
                status=404,
            )
        return note

    def _event_id(self, key: RecordKey) -> str | None:
        note = self._reader.one(key)
        return None if note is None else note.event_id

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
            content = html_to_text(content) if is_wrapped_html(content) else content
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


def _key_of(write: Write) -> RecordKey:
    assert write.key is not None
    return write.key


def _left_as_is(note: Touchpoint, values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the note that ``values`` do not speak of, to be sent along so that nothing is cleared."""
    held = values_of(note)
    fields = {name: held[name] for name in _KEPT if name in held and name not in values}
    return fields if values.get("touchpoint_date") else {**fields, "create_date_ms": note.timestamp_ms}
