"""The door of a service: every call passes here, is logged, and meets the faults that were scripted for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2s
from typing import Any
from urllib.parse import parse_qsl

import orjson

from .faults import PAGE_FAULTS, FaultKind, FaultScript, ScriptedFault, is_write
from .kernel import Clock, LogEntry, Reply, Request, Service
from .page_faults import find_rows, spoil

TOKEN_HEADERS = ("app-token", "authorization", "x-ziaccesstoken", "cookie")
SECRET_FIELDS = frozenset(
    {
        "password",
        "token",
        "app-token",
        "signature",
        "x-ziaccesstoken",
        "access_token",
        "client_secret",
        "assertion",
        "security_token",
    }
)
SECRET_ELEMENTS = re.compile(r"(<(?:\w+:)?(password|sessionId)>).*?(</(?:\w+:)?\2>)", re.DOTALL)
QUERY_PAGE = re.compile(r"(/services/data/[^/]+/query(?:All)?)/.*")
HIDDEN = "***"
REDIRECT_PATH = "/redirected/"
WEB_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Please sign in.</p></body></html>"


class Ending(StrEnum):
    """How a connection ends."""

    ANSWERED = "answered"
    RESET = "reset"  # no answer, the connection is torn down
    CLOSED = "closed"  # no answer, the connection is closed in good order
    TRUNCATED = "truncated"  # half of the body, then closed


@dataclass(frozen=True, slots=True)
class Transport:
    """How an answer travels when it does not travel well. Times in seconds."""

    ending: Ending = Ending.ANSWERED
    delay_s: float = 0.0
    byte_delay_s: float = 0.0
    connected: bool = True  # False: to the caller it looks as if nobody ever answered the connection


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of one call: the answer, and a transport fault that the carrier of the answer must carry out.

    ``committed`` tells whether the service itself saw the call.
    """

    reply: Reply
    transport: Transport | None = None
    committed: bool = True


class CallLog:
    """Every call that reached a service, in order, whatever became of the answer."""

    def __init__(self) -> None:
        self.entries: list[LogEntry] = []

    def append(self, entry: LogEntry) -> None:
        self.entries.append(entry)

    def clear(self) -> int:
        count = len(self.entries)
        self.entries.clear()
        return count


