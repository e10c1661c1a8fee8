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
from typing import Any

from cshub.core.jobs import BoundJob, WindowSettings
from cshub.core.window import Window
from cshub.library import JobLibrary
from cshub_sandbox.faults import PAGE_FAULTS, FaultKind
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_most, exactly, told
from tests.campaigns.far_hub import FarHub, Jobs, Ran
from tests.pipeline import histories, two_histories
from tests.pipeline.crashes import Fuse
from tests.pipeline.histories import History
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import Identity, assert_content, expected_touchpoints, identity_of, made_by_hub
from tests.pipeline.two_histories import Side, TwoHistory
from tests.pipeline.two_way import KINDS, TOUCHPOINTS, Row, Sync

FULL_HOURS, FULL_MARK = 24, 6
SHARE_HOURS, SHARE_MARK = 3, 1
MOST_GROWTH = 0.05
FAULT_SHARE = 0.01  # of all calls, for each kind
ACTS_AN_HOUR = 12
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
ACTS_OF_A_PAIR: Sequence[tuple[Callable[[TwoHistory], None], int]] = (
    *((lambda history, side=side: two_histories.make(history, side), 3) for side in Side),
    *((lambda history, side=side: two_histories.edit(history, side), 4) for side in Side),
    *((lambda history, side=side: two_histories.delete(history, side), 1) for side in Side),
    (two_histories.edit_on_both_sides, 3),
    (two_histories.undelete, 1),
    (two_histories.touch, 1),
)
ACTS_ON_MEETINGS: Sequence[tuple[Callable[[History], None], int]] = (
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
    """The ledger at one moment. ``tables``: bytes by table; ``causes``: numbers of what explains them, by table."""

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
    hours: int = 0
    runs: int = 0
    people: int = 0
    campaigns: int = 0
    struck: Counter[str] = field(default_factory=Counter)

    def pass_hour(self, number: int, start: datetime) -> None:
        """People work for an hour; then all jobs run over it."""
        lab, rng = self.lab, self.rng
        self.hours += 1
        begun = start + timedelta(hours=number)
        for second in sorted(rng.sample(range(3300), ACTS_AN_HOUR * (len(self.pairs) + 1))):
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
        return Mark(_sizes(ledger), causes)

    def reconcile(self) -> int:
        """An ordinary run of each job, then a full one of each: how many writing calls the full ones sent."""
        lab = self.lab
        lab.wait(hours=1)
        for job in self.jobs:
            self.run(job, Window(lab.clock.now() - timedelta(hours=1), lab.clock.now()))
            lab.wait(minutes=10)
        before = len(lab.sandbox.log.entries)
        for job in self.jobs:
            self.run(job, None)
            lab.wait(minutes=10)
        return sum(entry.write for entry in lab.sandbox.log.entries[before:])

    def relieve(self, fresh: FarHub) -> tuple[int, int]:
        """Bytes that the hub holds, and those of a fresh one that then does the same last work on the same records."""
        old = self.hub.memory()
        self.hub.stop()
        self.hub = fresh
        self.reconcile()
        return old, self.hub.memory()

    def _wait_until(self, moment: datetime) -> None:
        """In whole seconds, as services that drop the rest would tell two moments for one."""
        whole = self.lab.clock.now().replace(microsecond=0) + timedelta(seconds=1)
        self.lab.sandbox.clock.set(max(moment, whole))

    def _act(self) -> None:
        who = self.rng.choice((*self.pairs, self.meetings, self.meetings))
        acts: Sequence[tuple[Callable[[Any], None], int]] = ACTS_OF_A_PAIR
        if isinstance(who, History):
            acts = ACTS_ON_MEETINGS
        who.told.append("")
        self.rng.choices([act for act, _ in acts], [weight for _, weight in acts])[0](who)
        self.people += 1
        if self.rng.random() < 0.02:
            self.campaigns += 1
            self.lab.act("totango", "send_campaign", name=f"News {self.campaigns}")

    def _faults(self) -> None:
        for kind, more in FAULTS.items():
            for calls in READING if kind in PAGE_FAULTS else ({},):
                seed = self.rng.randrange(2**32)
                self.lab.fault(kind, probability=FAULT_SHARE, seed=seed, **more, **calls)


def run(asked: Asked) -> Outcome:
    logging.getLogger("cshub").addHandler(logging.NullHandler())
    hours, marked = (FULL_HOURS, FULL_MARK) if asked.is_full else (SHARE_HOURS, SHARE_MARK)
    with TemporaryDirectory() as name:
        folder = Path(name)
        day = _begin(folder, Random(asked.seed))
        try:
            start = day.lab.clock.now().replace(microsecond=0)
            marks: dict[int, Mark] = {}
            for hour in range(hours):
                day.pass_hour(hour, start)
                if hour + 1 in (marked, hours):
                    marks[hour + 1] = day.mark(folder / "ledger.db")
                asked.progress(hour + 1, hours)
            drift = day.reconcile()
            stories = [f"seed {asked.seed}: the last full reconciliation sent {drift} writes"] if drift else []
            stories += [f"seed {asked.seed}: {story}" for story in _differences(day)]
            memory = day.relieve(FarHub.start(day.lab.sandbox, folder, _jobs(), first=1_000_000))
            return Outcome(_figures(day, marks[marked], marks[hours], memory, drift), stories)
        finally:
            day.hub.stop()
            day.lab.ledger.close()


def _figures(day: Day, early: Mark, late: Mark, memory: tuple[int, int], drift: int) -> list[Figure]:
    old, fresh = memory
    return [
        told("simulated hours", day.hours, "hours"),
        told("runs", day.runs),
        told("runs that ended with an error and were left to the next hour", sum(bool(ran.trouble) for ran in day.ran)),
        told("acts of people", day.people),
        told("calls", len(day.lab.sandbox.log.entries)),
        told("calls spoilt by a fault", day.struck.total()),
        exactly("kinds of faults that never struck", len(FAULTS.keys() - set(+day.struck))),
        told("memory of the hub at the end", round(old / 1e6, 1), "MB"),
        at_most("memory beyond that of a fresh hub on the same records", round(old / fresh - 1, 4), MOST_GROWTH),
        told("size of the ledger at the end", round(sum(late.tables.values()) / 1e6, 2), "MB"),
        at_most(
            "growth of the ledger beyond new records, writes and runs", round(early.unexplained(late), 4), MOST_GROWTH
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


def _differences(day: Day) -> list[str]:
    """What the services hold and should not, or the other way round."""
    stories: list[str] = []
    own = _of_meetings(day)
    for history in day.pairs:
        sync = history.sync
        kind = sync.kind
        left, right = sync.salesforce(), sync.totango()
        if kind is TOUCHPOINTS:
            left -= _of_touches(sync)
            right -= own
        stories += [f"{kind.name}: only in Salesforce: {row}" for row in list(left - right)[:3]]
        stories += [f"{kind.name}: only in Totango: {row}" for row in list(right - left)[:3]]
        try:
            history._check_things()
        except AssertionError as wrong:
            stories.append(f"{kind.name}: {wrong}")
    try:
        _check_meetings(day.meetings)
    except AssertionError as wrong:
        stories.append(f"touchpoints of meetings: {wrong}")
    return stories


def _of_touches(sync: Sync) -> Counter[Row]:
    """Rows of events that were made of campaign touches."""
    events = sync.lab.sandbox.service("salesforce").state()["events"]
    made = (row for row in events if row.get("Totango_Touch_Id__c") and not row["IsDeleted"])
    return Counter(sync.kind.of_salesforce(row) for row in made)


def _identities(history: History) -> set[Identity]:
    """Of all touchpoints that were ever made of meetings."""
    wanted = expected_touchpoints(history.lab.sandbox, history.lab.sandbox.service("chorus").records.by_id.values())
    return {item.identity for item in (*wanted, *history.remembered)} | history.deleted.keys()


def _held_of_meetings(history: History) -> list[dict[str, Any]]:
    identities = _identities(history)
    return [item for item in made_by_hub(history.lab.sandbox) if identity_of(item) in identities]


def _of_meetings(day: Day) -> Counter[Row]:
    sync = day.pairs[0].sync
    accounts = sync.common_accounts()
    held = [item for item in _held_of_meetings(day.meetings) if item["account_id"] in accounts]
    return Counter(sync.kind.of_totango({**item, "account_id": accounts[item["account_id"]]}) for item in held)


def _check_meetings(history: History) -> None:
    lab = history.lab
    now = lab.clock.now()
    seen = [item for item in lab.sandbox.service("chorus").records.by_id.values() if item.starts_at < now]
    wanted = expected_touchpoints(lab.sandbox, [item for item in seen if not item.private])
    held = _held_of_meetings(history)
    due = Counter(item.identity for item in wanted)
    due.subtract(history.deleted)
    optional = Counter(item.identity for item in history.remembered)
    found = Counter(map(identity_of, held))
    assert not +due - found, f"lost: {+due - found}"
    assert not found - +due - optional, f"doubled or made again: {found - +due - optional}"
    by_identity = {identity_of(item): item for item in held}
    for item in wanted:
        if item.identity in by_identity and item.meeting_id not in history.hidden:
            words = history.words.get(item.identity, {})
            touchpoint = by_identity[item.identity]
            assert touchpoint["subject"].strip() == words.get("subject", item.subject), (touchpoint, item)
            if "content" in words:
                assert touchpoint["content"].strip() == words["content"], (touchpoint, item)
            else:
                assert_content(touchpoint["content"], item.text)


CAMPAIGN = Campaign(
    "soak",
    "A day of hourly runs",
    "All jobs run every hour for a day while people work on all sides and 1 % of the calls meet each kind of fault: "
    "memory and ledger stay flat, and at the end both sides hold the same and nothing is left to write.",
    run,
)
