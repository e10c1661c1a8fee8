"""What every step of a run is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import xxhash

from cshub.core.jobs import BoundJob, OnNull
from cshub.core.mapping import CompiledMapping, compile_mapping
from cshub.core.objects import ObjectSpec, Role
from cshub.core.planning import PlanRules
from cshub.core.ports import Source, Target
from cshub.core.records import RunKind
from cshub.core.values import FINGERPRINT_VERSION
from cshub.core.window import Window, WindowFacts, WindowRules
from cshub.ledger import Ledger
from cshub.pipeline.guard import SendGuard
from cshub.staging import Staging

LOADING = "load"  # the step whose progress is also kept in the ledger
CHUNK = 10_000  # records a frame holds at a time


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))


OnProgress = Callable[[Mapping[str, Any]], None]


def no_progress(_: Mapping[str, Any]) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Run:
    """One run of one job: its settings, its stores and its two systems.

    ``source`` and ``target`` are opened on first use, so that a step which needs only one never signs in to the other.
    ``shown`` is the progress told last.
    """

    run_id: str
    kind: RunKind
    bound: BoundJob
    source_spec: ObjectSpec
    target_spec: ObjectSpec
    ledger: Ledger
    staging: Staging
    open_source: Callable[[], Source]
    open_target: Callable[[], Target]
    clock: Clock = field(default_factory=SystemClock)
    on_progress: OnProgress = no_progress
    guard: SendGuard = field(default_factory=SendGuard)
    shown: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def source(self) -> Source:
        return self.open_source()

    @cached_property
    def target(self) -> Target:
        return self.open_target()

    @cached_property
    def mapping(self) -> CompiledMapping:
        rows = "\n".join(row.model_dump_json() for row in self.bound.fields)
        version = f"{FINGERPRINT_VERSION}:{xxhash.xxh3_64_hexdigest(rows.encode())}"
        return compile_mapping(self.bound, self.target_spec, version=version)

    @cached_property
    def pair_id(self) -> int:
        """The pair of this job, bound to what both connections are signed in to.

        Raises :class:`~cshub.core.errors.IdentityChanged` when a connection points elsewhere than before.
        """
        template = self.bound.template
        return self.ledger.bind_pair(
            self.bound.pair_name,
            source=(template.source.system, template.source.object, self.source.identity()),
            target=(template.target.system, template.target.object, self.target.identity()),
            now=self.clock.now(),
        )

    def show(self, progress: Mapping[str, Any]) -> None:
        """Tell whoever watches how far the run is."""
        self.shown.clear()
        self.shown.update(progress)
        self.on_progress(progress)

    def note(self, text: str) -> None:
        """Tell beside the progress what the run waits for; the next progress ends the note."""
        progress = {**self.shown, "note": text}
        if self.shown.get("step") == LOADING:
            self.ledger.progress(self.run_id, progress, self.clock.now())
        self.on_progress(progress)

    @property
    def window_rules(self) -> WindowRules:
        window = self.bound.window
        return WindowRules(timedelta(days=window.first_run_days), timedelta(hours=window.overlap_hours))

    def plan_rules(self) -> PlanRules:
        compared = {
            name: spec
            for name, spec in self.mapping.attributes.items()
            if spec.role not in {Role.RECORD_KEY, Role.ACCOUNT_KEY}
        }
        return PlanRules(
            kinds={name: spec.kind for name, spec in compared.items()},
            updateable=frozenset(name for name, spec in compared.items() if spec.updateable),
            clearing=frozenset(row.target.name for row in self.mapping.rows if row.on_null is OnNull.CLEAR),
            content=self.mapping.attribute_with(Role.CONTENT),
            allow_new=self.bound.job.allow_new_records,
            target_edit=self.bound.job.on_target_edit,
            now=self.clock.now(),
        )

    def api_calls(self) -> dict[str, int]:
        """Calls this process sent so far, by system. A system that was never opened is left out."""
        calls: dict[str, int] = {}
        for name, system in (
            ("source", self.bound.template.source.system),
            ("target", self.bound.template.target.system),
        ):
            if name in self.__dict__:
                calls[system] = calls.get(system, 0) + self.__dict__[name].calls
        return calls


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person or the scheduler asked of a run."""

    interval: Window | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    full_sync: bool = False


def window_facts(run: Run, asked: Asked) -> WindowFacts:
    now = run.clock.now()
    return WindowFacts(
        kind=run.kind,
        now=now,
        interval=asked.interval,
        asked_start=asked.window_start,
        asked_end=asked.window_end,
        watermark=run.ledger.watermark(run.bound.id),
        full_from=now - timedelta(days=run.bound.window.full_sync_days) if asked.full_sync else None,
    )
