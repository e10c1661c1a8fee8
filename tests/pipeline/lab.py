"""A whole hub and its services in one process under one clock: no sockets, no waiting."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.quota import Quota
from cshub.core.records import RunKind
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Ledger
from cshub.library import JobLibrary
from cshub.pipeline.diff import Planned, diff
from cshub.pipeline.extract import Extracted, extract
from cshub.pipeline.guard import GuardedQuota, SendGuard
from cshub.pipeline.load import Loaded, LoadOrder, load
from cshub.pipeline.map import Mapped, map_records
from cshub.pipeline.plans import apply_plan
from cshub.pipeline.run import Asked, Run
from cshub.pipeline.undo import plan_undo
from cshub.staging import Staging
from cshub.systems import registry
from cshub.systems.chorus.client import ChorusClient
from cshub.systems.http import Wire
from cshub.systems.salesforce.auth import Credentials
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.totango.client import TotangoClient
from cshub_sandbox.faults import FaultRule
from cshub_sandbox.inprocess import call
from cshub_sandbox.kernel import Request
from cshub_sandbox.sandbox import Sandbox, WorldSize
from tests.pipeline.crashes import Fuse, FusedDatabase
from tests.pipeline.gate_adapter import FusedGateAdapter

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JOB_ID = "chorus_touchpoints_inbound"


@dataclass
class LabClock:
    """The sandbox's frozen clock as the hub's: sleeping moves it."""

    sandbox: Sandbox

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    def sleep(self, seconds: float) -> None:
        self.sandbox.clock.advance(timedelta(seconds=seconds))


class NoLimit:
    """A call budget that never ends."""

    def acquire(self, count: int = 1) -> float:
        return 0.0

    def penalise(self, until_s: float) -> None:
        """Nothing is counted."""

    def forecast(self, calls: int) -> float:
        return 0.0


@dataclass
class Done:
    """One run from end to end, as far as it came."""

    run: Run
    extracted: Extracted
    mapped: Mapped
    planned: Planned
    loaded: Loaded

    @property
    def statistics(self) -> RunStatistics:
        return self.loaded.statistics


@dataclass
class Course:
    """One run as Airflow drives it: step by step, each in a process of its own, and again from the step that failed."""

    lab: Lab
    run_id: str
    kind: RunKind
    asked: Asked
    run: Run | None = None
    extracted: Extracted | None = None
    mapped: Mapped | None = None
    planned: Planned | None = None
    planned_at: datetime | None = None
    done: Done | None = None
    job: BoundJob | None = None

    def on(self, lab: Lab) -> Course:
        """The same run in a fork of its lab."""
        return replace(self, lab=lab, run=None)

    def go_on(self) -> Done:
        """Everything that is still to do. Raises what the step raises, and may be called again then."""
        self.plan()
        return self.load()

    def plan(self) -> Planned:
        """Everything before load."""
        only_waiting = self.kind is RunKind.RETRY
        if self.extracted is None:
            self.extracted = extract(self._fresh(), self.asked, only_waiting=only_waiting)
        if self.mapped is None:
            self.mapped = map_records(self._fresh(), self.extracted.ref)
        if self.planned is None:
            planned_at = self.lab.clock.now()
            self.planned = diff(self._fresh(), self.mapped.ref, beside_lost=self.extracted.beside_lost)
            self.planned_at = planned_at
        return self.planned

    def load(self) -> Done:
        assert self.extracted and self.mapped and self.planned and self.planned_at
        run = self._fresh()
        order = LoadOrder(
            plan=self.planned.ref,
            rejects=self.mapped.rejects,
            mapped=self.mapped.statistics + RunStatistics(warnings=self.planned.warnings),
            planned_at=self.planned_at,
            window=self.extracted.window,
            first_run=self.extracted.first_run,
            is_whole=self.extracted.is_whole,
        )
        self.done = Done(run, self.extracted, self.mapped, self.planned, load(run, order))
        return self.done

    def insist(self, tries: int = 4) -> Done:
        """Go on as Airflow's retries would, minutes apart. Raises the last failure."""
        for left in range(tries, 0, -1):
            try:
                return self.go_on()
            except HubError:
                if left == 1:
                    raise
                self.lab.wait(minutes=2)
        raise AssertionError("unreachable")

    def _fresh(self) -> Run:
        self.run = self.lab.new_run(self.kind, run_id=self.run_id, job=self.job)
        return self.run


