"""What users and admins do to the tenant itself: accounts, people, catalogues, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from cshub_sandbox.totango.arguments import Action, Arguments
from cshub_sandbox.totango.ingestion import ACCOUNT_ID, upsert_account
from cshub_sandbox.totango.records import Contact, EventType, Role, TeamUser, UserStatus
from cshub_sandbox.totango.seeding import add_world_account
from cshub_sandbox.totango.tenant import Tenant
from cshub_sandbox.totango.tokens import AccessToken, Tokens
from cshub_sandbox.totango.touchpoints import Touchpoints
from cshub_sandbox.world import World


class TenantActions:
    """Every action gives the record as it is afterwards, JSON-ready. ``world`` is only read."""

    def __init__(self, tenant: Tenant, tokens: Tokens, world: World) -> None:
        self._tenant = tenant
        self._tokens = tokens
        self._world = world

    def table(self) -> Mapping[str, Action]:
        return {
            "create_account": self._create_account,
            "rename_account": self._rename_account,
            "set_attributes": self._set_attributes,
            "merge_account": self._merge_account,
            "delete_account": self._delete_account,
            "add_contact": self._add_contact,
            "add_user": self._add_user,
            "disable_user": self._disable_user,
            "add_flow": self._add_flow,
            "set_default_flow": self._set_default_flow,
            "add_touchpoint_type": self._add_touchpoint_type,
            "add_touchpoint_tag": self._add_touchpoint_tag,
            "issue_token": self._issue_token,
            "revoke_token": self._revoke_token,
            "expire_token": self._expire_token,
        }

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
        account = self._tenant.account(args.text("account_id"))
        return asdict(upsert_account(self._tenant, account.id, {"Name": args.text("name")}))

    def _set_attributes(self, args: Arguments) -> Any:
        args.only("account_id", "attributes")
        account = self._tenant.account(args.text("account_id"))
        return asdict(upsert_account(self._tenant, account.id, args.pairs("attributes")))

    def _merge_account(self, args: Arguments) -> Any:
        """Timeline, tasks and contacts move; the account that was merged is gone."""
        args.only("account_id", "into")
        old, target = self._tenant.account(args.text("account_id")), self._tenant.account(args.text("into"))
        if old.id == target.id:
            raise ValueError("An account cannot be merged into itself")
        tenant = self._tenant
        notes = Touchpoints(tenant)
        for event in tenant.events.timeline(old.id):
            if event.type is not EventType.NOTE:
                tenant.put_event(replace(event, account_id=target.id))
        for touchpoint in [note for note in tenant.touchpoints.values() if note.account_id == old.id]:
            notes.store(replace(touchpoint, account_id=target.id))
        for task in [task for task in tenant.tasks.values() if task.account_id == old.id]:
            tenant.tasks[task.id] = replace(task, account_id=target.id)
        for contact in tenant.contacts.pop(old.id, {}).values():
            tenant.add_contact(replace(contact, account_id=target.id))
        del tenant.accounts[old.id]
        return asdict(target)

    def _delete_account(self, args: Arguments) -> Any:
        """The account goes with its contacts, tasks and every event."""
        args.only("account_id")
        account, tenant = self._tenant.account(args.text("account_id")), self._tenant
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
            account_id=self._tenant.account(args.text("account_id")).id,
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
        user = replace(self._tenant.member(args.text("email")), status=UserStatus.DISABLED)
        self._tenant.team[user.email.lower()] = user
        return asdict(user)

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


def _shown(token: AccessToken) -> dict[str, Any]:
    return {
        "token": token.text,
        "name": token.name,
        "owner": token.owner,
        "region": token.region.value,
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "revoked": token.revoked,
    }
