"""Scripted faults, met without sockets: when they strike, what the service sees, what the caller gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from cshub_sandbox.faults import MEANINGS, FaultKind, FaultRule, FaultScript, is_write
from cshub_sandbox.gate import CallLog, Gate
from cshub_sandbox.inprocess import AnswerLost, AnswerTooSlow, AnswerTruncated, ConnectTimeout, TransportError, call
from cshub_sandbox.kernel import Reply, Request, SandboxClock
from cshub_sandbox.sandbox import Sandbox, WorldSize


@dataclass
class Shop:
    """The smallest service: counts what it was asked to do, and lists numbered rows in pages of three."""

    name: str = "shop"
    writes: int = 0
    tokens: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> Reply:
        self.tokens.append(request.headers.get("authorization", ""))
        if request.method != "GET":
            self.writes += 1
            return Reply.json(200, {"id": self.writes})
        page = int(request.param("page") or 0)
        rows = [{"row": page * 3 + index} for index in range(3)]
        return Reply.json(200, {"cursor": page + 1, "total_hits": 9, "rows": rows})

    def state(self) -> dict[str, Any]:
        return {}

    def act(self, action: str, arguments: Mapping[str, Any]) -> Any:
        raise KeyError(action)


@dataclass
class Scene:
    shop: Shop
    faults: FaultScript
    log: CallLog
    gate: Gate

    def read(self, page: int = 0) -> Reply:
        return call(self.gate, Request("GET", "/rows", [("page", str(page))], {"authorization": "secret"}))

    def write(self) -> Reply:
        return call(self.gate, Request("POST", "/rows", body=b"{}"))

    def numbers(self, page: int = 0) -> list[int]:
        return [row["row"] for row in orjson.loads(self.read(page).body)["rows"]]


@pytest.fixture
def scene() -> Scene:
    shop, faults, log = Shop(), FaultScript(), CallLog()
    clock = SandboxClock(datetime(2026, 11, 20, tzinfo=UTC), frozen=True)
    return Scene(shop, faults, log, Gate(shop, faults, log, clock))


def test_a_status_before_commit_never_reaches_the_service(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.STATUS, status=429, headers={"Retry-After": "7"}, body="slow down"))
    reply = scene.write()
    assert (reply.status, reply.body, reply.headers["Retry-After"]) == (429, b"slow down", "7")
    assert scene.shop.writes == 0 and not scene.log.entries[0].committed


def test_a_status_after_commit_comes_although_the_work_was_done(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.STATUS_AFTER_COMMIT, status=502))
    assert scene.write().status == 502
    assert scene.shop.writes == 1 and scene.log.entries[0].committed


@pytest.mark.parametrize(
    ("kind", "error", "writes"),
    [
        (FaultKind.DROP_BEFORE_COMMIT, AnswerLost, 0),
        (FaultKind.DROP_AFTER_COMMIT, AnswerLost, 1),
        (FaultKind.KEEP_ALIVE_CLOSED, AnswerLost, 0),
        (FaultKind.CONNECT_TIMEOUT, ConnectTimeout, 0),
        (FaultKind.TRUNCATED, AnswerTruncated, 1),
    ],
)
def test_a_broken_connection_is_an_exception_and_the_work_is_done_or_not(
    scene: Scene, kind: FaultKind, error: type[TransportError], writes: int
) -> None:
    scene.faults.add(FaultRule(kind))
    with pytest.raises(error):
        scene.write()
    assert scene.shop.writes == writes


def test_a_truncated_answer_gives_the_half_that_came(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.TRUNCATED, count=1))
    with pytest.raises(AnswerTruncated) as caught:
        scene.read()
    assert scene.read().body.startswith(caught.value.received.body)


def test_a_slow_answer_comes_when_the_caller_is_patient(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.SLOW, delay_s=30))
    assert scene.read().status == 200
    with pytest.raises(AnswerTooSlow):
        call(scene.gate, Request("GET", "/rows"), timeout_s=10)
    scene.faults.clear()
    scene.faults.add(FaultRule(FaultKind.TRICKLE, delay_s=1))
    with pytest.raises(AnswerTooSlow):
        call(scene.gate, Request("GET", "/rows"), timeout_s=10)


def test_cut_json_and_a_web_page_come_with_status_200(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.CUT_JSON, nth=1))
    scene.faults.add(FaultRule(FaultKind.HTML, nth=2))
    cut = scene.read()
    assert cut.status == 200
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(cut.body)
    page = scene.read()
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")


def test_a_redirect_leads_to_redirects_without_end(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.REDIRECT_LOOP, count=1))
    reply, seen = scene.read(), set()
    for _ in range(5):
        assert reply.status == 302 and reply.headers["Location"] not in seen
        seen.add(reply.headers["Location"])
        reply = call(scene.gate, Request("GET", reply.headers["Location"]))


def test_an_expired_token_is_what_the_service_sees(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.TOKEN_EXPIRED, nth=2))
    for _ in range(3):
        scene.read()
    assert scene.shop.tokens == ["secret", "expired", "secret"]


def test_page_faults_change_the_rows_and_leave_the_cursor(scene: Scene) -> None:
    script = scene.faults
    for kind in ("empty_page", "repeated_page", "shuffled", "duplicated_rows", "wrong_totals"):
        script.add(FaultRule(FaultKind(kind), nth=2, seed=3))
    assert scene.numbers(0) == [0, 1, 2]
    assert scene.numbers(1) == []
    script.clear()
    script.add(FaultRule(FaultKind.REPEATED_PAGE, nth=2))
    scene.numbers(0)
    reply = orjson.loads(scene.read(1).body)
    assert ([row["row"] for row in reply["rows"]], reply["cursor"]) == ([0, 1, 2], 2)
    script.clear()
    script.add(FaultRule(FaultKind.SHUFFLED, seed=1))
    shuffled = scene.numbers(1)
    assert sorted(shuffled) == [3, 4, 5] != shuffled
    script.clear()
    script.add(FaultRule(FaultKind.DUPLICATED_ROWS))
    assert scene.numbers(1) == [3, 4, 3, 4, 5]
    script.clear()
    script.add(FaultRule(FaultKind.WRONG_TOTALS))
    assert orjson.loads(scene.read().body)["total_hits"] == 16


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 3}, [3]),
        ({"every": 2}, [2, 4, 6]),
        ({"count": 2}, [1, 2]),
        ({"every": 2, "count": 2}, [2, 4]),
        ({"method": "post"}, []),
        ({"only_writes": True}, []),
        ({"path": "/row*"}, [1, 2, 3, 4, 5, 6]),
        ({"path": "/other"}, []),
        ({"service": "totango"}, []),
        ({"service": "shop", "nth": 1}, [1]),
    ],
)
def test_a_rule_strikes_the_calls_that_it_names(scene: Scene, rule: dict[str, Any], struck: list[int]) -> None:
    scene.faults.add(FaultRule(FaultKind.STATUS, status=500, **rule))
    assert [number for number in range(1, 7) if scene.read().status == 500] == struck


def test_chance_is_decided_by_the_seed_alone(scene: Scene) -> None:
    def run(seed: int) -> list[int]:
        scene.faults.clear()
        scene.faults.add(FaultRule(FaultKind.STATUS, probability=0.3, seed=seed))
        return [scene.read().status for _ in range(60)]

    first = run(1)
    assert first == run(1) != run(2)
    assert 5 < first.count(503) < 40


def test_the_same_script_and_calls_give_the_same_history() -> None:
    def history() -> list[Any]:
        sandbox = Sandbox(["chorus"], size=WorldSize(accounts=8, meetings=60), now=datetime(2026, 11, 20, tzinfo=UTC))
        sandbox.clock.freeze(True)
        sandbox.clock.set(datetime(2026, 11, 20, tzinfo=UTC))
        for seed, kind in enumerate(FaultKind):
            sandbox.faults.add(FaultRule(kind, probability=0.05, seed=seed))
        headers = {"authorization": sandbox.service("chorus").token}
        seen: list[Any] = []
        for number in range(300):
            path = f"/v3/{'users' if number % 3 else 'engagements'}"
            try:
                seen.append(call(sandbox.gates["chorus"], Request("GET", path, headers=headers), timeout_s=0.5))
            except TransportError as error:
                seen.append(str(error))
        return [*seen, *(entry.fault for entry in sandbox.log.entries)]

    first = history()
    assert first == history()
    assert set(FaultKind) - set(first[300:]) == set()


def test_the_first_rule_that_strikes_wins(scene: Scene) -> None:
    scene.faults.add(FaultRule(FaultKind.STATUS, status=500, count=1))
    scene.faults.add(FaultRule(FaultKind.STATUS, status=504))
    assert [scene.read().status, scene.read().status] == [500, 504]
    assert [fault["matched"] for fault in scene.faults.listing()] == [2, 2]


def test_reads_that_are_posts_are_no_writes() -> None:
    assert is_write(Request("POST", "/api/v3/touchpoints/"))
    assert is_write(Request("DELETE", "/v3/engagements/1"))
    assert not is_write(Request("POST", "/api/v2/events/search"))
    assert not is_write(Request("GET", "/api/v3/touchpoints/"))


def test_the_log_keeps_no_secret(scene: Scene) -> None:
    call(
        scene.gate,
        Request(
            "POST",
            "/rows",
            [("signature", "abc"), ("page", "1")],
            {"authorization": "Bearer secret", "content-type": "application/json"},
            orjson.dumps({"password": "secret", "inner": [{"token": "secret"}], "name": "Ada"}),
        ),
    )
    scene.read()
    entry, other = scene.log.entries
    assert "secret" not in repr(entry) and len(entry.token) == 8
    assert entry.body == {"password": "***", "inner": [{"token": "***"}], "name": "Ada"}
    assert list(entry.query) == [("signature", "***"), ("page", "1")]
    assert entry.token == other.token
    assert (entry.write, other.write) == (True, False)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "a fault is a JSON object"),
        ({}, "kind is None; it must be one of status"),
        ({"kind": "earthquake"}, "kind is 'earthquake'"),
        ({"kind": "status", "colour": 1}, "unknown field 'colour'"),
        ({"kind": "status", "nth": 0}, "nth is 0; it must be 1 or more"),
        ({"kind": "status", "nth": True}, "nth is True; it must be a whole number"),
        ({"kind": "status", "probability": 2}, "probability is 2; it must lie between 0 and 1"),
        ({"kind": "status", "status": 999}, "status is 999"),
        ({"kind": "slow", "delay_s": -1}, "delay_s is -1"),
        ({"kind": "status", "path": 5}, "path is 5; it must be a shell pattern"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_with_its_field_and_remedy(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        FaultRule.parse(value)


def test_every_kind_of_fault_is_explained() -> None:
    assert set(MEANINGS) == set(FaultKind)


@pytest.mark.parametrize(
    ("body", "headers", "media_type"),
    [
        ('{"error": "busy"}', {}, "application/json"),
        ('[{"errorCode": "SERVER_UNAVAILABLE"}]', {}, "application/json"),
        ("503", {}, "text/plain; charset=utf-8"),
        ("slow down", {}, "text/plain; charset=utf-8"),
        (None, {}, "text/plain; charset=utf-8"),
        ('{"a": 1}', {"content-type": "text/html"}, "text/html"),
    ],
)
def test_a_scripted_body_travels_as_what_it_is_unless_its_headers_say_otherwise(
    scene: Scene, body: str | None, headers: Mapping[str, str], media_type: str
) -> None:
    scene.faults.add(FaultRule(FaultKind.STATUS, status=503, headers=headers, body=body))
    sent = {name.lower(): value for name, value in scene.read().headers.items()}
    assert sent == {"content-type": media_type}


def test_a_rule_may_name_its_method_in_any_case() -> None:
    assert FaultRule.parse({"kind": "html", "method": "post"}).method == "post"
