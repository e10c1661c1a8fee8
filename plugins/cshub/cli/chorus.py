"""`cshub chorus`: look at what Chorus holds, without any job. Nothing is ever written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from cshub.cli.clients import ChorusUrl, Connection, chorus_client
from cshub.cli.options import Json, Since, Until, bounds_of, examples
from cshub.cli.screen import begin, counted, grid, shown

LOOK_BACK = timedelta(days=7)

app = typer.Typer(no_args_is_help=True, help="Look at Chorus directly: engagements, conversations, users, teams.")


@app.command(
    epilog=examples("cshub chorus engagements", "cshub chorus engagements --from 2026-11-01 --to 2026-11-08 --json")
)
def engagements(
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 50,
    connection: Connection = None,
    url: ChorusUrl = None,
    as_json: Json = False,
) -> None:
    """List meetings, calls and e-mails of a window (default: the last 7 days), newest first."""
    from cshub.settings import Settings
    from cshub.systems.chorus.client import EngagementQuery

    screen = begin(as_json)
    now = datetime.now(UTC)
    start, end = bounds_of(since, until, Settings.from_environment().timezone, now=now)
    query = EngagementQuery(min_date=start or now - LOOK_BACK, max_date=end or now)
    found: dict[str, dict[str, Any]] = {}
    with chorus_client(connection, url) as client:
        for page in client.engagements(query):
            found.update({str(row.get("engagement_id")): row for row in page})
            if len(found) >= limit:
                break
    rows = list(found.values())[:limit]
    columns = ("=date (UTC)", "=type", "subject", "=engagement id")
    screen.show(grid(columns, [_engagement(row) for row in rows]), counted(len(rows), "engagement"))
    screen.document({"engagements": rows})


@app.command(epilog=examples("cshub chorus conversation 7F3D90C1A2B34C5D8E6F708192A3B4C5"))
def conversation(
    conversation_id: Annotated[str, typer.Argument(metavar="ID", help="Conversation id: the engagement id.")],
    connection: Connection = None,
    url: ChorusUrl = None,
    as_json: Json = False,
) -> None:
    """Show one conversation in full; the transcript is in the JSON."""
    screen = begin(as_json)
    with chorus_client(connection, url) as client:
        data = client.conversation(conversation_id)
    attributes = data.get("attributes") or {}
    screen.show(grid(("field", "value"), [(name, _brief(value)) for name, value in sorted(attributes.items())]))
    screen.document({"conversation": data})


@app.command(epilog=examples("cshub chorus users"))
def users(connection: Connection = None, url: ChorusUrl = None, as_json: Json = False) -> None:
    """List all users with their licence."""
    screen = begin(as_json)
    with chorus_client(connection, url) as client:
        found = client.users()
    columns = ("id", "name", "email", "role", "license_type")
    rows = [[row.get(name) for name in columns] for row in found]
    screen.show(grid(columns, rows), counted(len(rows), "user"))
    screen.document({"users": found})


@app.command(epilog=examples("cshub chorus teams"))
def teams(connection: Connection = None, url: ChorusUrl = None, as_json: Json = False) -> None:
    """List all teams."""
    screen = begin(as_json)
    with chorus_client(connection, url) as client:
        found = client.teams()
    rows = [(row.get("id"), (row.get("attributes") or {}).get("name")) for row in found]
    screen.show(grid(("id", "name"), rows), counted(len(rows), "team"))
    screen.document({"teams": found})


@app.command(epilog=examples("cshub chorus me"))
def me(connection: Connection = None, url: ChorusUrl = None, as_json: Json = False) -> None:
    """Show whom the token belongs to."""
    screen = begin(as_json)
    with chorus_client(connection, url) as client:
        user = client.me()
    facts = {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "company": user.domain,
        "license": user.license_type,
    }
    screen.show(grid(("field", "value"), list(facts.items())))
    screen.document({"me": facts})


@app.command(epilog=examples("cshub chorus emails --from 2026-11-01"))
def emails(
    since: Since = None,
    until: Until = None,
    connection: Connection = None,
    url: ChorusUrl = None,
    as_json: Json = False,
) -> None:
    """List e-mails sent in a window (default: the last 7 days)."""
    from cshub.settings import Settings

    screen = begin(as_json)
    now = datetime.now(UTC)
    start, end = bounds_of(since, until, Settings.from_environment().timezone, now=now)
    with chorus_client(connection, url) as client:
        found = [row for page in client.emails(sent=(start or now - LOOK_BACK, end or now)) for row in page]
    rows = [(row.get("id"), _brief((row.get("attributes") or {}).get("name"))) for row in found]
    screen.show(grid(("id", "subject"), rows), counted(len(rows), "e-mail"))
    screen.document({"emails": found})


def _engagement(row: dict[str, Any]) -> tuple[Any, ...]:
    seconds = row.get("date_time")
    when = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}" if isinstance(seconds, (int, float)) else seconds
    return (when, row.get("engagement_type"), shown(row.get("subject"), 60), row.get("engagement_id"))


def _brief(value: Any) -> str:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return counted(len(value), "entry").replace("entrys", "entries")
    return shown(value, 200)
