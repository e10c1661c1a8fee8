"""A pure simulation of a two-way sync: people on both sides, runs of both jobs in any order, and faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from cshub.core.diff import decide
from cshub.core.linking import found_done, has_updated, intent_hint, learned, not_done, not_standing, read_back, written
from cshub.core.planning import PlanRow, TargetView
from cshub.core.records import (
    RETRIED_STATES,
    Action,
    Intent,
    Link,
    LinkState,
    Operation,
    Origin,
    Pair,
    Presence,
    RecordKey,
    SourceRecord,
    TargetRecord,
)

from .two_judge import Judge, Look, Violation
from .two_worlds import (
    ACCOUNT,
    BEGIN,
    SALESFORCE,
    SYSTEMS,
    TOTANGO,
    Direction,
    Held,
    Service,
    at_time,
    directions,
)

QUIET_ROUNDS = 3
SECOND = timedelta(seconds=1)
OPERATIONS: Mapping[Action, Operation] = {
    Action.CREATE: Operation.CREATE,
    Action.UPDATE: Operation.UPDATE,
    Action.DELETE: Operation.DELETE,
}


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does to one thing on one side: create, edit, touch, delete or undelete."""

    does: str
    system: str
    thing: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    ms: int


@dataclass(frozen=True, slots=True)
class RunStep:
    """One run of the job that reads ``source``, and what people do while it works.

    ``full``: it reads everything, not only what changed. ``lost``: the answer to its first write is lost, after the
    write (1) or before it (2), and the run breaks off. ``between``: the other job runs between plan and load.
    """

    source: str
    full: bool = True
    reads_back: bool = True
    lost: int = 0
    between: bool = False
    while_reading: tuple[Act, ...] = ()
    before_writing: tuple[Act, ...] = ()
    before_reading_back: tuple[Act, ...] = ()


Step = Act | Wait | RunStep


@dataclass(frozen=True, slots=True)
class History:
    """``skews``: milliseconds by which both clocks are wrong. ``policy``: of title and subject."""

    steps: tuple[Step, ...]
    skews: tuple[int, int] = (0, 0)
    policy: str | None = None
    full: bool = True


@dataclass
class Ledger:
    """Links, stored as the job that reads Salesforce sees them."""

    links: dict[int, Link] = field(default_factory=dict)

    def find(self, source: str, key: str) -> Link | None:
        for link in self.links.values():
            seen = link if source == SALESFORCE else link.mirrored()
            if seen.source.key == key:
                return seen
        return None

    def save(self, source: str, link: Link) -> None:
        number = link.number or len(self.links) + 1
        stored = link if source == SALESFORCE else link.mirrored()
        self.links[number] = replace(stored, number=number, version=link.version + 1)

    def seen_from(self, source: str) -> Iterator[Link]:
        return (link if source == SALESFORCE else link.mirrored() for link in self.links.values())


