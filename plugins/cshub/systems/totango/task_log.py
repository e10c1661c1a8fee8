"""The change log of tasks: one event for each change, with every value before and after (totango.md §2.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cshub.core.errors import ProtocolFault
from cshub.systems.totango.models import Event, EventType

_CREATED, _DELETED = "creat", "delet"  # how the verbs begin that mean something here; others are only shown
_STATED = ("description", "assignee", "assigner", "due_date", "priority", "status", "last_updater")


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One change of a task. ``values``: those it states as they were afterwards. Times in ms since 1970 UTC."""

    task_id: str
    account_id: str
    event_id: str
    timestamp_ms: int
    action: str
    values: Mapping[str, Any]
    flow_id: str | None = None
    external_id: str | None = None
    origin: str | None = None

    @property
    def order(self) -> tuple[int, bool, bool, str]:
        """Sorts changes by time; of those at one moment the creation comes first, the deletion last."""
        return self.timestamp_ms, not self.action.startswith(_CREATED), self.is_deletion, self.event_id

    @property
    def is_deletion(self) -> bool:
        return self.action.startswith(_DELETED)


def read_task_change(event: Event) -> TaskChange | None:
    """The change of an event, None for every other type. Raises :class:`ProtocolFault` for one without a task id."""
    if event.kind is not EventType.TASK:
        return None
    content = event.raw.get("task_content")
    task_id = content.get("task_id") if isinstance(content, dict) else None
    if not isinstance(content, dict) or isinstance(task_id, bool) or not str(task_id).isdigit():
        raise ProtocolFault(f"the change of a task in event {event.id} came without task_id")
    external_id = event.properties.get("external_id")
    return TaskChange(
        task_id=str(int(str(task_id))),
        account_id=event.account_id,
        event_id=event.id,
        timestamp_ms=event.timestamp_ms,
        action=str(content.get("action") or content.get("taskAction") or "").lower(),
        values=_values(content),
        flow_id=_text(event.properties.get("activity_type_id")),
        external_id=str(external_id).lower() if external_id else None,
        origin=_text(content.get("origin")),
    )


def last_changes(events: Iterable[Event]) -> dict[str, TaskChange]:
    """Task id → the latest of its changes."""
    latest: dict[str, TaskChange] = {}
    keep_last(latest, events)
    return latest


def keep_last(latest: dict[str, TaskChange], events: Iterable[Event]) -> None:
    """Put the changes of ``events`` into ``latest`` where they are later than what is there."""
    for event in events:
        change = read_task_change(event)
        if change is not None:
            known = latest.get(change.task_id)
            latest[change.task_id] = change if known is None or change.order > known.order else known


def first_changes(events: Iterable[Event]) -> dict[str, TaskChange]:
    """Task id → the first of its changes that is still shown, as a rule its creation."""
    first: dict[str, TaskChange] = {}
    for event in events:
        change = read_task_change(event)
        if change is not None:
            known = first.get(change.task_id)
            first[change.task_id] = change if known is None or change.order < known.order else known
    return first


def _values(content: Mapping[str, Any]) -> dict[str, Any]:
    """Values after the change; one that is null without having been modified is not stated."""
    values: dict[str, Any] = {}
    for name in _STATED:
        told = content.get(name)
        if not isinstance(told, dict):
            told = {"current": told}
        if told.get("current") is not None or told.get("is_modified") is True:
            values[name] = told.get("current")
    return values


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
