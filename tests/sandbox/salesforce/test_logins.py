from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from .conftest import NOW, Answer, Caller

MakeOrg = Callable[..., Caller]
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token_call(org: Caller, headers: Any = None, **form: str) -> Answer:
    sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    return org.raw("POST", "/services/oauth2/token", headers=sent, body=urlencode(form).encode())


def soap(call: str) -> bytes:
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    body = f'<{call} xmlns="urn:partner.soap.sforce.com"/>'
    return f'<e:Envelope xmlns:e="{envelope}"><e:Body>{body}</e:Body></e:Envelope>'.encode()


def client(org: Caller) -> dict[str, str]:
    return {name: org.service.login[name] for name in ("client_id", "client_secret")}


def assertion(org: Caller, *, key: str | None = None, **claims: Any) -> str:
    known = {
        "iss": org.service.login["client_id"],
        "sub": org.service.login["username"],
        "aud": "https://login.salesforce.com",
        "exp": int((datetime.now(UTC) + timedelta(minutes=3)).timestamp()),
    }
    return jwt.encode({**known, **claims}, key or org.service.private_key, algorithm="RS256")


def by_assertion(org: Caller, **claims: Any) -> Answer:
    return token_call(org, grant_type=JWT_GRANT, assertion=assertion(org, **claims))


def test_client_credentials_in_a_basic_header_or_in_the_form_open_a_session(org: Caller) -> None:
    pair = f"{org.service.login['client_id']}:{org.service.login['client_secret']}"
    basic = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    for answer in (
        token_call(org, basic, grant_type="client_credentials"),
        token_call(org, grant_type="client_credentials", **client(org)),
    ):
        assert answer.status == 200
        assert set(answer.json) == {
            "access_token", "instance_url", "id", "token_type", "issued_at", "signature", "scope",
        }  # fmt: skip
        assert answer.json["instance_url"] == "https://acme.my.salesforce.com"
        assert org.send("GET", "limits", token=answer.json["access_token"]).status == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_secret": "y"}, "invalid_client"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": JWT_GRANT, "assertion": "x"}, "invalid_client"),
    ],
)
def test_a_refused_login_is_one_object_with_status_400(org: Caller, form: dict[str, str], error: str) -> None:
    known = {"client_id": org.service.login["client_id"]} if error == "invalid_client" else {}
    answer = token_call(org, **{**known, **form})
    assert (answer.status, answer.json["error"]) == (400, error)
    assert answer.json["error_description"]


def test_client_credentials_need_the_domain_of_the_org_and_a_user_to_run_as(org: Caller) -> None:
    shared = {"host": "login.salesforce.com"}
    answer = token_call(org, shared, grant_type="client_credentials", **client(org))
    assert answer.json["error_description"] == "request not supported on this domain"
    for wrong in ("other.my.salesforce.com", "ACME--test.sandbox.my.salesforce.com", "test.salesforce.com:443"):
        answer = token_call(org, {"host": wrong}, grant_type="client_credentials", **client(org))
        assert answer.json["error"] == "invalid_grant", wrong
    for right in ("Acme.my.salesforce.com:443", "127.0.0.1:8080"):
        assert token_call(org, {"host": right}, grant_type="client_credentials", **client(org)).status == 200
    org.act("run_as", user=None)
    answer = token_call(org, grant_type="client_credentials", **client(org))
    assert answer.json["error_description"] == "no client credentials user enabled"


def test_another_user_can_be_the_one_that_client_credentials_run_as(org: Caller) -> None:
    member = org.world.members[0].person.email
    org.act("run_as", user=member)
    token = token_call(org, grant_type="client_credentials", **client(org)).json["access_token"]
    me = org.raw("GET", "/services/oauth2/userinfo", headers={"authorization": f"Bearer {token}"})
    assert me.json["email"] == member


@pytest.mark.parametrize("as_text", [False, True])
def test_an_assertion_may_say_its_end_as_number_or_text(org: Caller, as_text: bool) -> None:
    exp: Any = int((datetime.now(UTC) + timedelta(minutes=3)).timestamp())
    assert by_assertion(org, exp=str(exp) if as_text else exp).status == 200


