from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import STAMP, Caller

MakeOrg = Callable[..., Caller]


def test_a_created_record_has_its_audit_fields_to_the_second_and_belongs_to_its_maker(org: Caller) -> None:
    org.wait(0.75)
    record = org.get("Event", org.event())
    for name in ("CreatedDate", "LastModifiedDate", "SystemModstamp"):
        assert record[name] == STAMP
    for name in ("CreatedById", "LastModifiedById", "OwnerId"):
        assert record[name] == org.service.user_id
    assert record["attributes"] == {"type": "Event", "url": f"/services/data/v62.0/sobjects/Event/{record['Id']}"}


def test_an_edit_moves_the_stamps_and_a_touch_only_the_system_one(org: Caller) -> None:
    event_id = org.event()
    org.wait(60)
    member = org.world.members[0].person.email
    assert org.edit("Event", event_id, token=org.act("issue_token", user=member), Subject="New").status == 204
    edited = org.get("Event", event_id)
    assert edited["LastModifiedDate"] == edited["SystemModstamp"] == "2026-11-20T12:01:00.000+0000"
    assert edited["LastModifiedById"] != edited["CreatedById"] and edited["CreatedDate"] == STAMP
    org.wait(60)
    org.act("touch", ids=[event_id])
    touched = org.get("Event", event_id)
    assert touched["SystemModstamp"] == "2026-11-20T12:02:00.000+0000"
    assert touched["LastModifiedDate"] == edited["LastModifiedDate"]


def test_ids_are_accepted_in_both_lengths_but_only_in_the_right_case(make_org: MakeOrg) -> None:
    org = make_org()
    event_id = org.event()
    assert org.get("Event", event_id[:15])["Id"] == event_id
    for wrong in (event_id.swapcase(), event_id.lower(), event_id[:14], "00U000000000000AAA", org.account_id):
        assert org.send("GET", f"sobjects/Event/{wrong}").refusal == (404, "NOT_FOUND"), wrong
    org.set(wrong_case_id="tolerated")
    assert org.get("Event", event_id.lower())["Id"] == event_id
    assert org.send("GET", f"sobjects/Event/{event_id[:15].lower()}").status == 404


def test_a_deleted_record_is_not_found_under_the_code_that_the_org_uses(org: Caller) -> None:
    event_id = org.event()
    org.delete("Event", event_id)
    for method in ("GET", "PATCH", "DELETE"):
        assert org.send(method, f"sobjects/Event/{event_id}", {}).refusal == (404, "ENTITY_IS_DELETED")
    org.set(deleted_record_code="NOT_FOUND")
    assert org.send("GET", f"sobjects/Event/{event_id}").refusal == (404, "NOT_FOUND")


def test_null_clears_absent_leaves_and_the_empty_text_is_null(org: Caller) -> None:
    event_id = org.event(Description="long", Location="here")
    org.edit("Event", event_id, Description=None, Location="")
    record = org.get("Event", event_id)
    assert (record["Description"], record["Location"], record["Subject"]) == (None, None, "Review")


