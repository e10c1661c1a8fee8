from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Answer, Caller

MakeOrg = Callable[..., Caller]
EVENTS = [("q", "SELECT Id FROM Event ORDER BY Id")]


def window(start: str, end: str) -> list[tuple[str, str]]:
    return [("start", f"2026-11-{start}:00Z"), ("end", f"2026-11-{end}:00Z")]


def test_pages_are_as_long_as_asked_but_never_longer_than_the_org_likes(make_org: MakeOrg) -> None:
    org = make_org()
    org.act("seed_history", events=450, tasks=0, days=30)
    sizes = {"": 450, "batchSize=200": 200, "batchSize=50": 200, "batchSize=9999": 450}
    for header, size in sizes.items():
        answer = org.send("GET", "query", query=EVENTS, headers={"sforce-query-options": header}).json
        assert len(answer["records"]) >= size and answer["totalSize"] >= 450
    org.set(page_size=3)
    answer = org.send("GET", "query", query=EVENTS, headers={"sforce-query-options": "batchSize=500"}).json
    assert len(answer["records"]) == 3 and answer["done"] is False
    assert answer["nextRecordsUrl"].startswith("/services/data/v62.0/query/")


def test_a_locator_belongs_to_its_user_and_dies_after_its_life(make_org: MakeOrg) -> None:
    org = make_org(page_size=2, cursor_life_s=60)
    path = org.send("GET", "query", query=EVENTS).json["nextRecordsUrl"].removeprefix("/services/data/v62.0/")
    other = org.act("issue_token", user=org.world.members[0].person.email)
    assert org.send("GET", path).status == 200
    assert org.send("GET", path, token=other).refusal == (400, "INVALID_QUERY_LOCATOR")
    for wrong in ("query/nothing-2", path.rsplit("-", 1)[0]):
        assert org.send("GET", wrong).refusal == (400, "INVALID_QUERY_LOCATOR")
    org.wait(60)
    assert org.send("GET", path).refusal == (400, "INVALID_QUERY_LOCATOR")
    fresh = org.send("GET", "queryAll", query=EVENTS).json["nextRecordsUrl"].removeprefix("/services/data/v62.0/")
    org.act("expire_cursors")
    assert org.send("GET", fresh).refusal == (400, "INVALID_QUERY_LOCATOR")


def test_a_query_is_explained_without_being_run(org: Caller) -> None:
    plan = org.send("GET", "query", query=[("explain", "SELECT Id FROM Event")]).json
    assert plan["plans"][0]["sobjectType"] == "Event"
    refused = org.send("GET", "query", query=[("explain", "SELECT Nope FROM Event")])
    assert refused.refusal == (400, "INVALID_FIELD")
    assert org.send("GET", "query").refusal == (400, "MALFORMED_QUERY")


def test_days_are_those_of_the_user_who_asks(org: Caller) -> None:
    org.wait(11.5 * 3_600)
    org.task(Subject="late evening")
    berlin = org.act("add_user", email="berlin@example.com", time_zone="Europe/Berlin")
    token = org.act("issue_token", user=berlin["Id"])
    text = "SELECT Id FROM Task WHERE Subject = 'late evening' AND CreatedDate = TODAY"
    assert len(org.query(text)) == 1
    assert len(org.query(text, token=token)) == 1
    org.wait(3_600)
    assert org.query(text) == []
    assert len(org.query(text, token=token)) == 1


def test_the_list_of_changes_has_live_records_of_the_window_and_ignores_seconds(org: Caller) -> None:
    org.wait(65)
    first, gone, archived = org.event(), org.event(), org.event()
    org.delete("Event", gone)
    org.act("archive", ids=[archived])
    seconds = [("start", "2026-11-20T12:01:59Z"), ("end", "2026-11-20T12:02:59Z")]
    answer = org.send("GET", "sobjects/Event/updated", query=seconds).json
    assert (answer["ids"], answer["latestDateCovered"]) == ([first], "2026-11-20T12:01:00.000+0000")
    org.wait(600)
    org.act("touch", ids=[first])
    later = org.send("GET", "sobjects/Event/updated", query=window("20T12:11", "20T12:12")).json
    assert later["ids"] == [first]


