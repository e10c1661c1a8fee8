"""Random histories of a two-way sync under one seed, held against a book of what people did that the test keeps alone.

Every value that a person writes names its thing (``#7#``), so that what belongs together is told without the ledger.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from cshub.core.errors import HubError
from cshub.core.jobs import BoundJob
from cshub.core.records import Pair, RunKind
from cshub.pipeline.run import Asked, known_pair
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Course
from tests.pipeline.oracle import words
from tests.pipeline.two_way import Row, Sync

TAG = re.compile(r"#(\d+)#")
FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "drop_after_commit", "only_writes": True, "probability": 0.4, "count": 3},
    {"kind": "status_after_commit", "status": 502, "only_writes": True, "probability": 0.4, "count": 2},
    {"kind": "status", "status": 503, "probability": 0.1, "count": 4},
    {"kind": "status", "status": 429, "service": "totango", "headers": {"Retry-After": "3"}, "probability": 0.1},
    {"kind": "drop_before_commit", "probability": 0.1, "count": 3},
    {"kind": "cut_json", "probability": 0.1, "count": 3},
    {"kind": "truncated", "probability": 0.1, "count": 2},
    {"kind": "html", "probability": 0.1, "count": 2},
    {"kind": "slow", "delay_s": 600, "probability": 0.05, "count": 1},
    {"kind": "shuffled", "probability": 0.3, "count": 3},
    {"kind": "empty_page", "service": "salesforce", "probability": 0.1, "count": 2},
    {"kind": "repeated_page", "probability": 0.1, "count": 2},
    {"kind": "wrong_totals", "probability": 0.1, "count": 2},
    {"kind": "token_expired", "service": "salesforce", "probability": 0.1, "count": 2},
)


class Side(StrEnum):
    SALESFORCE = "salesforce"
    TOTANGO = "totango"

    @property
    def other(self) -> Side:
        return Side.TOTANGO if self is Side.SALESFORCE else Side.SALESFORCE


class Fate(StrEnum):
    THERE = "there"
    GONE = "gone"
    EITHER = "either"  # an edit and a deletion met, and only the hub knows whether the edit had been carried over


@dataclass
class Written:
    """The last value a person gave a field on one side."""

    at: datetime
    value: str


@dataclass
class Thing:
    """What people did to one matter. ``fields``: side and field → the last edit; ``touched``: side → the last edit."""

    number: int
    fields: dict[tuple[Side, str], Written] = field(default_factory=dict)
    touched: dict[Side, datetime] = field(default_factory=dict)
    deleted: list[tuple[Side, datetime]] = field(default_factory=list)
    fate: Fate = Fate.THERE
    values: set[str] = field(default_factory=set)

    def wrote(self, side: Side, at: datetime, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self.fields[side, name] = Written(at, value)
            self.values.add(value)
        self.touched[side] = at

    def allowed(self, name: str) -> set[str]:
        """The values that may stand: the later edit's, unless the other record was edited elsewhere later still."""
        if self.deleted:
            return self.values
        edits = {side: written for side in Side if (written := self.fields.get((side, name))) is not None}
        for side, written in edits.items():
            rival = self.touched.get(side.other)
            if rival is None or side.other not in edits or _seconds(written.at) > _seconds(rival):
                return {written.value}
        return {written.value for written in edits.values()}


