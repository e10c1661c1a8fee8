"""A long invented past, written fast: thousands of accounts, tens of thousands of activities."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from cshub_sandbox import world_texts as texts
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.planting import Planter, working_time

_TALKS = 60
_STATUSES = ("Not Started", "In Progress", "Completed", "Completed", "Completed", "Deferred")
_PRIORITIES = ("High", "Normal", "Normal", "Low")


def write_history(org: Org, *, accounts: int, events: int, tasks: int, days: int, seed: int) -> dict[str, Any]:
    """Adds new accounts with a contact each, and activities on them over the last ``days`` days.

    With ``accounts`` 0 the activities go to the accounts that are there. Gives the counts and the ids of the accounts
    that were used. Raises ``ValueError`` for numbers that cannot be.
    """
    if min(accounts, events, tasks) < 0 or days < 1:
        raise ValueError("accounts, events and tasks must be 0 or more, days 1 or more")
    rng, now, plant = Random(f"history:{seed}"), org.now(), Planter(org)
    owners = [user["Id"] for user in org.users() if user["IsActive"]]
    began = now - timedelta(days=days)
    people = _accounts(org, plant, rng, accounts) if accounts else _present(org)
    if not people:
        raise ValueError("the org has no accounts; ask for some with accounts")
    talks = [
        texts.talk(rng, account="the customer", contact="Their lead", owner="We", company=org.name)
        for _ in range(_TALKS)
    ]
    for number in range(events):
        talk, (account_id, contact_id) = rng.choice(talks), people[number % len(people)]
        starts_at = working_time(began + (now - began) * rng.random(), rng.randrange(20))
        at = min(starts_at + timedelta(hours=1), now)
        plant.event(
            {
                "Subject": f"{talk.subject} #{number + 1}",
                "Description": "\n".join(talk.points),
                "WhatId": account_id,
                "WhoId": contact_id,
                "Type": "Meeting",
            },
            starts_at=starts_at,
            minutes=rng.choice((30, 45, 60)),
            user_id=rng.choice(owners),
            at=at,
        )
    for number in range(tasks):
        talk, (account_id, contact_id) = rng.choice(talks), people[number % len(people)]
        at = (began + (now - began) * rng.random()).replace(microsecond=0)
        plant.task(
            {
                "Subject": f"{talk.actions[0]} #{number + 1}",
                "Description": talk.points[0],
                "Status": rng.choice(_STATUSES),
                "Priority": rng.choice(_PRIORITIES),
                "ActivityDate": (at + timedelta(days=rng.randint(1, 20))).date(),
                "WhatId": account_id,
                "WhoId": contact_id,
            },
            user_id=rng.choice(owners),
            at=at,
        )
    return {
        "accounts": accounts,
        "events": events,
        "tasks": tasks,
        "account_ids": [account_id for account_id, _ in people],
    }


def _accounts(org: Org, plant: Planter, rng: Random, count: int) -> list[tuple[str, str | None]]:
    owners = [user["Id"] for user in org.users() if user["IsActive"]]
    made_at = org.now() - timedelta(days=1_000)
    people: list[tuple[str, str | None]] = []
    for number in range(1, count + 1):
        owner = rng.choice(owners)
        name = f"Customer {len(org.store.table('Account')) + 1:05d}"
        account_id = plant.record("Account", {"Name": name}, user_id=owner, at=made_at)
        domain = f"{name.lower().replace(' ', '-')}.example"
        contact = {
            "AccountId": account_id,
            "FirstName": "Robin",
            "LastName": f"Lead {number}",
            "Email": f"robin.{number}@{domain}",
        }
        people.append((account_id, plant.record("Contact", contact, user_id=owner, at=made_at)))
    return people


def _present(org: Org) -> list[tuple[str, str | None]]:
    contacts = org.store.table("Contact")
    people: list[tuple[str, str | None]] = []
    for account in org.store.table("Account"):
        if not account.get("IsDeleted"):
            found = contacts.find("AccountId", account["Id"])
            people.append((account["Id"], found[0] if found else None))
    return people
