"""Scripted faults: which calls go wrong, and how. The same script and the same calls always give the same faults."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from .kernel import Request


class WrongFault(ValueError):
    """A rule that cannot be; ``field`` is the one to mend, None when it is the whole."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class FaultKind(StrEnum):
    """What goes wrong. "Before commit" means that the service never saw the call."""

    STATUS = "status"
    STATUS_AFTER_COMMIT = "status_after_commit"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    DROP_AFTER_COMMIT = "drop_after_commit"
    CONNECT_TIMEOUT = "connect_timeout"
    KEEP_ALIVE_CLOSED = "keep_alive_closed"
    TRUNCATED = "truncated"
    CUT_JSON = "cut_json"
    HTML = "html"
    SLOW = "slow"
    TRICKLE = "trickle"
    REDIRECT_LOOP = "redirect_loop"
    TOKEN_EXPIRED = "token_expired"
    EMPTY_PAGE = "empty_page"
    REPEATED_PAGE = "repeated_page"
    SHUFFLED = "shuffled"
    WRONG_TOTALS = "wrong_totals"
    DUPLICATED_ROWS = "duplicated_rows"


MEANINGS: Mapping[FaultKind, str] = {
    FaultKind.STATUS: "answers `status` with `headers` and `body`; the service never saw the call",
    FaultKind.STATUS_AFTER_COMMIT: "the service does its work, then the caller gets `status`",
    FaultKind.DROP_BEFORE_COMMIT: "the connection is reset without an answer; the service never saw the call",
    FaultKind.DROP_AFTER_COMMIT: "the service does its work, then the connection is reset without an answer",
    FaultKind.CONNECT_TIMEOUT: "nothing answers for `delay_s` seconds, then the connection is reset",
    FaultKind.KEEP_ALIVE_CLOSED: "the kept connection is closed in good order instead of an answer",
    FaultKind.TRUNCATED: "half of the promised body arrives, then the connection is closed",
    FaultKind.CUT_JSON: "the second half of the body is missing, and the length says that this is all",
    FaultKind.HTML: "a web page comes with status 200 instead of the answer",
    FaultKind.SLOW: "the answer comes after `delay_s` seconds",
    FaultKind.TRICKLE: "the answer comes one byte every `delay_s` seconds",
    FaultKind.REDIRECT_LOOP: "302 to an address that redirects again, without end",
    FaultKind.TOKEN_EXPIRED: "the service sees a token that is no longer valid",
    FaultKind.EMPTY_PAGE: "the rows of the answer are gone; cursor and totals stay",
    FaultKind.REPEATED_PAGE: "the rows are those of the previous answer of the same path; the cursor stays",
    FaultKind.SHUFFLED: "the rows come in another order",
    FaultKind.WRONG_TOTALS: "every total in the answer is 7 too high",
    FaultKind.DUPLICATED_ROWS: "the first half of the rows comes twice",
}

PAGE_FAULTS = frozenset(
    {
        FaultKind.EMPTY_PAGE,
        FaultKind.REPEATED_PAGE,
        FaultKind.SHUFFLED,
        FaultKind.WRONG_TOTALS,
        FaultKind.DUPLICATED_ROWS,
    }
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READING_POSTS = ("search", "scroll", ":export", "/login")
SALESFORCE_ROOT = "/services/"
SALESFORCE_READING = re.compile(
    r"/services/(oauth2/.*|Soap/.*|data/[^/]+/(composite/sobjects/[^/]+/?|jobs/query(/.*)?))"
)


def is_write(request: Request) -> bool:
    """Whether a call changes what a service holds: by method, except POSTs that only search, export or sign in."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    if request.path.startswith(SALESFORCE_ROOT):
        return SALESFORCE_READING.fullmatch(request.path) is None
    return not any(word in request.path for word in READING_POSTS)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One line of a fault script. All conditions that are given must hold; then the fault happens.

    ``nth`` (first call is 1) and ``every`` count the calls that match the other conditions; ``probability`` draws
    from a generator seeded with ``seed``; ``count`` limits how often the rule strikes in all.
    """

    kind: FaultKind
    service: str | None = None
    method: str | None = None
    path: str | None = None  # shell pattern, for example /api/v3/touchpoints*
    only_writes: bool = False
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    count: int | None = None
    seed: int = 0
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    delay_s: float = 1.0

    @classmethod
    def parse(cls, value: Any) -> FaultRule:
        """A rule from JSON. Raises ``WrongFault`` that names the field and what it may be."""
        if not isinstance(value, Mapping):
            raise WrongFault('a fault is a JSON object such as {"kind": "drop_after_commit", "nth": 3}')
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(value) - known):
            message = f"unknown field {unknown[0]!r} of a fault; known are {', '.join(sorted(known))}"
            raise WrongFault(message, field=unknown[0])
        if value.get("kind") not in list(FaultKind):
            message = f"kind is {value.get('kind')!r}; it must be one of {', '.join(FaultKind)}"
            raise WrongFault(message, field="kind")
        for name, types, remedy in _FIELD_TYPES:
            given = value.get(name)
            if given is not None and (not isinstance(given, types) or (isinstance(given, bool) and types is not bool)):
                raise WrongFault(f"{name} is {given!r}; it must be {remedy}", field=name)
        if not all(isinstance(item, str) for item in (value.get("headers") or {}).values()):
            raise WrongFault("headers must be an object of header names and texts", field="headers")
        if (method := value.get("method")) is not None and method.upper() not in METHODS:
            raise WrongFault(f"method is {method!r}; it must be one of {', '.join(METHODS)}", field="method")
        for name in ("nth", "every", "count"):
            if value.get(name) is not None and value[name] < 1:
                raise WrongFault(f"{name} is {value[name]}; it must be 1 or more (the first call is 1)", field=name)
        if not 0 <= (value.get("probability") or 0) <= 1:
            message = f"probability is {value['probability']}; it must lie between 0 and 1"
            raise WrongFault(message, field="probability")
        if not 0 <= (value.get("delay_s") or 0) <= 3600:
            message = f"delay_s is {value['delay_s']}; it must lie between 0 and 3600 seconds"
            raise WrongFault(message, field="delay_s")
        if not 200 <= (503 if value.get("status") is None else value["status"]) <= 599:
            message = f"status is {value['status']}; it must be an HTTP status from 200 to 599"
            raise WrongFault(message, field="status")
        given_fields = {name: item for name, item in value.items() if item is not None}
        return cls(**{**given_fields, "kind": FaultKind(value["kind"])})


