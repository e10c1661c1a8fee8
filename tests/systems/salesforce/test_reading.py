from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.systems.salesforce.cast import event, page, refused, signed_in
from tests.systems.wire import Say

from cshub.core.errors import DataError, NotFound, ProtocolFault, ShortRead, SpecError
from cshub.core.ids import to_18
from cshub.systems.salesforce.models import Limit

NEXT = "/services/data/v66.0/query/01g5g00000AbCdE-2000"
QUERY = "SELECT Id, Subject FROM Event"
DESCRIBED = {
    "name": "Event",
    "label": "Event",
    "keyPrefix": "00U",
    "createable": True,
    "queryable": True,
    "fields": [
        {"name": "Id", "label": "Event ID", "type": "id", "length": 18, "filterable": True, "nillable": False},
        {
            "name": "Type",
            "label": "Type",
            "type": "picklist",
            "length": 40,
            "createable": True,
            "restrictedPicklist": True,
            "picklistValues": [{"value": "Call", "label": "A call", "active": True, "defaultValue": True}],
        },
        {
            "name": "OwnerId",
            "type": "reference",
            "createable": True,
            "nillable": False,
            "defaultedOnCreate": True,
            "referenceTo": ["Calendar", "User"],
            "relationshipName": "Owner",
        },
        {
            "name": "Totango__c",
            "type": "string",
            "length": 40,
            "externalId": True,
            "nillable": False,
            "createable": True,
        },
    ],
}


def moment(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 20, hour, minute, second, tzinfo=UTC)


def test_pages_are_followed_one_at_a_time() -> None:
    stage = signed_in(page(event(1), event(2), total=3, following=NEXT), page(event(3), total=3))
    pages = stage.client.query(QUERY)
    assert stage.sent == []
    assert [row["Subject"] for row in next(pages)] == ["Event 1", "Event 2"]
    assert len(stage.sent) == 2
    assert [row["Subject"] for row in next(pages)] == ["Event 3"]
    assert list(pages) == []
    assert stage.asked()[1:] == ["GET data/v66.0/query/", "GET data/v66.0/query/01g5g00000AbCdE-2000"]


def test_deleted_and_archived_records_come_when_asked_for_with_the_hint_of_the_page_size() -> None:
    stage = signed_in(page(event(1)))
    list(stage.client.query(QUERY, include_deleted=True, page_rows=50))
    assert stage.asked()[1] == "GET data/v66.0/queryAll/"
    assert stage.question(1) == {"q": QUERY}
    assert stage.sent[1].headers["Sforce-Query-Options"] == "batchSize=200"


@pytest.mark.parametrize(
    "last",
    [
        page(event(3), total=5),
        page(event(3), event(4), event(5), event(6), total=5),
        Say(body={"totalSize": 5, "done": False, "records": []}),
        page(total=5, following=NEXT),
    ],
)
def test_a_result_that_is_not_as_long_as_stated_is_a_short_read(last: Say) -> None:
    stage = signed_in(page(event(1), event(2), total=5, following=NEXT), last)
    with pytest.raises(ShortRead):
        list(stage.client.query(QUERY))


def test_a_next_page_on_another_host_is_not_followed() -> None:
    stage = signed_in(page(event(1), total=2, following="@evil.example/services/data/x"))
    with pytest.raises(ShortRead):
        list(stage.client.query(QUERY))
    assert len(stage.sent) == 2


def test_a_cursor_that_is_gone_is_not_asked_again() -> None:
    gone = refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    stage = signed_in(page(event(1), total=2, following=NEXT), gone)
    with pytest.raises(ShortRead, match="read again"):
        list(stage.client.query(QUERY))
    assert len(stage.sent) == 3


@pytest.mark.parametrize("body", [[], {"records": []}, {"totalSize": "1", "done": True, "records": []}])
def test_an_answer_that_is_no_page_is_a_protocol_fault(body: Any) -> None:
    with pytest.raises(ProtocolFault):
        list(signed_in(Say(body=body)).client.query(QUERY))


