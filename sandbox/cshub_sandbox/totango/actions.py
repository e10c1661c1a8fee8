"""Edits as a user of the product's pages would make them, by name, with JSON-like arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from cshub_sandbox.totango.accounts import ACCOUNT_ID, upsert_account
from cshub_sandbox.totango.bodies import Payload
from cshub_sandbox.totango.errors import ApiError
from cshub_sandbox.totango.records import (
    Account,
    Contact,
    Origin,
    Role,
    TeamUser,
    UserStatus,
)
from cshub_sandbox.totango.rendering import render_task, touchpoint_state
from cshub_sandbox.totango.seeding import add_world_account, send_campaign
from cshub_sandbox.totango.tasks import Tasks
from cshub_sandbox.totango.tenant import Tenant, epoch_ms
from cshub_sandbox.totango.tokens import AccessToken, Tokens
from cshub_sandbox.totango.touchpoints import Touchpoints
from cshub_sandbox.world import World

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


class Arguments:
    """Arguments of one action. Readers raise ``ValueError``; ``only`` refuses names that the action does not know."""

    def __init__(self, action: str, values: Mapping[str, Any]) -> None:
        self._action = action
        self.values = dict(values)

    def only(self, *names: str) -> None:
        unknown = sorted(set(self.values) - set(names))
        if unknown:
            raise ValueError(f"{self._action} does not take {', '.join(unknown)}; it takes {', '.join(names)}")

    def text(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            raise ValueError(f"{self._action} needs {name}")
        return value

    def optional(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise ValueError(f"{name} of {self._action} must be text")

    def number(self, name: str) -> int:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{self._action} needs {name}, a whole number")
        return value

    def time_ms(self, name: str) -> int:
        """Epoch milliseconds, or ISO 8601 text with a zone."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return self.number(name)
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(f"{name} of {self._action} needs a time zone, e.g. 2026-11-20T08:00:00Z")
        return epoch_ms(at)

    def pairs(self, name: str) -> dict[str, str]:
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise ValueError(f"{name} of {self._action} must be an object")
        return {str(key): str(item) for key, item in value.items()}

    def payload(self, names: Sequence[str]) -> Payload:
        return Payload({name: self.values[name] for name in names if name in self.values})


