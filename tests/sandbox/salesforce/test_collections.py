from __future__ import annotations

from typing import Any

import pytest

from .conftest import Answer, Caller


def rows(org: Caller, *records: dict[str, Any], name: str = "Event") -> list[dict[str, Any]]:
    return [{"attributes": {"type": name}, **record} for record in records]


def post(org: Caller, records: list[dict[str, Any]], **more: Any) -> Answer:
    return org.send("POST", "composite/sobjects", {"records": records, **more})


def codes(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return ["ok" if row["success"] else row["errors"][0]["statusCode"] for row in answer.json]


def test_every_record_gets_its_own_verdict_in_the_order_of_the_request(org: Caller) -> None:
    events = [org.event_fields(Subject=f"row {n}") for n in range(3)]
    events[1]["Subject"] = "x" * 256
    answer = post(org, rows(org, *events))
    assert codes(answer) == ["ok", "STRING_TOO_LONG", "ok"]
    (error,) = answer.json[1]["errors"]
    assert set(answer.json[1]) == {"success", "errors"} and answer.json[1]["success"] is False
    assert (set(error), error["fields"]) == ({"statusCode", "message", "fields"}, ["Subject"])
    assert [org.get("Event", answer.json[n]["id"])["Subject"] for n in (0, 2)] == ["row 0", "row 2"]


def test_all_or_none_writes_nothing_when_one_record_fails(org: Caller) -> None:
    before = len(org.rows("Event"))
    answer = post(org, rows(org, org.event_fields(), {"Nope": 1}), allOrNone=True)
    assert codes(answer) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_FIELD"]
    assert len(org.rows("Event")) == before
    assert codes(post(org, rows(org, org.event_fields()), allOrNone=True)) == ["ok"]


def test_an_unknown_field_can_spoil_the_whole_call_if_the_org_is_like_that(org: Caller) -> None:
    org.set(unreadable_record="call")
    before = len(org.rows("Event"))
    assert post(org, rows(org, org.event_fields(), {"Nope": 1})).refusal == (400, "INVALID_FIELD")
    assert len(org.rows("Event")) == before


def test_at_most_200_records_and_10_changes_of_type_in_one_call(org: Caller) -> None:
    assert len(codes(post(org, rows(org, *[org.event_fields()] * 200)))) == 200
    assert post(org, rows(org, *[org.event_fields()] * 201)).refusal == (400, "EXCEEDED_ID_LIMIT")
    pair = rows(org, org.event_fields()) + rows(org, {"Subject": "x"}, name="Task")
    assert codes(post(org, pair * 5)) == ["ok"] * 10
    assert post(org, pair * 6).refusal == (400, "LIMIT_EXCEEDED")


@pytest.mark.parametrize("body", [{}, {"records": "x"}, {"records": [1]}, {"records": [{"Subject": "x"}]}])
def test_a_body_without_typed_records_is_refused(org: Caller, body: Any) -> None:
    assert org.send("POST", "composite/sobjects", body).status == 400


def test_updates_name_their_record_by_id(org: Caller) -> None:
    event_id, gone = org.event(), org.event()
    org.delete("Event", gone)
    answer = org.send(
        "PATCH",
        "composite/sobjects",
        {
            "records": rows(
                org,
                {"id": event_id[:15], "Subject": "new"},
                {"id": gone, "Subject": "new"},
                {"id": "00U000000000000AAA", "Subject": "new"},
                {"id": "nonsense", "Subject": "new"},
                {"Subject": "new"},
                {"Id": event_id, "AccountId": org.account_id},
            )
        },
    )
    assert codes(answer) == [
        "ok",
        "ENTITY_IS_DELETED",
        "NOT_FOUND",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    ]
    assert answer.json[0]["id"] == event_id
    assert org.get("Event", event_id)["Subject"] == "new"


def test_the_code_for_an_unknown_id_can_be_another(org: Caller) -> None:
    org.set(unknown_record_code="INVALID_CROSS_REFERENCE_KEY")
    records = rows(org, {"id": "00U000000000000AAA", "Subject": "new"})
    assert codes(org.send("PATCH", "composite/sobjects", {"records": records})) == ["INVALID_CROSS_REFERENCE_KEY"]


def test_deletes_may_mix_objects(org: Caller) -> None:
    event_id, task_id = org.event(), org.task()
    ids = f"{event_id},{task_id[:15]},{event_id},zzz000000000000AAA"
    answer = org.send("DELETE", "composite/sobjects", query=[("ids", ids), ("allOrNone", "false")])
    assert codes(answer) == ["ok", "ok", "ENTITY_IS_DELETED", "MALFORMED_ID"]
    undone = org.send("DELETE", "composite/sobjects", query=[("ids", f"{org.task()},{task_id}"), ("allOrNone", "true")])
    assert codes(undone) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "ENTITY_IS_DELETED"]


