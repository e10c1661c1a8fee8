"""Four processes and one token: the budget of calls is kept over all of them, and used.

Time is simulated over real processes. Each of them says until when it sleeps; once all of them sleep, the clock that
they and the service share goes on to the first of these moments, and whoever is due then wakes. Those that wake
together run at once for real: on the ledger's database, on their sockets. At full size a stretch in real time follows,
by the ledger's own clock.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from cshub.core.errors import HubError
from cshub.ledger import Ledger, SharedQuota
from cshub.systems.http import Wire
from cshub.systems.totango.client import TotangoClient
from cshub_runtime.postgres import EmbeddedPostgres
from cshub_sandbox.kernel import LogEntry
from cshub_sandbox.testing import RunningSandbox, start_sandbox
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_least, at_most, exactly, told

LIMIT = 100
PERIOD = timedelta(seconds=60)
LEAST_USED = 0.97
PROCESSES = 4
FULL_MINUTES, SHARE_MINUTES, REAL_MINUTES = 30, 5, 3
FULL_DEATHS, SHARE_DEATHS = 12, 2
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ON_ITS_WAY_S = (0.02, 0.45)  # a call or an answer; the ledger's margin leaves a second between a grant and its arrival
OVERSLEPT_S = 0.4
STALLED_S = 5.0
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.campaigns.quota", "psycopg2", "sqlalchemy.dialects.sqlite"])


@dataclass(frozen=True, slots=True)
class Seat:
    """What a process works with. Picklable while it is started. ``asks`` None: real time."""

    ledger_url: str
    url: str
    token: str
    seed: int
    budget: str
    now: Any = None  # seconds since 1970, shared by all
    asks: Connection | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """A process says that it sleeps; ``has_grant``: it holds a call of the budget that it may send then."""

    until: float
    has_grant: bool


@dataclass(frozen=True, slots=True)
class SharedTime:
    """The clock of one process: it stands still unless all processes sleep."""

    seat: Seat
    rng: Random

    def now(self) -> float:
        return float(self.seat.now.value)

    def sleep(self, seconds: float) -> None:
        self._sleep(seconds, has_grant=False)

    def await_grant(self, seconds: float) -> None:
        """Sleep as real processes do: a little too long, now and then much too long."""
        late = self.rng.choices((0.0, OVERSLEPT_S, STALLED_S), (60, 38, 2))[0]
        self._sleep(seconds + late * self.rng.random(), has_grant=True)

    def travel(self) -> None:
        self._sleep(self.rng.uniform(*ON_ITS_WAY_S), has_grant=False)

    def _sleep(self, seconds: float, *, has_grant: bool) -> None:
        assert self.seat.asks is not None
        self.seat.asks.send(Sleep(self.now() + max(0.0, seconds), has_grant))
        self.seat.asks.recv()


class LongWay(HTTPAdapter):
    """A network on which calls and answers take their time."""

    def __init__(self, shared: SharedTime) -> None:
        super().__init__()
        self._shared = shared

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self._shared.travel()
        answer = super().send(request, *args, **kwargs)
        self._shared.travel()
        return answer


def work(seat: Seat) -> None:
    """Call the service without a pause, as a job does that has much to write, until somebody ends the process."""
    logging.disable()
    rng = Random(seat.seed)
    with Ledger.open(seat.ledger_url) as ledger:
        if seat.asks is None:
            wire = Wire(quota=SharedQuota(ledger, name=seat.budget))
        else:
            shared = SharedTime(seat, rng)
            quota = SharedQuota(ledger, name=seat.budget, clock=shared.now, sleep=shared.await_grant)
            wire = Wire(quota=quota, adapter=LongWay(shared), sleep=shared.sleep, clock=shared.now, wall=shared.now)
        client = TotangoClient(seat.token, base_url=seat.url, wire=wire)
        while True:
            try:
                client.touchpoint_types() if rng.random() < 0.5 else client.flows()
            except HubError:
                continue


@dataclass
class Conductor:
    """Starts the processes, moves their time on, kills some of them and puts others in their place."""

    sandbox: RunningSandbox
    seat: Seat
    rng: Random
    at: float = START.timestamp()
    asleep: dict[Connection, Sleep] = field(default_factory=dict)
    processes: dict[Connection, BaseProcess] = field(default_factory=dict)
    started: int = 0

    def conduct(self, minutes: int, deaths: int) -> None:
        """Simulate so many minutes with so many deaths, evenly spread over them."""
        end = self.at + minutes * 60
        due = [self.at + (number + 0.5) * minutes * 60 / deaths for number in range(deaths)]
        try:
            for _ in range(PROCESSES):
                self._start()
            while self._wake(end):
                if due and self.at >= due[0] and (victim := self._victim()) is not None:
                    due.pop(0)
                    self._kill(victim)
                    self._start()
        finally:
            for asks in list(self.processes):
                self._kill(asks)
        assert not due, f"{len(due)} deaths did not happen: nobody waited for a call"

    def _wake(self, end: float) -> bool:
        """Go on to the moment at which the first sleep ends, unless that is the end of all, and end those due then."""
        self._until_all_sleep()
        self.at = min(sleep.until for sleep in self.asleep.values())
        if self.at >= end:
            return False
        self.seat.now.value = self.at
        self.sandbox.sandbox.clock.set(datetime.fromtimestamp(self.at, UTC))
        for asks in [asks for asks, sleep in self.asleep.items() if sleep.until <= self.at]:
            del self.asleep[asks]
            asks.send(None)
        return True

    def _victim(self) -> Connection | None:
        """One that holds a call it has not sent yet."""
        holding = [asks for asks, sleep in self.asleep.items() if sleep.has_grant]
        return self.rng.choice(holding) if holding else None

    def _until_all_sleep(self) -> None:
        while awake := [asks for asks in self.processes if asks not in self.asleep]:
            ready = connection.wait(awake, timeout=120)
            assert ready, "a process neither works nor sleeps"
            for asks in ready:
                assert isinstance(asks, Connection)
                self.asleep[asks] = asks.recv()

    def _start(self) -> None:
        self.started += 1
        mine, theirs = CONTEXT.Pipe()
        seat = replace(self.seat, seed=self.rng.randrange(2**32), asks=theirs)
        process = CONTEXT.Process(target=work, args=(seat,), daemon=True)
        process.start()
        theirs.close()
        self.processes[mine] = process

    def _kill(self, asks: Connection) -> None:
        process = self.processes.pop(asks)
        self.asleep.pop(asks, None)
        process.kill()
        process.join()
        process.close()
        asks.close()


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the service was asked in one stretch of time."""

    name: str
    calls: int
    refused: int
    used: float
    busiest: int
    busiest_at: datetime
    died: int = 0

    def story(self, seed: int) -> list[str]:
        if self.busiest <= LIMIT:
            return []
        return [f"{self.name}, seed {seed}: {self.busiest} calls in the 60 s from {self.busiest_at:%H:%M:%S.%f} on"]