class Actions:
    """All actions of one tenant, by name in ``names``."""

    def __init__(self, tenant: Tenant, tokens: Tokens, world: World) -> None:
        self._tenant = tenant
        self._tokens = tokens
        self._world = world
        self._touchpoints = Touchpoints(tenant)
        self._tasks = Tasks(tenant)
        self._table: dict[str, Callable[[Arguments], Any]] = {
            "create_touchpoint": self._create_touchpoint,
            "edit_touchpoint": self._edit_touchpoint,
            "backdate": self._backdate,
            "delete_touchpoint": self._delete_touchpoint,
            "create_task": self._create_task,
            "edit_task": self._edit_task,
            "complete_task": self._complete_task,
            "delete_task": self._delete_task,
            "create_account": self._create_account,
            "rename_account": self._rename_account,
            "set_attributes": self._set_attributes,
            "merge_account": self._merge_account,
            "delete_account": self._delete_account,
            "add_contact": self._add_contact,
            "add_user": self._add_user,
            "disable_user": self._disable_user,
            "send_campaign": self._send_campaign,
            "add_flow": self._add_flow,
            "set_default_flow": self._set_default_flow,
            "add_touchpoint_type": self._add_touchpoint_type,
            "add_touchpoint_tag": self._add_touchpoint_tag,
            "issue_token": self._issue_token,
            "revoke_token": self._revoke_token,
            "expire_token": self._expire_token,
            "set_switches": self._set_switches,
        }

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._table)

    def do(self, action: str, arguments: Mapping[str, Any]) -> Any:
        """Do one action; the result is JSON-ready. Raises ``KeyError`` or ``ValueError`` with a text for people."""
        if action not in self._table:
            raise KeyError(f"Totango has no action {action!r}; known: {', '.join(self._table)}")
        try:
            return self._table[action](Arguments(action, arguments))
        except ApiError as error:
            if error.status == 404:
                raise KeyError(error.message) from error
            raise ValueError(error.message) from error

    def _actor(self, args: Arguments) -> str:
        """The team member who does it: ``user``, or the admin who set the sandbox up."""
        given = args.optional("user")
        if given is None:
            return next(user.email for user in self._tenant.team.values() if user.role is Role.GLOBAL_ADMIN)
        return self._member(given).email

    def _member(self, email: str) -> TeamUser:
        user = self._tenant.user(email)
        if user is None:
            raise KeyError(f"No team member {email!r}")
        return user

    def _account(self, account_id: str) -> Account:
        if account_id not in self._tenant.accounts:
            raise KeyError(f"No account {account_id!r}")
        return self._tenant.accounts[account_id]

    def _create_touchpoint(self, args: Arguments) -> Any:
        args.only("account_id", "user", *_TOUCHPOINT_FIELDS)
        self._account(args.text("account_id"))
        payload = args.payload(("account_id", *_TOUCHPOINT_FIELDS))
        return touchpoint_state(self._touchpoints.create(payload, actor=self._actor(args), origin=Origin.USER))

    def _edit_touchpoint(self, args: Arguments) -> Any:
        args.only("note_id", "user", *_TOUCHPOINT_FIELDS)
        payload = args.payload(_TOUCHPOINT_FIELDS)
        return touchpoint_state(self._touchpoints.update(args.number("note_id"), payload, actor=self._actor(args)))

    def _backdate(self, args: Arguments) -> Any:
        args.only("note_id", "to", "user")
        payload = Payload({"create_date": args.time_ms("to")})
        return touchpoint_state(self._touchpoints.update(args.number("note_id"), payload, actor=self._actor(args)))

    def _delete_touchpoint(self, args: Arguments) -> Any:
        args.only("note_id")
        note_id = args.number("note_id")
        if note_id not in self._tenant.touchpoints:
            raise KeyError(f"No touchpoint {note_id}")
        gone = self._touchpoints.delete(note_id, self._tenant.touchpoints[note_id].event_id)
        return touchpoint_state(gone, deleted=True)

    def _create_task(self, args: Arguments) -> Any:
        args.only("account_id", "user", *_TASK_FIELDS)
        self._account(args.text("account_id"))
        payload = args.payload(("account_id", *_TASK_FIELDS))
        return render_task(self._tasks.create(payload, actor=self._actor(args), origin=Origin.USER))

    def _edit_task(self, args: Arguments) -> Any:
        args.only("id", "user", *_TASK_FIELDS)
        return render_task(self._tasks.update(args.number("id"), args.payload(_TASK_FIELDS), actor=self._actor(args)))

    def _complete_task(self, args: Arguments) -> Any:
        args.only("id", "user")
        payload = Payload({"status": "closed"})
        return render_task(self._tasks.update(args.number("id"), payload, actor=self._actor(args)))

    def _delete_task(self, args: Arguments) -> Any:
        args.only("id", "user")
        return render_task(self._tasks.delete(args.number("id"), actor=self._actor(args)))

    def _create_account(self, args: Arguments) -> Any:
        args.only("crm_id", "id", "name", "attributes")
        crm_id = args.optional("crm_id")
        if crm_id is not None:
            account = next((account for account in self._world.accounts if account.crm_id == crm_id), None)
            if account is None:
                raise KeyError(f"The world has no account with crm_id {crm_id!r}")
            if account.totango_id in self._tenant.accounts:
                raise ValueError(f"Account {account.totango_id} exists already")
            return asdict(add_world_account(self._tenant, account, created_ms=self._tenant.now_ms()))
        account_id = args.text("id")
        if not ACCOUNT_ID.fullmatch(account_id):
            raise ValueError("An account id has 1 to 480 letters, digits, _ or -")
        if account_id in self._tenant.accounts:
            raise ValueError(f"Account {account_id} exists already")
        return asdict(upsert_account(self._tenant, account_id, {**args.pairs("attributes"), "Name": args.text("name")}))

    def _rename_account(self, args: Arguments) -> Any:
        args.only("account_id", "name")
        account = self._account(args.text("account_id"))
        return asdict(upsert_account(self._tenant, account.id, {"Name": args.text("name")}))

    def _set_attributes(self, args: Arguments) -> Any:
        args.only("account_id", "attributes")
        account = self._account(args.text("account_id"))
        return asdict(upsert_account(self._tenant, account.id, args.pairs("attributes")))

    def _merge_account(self, args: Arguments) -> Any:
        """Timeline, tasks and contacts move; the account that was merged is gone."""
        args.only("account_id", "into")
        old, target = self._account(args.text("account_id")), self._account(args.text("into"))
        if old.id == target.id:
            raise ValueError("An account cannot be merged into itself")
        tenant = self._tenant
        for event in tenant.events.timeline(old.id):
            tenant.put_event(replace(event, account_id=target.id))
        for touchpoint in [note for note in tenant.touchpoints.values() if note.account_id == old.id]:
            self._touchpoints.store(replace(touchpoint, account_id=target.id))
        for task in [task for task in tenant.tasks.values() if task.account_id == old.id]:
            tenant.tasks[task.id] = replace(task, account_id=target.id)
        for contact in tenant.contacts.pop(old.id, {}).values():
            tenant.add_contact(replace(contact, account_id=target.id))
        del tenant.accounts[old.id]
        return asdict(target)

    def _delete_account(self, args: Arguments) -> Any:
        """The account goes with its contacts, tasks and every event."""
        args.only("account_id")
        account, tenant = self._account(args.text("account_id")), self._tenant
        for event in tenant.events.timeline(account.id):
            tenant.remove_event(event.id)
        notes = [note for note in tenant.touchpoints.values() if note.account_id == account.id]
        tenant.deleted_touchpoints += notes
        tenant.touchpoints = {key: n for key, n in tenant.touchpoints.items() if n.account_id != account.id}
        tenant.deleted_tasks += [task for task in tenant.tasks.values() if task.account_id == account.id]
        tenant.tasks = {key: task for key, task in tenant.tasks.items() if task.account_id != account.id}
        tenant.contacts.pop(account.id, None)
        del tenant.accounts[account.id]
        return asdict(account)

    def _add_contact(self, args: Arguments) -> Any:
        args.only("account_id", "email", "user_id", "first_name", "last_name", "title")
        email, now = args.text("email"), self._tenant.now_ms()
        contact = Contact(
            user_id=args.optional("user_id") or email,
            account_id=self._account(args.text("account_id")).id,
            email=email,
            first_name=args.optional("first_name") or "",
            last_name=args.optional("last_name") or "",
            title=args.optional("title") or "",
            first_activity_ms=now,
            last_activity_ms=now,
        )
        self._tenant.add_contact(contact)
        return asdict(contact)

    def _add_user(self, args: Arguments) -> Any:
        args.only("email", "first_name", "last_name", "status", "global_admin", "teams")
        email = args.text("email")
        if self._tenant.user(email) is not None:
            raise ValueError(f"Team member {email} exists already")
        user = TeamUser(
            email=email,
            uuid=self._tenant.new_uuid(),
            first_name=args.optional("first_name") or "",
            last_name=args.optional("last_name") or "",
            status=UserStatus(args.optional("status") or UserStatus.ACTIVE),
            role=Role.GLOBAL_ADMIN if args.values.get("global_admin") else Role.TEAM_MEMBER,
            teams=args.optional("teams") or "",
        )
        self._tenant.team[email.lower()] = user
        return asdict(user)

    def _disable_user(self, args: Arguments) -> Any:
        args.only("email")
        user = replace(self._member(args.text("email")), status=UserStatus.DISABLED)
        self._tenant.team[user.email.lower()] = user
        return asdict(user)

    def _send_campaign(self, args: Arguments) -> Any:
        args.only("name", "account_ids", "user", "at", "ongoing")
        wanted = args.values.get("account_ids") or list(self._tenant.accounts)
        at_ms = args.time_ms("at") if "at" in args.values else self._tenant.now_ms()
        campaign_id = send_campaign(
            self._tenant,
            [self._account(account_id) for account_id in wanted],
            name=args.text("name"),
            sender=self._actor(args),
            at_ms=at_ms,
            ongoing=bool(args.values.get("ongoing")),
        )
        return {"campaign_id": campaign_id, "accounts": len(wanted)}

    def _add_flow(self, args: Arguments) -> Any:
        args.only("id", "name")
        return asdict(self._tenant.catalogues.add_flow(args.text("id"), args.text("name")))

    def _set_default_flow(self, args: Arguments) -> Any:
        args.only("id")
        return asdict(self._tenant.catalogues.set_default_flow(args.text("id")))

    def _add_touchpoint_type(self, args: Arguments) -> Any:
        args.only("name")
        return asdict(self._tenant.catalogues.add_type(args.text("name")))

    def _add_touchpoint_tag(self, args: Arguments) -> Any:
        args.only("name")
        return asdict(self._tenant.catalogues.add_tag(args.text("name")))

    def _issue_token(self, args: Arguments) -> Any:
        args.only("user", "name", "life_days")
        life = timedelta(days=args.number("life_days")) if "life_days" in args.values else None
        region = self._tenant.switches.region
        return _shown(self._tokens.issue(args.text("user"), args.text("name"), region=region, life=life))

    def _revoke_token(self, args: Arguments) -> Any:
        args.only("token")
        return _shown(self._tokens.revoke(args.text("token")))

    def _expire_token(self, args: Arguments) -> Any:
        args.only("token")
        return _shown(self._tokens.expire(args.text("token"), self._tenant.clock.now()))

    def _set_switches(self, args: Arguments) -> Any:
        self._tenant.switches.change(args.values)
        return self._tenant.switches.model_dump(mode="json")


def _shown(token: AccessToken) -> dict[str, Any]:
    return {
        "token": token.text,
        "name": token.name,
        "owner": token.owner,
        "region": token.region.value,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "revoked": token.revoked,
    }