def test_the_list_of_deletions_survives_the_recycle_bin_but_not_an_undelete(org: Caller) -> None:
    gone, back = org.event(), org.event()
    org.delete("Event", gone)
    org.delete("Event", back)
    org.act("undelete_record", id=back)
    assert org.act("purge") == 1
    org.wait(60)
    answer = org.send("GET", "sobjects/Event/deleted/", query=window("20T11:00", "20T12:30")).json
    assert [item["id"] for item in answer["deletedRecords"]] == [gone]
    assert answer["deletedRecords"][0]["deletedDate"] == "2026-11-20T12:00:00.000+0000"
    assert answer["latestDateCovered"] == "2026-11-20T12:01:00.000+0000"
    assert answer["earliestDateAvailable"] == "2026-11-05T12:01:00.000+0000"
    org.set(delete_log_s=30, covered_lag_s=600)
    cut = org.send("GET", "sobjects/Event/deleted/", query=window("20T11:00", "20T12:30")).json
    assert cut["deletedRecords"] == [] and cut["earliestDateAvailable"] == "2026-11-20T12:00:00.000+0000"
    assert cut["latestDateCovered"] == "2026-11-20T11:51:00.000+0000"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("deleted", window("04T12:00", "20T12:00"), "INVALID_REPLICATION_DATE"),
        ("deleted", window("20T12:00", "20T12:00"), "INVALID_REPLICATION_DATE"),
        ("updated", [("start", "2026-10-20T12:00:00Z"), ("end", "2026-11-20T12:00:00Z")], "INVALID_REPLICATION_DATE"),
        ("updated", [("start", "2026-11-20T12:00:00"), ("end", "2026-11-20T12:30:00Z")], "INVALID_REPLICATION_DATE"),
        ("updated", [("start", "2026-11-20T12:00:00Z")], "MISSING_ARGUMENT"),
    ],
)
def test_windows_that_reach_too_far_back_or_cannot_be_read_are_refused(
    org: Caller, path: str, query: list[tuple[str, str]], code: str
) -> None:
    assert org.send("GET", f"sobjects/Event/{path}", query=query).refusal == (400, code)


def test_a_record_leaves_the_recycle_bin_after_fifteen_days(org: Caller) -> None:
    event_id = org.event()
    org.delete("Event", event_id)
    text = f"SELECT Id FROM Event WHERE Id = '{event_id}'"
    org.wait(14 * 86_400)
    assert len(org.query(text, everything=True)) == 1
    org.wait(86_400)
    assert org.query(text, everything=True) == []
    assert org.send("GET", f"sobjects/Event/{event_id}").refusal == (404, "NOT_FOUND")


def test_a_deletion_moves_the_stamp_or_not(org: Caller) -> None:
    first, second = org.event(), org.event()
    org.wait(60)
    org.delete("Event", first)
    org.set(delete_moves_stamp=False)
    org.delete("Event", second)
    moved = org.held(first)["SystemModstamp"] - org.held(second)["SystemModstamp"]
    assert moved.total_seconds() == 60


def test_describe_is_304_when_nothing_changed_since(org: Caller) -> None:
    first = org.send("GET", "sobjects/Event/describe")
    since = {"if-modified-since": first.headers["Last-Modified"]}
    assert org.send("GET", "sobjects/Event/describe", headers=since).status == 304
    org.wait(60)
    org.act("add_custom_field", object="Event", name="New__c")
    assert org.send("GET", "sobjects/Event/describe", headers=since).status == 200


def job(org: Caller, **settings: Any) -> str:
    answer = org.send("POST", "jobs/ingest", {"object": "Event", "operation": "insert", **settings})
    assert answer.status == 200, answer.text
    assert (answer.json["state"], answer.json["apiVersion"]) == ("Open", 62.0)
    job_id: str = answer.json["id"]
    return job_id


def load(org: Caller, text: str, **settings: Any) -> tuple[Any, list[dict[str, str]], list[dict[str, str]]]:
    """The finished job, its successes and its failures."""
    job_id = job(org, **settings)
    sent = org.send("PUT", f"jobs/ingest/{job_id}/batches", body=text.encode(), media_type="text/csv")
    assert sent.status == 201
    assert org.send("PATCH", f"jobs/ingest/{job_id}", {"state": "UploadComplete"}).json["state"] == "UploadComplete"
    done = org.send("GET", f"jobs/ingest/{job_id}").json
    good, bad = (table(org.send("GET", f"jobs/ingest/{job_id}/{kind}Results")) for kind in ("successful", "failed"))
    return done, good, bad


