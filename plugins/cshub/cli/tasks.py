"""`cshub totango tasks`: list, get, create, update, close, reopen and delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.catalogue import entry_id
from cshub.cli.clients import Connection, TotangoUrl, totango_client
from cshub.cli.options import Json, Yes, examples
from cshub.cli.screen import begin, counted, grid, shown
from cshub.core.errors import NotFound

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import Event

PRIORITIES = {"high": 1, "normal": 2, "low": 3}  # totango.md §4, row "priority"
COLUMNS = ("description", "status", "priority", "due_date", "assignee")

app = typer.Typer(no_args_is_help=True, help="List, create, update, close, reopen and delete tasks.")

TaskId = Annotated[int, typer.Argument(metavar="TASK_ID", help="Id of the task, as list shows it.")]
Title = Annotated[str | None, typer.Option(help="Title.")]
Description = Annotated[str | None, typer.Option(help="Text.")]
Due = Annotated[str | None, typer.Option(help="Due date, 2026-11-30.")]
Priority = Annotated[str | None, typer.Option(help="high, normal or low.")]
Assignee = Annotated[str | None, typer.Option(help="E-mail of a team member.")]
Flow = Annotated[str | None, typer.Option(help="Flow, by name or id. Default of a new one: the tenant's.")]


@app.command(name="list", epilog=examples("cshub totango tasks list --account ACME-17"))
def list_tasks(
    account: Annotated[str, typer.Option(help="Account id; Totango lists tasks by account only.")],
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """List the tasks of an account, as the last entry of its timeline shows each."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        found = _tasks_of(client, account)
    rows = [[task["id"], *(task.get(name) for name in COLUMNS)] for task in found]
    columns = ("#task id", *(name.replace("_", " ") for name in COLUMNS))
    screen.show(grid(columns, rows), counted(len(rows), "task"))
    screen.document({"tasks": found})


@app.command(epilog=examples("cshub totango tasks get 4711"))
def get(task_id: TaskId, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False) -> None:
    """Show one task in full."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        task = client.task(task_id)
    if task is None:
        raise NotFound(
            f"There is no task {task_id}. `cshub totango tasks list --account ID` shows an account's.", status=404
        )
    screen.show(grid(("field", "value"), list(task.items())))
    screen.document({"task": task})


@app.command(epilog=examples('cshub totango tasks create --account ACME-17 --title "Send the offer" --due 2026-11-30'))
def create(
    account: Annotated[str, typer.Option(help="Account id.")],
    title: Annotated[str, typer.Option(help="Title.")],
    description: Description = None,
    due: Due = None,
    priority: Priority = None,
    assignee: Assignee = None,
    flow: Flow = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Create a task. Shows what will be sent, and asks."""
    from cshub.systems.totango.models import TaskFields

    screen = begin(as_json)
    with totango_client(connection, url) as client:
        flow_id = _flow_id(client, flow)
        fields = TaskFields(title, description, due, _priority(priority), assignee=assignee, activity_type_id=flow_id)
        rows = list(fields.body().items())
        screen.show(f"A task will be created in account {account}:", grid(("field", "value"), rows))
        screen.confirm("Create it?", yes=yes)
        task_id = client.create_task(account, fields)
    screen.show(f"✓ Created: task {task_id} in account {account}")
    screen.document({"created": {"task_id": task_id, "account_id": account}, "sent": dict(fields.body())})


@app.command(epilog=examples("cshub totango tasks update 4711 --due 2026-12-04 --priority high"))
def update(
    task_id: TaskId,
    title: Title = None,
    description: Description = None,
    due: Due = None,
    priority: Priority = None,
    assignee: Assignee = None,
    flow: Flow = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Change a task; what is not named stays as it is. Shows what will be sent, and asks."""
    from cshub.systems.totango.models import TaskFields

    screen = begin(as_json)
    with totango_client(connection, url) as client:
        flow_id = _flow_id(client, flow) if flow is not None else None
        fields = TaskFields(title, description, due, _priority(priority), assignee=assignee, activity_type_id=flow_id)
        if not fields.body():
            raise typer.BadParameter("nothing is to be changed: name at least one field, such as --due")
        screen.show(f"Task {task_id} will be changed:", grid(("field", "value"), list(fields.body().items())))
        screen.confirm("Change it?", yes=yes)
        client.update_task(task_id, fields)
    screen.show(f"✓ Updated: task {task_id}")
    screen.document({"updated": {"task_id": task_id}, "sent": dict(fields.body())})


@app.command(epilog=examples("cshub totango tasks close 4711"))
def close(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Close a task."""
    _act(task_id, "close", "closed", yes, connection, url, as_json)


@app.command(epilog=examples("cshub totango tasks reopen 4711"))
def reopen(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Open a closed task again."""
    _act(task_id, "reopen", "reopened", yes, connection, url, as_json)


@app.command(epilog=examples("cshub totango tasks delete 4711"))
def delete(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Delete a task for good."""
    _act(task_id, "delete", "deleted", yes, connection, url, as_json)


def _act(task_id: int, verb: str, done: str, yes: bool, connection: str | None, url: str | None, as_json: bool) -> None:
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        task = client.task(task_id)
        if task is None:
            raise NotFound(f"There is no task {task_id}: nothing was sent.", status=404)
        screen.show(f"Task {task_id} will be {done}: {shown(task.get('title'))}")
        screen.confirm(f"{verb.capitalize()} it?", yes=yes)
        {"close": client.close_task, "reopen": client.reopen_task, "delete": client.delete_task}[verb](task_id)
    screen.show(f"✓ {done.capitalize()}: task {task_id}")
    screen.document({done: {"task_id": task_id}})


def _flow_id(client: TotangoClient, name: str | None) -> str | None:
    """The flow of this name, or the tenant's default one: Totango wants each task in a flow."""
    flows = client.flows()
    if name is not None:
        return entry_id(name, "flow", flows)
    return next((entry.id for entry in flows if entry.is_default), None)


def _priority(name: str | None) -> int | None:
    if name is None:
        return None
    if name.lower() not in PRIORITIES:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(PRIORITIES)}", param_hint="--priority")
    return PRIORITIES[name.lower()]


def _tasks_of(client: TotangoClient, account: str) -> list[dict[str, Any]]:
    """Each task of the account with the values of its newest event; deleted ones are left out."""
    from cshub.systems.totango.models import EventType

    newest: dict[Any, Event] = {}
    for event in sorted(client.account_events(account), key=lambda item: item.timestamp_ms):
        content = event.raw.get("task_content")
        if event.kind is EventType.TASK and isinstance(content, dict):
            newest[content.get("task_id")] = event
    tasks = [_task(event.raw["task_content"]) for event in newest.values()]
    return [task for task in tasks if task["action"] != "delete"]


def _task(content: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        name: value.get("current") if isinstance(value, dict) else value
        for name, value in content.items()
        if name not in {"task_id", "taskAction"}
    }
    return {"id": content.get("task_id"), **values}
