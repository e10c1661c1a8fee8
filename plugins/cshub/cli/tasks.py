"""`cshub totango tasks`: list, get, create, update, close, reopen and delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.catalogue import entry_id
from cshub.cli.clients import Connection, TotangoUrl, totango_client
from cshub.cli.options import Json, Yes, examples
from cshub.cli.screen import Screen, begin, counted, grid, shown
from cshub.cli.touchpoint_lookup import demand_account
from cshub.cli.writing import Flow, create_once, filled, refusals_told, show_sent
from cshub.core.errors import NotFound

if TYPE_CHECKING:
    from cshub.systems.totango.client import TotangoClient
    from cshub.systems.totango.models import TaskFields

PRIORITIES = {"high": 1, "normal": 2, "low": 3}  # totango.md §4, row "priority"
PRIORITY_WORDS = {str(number): word for word, number in PRIORITIES.items()}
STATUSES = ("open", "closed")
COLUMNS = ("title", "status", "priority", "due_date", "assignee")

app = typer.Typer(no_args_is_help=True, help="List, create, update, close, reopen and delete tasks.")

TaskId = Annotated[int, typer.Argument(metavar="TASK_ID", help="Id of the task, as list shows it.")]
Title = Annotated[str | None, typer.Option(help="Title.")]
Description = Annotated[str | None, typer.Option(help="Text.")]
Due = Annotated[str | None, typer.Option(metavar="DATE", help="Due date, 2026-11-30.")]
Priority = Annotated[str | None, typer.Option(help="high, normal or low; or 1, 2 or 3.")]
Status = Annotated[str | None, typer.Option(help="open or closed.")]
StatusLabel = Annotated[
    str | None, typer.Option(metavar="ID", help="Id of a status label, in tenants that have them; get shows a task's.")
]
Assignee = Annotated[str | None, typer.Option(help="E-mail of a team member.")]


@app.command(name="list", epilog=examples("cshub totango tasks list --account ACME-17"))
def list_tasks(
    account: Annotated[str, typer.Option(help="Account id; Totango lists tasks by account only.")],
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """List the tasks of an account: those its timeline names, each as it is now. One call per task."""
    screen = begin(as_json)
    with totango_client(connection, url) as client, screen.err.status("Reading…"):
        found = _tasks_of(client, account)
        if not found:
            demand_account(client, account)
    rows = [[task["id"], *(_worded(task).get(name) for name in COLUMNS)] for task in found]
    columns = ("#task id", *(name.replace("_", " ") for name in COLUMNS))
    screen.show(grid(columns, rows), counted(len(rows), "task"))
    screen.document({"tasks": found})


@app.command(epilog=examples("cshub totango tasks get 4711"))
def get(task_id: TaskId, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False) -> None:
    """Show one task in full."""
    screen = begin(as_json)
    with totango_client(connection, url) as client:
        task = _found(client, task_id)
    screen.show(grid(("field", "value"), list(_worded(task).items())))
    screen.document({"task": task})


@app.command(epilog=examples('cshub totango tasks create --account ACME-17 --title "Send the offer" --due 2026-11-30'))
def create(
    account: Annotated[str, typer.Option(help="Account id.")],
    title: Annotated[str, typer.Option(help="Title.")],
    due: Annotated[str, typer.Option(metavar="DATE", help="Due date, 2026-11-30.")],
    description: Description = None,
    priority: Priority = None,
    status: Status = None,
    status_label: StatusLabel = None,
    assignee: Assignee = None,
    flow: Flow = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Create a task. Shows what will be sent, and asks."""
    screen = begin(as_json)
    fields = _fields(title, description, due, priority, status, status_label, assignee)
    with totango_client(connection, url) as client, refusals_told():
        fields = replace(fields, activity_type_id=_flow_id(client, flow))
        show_sent(screen, f"A task will be created in account {account}:", _worded(fields.body()))
        screen.confirm("Create it?", yes=yes)
        task_id = _created(client, screen, account, fields)
    screen.show(f"✓ Created: task {task_id} in account {account}")
    screen.document({"created": {"task_id": task_id, "account_id": account}, "sent": dict(fields.body())})


@app.command(epilog=examples("cshub totango tasks update 4711 --due 2026-12-04 --priority high"))
def update(
    task_id: TaskId,
    title: Title = None,
    description: Description = None,
    due: Due = None,
    priority: Priority = None,
    status: Status = None,
    status_label: StatusLabel = None,
    assignee: Assignee = None,
    flow: Flow = None,
    yes: Yes = False,
    connection: Connection = None,
    url: TotangoUrl = None,
    as_json: Json = False,
) -> None:
    """Change a task; what is not named stays as it is. Shows what will be sent, and asks."""
    screen = begin(as_json)
    fields = _fields(title, description, due, priority, status, status_label, assignee)
    if not fields.body() and flow is None:
        raise typer.BadParameter("nothing is to be changed: name at least one field, such as --due")
    with totango_client(connection, url) as client, refusals_told():
        fields = fields if flow is None else replace(fields, activity_type_id=_flow_id(client, flow))
        show_sent(screen, f"Task {task_id} will be changed:", _worded(fields.body()))
        screen.confirm("Change it?", yes=yes)
        client.update_task(task_id, fields)
    screen.show(f"✓ Updated: task {task_id}")
    screen.document({"updated": {"task_id": task_id}, "sent": dict(fields.body())})