@dataclass
class TwoHistory:
    """One history. ``told`` lists its steps, for whoever reads a failure."""

    sync: Sync
    rng: Random
    told: list[str] = field(default_factory=list)
    things: dict[int, Thing] = field(default_factory=dict)
    pending: dict[Side, Course] = field(default_factory=dict)
    began: dict[Side, datetime] = field(default_factory=dict)
    carried: dict[Side, list[tuple[datetime, datetime]]] = field(default_factory=lambda: {side: [] for side in Side})

    def live(self, steps: int) -> None:
        """Some records that are in step, then ``steps`` random steps."""
        for number in range(6):
            make(self, list(Side)[number % 2])
        self.sync.lab.wait(minutes=10)
        self.round(full=False)
        names, weights = list(STEPS), [weight for _, weight in STEPS.values()]
        for _ in range(steps):
            name = self.rng.choices(names, weights)[0]
            self.told.append(f"{self.sync.lab.clock.now():%d %H:%M:%S} {name}")
            STEPS[name][0](self)
            self.sync.lab.wait(seconds=self.rng.choice((90, 300, 3600, 6 * 3600)))

    def end(self) -> None:
        """The world comes to rest, clean rounds follow, and everything that is promised is checked."""
        lab = self.sync.lab
        lab.sandbox.faults.clear()
        for course in self.pending.values():
            lab.wait(minutes=4)
            course.insist()
        lab.wait(hours=1)
        self.round(full=False)
        self.round(full=True)
        before = self._writes()
        written = self.round(full=True)
        assert (written, self._writes()) == (0, before), "a second clean round writes"
        self._check_things()
        self._check_ledger()

    def round(self, *, full: bool) -> int:
        writes = 0
        for side in self.rng.sample(list(Side), 2):
            done = self.sync.lab.sync(asked=Asked(full_sync=full), job=self.job(side))
            assert done.statistics.check().is_green, done.statistics
            writes += done.statistics.writes
            self.sync.lab.wait(minutes=10)
        return writes

    def job(self, side: Side) -> BoundJob:
        """The job that reads this side."""
        job = self.sync.lab.job if side is Side.SALESFORCE else self.sync.lab.back
        assert job is not None
        return job

    def pair(self, side: Side) -> Pair:
        """The pair as the job that reads this side sees it."""
        pair = known_pair(self.job(side), self.sync.lab.ledger)
        assert pair is not None
        return pair

    def live_records(self, side: Side) -> dict[int, list[Mapping[str, Any]]]:
        """Thing → records of it that this side shows."""
        kind = self.sync.kind
        name = kind.salesforce_name if side is Side.SALESFORCE else kind.totango_name
        found: dict[int, list[Mapping[str, Any]]] = {}
        for row in self.sync.lab.sandbox.service(side).state()[name]:
            tag = TAG.search(str(row[self.names(side)[0]]))
            if tag and not row.get("IsDeleted") and not row.get("deleted"):
                found.setdefault(int(tag.group(1)), []).append(row)
        return found

    def names(self, side: Side) -> tuple[str, str]:
        """Title and text, as the side calls them."""
        return ("Subject", "Description") if side is Side.SALESFORCE else self.sync.kind.totango_texts

    def key_of(self, side: Side, row: Mapping[str, Any]) -> str:
        return str(row["Id"] if side is Side.SALESFORCE else row[self.sync.kind.state_id])

    def some_record(self, side: Side) -> tuple[Thing, str] | None:
        """A record that the ledger knows, or that no run has read: of others nobody can prove what they are."""
        pair = self.pair(side)
        live = {number: self.key_of(side, rows[0]) for number, rows in self.live_records(side).items()}
        linked = self.sync.lab.ledger.links(pair, list(live.values()))
        own = [
            number for number, key in live.items() if key in linked or not self.things[number].touched.get(side.other)
        ]
        own = [number for number in own if live[number] in linked or (side in self.things[number].touched)]
        number = self.rng.choice(sorted(own)) if own else None
        return None if number is None else (self.things[number], live[number])

    def _writes(self) -> int:
        return sum(entry.write for entry in self.sync.lab.sandbox.log.entries)

    def _check_things(self) -> None:
        live = {side: self.live_records(side) for side in Side}
        for thing in self.things.values():
            held = {side: live[side].get(thing.number, []) for side in Side}
            counts = {side: len(rows) for side, rows in held.items()}
            assert set(counts.values()) in ({0}, {1}), (thing, counts)
            there = counts[Side.SALESFORCE] == 1
            assert thing.fate is Fate.EITHER or there is (thing.fate is Fate.THERE), (thing, counts)
            if there:
                self._check_values(thing, {side: rows[0] for side, rows in held.items()})

    def _check_values(self, thing: Thing, held: Mapping[Side, Mapping[str, Any]]) -> None:
        for place, name in enumerate(("title", "text")):
            shown = {side: words(str(row[self.names(side)[place]] or "")) for side, row in held.items()}
            assert shown[Side.SALESFORCE] == shown[Side.TOTANGO], (thing, name, shown)
            allowed = {words(value) for value in thing.allowed(name)}
            assert shown[Side.SALESFORCE] in allowed, (thing, name, shown, allowed)
            if not thing.deleted:
                self._check_losers(thing, name, held, shown[Side.SALESFORCE])

    def _check_losers(
        self, thing: Thing, name: str, held: Mapping[Side, Mapping[str, Any]], stands: tuple[str, ...]
    ) -> None:
        """The last value of each side that does not stand is named by a decision."""
        losers = [written for side in Side if (written := thing.fields.get((side, name))) is not None]
        for loser in losers:
            if words(loser.value) == stands:
                continue
            told = self.sync.lab.ledger.decisions(
                self.pair(Side.SALESFORCE), self.key_of(Side.SALESFORCE, held[Side.SALESFORCE])
            )
            named = [words(str(value)) for row in told for item in row.changes for value in (item.before, item.after)]
            assert words(loser.value) in named, (thing, name, loser, told)

    def _check_ledger(self) -> None:
        lab = self.sync.lab
        pair = self.pair(Side.SALESFORCE)
        assert lab.ledger.open_intents(pair) == []
        for run in lab.ledger.runs(limit=200):
            if run.statistics is not None and run.closed_at is not None:
                run.statistics.check()
        keys = [link.target_key for link in lab.ledger.linked(pair)]
        assert len(keys) == len(set(keys))
        assert _without_account(self.sync.salesforce()) == _without_account(self.sync.totango())