def run(asked: Asked) -> Outcome:
    minutes, deaths = (FULL_MINUTES, FULL_DEATHS) if asked.is_full else (SHARE_MINUTES, SHARE_DEATHS)
    total = 4 if asked.is_full else 2
    with _ledgers() as urls:
        simulated: list[Stretch] = []
        for name, url in urls.items():
            simulated.append(_simulated(name, url, asked.seed, minutes, deaths))
            asked.progress(len(simulated), total)
        real: list[Stretch] = []
        for name, url in urls.items() if asked.is_full else ():
            real.append(_real(name, url, asked.seed))
            asked.progress(len(simulated) + len(real), total)
    figures = [
        told("calls, simulated and real", sum(stretch.calls for stretch in (*simulated, *real))),
        told("simulated time on each of SQLite and PostgreSQL", minutes, "minutes"),
        *_kept("", simulated),
        told("processes killed while they held a call of the budget", sum(stretch.died for stretch in simulated)),
    ]
    if real:
        figures += [told("real time on each", REAL_MINUTES, "minutes"), *_kept(", real time", real)]
    return Outcome(figures, [story for stretch in (*simulated, *real) for story in stretch.story(asked.seed)])


def _kept(suffix: str, stretches: Sequence[Stretch]) -> list[Figure]:
    return [
        at_most(f"most calls in any 60 s{suffix}", max(stretch.busiest for stretch in stretches), LIMIT),
        at_least(f"share of the budget used{suffix}", min(stretch.used for stretch in stretches), LEAST_USED),
        exactly(f"calls refused with 429{suffix}", sum(stretch.refused for stretch in stretches)),
    ]


