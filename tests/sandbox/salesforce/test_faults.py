"""Scripted faults and the log, with Salesforce behind the gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from cshub_sandbox.faults import FaultRule, is_write
from cshub_sandbox.inprocess import AnswerLost, call
from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.sandbox import Sandbox, WorldSize

from .conftest import NOW

DATA = "/services/data/v62.0"
TASKS = f"{DATA}/sobjects/Task/"
Send = Callable[..., Reply]


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(["salesforce"], size=WorldSize(accounts=8, meetings=0, cases=False), now=NOW)


@pytest.fixture
def send(sandbox: Sandbox) -> Send:
    def send(method: str, path: str, json: Any = None, **query: str) -> Reply:
        headers = {"authorization": f"Bearer {sandbox.service('salesforce').token}"}
        body = b"" if json is None else orjson.dumps(json)
        return call(sandbox.gates["salesforce"], Request(method, path, list(query.items()), headers, body))

    return send


def fault(sandbox: Sandbox, **fields: Any) -> None:
    sandbox.faults.add(FaultRule.parse({"service": "salesforce", **fields}))


def tasks(sandbox: Sandbox) -> list[Any]:
    return [row for row in sandbox.service("salesforce").store.table("Task") if row["Subject"] == "new"]


def test_an_answer_lost_after_the_commit_leaves_the_record(sandbox: Sandbox, send: Send) -> None:
    fault(sandbox, kind="drop_after_commit", only_writes=True, nth=1)
    assert send("GET", f"{DATA}/limits").status == 200
    with pytest.raises(AnswerLost):
        send("POST", TASKS, {"Subject": "new"})
    assert len(tasks(sandbox)) == 1
    assert send("POST", TASKS, {"Subject": "new"}).status == 201


@pytest.mark.parametrize(("kind", "held"), [("status", 0), ("status_after_commit", 1), ("html", 1)])
def test_an_error_before_the_commit_writes_nothing_and_one_after_it_does(
    sandbox: Sandbox, send: Send, kind: str, held: int
) -> None:
    fault(sandbox, kind=kind, status=503, count=1)
    reply = send("POST", TASKS, {"Subject": "new"})
    assert reply.status == (200 if kind == "html" else 503)
    assert len(tasks(sandbox)) == held


def test_an_expired_token_is_the_vendors_401(sandbox: Sandbox, send: Send) -> None:
    fault(sandbox, kind="token_expired", count=1)
    reply = send("GET", f"{DATA}/limits")
    assert reply.status == 401
    assert orjson.loads(reply.body) == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_pages_can_be_spoiled_and_a_repeated_one_is_that_of_the_page_before(sandbox: Sandbox, send: Send) -> None:
    sandbox.service("salesforce").switches.page_size = 3
    fault(sandbox, kind="repeated_page", nth=2)
    first = orjson.loads(send("GET", f"{DATA}/query/", q="SELECT Id FROM Event ORDER BY Id").body)
    second = orjson.loads(send("GET", first["nextRecordsUrl"]).body)
    assert second["records"] == first["records"] and second["nextRecordsUrl"] != first["nextRecordsUrl"]
    fault(sandbox, kind="wrong_totals", nth=1)
    assert orjson.loads(send("GET", f"{DATA}/query", q="SELECT Id FROM Event").body)["totalSize"] > first["totalSize"]


@pytest.mark.parametrize(
    ("method", "path", "write"),
    [
        ("GET", f"{DATA}/query", False),
        ("POST", "/services/oauth2/token", False),
        ("POST", "/services/Soap/u/59.0", False),
        ("POST", f"{DATA}/composite/sobjects/Event", False),
        ("POST", f"{DATA}/jobs/query", False),
        ("POST", f"{DATA}/composite/sobjects", True),
        ("PATCH", f"{DATA}/composite/sobjects/Event/Totango_Id__c", True),
        ("DELETE", f"{DATA}/composite/sobjects", True),
        ("POST", f"{DATA}/sobjects/Research__c", True),
        ("PATCH", f"{DATA}/sobjects/Event/Totango_Id__c/search", True),
        ("PUT", f"{DATA}/jobs/ingest/7505g/batches", True),
        ("POST", f"{DATA}/composite", True),
    ],
)
def test_the_log_knows_writes_from_reads(method: str, path: str, write: bool) -> None:
    assert is_write(Request(method, path)) is write


def test_secrets_of_a_login_do_not_reach_the_log(sandbox: Sandbox) -> None:
    service = sandbox.service("salesforce")
    form = {"grant_type": "password", **service.login}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    call(
        sandbox.gates["salesforce"],
        Request("POST", "/services/oauth2/token", (), headers, urlencode(form).encode()),
    )
    password = f"<n1:password>{service.login['password']}{service.login['security_token']}</n1:password>"
    xml = {"content-type": "text/xml"}
    call(sandbox.gates["salesforce"], Request("POST", "/services/Soap/u/59.0", (), xml, password.encode()))
    text = str(sandbox.log.entries)
    for name in ("client_secret", "password", "security_token"):
        assert service.login[name] not in text, name
