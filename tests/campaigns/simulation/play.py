"""A history carried out step by step, judged, and told so that one can follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from cshub.core.errors import HubError
from cshub.core.records import Link
from cshub.core.values import iso_ms
from cshub.pipeline.run import Asked
from tests.campaigns.simulation.deeds import DEEDS, INSISTING
from tests.campaigns.simulation.history import SKEWS_S, History, Step
from tests.campaigns.simulation.hub import Course, Hub, fields_of
from tests.campaigns.simulation.judge import Judge, Violation, told
from tests.campaigns.simulation.memory_ledger import State
from tests.campaigns.simulation.services import CRM, DESK, LATE_ACCOUNT, OTHER, SYSTEMS, Held
from tests.pipeline.crashes import Crash

QUIET_ROUNDS = 4


@dataclass
class Play:
    """One history, carried out. ``log`` is kept only when ``telling``."""

    history: History
    telling: bool = False
    log: list[str] = field(default_factory=list)
    broken: Course | None = None
    things: int = 0
    pasts: list[tuple[State, int]] = field(default_factory=list)  # what the ledger held, and how long the book was

    def __post_init__(self) -> None:
        history = self.history
        self.hub = Hub(Random(history.seed), history.two_way, history.keeps_external_ids)
        for system, skew in zip(SYSTEMS, history.skews, strict=True):
            self.hub.services[system].skew = timedelta(seconds=skew)
        self.judge = Judge(self.hub)

    def play(self) -> None:
        """All steps, then rest. Raises :class:`Violation`."""
        for step in self.history.steps:
            self.pasts.append((self.hub.ledger.state.snapshot(), len(self.hub.book)))
            self.tell(f"-- {step.does} {step.system} {step.number} {', '.join(step.troubles)}")
            DEEDS[step.does](self, step)
            self.judge.writes()
            self.hub.clock.sleep(step.pause_s)
        self._rest()
        self.judge.at_rest()
        if self.history.goes_on:
            self._epilogue()

    def story(self) -> str:
        """The history as a text that a person can follow."""
        history = self.history
        kind = "two-way" if history.two_way else "one-way"
        head = (
            f"seed {history.seed}: {kind}, clocks wrong by {history.skews} s, external ids {history.keeps_external_ids}"
        )
        legend = "--: a step, its side, and the number by which it chose a record, a boundary or a jump; #: a matter"
        return "\n".join([head, legend, *self.log])

    def _rest(self) -> None:
        hub = self.hub
        hub.faults.left = 0
        hub.fuse.renew()
        hub.clock.skew = timedelta()
        for service in hub.services.values():
            service.accounts.add(LATE_ACCOUNT)
            service.delay = timedelta()
        hub.clock.sleep(3600)
        self._finish_broken()
        for number in range(QUIET_ROUNDS):
            if self._quiet_round(full=self.history.full) == 0:
                break
            if number == QUIET_ROUNDS - 1:
                raise Violation(f"no rest: something was written in each of {QUIET_ROUNDS} quiet rounds")

    def _quiet_round(self, *, full: bool) -> int:
        """Both jobs once; how many records were written."""
        writes = 0
        for source in self._sources():
            self.hub.clock.sleep(1200)
            self.tell(f"-- quiet run from {source}")
            since = len(self.hub.book)
            course = self.hub.course(source, asked=Asked(full_sync=full))
            loaded = course.go_on()
            self.judge.numbers(course.run_id, loaded.statistics, OTHER[source])
            if not loaded.statistics.is_green:
                raise Violation("not green: an undisturbed run is red")
            writes += len(self.hub.book) - since
            self.tell_book(since)
        return writes

    def _epilogue(self) -> None:
        """After any history an edit is carried over by one write, and a deletion by one."""
        hub = self.hub
        both = [held for held in hub.services[CRM].alive() if hub.services[DESK].of(held.thing) is not None]
        if not both:
            return
        sides = SYSTEMS if self.history.two_way else (CRM,)
        system = hub.random.choice(sides)
        edited = hub.services[system].of(hub.random.choice(both).thing)
        assert edited is not None
        self.tell("-- after all: an edit, a conflict and a deletion, each carried over once")
        self.edit(system, edited, "after all")
        self._exactly_one(edited.thing, "an edit")
        self.judge.at_rest()
        if self.history.two_way:
            self._conflict(edited.thing)
            hub.services[system].delete(edited)
            self.tell_book(len(hub.book) - 1)
            self._exactly_one(edited.thing, "a deletion")
            if hub.services[OTHER[system]].of(edited.thing) is not None:
                raise Violation(f"resurrection: #{edited.thing} was deleted in {system} and is still on the other side")

    def _conflict(self, thing: int) -> None:
        """Both sides edit the same; the later edit wins, by the services' own clocks."""
        first, last = self.hub.random.sample(SYSTEMS, 2)
        for system in (first, last):
            held = self.hub.services[system].of(thing)
            assert held is not None
            name = fields_of(system)[0]
            self.hub.services[system].change(held, {name: f"Of {system}"})
            self.tell_book(len(self.hub.book) - 1)
            self.hub.clock.sleep(2 * max(SKEWS_S) + 1)
        self._exactly_one(thing, "a conflict")
        held = self.hub.services[first].of(thing)
        assert held is not None
        if held.values[fields_of(first)[0]] != f"Of {last}":
            raise Violation(f"earlier edit won: #{thing} was edited in {first}, then in {last}")

    def _exactly_one(self, thing: int, what: str) -> None:
        writes = self._quiet_round(full=False) + self._quiet_round(full=False)
        if writes != 1:
            raise Violation(f"echo: {what} of #{thing} led to {writes} writes")

    def _finish_broken(self) -> None:
        if self.broken is None:
            return
        for _ in range(INSISTING):
            course, self.broken = self.broken, None
            self.carry_out(course)
            if self.broken is None:
                return
            self.hub.clock.sleep(300)
        raise Violation("stuck: a run that was broken off does not come to an end undisturbed")

    def _sources(self) -> tuple[str, ...]:
        return SYSTEMS if self.history.two_way else (CRM,)

    def source_of(self, step: Step) -> str:
        return step.system if self.history.two_way else CRM

    def carry_out(self, course: Course, *, do: Callable[[], object] | None = None) -> bool:
        """Whether the run came to its end; otherwise it is what is gone on with."""
        since = len(self.hub.book)
        try:
            (do or course.go_on)()
        except (HubError, Crash) as error:
            self.tell(f"   broken off: {type(error).__name__}: {error}")
            self.broken, course.disturbed = course, True
            return False
        finally:
            self.hub.fuse.renew()
            self.tell_book(since)
        if course.loaded is not None:
            facts = course.loaded.statistics, OTHER[course.source]
            self.judge.numbers(course.run_id, *facts, disturbed=course.disturbed)
        return True

    def tell(self, text: str) -> None:
        if self.telling:
            self.log.append(text)

    def tell_book(self, since: int) -> None:
        if self.telling:
            self.log += [f"   {told(item)}" for item in self.hub.book[since:]]

    def new_text(self, system: str) -> dict[str, Any]:
        self.things += 1
        first, second, status, date = fields_of(system)
        when = self.hub.clock.at - timedelta(hours=self.hub.random.randrange(48), minutes=15 * self.things)
        return {
            first: f"Title {self.things}",
            second: f"Text {self.things}",
            status: "open",
            date: iso_ms(when),
        }

    def edit(self, system: str, held: Held, text: str) -> None:
        name = self.hub.random.choice(fields_of(system)[:3])
        since = len(self.hub.book)
        self.hub.services[system].change(held, {name: f"{text} {len(self.hub.book)}"})
        self.tell_book(since)

    def tell_apart(self, link: Link) -> bool:
        """What the rebuild could not decide a person does: two records that belong together get one title."""
        records = {**self.hub.services[CRM].records, **self.hub.services[DESK].records}
        found = records.get(link.source.key or "")
        both = [self.hub.services[system].of(found.thing) for system in SYSTEMS] if found else []
        alive = [held for held in both if held is not None]
        if len(alive) < len(SYSTEMS):
            return False
        self.things += 1
        for system, held in zip(SYSTEMS, alive, strict=True):
            self.hub.services[system].change(held, {fields_of(system)[0]: f"Told apart {self.things}"})
        self.tell_book(len(self.hub.book) - len(SYSTEMS))
        return True

    def any_of(self, system: str, number: int) -> Held | None:
        alive = self.hub.services[system].alive()
        if not self.history.two_way and system == DESK:
            alive = [held for held in alive if not held.by_hub]
        return alive[number % len(alive)] if alive else None