def table(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_bulk_job_takes_other_delimiters_line_ends_parents_and_line_breaks_in_values(org: Caller) -> None:
    org.act("add_custom_field", object="Contact", name="Code__c", external_id=True)
    org.edit("Contact", org.contact_id, Code__c="C1")
    header = "Subject;ActivityDate;IsAllDayEvent;Description;Contact:Who.Code__c"
    text = header + '\r\n"a;b";2026-11-20;true;"two\nlines";C1\r\n'
    done, _, bad = load(org, text, columnDelimiter="SEMICOLON", lineEnding="CRLF")
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"], bad) == (
        "JobComplete",
        1,
        0,
        [],
    )
    event = org.query("SELECT Description, Who.Id FROM Event WHERE Subject = 'a;b'")[0]
    assert event["Description"] == "two\nlines"
    assert event["Who"]["Id"] == org.contact_id


def test_a_failed_row_has_its_id_and_error_and_the_others_go_on(org: Caller) -> None:
    event_id = org.event()
    text = f"Id,Subject\n{event_id},new\n00U000000000000AAA,new\n{event_id},{'x' * 256}\n"
    done, good, bad = load(org, text, operation="update")
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (3, 2)
    assert good == [{"sf__Id": event_id, "sf__Created": "false", "Id": event_id, "Subject": "new"}]
    errors = {row["sf__Error"].split(":")[0]: row["sf__Error"] for row in bad}
    assert set(errors) == {"NOT_FOUND", "STRING_TOO_LONG"}
    assert errors["STRING_TOO_LONG"].endswith(":Subject --")


def test_a_hard_delete_leaves_nothing_in_the_bin(org: Caller) -> None:
    event_id = org.event()
    load(org, f"Id\n{event_id}\n", operation="hardDelete")
    assert org.query(f"SELECT Id FROM Event WHERE Id = '{event_id}'", everything=True) == []


@pytest.mark.parametrize(
    ("operation", "text"),
    [("insert", "Nope\nx\n"), ("update", "Subject\nx\n"), ("delete", "Id,Subject\nx,y\n"), ("insert", "\n")],
)
def test_an_upload_with_wrong_columns_fails_as_a_whole(org: Caller, operation: str, text: str) -> None:
    job_id = job(org, operation=operation)
    org.send("PUT", f"jobs/ingest/{job_id}/batches", body=text.encode(), media_type="text/csv")
    org.send("PATCH", f"jobs/ingest/{job_id}", {"state": "UploadComplete"})
    done = org.send("GET", f"jobs/ingest/{job_id}").json
    assert done["state"] == "Failed" and done["errorMessage"].startswith("InvalidBatch")
    assert org.send("GET", f"jobs/ingest/{job_id}/unprocessedrecords").status == 200


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"object": "Nope", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Event", "operation": "explode"}, "INVALIDJOB"),
        ({"object": "Event", "operation": "upsert", "externalIdFieldName": "Subject"}, "INVALIDJOB"),
        ({"object": "Event", "operation": "insert", "columnDelimiter": "DOT"}, "INVALIDJOB"),
    ],
)
def test_a_job_that_cannot_be_is_not_made(org: Caller, settings: dict[str, str], code: str) -> None:
    assert org.send("POST", "jobs/ingest", settings).refusal == (400, code)


def test_a_job_goes_through_its_states_and_refuses_what_does_not_fit_them(make_org: MakeOrg) -> None:
    org = make_org(bulk_delay_s=30)
    job_id = job(org)
    path = f"jobs/ingest/{job_id}"
    assert org.send("PATCH", path, {"state": "UploadComplete"}).refusal == (400, "INVALIDJOBSTATE")
    assert org.send("DELETE", path).refusal == (400, "INVALIDJOBSTATE")
    assert org.send("PUT", f"{path}/batches", body=b"Subject\nx\n").status == 415
    csv_text = b"Subject,ActivityDate,IsAllDayEvent\nx,2026-11-20,true\n"
    assert org.send("PUT", f"{path}/batches", body=csv_text, media_type="text/csv").status == 201
    assert org.send("PUT", f"{path}/batches", body=csv_text, media_type="text/csv").refusal == (400, "INVALIDJOBSTATE")
    org.send("PATCH", path, {"state": "UploadComplete"})
    assert org.send("GET", path).json["state"] == "InProgress"
    assert org.send("GET", f"{path}/successfulResults").refusal == (400, "INVALIDJOBSTATE")
    org.wait(30)
    assert org.send("GET", path).json["state"] == "JobComplete"
    assert org.send("PATCH", path, {"state": "Aborted"}).refusal == (400, "INVALIDJOBSTATE")
    assert [item["id"] for item in org.send("GET", "jobs/ingest").json["records"]] == [job_id]
    assert org.send("DELETE", path).status == 204
    assert org.send("GET", path).refusal == (404, "NOT_FOUND")


