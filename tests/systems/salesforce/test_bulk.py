from __future__ import annotations

from typing import Any

import pytest
import requests
from tests.systems.salesforce.cast import EXPIRED, Stage, refused, signed_in, token
from tests.systems.wire import Say

from cshub.core.errors import (
    AmbiguousWrite,
    DataError,
    PermanentError,
    ProtocolFault,
    QuotaSpent,
    RequestRefused,
    ServiceUnavailable,
    ShortRead,
)
from cshub.core.ids import to_18
from cshub.systems.salesforce.bulk import Operation
from cshub.systems.salesforce.bulk_csv import table, uploads

JOB = "7505g00000AbCdE"
CREATED = Say(body={"id": JOB, "state": "Open"})
UPLOADED = Say(201)
TAKEN = Say(body={"id": JOB, "state": "UploadComplete"})
RUNNING = Say(body={"id": JOB, "state": "InProgress"})
COMPLETE = Say(body={"id": JOB, "state": "JobComplete"})
REMOVED = Say(204)
FIRST, SECOND, THIRD = (to_18(f"00U5g00000{number}zz") for number in (101, 102, 103))


def csv(text: str, **headers: str) -> Say:
    return Say(body=text.encode(), headers={"Content-Type": "text/csv", **headers})


def results(successful: str = "", failed: str = "", unprocessed: str = "") -> list[Say]:
    return [
        csv('"sf__Id","sf__Created","Subject","Totango__c"\n' + successful),
        csv('"sf__Id","sf__Error","Subject","Totango__c"\n' + failed),
        csv('"Subject","Totango__c"\n' + unprocessed),
    ]


ROWS: list[dict[str, Any]] = [
    {"Subject": "A, with\nlines", "Totango__c": "a"},
    {"Subject": None, "Totango__c": "b"},
    {"Totango__c": "c"},
]


def ingest(stage: Stage, operation: Operation = Operation.UPSERT) -> Any:
    return stage.client.bulk.ingest(
        "Event", operation, ROWS, key_column="Totango__c", external_id_field="Totango__c"
    )  # fmt: skip


def test_a_bulk_query_yields_rows_with_their_line_breaks_page_by_page() -> None:
    stage = signed_in(
        CREATED,
        RUNNING,
        COMPLETE,
        csv('"Id","Owner.Email"\n"1","a ""b""\nc"\n', **{"Sforce-Locator": "MTA", "Sforce-NumberOfRecords": "1"}),
        csv('"Id","Owner.Email"\n"2",""\n', **{"Sforce-Locator": "null", "Sforce-NumberOfRecords": "1"}),
        REMOVED,
    )
    pages = list(stage.client.bulk.query("SELECT Id, Owner.Email FROM Event", include_deleted=True))
    assert pages == [[{"Id": "1", "Owner.Email": 'a "b"\nc'}], [{"Id": "2", "Owner.Email": None}]]
    assert stage.body(1) == {"operation": "queryAll", "query": "SELECT Id, Owner.Email FROM Event"}
    assert stage.question(5) == {"maxRecords": "50000", "locator": "MTA"}
    assert stage.time.slept == [1.0]
    assert stage.asked()[-1] == f"DELETE data/v66.0/jobs/query/{JOB}"


def test_a_bulk_page_shorter_than_stated_is_a_short_read() -> None:
    stage = signed_in(CREATED, COMPLETE, csv('"Id"\n"1"\n', **{"Sforce-NumberOfRecords": "2"}))
    with pytest.raises(ShortRead):
        list(stage.client.bulk.query("SELECT Id FROM Event"))


def test_a_bulk_query_that_fails_tells_salesforces_reason() -> None:
    stage = signed_in(CREATED, Say(body={"state": "Failed", "errorMessage": "INVALIDJOB: no TYPEOF"}))
    with pytest.raises(RequestRefused, match="no TYPEOF"):
        list(stage.client.bulk.query("SELECT Id FROM Event"))


def test_a_session_that_expired_before_a_bulk_job_is_renewed() -> None:
    stage = signed_in(EXPIRED, token("second-token"), CREATED, COMPLETE, csv('"Id"\n'), REMOVED)
    assert list(stage.client.bulk.query("SELECT Id FROM Event")) == []


def test_rows_are_written_and_matched_to_results_in_any_order() -> None:
    stage = signed_in(
        CREATED,
        UPLOADED,
        TAKEN,
        COMPLETE,
        *results(
            successful=f'"{SECOND}","false","","b"\n"{FIRST}","true","A, with\nlines","a"\n',
            failed='"","STRING_TOO_LONG:Subject: too large:Subject --","","c"\n',
        ),
        REMOVED,
    )
    first, second, third = ingest(stage)
    assert (first.id, first.created, second.id, second.created) == (FIRST, True, SECOND, False)
    assert (third.errors[0].code, third.errors[0].message, third.errors[0].fields) == (
        "STRING_TOO_LONG",
        "Subject: too large",
        ("Subject",),
    )
    assert stage.body(1) == {
        "object": "Event",
        "operation": "upsert",
        "contentType": "CSV",
        "lineEnding": "LF",
        "externalIdFieldName": "Totango__c",
    }
    assert stage.sent[2].body == b'Subject,Totango__c\n"A, with\nlines",a\n#N/A,b\n,c\n'
    assert stage.sent[2].headers["Content-Type"] == "text/csv; charset=UTF-8"
    assert stage.body(3) == {"state": "UploadComplete"}


