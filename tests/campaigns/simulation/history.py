"""Histories as values: what people do and what befalls the hub, made from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from tests.campaigns.simulation.services import SYSTEMS, Trouble

STEPS = 40
PAUSES_S = (90.0, 300.0, 3600.0, 6 * 3600.0)
SKEWS_S = (0.0, 0.0, 0.3, -0.6, 1.5, 600.0, -600.0)


class Does(StrEnum):
    """What one step is."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
    RUN = "run"
    RUN_FULL = "run full"
    RETRY = "retry"
    BACKFILL = "backfill"
    NAMED = "run named"
    CRASH = "crash"
    EDIT_DURING = "edit during"  # a person edits while a run is at work
    ZOMBIE = "zombie"  # a process stands still, its retry does the work, then it wakes up
    INTERLEAVED = "interleaved"  # the other job runs between plan and load
    TWICE = "twice"  # two runs of one job at once
    OVERTAKEN = "overtaken"  # while a run is at work, a record is deleted, which another run of the job reads
    GO_ON = "go on"  # the task that was broken off is repeated
    TROUBLE = "trouble"
    ACCOUNT = "account"  # an account arrives on the other side
    LATE = "late"  # changes become visible minutes after their own timestamps
    CLOCK = "clock"  # the hub's own clock jumps
    RESTORE = "restore"  # the ledger becomes what it was some time ago, and is rebuilt before the next run


WEIGHTS: Mapping[Does, float] = {
    Does.CREATE: 8,
    Does.EDIT: 28,
    Does.DELETE: 5,
    Does.RUN: 5,
    Does.RUN_FULL: 1,
    Does.RETRY: 1,
    Does.BACKFILL: 1,
    Does.NAMED: 1,
    Does.CRASH: 4,
    Does.EDIT_DURING: 2,
    Does.ZOMBIE: 1,
    Does.INTERLEAVED: 2,
    Does.TWICE: 1,
    Does.GO_ON: 2,
    Does.TROUBLE: 4,
    Does.ACCOUNT: 1,
    Does.LATE: 1,
    Does.CLOCK: 1,
    Does.OVERTAKEN: 1,
    Does.RESTORE: 0.4,
}


@dataclass(frozen=True, slots=True)
class Step:
    """``number`` chooses among what there is: a record, a boundary, a jump. ``pause_s`` follows the step."""

    does: Does
    system: str
    number: int = 0
    pause_s: float = 90.0
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """``skews``: seconds by which the clocks of both services are wrong."""

    seed: int
    steps: tuple[Step, ...]
    two_way: bool = True
    keeps_external_ids: bool = True
    skews: tuple[float, float] = (0.0, 0.0)
    full: bool = True  # whether the quiet rounds at the end are full syncs
    goes_on: bool = True  # whether one more edit and one more deletion follow, each of which is carried over once


def history_of(seed: int) -> History:
    random = Random(seed)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    steps = []
    for does in random.choices(names, weights, k=STEPS):
        troubles = tuple(random.sample(list(Trouble), random.randint(1, 3))) if does is Does.TROUBLE else ()
        steps.append(Step(does, random.choice(SYSTEMS), random.randrange(1_000), random.choice(PAUSES_S), troubles))
    return History(
        seed,
        tuple(steps),
        two_way=random.random() < 0.8,
        keeps_external_ids=random.random() < 0.5,
        skews=(random.choice(SKEWS_S), random.choice(SKEWS_S)),
        full=random.random() < 0.5,
        goes_on=random.random() < 0.1,
    )


def smaller(history: History) -> Iterator[History]:
    count = len(history.steps)
    for size in (16, 8, 4, 2, 1):
        for start in range(0, count, size):
            if size <= count:
                yield replace(history, steps=history.steps[:start] + history.steps[start + size :])
    yield from (replace(history, skews=skews) for skews in [(0.0, 0.0)] if skews != history.skews)
