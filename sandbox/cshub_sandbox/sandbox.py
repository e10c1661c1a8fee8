"""The whole sandbox as one object: a world, a clock, the services with their gates, the log and the faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from .faults import FaultScript
from .gate import CallLog, Gate
from .kernel import SandboxClock, Service, check_world_time
from .world import World
from .world_builder import build_world

SERVICES: dict[str, str] = {
    "chorus": "cshub_sandbox.chorus:ChorusService",
    "totango": "cshub_sandbox.totango:TotangoService",
    "salesforce": "cshub_sandbox.salesforce:SalesforceService",
}
"""Every simulated service: name -> where its class is. The class is called with ``(world, clock, seed=...)``."""


def make_service(name: str, world: World, clock: SandboxClock) -> Service:
    """The service called ``name`` on this world. Raises ``KeyError`` for an unknown name."""
    module, _, attribute = SERVICES[name].partition(":")
    service: Service = getattr(import_module(module), attribute)(world, clock, seed=world.seed)
    return service


def login_of(service: Any) -> Mapping[str, str]:
    """What a client needs to sign in to a service, besides its token; empty for services that only take tokens."""
    login: Mapping[str, str] = getattr(service, "login", {})
    return login


@dataclass(frozen=True, slots=True)
class WorldSize:
    """What a world is built from; see ``build_world``."""

    seed: int = 1
    accounts: int = 40
    meetings: int = 400
    cases: bool = True


class Sandbox:
    """All services of ``names`` on one world. Not safe for concurrent calls: one caller at a time."""

    def __init__(
        self, names: Iterable[str] = SERVICES, *, size: WorldSize | None = None, now: datetime | None = None
    ) -> None:
        self.names = tuple(names)
        self.size = size or WorldSize()
        self.clock = SandboxClock(now)
        self.faults = FaultScript()
        self.log = CallLog()
        self.world: World
        self.gates: dict[str, Gate] = {}
        self.reset(self.size, now=now)

    def reset(self, size: WorldSize, *, now: datetime | None = None) -> None:
        """A new world, empty log, no faults, default switches. The clock goes to ``now`` (default: real time).

        Raises ``ValueError``, and has then changed nothing, for a size or a time that no world can have.
        """
        start = check_world_time(now or datetime.now(UTC))
        world = build_world(size.seed, accounts=size.accounts, meetings=size.meetings, now=start, cases=size.cases)
        self.size, self.world = size, world
        self.clock.freeze(False)
        self.clock.set(start)
        self.faults.clear()
        self.log.clear()
        self.gates = {
            name: Gate(make_service(name, world, self.clock), self.faults, self.log, self.clock) for name in self.names
        }

    def service(self, name: str) -> Any:
        """The service called ``name``. Raises ``KeyError`` that lists the names there are."""
        if name not in self.gates:
            raise KeyError(f"no service {name!r} here; there are {', '.join(self.gates)}")
        return self.gates[name].service