def test_a_wrong_assertion_is_refused(org: Caller) -> None:
    signed = org.service.private_key
    other = org.act("new_private_key")
    past = int((datetime.now(UTC) - timedelta(minutes=1)).timestamp())
    wrong: list[dict[str, Any]] = [
        {"key": signed},
        {"aud": "https://example.com"},
        {"exp": past},
        {"exp": "soon"},
        {"exp": "nan"},
        {"exp": past + 86_400},
        {"iss": "x"},
        {"sub": "nobody@example.com"},
    ]
    assert by_assertion(org, key=other).status == 200
    for claims in wrong:
        assert by_assertion(org, **claims).status == 400, claims


def test_the_end_of_an_assertion_can_be_judged_by_the_clock_of_the_world(make_org: MakeOrg) -> None:
    org = make_org(assertion_clock="world")
    assert org.service.private_key
    assert by_assertion(org, exp=int(NOW.timestamp()) + 60).status == 200
    assert by_assertion(org, exp=int(NOW.timestamp()) - 60).status == 400


def test_the_password_flow_needs_the_security_token_unless_the_address_is_trusted(make_org: MakeOrg) -> None:
    org = make_org()
    login = org.service.login
    form = {"grant_type": "password", "username": login["username"], **client(org)}
    assert token_call(org, password=login["password"], **form).status == 400
    assert token_call(org, password=login["password"] + login["security_token"], **form).status == 200
    org.set(security_token_needed=False)
    assert token_call(org, password=login["password"], **form).status == 200
    org.set(password_flow=False)
    assert token_call(org, password=login["password"], **form).status == 400


def test_soap_login_can_be_switched_off_and_answers_a_fault(org: Caller) -> None:
    org.set(soap_login=False)
    answer = org.raw("POST", "/services/Soap/u/59.0", headers={"content-type": "text/xml"}, body=soap("login"))
    assert answer.status == 500
    assert "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>" in answer.text
    assert org.raw("POST", "/services/Soap/u/59.0", body=b"<a").status == 500
    assert "XML_PARSER_ERROR" in org.raw("POST", "/services/Soap/u/59.0", body=b"<a/>").text
    assert "UNSUPPORTED_API_VERSION" in org.raw("POST", "/services/Soap/u/65.0", body=soap("login")).text
    assert "UNSUPPORTED_API_VERSION" in org.raw("POST", "/services/Soap/u/new", body=soap("login")).text


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/services/Soap/u/67.0/00D5g0000100007", "query()"),
        ("POST", "/services/Soap/m/59.0/00D5g0000100007", "POST /services/Soap/m/59.0"),
        ("GET", "/services/Soap/u/59.0", "GET /services/Soap/u/59.0"),
    ],
)
def test_a_soap_call_other_than_login_is_a_fault_that_says_not_simulated(
    org: Caller, method: str, path: str, named: str
) -> None:
    answer = org.raw(method, path, headers={"content-type": "text/xml"}, body=soap("query"))
    assert (answer.status, answer.headers["Content-Type"]) == (500, "text/xml;charset=UTF-8")
    assert "<sf:exceptionCode>NOT_SIMULATED</sf:exceptionCode>" in answer.text
    assert named in answer.text


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("POST", "/services/async/59.0/job", "sf.bulk2"),
        ("GET", "/services/oauth2/authorize", "GET /services/oauth2/authorize"),
        ("POST", "/services/oauth2/introspect", "POST /services/oauth2/introspect"),
        ("GET", "/services/oauth2/token", "GET /services/oauth2/token"),
        ("GET", "/services/apexrest/x", "GET /services/apexrest/x"),
    ],
)
def test_an_address_that_is_not_simulated_says_so_with_or_without_a_session(
    org: Caller, method: str, path: str, named: str
) -> None:
    for headers in ({}, {"x-sfdc-session": org.token}, {"authorization": f"Bearer {org.token}"}):
        answer = org.raw(method, path, headers=headers)
        assert answer.refusal == (501, "NOT_SIMULATED")
        assert named in answer.json[0]["message"]


