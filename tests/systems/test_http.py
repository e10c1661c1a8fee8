from __future__ import annotations

import gzip
import logging
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
import urllib3
from tests.systems.wire import FakeTime, Say, Script

from cshub.core.errors import (
    AmbiguousWrite,
    AuthenticationFailed,
    ConnectionSpecError,
    DataError,
    GatewayTimeout,
    HubError,
    NotFound,
    PermissionDenied,
    ProtocolFault,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
)
from cshub.systems.answers import as_json, as_object, discard
from cshub.systems.http import ApiSession, HttpPolicy, TokenAuth
from cshub.systems.verdicts import Effect

TOKEN = "{secret}token+1/ada@seller.example"
OK = Say(body={"ok": True})
HTML = Say(body=b"<!DOCTYPE html><html></html>", headers={"Content-Type": "text/html"})


def _lost(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", reason))


RESET = _lost(ConnectionResetError(104, "reset"))
REFUSED = requests.ConnectionError(
    urllib3.exceptions.MaxRetryError(
        None,  # type: ignore[arg-type]
        "/x",
        urllib3.exceptions.NewConnectionError(None, "refused"),  # type: ignore[arg-type]
    )
)


def session(adapter: Script, time: FakeTime | None = None, **more: Any) -> ApiSession:
    time = time or FakeTime()
    policy = more.pop("policy", HttpPolicy())
    return ApiSession(
        "Totango (connection totango_default)",
        "https://api.totango.com",
        auth=TokenAuth("app-token", TOKEN),
        secrets=[TOKEN],
        wire=time.wire(adapter, **more),
        policy=policy,
    )


def call(http: ApiSession, effect: Effect = Effect.READ, **more: Any) -> Any:
    method = {Effect.READ: "GET", Effect.REPEATABLE: "PUT", Effect.ONCE: "POST"}[effect]
    return http.call(method, "/api/v3/touchpoints/7", effect=effect, parse=more.pop("parse", as_object), **more)


def test_a_call_carries_token_and_agent_and_returns_the_parsed_answer() -> None:
    script = Script(OK)
    http = session(script)
    assert call(http, params={"account_id": "A 1"}) == {"ok": True}
    (request,) = script.requests
    assert request.headers["app-token"] == TOKEN
    assert str(request.headers["User-Agent"]).startswith("cshub/")
    assert request.url == "https://api.totango.com/api/v3/touchpoints/7?account_id=A+1"
    assert http.calls == 1


@pytest.mark.parametrize("effect", [Effect.READ, Effect.REPEATABLE])
@pytest.mark.parametrize(
    "fault", [RESET, Say(500), Say(503), HTML, Say(body=b'{"cut": '), Say(body=[1]), requests.ReadTimeout("slow")]
)
def test_reads_and_repeatable_writes_are_sent_again_after_a_fault(fault: Say | Exception, effect: Effect) -> None:
    time = FakeTime()
    http = session(Script(fault, fault, OK), time)
    assert call(http, effect) == {"ok": True}
    assert (http.calls, time.slept) == (3, [1.0, 2.0])


@pytest.mark.parametrize("effect", list(Effect))
def test_what_a_service_does_not_offer_is_not_asked_again_and_not_told_to_wait_for(effect: Effect) -> None:
    http = session(Script(Say(501), OK))
    with pytest.raises(RequestRefused, match="does not offer this, so waiting does not help") as caught:
        call(http, effect)
    assert (http.calls, caught.value.status) == (1, 501)
    assert "Try again later" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        RESET,
        Say(500),
        Say(502),
        Say(503),
        Say(504),
        HTML,
        Say(body=b'{"cut": '),
        requests.ReadTimeout("slow"),
        Say(302),
    ],
)
def test_a_create_whose_answer_is_lost_is_never_sent_again(fault: Say | Exception) -> None:
    http = session(Script(fault, OK))
    with pytest.raises(AmbiguousWrite, match="look for it in the target"):
        call(http, Effect.ONCE)
    assert http.calls == 1


@pytest.mark.parametrize("fault", [REFUSED, requests.ConnectTimeout("no answer"), Say(429)])
def test_a_create_that_certainly_was_not_carried_out_is_sent_again(fault: Say | Exception) -> None:
    http = session(Script(fault, OK))
    assert call(http, Effect.ONCE) == {"ok": True}
    assert http.calls == 2


