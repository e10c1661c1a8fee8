"""What the simulation knows by itself: who changed what and when. It judges every write and the final state.

Nothing here asks the planner; it only sees what people did, what the jobs read, and what they wrote.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cshub.core.planning import PlanRow, Rule
from cshub.core.records import Action
from cshub.core.values import normalise

from .two_worlds import EDITABLE, OTHER, SPECS, SYSTEMS, Direction, Held, Service

DECLARED = frozenset({Rule.CONFLICT_OVERWRITTEN, Rule.ADOPTED})
Place = tuple[int, str, str]  # thing, system, field


class Violation(AssertionError):
    """A promise that was not kept."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a job had in front of it when it decided about one record, and after how many acts of people."""

    thing: int
    source_values: Mapping[str, Any]
    source_seen: int
    source_touched: datetime | None
    target_values: Mapping[str, Any] | None
    target_seen: int
    target_touched: datetime | None
    times_are_known: bool


@dataclass
class Judge:
    """``pending``: fields that a person changed since both sides last agreed → number of that act.

    ``agreed``: what they held then; ``unanswered``: what they held before a write whose answer was lost;
    ``written``: what a job wrote that later saw something else there for the first time; ``latest``: what a person last
    made of them.
    """

    policy: str | None
    both: Mapping[str, Direction]
    acts: int = 0
    pending: dict[Place, int] = field(default_factory=dict)
    agreed: dict[Place, Any] = field(default_factory=dict)
    changes: Counter[tuple[int, str]] = field(default_factory=Counter)
    writes: Counter[tuple[int, str]] = field(default_factory=Counter)
    extra: Counter[tuple[int, str]] = field(default_factory=Counter)
    known: set[tuple[int, str, str | None]] = field(default_factory=set)
    unanswered: dict[Place, Any] = field(default_factory=dict)
    written: dict[Place, Any] = field(default_factory=dict)
    latest: dict[Place, Any] = field(default_factory=dict)
    unseen: dict[str, frozenset[str]] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    def person(self, system: str, thing: int, values: Mapping[str, Any], *, deletes: bool = False) -> None:
        """A person created, edited, touched, restored or deleted a record. One that was deleted may come back."""
        self.acts += 1
        self.changes[thing, system] += 1
        self.extra[thing, system] += deletes
        for name, value in values.items():
            place = (thing, system, name)
            self.latest[place] = _normal(system, name, value)
            if self.latest[place] in self._bases(place):
                self.pending.pop(place, None)
            else:
                self.pending[place] = self.acts

    def _bases(self, place: Place) -> list[Any]:
        """What a field held when both sides last agreed, and what the other side then stood for."""
        thing, system, name = place
        back = self.both[OTHER[system]]
        found = [known[place] for known in (self.agreed, self.unanswered, self.written) if place in known]
        for path, attribute in back.channels:
            if attribute == name and (thing, OTHER[system], path) in self.agreed:
                meant = back.mapped({path: self.agreed[thing, OTHER[system], path]})
                found.append(_normal(system, name, meant[name]))
        return found

    def made(self, direction: Direction, key: str) -> None:
        """A job made a record; it left some fields to the service."""
        self.unseen[key] = frozenset(EDITABLE[direction.target]) - direction.rules.kinds.keys()

    def first_seen(self, held: Held, seen: int) -> None:
        """Fields that a job left to the service are agreed on as they are first seen in the record it made."""
        for name in self.unseen.pop(held.key, ()):
            self._settle((held.thing, held.system, name), held.values[name], seen)

    def remembers(
        self, direction: Direction, row: PlanRow, look: Look, source: Held, target: Held | None, *, is_lost: bool
    ) -> None:
        """Fields that one job alone writes and nobody reads are agreed on as that job first sees them."""
        if look.target_values is None or row.rule is Rule.EDIT_BEATS_DELETION:
            return
        if not is_lost and look.source_values:  # of a deleted record nothing is seen
            self.first_seen(source, look.source_seen)
        if not is_lost and target is not None:
            self.first_seen(target, look.target_seen)
        record = (look.thing, direction.target, row.target_key)
        if record in self.known:
            return
        if not is_lost:
            self.known.add(record)
        for name in direction.rules.updateable - direction.returned:
            place = (look.thing, direction.target, name)
            if place in self.agreed:  # what that job has written there goes on to be its base
                self.written[place] = self.agreed[place]
            self._settle(place, look.target_values[name], look.target_seen)

    def looked(self, direction: Direction, look: Look) -> None:
        """Fields that both sides hold alike are agreed on."""
        if look.target_values is None:
            return
        mapped = direction.mapped(look.source_values)
        for path, name in direction.channels:
            if name in mapped and _alike(direction.target, name, mapped[name], look.target_values[name]):
                self._settle((look.thing, direction.source, path), look.source_values[path], look.source_seen)
                self._settle((look.thing, direction.target, name), look.target_values[name], look.target_seen)

    def wrote(
        self,
        direction: Direction,
        row: PlanRow,
        look: Look,
        before: Held | None,
        sent: Mapping[str, Any],
        *,
        is_lost: bool,
    ) -> None:
        """A job wrote: nothing that a person did and the job could have seen may be lost without a word."""
        target, thing = direction.target, look.thing
        self.writes[thing, target] += 1
        allowed = self.changes[thing, direction.source] + self.extra[thing, target]
        if self.writes[thing, target] > allowed:
            raise Violation(f"echo: write {self.writes[thing, target]} to {target} after {allowed} changes: {row}")
        if row.action is Action.DELETE:
            self._deleted(target, look, row)
            return
        if before is None:
            self.known = {record for record in self.known if record[0] != thing}
            for name in sent:
                self.pending.pop((thing, target, name), None)
            for path, value in look.source_values.items():
                self._settle((thing, direction.source, path), value, look.source_seen)
        elif any(seen > look.target_seen for place, seen in self.pending.items() if place[:2] == (thing, target)):
            before.is_unclear = True  # the write moves the time of an edit that the job had not seen
        changed = {change.field for change in row.changes if change.winner == "source"}
        for name, value in sent.items():
            place = (thing, target, name)
            held = None if before is None else before.values[name]
            if before is not None and name not in changed and _alike(target, name, value, held):
                continue
            if not _alike(target, name, value, held):
                if place in self.pending and self.pending[place] <= look.target_seen:
                    self._overwrote(direction, row, look, name)
                self.told["overwritten"] += 1
            if is_lost:
                self.unanswered[place] = _normal(target, name, held)
            self.pending.pop(place, None)
            self.agreed[place] = _normal(target, name, value)
        for path in {path for path, name in direction.channels if name in changed}:
            place = (thing, direction.source, path)
            if is_lost:
                self.unanswered[place] = self.agreed.get(place)
            self._settle(place, look.source_values[path], look.source_seen)

    def decided(self, direction: Direction, row: PlanRow, look: Look) -> None:
        """A decision was carried out or learned: values of the source that give way are told with it."""
        if row.rule is Rule.EDIT_BEATS_DELETION:
            return
        for change in row.changes:
            for path, name in direction.channels if change.winner == "target" else ():
                if name == change.field:
                    if row.rule is not Rule.ADOPTED:
                        self._right_winner(direction, row, look, name, source_wins=False)
                    self._settle((look.thing, direction.source, path), look.source_values[path], look.source_seen)

    def found(self, direction: Direction, row: PlanRow, look: Look, not_standing: Set[str]) -> None:
        """A write without an answer was found done: by the job, or by a person who did the same.

        ``not_standing``: fields told to hold something else, as a person wrote it since, or as they were never written.
        """
        self.decided(direction, row, look)
        for path in {path for path, name in direction.channels if name in not_standing}:
            self._settle((look.thing, direction.source, path), look.source_values[path], look.source_seen)
        for change in row.changes:
            if change.winner == "source":
                self._settle((look.thing, direction.target, change.field), change.after, self.acts)

    def lost(self, target: str, thing: int) -> None:
        """An answer was lost: the write may be sent again."""
        self.extra[thing, target] += 1

    def at_rest(self, services: Mapping[str, Service], things: int) -> None:
        """After quiet rounds both sides hold the same things, and each once."""
        for thing in range(things):
            held = {}
            for system in SYSTEMS:
                found = [item for item in services[system].records.values() if item.thing == thing and not item.deleted]
                if len(found) > 1:
                    raise Violation(f"duplicate: thing {thing} is {len(found)} records of {system}")
                held[system] = found[0] if found else None
            first, second = (held[system] for system in SYSTEMS)
            if (first is None) != (second is None):
                raise Violation(f"on one side only: thing {thing}, {held}, pending {self._open(thing)}")
            if first is not None and second is not None:
                self._agree(first, second)
                self._carried(first, second)

    def _agree(self, first: Held, second: Held) -> None:
        forward, backward = (self.both[system] for system in SYSTEMS)
        there, back = forward.mapped(first.values), backward.mapped(second.values)
        for path, name in forward.channels:
            if (name, path) not in backward.channels:
                continue
            unclear = first.values[path] is None and name not in forward.rules.clearing
            unclear |= second.values[name] is None and path not in backward.rules.clearing
            same = _alike(forward.target, name, there[name], second.values[name])
            same |= _alike(backward.target, path, back[path], first.values[path])
            if not (same or unclear):
                raise Violation(f"sides differ in {path}: {first.values[path]!r}, {name} {second.values[name]!r}")

    def _carried(self, first: Held, second: Held) -> None:
        """What one job alone carries has arrived, or was told to have lost."""
        for held in (first, second):
            system = held.system
            for path, name in self.both[system].channels:
                place = (held.thing, system, path)
                lasting = held.values[path] is not None or name in self.both[system].rules.clearing
                if place in self.pending and lasting and path not in self.both[OTHER[system]].rules.kinds:
                    raise Violation(f"not carried: {path} {held.values[path]!r} of {system}")

    def _open(self, thing: int) -> list[Place]:
        return [place for place in self.pending if place[0] == thing]

    def _overwrote(self, direction: Direction, row: PlanRow, look: Look, name: str) -> None:
        before = None if look.target_values is None else look.target_values[name]
        told = [change for change in row.changes if change.field == name and change.before == before]
        if row.rule not in DECLARED or not told:
            raise Violation(f"silent loss of {name}: {before!r} in {direction.target}: {row.rule}, {row.changes}")
        self.told["conflicts"] += 1
        if row.rule is Rule.CONFLICT_OVERWRITTEN:
            self._right_winner(direction, row, look, name, source_wins=True)

    def _right_winner(self, direction: Direction, row: PlanRow, look: Look, name: str, *, source_wins: bool) -> None:
        """Policy or the services' own clocks must agree with who won a field that people edited on both sides."""
        paths = [path for path, attribute in direction.channels if attribute == name]
        rivals = [self.pending.get((look.thing, direction.source, path), look.source_seen + 1) for path in paths]
        rival = self.pending.get((look.thing, direction.target, name), look.target_seen + 1)
        if not any(seen <= look.source_seen for seen in rivals) or rival > look.target_seen:
            return
        if not look.times_are_known:
            return
        if self.policy is not None and name in {"title", "subject"}:
            if source_wins is not (direction.source == self.policy):
                raise Violation(f"policy not kept: {self.policy}, {row}")
            return
        source, target = look.source_touched, look.target_touched
        assert source is not None and target is not None
        earlier, later = target.replace(microsecond=0), source.replace(microsecond=0)
        source_is_right = later > earlier if later != earlier else direction.source < direction.target
        if source_is_right is not source_wins:
            raise Violation(f"wrong winner of {name}: {direction.source} {source}, target {target}: {row}")

    def _deleted(self, target: str, look: Look, row: PlanRow) -> None:
        for place in self._open(look.thing):
            _, system, name = place
            if system == target and self.pending[place] <= look.target_seen:
                raise Violation(f"deleted with an edit of {name}: {row}")
        self.known = {record for record in self.known if record[0] != look.thing}
        for place in [*self.agreed, *self.pending]:
            if place[0] == look.thing:
                self.agreed.pop(place, None)
                self.pending.pop(place, None)

    def _settle(self, place: Place, value: Any, seen: int) -> None:
        self.agreed[place] = _normal(*place[1:], value)
        if self.pending.get(place, 0) <= seen or self.latest.get(place) == self.agreed[place]:
            self.pending.pop(place, None)


def _normal(system: str, name: str, value: Any) -> Any:
    return normalise(value, SPECS[system].fields[name].kind)


def _alike(system: str, name: str, one: Any, other: Any) -> bool:
    return bool(_normal(system, name, one) == _normal(system, name, other))
