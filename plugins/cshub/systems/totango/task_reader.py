"""Tasks by id, by Totango's export of all of them, and by the change log; and the proof that one is gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from cshub.core.errors import PermissionDenied, RequestRefused, ShortRead
from cshub.core.records import RecordKey
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import FAR_FUTURE_MS, EventType
from cshub.systems.totango.task_log import TaskChange, keep_last, last_changes
from cshub.systems.totango.task_values import Row, Task, task_of

log = logging.getLogger(__name__)

READ_SINGLY = 5  # so few tasks are read one by one rather than through the export of all
_WITNESSES = 3  # other tasks asked for, to see whether reading by id shows any task at all
EXPORTED = (  # columns seen in use (totango.md §2.7), and the id, which is only hoped for
    "id",
    "title",
    "description",
    "account_id",
    "status",
    "assignee",
    "assigner",
    "priority",
    "create_date",
    "completed_date",
    "due_date",
)


class TaskReader:
    """Remembers whether the export is of use.

    ``existing`` tells which of some accounts Totango knows: of tasks that vanish with their account nothing is proven.
    """

    def __init__(self, client: TotangoClient, existing: Callable[[AbstractSet[str]], AbstractSet[str]]) -> None:
        self._client = client
        self._existing = existing
        self._has_export = True

    def by_key(self, keys: Sequence[RecordKey]) -> dict[str, Task | None]:
        """Task id → task: one call each, and one timeline per account for their last changes.

        None is given only for what is proven gone, of an account that exists; a key about which nothing is proven is
        left out.
        """
        homes = {key.key: key.account_id for key in keys}
        rows = self.rows(list(homes))
        orphans = self._orphans([key for key, row in rows.items() if row is None], homes)
        rows = {key: row for key, row in rows.items() if key not in orphans}
        accounts = {str(row.get("account_id") or homes[task_id]) for task_id, row in rows.items() if row is not None}
        changes: dict[str, TaskChange] = {}
        for account_id in sorted(accounts - {""}):
            changes.update(last_changes(self._client.account_events(account_id)))
        if "" in accounts:
            homeless = [key for key, row in rows.items() if row and not (row.get("account_id") or homes[key])]
            changes.update(self.last_changes_of(homeless, 0))
        return {
            task_id: None if row is None else task_of(task_id, row, changes.get(task_id), account_id=homes[task_id])
            for task_id, row in rows.items()
        }

    def rows(self, task_ids: Iterable[str], *, told_gone: Collection[str] = ()) -> dict[str, Row | None]:
        """Task id → what a read by id shows. None is given only for what is proven gone, the unproven is left out.

        Proven: two reads show nothing, and reading by id does show a task that is there, or the export, which lists
        tasks by id, lacks it. One read is enough for those ``told_gone``, of which log or export say so already.
        """
        found: dict[str, Row | None] = {}
        missing: list[str] = []
        for task_id in dict.fromkeys(task_ids):
            if not task_id.isdigit():
                continue
            row = self._client.task(int(task_id))
            if row is None and task_id not in told_gone:
                row = self._client.task(int(task_id))
            if row is None:
                missing.append(task_id)
            else:
                found[task_id] = row
        doubtful = [task_id for task_id in missing if task_id not in told_gone]
        proven = self._gone(doubtful, list(found)) if doubtful else []
        return {**found, **dict.fromkeys(task_id for task_id in missing if task_id in told_gone or task_id in proven)}

    def shown(self, task_ids: Collection[str]) -> dict[str, Row]:
        """Task id → what is shown of it, of those that are there: many from the export, what it lacks one by one."""
        lines = self.exported() if len(task_ids) > READ_SINGLY else None
        found = {task_id: lines[task_id] for task_id in task_ids if task_id in lines} if lines else {}
        for task_id in sorted(set(task_ids) - found.keys(), key=int):
            row = self._client.task(int(task_id))
            if row is not None:
                found[task_id] = row
        return found

    def vanished(self, account_ids: Collection[str]) -> AbstractSet[str]:
        """Those of ``account_ids`` that Totango does not know any more."""
        named = frozenset(account_ids) - {""}
        return named - self._existing(named) if named else named

    def check(self, task_ids: Iterable[str], rows: Mapping[str, Row | None]) -> None:
        """Raises :class:`ShortRead` when one of these tasks, which the log names, is neither there nor proven gone."""
        unread = [task_id for task_id in task_ids if task_id not in rows]
        if unread:
            raise ShortRead(
                f"{self._client.http.label}: the change log tells of {len(unread)} tasks, for example {unread[0]}, "
                "that a read by id does not show, and nothing proves them deleted. Run again later."
            )

    def exported(self) -> dict[str, Row] | None:
        """Task id → its line in the export of all tasks, in one call; None when the export does not list ids.

        A task that is not in it may still be there.
        """
        if not self._has_export:
            return None
        try:
            table = self._client.export_tasks(EXPORTED)
        except (RequestRefused, PermissionDenied) as error:
            log.info("%s: tasks cannot be exported, they are read one by one: %s", self._client.http.label, error)
            self._has_export = False
            return None
        if not set(EXPORTED) <= set(table.columns) or any(not row["id"].isdigit() for row in table.rows):
            log.info("%s: the export of tasks does not show all that is needed", self._client.http.label)
            self._has_export = False
            return None
        return {str(int(row["id"])): row for row in table.rows}

    def changes_since(self, start_ms: int) -> dict[str, TaskChange]:
        """Task id → its last change, of all tasks changed since, as the search knows them."""
        latest: dict[str, TaskChange] = {}
        for events in self._client.events(EventType.TASK, start_ms, FAR_FUTURE_MS):
            keep_last(latest, events)
        return latest

    def last_changes_of(self, task_ids: Collection[str], since_ms: int) -> dict[str, TaskChange]:
        """Task id → its last change: the log is read from its end until every one of these tasks was met."""
        latest: dict[str, TaskChange] = {}
        waiting = set(task_ids)
        if waiting:
            for events in self._client.events(EventType.TASK, since_ms, FAR_FUTURE_MS):
                keep_last(latest, events)
                waiting -= latest.keys()
                if not waiting:
                    break
        return {task_id: change for task_id, change in latest.items() if task_id in task_ids}

    def _orphans(self, missing: Collection[str], homes: Mapping[str, str]) -> set[str]:
        """Missing tasks whose account is gone too, or is not told by the change log either."""
        homeless = [key for key in missing if not homes[key]]
        changes = self.last_changes_of(homeless, 0) if homeless else {}
        accounts = {key: homes[key] or (changes[key].account_id if key in changes else "") for key in missing}
        vanished = self.vanished(accounts.values())
        return {key for key, account_id in accounts.items() if not account_id or account_id in vanished}

    def _gone(self, missing: Sequence[str], shown: Sequence[str]) -> list[str]:
        for witness in self._witnesses(missing, shown):
            if self._client.task(int(witness)) is not None:
                return list(missing)
        lines = self.exported()
        return [] if lines is None else [task_id for task_id in missing if task_id not in lines]

    def _witnesses(self, missing: Sequence[str], shown: Sequence[str]) -> Iterator[str]:
        """Ids of tasks that should be there, some only looked up when they are asked for."""
        if shown:
            yield shown[-1]
            return
        events = self._client.event_search.newest(EventType.TASK, 0, FAR_FUTURE_MS, limit=1000, keep=lambda event: True)
        yield from [task_id for task_id in last_changes(events) if task_id not in missing][:_WITNESSES]
