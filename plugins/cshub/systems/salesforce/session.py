"""How simple-salesforce's requests reach the network: through the hub's own HTTP session, every answer checked."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import orjson
import requests
from requests.adapters import BaseAdapter

from cshub.core.errors import DataError, HubError, ProtocolFault, ShortRead, TransientError
from cshub.core.ids import to_18
from cshub.systems.answers import Answer, as_json, as_object, discard
from cshub.systems.http import ApiSession, HttpPolicy, redacted
from cshub.systems.redaction import Redactor
from cshub.systems.retry import RetryPolicy
from cshub.systems.salesforce.soql import literals_of
from cshub.systems.verdicts import Effect

_EFFECTS: tuple[tuple[re.Pattern[str], Effect], ...] = tuple(
    (re.compile(pattern), effect)
    for pattern, effect in (
        (r"POST /services/oauth2/.*", Effect.READ),
        (r"POST /services/Soap/u/.*", Effect.READ),
        (r"POST .*/composite/sobjects/\w+/?", Effect.READ),  # retrieve many by id
        (r"POST .*/jobs/(query|ingest)/?", Effect.REPEATABLE),  # a job left open does nothing
        (r"(GET|HEAD) .*", Effect.READ),
        (r"(PATCH|PUT|DELETE) .*", Effect.REPEATABLE),
        (r".*", Effect.ONCE),
    )
)
_NOT_JSON = re.compile(r"/jobs/.*(/batches|/results|Results|Records|records)/?$")
_ID_URL = re.compile(r"/id/(00D\w{12}(?:\w{3})?)/(005\w{12}(?:\w{3})?)$")
_SOAP = {
    name: re.compile(rb"<" + name.encode() + rb">([^<]+)<")
    for name in ("sessionId", "serverUrl", "organizationId", "userId")
}


@dataclass(frozen=True, slots=True)
class Retries(RetryPolicy):
    """Salesforce states no wait. A query whose cursor is gone is not asked again: reading starts over."""

    rate_limit_attempts: int = 6
    rate_limit_first_s: float = 5.0
    rate_limit_growth: float = 2.0
    rate_limit_cap_s: float = 60.0

    def attempts_for(self, error: TransientError) -> int:
        return 1 if isinstance(error, ShortRead) else RetryPolicy.attempts_for(self, error)


POLICY = HttpPolicy(read_s=130.0, deadline_s=300.0, retry=Retries())
"""A query may think for two minutes before its first byte, and fails with QUERY_TIMEOUT then."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is signed in where: ids of 18 characters, ``user_id`` "" when Salesforce did not tell it."""

    org_id: str
    user_id: str


class Unsigned(requests.auth.AuthBase):
    """Leaves a request as it is; in its place, a netrc file would take the token out of it."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class SalesforceAdapter(BaseAdapter):
    """Sends prepared requests through ``http`` and gives simple-salesforce complete, readable successes only.

    Everything else is raised as an error of :mod:`cshub.core.errors`, so that neither the library's own endless
    renewals of a session nor its errors, which hold whole queries, are ever reached. ``endpoint_override``: address to
    which all calls go instead, whatever host the library has chosen (sandbox and tests).
    """

    def __init__(self, http: ApiSession, *, endpoint_override: str | None = None) -> None:
        super().__init__()
        self._http = http
        self._override = urlsplit(endpoint_override) if endpoint_override else None
        self.identity: Identity | None = None

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: object = None,
        verify: object = True,
        cert: object = None,
        proxies: object = None,
    ) -> requests.Response:
        asked = self._readdressed(request)
        path = urlsplit(asked.url or "").path
        effect = effect_of(asked.method or "GET", path)

        def check(answer: Answer) -> Answer:
            return self._checked(answer, path, effect)

        try:
            answer = self._http.forward(asked, effect=effect, parse=check)
        except HubError as error:
            redact = Redactor(_values_in(asked))
            failure, told = redacted(error, redact), redact.is_told_by(error.__cause__)
            raise failure from (None if told else error.__cause__)
        return _response(request, answer)

    def close(self) -> None:
        self._http.close()

    def _readdressed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        asked = request.copy()
        if self._override is not None:
            parts = urlsplit(request.url or "")
            asked.headers["X-Orig-Host"] = parts.netloc
            asked.url = urlunsplit((self._override.scheme, self._override.netloc, *parts[2:]))
        return asked

    def _checked(self, answer: Answer, path: str, effect: Effect) -> Answer:
        if path.endswith("/services/oauth2/token"):
            self.identity = self._heard(*_token_answer(answer)) or self.identity
        elif path.startswith("/services/Soap/u/"):
            self.identity = self._heard(*_soap_answer(answer)) or self.identity
        elif _NOT_JSON.search(path):
            discard(answer)
        elif answer.body or effect is Effect.READ:
            as_json(answer)
        return answer

    def _heard(self, token: str, identity: Identity | None) -> Identity | None:
        self._http.hide(token)
        return identity


def open_session(adapter: SalesforceAdapter) -> requests.Session:
    """A session for simple-salesforce: nothing of the environment is sent with its requests."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def effect_of(method: str, path: str) -> Effect:
    """What sending this request twice does."""
    asked = f"{method} {path}"
    return next(effect for pattern, effect in _EFFECTS if pattern.fullmatch(asked))


def is_plain(token: str) -> bool:
    """Whether ``token`` can stand in a header."""
    return bool(token) and token.isascii() and token.isprintable() and not any(sign.isspace() for sign in token)


def _token_answer(answer: Answer) -> tuple[str, Identity | None]:
    body = as_object(answer)
    token, instance = body.get("access_token"), body.get("instance_url")
    if not (isinstance(token, str) and is_plain(token) and isinstance(instance, str) and instance):
        raise ProtocolFault("the answer holds no token and instance")
    found = _ID_URL.search(str(body.get("id") or ""))
    return token, _identity(*found.groups()) if found else None


def _soap_answer(answer: Answer) -> tuple[str, Identity | None]:
    values = {name: found.group(1).decode() for name, regex in _SOAP.items() if (found := regex.search(answer.body))}
    token = unescape(values.get("sessionId", ""))
    if not is_plain(token) or "serverUrl" not in values:
        raise ProtocolFault("the answer holds no session and server")
    known = "organizationId" in values and "userId" in values
    return token, _identity(values["organizationId"], values["userId"]) if known else None


def _identity(org_id: str, user_id: str) -> Identity | None:
    try:
        return Identity(to_18(org_id), to_18(user_id))
    except DataError:
        return None


def _values_in(request: requests.PreparedRequest) -> list[str]:
    """The quoted values of the query that a request carries, in its address or as a bulk job."""
    texts = [value for name, value in parse_qsl(urlsplit(request.url or "").query) if name in ("q", "explain")]
    if urlsplit(request.url or "").path.rstrip("/").endswith("/jobs/query") and request.body:
        texts.append(str(orjson.loads(request.body).get("query", "")))
    return [str(value) for text in texts for value in literals_of(text) if value]


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update(answer.headers)
    response.headers.pop("Content-Encoding", None)
    response.encoding = "utf-8"
    response.url = request.url or ""
    response.request = request
    response.raw = io.BytesIO(answer.body)
    return response
