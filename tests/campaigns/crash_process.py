"""A hub in a process of its own, which dies by SIGKILL where it is told to; the services beside it live on."""

from __future__ import annotations

import gc
import logging
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from multiprocessing import Pipe
from multiprocessing.connection import Connection as Channel
from pathlib import Path
from typing import Any, Protocol, cast

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.stats import RunStatistics
from cshub.ledger import Ledger
from cshub.pipeline.diff import diff
from cshub.pipeline.extract import extract
from cshub.pipeline.map import map_records
from cshub.pipeline.run import Asked
from cshub_sandbox.gate import Outcome
from cshub_sandbox.kernel import Request, SandboxClock
from cshub_sandbox.sandbox import Sandbox
from tests.campaigns.crash_trigger import Trigger, budget_of, die
from tests.pipeline.lab import Lab

PATIENCE_S = 120.0
SERVICE_TAKES = timedelta(seconds=15)  # how long a service works on after its caller has died in the middle of a call


class Step(StrEnum):
    EXTRACT = "extract"
    MAP = "map"
    DIFF = "diff"
    LOAD = "load"


@dataclass
class Attempt:
    """A run as Airflow remembers it: what its steps returned so far. It begins ``after`` what was before it."""

    job: BoundJob
    run_id: str
    after: timedelta = timedelta(0)
    returned: dict[Step, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return Step.LOAD in self.returned

    @property
    def statistics(self) -> RunStatistics:
        numbers: RunStatistics = self.returned[Step.LOAD]
        return numbers


def _carry_out(step: Step, hub: Lab, attempt: Attempt) -> Any:
    """One step, as a task of its own. The plan comes with the moment at which it was begun."""
    returned = attempt.returned
    run = hub.new_run(run_id=attempt.run_id, job=attempt.job)
    match step:
        case Step.EXTRACT:
            return extract(run, Asked())
        case Step.MAP:
            return map_records(run, returned[Step.EXTRACT].ref)
        case Step.DIFF:
            planned_at = run.clock.now()
            beside_lost = returned[Step.EXTRACT].beside_lost
            return planned_at, diff(run, returned[Step.MAP].ref, beside_lost=beside_lost)
        case Step.LOAD:
            planned_at, planned = returned[Step.DIFF]
            course = hub.course(run_id=attempt.run_id, job=attempt.job)
            course.extracted, course.mapped = returned[Step.EXTRACT], returned[Step.MAP]
            course.planned, course.planned_at = planned, planned_at
            return course.load().statistics


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process of the hub ended. ``failed``: what it failed with; ``died_at``: the boundary of its death."""

    signal: int = 0
    failed: str = ""
    is_hub_error: bool = False
    died_at: str = ""
    places: tuple[str, ...] = ()


class _Message(Protocol):
    def apply(self, services: Services, reply: Callable[[object], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Call:
    service: str
    request: Request
    last: bool

    def apply(self, services: Services, reply: Callable[[object], None]) -> None:
        if self.last:
            services.held.append((services.sandbox.clock.now() + SERVICE_TAKES, self))
        else:
            reply(services.sandbox.gates[self.service].handle(self.request))


@dataclass(frozen=True, slots=True)
class _Advance:
    by: timedelta

    def apply(self, services: Services, reply: Callable[[object], None]) -> None:
        services.advance(self.by)


@dataclass(frozen=True, slots=True)
class _Begins:
    run_id: str

    def apply(self, services: Services, reply: Callable[[object], None]) -> None:
        services.begins(self.run_id)


@dataclass(frozen=True, slots=True)
class _Returned:
    number: int
    step: Step
    value: Any

    def apply(self, services: Services, reply: Callable[[object], None]) -> None:
        services.attempts[self.number].returned[self.step] = self.value


@dataclass(frozen=True, slots=True)
class _Ended:
    ending: Ending

    def apply(self, services: Services, reply: Callable[[object], None]) -> None:
        services.ending = self.ending


@dataclass
class Services:
    """The sandbox of one trial, which lives on in this process while those of the hub come and go.

    ``lab``: the prepared hub that each process starts from. It is never used here. ``begins`` is told the id of each
    run that begins.
    """

    lab: Lab
    trigger: Trigger
    begins: Callable[[str], None]
    attempts: Sequence[Attempt] = ()
    ending: Ending = field(default_factory=Ending)
    held: list[tuple[datetime, _Call]] = field(default_factory=list)

    @property
    def sandbox(self) -> Sandbox:
        return self.lab.sandbox

    def process(self, attempts: Sequence[Attempt], burns_at: int | None = None) -> Ending:
        """A new process does what is left of these runs; until its end its calls are answered.

        Raises ``TimeoutError`` when nothing is heard of it for :data:`PATIENCE_S`.
        """
        self.attempts, self.ending = attempts, Ending()
        mine, its = Pipe()
        child = os.fork()
        if child == 0:
            mine.close()
            _be_the_hub(self.lab, self.trigger, attempts, its, burns_at)
        its.close()
        try:
            self._answer(mine)
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            mine.close()
        return replace(self.ending, signal=max(0, -status))

    def advance(self, by: timedelta) -> None:
        """Time passes. A call whose caller has died is carried out in the course of it."""
        until = self.sandbox.clock.now() + by
        while self.held and self.held[0][0] <= until:
            due, call = self.held.pop(0)
            self.sandbox.clock.set(due)
            self.sandbox.gates[call.service].handle(call.request)
        self.sandbox.clock.set(until)

    def _answer(self, channel: Channel[Any, Any]) -> None:
        while True:
            if not channel.poll(PATIENCE_S):
                raise TimeoutError(f"the hub's process was silent for {PATIENCE_S:.0f} s")
            try:
                message: _Message = channel.recv()
            except (EOFError, ConnectionResetError):
                return
            message.apply(self, channel.send)


@dataclass(frozen=True)
class _FarGate:
    """A gate in another process. Between question and answer lies a boundary."""

    name: str
    channel: Channel[Any, Any]
    trigger: Trigger

    def handle(self, request: Request) -> Outcome:
        last = self.trigger.arrives(f"during {request.method} {request.path}")
        self.channel.send(_Call(self.name, request, last))
        if last:
            die()
        return cast(Outcome, self.channel.recv())


@dataclass(frozen=True)
class _FarClock:
    """The services' clock. It moves only when the hub sleeps, so a copy tells the time."""

    copy: SandboxClock
    channel: Channel[Any, Any]

    def now(self) -> Any:
        return self.copy.now()

    def advance(self, by: timedelta) -> None:
        self.copy.advance(by)
        self.channel.send(_Advance(by))


class _FarSandbox:
    """What a hub sees of services in another process: gates and the time, and its own logins."""

    def __init__(self, copy: Sandbox, channel: Channel[Any, Any], trigger: Trigger) -> None:
        self.gates = {name: _FarGate(name, channel, trigger) for name in copy.gates}
        self.clock = _FarClock(copy.clock, channel)
        self.service = copy.service


def _be_the_hub(
    lab: Lab, trigger: Trigger, attempts: Sequence[Attempt], channel: Channel[Any, Any], burns_at: int | None
) -> None:
    """Do what is left of these runs in this process; never returns."""
    gc.disable()  # a short life: looking for garbage would copy what is shared with the parent
    logging.disable()
    trigger.renew(burns_at)
    trigger.told = lambda place: channel.send(_Ended(Ending(died_at=place)))
    failed, is_hub_error = "", False
    try:
        far = cast(Sandbox, _FarSandbox(lab.sandbox, channel, trigger))
        ledger = Ledger(lab.ledger.database)  # one that remembers nothing of before the fork
        quota = budget_of(ledger, far.clock)
        hub = replace(lab, sandbox=far, ledger=ledger, quota=quota, folder=Path.cwd(), fuse=trigger)
        for number, attempt in enumerate(attempts):
            if not attempt.is_done:
                _go_on(hub, attempt, number, channel)
    except BaseException as error:
        failed, is_hub_error = "".join(traceback.format_exception(error)), isinstance(error, HubError)
    channel.send(_Ended(Ending(failed=failed, is_hub_error=is_hub_error, places=tuple(trigger.places))))
    os._exit(1 if failed else 0)


def _go_on(hub: Lab, attempt: Attempt, number: int, channel: Channel[Any, Any]) -> None:
    if not attempt.returned:
        hub.sandbox.clock.advance(attempt.after)
        channel.send(_Begins(attempt.run_id))
    for step in Step:
        if step not in attempt.returned:
            attempt.returned[step] = _carry_out(step, hub, attempt)
            channel.send(_Returned(number, step, attempt.returned[step]))
