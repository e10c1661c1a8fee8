from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.systems.salesforce.cast import APP, EXPIRED, ORG, SECRET, TOKEN, USER, Stage, event, page, signed_in, token
from tests.systems.wire import Say

from cshub.core.errors import AuthenticationFailed, ConnectionSpecError, ProtocolFault, RateLimited, ServiceUnavailable
from cshub.systems.salesforce.auth import Credentials, Flow, check_version

SOAP_ANSWER = (
    b"<Envelope><Body><loginResponse><result><serverUrl>https://acme.my.salesforce.com/services/Soap/u/64.0/00D"
    b"</serverUrl><sessionId>soap-session-1</sessionId><userInfo><organizationId>00D5g000004XyZ1EAK</organizationId>"
    b"<userId>0055g00000AbCd1AAF</userId></userInfo></result></loginResponse></Body></Envelope>"
)
SOAP_FAULT = (
    b"<?xml version='1.0'?><soapenv:Envelope><soapenv:Body><soapenv:Fault><detail><sf:fault>"
    b"<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>Invalid username, password, security token"
    b"</sf:exceptionMessage></sf:fault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)
SOAP = Credentials(username="amy@acme.example", password="pass-word-9", security_token="sec-tok-5")


@pytest.fixture(scope="module")
def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_nothing_is_sent_before_the_first_call() -> None:
    stage = signed_in()
    assert (stage.client.calls, stage.sent) == (0, [])


def test_client_credentials_are_exchanged_for_a_token_that_signs_the_calls() -> None:
    stage = signed_in(page(event(1)))
    assert [len(rows) for rows in stage.client.query("SELECT Id FROM Event")] == [1]
    sign_in, query = stage.sent
    assert sign_in.url == "https://acme.my.salesforce.com/services/oauth2/token"
    assert sign_in.headers["Authorization"] == "Basic " + base64.b64encode(f"consumer-key-1:{SECRET}".encode()).decode()
    assert sign_in.body == b"grant_type=client_credentials"
    assert query.headers["Authorization"] == f"Bearer {TOKEN}"
    assert str(query.url).startswith("https://acme.my.salesforce.com/services/data/v66.0/query/?q=SELECT")
    assert stage.client.calls == 2


def test_org_and_user_are_known_from_the_sign_in_alone() -> None:
    stage = signed_in()
    assert (stage.client.org_id, stage.client.user_id, stage.client.calls) == (ORG, USER, 1)


@pytest.mark.parametrize("from_file", [True, False])
def test_a_certificate_signs_in_as_its_user(pem: str, tmp_path: Path, from_file: bool) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem)
    key = {"private_key_file_path": str(path)} if from_file else {"private_key": pem.replace("\n", "\\n")}
    credentials = Credentials(domain="acme.my", consumer_key="k", username="amy@acme.example", **key)
    stage = signed_in(page(), credentials=credentials)
    assert list(stage.client.query("SELECT Id FROM Event")) == []
    claims = jwt.decode(stage.form(0)["assertion"][0], options={"verify_signature": False, "verify_exp": False})
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("k", "amy@acme.example", "https://acme.my.salesforce.com")


