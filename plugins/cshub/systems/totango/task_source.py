"""Tasks of Totango as a source of records, by their change log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cshub.core.ports import ById, Lookup, Reading
from cshub.core.records import Page, Presence, RecordKey, SourceRecord
from cshub.core.values import iso_ms
from cshub.core.window import Window
from cshub.systems.totango.account_options import AccountMatch
from cshub.systems.totango.choices import Catalogues, entry_name, ids_called
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import EventType, from_ms, to_ms
from cshub.systems.totango.people import AccountFinder
from cshub.systems.totango.port import TotangoPort, missing_record
from cshub.systems.totango.references import AccountReferences
from cshub.systems.totango.task_catalog import TaskSourceOptions
from cshub.systems.totango.task_log import TaskChange, last_changes
from cshub.systems.totango.task_reader import READ_SINGLY, TaskReader
from cshub.systems.totango.task_values import Task, task_of

_RECORDS_A_PAGE = 200
_ONLY_BY_ID = frozenset({"status_label_id"})  # fields that the export does not show
_CHANGES_A_TASK = 10  # of the newest changes, about so many are of one and the same task


class TotangoTaskSource(TotangoPort):
    """Implements :class:`cshub.core.ports.Source`. A key is the task id as text.

    A body has the names and forms of the target's values, and beside them what can only be read. ``account_id`` is the
    account's reference in the other system, ``task_id`` the external id where the task bears one. Lookups that need a
    call of their own are made only when ``fields`` is empty or names the field.
    """

    reading = Reading.BY_CHANGE
    lookup = Lookup(ById.SINGLY, beside=1)  # the accounts' references

    def __init__(
        self, client: TotangoClient, options: TaskSourceOptions | None = None, fields: Sequence[str] = ()
    ) -> None:
        super().__init__(client)
        self._options = options or TaskSourceOptions()
        self._fields = frozenset(fields)
        self._catalogues = Catalogues(client)
        self._accounts = AccountReferences(client, self._options.account_reference, self.warnings)
        self._reader = TaskReader(client, AccountFinder(client, AccountMatch(), self.warnings).existing)

    def check_options(self) -> None:
        """Raises :class:`SpecError` for a flow that the tenant does not have."""
        _ = self._flow_ids

    def read_window(self, window: Window) -> Iterator[Page]:
        """Tasks whose last change lies in the window and that pass the filters; beside them those proven deleted.

        A task changed again since belongs to the window of that later change. Deletions leave no trace in the log: with
        ``check_deletions``, every task that the log of the last days mentions and the export lacks is asked for by id.
        """
        _ = self._flow_ids
        options = self._options
        changes = self._reader.changes_since(to_ms(self._log_start(window)))
        span = range(to_ms(window.start), to_ms(window.end))
        changed = {task_id: change for task_id, change in changes.items() if change.timestamp_ms in span}
        exported = self._reader.exported() if options.check_deletions or len(changed) > READ_SINGLY else None
        lines = exported if exported is not None and not self._fields & _ONLY_BY_ID else {}
        asked = [task_id for task_id in changed if task_id not in lines]
        told = {task_id for task_id in changed if changed[task_id].is_deletion}
        if options.check_deletions and exported is not None:
            lacking = changes.keys() - exported.keys()
            told |= lacking
            asked += sorted(lacking - changed.keys())
        for batch in _batches([task_id for task_id in changed if task_id in lines]):
            yield Page(self._records([task_of(task_id, lines[task_id], changed[task_id]) for task_id in batch]))
        for batch in _batches(asked):
            yield self._asked_for(batch, changes, changed, told)

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These tasks, whatever the filters. DELETED is told of what :meth:`TaskReader.by_key` proves gone.

        ACCOUNT_GONE is told of those that are not there, and whose account is not there either.
        """
        wanted = sorted({key.key: key for key in keys}.values(), key=lambda key: (key.account_id, key.key))
        for at in range(0, len(wanted), _RECORDS_A_PAGE):
            batch = wanted[at : at + _RECORDS_A_PAGE]
            tasks = self._reader.by_key(batch)
            records = self._records([task for task in tasks.values() if task is not None], filtered=False)
            vanished = self._reader.vanished({key.account_id for key in batch if key.key not in tasks})
            missing = [key for key in batch if tasks.get(key.key) is None]
            yield Page([*records, *(missing_record(key, key.key in tasks, vanished) for key in missing)])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the tasks changed last in the window: one call to find them and one for each."""
        events = self._client.event_search.newest(
            EventType.TASK,
            to_ms(window.start),
            to_ms(window.end),
            limit=limit * _CHANGES_A_TASK,
            keep=lambda event: True,
        )
        found: list[Task] = []
        for change in list(last_changes(events).values())[: limit * 2]:
            row = self._client.task(int(change.task_id)) if len(found) < limit else None
            task = task_of(change.task_id, row, change) if row is not None else None
            found += [task] if task is not None and self._passes(task) else []
        return self._records(found)

    @cached_property
    def _flow_ids(self) -> frozenset[str]:
        flows = self._options.flows
        return ids_called(flows, "flow", self._catalogues.flows) if flows else frozenset()

    def _log_start(self, window: Window) -> datetime:
        if not self._options.check_deletions:
            return window.start
        return min(window.start, window.end - timedelta(days=self._options.deletions_within_days))

    def _asked_for(
        self,
        task_ids: Sequence[str],
        changes: Mapping[str, TaskChange],
        changed: Mapping[str, TaskChange],
        told: AbstractSet[str],
    ) -> Page:
        """Tasks read by id: those changed in the window, and of all those that are gone."""
        rows = self._reader.rows(task_ids, told_gone=told)
        self._reader.check((task_id for task_id in task_ids if task_id in changed), rows)
        shown = {task_id: row for task_id, row in rows.items() if row is not None and task_id in changed}
        missing = [changes[task_id] for task_id, row in rows.items() if row is None]
        vanished = self._reader.vanished({change.account_id for change in missing})
        gone = [_gone(change, vanished) for change in missing]
        return Page([*self._records([task_of(key, row, changed[key]) for key, row in shown.items()]), *gone])

    def _passes(self, task: Task) -> bool:
        options = self._options
        assignees = {assignee.strip().lower() for assignee in options.assignees}
        assigned_to = str(task.values.get("assigned_to") or "").strip().lower()
        return (
            (not options.flows or task.flow_id in self._flow_ids)
            and (not assignees or assigned_to in assignees)
            and (not options.accounts or task.account_id in options.accounts)
        )

    def _records(self, tasks: Sequence[Task], *, filtered: bool = True) -> list[SourceRecord]:
        passing = [task for task in tasks if not filtered or self._passes(task)]
        accounts = self._accounts.of({task.account_id for task in passing}) if self._wants("account_id") else {}
        return [
            SourceRecord(
                key=task.task_id,
                body=self._body(task, accounts.get(task.account_id)),
                modified_at=task.modified_at,
                created_at=task.created_at,
                account_id=task.account_id,
            )
            for task in passing
        ]

    def _body(self, task: Task, account: str | None) -> dict[str, Any]:
        body = {
            **task.values,
            "account_id": account,
            "task_id": task.external_id or task.task_id,
            "totango_id": task.task_id,
            "external_id": task.external_id,
            "completed_date": None if task.completed_at is None else iso_ms(task.completed_at),
            "last_update_date": None if task.modified_at is None else iso_ms(task.modified_at),
            "last_updater": task.modified_by,
            "flow_id": task.flow_id,
            "last_action": task.change.action if task.change else None,
        }
        if self._wants("flow"):
            body["flow"] = entry_name(self._catalogues.flows, task.flow_id)
        return body

    def _wants(self, field: str) -> bool:
        return not self._fields or field in self._fields


def _batches(task_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(task_ids), _RECORDS_A_PAGE):
        yield task_ids[at : at + _RECORDS_A_PAGE]


def _gone(change: TaskChange, vanished: AbstractSet[str]) -> SourceRecord:
    """When a task was deleted is known only where the log tells of it."""
    presence = Presence.ACCOUNT_GONE if change.account_id in vanished else Presence.DELETED
    at = from_ms(change.timestamp_ms) if change.is_deletion else None
    return SourceRecord(change.task_id, None, at, presence, account_id=change.account_id)