@contextmanager
def _ledgers() -> Iterator[dict[str, str]]:
    """Urls of fresh ledgers, by database."""
    with TemporaryDirectory(prefix="cshub-quota-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "postgres", durable=False) as server:
            urls = {"SQLite": f"sqlite:///{folder / 'ledger.db'}", "PostgreSQL": server.create_database("quota")}
            for url in urls.values():
                with Ledger.open(url) as ledger:
                    ledger.upgrade()
            yield urls


def _simulated(name: str, ledger_url: str, seed: int, minutes: int, deaths: int) -> Stretch:
    rng = Random(f"{name} {seed}")
    with start_sandbox(["totango"], meetings=0, cases=False, now=START) as sandbox:
        sandbox.sandbox.clock.freeze(True)
        sandbox.sandbox.clock.set(START)
        sandbox.control.add_fault("status", status=503, probability=0.01, seed=rng.randrange(2**32))
        now = CONTEXT.Value("d", START.timestamp())
        seat = Seat(ledger_url, sandbox.totango.url, sandbox.totango.token, seed, budget="simulated", now=now)
        Conductor(sandbox, seat, rng).conduct(minutes, deaths)
        return _stretch(f"simulated on {name}", sandbox.sandbox.log.entries, START, minutes, died=deaths)


def _real(name: str, ledger_url: str, seed: int) -> Stretch:
    with start_sandbox(["totango"], meetings=0, cases=False) as sandbox:
        seat = Seat(ledger_url, sandbox.totango.url, sandbox.totango.token, seed, budget="real")
        processes = [
            CONTEXT.Process(target=work, args=(replace(seat, seed=seed + number),), daemon=True)
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        while not sandbox.sandbox.log.entries:
            assert all(process.is_alive() for process in processes)
            time.sleep(0.05)
        time.sleep(REAL_MINUTES * 60)
        for process in processes:
            process.kill()
            process.join()
            process.close()
        begun = sandbox.sandbox.log.entries[0].at
        return _stretch(f"real time on {name}", sandbox.sandbox.log.entries, begun, REAL_MINUTES)


def _stretch(name: str, log: Sequence[LogEntry], start: datetime, minutes: int, *, died: int = 0) -> Stretch:
    end = start + timedelta(minutes=minutes)
    moments = sorted(entry.at for entry in log if entry.at < end)
    counts = [bisect_left(moments, moment + PERIOD) - number for number, moment in enumerate(moments)]
    busiest = max(counts)
    return Stretch(
        name,
        calls=len(moments),
        refused=sum(entry.status == 429 for entry in log),
        used=round(len(moments) / (LIMIT * minutes), 4),
        busiest=busiest,
        busiest_at=moments[counts.index(busiest)],
        died=died,
    )


CAMPAIGN = Campaign(
    "quota",
    "Call budget",
    "Four processes that share one token through the ledger never send more than 100 calls in any 60 s, also when one "
    "of them dies with a call in its hand, and they leave next to nothing of the budget unused.",
    run,
)
