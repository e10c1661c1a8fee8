"""The control address, with Salesforce beside the other services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cshub_sandbox.testing import RunningSandbox, start_sandbox

from .conftest import NOW


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(accounts=8, meetings=0, cases=False, now=NOW) as running:
        yield running


def sign_in(sandbox: RunningSandbox, login: Any) -> requests.Response:
    form = {"grant_type": "client_credentials", **{name: login[name] for name in ("client_id", "client_secret")}}
    return requests.post(f"{sandbox.salesforce.url}/services/oauth2/token", data=form, timeout=5)


def test_salesforce_shows_the_same_accounts_as_the_other_services(sandbox: RunningSandbox) -> None:
    held = {account["Id"]: account["Name"] for account in sandbox.control.state("salesforce")["accounts"]}
    others = {
        account["attributes"]["sfid"]: account["name"] for account in sandbox.control.state("totango")["accounts"]
    }
    assert others.items() <= held.items() and len(others) < len(held)


def test_switches_are_checked_and_rules_can_be_set(sandbox: RunningSandbox) -> None:
    rule = {"object": "Task", "field": "Subject", "pattern": "^x$"}
    assert sandbox.control.switch("salesforce", validation_rules=[rule])["validation_rules"][0]["pattern"] == "^x$"
    with pytest.raises(requests.HTTPError, match="FIELD_CUSTOM_VALIDATION_EXCEPTION"):
        sandbox.control.act("salesforce", "create_record", object="Task", fields={"Subject": "x"})
    sandbox.control.switch("salesforce", validation_rules=[])
    for wrong in ({"page_size": 0}, {"validation_rules": [{"object": "Task"}]}, {"unique_scope": "world"}):
        with pytest.raises(requests.HTTPError, match="400"):
            sandbox.control.switch("salesforce", **wrong)


def test_the_log_names_the_calls_that_wrote_something(sandbox: RunningSandbox) -> None:
    sandbox.control.clear_log()
    token = sign_in(sandbox, sandbox.salesforce_login).json()["access_token"]
    url = f"{sandbox.salesforce.url}/services/data/v62.0/sobjects/Task/"
    requests.post(url, json={"Subject": "y"}, headers={"Authorization": f"Bearer {token}"}, timeout=5)
    log = sandbox.control.log("salesforce")
    assert [(entry["write"], entry["status"]) for entry in log] == [(False, 200), (True, 201)]
    assert len(sandbox.control.log("salesforce", writes=True)) == 1


def test_after_a_reset_the_logins_are_told_and_the_old_ones_are_worth_nothing(sandbox: RunningSandbox) -> None:
    before = dict(sandbox.salesforce_login)
    answer = sandbox.control.reset(seed=9, now=NOW.isoformat())
    assert set(answer["logins"]) == {"salesforce"} and answer["logins"]["salesforce"] == sandbox.salesforce_login
    assert sign_in(sandbox, before).status_code == 400
    assert sign_in(sandbox, answer["logins"]["salesforce"]).status_code == 200
