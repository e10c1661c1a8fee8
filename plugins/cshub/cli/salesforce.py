"""`cshub salesforce`: query, describe and look around in an org, without any job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.clients import Connection, SalesforceUrl, salesforce_client
from cshub.cli.csv_text import STDOUT, write_csv
from cshub.cli.options import Json, examples
from cshub.cli.screen import begin, counted, grid
from cshub.core.errors import SpecError

if TYPE_CHECKING:
    from cshub.systems.salesforce.models import FieldDescription

_COUNT = re.compile(r"\s*SELECT\s+COUNT\s*\(\s*\)", re.IGNORECASE)
MOST_DAYS = 15  # that deleted records are told back (docs/vendors/salesforce.md §2.4)

app = typer.Typer(
    no_args_is_help=True, help="Look into a Salesforce org directly: records, objects, limits, deletions."
)
ObjectName = Annotated[str, typer.Argument(metavar="OBJECT", help="API name of an object: Event, Task, Visit__c.")]


@app.command(
    epilog=examples(
        'cshub salesforce query "SELECT Id, Subject, Owner.Email FROM Event LIMIT 10"',
        'cshub salesforce query "SELECT Id FROM Task WHERE IsDeleted = true" --all --csv',
    )
)
def query(
    soql: Annotated[str, typer.Argument(metavar="SOQL", help="A whole query, in quotes.")],
    include_deleted: Annotated[bool, typer.Option("--all", help="Deleted and archived records too.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    connection: Connection = None,
    url: SalesforceUrl = None,
    as_json: Json = False,
) -> None:
    """Run a query and show all its records."""
    screen = begin(as_json)
    count: int | None = None
    if include_deleted and _COUNT.match(soql):
        raise typer.BadParameter("COUNT() leaves out deleted records: write SELECT COUNT(Id) FROM …, or no --all")
    with salesforce_client(connection, url) as client, _told_of_the_query():
        if _COUNT.match(soql):
            count = client.count(soql)
            records = []
        else:
            records = [row for page in client.query(soql, include_deleted=include_deleted) for row in page]
    if screen.as_json:
        screen.document({"records": [_bare(row) for row in records], **({} if count is None else {"count": count})})
        return
    if count is not None:
        if as_csv:
            write_csv(STDOUT, ["count"], [[count]])
        else:
            screen.show(f"The count is {count:,}.")
        return
    rows = [dict(_flat(row)) for row in records]
    columns = _columns(rows)
    cells = [[row.get(name) for name in columns] for row in rows]
    if as_csv:
        write_csv(STDOUT, columns, cells)
        return
    if columns:
        screen.show(grid(columns, cells))
    screen.show(counted(len(rows), "record"))


@app.command(epilog=examples("cshub salesforce describe Event", "cshub salesforce describe Visit__c --json"))
def describe(
    object_name: ObjectName, connection: Connection = None, url: SalesforceUrl = None, as_json: Json = False
) -> None:
    """List the fields of an object as the signed-in user sees them."""
    from rich.text import Text

    screen = begin(as_json)
    with salesforce_client(connection, url) as client:
        found = client.describe(object_name)
    fields = sorted(found.fields.values(), key=lambda item: item.name)
    rows = [(item.name, _kind(item), Text(item.label), Text(", ".join(_traits(item)))) for item in fields]
    screen.show(grid(("=field", "type", "label", ""), rows), counted(len(fields), "field"))
    screen.document(
        {
            "object": found.name,
            "label": found.label,
            "fields": [
                {"name": item.name, "label": item.label, "type": _kind(item), "traits": _traits(item)}
                for item in fields
            ],
        }
    )


@app.command(epilog=examples("cshub salesforce limits"))
def limits(connection: Connection = None, url: SalesforceUrl = None, as_json: Json = False) -> None:
    """List the allowances of the org and what is left of them."""
    screen = begin(as_json)
    with salesforce_client(connection, url) as client:
        found = sorted(client.limits().values(), key=lambda item: item.name)
    screen.show(
        grid(("=limit", "#left", "#of"), [(item.name, f"{item.remaining:,}", f"{item.largest:,}") for item in found])
    )
    screen.document({"limits": {item.name: {"remaining": item.remaining, "max": item.largest} for item in found}})


@app.command(epilog=examples("cshub salesforce deleted Event", "cshub salesforce deleted Task --days 15"))
def deleted(
    object_name: ObjectName,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="So many days back.")] = 7,
    connection: Connection = None,
    url: SalesforceUrl = None,
    as_json: Json = False,
) -> None:
    """List the records of an object that were deleted lately."""
    screen = begin(as_json)
    now = datetime.now(UTC)
    with salesforce_client(connection, url) as client:
        found = client.deleted(object_name, now - timedelta(days=days) + timedelta(minutes=1), now)
    rows = [(f"{item.deleted_at:%Y-%m-%d %H:%M}", item.id) for item in found.deletions]
    screen.show(grid(("=deleted (UTC)", "=id"), rows), counted(len(rows), "deleted record"))
    if found.has_gap:
        screen.note(f"Salesforce remembers deletions since {found.available_from:%Y-%m-%d %H:%M} UTC only.")
    screen.document(
        {
            "deleted": [{"id": item.id, "deleted_at": item.deleted_at} for item in found.deletions],
            "covered_until": found.covered_until,
            "has_gap": found.has_gap,
        }
    )


@contextmanager
def _told_of_the_query() -> Iterator[None]:
    """A fault of the query is the query's: there is no job file here."""
    try:
        yield
    except SpecError as error:
        raise SpecError(str(error).replace(" in the job file", " in the query")) from error


def _bare(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record without what Salesforce says of its address."""
    return {
        name: _bare(value) if isinstance(value, Mapping) else value
        for name, value in row.items()
        if name != "attributes"
    }


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Fields of a record and of its parents, ``Owner.Email``."""
    for name, value in _bare(row).items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All names in order, without those of parents that some record lacks."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def _kind(item: FieldDescription) -> str:
    if item.reference_to:
        return f"reference to {', '.join(item.reference_to[:4])}{', …' if len(item.reference_to) > 4 else ''}"
    return f"{item.type} {item.length}" if item.length else item.type


def _traits(item: FieldDescription) -> list[str]:
    told = {
        "required": item.required_on_create,
        "read only": not (item.createable or item.updateable),
        "on create only": item.createable and not item.updateable,
        "unique": item.unique,
        "external id": item.external_id,
        "no conditions": not item.filterable,
    }
    return [name for name, holds in told.items() if holds]
