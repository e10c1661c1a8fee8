"""A ledger in memory that answers as the one on SQL does; see ``test_memory_ledger`` for the comparison."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from cshub.core.errors import FencedOut, LinkMoved, LockHeld, StateError
from cshub.core.planning import Rule
from cshub.core.records import (
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
    RunOutcome,
)
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Closing, DecisionRow, Fence, IntentRequest, RunRow
from tests.campaigns.simulation.memory_links import LEFT, MemoryLinks, SideKey, seen_from
from tests.campaigns.simulation.replacing import replace
from tests.pipeline.crashes import BEFORE_COMMIT, Crash, Fuse

_ENDED = frozenset({LinkState.DELETED, LinkState.GONE})
_THROUGH = frozenset({RunOutcome.GREEN, RunOutcome.RED})
_REFUSED = frozenset({LinkState.REJECTED, LinkState.FAILED})
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Lock:
    token: int
    run_id: str | None
    expires_at: datetime
    ttl: timedelta


@dataclass(slots=True)
class State:
    """Everything that is stored. Nothing is changed in place but for what :func:`transaction` has copied first."""

    runs: dict[str, RunRow] = field(default_factory=dict)
    watermarks: dict[str, datetime] = field(default_factory=dict)
    links: MemoryLinks = field(default_factory=MemoryLinks)
    intents: dict[int, Intent] = field(default_factory=dict)
    decisions: dict[str, tuple[DecisionRow, ...]] = field(default_factory=dict)
    rejects: dict[SideKey, tuple[RejectEntry, ...]] = field(default_factory=dict)
    locks: dict[str, _Lock] = field(default_factory=dict)
    last: int = 0

    def snapshot(self) -> State:
        """What is stored now, whatever transactions follow."""
        return State(
            self.runs,
            self.watermarks,
            self.links,
            self.intents,
            self.decisions,
            self.rejects,
            self.locks,
            self.last,
        )


Method = Callable[Concatenate["MemoryLedger", P], T]


def transaction(*parts: str) -> Callable[[Method[P, T]], Method[P, T]]:
    """All or nothing, between two boundaries at which the process may die. ``parts``: of the state, that it changes."""

    def decorated(method: Method[P, T]) -> Method[P, T]:
        def committed(self: MemoryLedger, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if self.fuse.dead:
                raise Crash("dead before a transaction")
            state, last = self.state, self.state.last
            before = [getattr(state, part) for part in parts]
            for part, value in zip(parts, before, strict=True):
                setattr(state, part, value.copy())
            try:
                answer = method(self, *args, **kwargs)
                self.fuse.step(BEFORE_COMMIT)
            except BaseException:
                state.last = last
                for part, value in zip(parts, before, strict=True):
                    setattr(state, part, value)
                raise
            self.fuse.step("after commit")
            return answer

        return committed

    return decorated


class MemoryLedger:
    """One pair, and what :class:`cshub.ledger.Ledger` offers to the steps of a run. ``fuse``: where the hub may die."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.fuse = fuse or Fuse()
        self.state = State()
        self._left: tuple[str, str, str] | None = None

    def bind_pair(
        self, name: str, *, source: tuple[str, str, str], target: tuple[str, str, str], now: datetime
    ) -> Pair:
        self._alive()
        self._left = self._left or source
        return Pair(1, self._left != source)

    def remember_users(self, pair: Pair, *, source: str, target: str) -> tuple[str, str]:
        self._alive()
        return "", ""

    @transaction("runs")
    def open_run(
        self,
        run_id: str,
        *,
        job_id: str,
        pair: Pair | None,
        kind: RunKind,
        window: Window | None,
        job_digest: str,
        now: datetime,
    ) -> RunRow:
        old = self.state.runs.get(run_id)
        if old is None:
            row = RunRow(
                run_id, job_id, pair, kind, window, job_digest, 1, RunOutcome.RUNNING, now, now, None, {}, None, None
            )
        else:
            row = replace(
                old,
                attempt=old.attempt + 1,
                outcome=RunOutcome.RUNNING,
                updated_at=now,
                closed_at=None,
                error=None,
                job_digest=job_digest,
            )
        self.state.runs[run_id] = row
        return row

    @transaction("runs")
    def progress(self, run_id: str, progress: Mapping[str, Any], now: datetime) -> None:
        self.state.runs[run_id] = replace(self._run(run_id), progress=dict(progress), updated_at=now)

    @transaction("runs")
    def close_run(
        self, run_id: str, outcome: RunOutcome, statistics: RunStatistics, *, error: str | None = None, now: datetime
    ) -> None:
        self.state.runs[run_id] = replace(
            self._run(run_id), outcome=outcome, statistics=statistics, error=error, closed_at=now, updated_at=now
        )

    def run(self, run_id: str) -> RunRow | None:
        self._alive()
        return self.state.runs.get(run_id)

    def runs(self, job_id: str | None = None, *, limit: int = 20) -> list[RunRow]:
        self._alive()
        found = [row for row in reversed(self.state.runs.values()) if job_id in (None, row.job_id)]
        return found[:limit]

    def runs_since(self, job_ids: Collection[str], moment: datetime) -> list[RunRow]:
        self._alive()
        rows = reversed(self.state.runs.values())
        return [row for row in rows if row.job_id in job_ids and row.updated_at > moment]

    def run_before(self, job_id: str, moment: datetime, *, kinds: Collection[RunKind]) -> RunRow | None:
        self._alive()
        for row in reversed(self.state.runs.values()):
            is_asked = row.job_id == job_id and row.opened_at <= moment and row.kind in kinds
            if is_asked and row.closed_at is not None and row.error is None and row.outcome in _THROUGH:
                return row
        return None

    def has_remade(self, run_ids: Collection[str]) -> bool:
        self._alive()
        made = (row for run_id in run_ids for row in self.state.decisions.get(run_id, ()))
        return any(row.outcome is Outcome.CREATED and row.rule != Rule.NEW for row in made)

    def watermark(self, job_id: str) -> datetime | None:
        self._alive()
        return self.state.watermarks.get(job_id)

    @transaction("watermarks")
    def set_watermark(self, job_id: str, position: datetime, run_id: str, now: datetime) -> None:
        known = self.state.watermarks.get(job_id)
        if known is None or position > known:
            self.state.watermarks[job_id] = position

    def links(self, pair: Pair, source_keys: Sequence[str]) -> dict[str, Link]:
        self._alive()
        return {
            key: link
            for key in source_keys
            if (link := self.state.links.of_record(pair, (pair.mirrored, key))) is not None
        }

    def links_by_target(self, pair: Pair, target_keys: Sequence[str]) -> dict[str, Link]:
        self._alive()
        return {
            key: link
            for key in target_keys
            if (link := self.state.links.of_record(pair, (not pair.mirrored, key))) is not None
        }

    def links_in_state(
        self, pair: Pair, states: Collection[LinkState], *, seen_since: datetime | None = None, linked: bool = False
    ) -> list[Link]:
        self._alive()
        here = [
            link
            for link in self.state.links.seen_by(pair, states)
            if link.source.key is not None
            and (seen_since is None or (link.first_seen_at or seen_since) >= seen_since)
            and (link.is_linked or not linked)
        ]
        return sorted(here, key=lambda link: link.source_key)

    def count_links(self, pair: Pair) -> dict[LinkState, int]:
        counts: dict[LinkState, int] = {}
        for link in self._sorted(pair):
            counts[link.state] = counts.get(link.state, 0) + 1
        return counts

    def made_elsewhere(self, pair: Pair, source_keys: Sequence[str]) -> set[str]:
        self._alive()
        return set()

    def linked(self, pair: Pair) -> Iterator[Link]:
        yield from (link for link in self._sorted(pair) if link.is_linked)

    def links_dated(self, pair: Pair, window: Window) -> Iterator[Link]:
        dated = [
            (link.dated_at, link.number, link)
            for link in self._sorted(pair)
            if link.is_linked and link.dated_at is not None and window.start <= link.dated_at < window.end
        ]
        yield from (link for _, _, link in sorted(dated, key=lambda item: item[:2]) if link.state not in _ENDED)

    @transaction("locks")
    def acquire_lock(self, name: str, *, holder: str, run_id: str, now: datetime, ttl: timedelta) -> Fence:
        held = self.state.locks.get(name)
        if held is not None and held.run_id not in (None, run_id) and now < held.expires_at:
            raise LockHeld(f"{name!r} is at work in run {held.run_id!r}.")
        token = (held.token if held else 0) + 1
        self.state.locks[name] = _Lock(token, run_id, now + ttl, ttl)
        return Fence(name, token)

    @transaction("locks")
    def renew(self, fence: Fence, now: datetime, ttl: timedelta) -> None:
        self._demand(fence, now, ttl)

    @transaction("locks")
    def release(self, fence: Fence) -> None:
        held = self.state.locks.get(fence.name)
        if held is not None and held.token == fence.token:
            self.state.locks[fence.name] = replace(held, run_id=None)

    @transaction("locks", "intents")
    def begin_many(
        self, fence: Fence, requests: Sequence[IntentRequest], *, run_id: str, now: datetime
    ) -> list[Intent | LinkMoved]:
        self._demand(fence, now)
        self._run(run_id)
        return [self._begun(request, run_id, now) for request in requests]

    @transaction("locks", "links", "intents", "decisions", "rejects")
    def settle_many(self, fence: Fence, closings: Sequence[Closing], *, now: datetime) -> list[Link]:
        run_id = self._demand(fence, now)
        closed = [self._closed(item) for item in closings]
        stored = self.state.links.store([item.link for item in closings if item.link is not None], run_id)
        ends = iter(stored)
        for item, intent in zip(closings, closed, strict=True):
            link = next(ends) if item.link is not None else None
            if item.decision is not None:
                self._decided(intent.run_id, intent.pair, item.decision, now)
            if item.happened and link is not None:
                self._resolve(link)
            if not item.happened and item.reject is not None:
                self._reject(intent.pair, [item.reject])
        return stored

    def _closed(self, closing: Closing) -> Intent:
        intent = self.state.intents.pop(closing.intent_id, None)
        if intent is None:
            raise StateError(f"The write {closing.intent_id} is not open.")
        if closing.link is not None and seen_from(intent.pair, closing.link).source.key != intent.source_key:
            raise StateError(f"The write {intent.id} is about {intent.source_key!r}.")
        return intent

    def open_intents(self, pair: Pair) -> list[Intent]:
        self._alive()
        return list(self.state.intents.values())

    @transaction("locks", "links", "decisions", "rejects")
    def record(
        self,
        fence: Fence,
        run_id: str,
        *,
        links: Sequence[Link],
        decisions: Sequence[DecisionEntry],
        rejects: Sequence[RejectEntry] = (),
        now: datetime,
    ) -> None:
        self._demand(fence, now)
        pair = self._run(run_id).pair
        assert pair is not None
        for link in self.state.links.store(links, run_id):
            self._resolve(link)
        for entry in decisions:
            self._decided(run_id, pair, entry, now)
        self._reject(pair, rejects)

    def outcomes(self, run_id: str) -> dict[str, Outcome]:
        self._alive()
        pair = self._run(run_id).pair
        return {row.source_key: row.outcome for row in self.state.decisions.get(run_id, ()) if row.pair == pair}

    def decisions_of_run(self, run_id: str) -> list[DecisionRow]:
        self._alive()
        return list(self.state.decisions.get(run_id, ()))

    def last_decisions(self, pair: Pair, source_keys: Sequence[str]) -> dict[str, tuple[Outcome, str, str]]:
        self._alive()
        told = sorted((row for rows in self.state.decisions.values() for row in rows), key=lambda row: row.id)
        mine = (row for row in told if row.pair == pair and row.source_key in source_keys)
        return {row.source_key: (row.outcome, row.rule, row.reason) for row in mine}

    def open_rejects(self, pair: Pair) -> set[str]:
        """Source keys of rejected and failed rows that no later run has settled."""
        return {key for mirrored, key in self.state.rejects if mirrored == pair.mirrored}

    def _alive(self) -> None:
        if self.fuse.dead:
            raise Crash("dead before a read")

    def _run(self, run_id: str) -> RunRow:
        found = self.state.runs.get(run_id)
        if found is None:
            raise StateError(f"The ledger knows no run {run_id!r}.")
        return found

    def _sorted(self, pair: Pair) -> list[Link]:
        """Links with a source key, in its order."""
        self._alive()
        here = (link for link in self.state.links.seen_by(pair) if link.source.key is not None)
        return sorted(here, key=lambda link: link.source_key)

    def _demand(self, fence: Fence, now: datetime, ttl: timedelta | None = None) -> str:
        held = self.state.locks.get(fence.name)
        if held is None or held.token != fence.token or held.run_id is None:
            raise FencedOut(f"{fence.name!r} was taken over or released.")
        expires_at = max(held.expires_at, now + (ttl or held.ttl))
        self.state.locks[fence.name] = replace(held, expires_at=expires_at, ttl=ttl or held.ttl)
        return held.run_id

    def _begun(self, request: IntentRequest, run_id: str, now: datetime) -> Intent | LinkMoved:
        link = self.state.links.of_record(request.pair, (request.pair.mirrored, request.source_key))
        expected = request.expected_version
        if expected is None and link is not None and link.target.key is not None:
            return LinkMoved(f"{request.source_key!r} is already linked.")
        if expected is not None and (link is None or link.version != expected):
            return LinkMoved(f"The link of {request.source_key!r} was planned at version {expected}.")
        busy = {record for intent in self.state.intents.values() for record in _records(intent)}
        if busy & _records(request):
            return LinkMoved(f"A write of {request.source_key!r} is not settled.")
        self.state.last += 1
        intent = Intent(
            self.state.last,
            request.pair,
            request.source_key,
            request.operation,
            run_id,
            now,
            request.target_key,
            request.payload_hash,
            request.hint,
        )
        self.state.intents[intent.id] = intent
        return intent

    def _decided(self, run_id: str, pair: Pair, entry: DecisionEntry, now: datetime) -> None:
        self.state.last += 1
        row = DecisionRow(
            self.state.last,
            pair,
            self._run(run_id).job_id,
            run_id,
            now,
            entry.source_key,
            entry.target_key,
            entry.outcome,
            entry.rule,
            entry.reason,
            entry.changes,
            entry.answer,
        )
        self.state.decisions[run_id] = (*self.state.decisions.get(run_id, ()), row)

    def _reject(self, pair: Pair, entries: Sequence[RejectEntry]) -> None:
        for key in {entry.source_key for entry in entries}:
            told = tuple(entry for entry in entries if entry.source_key == key)
            self.state.rejects[pair.mirrored, key] = told

    def _resolve(self, link: Link) -> None:
        left = seen_from(LEFT, link)
        for mirrored, side in ((False, left.source), (True, left.target)):
            if side.key is not None and side.state not in _REFUSED:
                self.state.rejects.pop((mirrored, side.key), None)


def _records(write: Intent | IntentRequest) -> set[SideKey]:
    found = {(write.pair.mirrored, write.source_key)}
    return found if write.target_key is None else found | {(not write.pair.mirrored, write.target_key)}
