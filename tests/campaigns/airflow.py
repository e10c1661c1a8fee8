"""A real Airflow that is struck in the middle of runs: tasks and components killed, runs paused, lost and repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import requests

from cshub.operators.steps import DIFF, EXTRACT, LOAD, MAP
from cshub_runtime.rest import RestError
from tests.campaigns.airflow_lanes import Lane, Place, Verdict, drawn
from tests.campaigns.airflow_outages import Outage, play_backfill, play_outage
from tests.campaigns.airflow_scenes import TASKS
from tests.campaigns.airflow_stage import Ground, Stuck, own_stage
from tests.campaigns.airflow_troubles import Case, Trouble, play
from tests.campaigns.airflow_worlds import LaneKind
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_least, exactly, told

FULL_ROUNDS = 2
LEAST_STRUCK = {True: 0.9, False: 0.5}  # share of the cases, at full size and in the everyday share
"""Lanes of each kind, and times that each outage comes."""
PROMISE = (
    "Whatever is killed, paused, removed, repeated or restarted in a real Airflow in the middle of a run, nothing is "
    "doubled or lost, nothing is written twice, and every run ends green or says what to do next."
)
_ANYWHERE = {
    **dict.fromkeys((Trouble.RUNNER_KILLED, Trouble.SUPERVISOR_KILLED), TASKS),
    Trouble.RESULT_LOST: (EXTRACT, MAP, DIFF),
}
_ONE_PLACE = (Trouble.PAUSED, Trouble.TWO_RUNS, Trouble.COMMAND_BESIDE, Trouble.CLEARED_AGAIN, Trouble.MARKED_FAILED)


@dataclass(frozen=True, slots=True)
class Plan:
    """``cases``: of each lane, in order. ``outages`` strike the lanes of ``exposed``, in one of ``tasks``.

    Lanes of ``exposed`` that have no cases suffer while the others' cases are played; else the outages come afterwards.
    ``backfills``: lanes of their own. ``clean_run_each``: after every case, and not only after the last of a lane.
    """

    cases: Mapping[Place, Sequence[Case]]
    exposed: Sequence[Place]
    outages: Sequence[Outage]
    tasks: Sequence[str] = TASKS
    backfills: Sequence[Place] = ()
    clean_run_each: bool = True

    @property
    def places(self) -> list[Place]:
        return list(dict.fromkeys((*self.cases, *self.exposed, *self.backfills)))

    @property
    def at_once(self) -> bool:
        return not set(self.exposed) & set(self.cases)

    @property
    def total(self) -> int:
        return sum(map(len, self.cases.values())) + len(self.backfills) + len(self.outages) * len(self.exposed)

    @property
    def jobs(self) -> dict[str, Mapping[str, Any]]:
        return {name: job for place in self.places for name, job in place.jobs.items()}


def share(seed: int) -> Plan:
    """Some troubles of one run, in a one-way and a two-way lane, while the database goes away.

    A killed scheduler is left to the whole campaign: its tasks are missed only after most of a minute.
    """
    lost = Case(Trouble.RESULT_LOST, drawn(seed, "share").choice((EXTRACT, MAP, DIFF)), 2)
    killed = Case(Trouble.RUNNER_KILLED, LOAD, 1)
    cases = {
        _place(LaneKind.MEETINGS, seed, 1): (killed, lost),
        _place(LaneKind.TOUCHPOINTS, seed, 2): (killed,),
    }
    exposed = [_place(LaneKind.MEETINGS, seed, 3)]
    return Plan(cases, exposed, (Outage.DATABASE_STOPPED,), tasks=(EXTRACT, MAP, DIFF), clean_run_each=False)


def full(seed: int) -> Plan:
    """Every trouble in every task that it can strike, in lanes of each kind, each in an order of its own."""
    numbers = range(1, FULL_ROUNDS + 1)
    places = [_place(kind, seed, number) for kind in LaneKind for number in numbers]
    backfills = [_place(kind, seed, number, scheduled=True) for kind in LaneKind for number in numbers]
    cases = {place: _all_cases(place, seed) for place in places}
    return Plan(cases, places, list(Outage) * FULL_ROUNDS, backfills=backfills)


def _place(kind: LaneKind, seed: int, number: int, *, scheduled: bool = False) -> Place:
    name = f"campaign_{'backfilled_' if scheduled else ''}{kind}_{number}"
    return Place(name, kind, seed % 10_000 + number, scheduled)


def _all_cases(place: Place, seed: int) -> list[Case]:
    rng = drawn(seed, place.name)
    drafts = [(trouble, task) for trouble, tasks in _ANYWHERE.items() for task in tasks]
    drafts += [(trouble, rng.choice((EXTRACT, DIFF, LOAD))) for trouble in _ONE_PLACE]
    rng.shuffle(drafts)
    return [Case(trouble, task, number) for number, (trouble, task) in enumerate(drafts, 1)]


@dataclass
class Tally:
    """Verdicts of all lanes so far."""

    asked: Asked
    total: int
    verdicts: list[Verdict] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def add(self, *verdicts: Verdict) -> None:
        with self.lock:
            self.verdicts += verdicts
            self.asked.progress(len(self.verdicts), self.total)

    def sum_of(self, name: str) -> int:
        return sum(getattr(verdict, name) for verdict in self.verdicts)

    @property
    def stories(self) -> list[str]:
        return ["\n".join([verdict.told, *verdict.faults]) for verdict in self.verdicts if not verdict.holds]


def run(asked: Asked) -> Outcome:
    plan = full(asked.seed) if asked.is_full else share(asked.seed)
    with own_stage(plan.jobs) as stage:
        return run_on(Ground(stage), plan, asked)


def run_on(ground: Ground, plan: Plan, asked: Asked) -> Outcome:
    """The cases of a plan on an Airflow that has its jobs."""
    tally = Tally(asked, plan.total)
    with ExitStack() as stack:
        lanes = {place: stack.enter_context(Lane.opened(place, ground)) for place in plan.places}
        with ThreadPoolExecutor(len(lanes)) as pool:
            in_step = dict(zip(lanes, pool.map(lambda lane: _bring_in_step(lane, tally), lanes.values()), strict=True))
            exposed = [lanes[place] for place in plan.exposed if in_step[place]]
            outages = [pool.submit(_play_outages, exposed, plan, tally)] if plan.at_once else []
            cases = [place for place in plan.cases if in_step[place]]
            standing = [lane for lane in pool.map(lambda place: _play_cases(lanes[place], plan, tally), cases) if lane]
            list(pool.map(lambda place: _play_backfill(lanes[place], tally), plan.backfills))
            for outage in outages:
                outage.result()
        if not plan.at_once:
            _play_outages(standing, plan, tally)
        telling = ground.telling(secret for lane in lanes.values() for secret in lane.secrets())
    return Outcome(
        _figures(tally, telling), [*tally.stories, *(f"a secret can be read in {place}" for place in telling)]
    )


def _bring_in_step(lane: Lane, tally: Tally) -> bool:
    """Whether the lane is fit for cases. One with a schedule is left as it was born."""
    return lane.place.scheduled or _whole(f"{lane.place.name}, first syncs", tally, lambda: lane.bring_in_step())


def _play_cases(lane: Lane, plan: Plan, tally: Tally) -> Lane | None:
    """All cases of a lane, which comes back when it is fit for more."""
    cases = plan.cases[lane.place]
    for case in cases:
        clean_run = plan.clean_run_each or case is cases[-1]

        def played(case: Case = case, clean_run: bool = clean_run) -> None:
            tally.add(play(lane, case, tally.asked.seed, clean_run=clean_run))

        if not _whole(f"{lane.place.name}, {case}", tally, played):
            return None
    return lane


def _play_outages(lanes: Sequence[Lane], plan: Plan, tally: Tally) -> None:
    for number, outage in enumerate(plan.outages if lanes else (), 1):
        clean_run = plan.clean_run_each or number == len(plan.outages)

        def played(number: int = number, outage: Outage = outage, clean_run: bool = clean_run) -> None:
            tally.add(*play_outage(lanes, outage, plan.tasks, tally.asked.seed, number, clean_run=clean_run))

        if not _whole(f"outage {number}, {outage}", tally, played):
            return


def _play_backfill(lane: Lane, tally: Tally) -> None:
    _whole(f"{lane.place.name}, backfill", tally, lambda: tally.add(play_backfill(lane, tally.asked.seed)))


def _whole(told_of: str, tally: Tally, played: Callable[[], object]) -> bool:
    """Whether something was played to its end; what broke it off is told as a run that is stuck."""
    try:
        played()
    except (AssertionError, Stuck, RestError, requests.RequestException) as error:
        verdict = Verdict(f"seed {tally.asked.seed}, {told_of}")
        verdict.note("stuck", 1, f"{type(error).__name__}: {error}")
        tally.add(verdict)
        return False
    return True


def _figures(tally: Tally, telling: Sequence[str]) -> list[Figure]:
    struck = sum(verdict.struck for verdict in tally.verdicts)
    return [
        told("cases", len(tally.verdicts)),
        at_least("share of them struck in time", struck / len(tally.verdicts), LEAST_STRUCK[tally.asked.is_full]),
        exactly("records doubled", tally.sum_of("doubled")),
        exactly("records lost", tally.sum_of("lost")),
        exactly("writes beyond what people changed", tally.sum_of("extra")),
        exactly("writes of clean runs afterwards", tally.sum_of("clean_run_wrote")),
        exactly("runs stuck", tally.sum_of("stuck")),
        exactly("runs red without a next step", tally.sum_of("red_without_next_step")),
        exactly("statistics that are not true", tally.sum_of("untruthful")),
        exactly("places where a secret can be read", len(telling)),
    ]


CAMPAIGN = Campaign("airflow", "Real Airflow", PROMISE, run)