def _without_account(rows: Counter[Row]) -> Counter[Row]:
    """Totango cannot move a record to another account: there the sides may differ."""
    return Counter(row[1:] for row in rows.elements())


def _seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def make(history: TwoHistory, side: Side) -> None:
    """A user makes a record."""
    sync, rng = history.sync, history.rng
    thing = Thing(len(history.things) + 1)
    history.things[thing.number] = thing
    title, text = f"New {side} #{thing.number}#", f"First words of {side} #{thing.number}#"
    totango_account, crm_id = rng.choice(sorted(sync.common_accounts().items()))
    if side is Side.SALESFORCE:
        fields = {**sync.kind.new, "WhatId": crm_id, "Subject": title, "Description": text}
        sync.lab.act("salesforce", "create_record", object=sync.kind.object, fields=fields)
    else:
        sync.note(totango_account, title, text)
    thing.wrote(side, sync.lab.clock.now(), {"title": title, "text": text})


def edit(history: TwoHistory, side: Side) -> None:
    """A user edits a record."""
    found = history.some_record(side)
    if found is not None:
        _edit(history, side, *found, history.rng.choice((("title",), ("text",), ("title", "text"))))


def edit_on_both_sides(history: TwoHistory) -> None:
    """Users of both services edit one record, seconds or minutes apart."""
    first = history.rng.choice(list(Side))
    found = history.some_record(first)
    if found is None:
        return
    thing, key = found
    names = history.rng.choice((("title",), ("text",)))
    _edit(history, first, thing, key, names)
    history.sync.lab.wait(seconds=history.rng.choice((2, 30, 120)))
    twins = history.live_records(first.other).get(thing.number, [])
    if len(twins) == 1:
        _edit(history, first.other, thing, history.key_of(first.other, twins[0]), names)


def delete(history: TwoHistory, side: Side) -> None:
    """A user deletes a record."""
    found = history.some_record(side)
    if found is None:
        return
    thing, key = found
    now = history.sync.lab.clock.now()
    twin_is_live = bool(history.live_records(side.other).get(thing.number))
    if side is Side.SALESFORCE:
        history.sync.delete_salesforce(key)
    else:
        history.sync.delete_totango(key)
    thing.deleted.append((side, now))
    thing.fate = Fate.EITHER if twin_is_live and not _was_carried(history, thing, side.other) else Fate.GONE


def undelete(history: TwoHistory) -> None:
    """A user of Salesforce takes a record out of the recycle bin."""
    held = history.sync.lab.sandbox.service("salesforce").state()[history.sync.kind.salesforce_name]
    live = history.live_records(Side.SALESFORCE)
    bin_ = [(row["Id"], int(tag.group(1))) for row in held if row["IsDeleted"] and (tag := TAG.search(row["Subject"]))]
    free = [(key, number) for key, number in bin_ if number not in live and len(history.things[number].deleted) == 1]
    if free:
        key, number = history.rng.choice(sorted(free))
        thing = history.things[number]
        history.sync.lab.act("salesforce", "undelete_record", id=key)
        thing.fate = Fate.THERE if thing.deleted[0][0] is Side.SALESFORCE else Fate.EITHER
        thing.deleted.append((Side.SALESFORCE, history.sync.lab.clock.now()))


def move(history: TwoHistory) -> None:
    """A user of Salesforce gives a record to another account."""
    found = history.some_record(Side.SALESFORCE)
    if found is not None:
        accounts = sorted(history.sync.common_accounts().values())
        history.sync.edit_salesforce(found[1], WhatId=history.rng.choice(accounts))
        found[0].touched[Side.SALESFORCE] = history.sync.lab.clock.now()


