"""The jobs that may delete, and the services on either side of them as people and judges see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cshub.core.jobs import BoundJob, OnSourceDelete
from cshub.library import JobLibrary
from cshub.pipeline.run import Asked
from tests.pipeline.lab import Lab
from tests.pipeline.two_way import KINDS, TOUCHPOINTS, Kind, Sync

Keys = Mapping[str, str]
"""What tells a matter on both sides, such as a title → its id on one side."""


class Disaster(StrEnum):
    DELETED = "deleted"
    HIDDEN = "hidden"
    UNLISTED = "not listed"  # the list is empty, reading by id is not
    SILENT = "every answer empty"
    MISTYPED = "a filter that nothing passes"


@dataclass(frozen=True, slots=True)
class Side:
    """One service as people and judges see it. All functions take the lab, as each trial has its own.

    ``deceives``: disasters in which the service itself tells, asked by id, that records are gone which are not.
    """

    service: str
    names: Callable[[Lab], Keys]
    delete: Callable[[Lab, str], None] | None = None
    hide: Callable[[Lab, Sequence[str], float], None] | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    deceives: frozenset[Disaster] = frozenset()


@dataclass(frozen=True, slots=True)
class Way:
    """A job, and how its records are made. ``follows``: whether it carries deletions over; ``build`` makes them.

    ``two_way``: whether another job writes what this one reads.
    """

    name: str
    source: Side
    target: Side
    build: Callable[[Path, int], Lab]
    job: Callable[[Lab], BoundJob]
    follows: bool = True
    two_way: bool = False

    def partner(self, lab: Lab) -> BoundJob | None:
        return next((job for job in (lab.job, lab.back) if job is not None and job is not self.job(lab)), None)


def _pair(folder: Path, records: int, *, kind: Kind, alone: bool = False) -> Lab:
    """Both sides of a pair in step; nothing else is there. ``alone``: one job, told to follow deletions."""
    library = JobLibrary.from_settings()
    inbound = library.bound(f"salesforce_{kind.name}_inbound")
    back = None if alone else library.bound(f"salesforce_{kind.name}_outbound")
    if alone:
        inbound = _following(inbound)
    lab = Lab.make(folder, job=inbound, back=back, meetings=0, accounts=8, cases=False)
    sync = Sync(lab, kind)
    _empty(sync)
    customers = list(sync.common_accounts().values())
    for number in range(records):
        fields = {**kind.new, "WhatId": customers[number % len(customers)], "Subject": f"Made {number}"}
        lab.act("salesforce", "create_record", object=kind.object, fields=fields)
    lab.wait(minutes=1)
    sync.inbound()
    lab.wait(minutes=10)
    if not alone:
        sync.outbound()
        lab.wait(minutes=10)
    return lab


def _empty(sync: Sync) -> None:
    """Take away what the world is born with."""
    sandbox = sync.lab.sandbox
    for row in sandbox.service("salesforce").state()[sync.kind.salesforce_name]:
        if not row["IsDeleted"]:
            sync.delete_salesforce(row["Id"])
    for row in sandbox.service("totango").state()[sync.kind.totango_name]:
        if not row.get("deleted"):
            sync.delete_totango(str(row[sync.kind.state_id]))
    sync.lab.act("salesforce", "purge")
    sync.lab.wait(days=1)


def _meetings(folder: Path, records: int, *, follows: bool) -> Lab:
    job = JobLibrary.from_settings().bound("chorus_touchpoints_inbound")
    lab = Lab.make(folder, job=_following(job) if follows else job, meetings=0, accounts=8, cases=False)
    for number in range(records):
        lab.act("chorus", "add_meeting", subject=f"Made {number}", ended_ago_s=600.0 * (number + 1))
    lab.sync()
    lab.wait(minutes=10)
    return lab


def _touches(folder: Path, records: int, *, follows: bool) -> Lab:
    job = JobLibrary.from_settings().bound("salesforce_campaign_touches_outbound")
    lab = Lab.make(folder, job=_following(job) if follows else job, meetings=0, accounts=8, cases=False)
    sync = Sync(lab, TOUCHPOINTS)
    customers = list(sync.common_accounts())
    for number in range(-(-records // len(customers))):
        lab.act("totango", "send_campaign", name=f"Made {number}", account_ids=customers)
        lab.wait(minutes=1)
    lab.sync(asked=Asked(full_sync=True))
    lab.wait(minutes=10)
    return lab


def _following(job: BoundJob) -> BoundJob:
    """The job when it is told to carry deletions over."""
    return job.model_copy(update={"job": job.job.model_copy(update={"on_source_delete": OnSourceDelete.DELETE})})


def _made(rows: Sequence[Mapping[str, Any]], title: str, key: str) -> Keys:
    live = [row for row in rows if not row.get("IsDeleted") and not row.get("deleted")]
    found = {row[title]: str(row[key]) for row in live if str(row[title]).startswith("Made ")}
    assert len(found) == sum(str(row[title]).startswith("Made ") for row in live)
    return found


def _in_salesforce(kind: Kind, lab: Lab) -> Keys:
    return _made(lab.sandbox.service("salesforce").state()[kind.salesforce_name], "Subject", "Id")


def _in_totango(kind: Kind, lab: Lab) -> Keys:
    return _made(lab.sandbox.service("totango").state()[kind.totango_name], kind.totango_texts[0], kind.state_id)


def _in_chorus(lab: Lab) -> Keys:
    return {item.subject: item.id for item in lab.sandbox.service("chorus").records.by_id.values()}


def _sent_touches(lab: Lab) -> Keys:
    events = lab.sandbox.service("totango").state()["events"]
    return {row["id"].lower(): row["id"] for row in events if row["type"] == "campaign_touch" and _is_made(row)}


def _is_made(event: Mapping[str, Any]) -> bool:
    return "Made " in str(event)


def _touch_events(lab: Lab) -> Keys:
    rows = lab.sandbox.service("salesforce").state()["events"]
    return {row["Totango_Touch_Id__c"].lower(): row["Id"] for row in rows if _is_touch(row)}


def _is_touch(row: Mapping[str, Any]) -> bool:
    return bool(row.get("Totango_Touch_Id__c")) and not row["IsDeleted"] and "Made " in row["Subject"]


def _hide_rows(kind: Kind, lab: Lab, keys: Sequence[str], part: float) -> None:
    """Salesforce shows the user these records no more, and no trace of a deletion: they were shared otherwise."""
    table = lab.sandbox.service("salesforce").store.table(kind.object)
    for key in keys:
        table.remove(key)


def _hide_events(lab: Lab, keys: Sequence[str], part: float) -> None:
    switches = lab.sandbox.service("totango").switches
    switches.vanished_share, switches.vanished_from = part, "everywhere"


def _hide_meetings(lab: Lab, keys: Sequence[str], part: float) -> None:
    for key in keys:
        lab.act("chorus", "make_private", id=key)


def _delete_meeting(lab: Lab, key: str) -> None:
    lab.act("chorus", "delete_meeting", id=key)


def _salesforce(kind: Kind) -> Side:
    return Side(
        "salesforce",
        partial(_in_salesforce, kind),
        lambda lab, key: Sync(lab, kind).delete_salesforce(key),
        partial(_hide_rows, kind),
        {"filter": "Subject = 'Mede'"},
    )


def _totango(kind: Kind) -> Side:
    people = "authors" if kind is TOUCHPOINTS else "assignees"
    told_by_events = {Disaster.HIDDEN} if kind is TOUCHPOINTS else set()
    return Side(
        "totango",
        partial(_in_totango, kind),
        lambda lab, key: Sync(lab, kind).delete_totango(key),
        _hide_events,
        {people: ("nobody@vendor.exmaple",)},
        frozenset({Disaster.SILENT, *told_by_events}),
    )


_CHORUS = Side("chorus", _in_chorus, _delete_meeting, _hide_meetings, {"participants_email": "nobody@vendor.exmaple"})
_TOUCHES = Side("totango", _sent_touches, None, _hide_events, {"accounts": ("no-such-account",)})
_EVENTS = Side("salesforce", _touch_events)


def _inbound(lab: Lab) -> BoundJob:
    return lab.job


def _outbound(lab: Lab) -> BoundJob:
    assert lab.back is not None
    return lab.back


def _both_ways(kind: Kind) -> list[Way]:
    build, sides = partial(_pair, kind=kind), (_salesforce(kind), _totango(kind))
    return [
        Way(
            f"Salesforce {kind.salesforce_name} → Totango {kind.name}, both ways", *sides, build, _inbound, two_way=True
        ),
        Way(
            f"Totango {kind.name} → Salesforce {kind.salesforce_name}, both ways",
            *sides[::-1],
            build,
            _outbound,
            two_way=True,
        ),
    ]


WAYS: Sequence[Way] = (
    *(way for kind in KINDS.values() for way in _both_ways(kind)),
    Way(
        "Salesforce events → touchpoints, one way and told to delete",
        _salesforce(TOUCHPOINTS),
        _totango(TOUCHPOINTS),
        partial(_pair, kind=TOUCHPOINTS, alone=True),
        _inbound,
    ),
    *(
        Way(f"{name}{' told to delete' if follows else ''}", *sides, partial(build, follows=follows), _inbound, False)
        for name, sides, build in (
            ("Chorus meetings → touchpoints", (_CHORUS, _totango(TOUCHPOINTS)), _meetings),
            ("campaign touches → Salesforce events", (_TOUCHES, _EVENTS), _touches),
        )
        for follows in (False, True)
    ),
)
