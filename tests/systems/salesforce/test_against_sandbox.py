"""The same client over real sockets against a simulated org that was written without knowing the client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.systems.wire import FakeTime, GateAdapter

from cshub.core.errors import (
    AmbiguousWrite,
    AuthenticationFailed,
    NotFound,
    QuotaSpent,
    RequestRefused,
    ServiceUnavailable,
    ShortRead,
    SpecError,
)
from cshub.core.ids import to_18
from cshub.systems.http import HttpPolicy, Wire
from cshub.systems.salesforce.auth import Credentials
from cshub.systems.salesforce.bulk import Operation
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.condition_fields import check_fields
from cshub.systems.salesforce.conditions import check_filter
from cshub.systems.salesforce.hook import SalesforceHook
from cshub.systems.salesforce.session import Retries
from cshub.systems.salesforce.soql import TypeOf, any_of, quote, select
from cshub_sandbox.faults import FaultKind, FaultRule
from cshub_sandbox.sandbox import Sandbox, WorldSize, login_of
from cshub_sandbox.testing import RunningSandbox, start_sandbox

QUICK = HttpPolicy(read_s=5, deadline_s=10, retry=Retries(first_s=0.01, rate_limit_first_s=0.01, rate_limit_cap_s=0.01))
SETTINGS = {"api_limit": 100_000, "page_size": 2_000, "token_life_s": 7_200.0, "cursor_life_s": 172_800.0}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(["salesforce"], seed=5, accounts=12, meetings=30) as box:
        yield box


@pytest.fixture
def box(running: RunningSandbox) -> Iterator[RunningSandbox]:
    yield running
    running.control.clear_faults()
    running.control.switch("salesforce", **SETTINGS)


@pytest.fixture
def org(box: RunningSandbox) -> Iterator[SalesforceClient]:
    client = connect(box)
    yield client
    client.close()


def app_of(box: RunningSandbox) -> Credentials:
    login = box.salesforce_login
    return Credentials(domain=login["domain"], consumer_key=login["client_id"], consumer_secret=login["client_secret"])


def connect(box: RunningSandbox, credentials: Credentials | None = None, **more: Any) -> SalesforceClient:
    wire = Wire(policy=QUICK)
    return SalesforceClient(credentials or app_of(box), endpoint_override=box.salesforce.url, wire=wire, **more)


def account(org: SalesforceClient) -> str:
    return str(org.probe("SELECT Id FROM Account")[0]["Id"])


def event(org: SalesforceClient, subject: str = "Review") -> dict[str, Any]:
    return {
        "Subject": subject,
        "WhatId": account(org),
        "StartDateTime": "2026-11-20T08:00:00Z",
        "DurationInMinutes": 30,
    }


def subjects(org: SalesforceClient, ids: list[str]) -> list[Any]:
    return [row and row["Subject"] for row in org.retrieve("Event", ids, ["Subject"]).values()]


def test_every_way_of_signing_in_leads_to_the_same_org_and_user(box: RunningSandbox, org: SalesforceClient) -> None:
    login = box.salesforce_login
    person = {name: login[name] for name in ("username", "password", "security_token")}
    ways = [
        Credentials(session_id=box.salesforce.token, instance_url="https://acme.my.salesforce.com"),
        Credentials(**person),
        Credentials(**person, consumer_key=login["client_id"], consumer_secret=login["client_secret"]),
    ]
    found = []
    for way in ways:
        client = connect(box, way)
        found.append(client.identity)
        client.close()
    assert found == [org.identity] * 3


def test_a_wrong_secret_is_told_without_showing_it(box: RunningSandbox) -> None:
    its = Credentials(domain="acme.my", consumer_key=box.salesforce_login["client_id"], consumer_secret="wrong-one-77")
    with pytest.raises(AuthenticationFailed, match="consumer key and secret") as caught:
        _ = connect(box, its).identity
    assert "wrong-one" not in str(caught.value)


def test_pages_smaller_than_asked_for_are_all_read(box: RunningSandbox, org: SalesforceClient) -> None:
    box.control.switch("salesforce", page_size=5)
    pages = list(org.query("SELECT Id FROM Account ORDER BY Id"))
    assert len(pages) == 3
    assert sum(map(len, pages)) == org.count("SELECT COUNT() FROM Account") == 12


@pytest.mark.parametrize("fault", ["repeated_page", "empty_page", "wrong_totals", "duplicated_rows"])
def test_a_page_that_is_not_right_is_never_taken_for_complete(
    fault: str, box: RunningSandbox, org: SalesforceClient
) -> None:
    box.control.switch("salesforce", page_size=5)
    _ = org.sf
    box.control.add_fault(fault, service="salesforce", path="*/query/*", nth=2)
    with pytest.raises(ShortRead):
        list(org.query("SELECT Id FROM Account ORDER BY Id"))


@pytest.mark.parametrize("fault", ["drop_before_commit", "truncated", "cut_json", "html", "keep_alive_closed"])
def test_a_read_survives_a_broken_connection(fault: str, box: RunningSandbox, org: SalesforceClient) -> None:
    expected = org.count("SELECT COUNT() FROM Account")
    box.control.add_fault(fault, service="salesforce", nth=1)
    assert org.count("SELECT COUNT() FROM Account") == expected


def test_a_token_that_expires_between_two_pages_is_renewed(box: RunningSandbox, org: SalesforceClient) -> None:
    box.control.switch("salesforce", page_size=5)
    pages = org.query("SELECT Id FROM Account ORDER BY Id")
    first = next(pages)
    box.control.advance(7_201)
    assert len(first) + sum(map(len, pages)) == 12


def test_a_cursor_that_expired_is_a_short_read(box: RunningSandbox, org: SalesforceClient) -> None:
    box.control.switch("salesforce", page_size=5, cursor_life_s=60)
    pages = org.query("SELECT Id FROM Account ORDER BY Id")
    next(pages)
    box.control.advance(120)
    with pytest.raises(ShortRead):
        list(pages)


def test_the_daily_allowance_ends_the_reading_at_once(box: RunningSandbox, org: SalesforceClient) -> None:
    _ = org.sf
    used = org.limits()["DailyApiRequests"]
    box.control.switch("salesforce", api_limit=used.largest - used.remaining + 1)
    with pytest.raises(QuotaSpent, match="24 hours"):
        for _ in range(3):
            org.count("SELECT COUNT() FROM Account")
    assert org.calls <= 5


def test_conditions_that_pass_the_check_are_taken_by_salesforce(org: SalesforceClient) -> None:
    for text in (
        "Subject LIKE 'O%' AND (NOT IsChild = true)",
        "CreatedDate > 2020-01-01T00:00:00+01:00 AND ActivityDate >= 2020-01-01",
        "ActivityDate = LAST_N_DAYS:400 OR ActivityDate = NEXT_N_DAYS:30",
        "Owner.Name != null AND Account.Name IN ('a', 'b')",
        f"Subject = {quote(chr(39) + chr(92) + 'é🙂')}",
    ):
        report = check_filter(text)
        assert (report.faults, check_fields(report, "Event", org.describe)) == ((), []), text
        list(org.query(select("Event", ["Id"], text)))


def test_conditions_that_fail_the_check_are_refused_by_salesforce(org: SalesforceClient) -> None:
    for text in (
        "Subject = 'a' AND Subject = 'b' OR Subject = 'c'",
        "Subject = 'a' AND NOT Subject = 'b'",
        "Subject IN ()",
        "CreatedDate > '2026-01-01T00:00:00Z'",
        "CreatedDate > 2026-01-01T00:00:00",
        "CreatedDate > 2026-01-01",
        "Description LIKE '%a%'",
        "Tpye = 'a'",
        "Subject = Call",
        "IsChild = 'true'",
        "Subject = 'it's'",
    ):
        report = check_filter(text)
        assert report.faults or check_fields(report, "Event", org.describe), text
        with pytest.raises(SpecError):
            org.probe(f"SELECT Id FROM Event WHERE {text}")


def test_people_of_either_kind_are_read_by_type(org: SalesforceClient) -> None:
    who = TypeOf("Who", {"Contact": ["Email", "Name"], "Lead": ["Email"]})
    rows = [row for page in org.query(select("Event", ["Id", "Owner.Email", who], "WhoId != null")) for row in page]
    assert rows and all("@" in row["Who"]["Email"] for row in rows)


def test_many_ids_are_looked_up_in_parts(org: SalesforceClient) -> None:
    ids = [str(row["Id"]) for page in org.query("SELECT Id FROM Account") for row in page]
    unknown = [to_18(f"0015g00000zz{number:03}") for number in range(700)]
    fields = select("Account", ["Id"])
    found = [
        row["Id"]
        for part in any_of("Id", [*unknown, *ids], beside=fields)
        for page in org.query(select("Account", ["Id"], part))
        for row in page
    ]
    assert sorted(found) == sorted(ids)


def test_records_are_made_changed_found_and_deleted(org: SalesforceClient) -> None:
    made = org.create("Event", [event(org), {**event(org), "Subject": "x" * 300}, event(org, "Third")])
    assert [verdict.ok for verdict in made] == [True, False, True]
    assert made[1].errors[0].code == "STRING_TOO_LONG"
    ids = [verdict.id for verdict in made if verdict.id]
    assert all(verdict.ok for verdict in org.update("Event", [{"Id": key, "Subject": "New"} for key in ids]))
    assert subjects(org, ids) == ["New", "New"]
    assert [verdict.is_gone for verdict in org.delete([ids[0], ids[0]])] == [False, True]
    assert subjects(org, [key.lower() for key in ids]) == [None, "New"]


def test_a_field_that_one_row_does_not_have_is_that_rows_fault_in_either_way_of_refusing(org: SalesforceClient) -> None:
    made = org.create("Event", [event(org), {**event(org), "Nope__c": "x"}, event(org)])
    assert [verdict.ok for verdict in made] == [True, False, True]
    assert isinstance(made[1].failure(), (RequestRefused, SpecError))


def test_an_upsert_repeated_makes_nothing_twice(box: RunningSandbox, org: SalesforceClient) -> None:
    rows = [{**event(org), "Totango_Id__c": f"upsert-{number}"} for number in range(5)]
    box.control.add_fault("drop_after_commit", service="salesforce", path="*/composite/*", nth=1)
    verdicts = org.upsert("Event", "Totango_Id__c", rows)
    assert [verdict.created for verdict in verdicts] == [False] * 5
    assert org.count("SELECT COUNT() FROM Event WHERE Totango_Id__c LIKE 'upsert-%'") == 5


def test_a_create_whose_answer_is_lost_is_ambiguous_and_was_sent_once(
    box: RunningSandbox, org: SalesforceClient
) -> None:
    rows = [event(org, "Lost answer")]
    box.control.add_fault("drop_after_commit", service="salesforce", path="*/composite/*", nth=1)
    [verdict] = org.create("Event", rows)
    assert isinstance(verdict.failure(), AmbiguousWrite)
    assert org.count("SELECT COUNT() FROM Event WHERE Subject = 'Lost answer'") == 1


def test_deletions_are_told_with_what_is_covered(box: RunningSandbox, org: SalesforceClient) -> None:
    [made] = org.create("Event", [event(org)])
    assert made.id is not None
    org.delete([made.id])
    box.control.advance(120)
    now = box.control.now()
    found = org.deleted("Event", now - timedelta(days=1), now)
    assert made.id in [item.id for item in found.deletions]
    assert not found.has_gap
    hidden = select("Event", ["Id", "IsDeleted"], f"Id = {quote(made.id)}")
    assert [list(org.query(hidden)), [len(page) for page in org.query(hidden, include_deleted=True)]] == [[], [1]]
    with pytest.raises(SpecError, match="15 days"):
        org.deleted("Event", now - timedelta(days=20), now)


def test_an_object_that_is_not_there_is_not_found(org: SalesforceClient) -> None:
    with pytest.raises(NotFound):
        org.describe("Nope__c")


def test_a_bulk_job_writes_and_reads_back_what_it_was_given(org: SalesforceClient) -> None:
    target = account(org)
    rows = [
        {"Subject": f"Bulk {number}", "Description": 'a "b",\nc', "WhatId": target, "Totango_Id__c": f"bulk-{number}"}
        for number in range(30)
    ]
    rows[7]["WhatId"] = "001000000000000AAA"
    verdicts = org.bulk.ingest(
        "Task", Operation.UPSERT, rows, key_column="Totango_Id__c", external_id_field="Totango_Id__c"
    )
    assert [number for number, verdict in enumerate(verdicts) if not verdict.ok] == [7]
    assert verdicts[7].errors[0].code == "INVALID_CROSS_REFERENCE_KEY"
    query = "SELECT Id, Subject, Description, Account.Name FROM Task WHERE Totango_Id__c LIKE 'bulk-%'"
    found = {row["Id"]: row for page in org.bulk.query(query, page_rows=10) for row in page}
    assert set(found) == {verdict.id for verdict in verdicts if verdict.ok}
    assert {row["Description"] for row in found.values()} == {'a "b",\nc'}


def test_a_slow_service_ends_at_the_time_out(box: RunningSandbox, org: SalesforceClient) -> None:
    _ = org.sf
    policy = HttpPolicy(read_s=0.2, retry=Retries(attempts=1))
    box.control.add_fault("slow", delay_s=1, service="salesforce")
    wire = Wire(policy=policy)
    client = SalesforceClient(app_of(box), endpoint_override=box.salesforce.url, wire=wire)
    with pytest.raises(ServiceUnavailable, match="no answer came in time"):
        _ = client.sf
    client.close()


def test_the_test_button_signs_in_over_the_wire(box: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    login = box.salesforce_login
    extra = {
        "domain": login["domain"],
        "consumer_key": login["client_id"],
        "consumer_secret": login["client_secret"],
        "endpoint_override": box.salesforce.url,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps({"conn_type": "salesforce", "extra": extra}))
    hook = SalesforceHook()
    works, text = hook.test_connection()
    hook.client.close()
    assert works, text
    assert "API calls are left today" in text


def test_the_whole_client_works_without_a_socket_and_in_simulated_time() -> None:
    size = WorldSize(seed=5, accounts=8, meetings=20)
    sandbox = Sandbox(["salesforce"], size=size, now=datetime(2026, 11, 20, tzinfo=UTC))
    sandbox.clock.freeze(True)
    time = FakeTime(move=lambda seconds: sandbox.clock.advance(timedelta(seconds=seconds)))
    login = login_of(sandbox.service("salesforce"))
    app = Credentials(domain=login["domain"], consumer_key=login["client_id"], consumer_secret=login["client_secret"])
    org = SalesforceClient(app, wire=time.wire(GateAdapter(sandbox, "salesforce")))
    assert org.count("SELECT COUNT() FROM Account") == 8
    sandbox.faults.add(FaultRule(kind=FaultKind.DROP_AFTER_COMMIT, nth=1))
    [verdict] = org.create("Task", [{"Subject": "Without a socket"}])
    assert isinstance(verdict.cause, AmbiguousWrite)
    assert org.count("SELECT COUNT() FROM Task WHERE Subject = 'Without a socket'") == 1
    assert sum(map(len, org.bulk.query("SELECT Id FROM Account"))) == 8
