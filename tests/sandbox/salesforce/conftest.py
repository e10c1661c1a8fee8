"""One org on a small world with a frozen clock, and a caller that needs no socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from cshub_sandbox.kernel import Reply, Request, SandboxClock
from cshub_sandbox.salesforce import SalesforceService, SalesforceSwitches
from cshub_sandbox.world import World
from cshub_sandbox.world_builder import build_world

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VERSION = "62.0"
STAMP = "2026-11-20T12:00:00.000+0000"


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
    def text(self) -> str:
        return self.reply.body.decode()

    @property
    def json(self) -> Any:
        return orjson.loads(self.reply.body)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a refused call."""
        (error,) = self.json
        return self.status, error["errorCode"]


class Caller:
    """Calls one org in process, as the integration user unless told otherwise."""

    def __init__(self, world: World, **switches: Any) -> None:
        self.world = world
        self.clock = SandboxClock(NOW, frozen=True)
        self.service = SalesforceService(world, self.clock, seed=1, switches=SalesforceSwitches(**switches))
        self.switches = self.service.switches
        self.token = self.service.token

    @property
    def account_id(self) -> str:
        return self.world.accounts[0].crm_id

    @property
    def contact_id(self) -> str:
        return str(next(row["Id"] for row in self.rows("Contact") if row["AccountId"] == self.account_id))

    @property
    def lead_id(self) -> str:
        return str(self.rows("Lead")[0]["Id"])

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        return list(self.service.store.table(name))

    def raw(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        return Answer(self.service.handle(Request(method, path, (), dict(headers or {}), body)))

    def send(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        version: str = VERSION,
        body: bytes = b"",
        media_type: str = "application/json",
    ) -> Answer:
        """A call below ``/services/data/vNN.0``."""
        sent = {"authorization": f"Bearer {token or self.token}", "content-type": media_type, **(headers or {})}
        data = body if json is None else orjson.dumps(json)
        return Answer(self.service.handle(Request(method, f"/services/data/v{version}/{path}", query, sent, data)))

    def query(self, text: str, *, everything: bool = False, token: str | None = None) -> list[Any]:
        answer = self.send("GET", "queryAll" if everything else "query", query=[("q", text)], token=token)
        assert answer.status == 200, answer.text
        records: list[Any] = answer.json["records"]
        return records

    def create(self, name: str, **fields: Any) -> str:
        answer = self.send("POST", f"sobjects/{name}/", fields)
        assert answer.status == 201, answer.text
        record_id: str = answer.json["id"]
        return record_id

    def event(self, **fields: Any) -> str:
        return self.create("Event", **self.event_fields(**fields))

    def event_fields(self, **fields: Any) -> dict[str, Any]:
        """An ordinary event of the first account; a field given as None is left out."""
        known = {
            "Subject": "Review",
            "WhatId": self.account_id,
            "StartDateTime": "2026-11-20T10:00:00Z",
            "DurationInMinutes": 30,
            **fields,
        }
        return {name: value for name, value in known.items() if value is not None}

    def task(self, **fields: Any) -> str:
        return self.create("Task", **{"Subject": "Call", "WhatId": self.account_id, **fields})

    def get(self, name: str, record_id: str) -> Any:
        answer = self.send("GET", f"sobjects/{name}/{record_id}")
        assert answer.status == 200, answer.text
        return answer.json

    def edit(self, name: str, record_id: str, *, token: str | None = None, **fields: Any) -> Answer:
        return self.send("PATCH", f"sobjects/{name}/{record_id}", fields, token=token)

    def delete(self, name: str, record_id: str) -> None:
        assert self.send("DELETE", f"sobjects/{name}/{record_id}").status == 204

    def held(self, record_id: str) -> Mapping[str, Any]:
        """The raw row, deleted or not."""
        row = self.service.store.get(record_id)
        assert row is not None
        return row

    def act(self, action: str, **arguments: Any) -> Any:
        return self.service.act(action, arguments)

    def set(self, **switches: Any) -> None:
        for name, value in switches.items():
            setattr(self.switches, name, value)

    def wait(self, seconds: float) -> None:
        """Time passes; a session that ended meanwhile is opened anew."""
        self.clock.advance(timedelta(seconds=seconds))
        self.token = self.service.token


@pytest.fixture(scope="session")
def world() -> World:
    return build_world(3, accounts=8, meetings=0, now=NOW, cases=False)


@pytest.fixture
def make_org(world: World) -> Callable[..., Caller]:
    """A fresh org per call, its switches as keywords."""
    return lambda **switches: Caller(world, **switches)


@pytest.fixture
def org(make_org: Callable[..., Caller]) -> Caller:
    return make_org()
