"""Records as the API shows them."""

from __future__ import annotations

from typing import Any

from cshub_sandbox.totango.records import (
    Alert,
    CampaignTouch,
    Event,
    Origin,
    Task,
    TaskChange,
    Touchpoint,
)
from cshub_sandbox.totango.switches import ParticipantForm
from cshub_sandbox.totango.tenant import Tenant

_CERTAIN = ("activity_type_id", "containsFormatting", "touchpoint_tags")
_COMPARED = ("description", "assignee", "assigner", "due_date", "priority", "status", "last_updater")


def render_event(event: Event, tenant: Tenant) -> dict[str, Any]:
    """One timeline entry, alike in the account timeline and in events/search."""
    account = tenant.accounts.get(event.account_id)
    shown: dict[str, Any] = {
        "id": event.id,
        "timestamp": event.timestamp_ms,
        "type": event.type.value,
        "account": {
            "id": event.account_id,
            "display_name": account.name if account else event.account_id,
            "contract_value": account.contract_value if account else 0,
        },
        "is_new": None,
    }
    match event.content:
        case Touchpoint() as touchpoint:
            shown |= _note(touchpoint, tenant)
        case TaskChange() as change:
            shown |= _task_change(change, tenant)
        case Alert() as alert:
            shown |= _alert(alert)
        case CampaignTouch() as touch:
            shown |= _campaign_touch(touch)
    return shown


def _note(touchpoint: Touchpoint, tenant: Tenant) -> dict[str, Any]:
    text = touchpoint.content
    if tenant.switches.text_newline and not touchpoint.formatted and not text.endswith("\n"):
        text += "\n"
    properties: dict[str, Any] = {
        "subject": touchpoint.subject,
        "meeting_type": touchpoint.touchpoint_type,
        "touchpoint_tags": list(touchpoint.tags),
        "activity_type_id": touchpoint.activity_type_id,
        "containsFormatting": "true" if touchpoint.formatted else None,
        "customers_visibility": False,
        "totango_participants": list(touchpoint.internal_participants),
        "account_participants": _account_participants(touchpoint, tenant),
        "informed": [],
        "parent_id": touchpoint.parent_id,
        "follow_up": touchpoint.follow_up,
        "creation_time": touchpoint.creation_ms,
        "last_edit_time": touchpoint.last_edit_ms,
        "last_edit_user": touchpoint.last_edit_user,
        "update_time": touchpoint.last_edit_ms,
        "external_id": touchpoint.external_id,
        "origin": touchpoint.origin.value,
        "creator_transaction_id": touchpoint.transaction_id,
    }
    if tenant.switches.missing_optional_properties:
        properties = {name: properties[name] for name in _CERTAIN}
    return {
        "note_content": {
            "note_id": touchpoint.note_id,
            "text": text,
            "totango_user": {"user_name": touchpoint.created_by},
        },
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def _account_participants(touchpoint: Touchpoint, tenant: Tenant) -> list[Any]:
    if tenant.switches.account_participants_form is ParticipantForm.TEXT:
        return list(touchpoint.external_participants)
    contacts = tenant.contacts.get(touchpoint.account_id, {})
    return [
        {"userId": user_id, "name": contacts[user_id].name if user_id in contacts else user_id}
        for user_id in touchpoint.external_participants
    ]


def _task_values(task: Task) -> dict[str, Any]:
    return {
        "description": task.description,
        "assignee": task.assignee,
        "assigner": task.assigner,
        "due_date": task.due_on,
        "priority": task.priority,
        "status": task.status.value,
        "last_updater": task.last_updater,
    }


def _task_change(change: TaskChange, tenant: Tenant) -> dict[str, Any]:
    after = _task_values(change.after)
    before = _task_values(change.before) if change.before else dict.fromkeys(_COMPARED)
    flow_before = change.before.activity_type_id if change.before else None
    properties: dict[str, Any] = {
        "activity_type_id": change.after.activity_type_id,
        "activity_type_id_prev": flow_before,
        "activity_type_id_is_modified": flow_before != change.after.activity_type_id,
        "is_associated_with_user": False,
        "associated_users_is_modified": False,
        "estimated_effort_is_modified": False,
        "actual_effort_is_modified": False,
        "external_id": change.after.external_id,
        "external_id_is_modified": False,
    }
    if tenant.switches.missing_optional_properties:
        properties = {"activity_type_id": change.after.activity_type_id}
    return {
        "task_content": {
            "task_id": change.after.id,
            "action": change.action.value,
            "taskAction": change.action.value,
            "origin": change.after.origin.value,
            **{
                name: {"current": after[name], "prev": before[name], "is_modified": after[name] != before[name]}
                for name in _COMPARED
            },
        },
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert_content": {
            "alert_type": alert.alert_type,
            "description": alert.description,
            "sentiment": alert.sentiment,
            "properties": {"duration": alert.duration, "health": alert.health, "health_prev": alert.health_prev},
        },
        "properties": {},
    }


def _campaign_touch(touch: CampaignTouch) -> dict[str, Any]:
    return {
        "campaign_touch_content": {
            "campaign_id": touch.campaign_id,
            "campaign_name": touch.campaign_name,
            "campaign_type": touch.campaign_type,
            "subject": touch.subject,
            "description": touch.description,
            "from": touch.sender,
            "users_count": touch.users_count,
            "start_date": touch.start_ms,
        },
        "properties": {},
    }


def render_task(task: Task) -> dict[str, Any]:
    """One element of ``GET /api/v3/tasks``."""
    shown: dict[str, Any] = {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "due_date": task.due_on,
        "priority": task.priority,
        "status": task.status.value,
        "status_label_id": task.status_label_id,
        "account_id": task.account_id,
        "assignee": task.assignee,
        "assigner": task.assigner,
        "activity_type_id": task.activity_type_id,
        "create_date": task.creation_ms,
        "completed_date": task.completed_ms,
    }
    if task.external_id is not None:
        shown["external_id"] = task.external_id
    return shown


def touchpoint_state(touchpoint: Touchpoint, *, deleted: bool = False) -> dict[str, Any]:
    """All that is stored of a touchpoint, including what the API never shows."""
    return {
        "note_id": touchpoint.note_id,
        "event_id": touchpoint.event_id,
        "account_id": touchpoint.account_id,
        "subject": touchpoint.subject,
        "content": touchpoint.content,
        "formatted": touchpoint.formatted,
        "created_by": touchpoint.created_by,
        "timestamp_ms": touchpoint.timestamp_ms,
        "participants": [*touchpoint.internal_participants, *touchpoint.external_participants],
        "internal_participants": list(touchpoint.internal_participants),
        "external_participants": list(touchpoint.external_participants),
        "activity_type_id": touchpoint.activity_type_id,
        "touchpoint_type": touchpoint.touchpoint_type,
        "tags": list(touchpoint.tags),
        "disable_sync": touchpoint.disable_sync,
        "external_id": touchpoint.external_id,
        "origin": touchpoint.origin.value,
        "by_api": touchpoint.origin is Origin.API,
        "parent_id": touchpoint.parent_id,
        "follow_up": touchpoint.follow_up,
        "creation_time": touchpoint.creation_ms,
        "last_edit_time": touchpoint.last_edit_ms,
        "last_edit_user": touchpoint.last_edit_user,
        "deleted": deleted,
    }
