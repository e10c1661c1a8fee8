"""Odd calls to every simulated service and to the control address: each is answered, none with 500.

Chorus publishes its contract, from which schemathesis makes the calls. Totango and Salesforce publish none: calls are
made from the tables of their routes, as are those of the control address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cshub_sandbox.chorus.contract import contract
from cshub_sandbox.chorus.routes import ROUTES as CHORUS
from cshub_sandbox.control import EXAMPLES, Control
from cshub_sandbox.gate import Gate
from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.salesforce.routes import ROUTES as SALESFORCE
from cshub_sandbox.sandbox import Sandbox, WorldSize
from cshub_sandbox.totango.routes import ROUTES as TOTANGO
from tests.campaigns.fuzz_findings import Count, Findings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ABSENT_IN_SIMULATOR = 501
VERSION = "/services/data/v62.0"
_IDS = (
    "900001",
    "55001",
    "ACME-17",
    "0",
    "-1",
    "00U000000000000AAA",
    "Event",
    "Task",
    "Nope__c",
    "Id",
    "x y",
    "é",
    "..",
    "%",
)
_WORDS = """
account_id content subject create_date participantList touchpoint_tags touchpointType disable_sync
created_by event_id parentId note_id id title due_date priority status assignee activity_type_id accounts
query terms fields count offset sort_by Subject WhatId WhoId StartDateTime DurationInMinutes IsAllDayEvent
ActivityDate OwnerId attributes records allOrNone ids compositeRequest batchRequests object operation state
method url body referenceId q start end email sees_all token user account into event lead name kind summary
attendees seconds reason private crm_id advance_s set freeze service only_writes nth probability headers
delay_s switch end_of_list search_lag_s
"""
_NAMES = tuple(_WORDS.split())
_TEXTS = (
    "SELECT Id FROM Event LIMIT 1",
    "SELECT Id, What.Name FROM Event WHERE Subject = 'x' ORDER BY Id",
    "SELECT",
    '{"terms": [{"type": "string", "term": "identifier", "eq": "ACME-17"}], "count": 10, "offset": 0}',
    "2026-11-20T10:00:00Z",
    "9999-12-31",
    "insert",
    "Event",
    "UploadComplete",
    "drop_after_commit",
    "dana@vendor.example",
    "<script>",
    "\x00",
    "😀" * 50,
    "x" * 40_000,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.sampled_from([2**31, 2**63 - 1, -(2**63), 1e308, 0.5]),
    st.text(max_size=8),
    st.sampled_from([*_IDS, *_TEXTS]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(_NAMES), VALUES, max_size=8)
SMALL = st.one_of(st.none(), st.booleans(), st.integers(-3, 20), st.text(max_size=8), st.sampled_from(_IDS))
ARGUMENTS = st.dictionaries(st.sampled_from(_NAMES), SMALL | st.lists(SMALL, max_size=2), max_size=4)
MEDIA = st.sampled_from(
    ["", "application/json", "application/x-www-form-urlencoded", "text/plain", "text/csv", "multipart/form-data", "ü"]
)
BODIES = st.one_of(
    st.builds(orjson.dumps, OBJECTS),
    st.builds(orjson.dumps, VALUES),
    st.binary(max_size=40),
    st.builds(lambda text: f"query={text}&a[0][b]=1&a[]=2&{text}".encode("utf-8", "replace"), st.text(max_size=30)),
)
QUERIES = st.lists(
    st.tuples(st.sampled_from(_NAMES), st.text(max_size=12) | st.sampled_from([*_IDS, *_TEXTS])), max_size=3
)
_PLACE = re.compile(r"\{\w+\}|\(\[\^/\]\+\)")


def disturb(number: int, calls: int) -> Findings:
    """About ``calls`` calls to each address, under the seed ``number``."""
    findings = Findings()
    sandbox = Sandbox(size=WorldSize(seed=3, accounts=8, meetings=20), now=NOW)
    sandbox.clock.freeze(True)
    sandbox.service("totango").switches.rate_limit = 10**9
    services = {
        "chorus": (_chorus_calls(sandbox), calls // 2),
        "totango": (_odd_calls(sandbox, "totango", _totango_routes()), calls),
        "salesforce": (_odd_calls(sandbox, "salesforce", _salesforce_routes()), calls),
    }
    for name, (made, share) in services.items():
        gate = sandbox.gates[name]
        _try(findings, number, share, name, made, partial(_answer, gate))
    control = Control(sandbox)
    _try(findings, number, calls, "control address", _control_calls(sandbox), control.handle)
    return findings


def _try(
    findings: Findings,
    number: int,
    calls: int,
    name: str,
    made: st.SearchStrategy[Request],
    answer: Callable[[Request], Reply],
) -> None:
    def judged(request: Request) -> None:
        findings.counts[Count.CALLS] += 1
        reply = answer(request)
        assert reply.status < 500 or reply.status == ABSENT_IN_SIMULATOR, f"{reply.status}: {reply.body[:300]!r}"

    steady = settings(
        max_examples=calls,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(number)(steady(given(made)(judged)))()
    except Exception as error:
        notes = " ".join(getattr(error, "__notes__", ()))
        told = f"{type(error).__name__}: {str(error)[:500]} {notes[:1000]}"
        findings.wrong(Count.ERRORS_500, f"{name}, seed {number}: {told}")


def _answer(gate: Gate, request: Request) -> Reply:
    return gate.handle(request).reply


def _odd_calls(sandbox: Sandbox, name: str, routes: Sequence[tuple[str, str]]) -> st.SearchStrategy[Request]:
    service = sandbox.service(name)
    signed = {"totango": {"app-token": service.token}, "salesforce": {"authorization": f"Bearer {service.token}"}}[name]
    headers = st.builds(
        lambda media, more: {"content-type": media, "host": "127.0.0.1", **signed, **more},
        MEDIA,
        st.sampled_from([{}, {}, {}, {}, *({key: bad} for key in signed for bad in ("", "Bearer ü", "x" * 5000))]),
    )

    def request(route: tuple[str, str], parts: list[str], *rest: Any) -> Request:
        query, head, body = rest
        left = iter(parts)
        return Request(route[0], _PLACE.sub(lambda _: next(left, "x"), route[1]), query, head, body)

    ids = _known_ids(sandbox, name)
    places = st.lists(st.sampled_from([*_IDS, *ids]) | st.text(min_size=1, max_size=6), min_size=3, max_size=3)
    return st.builds(request, st.sampled_from(routes), places, QUERIES, headers, BODIES)


def _known_ids(sandbox: Sandbox, name: str) -> list[str]:
    state = sandbox.service(name).state()
    if name == "totango":
        return [str(row["note_id"]) for row in state["touchpoints"][:3]] + [
            str(row["id"]) for row in state["tasks"][:3]
        ]
    return [row["Id"] for row in [*state["events"][:3], *state["tasks"][:3], *state["accounts"][:2]]]


@cache
def _totango_routes() -> list[tuple[str, str]]:
    return [(route.method, route.path.pattern.replace("\\.", ".")) for route in TOTANGO]


@cache
def _salesforce_routes() -> list[tuple[str, str]]:
    return [(route.method, f"{VERSION}{route.template}") for route in SALESFORCE]


def _chorus_calls(sandbox: Sandbox) -> st.SearchStrategy[Request]:
    token = sandbox.service("chorus").token
    schema = schemathesis.openapi.from_dict(contract())
    operations = [schema[path][method] for method, path in CHORUS]

    def request(case: schemathesis.Case[Any]) -> Request:
        given = case.as_transport_kwargs(base_url="http://chorus.test")
        sent = requests.Request(**{**given, "headers": {**given["headers"], "Authorization": token}}).prepare()
        parts, body = urlsplit(sent.url or ""), sent.body or b""
        return Request(
            sent.method or "GET",
            parts.path,
            tuple(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): str(value) for name, value in sent.headers.items()},
            body if isinstance(body, bytes) else str(body).encode(),
        )

    return st.one_of([item.as_strategy() for item in operations]).map(request)


def _control_calls(sandbox: Sandbox) -> st.SearchStrategy[Request]:
    shown = [call.partition(" ") for call in EXAMPLES]
    routes = [(method, path.partition("?")[0]) for method, _, path in shown if path != "/reset"]
    services = [*sandbox.names, "nobody", "é"]
    actions = [
        ("POST", f"/act/{name}/{action}")
        for name in sandbox.names
        for action in sandbox.service(name).action_names
        if action not in ("seed_history", "seed")
    ]

    def renamed(route: tuple[str, str], name: str) -> tuple[str, str]:
        return route[0], route[1].replace("chorus", name)

    places = st.builds(renamed, st.sampled_from(routes), st.sampled_from(services))
    wrong_size = st.fixed_dictionaries({"accounts": st.sampled_from(["x", -1, None, 0, 1.5, True])})
    return st.one_of(
        st.builds(_to_control, places, QUERIES, BODIES | st.builds(orjson.dumps, ARGUMENTS)),
        st.builds(_to_control, st.sampled_from(actions), QUERIES, st.builds(orjson.dumps, ARGUMENTS)),
        st.builds(_to_control, st.just(("POST", "/reset")), QUERIES, st.builds(orjson.dumps, wrong_size)),
    )


def _to_control(route: tuple[str, str], query: Sequence[tuple[str, str]], body: bytes) -> Request:
    headers: Mapping[str, str] = {}
    return Request(route[0], route[1], query, headers, body)
