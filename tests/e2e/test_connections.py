"""The Test button of the connection form, through the REST call behind it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cshub_runtime.connections import connection_to
from cshub_runtime.ports import any_free_port
from cshub_runtime.sandbox_process import Service
from tests.e2e.stage import Scene, Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(240)]

SYSTEMS = ("chorus", "totango")


@pytest.fixture(scope="module")
def scene(stage: Stage) -> Scene:
    return stage.scene("button", seed=61)


def tried(stage: Stage, system: str, url: str, token: str, connection_id: str = "new") -> dict[str, Any]:
    body = {"connection_id": f"{connection_id}_{system}", "conn_type": system, "host": url, "password": token}
    return dict(stage.rest.call("POST", "connections/test", json=body))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_good_connection_says_who_signed_in_where(stage: Stage, scene: Scene, system: str) -> None:
    service = scene.process.addresses.services[system]
    answer = tried(stage, system, service.url, service.token)
    assert answer["status"] is True, answer
    assert f"Signed in to {service.url}" in answer["message"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_wrong_token_is_told_without_showing_it(stage: Stage, scene: Scene, system: str) -> None:
    answer = tried(stage, system, scene.process.addresses.services[system].url, "0123456789-wrong-token")
    assert answer["status"] is False
    assert "token" in answer["message"]
    assert "0123456789" not in answer["message"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_host_that_is_down_is_told_with_what_to_check(stage: Stage, system: str) -> None:
    url = f"http://127.0.0.1:{any_free_port()}"
    answer = tried(stage, system, url, "0123456789-token")
    assert answer["status"] is False
    assert "no connection could be made" in answer["message"]
    assert "Check the connection's host and port" in answer["message"]


def tried_org(stage: Stage, service: Service) -> dict[str, Any]:
    connection = connection_to(service, system="salesforce", connection_id="new_salesforce")
    body = {"connection_id": connection.connection_id, "conn_type": "salesforce", "extra": connection.extra}
    return dict(stage.rest.call("POST", "connections/test", json=body))


def test_a_good_salesforce_connection_says_which_org_and_how_many_calls_are_left(stage: Stage, scene: Scene) -> None:
    answer = tried_org(stage, scene.process.addresses.services["salesforce"])
    org = scene.control.state("salesforce")["organization"][0]["Id"]
    assert answer["status"] is True, answer
    assert f"org {org}" in answer["message"]
    assert "API calls are left today" in answer["message"]


def test_a_wrong_consumer_secret_is_told_without_showing_it(stage: Stage, scene: Scene) -> None:
    service = scene.process.addresses.services["salesforce"]
    wrong = replace(service, login={**service.login, "client_secret": "0123456789-wrong-secret"})
    answer = tried_org(stage, wrong)
    assert answer["status"] is False
    assert "0123456789" not in answer["message"]


def test_a_stored_secret_is_masked_by_the_rest_api(stage: Stage, scene: Scene) -> None:
    for system in (*SYSTEMS, "salesforce"):
        stored = stage.rest.call("GET", f"connections/{system}_button")
        assert stored["password"] in {"***", None}
        assert not any(token in str(stored) for token in scene.tokens)
    assert json.loads(stored["extra"])["consumer_secret"] == "***"