def test_upserts_by_external_id_say_which_were_created(org: Caller) -> None:
    org.event(Totango_Id__c="known")
    records = rows(
        org,
        org.event_fields(Totango_Id__c="KNOWN", Subject="edited"),
        org.event_fields(Totango_Id__c="new"),
        org.event_fields(Totango_Id__c="twice"),
        org.event_fields(Totango_Id__c="TWICE"),
        org.event_fields(),
    )
    answer = org.send("PATCH", "composite/sobjects/Event/Totango_Id__c", {"records": records})
    assert codes(answer) == ["ok", "ok", "DUPLICATE_VALUE", "DUPLICATE_VALUE", "MISSING_ARGUMENT"]
    assert [row["created"] for row in answer.json[:2]] == [False, True]
    assert org.send("PATCH", "composite/sobjects/Event/Subject", {"records": []}).refusal == (404, "NOT_FOUND")
    other = org.send("PATCH", "composite/sobjects/Task/Totango_Id__c", {"records": records})
    assert other.refusal == (400, "INVALID_TYPE")


def test_up_to_2000_records_are_read_at_once_and_missing_ones_are_null(org: Caller) -> None:
    event_id, gone = org.event(), org.event()
    org.delete("Event", gone)
    asked = {"ids": [gone, event_id[:15], "00U000000000000AAA"], "fields": ["subject"]}
    found = org.send("POST", "composite/sobjects/Event", asked).json
    assert found[0] is None and found[2] is None and found[1]["Subject"] == "Review"
    by_address = org.send("GET", "composite/sobjects/Event", query=[("ids", event_id), ("fields", "Id,Subject")])
    assert by_address.json[0]["Id"] == event_id
    refused = [
        ({"ids": [event_id] * 2_001, "fields": ["Id"]}, "EXCEEDED_ID_LIMIT"),
        ({"ids": [event_id], "fields": ["Nope"]}, "INVALID_FIELD"),
        ({"ids": [event_id]}, "MISSING_ARGUMENT"),
    ]
    for body, code in refused:
        assert org.send("POST", "composite/sobjects/Event", body).refusal == (400, code)
    assert (
        len(org.send("POST", "composite/sobjects/Event", {"ids": [event_id] * 2_000, "fields": ["Id"]}).json) == 2_000
    )


def test_two_sessions_that_write_one_account_lock_each_other_out_row_by_row(org: Caller) -> None:
    org.set(dml_hold_s=5)
    second = org.world.accounts[1].crm_id
    other = org.act("issue_token", user=org.service.user_id)
    assert codes(post(org, rows(org, org.event_fields(), org.event_fields()))) == ["ok", "ok"]
    records = rows(org, org.event_fields(), org.event_fields(WhatId=second))
    answer = org.send("POST", "composite/sobjects", {"records": records}, token=other)
    assert codes(answer) == ["UNABLE_TO_LOCK_ROW", "ok"]


def test_a_composite_call_can_use_what_came_before(org: Caller) -> None:
    address = "/services/data/v62.0/sobjects"
    parts = [
        {"method": "POST", "url": f"{address}/Account", "referenceId": "acc", "body": {"Name": "New"}},
        {
            "method": "POST",
            "url": f"{address}/Task",
            "referenceId": "task",
            "body": {"Subject": "x", "WhatId": "@{acc.id}"},
        },
        {"method": "GET", "url": f"{address}/Task/@{{task.id}}?fields=WhatId", "referenceId": "read"},
        {"method": "GET", "url": f"{address}/Task/@{{nothing.id}}", "referenceId": "lost"},
        {"method": "PATCH", "url": f"{address}/Task/@{{task.id}}", "referenceId": "bad", "body": {"Nope": 1}},
    ]
    answers = org.send("POST", "composite", {"compositeRequest": parts}).json["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [201, 201, 200, 400, 400]
    assert answers[2]["body"]["WhatId"] == answers[0]["body"]["id"]
    assert answers[4]["body"][0]["errorCode"] == "INVALID_FIELD"


def test_a_composite_call_of_all_or_none_is_undone(org: Caller) -> None:
    before = len(org.rows("Account"))
    parts = [
        {"method": "POST", "url": "/services/data/v62.0/sobjects/Account", "referenceId": "a", "body": {"Name": "x"}},
        {"method": "POST", "url": "/services/data/v62.0/sobjects/Account", "referenceId": "b", "body": {}},
    ]
    answer = org.send("POST", "composite", {"allOrNone": True, "compositeRequest": parts}).json["compositeResponse"]
    assert [part["body"][0]["errorCode"] for part in answer] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert len(org.rows("Account")) == before
    assert org.send("POST", "composite", {"compositeRequest": parts * 13}).refusal == (400, "LIMIT_EXCEEDED")
    assert org.send("POST", "composite", {"compositeRequest": 1}).refusal == (400, "JSON_PARSER_ERROR")


def test_a_batch_answers_part_by_part_and_halts_when_asked(org: Caller) -> None:
    parts = [
        {"method": "GET", "url": "v62.0/sobjects/Account/none"},
        {"method": "GET", "url": "v62.0/limits"},
    ]
    answer = org.send("POST", "composite/batch", {"batchRequests": parts}).json
    assert answer["hasErrors"] and [part["statusCode"] for part in answer["results"]] == [404, 200]
    halted = org.send("POST", "composite/batch", {"batchRequests": parts, "haltOnError": True}).json
    assert [part["statusCode"] for part in halted["results"]] == [404, 412]


def test_the_parts_of_a_composite_call_may_count_as_calls(org: Caller) -> None:
    org.set(subrequests_count=True)
    parts = [{"method": "GET", "url": "v62.0/limits"}] * 5
    org.send("POST", "composite/batch", {"batchRequests": parts})
    assert org.service.state()["calls_used"] == 5
