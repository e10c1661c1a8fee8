"""One lane of the campaign: a world with its jobs, in which one case after another is played and judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from cshub.core.errors import StatisticsMismatch
from cshub.core.records import RunOutcome
from cshub_runtime.connections import connection_to
from cshub_runtime.rest import RunState, StoredConnection
from cshub_runtime.sandbox_process import Service
from cshub_sandbox.salesforce_ids import to_18
from cshub_sandbox.sandbox import login_of
from cshub_sandbox.testing import RunningSandbox, start_sandbox
from tests.campaigns.airflow_stage import Ground, Stuck
from tests.campaigns.airflow_worlds import LaneKind, Row, World, rows_sent, world_of
from tests.e2e.stage import CALLS

SLOW_S = 0.2
"""How long every answer of the services takes while a case is played, so that there is a middle to strike."""
TWICE_A_MONTH: Mapping[str, Any] = {"kind": "cron", "cron": "0 0 1,16 * *"}
BACKFILLED = 3
"""Intervals of that schedule."""
BY_HAND: Mapping[str, Any] = {"kind": "manual"}


@dataclass(frozen=True, slots=True)
class Place:
    """A lane as it is planned: ``scheduled`` lanes have a schedule, and their world is full of what was never read."""

    name: str
    kind: LaneKind
    seed: int
    scheduled: bool = False

    @property
    def jobs(self) -> Mapping[str, Mapping[str, Any]]:
        """Job id → arguments of ``job_text``."""
        shared = {
            "scene": self.name,
            "schedule": TWICE_A_MONTH if self.scheduled else BY_HAND,
            "retries": 4,
            "guard": {"delete": {}},
            **({"pair": self.name} if len(self.kind.types) > 1 else {}),
        }
        return {f"{self.name}_{kind.rpartition('_')[2]}": {**shared, "kind": kind} for kind in self.kind.types}


@dataclass
class Verdict:
    """What a case has shown. ``struck``: the trouble came in time; the others are counts of what must not be."""

    told: str
    struck: bool = True
    doubled: int = 0
    lost: int = 0
    extra: int = 0
    clean_run_wrote: int = 0
    stuck: int = 0
    red_without_next_step: int = 0
    untruthful: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.faults

    def note(self, name: str, count: int, story: str) -> None:
        if count:
            setattr(self, name, getattr(self, name) + count)
            self.faults.append(f"{name.replace('_', ' ')}: {count}. {story}")


@dataclass
class Lane:
    """``first`` is the job that a case disturbs; of a two-way lane the other direction runs after it."""

    place: Place
    running: RunningSandbox
    ground: Ground
    world: World

    @classmethod
    @contextmanager
    def opened(cls, place: Place, ground: Ground) -> Iterator[Lane]:
        """The lane with its services running and its connections stored; nothing is synced yet."""
        meetings = 70 if place.scheduled else 0
        with start_sandbox(seed=place.seed, accounts=8, meetings=meetings, cases=False) as running:
            running.control.switch("totango", rate_limit=1_000_000, search_lag_s=0.0)
            _be_an_org_of_its_own(running, place)
            world = world_of(place.kind, running, since=intervals(datetime.now(UTC), BACKFILLED)[0])
            lane = cls(place, running, ground.for_another_thread(), world)
            with closing(lane.ground.rest) as rest:
                for connection in lane.connections():
                    rest.store_connection(connection)
                yield lane

    @property
    def jobs(self) -> list[str]:
        return list(self.place.jobs)

    def connections(self) -> list[StoredConnection]:
        found = []
        for system, service in self._services().items():
            more = {"calls_per_minute": CALLS, "service_id": self.place.name} if system == "totango" else None
            name = f"{system}_{self.place.name}"
            found.append(connection_to(service, system=system, connection_id=name, more=more))
        return found

    def secrets(self) -> list[str]:
        """Tokens, secrets and passwords, and what every Salesforce session begins with."""
        services = self._services()
        session = services["salesforce"].token.partition("!")[0] + "!"
        return [session, *(secret for service in services.values() for secret in service.secrets)]

    def _services(self) -> dict[str, Service]:
        sandbox = self.running.sandbox
        return {
            name: Service(url, sandbox.service(name).token, login_of(sandbox.service(name)))
            for name, url in self.running.urls.items()
            if name in sandbox.names
        }

    def bring_in_step(self) -> int:
        """Everything is synced, undisturbed; how many records there are that nobody has made."""
        for _ in range(2):
            for job in self.jobs:
                self.sync(job, full_sync=True)
            if len({frozenset(rows.items()) for rows in self.world.held().values()}) == 1:
                break
        return self.world.in_step()

    def start(self, job: str, **params: Any) -> str:
        given = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in params.items()}
        return self.ground.start(job, given)

    def sync(self, job: str, **params: Any) -> str:
        """A run that nothing disturbs, which must end green; its id."""
        run_id = self.start(job, **params)
        if self.ground.end_of(job, run_id) is not RunState.SUCCESS:
            raise AssertionError(f"{job} {run_id} is red though undisturbed\n{self.ground.story(job, run_id)}")
        return run_id

    def slowly(self, *, writes_s: float = SLOW_S) -> None:
        self.at_full_speed()
        self.running.control.add_fault("slow", only_writes=True, delay_s=writes_s)
        self.running.control.add_fault("slow", delay_s=SLOW_S)

    def at_full_speed(self) -> None:
        self.running.control.clear_faults()


@dataclass
class Judge:
    """Holds what has become of a case against what the services recorded."""

    lane: Lane
    verdict: Verdict
    sent_before: int

    @classmethod
    def of(cls, lane: Lane, told: str) -> Judge:
        return cls(lane, Verdict(told), rows_sent(lane.running.control))

    @property
    def sent(self) -> int:
        return rows_sent(self.lane.running.control) - self.sent_before

    def see(self, job: str, run_id: str) -> bool:
        """Wait for the end of a run, which is green or says what to do next; whether it is green."""
        try:
            state = self.lane.ground.end_of(job, run_id)
        except Stuck as stuck:
            self.verdict.note("stuck", 1, f"{stuck}\n{self.lane.ground.story(job, run_id)}")
            self.lane.ground.mark_failed(job, run_id)
            return False
        if state is RunState.SUCCESS:
            return True
        row = self.lane.ground.run_row(f"{job}:{run_id}")
        if row is None or not row.error:
            told = f"{job} {run_id} is red\n{self.lane.ground.story(job, run_id)}"
            self.verdict.note("red_without_next_step", 1, told)
        return False

    def heal(self, job: str, run_id: str) -> None:
        """Wait for a run; one that has failed is cleared once, as a person would, and must be green then."""
        if self.see(job, run_id):
            return
        self.lane.ground.rest.clear(job, run_id)
        if not self.see(job, run_id):
            told = f"{job} {run_id} is red again after it was cleared\n{self.lane.ground.story(job, run_id)}"
            self.verdict.note("red_without_next_step", 1, told)

    def records(self) -> None:
        """Nothing doubled, nothing lost."""
        wanted = self.lane.world.wanted()
        for service, held in self.lane.world.held().items():
            self.verdict.note("doubled", (held - wanted).total(), f"{service} beyond: {_shown(held - wanted)}")
            self.verdict.note("lost", (wanted - held).total(), f"{service} lacks: {_shown(wanted - held)}")

    def writes(self, wanted: int) -> None:
        """Not more rows were written than people have changed."""
        if self.sent > wanted:
            self.verdict.note("extra", self.sent - wanted, f"{self.sent} rows were written, {wanted} have changed")

    def statistics(self, run_ids: Sequence[str], *, replanned: bool) -> None:
        """What the runs say they wrote is what was written; of a run that was planned again, the last plan alone."""
        written = 0
        for run_id in run_ids:
            row = self.lane.ground.run_row(run_id)
            if row is None or row.statistics is None or row.outcome is not RunOutcome.GREEN:
                self.verdict.note("untruthful", 1, f"{run_id} in the ledger: {row and (row.outcome, row.error)}")
                continue
            try:
                written += row.statistics.check().writes
            except StatisticsMismatch as mismatch:
                self.verdict.note("untruthful", 1, f"{run_id}: {mismatch}")
        if written > self.sent or (written < self.sent and not replanned):
            self.verdict.note("untruthful", 1, f"the runs tell of {written} writes, the services of {self.sent}")

    def clean_run(self) -> None:
        """A further sync of every job writes nothing."""
        before = rows_sent(self.lane.running.control)
        for job in self.lane.jobs:
            self.heal(job, self.lane.start(job))
        wrote = rows_sent(self.lane.running.control) - before
        calls = self.lane.running.control.log(writes=True)[-wrote:] if wrote else []
        self.verdict.note(
            "clean_run_wrote", wrote, f"{[(call['method'], call['path'], call['body']) for call in calls]}"
        )


def _shown(rows: Counter[Row]) -> str:
    return "; ".join(f"{count} × {row}" for row, count in list(rows.items())[:3])


def _be_an_org_of_its_own(running: RunningSandbox, place: Place) -> None:
    """Worlds count their ids alike: the hub would take records of two lanes in one org for the same ones."""
    running.sandbox.service("salesforce")._org.id = to_18(
        f"00D5g{drawn(place.seed, place.name).randrange(10**10):010d}"
    )


def intervals(now: datetime, count: int) -> tuple[datetime, datetime, datetime]:
    """The last complete half months before ``now``: start of the first, start of the last, end of the last."""
    bounds = [now.astimezone(UTC).replace(day=16 if now.day >= 16 else 1, hour=0, minute=0, second=0, microsecond=0)]
    for _ in range(count):
        first = bounds[-1]
        earlier = first.replace(day=1) if first.day == 16 else (first - timedelta(days=1)).replace(day=16)
        bounds.append(earlier)
    return bounds[-1], bounds[1], bounds[0]


def drawn(seed: int, *parts: object) -> Random:
    return Random(" ".join(map(str, (seed, *parts))))
