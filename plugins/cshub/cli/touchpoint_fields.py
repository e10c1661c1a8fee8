"""The fields of a touchpoint as options of a command, and what is sent for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.catalogue import entry_id
from cshub.cli.options import moment_of
from cshub.cli.screen import Screen
from cshub.cli.writing import show_sent

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import Touchpoint, TouchpointFields

Subject = Annotated[str | None, typer.Option(help="Title.")]
Content = Annotated[str | None, typer.Option(help="Text, at most 12,000 characters; - reads it from standard input.")]
Date = Annotated[str | None, typer.Option(help="When it took place; without a zone: the hub's zone.")]
Type = Annotated[str | None, typer.Option("--type", help="Touchpoint type, by name or id.")]
Reason = Annotated[list[str] | None, typer.Option("--reason", help="Reason, by name or id; may be repeated.")]
Participant = Annotated[
    list[str] | None, typer.Option(help="Team member or contact of the account, by e-mail or user id; may be repeated.")
]
Parent = Annotated[int | None, typer.Option(metavar="NOTE_ID", help="Note id of the touchpoint it replies to.")]
FollowUp = Annotated[int | None, typer.Option(metavar="NOTE_ID", help="Note id of the touchpoint it follows up.")]
Sync = Annotated[
    bool | None,
    typer.Option(
        "--sync/--no-sync",
        help="Let Totango's own outbound jobs copy it, for example to a CRM. Default of a new one: no.",
        show_default=False,
    ),
]


def read_text(content: str | None) -> str | None:
    """The content as given, ``-`` read from standard input, within Totango's limit."""
    from cshub.core.text import length
    from cshub.systems.totango.catalog import CONTENT_LIMIT

    text = sys.stdin.read() if content == "-" else content
    if text is not None and length(text) > CONTENT_LIMIT:
        raise typer.BadParameter(
            f"the text has {length(text):,} characters, Totango takes {CONTENT_LIMIT:,} at most: shorten it",
            param_hint="--content",
        )
    return text


def asked_fields(
    client: TotangoClient,
    screen: Screen,
    account: str,
    *,
    subject: str | None,
    content: str | None,
    date: str | None,
    kind: str | None,
    reason: Sequence[str] | None,
    flow: str | None,
    participant: Sequence[str] | None,
    parent: int | None,
    follow_up: int | None,
    sync: bool | None,
) -> TouchpointFields:
    """What the options ask for, names turned into ids. Participants that Totango does not know are told."""
    from cshub.systems.totango.models import TouchpointFields, to_ms

    reasons = client.touchpoint_reasons() if reason else []
    return TouchpointFields(
        content=content,
        subject=subject,
        create_date_ms=to_ms(moment_of(date, hub_zone(), "--date")) if date is not None else None,
        touchpoint_type=entry_id(kind, "touchpoint type", client.touchpoint_types()) if kind is not None else None,
        touchpoint_tags=[entry_id(name, "reason", reasons) for name in reason] if reason else None,
        activity_type_id=entry_id(flow, "flow", client.flows()) if flow is not None else None,
        participants=_user_ids(client, screen, account, participant) if participant else None,
        disable_sync=None if sync is None else not sync,
        parent_id=parent,
        follow_up=follow_up,
    )


def laid_over(client: TotangoClient, note: Touchpoint, asked: TouchpointFields) -> TouchpointFields:
    """The whole touchpoint with the asked changes: whether Totango keeps fields left out is not known."""
    from cshub.systems.totango.catalog import TouchpointOptions
    from cshub.systems.totango.choices import Catalogues, Choices
    from cshub.systems.totango.touchpoint_reader import extra_of, values_of

    whole = {
        "content": values_of(note)["content"],
        "subject": note.subject,
        "create_date_ms": note.timestamp_ms,
        "participants": note.participants,
        **Choices(Catalogues(client), TouchpointOptions()).kept(extra_of(note)),
    }
    return replace(asked, **{name: value for name, value in whole.items() if getattr(asked, name) is None})


def announce(screen: Screen, headline: str, fields: TouchpointFields) -> None:
    from cshub.systems.totango.models import from_ms

    body = dict(fields.body())
    if fields.create_date_ms is not None:
        body["create_date"] = f"{from_ms(fields.create_date_ms):%Y-%m-%d %H:%M} UTC"
    show_sent(screen, headline, body)


def hub_zone() -> Any:
    from cshub.settings import Settings

    return Settings.from_environment().timezone


def _user_ids(client: TotangoClient, screen: Screen, account: str, given: Sequence[str]) -> list[str] | None:
    """Ids of those whom Totango knows as team member or as contact of the account; None when it knows nobody."""
    from cshub.systems.totango.people import PeopleFinder

    known = PeopleFinder(client).find({account: set(given)})
    for name in dict.fromkeys(given):
        if (account, name) not in known:
            screen.note(
                f"Participant {name} is left out: neither a team member nor a contact of account {account}. "
                f"`cshub totango users --account {account}` lists the contacts."
            )
    return sorted(set(known.values())) or None
