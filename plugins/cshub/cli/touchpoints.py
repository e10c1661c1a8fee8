"""`cshub totango touchpoints`: list, create, update and delete."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.catalogue import entry_id
from cshub.cli.clients import Connection, TotangoUrl, totango_client
from cshub.cli.options import Json, Since, Until, Yes, bounds_of, examples, moment_of
from cshub.cli.screen import Screen, begin, counted, grid, shown
from cshub.core.errors import NotFound

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import Touchpoint, TouchpointFields

LOOK_BACK = timedelta(days=7)
FAR_FUTURE_MS = 4_102_444_800_000  # 2100-01-01

app = typer.Typer(no_args_is_help=True, help="List, create, update and delete touchpoints.")

Subject = Annotated[str | None, typer.Option(help="Title.")]
Content = Annotated[str | None, typer.Option(help="Text, at most 12,000 characters; - reads it from standard input.")]
Date = Annotated[str | None, typer.Option(help="When it took place; without a zone: the hub's zone.")]
Type = Annotated[str | None, typer.Option("--type", help="Touchpoint type, by name or id.")]
Reason = Annotated[list[str] | None, typer.Option("--reason", help="Reason, by name or id; may be repeated.")]
Flow = Annotated[str | None, typer.Option(help="Flow, by name or id. Default of a new one: the tenant's.")]
Participant = Annotated[list[str] | None, typer.Option(help="User id (as a rule the e-mail); may be repeated.")]
NoteId = Annotated[int, typer.Argument(metavar="NOTE_ID", help="Note id of the touchpoint, as list shows it.")]
Account = Annotated[str | None, typer.Option(help="Its account; makes the look-up one call.")]
EventId = Annotated[str | None, typer.Option("--event", help="Its event id; looked up when it is not given.")]


@app.command(
    name="list",
    epilog=examples(
        "cshub totango touchpoints list",
        "cshub totango touchpoints list --account ACME-17",
        "cshub totango touchpoints list --from 2026-11-01 --to 2026-11-08 --json",
    ),
)
def list_touchpoints(
    account: Annotated[str | None, typer.Option(help="The whole timeline of this account.")] = None,
    since: Since = None,
    until: Until = None,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """List touchpoints: those of an account, or those of all accounts in a window (default: the last 7 days)."""
    screen = begin(as_json)
    now = datetime.now(UTC)
    start, end = bounds_of(since, until, _zone(), now=now)
    with totango_client(connection, url) as client:
        if account is not None:
            whole = list(client.account_touchpoints(account))
            if not whole:
                _demand_account(client, account)
            found = [note for note in whole if _inside(note, start, end)]
        else:
            found = _searched(client, start or now - LOOK_BACK, end or now)
    found.sort(key=lambda note: note.timestamp_ms)
    rows = [
        (note.note_id, _moment(note.timestamp_ms), note.account_id, note.author, shown(note.subject)) for note in found
    ]
    screen.show(
        grid(("#note id", "=date (UTC)", "=account", "author", "subject"), rows), counted(len(rows), "touchpoint")
    )
    screen.document({"touchpoints": [touchpoint_document(note) for note in found]})


@app.command(
    epilog=examples('cshub totango touchpoints create --account ACME-17 --subject "Review" --content "Met the team."')
)
def create(
    account: Annotated[str, typer.Option(help="Account id.")],
    subject: Subject = None,
    content: Content = None,
    date: Date = None,
    author: Annotated[str | None, typer.Option(help="E-mail of a team member. Default: the token's owner.")] = None,
    kind: Type = None,
    reason: Reason = None,
    flow: Flow = None,
    participant: Participant = None,
    sync: Annotated[
        bool, typer.Option("--sync/--no-sync", help="Let Totango's own outbound jobs copy it, for example to a CRM.")
    ] = False,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Create a touchpoint. Shows what will be sent, and asks."""
    screen = begin(as_json)
    if not (subject or content):
        raise typer.BadParameter("a touchpoint needs a subject or content", param_hint="--subject / --content")
    with totango_client(connection, url) as client:
        fields = replace(
            _fields(client, subject, content, date, kind, reason, flow, participant),
            created_by=author,
            disable_sync=not sync,
        )
        _announce(screen, f"A touchpoint will be created in account {account}:", fields)
        screen.confirm("Create it?", yes=yes)
        note_id = client.create_touchpoint(account, fields)
    screen.show(f"✓ Created: note id {note_id} in account {account}")
    screen.document({"created": {"note_id": note_id, "account_id": account}, "sent": dict(fields.body())})


