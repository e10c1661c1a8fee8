"""`cshub totango`: list, create, change and delete touchpoints and tasks, and look things up, without any job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli import tasks, touchpoints
from cshub.cli.clients import Connection, TotangoUrl, totango_client
from cshub.cli.options import Json, Since, Until, bounds_of, examples
from cshub.cli.screen import begin, counted, grid

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import CatalogueEntry

LOOK_BACK = timedelta(days=7)

app = typer.Typer(no_args_is_help=True, help="Work with Totango directly: touchpoints, tasks, accounts, catalogues.")
app.add_typer(touchpoints.app, name="touchpoints")
app.add_typer(tasks.app, name="tasks")


@app.command(epilog=examples("cshub totango types"))
def types(connection: Connection = None, url: TotangoUrl = None, as_json: Json = False) -> None:
    """List the touchpoint types of the tenant."""
    _catalogue(connection, url, as_json, lambda client: client.touchpoint_types())


@app.command(epilog=examples("cshub totango reasons"))
def reasons(connection: Connection = None, url: TotangoUrl = None, as_json: Json = False) -> None:
    """List the touchpoint reasons (tags) of the tenant."""
    _catalogue(connection, url, as_json, lambda client: client.touchpoint_reasons())


@app.command(epilog=examples("cshub totango flows"))
def flows(connection: Connection = None, url: TotangoUrl = None, as_json: Json = False) -> None:
    """List the flows (SuccessFlows, activity types) of the tenant."""
    _catalogue(connection, url, as_json, lambda client: client.flows())


@app.command(
    epilog=examples(
        "cshub totango accounts", "cshub totango accounts northwind", "cshub totango accounts --id ACME-17 --json"
    )
)
def accounts(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="Part of the account's name.")] = None,
    account_id: Annotated[str | None, typer.Option("--id", help="Show this one account in full.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Search accounts by name, or show one by its id."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        if account_id is not None:
            account = client.account(account_id)
            screen.show(grid(("field", "value"), sorted(_flat(account))))
            screen.document({"account": account})
            return
        terms = [{"type": "string", "term": "search_name", "contains": text}] if text else []
        hits = [hit for page in client.search_accounts(terms) for hit in page]
    rows = [(hit.id, hit.display_name) for hit in hits[:limit]]
    screen.show(grid(("account id", "name"), rows), _shown_of(len(rows), len(hits), "account"))
    screen.document({"accounts": [{"id": key, "name": name} for key, name in rows], "found": len(hits)})


@app.command(epilog=examples("cshub totango users", "cshub totango users --account ACME-17"))
def users(
    account: Annotated[str | None, typer.Option(help="Contacts of this account instead of team members.")] = None,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """List the team members of the tenant, or the contacts of an account."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        if account is not None:
            term = {"type": "parent_account", "terms": [{"type": "string", "term": "identifier", "eq": account}]}
            hits = [hit for page in client.search_users([term]) for hit in page]
            contacts = [(hit.id, hit.display_name) for hit in hits if hit.account_id in {None, account}]
            screen.show(grid(("user id", "name"), contacts), counted(len(contacts), "contact"))
            screen.document({"contacts": [{"id": key, "name": name} for key, name in contacts]})
            return
        members = client.internal_users()
    columns = ("id", "email", "name", "status", "license", "role", "teams")
    rows = [[getattr(member, name) for name in columns] for member in members]
    screen.show(grid(("=email", *columns[2:]), [row[1:] for row in rows]), counted(len(rows), "team member"))
    screen.document({"users": [dict(zip(columns, row, strict=True)) for row in rows]})


@app.command(
    epilog=examples("cshub totango events --account ACME-17", "cshub totango events --kind alert --from 2026-11-01")
)
def events(
    account: Annotated[
        str | None, typer.Option(help="Only of this account; without a window its whole timeline.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="note, task, campaign_touch or alert. Default: note; of an account: all.")
    ] = None,
    since: Since = None,
    until: Until = None,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """List events: the timeline of an account, or what happened in all accounts in a window (default: 7 days)."""
    from cshub.settings import Settings
    from cshub.systems.totango.models import EventType, from_ms, to_ms

    screen = begin(as_json)
    known = [item.value for item in EventType]
    if kind is not None and kind not in known:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(known)}", param_hint="--kind")
    zone, now = Settings.from_environment().timezone, datetime.now(UTC)
    start, end = bounds_of(since, until, zone, now=now)
    with totango_client(connection, url) as client:
        if account is not None and start is None:
            found = [item for item in client.account_events(account) if kind is None or item.kind == kind]
        else:
            first, last = (start, end) if start and end else (now - LOOK_BACK, now)
            pages = client.events(EventType(kind or "note"), to_ms(first), to_ms(last), account_id=account)
            found = [event for page in pages for event in page]
    found.sort(key=lambda event: event.timestamp_ms)
    rows = [
        (f"{from_ms(event.timestamp_ms):%Y-%m-%d %H:%M}", event.raw.get("type"), event.account_id, event.id)
        for event in found
    ]
    screen.show(grid(("=time (UTC)", "=kind", "=account", "=event id"), rows), counted(len(rows), "event"))
    screen.document({"events": [event.raw for event in found]})


def _catalogue(
    connection: str | None, url: str | None, as_json: bool, read: Callable[[TotangoClient], Sequence[CatalogueEntry]]
) -> None:
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        entries = read(client)
    rows = [
        (item.id, item.name, "default" if item.is_default else "", "off" if item.is_disabled else "")
        for item in entries
    ]
    screen.show(grid(("id", "name", "", ""), [[cell or " " for cell in row] for row in rows]))
    screen.document(
        {
            "entries": [
                {"id": item.id, "name": item.name, "default": item.is_default, "disabled": item.is_disabled}
                for item in entries
            ]
        }
    )


def _shown_of(shown: int, found: int, noun: str) -> str:
    return counted(found, noun) if shown == found else f"{shown} of {counted(found, noun)}; --limit shows more."


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, dict) and "val" in item:
            rows.append((f"{prefix}{name}", item["val"]))
        elif isinstance(item, dict):
            rows += _flat(item, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", item))
    return rows
