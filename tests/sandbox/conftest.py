"""Sandboxes for the tests of the sandbox: one behind real ports, one behind plain function calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from cshub_sandbox.chorus import ChorusService
from cshub_sandbox.inprocess import call
from cshub_sandbox.kernel import Reply, Request
from cshub_sandbox.sandbox import Sandbox, WorldSize
from cshub_sandbox.testing import RunningSandbox, start_sandbox

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChorusCalls:
    """Calls to a Chorus in the same process, on a frozen clock."""

    sandbox: Sandbox
    service: ChorusService

    def send(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, json: Any = None, body: bytes = b""
    ) -> Reply:
        parts = urlsplit(target)
        request = Request(
            method,
            parts.path,
            parse_qsl(parts.query, keep_blank_values=True),
            {"authorization": self.service.token, "host": "127.0.0.1:80", **(headers or {})},
            body if json is None else orjson.dumps(json),
        )
        return call(self.sandbox.gates["chorus"], request)

    def get(self, target: str, **headers: str) -> Any:
        reply = self.send("GET", target, headers=headers)
        assert reply.status == 200, (reply.status, reply.body)
        return orjson.loads(reply.body)


@pytest.fixture
def make_chorus() -> Callable[..., ChorusCalls]:
    def make(**size: Any) -> ChorusCalls:
        sandbox = Sandbox(["chorus"], size=WorldSize(**{"accounts": 8, "meetings": 120, **size}), now=NOW)
        sandbox.clock.freeze(True)
        sandbox.clock.set(NOW)
        return ChorusCalls(sandbox, sandbox.service("chorus"))

    return make


@pytest.fixture
def chorus(make_chorus: Callable[..., ChorusCalls]) -> ChorusCalls:
    return make_chorus()


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    with start_sandbox(["chorus"], accounts=8, meetings=60) as sandbox:
        yield sandbox