@pytest.mark.parametrize("key", ["no key at all", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"])
def test_a_private_key_that_is_none_is_told_without_showing_it(key: str) -> None:
    stage = signed_in(credentials=Credentials(domain="acme.my", consumer_key="k", username="a@b", private_key=key))
    with pytest.raises(ConnectionSpecError, match="paste the whole PEM text") as caught:
        _ = stage.client.sf
    assert key not in str(caught.value) and stage.sent == []


def test_a_key_file_that_is_not_there_is_told_with_its_path() -> None:
    its = Credentials(consumer_key="k", username="a@b", private_key_file_path="/nowhere/key.pem")
    with pytest.raises(ConnectionSpecError, match=r"/nowhere/key\.pem cannot be read"):
        _ = signed_in(credentials=its).client.sf


def test_a_session_made_elsewhere_needs_no_sign_in_and_is_asked_who_it_is() -> None:
    its = Credentials(session_id="elsewhere-1", instance_url="https://acme.my.salesforce.com")
    stage = Stage(Say(body={"organization_id": ORG[:15], "user_id": USER}), credentials=its)
    assert (stage.client.org_id, stage.client.user_id) == (ORG, USER)
    assert stage.asked() == ["GET oauth2/userinfo"]


def test_an_org_that_knows_no_userinfo_is_asked_for_its_own_record() -> None:
    its = Credentials(session_id="elsewhere-1", instance_url="https://acme.my.salesforce.com")
    stage = Stage(Say(404, [{"errorCode": "NOT_FOUND", "message": "none"}]), page({"Id": ORG}), credentials=its)
    assert (stage.client.org_id, stage.client.user_id) == (ORG, "")


def test_soap_still_works_and_warns_of_its_end(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(Say(body=SOAP_ANSWER, headers={"Content-Type": "text/xml"}), page(), credentials=SOAP)
    with caplog.at_level(logging.WARNING):
        assert list(stage.client.query("SELECT Id FROM Event")) == []
    assert stage.asked()[0] == "POST Soap/u/64.0"
    assert stage.sent[1].headers["Authorization"] == "Bearer soap-session-1"
    assert "which Salesforce ends in 2027" in caplog.text
    assert (stage.client.org_id, stage.client.user_id, stage.client.calls) == (ORG, USER, 2)


def test_a_soap_fault_says_what_to_check() -> None:
    stage = Stage(Say(500, SOAP_FAULT, {"Content-Type": "text/xml"}), credentials=SOAP)
    with pytest.raises(
        AuthenticationFailed, match=r"INVALID_LOGIN.*a change of the password makes a new security token"
    ):
        _ = stage.client.sf
    assert stage.client.calls == 1


def test_the_old_password_flow_appends_the_security_token() -> None:
    its = Credentials(
        consumer_key="k", consumer_secret="s-9999", username="amy", password="pw-1234", security_token="tok-5678"
    )
    stage = signed_in(credentials=its)
    _ = stage.client.sf
    assert stage.form(0)["password"] == ["pw-1234tok-5678"]


KEY_AND_SECRET = {"consumer_key": "k", "consumer_secret": "s"}
PASSWORD = {"username": "u", "password": "p"}
SESSION = {"session_id": "s", "instance_url": "https://a.my.salesforce.com"}


@pytest.mark.parametrize(
    ("its", "flow"),
    [
        (APP, Flow.CLIENT_CREDENTIALS),
        (Credentials(domain="https://acme.my.salesforce.com/", **KEY_AND_SECRET), Flow.CLIENT_CREDENTIALS),
        (Credentials(domain="acme.my", **KEY_AND_SECRET, **PASSWORD), Flow.CLIENT_CREDENTIALS),
        (Credentials(consumer_key="k", private_key="x", username="u", **SESSION), Flow.JWT_BEARER),
        (Credentials(**SESSION, **PASSWORD), Flow.SESSION),
        (Credentials(domain="login", **KEY_AND_SECRET, **PASSWORD), Flow.PASSWORD),
        (Credentials(**PASSWORD), Flow.SOAP),
    ],
)
def test_the_way_with_the_longest_future_is_taken(its: Credentials, flow: Flow) -> None:
    assert its.flow() is flow


@pytest.mark.parametrize(
    ("its", "missing"),
    [
        (Credentials(), "domain, consumer_key and consumer_secret are missing"),
        (Credentials(consumer_key="k", consumer_secret="s"), "domain is missing"),
        (Credentials(domain="test", consumer_key="k", consumer_secret="s"), "names no org"),
        (Credentials(domain="acme.my", consumer_key="k"), "consumer_secret is missing"),
        (Credentials(domain="acme.my", consumer_secret="s"), "consumer_key is missing"),
        (Credentials(consumer_key="k", private_key="x"), "login .username. is missing"),
        (Credentials(private_key="x", username="u"), "consumer_key is missing"),
        (Credentials(session_id="s"), "instance_url is missing"),
        (Credentials(username="u"), "password is missing"),
    ],
)
def test_what_is_missing_is_named(its: Credentials, missing: str) -> None:
    with pytest.raises(ConnectionSpecError, match=missing):
        its.flow()


@pytest.mark.parametrize("field", ["domain", "instance_url"])
def test_an_address_that_serves_pages_is_refused_with_the_right_one(field: str) -> None:
    its = Credentials(**{field: "https://acme.lightning.force.com/x"}, consumer_key="k", consumer_secret="s")
    with pytest.raises(ConnectionSpecError, match=r"write acme\.my\.salesforce\.com"):
        its.address()


@pytest.mark.parametrize("domain", ["127.0.0.1:8080/#", "acme.my@evil.example", "a b", "https://user@acme.my"])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(ConnectionSpecError):
        Credentials(domain=domain, consumer_key="k", consumer_secret="s").flow()


@pytest.mark.parametrize(("given", "used"), [("66.0", "66.0"), ("v67.0", "67.0"), ("62", "62.0")])
def test_a_version_is_understood_however_it_is_written(given: str, used: str) -> None:
    assert check_version(given) == used
    with pytest.raises(ConnectionSpecError, match=r"write 66\.0"):
        check_version("latest")


def test_a_session_with_a_line_end_in_it_is_refused_before_it_is_sent() -> None:
    its = Credentials(session_id="two\nlines", instance_url="https://acme.my.salesforce.com")
    stage = Stage(page(), credentials=its)
    with pytest.raises(ConnectionSpecError, match="one line without blanks"):
        list(stage.client.query("SELECT Id FROM Event"))
    assert stage.sent == []


@pytest.mark.parametrize(
    ("error", "description", "kind", "remedy"),
    [
        ("invalid_client_id", "client identifier invalid", AuthenticationFailed, "consumer key"),
        ("invalid_client", "invalid client credentials", AuthenticationFailed, "consumer key and secret"),
        ("invalid_grant", "no client credentials user enabled", AuthenticationFailed, "a user to run as"),
        ("brand_new", "", AuthenticationFailed, "how the connection signs in"),
        ("invalid_grant", "login rate exceeded", RateLimited, "Run again later"),
    ],
)
def test_a_refused_sign_in_says_what_to_correct(
    error: str, description: str, kind: type[Exception], remedy: str
) -> None:
    stage = Stage(Say(400, {"error": error, "error_description": description}))
    with pytest.raises(kind, match=remedy):
        _ = stage.client.sf


@pytest.mark.parametrize("body", [{}, {"access_token": "t"}, {"access_token": "a b", "instance_url": "x"}, b"<html>"])
def test_a_sign_in_whose_answer_holds_no_token_is_asked_again_and_then_told(body: object) -> None:
    stage = Stage(Say(body=body))
    with pytest.raises(ProtocolFault):
        _ = stage.client.sf
    assert len(stage.sent) == 5


def test_a_sign_in_is_repeated_when_salesforce_is_down_for_a_moment() -> None:
    stage = Stage(Say(503, b"<html>maintenance</html>"), token(), page())
    assert list(stage.client.query("SELECT Id FROM Event")) == []
    assert stage.client.calls == 3


def test_an_expired_session_is_renewed_once_and_the_call_repeated() -> None:
    stage = signed_in(EXPIRED, token("second-token"), page(event(1)))
    assert [len(rows) for rows in stage.client.query("SELECT Id FROM Event")] == [1]
    assert stage.sent[3].headers["Authorization"] == "Bearer second-token"
    assert len(stage.sent) == 4


def test_a_session_that_expires_between_two_pages_loses_no_record() -> None:
    more = "/services/data/v66.0/query/01gxx-2000"
    stage = signed_in(page(event(1), total=2, following=more), EXPIRED, token("second-token"), page(event(2), total=2))
    assert [row["Subject"] for rows in stage.client.query("SELECT Id FROM Event") for row in rows] == [
        "Event 1",
        "Event 2",
    ]


def test_a_new_token_that_is_refused_too_ends_the_call() -> None:
    stage = signed_in(EXPIRED, token("second-token"), EXPIRED)
    with pytest.raises(AuthenticationFailed, match="A token made a moment ago was refused too"):
        list(stage.client.query("SELECT Id FROM Event"))
    assert len(stage.sent) == 4


def test_a_renewal_that_is_refused_ends_the_call() -> None:
    stage = signed_in(EXPIRED, Say(400, {"error": "invalid_client", "error_description": "gone"}))
    with pytest.raises(AuthenticationFailed, match="consumer key and secret"):
        list(stage.client.query("SELECT Id FROM Event"))
    assert len(stage.sent) == 3


def test_a_session_made_elsewhere_cannot_be_renewed() -> None:
    its = Credentials(session_id="elsewhere-1", instance_url="https://acme.my.salesforce.com")
    stage = Stage(EXPIRED, credentials=its)
    with pytest.raises(AuthenticationFailed, match="INVALID_SESSION_ID"):
        list(stage.client.query("SELECT Id FROM Event"))
    assert len(stage.sent) == 1


def test_the_records_of_the_library_never_renew_without_end() -> None:
    stage = signed_in(EXPIRED)
    events: Any = stage.client.sf.Event
    with pytest.raises(AuthenticationFailed):
        events.get("00U5g0000000001")
    assert len(stage.sent) == 2


@pytest.mark.parametrize("body", [{"errorCode": "INVALID_SESSION_ID"}, b"<html>signed out</html>", b""])
def test_an_unauthorized_answer_of_any_form_is_renewed_once(body: object) -> None:
    stage = signed_in(Say(401, body), token("second-token"), page())
    assert list(stage.client.query("SELECT Id FROM Event")) == []


def test_everything_goes_to_the_overridden_address_and_says_where_it_was_meant_to_go() -> None:
    stage = signed_in(page(), endpoint_override="http://127.0.0.1:8088")
    list(stage.client.query("SELECT Id FROM Event"))
    assert [str(request.url)[:31] for request in stage.sent] == ["http://127.0.0.1:8088/services/"] * 2
    assert {request.headers["X-Orig-Host"] for request in stage.sent} == {"acme.my.salesforce.com"}


def test_a_netrc_file_does_not_take_the_token_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.my.salesforce.com login x password y\n")
    monkeypatch.setenv("NETRC", str(netrc))
    stage = signed_in(page())
    list(stage.client.query("SELECT Id FROM Event"))
    assert stage.sent[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_service_that_stays_down_is_a_transient_error() -> None:
    with pytest.raises(ServiceUnavailable):
        _ = Stage(Say(503)).client.sf
