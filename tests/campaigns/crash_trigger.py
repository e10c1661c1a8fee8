"""Where a process of the hub dies by SIGKILL, and the ledger and call budget whose commits are such places."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import event

from cshub.ledger import Ledger, SharedQuota
from cshub_sandbox.kernel import SandboxClock
from tests.pipeline.crashes import Fuse, FusedDatabase

NEVER_S = 120.0  # longer than any process of a trial lives


@dataclass
class Trigger(Fuse):
    """A fuse that ends its process: at boundary number ``burns_at``, counted from 1.

    Boundaries are ``before``, ``during`` and ``after`` each call to a service and each commit of the ledger.
    """

    told: Callable[[str], None] = lambda place: None

    def step(self, place: str) -> None:
        if self.arrives(place):
            die()

    def arrives(self, place: str) -> bool:
        """Count a boundary; True when the process is to die there, which is told first."""
        self.places.append(place)
        if self.burns_at is None or len(self.places) < self.burns_at:
            return False
        if len(self.places) == self.burns_at:
            self.told(place)
        return True

    def during_commit(self, _connection: object) -> None:
        if self.arrives("during commit"):
            die_in_the_next_call()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_the_next_call() -> None:
    """Kill the process as soon as this thread lets go of the interpreter: that is inside the database's own code."""
    sys.setswitchinterval(NEVER_S)
    gate = threading.Semaphore(0)

    def wait_and_kill() -> None:
        gate.acquire()
        die()

    threading.Thread(target=wait_and_kill, daemon=True).start()
    gate.release()


def ledger_at(url: str, trigger: Trigger) -> Ledger:
    """A ledger whose commits are three boundaries each."""
    database = FusedDatabase(url, trigger)
    event.listen(database.engine, "commit", trigger.during_commit)
    return Ledger(database)


def budget_of(ledger: Ledger, clock: SandboxClock) -> SharedQuota:
    """The call budget that every process of the ledger shares: each call takes its slot in a commit of its own."""
    return SharedQuota(
        ledger,
        name="token",
        limit=10_000,
        clock=lambda: clock.now().timestamp(),
        sleep=lambda seconds: clock.advance(timedelta(seconds=seconds)),
    )