def touch(history: TwoHistory) -> None:
    """Background work moves SystemModstamp of some records."""
    keys = [history.key_of(Side.SALESFORCE, rows[0]) for rows in history.live_records(Side.SALESFORCE).values()]
    history.sync.lab.act("salesforce", "touch", ids=history.rng.sample(sorted(keys), min(3, len(keys))))


def add_fault(history: TwoHistory) -> None:
    fault = dict(history.rng.choice(FAULTS))
    history.told[-1] += f" {fault}"
    history.sync.lab.fault(seed=history.rng.randrange(1000), **fault)


def end_faults(history: TwoHistory) -> None:
    history.sync.lab.sandbox.faults.clear()


def run(history: TwoHistory, side: Side) -> None:
    """A run that may fail or die; what is unfinished is gone on with by a later step, as Airflow would."""
    kind = history.rng.choice((RunKind.MANUAL, RunKind.MANUAL, RunKind.MANUAL, RunKind.RETRY))
    _begin(history, side, kind, Asked())
    _drive(history, side)


def run_fully(history: TwoHistory, side: Side) -> None:
    _begin(history, side, RunKind.MANUAL, Asked(full_sync=True))
    _drive(history, side)


def run_and_die(history: TwoHistory, side: Side) -> None:
    history.sync.lab.fuse.renew(burns_at=history.rng.randint(1, 90))
    run(history, side)


def plan(history: TwoHistory, side: Side) -> None:
    """A run that is held up before its load."""
    _begin(history, side, RunKind.MANUAL, Asked())
    _drive(history, side, only_plan=True)


def backfill(history: TwoHistory, side: Side) -> None:
    end = history.sync.lab.clock.now() - timedelta(days=history.rng.randint(0, 2))
    _begin(history, side, RunKind.BACKFILL, Asked(window_start=end - timedelta(days=2), window_end=end))
    _drive(history, side)


def _edit(history: TwoHistory, side: Side, thing: Thing, key: str, names: tuple[str, ...]) -> None:
    number = len(history.told)
    values = {name: f"Edit {number} of {side} {name} #{thing.number}#" for name in names}
    fields = dict(zip(("title", "text"), history.names(side), strict=True))
    given = {fields[name]: value for name, value in values.items()}
    if side is Side.SALESFORCE:
        history.sync.edit_salesforce(key, **given)
    else:
        history.sync.edit_totango(key, **given)
    thing.wrote(side, history.sync.lab.clock.now(), values)
    if thing.deleted:
        thing.fate = Fate.THERE


def _was_carried(history: TwoHistory, thing: Thing, side: Side) -> bool:
    """Whether a whole run has read this side after its last edit."""
    edited = thing.touched.get(side)
    return edited is None or any(began > edited for began, _ in history.carried[side])


def _begin(history: TwoHistory, side: Side, kind: RunKind, asked: Asked) -> None:
    if side not in history.pending:
        history.pending[side] = history.sync.lab.course(kind, asked=asked, job=history.job(side))
        history.began[side] = history.sync.lab.clock.now()


def _drive(history: TwoHistory, side: Side, *, only_plan: bool = False) -> None:
    course = history.pending[side]
    try:
        if only_plan:
            course.plan()
        else:
            done = course.go_on()
            del history.pending[side]
            if course.kind is RunKind.MANUAL and done.statistics.is_green and not done.statistics.skipped:
                history.carried[side].append((history.began[side], history.sync.lab.clock.now()))
    except (HubError, Crash) as trouble:
        history.told[-1] += f" ({type(trouble).__name__})"
    history.sync.lab.fuse.renew()


def _sided(step: Callable[[TwoHistory, Side], None], side: Side) -> Callable[[TwoHistory], None]:
    return lambda history: step(history, side)


_OF_EITHER: Mapping[str, tuple[Callable[[TwoHistory, Side], None], int]] = {
    "make": (make, 4),
    "edit": (edit, 5),
    "delete": (delete, 2),
    "run": (run, 4),
    "run_fully": (run_fully, 1),
    "run_and_die": (run_and_die, 2),
    "plan": (plan, 1),
    "backfill": (backfill, 1),
}
STEPS: Mapping[str, tuple[Callable[[TwoHistory], None], int]] = {
    "edit_on_both_sides": (edit_on_both_sides, 4),
    "undelete": (undelete, 2),
    "move": (move, 1),
    "touch": (touch, 1),
    "add_fault": (add_fault, 2),
    "end_faults": (end_faults, 1),
    **{f"{name} {side}": (_sided(step, side), weight) for name, (step, weight) in _OF_EITHER.items() for side in Side},
}