def test_a_count_has_a_number_and_no_rows() -> None:
    stage = signed_in(Say(body={"totalSize": 41, "done": True, "records": []}))
    assert stage.client.count("SELECT COUNT() FROM Event") == 41
    assert list(stage.client.query("SELECT COUNT() FROM Event")) == []


def test_a_query_too_long_for_an_address_is_not_sent() -> None:
    stage = signed_in(page())
    with pytest.raises(SpecError, match="shorten the condition"):
        list(stage.client.query(f"SELECT Id FROM Event WHERE Subject = '{'x' * 15_000}'"))
    assert stage.sent == []


def test_a_query_is_proved_by_its_plan_or_by_its_first_row() -> None:
    stage = signed_in(Say(body={"plans": [{"cardinality": 5}]}), page(event(1)))
    assert stage.client.explain(QUERY) == [{"cardinality": 5}]
    assert stage.question(1) == {"explain": QUERY}
    assert [row["Subject"] for row in stage.client.probe(QUERY)] == ["Event 1"]
    assert stage.question(2) == {"q": f"{QUERY} LIMIT 1"}


def test_an_object_is_described_once() -> None:
    stage = signed_in(Say(body=DESCRIBED))
    described = stage.client.describe("Event")
    assert stage.client.describe("event") is described
    assert stage.asked()[1:] == ["GET data/v66.0/sobjects/Event/describe"]
    assert (described.key_prefix, described.createable, described.deletable) == ("00U", True, False)
    kind, owner, key = described.fields["Type"], described.field("ownerid"), described.fields["Totango__c"]
    assert kind.restricted_picklist and kind.picklist[0].label == "A call" and not kind.required_on_create
    assert owner is not None and owner.polymorphic and described.parent("owner") is owner
    assert key.is_upsert_key and key.required_on_create
    assert described.field("Nothing") is None


def test_an_object_that_is_not_there_is_told() -> None:
    stage = signed_in(refused(404, "NOT_FOUND", "The requested resource does not exist"))
    with pytest.raises(NotFound, match="this user may not see it"):
        stage.client.describe("Visit__c")
    with pytest.raises(SpecError, match="is no name in Salesforce"):
        stage.client.describe("../limits")


def test_all_objects_are_listed() -> None:
    stage = signed_in(Say(body={"sobjects": [{"name": "Event", "keyPrefix": "00U", "queryable": True}]}))
    [found] = stage.client.describe_global()
    assert (found.name, found.label, found.queryable, found.custom) == ("Event", "Event", True, False)


def test_records_are_retrieved_by_id_and_those_that_are_gone_are_none() -> None:
    first, second, third = (to_18(f"00U5g000000Aa{number:02}") for number in range(3))
    stage = signed_in(Say(body=[{"Id": third, "Subject": "c"}, None, {"Id": first, "Subject": "a"}]))
    found = stage.client.retrieve("Event", [first[:15], second.lower(), third], ["Subject", "Id"])
    assert [(key, row and row["Subject"]) for key, row in found.items()] == [(first, "a"), (second, None), (third, "c")]
    assert stage.asked()[1] == "POST data/v66.0/composite/sobjects/Event"
    assert stage.body(1) == {"ids": [first, second, third], "fields": ["Id", "Subject"]}


def test_two_thousand_records_are_retrieved_a_call() -> None:
    ids = [to_18(f"00U5g00000{number:05}") for number in range(2_001)]
    stage = signed_in(Say(body=[None] * 2_000), Say(body=[None]))
    assert len(stage.client.retrieve("Event", [*ids, ids[0]], ["Id"])) == 2_001
    assert stage.client.calls == 3


