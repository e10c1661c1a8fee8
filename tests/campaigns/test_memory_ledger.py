"""The ledger in memory answers as the one on SQL does, whatever it is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from cshub.core.errors import HubError, LinkMoved
from cshub.core.linking import new_link
from cshub.core.records import (
    DecisionEntry,
    Intent,
    Link,
    LinkState,
    Operation,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
    RunOutcome,
)
from cshub.core.stats import RunStatistics
from cshub.core.window import Window
from cshub.ledger import Closing, Fence, IntentRequest, Ledger
from tests.campaigns.simulation.memory_ledger import MemoryLedger

BEGIN = datetime(2026, 11, 20, 9, tzinfo=UTC)
WINDOW = Window(BEGIN - timedelta(days=1), BEGIN)
SIDES = (("crm", "event", "org"), ("desk", "note", "tenant"))
KEYS = ("a", "b", "c")
STATES = (LinkState.IN_STEP, LinkState.PARKED, LinkState.FAILED, LinkState.DELETED)
SEEDS = range(25)
STEPS = 60


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    Ledger.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def stored(empty: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copy(empty, tmp_path / "ledger.db")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield ledger


class Asking:
    """Asks both ledgers the same, and compares the answers."""

    def __init__(self, seed: int, stored: Ledger) -> None:
        self.random = Random(seed)
        self.ledgers = (stored, cast("Ledger", MemoryLedger()))
        self.now = BEGIN
        self.fences: list[Fence] = []
        self.intents: list[tuple[Intent, Intent]] = []  # the same write in both, which number it each for itself
        self.pairs = [Pair(1), Pair(1, mirrored=True)]
        self.bound()

    def bound(self) -> None:
        left, right = SIDES
        self.both("bind_pair", "p", source=left, target=right, now=BEGIN)
        self.both("bind_pair", "p", source=right, target=left, now=BEGIN)
        for number, pair in enumerate(self.pairs):
            facts = {"pair": pair, "kind": RunKind.MANUAL, "window": WINDOW, "job_digest": "", "now": BEGIN}
            self.both("open_run", f"run-{number}", job_id=f"job-{number}", **facts)

    def both(self, method: str, *args: Any, **more: Any) -> Any:
        """The one answer of both, or None when both refuse for the same kind of reason."""
        return self.each(lambda ledger: getattr(ledger, method)(*args, **more))[0]

    def each(self, ask: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The answers of both, which must be alike."""
        answers = [self._answer(ask, ledger) for ledger in self.ledgers]
        one, other = ([self._told(item) for item in _listed(answer)] for answer in answers)
        assert one == other
        return (None, None) if isinstance(answers[0], HubError) else (answers[0], answers[1])

    def step(self) -> None:
        self.now += timedelta(seconds=self.random.randrange(1, 100))
        self.random.choice((self.lock, self.release, self.begin, self.begin, self.settle, self.settle, self.record))()
        self.look()

    def lock(self) -> None:
        facts = {"run_id": f"run-{self.random.randrange(2)}", "now": self.now, "ttl": timedelta(seconds=60)}
        fence = self.both("acquire_lock", "l", holder="h", **facts)
        self.fences += [fence] if fence else []

    def release(self) -> None:
        self.both("release", self.fence())

    def fence(self) -> Fence:
        """Mostly the newest."""
        old = self.random.random() < 0.1
        return self.random.choice(self.fences) if old and self.fences else (self.fences or [Fence("l", 99)])[-1]

    def begin(self) -> None:
        fence, run_id = self.fence(), f"run-{self.random.randrange(2)}"
        requests = [self.request() for _ in range(self.random.randint(1, 2))]
        one, other = self.each(lambda ledger: ledger.begin_many(fence, requests, run_id=run_id, now=self.now))
        self.intents += [pair for pair in zip(one or [], other or [], strict=True) if isinstance(pair[0], Intent)]

    def request(self) -> IntentRequest:
        pair, key = self.random.choice(self.pairs), self.random.choice(KEYS)
        link = self.ledgers[0].links(pair, [key]).get(key)
        operation = self.random.choice(list(Operation))
        if operation is Operation.CREATE:
            return IntentRequest(pair, key, operation, None, "hash", {"find": {}}, None)
        version = self.random.choice((1, 2)) if link is None or self.random.random() < 0.2 else link.version
        return IntentRequest(pair, key, operation, link.target_key if link else None, "hash", {}, version)

    def settle(self) -> None:
        if not self.intents:
            return
        both, fence = self.random.choice(self.intents), self.fence()
        intent, happened = both[0], self.random.random() < 0.7
        link = self.link(intent.pair, intent.source_key) if happened or self.random.random() < 0.5 else _nothing
        entry = DecisionEntry(intent.source_key, Outcome.CREATED, self.random.choice(("new", "other")), target_key="x")
        reject = None if happened else RejectEntry(intent.source_key, "load", "(record)", "no")

        def settle(ledger: Ledger) -> list[Link]:
            number = both[self.ledgers.index(ledger)].id
            closing = Closing(number, happened, link(ledger), entry, reject, "no")
            return ledger.settle_many(fence, [closing], now=self.now)

        self.each(settle)

    def record(self) -> None:
        fence, number = self.fence(), self.random.randrange(2)
        pair, keys = self.pairs[number], self.random.sample(KEYS, self.random.randint(1, 2))
        links = [self.link(pair, key) for key in keys]
        others = [key for link in links if (key := link(self.ledgers[0]).target.key) is not None]
        if len(set(others)) < len(others):
            return
        entries = [DecisionEntry(key, Outcome.PARKED, "rule") for key in keys]
        rejects = [RejectEntry(key, "map", "field", "bad") for key in keys if self.random.random() < 0.3]
        self.each(
            lambda ledger: ledger.record(
                fence,
                f"run-{number}",
                links=[link(ledger) for link in links],
                decisions=entries,
                rejects=rejects,
                now=self.now,
            )
        )

    def link(self, pair: Pair, key: str) -> Callable[[Ledger], Link]:
        """The stored link of a record, or a new one, changed; sometimes as it was before."""
        outdated, other = self.random.random() < 0.15, self.random.choice(("same", "same", *KEYS, None))
        marks = {"title": f"{self.random.randrange(9):016x}"}
        state = self.random.choice(STATES)
        dated_at = self.random.choice((None, self.now - timedelta(hours=2)))
        now = self.now

        def changed(ledger: Ledger) -> Link:
            link = ledger.links(pair, [key]).get(key) or new_link(pair, key, now)
            return replace(link, version=max(0, link.version - outdated)).having(
                source={"state": state, "mapped": marks, "mapping_version": "x:1"},
                target={"key": link.target.key if other == "same" else other, "account_id": "acme", "marks": marks},
                dated_at=dated_at,
            )

        return changed

    def look(self) -> None:
        """Everything that can be read."""
        for pair in self.pairs:
            self.both("links", pair, KEYS)
            self.both("links_by_target", pair, KEYS)
            self.both("links_in_state", pair, STATES[1:], seen_since=BEGIN + timedelta(minutes=5))
            self.both("links_in_state", pair, STATES[1:], linked=True)
            self.both("count_links", pair)
            self.both("linked", pair)
            self.both("last_decisions", pair, KEYS)
            self.both("links_dated", pair, WINDOW)
            self.both("open_intents", pair)
        for number in range(2):
            self.both("outcomes", f"run-{number}")
            self.both("decisions_of_run", f"run-{number}")
            self.both("has_remade", [f"run-{number}"])
            self.both("run_before", f"job-{number}", self.now - timedelta(minutes=2), kinds=list(RunKind))
        memory = cast("MemoryLedger", self.ledgers[1])
        for number, pair in enumerate(self.pairs):
            open_now = {row.source_key for row in self.ledgers[0].rejects(f"job-{number}") if row.pair == pair}
            assert open_now <= memory.open_rejects(pair)

    def _answer(self, ask: Callable[[Any], Any], ledger: Ledger) -> Any:
        try:
            answer = ask(ledger)
            return list(answer) if isinstance(answer, Iterator) else answer
        except HubError as error:
            return error

    def _told(self, item: Any) -> Any:
        """An answer without what each ledger counts for itself."""
        if isinstance(item, HubError):
            return LinkMoved if isinstance(item, LinkMoved) else type(item)
        if isinstance(item, Link):
            return replace(item, number=0)
        return replace(item, id=0) if hasattr(item, "id") else item