def test_an_aborted_job_writes_nothing(org: Caller) -> None:
    before = len(org.rows("Event"))
    path = f"jobs/ingest/{job(org)}"
    org.send("PUT", f"{path}/batches", body=b"Subject\nx\n", media_type="text/csv")
    assert org.send("PATCH", path, {"state": "Aborted"}).json["state"] == "Aborted"
    assert table(org.send("GET", f"{path}/unprocessedRecords")) == [{"Subject": "x"}]
    assert len(org.rows("Event")) == before


def test_a_bulk_query_is_read_by_locator(make_org: MakeOrg) -> None:
    org = make_org(bulk_delay_s=5, bulk_page_size=4)
    body = {"operation": "queryAll", "query": "SELECT Id, Name, Owner.Name FROM Account"}
    job_id = org.send("POST", "jobs/query", body).json["id"]
    path = f"jobs/query/{job_id}"
    assert org.send("GET", path).json["state"] == "InProgress"
    assert org.send("GET", f"{path}/results").refusal == (400, "INVALIDJOBSTATE")
    org.wait(5)
    assert org.send("GET", path).json["numberRecordsProcessed"] == 8
    first = org.send("GET", f"{path}/results", query=[("maxRecords", "100")])
    assert (first.headers["Sforce-Locator"], first.headers["Sforce-NumberOfRecords"]) == ("4", "4")
    last = org.send("GET", f"{path}/results", query=[("locator", "4")])
    assert last.headers["Sforce-Locator"] == "null"
    names = {row["Name"] for row in [*table(first), *table(last)]}
    assert names == {account.name for account in org.world.accounts}
    assert org.send("GET", f"{path}/results", query=[("locator", "x")]).status == 400
    assert len(org.send("GET", "jobs/query").json["records"]) == 1
    assert org.send("PATCH", path, {"state": "Aborted"}).refusal == (400, "INVALIDJOBSTATE")
    assert org.send("DELETE", path).status == 204
    assert org.send("POST", "jobs/query", {"operation": "insert", "query": "x"}).refusal == (400, "INVALIDJOB")
    assert org.send("POST", "jobs/query", {**body, "query": "SELECT Nope FROM Account"}).status == 400


@pytest.mark.parametrize(
    ("since", "status"),
    [
        ("Fri, 20 Nov 2026 11:59:59 GMT", 200),
        ("Fri, 20 Nov 2026 12:00:00 GMT", 304),
        ("Fri, 20 Nov 2026 13:00:01 +0100", 304),
        ("Friday, 20-Nov-26 12:00:01 GMT", 304),
        ("Fri, 20 Nov 2026 12:00:00 -0000", 304),
        ("2026-11-20T12:00:00Z", 200),
        ("soon", 200),
    ],
)
def test_a_describe_is_not_sent_again_unless_it_changed_since_the_date_of_the_caller(
    org: Caller, since: str, status: int
) -> None:
    org.act("add_custom_field", object="Event", name="Room__c")
    assert org.send("GET", "sobjects/Event/describe", headers={"if-modified-since": since}).status == status


@pytest.mark.parametrize("most", ["abc", "0", "-5", "", "1.5", "²"])
def test_a_number_of_bulk_results_that_is_none_is_refused(org: Caller, most: str) -> None:
    answer = org.send("GET", f"jobs/query/{bulk_query(org)}/results", query=[("maxRecords", most)])
    assert answer.refusal == (400, "API_ERROR")


def test_a_number_of_bulk_results_may_be_larger_than_any_page(org: Caller) -> None:
    answer = org.send("GET", f"jobs/query/{bulk_query(org)}/results", query=[("maxRecords", "9" * 5_000)])
    assert (answer.status, answer.headers["Sforce-Locator"]) == (200, "null")


@pytest.mark.parametrize("row", ["-5", "99999", "9" * 5_000, "²", "x", "1 "])
def test_a_locator_that_nobody_was_given_is_refused(make_org: MakeOrg, row: str) -> None:
    org = make_org(page_size=2)
    cursor = org.send("GET", "query", query=EVENTS).json["nextRecordsUrl"].rpartition("/")[2].partition("-")[0]
    assert org.send("GET", f"query/{cursor}-{row}").refusal == (400, "INVALID_QUERY_LOCATOR")
    answer = org.send("GET", f"jobs/query/{bulk_query(org)}/results", query=[("locator", row)])
    assert answer.refusal == (400, "INVALID_QUERY_LOCATOR")


def bulk_query(org: Caller) -> str:
    """A job that has read all events."""
    job = org.send("POST", "jobs/query", {"operation": "query", "query": "SELECT Id FROM Event"}).json
    return str(job["id"])
