"""Who may call the simulated Chorus, how often, and what strangers are told."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from .conftest import ChorusCalls

ME = "/api/v1/users/me"


def test_a_token_is_accepted_bare_as_bearer_and_in_the_other_header(chorus: ChorusCalls) -> None:
    token = chorus.service.token
    assert chorus.send("GET", ME, headers={"authorization": token}).status == 200
    assert chorus.send("GET", ME, headers={"authorization": f"Bearer {token}"}).status == 200
    assert chorus.send("GET", ME, headers={"authorization": "", "x-ziaccesstoken": token}).status == 200


@pytest.mark.parametrize("token", ["", "wrong", "Bearer wrong", "Basic d3Jvbmc="])
def test_a_token_that_is_wrong_or_missing_is_answered_401_without_a_body(chorus: ChorusCalls, token: str) -> None:
    reply = chorus.send("GET", ME, headers={"authorization": token})
    assert (reply.status, reply.body) == (401, b"")


def test_the_401_has_the_edges_code_when_the_switch_says_so(chorus: ChorusCalls) -> None:
    chorus.service.switches.unauthorized_body = "json_api"  # type: ignore[assignment]
    reply = chorus.send("GET", ME, headers={"authorization": "wrong"})
    assert orjson.loads(reply.body)["errors"][0]["code"] == "ZI0001"


def test_a_role_without_api_rights_is_answered_403_with_a_reason(chorus: ChorusCalls) -> None:
    chorus.service.switches.api_role = "disabled"  # type: ignore[assignment]
    reply = chorus.send("GET", ME)
    assert reply.status == 403
    assert "role" in orjson.loads(reply.body)["errors"][0]["detail"]


def test_a_revoked_token_is_refused_and_a_new_one_accepted(chorus: ChorusCalls) -> None:
    chorus.service.act("revoke_token", {})
    assert chorus.send("GET", ME).status == 401
    token = chorus.service.act("issue_token", {})["token"]
    assert chorus.send("GET", ME, headers={"authorization": token}).status == 200


def test_the_token_of_a_deactivated_user_is_refused(chorus: ChorusCalls) -> None:
    email = chorus.service.tokens[chorus.service.token].member.person.email
    chorus.service.act("set_user", {"email": email, "active": False})
    assert chorus.send("GET", ME).status == 401


def test_there_is_no_rate_limit_until_the_switch_sets_one(chorus: ChorusCalls) -> None:
    assert {chorus.send("GET", ME).status for _ in range(30)} == {200}
    chorus.service.switches.rate_limit = 10
    statuses = [chorus.send("GET", ME).status for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    assert "Retry-After" not in chorus.send("GET", ME).headers
    chorus.service.switches.retry_after_header = True
    assert chorus.send("GET", ME).headers["Retry-After"] == "60"
    chorus.sandbox.clock.advance(timedelta(seconds=60))
    assert chorus.send("GET", ME).status == 200


def test_an_unknown_path_is_404_or_the_web_app_by_switch(chorus: ChorusCalls) -> None:
    assert chorus.send("GET", "/api/v1/calls").status == 404
    chorus.service.switches.unknown_path = "web_app"  # type: ignore[assignment]
    reply = chorus.send("GET", "/api/v1/calls")
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/html")


def test_an_undocumented_method_is_405_and_says_which_are_allowed(chorus: ChorusCalls) -> None:
    reply = chorus.send("GET", "/v3/engagements/ABC")
    assert (reply.status, reply.headers["Allow"]) == (405, "DELETE")


def test_v3_errors_are_plain_text_when_the_switch_says_so(chorus: ChorusCalls) -> None:
    chorus.service.switches.v3_errors = "text"  # type: ignore[assignment]
    assert chorus.send("GET", "/v3/engagements?min_date=x").headers["Content-Type"].startswith("text/plain")
    assert chorus.send("GET", "/api/v1/moments").headers["Content-Type"] == "application/vnd.api+json"
