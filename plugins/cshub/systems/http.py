"""One way to call every service: time-outs, one retry layer, the call budget, typed errors without secrets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from cshub.core.errors import (
    ConnectionSpecError,
    DataError,
    HubError,
    ProtocolFault,
    RateLimited,
    RequestRefused,
    TransientError,
)
from cshub.core.quota import Quota
from cshub.systems.answers import Answer, Parser
from cshub.systems.redaction import Redactor
from cshub.systems.retry import RetryPolicy, stated_wait
from cshub.systems.verdicts import Effect, Place, error_of_answer, error_of_transport

T = TypeVar("T")
Judge = Callable[[Answer, Place, "float | None"], "HubError | None"]
"""An answer, where it came from and the wait it states → the error it stands for, None for a success."""
log = logging.getLogger(__name__)

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 65_536
_TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError)


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Limits of one call, in seconds and bytes. ``deadline_s`` bounds the whole call, however slowly bytes drip in."""

    connect_s: float = 10.0
    read_s: float = 60.0
    deadline_s: float = 120.0
    largest_answer: int = 256 * 1024 * 1024
    redirects: int = 5
    verify: bool = True
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, slots=True)
class Wire:
    """What a session calls through, all of it replaceable. ``policy`` None: the service's own.

    ``adapter`` replaces the network (tests). ``quota`` is asked before every request that is really sent. ``clock``
    counts seconds, ``wall`` gives seconds since 1970, ``sleep`` waits seconds.
    """

    policy: HttpPolicy | None = None
    quota: Quota | None = None
    adapter: BaseAdapter | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


class TokenAuth(requests.auth.AuthBase):
    """Puts the token into one header of each request. Never shows it.

    Raises :class:`ConnectionSpecError` at the first request when the token cannot stand in a header.
    """

    def __init__(self, header: str, value: str) -> None:
        self._header, self._value = header, value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not (self._value.isascii() and self._value.isprintable()):
            raise ConnectionSpecError(
                "The token must be one line of plain characters: copy it again into the connection."
            )
        request.headers[self._header] = self._value
        return request

    def __repr__(self) -> str:
        return f"TokenAuth({self._header}: ***)"


@dataclass(frozen=True, slots=True)
class _Call:
    place: Place
    url: str
    params: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes | None


