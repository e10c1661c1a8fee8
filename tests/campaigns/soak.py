"""A day of hourly runs of all jobs, with people at work on all sides and every fault there is."""

from __future__ import annotations

import logging
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from cshub.core.jobs import BoundJob, WindowSettings
from cshub.core.window import Window
from cshub.library import JobLibrary
from cshub_sandbox.faults import PAGE_FAULTS, FaultKind
from cshub_sandbox.kernel import LogEntry
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_most, exactly, told
from tests.campaigns.far_hub import FarHub, Jobs, Ran
from tests.campaigns.soak_judge import differences
from tests.pipeline import histories, two_histories
from tests.pipeline.crashes import Fuse
from tests.pipeline.histories import History
from tests.pipeline.lab import Lab
from tests.pipeline.two_histories import Side, TwoHistory
from tests.pipeline.two_way import KINDS, Sync

T = TypeVar("T")
Act = Callable[[T], None]
FULL_HOURS, FULL_QUIET = 24, 18
SHARE_HOURS, SHARE_QUIET = 3, 1
WARM = 0.25  # of the hours of work: from then on growth counts
MOST_GROWTH = 0.05
FAULT_SHARE = 0.01  # of all calls, for each kind
ACTS_AN_HOUR = 36
CHORUS, CAMPAIGNS = "chorus_touchpoints_inbound", "salesforce_campaign_touches_outbound"
FAULTS: Mapping[FaultKind, Mapping[str, Any]] = {
    **{kind: {} for kind in FaultKind},
    FaultKind.STATUS: {"status": 429, "headers": {"Retry-After": "3"}},
    FaultKind.STATUS_AFTER_COMMIT: {"status": 502},
    FaultKind.CONNECT_TIMEOUT: {"delay_s": 600},
    FaultKind.SLOW: {"delay_s": 600},
    FaultKind.TRICKLE: {"delay_s": 600},
}
"""What each kind is scripted with beside its share."""
READING: Sequence[Mapping[str, Any]] = ({"method": "GET"}, {"path": "*search*"})
"""Calls that answer with pages."""
ACTS_OF_A_PAIR: Sequence[tuple[Act[TwoHistory], int]] = (
    *((lambda history, side=side: two_histories.make(history, side), 3) for side in Side),
    *((lambda history, side=side: two_histories.edit(history, side), 4) for side in Side),
    *((lambda history, side=side: two_histories.delete(history, side), 1) for side in Side),
    (two_histories.edit_on_both_sides, 3),
    (two_histories.undelete, 1),
    (two_histories.touch, 1),
)
ACTS_ON_MEETINGS: Sequence[tuple[Act[History], int]] = (
    (histories.add_meeting, 5),
    (histories.edit_in_chorus, 3),
    (histories.finish_summary, 2),
    (histories.hide_in_chorus, 1),
    (histories.edit_in_totango, 3),
    (histories.delete_in_totango, 1),
    (histories.create_account, 1),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The hub at one moment.

    ``memory``: bytes; ``tables``: bytes of the ledger by table; ``causes``: numbers of what explains those, by table.
    """

    memory: int
    tables: Mapping[str, int]
    causes: Mapping[str, int]

    def unexplained(self, later: Mark) -> float:
        """By how much the ledger grew beyond what new records, writes and runs explain."""
        expected = sum(
            size * (later.causes[name] / self.causes[name] if name in self.causes else 1.0)
            for name, size in self.tables.items()
        )
        return sum(later.tables.values()) / expected - 1


@dataclass
class Day:
    """Services, people and a hub, from the first sync to the last reconciliation."""

    lab: Lab
    hub: FarHub
    rng: Random
    pairs: Sequence[TwoHistory]
    meetings: History
    jobs: Sequence[str]
    ran: list[Ran] = field(default_factory=list)
    runs: int = 0
    people: int = 0
    campaigns: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    def pass_hour(self, number: int, start: datetime, *, quiet: bool) -> None:
        """People work for an hour unless it is ``quiet``; then all jobs run over it."""
        lab, rng = self.lab, self.rng
        begun = start + timedelta(hours=number)
        for second in () if quiet else sorted(rng.sample(range(3300), ACTS_AN_HOUR)):
            self._wait_until(begun + timedelta(seconds=second))
            self._act()
        end = begun + timedelta(hours=1)
        self._wait_until(end)
        self._faults()
        for job in self.jobs:
            self.run(job, Window(begun, end))
        for item in lab.sandbox.faults.listing():
            self.struck[item["kind"]] += item["struck"]
        lab.sandbox.faults.clear()

    def run(self, job: str, interval: Window | None) -> Ran:
        began = self.lab.clock.now()
        done = self.hub.run(job, interval)
        self.runs += 1
        self.ran.append(done)
        if done.is_green:
            for history in self.pairs:
                for side in Side:
                    if history.job(side).id == job:
                        history.carried[side].append((began, self.lab.clock.now()))
        return done

    def mark(self, ledger: Path) -> Mark:
        service = self.lab.sandbox.service
        matters = sum(len(history.things) for history in self.pairs) + len(service("chorus").records.by_id)
        born = sum(len(service("salesforce").state()[kind.salesforce_name]) for kind in KINDS.values())
        touches = sum(event["type"] == "campaign_touch" for event in service("totango").state()["events"])
        writes = sum(entry.write and entry.committed for entry in self.lab.sandbox.log.entries)
        causes = {"link": matters + born + touches, "decision": writes, "run": self.runs}
        return Mark(self.hub.memory(), _sizes(ledger), causes)

    def reconcile(self) -> list[LogEntry]:
        """An ordinary run of each job, then a full one of each: the writing calls of the full ones."""
        lab = self.lab
        lab.wait(hours=1)
        for job in self.jobs:
            self.run(job, Window(lab.clock.now() - timedelta(hours=1), lab.clock.now()))
            lab.wait(minutes=10)
        before = len(lab.sandbox.log.entries)
        for job in self.jobs:
            self.run(job, None)
            lab.wait(minutes=10)
        return [entry for entry in lab.sandbox.log.entries[before:] if entry.write]

    def _wait_until(self, moment: datetime) -> None:
        """In whole seconds, as services that drop the rest would tell two moments for one."""
        whole = self.lab.clock.now().replace(microsecond=0) + timedelta(seconds=1)
        self.lab.sandbox.clock.set(max(moment, whole))

    def _act(self) -> None:
        """Somebody does something: in one of the pairs, or as often with meetings and the touchpoints made of them."""
        rng = self.rng
        pair = rng.choice((*self.pairs, None, None))
        if pair is None:
            _chosen(ACTS_ON_MEETINGS, rng)(self.meetings)
        else:
            pair.told.append("")
            _chosen(ACTS_OF_A_PAIR, rng)(pair)
        self.meetings.told.append("")
        self.people += 1
        if rng.random() < 0.02:
            self.campaigns += 1
            self.lab.act("totango", "send_campaign", name=f"News {self.campaigns}")

    def _faults(self) -> None:
        for kind, more in FAULTS.items():
            for calls in READING if kind in PAGE_FAULTS else ({},):
                seed = self.rng.randrange(2**32)
                self.lab.fault(kind, probability=FAULT_SHARE, seed=seed, **more, **calls)


def _chosen(acts: Sequence[tuple[Act[T], int]], rng: Random) -> Act[T]:
    return rng.choices([act for act, _ in acts], [weight for _, weight in acts])[0]


def run(asked: Asked) -> Outcome:
    logging.getLogger("cshub").addHandler(logging.NullHandler())
    hours, quiet = (FULL_HOURS, FULL_QUIET) if asked.is_full else (SHARE_HOURS, SHARE_QUIET)
    with TemporaryDirectory() as name:
        folder = Path(name)
        day = _begin(folder, Random(asked.seed))
        try:
            start = day.lab.clock.now().replace(microsecond=0)
            marks: dict[int, Mark] = {}
            for hour in range(hours + quiet):
                day.pass_hour(hour, start, quiet=hour >= hours)
                if hour + 1 in (round(WARM * hours) or 1, hours, hours + quiet):
                    marks[hour + 1] = day.mark(folder / "ledger.db")
                asked.progress(hour + 1, hours + quiet)
            drift = day.reconcile()
            stories = [f"seed {asked.seed}: the last full reconciliation sent {entry}" for entry in drift[:3]]
            stories += [f"seed {asked.seed}: {story}" for story in differences(day.pairs, day.meetings)]
            return Outcome(_figures(day, [marks[hour] for hour in sorted(marks)], hours, quiet, len(drift)), stories)
        finally:
            day.hub.stop()
            day.lab.ledger.close()


def _figures(day: Day, marks: Sequence[Mark], hours: int, quiet: int, drift: int) -> list[Figure]:
    warm, evening, morning = marks
    return [
        told("simulated hours with people at work", hours, "hours"),
        told("simulated hours without, with the same faults", quiet, "hours"),
        told("runs", day.runs),
        told("runs that ended with an error and were left to the next hour", sum(bool(ran.trouble) for ran in day.ran)),
        told("acts of people", day.people),
        told("calls", len(day.lab.sandbox.log.entries)),
        told("calls spoilt by a fault", day.struck.total()),
        exactly("kinds of faults that never struck", len(FAULTS.keys() - set(+day.struck))),
        told(f"memory of the hub after {round(WARM * hours) or 1} hours", round(warm.memory / 1e6, 1), "MB"),
        told(f"memory after {hours} hours", round(evening.memory / 1e6, 1), "MB"),
        at_most("growth of memory in the hours without", round(morning.memory / evening.memory - 1, 4), MOST_GROWTH),
        told("size of the ledger at the end", round(sum(morning.tables.values()) / 1e6, 2), "MB"),
        at_most(
            f"growth of the ledger from hour {round(WARM * hours) or 1} to {hours} beyond new records, writes and runs",
            round(warm.unexplained(evening), 4),
            MOST_GROWTH,
        ),
        at_most(
            "growth of the ledger in the hours without beyond runs", round(evening.unexplained(morning), 4), MOST_GROWTH
        ),
        exactly("writes of the last full reconciliation", drift),
    ]


def _jobs() -> Jobs:
    """All jobs of the demo; the one that reads meetings looks back over the whole day, to see late edits."""
    library = JobLibrary.from_settings()
    ways = [[library.bound(f"salesforce_{kind}_{way}") for way in ("inbound", "outbound")] for kind in KINDS]
    alone = [_looking_back(library.bound(CHORUS), hours=40), library.bound(CAMPAIGNS)]
    return (*((job, back) for job, back in ways), *((job, None) for job in alone))


def _begin(folder: Path, rng: Random) -> Day:
    jobs = _jobs()
    lab = Lab.make(folder, job=jobs[-2][0], accounts=12, meetings=0, cases=False)
    lab.sandbox.service("totango").switches.rate_limit = 100
    hub = FarHub.start(lab.sandbox, folder, jobs)
    seen = [Lab(lab.sandbox, lab.ledger, folder, Fuse(), job, back=back) for job, back in jobs if back is not None]
    syncs = [Sync(lab, kind) for lab, kind in zip(seen, KINDS.values(), strict=True)]
    day = Day(
        lab,
        hub,
        rng,
        [TwoHistory(sync, Random(rng.random())) for sync in syncs],
        History(lab, Random(rng.random())),
        [job.id for both in jobs for job in both if job is not None],
    )
    for job in (*day.jobs, *day.jobs):
        day.run(job, None)
        lab.wait(minutes=10)
    day.ran.clear()
    day.runs = len(day.jobs) * 2
    return day


def _looking_back(job: BoundJob, *, hours: int) -> BoundJob:
    settings = WindowSettings.model_validate({**job.window.model_dump(), "overlap_hours": hours})
    return job.model_copy(update={"job": job.job.model_copy(update={"window": settings})})


def _sizes(ledger: Path) -> dict[str, int]:
    """Bytes in use by table, its indexes included."""
    query = (
        "select m.tbl_name, sum(s.pgsize - s.unused) from dbstat s join sqlite_master m on m.name = s.name group by 1"
    )
    with closing(sqlite3.connect(ledger)) as connection:
        return {name: int(size) for name, size in connection.execute(query)}


CAMPAIGN = Campaign(
    "soak",
    "A day of hourly runs",
    "All jobs run every hour for a day while people work on all sides and 1 % of the calls meet each kind of fault: "
    "memory and ledger stay flat, and at the end both sides hold the same and nothing is left to write.",
    run,
)