@app.command(epilog=examples('cshub totango touchpoints update 90017 --account ACME-17 --subject "Review, part 2"'))
def update(
    note_id: NoteId,
    account: Account = None,
    event: EventId = None,
    subject: Subject = None,
    content: Content = None,
    date: Date = None,
    kind: Type = None,
    reason: Reason = None,
    flow: Flow = None,
    participant: Participant = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Change a touchpoint; what is not named stays as it is. Shows what will be sent, and asks."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        note = _found(client, note_id, account)
        asked = _fields(client, subject, content, date, kind, reason, flow, participant)
        if not asked.body():
            raise typer.BadParameter("nothing is to be changed: name at least one field, such as --subject")
        _announce(screen, f"Touchpoint {note_id} of account {note.account_id} will be changed:", asked)
        screen.confirm("Change it?", yes=yes)
        whole = _laid_over(note, asked)
        client.update_touchpoint(note_id, event or note.event_id, note.account_id, whole)
    screen.show(f"✓ Updated: note id {note_id} in account {note.account_id}")
    screen.document({"updated": {"note_id": note_id, "account_id": note.account_id}, "sent": dict(whole.body())})


@app.command(epilog=examples("cshub totango touchpoints delete 90017 --account ACME-17"))
def delete(
    note_id: NoteId,
    account: Account = None,
    event: EventId = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Delete a touchpoint for good. Totango wants its note id and its event id; the latter is looked up if need be."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        if event is None:
            note = _found(client, note_id, account)
            event, subject = note.event_id, note.subject or ""
            screen.show(f"Touchpoint {note_id} of account {note.account_id} will be deleted: {shown(subject)}")
        else:
            screen.show(f"Touchpoint {note_id}, event {event}, will be deleted.")
        screen.confirm("Delete it?", yes=yes)
        client.delete_touchpoint(note_id, event)
    screen.show(f"✓ Deleted: note id {note_id}")
    screen.document({"deleted": {"note_id": note_id, "event_id": event}})


def touchpoint_document(note: Touchpoint) -> dict[str, Any]:
    return {
        "note_id": note.note_id,
        "event_id": note.event_id,
        "account_id": note.account_id,
        "date": _moment(note.timestamp_ms, iso=True),
        "author": note.author,
        "subject": note.subject,
        "content": note.text,
        "type": note.touchpoint_type,
        "reasons": list(note.tags or []),
        "flow": note.activity_type_id,
        "participants": list(note.participants or []),
        "modified": _moment(note.modified_ms, iso=True),
    }


def _fields(
    client: TotangoClient,
    subject: str | None,
    content: str | None,
    date: str | None,
    kind: str | None,
    reason: Sequence[str] | None,
    flow: str | None,
    participant: Sequence[str] | None,
) -> TouchpointFields:
    from cshub.systems.totango.models import TouchpointFields, to_ms

    return TouchpointFields(
        content=sys.stdin.read() if content == "-" else content,
        subject=subject,
        create_date_ms=to_ms(moment_of(date, _zone(), "--date")) if date else None,
        touchpoint_type=entry_id(kind, "touchpoint type", client.touchpoint_types()) if kind else None,
        touchpoint_tags=_reason_ids(client, reason) if reason else None,
        activity_type_id=entry_id(flow, "flow", client.flows()) if flow else None,
        participants=list(participant) if participant else None,
    )


def _reason_ids(client: TotangoClient, names: Sequence[str]) -> list[str]:
    entries = client.touchpoint_reasons()
    return [entry_id(name, "reason", entries) for name in names]


def _laid_over(note: Touchpoint, asked: TouchpointFields) -> TouchpointFields:
    """The whole touchpoint with the asked changes: whether Totango keeps fields left out is not known."""
    return replace(
        asked,
        content=note.text if asked.content is None else asked.content,
        subject=note.subject if asked.subject is None else asked.subject,
        create_date_ms=note.timestamp_ms if asked.create_date_ms is None else asked.create_date_ms,
        touchpoint_type=asked.touchpoint_type or note.touchpoint_type,
        touchpoint_tags=asked.touchpoint_tags or note.tags,
        activity_type_id=asked.activity_type_id or note.activity_type_id,
        participants=note.participants if asked.participants is None else asked.participants,
    )


def _found(client: TotangoClient, note_id: int, account: str | None) -> Touchpoint:
    notes = client.account_touchpoints(account) if account else _searched(client, None, None)
    found = next((note for note in notes if note.note_id == note_id), None)
    if found is None:
        where = f"account {account}" if account else "any account"
        raise NotFound(
            f"There is no touchpoint {note_id} in {where}. `cshub totango touchpoints list` shows what there is.",
            status=404,
        )
    return found


def _demand_account(client: TotangoClient, account: str) -> None:
    """Raises :class:`NotFound` for an account that Totango does not have: its timeline would look merely empty."""
    hits = client.search_accounts([{"type": "string", "term": "identifier", "eq": account}])
    if not any(hit.id == account for page in hits for hit in page):
        raise NotFound(
            f"Totango has no account {account}. `cshub totango accounts TEXT` searches accounts by name.", status=404
        )


def _searched(client: TotangoClient, start: datetime | None, end: datetime | None) -> list[Touchpoint]:
    from cshub.systems.totango.models import EventType, read_touchpoint, to_ms

    first = to_ms(start) if start else 0
    last = to_ms(end) if end else FAR_FUTURE_MS
    pages = client.events(EventType.NOTE, first, last)
    return [note for page in pages for event in page if (note := read_touchpoint(event)) is not None]


def _inside(note: Touchpoint, start: datetime | None, end: datetime | None) -> bool:
    from cshub.systems.totango.models import from_ms

    return start is None or end is None or start <= from_ms(note.timestamp_ms) < end


def _announce(screen: Screen, headline: str, fields: TouchpointFields) -> None:
    from cshub.systems.totango.models import from_ms

    body = dict(fields.body())
    if fields.create_date_ms is not None:
        body["create_date"] = f"{from_ms(fields.create_date_ms):%Y-%m-%d %H:%M} UTC"
    screen.show(headline, grid(("field", "value"), list(body.items())))


def _moment(milliseconds: int, *, iso: bool = False) -> str:
    from cshub.systems.totango.models import from_ms

    moment = from_ms(milliseconds)
    return moment.isoformat().replace("+00:00", "Z") if iso else f"{moment:%Y-%m-%d %H:%M}"


def _zone() -> Any:
    from cshub.settings import Settings

    return Settings.from_environment().timezone