_FIELD_TYPES: Sequence[tuple[str, Any, str]] = (
    ("service", str, "the name of a service, for example chorus"),
    ("method", str, "an HTTP method, for example POST"),
    ("path", str, "a shell pattern, for example /v3/*"),
    ("only_writes", bool, "true or false"),
    ("nth", int, "a whole number"),
    ("every", int, "a whole number"),
    ("probability", (int, float), "a number between 0 and 1"),
    ("count", int, "a whole number"),
    ("seed", int, "a whole number"),
    ("status", int, "an HTTP status"),
    ("headers", Mapping, "an object of header names and values"),
    ("body", str, "the text of the body"),
    ("delay_s", (int, float), "a number of seconds"),
)


@dataclass(slots=True)
class ScriptedFault:
    """A rule in force, with what it has seen and done so far."""

    id: int
    rule: FaultRule
    matched: int = 0
    struck: int = 0
    rng: Random = field(default_factory=Random)

    def concerns(self, service: str, request: Request) -> bool:
        """Whether the rule is about this call, however often it may strike."""
        rule = self.rule
        return (
            rule.service in (None, service)
            and (rule.method is None or rule.method.upper() == request.method)
            and (rule.path is None or fnmatchcase(request.path, rule.path))
            and (not rule.only_writes or is_write(request))
        )

    def is_due(self) -> bool:
        """Counts a call that the rule is about, and says whether the fault is to happen to it."""
        rule = self.rule
        self.matched += 1
        lucky = rule.probability is None or self.rng.random() < rule.probability
        return (
            lucky
            and (rule.count is None or self.struck < rule.count)
            and (rule.nth is None or self.matched == rule.nth)
            and (rule.every is None or self.matched % rule.every == 0)
        )


class FaultScript:
    """The faults in force, in the order in which they were added. The first that strikes wins."""

    def __init__(self) -> None:
        self._faults: list[ScriptedFault] = []
        self._next_id = 1

    def add(self, rule: FaultRule) -> ScriptedFault:
        fault = ScriptedFault(self._next_id, rule, rng=Random(rule.seed))
        self._next_id += 1
        self._faults.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Takes one fault, or all, out of force and says how many that were."""
        kept = [] if fault_id is None else [fault for fault in self._faults if fault.id != fault_id]
        removed = len(self._faults) - len(kept)
        self._faults = kept
        return removed

    def choose(self, service: str, request: Request) -> ScriptedFault | None:
        """The fault that happens to this call, if any. Every call must be asked about once, in order."""
        due = [fault for fault in self._faults if fault.concerns(service, request) and fault.is_due()]
        if not due:
            return None
        due[0].struck += 1
        return due[0]

    def wants(self, kind: FaultKind) -> bool:
        """Whether a fault of this kind is in force."""
        return any(fault.rule.kind is kind for fault in self._faults)

    def listing(self) -> list[dict[str, Any]]:
        """The faults in force, as JSON-ready values."""
        return [
            {
                "id": fault.id,
                **{f.name: getattr(fault.rule, f.name) for f in fields(fault.rule)},
                "matched": fault.matched,
                "struck": fault.struck,
            }
            for fault in self._faults
        ]