@dataclass
class Lab:
    """``sandbox``, ``ledger`` and files of one test. ``job`` may be replaced between runs.

    ``back``: the job that keeps the same pair in step in the other direction. ``call_takes_s``: how far the clock goes
    on at each call of the hub.
    """

    sandbox: Sandbox
    ledger: Ledger
    folder: Path
    fuse: Fuse
    job: BoundJob = field(default_factory=lambda: JobLibrary.from_settings().bound(JOB_ID))
    numbers: Any = field(default_factory=count)
    quota: Quota = field(default_factory=NoLimit)
    back: BoundJob | None = None
    call_takes_s: float = 0.0

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        seed: int = 3,
        accounts: int = 10,
        meetings: int = 40,
        cases: bool = True,
        now: datetime = NOW,
        ledger_url: str | None = None,
        job: BoundJob | None = None,
        back: BoundJob | None = None,
    ) -> Lab:
        size = WorldSize(seed=seed, accounts=accounts, meetings=meetings, cases=cases)
        sandbox = Sandbox(size=size, now=now)
        sandbox.clock.freeze(True)
        sandbox.clock.set(now)
        sandbox.service("totango").switches.rate_limit = 1_000_000
        fuse = Fuse()
        ledger = Ledger(FusedDatabase(ledger_url or f"sqlite:///{folder / 'ledger.db'}", fuse))
        ledger.upgrade()
        job = job or JobLibrary.from_settings().bound(JOB_ID)
        return cls(sandbox, ledger, folder, fuse, job, back=back)

    def fork(self, folder: Path) -> Lab:
        """The same state once more, on SQLite: what happens to one does not happen to the other."""
        self.ledger.close()
        shutil.copytree(self.folder, folder)
        fuse = Fuse()
        ledger = Ledger(FusedDatabase(f"sqlite:///{folder / 'ledger.db'}", fuse))
        return replace(self, sandbox=deepcopy(self.sandbox), ledger=ledger, folder=folder, fuse=fuse)

    @property
    def clock(self) -> LabClock:
        return LabClock(self.sandbox)

    def wire(self, name: str, quota: Quota | None = None) -> Wire:
        return Wire(
            adapter=FusedGateAdapter(self.sandbox, name, self.fuse, takes_s=self.call_takes_s),
            sleep=self.clock.sleep,
            wall=lambda: self.clock.now().timestamp(),
            quota=quota,
        )

    def configure(self, **changes: Any) -> None:
        """Change settings of the job, as its file would."""
        digest = f"changed-{next(self.numbers)}"
        self.job = self.job.model_copy(update={"job": self.job.job.model_copy(update=changes), "digest": digest})

    def configure_target(self, **options: Any) -> None:
        """Change options of the job's target."""
        target = self.job.job.target
        self.configure(target=target.model_copy(update={"options": {**target.options, **options}}))

    def new_run(self, kind: RunKind = RunKind.MANUAL, *, run_id: str | None = None, job: BoundJob | None = None) -> Run:
        run_id = run_id or f"lab-{next(self.numbers)}"
        return self._run(job or self.job, run_id, kind, SendGuard())

    def _run(self, bound: BoundJob, run_id: str, kind: RunKind, guard: SendGuard) -> Run:
        partners = {id(self.job): self.back, id(self.back): self.job}
        other = partners.get(id(bound))
        run = Run(
            run_id=run_id,
            kind=kind,
            bound=bound,
            source_spec=registry.object_spec(bound.source),
            target_spec=registry.object_spec(bound.target),
            ledger=self.ledger,
            staging=Staging((self.folder / "staging").as_uri()),
            open_source=lambda: registry.source_of(
                bound.source,
                lambda: self._client(bound.source.system, self.quota),
                bound.source_options,
                run.mapping.source_fields,
            ),
            open_target=lambda: registry.target_of(
                bound.target,
                lambda: self._client(bound.target.system, GuardedQuota(self.quota, guard)),
                bound.target_options,
                run.attributes,
            ),
            clock=self.clock,
            guard=guard,
            partner=None if other is None else lambda: self._run(other, run_id, kind, guard),
            source_is_written=registry.is_writable(bound.source),
        )
        return run

    def course(
        self,
        kind: RunKind = RunKind.MANUAL,
        *,
        asked: Asked | None = None,
        run_id: str | None = None,
        job: BoundJob | None = None,
    ) -> Course:
        """A run that can be driven step by step."""
        return Course(self, run_id or f"lab-{next(self.numbers)}", kind, asked or Asked(), job=job)

    def sync(self, kind: RunKind = RunKind.MANUAL, *, asked: Asked | None = None, job: BoundJob | None = None) -> Done:
        """One whole run."""
        return self.course(kind, asked=asked, job=job).go_on()

    def sync_back(self, kind: RunKind = RunKind.MANUAL, *, asked: Asked | None = None) -> Done:
        """One whole run of the job of the other direction."""
        assert self.back is not None
        return self.sync(kind, asked=asked, job=self.back)

    def take_back(self, done: Done) -> RunStatistics:
        """Undo a run of the first job: plan it, apply the plan."""
        plan_id, _ = plan_undo(self.new_run(RunKind.DRY), done.run.run_id)
        plan = self.ledger.plan(plan_id)
        assert plan is not None
        return apply_plan(self.new_run(RunKind.APPLY), plan).statistics

    def backfill(self, start: datetime, end: datetime) -> list[Done]:
        """One run a day, as Airflow's backfill makes them."""
        days = Window(start, end).split(timedelta(days=1))
        return [self.sync(RunKind.BACKFILL, asked=Asked(interval=day)) for day in days]

    def wait(self, **duration: float) -> None:
        self.sandbox.clock.advance(timedelta(**duration))

    def touchpoints(self) -> list[dict[str, Any]]:
        """What Totango holds that is not deleted, hidden fields included."""
        return [item for item in self.sandbox.service("totango").state()["touchpoints"] if not item.get("deleted")]

    def written(self) -> list[Any]:
        """Writing calls Totango received so far."""
        return [entry for entry in self.sandbox.log.entries if entry.service == "totango" and entry.write]

    def post_to_totango(self, path: str, body: Mapping[str, Any]) -> Any:
        """A call that another program sends with the same token."""
        headers = {"app-token": self._token("totango"), "content-type": "application/json"}
        reply = call(self.sandbox.gates["totango"], Request("POST", path, (), headers, orjson.dumps(body)))
        assert reply.status == 200, reply.body
        return orjson.loads(reply.body)

    def fault(self, kind: str, **conditions: Any) -> None:
        """A scripted fault from now on."""
        self.sandbox.faults.add(FaultRule.parse({"kind": kind, **conditions}))

    def act(self, service: str, action: str, **arguments: Any) -> Any:
        return self.sandbox.service(service).act(action, arguments)

    def _client(self, system: str, quota: Quota) -> Any:
        return _CLIENTS[system](self, self.wire(system, quota))

    def _token(self, name: str) -> str:
        return str(self.sandbox.service(name).token)


def _chorus(lab: Lab, wire: Wire) -> ChorusClient:
    return ChorusClient(lab._token("chorus"), base_url="http://chorus.test", wire=wire)


def _totango(lab: Lab, wire: Wire) -> TotangoClient:
    return TotangoClient(lab._token("totango"), base_url="http://totango.test", wire=wire)


def _salesforce(lab: Lab, wire: Wire) -> SalesforceClient:
    login = lab.sandbox.service("salesforce").login
    credentials = Credentials(
        domain=login["domain"], consumer_key=login["client_id"], consumer_secret=login["client_secret"]
    )
    return SalesforceClient(credentials, endpoint_override="http://salesforce.test", wire=wire, jitter=lambda: 0.5)


_CLIENTS: Mapping[str, Callable[[Lab, Wire], Any]] = {
    "chorus": _chorus,
    "salesforce": _salesforce,
    "totango": _totango,
}
Maker = Callable[..., Lab]