def test_a_session_ends_with_its_life_an_expiry_or_its_user(org: Caller) -> None:
    member = org.world.members[0].person.email
    tokens = [org.act("issue_token", user=member) for _ in range(2)]
    assert org.act("expire_tokens", token=tokens[0]) == 1
    assert org.send("GET", "limits", token=tokens[0]).refusal == (401, "INVALID_SESSION_ID")
    assert org.send("GET", "limits", token=tokens[1]).status == 200
    org.act("deactivate_user", user=member)
    assert org.send("GET", "limits", token=tokens[1]).refusal == (401, "INVALID_SESSION_ID")
    old = org.token
    org.wait(7_200)
    assert org.send("GET", "limits", token=old).refusal == (401, "INVALID_SESSION_ID")
    assert org.send("GET", "limits").status == 200


def test_a_revoked_token_is_worthless(org: Caller) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"token": org.token}).encode()
    assert org.raw("POST", "/services/oauth2/revoke", headers=form, body=body).status == 200
    assert org.raw("POST", "/services/oauth2/revoke", headers=form, body=body).status == 400
    assert org.send("GET", "limits").status == 401


def test_the_identity_address_tells_who_signed_in_and_to_nobody_else(org: Caller) -> None:
    answer = token_call(org, grant_type="client_credentials", **client(org)).json
    path = answer["id"].removeprefix("https://login.salesforce.com")
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    me = org.raw("GET", path, headers=headers)
    assert (me.json["user_id"], me.json["organization_id"]) == (org.service.user_id, org.service.organization_id)
    assert me.json["username"] == org.service.login["username"]
    other = path.replace(org.service.user_id, org.rows("User")[1]["Id"])
    assert (org.raw("GET", other, headers=headers).status, org.raw("GET", path).status) == (403, 403)


def test_versions_are_listed_without_login_retired_ones_are_gone_and_unknown_ones_not_found(org: Caller) -> None:
    listed = org.raw("GET", "/services/data/").json
    assert listed[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert {item["version"]: item["label"] for item in listed}["59.0"] == "Winter '24"
    assert org.send("GET", "limits", version="30.0").refusal == (410, "GONE")
    for unknown in ("20.0", "69.0", "62", "v62.0"):
        assert org.send("GET", "limits", version=unknown).refusal == (404, "NOT_FOUND")
    for unknown in ("abc", "62.0", ""):
        signed_in = {"authorization": f"Bearer {org.token}"}
        assert org.raw("GET", f"/services/data/{unknown}/limits", headers=signed_in).refusal == (404, "NOT_FOUND")
    assert org.send("GET", "").json["sobjects"] == "/services/data/v62.0/sobjects"


def test_every_answer_has_the_clock_of_the_org_and_the_use_of_the_limit(org: Caller) -> None:
    org.set(clock_skew_s=60)
    for answer in (org.send("GET", "limits"), org.send("GET", "nothing"), org.raw("GET", "/services/data/")):
        assert answer.headers["Date"] == "Fri, 20 Nov 2026 12:01:00 GMT"
        assert answer.headers["Sforce-Limit-Info"].endswith("/100000")


def test_the_daily_limit_counts_calls_but_no_logins_and_opens_again_after_a_day(make_org: MakeOrg) -> None:
    org = make_org(api_limit=2)
    token_call(org, grant_type="client_credentials", **client(org))
    assert [org.send("GET", "limits").status for _ in range(3)] == [200, 200, 403]
    assert org.send("GET", "limits").json[0] == {
        "message": "TotalRequests Limit exceeded.",
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
    }
    org.wait(86_400)
    assert org.send("GET", "limits").json["DailyApiRequests"] == {"Max": 2, "Remaining": 1}
    org.act("use_calls", count=5)
    assert org.send("GET", "limits").status == 403
    org.act("reset_calls")
    assert org.send("GET", "limits").status == 200


def test_a_call_too_long_for_the_service_is_answered_414(org: Caller) -> None:
    answer = org.send("GET", "query", query=[("q", "SELECT Id FROM Event WHERE Subject = '" + "x" * 16_384 + "'")])
    assert answer.status == 414


def test_a_wrong_method_and_an_unknown_path_are_said_as_the_vendor_does(org: Caller) -> None:
    assert org.send("PUT", "sobjects/Event").refusal == (405, "METHOD_NOT_ALLOWED")
    assert org.send("GET", "search").refusal == (404, "NOT_FOUND")
    assert org.raw("GET", "/services/apexrest/x", headers={"authorization": f"Bearer {org.token}"}).status == 501
