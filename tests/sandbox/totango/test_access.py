from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cshub_sandbox.totango.calls import Access
from cshub_sandbox.totango.routes import ROUTES

FLOWS = "/api/v3/activity-types/"


def status(totango: Any, token: str, path: str = FLOWS) -> int:
    answer: int = totango.send("GET", path, headers={"app-token": token}).status
    return answer


def test_a_good_token_is_accepted_with_white_space_around_it(totango: Any) -> None:
    assert status(totango, f"  {totango.service.token}\n") == 200


def test_the_token_is_opaque_text(totango: Any) -> None:
    assert status(totango, totango.service.token.upper()) == 401


@pytest.mark.parametrize("headers", [{}, {"app-token": ""}, {"app-token": "nonsense"}, {"authorization": "Bearer x"}])
def test_a_call_without_a_good_token_is_answered_401_authentication_failed(totango: Any, headers: Any) -> None:
    answer = totango.send("GET", FLOWS, headers=headers)
    assert (answer.status, answer.json["error"]["type"]) == (401, "authentication_failed")
    assert answer.json["error"]["message"]


def test_a_revoked_and_an_expired_token_are_answered_401(totango: Any) -> None:
    revoked = totango.act("issue_token", user="dana@vendor.example", name="one")["token"]
    expired = totango.act("issue_token", user="dana@vendor.example", name="two", life_days=7)["token"]
    assert (status(totango, revoked), status(totango, expired)) == (200, 200)
    totango.act("revoke_token", token=revoked)
    totango.clock.advance(timedelta(days=7))
    assert (status(totango, revoked), status(totango, expired)) == (401, 401)


def test_a_token_can_be_made_to_expire_now_by_its_name(totango: Any) -> None:
    totango.act("expire_token", token="sandbox")
    assert status(totango, totango.service.token) == 401


def test_the_token_of_a_disabled_user_is_refused(totango: Any) -> None:
    token = totango.act("issue_token", user="bo@vendor.example", name="bo")["token"]
    totango.act("disable_user", email="bo@vendor.example")
    assert status(totango, token, "/api/v1/attributes.json") == 401


def test_touchpoint_task_and_event_calls_need_a_global_admin(totango: Any) -> None:
    token = totango.act("issue_token", user="bo@vendor.example", name="bo")["token"]
    for route in ROUTES:
        path = route.path.pattern.replace("\\", "").replace("([^/]+)", "1")
        answer = totango.send(route.method, path, headers={"app-token": token})
        refused = answer.status == 403 and answer.json["error"]["type"] == "authorization_failed"
        assert refused == (route.access is Access.GLOBAL_ADMIN), path


def test_a_call_acts_as_the_owner_of_its_token(totango: Any) -> None:
    totango.act("add_user", email="eve@vendor.example", global_admin=True)
    token = totango.act("issue_token", user="eve@vendor.example", name="eve")["token"]
    body = {"account_id": "ACME-17", "content": "x"}
    answer = totango.send("POST", "/api/v3/touchpoints", json=body, headers={"app-token": token})
    assert totango.held(answer.json["note"]["id"])["created_by"] == "eve@vendor.example"


def test_the_token_of_the_other_region_is_refused(totango: Any) -> None:
    american = totango.service.token
    totango.switches.region = "eu"
    assert totango.service.token != american
    assert (status(totango, american), status(totango, totango.service.token)) == (401, 200)


def test_the_region_lookup_needs_no_token_and_says_t11_for_europe(totango: Any) -> None:
    query = {"service_id": str(totango.service.service_id)}
    assert totango.send("GET", "/domains/", query=query, headers={}).json["site"] != "t11"
    totango.switches.region = "eu"
    assert totango.send("GET", "/domains", query=query, headers={}).json == {"site": "t11"}
    assert totango.send("GET", "/domains/", query={"service_id": "1"}, headers={}).status == 404


def test_every_reply_on_the_api_host_tells_what_remains(totango: Any) -> None:
    remaining = [
        totango.send("GET", path).headers["RateLimit-Remaining"]
        for path in (FLOWS, "/api/v3/unknown", "/api/v2/events")
    ]
    assert remaining == ["99", "98", "97"]


def test_call_101_of_a_minute_is_answered_429_with_four_headers_and_85_bytes(totango: Any) -> None:
    for _ in range(100):
        assert totango.send("GET", FLOWS).status == 200
    totango.wait(17.5)
    answer = totango.send("POST", "/api/v3/touchpoints", json={"account_id": "ACME-17", "content": "x"})
    assert answer.status == 429
    assert answer.headers == {
        "Content-Type": "application/json",
        "RateLimit-Limit": "100",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "43",
        "Retry-After": "43",
    }
    assert len(answer.reply.body) == 85
    assert "Too many requests" in answer.text
    assert isinstance(answer.json, dict)


def test_the_window_opens_with_a_first_call_and_lasts_60_seconds(totango: Any) -> None:
    totango.switches.rate_limit = 2
    totango.wait(31)
    statuses = [totango.send("GET", FLOWS).status]
    totango.wait(59)
    statuses += [totango.send("GET", FLOWS).status for _ in range(2)]
    totango.wait(1)
    statuses.append(totango.send("GET", FLOWS).status)
    assert statuses == [200, 200, 429, 200]


def test_a_clock_set_back_opens_a_new_window(totango: Any) -> None:
    totango.switches.rate_limit = 1
    assert totango.send("GET", FLOWS).status == 200
    totango.wait(-3600)
    assert totango.send("GET", FLOWS).status == 200


def test_tokens_are_counted_apart_and_bad_ones_too(totango: Any) -> None:
    totango.switches.rate_limit = 1
    other = totango.act("issue_token", user="dana@vendor.example", name="other")["token"]
    assert [status(totango, token) for token in (totango.service.token, other, "bad", "bad")] == [200, 200, 401, 429]


def test_headers_of_a_429_can_be_dropped(totango: Any) -> None:
    totango.switches.rate_limit = 1
    totango.send("GET", FLOWS)
    totango.switches.retry_after_header = False
    headers = totango.send("GET", FLOWS).headers
    assert "Retry-After" not in headers
    assert headers["RateLimit-Reset"] == "60"
    totango.switches.rate_limit_reset_header = False
    assert "RateLimit-Reset" not in totango.send("GET", FLOWS).headers


@pytest.mark.parametrize(("switch", "expected"), [("with_200", 200), ("with_502", 502)])
def test_an_html_page_can_stand_for_the_answer_after_the_work_is_done(totango: Any, switch: str, expected: int) -> None:
    before = len(totango.service.state()["touchpoints"])
    totango.switches.html_body = switch
    answer = totango.send("POST", "/api/v3/touchpoints", json={"account_id": "ACME-17", "content": "x"})
    assert (answer.status, answer.headers["Content-Type"]) == (expected, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(totango.service.state()["touchpoints"]) == before + 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/team_members"),
        ("GET", "/api/v2/audit"),
        ("GET", "/api/v3/integrations/job/"),
        ("PATCH", "/api/v3/touchpoints/1"),
        ("GET", "/"),
    ],
)
def test_what_is_not_simulated_is_answered_501_with_an_error_body(totango: Any, method: str, path: str) -> None:
    answer = totango.send(method, path)
    assert answer.status == 501
    assert answer.json["error"]["type"] == "not_simulated"
    assert path in answer.json["error"]["message"]


def test_a_trailing_slash_makes_no_difference(totango: Any) -> None:
    for path in ("/api/v3/activity-types", "/api/v2/accounts/ACME-17", "/api/v1/attributes.json"):
        assert totango.send("GET", path).json == totango.send("GET", path + "/").json
