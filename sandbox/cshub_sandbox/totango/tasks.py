"""Tasks: creating, editing, closing and deleting; every change leaves an event in the account's timeline."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from cshub_sandbox.totango.bodies import Payload
from cshub_sandbox.totango.catalogues import StatusLabel
from cshub_sandbox.totango.errors import bad_request, not_found
from cshub_sandbox.totango.records import Event, EventType, Origin, Task, TaskAction, TaskChange, TaskStatus
from cshub_sandbox.totango.switches import TaskExport, Unknown
from cshub_sandbox.totango.tenant import Tenant, iso_ms
from cshub_sandbox.totango.touchpoints import choose_flow

PRIORITY_NORMAL = 2  # 1 high, 2 normal, 3 low
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")

# Columns seen in scripts that use the vendor's export.
EXPORT_COLUMNS = (
    "id",
    "name",
    "title",
    "description",
    "account_display_name",
    "account_id",
    "parent_id",
    "status",
    "assignee",
    "assigner",
    "priority",
    "create_date",
    "completed_date",
    "due_date",
)


class Tasks:
    """Behaviour of tasks. ``actor`` is the e-mail of whoever does it."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def create(self, payload: Payload, *, actor: str, origin: Origin = Origin.API) -> Task:
        """A new task. Raises the vendor's 400 for a missing field or an unknown account."""
        tenant = self._tenant
        title = payload.required_text("title")
        due_on = _due_date(payload.required_text("due_date"))
        account_id = payload.required_text("account_id")
        flow = choose_flow(tenant, payload.required_text("activity_type_id"))
        if account_id not in tenant.accounts:
            raise bad_request("Account not found")
        label = self._label(payload, None)
        now = tenant.now_ms()
        task = Task(
            id=tenant.next_task_id(),
            account_id=account_id,
            title=title,
            description=payload.text("description") or "",
            due_on=due_on,
            priority=_priority(payload) or PRIORITY_NORMAL,
            status_label_id=label.id,
            status=label.status,
            activity_type_id=flow,
            assignee=self._assignee(payload) or actor,
            assigner=actor,
            creation_ms=now,
            last_updater=actor,
            completed_ms=now if label.status is TaskStatus.CLOSED else None,
            origin=origin,
        )
        self.record(TaskChange(TaskAction.CREATE, None, task), at_ms=now)
        return task

    def update(self, task_id: int, payload: Payload, *, actor: str) -> Task:
        """Change the fields that were sent. Raises 404 for an unknown task, 400 when the account would change."""
        old = self._tenant.tasks.get(task_id)
        if old is None:
            raise not_found("Task not found")
        if payload.text("account_id") not in (None, old.account_id):
            raise bad_request("A task cannot move to another account")
        now = self._tenant.now_ms()
        label = self._label(payload, old)
        closed = label.status is TaskStatus.CLOSED
        task = replace(
            old,
            title=payload.required_text("title") if "title" in payload else old.title,
            description=old.description if (given := payload.text("description")) is None else given,
            due_on=_due_date(payload.required_text("due_date")) if "due_date" in payload else old.due_on,
            priority=_priority(payload) or old.priority,
            status_label_id=label.id,
            status=label.status,
            activity_type_id=(
                choose_flow(self._tenant, payload.text("activity_type_id"))
                if "activity_type_id" in payload
                else old.activity_type_id
            ),
            assignee=self._assignee(payload) or old.assignee,
            last_updater=actor,
            completed_ms=(old.completed_ms or now) if closed else None,
        )
        completed = closed and old.status is TaskStatus.OPEN
        self.record(TaskChange(TaskAction.COMPLETE if completed else TaskAction.UPDATE, old, task), at_ms=now)
        return task

    def delete(self, task_id: int, *, actor: str) -> Task:
        """Remove a task. Its change log stays; whether it grows by a ``delete`` entry is a switch."""
        task = self._tenant.tasks.pop(task_id, None)
        if task is None:
            raise not_found("Task not found")
        self._tenant.deleted_tasks.append(task)
        if self._tenant.switches.task_delete_event:
            change = TaskChange(TaskAction.DELETE, task, replace(task, last_updater=actor))
            self._log(change, at_ms=self._tenant.now_ms())
        return task

    def record(self, change: TaskChange, *, at_ms: int) -> None:
        """Take over the task's new state and log it."""
        self._tenant.tasks[change.after.id] = change.after
        self._log(change, at_ms=at_ms)

    def export_csv(self, query: Any, columns: Sequence[str]) -> str:
        """Rows of all tasks, with a header. ``query`` may order them; filters by automation or board match nothing."""
        form = self._tenant.switches.task_export
        if form is TaskExport.REFUSED:
            raise bad_request("The export is not available")
        if not isinstance(query, dict):
            raise bad_request("query must be a JSON object")
        wanted = list(columns) or list(EXPORT_COLUMNS)
        chosen = [column for column in wanted if column != "id" or form is TaskExport.WITH_IDS]
        unknown = [column for column in chosen if column not in EXPORT_COLUMNS]
        if unknown:
            raise bad_request(f"Unknown column {unknown[0]}")
        filtered = query.get("automation_id") or query.get("automation_id[]") or query.get("sbId")
        rows = [] if filtered else [self._export_row(task) for task in self._tenant.tasks.values()]
        order = query.get("orderBy") or "id"
        if order not in EXPORT_COLUMNS:
            raise bad_request(f"Unknown column {order} in orderBy")
        rows.sort(key=lambda row: (row[order], row["id"]))
        text = io.StringIO()
        writer = csv.DictWriter(text, chosen, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def _export_row(self, task: Task) -> dict[str, Any]:
        account = self._tenant.accounts.get(task.account_id)
        return {
            "id": task.id,
            "name": task.title,
            "title": task.title,
            "description": task.description,
            "account_display_name": account.name if account else "",
            "account_id": task.account_id,
            "parent_id": "",
            "status": task.status.value,
            "assignee": task.assignee,
            "assigner": task.assigner,
            "priority": task.priority,
            "create_date": iso_ms(task.creation_ms),
            "completed_date": "" if task.completed_ms is None else iso_ms(task.completed_ms),
            "due_date": task.due_on,
        }

    def _log(self, change: TaskChange, *, at_ms: int) -> None:
        event_id = self._tenant.new_event_id()
        self._tenant.put_event(Event(event_id, at_ms, EventType.TASK, change.after.account_id, change))

    def _label(self, payload: Payload, old: Task | None) -> StatusLabel:
        """The label asked for by id; else the one the legacy status means, kept when it already fits."""
        labels = self._tenant.catalogues.labels
        label_id = payload.text("status_label_id")
        if label_id is not None:
            if label_id not in labels:
                raise bad_request(f"Unknown status label {label_id}")
            return labels[label_id]
        given = payload.text("status")
        if given is not None and given not in set(TaskStatus):
            raise bad_request("status must be open or closed")
        current = labels[old.status_label_id] if old else self._tenant.catalogues.label_for(TaskStatus.OPEN)
        if given is None or current.status == given:
            return current
        return self._tenant.catalogues.label_for(TaskStatus(given))

    def _assignee(self, payload: Payload) -> str | None:
        given = payload.text("assignee")
        if not given:
            return None
        user = self._tenant.user(given) or next((u for u in self._tenant.team.values() if u.uuid == given), None)
        if user is None and self._tenant.switches.unknown_assignee is Unknown.REJECT:
            raise bad_request(f"Unknown assignee {given}")
        return given if user is None else user.email


def _due_date(text: str) -> str:
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        return date(*(int(part) for part in match.groups())).isoformat()
    except ValueError as error:
        raise bad_request("due_date must be a date like 2026-12-01") from error


def _priority(payload: Payload) -> int | None:
    priority = payload.integer("priority")
    if priority is not None and priority not in (1, 2, 3):
        raise bad_request("priority must be 1 (high), 2 (normal) or 3 (low)")
    return priority
