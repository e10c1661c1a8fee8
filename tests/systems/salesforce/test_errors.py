from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest
import requests
from tests.systems.salesforce.cast import APP, EXPIRED, SECRET, TOKEN, Stage, event, page, refused, signed_in, token
from tests.systems.wire import Say

from cshub.core import errors
from cshub.systems.http import HttpPolicy
from cshub.systems.quota import LocalQuota
from cshub.systems.salesforce.session import effect_of
from cshub.systems.salesforce.verdicts import RULES, Reaction, RowError, RowVerdict
from cshub.systems.verdicts import Effect

QUERY = "SELECT Id FROM Event WHERE Subject = 'private-words-of-a-customer'"
HTML = Say(200, b"<html>maintenance</html>", {"Content-Type": "text/html"})
CUT = Say(200, b'{"totalSize": 1, "rec', {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "trouble",
    [
        Say(500, b"oops"),
        refused(503, "SERVER_UNAVAILABLE", "later"),
        Say(502, b"<html>bad gateway</html>"),
        refused(500, "UNKNOWN_EXCEPTION", "an unexpected error"),
        refused(400, "API_TEMPORARILY_UNAVAILABLE"),
        HTML,
        CUT,
        Say(200, b""),
        Say(429),
        refused(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        requests.ConnectionError("reset"),
        requests.ReadTimeout("slow"),
    ],
)
def test_a_read_survives_trouble_that_passes(trouble: Say | Exception) -> None:
    stage = signed_in(trouble, page(event(1)))
    assert [len(rows) for rows in stage.client.query(QUERY)] == [1]
    assert stage.client.calls == 3
    assert len(stage.time.slept) == 1


def test_trouble_that_stays_ends_after_five_tries() -> None:
    stage = signed_in(Say(503))
    with pytest.raises(errors.ServiceUnavailable):
        list(stage.client.query(QUERY))
    assert len(stage.sent) == 6
    assert stage.time.slept == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("answer", "kind", "remedy"),
    [
        (refused(400, "MALFORMED_QUERY", "unexpected token: OR"), errors.SpecError, "condition in the job file"),
        (refused(400, "INVALID_FIELD", "No such column 'Tpye' on entity 'Event'"), errors.SpecError, "No such column"),
        (refused(400, "INVALID_TYPE", "sObject type 'Evnt' is not supported"), errors.SpecError, "Correct the field"),
        (refused(404, "INVALID_TYPE", "sObject type 'Evnt' is not supported"), errors.SpecError, "Correct the field"),
        (refused(400, "QUERY_TIMEOUT", "running for too long"), errors.GatewayTimeout, "shorter window"),
        (refused(400, "OPERATION_TOO_LARGE"), errors.GatewayTimeout, "shorter window"),
        (refused(400, "EXCEEDED_ID_LIMIT"), errors.GatewayTimeout, "shorter window"),
        (refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), errors.QuotaSpent, "within 24 hours"),
        (refused(403, "TXN_SECURITY_NO_ACCESS"), errors.PermissionDenied, "security policy"),
        (refused(403, "API_DISABLED_FOR_ORG"), errors.PermissionDenied, "API Enabled"),
        (refused(403, "BRAND_NEW_CODE"), errors.PermissionDenied, "Give the integration user access"),
        (refused(400, "BRAND_NEW_CODE"), errors.RequestRefused, "BRAND_NEW_CODE"),
        (refused(410, "UNSUPPORTED_API_VERSION"), errors.SpecError, "newer API version"),
        (refused(404, "NOT_FOUND", "does not exist"), errors.NotFound, "may not see it"),
        (refused(401, "BRAND_NEW_CODE"), errors.AuthenticationFailed, "BRAND_NEW_CODE"),
        (Say(414, b"<html>URI too long</html>"), errors.SpecError, "Shorten the condition"),
        (Say(431), errors.SpecError, "Shorten the condition"),
        (Say(300, ["/services/data/x", "/services/data/y"]), errors.RequestRefused, "several records"),
        (Say(404, b"<html>no</html>"), errors.ProtocolFault, "web page"),
        (Say(302, b"", {"Location": "https://elsewhere.example/"}), errors.ConnectionSpecError, "another address"),
    ],
)
def test_every_refusal_says_what_to_do_next(answer: Say, kind: type[errors.HubError], remedy: str) -> None:
    stage = signed_in(answer)
    with pytest.raises(kind, match=remedy):
        list(stage.client.query(QUERY))


