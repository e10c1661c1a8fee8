"""A simulated org without sockets, and clients on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.systems.wire import FakeTime, GateAdapter

from cshub.core.records import RecordKey
from cshub.systems.salesforce.auth import Credentials
from cshub.systems.salesforce.client import SalesforceClient
from cshub_sandbox.salesforce import SalesforceService
from cshub_sandbox.sandbox import Sandbox, WorldSize

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
VISIT = "Visit__c"


def make_sandbox(*, visits: int = 0) -> Sandbox:
    """An org with eight accounts; ``visits``: records of a custom object with a lookup to them."""
    sandbox = Sandbox(["salesforce"], size=WorldSize(seed=5, accounts=8, meetings=0, cases=False), now=NOW)
    sandbox.clock.freeze(True)
    if visits:
        org = service_of(sandbox)
        org.act("add_custom_object", {"name": VISIT})
        org.act("add_custom_field", {"object": VISIT, "name": "Notes__c", "type": "textarea", "length": 32_000})
        org.act("add_custom_field", {"object": VISIT, "name": "Held_At__c", "type": "datetime"})
        for number in range(visits):
            sandbox.clock.advance(timedelta(seconds=1))
            make_visit(sandbox, number)
    return sandbox


def make_visit(sandbox: Sandbox, number: int) -> str:
    fields = {"Name": f"Visit {number}", "Account__c": accounts(sandbox)[0], "Notes__c": f"Notes {number}"}
    return str(service_of(sandbox).act("create_record", {"object": VISIT, "fields": fields})["Id"])


def service_of(sandbox: Sandbox) -> SalesforceService:
    service = sandbox.service("salesforce")
    assert isinstance(service, SalesforceService)
    return service


def act(sandbox: Sandbox, action: str, **arguments: Any) -> Any:
    return service_of(sandbox).act(action, arguments)


def switch(sandbox: Sandbox, **switches: Any) -> None:
    """Set switches of the org, values as in JSON."""
    for name, value in switches.items():
        setattr(service_of(sandbox).switches, name, value)


def client_on(sandbox: Sandbox, token: str | None = None, **more: Any) -> SalesforceClient:
    """A client that signs in as the integration user, or has this token and cannot renew it."""
    login = service_of(sandbox).login
    app = Credentials(domain=login["domain"], consumer_key=login["client_id"], consumer_secret=login["client_secret"])
    given = Credentials(session_id=token or "", instance_url="https://acme.my.salesforce.com")
    time = FakeTime(
        now=sandbox.clock.now().timestamp(), move=lambda seconds: sandbox.clock.advance(timedelta(seconds=seconds))
    )
    wire = time.wire(GateAdapter(sandbox, "salesforce"))
    return SalesforceClient(app if token is None else given, wire=wire, **more)


def accounts(sandbox: Sandbox) -> list[str]:
    return [item["Id"] for item in service_of(sandbox).state()["accounts"] if not item["IsDeleted"]]


def stored(sandbox: Sandbox, object_name: str) -> list[dict[str, Any]]:
    """Records as the org holds them, deleted ones included."""
    state = service_of(sandbox).state()
    named: Mapping[str, str] = {"Event": "events", "Task": "tasks", "Contact": "contacts", "User": "users"}
    tables = {**state["custom_objects"], **{name: state[key] for name, key in named.items()}}
    rows: list[dict[str, Any]] = tables[object_name]
    return rows


def record(sandbox: Sandbox, record_id: str) -> dict[str, Any]:
    objects = ("Event", "Task", *service_of(sandbox).state()["custom_objects"])
    return next(row for name in objects for row in stored(sandbox, name) if row["Id"] == record_id)


def delete(sandbox: Sandbox, key: RecordKey) -> None:
    act(sandbox, "delete_record", id=key.key)
    sandbox.clock.advance(timedelta(seconds=5))


def calls_of(sandbox: Sandbox) -> list[str]:
    """Method and path of every call so far, without what all have in common."""
    return [f"{entry.method} {entry.path.partition('.0/')[2] or entry.path}" for entry in sandbox.log.entries]