class Gate:
    """Stands before one service. ``handle`` never raises for a bad request and must not be called concurrently."""

    def __init__(self, service: Service, faults: FaultScript, log: CallLog, clock: Clock) -> None:
        self.service = service
        self._faults = faults
        self._log = log
        self._clock = clock
        self._last_bodies: dict[tuple[str, str], bytes] = {}

    def handle(self, request: Request) -> Outcome:
        at = self._clock.now()
        if request.path.startswith(REDIRECT_PATH):
            fault, outcome = None, Outcome(_redirect(request), committed=False)
        else:
            fault = self._faults.choose(self.service.name, request)
            outcome = self._meet(fault, request) if fault else Outcome(self._serve(request))
        self._log.append(
            LogEntry(
                service=self.service.name,
                method=request.method,
                path=request.path,
                query=[(name, HIDDEN if name.lower() in SECRET_FIELDS else value) for name, value in request.query],
                status=outcome.reply.status,
                at=at,
                token=token_digest(request.headers),
                body=readable_body(request),
                fault=fault.rule.kind if fault else None,
                limiter=limiter_headers(outcome.reply.headers),
                committed=outcome.committed,
                write=is_write(request),
            )
        )
        return outcome

    def _serve(self, request: Request) -> Reply:
        reply = self.service.handle(request)
        if self._faults.wants(FaultKind.REPEATED_PAGE) and _is_json(reply):
            self._last_bodies[_page_key(request)] = reply.body
        return reply

    def _meet(self, fault: ScriptedFault, request: Request) -> Outcome:
        rule, kind = fault.rule, fault.rule.kind
        if kind in BEFORE_COMMIT:
            reply = _status_reply(fault) if kind is FaultKind.STATUS else Reply(0)
            if kind is FaultKind.REDIRECT_LOOP:
                reply = _redirect(request)
            return Outcome(reply, _transport(kind, rule.delay_s), committed=False)
        if kind is FaultKind.TOKEN_EXPIRED:
            expired = {name: "expired" if name in TOKEN_HEADERS else value for name, value in request.headers.items()}
            return Outcome(self._serve(replace(request, headers=expired)))
        previous = self._last_bodies.get(_page_key(request))
        reply = self._serve(request)
        if kind is FaultKind.STATUS_AFTER_COMMIT:
            reply = _status_reply(fault)
        elif kind is FaultKind.HTML:
            reply = Reply(200, WEB_PAGE, {"Content-Type": "text/html; charset=utf-8"})
        elif kind is FaultKind.CUT_JSON:
            reply = replace(reply, body=reply.body[: len(reply.body) // 2])
        elif kind in PAGE_FAULTS:
            reply = _spoiled(reply, fault, previous)
        return Outcome(reply, _transport(kind, rule.delay_s))


BEFORE_COMMIT = frozenset(
    {
        FaultKind.STATUS,
        FaultKind.DROP_BEFORE_COMMIT,
        FaultKind.CONNECT_TIMEOUT,
        FaultKind.KEEP_ALIVE_CLOSED,
        FaultKind.REDIRECT_LOOP,
    }
)


def _page_key(request: Request) -> tuple[str, str]:
    """What the pages of one list have in common: the method, and the path without the name of the page."""
    return request.method, QUERY_PAGE.sub(r"\1", request.path.rstrip("/"))


def _transport(kind: FaultKind, delay_s: float) -> Transport | None:
    match kind:
        case FaultKind.DROP_BEFORE_COMMIT | FaultKind.DROP_AFTER_COMMIT:
            return Transport(Ending.RESET)
        case FaultKind.CONNECT_TIMEOUT:
            return Transport(Ending.RESET, delay_s=delay_s, connected=False)
        case FaultKind.KEEP_ALIVE_CLOSED:
            return Transport(Ending.CLOSED)
        case FaultKind.TRUNCATED:
            return Transport(Ending.TRUNCATED)
        case FaultKind.SLOW:
            return Transport(delay_s=delay_s)
        case FaultKind.TRICKLE:
            return Transport(byte_delay_s=delay_s)
        case _:
            return None


def _is_json(reply: Reply) -> bool:
    return reply.status == 200 and "json" in reply.headers.get("Content-Type", "")


def _spoiled(reply: Reply, fault: ScriptedFault, previous: bytes | None) -> Reply:
    if not _is_json(reply):
        return reply
    rows = None if previous is None else find_rows(orjson.loads(previous))
    value = spoil(fault.rule.kind, orjson.loads(reply.body), previous=rows, rng=fault.rng)
    return replace(reply, body=orjson.dumps(value))


def _status_reply(fault: ScriptedFault) -> Reply:
    rule = fault.rule
    body = ("" if rule.body is None else rule.body).encode()
    named = any(name.lower() == "content-type" for name in rule.headers)
    return Reply(rule.status, body, {**({} if named else {"Content-Type": _media_type(body)}), **rule.headers})


def _media_type(body: bytes) -> str:
    """What a scripted body is: JSON when it reads as an object or a list, else plain text."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return "application/json" if isinstance(value, dict | list) else "text/plain; charset=utf-8"


def _redirect(request: Request) -> Reply:
    step = request.path.removeprefix(REDIRECT_PATH) if request.path.startswith(REDIRECT_PATH) else "0"
    return Reply(302, b"", {"Location": f"{REDIRECT_PATH}{int(step) + 1 if step.isdigit() else 1}"})


def token_digest(headers: Mapping[str, str]) -> str:
    """Eight hex digits that tell tokens apart without giving them away; "" when none was sent."""
    for name in TOKEN_HEADERS:
        if value := headers.get(name, ""):
            return blake2s(value.split(" ")[-1].encode(), digest_size=4).hexdigest()
    return ""


def readable_body(request: Request) -> Any:
    """The body for the log: JSON or form as values, text otherwise, uploads by length; secrets are hidden."""
    if not request.body:
        return None
    if request.media_type.startswith("multipart/"):
        return f"multipart body of {len(request.body)} bytes"
    if request.media_type == "text/csv":
        return f"CSV of {len(request.body)} bytes"
    try:
        return _hidden(orjson.loads(request.body))
    except ValueError:
        text = request.body.decode("utf-8", "replace")
    if request.media_type == "application/x-www-form-urlencoded":
        return _hidden(dict(parse_qsl(text, keep_blank_values=True)))
    return SECRET_ELEMENTS.sub(rf"\g<1>{HIDDEN}\g<3>", text) if "xml" in request.media_type else text


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: HIDDEN if key.lower() in SECRET_FIELDS else _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value


def limiter_headers(headers: Mapping[str, str]) -> dict[str, int] | None:
    """The ``RateLimit-*`` headers of an answer as numbers: limit, remaining, reset (seconds)."""
    found = {
        name.lower().removeprefix("ratelimit-"): int(value)
        for name, value in headers.items()
        if name.lower().startswith("ratelimit-") and value.isdigit()
    }
    return found or None
