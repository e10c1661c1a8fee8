"""A hub that lives in a process of its own, so that what it holds in memory can be told from what the services hold.

Services and clock are in the other process; every call goes there through a pipe. No socket, no thread and no real
time: the same seed gives the same history.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import psutil
import pyarrow as pa

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.records import RunKind
from cshub.core.window import Window
from cshub.ledger import Ledger, SharedQuota
from cshub.pipeline.run import Asked
from cshub_sandbox.gate import Outcome
from cshub_sandbox.kernel import Request
from cshub_sandbox.sandbox import Sandbox, login_of
from tests.pipeline.crashes import Fuse, FusedDatabase
from tests.pipeline.lab import Course, Lab

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.campaigns.far_hub", "sqlalchemy.dialects.sqlite"])
TRIES = 6  # a task and its retries, as the jobs' default
CALL_TAKES_S = 0.05
Jobs = tuple[tuple[BoundJob, BoundJob | None], ...]


@dataclass(frozen=True, slots=True)
class Call:
    service: str
    request: Request


@dataclass(frozen=True, slots=True)
class Advance:
    seconds: float


@dataclass(frozen=True, slots=True)
class Order:
    """One run. ``interval`` None: a full reconciliation by hand."""

    job_id: str
    now: datetime
    interval: Window | None


@dataclass(frozen=True, slots=True)
class Measure:
    """How much memory is held when everything that can be freed is freed; in bytes."""


@dataclass(frozen=True, slots=True)
class Ran:
    """``trouble``: why the run did not come to its end, "" when it did."""

    run_id: str
    writes: int = 0
    is_green: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the hub is started with. ``jobs``: each with that of the other direction."""

    folder: Path
    now: datetime
    logins: Mapping[str, tuple[str, Mapping[str, str]]]
    jobs: Jobs


@dataclass
class FarHub:
    """The hub's process as its services see it."""

    sandbox: Sandbox
    process: BaseProcess
    pipe: Connection

    @classmethod
    def start(cls, sandbox: Sandbox, folder: Path, jobs: Jobs) -> FarHub:
        """Start a hub on the ledger at ``folder/ledger.db``."""
        services = {name: sandbox.service(name) for name in sandbox.names}
        logins = {name: (str(service.token), dict(login_of(service))) for name, service in services.items()}
        mine, theirs = CONTEXT.Pipe()
        facts = Facts(folder, sandbox.clock.now(), logins, jobs)
        process = CONTEXT.Process(target=live, args=(theirs, facts), daemon=True)
        process.start()
        theirs.close()
        return cls(sandbox, process, mine)

    def run(self, job_id: str, interval: Window | None) -> Ran:
        """One run of a job, with the retries of its steps."""
        answer = self._ask(Order(job_id, self.sandbox.clock.now(), interval))
        assert isinstance(answer, Ran)
        return answer

    def memory(self) -> int:
        """Bytes."""
        return int(self._ask(Measure()))

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()
        self.process.close()

    def _ask(self, order: Order | Measure) -> Any:
        self.pipe.send(order)
        while True:
            message = self.pipe.recv()
            if isinstance(message, Call):
                self.pipe.send(self.sandbox.gates[message.service].handle(message.request))
            elif isinstance(message, Advance):
                self.sandbox.clock.advance(timedelta(seconds=message.seconds))
            else:
                return message


@dataclass
class FarClock:
    """The services' clock, which only this process moves while it works."""

    pipe: Connection
    at: datetime

    def now(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by
        self.pipe.send(Advance(by.total_seconds()))


@dataclass(frozen=True)
class FarGate:
    pipe: Connection
    name: str

    def handle(self, request: Request) -> Outcome:
        self.pipe.send(Call(self.name, request))
        return cast(Outcome, self.pipe.recv())


@dataclass(frozen=True)
class FarService:
    token: str
    login: Mapping[str, str]


@dataclass
class FarSandbox:
    """What a lab uses of a sandbox that is in another process."""

    pipe: Connection
    clock: FarClock
    logins: Mapping[str, tuple[str, Mapping[str, str]]]

    @cached_property
    def gates(self) -> Mapping[str, FarGate]:
        return {name: FarGate(self.pipe, name) for name in self.logins}

    def service(self, name: str) -> FarService:
        return FarService(*self.logins[name])


@dataclass
class Hub:
    """All jobs on one ledger and one budget of calls."""

    labs: Mapping[str, tuple[Lab, BoundJob]] = field(default_factory=dict)

    @classmethod
    def of(cls, pipe: Connection, facts: Facts) -> Hub:
        sandbox = cast(Sandbox, FarSandbox(pipe, FarClock(pipe, facts.now), facts.logins))
        fuse, numbers = Fuse(), count()
        ledger = Ledger(FusedDatabase(f"sqlite:///{facts.folder / 'ledger.db'}", fuse))
        ledger.upgrade()
        labs: dict[str, tuple[Lab, BoundJob]] = {}
        for job, back in facts.jobs:
            lab = Lab(sandbox, ledger, facts.folder, fuse, job, numbers, back=back, call_takes_s=CALL_TAKES_S)
            lab.quota = SharedQuota(ledger, name="token", clock=partial(_seconds, sandbox), sleep=lab.clock.sleep)
            labs[job.id] = lab, job
            if back is not None:
                labs[back.id] = lab, back
        return cls(labs)

    def run(self, order: Order) -> Ran:
        lab, job = self.labs[order.job_id]
        cast(FarSandbox, lab.sandbox).clock.at = order.now
        lab.fuse.renew()
        if order.interval is None:
            course = lab.course(job=job, asked=Asked(full_sync=True))
        else:
            course = lab.course(RunKind.SCHEDULED, job=job, asked=Asked(interval=order.interval))
        return _driven(course)


def _seconds(sandbox: Sandbox) -> float:
    return sandbox.clock.now().timestamp()


def _driven(course: Course) -> Ran:
    try:
        statistics = course.insist(TRIES).statistics.check()
    except HubError as trouble:
        return Ran(course.run_id, trouble=str(trouble))
    return Ran(course.run_id, statistics.writes, statistics.is_green)


def live(pipe: Connection, facts: Facts) -> None:
    """The hub's process: carries out orders until the pipe is closed."""
    hub = Hub.of(pipe, facts)
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        pipe.send(hub.run(order) if isinstance(order, Order) else _memory())


def _memory() -> int:
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)
