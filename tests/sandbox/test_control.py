"""The control address: log, state, clock, faults, switches, edits and reset; what is wrong is said with the remedy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from cshub_sandbox.control import EXAMPLES, Control
from cshub_sandbox.faults import FaultKind
from cshub_sandbox.kernel import Request

from .conftest import NOW, ChorusCalls


class Desk:
    """The control address without a port."""

    def __init__(self, chorus: ChorusCalls) -> None:
        self.chorus = chorus
        self._control = Control(chorus.sandbox)

    def send(self, method: str, path: str, json: Any = None, **query: str) -> tuple[int, Any]:
        body = b"" if json is None else orjson.dumps(json)
        reply = self._control.handle(Request(method, path, list(query.items()), {}, body))
        return reply.status, orjson.loads(reply.body)

    def ask(self, method: str, path: str, json: Any = None, **query: str) -> Any:
        status, answer = self.send(method, path, json, **query)
        assert status == 200, answer
        return answer


@pytest.fixture
def desk(chorus: ChorusCalls) -> Desk:
    return Desk(chorus)


def test_the_address_explains_itself(desk: Desk) -> None:
    text = desk.ask("GET", "/")
    assert text["services"] == ["chorus"] and set(text["fault_kinds"]) == set(FaultKind)
    for call in EXAMPLES:
        method, path = call.split(" ")
        status, answer = desk.send(method, path.split("?")[0], {})
        assert status in (200, 400) or "engagement" in answer["error"]["message"] or "totango" in path, (call, answer)


def test_the_log_lists_every_call_and_is_filtered_and_cleared(desk: Desk) -> None:
    desk.chorus.get("/v3/users")
    desk.chorus.send("DELETE", "/v3/engagements/X")
    log = desk.ask("GET", "/log")
    assert [(line["service"], line["method"], line["path"], line["status"]) for line in log] == [
        ("chorus", "GET", "/v3/users", 200),
        ("chorus", "DELETE", "/v3/engagements/X", 202),
    ]
    assert datetime.fromisoformat(log[0]["at"]) == NOW
    assert [line["method"] for line in desk.ask("GET", "/log", writes="true", service="chorus")] == ["DELETE"]
    assert desk.ask("GET", "/log", since=(NOW + timedelta(seconds=1)).isoformat()) == []
    assert desk.ask("DELETE", "/log") == {"removed": 2}
    assert desk.ask("GET", "/log") == []


def test_the_token_is_not_in_the_log(desk: Desk) -> None:
    desk.chorus.get("/v3/users")
    assert desk.chorus.service.token not in repr(desk.ask("GET", "/log"))


def test_the_clock_is_read_moved_set_and_frozen(desk: Desk) -> None:
    assert desk.ask("GET", "/clock") == {"now": NOW.isoformat()}
    assert desk.ask("POST", "/clock", {"advance_s": 60}) == {"now": (NOW + timedelta(minutes=1)).isoformat()}
    then = datetime(2027, 1, 1, tzinfo=UTC)
    assert desk.ask("POST", "/clock", {"set": "2027-01-01T00:00:00Z", "freeze": True}) == {"now": then.isoformat()}
    desk.ask("POST", "/clock", {"freeze": False})
    assert desk.ask("GET", "/clock")["now"] > then.isoformat()


def test_faults_are_added_listed_and_removed_one_or_all(desk: Desk) -> None:
    desk.ask("POST", "/faults", [{"kind": "status", "status": 500, "nth": 1}, {"kind": "html", "count": 0 + 1}])
    assert desk.chorus.send("GET", "/v3/users").status == 500
    first, second = desk.ask("GET", "/faults")
    assert (first["kind"], first["matched"], first["struck"], second["struck"]) == ("status", 1, 1, 0)
    assert desk.ask("DELETE", f"/faults/{first['id']}") == {"removed": 1}
    assert desk.ask("DELETE", "/faults") == {"removed": 1}


def test_one_wrong_fault_in_a_list_adds_none(desk: Desk) -> None:
    assert desk.send("POST", "/faults", [{"kind": "html"}, {"kind": "nonsense"}])[0] == 400
    assert desk.ask("GET", "/faults") == []


def test_switches_are_read_and_set_together_or_not_at_all(desk: Desk) -> None:
    assert desk.ask("GET", "/switches/chorus")["end_of_list"] == "space"
    answer = desk.ask("POST", "/switches/chorus", {"end_of_list": "missing", "page_size": 5})
    assert (answer["end_of_list"], answer["page_size"]) == ("missing", 5)
    assert len(desk.chorus.get("/v3/engagements")["engagements"]) == 5
    status, refusal = desk.send("POST", "/switches/chorus", {"page_size": 9, "end_of_list": "maybe"})
    assert status == 400 and refusal["error"]["field"] == "end_of_list"
    assert desk.ask("GET", "/switches/chorus")["page_size"] == 5


def test_an_edit_is_made_as_a_user_and_seen_in_the_state(desk: Desk) -> None:
    identifier = desk.ask("POST", "/act/chorus/add_meeting", {"subject": "Here"})["result"]["id"]
    held = {item["id"]: item for item in desk.ask("GET", "/state/chorus")["engagements"]}
    assert held[identifier]["subject"] == "Here"


def test_a_reset_makes_another_world_and_forgets_log_faults_and_switches(desk: Desk) -> None:
    desk.chorus.get("/v3/users")
    desk.ask("POST", "/faults", {"kind": "html"})
    desk.ask("POST", "/switches/chorus", {"page_size": 5})
    before = desk.ask("GET", "/world")
    after = desk.ask("POST", "/reset", {"seed": 9, "accounts": 9, "meetings": 70, "now": NOW.isoformat()})
    assert after["size"] == {"seed": 9, "accounts": 9, "meetings": 70, "cases": True}
    assert after["cases"] != before["cases"]
    assert desk.ask("GET", "/log") == [] == desk.ask("GET", "/faults")
    assert desk.ask("GET", "/switches/chorus")["page_size"] == 100
    again = desk.ask("POST", "/reset", {"seed": 1, "accounts": 8, "meetings": 120, "now": NOW.isoformat()})
    assert again["cases"] == before["cases"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field", "message"),
    [
        ("GET", "/nowhere", None, 404, None, "GET / lists"),
        ("PUT", "/log", None, 405, None, "PUT is not possible"),
        ("GET", "/state/sap", None, 404, "service", "there are chorus"),
        ("POST", "/clock", {}, 400, None, "say what to do"),
        ("POST", "/clock", {"advance_s": "1h"}, 400, "advance_s", "number of seconds"),
        ("POST", "/clock", {"set": "tomorrow"}, 400, "set", "such as 2026-11-20T12:00:00Z"),
        ("POST", "/clock", {"set": "2026-11-20T12:00:00"}, 400, "set", "needs a time zone"),
        ("POST", "/clock", {"set": "9999-12-31T00:00:00Z"}, 400, "set", "between 2000 and 2999"),
        ("POST", "/clock", {"set": "0001-01-01T00:00:00+12:00"}, 400, "set", "time of the calendar"),
        ("POST", "/clock", {"set": "2000-01-02T00:00:00Z", "advance_s": -1e6}, 400, "advance_s", "between 2000"),
        ("POST", "/clock", {"sleep": 1}, 400, "sleep", "known are advance_s, freeze, set"),
        ("POST", "/clock", {"freeze": 1}, 400, "freeze", "true or false"),
        ("POST", "/faults", {"kind": "boom"}, 400, "kind", "must be one of"),
        ("POST", "/faults", "html", 400, None, "a fault is a JSON object"),
        ("POST", "/faults", {"kind": "html", "colour": 1}, 400, "colour", "known are"),
        ("POST", "/faults", {"kind": "html", "nth": 0}, 400, "nth", "1 or more"),
        ("POST", "/faults", {"kind": "status", "headers": {"Retry-After": 5}}, 400, "headers", "texts"),
        ("POST", "/faults", {"kind": "html", "method": "FOO"}, 400, "method", "must be one of GET, HEAD"),
        ("POST", "/faults", {"kind": "html", "service": "sap"}, 404, "service", "there are chorus"),
        ("DELETE", "/faults/x", None, 400, "id", "is not the number of a fault"),
        ("POST", "/switches/chorus", {"page_size": 0}, 400, "page_size", "greater than or equal to 1"),
        ("POST", "/switches/chorus", {"colour": 0}, 400, "colour", "known are"),
        ("POST", "/reset", {"accounts": 2}, 400, None, "8 or more"),
        ("POST", "/reset", {"seed": "x"}, 400, "seed", "whole number"),
        ("POST", "/reset", {"now": "0001-01-01T00:00:00Z"}, 400, "now", "between 2000 and 2999"),
        ("POST", "/reset", {"now": "9999-12-31T23:59:59Z"}, 400, "now", "between 2000 and 2999"),
        ("POST", "/reset", {"cases": "x"}, 400, "cases", "true or false"),
        ("POST", "/reset", [], 400, None, "must be a JSON object"),
        ("POST", "/act/chorus/dance", {}, 404, None, "there are add_meeting"),
        ("POST", "/act/chorus/edit_meeting", {"id": 5}, 400, None, "id must be a text"),
    ],
)
def test_a_wrong_control_call_is_told_what_to_send_instead(
    desk: Desk, method: str, path: str, body: Any, status: int, field: str | None, message: str
) -> None:
    answered, answer = desk.send(method, path, body)
    assert answered == status
    assert answer["error"]["field"] == field and message in answer["error"]["message"]


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    reply = Control(desk.chorus.sandbox).handle(Request("POST", "/clock", body=b"{oops"))
    assert reply.status == 400 and b"not JSON" in reply.body


def test_a_wrong_since_or_writes_is_refused_by_name(desk: Desk) -> None:
    assert desk.send("GET", "/log", since="noon")[1]["error"]["field"] == "since"
    assert desk.send("GET", "/log", writes="1")[1]["error"]["field"] == "writes"
