"""What every step of a run is given."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol

import xxhash

from cshub.core.jobs import BoundJob, OnNull, OnSourceDelete
from cshub.core.mapping import UNSENT, CompiledMapping, compile_mapping
from cshub.core.objects import Kind, ObjectSpec, Role
from cshub.core.planning import PlanRules
from cshub.core.ports import Source, Target
from cshub.core.records import Pair, RunKind
from cshub.core.values import FINGERPRINT_VERSION
from cshub.core.window import Window, WindowFacts, WindowRules
from cshub.ledger import Ledger
from cshub.library import objects_of
from cshub.pipeline.guard import SendGuard
from cshub.staging import Staging

log = logging.getLogger(__name__)
LOADING = "load"  # the step whose progress is also kept in the ledger
CLOCKS_APART = timedelta(minutes=15)  # between ours and a service's, with room
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
    ``partner`` makes the run of the job that keeps the pair in step in the other direction, under the same id; None
    when there is no such job. ``source_is_written``: some job can write what this one reads. ``shown`` is the progress
    told last.
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
    partner: Callable[[], Run] | None = None
    source_is_written: bool = False
    user_changes: Counter[str] = field(default_factory=Counter)

    @property
    def two_way(self) -> bool:
        return self.partner is not None

    @cached_property
    def other_direction(self) -> Run | None:
        """The run of the partner job, made once."""
        return self.partner() if self.partner else None

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
        return compile_mapping(
            self.bound, self.source_spec, self.target_spec, version=version, marks_source=self.source_is_written
        )

    @cached_property
    def pair(self) -> Pair:
        """The pair of this job, bound to what both connections are signed in to, as this job's direction sees it.

        Another user of the same org is remembered, told in the log and counted. Raises
        :class:`~cshub.core.errors.IdentityChanged` when a connection points elsewhere than before.
        """
        source, target = objects_of(self.bound)
        pair = self.ledger.bind_pair(
            self.bound.pair_name,
            source=(self.bound.source.system, source, self.source.identity()),
            target=(self.bound.target.system, target, self.target.identity()),
            now=self.clock.now(),
        )
        users = self.source.user(), self.target.user()
        replaced = self.ledger.remember_users(pair, source=users[0], target=users[1])
        for system, before, now in zip(
            (self.bound.source.system, self.bound.target.system), replaced, users, strict=True
        ):
            if before:
                self.user_changes[f"{system}_user_changed"] += 1
                log.warning("%s is signed in as another user: %s, before %s.", system, now, before)
        return pair

    @cached_property
    def noted(self) -> dict[str, Kind]:
        """Fields of the target that only the partner job reads, with their kinds."""
        other = self.other_direction
        if other is None:
            return {}
        names = [name for name in other.mapping.followed if name not in self.mapping.kinds]
        fields = self.target_spec.fields
        return {name: fields[name].kind if name in fields else Kind.ANY for name in names}

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Everything of the target that is remembered, with its kind."""
        return {**self.noted, **self.mapping.kinds}

    @property
    def attributes(self) -> list[str]:
        """What a target must show of its records: the attributes this job writes, and what its partner reads."""
        return [*(name for name, spec in self.mapping.attributes.items() if spec.role not in UNSENT), *self.noted]

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
        return WindowRules(
            first_run=timedelta(days=window.first_run_days),
            overlap=timedelta(hours=window.overlap_hours),
            ahead=timedelta(days=window.ahead_days),
        )

    def plan_rules(self) -> PlanRules:
        """The rules by which this run plans, as of now."""
        return replace(self._rules, now=self.clock.now())

    @property
    def follows_deletions(self) -> bool:
        """Whether what is deleted in the source is deleted in the target."""
        on_delete = self.bound.job.on_source_delete
        return on_delete is OnSourceDelete.DELETE or (on_delete is OnSourceDelete.DELETE_WHEN_TWO_WAY and self.two_way)

    @cached_property
    def _rules(self) -> PlanRules:
        compared = {name: spec for name, spec in self.mapping.attributes.items() if spec.role not in UNSENT}
        options = self.target_spec.options.model_validate(self.bound.target_options)
        once = options.create_only()
        policies = {row.target: row.policy for row in self.bound.fields if row.policy is not None}
        return PlanRules(
            kinds={name: spec.kind for name, spec in compared.items()},
            updateable=frozenset(name for name, spec in compared.items() if spec.updateable and name not in once),
            clearing=frozenset(row.target.name for row in self.mapping.rows if row.on_null is OnNull.CLEAR),
            content=self.mapping.attribute_with(Role.CONTENT) if self.source_spec.content_comes_late else None,
            allow_new=self.bound.job.allow_new_records,
            target_edit=self.bound.on_target_edit,
            now=self.clock.now(),
            paths=self.mapping.paths,
            noted=self.noted,
            policies=policies,
            two_way=self.two_way,
            follows_deletions=self.follows_deletions,
            source_system=self.bound.source.system,
            target_system=self.bound.target.system,
            mapping_version=self.mapping.version,
        )

    def api_calls(self) -> dict[str, int]:
        """Calls this process sent so far, by system. A system that was never opened is left out."""
        calls: Counter[str] = Counter()
        for system, port in self._opened():
            calls[system] += port.calls
        return dict(calls)

    def warnings(self) -> dict[str, int]:
        """What the sources and targets of this process left out or could not prove so far, by name."""
        found = Counter(self.user_changes)
        for _, port in self._opened():
            found.update(getattr(port, "warnings", {}))
        return dict(found)

    def _opened(self) -> Iterator[tuple[str, Source | Target]]:
        """System and port of what this process has opened, for the partner job too."""
        for name, system in (("source", self.bound.source.system), ("target", self.bound.target.system)):
            if name in self.__dict__:
                yield system, self.__dict__[name]
        other: Run | None = self.__dict__.get("other_direction")
        if other is not None:
            yield from other._opened()


def known_pair(bound: BoundJob, ledger: Ledger) -> Pair | None:
    """The pair of a job as far as the ledger has it; neither system is asked who it is."""
    source, target = objects_of(bound)
    ends = {"source": (bound.source.system, source), "target": (bound.target.system, target)}
    return ledger.find_pair(bound.pair_name, **ends)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person or the scheduler asked of a run."""

    interval: Window | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    full_sync: bool = False
    records: tuple[str, ...] = ()  # only these, by their ids in the source; made again if they were deleted


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
