"""The org's whole state as JSON-ready values, for assertions."""

from __future__ import annotations

from typing import Any

from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.rows import Row, json_value

_TABLES = {
    "organization": "Organization",
    "users": "User",
    "groups": "Group",
    "accounts": "Account",
    "contacts": "Contact",
    "leads": "Lead",
    "opportunities": "Opportunity",
    "cases": "Case",
    "campaigns": "Campaign",
    "events": "Event",
    "tasks": "Task",
    "event_relations": "EventRelation",
    "task_relations": "TaskRelation",
}


def describe_state(org: Org) -> dict[str, Any]:
    """Records by kind, deleted and archived ones included (``IsDeleted``, ``IsArchived``); values as in the REST API.

    ``custom_objects`` holds the records of each custom object by its name; ``calls_used`` is the daily count.
    """
    return {
        **{key: [shown(row) for row in org.store.table(name)] for key, name in _TABLES.items()},
        "custom_objects": {
            kind.name: [shown(row) for row in org.store.table(kind.name)] for kind in org.schema.objects if kind.custom
        },
        "calls_used": org.quota.used(org.now()),
        "switches": org.switches.model_dump(mode="json"),
    }


def shown(row: Row) -> dict[str, Any]:
    """One row as the service holds it; the service's own notes are left out."""
    values = {name: json_value(value) for name, value in row.items() if not name.startswith("_")}
    if "LastName" in values:
        values["Name"] = " ".join(part for part in (values.get("FirstName"), values["LastName"]) if part)
    return values
