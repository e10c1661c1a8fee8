"""A case that is being played in a lane: work of people, a run that is struck, the end, the verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import psutil

from cshub.operators.steps import APPROVE, DIFF, EXTRACT, LOAD, MAP
from tests.campaigns.airflow_lanes import Judge, Lane, Verdict, drawn
from tests.campaigns.airflow_stage import Ground, await_gone, lives

TASKS = (EXTRACT, MAP, DIFF, APPROVE, LOAD)
LENGTH_S: Mapping[str, float] = {EXTRACT: 1.2, MAP: 0.4, DIFF: 1.5, APPROVE: 0.3, LOAD: 0.4}
"""About how long a task lives, a load goes on after a write, while the services are slow: it is struck in this time."""
WRITES_BEFORE = 2
"""Most calls that have changed something before a load is struck."""
BEGINS_WITHIN_S = 120.0


@dataclass
class Struck:
    """Runs that a trouble began, by job; those of ``cshub run`` are ledger ids. ``replanned``: a step was run again."""

    runs: list[tuple[str, str]] = field(default_factory=list)
    of_commands: list[str] = field(default_factory=list)
    replanned: bool = False
    orphan: psutil.Process | None = None


@dataclass
class Scene:
    """A case that is being played: ``job`` is the one that is struck."""

    lane: Lane
    judge: Judge
    rng: Random
    job: str
    task: str
    changed: int

    @classmethod
    def set(cls, lane: Lane, seed: int, name: str, trouble: str, task: str, *, busy: int = 1) -> Scene:
        """People have worked, and the services answer slowly."""
        rng = drawn(seed, lane.place.name, name)
        job = rng.choice(lane.jobs)
        judge = Judge.of(lane, f"seed {seed}, lane {lane.place.name}, {name}: {trouble} of {job}")
        changed = lane.world.work(rng, busy=busy)
        lane.slowly()
        return cls(lane, judge, rng, job, task, changed)

    @property
    def ground(self) -> Ground:
        return self.lane.ground

    def end(self, struck: Struck, *, clean_run: bool) -> Verdict:
        """Bring every run to its end, the other direction after it, and look at the services."""
        judge = self.judge
        for job, run_id in struck.runs:
            judge.heal(job, run_id)
        if struck.orphan is not None:
            await_gone(struck.orphan)
        self.lane.at_full_speed()
        others = [other for other in self.lane.jobs if other != self.job]
        runs = [*struck.runs, *((other, self.lane.start(other)) for other in others)]
        for job, run_id in runs[len(struck.runs) :]:
            judge.heal(job, run_id)
        judge.records()
        judge.writes(self.changed)
        ids = [*struck.of_commands, *(f"{job}:{run_id}" for job, run_id in runs)]
        judge.statistics(ids, replanned=struck.replanned)
        if clean_run:
            judge.clean_run()
        return judge.verdict

    def middle(self, run_id: str) -> psutil.Process | None:
        """Wait for a moment in the middle of the task; its process, None when the task or the run has ended before."""
        instance = str(self.ground.tasks(self.job, run_id)[self.task]["id"])
        deadline = time.monotonic() + BEGINS_WITHIN_S
        while (process := self._begun(instance)) is None:
            if time.monotonic() > deadline or self.ground.rest.run_state(self.job, run_id).finished:
                return None
        if self.task == LOAD:
            self._await_writes(process, self.rng.randint(0, WRITES_BEFORE))
        time.sleep(self.rng.uniform(0.0, LENGTH_S[self.task]))
        return process if lives(process) else None

    def _await_writes(self, process: psutil.Process, count: int) -> None:
        """Wait until so many further calls have changed something, or the process has ended."""
        log = self.lane.running.sandbox.log
        wanted = sum(entry.write for entry in list(log.entries)) + count
        while lives(process) and sum(entry.write for entry in list(log.entries)) < wanted:
            time.sleep(0.02)

    def _begun(self, instance: str) -> psutil.Process | None:
        """The process of a try as soon as it is there; None when it is not within two seconds."""
        for _ in range(100):
            if process := self.ground.process_of(instance):
                return process
            time.sleep(0.02)
        return None
