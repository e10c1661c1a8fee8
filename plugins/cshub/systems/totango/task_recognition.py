"""Recognising the task that a create with a lost answer made, by the first entry of its change log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cshub.core.text import normalise_text
from cshub.systems.totango.models import TaskFields
from cshub.systems.totango.recognition import text_digests
from cshub.systems.totango.task_log import TaskChange
from cshub.systems.totango.task_values import due_on


def hint_of(account_id: str, fields: TaskFields) -> dict[str, Any]:
    """What recognition needs to know of a create. JSON-ready; the description only as digests."""
    return {
        "account_id": account_id,
        "title": normalise_text(fields.title),
        "description": sorted(text_digests(fields.description)),
        "due_date": fields.due_date,
        "priority": fields.priority,
        "assignee": (fields.assignee or "").strip().lower(),
    }


def began_alike(change: TaskChange, hint: Mapping[str, Any]) -> bool:
    """Whether the task began as the hint says. The title is not in the log: it is compared afterwards."""
    told = change.values
    return (
        not text_digests(told.get("description")).isdisjoint(hint["description"])
        and _agrees(hint["due_date"], due_on(told.get("due_date")))
        and _agrees(hint["priority"], told.get("priority"))
        and _agrees(hint["assignee"], str(told.get("assignee") or "").strip().lower())
    )


def is_titled(title: Any, hint: Mapping[str, Any]) -> bool:
    """Whether a task that shows this title bears the one of the hint; one that shows none may."""
    return title is None or normalise_text(str(title)) == hint["title"]


def _agrees(wanted: Any, told: Any) -> bool:
    """What one of the two does not say does not count."""
    return not wanted or not told or str(wanted) == str(told)