def _nothing(_: Ledger) -> None:
    """No link is recorded."""


def _listed(answer: Any) -> list[Any]:
    if isinstance(answer, dict):
        return [part for pair in sorted(answer.items()) for part in pair]
    return answer if isinstance(answer, list) else [answer]


@pytest.mark.parametrize("seed", SEEDS)
def test_both_ledgers_answer_alike(stored: Ledger, seed: int) -> None:
    asking = Asking(seed, stored)
    for _ in range(STEPS):
        asking.step()


def test_runs_and_watermarks_are_told_alike(stored: Ledger) -> None:
    asking = Asking(0, stored)
    later, numbers = BEGIN + timedelta(minutes=5), RunStatistics(read=1, mapped=1, created=1)
    asking.both("set_watermark", "job-0", BEGIN, "run-0", later)
    asking.both("set_watermark", "job-0", BEGIN - timedelta(days=1), "run-0", later)
    assert asking.both("watermark", "job-0") == BEGIN
    assert asking.both("watermark", "job-1") is None
    asking.both("progress", "run-0", {"step": "load"}, later)
    asking.both("close_run", "run-0", RunOutcome.GREEN, numbers, now=later)
    assert asking.both("run", "run-0").statistics == numbers
    assert asking.both("run_before", "job-0", BEGIN, kinds=[RunKind.MANUAL]).run_id == "run-0"
    for job_id, moment, kind in (
        ("job-0", BEGIN - timedelta(seconds=1), RunKind.MANUAL),
        ("job-0", BEGIN, RunKind.SCHEDULED),
        ("job-1", BEGIN, RunKind.MANUAL),
    ):
        assert asking.both("run_before", job_id, moment, kinds=[kind]) is None
    asking.both("close_run", "run-0", RunOutcome.RED, numbers, error="broken off", now=later)
    assert asking.both("run_before", "job-0", BEGIN, kinds=[RunKind.MANUAL]) is None
    asking.both("close_run", "run-0", RunOutcome.GREEN, numbers, now=later)
    assert asking.both("run", "unknown") is None
    assert len(asking.both("runs", "job-0")) == 1
    assert [row.run_id for row in asking.both("runs_since", ["job-0", "job-1"], BEGIN)] == ["run-0"]
    assert len(asking.both("runs_since", ["job-0", "job-1"], BEGIN - timedelta(seconds=1))) == 2


def test_intents_and_links_are_met_often_enough(stored: Ledger) -> None:
    asking = Asking(1, stored)
    for _ in range(STEPS * 3):
        asking.step()
    assert asking.intents and any(asking.ledgers[0].count_links(pair) for pair in asking.pairs)
    assert asking.ledgers[0].decisions_of_run("run-0") or asking.ledgers[0].decisions_of_run("run-1")
