"""A task as a value, put together from what a read by id, the export and the change log each tell of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cshub.core.errors import DataError
from cshub.core.records import TargetRecord
from cshub.core.values import iso_ms, parse_moment
from cshub.systems.totango.models import from_ms
from cshub.systems.totango.task_log import TaskChange

Row = Mapping[str, Any]
"""A task as ``GET /api/v3/tasks`` or a line of the export shows it."""

_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_NAMES = {  # attribute → its name in rows and in the change log
    "title": "title",
    "description": "description",
    "priority": "priority",
    "status": "status",
    "status_label_id": "status_label_id",
    "due_date": "due_date",
    "assigned_to": "assignee",
    "assigner": "assigner",
    "create_date": "create_date",
}


@dataclass(frozen=True, slots=True)
class Task:
    """``values``: attributes in the forms of the catalogue, without the account; what nobody tells is left out.

    ``change``: its last change, None where the log was not read or does not show it.
    """

    task_id: str
    account_id: str
    values: Mapping[str, Any]
    created_at: datetime | None = None
    completed_at: datetime | None = None
    change: TaskChange | None = None
    flow_id: str | None = None
    external_id: str | None = None

    @property
    def modified_at(self) -> datetime | None:
        """By the log; without it, closing or creation."""
        return from_ms(self.change.timestamp_ms) if self.change else self.completed_at or self.created_at

    @property
    def modified_by(self) -> str | None:
        return _text(self.change.values.get("last_updater")) if self.change else None

    def as_target(self) -> TargetRecord:
        return TargetRecord(
            key=self.task_id,
            account_id=self.account_id,
            values={"account_id": self.account_id, **self.values},
            external_id=self.external_id,
            created_at=self.created_at,
            modified_at=self.modified_at,
            modified_by=self.modified_by,
        )


def task_of(task_id: str, row: Row, change: TaskChange | None, *, account_id: str = "") -> Task:
    """The row's values first, those of the change where the row has none. ``account_id``: where neither tells it."""
    told: dict[str, Any] = {**(change.values if change else {}), **row}
    if not told.get("title") and row.get("name"):
        told["title"] = row["name"]
    values = {attribute: _FORMS.get(attribute, _text)(told[name]) for attribute, name in _NAMES.items() if name in told}
    external_id = row.get("external_id") or (change.external_id if change else None)
    return Task(
        task_id=task_id,
        account_id=str(row.get("account_id") or (change.account_id if change else account_id)),
        values=values,
        created_at=_moment(row.get("create_date")),
        completed_at=_moment(row.get("completed_date")),
        change=change,
        flow_id=_text(row.get("activity_type_id")) or (change.flow_id if change else None),
        external_id=str(external_id).lower() if external_id else None,
    )


def due_on(value: Any) -> date | None:
    """A due date as Totango writes it: month and day may be unpadded, a time may follow, it may be a time in ms."""
    match = _DATE.match(str(value or "").strip())
    try:
        if match is not None:
            return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None
    moment = _moment(value)
    return None if moment is None else moment.date()


def _due_text(value: Any) -> str | None:
    day = due_on(value)
    return None if day is None else day.isoformat()


def _moment(value: Any) -> datetime | None:
    """Times come as ms since 1970 UTC, as number or text, or as ISO 8601."""
    text = str(value if value is not None else "").strip()
    try:
        if text.isdigit():
            return from_ms(int(text))
        return parse_moment(text).astimezone(UTC) if text else None
    except (DataError, ValueError, OverflowError, OSError):
        return None


def _moment_text(value: Any) -> str | None:
    moment = _moment(value)
    return None if moment is None else iso_ms(moment)


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _description(value: Any) -> str:
    return str(value or "").removesuffix("\n")


_FORMS: Mapping[str, Callable[[Any], str | None]] = {
    "description": _description,
    "due_date": _due_text,
    "create_date": _moment_text,
    "status": lambda value: str(value or "").strip().lower() or None,
}
