"""Campaign touches of Totango as a source of records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from cshub.core.ports import ById, Lookup, Reading
from cshub.core.records import Page, Presence, RecordKey, SourceRecord
from cshub.core.values import iso_ms
from cshub.core.window import Window
from cshub.systems.totango.campaign_catalog import CampaignTouchOptions
from cshub.systems.totango.campaign_touches import CampaignTouch, read_campaign_touch
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import FAR_FUTURE_MS, Event, EventType, from_ms, to_ms
from cshub.systems.totango.port import TotangoPort
from cshub.systems.totango.references import AccountReferences


class TotangoCampaignTouches(TotangoPort):
    """Implements :class:`cshub.core.ports.Source`. A key is the event id.

    A touch happens and never changes, so it lies in the window in which it changed for the only time; one that is not
    listed any more tells nothing.
    """

    reading = Reading.BY_CHANGE
    lookup = Lookup(ById.BY_ACCOUNT, beside=1)  # the accounts' references

    def __init__(
        self, client: TotangoClient, options: CampaignTouchOptions | None = None, fields: Sequence[str] = ()
    ) -> None:
        super().__init__(client)
        self._options = options or CampaignTouchOptions()
        self._fields = frozenset(fields)
        self._accounts = AccountReferences(client, self._options.account_reference, self.warnings)

    def read_window(self, window: Window) -> Iterator[Page]:
        """Touches shown in timelines at a time of the window, from the events search."""
        for events in self._client.events(EventType.CAMPAIGN_TOUCH, to_ms(window.start), to_ms(window.end)):
            chosen = [event for event in events if self._passes(event)]
            if chosen:
                yield Page(self._records(chosen))

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These touches, by one timeline per account, or where a key names none by the search from its end.

        One that does not come back is absent, unproven.
        """
        by_account: dict[str, dict[str, RecordKey]] = defaultdict(dict)
        for key in keys:
            by_account[key.account_id][key.key] = key
        for account_id, wanted in by_account.items():
            found = self._found(account_id, wanted.keys())
            absent = (key for key in wanted.values() if key.key not in found)
            records = self._records(list(found.values()))
            yield Page([*records, *(SourceRecord(key.key, None, None, Presence.ABSENT) for key in absent)])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the newest touches of the window."""
        events = self._client.event_search.newest(
            EventType.CAMPAIGN_TOUCH, to_ms(window.start), to_ms(window.end), limit=limit, keep=self._passes
        )
        return self._records(events)

    def _found(self, account_id: str, wanted: AbstractSet[str]) -> dict[str, Event]:
        slices: Iterable[Sequence[Event]]
        if account_id:
            slices = [self._client.account_events(account_id)]
        else:
            slices = self._client.events(EventType.CAMPAIGN_TOUCH, 0, FAR_FUTURE_MS)
        found: dict[str, Event] = {}
        for events in slices:
            touches = (event for event in events if event.kind is EventType.CAMPAIGN_TOUCH and event.id in wanted)
            found.update({event.id: event for event in touches})
            if len(found) == len(wanted):
                break
        return found

    def _passes(self, event: Event) -> bool:
        return not self._options.accounts or event.account_id in self._options.accounts

    def _records(self, events: Sequence[Event]) -> list[SourceRecord]:
        wants_account = not self._fields or "account_id" in self._fields
        accounts = self._accounts.of({event.account_id for event in events}) if wants_account else {}
        records: list[SourceRecord] = []
        for event in events:
            touch = read_campaign_touch(event)
            if touch is not None:
                body = _body(touch, accounts.get(event.account_id))
                at = from_ms(event.timestamp_ms)
                records.append(
                    SourceRecord(event.id, body, at, created_at=at, dated_at=touch.sent_at, account_id=event.account_id)
                )
        return records


def _body(touch: CampaignTouch, account: str | None) -> dict[str, Any]:
    return {
        "account_id": account,
        "campaign_touch_id": touch.event_id,
        "subject": touch.subject,
        "description": touch.description,
        "start_date": iso_ms(touch.sent_at),
        "created_by": touch.sender if touch.sender and "@" in touch.sender else None,
        "from": touch.sender,
        "campaign_id": touch.campaign_id,
        "campaign_name": touch.name,
        "campaign_subject": touch.campaign_subject,
        "is_ongoing": touch.is_ongoing,
        "users_count": touch.users,
    }
