from __future__ import annotations

from typing import Any

import pytest

from .conftest import Caller


def test_users_create_edit_and_delete_in_the_pages(org: Caller) -> None:
    member = org.world.members[0].person.email
    made = org.act("create_record", object="Event", fields=org.event_fields(), user=member)
    assert made["CreatedById"] == made["OwnerId"] != org.service.user_id
    org.wait(60)
    edited = org.act("edit_record", id=made["Id"], fields={"Subject": "By hand"})
    assert (edited["Subject"], edited["LastModifiedDate"]) == ("By hand", "2026-11-20T12:01:00.000+0000")
    assert org.act("delete_record", id=made["Id"])["IsDeleted"] is True
    assert org.act("undelete_record", id=made["Id"])["IsDeleted"] is False


@pytest.mark.parametrize(
    ("action", "arguments", "error", "text"),
    [
        ("explode", {}, KeyError, "known: create_record"),
        ("create_record", {"object": "Event"}, ValueError, "fields: Missing required"),
        ("create_record", {"object": "Nope", "fields": {}}, KeyError, "no object 'Nope'"),
        ("create_record", {"object": "Event", "fields": {}}, ValueError, "REQUIRED_FIELD_MISSING"),
        ("edit_record", {"id": "zzz", "fields": {}}, KeyError, "no object has ids"),
        ("edit_record", {"id": "00U000000000000AAA", "fields": {}}, KeyError, "NOT_FOUND"),
        ("touch", {"ids": ["00U000000000000AAA"]}, KeyError, "there is no Event"),
        ("delete_record", {"id": "00U000000000000AAA", "when": 1}, ValueError, "it takes id, user"),
        ("issue_token", {"user": "nobody@example.com"}, KeyError, "no user"),
        ("set_field_permission", {"field": "Event.Nope", "access": "hidden"}, KeyError, "no field"),
        ("set_field_permission", {"field": "Event.Subject", "access": "none"}, ValueError, "access"),
        ("remove_field", {"object": "Event", "name": "Nope"}, KeyError, "no field"),
        ("remove_field", {"object": "Event", "name": "id"}, ValueError, "Event.Id is kept by the platform"),
        ("remove_field", {"object": "Task", "name": "SystemModstamp"}, ValueError, "kept by the platform"),
        ("add_custom_field", {"object": "Event", "name": "Nope"}, ValueError, "must end in __c"),
        ("add_custom_object", {"name": "Event"}, ValueError, "ends in __c"),
        ("seed_history", {"events": -1}, ValueError, "0 or more"),
    ],
)
def test_what_cannot_be_done_is_explained(
    org: Caller, action: str, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        org.act(action, **arguments)


def test_new_fields_objects_and_values_work_at_once(org: Caller) -> None:
    org.act("add_custom_field", object="Activity", name="Stage__c", type="picklist", values=["New", "Old"])
    assert org.get("Task", org.task(Stage__c="New"))["Stage__c"] == "New"
    refused = org.send("POST", "sobjects/Event", org.event_fields(Stage__c="Odd"))
    assert refused.refusal == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    org.act("set_picklist", object="Event", name="Stage__c", values=["Odd"])
    org.event(Stage__c="Odd")
    org.act("add_custom_field", object="Activity", name="Done__c", type="boolean")
    assert org.get("Event", org.event())["Done__c"] is False
    org.act("remove_field", object="Event", name="Stage__c")
    assert org.send("POST", "sobjects/Event", org.event_fields(Stage__c="Odd")).refusal == (400, "INVALID_FIELD")
    org.act("add_custom_object", name="Visit__c")
    org.act("add_custom_field", object="Visit__c", name="Day__c", type="date", required=True)
    assert org.send("POST", "sobjects/Visit__c", {"Account__c": org.account_id}).refusal == (
        400,
        "REQUIRED_FIELD_MISSING",
    )
    visit = org.create("Visit__c", Account__c=org.account_id, Day__c="2026-11-20")
    assert org.service.state()["custom_objects"]["Visit__c"][0]["Day__c"] == "2026-11-20"
    assert org.query("SELECT Account__r.Name FROM Visit__c")[0]["Account__r"]["Name"] == org.world.accounts[0].name
    org.task(WhatId=visit)


def test_a_long_history_is_the_same_for_the_same_seed(org: Caller) -> None:
    result = org.act("seed_history", accounts=20, events=300, tasks=200, days=365, seed=5)
    assert len(result["account_ids"]) == 20
    state = org.service.state()
    assert len(state["events"]) > 300 and len(state["tasks"]) > 200
    mine = [event for event in state["events"] if event["AccountId"] in set(result["account_ids"])]
    assert len(mine) == 300
    assert min(event["SystemModstamp"] for event in mine) < "2025-12-31"
    assert max(event["SystemModstamp"] for event in mine) <= "2026-11-20T12:00:00.000+0000"
    other = type(org)(org.world)
    other.act("seed_history", accounts=20, events=300, tasks=200, days=365, seed=5)
    assert other.service.state()["events"] == state["events"]


def test_the_state_tells_everything_and_keeps_its_notes_to_itself(org: Caller) -> None:
    event_id = org.event()
    org.delete("Event", event_id)
    state = org.service.state()
    assert {"users", "accounts", "contacts", "leads", "events", "tasks", "custom_objects", "switches"} <= set(state)
    gone = next(event for event in state["events"] if event["Id"] == event_id)
    assert gone["IsDeleted"] is True and not [name for name in gone if name.startswith("_")]
    assert all(contact["Name"] for contact in state["contacts"])


def test_client_credentials_cannot_run_as_a_user_who_is_not_active(org: Caller) -> None:
    member = org.world.members[0].person.email
    org.act("deactivate_user", user=member)
    with pytest.raises(ValueError, match="is not active"):
        org.act("run_as", user=member)
    org.act("deactivate_user", user=member, active=True)
    org.act("run_as", user=member)
