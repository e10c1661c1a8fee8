"""Random histories of a two-way sync, each told by its seed, and the shortest form of one that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

from .two_judge import Violation
from .two_sides import Act, History, RunStep, Simulation, Step, Wait
from .two_worlds import EDITABLE, SALESFORCE, SYSTEMS, TOTANGO

_TEXTS = {
    (SALESFORCE, "status"): ("Not Started", "In Progress", "Completed"),
    (TOTANGO, "status"): ("open", "done"),
}
_DATES = {"start", "day", "when"}
_CLEARED = {"subject", "description", "title", "body"}
_WAITS = (0, 1, 400, 900, 1000, 5000, 60_000, 3_600_000, 90_000_000)
_SKEWS = (0, 0, 300, -600, 1500, 600_000, -600_000)


def history_of(seed: int) -> History:
    """The history of a seed: one or two things, and up to a dozen steps."""
    random = Random(seed)
    made = _Maker(random)
    return History(
        tuple(made.steps()),
        (random.choice(_SKEWS), random.choice(_SKEWS)),
        random.choice((None, None, None, SALESFORCE, TOTANGO)),
        random.random() < 0.5,
    )


def violation_of(history: History) -> str | None:
    """What a history violates, None when every promise is kept."""
    try:
        Simulation(history).play()
    except Violation as violation:
        return str(violation)
    return None


def story_of(history: History) -> str:
    """What happens in a history, and how it ends."""
    simulation = Simulation(history, logging=True)
    try:
        simulation.play()
    except Violation as violation:
        simulation.log.append(f"Violation: {violation}")
    return "\n".join(simulation.log)


def shortest(history: History) -> History:
    """The history without all that its violation does not need."""
    kind = _kind(violation_of(history))
    shrinking = True
    while shrinking:
        shrinking = False
        for smaller in _smaller(history):
            if _kind(violation_of(smaller)) == kind:
                history, shrinking = smaller, True
                break
    return history


def _kind(violation: str | None) -> str | None:
    return None if violation is None else violation.partition(":")[0]


def _smaller(history: History) -> Iterator[History]:
    steps = history.steps
    for position, step in enumerate(steps):
        yield replace(history, steps=steps[:position] + steps[position + 1 :])
        for simpler in _simpler(step):
            yield replace(history, steps=(*steps[:position], simpler, *steps[position + 1 :]))
    if history.skews != (0, 0):
        yield replace(history, skews=(0, 0))
    if history.policy is not None:
        yield replace(history, policy=None)
    if not history.full:
        yield replace(history, full=True)


def _simpler(step: Step) -> Iterator[Step]:
    if isinstance(step, Act):
        for name in step.values:
            if len(step.values) > 1 or step.does == "create":
                yield replace(step, values={other: value for other, value in step.values.items() if other != name})
    if isinstance(step, RunStep):
        for part in ("while_reading", "before_writing", "before_reading_back"):
            acts = getattr(step, part)
            for position in range(len(acts)):
                yield replace(step, **{part: acts[:position] + acts[position + 1 :]})
        plain: dict[str, Any] = {"full": True, "reads_back": True, "lost": 0, "between": False}
        for name, value in plain.items():
            if getattr(step, name) != value:
                yield replace(step, **{name: value})


class _Maker:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0
        self.things = 0

    def steps(self) -> Iterator[Step]:
        yield self._create()
        for _ in range(self.random.choice((4, 6, 9, 12))):
            chance = self.random.random()
            if chance < 0.45:
                yield self._act()
            elif chance < 0.6:
                yield Wait(self.random.choice(_WAITS))
            else:
                yield self._run()

    def _run(self) -> RunStep:
        random = self.random
        disturbed = random.random() < 0.3
        acts = [tuple(self._act(hasty=True) for _ in range(random.randrange(2))) if disturbed else () for _ in range(3)]
        return RunStep(
            random.choice(SYSTEMS),
            full=random.random() < 0.5,
            reads_back=random.random() < 0.7,
            lost=random.choice((1, 2)) if random.random() < 0.1 else 0,
            between=random.random() < 0.08,
            while_reading=acts[0],
            before_writing=acts[1],
            before_reading_back=acts[2],
        )

    def _act(self, *, hasty: bool = False) -> Act:
        random, chance = self.random, self.random.random()
        if chance < 0.04 and self.things < 2:
            return self._create()
        system, thing = random.choice(SYSTEMS), random.randrange(self.things)
        if chance < 0.14:
            return Act("delete", system, thing)
        if chance < 0.22 and not hasty:
            return Act("undelete", system, thing)
        if chance < 0.28:
            return Act("touch", system, thing)
        names = random.sample(EDITABLE[system], random.choice((1, 1, 1, 2)))
        return Act("edit", system, thing, {name: self._value(system, name) for name in names})

    def _create(self) -> Act:
        system = self.random.choice(SYSTEMS)
        self.things += 1
        names = [name for name in EDITABLE[system] if self.random.random() < 0.8]
        return Act("create", system, 0, {name: self._value(system, name) for name in names})

    def _value(self, system: str, name: str) -> str | None:
        random = self.random
        self.count += 1
        if (system, name) in _TEXTS:
            return random.choice(_TEXTS[system, name])
        if name in _CLEARED and random.random() < 0.08:
            return None
        if name in _DATES:
            return f"2026-11-{random.randrange(1, 29):02}"
        if random.random() < 0.15:
            return "same"
        return f"v{self.count}" + (
            " and much more" if name in {"description", "body"} and random.random() < 0.4 else ""
        )
