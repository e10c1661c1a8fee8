"""Jobs of every type and direction with a history, told alike: what people do to either side and what both hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cshub.core.jobs import BoundJob
from cshub.core.records import LinkState
from cshub.library import JobLibrary
from cshub.pipeline.run import known_pair
from tests.pipeline.lab import JOB_ID, Lab
from tests.pipeline.oracle import words
from tests.pipeline.two_way import KINDS, Kind, make_sync

TOUCHES = "salesforce_campaign_touches_outbound"


class Way(StrEnum):
    """Which jobs of a pair there are."""

    TO_TOTANGO = "to Totango"
    TO_SALESFORCE = "to Salesforce"
    BOTH = "both ways"


@dataclass(frozen=True, slots=True)
class Person:
    """An edit: of the record with this key in the source of the first job, made on this side, and its words.

    ``before``: made before the upgrade.
    """

    key: str
    in_source: bool
    said: str
    before: bool


@dataclass
class Stage:
    """One world with the jobs of a type. ``titles`` and ``texts``: what each target calls its title and text.

    ``different``: of two jobs, how many records only the first and only the second service holds as they are.
    """

    lab: Lab
    edit_source: Callable[[str, str], None]
    edit_target: Callable[[str, str], None]
    source_text: Callable[[str], str]
    target_text: Callable[[str], str]
    make_source: Callable[[str], str]
    titles: Mapping[str, str]
    texts: Mapping[str, str]
    count: Callable[[], int]
    different: Callable[[], tuple[int, int]] = lambda: (0, 0)
    source_is_edited: bool = True
    source_tells_when: bool = True  # whether the source's clock moves with an edit
    made: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> list[BoundJob]:
        return [job for job in (self.lab.job, self.lab.back) if job is not None]

    def set_jobs(self, change: Callable[[BoundJob], BoundJob]) -> None:
        self.lab.job = change(self.lab.job)
        self.lab.back = None if self.lab.back is None else change(self.lab.back)

    def links(self) -> list[tuple[str, str]]:
        """Keys of source and target of every record in step, in the direction of the first job."""
        pair = known_pair(self.lab.job, self.lab.ledger)
        if pair is None:
            return []
        ended = {LinkState.DELETED, LinkState.GONE}
        found = [link for link in self.lab.ledger.linked(pair) if link.state not in ended and link.target_key]
        return sorted((link.source_key, str(link.target_key)) for link in found)

    def writes(self) -> Counter[str]:
        """Writes that the services have received, by method; those of a batch each for itself."""
        found: Counter[str] = Counter()
        for entry in self.lab.sandbox.log.entries:
            if entry.write and entry.committed and 200 <= entry.status < 300:
                found[entry.method] += _rows(entry.body)
        return found

    def close(self) -> None:
        self.lab.ledger.close()


def _rows(body: Any) -> int:
    """How many records a call of the log writes."""
    records = body.get("records") if isinstance(body, dict) else None
    return len(records) if isinstance(records, list) else 1


def _pair_stage(folder: Path, kind: Kind, way: Way) -> Stage:
    sync = make_sync(folder, kind, accounts=8, cases=False)
    lab = sync.lab
    if way is Way.TO_TOTANGO:
        lab.back = None
    elif way is Way.TO_SALESFORCE:
        assert lab.back is not None
        lab.job, lab.back = lab.back, None
    account = next(iter(sync.common_accounts()))
    text = kind.totango_texts[1]

    def in_salesforce(key: str) -> str:
        return str((sync.in_salesforce(key) or {}).get("Description") or "")

    def in_totango(key: str) -> str:
        return str((sync.in_totango(key) or {}).get(text) or "")

    def different() -> tuple[int, int]:
        left, right = sync.salesforce(), sync.totango()
        return (left - right).total(), (right - left).total()

    salesforce = (lambda key, said: sync.edit_salesforce(key, Description=said), in_salesforce)
    totango = (lambda key, said: sync.edit_totango(key, **{text: said}), in_totango)
    source, target = (totango, salesforce) if way is Way.TO_SALESFORCE else (salesforce, totango)
    made = (
        (lambda said: sync.note(account, "Made by a person", said))
        if way is Way.TO_SALESFORCE
        else (lambda said: sync.event(Subject="Made by a person", Description=said))
    )
    titles = {"totango": kind.totango_texts[0], "salesforce": "Subject"}
    return Stage(
        lab,
        source[0],
        target[0],
        source[1],
        target[1],
        made,
        titles,
        {"totango": text, "salesforce": "Description"},
        lambda: _live(lab, ("salesforce", kind.salesforce_name), ("totango", kind.totango_name)),
        different if way is Way.BOTH else lambda: (0, 0),
    )


def _meetings(folder: Path) -> Stage:
    lab = Lab.make(folder, accounts=8, meetings=30, cases=False, job=JobLibrary.from_settings().bound(JOB_ID))

    def held(key: str) -> str:
        return str(next((row["content"] for row in lab.touchpoints() if str(row["note_id"]) == key), ""))

    def source(key: str) -> str:
        return str(lab.sandbox.service("chorus").records.by_id[key].summary or "")

    return Stage(
        lab,
        lambda key, said: _quiet(lab.act("chorus", "edit_meeting", id=key, summary=said)),
        lambda key, said: _quiet(lab.act("totango", "edit_touchpoint", note_id=int(key), content=said)),
        source,
        held,
        lambda said: str(lab.act("chorus", "add_meeting", subject="Made by a person", summary=said)["id"]),
        {"totango": "subject"},
        {"totango": "content"},
        lambda: len(lab.sandbox.service("chorus").records.by_id) + len(lab.touchpoints()),
        source_tells_when=False,
    )


def _touches(folder: Path) -> Stage:
    lab = Lab.make(folder, accounts=8, meetings=0, cases=False, job=JobLibrary.from_settings().bound(TOUCHES))

    def send(said: str) -> str:
        accounts = lab.sandbox.service("totango").state()["accounts"]
        lab.act("totango", "send_campaign", name=said, account_ids=[accounts[0]["id"]])
        lab.wait(minutes=1)
        touches = [row for row in lab.sandbox.service("totango").state()["events"] if row["type"] == "campaign_touch"]
        return str(touches[-1]["id"])

    def held(key: str) -> str:
        rows = lab.sandbox.service("salesforce").state()["events"]
        return str(next((row.get("Description") or "" for row in rows if row["Id"] == key), ""))

    for number in range(4):
        lab.act("totango", "send_campaign", name=f"News {number}")
        lab.wait(minutes=1)
    return Stage(
        lab,
        lambda key, said: None,
        lambda key, said: _quiet(lab.act("salesforce", "edit_record", id=key, fields={"Description": said})),
        lambda key: "",
        held,
        send,
        {"salesforce": "Subject"},
        {"salesforce": "Description"},
        lambda: len(lab.sandbox.service("totango").state()["events"]) + _live(lab, ("salesforce", "events")),
        source_is_edited=False,
    )


def _live(lab: Lab, *places: tuple[str, str]) -> int:
    rows = [row for service, name in places for row in lab.sandbox.service(service).state()[name]]
    return sum(not (row.get("IsDeleted") or row.get("deleted") or row.get("IsChild")) for row in rows)


def _quiet(_: object) -> None:
    """The answer of an action is not looked at."""


STAGES: Mapping[str, Callable[[Path], Stage]] = {
    "meetings": _meetings,
    "campaign touches": _touches,
    **{f"{kind.name} {way}": partial(_pair_stage, kind=kind, way=way) for kind in KINDS.values() for way in Way},
}


def says(held: str, said: str) -> bool:
    """Whether a text holds these words, whatever the service made of its form."""
    return words(said) == words(held)