@pytest.mark.parametrize("body", [[], [None, None], {"records": []}])
def test_a_retrieve_that_is_not_answered_for_every_id_is_a_short_read(body: Any) -> None:
    with pytest.raises(ShortRead):
        signed_in(Say(body=body)).client.retrieve("Event", ["00U5g0000000001"], ["Id"])


def test_an_id_that_is_none_is_not_sent() -> None:
    stage = signed_in()
    with pytest.raises(DataError, match="not a Salesforce id"):
        stage.client.retrieve("Event", ["00u5g00000abcde"[:14]], ["Id"])
    assert stage.sent == []


def test_a_retrieve_survives_a_lost_answer_as_it_only_reads() -> None:
    stage = signed_in(Say(502), Say(body=[None]))
    assert stage.client.retrieve("Event", ["00U5g0000000001"], ["Id"]) == {to_18("00U5g0000000001"): None}


def test_deletions_are_read_in_whole_minutes_with_what_they_cover() -> None:
    stage = signed_in(
        Say(
            body={
                "deletedRecords": [{"id": "00U5g0000000001", "deletedDate": "2026-11-20T09:30:00.000+0000"}],
                "earliestDateAvailable": "2026-11-10T00:00:00.000+0000",
                "latestDateCovered": "2026-11-20T10:00:00.000+0000",
            }
        )
    )
    found = stage.client.deleted("Event", moment(9, 0, 30), moment(10, 0, 1))
    assert stage.question(1) == {"start": "2026-11-20T09:00:00+00:00", "end": "2026-11-20T10:01:00+00:00"}
    assert [(item.id, item.deleted_at) for item in found.deletions] == [(to_18("00U5g0000000001"), moment(9, 30))]
    assert (found.covered_until, found.has_gap) == (moment(10), False)


def test_a_log_of_deletions_that_begins_too_late_is_a_gap() -> None:
    body = {
        "deletedRecords": [],
        "earliestDateAvailable": "2026-11-20T09:01:00.000+0000",
        "latestDateCovered": "2026-11-20T10:00:00.000+0000",
    }
    assert signed_in(Say(body=body)).client.deleted("Event", moment(9), moment(10)).has_gap


def test_a_window_of_no_minute_is_widened_to_one() -> None:
    stage = signed_in(Say(body={"ids": [], "latestDateCovered": "2026-11-20T09:01:00.000Z"}))
    assert stage.client.updated("Event", moment(9), moment(9)).ids == ()
    assert stage.question(1)["end"] == "2026-11-20T09:01:00+00:00"


def test_a_window_further_back_than_salesforce_remembers_is_told() -> None:
    stage = signed_in(refused(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date"))
    with pytest.raises(SpecError, match="15 days back"):
        stage.client.deleted("Event", moment(9), moment(10))


@pytest.mark.parametrize("body", [{}, {"deletedRecords": [{"id": "x"}]}, [1], {"ids": "x"}])
def test_a_change_list_of_another_form_is_a_protocol_fault(body: Any) -> None:
    client = signed_in(Say(body=body)).client
    with pytest.raises(ProtocolFault):
        client.deleted("Event", moment(9), moment(10))
    with pytest.raises(ProtocolFault):
        client.updated("Event", moment(9), moment(10))


def test_limits_and_the_usage_of_the_day_are_told() -> None:
    answer = Say(body={"DailyApiRequests": {"Max": 15_000, "Remaining": 14_998}, "Odd": 3})
    stage = signed_in(Say(answer.status, answer.body, {"Sforce-Limit-Info": "api-usage=18/15000"}))
    assert stage.client.api_usage is None
    assert stage.client.limits() == {"DailyApiRequests": Limit("DailyApiRequests", 15_000, 14_998)}
    assert stage.client.api_usage == (18, 15_000)


def test_more_rows_than_the_threshold_are_for_bulk() -> None:
    assert not signed_in().client.prefers_bulk(1_000_000)
    assert [signed_in(bulk_threshold=2_000).client.prefers_bulk(rows) for rows in (2_000, 2_001)] == [False, True]
