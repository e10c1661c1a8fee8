"""The vendor's users' own client, simple-salesforce, works against the sandbox unchanged."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from cshub_sandbox.salesforce.adapter import sandbox_session
from cshub_sandbox.testing import RunningSandbox, start_sandbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
VERSION = "62.0"
Client = Any  # its attributes are made up on the way, which no type tells
Connect = Callable[..., Client]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(["salesforce"], accounts=10, meetings=0, cases=False, now=NOW) as running:
        yield running


@pytest.fixture
def session(sandbox: RunningSandbox) -> Iterator[requests.Session]:
    with sandbox_session(sandbox.salesforce.url) as session:
        yield session


@pytest.fixture
def connect(sandbox: RunningSandbox, session: requests.Session) -> Connect:
    return partial(Salesforce, version=VERSION, session=session)


@pytest.fixture
def sf(sandbox: RunningSandbox, connect: Connect) -> Client:
    login = sandbox.salesforce_login
    return connect(consumer_key=login["client_id"], consumer_secret=login["client_secret"], domain=login["domain"])


@pytest.fixture
def account_id(sandbox: RunningSandbox) -> str:
    return sandbox.sandbox.world.accounts[0].crm_id


def event(account_id: str, **fields: Any) -> dict[str, Any]:
    start = {"StartDateTime": "2026-11-20T10:00:00Z", "DurationInMinutes": 30}
    return {"Subject": "Review", "WhatId": account_id, **start, **fields}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_client_credentials_sign_in_and_say_who_they_are(sandbox: RunningSandbox, sf: Client) -> None:
    assert sf.sf_instance == "acme.my.salesforce.com"
    me = sf.oauth2("userinfo")
    service = sandbox.sandbox.service("salesforce")
    assert (me["user_id"], me["organization_id"]) == (service.user_id, service.organization_id)
    assert me["preferred_username"] == sandbox.salesforce_login["username"]


def test_a_signed_assertion_signs_in(sandbox: RunningSandbox, connect: Connect) -> None:
    login = sandbox.salesforce_login
    key = sandbox.sandbox.service("salesforce").private_key
    sf = connect(
        username=login["username"],
        consumer_key=login["client_id"],
        privatekey=key,
        instance_url=login["domain"],
        domain="login",
    )
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == 10


def test_soap_with_password_and_security_token_signs_in(sandbox: RunningSandbox, connect: Connect) -> None:
    login = sandbox.salesforce_login
    names = {"username": login["username"], "password": login["password"]}
    sf = connect(**names, security_token=login["security_token"], domain=login["domain"])
    assert sf.limits()["DailyApiRequests"]["Max"] == 100_000
    by_org = connect(**names, organizationId=sandbox.sandbox.service("salesforce").organization_id)
    assert by_org.sf_instance == "acme.my.salesforce.com"


def test_soap_login_is_gone_in_the_newest_versions(sandbox: RunningSandbox, session: requests.Session) -> None:
    login = sandbox.salesforce_login
    names: dict[str, Any] = {name: login[name] for name in ("username", "password", "security_token")}
    with pytest.raises(SalesforceAuthenticationFailed, match="UNSUPPORTED_API_VERSION"):
        Salesforce(**names, version="65.0", session=session)


def test_the_password_flow_signs_in_and_wrong_passwords_are_refused(sandbox: RunningSandbox, connect: Connect) -> None:
    login = sandbox.salesforce_login
    app = {"consumer_key": login["client_id"], "consumer_secret": login["client_secret"], "domain": login["domain"]}
    typed = login["password"] + login["security_token"]
    assert connect(username=login["username"], password=typed, **app).session_id
    with pytest.raises(SalesforceAuthenticationFailed, match="authentication failure"):
        connect(username=login["username"], password="wrong", **app)
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_LOGIN"):
        connect(username=login["username"], password="wrong", security_token="")


def test_a_session_id_from_elsewhere_is_enough(sandbox: RunningSandbox, connect: Connect) -> None:
    sf = connect(session_id=sandbox.salesforce.token, instance_url="https://acme.my.salesforce.com")
    assert sf.query("SELECT Id FROM User LIMIT 1")["totalSize"] == 1


def test_queries_are_read_page_by_page(sandbox: RunningSandbox, sf: Client, account_id: str) -> None:
    sandbox.control.switch("salesforce", page_size=7)
    try:
        first = sf.query("SELECT Id, Subject, What.Name, Owner.Email FROM Event ORDER BY Id")
        rest = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        all_ids = [row["Id"] for row in sf.query_all_iter("SELECT Id FROM Event ORDER BY Id")]
    finally:
        sandbox.control.switch("salesforce", page_size=2_000)
    assert not first["done"] and len(first["records"]) == 7
    assert [row["Id"] for row in [*first["records"], *rest["records"]]] == all_ids[:14]
    assert len(all_ids) == first["totalSize"] == len(set(all_ids))
    assert all(row["Owner"]["Email"] and row["What"]["Name"] for row in first["records"])


def test_quoted_values_come_back(sf: Client, account_id: str) -> None:
    subject = 'O\'Brien "quoted" 100% back\\slash + Ünï'
    created = sf.Event.create(event(account_id, Subject=subject))
    found = sf.query(format_soql("SELECT Id, Subject FROM Event WHERE Subject = {}", subject))
    assert [(row["Id"], row["Subject"]) for row in found["records"]] == [(created["id"], subject)]


def test_describe_and_metadata(sf: Client) -> None:
    names = {item["name"] for item in sf.describe()["sobjects"]}
    assert {"Account", "Event", "Task", "User"} <= names
    fields = {field["name"]: field for field in sf.Event.describe()["fields"]}
    assert fields["Totango_Id__c"]["externalId"] and fields["Totango_Id__c"]["unique"]
    assert fields["Subject"]["length"] == 255 and not fields["AccountId"]["createable"]
    assert sf.Task.metadata()["objectDescribe"]["keyPrefix"] == "00T"
    assert sf.is_sandbox() is False


def test_a_record_lives_through_create_read_update_and_delete(sf: Client, account_id: str) -> None:
    created = sf.Event.create(event(account_id))
    assert created["success"] and created["id"].startswith("00U")
    assert sf.Event.get(created["id"])["AccountId"] == account_id
    assert sf.Event.update(created["id"], {"Subject": "Renamed"}) == 204
    assert sf.Event.get(created["id"][:15])["Subject"] == "Renamed"
    assert sf.Event.delete(created["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        sf.Event.get(created["id"])
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        sf.Event.create({"Nothing": 1})
    deleted = sf.query(f"SELECT IsDeleted FROM Event WHERE Id = '{created['id']}'", include_deleted=True)
    assert [row["IsDeleted"] for row in deleted["records"]] == [True]


@pytest.mark.parametrize("key", ["plain", "with space", "a+b", "50%", "a/b", "Ünï", "it's"])
def test_upsert_by_external_id_creates_then_updates_whatever_the_value(sf: Client, account_id: str, key: str) -> None:
    address = format_external_id("Totango_Id__c", key)
    assert sf.Event.upsert(address, event(account_id)) == 201
    assert sf.Event.upsert(address, {"Subject": "Second"}) == 200
    assert sf.query(format_soql("SELECT Subject FROM Event WHERE Totango_Id__c = {}", key))["totalSize"] == 1
    assert sf.Event.delete(address) == 204


def test_several_records_with_one_external_id_are_answered_300(
    sandbox: RunningSandbox, sf: Client, account_id: str
) -> None:
    sandbox.control.act("salesforce", "add_custom_field", object="Account", name="Old_Id__c", external_id=True)
    for account in sandbox.sandbox.world.accounts[:2]:
        sf.Account.update(account.crm_id, {"Old_Id__c": "same"})
    with pytest.raises(SalesforceMoreThanOneRecord):
        sf.Account.get_by_custom_id("Old_Id__c", "same")


def test_lists_of_updated_and_deleted_records(sandbox: RunningSandbox, sf: Client, account_id: str) -> None:
    start = sandbox.control.now() - timedelta(minutes=1)
    kept, gone = sf.Task.create({"Subject": "a"})["id"], sf.Task.create({"Subject": "b"})["id"]
    sf.Task.delete(gone)
    sandbox.control.advance(120)
    end = sandbox.control.now()
    assert kept in sf.Task.updated(start, end)["ids"]
    answer = sf.Task.deleted(start, end)
    assert [item["id"] for item in answer["deletedRecords"]] == [gone]
    assert set(answer) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}


def test_collections_through_restful(sf: Client, account_id: str) -> None:
    records = [{"attributes": {"type": "Event"}, **event(account_id, Subject=f"row {n}")} for n in range(3)]
    records[1]["Subject"] = "x" * 256
    verdicts = sf.restful("composite/sobjects", method="POST", json={"allOrNone": False, "records": records})
    assert [verdict["success"] for verdict in verdicts] == [True, False, True]
    assert verdicts[1]["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    ids = [verdict["id"] for verdict in verdicts if verdict["success"]]
    asked = {"ids": [ids[0], "00U000000000000AAA", ids[1]], "fields": ["Id", "Subject"]}
    found = sf.restful("composite/sobjects/Event", method="POST", json=asked)
    assert [row and row["Subject"] for row in found] == ["row 0", None, "row 2"]
    params = {"ids": ",".join(ids), "allOrNone": "false"}
    removed = sf.restful("composite/sobjects", method="DELETE", params=params)
    assert [verdict["success"] for verdict in removed] == [True, True]


def test_an_expired_session_is_renewed_once_and_the_call_succeeds(sandbox: RunningSandbox, sf: Client) -> None:
    before = sf.session_id
    sandbox.control.act("salesforce", "expire_tokens")
    assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == 10
    assert sf.session_id != before


def test_without_a_login_to_fall_back_on_an_expired_session_is_an_error(
    sandbox: RunningSandbox, connect: Connect
) -> None:
    sf = connect(session_id="expired", instance_url="acme.my.salesforce.com")
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        sf.query("SELECT Id FROM Account")


def test_the_daily_limit_is_shown_and_enforced(sandbox: RunningSandbox, sf: Client) -> None:
    used = sf.limits()["DailyApiRequests"]
    assert sf.api_usage["api-usage"].used == used["Max"] - used["Remaining"]
    sandbox.control.switch("salesforce", api_limit=used["Max"] - used["Remaining"])
    try:
        with pytest.raises(SalesforceRefusedRequest, match="TotalRequests Limit exceeded"):
            sf.limits()
    finally:
        sandbox.control.switch("salesforce", api_limit=100_000)


def test_the_date_of_an_answer_is_the_one_of_the_simulated_world(
    sandbox: RunningSandbox, session: requests.Session
) -> None:
    sandbox.control.set_clock(datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC))
    answer = session.get("https://acme.my.salesforce.com/services/data/")
    sandbox.control.set_clock(NOW)
    assert answer.raw.headers.getlist("Date") == ["Wed, 03 Feb 2027 04:05:06 GMT"]
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


def test_a_long_list_of_ids_is_too_long_for_an_address(sf: Client) -> None:
    ids = ["00U000000000000AAA"] * 600
    with pytest.raises(Exception, match="414"):
        sf.query(format_soql("SELECT Id FROM Event WHERE Id IN {}", ids))
    assert sf.query(format_soql("SELECT Id FROM Event WHERE Id IN {}", ids[:300]))["totalSize"] == 0


def test_bulk_insert_update_and_delete(sandbox: RunningSandbox, sf: Client, account_id: str) -> None:
    rows = [event(account_id, Subject=f"bulk {n}", Totango_Id__c=f"bulk-{n}") for n in range(5)]
    rows[3]["StartDateTime"] = ""
    (done,) = sf.bulk2.Event.insert(records=rows, wait=0)
    assert (done["numberRecordsTotal"], done["numberRecordsFailed"]) == (5, 1)
    good = rows_of(sf.bulk2.Event.get_successful_records(done["job_id"]))
    bad = rows_of(sf.bulk2.Event.get_failed_records(done["job_id"]))
    assert {row["Subject"] for row in good} == {"bulk 0", "bulk 1", "bulk 2", "bulk 4"}
    assert {row["sf__Created"] for row in good} == {"true"}
    assert bad[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    changes: list[dict[str, str]] = [
        {"Totango_Id__c": "bulk-0", "Subject": "", "Description": "kept subject"},
        {"Totango_Id__c": "bulk-1", "Subject": "#N/A", "Description": ""},
    ]
    (upserted,) = sf.bulk2.Event.upsert(records=changes, external_id_field="Totango_Id__c", wait=0)
    assert upserted["numberRecordsFailed"] == 0
    found = sf.query("SELECT Subject FROM Event WHERE Totango_Id__c IN ('bulk-0', 'bulk-1') ORDER BY Totango_Id__c")
    assert [row["Subject"] for row in found["records"]] == ["bulk 0", None]
    (removed,) = sf.bulk2.Event.delete(records=[{"Id": row["sf__Id"]} for row in good], wait=0)
    assert removed["numberRecordsFailed"] == 0
    assert sf.query("SELECT Id FROM Event WHERE Totango_Id__c LIKE 'bulk-%'")["totalSize"] == 0


def test_bulk_query_gives_csv_page_by_page(sf: Client) -> None:
    query = "SELECT Id, Name, Owner.Email, CreatedDate FROM Account"
    pages = [rows_of(page) for page in sf.bulk2.Account.query(query, max_records=4, wait=0)]
    assert [len(page) for page in pages] == [4, 4, 2]
    assert set(pages[0][0]) == {"Id", "Name", "Owner.Email", "CreatedDate"}
    assert pages[0][0]["CreatedDate"].endswith(".000Z")


def test_bulk_results_can_be_taken_all_at_once_or_written_to_files(sf: Client, account_id: str, tmp_path: Path) -> None:
    rows = [{"Subject": "kept", "Priority": "High"}, {"Subject": "x" * 256, "Priority": "High"}]
    (done,) = sf.bulk2.Task.insert(records=rows, wait=0)
    result = sf.bulk2.Task.get_all_ingest_records(done["job_id"])
    assert [row["Subject"] for row in result["successfulRecords"]] == ["kept"]
    assert [row["sf__Error"].split(":")[0] for row in result["failedRecords"]] == ["STRING_TOO_LONG"]
    assert result["unprocessedRecords"] == []
    sf.bulk2.Account.download("SELECT Id FROM Account", str(tmp_path), max_records=100)
    (file,) = tmp_path.iterdir()
    assert len(rows_of(file.read_text())) == 10


def test_deleted_rows_show_when_asked_for_and_hard_deleted_ones_never(sf: Client) -> None:
    task_id = sf.Task.create({"Subject": "gone soon"})["id"]
    sf.Task.delete(task_id)
    everything = sf.query_all(f"SELECT Id, IsDeleted FROM Task WHERE Id = '{task_id}'", include_deleted=True)
    assert [row["IsDeleted"] for row in everything["records"]] == [True]
    other = sf.Task.create({"Subject": "gone for good"})["id"]
    sf.bulk2.Task.hard_delete(records=[{"Id": other}], wait=0)
    assert sf.query_all(f"SELECT Id FROM Task WHERE Id = '{other}'", include_deleted=True)["totalSize"] == 0


def test_the_older_bulk_api_says_what_to_use_instead(sf: Client) -> None:
    with pytest.raises(SalesforceGeneralError, match=r"does not simulate Bulk API 1\.0.*sf\.bulk2"):
        sf.bulk.Account.query("SELECT Id FROM Account")


def test_a_query_unfit_for_bulk_is_refused(sf: Client) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="aggregate"):
        list(sf.bulk2.Account.query("SELECT COUNT(Id) FROM Account", wait=0))
