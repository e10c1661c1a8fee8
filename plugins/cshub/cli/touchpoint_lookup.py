"""A touchpoint by its note id, as it is now: the search is some seconds late, the timeline of an account is not."""

from __future__ import annotations

from datetime import datetime
from time import sleep
from typing import TYPE_CHECKING

from cshub.cli.screen import Screen
from cshub.core.errors import NotFound

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import Touchpoint


def find_touchpoint(client: TotangoClient, screen: Screen, note_id: int, account: str | None) -> Touchpoint:
    """The touchpoint as the timeline of its account shows it. The search is only asked which account that is.

    Raises :class:`NotFound`, which says where it is not and what to do next.
    """
    home = account or _account_of(client, screen, note_id)
    note = _in_timeline(client, note_id, home)
    if note is None:
        demand_account(client, home)
        raise NotFound(
            f"Account {home} has no touchpoint {note_id}: it was deleted, or belongs to another account. "
            f"`cshub totango touchpoints list --account {home}` shows what there is.",
            status=404,
        )
    return note


def demand_account(client: TotangoClient, account: str) -> None:
    """Raises :class:`NotFound` for an account that Totango does not have: its timeline would look merely empty."""
    hits = client.search_accounts([{"type": "string", "term": "identifier", "eq": account}])
    if not any(hit.id == account for page in hits for hit in page):
        raise NotFound(
            f"Totango has no account {account}. `cshub totango accounts TEXT` searches accounts by name.", status=404
        )


def search_touchpoints(client: TotangoClient, start: datetime, end: datetime) -> list[Touchpoint]:
    """Touchpoints of all accounts dated in ``[start, end)``, as the search knows them."""
    from cshub.systems.totango.models import EventType, read_touchpoint, to_ms

    pages = client.events(EventType.NOTE, to_ms(start), to_ms(end))
    return [note for page in pages for event in page if (note := read_touchpoint(event)) is not None]


def _account_of(client: TotangoClient, screen: Screen, note_id: int) -> str:
    """By the search over all accounts, asked once more after the time it is late as a rule."""
    from cshub.pipeline.readback import SEARCH_LAG_S

    account = _searched(client, note_id)
    if account is None:
        screen.note(
            f"The search over all accounts, which is some seconds late, does not show touchpoint {note_id}; "
            f"looking again in {SEARCH_LAG_S:.0f} s. With --account nothing needs to be searched."
        )
        sleep(SEARCH_LAG_S)
        account = _searched(client, note_id)
    if account is None:
        raise NotFound(
            f"The search over all accounts does not show touchpoint {note_id}. It may be some seconds late: if the "
            "touchpoint was made just now, name its account with --account, or try again. "
            "`cshub totango touchpoints list` shows what the search knows.",
            status=404,
        )
    return account


def _searched(client: TotangoClient, note_id: int) -> str | None:
    from cshub.systems.totango.models import FAR_FUTURE_MS, EventType, read_touchpoint

    for page in client.events(EventType.NOTE, 0, FAR_FUTURE_MS):
        for event in page:
            note = read_touchpoint(event)
            if note is not None and note.note_id == note_id:
                return note.account_id
    return None


def _in_timeline(client: TotangoClient, note_id: int, account: str) -> Touchpoint | None:
    """Beyond the end of a timeline that may be cut off, by the search, once that has caught up."""
    from cshub.core.records import RecordKey
    from cshub.pipeline.readback import SEARCH_LAG_S
    from cshub.systems.totango.touchpoint_reader import TouchpointReader

    reader = TouchpointReader(client, lambda accounts: accounts)
    notes, is_whole = reader.timeline(account)
    note = next((note for note in notes if note.note_id == note_id), None)
    if note is not None or is_whole:
        return note
    sleep(SEARCH_LAG_S)
    key = str(note_id)
    return reader.by_key([RecordKey(key, account)]).get(key)