def test_a_create_that_never_gets_through_is_unavailable_not_ambiguous() -> None:
    with pytest.raises(ServiceUnavailable, match="nothing was sent"):
        call(session(Script(REFUSED)), Effect.ONCE)


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"RateLimit-Reset": "9"}, 9.0),
        ({"Retry-After": "3", "RateLimit-Reset": "9"}, 3.0),
        ({"Retry-After": "Sun, 09 Sep 2001 01:46:50 GMT"}, 10.0),
        ({"RateLimit-Reset": "1000000020"}, 20.0),
        ({"RateLimit-Reset": "1000000020000"}, 20.0),
        ({}, 60.0),
        ({"Retry-After": "soon"}, 60.0),
        ({"Retry-After": "-5"}, 60.0),
        ({"Retry-After": "nan"}, 60.0),
        ({"Retry-After": "999999"}, 60.0),
        ({"Retry-After": "999999", "RateLimit-Reset": "12"}, 12.0),
        ({"Retry-After": "900"}, 120.0),
        ({"Retry-After": "0"}, 1.0),
    ],
)
def test_after_a_429_the_stated_wait_is_kept_if_it_can_be_believed(headers: dict[str, str], waited: float) -> None:
    time = FakeTime()
    assert call(session(Script(Say(429, headers=headers), OK), time)) == {"ok": True}
    assert time.slept == [waited]


def test_a_reset_that_is_always_at_once_does_not_lead_to_a_storm() -> None:
    time = FakeTime()
    with pytest.raises(RateLimited):
        call(session(Script(Say(429, headers={"Retry-After": "0"})), time))
    assert time.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]


def test_a_rate_limit_error_tells_when_it_resets() -> None:
    with pytest.raises(RateLimited, match="resets in 30 s") as caught:
        call(session(Script(Say(429, headers={"RateLimit-Reset": "30"}))))
    assert caught.value.reset_s == 30


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AuthenticationFailed),
        (403, PermissionDenied),
        (404, NotFound),
        (400, RequestRefused),
        (409, RequestRefused),
    ],
)
def test_a_verdict_is_raised_at_once(status: int, error: type[HubError]) -> None:
    http = session(Script(Say(status, {"message": "no"})))
    with pytest.raises(error, match="PUT /api/v3/touchpoints/7"):
        call(http, Effect.REPEATABLE)
    assert http.calls == 1


