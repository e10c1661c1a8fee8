from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from tests.cli.conftest import Cshub

from cshub_sandbox.testing import RunningSandbox


@pytest.fixture
def org(cshub: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> Cshub:
    """The command line with a connection to the simulated org."""
    login = sandbox.salesforce_login
    extra = {
        "domain": login["domain"],
        "consumer_key": login["client_id"],
        "consumer_secret": login["client_secret"],
        "endpoint_override": sandbox.salesforce.url,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce", "extra": extra}))
    return cshub


def test_a_query_shows_records_with_fields_of_their_parents(org: Cshub) -> None:
    soql = "SELECT Id, Subject, Owner.Email FROM Event ORDER BY Id LIMIT 3"
    records = org.json("salesforce", "query", soql)["records"]
    assert len(records) == 3
    assert all("@" in record["Owner"]["Email"] and "attributes" not in record for record in records)
    shown = org.ok("salesforce", "query", soql).out
    assert "Owner.Email" in shown and records[0]["Id"] in shown and "3 records" in shown


WIDE = "SELECT Id, AccountId, OwnerId, WhatId, CreatedById, LastModifiedById, Subject, Description FROM Event LIMIT 5"


@pytest.mark.parametrize("columns", [None, "80"])
def test_a_record_is_on_one_line_in_a_pipe_and_an_id_is_whole_even_on_a_narrow_terminal(
    org: Cshub, monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    records = org.json("salesforce", "query", WIDE)["records"]
    monkeypatch.delenv("COLUMNS")
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    lines = org.ok("salesforce", "query", WIDE).out.splitlines()
    for record in records:
        ids = [record[name] for name in ("Id", "AccountId", "OwnerId", "WhatId", "CreatedById") if record[name]]
        (line,) = [line for line in lines if record["Id"] in line]
        assert [held for held in ids if held not in line] == []
    if columns is None:
        assert len(lines) == len(records) + 3
        assert all(record["Subject"] in "\n".join(lines) for record in records)
        assert max(len(line) for line in lines) < 1000


def test_a_query_as_csv_has_a_column_for_each_field(org: Cshub) -> None:
    lines = org.ok("salesforce", "query", "SELECT Id, Account.Name FROM Event ORDER BY Id", "--csv").out.splitlines()
    assert lines[0] == "Id,Account.Name"
    assert len(lines) > 3


def test_deleted_records_are_queried_only_when_asked_for(org: Cshub) -> None:
    count = "SELECT Id FROM Event WHERE IsDeleted = true"
    assert org.json("salesforce", "query", count)["records"] == []
    org.ok("salesforce", "query", count, "--all")


def test_a_wrong_query_is_told_without_its_values(org: Cshub) -> None:
    answer = org("salesforce", "query", "SELECT Id FROM Event WHERE Tpye = 'a-private-word'")
    assert answer.code == 1
    assert "No such column 'Tpye'" in answer.err and "a-private-word" not in answer.err


def test_the_fields_of_an_object_are_listed_with_their_traits(org: Cshub) -> None:
    fields = {item["name"]: item for item in org.json("salesforce", "describe", "Event")["fields"]}
    assert fields["Description"]["traits"] == ["no conditions"]
    assert fields["AccountId"]["traits"] == ["read only"]
    assert fields["WhoId"]["type"] == "reference to Contact, Lead"
    assert "read only" in org.ok("salesforce", "describe", "event").out


def test_an_object_that_is_not_there_is_told(org: Cshub) -> None:
    answer = org("salesforce", "describe", "Nope__c", "--json")
    assert (answer.code, answer.document["error"]["kind"]) == (1, "NotFound")


def test_limits_are_listed(org: Cshub) -> None:
    assert org.json("salesforce", "limits")["limits"]["DailyApiRequests"]["max"] > 0
    assert "DailyApiRequests" in org.ok("salesforce", "limits").out


def test_deletions_are_listed(org: Cshub, sandbox: RunningSandbox) -> None:
    sandbox.control.set_clock(datetime.now(UTC))
    found = org.json("salesforce", "deleted", "Event", "--days", "15")
    assert found["has_gap"] is False
    assert "0 deleted records" in org.ok("salesforce", "deleted", "Event").out


def test_a_session_id_may_come_from_the_environment_without_airflow(
    cshub: Cshub, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cshub("salesforce", "limits", "--url", sandbox.salesforce.url)
    assert (answer.code, "CSHUB_SALESFORCE_TOKEN" in answer.err) == (1, True)
    monkeypatch.setenv("CSHUB_SALESFORCE_TOKEN", sandbox.salesforce.token)
    assert cshub.json("salesforce", "limits", "--url", sandbox.salesforce.url)["limits"]


def test_an_incomplete_connection_is_told_with_what_is_missing(cshub: Cshub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce"}))
    answer = cshub("salesforce", "limits")
    assert answer.code == 1
    assert "domain, consumer_key and consumer_secret are missing" in answer.err


def test_the_count_of_a_query_is_shown(org: Cshub) -> None:
    soql = "SELECT COUNT() FROM Event"
    number = org.json("salesforce", "query", soql)["count"]
    assert number == len(org.json("salesforce", "query", "SELECT Id FROM Event")["records"]) > 0
    assert org.ok("salesforce", "query", soql).out == f"The count is {number}.\n"
    assert org.ok("salesforce", "query", soql, "--csv").out.splitlines() == ["count", str(number)]
    assert org("salesforce", "query", soql, "--all").code == 2


def test_a_fault_of_a_query_is_told_of_the_query(org: Cshub) -> None:
    answer = org("salesforce", "query", "SELECT Nothing FROM Event")
    assert answer.code == 1
    assert "in the query" in answer.err and "job file" not in answer.err


def test_an_empty_cell_of_a_description_is_empty(org: Cshub) -> None:
    assert '""' not in org.ok("salesforce", "describe", "Event").out
