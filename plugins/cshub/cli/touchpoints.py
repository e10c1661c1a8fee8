"""`cshub totango touchpoints`: list, create, update and delete."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.clients import Connection, TotangoUrl, totango_client
from cshub.cli.options import Json, Since, Until, Yes, bounds_of, examples
from cshub.cli.screen import Screen, begin, counted, grid, shown
from cshub.cli.touchpoint_fields import (
    Content,
    Date,
    FollowUp,
    Parent,
    Participant,
    Reason,
    Subject,
    Sync,
    Type,
    announce,
    asked_fields,
    hub_zone,
    laid_over,
    read_text,
)
from cshub.cli.touchpoint_lookup import demand_account, find_touchpoint, search_touchpoints
from cshub.cli.writing import Flow, create_once, refusals_told

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import Touchpoint, TouchpointFields

LOOK_BACK = timedelta(days=7)

app = typer.Typer(no_args_is_help=True, help="List, create, update and delete touchpoints.")

NoteId = Annotated[int, typer.Argument(metavar="NOTE_ID", help="Note id of the touchpoint, as list shows it.")]
Account = Annotated[
    str | None,
    typer.Option(help="Its account. Without it the search is asked, which takes longer and is some seconds late."),
]
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
    """List touchpoints: those of an account, or those of all accounts in a window (default: the last 7 days).

    Those of all accounts come from Totango's search, which shows changes some seconds late.
    """
    screen = begin(as_json)
    now = datetime.now(UTC)
    start, end = bounds_of(since, until, hub_zone(), now=now)
    with totango_client(connection, url) as client:
        if account is not None:
            whole = list(client.account_touchpoints(account))
            if not whole:
                demand_account(client, account)
            found = [note for note in whole if _inside(note, start, end)]
        else:
            found = search_touchpoints(client, start or now - LOOK_BACK, end or now)
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
    parent: Parent = None,
    follow_up: FollowUp = None,
    sync: Sync = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Create a touchpoint. Shows what will be sent, and asks."""
    screen = begin(as_json)
    text = read_text(content)
    if not ((subject or "").strip() or (text or "").strip()):
        raise typer.BadParameter("a touchpoint needs a subject or content", param_hint="--subject / --content")
    with totango_client(connection, url) as client, refusals_told():
        asked = asked_fields(
            client,
            screen,
            account,
            subject=subject,
            content=text,
            date=date,
            kind=kind,
            reason=reason,
            flow=flow,
            participant=participant,
            parent=parent,
            follow_up=follow_up,
            sync=bool(sync),
        )
        fields = replace(asked, created_by=author)
        announce(screen, f"A touchpoint will be created in account {account}:", fields)
        screen.confirm("Create it?", yes=yes)
        note_id = _created(client, screen, account, fields)
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
    parent: Parent = None,
    follow_up: FollowUp = None,
    sync: Sync = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Change a touchpoint; what is not named stays as it is. Shows what will be sent, and asks."""
    screen = begin(as_json)
    text = read_text(content)
    with totango_client(connection, url) as client, refusals_told():
        note = find_touchpoint(client, screen, note_id, account)
        asked = asked_fields(
            client,
            screen,
            note.account_id,
            subject=subject,
            content=text,
            date=date,
            kind=kind,
            reason=reason,
            flow=flow,
            participant=participant,
            parent=parent,
            follow_up=follow_up,
            sync=sync,
        )
        if not asked.body():
            raise typer.BadParameter("nothing is to be changed: name at least one field, such as --subject")
        announce(screen, f"Touchpoint {note_id} of account {note.account_id} will be changed:", asked)
        screen.confirm("Change it?", yes=yes)
        if not yes:  # a person has taken time to answer, and somebody may have edited it
            note = find_touchpoint(client, screen, note_id, note.account_id)
        whole = laid_over(client, note, asked)
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
            note = find_touchpoint(client, screen, note_id, account)
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
        "parent": note.parent_id,
        "follow_up": note.follow_up,
        "modified": _moment(note.modified_ms, iso=True),
    }


def _created(client: TotangoClient, screen: Screen, account: str, fields: TouchpointFields) -> int:
    from cshub.systems.totango.recognition import hint_of
    from cshub.systems.totango.target import TotangoTouchpoints

    return create_once(
        screen,
        lambda: client.create_touchpoint(account, fields),
        finder=TotangoTouchpoints(client),
        hint=hint_of(account, fields),
        look=f"cshub totango touchpoints list --account {account}",
    )


def _inside(note: Touchpoint, start: datetime | None, end: datetime | None) -> bool:
    from cshub.systems.totango.models import from_ms

    return start is None or end is None or start <= from_ms(note.timestamp_ms) < end


def _moment(milliseconds: int, *, iso: bool = False) -> str:
    from cshub.systems.totango.models import from_ms

    moment = from_ms(milliseconds)
    return moment.isoformat().replace("+00:00", "Z") if iso else f"{moment:%Y-%m-%d %H:%M}"
