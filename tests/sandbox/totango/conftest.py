"""A small hand-made world, one tenant on it with a frozen clock, and a caller that needs no socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from cshub_sandbox.kernel import Reply, Request, SandboxClock
from cshub_sandbox.totango import TotangoService, TotangoSwitches
from cshub_sandbox.world import Account, Meeting, MeetingKind, Person, TeamMember, World

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
LEE = Person("lee@acme.example", "Lee", "Wong", "CTO")


def _member(first: str, status: str | None) -> TeamMember:
    person = Person(f"{first.lower()}@vendor.example", first, "Reed", "CSM")
    return TeamMember(person, 1, "RECORDER", True, NOW, status, 12)


def _meeting(number: int, account: Account, owner: TeamMember, *, days_ago: int) -> Meeting:
    return Meeting(
        id=f"{number:032X}".replace("0", "A"),
        kind=MeetingKind.RECORDED,
        account=account,
        owner=owner,
        starts_at=NOW - timedelta(days=days_ago),
        duration_s=1800.0,
        subject=f"Meeting {number}",
        attendees=[owner.person, LEE, Person("stranger@else.example", "Sam", "Stranger", "")],
        summary="First line<br>second line",
        summary_ready_at=NOW - timedelta(days=days_ago),
        action_items=[],
        private=False,
    )


@pytest.fixture
def world() -> World:
    members = [
        _member("Dana", "Active"),
        _member("Bo", "Active"),
        _member("Cleo", "Disabled"),
        _member("Dee", "Created"),
    ]
    people = [
        LEE,
        *(Person(f"{name}.park@acme.example", name.title(), "Park", "COO") for name in ("kim", "jo", "max", "pia")),
    ]
    accounts = [
        Account("0015000000AbCdEAAX", "Acme", "ACME-17", True, people),
        Account("0015000000FgHiJAAX", "Bolt", "0015000000FgHiJAAX", True, [LEE]),
        Account("0015000000KlMnOAAX", "Later", "LATER-1", False, [LEE]),
    ]
    meetings = [
        _meeting(number, accounts[0], members[0], days_ago=days)
        for number, days in ((1, 3), (2, 90), (3, 101), (4, 150))
    ]
    return World(7, NOW, "Vendor", [*members, _member("Eve", None)], {12: "Success"}, accounts, meetings)


@dataclass(frozen=True, slots=True)
class Answer:
    reply: Reply

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.reply.headers

    @property
    def json(self) -> Any:
        return orjson.loads(self.reply.body)

    @property
    def text(self) -> str:
        return self.reply.body.decode()


class Caller:
    """Calls one tenant in process. ``clock`` is frozen: nothing happens until it is advanced."""

    def __init__(self, world: World, **switches: Any) -> None:
        self.clock = SandboxClock(NOW, frozen=True)
        self.service = TotangoService(world, self.clock, switches=TotangoSwitches(**switches))
        self.switches = self.service.switches

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Any = None,
        body: bytes = b"",
        media_type: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if json is not None:
            body, media_type = orjson.dumps(json), "application/json"
        elif form is not None:
            body, media_type = urlencode(form).encode(), FORM
        sent = {"app-token": self.service.token} if headers is None else dict(headers)
        if media_type:
            sent["content-type"] = media_type
        return Answer(self.service.handle(Request(method, path, list((query or {}).items()), sent, body)))

    def create(self, account_id: str = "ACME-17", **fields: Any) -> int:
        """The note id of a new touchpoint."""
        record = {"account_id": account_id, "subject": "Talk", "content": "Met.", **fields}
        answer = self.send("POST", "/api/v3/touchpoints/", json=record)
        assert answer.status == 200, answer.text
        note_id: int = answer.json["note"]["id"]
        return note_id

    def task(self, **fields: Any) -> int:
        record = {"title": "Call", "due_date": "2026-12-01", "account_id": "ACME-17", "activity_type_id": "support"}
        answer = self.send("POST", "/api/v3/tasks", json={**record, **fields})
        assert answer.status == 200, answer.text
        task_id: int = answer.json["id"]
        return task_id

    def timeline(self, account_id: str = "ACME-17") -> list[Any]:
        answer = self.send("GET", "/api/v2/events/", query={"account_id": account_id})
        assert answer.status == 200, answer.text
        events: list[Any] = answer.json
        return events

    def event(self, note_id: int, account_id: str = "ACME-17") -> Any:
        """The event of a note as its account's timeline shows it."""
        return next(
            e for e in self.timeline(account_id) if e["type"] == "note" and e["note_content"]["note_id"] == note_id
        )

    def held(self, note_id: int) -> Any:
        """What the service holds of a note, hidden parts included."""
        return next(t for t in self.service.state()["touchpoints"] if t["note_id"] == note_id)

    def query(
        self, path: str, *terms: Any, fields: Any = (), count: int = 1000, offset: int = 0, **more: Any
    ) -> Answer:
        sorting: dict[str, Any] = {name: more.pop(name) for name in ("sort_by", "sort_order") if name in more}
        query = {"terms": list(terms), "fields": list(fields), "count": count, "offset": offset, **sorting}
        return self.send("POST", path, form={"query": orjson.dumps(query).decode(), **more})

    def events(self, *terms: Any, **paging: Any) -> list[Any]:
        answer = self.query("/api/v2/events/search", *terms, **paging)
        assert answer.status == 200, answer.text
        hits: list[Any] = answer.json["response"]["events"]["hits"]
        return hits

    def act(self, action: str, **arguments: Any) -> Any:
        return self.service.act(action, arguments)

    def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@pytest.fixture
def totango(world: World) -> Caller:
    return Caller(world)


@pytest.fixture
def make_tenant(world: World) -> Callable[..., Caller]:
    """A fresh tenant per call, its switches as keywords."""
    return partial(Caller, world)
