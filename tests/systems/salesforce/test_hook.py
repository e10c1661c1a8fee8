from __future__ import annotations

import json
from typing import Any

import pytest
from tests.systems.salesforce.cast import ORG, SECRET, USER, token
from tests.systems.wire import Say, Script

import cshub.provider
from cshub.core.errors import ConnectionSpecError
from cshub.core.quota import Quota
from cshub.systems import registry
from cshub.systems.quota import LocalQuota
from cshub.systems.salesforce.hook import SalesforceHook

APP = {"domain": "acme.my", "consumer_key": "consumer-key-1", "consumer_secret": SECRET}


def connect(monkeypatch: pytest.MonkeyPatch, *, login: str = "", password: str = "", **extra: Any) -> None:
    fields = {"conn_type": "salesforce", "login": login, "password": password, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SALESFORCE_DEFAULT", json.dumps(fields))


def hook_on(script: Script) -> SalesforceHook:
    hook = SalesforceHook()
    hook.keep_alive_adapter = script
    return hook


def test_the_test_button_says_org_user_and_the_calls_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, **APP)
    hook = hook_on(Script(token(), Say(body={"DailyApiRequests": {"Max": 15_000, "Remaining": 14_998}})))
    assert hook.test_connection() == (
        True,
        f"Signed in to https://acme.my.salesforce.com: org {ORG}, user {USER}. "
        "14,998 of 15,000 API calls are left today.",
    )


def test_the_test_button_works_for_a_user_who_may_not_see_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, **APP)
    works, text = hook_on(Script(token(), Say(403, [{"errorCode": "X", "message": "no"}]))).test_connection()
    assert works and text.endswith(f"user {USER}.")


def test_the_test_button_says_what_to_correct_and_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, **APP)
    hook = hook_on(Script(Say(400, {"error": "invalid_client", "error_description": f"bad {SECRET}"})))
    works, text = hook.test_connection()
    assert (works, "consumer key and secret" in text, SECRET in text) == (False, True, False)
    down = hook_on(Script(Say(503)))
    assert "The connection leads to https://acme.my.salesforce.com." in down.test_connection()[1]
    assert down.client.calls == 1


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({}, "Connection salesforce_default: The fields domain, consumer_key and consumer_secret are missing"),
        ({**APP, "domain": "acme.lightning.force.com"}, r"write acme\.my\.salesforce\.com"),
        ({**APP, "version": "latest"}, "API version 'latest'"),
        ({**APP, "chunk_size": 500}, "chunk_size is 500; it must be a number from 1 to 200"),
        ({**APP, "verify_tls": "maybe"}, "verify_tls is 'maybe'"),
    ],
)
def test_a_field_that_is_wrong_is_named_with_the_connection(
    extra: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, **extra)
    with pytest.raises(ConnectionSpecError, match=reason) as caught:
        _ = SalesforceHook().client
    assert str(caught.value).startswith("Connection salesforce_default:")


def test_the_fields_of_airflows_own_provider_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(
        monkeypatch,
        login="amy@acme.example",
        password="pw-1234",
        extra__salesforce__security_token="tok-5678",
        extra__salesforce__domain="test",
        proxies="http://ignored",
    )
    its = SalesforceHook().credentials
    assert (its.username, its.password, its.security_token, its.domain) == (
        "amy@acme.example",
        "pw-1234",
        "tok-5678",
        "test",
    )
    assert "pw-1234" not in repr(its) and "tok-5678" not in repr(its)


def test_settings_reach_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(
        monkeypatch, **APP, version="67.0", chunk_size=50, bulk_threshold="500", endpoint_override="http://127.0.0.1:9"
    )
    client = SalesforceHook().client
    assert client.prefers_bulk(501) and not client.prefers_bulk(500)
    assert client.http.base_url == "http://127.0.0.1:9"


def test_the_budget_is_shared_by_all_who_use_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def quotas(name: str, limit: int) -> Quota:
        asked.append((name, limit))
        return LocalQuota(limit)

    connect(monkeypatch, **APP)
    _ = SalesforceHook(quotas=quotas).client
    connect(monkeypatch, **APP, calls_per_minute=300)
    assert registry.open_client("salesforce", "salesforce_default", quotas).calls == 0
    assert asked == [("https://acme.my.salesforce.com consumer-key-1", 300)]


def test_the_session_of_the_hook_is_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, **APP)
    script = Script(token(), Say(body={}))
    hook = hook_on(script)
    session = hook.get_conn()
    assert session.get(f"{hook.base_url}/services/data/").json() == {}
    assert script.requests[1].headers["Authorization"].startswith("Bearer ")


def test_every_secret_of_the_form_is_a_password_field() -> None:
    types = cshub.provider.get_provider_info()["connection-types"]
    [form] = [item["conn-fields"] for item in types if item["connection-type"] == "salesforce"]
    secret = {name for name, field in form.items() if field["schema"].get("format") == "password"}
    assert secret == {"consumer_secret", "private_key", "session_id", "security_token"}