@app.command(epilog=examples("cshub totango tasks close 4711"))
def close(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Close a task."""
    _act(task_id, "close", "closed", yes, connection, url, as_json, already="closed")


@app.command(epilog=examples("cshub totango tasks reopen 4711"))
def reopen(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Open a closed task again."""
    _act(task_id, "reopen", "reopened", yes, connection, url, as_json, already="open")


@app.command(epilog=examples("cshub totango tasks delete 4711"))
def delete(
    task_id: TaskId, yes: Yes = False, connection: Connection = None, url: TotangoUrl = None, as_json: Json = False
) -> None:
    """Delete a task for good."""
    _act(task_id, "delete", "deleted", yes, connection, url, as_json)


def _act(
    task_id: int,
    verb: str,
    done: str,
    yes: bool,
    connection: str | None,
    url: str | None,
    as_json: bool,
    *,
    already: str | None = None,
) -> None:
    """``already``: the status of a task with which there is nothing to do."""
    screen = begin(as_json)
    with totango_client(connection, url) as client, refusals_told():
        task = _found(client, task_id)
        if already is not None and str(task.get("status")).lower() == already:
            screen.show(f"Task {task_id} is {already} already: nothing was sent.")
            screen.document({done: {"task_id": task_id}, "sent": None})
            return
        screen.show(f"Task {task_id} will be {done}: {shown(task.get('title'))}")
        screen.confirm(f"{verb.capitalize()} it?", yes=yes)
        {"close": client.close_task, "reopen": client.reopen_task, "delete": client.delete_task}[verb](task_id)
    screen.show(f"✓ {done.capitalize()}: task {task_id}")
    screen.document({done: {"task_id": task_id}})


def _fields(
    title: str | None,
    description: str | None,
    due: str | None,
    priority: str | None,
    status: str | None,
    status_label: str | None,
    assignee: str | None,
) -> TaskFields:
    """What the options ask for, but for the flow; each is checked here, because Totango's refusals name no option."""
    from cshub.systems.totango.models import TaskFields, TaskStatus

    wanted = None if status is None else status.strip().lower()
    if wanted is not None and wanted not in STATUSES:
        raise typer.BadParameter(f"{status!r} is not one of {', '.join(STATUSES)}", param_hint="--status")
    return TaskFields(
        title=filled(title, "--title"),
        description=description,
        due_date=None if due is None else _due_date(due),
        priority=None if priority is None else _priority(priority),
        status=None if wanted is None else TaskStatus(wanted),
        status_label_id=filled(status_label, "--status-label"),
        assignee=filled(assignee, "--assignee"),
    )


def _due_date(text: str) -> str:
    try:
        return date.fromisoformat(text.strip()).isoformat()
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date: write it as 2026-11-30", param_hint="--due") from error


def _priority(text: str) -> int:
    word = text.strip().lower()
    number = PRIORITIES.get(PRIORITY_WORDS.get(word, word))
    if number is None:
        known = ", ".join(f"{name} ({number})" for name, number in PRIORITIES.items())
        raise typer.BadParameter(f"{text!r} is not one of {known}", param_hint="--priority")
    return number


def _flow_id(client: TotangoClient, name: str | None) -> str:
    """The flow of this name, or the tenant's default one: Totango wants each task in a flow."""
    flows = client.flows()
    if name is not None:
        return entry_id(name, "flow", flows)
    default = next((entry.id for entry in flows if entry.is_default), None)
    if default is None:
        raise typer.BadParameter(
            "Totango wants each task in a flow, and this tenant has no default one: name it, "
            "`cshub totango flows` lists them",
            param_hint="--flow",
        )
    return default


def _created(client: TotangoClient, screen: Screen, account: str, fields: TaskFields) -> int:
    from cshub.systems.totango.task_recognition import hint_of
    from cshub.systems.totango.task_target import TotangoTasks

    return create_once(
        screen,
        lambda: client.create_task(account, fields),
        finder=TotangoTasks(client),
        hint=hint_of(account, fields),
        look=f"cshub totango tasks list --account {account}",
    )


def _found(client: TotangoClient, task_id: int) -> dict[str, Any]:
    task = client.task(task_id)
    if task is None:
        raise NotFound(
            f"There is no task {task_id}. `cshub totango tasks list --account ID` shows an account's.", status=404
        )
    return task


def _tasks_of(client: TotangoClient, account: str) -> list[dict[str, Any]]:
    """Each task that the account's timeline names, with what a read by id shows; deleted ones are left out.

    Of a task about which a read proves nothing, the last entry of the timeline is told.
    """
    from cshub.systems.totango.task_log import last_changes
    from cshub.systems.totango.task_reader import TaskReader

    changes = last_changes(client.account_events(account))
    there = {key: change for key, change in changes.items() if not change.is_deletion}
    rows = TaskReader(client, lambda accounts: accounts).rows(there)
    return [
        {"id": int(key), **change.values, **(rows.get(key) or {})}
        for key, change in sorted(there.items(), key=lambda item: item[1].order)
        if rows.get(key, {}) is not None
    ]


def _worded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the priority as a word."""
    priority = values.get("priority")
    return dict(values) if priority is None else {**values, "priority": PRIORITY_WORDS.get(str(priority), priority)}
