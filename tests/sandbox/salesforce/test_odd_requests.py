"""Whatever is sent, the answer is one of the vendor's own: no request breaks the service."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cshub_sandbox.salesforce.routes import ROUTES
from cshub_sandbox.world import World

from .conftest import Caller

NAMES = ("Subject", "WhatId", "WhoId", "StartDateTime", "DurationInMinutes", "IsAllDayEvent", "ActivityDate", "OwnerId")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["2026-11-20", "2026-11-20T10:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(st.sampled_from([*NAMES, "attributes", "Account", "What", "id", "Totango_Id__c"]), VALUES)
BODIES = (
    VALUES
    | RECORDS
    | st.fixed_dictionaries(
        {},
        optional={
            "records": VALUES
            | st.lists(RECORDS | st.just({"attributes": {"type": "Event"}, "Subject": "x"}), max_size=3),
            "allOrNone": VALUES,
            "ids": VALUES,
            "fields": VALUES,
            "compositeRequest": st.lists(
                st.dictionaries(st.sampled_from(["method", "url", "body"]), VALUES), max_size=2
            ),
            "batchRequests": st.lists(st.dictionaries(st.sampled_from(["method", "url"]), VALUES), max_size=2),
            "object": VALUES | st.just("Event"),
            "operation": VALUES | st.sampled_from(["insert", "query", "upsert"]),
            "query": VALUES | st.just("SELECT Id FROM Event LIMIT 1"),
            "state": VALUES,
        },
    )
)
PARTS = st.sampled_from(["Event", "Task", "Nope", "00U000000000000AAA", "Totango_Id__c", "x", "7505g", "Name", "User"])
KEEP_THE_ORG = settings(max_examples=150, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def odd_org(world: World) -> Caller:
    return Caller(world, shared_activities=True)


@KEEP_THE_ORG
@given(route=st.sampled_from(ROUTES), parts=st.lists(PARTS, min_size=3, max_size=3), body=BODIES)
def test_any_body_to_any_address_is_answered(odd_org: Caller, route: Any, parts: list[str], body: Any) -> None:
    path = route.template.lstrip("/")
    for name, part in zip(("{object}", "{field}", "{value}"), parts, strict=True):
        path = path.replace(name, part)
    for name in ("{id}", "{locator}", "{job}", "{results}"):
        path = path.replace(name, parts[0])
    answer = odd_org.send(route.method, path, body=json.dumps(body).encode())
    assert answer.status < 500, answer.text
    if answer.status >= 400:
        assert all({"message", "errorCode"} <= set(error) for error in answer.json)


@KEEP_THE_ORG
@given(fields=RECORDS)
def test_any_event_is_written_or_refused_and_can_be_read_back(odd_org: Caller, fields: dict[str, Any]) -> None:
    body = json.dumps({**odd_org.event_fields(), **fields}).encode()
    answer = odd_org.send("POST", "sobjects/Event", body=body)
    assert answer.status in (201, 400), answer.text
    if answer.status == 201:
        assert odd_org.get("Event", answer.json["id"])["Id"] == answer.json["id"]


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ü", "Basic ü", "Basic x", "OAuth x", "Bearer " + "x" * 5_000]
)
def test_any_credentials_are_answered(org: Caller, authorization: str) -> None:
    headers = {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"}
    assert org.raw("GET", "/services/data/v62.0/limits", headers=headers).refusal == (401, "INVALID_SESSION_ID")
    body = b"grant_type=client_credentials"
    assert org.raw("POST", "/services/oauth2/token", headers=headers, body=body).status == 400
    assert org.raw("GET", "/services/oauth2/userinfo", headers=headers).text == "Bad_OAuth_Token"


@pytest.mark.parametrize("body", [b"", b"\xff", b"<a", b'<?xml version="1.0" encoding="nonsense"?><a/>', b"<a/>"])
def test_any_envelope_is_answered_with_a_fault(org: Caller, body: bytes) -> None:
    for version in ("59.0", "nan", "inf", "x"):
        assert org.raw("POST", f"/services/Soap/u/{version}", body=body).status == 500


def test_a_cell_too_long_for_csv_refuses_the_upload(org: Caller) -> None:
    job = org.send("POST", "jobs/ingest", {"object": "Event", "operation": "insert"}).json["id"]
    body = b"Subject\n" + b"x" * 200_000 + b"\n"
    sent = org.send("PUT", f"jobs/ingest/{job}/batches", body=body, media_type="text/csv")
    assert sent.refusal == (400, "INVALIDBATCH")
    again = org.send("PUT", f"jobs/ingest/{job}/batches", body=b"\xff", media_type="text/csv")
    assert again.refusal == (400, "INVALIDBATCH")


def test_a_bulk_query_whose_field_is_gone_fails_by_itself(make_org: Callable[..., Caller]) -> None:
    org = make_org(bulk_delay_s=5)
    body = {"operation": "query", "query": "SELECT Location FROM Event WHERE Location = 'x'"}
    job = org.send("POST", "jobs/query", body).json["id"]
    org.act("remove_field", object="Event", name="Location")
    org.act("set_field_permission", field="Event.Subject", access="hidden")
    org.wait(5)
    assert org.send("GET", f"jobs/query/{job}").json["state"] in ("Failed", "JobComplete")


def test_a_user_with_a_time_zone_nobody_knows_can_still_ask(org: Caller) -> None:
    user = org.act("add_user", email="mars@example.com", time_zone="Mars/Olympus")
    token = org.act("issue_token", user=user["Id"])
    org.query("SELECT Id FROM Event WHERE CreatedDate = TODAY", token=token)


def test_a_rule_that_is_no_regular_expression_is_refused(org: Caller) -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        org.set(validation_rules=({"object": "Event", "field": "Subject", "pattern": "("},))


@pytest.mark.parametrize("value", ["9999-12-31T23:59:00Z", "1600-01-01T00:00:00Z"])
def test_times_outside_the_calendar_of_the_service_are_refused(org: Caller, value: str) -> None:
    answer = org.send("POST", "sobjects/Event", org.event_fields(StartDateTime=value))
    assert answer.refusal == (400, "NUMBER_OUTSIDE_VALID_RANGE")
