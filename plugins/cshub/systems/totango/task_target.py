"""Tasks of Totango as a target of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime, time
from functools import cached_property
from typing import Any

from cshub.core.errors import DataError, NotFound, SpecError
from cshub.core.ports import ById, Candidate, Lookup, Verdict, Write
from cshub.core.records import Operation, RecordKey, TargetRecord
from cshub.core.text import without_active_markup
from cshub.core.validate_online import OptionFault, refuse_options
from cshub.core.window import Window
from cshub.systems.singly import write_singly
from cshub.systems.totango.choices import Catalogues, entry_called
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import Event, TaskFields, TaskStatus, from_ms, to_ms
from cshub.systems.totango.people import AccountFinder, PeopleFinder
from cshub.systems.totango.port import TotangoPort
from cshub.systems.totango.target_checks import flow_faults
from cshub.systems.totango.task_catalog import TaskOptions
from cshub.systems.totango.task_log import TaskChange, first_changes, last_changes
from cshub.systems.totango.task_reader import TaskReader
from cshub.systems.totango.task_recognition import began_alike, hint_of, is_titled
from cshub.systems.totango.task_values import Row, Task, due_on, task_of

_RECORDS_A_BATCH = 500


class TotangoTasks(TotangoPort):
    """Implements :class:`cshub.core.ports.Target`. A key is the task id as text; a write needs nothing beside it.

    All attributes are read, whatever ``attributes``: they come in the same answer.
    """

    batch_size = 1
    lookup = Lookup(ById.SINGLY)

    def __init__(
        self, client: TotangoClient, options: TaskOptions | None = None, attributes: Sequence[str] = ()
    ) -> None:
        super().__init__(client)
        self._options = options or TaskOptions()
        self._accounts = AccountFinder(client, self._options.account_match, self.warnings)
        self._people = PeopleFinder(client)
        self._catalogues = Catalogues(client)
        self._reader = TaskReader(client, self._accounts.existing)

    def check_options(self) -> None:
        """Raises :class:`SpecError` for a flow that the tenant does not have."""
        refuse_options(self.option_faults(), "target.options")

    def option_faults(self) -> list[OptionFault]:
        """A flow that the tenant does not have."""
        return flow_faults(self._catalogues, self._options.flow)

    def resolve_accounts(self, references: AbstractSet[str]) -> Mapping[str, str]:
        """See :meth:`AccountFinder.find`."""
        return self._accounts.find(references)

    def resolve_people(self, wanted: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], str]:
        """See :meth:`PeopleFinder.find`."""
        return self._people.find(wanted)

    def read_window(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """Tasks due in the window: from the export, or where that is of no use from the change log and by id.

        Both may lag some seconds behind writes. A day belongs to the window that holds its first moment.
        """
        rows = self._reader.exported()
        tasks = self._logged(window) if rows is None else self._exported(rows, window)
        for at in range(0, len(tasks), _RECORDS_A_BATCH):
            yield [task.as_target() for task in tasks[at : at + _RECORDS_A_BATCH]]

    def read_keys(self, keys: Sequence[RecordKey]) -> Mapping[str, TargetRecord | None]:
        """See :meth:`TaskReader.by_key`: a key about which nothing is proven is left out."""
        tasks = self._reader.by_key(keys)
        return {key: None if task is None else task.as_target() for key, task in tasks.items()}

    def read_external(self, external_ids: AbstractSet[str]) -> Mapping[str, TargetRecord]:
        """Nothing: Totango cannot look tasks up by an external id (totango.md §0, row 10)."""
        return {}

    def read_alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> Mapping[tuple[str, str], list[TargetRecord]]:
        """Nothing: tasks are found by their date."""
        return {}

    def hint(self, write: Write) -> Mapping[str, Any]:
        return hint_of(write.account_id, _fields(write.values, write.values.keys()))

    def find(self, hints: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Candidate]]:
        """Tasks of the hint's account that began with its description, due date, priority and assignee, oldest first.

        One timeline per account tells which they are. Their titles, which it does not show, come from the export where
        there are many, else by one read each. After those with the hint's title come those that were changed since and
        now bear another one.
        """
        accounts = dict.fromkeys(hint["account_id"] for hint in hints)
        logs = {account_id: _Log(self._client.account_events(account_id)) for account_id in accounts}
        fitting = [logs[hint["account_id"]].begun_alike(hint) for hint in hints]
        rows = self._reader.shown({change.task_id for changes in fitting for change in changes})
        return [
            _likeliest(changes, hint, logs[hint["account_id"]].last, rows)
            for hint, changes in zip(hints, fitting, strict=True)
        ]

    def write(self, writes: Sequence[Write]) -> Sequence[Verdict]:
        """See :func:`write_singly`."""
        calls = {Operation.CREATE: self._create, Operation.UPDATE: self._update, Operation.DELETE: self._delete}
        return write_singly(writes, calls)

    @cached_property
    def _flow_id(self) -> str:
        """The flow of the options, else the tenant's default flow: a task must have one (totango.md §2.7)."""
        flows = self._catalogues.open_flows
        if self._options.flow:
            return entry_called(self._options.flow, "flow", flows).id
        default = next((flow for flow in flows if flow.is_default), flows[0] if flows else None)
        if default is None:
            raise SpecError("Totango has no flow for tasks. Make one there, and name it as flow in target.options.")
        return default.id

    def _create(self, write: Write) -> RecordKey:
        """Make a task. Totango stores no external id."""
        fields = replace(_fields(write.values, write.values.keys()), activity_type_id=self._flow_id)
        return RecordKey(str(self._client.create_task(write.account_id, fields)), write.account_id)

    def _update(self, write: Write) -> RecordKey:
        """Set what differs, or everything when that is not told; the rest stays as it is (totango.md §2.7)."""
        key = _key_of(write)
        fields = _fields(write.values, write.changed or write.values.keys())
        if fields.body():
            self._client.update_task(int(key.key), fields)
        return key

    def _delete(self, write: Write) -> RecordKey:
        """Remove the task. One already gone is no error."""
        key = _key_of(write)
        try:
            self._client.delete_task(int(key.key))
        except NotFound:
            return key
        return key

    def _exported(self, rows: Mapping[str, Mapping[str, Any]], window: Window) -> list[Task]:
        chosen = {task_id: row for task_id, row in rows.items() if _is_due(row.get("due_date"), window)}
        tasks = [task_of(task_id, row, None) for task_id, row in chosen.items()]
        made = [task.created_at for task in tasks]
        since = 0 if not all(made) else min((to_ms(at) for at in made if at), default=0)
        changes = self._reader.last_changes_of(chosen.keys(), since)
        return [task_of(task_id, row, changes.get(task_id)) for task_id, row in chosen.items()]

    def _logged(self, window: Window) -> list[Task]:
        changes = self._reader.changes_since(0)
        due = [task_id for task_id, change in changes.items() if _is_due(change.values.get("due_date"), window)]
        rows = self._reader.rows(due, told_gone={task_id for task_id in due if changes[task_id].is_deletion})
        self._reader.check(due, rows)
        return [task_of(task_id, row, changes[task_id]) for task_id, row in rows.items() if row is not None]