def test_the_daily_allowance_is_not_asked_for_again() -> None:
    stage = signed_in(refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
    with pytest.raises(errors.QuotaSpent) as caught:
        stage.client.limits()
    assert len(stage.sent) == 2
    assert not isinstance(caught.value, errors.TransientError)
    assert "goes on where this one stopped" in str(caught.value)


def test_a_time_out_is_the_one_of_the_connection() -> None:
    policy = HttpPolicy(connect_s=2, read_s=7)
    stage = Stage(requests.ReadTimeout("slow"), policy=policy)
    with pytest.raises(errors.ServiceUnavailable, match="no answer came in time"):
        _ = stage.client.sf


def test_every_request_takes_its_place_in_the_budget() -> None:
    quota = LocalQuota(100)
    stage = signed_in(Say(503), page(), quota=quota)
    list(stage.client.query(QUERY))
    assert quota.forecast(97) == 0.0
    assert quota.forecast(98) > 0.0
    assert stage.client.calls == 3


@pytest.mark.parametrize(
    ("method", "path", "effect"),
    [
        ("GET", "/services/data/v66.0/query/", Effect.READ),
        ("POST", "/services/oauth2/token", Effect.READ),
        ("POST", "/services/Soap/u/64.0", Effect.READ),
        ("POST", "/services/data/v66.0/composite/sobjects/Event", Effect.READ),
        ("POST", "/services/data/v66.0/composite/sobjects", Effect.ONCE),
        ("POST", "/services/data/v66.0/sobjects/Event/", Effect.ONCE),
        ("POST", "/services/data/v66.0/jobs/ingest", Effect.REPEATABLE),
        ("POST", "/services/data/v66.0/jobs/query", Effect.REPEATABLE),
        ("PATCH", "/services/data/v66.0/composite/sobjects/Event/Totango__c", Effect.REPEATABLE),
        ("DELETE", "/services/data/v66.0/composite/sobjects", Effect.REPEATABLE),
        ("PUT", "/services/data/v66.0/jobs/ingest/750/batches", Effect.REPEATABLE),
    ],
)
def test_only_creates_may_not_be_sent_twice(method: str, path: str, effect: Effect) -> None:
    assert effect_of(method, path) is effect


def test_the_calls_of_the_library_itself_are_as_careful() -> None:
    stage = signed_in(Say(502))
    events: Any = stage.client.sf.Event
    with pytest.raises(errors.AmbiguousWrite):
        events.create({"Subject": "x"})
    assert len(stage.sent) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UNABLE_TO_LOCK_ROW", errors.ServiceUnavailable),
        ("ENTITY_IS_DELETED", errors.NotFound),
        ("STORAGE_LIMIT_EXCEEDED", errors.QuotaSpent),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", errors.RequestRefused),
        ("INVALID_FIELD_FOR_INSERT_UPDATE", errors.RequestRefused),
        ("BRAND_NEW_CODE", errors.RequestRefused),
    ],
)
def test_every_code_of_a_row_becomes_an_error_of_the_hub(code: str, kind: type[errors.HubError]) -> None:
    failure = RowVerdict(errors=(RowError(code, "why", ("Subject",)),)).failure()
    assert type(failure) is kind
    assert f"{code}: why [Subject]" in str(failure)


def test_every_rule_has_a_remedy_that_is_a_sentence() -> None:
    assert all(rule.remedy.endswith(".") for rule in RULES.values())
    assert {rule.reaction for rule in RULES.values()} == set(Reaction)


def test_the_text_of_a_query_is_not_in_the_error_that_it_causes() -> None:
    echo = f"\n{QUERY}\n   ^\nERROR at Row:1:Column:26\nunexpected token: 'private-words-of-a-customer'"
    stage = signed_in(refused(400, "MALFORMED_QUERY", echo))
    with pytest.raises(errors.SpecError) as caught:
        list(stage.client.query(QUERY))
    assert "private-words" not in "".join(traceback.format_exception(caught.value))
    assert "ERROR at Row:1:Column:26: unexpected token" in str(caught.value)


def test_the_text_of_a_query_is_not_in_the_error_of_the_network() -> None:
    cause = requests.ConnectionError("Max retries exceeded with url: /query/?q=private-words-of-a-customer")
    stage = signed_in(cause)
    with pytest.raises(errors.ServiceUnavailable) as caught:
        list(stage.client.query(QUERY))
    assert "private-words" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("renewed", "steps"),
    [
        ("", [Say(400, {"error": "invalid_client", "error_description": f"no {SECRET}"})]),
        ("", [token(), Say(500, f"at {TOKEN} {SECRET}".encode())]),
        ("", [token(), refused(400, "BRAND_NEW_CODE", f"Bearer {TOKEN}: {SECRET}")]),
        (
            "second-token-22",
            [token(), EXPIRED, token("second-token-22"), refused(401, "X", f"{TOKEN} second-token-22")],
        ),
        ("", [token(), requests.ConnectionError(f"header {TOKEN}")]),
    ],
)
def test_no_secret_is_in_any_error_log_or_representation(
    renewed: str, steps: list[Say | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(*steps)
    with caplog.at_level(logging.DEBUG), pytest.raises(errors.HubError) as caught:
        list(stage.client.query(QUERY))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    told += f"{stage.client!r}{stage.client.http!r}{stage.client.access!r}{APP!r}{stage.client.http.redact!r}"
    for secret in (SECRET, TOKEN, renewed or SECRET, "private-words"):
        assert secret not in told
