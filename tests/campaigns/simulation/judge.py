"""What must hold in the end, told by the book of both services alone; and what must hold of each single write."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cshub.core.planning import Rule
from cshub.core.records import Operation
from cshub.core.stats import RunStatistics
from tests.campaigns.simulation.hub import CHANNELS, Hub
from tests.campaigns.simulation.services import CRM, DESK, OTHER, SYSTEMS, Done, Held, Trouble

WRITES = {Operation.CREATE: "created", Operation.UPDATE: "updated", Operation.DELETE: "deleted"}


class Violation(AssertionError):
    """A promise that was not kept."""


@dataclass
class Judge:
    """``unsure``: matters that a person touched while a run was at work: no service offers a conditional write."""

    hub: Hub
    unsure: set[int] = field(default_factory=set)
    judged: int = 0

    def writes(self) -> None:
        """Judge what the hub has written since the last time."""
        book = self.hub.book
        for number in range(self.judged, len(book)):
            if not book[number].person:
                self._write(book, number)
        self.judged = len(book)

    def numbers(self, run_id: str, statistics: RunStatistics, system: str, *, disturbed: bool = False) -> None:
        """What a run that came to its end says of itself is what it did last to each record.

        ``disturbed``: it was broken off, or gone through once more from the start. Then it says no more than that: a
        write without an answer that a person has undone since cannot be told from one that never happened, nor a
        deletion that a person has done instead from one's own, and what a second pass does not read any more it does
        not count. Where a service hides records, a write without an answer may have happened though its record was left
        to a later run.
        """
        done = {item.thing: item for item in self.hub.book if item.run_id == run_id}
        if any(item.system != system for item in done.values()):
            raise Violation(f"written to the wrong side: {list(done.values())}")
        counts = Counter(WRITES[item.operation] for item in done.values())
        told = {name: getattr(statistics, name) for name in WRITES.values()}
        if disturbed:
            acts = [item for item in self.hub.book if item.system == system and item.operation is Operation.DELETE]
            counts["deleted"] += len({item.thing for item in acts if item.person} - done.keys())
        hides = Trouble.HIDDEN in self.hub.faults.kinds
        untold = sum(max(0, counts[name] - told[name]) for name in told)
        unsure = disturbed or (hides and untold <= statistics.skipped.get(Rule.MOVED_SINCE_PLAN.value, 0))
        if any(told[name] > counts[name] for name in told) or (untold and not unsure):
            raise Violation(f"statistics differ: {run_id} told {told}, done {dict(counts)}")

    def at_rest(self) -> None:
        """Both sides hold the same, each matter once, nothing that a person wrote last is lost."""
        self.writes()
        for system in SYSTEMS:
            twice = [thing for thing, n in Counter(h.thing for h in self.hub.services[system].alive()).items() if n > 1]
            if twice:
                raise Violation(f"duplicate: #{twice[0]} is there twice in {system}")
        for thing in {item.thing for item in self.hub.book}:
            self._matter(thing)
        if self.hub.ledger.state.intents:
            raise Violation("open write: an intent was never settled")

    def _matter(self, thing: int) -> None:
        held = {system: self.hub.services[system].of(thing) for system in SYSTEMS}
        acts = [item for item in self.hub.book if item.thing == thing and item.person]
        crm, desk = held[CRM], held[DESK]
        if crm is not None and desk is not None:
            self._alike(thing, crm, desk, acts)
        elif self.hub.two_way or acts[0].system == CRM:
            self._one_sided(thing, held, acts)
        mine = [item for item in self.hub.book if item.thing == thing and not item.person]
        told = {(item.system, item.run_id, item.operation, str(item.values)) for item in mine}
        for system, count in Counter(system for system, *_ in told).items():
            if count > len(acts):
                raise Violation(f"ping-pong: #{thing} was written {count} times in {system} for {len(acts)} acts")

    def _alike(self, thing: int, crm: Held, desk: Held, acts: list[Done]) -> None:
        """Where one was deleted, what was written before may be what came back."""
        gone = any(act.operation is Operation.DELETE for act in acts)
        for one, other in CHANNELS:
            if crm.values[one] != desk.values[other]:
                raise Violation(f"sides differ: #{thing} holds {crm.values[one]!r} and {desk.values[other]!r} as {one}")
            names = {CRM: one, DESK: other}
            wrote = {
                act.system: act.values[names[act.system]] for act in acts if names[act.system] in act.values
            }  # the last of each side
            if thing not in self.unsure and not gone and crm.values[one] not in wrote.values():
                raise Violation(f"lost edit: #{thing} holds {crm.values[one]!r} as {one}, people wrote {wrote} last")

    def _one_sided(self, thing: int, held: dict[str, Held | None], acts: list[Done]) -> None:
        gone = [item for item in acts if item.operation is Operation.DELETE]
        alive = next((system for system, item in held.items() if item is not None), None)
        if alive is None:
            if not gone:
                raise Violation(f"lost: #{thing} is gone from both sides, and nobody deleted it")
            return
        if not self.hub.two_way and gone:
            return
        raise Violation(f"lost: #{thing} is in {alive} only")

    def _write(self, book: list[Done], number: int) -> None:
        write = book[number]
        if write.operation is not Operation.DELETE:
            return
        before = [item for item in book[:number] if item.thing == write.thing and item.system == OTHER[write.system]]
        if not any(item.person and item.operation is Operation.DELETE for item in before):
            raise Violation(f"deletion without cause: #{write.thing} in {write.system}, nobody deleted its counterpart")
        if self.hub.services[OTHER[write.system]].of(write.thing) is not None:
            raise Violation(f"deletion without cause: #{write.thing} in {write.system}, its counterpart is there")


def told(done: Done) -> str:
    """One line of a story."""
    who = "a person" if done.person else "the hub"
    what: dict[str, Any] = dict(done.values)
    return f"{done.at:%d. %H:%M:%S.%f} {who} {done.operation}s {done.key} (#{done.thing}) in {done.system} {what or ''}"
