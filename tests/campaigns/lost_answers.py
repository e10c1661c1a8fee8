"""Thousands of creates whose answers get lost: each record once in the target, for few calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from cshub.core.errors import HubError
from cshub.library import JobLibrary
from cshub.systems.salesforce.client import SalesforceClient
from tests.campaigns.campaign import Asked, Campaign, Figure, Outcome, at_least, at_most, exactly, told
from tests.campaigns.workers import workers
from tests.pipeline.lab import Course, Lab
from tests.pipeline.oracle import Directory, words
from tests.pipeline.two_way import TASKS, TOUCHPOINTS, Kind, Sync

FULL_CREATES, SHARE_CREATES = 10_000, 150
FULL_ACCOUNTS, SHARE_ACCOUNTS = 1_000, 25
LOST, FAILED = 0.05, 0.02
STATUSES = (500, 502, 503, 504)
ROWS_A_CALL = 50  # of Salesforce: so that thousands of records take enough calls to lose some of
MOST_CALLS = 1.10
ALIKE = 10  # so many of every twenty records are all alike, as when somebody notes the same call again and again
CALL_TAKES_S = 0.6  # 100 calls a minute
TRIES = 5
DAYS = 20  # over which all-day records are spread: Totango shows at most 10,000 events of one moment
TITLE = "Created"
Row = tuple[Any, ...]


class SmallCalls(Lab):
    """A lab that sends Salesforce few rows at a time."""

    def _client(self, system: str, quota: Any) -> Any:
        client = super()._client(system, quota)
        if isinstance(client, SalesforceClient):
            client._writer.chunk_size = ROWS_A_CALL
        return client


@dataclass(frozen=True, slots=True)
class Stage:
    """A world in which people have just made records that only the source has.

    ``wanted`` and ``held``: rows of those records, as the source has them and as the target does.
    """

    lab: SmallCalls
    course: Course
    wanted: Callable[[], Counter[Row]]
    held: Callable[[], Counter[Row]]


@dataclass(frozen=True, slots=True)
class Route:
    """One way on which records are created. ``target``: service that they are made in."""

    name: str
    target: str
    stage: Callable[[Path, int, int], Stage]


@dataclass(frozen=True, slots=True)
class Found:
    """What the services tell of one route when all is done. ``calls``: of the load step, to the target."""

    route: str
    creates: int
    struck: int
    calls: int
    repeated: int
    lost: int
    doubled: int
    sent_later: int
    stories: tuple[str, ...] = ()

    @property
    def calls_per_create(self) -> float:
        return round(self.calls / self.creates, 4)


def run(asked: Asked) -> Outcome:
    creates = FULL_CREATES if asked.is_full else SHARE_CREATES
    found: dict[str, Found] = {}
    if asked.is_full:
        with workers(2) as pool:
            waiting = [pool.submit(_try, name, creates, FULL_ACCOUNTS, asked.seed) for name in ROUTES]
            for done in as_completed(waiting):
                found[done.result().route] = done.result()
                asked.progress(len(found), len(ROUTES))
    else:
        for name in ROUTES:
            found[name] = _try(name, creates, SHARE_ACCOUNTS, asked.seed)
            asked.progress(len(found), len(ROUTES))
    return _outcome([found[name] for name in ROUTES])


def _outcome(found: Sequence[Found]) -> Outcome:
    figures: list[Figure] = [
        told("creates", sum(item.creates for item in found), "records"),
        at_least("fewest answers lost or spoilt on a route", min(item.struck for item in found), 1),
        exactly("records doubled", sum(item.doubled for item in found)),
        exactly("records lost", sum(item.lost for item in found)),
        exactly("records written again by the next run", sum(item.sent_later for item in found)),
        *(at_most(f"calls per create, {item.route}", item.calls_per_create, MOST_CALLS) for item in found),
        told("load steps repeated", sum(item.repeated for item in found)),
    ]
    return Outcome(figures, [story for item in found for story in item.stories])


def _try(name: str, creates: int, accounts: int, seed: int) -> Found:
    route = ROUTES[name]
    with TemporaryDirectory() as folder:
        stage = route.stage(Path(folder), creates, accounts)
        try:
            return _carry_over(route, stage, seed)
        finally:
            stage.lab.ledger.close()


def _carry_over(route: Route, stage: Stage, seed: int) -> Found:
    lab, course = stage.lab, stage.course
    course.plan()
    wanted = stage.wanted()
    for fault in _faults(route, Random(seed)):
        lab.fault(**fault)
    before = len(lab.sandbox.log.entries)
    tries, stories = _insist(stage, route, seed)
    calls = [entry for entry in lab.sandbox.log.entries[before:] if entry.service == route.target]
    struck = sum(fault["struck"] for fault in lab.sandbox.faults.listing())
    lab.sandbox.faults.clear()
    held = stage.held()
    doubled, lost = held - wanted, wanted - held
    for what, rows in (("doubled or changed", doubled), ("lost", lost)):
        stories += [f"{route.name}, seed {seed}: {what}: {row}" for row in list(rows)[:5]]
    lab.wait(minutes=10)
    before = len(lab.sandbox.log.entries)
    lab.sync(job=course.job)
    later = [entry for entry in lab.sandbox.log.entries[before:] if entry.write]
    stories += [f"{route.name}, seed {seed}: the next run sent {later[0]}"] if later else []
    return Found(
        route.name,
        wanted.total(),
        struck,
        len(calls),
        tries - 1,
        lost.total(),
        doubled.total(),
        len(later),
        tuple(stories),
    )


def _insist(stage: Stage, route: Route, seed: int) -> tuple[int, list[str]]:
    """The load step, again and again as Airflow would: how many tries it took, and what it ended in if not well."""
    for number in range(1, TRIES + 1):
        try:
            stage.course.load()
            return number, []
        except HubError as trouble:
            last = f"{route.name}, seed {seed}: {number} tries of the load step did not come to its end: {trouble}"
            stage.lab.wait(minutes=2)
    return TRIES, [last]


def _faults(route: Route, rng: Random) -> list[Mapping[str, Any]]:
    """Lost answers and 5xx, both after the service has done its work."""
    which = {"service": route.target, "only_writes": True}
    lost = {"kind": "drop_after_commit", "probability": LOST, "seed": rng.randrange(2**32)}
    failed = [
        {"kind": "status_after_commit", "status": status, "probability": FAILED / len(STATUSES)}
        | {"seed": rng.randrange(2**32)}
        for status in STATUSES
    ]
    surely = {"kind": "drop_after_commit", "nth": 2}  # few calls may all be lucky
    return [{**which, **fault} for fault in (surely, lost, *failed)]


def _meetings(folder: Path, creates: int, accounts: int) -> Stage:
    lab = SmallCalls.make(folder, accounts=accounts, meetings=0, cases=False)
    assert isinstance(lab, SmallCalls)
    lab.call_takes_s = CALL_TAKES_S
    known = set(Directory.of(lab.sandbox).accounts)
    customers = [account.crm_id for account in lab.sandbox.world.accounts if account.crm_id in known]
    first = lab.clock.now() - timedelta(days=6)
    for number in range(creates):
        title, text, place = _numbered(number)
        lab.act(
            "chorus",
            "add_meeting",
            account=customers[place % len(customers)],
            subject=title,
            summary=text,
            starts_at=(first + timedelta(seconds=40 * place)).isoformat(),
        )

    def wanted() -> Counter[Row]:
        held = lab.sandbox.service("chorus").records.by_id.values()
        accounts = Directory.of(lab.sandbox).accounts
        return Counter(
            (accounts[item.account.crm_id], item.subject, words(item.summary), item.starts_at.timestamp())
            for item in held
            if item.subject.startswith(TITLE)
        )

    def held() -> Counter[Row]:
        return Counter(
            (item["account_id"], item["subject"], words(item["content"]), item["timestamp_ms"] / 1000)
            for item in lab.touchpoints()
            if item["subject"].startswith(TITLE)
        )

    return Stage(lab, lab.course(), wanted, held)


def _pairs(
    folder: Path, creates: int, accounts: int, *, kind: Kind, outbound: bool, external_id_field: str | None = None
) -> Stage:
    library = JobLibrary.from_settings()
    inbound, back = (library.bound(f"salesforce_{kind.name}_{way}") for way in ("inbound", "outbound"))
    target = back.job.target
    options = {**target.options, "external_id_field": external_id_field}
    changed = back.job.model_copy(update={"target": target.model_copy(update={"options": options})})
    back = back.model_copy(update={"job": changed})
    lab = SmallCalls.make(folder, job=inbound, back=back, meetings=0, accounts=accounts)
    assert isinstance(lab, SmallCalls)
    sync = Sync(lab, kind)
    sync.round(full=True)
    lab.call_takes_s = CALL_TAKES_S
    customers = sorted(sync.common_accounts().items())
    more = _task_fields(lab) if kind is TASKS else {}
    names = kind.totango_texts
    for number in range(creates):
        title, text, place = _numbered(number)
        totango_id, crm_id = customers[place % len(customers)]
        if outbound:
            given = {names[0]: title, names[1]: text, **more}
            lab.act("totango", f"create_{kind.totango_name.removesuffix('s')}", account_id=totango_id, **given)
        else:
            day = date.fromisoformat(kind.new["ActivityDate"]) - timedelta(days=place % DAYS)
            fields = {**kind.new, "WhatId": crm_id, "Subject": title, "Description": text, "ActivityDate": str(day)}
            lab.act("salesforce", "create_record", object=kind.object, fields=fields)
    lab.wait(minutes=1)
    sides = [lambda: _made(sync.salesforce()), lambda: _made(sync.totango())]
    wanted, held = reversed(sides) if outbound else sides
    return Stage(lab, lab.course(job=back if outbound else inbound), wanted, held)


def _numbered(number: int) -> tuple[str, str, int]:
    """Title, text, and which account and moment; of half of the records all are those of their neighbours."""
    place = number - number % ALIKE if number // ALIKE % 2 else number
    return f"{TITLE} {place}", f"Words that {place // 3} has in common with two others.", place


def _made(rows: Counter[Row]) -> Counter[Row]:
    return Counter({row: count for row, count in rows.items() if row[1].startswith(TITLE)})


def _task_fields(lab: Lab) -> Mapping[str, Any]:
    state = lab.sandbox.service("totango").state()
    member = next(user["email"] for user in state["users"] if user["status"] == "Active")
    due: datetime = lab.clock.now() + timedelta(days=10)
    return {
        "due_date": due.date().isoformat(),
        "priority": "2",
        "assignee": member,
        "activity_type_id": state["flows"][0]["id"],
    }


ROUTES: Mapping[str, Route] = {
    route.name: route
    for route in (
        Route("Chorus meetings → touchpoints", "totango", _meetings),
        Route("Salesforce events → touchpoints", "totango", partial(_pairs, kind=TOUCHPOINTS, outbound=False)),
        Route("Salesforce tasks → Totango tasks", "totango", partial(_pairs, kind=TASKS, outbound=False)),
        Route("touchpoints → Salesforce events", "salesforce", partial(_pairs, kind=TOUCHPOINTS, outbound=True)),
        Route(
            "touchpoints → Salesforce events with an external id",
            "salesforce",
            partial(_pairs, kind=TOUCHPOINTS, outbound=True, external_id_field="Totango_Id__c"),
        ),
        Route("Totango tasks → Salesforce tasks", "salesforce", partial(_pairs, kind=TASKS, outbound=True)),
    )
}
CAMPAIGN = Campaign(
    "lost_answers",
    "Lost answers",
    "When 5 % of the answers to creates are lost and 2 % are errors sent after the record was made, every record is "
    "there once, and looking for the lost ones takes few calls.",
    run,
)