def test_ids_match_in_either_form() -> None:
    stage = signed_in(
        CREATED, UPLOADED, TAKEN, COMPLETE, csv(f'"sf__Id","sf__Created","Id"\n"{FIRST}","false","{FIRST[:15]}"\n'),
        csv('"sf__Id","sf__Error","Id"\n'), csv('"Id"\n'), REMOVED,
    )  # fmt: skip
    [verdict] = stage.client.bulk.ingest("Event", Operation.DELETE, [{"Id": FIRST.lower()}], key_column="Id")
    assert verdict.ok and verdict.id == FIRST


@pytest.mark.parametrize("rows", [[{"K": "a"}, {"K": "a"}], [{"K": None}], [{"X": "a"}]])
def test_a_key_column_that_does_not_tell_rows_apart_is_refused_before_anything_is_sent(rows: Any) -> None:
    stage = signed_in()
    with pytest.raises(DataError, match="does not tell the rows apart"):
        stage.client.bulk.ingest("Event", Operation.INSERT, rows, key_column="K")
    assert stage.sent == []


def test_rows_that_a_job_never_came_to_may_be_sent_later() -> None:
    failed = Say(body={"state": "Failed", "errorMessage": "ApiBatchItems Limit exceeded."})
    stage = signed_in(
        CREATED, UPLOADED, TAKEN, failed, *results(successful=f'"{FIRST}","true","","a"\n', unprocessed='"","b"\n')
    )
    first, second, third = ingest(stage)
    assert first.ok
    assert "ApiBatchItems Limit exceeded" in str(second.cause)
    assert isinstance(third.cause, ServiceUnavailable)


def test_an_upload_that_fails_has_written_nothing_and_its_job_is_aborted() -> None:
    stage = signed_in(CREATED, refused(400, "INVALIDJOBSTATE", "no"), Say(body={"state": "Aborted"}))
    with pytest.raises(RequestRefused):
        ingest(stage)
    assert stage.body(3) == {"state": "Aborted"}


def test_a_hand_over_whose_answer_was_lost_goes_on() -> None:
    twice = refused(400, "INVALIDJOBSTATE", "already uploaded")
    written = "".join(f'"{key}","true","","{name}"\n' for key, name in ((FIRST, "a"), (SECOND, "b"), (THIRD, "c")))
    steps = [CREATED, UPLOADED, Say(502), twice, RUNNING, COMPLETE, *results(written), REMOVED]
    assert [verdict.ok for verdict in ingest(signed_in(*steps))] == [True] * 3


@pytest.mark.parametrize(
    ("operation", "kind"), [(Operation.INSERT, AmbiguousWrite), (Operation.UPSERT, ServiceUnavailable)]
)
def test_results_that_never_come_are_ambiguous_for_an_insert_only(operation: Operation, kind: type[Exception]) -> None:
    stage = signed_in(CREATED, UPLOADED, TAKEN, requests.ConnectionError("reset"))
    if kind is AmbiguousWrite:
        assert all(isinstance(verdict.cause, AmbiguousWrite) for verdict in ingest(stage, operation))
    else:
        with pytest.raises(kind):
            ingest(stage, operation)


def test_a_job_that_takes_for_ever_is_given_up_with_its_number() -> None:
    stage = signed_in(CREATED, RUNNING)
    with pytest.raises(ServiceUnavailable, match=f"{JOB} is still InProgress"):
        list(stage.client.bulk.query("SELECT Id FROM Event"))
    assert max(stage.time.slept) == 20.0


def test_an_allowance_that_is_used_up_ends_a_bulk_job_too() -> None:
    with pytest.raises(QuotaSpent) as caught:
        ingest(signed_in(refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")))
    assert isinstance(caught.value, PermanentError)


@pytest.mark.parametrize("value", ["#N/A", "a\x00b", "\ud800"])
def test_a_text_that_csv_cannot_hold_spoils_its_own_row_only(value: str) -> None:
    stage = signed_in(CREATED, UPLOADED, TAKEN, COMPLETE, *results(f'"{FIRST}","true","","b"\n'), REMOVED)
    rows = [{"Subject": value, "Totango__c": "a"}, {"Subject": "x", "Totango__c": "b"}]
    first, second = stage.client.bulk.ingest("Event", Operation.INSERT, rows, key_column="Totango__c")
    assert isinstance(first.cause, DataError) and second.ok


def test_uploads_are_split_before_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cshub.systems.salesforce.bulk_csv.LARGEST_UPLOAD", 30)
    found = list(uploads(["Subject"], {0: ["x" * 10], 3: ["y" * 10], 5: ["z" * 40]}))
    assert [indexes for indexes, _ in found] == [[0, 3], [5]] or [indexes for indexes, _ in found] == [[0], [3], [5]]
    assert all(text.startswith(b"Subject\n") for _, text in found)


@pytest.mark.parametrize("body", [b'"Id","Name"\n"1"\n', b'"Id"\n"1\n', b'"Id"\n"1","2"\n'])
def test_a_table_that_was_cut_is_a_protocol_fault(body: bytes) -> None:
    with pytest.raises(ProtocolFault):
        table(body)