class ApiSession:
    """Calls to one service with one token. Makes no connection before the first call.

    ``label`` names system and connection in messages; ``secrets`` never appear in any text that leaves here. ``judge``
    tells errors from successes, for services with error codes of their own.
    """

    def __init__(
        self,
        label: str,
        base_url: str,
        *,
        auth: requests.auth.AuthBase,
        secrets: Sequence[str],
        wire: Wire,
        policy: HttpPolicy,
        headers: Mapping[str, str] | None = None,
        judge: Judge = error_of_answer,
    ) -> None:
        self.label = label
        self.base_url = base_url.rstrip("/")
        self.redact = Redactor(secrets)
        self._secrets = list(secrets)
        self._judge = judge
        self._auth = auth
        self._headers = dict(headers or {})
        self._policy = wire.policy or policy
        self._wire = wire
        self._calls = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ApiSession({self.label!r}, {self.base_url!r})"

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, retries and redirects included."""
        return self._calls

    @cached_property
    def session(self) -> requests.Session:
        """The session below, already signed in."""
        session = requests.Session()
        session.auth = self._auth
        session.headers.update({"User-Agent": f"cshub/{_version()}", "Accept": "application/json", **self._headers})
        adapter = self._wire.adapter or HTTPAdapter(pool_connections=2, pool_maxsize=8, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def forecast(self, calls: int) -> float:
        """Seconds from now until so many further calls are sent within the budget; 0.0 when there is none to keep."""
        return self._wire.quota.forecast(calls) if self._wire.quota is not None else 0.0

    def hide(self, *secrets: str) -> None:
        """Further secrets that never appear in any text that leaves here."""
        self._secrets += [secret for secret in secrets if secret not in self._secrets]
        self.redact = Redactor(self._secrets)

    def close(self) -> None:
        """Close kept connections."""
        if "session" in self.__dict__:
            self.session.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        effect: Effect,
        parse: Parser[T],
        params: Sequence[tuple[str, str]] | Mapping[str, str] = (),
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The parsed answer. ``parse`` runs inside the retries: a :class:`ProtocolFault` it raises counts as a failure.

        Retried: every :class:`TransientError`. A create (``Effect.ONCE``) raises one only when it was certainly not
        carried out (no connection, 429); otherwise it ends in :class:`AmbiguousWrite`.
        """
        place = Place(self.label, method, path, effect)
        return self._insist(self._prepare(place, params, json=json, form=form, headers=headers), parse)

    def forward(self, request: requests.PreparedRequest, *, effect: Effect, parse: Parser[T]) -> T:
        """Send what another library has prepared, to the address it has chosen, as :meth:`call` sends its own."""
        url = request.url or ""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        place = Place(self.label, request.method or "GET", urlsplit(url).path, effect)
        return self._insist(_Call(place, url, (), request.headers, body), parse)

    def _insist(self, call: _Call, parse: Parser[T]) -> T:
        retrying = Retrying(
            sleep=self._wire.sleep,
            stop=self._is_last,
            wait=self._wait,
            retry=retry_if_exception_type(TransientError),
            before_sleep=self._report,
            reraise=True,
        )
        result: T = retrying(self._attempt, call, parse)
        return result

    def _prepare(
        self,
        place: Place,
        params: Sequence[tuple[str, str]] | Mapping[str, str],
        *,
        json: Any,
        form: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> _Call:
        sent = dict(headers or {})
        body: bytes | None = None
        if json is not None:
            sent.setdefault("Content-Type", "application/json")
            try:
                body = orjson.dumps(json)
            except TypeError as error:
                raise DataError(
                    f"{place}: a value cannot be written as JSON ({error}). Correct the mapping."
                ) from error
        elif form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode("ascii")
        pairs = tuple(params.items()) if isinstance(params, Mapping) else tuple(params)
        return _Call(place, f"{self.base_url}{place.path}", pairs, sent, body)

    def _attempt(self, call: _Call, parse: Parser[T]) -> T:
        answer = self._exchange(call)
        reset_s = stated_wait(answer.headers, self._wire.wall())
        error = self._judge(answer, call.place, reset_s)
        self._heed_budget(answer, error, reset_s)
        if error is not None:
            raise self._clean(error)
        try:
            return parse(answer)
        except ProtocolFault as fault:
            raise self._clean(call.place.garbled(str(fault))) from fault

    def _heed_budget(self, answer: Answer, error: HubError | None, reset_s: float | None) -> None:
        if self._wire.quota is None:
            return
        if isinstance(error, RateLimited):
            self._wire.quota.penalise(self._policy.retry.wait_s(error, 1))
        elif answer.headers.get("RateLimit-Remaining", "").strip() == "0" and reset_s is not None:
            self._wire.quota.penalise(min(reset_s, self._policy.retry.rate_limit_cap_s))

    def _exchange(self, call: _Call) -> Answer:
        """The answer, after redirects within the same host (reads only: a redirected write is not followed)."""
        answer = self._send_once(call)
        for _ in range(self._policy.redirects):
            if answer.status not in _REDIRECTS or call.place.effect is not Effect.READ:
                return answer
            target = urljoin(call.url, answer.headers.get("Location", ""))
            if _origin(target) != _origin(call.url):
                host = urlsplit(target).hostname or "nowhere"
                raise self._clean(
                    ConnectionSpecError(
                        f"{call.place} leads to another address ({host}): correct the connection's host."
                    )
                )
            call = _Call(call.place, target, (), call.headers, call.body)
            answer = self._send_once(call)
        return answer

    def _send_once(self, call: _Call) -> Answer:
        if self._wire.quota is not None:
            self._wire.quota.acquire()
        with self._lock:
            self._calls += 1
        started = self._wire.clock()
        try:
            answer = self._transfer(call, started + self._policy.deadline_s)
        except _TRANSPORT_ERRORS as error:
            cause: Exception = error
        else:
            log.debug("%s: %s in %.3f s", call.place, answer.status, self._wire.clock() - started)
            return answer
        if isinstance(cause, requests.RequestException):
            cause.request = None
        raise self._clean(error_of_transport(cause, call.place)) from (None if self.redact.is_told_by(cause) else cause)

    def _transfer(self, call: _Call, deadline: float) -> Answer:
        request = requests.Request(
            call.place.method, call.url, params=list(call.params), headers=dict(call.headers), data=call.body
        )
        prepared = self.session.prepare_request(request)
        settings = self.session.merge_environment_settings(prepared.url, {}, True, self._policy.verify, None)
        timeouts = (self._policy.connect_s, self._policy.read_s)
        response = self.session.send(prepared, timeout=timeouts, allow_redirects=False, **settings)
        try:
            return Answer(response.status_code, response.headers, self._read(response, call, deadline))
        finally:
            response.close()

    def _read(self, response: requests.Response, call: _Call, deadline: float) -> bytes:
        """The whole body, read as it comes, so that an answer of one byte a second meets the deadline."""
        raw = response.raw
        if not isinstance(raw, urllib3.HTTPResponse):
            return response.content
        parts: list[bytes] = []
        size = 0
        while part := raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if self._wire.clock() > deadline:
                raise self._clean(
                    call.place.lost(f"was sent, and the answer was not complete after {self._policy.deadline_s:.0f} s")
                )
            if size > self._policy.largest_answer:
                raise self._clean(call.place.garbled(f"the answer is larger than {self._policy.largest_answer} bytes"))
        raw.release_conn()
        return b"".join(parts)

    def _clean(self, error: HubError) -> HubError:
        return redacted(error, self.redact)

    def _is_last(self, state: RetryCallState) -> bool:
        return state.attempt_number >= self._policy.retry.attempts_for(_error_in(state))

    def _wait(self, state: RetryCallState) -> float:
        return self._policy.retry.wait_s(_error_in(state), state.attempt_number)

    def _report(self, state: RetryCallState) -> None:
        log.warning(
            "Attempt %d failed, next in %.0f s: %s", state.attempt_number, state.upcoming_sleep, _error_in(state)
        )


def redacted(error: HubError, redact: Redactor) -> HubError:
    """The same error without any secret in its texts."""
    error.args = tuple(redact(part) if isinstance(part, str) else part for part in error.args)
    if isinstance(error, RequestRefused):
        error.verdict = redact(error.verdict)
    return error


def _error_in(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, TransientError):
        raise TypeError(f"retries saw {type(error).__name__}, which is not transient")
    return error


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _version() -> str:
    try:
        return metadata.version("cshub")
    except metadata.PackageNotFoundError:
        return "0"