def test_only_the_fields_asked_for_come_back(org: Caller) -> None:
    event_id = org.event()
    answer = org.send("GET", f"sobjects/Event/{event_id}", query=[("fields", "subject, Id")])
    assert set(answer.json) == {"attributes", "Subject", "Id"}
    assert org.send("GET", f"sobjects/Event/{event_id}", query=[("fields", "Nope")]).refusal == (400, "INVALID_FIELD")


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", ["Nope__c"]),
        ({"Subject": "x" * 256}, "STRING_TOO_LONG", ["Subject"]),
        ({"Description": "x" * 32_001}, "STRING_TOO_LONG", ["Description"]),
        ({"AccountId": "001000000000000AAA"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["AccountId"]),
        ({"CreatedDate": STAMP, "IsDeleted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["CreatedDate", "IsDeleted"]),
        ({"ShowAs": "Sleeping"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["ShowAs"]),
        ({"WhatId": "not an id"}, "MALFORMED_ID", None),
        ({"WhoId": "005000000000000AAA"}, "MALFORMED_ID", None),
        ({"WhatId": "001000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", ["WhatId"]),
        ({"IsAllDayEvent": "maybe"}, "JSON_PARSER_ERROR", None),
        ({"StartDateTime": "2026-11-20"}, "JSON_PARSER_ERROR", None),
        ({"StartDateTime": "2026-11-20T10:00:00"}, "JSON_PARSER_ERROR", None),
        ({"ActivityDate": "20.11.2026"}, "JSON_PARSER_ERROR", None),
        ({"DurationInMinutes": "many"}, "JSON_PARSER_ERROR", None),
        ({"DurationInMinutes": 1.5}, "JSON_PARSER_ERROR", None),
        ({"DurationInMinutes": 10**12}, "NUMBER_OUTSIDE_VALID_RANGE", ["DurationInMinutes"]),
        ({"Subject": {"a": 1}}, "JSON_PARSER_ERROR", None),
        ({"Subject": ["a"]}, "JSON_PARSER_ERROR", None),
    ],
)
def test_a_value_against_the_rules_of_its_field_is_refused(
    org: Caller, fields: dict[str, Any], code: str, named: list[str] | None
) -> None:
    answer = org.send("POST", "sobjects/Event", org.event_fields(**fields))
    assert answer.refusal == (400, code)
    if named is not None:
        assert answer.json[0]["fields"] == named


def test_values_are_taken_in_the_forms_that_the_service_understands(org: Caller) -> None:
    record = org.get(
        "Event",
        org.event(Subject=12, IsPrivate="true", DurationInMinutes="45", StartDateTime="2026-11-20T11:00:00.250+0100"),
    )
    assert (record["Subject"], record["IsPrivate"], record["DurationInMinutes"]) == ("12", True, 45)
    assert record["StartDateTime"] == "2026-11-20T10:00:00.000+0000"


def test_required_fields_must_be_there_and_must_stay(org: Caller) -> None:
    answer = org.send("POST", "sobjects/Lead", {"FirstName": "Ann"})
    assert answer.refusal == (400, "REQUIRED_FIELD_MISSING")
    assert answer.json[0]["fields"] == ["LastName", "Company"]
    assert org.edit("Lead", org.lead_id, Company=None).refusal == (400, "REQUIRED_FIELD_MISSING")
    assert org.send("POST", "sobjects/Contact", {"LastName": "x", "Email": "no mail"}).refusal == (
        400,
        "INVALID_EMAIL_ADDRESS",
    )


def test_a_body_that_is_no_object_or_no_json_is_refused(org: Caller) -> None:
    assert org.send("POST", "sobjects/Event", []).refusal == (400, "JSON_PARSER_ERROR")
    assert org.send("POST", "sobjects/Event", body=b"{").refusal == (400, "JSON_PARSER_ERROR")
    assert org.send("POST", "sobjects/Event", body=b"a,b", media_type="text/csv").status == 415


def test_objects_that_do_not_exist_or_cannot_be_written_are_refused(org: Caller) -> None:
    assert org.send("POST", "sobjects/Nope__c", {}).refusal == (404, "NOT_FOUND")
    assert org.send("POST", "sobjects/Name", {}).refusal == (400, "INVALID_TYPE_FOR_OPERATION")
    assert org.send("DELETE", f"sobjects/User/{org.service.user_id}").refusal == (400, "INVALID_TYPE_FOR_OPERATION")
    assert org.send("PATCH", f"sobjects/Calendar/{org.service.user_id}", {}).status == 400


def test_a_hidden_field_is_as_if_it_did_not_exist_and_a_read_only_one_cannot_be_written(org: Caller) -> None:
    member = org.world.members[0].person.email
    token = org.act("issue_token", user=member)
    event_id = org.event(Location="Room 5")
    org.act("set_field_permission", field="Activity.Location", access="hidden", user=member)
    org.act("set_field_permission", field="Event.Subject", access="read_only", user=member)
    assert "Location" not in org.send("GET", f"sobjects/Event/{event_id}", token=token).json
    assert org.edit("Event", event_id, token=token, Location="x").refusal == (400, "INVALID_FIELD")
    assert org.edit("Event", event_id, token=token, Subject="x").refusal == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert org.send("GET", "query", query=[("q", "SELECT Location FROM Event")], token=token).refusal == (
        400,
        "INVALID_FIELD",
    )
    described = org.send("GET", "sobjects/Event/describe", token=token).json["fields"]
    assert "Location" not in {field["name"] for field in described}
    assert org.get("Event", event_id)["Location"] == "Room 5"
    org.act("set_field_permission", field="Activity.Location", access="edit", user=member)
    assert org.edit("Event", event_id, token=token, Location="x").status == 204


def test_an_inactive_user_can_own_nothing_new(org: Caller) -> None:
    member = org.act("add_user", email="gone@example.com")
    task_id = org.task(OwnerId=member["Id"])
    org.act("deactivate_user", user="gone@example.com")
    refused = org.send("POST", "sobjects/Task", {"Subject": "x", "OwnerId": member["Id"]})
    assert refused.refusal == (400, "INACTIVE_OWNER_OR_USER")
    assert org.edit("Task", task_id, Subject="the owner stays", OwnerId=member["Id"]).status == 204


def test_upsert_says_whether_it_created_and_refuses_the_key_in_the_body(org: Caller) -> None:
    first = org.send("PATCH", "sobjects/Event/Totango_Id__c/T-1", org.event_fields())
    second = org.send("PATCH", "sobjects/Event/Totango_Id__c/t-1", {"Subject": "Second"})
    assert (first.status, first.json["created"]) == (201, True)
    assert (second.status, second.json["created"], second.json["id"]) == (200, False, first.json["id"])
    assert org.send("PATCH", "sobjects/Event/Totango_Id__c/T-1", {}, version="45.0").status == 204
    for body in ({"Totango_Id__c": "T-1"}, {"Id": first.json["id"]}):
        assert org.send("PATCH", "sobjects/Event/Totango_Id__c/T-1", body).refusal == (400, "INVALID_FIELD")
    assert org.get("Event", "Totango_Id__c/T-1")["Subject"] == "Second"
    update_only = [("updateOnly", "true")]
    assert org.send("PATCH", "sobjects/Event/Totango_Id__c/T-2", {}, query=update_only).status == 404
    assert org.send("PATCH", "sobjects/Event/Subject/x", {}).refusal == (404, "NOT_FOUND")
    assert org.send("GET", "sobjects/Event/Totango_Id__c/nothing").refusal == (404, "NOT_FOUND")
    assert org.send("DELETE", "sobjects/Event/Totango_Id__c/T-1").status == 204
    assert org.send("DELETE", "sobjects/Event/Totango_Id__c/T-1").status == 404


def test_a_unique_field_is_unique_per_object_or_over_both_activities(make_org: MakeOrg) -> None:
    org = make_org()
    event_id = org.event(Totango_Id__c="abc")
    refused = org.send("POST", "sobjects/Event", org.event_fields(Totango_Id__c="ABC"))
    assert refused.refusal == (400, "DUPLICATE_VALUE")
    assert event_id in refused.json[0]["message"]
    org.task(Totango_Id__c="abc")
    other = make_org(unique_scope="activity")
    other.event(Totango_Id__c="abc")
    assert other.send("POST", "sobjects/Task", {"Totango_Id__c": "abc"}).refusal == (400, "DUPLICATE_VALUE")
    other.act("add_custom_field", object="Account", name="Code__c", unique=True, case_sensitive=True)
    assert other.edit("Account", other.account_id, Code__c="a").status == 204
    assert other.edit("Account", other.world.accounts[1].crm_id, Code__c="A").status == 204
    assert other.edit("Account", other.world.accounts[2].crm_id, Code__c="A").refusal == (400, "DUPLICATE_VALUE")


def test_a_deleted_record_gives_its_unique_value_free_and_cannot_come_back_once_it_is_taken(org: Caller) -> None:
    first = org.event(Totango_Id__c="abc")
    org.delete("Event", first)
    org.event(Totango_Id__c="abc")
    with pytest.raises(ValueError, match="DUPLICATE_VALUE"):
        org.act("undelete_record", id=first)


def test_a_parent_can_be_named_by_its_external_id(org: Caller) -> None:
    org.act("add_custom_object", name="Visit__c")
    org.act("add_custom_field", object="Account", name="Code__c", external_id=True)
    org.edit("Account", org.account_id, Code__c="A1")
    visit = org.create("Visit__c", Account__r={"Code__c": "A1"})
    assert org.get("Visit__c", visit)["Account__c"] == org.account_id
    assert org.get("Visit__c", visit)["Name"] == visit
    answer = org.send("POST", "sobjects/Visit__c", {"Account__r": {"Code__c": "A2"}})
    assert answer.refusal == (400, "INVALID_FIELD")


def test_the_orgs_validation_rules_refuse_what_matches(org: Caller) -> None:
    rule = {"object": "Event", "field": "Subject", "pattern": "forbidden", "message": "No such subjects."}
    org.set(validation_rules=(rule,))
    refused = org.send("POST", "sobjects/Event", org.event_fields(Subject="this is forbidden"))
    assert refused.refusal == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert refused.json[0]["message"] == "No such subjects."
    org.task(Subject="this is forbidden")


def test_duplicate_rules_alert_or_block(org: Caller) -> None:
    org.set(duplicate_rules=({"object": "Lead", "fields": ["Email", "LastName"]},))
    lead = {"LastName": "Twin", "Company": "Twins", "Email": "twin@example.com"}
    org.create("Lead", **lead)
    again = {**lead, "Email": "TWIN@example.com"}
    assert org.send("POST", "sobjects/Lead", again).refusal == (400, "DUPLICATES_DETECTED")
    allow = {"sforce-duplicate-rule-header": "allowSave=true"}
    assert org.send("POST", "sobjects/Lead", again, headers=allow).status == 201
    org.set(duplicate_rules=({"object": "Lead", "fields": ["Email"], "blocks": True},))
    assert org.send("POST", "sobjects/Lead", again, headers=allow).refusal == (400, "DUPLICATES_DETECTED")


def test_another_session_cannot_write_an_account_while_its_locks_are_held(make_org: MakeOrg) -> None:
    org = make_org(dml_hold_s=10)
    task_id = org.task()
    other = org.act("issue_token", user=org.service.user_id)
    org.wait(9)
    assert org.edit("Task", task_id, token=other, Subject="x").refusal == (400, "UNABLE_TO_LOCK_ROW")
    assert org.edit("Account", org.account_id, token=other, Phone="1").refusal == (400, "UNABLE_TO_LOCK_ROW")
    assert org.edit("Account", org.world.accounts[1].crm_id, token=other, Phone="1").status == 204
    org.wait(1)
    assert org.edit("Task", task_id, token=other, Subject="x").status == 204


def test_a_change_shows_in_queries_only_after_a_while_if_the_org_is_that_slow(make_org: MakeOrg) -> None:
    org = make_org(visible_after_s=120)
    task_id = org.task(Subject="first")
    text = f"SELECT Subject FROM Task WHERE Id = '{task_id}'"
    assert org.query(text) == [] and org.get("Task", task_id)["Subject"] == "first"
    org.wait(120)
    org.edit("Task", task_id, Subject="second")
    assert org.query(text)[0]["Subject"] == "first"
    org.wait(119)
    assert org.query(text)[0]["Subject"] == "first"
    org.wait(1)
    assert org.query(text)[0]["Subject"] == "second"
    org.delete("Task", task_id)
    assert len(org.query(text)) == 1
    org.wait(120)
    assert org.query(text) == []


def test_the_clock_of_the_org_can_be_ahead_of_the_worlds(make_org: MakeOrg) -> None:
    org = make_org(clock_skew_s=600)
    assert org.get("Task", org.task())["CreatedDate"] == "2026-11-20T12:10:00.000+0000"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"WhatId": "003000000000000AAA"}, "WhatId"),
        ({"WhoId": "nobody"}, "WhoId"),
    ],
)
def test_a_wrong_id_is_said_with_the_label_and_the_field_is_named_by_its_api_name(
    org: Caller, fields: dict[str, str], named: str
) -> None:
    answer = org.send("POST", "sobjects/Task", {"Subject": "Call", **fields})
    assert answer.refusal == (400, "MALFORMED_ID")
    assert answer.json[0]["fields"] == [named]
    assert answer.json[0]["message"].split(":")[0] in ("Related To ID", "Name ID")