class _Log:
    """The change log of one account."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.last = last_changes(events)
        self._first = sorted(first_changes(events).values(), key=_order)

    def begun_alike(self, hint: Mapping[str, Any]) -> list[TaskChange]:
        """First changes of the tasks that began as the hint says, oldest first."""
        return [change for change in self._first if began_alike(change, hint)]


def _likeliest(
    changes: Sequence[TaskChange], hint: Mapping[str, Any], last: Mapping[str, TaskChange], rows: Mapping[str, Row]
) -> list[Candidate]:
    """Those of the tasks that bear the hint's title; then those changed since that bear another one."""
    titled: list[Task] = []
    renamed: list[Task] = []
    for first in changes:
        row = rows.get(first.task_id)
        if row is None:
            continue
        task = _begun(first, task_of(first.task_id, row, last[first.task_id]))
        if is_titled(task.values.get("title"), hint):
            titled.append(task)
        elif last[first.task_id].event_id != first.event_id:
            renamed.append(task)
    return [Candidate(task.as_target(), doubt) for doubt, tasks in ((1, titled), (2, renamed)) for task in tasks]


def _begun(first: TaskChange, task: Task) -> Task:
    """The task, made when its log begins where it does not say itself when it was."""
    return task if task.created_at else replace(task, created_at=from_ms(first.timestamp_ms))


def _key_of(write: Write) -> RecordKey:
    assert write.key is not None
    return write.key


def _order(change: TaskChange) -> tuple[int, int]:
    return change.timestamp_ms, int(change.task_id)


def _is_due(value: Any, window: Window) -> bool:
    day = due_on(value)
    return day is not None and datetime.combine(day, time(), UTC) in window


def _fields(values: Mapping[str, Any], names: AbstractSet[str]) -> TaskFields:
    """What is sent for these attributes. Null empties the description; nothing else can be emptied, so it is not sent.

    Raises :class:`DataError` for a priority or status that Totango does not have.
    """
    given = {name: values[name] for name in names if values.get(name) not in (None, "")}
    description = without_active_markup(values.get("description") or "")  # shown as rich text (totango.md §2.7)
    priority = _choice(given, "priority", int, "1, 2 or 3")
    return TaskFields(
        title=given.get("title"),
        description=description if "description" in names and "description" in values else None,
        due_date=given.get("due_date"),
        priority=priority,
        status=_choice(given, "status", TaskStatus, "open or closed"),
        status_label_id=given.get("status_label_id"),
        assignee=given.get("assigned_to"),
    )


def _choice(given: Mapping[str, Any], name: str, cast: Callable[[Any], Any], choices: str) -> Any:
    if name not in given:
        return None
    try:
        return cast(given[name])
    except ValueError as error:
        raise DataError(f"{given[name]!r} is no {name} of a task: map it to {choices}.") from error
