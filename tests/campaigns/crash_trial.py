"""One death: a process of the hub is killed at a boundary, a new one resumes, clean runs follow; what came of it."""

from __future__ import annotations

import os
import shutil
import traceback
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL

from cshub.core.records import Outcome
from cshub.core.stats import RunStatistics
from cshub.pipeline.run import known_pair
from tests.campaigns.crash_process import Attempt, Services
from tests.campaigns.crash_stages import LEDGER, Stage, Story
from tests.campaigns.crash_trigger import ledger_at
from tests.faults.two_way_stage import sent_rows
from tests.pipeline.lab import Lab

TRIES = 4
RETRIED_AFTER = timedelta(minutes=1)
FIRST, SECOND = "first", "second"
SHOWN = 6
WRITTEN = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process dies: boundary ``number`` of a clean run, called ``place``. None: nowhere, a clean run."""

    stage: str
    story: Story = Story.PLAIN
    number: int | None = None
    place: str = ""
    postgresql: bool = False

    def __str__(self) -> str:
        database = "PostgreSQL" if self.postgresql else "SQLite"
        return f"{self.stage}, killed {self.place or 'nowhere'} (boundary {self.number}), {self.story}, on {database}"


@dataclass
class Findings:
    """What a trial came to. Each line of ``told`` is something that must not be.

    ``sent``: rows written in all, by service and method; ``places``: boundaries that an undisturbed run passed.
    """

    point: Point
    doubled: int = 0
    lost: int = 0
    open_intents: int = 0
    wrong_statistics: int = 0
    unfinished: int = 0
    late_writes: int = 0
    astray: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    places: tuple[str, ...] = ()
    told: list[str] = field(default_factory=list)


@dataclass
class _Trial:
    stage: Stage
    findings: Findings
    services: Services = field(init=False)
    numbers: list[RunStatistics] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)
    before: Counter[str] = field(default_factory=Counter)
    settled_at: int = 0  # calls that the services had been sent when the second clean round began

    def __post_init__(self) -> None:
        self.services = Services(self.stage.lab, self.stage.trigger, self._begins)
        self.before = sent_rows(self.lab)

    @property
    def lab(self) -> Lab:
        return self.stage.lab

    def live(self) -> None:
        point, stage = self.findings.point, self.stage
        if point.story is Story.LOST_ANSWERS:
            assert stage.lost is not None
            self.lab.fault(**stage.lost)
        killed = Attempt(stage.job, "the-run")
        if point.number is None:
            self.findings.places = self.services.process([killed]).places
        else:
            self._die(killed, point.number)
        if point.story is Story.PARTNER_FIRST:
            self._follow_partner()
        self._insist([killed, *self._round(FIRST), *self._round(SECOND)])
        late = [entry for entry in self.lab.sandbox.log.entries[self.settled_at :] if entry.write]
        self.findings.late_writes = len(late)
        for entry in late[:SHOWN]:
            self._tell(f"the second clean run sent {entry.service} {entry.method} {entry.path}")
        self._judge_numbers()
        self._judge_ledger()

    def _die(self, attempt: Attempt, number: int) -> None:
        ending = self.services.process([attempt], number)
        place = self.findings.point.place
        if ending.signal != SIGKILL or ending.died_at != place:
            self.findings.astray = 1
            self._tell(f"the process should have died {place}; it ended {ending.died_at or ending.failed or 'well'}")
        if not place.startswith("during"):  # a call that was under way goes on beside the retry
            self.services.advance(RETRIED_AFTER)

    def _follow_partner(self) -> None:
        assert self.stage.back is not None
        self.services.advance(timedelta(minutes=3))  # until the lock of the dead process has run out
        self._insist([Attempt(self.stage.back, "the-other-direction")])
        self.services.advance(timedelta(minutes=2))

    def _insist(self, attempts: Sequence[Attempt]) -> None:
        """Go on with runs as Airflow's retries do, each try in a new process."""
        ending, tries = self.services.process(attempts), 1
        while ending.is_hub_error and tries < TRIES:
            self.services.advance(timedelta(minutes=2))
            ending, tries = self.services.process(attempts), tries + 1
        for attempt in attempts:
            if attempt.is_done:
                self.numbers.append(attempt.statistics)
            else:
                self.findings.unfinished += 1
                self._tell(f"the run {attempt.run_id} was not finished: {ending.failed or ending}")

    def _round(self, name: str) -> list[Attempt]:
        """A clean run of this job, and of the other direction before it."""
        jobs = [self.stage.job] if self.stage.back is None else [self.stage.back, self.stage.job]
        return [Attempt(job, f"{name}-{job.id}", after=timedelta(minutes=10)) for job in jobs]

    def _begins(self, run_id: str) -> None:
        if run_id not in self.run_ids:
            self.run_ids.append(run_id)
        if run_id.startswith(FIRST):
            self.lab.sandbox.faults.clear()
        elif run_id.startswith(SECOND) and not self.settled_at:
            self.settled_at = len(self.lab.sandbox.log.entries)
            self.findings.sent = sent_rows(self.lab) - self.before
            self._judge_services()

    def _judge_services(self) -> None:
        """Hold each service against what people made of it."""
        for name, held, wanted in self.stage.judge(self.lab):
            beyond, missing = held - wanted, wanted - held
            self.findings.doubled += beyond.total()
            self.findings.lost += missing.total()
            for row in list(beyond.elements())[:SHOWN]:
                self._tell(f"{name} holds and should not: {row}")
            for row in list(missing.elements())[:SHOWN]:
                self._tell(f"{name} should hold and does not: {row}")

    def _judge_numbers(self) -> None:
        """Every run's numbers add up and are green; together they say what the services were really sent."""
        wrong = [numbers for numbers in self.numbers if not _adds_up(numbers) or numbers.failed]
        for numbers in wrong:
            self._tell(f"numbers that do not add up: {numbers.as_dict()}")
        writes, sent = self._told_writes(), self.findings.sent.total()
        if writes != sent and self.findings.point.story is not Story.LOST_ANSWERS:
            wrong.append(RunStatistics())
            self._tell(f"the runs told of {writes} writes, the services were sent {sent}: {dict(self.findings.sent)}")
        self.findings.wrong_statistics = len(wrong)

    def _told_writes(self) -> int:
        """How many writes the runs counted; those the other direction found done are told in its audit alone."""
        if self.findings.point.story is not Story.PARTNER_FIRST:
            return sum(numbers.writes for numbers in self.numbers)
        told = [entry for run_id in self.run_ids for entry in self.lab.ledger.decisions_of_run(run_id)]
        return sum(entry.outcome in WRITTEN for entry in told)

    def _judge_ledger(self) -> None:
        pair = known_pair(self.stage.job, self.lab.ledger)
        assert pair is not None
        left = self.lab.ledger.open_intents(pair)
        self.findings.open_intents = len(left)
        for intent in left[:SHOWN]:
            self._tell(f"the write of {intent.source_key} ({intent.operation}) is still open in the ledger")

    def _tell(self, line: str) -> None:
        self.findings.told.append(line)


def _adds_up(numbers: RunStatistics) -> bool:
    told = numbers.as_dict()
    settled = ("created", "updated", "deleted", "unchanged", "parked", "failed", "conflicts_kept")
    handled = sum(told[name] for name in settled) + sum(told["skipped"].values())
    return bool(told["read"] == told["mapped"] + told["rejected"] and told["mapped"] == handled)


def try_point(stage: Stage, point: Point, folder: Path, ledger_url: str | None = None) -> Findings:
    """Live through one point in a copy of the stage, below ``folder``. The services live in this process."""
    findings = Findings(point)
    here = Path.cwd()
    folder.mkdir(parents=True)
    os.chdir(folder)
    ledger = stage.lab.ledger if ledger_url is None else ledger_at(ledger_url, stage.trigger)
    try:
        if ledger_url is None:
            shutil.copy(stage.folder / LEDGER, LEDGER)
        copied = replace(stage.lab, sandbox=deepcopy(stage.lab.sandbox), ledger=ledger)
        _Trial(replace(stage, lab=copied), findings).live()
    except Exception:
        findings.unfinished += 1
        findings.told.append(traceback.format_exc())
    finally:
        ledger.close()
        os.chdir(here)
        shutil.rmtree(folder, ignore_errors=True)
    return findings
