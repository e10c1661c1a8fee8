"""The tenant's whole state as JSON-ready values, for assertions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cshub_sandbox.totango.records import Event
from cshub_sandbox.totango.rendering import render_event, render_task, touchpoint_state
from cshub_sandbox.totango.tenant import Tenant


def describe(tenant: Tenant) -> dict[str, Any]:
    """Keys: ``touchpoints``, ``deleted_touchpoints``, ``tasks``, ``deleted_tasks``, ``accounts``, ``contacts``,
    ``users``, ``events`` (alerts and campaign touches), ``flows``, ``touchpoint_types``, ``touchpoint_tags``,
    ``status_labels``, ``switches``. Times are epoch milliseconds.
    """
    catalogues = tenant.catalogues
    return {
        "touchpoints": [touchpoint_state(touchpoint) for touchpoint in tenant.touchpoints.values()],
        "deleted_touchpoints": [touchpoint_state(gone, deleted=True) for gone in tenant.deleted_touchpoints],
        "tasks": [render_task(task) for task in tenant.tasks.values()],
        "deleted_tasks": [render_task(task) for task in tenant.deleted_tasks],
        "accounts": [asdict(account) for account in tenant.accounts.values()],
        "contacts": [asdict(contact) for contact in tenant.all_contacts()],
        "users": [asdict(user) for user in tenant.team.values()],
        "events": [render_event(event, tenant) for event in tenant.events if _stands_alone(event)],
        "flows": [asdict(flow) for flow in catalogues.flows.values()],
        "touchpoint_types": [asdict(item) for item in catalogues.types.values()],
        "touchpoint_tags": [asdict(item) for item in catalogues.tags.values()],
        "status_labels": [asdict(label) for label in catalogues.labels.values()],
        "switches": tenant.switches.model_dump(mode="json"),
    }


def _stands_alone(event: Event) -> bool:
    return event.type.value in ("alert", "campaign_touch")
