"""The world turned into one tenant: accounts, people and a believable past, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from uuid import UUID

from cshub_sandbox.kernel import Clock
from cshub_sandbox.totango.catalogues import Catalogues
from cshub_sandbox.totango.history import History
from cshub_sandbox.totango.records import (
    Account,
    Contact,
    Role,
    TeamUser,
    UserStatus,
)
from cshub_sandbox.totango.switches import TotangoSwitches
from cshub_sandbox.totango.tenant import Tenant, epoch_ms, iso_ms
from cshub_sandbox.world import Account as WorldAccount
from cshub_sandbox.world import Person, World

_DAY_MS = 86_400_000


def seed_tenant(world: World, clock: Clock, switches: TotangoSwitches, *, seed: int) -> Tenant:
    """A tenant with the world's accounts (those already in Totango), people and an old history."""
    rng = Random(f"totango:{world.seed}:{seed}")
    team = _team(world, rng)
    admin = next(user for user in team if user.role is Role.GLOBAL_ADMIN)
    made_at = iso_ms(epoch_ms(world.now) - 400 * _DAY_MS)
    tenant = Tenant(clock, rng, switches, Catalogues(rng, made_by=admin.email, made_at=made_at))
    tenant.team = {user.email.lower(): user for user in team}
    for account in world.accounts:
        if account.in_totango:
            add_world_account(tenant, account, created_ms=epoch_ms(world.now) - rng.randrange(200, 900) * _DAY_MS)
    if tenant.accounts:
        History(tenant, world.now).write(world.meetings)
    tenant.events.index.catch_up(clock.now(), 0)
    return tenant


def add_world_account(tenant: Tenant, account: WorldAccount, *, created_ms: int) -> Account:
    """An account of the world with its contacts; every foreign key in lower case."""
    rng, now_ms = tenant.rng, tenant.now_ms()
    members = list(tenant.team.values())
    record = Account(
        id=account.totango_id,
        name=account.name,
        created_ms=created_ms,
        last_activity_ms=now_ms - rng.randrange(30 * _DAY_MS),
        health=rng.choice(("green", "green", "green", "yellow", "red")),
        contract_value=float(rng.randrange(10, 400) * 1_000),
        owner=rng.choice(members).email,
        attributes={"sfid": account.crm_id, "Tier": rng.choice(("Enterprise", "Growth", "Start"))},
        foreign_keys={"salesforce_key": account.crm_id.lower(), "billing_key": f"b-{rng.randrange(10**6):06d}"},
    )
    tenant.accounts[record.id] = record
    for position, person in enumerate(account.contacts):
        tenant.add_contact(_contact(record.id, person, position, now_ms))
    return record


def _contact(account_id: str, person: Person, position: int, now_ms: int) -> Contact:
    """A contact as somebody once entered it: one with capitals in the e-mail, one under a user id of its own."""
    name, _, domain = person.email.partition("@")
    email = f"{name.title()}@{domain}" if position % 5 == 3 else person.email
    user_id = f"user-{person.last_name.lower()}-{position}" if position % 5 == 4 else email
    return Contact(
        user_id=user_id,
        account_id=account_id,
        email=email,
        first_name=person.first_name,
        last_name=person.last_name,
        title=person.title,
        first_activity_ms=now_ms - 180 * _DAY_MS,
        last_activity_ms=now_ms - 2 * _DAY_MS,
    )


def _team(world: World, rng: Random) -> list[TeamUser]:
    """Team members of the world; the first active one is the global admin. Without any, an admin of its own."""
    users = [
        TeamUser(
            email=member.person.email,
            uuid=str(UUID(int=rng.getrandbits(128), version=4)),
            first_name=member.person.first_name,
            last_name=member.person.last_name,
            status=UserStatus(member.totango_status),
            role=Role.TEAM_MEMBER,
            teams=world.teams.get(member.team_id, ""),
        )
        for member in world.members
        if member.totango_status is not None
    ]
    for position, user in enumerate(users):
        if user.status is UserStatus.ACTIVE:
            users[position] = replace(user, role=Role.GLOBAL_ADMIN)
            return users
    admin = TeamUser("admin@vendor.example", str(UUID(int=0)), "Ada", "Admin", UserStatus.ACTIVE, Role.GLOBAL_ADMIN, "")
    return [*users, admin]
