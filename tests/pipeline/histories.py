"""Random histories: people, runs, faults and deaths under one seed, held against the world at the end.

A history keeps its own book of what the users of Totango did, because under ``on_target_edit: keep`` their words must
stand whatever happens. Everything else is derived from the world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from cshub.core.errors import HubError
from cshub.core.records import LinkState, Pair, RunKind
from cshub.pipeline.run import Asked, known_pair
from cshub_sandbox.world import Meeting
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Course, Lab
from tests.pipeline.oracle import (
    Expected,
    Identity,
    assert_content,
    expected_touchpoints,
    identity_of,
    made_by_hub,
)

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "drop_after_commit", "only_writes": True, "probability": 0.3, "count": 3},
    {"kind": "status_after_commit", "status": 502, "only_writes": True, "probability": 0.3, "count": 2},
    {"kind": "status", "status": 503, "probability": 0.1, "count": 4},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "3"}, "probability": 0.1, "count": 3},
    {"kind": "drop_before_commit", "probability": 0.1, "count": 3},
    {"kind": "cut_json", "probability": 0.1, "count": 3},
    {"kind": "html", "probability": 0.1, "count": 2},
    {"kind": "slow", "delay_s": 600, "probability": 0.05, "count": 1},
    {"kind": "shuffled", "probability": 0.3, "count": 3},
    {"kind": "duplicated_rows", "service": "chorus", "probability": 0.3, "count": 3},
    {"kind": "token_expired", "probability": 0.05, "count": 1},
)


@dataclass
class History:
    """One history. ``told`` lists its steps, for whoever reads a failure."""

    lab: Lab
    rng: Random
    told: list[str] = field(default_factory=list)
    pending: Course | None = None
    words: dict[Identity, dict[str, str]] = field(default_factory=dict)
    deleted: Counter[Identity] = field(default_factory=Counter)
    hidden: set[str] = field(default_factory=set)
    remembered: list[Expected] = field(default_factory=list)

    def live(self, steps: int) -> None:
        """``steps`` random steps."""
        names = list(STEPS)
        weights = [STEPS[name][1] for name in names]
        for _ in range(steps):
            name = self.rng.choices(names, weights)[0]
            self.told.append(name)
            STEPS[name][0](self)
            self.lab.wait(seconds=self.rng.choice((90, 300, 3600, 6 * 3600)))

    def end(self) -> None:
        """The world comes to rest, one clean run follows, and everything that is promised is checked."""
        lab = self.lab
        lab.sandbox.faults.clear()
        lab.fuse.renew()
        if self.pending is not None:
            lab.wait(minutes=4)
            self.pending.insist()
            self.pending = None
        lab.wait(days=6)  # the last summary comes after five
        lab.sync()
        lab.wait(minutes=10)
        clean = lab.sync(asked=Asked(full_sync=True))
        assert clean.statistics.is_green, self.told
        self._check_values()
        self._check_ledger(clean.run.pair)
        before = len(lab.written())
        lab.wait(minutes=10)
        second = lab.sync(asked=Asked(full_sync=True))
        assert (second.statistics.writes, len(lab.written())) == (0, before), self.told

    def _check_values(self) -> None:
        lab = self.lab
        wanted = expected_touchpoints(lab.sandbox, self._seen_meetings())
        held = made_by_hub(lab.sandbox)
        due = Counter(item.identity for item in wanted)
        due.subtract(self.deleted)
        optional = Counter(item.identity for item in self._lost_from_sight())
        found = Counter(map(identity_of, held))
        missing, beyond = +due - found, found - +due
        assert not missing, ("lost", missing, self.told)
        assert not beyond - optional, ("doubled or resurrected", beyond - optional, self.told)
        by_identity = {identity_of(item): item for item in held}
        for item in wanted:
            if item.identity in by_identity and item.meeting_id not in self.hidden:
                self._check_value(by_identity[item.identity], item)

    def _check_value(self, touchpoint: Mapping[str, Any], item: Expected) -> None:
        mine = self.words.get(item.identity, {})
        assert touchpoint["subject"].strip() == mine.get("subject", item.subject), (item, self.told)
        if "content" in mine:
            assert touchpoint["content"].strip() == mine["content"], (item, self.told)
        else:
            assert_content(touchpoint["content"], item.text)
        assert set(touchpoint["participants"]) == item.participants, (item, self.told)

    def _check_ledger(self, pair: Pair) -> None:
        lab = self.lab
        assert lab.ledger.open_intents(pair) == []
        for run in lab.ledger.runs(limit=200):
            if run.statistics is not None and run.closed_at is not None:
                run.statistics.check()
        links = lab.ledger.links_in_state(pair, list(LinkState))
        keys = [link.target_key for link in links if link.target_key is not None]
        assert len(keys) == len(set(keys)), self.told
        watermark = lab.ledger.watermark(lab.job.id)
        assert watermark is not None and watermark <= lab.clock.now()
        deletions = [entry for entry in lab.written() if entry.method == "DELETE"]
        assert deletions == []

    def _seen_meetings(self) -> list[Meeting]:
        """Meetings that some run could see: public at the end, begun."""
        now = self.lab.clock.now()
        return [item for item in self._records().by_id.values() if item.starts_at < now and not item.private]

    def _lost_from_sight(self) -> list[Expected]:
        """What may be there still, though Chorus shows the meeting no more."""
        return [item for item in self.remembered if item.meeting_id in self.hidden]

    def _records(self) -> Any:
        return self.lab.sandbox.service("chorus").records

    def any_meeting(self) -> Meeting | None:
        records = self._records().by_id
        seen = [item for item in records.values() if item.id not in self.hidden]
        return self.rng.choice(sorted(seen, key=lambda item: item.id)) if seen else None

    def any_touchpoint(self) -> dict[str, Any] | None:
        """A touchpoint that the ledger knows: what it does not know yet nobody can prove to be a loss."""
        lab = self.lab
        keys = {str(item["note_id"]): item for item in made_by_hub(lab.sandbox)}
        pair = known_pair(lab.job, lab.ledger)
        if pair is None:
            return None
        linked = sorted(lab.ledger.links_by_target(pair, list(keys)))
        return keys[self.rng.choice(linked)] if linked else None


def add_meeting(history: History) -> None:
    lab, rng = history.lab, history.rng
    account = rng.choice([*lab.sandbox.world.accounts, None])
    summary: dict[str, Any] = rng.choice(
        (
            {},
            {"summary": None},
            {"ready_in_s": 7200.0},
            {"ready_in_s": 86400.0 * 5},
            {"summary": "One.<br>Two &amp; three."},
        )
    )
    kind = rng.choices(("recorded", "call", "no_show", "unrecorded", "email"), (8, 2, 1, 1, 1))[0]
    lab.act(
        "chorus",
        "add_meeting",
        account=account.crm_id if account else None,
        subject=f"Talk {len(history.told)} {rng.choice(('', 'Ünïcode 🚀', '=1+1'))}",
        kind=kind,
        ended_ago_s=float(rng.randrange(60, 20_000)),
        **summary,
    )


def add_several(history: History) -> None:
    for _ in range(history.rng.randint(2, 6)):
        add_meeting(history)


def edit_in_chorus(history: History) -> None:
    item = history.any_meeting()
    if item is not None:
        number = len(history.told)
        change = history.rng.choice(({"subject": f"Renamed {number}"}, {"summary": f"Revised {number}."}))
        history.lab.act("chorus", "edit_meeting", id=item.id, **change)


def finish_summary(history: History) -> None:
    item = history.any_meeting()
    if item is not None and item.kind in ("recorded", "call"):
        history.lab.act("chorus", "finish_summary", id=item.id)


def hide_in_chorus(history: History) -> None:
    item = history.any_meeting()
    if item is not None:
        history.remembered += expected_touchpoints(history.lab.sandbox, [item])
        history.hidden.add(item.id)
        history.lab.act("chorus", history.rng.choice(("delete_meeting", "make_private")), id=item.id)


def edit_in_totango(history: History) -> None:
    held = history.any_touchpoint()
    if held is not None:
        name, number = history.rng.choice(("subject", "content")), len(history.told)
        value = f"Words of a user {number}"
        history.lab.act("totango", "edit_touchpoint", note_id=held["note_id"], **{name: value})
        history.words.setdefault(identity_of(held), {})[name] = value


def delete_in_totango(history: History) -> None:
    held = history.any_touchpoint()
    if held is not None:
        history.lab.act("totango", "delete_touchpoint", note_id=held["note_id"])
        history.deleted[identity_of(held)] += 1


def create_account(history: History) -> None:
    lab = history.lab
    known = {item["id"] for item in lab.sandbox.service("totango").state()["accounts"]}
    absent = [account for account in lab.sandbox.world.accounts if account.totango_id not in known]
    if absent:
        lab.act("totango", "create_account", crm_id=history.rng.choice(absent).crm_id)


def add_fault(history: History) -> None:
    fault = dict(history.rng.choice(FAULTS))
    history.lab.fault(seed=history.rng.randrange(1000), **fault)


def end_faults(history: History) -> None:
    history.lab.sandbox.faults.clear()


def run(history: History) -> None:
    """A run that may fail or die; what is unfinished is gone on with by a later step, as Airflow would."""
    if history.pending is None:
        history.pending = history.lab.course(history.rng.choice((RunKind.MANUAL, RunKind.MANUAL, RunKind.RETRY)))
    _drive(history)


def run_and_die(history: History) -> None:
    history.lab.fuse.renew(burns_at=history.rng.randint(1, 120))
    run(history)


def backfill(history: History) -> None:
    if history.pending is None:
        end = history.lab.clock.now() - timedelta(days=history.rng.randint(0, 3))
        asked = Asked(interval=None, window_start=end - timedelta(days=2), window_end=end)
        history.pending = history.lab.course(RunKind.BACKFILL, asked=asked)
    _drive(history)


def _drive(history: History) -> None:
    assert history.pending is not None
    try:
        history.pending.go_on()
        history.pending = None
    except (HubError, Crash) as trouble:
        history.told[-1] += f" ({type(trouble).__name__})"
    history.lab.fuse.renew()


STEPS: Mapping[str, tuple[Callable[[History], None], int]] = {
    "add_meeting": (add_meeting, 4),
    "add_several": (add_several, 2),
    "edit_in_chorus": (edit_in_chorus, 3),
    "finish_summary": (finish_summary, 2),
    "hide_in_chorus": (hide_in_chorus, 1),
    "edit_in_totango": (edit_in_totango, 3),
    "delete_in_totango": (delete_in_totango, 1),
    "create_account": (create_account, 1),
    "add_fault": (add_fault, 2),
    "end_faults": (end_faults, 1),
    "run": (run, 6),
    "run_and_die": (run_and_die, 3),
    "backfill": (backfill, 1),
}