def test_a_401_without_a_body_says_what_to_do() -> None:
    with pytest.raises(AuthenticationFailed, match=r"totango_default.*make a new one and store it in the connection"):
        call(session(Script(Say(401))))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"type": "bad_request", "message": "Account not found"}}, "Account not found (bad_request)"),
        (
            {"errors": [{"title": "Bad", "detail": "min_date", "code": "X1", "source": {"parameter": "min_date"}}]},
            "min_date (X1",
        ),
        (
            [{"message": "Required fields are missing", "errorCode": "REQUIRED_FIELD_MISSING"}],
            "Required fields are missing",
        ),
        ({"errors": "one text"}, "one text"),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant"),
        (b"plain words\nin lines", "plain words in lines"),
        (b"", ""),
    ],
)
def test_the_services_own_words_are_read_from_every_error_form(body: Any, words: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        call(session(Script(Say(400, body))))
    assert words in caught.value.verdict
    assert words in str(caught.value)
    assert caught.value.status == 400


def test_a_web_page_with_404_is_no_verdict_on_a_record() -> None:
    page = Say(404, b"<html>not here</html>", {"Content-Type": "text/html"})
    with pytest.raises(ProtocolFault, match="check the connection's host"):
        call(session(Script(page)))


def test_a_gateway_time_out_is_tried_twice_only() -> None:
    http = session(Script(Say(504)))
    with pytest.raises(GatewayTimeout, match="shorter window"):
        call(http)
    assert http.calls == 2


def test_redirects_within_the_host_are_followed_and_bounded() -> None:
    there = Say(302, headers={"Location": "/elsewhere"})
    assert call(session(Script(there, there, OK))) == {"ok": True}
    http = session(Script(there), policy=HttpPolicy(redirects=3))
    with pytest.raises(ProtocolFault, match="leads elsewhere"):
        call(http)
    assert http.calls == 5 * 4


def test_a_token_is_never_carried_to_another_host() -> None:
    script = Script(Say(302, headers={"Location": "https://evil.example/steal"}), OK)
    with pytest.raises(ConnectionSpecError, match=r"evil\.example"):
        call(session(script))
    assert len(script.requests) == 1


def test_a_redirected_write_is_not_followed() -> None:
    script = Script(Say(307, headers={"Location": "/elsewhere"}))
    with pytest.raises(ProtocolFault):
        call(session(script), Effect.REPEATABLE)
    assert {request.path_url for request in script.requests} == {"/api/v3/touchpoints/7"}


def test_a_compressed_answer_is_read() -> None:
    packed = Say(body=gzip.compress(b'{"ok": true}'), headers={"Content-Encoding": "gzip"})
    assert call(session(Script(packed))) == {"ok": True}


def test_json_that_only_lenient_parsers_take_reaches_the_caller() -> None:
    value = call(session(Script(Say(body=b'{"a": NaN, "b": "\\ud800", "c": 1}'))))
    assert value["b"] == "\ud800"
    assert value["c"] == 1


def test_an_answer_that_is_too_large_is_given_up() -> None:
    http = session(Script(Say(body=b"[" + b" " * 5000 + b"]")), policy=HttpPolicy(largest_answer=1000))
    with pytest.raises(ProtocolFault, match="larger than 1000 bytes"):
        call(http, parse=as_json)


def test_a_value_that_json_cannot_hold_is_a_data_error() -> None:
    with pytest.raises(DataError, match="Correct the mapping"):
        call(session(Script(OK)), Effect.ONCE, json={"subject": "\ud800"})


class CountingQuota:
    def __init__(self) -> None:
        self.acquired = 0
        self.penalties: list[float] = []

    def acquire(self, count: int = 1) -> float:
        self.acquired += count
        return 0.0

    def penalise(self, until_s: float) -> None:
        self.penalties.append(until_s)

    def forecast(self, calls: int) -> float:
        return 0.0


def test_every_request_that_is_sent_asks_the_budget_first() -> None:
    quota = CountingQuota()
    http = session(Script(Say(500), Say(302, headers={"Location": "/x"}), OK), quota=quota)
    call(http)
    assert quota.acquired == http.calls == 3


def test_a_429_holds_up_all_who_share_the_budget() -> None:
    quota = CountingQuota()
    call(session(Script(Say(429, headers={"Retry-After": "11"}), OK), quota=quota))
    assert quota.penalties == [11.0]


def test_a_budget_that_has_just_run_out_is_heeded_when_the_reset_is_told() -> None:
    quota = CountingQuota()
    spent = {"RateLimit-Remaining": "0"}
    call(session(Script(Say(body={}, headers={**spent, "RateLimit-Reset": "5"})), quota=quota))
    call(session(Script(Say(body={}, headers=spent)), quota=quota))
    assert quota.penalties == [5.0]


LEAKS: list[Say | Exception] = [
    Say(400, {"error": {"type": "bad", "message": f"token {TOKEN} is bad; app-token: {TOKEN}"}}),
    Say(401, f"Authorization: Bearer {TOKEN}".encode()),
    Say(403, quote(TOKEN, safe="").encode()),
    Say(404, {"message": f"no {TOKEN.upper()}"}),
    Say(500, TOKEN.encode()),
    Say(429, TOKEN.encode()),
    Say(302, headers={"Location": f"https://evil.example/{TOKEN}"}),
    requests.exceptions.InvalidHeader(f"Invalid header value: '{TOKEN}'"),
    _lost(OSError(f"while sending app-token: {TOKEN}")),
    requests.ReadTimeout(f"GET https://x/?token={quote(TOKEN, safe='')}"),
]


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("leak", LEAKS)
def test_no_error_and_no_log_line_tells_the_token(
    leak: Say | Exception, effect: Effect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="cshub")
    http = session(Script(leak))
    with pytest.raises(HubError) as caught:
        call(http, effect, parse=discard)
    texts = [
        *_texts_of(caught.value),
        "".join(traceback.format_exception(caught.value)),
        repr(http),
        repr(http.redact),
        repr(http.session.auth),
        *(record.getMessage() for record in caplog.records),
        str(vars(caught.value)),
    ]
    for text in texts:
        for form in (TOKEN, quote(TOKEN, safe=""), quote(TOKEN)):
            assert form.lower() not in text.lower()


def _texts_of(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r} {error.args}"
        error = error.__cause__ or error.__context__


def test_a_token_with_a_line_break_is_a_fault_of_the_connection() -> None:
    http = ApiSession(
        "Chorus",
        "https://chorus.ai",
        auth=TokenAuth("Authorization", "two\nlines"),
        secrets=["two\nlines"],
        wire=FakeTime().wire(Script(OK)),
        policy=HttpPolicy(),
    )
    with pytest.raises(ConnectionSpecError, match="one line"):
        call(http)
