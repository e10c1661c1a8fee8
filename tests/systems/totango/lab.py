"""A simulated tenant without sockets, and clients on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.systems.wire import FakeTime, GateAdapter

from cshub.systems.totango.client import TotangoClient
from cshub_sandbox.sandbox import Sandbox, WorldSize
from cshub_sandbox.totango import TotangoService

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_sandbox(*, rate_limit: int = 1_000_000) -> Sandbox:
    sandbox = Sandbox(["totango"], size=WorldSize(seed=5, accounts=8, meetings=40), now=NOW)
    sandbox.clock.freeze(True)
    service_of(sandbox).switches.rate_limit = rate_limit
    return sandbox


def service_of(sandbox: Sandbox) -> TotangoService:
    service = sandbox.service("totango")
    assert isinstance(service, TotangoService)
    return service


def switch(sandbox: Sandbox, **switches: Any) -> None:
    """Set switches of the tenant, values as in JSON."""
    for name, value in switches.items():
        setattr(service_of(sandbox).switches, name, value)


def client_on(sandbox: Sandbox, token: str | None = None, **more: Any) -> TotangoClient:
    time = FakeTime(move=lambda seconds: sandbox.clock.advance(timedelta(seconds=seconds)))
    wire = time.wire(GateAdapter(sandbox, "totango"), **more)
    return TotangoClient(token or service_of(sandbox).token, base_url="http://totango.test", wire=wire)


def account_ids(sandbox: Sandbox) -> list[str]:
    return [account["id"] for account in service_of(sandbox).state()["accounts"]]


def touchpoint(sandbox: Sandbox, note_id: int | str) -> dict[str, Any]:
    """A touchpoint as the tenant stores it."""
    stored: list[dict[str, Any]] = service_of(sandbox).state()["touchpoints"]
    return next(item for item in stored if item["note_id"] == int(note_id))


def add_touchpoint(sandbox: Sandbox, account_id: str, at: datetime, *, subject: str = "Seeded") -> int:
    fields = {"account_id": account_id, "subject": subject, "content": "x", "create_date": int(at.timestamp() * 1000)}
    note_id: int = service_of(sandbox).act("create_touchpoint", fields)["note_id"]
    return note_id