def test_a_wrong_id_of_a_row_names_the_field_id(org: Caller) -> None:
    body = {"records": [{"attributes": {"type": "Task"}, "id": "00U000000000000AAA", "Subject": "x"}]}
    (row,) = org.send("PATCH", "composite/sobjects", body).json
    (error,) = row["errors"]
    assert (error["statusCode"], error["fields"]) == ("MALFORMED_ID", ["Id"])
    assert error["message"].startswith("Task ID: ")


def test_an_org_that_tolerates_the_wrong_case_does_so_in_queries_too(org: Caller) -> None:
    event_id, small = org.event(), org.account_id.lower()
    org.set(wrong_case_id="tolerated")
    for condition in (f"Id = '{event_id.lower()}'", f"WhatId IN ('{small}')", f"What.Id = '{small}'"):
        assert event_id in [row["Id"] for row in org.query(f"SELECT Id FROM Event WHERE {condition}")], condition
    org.set(wrong_case_id="not_found")
    assert org.query(f"SELECT Id FROM Event WHERE Id = '{event_id.lower()}'") == []


def test_a_parent_is_named_by_id_or_by_external_id_but_not_by_both(org: Caller) -> None:
    org.act("add_custom_field", object="Account", name="Key__c", external_id=True)
    org.edit("Account", org.account_id, Key__c="A1")
    by_key = {"Account": {"Key__c": "A1"}, "LastName": "Roe"}
    for body in ({**by_key, "AccountId": org.account_id}, {"AccountId": org.account_id, **by_key}):
        answer = org.send("POST", "sobjects/Contact", body)
        assert answer.refusal == (400, "INVALID_FIELD")
        assert "both an external ID reference Account and a salesforce id, AccountId" in answer.json[0]["message"]
    assert org.get("Contact", org.create("Contact", **by_key))["AccountId"] == org.account_id


@pytest.mark.parametrize("attributes", [{}, {"attributes": {"type": "User"}}, {"attributes": {"type": "Nope"}}])
def test_a_parent_that_may_be_of_several_objects_is_named_with_its_own(org: Caller, attributes: dict[str, Any]) -> None:
    org.act("add_custom_field", object="Account", name="Key__c", external_id=True)
    org.edit("Account", org.account_id, Key__c="A1")
    answer = org.send("POST", "sobjects/Task", {"Subject": "x", "What": {"Key__c": "A1", **attributes}})
    assert answer.refusal == (400, "INVALID_FIELD")
    assert answer.json[0]["message"].endswith("does not reference a valid entity: What")
    task_id = org.create("Task", What={"Key__c": "A1", "attributes": {"type": "Account"}})
    assert org.get("Task", task_id)["WhatId"] == org.account_id