@dataclass
class Simulation:
    """One history, carried out step by step."""

    history: History
    both: dict[str, Direction] = field(init=False)
    services: dict[str, Service] = field(init=False)
    ledger: Ledger = field(default_factory=Ledger)
    judge: Judge = field(init=False)
    at: timedelta = timedelta()
    things: int = 0
    read_until: dict[str, datetime] = field(default_factory=dict)
    intents: list[tuple[str, Intent, PlanRow, Look]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    logging: bool = False

    def __post_init__(self) -> None:
        self.both = directions(self.history.policy)
        skews = (timedelta(milliseconds=ms) for ms in self.history.skews)
        self.services = {
            system: Service(system, skew, system == TOTANGO) for system, skew in zip(SYSTEMS, skews, strict=True)
        }
        self.judge = Judge(self.history.policy, self.both)

    def play(self) -> None:
        """Carry out the history, then let both jobs run undisturbed. Raises :class:`Violation`."""
        for step in self.history.steps:
            self._step(step)
        for number in range(QUIET_ROUNDS + 1):
            loud = [row for source in SYSTEMS for row in self._quiet(source)]
            if not loud:
                break
            if number == QUIET_ROUNDS:
                raise Violation(f"no rest after {QUIET_ROUNDS} quiet rounds: {loud[0]}")
        self.judge.at_rest(self.services, self.things)

    def _quiet(self, source: str) -> list[PlanRow]:
        self.at += timedelta(minutes=20)
        rows = self.run(RunStep(source, self.history.full))
        return [row for row in rows if row.action in (*OPERATIONS, Action.CONFLICT) or row.teaches]

    def _step(self, step: Step) -> None:
        if isinstance(step, Wait):
            self.at += timedelta(milliseconds=step.ms)
        elif isinstance(step, Act):
            self.act(step)
        else:
            self.run(step)

    def act(self, act: Act) -> None:
        """A person does something; what cannot be done is left out."""
        service = self.services[act.system]
        held: Held | None
        if act.does == "create":
            held = service.create(self.things, act.values, self.at)
            self.judge.person(act.system, self.things, held.values)
            self.things += 1
        else:
            held = service.of(act.thing) if act.does != "undelete" else self._deleted(act)
            if held is None or (act.does == "edit" and all(held.values[n] == v for n, v in act.values.items())):
                return
            self._pause(service, held)
            stamp = held.modified_at
            changed = {name: value for name, value in act.values.items() if held.values[name] != value}
            service.change(held.key, act.values, self.at, deleted=act.does == "delete")
            self.judge.person(act.system, act.thing, changed, deletes=act.does == "delete")
            held.is_unclear = act.does == "touch" or held.modified_at == stamp
        held.touched_at = held.modified_at
        self._note(f"{act.system}: {act.does} {held.key} {dict(act.values)} at {held.modified_at}")

    def run(self, step: RunStep) -> list[PlanRow]:
        """One run: read, plan, load, read back. Returns its plan."""
        direction = self.both[step.source]
        self._settle_all()
        received, until, seen = self._read(step), self.services[step.source].now(self.at), self.judge.acts
        touched = {record.key: self._touched(step.source, record.key) for record, _ in received}
        self._people(step.while_reading)
        planned = [self._plan(direction, record, origin, seen, touched[record.key]) for record, origin in received]
        if step.between:
            self.run(RunStep(direction.target, full=step.full))
        self._people(step.before_writing)
        done = [self._load(direction, row, look, step, number) for number, (row, look) in enumerate(planned)]
        if all(done):
            self.read_until[step.source] = until
        self._people(step.before_reading_back)
        if step.reads_back:
            for row, _ in planned:
                self._read_back(direction, row)
        return [row for row, _ in planned]

    def _read(self, step: RunStep) -> list[tuple[SourceRecord, Origin]]:
        service = self.services[step.source]
        since = None if step.full else self.read_until.get(step.source)
        received = {held.key: (service.read(held), Origin.WINDOW) for held in service.changed_since(since)}
        for link in self.ledger.seen_from(step.source):
            if link.source.key is not None and link.state in RETRIED_STATES:
                waiting = service.read(service.records[link.source.key]), Origin.PENDING
                received.setdefault(link.source.key, waiting)
        known = {link.source.key: link for link in self.ledger.seen_from(step.source)}
        return [
            (record, origin)
            for key, (record, origin) in received.items()
            if record.body is not None or (key in known and known[key].state is not LinkState.GONE)
        ]

    def _plan(
        self, direction: Direction, record: SourceRecord, origin: Origin, seen: int, touched: datetime | None
    ) -> tuple[PlanRow, Look]:
        link = self.ledger.find(direction.source, record.key)
        view = self._view(direction, record.key, link)
        thing = self.services[direction.source].records[record.key].thing
        shown = view.record if view else None
        target_touched = self._touched(direction.target, shown.key) if shown else None
        values = dict(shown.values) if shown else None
        sides = [self.services[direction.source].records[record.key]]
        sides += [self.services[direction.target].records[shown.key]] if shown else []
        look = Look(
            thing,
            dict(record.body or {}),
            seen,
            touched,
            values,
            self.judge.acts,
            target_touched,
            times_are_known=not any(held.is_unread or held.is_unclear for held in sides),
        )
        if record.body is not None:
            self.judge.looked(direction, look)
        row = decide(direction.desired(record, origin), link, view, at_time(direction, self.at))
        self._note(f"plan from {direction.source} {record.key}: {row.action} {row.rule} {row.changes} {row.state}")
        return row, look

    def _view(self, direction: Direction, key: str, link: Link | None) -> TargetView | None:
        service = self.services[direction.target]
        if link is not None and link.target.key is not None:
            record = service.shown(link.target.key)
            return TargetView(Presence.PRESENT if record else Presence.DELETED, record)
        taken = {link.target.key for link in self.ledger.seen_from(direction.source)}
        for held in service.records.values():
            if held.external_id == key and not held.deleted and held.key not in taken:
                return TargetView(Presence.PRESENT, service.shown(held.key))
        return None

    def _load(self, direction: Direction, row: PlanRow, look: Look, step: RunStep, number: int) -> bool:
        """Carry out one row; whether nothing is left to do about it."""
        source, pair = direction.source, Pair(1, direction.source != SALESFORCE)
        link = self.ledger.find(source, row.source_key)
        if (link.version if link else None) != row.link_version:
            self._note(f"moved: {row.source_key}")
            return False
        now, is_lost = BEGIN + self.at, step.lost > 0 and not self.intents and row.action in OPERATIONS
        records, others = self.services[source].records, self.services[direction.target].records
        target = others[row.target_key] if row.target_key is not None else None
        self.judge.remembers(direction, row, look, records[row.source_key], target, is_lost=is_lost)
        if row.action not in OPERATIONS:
            if row.teaches:
                self.judge.decided(direction, row, look)
                self.ledger.save(source, learned(row, link, pair, now))
            return True
        operation = OPERATIONS[row.action]
        hint = orjson.loads(orjson.dumps(intent_hint(row, {}, kinds=direction.kinds)))
        intent = Intent(number, pair, row.source_key, operation, "r", now, row.target_key, "", hint)
        if is_lost and step.lost == 2:
            self.intents.append((source, intent, row, look))
            return False
        key = self._write(direction, row, look, is_lost=is_lost)
        if key is None:
            return False
        self.judge.decided(direction, row, look)
        if is_lost:
            self.intents.append((source, intent, row, look))
            self._note("the answer is lost")
            return False
        self.ledger.save(source, written(row, link, RecordKey(key, ACCOUNT), pair, kinds=direction.kinds, now=now))
        return True

    def _write(self, direction: Direction, row: PlanRow, look: Look, *, is_lost: bool) -> str | None:
        service = self.services[direction.target]
        if row.action is Action.CREATE:
            made = service.create(look.thing, row.values, self.at, row.external_id)
            self.judge.wrote(direction, row, look, None, made.values, is_lost=is_lost)
            self.judge.made(direction, made.key)
            made.written_at, made.is_unread = made.modified_at, True
            return made.key
        assert row.target_key is not None
        held = service.records[row.target_key]
        if held.deleted:
            return row.target_key if row.action is Action.DELETE else None
        if row.action is Action.DELETE:
            self.judge.wrote(direction, row, look, held, {}, is_lost=is_lost)
            service.change(held.key, {}, self.at, deleted=True)
            return held.key
        changed = {change.field for change in row.changes if change.winner == "source"}
        names = [name for name in row.values if name in direction.rules.updateable]
        sent = {name: row.values[name] for name in names if service.whole_records or name in changed}
        self.judge.wrote(direction, row, look, held, sent, is_lost=is_lost)
        service.change(held.key, sent, self.at)
        held.is_unclear |= held.is_unread
        held.written_at, held.is_unread = held.modified_at, True
        self._note(f"written: {held.key} {sent} at {held.modified_at}")
        return held.key

    def _read_back(self, direction: Direction, row: PlanRow) -> None:
        link = self.ledger.find(direction.source, row.source_key)
        if row.action not in (Action.CREATE, Action.UPDATE) or link is None or link.target.key is None:
            return
        record = self.services[direction.target].shown(link.target.key)
        if record is not None and link.version == (row.link_version or 0) + 1 and _is_newer(link, record):
            if row.action is Action.CREATE:
                self.judge.first_seen(self.services[direction.target].records[record.key], self.judge.acts)
            self.services[direction.target].records[record.key].is_unread = False
            done = read_back(link, row, record, kinds=direction.kinds, two_way=True)
            self.ledger.save(direction.source, done)

    def _settle_all(self) -> None:
        """Look for the writes whose answers were lost."""
        for source, intent, row, look in self.intents:
            direction, link = self.both[source], self.ledger.find(source, intent.source_key)
            record = self._find(direction, intent)
            self._note(f"settled {intent.operation} of {intent.source_key}: {record is not None}")
            if record is None:
                self.judge.lost(direction.target, look.thing)
                self._not_done(direction, intent, link)
                continue
            if intent.operation is Operation.CREATE:
                self.judge.first_seen(self.services[direction.target].records[record.key], self.judge.acts)
            self.judge.found(direction, row, look, not_standing(intent, record, kinds=direction.kinds))
            self.ledger.save(source, found_done(intent, link, record, kinds=direction.kinds))
        self.intents.clear()

    def _not_done(self, direction: Direction, intent: Intent, link: Link | None) -> None:
        record = self.services[direction.target].shown(intent.target_key) if intent.target_key else None
        if intent.operation is Operation.UPDATE and link is not None and record is not None:
            kept = not_done(intent, link, record, kinds=direction.kinds, paths=direction.rules.paths)
            if kept is not None:
                self.ledger.save(direction.source, kept)

    def _find(self, direction: Direction, intent: Intent) -> TargetRecord | None:
        service = self.services[direction.target]
        taken = {link.target.key for link in self.ledger.seen_from(direction.source)}
        if intent.operation is Operation.CREATE:
            keys = [held.key for held in service.records.values() if held.external_id == intent.source_key]
            shown = [service.shown(key) for key in keys if key not in taken]
            return next((record for record in shown if record is not None), None)
        assert intent.target_key is not None
        record = service.shown(intent.target_key)
        if intent.operation is Operation.DELETE:
            return None if record else TargetRecord(intent.target_key, ACCOUNT, {})
        if record is None:
            return None
        return record if has_updated(intent, record, kinds=direction.kinds) else None

    def _people(self, acts: Sequence[Act]) -> None:
        for act in acts:
            self.at += timedelta(milliseconds=1100)
            self.act(act)
        self.at += timedelta(milliseconds=300)

    def _pause(self, service: Service, held: Held) -> None:
        """Nobody edits a record in the second in which the hub wrote it: a clock of whole seconds would not show it."""
        if held.written_at is not None and service.now(self.at) - held.written_at < SECOND:
            self.at += SECOND

    def _deleted(self, act: Act) -> Held | None:
        """The record of a thing that a person can bring back: the last one, when none is there on this side."""
        service = self.services[act.system]
        if service.of(act.thing) is not None:
            return None
        linked = {link.source.key for link in self.ledger.seen_from(act.system)}
        found = (held for held in reversed(service.records.values()) if held.thing == act.thing)
        return next((held for held in found if held.external_id is None or held.key in linked), None)

    def _touched(self, system: str, key: str) -> datetime | None:
        return self.services[system].records[key].touched_at

    def _note(self, text: str) -> None:
        if self.logging:
            self.log.append(f"{self.at} {text}")


def _is_newer(link: Link, record: TargetRecord) -> bool:
    side = link.target
    if side.marks is None or side.modified_at is None or record.modified_at is None:
        return side.marks is None
    return record.modified_at > side.modified_at
