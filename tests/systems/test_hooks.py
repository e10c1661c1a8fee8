from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cshub.provider
from cshub.core.errors import ConnectionSpecError, SpecError
from cshub.core.jobs import ObjectRef
from cshub.core.quota import Quota
from cshub.systems import registry
from cshub.systems.chorus.hook import ChorusHook
from cshub.systems.chorus.source import ChorusEngagements
from cshub.systems.quota import LocalQuota
from cshub.systems.totango.hook import TotangoHook
from cshub.systems.totango.target import TotangoTouchpoints
from cshub_sandbox.testing import RunningSandbox, start_sandbox

ENGAGEMENT = ObjectRef(system="chorus", object="engagement")
TOUCHPOINT = ObjectRef(system="totango", object="touchpoint")


@pytest.fixture(scope="module")
def box() -> Iterator[RunningSandbox]:
    with start_sandbox(seed=5, accounts=8, meetings=20) as running:
        yield running


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


@pytest.fixture
def connected(box: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, endpoint in (("chorus", box.chorus), ("totango", box.totango)):
        extra = {"stray": 5, "X-Stray": "header", "connect_timeout_s": 3}
        connect(
            monkeypatch,
            f"{name}_default",
            conn_type=name,
            host=endpoint.url,
            port=443,
            password=endpoint.token,
            extra=extra,
        )


@pytest.mark.usefixtures("connected")
def test_the_test_button_says_whom_the_token_belongs_to() -> None:
    hook = ChorusHook()
    works, text = hook.test_connection()
    assert works
    assert "Signed in to http://127.0.0.1" in text
    assert "@" in text
    hook.client.close()


@pytest.mark.usefixtures("connected")
def test_the_test_button_says_what_the_token_sees() -> None:
    hook = TotangoHook("totango_default")
    works, text = hook.test_connection()
    assert works
    assert "accounts" in text
    hook.client.close()


@pytest.mark.parametrize("hook_class", [ChorusHook, TotangoHook])
def test_the_test_button_says_what_to_correct(
    hook_class: type[ChorusHook] | type[TotangoHook], box: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = box.endpoint(hook_class.conn_type).url
    connect(monkeypatch, "wrong_token", conn_type=hook_class.conn_type, host=url, password="wrong-one")
    connect(monkeypatch, "no_token", conn_type=hook_class.conn_type, host=url)
    hook = hook_class("wrong_token")
    works, text = hook.test_connection()
    assert not works
    assert "make a new one and store it in the connection" in text
    assert "wrong-one" not in text
    hook.client.close()
    assert hook_class("no_token").test_connection() == (
        False,
        "Connection no_token has no API token: put it into the password field.",
    )


@pytest.mark.parametrize("hook_class", [ChorusHook, TotangoHook])
def test_the_test_button_names_the_address_of_a_host_that_is_down_and_does_not_try_again(
    hook_class: type[ChorusHook] | type[TotangoHook], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "down", conn_type=hook_class.conn_type, host="http://127.0.0.1:9", password="a-token")
    hook = hook_class("down")
    works, text = hook.test_connection()
    assert not works
    assert "leads to http://127.0.0.1:9." in text
    assert hook.client.http.calls == 1
    hook.client.close()


def test_a_connection_that_is_not_there_says_where_to_add_it() -> None:
    with pytest.raises(ConnectionSpecError, match="add it under Admin, Connections, type chorus"):
        _ = ChorusHook("nowhere").client


@pytest.mark.usefixtures("connected")
def test_fields_of_the_extra_never_become_headers() -> None:
    for hook in (ChorusHook(), TotangoHook()):
        session = hook.get_conn()
        assert not {"stray", "x-stray"} & {name.lower() for name in session.headers}
        hook.client.close()


@pytest.mark.usefixtures("connected")
def test_the_session_of_the_hook_is_signed_in(box: RunningSandbox) -> None:
    hook = ChorusHook()
    session = hook.get_conn()
    assert session.get(f"{hook.base_url}/api/v1/users/me", timeout=10).status_code == 200
    session.close()


def test_region_and_host_choose_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "eu", conn_type="totango", password="t", extra={"region": "EU", "service_id": "12345"})
    client = TotangoHook("eu").client
    assert client.http.base_url == "https://api-eu1.totango.com"
    assert client.service_id == "12345"
    connect(monkeypatch, "own", conn_type="totango", password="t", host="https://x.example", extra={"region": "EU"})
    assert TotangoHook("own").client.http.base_url == "https://x.example"


def test_the_shared_budget_is_asked_for_with_token_and_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def quotas(token: str, calls_per_minute: int) -> Quota:
        asked.append((token, calls_per_minute))
        return LocalQuota(calls_per_minute)

    connect(monkeypatch, "a", conn_type="totango", password="tok-a")
    connect(monkeypatch, "b", conn_type="totango", password="tok-b", extra={"calls_per_minute": 40})
    connect(monkeypatch, "c", conn_type="chorus", password="tok-c")
    connect(monkeypatch, "d", conn_type="chorus", password="tok-d", extra={"calls_per_minute": "10"})
    for conn_id in ("a", "b"):
        _ = TotangoHook(conn_id, quotas=quotas).client
    for conn_id in ("c", "d"):
        _ = ChorusHook(conn_id, quotas=quotas).client
    assert asked == [("tok-a", 100), ("tok-b", 40), ("tok-d", 10)]


@pytest.mark.usefixtures("connected")
def test_sources_and_targets_are_opened_by_name() -> None:
    source = registry.open_source(ENGAGEMENT, "chorus_default", {"engagement_types": ["meeting"]})
    target = registry.open_target(TOUCHPOINT, "totango_default", {"account_match": {"by": "account_id"}})
    assert isinstance(source, ChorusEngagements)
    assert isinstance(target, TotangoTouchpoints)
    assert source.calls == target.calls == 0
    assert source.identity()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (ObjectRef(system="gong", object="call"), "Known systems: chorus, totango"),
        (ObjectRef(system="chorus", object="call"), "It has: engagement"),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(name: ObjectRef, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        registry.open_source(name, "x", {})


def test_wrong_options_are_named() -> None:
    with pytest.raises(SpecError, match=r"engagement_types.*Correct the job file"):
        registry.open_source(ENGAGEMENT, "x", {"engagement_types": ["webinar"]})
    with pytest.raises(SpecError, match="cannot be a target"):
        registry.open_target(ENGAGEMENT, "x", {})


def test_airflow_lists_both_connection_types_with_masked_secrets() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hooks = ProvidersManagerTaskRuntime().hooks  # type: ignore[no-untyped-call]
    behaviours = ProvidersManager().field_behaviours  # type: ignore[no-untyped-call]
    for conn_type, title in (("chorus", "Chorus"), ("totango", "Totango"), ("salesforce", "Salesforce")):
        hook = hooks[conn_type]
        assert hook is not None
        assert hook.hook_name == title
        assert hook.connection_testable
        assert "password" in dict(behaviours[conn_type]["relabeling"])


def test_every_field_of_the_form_is_one_that_is_read() -> None:
    read = {
        "auth_form",
        "calls_per_minute",
        "connect_timeout_s",
        "read_timeout_s",
        "region",
        "service_id",
        "verify_tls",
        "bulk_threshold",
        "chunk_size",
        "consumer_key",
        "consumer_secret",
        "domain",
        "endpoint_override",
        "instance_url",
        "organization_id",
        "private_key",
        "private_key_file_path",
        "security_token",
        "session_id",
        "version",
    }
    for connection_type in cshub.provider.get_provider_info()["connection-types"]:
        assert set(connection_type["conn-fields"]) <= read
        assert "port" not in connection_type["ui-field-behaviour"]["hidden-fields"]


def test_airflow_keeps_out_of_the_package_below_plugins() -> None:
    ignored = Path(cshub.provider.__file__).parent.parent / ".airflowignore"
    assert ignored.read_text("utf-8").split() == ["cshub/"]
