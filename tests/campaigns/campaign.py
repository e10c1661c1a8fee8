"""What a campaign is: a name, what it promises, and a function that measures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SHARE_SEED = 20_261_120


class Size(StrEnum):
    """How much of a campaign is run."""

    SHARE = "share"  # what fits in the everyday tests
    FULL = "full"  # what the published figures are made of


class Bound(StrEnum):
    """How a measured number is held against the wanted one."""

    EXACTLY = "exactly"
    AT_MOST = "at most"
    AT_LEAST = "at least"
    TOLD = "told"  # no promise: it says how large the campaign was


_HOLDS: dict[Bound, Callable[[float, float], bool]] = {
    Bound.EXACTLY: operator.eq,
    Bound.AT_MOST: operator.le,
    Bound.AT_LEAST: operator.ge,
    Bound.TOLD: lambda _measured, _wanted: True,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number and what it must be. ``unit`` stands behind the number: ``histories/s``."""

    name: str
    measured: float
    wanted: float = 0.0
    bound: Bound = Bound.EXACTLY
    unit: str = ""

    @property
    def holds(self) -> bool:
        return _HOLDS[self.bound](self.measured, self.wanted)


def told(name: str, measured: float, unit: str = "") -> Figure:
    return Figure(name, measured, bound=Bound.TOLD, unit=unit)


def exactly(name: str, measured: float, wanted: float = 0) -> Figure:
    return Figure(name, measured, wanted)


def at_most(name: str, measured: float, wanted: float, unit: str = "") -> Figure:
    return Figure(name, measured, wanted, Bound.AT_MOST, unit)


def at_least(name: str, measured: float, wanted: float, unit: str = "") -> Figure:
    return Figure(name, measured, wanted, Bound.AT_LEAST, unit)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``stories``: what went wrong, each a text that a person can follow and that names the seed.

    ``spent_s``: how long the cases took, where they were judged in more than one go; 0: as long as the campaign.
    """

    figures: Sequence[Figure]
    stories: Sequence[str] = ()
    spent_s: float = 0.0

    @property
    def holds(self) -> bool:
        return not self.stories and all(figure.holds for figure in self.figures)

    def explain(self) -> str:
        """The figures that do not hold, and the first stories."""
        lines = [
            f"{figure.name}: {figure.measured:g} {figure.unit}, must be {figure.bound} {figure.wanted:g}"
            for figure in self.figures
            if not figure.holds
        ]
        return "\n".join([*lines, *self.stories[:3]])


OnProgress = Callable[[int, int], None]


OnFinding = Callable[[str], None]


def unseen(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def unheard(_finding: str) -> None:
    """A finding that is told at the end only."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How a campaign is run; ``seed`` is the first seed.

    ``progress`` is told cases done and cases in all; ``finding`` is told, in a line, what is violated, as it is found,
    and where a campaign goes on that was broken off.
    """

    size: Size = Size.SHARE
    seed: int = SHARE_SEED
    progress: OnProgress = field(default=unseen, compare=False)
    finding: OnFinding = field(default=unheard, compare=False)

    @property
    def is_full(self) -> bool:
        return self.size is Size.FULL


@dataclass(frozen=True, slots=True)
class Campaign:
    """``promise``: what the figures show, in one or two sentences of plain English for the page.

    ``story``: what happens in the case of one seed, where there is a story to tell.
    """

    name: str
    title: str
    promise: str
    run: Callable[[Asked], Outcome]
    story: Callable[[int], str] | None = None
