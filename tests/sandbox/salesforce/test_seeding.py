from __future__ import annotations

from datetime import timedelta

from cshub_sandbox.kernel import SandboxClock
from cshub_sandbox.salesforce import SalesforceService
from cshub_sandbox.salesforce_ids import is_valid_18
from cshub_sandbox.world import World
from cshub_sandbox.world_builder import build_world

from .conftest import NOW, Caller


def test_the_same_world_gives_the_same_org_and_another_seed_another(world: World) -> None:
    def state(seed: int) -> object:
        return SalesforceService(world, SandboxClock(NOW, frozen=True), seed=seed).state()

    assert state(1) == state(1) != state(2)


def test_the_accounts_people_and_members_of_the_world_are_there(org: Caller) -> None:
    assert {row["Id"]: row["Name"] for row in org.rows("Account")} == {a.crm_id: a.name for a in org.world.accounts}
    emails = {(row["AccountId"], row["Email"]) for row in org.rows("Contact")}
    assert emails == {(a.crm_id, person.email) for a in org.world.accounts for person in a.contacts}
    users = {row["Email"]: row["IsActive"] for row in org.rows("User")}
    gone = org.world.members[-2].person.email
    assert {member.person.email for member in org.world.members} <= set(users)
    assert users[gone] is False and users[org.service.login["username"]] is True


def test_there_is_something_of_every_kind_and_its_ids_are_valid(org: Caller) -> None:
    seen: set[str] = set()
    for name in ("Account", "Contact", "Lead", "Opportunity", "Case", "User", "Group", "Event", "Task"):
        rows = org.rows(name)
        assert rows, name
        prefix = org.service.schema.object(name).key_prefix
        assert all(is_valid_18(row["Id"]) and row["Id"].startswith(prefix or "") for row in rows)
        seen |= {row["Id"] for row in rows}
    assert len(seen) == sum(
        len(org.rows(name))
        for name in ("Account", "Contact", "Lead", "Opportunity", "Case", "User", "Group", "Event", "Task")
    )


def test_the_activities_of_the_last_weeks_read_like_work(org: Caller) -> None:
    for row in [*org.rows("Event"), *org.rows("Task")]:
        assert row["Subject"] and row["SystemModstamp"] <= NOW
        assert NOW - timedelta(days=65) <= row["SystemModstamp"]
    events = org.rows("Event")
    assert all(row["Description"] and row["AccountId"] and row["DurationInMinutes"] for row in events)
    assert any(row["StartDateTime"] > NOW for row in events)
    assert {row["Status"] for row in org.rows("Task")} > {"Not Started", "Completed"}


def test_an_org_with_shared_activities_has_relations_from_the_start(world: World) -> None:
    org = Caller(world, shared_activities=True)
    event = org.rows("Event")[0]
    assert event["WhoCount"] == 1 and event["WhatCount"] == 1
    assert len(org.query(f"SELECT Id FROM EventRelation WHERE EventId = '{event['Id']}'")) == 2


def test_the_external_ids_of_the_demo_are_on_both_activities(org: Caller) -> None:
    for name in ("Event", "Task"):
        for field_name in ("Totango_Id__c", "Totango_Touch_Id__c"):
            field = org.service.schema.object(name).field(field_name)
            assert field is not None and field.external_id and field.unique
            assert (field.length, field.case_sensitive) == (40, False)


def test_a_larger_world_still_fits(world: World) -> None:
    large = build_world(9, accounts=60, meetings=0, now=NOW, cases=False)
    assert len(Caller(large).rows("Account")) == 60
