"""Hubs that stand before a run of about 60 records, one for each integration type and direction."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cshub.core.jobs import BoundJob
from cshub.library import JobLibrary
from cshub_sandbox.sandbox import Sandbox, WorldSize
from tests.campaigns.crash_trigger import Trigger, budget_of, ledger_at
from tests.faults import touches
from tests.faults.two_way_stage import Way, Work, a_busy_day
from tests.pipeline.cast import absent_account, meet, plain_account, revise
from tests.pipeline.lab import NOW, Lab
from tests.pipeline.oracle import expected_touchpoints, identity_of, made_by_hub, words
from tests.pipeline.two_way import TASKS, TOUCHPOINTS, Kind, Sync

LEDGER = "ledger.db"
Rows = Counter[Hashable]
Pairs = Sequence[tuple[str, Rows, Rows]]
"""For each service that is written: its name, what it holds, what it must hold."""
CHORUS = "chorus_touchpoints_inbound"
LATE, NEW, SAME = 6, 22, 24


class Story(StrEnum):
    """What happens between a death and the retry of the step."""

    PLAIN = "the step is repeated"
    LOST_ANSWERS = "answers of the target are lost as well"
    PARTNER_FIRST = "the other direction runs before the step is repeated"


@dataclass(frozen=True)
class Stage:
    """``lab``: its services and its ledger, :data:`LEDGER` in the current folder. ``job``: whose run is to come.

    ``back``: the job of the other direction. ``judge`` asks the services alone. ``lost``: a fault that takes the
    answers to some writes of this run.
    """

    lab: Lab
    trigger: Trigger
    folder: Path
    job: BoundJob
    back: BoundJob | None
    judge: Callable[[Lab], Pairs]
    lost: Mapping[str, Any] | None = None


def prepare(name: str, folder: Path) -> dict[str, Stage]:
    """The stage of this name, and those that stand in the same world."""
    here = Path.cwd()
    folder.mkdir(parents=True)
    os.chdir(folder)
    try:
        stages = _WORLDS[name](folder)
    finally:
        os.chdir(here)
    for stage in stages.values():
        stage.lab.ledger.close()
    return stages


def _lab(folder: Path, trigger: Trigger, job: str, back: str | None = None) -> Lab:
    library = JobLibrary.from_settings()
    sandbox = Sandbox(size=WorldSize(seed=3, accounts=8, meetings=0, cases=False), now=NOW)
    sandbox.clock.freeze(True)
    sandbox.clock.set(NOW)
    sandbox.service("totango").switches.rate_limit = 1_000_000
    ledger = ledger_at(f"sqlite:///file:{LEDGER}?uri=true", trigger)  # in the folder of whichever process opens it
    ledger.upgrade()
    quota = budget_of(ledger, sandbox.clock)
    return Lab(
        sandbox, ledger, folder, trigger, library.bound(job), quota=quota, back=library.bound(back) if back else None
    )


def _chorus(folder: Path) -> dict[str, Stage]:
    """Summaries that came, new meetings, twins, one without an account, one with nothing to say, many as before."""
    trigger = Trigger()
    lab = _lab(folder, trigger, CHORUS)
    late = [meet(lab, summary=None, ended_ago_s=600 * number, subject=f"Late {number}") for number in range(1, LATE)]
    same = [meet(lab, ended_ago_s=900 * number, subject=f"Same {number}") for number in range(1, SAME)]
    lab.sync()
    lab.wait(hours=1)
    for item in late:
        lab.act("chorus", "finish_summary", id=item.id, summary=f"Summary of {item.subject}")
    for item in same[:3]:
        revise(lab, item, subject=f"{item.subject}, said better")
    for number in range(1, NEW):
        account = lab.sandbox.world.accounts[number % 2]
        meet(lab, account=account.crm_id, ended_ago_s=500 * number, subject=f"Meeting {number}")
    for _ in range(2):
        meet(lab, ended_ago_s=7000, subject="Twins", account=plain_account(lab).crm_id)
    meet(lab, account=absent_account(lab).crm_id)
    meet(lab, ended_ago_s=4000, subject="", summary=None)
    lost = {"kind": "drop_after_commit", "service": "totango", "only_writes": True, "every": 4}
    return {CHORUS: Stage(lab, trigger, folder, lab.job, None, _held_of_meetings, lost)}


def _held_of_meetings(lab: Lab) -> Pairs:
    """Each eligible meeting once, with its values."""
    wanted = expected_touchpoints(lab.sandbox, lab.sandbox.service("chorus").records.by_id.values())
    held = made_by_hub(lab.sandbox)
    return [
        (
            "Totango",
            Counter(
                (
                    identity_of(item),
                    item["subject"] or "",
                    words(item["content"]),
                    frozenset(item["participants"]),
                    item["disable_sync"],
                )
                for item in held
            ),
            Counter((item.identity, item.subject, item.text, item.participants, True) for item in wanted),
        )
    ]


def _touches(folder: Path) -> dict[str, Stage]:
    """Campaigns that were carried over before, and new ones; some accounts Salesforce does not have."""
    trigger = Trigger()
    lab = _lab(folder, trigger, touches.JOB_ID)
    _account_of_nobody(lab)
    for number in range(9):
        if number == 2:
            lab.sync()
        lab.act("totango", "send_campaign", name=f"News {number}", ongoing=number % 2 == 0)
        lab.wait(minutes=10)
    lost = {"kind": "drop_after_commit", "service": "salesforce", "only_writes": True, "count": 1}
    return {touches.JOB_ID: Stage(lab, trigger, folder, lab.job, None, _held_of_touches, lost)}


def _held_of_touches(lab: Lab) -> Pairs:
    return [("Salesforce", Counter(touches.held(lab)), Counter(touches.expected(lab)))]


def _two_way(kind: Kind, folder: Path) -> dict[str, Stage]:
    """A pair in step on which people of both services have worked since; records that must stay where they are."""
    trigger = Trigger()
    inbound, outbound = (f"salesforce_{kind.name}_{way}" for way in Way)
    lab = _lab(folder, trigger, inbound, outbound)
    work = Work(Sync(lab, kind))
    for _ in range(24):
        work.make(Way.INBOUND)
    work.sync.round(full=True)
    work.expected = work.sync.salesforce()
    assert work.expected == work.sync.totango()
    a_busy_day(work, creates=9, edits=5, deletes=3)
    apart = {Way.INBOUND: _unmappable(work), Way.OUTBOUND: Counter[Hashable]()}
    _parked(work)
    lab.wait(minutes=10)
    judge = partial(_held_of_pairs, kind, Counter[Hashable](+work.expected), apart)
    assert lab.back is not None
    return {
        inbound: Stage(lab, trigger, folder, lab.job, lab.back, judge),
        outbound: Stage(lab, trigger, folder, lab.back, lab.job, judge),
    }


def _unmappable(work: Work) -> Rows:
    """A record of Salesforce that the mapping rejects."""
    bad = {"Subject": None, "Description": None} if work.sync.kind is TOUCHPOINTS else {"Status": "Blocked"}
    return Counter([work.row_of(Way.INBOUND, work.sync.event(**bad))])


def _parked(work: Work) -> None:
    """A record on each side whose account the other service does not have."""
    lab = work.sync.lab
    work.sync.event(WhatId=absent_account(lab).crm_id, Subject="Made too early")
    work.sync.note(_account_of_nobody(lab), "Made nowhere", "No account there.")


def _account_of_nobody(lab: Lab) -> str:
    """An account of Totango that Salesforce does not have; its id."""
    return str(lab.act("totango", "create_account", id="nobody", name="Nobody's")["id"])


def _held_of_pairs(kind: Kind, expected: Rows, apart: Mapping[Way, Rows], lab: Lab) -> Pairs:
    sync = Sync(lab, kind)
    return [
        ("Salesforce", Counter(sync.salesforce()), expected + apart[Way.INBOUND]),
        ("Totango", Counter(sync.totango()), expected + apart[Way.OUTBOUND]),
    ]


_WORLDS: Mapping[str, Callable[[Path], dict[str, Stage]]] = {
    CHORUS: _chorus,
    **{f"salesforce_touchpoints_{way}": partial(_two_way, TOUCHPOINTS) for way in Way},
    **{f"salesforce_tasks_{way}": partial(_two_way, TASKS) for way in Way},
    touches.JOB_ID: _touches,
}
NAMES = tuple(_WORLDS)


def stories_of(name: str) -> Sequence[Story]:
    """What is tried with the runs of this stage."""
    return [Story.PLAIN, Story.LOST_ANSWERS if name in (CHORUS, touches.JOB_ID) else Story.PARTNER_FIRST]
