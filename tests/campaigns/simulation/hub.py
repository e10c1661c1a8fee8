"""The hub over invented services: two jobs of one pair, and runs of them that can be broken off and gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, cast

from cshub.core.jobfile import bind, parse_job, parse_template
from cshub.core.jobs import BoundJob
from cshub.core.mapping import CompiledMapping, MappedRecord, Seen, compile_mapping, map_record
from cshub.core.objects import FieldSpec, Kind, Role, spec_of
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Link, LinkState, Origin, Pair, RejectEntry, RunKind, SourceRecord
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Ledger
from cshub.pipeline.diff import plan_settled
from cshub.pipeline.extract import Opened, Received, is_beside_lost, open_run, receive
from cshub.pipeline.guard import SendGuard
from cshub.pipeline.load import Loaded, LoadFacts, carry_out
from cshub.pipeline.rebuild import rebuild
from cshub.pipeline.run import Asked, Run
from cshub.staging import Staging
from tests.campaigns.simulation.memory_ledger import MemoryLedger
from tests.campaigns.simulation.ports import Port, TargetPort
from tests.campaigns.simulation.replacing import replace as fast_replace
from tests.campaigns.simulation.services import (
    BEGIN,
    CRM,
    DESK,
    OTHER,
    SYSTEMS,
    Done,
    Faults,
    Service,
    SimClock,
)
from tests.pipeline.crashes import Fuse

EVENT = spec_of(
    CRM,
    "sim_event",
    "Event",
    [
        FieldSpec("id", Kind.ID, "Id", role=Role.RECORD_KEY),
        FieldSpec("account", Kind.ID, "Account", role=Role.ACCOUNT_KEY, updateable=False),
        FieldSpec("subject", Kind.TEXT, "Subject", role=Role.TITLE),
        FieldSpec("description", Kind.TEXT, "Description"),
        FieldSpec("status", Kind.TEXT, "Status"),
        FieldSpec("start", Kind.DATETIME, "Start"),
    ],
)
NOTE = spec_of(
    DESK,
    "sim_note",
    "Note",
    [
        FieldSpec("note_id", Kind.ID, "Note id", role=Role.RECORD_KEY),
        FieldSpec("account_id", Kind.ID, "Account id", role=Role.ACCOUNT_KEY, updateable=False),
        FieldSpec("title", Kind.TEXT, "Title", role=Role.TITLE),
        FieldSpec("body", Kind.TEXT, "Body", role=Role.CONTENT),
        FieldSpec("status", Kind.TEXT, "Status"),
        FieldSpec("when", Kind.DATETIME, "When", role=Role.DATE),
    ],
)
SPECS = {CRM: EVENT, DESK: NOTE}
CHANNELS = (("subject", "title"), ("description", "body"), ("status", "status"), ("start", "when"))
"""Field of the one service and of the other that hold the same."""


_MAPPED: dict[tuple[object, ...], MappedRecord] = {}
MOST_REMEMBERED = 10_000
_ALIKE: dict[tuple[str, bool], dict[str, Any]] = {}
"""What all runs of a job have in common: worked out once for all histories."""


@lru_cache
def job_from(source: str, *, two_way: bool) -> BoundJob:
    """The job that reads ``source``."""
    target = OTHER[source]
    keys = [("account", "account_id"), ("id", "note_id")]
    rows = [f"{{source: {_end(pair, source)}, target: {_end(pair, target)}, key: true}}" for pair in keys]
    rows += [f"{{source: {_end(pair, source)}, target: {_end(pair, target)}}}" for pair in CHANNELS]
    template = (
        f"version: 1\ntype: {source}_to_{target}\ntitle: One way\n"
        f"source: {{system: {source}, object: {SPECS[source].name}}}\n"
        f"target: {{system: {target}, object: {SPECS[target].name}}}\nfields:\n" + "".join(f"  - {x}\n" for x in rows)
    )
    job = (
        f"version: 1\nid: {source}_job\ntype: {source}_to_{target}\nname: One way\nallow_new_records: true\n"
        f"source: {{connection: one_side}}\ntarget: {{connection: other_side}}\npair: both\n"
        f"on_target_edit: {'newest' if two_way else 'overwrite'}\n"
        f"window: {{first_run_days: 30, overlap_hours: {1 if source == CRM else 720}}}\n"
    )
    return bind(parse_job(job, "job.yaml")[0], parse_template(template, "mapping.yaml")[0])


@lru_cache
def mapping_from(source: str, *, two_way: bool) -> CompiledMapping:
    target = OTHER[source]
    bound = job_from(source, two_way=two_way)
    return compile_mapping(bound, SPECS[source], SPECS[target], version="x:1", marks_source=two_way)


@dataclass
class Hub:
    """Everything of one history: the time, what misbehaves, both services and the ledger."""

    random: Random
    two_way: bool = True
    keeps_external_ids: bool = True
    clock: SimClock = field(default_factory=SimClock)
    fuse: Fuse = field(default_factory=Fuse)
    book: list[Done] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.faults = Faults(self.random)
        self.ledger = MemoryLedger(self.fuse)
        self.services = {
            system: Service(
                system,
                self.clock,
                self.book,
                self.faults,
                self.fuse,
                keeps_external_ids=self.keeps_external_ids,
            )
            for system in SYSTEMS
        }

    def course(self, source: str, kind: RunKind = RunKind.MANUAL, asked: Asked | None = None) -> Course:
        self.runs += 1
        return Course(self, source, kind, asked or Asked(), f"run-{self.runs}")

    def rebuild(self) -> None:
        """Link again what has no link; see :func:`cshub.pipeline.rebuild.rebuild`. Raises what it raises."""
        self.runs += 1
        rebuild(self.run(CRM, RunKind.REBUILD, f"{CRM}_job:run-{self.runs}"), add=True)

    def held(self) -> list[Link]:
        """What the last rebuild could not decide."""
        links = (self.ledger.links_in_state(Pair(1, mirrored), [LinkState.HELD]) for mirrored in (False, True))
        return [link for some in links for link in some]

    def run(self, source: str, kind: RunKind, run_id: str, guard: SendGuard | None = None) -> Run:
        """A fresh process. What runs of a job work out alike is not worked out again."""
        guard = guard or SendGuard()
        target = OTHER[source]
        alike = _ALIKE.get((source, self.two_way))
        if alike is None:
            _ALIKE[source, self.two_way] = alike = self._first_run(source).__dict__
        run = object.__new__(Run)
        run.__dict__.update(
            alike,
            run_id=run_id,
            kind=kind,
            ledger=self.ledger,
            open_source=lambda: Port(self.services[source], self.services, guard, run_id),
            open_target=lambda: TargetPort(self.services[target], self.services, guard, run_id),
            clock=self.clock,
            guard=guard,
            shown={},
            partner=(lambda: self.run(target, kind, run_id, guard)) if self.two_way else None,
        )
        return run

    def _first_run(self, source: str) -> Run:
        """With all that does not depend on a history worked out."""
        first, other = self._made(source), self._made(OTHER[source])
        first.__dict__["other_direction"] = other if self.two_way else None
        for name in ("noted", "kinds", "_rules"):
            getattr(first, name)
        del first.__dict__["other_direction"]
        return first

    def _made(self, source: str) -> Run:
        target = OTHER[source]
        run = Run(
            run_id="",
            kind=RunKind.MANUAL,
            bound=job_from(source, two_way=self.two_way),
            source_spec=SPECS[source],
            target_spec=SPECS[target],
            ledger=cast("Ledger", self.ledger),
            staging=Staging("memory://never"),
            open_source=lambda: Port(self.services[source], self.services, SendGuard(), ""),
            open_target=lambda: TargetPort(self.services[target], self.services, SendGuard(), ""),
            partner=(lambda: self._made(target)) if self.two_way else None,
            source_is_written=self.two_way,
        )
        run.__dict__["mapping"] = mapping_from(source, two_way=self.two_way)
        run.__dict__["pair"] = Pair(1, source != CRM)
        return run


@dataclass
class Course:
    """One run of one job. What a finished step returned is kept, as Airflow does; a step may be repeated."""

    hub: Hub
    source: str
    kind: RunKind
    asked: Asked
    run_id: str
    opened: Opened | None = None
    received: list[Received] | None = None
    beside_lost: bool = False
    rows: list[PlanRow] | None = None
    planned_at: datetime | None = None
    loaded: Loaded | None = None
    disturbed: bool = False  # it was broken off, or another process goes through the same run

    def twin(self) -> Course:
        """The same run once more, as a second process carries it out."""
        return replace(self)

    def go_on(self) -> Loaded:
        """All that is still to do. Raises what the step raises."""
        self.plan()
        return self.load()

    def plan(self) -> list[PlanRow]:
        """Reading, mapping and diff, in one process."""
        run = self._run()
        if self.received is None:
            only_waiting = self.kind is RunKind.RETRY
            opened = open_run(run, self.asked, only_waiting=only_waiting)
            beside_lost = is_beside_lost(run)
            self.received = list(receive(run, self.asked, opened.window, only_waiting=only_waiting))
            self.beside_lost = is_beside_lost(run) or beside_lost
            self.opened = opened
        if self.rows is None:
            planned_at = self.hub.clock.now()
            self.rows = plan_settled(run, mapped_now(run, self.received)[0], beside_lost=self.beside_lost)
            self.planned_at = planned_at
        return self.rows

    def load(self) -> Loaded:
        assert self.rows is not None and self.opened is not None and self.planned_at is not None
        facts = LoadFacts(
            mapped=RunStatistics(read=len(self.rows), mapped=len(self.rows)),
            planned_at=self.planned_at,
            window=self.opened.window,
            first_run=self.opened.first_run,
            is_whole=self.opened.is_whole,
        )
        self.loaded = carry_out(self._run(), self.rows, [], facts)
        return self.loaded

    def _run(self) -> Run:
        return self.hub.run(self.source, self.kind, self.run_id)


def mapped_now(run: Run, received: Sequence[Received]) -> tuple[list[MappedRecord], list[RejectEntry]]:
    """What :func:`cshub.pipeline.map.map_now` gives, without a frame; nothing is rejected here."""
    mapped: list[MappedRecord] = []
    for record, origin in received:
        if record.body is None:
            mapped.append(MappedRecord(Seen.of(record, origin), {}, None, Rule.SOURCE_NOT_READABLE.value))
            continue
        mapped.append(_mapped(run, record, origin))
    return mapped, []


def _mapped(run: Run, record: SourceRecord, origin: Origin) -> MappedRecord:
    """A record is read by many runs and seldom changed in between: what is made of it is remembered."""
    known = (run.bound.source.system, run.two_way, record.key, record.account_id, *(record.body or {}).values())
    result = _MAPPED.get(known)
    if result is not None:
        return fast_replace(result, seen=Seen.of(record, origin))
    made = map_record(record, origin, run.mapping)
    assert isinstance(made, MappedRecord), made
    if len(_MAPPED) == MOST_REMEMBERED:
        _MAPPED.clear()
    _MAPPED[known] = made
    return made


def recently(hub: Hub, hours: float) -> Window:
    """A window that ends now, for a backfill."""
    return Window(hub.clock.now() - timedelta(hours=hours), hub.clock.now())


def fields_of(system: str) -> list[str]:
    return [_end(pair, system) for pair in CHANNELS]


def _end(pair: tuple[str, str], system: str) -> str:
    return pair[0] if system == CRM else pair[1]


__all__ = ["BEGIN", "CHANNELS", "Course", "Hub", "fields_of", "job_from", "mapped_now", "mapping_from", "recently"]
