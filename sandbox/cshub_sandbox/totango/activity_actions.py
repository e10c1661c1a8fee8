"""What users do in an account's timeline: touchpoints, tasks, campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cshub_sandbox.totango.arguments import Action, Arguments
from cshub_sandbox.totango.bodies import Payload
from cshub_sandbox.totango.campaigns import send_campaign
from cshub_sandbox.totango.records import Origin
from cshub_sandbox.totango.rendering import render_task, touchpoint_state
from cshub_sandbox.totango.tasks import Tasks
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.touchpoints import Touchpoints

_TOUCHPOINT_FIELDS = (
    "subject",
    "content",
    "activity_type_id",
    "touchpointType",
    "touchpoint_tags",
    "participantList",
    "disable_sync",
    "create_date",
)
_TASK_FIELDS = (
    "title",
    "description",
    "due_date",
    "priority",
    "status",
    "status_label_id",
    "assignee",
    "activity_type_id",
)


def actor(args: Arguments, tenant: Tenant) -> str:
    """E-mail of the team member who acts: argument ``user``, or the tenant's first global admin."""
    given = args.optional("user")
    return (tenant.admin() if given is None else tenant.member(given)).email


class ActivityActions:
    """Every action gives the record as it is afterwards, JSON-ready."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._touchpoints = Touchpoints(tenant)
        self._tasks = Tasks(tenant)

    def table(self) -> Mapping[str, Action]:
        return {
            "create_touchpoint": self._create_touchpoint,
            "edit_touchpoint": self._edit_touchpoint,
            "backdate": self._backdate,
            "delete_touchpoint": self._delete_touchpoint,
            "create_task": self._create_task,
            "edit_task": self._edit_task,
            "complete_task": self._complete_task,
            "delete_task": self._delete_task,
            "send_campaign": self._send_campaign,
        }

    def _create_touchpoint(self, args: Arguments) -> Any:
        args.only("account_id", "user", *_TOUCHPOINT_FIELDS)
        self._tenant.account(args.text("account_id"))
        payload = args.payload(("account_id", *_TOUCHPOINT_FIELDS))
        return touchpoint_state(self._touchpoints.create(payload, actor=actor(args, self._tenant), origin=Origin.USER))

    def _edit_touchpoint(self, args: Arguments) -> Any:
        args.only("note_id", "user", *_TOUCHPOINT_FIELDS)
        payload = args.payload(_TOUCHPOINT_FIELDS)
        return touchpoint_state(
            self._touchpoints.update(args.number("note_id"), payload, actor=actor(args, self._tenant))
        )

    def _backdate(self, args: Arguments) -> Any:
        args.only("note_id", "to", "user")
        payload = Payload({"create_date": args.time_ms("to")})
        return touchpoint_state(
            self._touchpoints.update(args.number("note_id"), payload, actor=actor(args, self._tenant))
        )

    def _delete_touchpoint(self, args: Arguments) -> Any:
        args.only("note_id")
        note_id = args.number("note_id")
        return touchpoint_state(self._touchpoints.delete(note_id, None), deleted=True)

    def _create_task(self, args: Arguments) -> Any:
        args.only("account_id", "user", *_TASK_FIELDS)
        self._tenant.account(args.text("account_id"))
        payload = args.payload(("account_id", *_TASK_FIELDS))
        return render_task(self._tasks.create(payload, actor=actor(args, self._tenant), origin=Origin.USER))

    def _edit_task(self, args: Arguments) -> Any:
        args.only("id", "user", *_TASK_FIELDS)
        return render_task(
            self._tasks.update(args.number("id"), args.payload(_TASK_FIELDS), actor=actor(args, self._tenant))
        )

    def _complete_task(self, args: Arguments) -> Any:
        args.only("id", "user")
        payload = Payload({"status": "closed"})
        return render_task(self._tasks.update(args.number("id"), payload, actor=actor(args, self._tenant)))

    def _delete_task(self, args: Arguments) -> Any:
        args.only("id", "user")
        return render_task(self._tasks.delete(args.number("id"), actor=actor(args, self._tenant)))

    def _send_campaign(self, args: Arguments) -> Any:
        args.only("name", "account_ids", "user", "at", "ongoing")
        wanted = args.values.get("account_ids") or list(self._tenant.accounts)
        at_ms = args.time_ms("at") if "at" in args.values else self._tenant.now_ms()
        campaign_id = send_campaign(
            self._tenant,
            [self._tenant.account(account_id) for account_id in wanted],
            name=args.text("name"),
            sender=actor(args, self._tenant),
            at_ms=at_ms,
            ongoing=bool(args.values.get("ongoing")),
        )
        return {"campaign_id": campaign_id, "accounts": len(wanted)}
