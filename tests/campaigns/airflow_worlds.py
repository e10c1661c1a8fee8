"""What people do in the services of one lane, and what these must hold then: asked of the sandbox alone."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any, Protocol

from cshub_sandbox.testing import ControlClient, RunningSandbox
from tests.pipeline.oracle import expected_touchpoints, identity_of, made_by_hub, words
from tests.pipeline.two_way import TASKS, TOUCHPOINTS, Kind

Row = tuple[Any, ...]
BATCH = "/composite/sobjects"


class LaneKind(StrEnum):
    MEETINGS = "meetings"  # Chorus → Totango
    TOUCHPOINTS = "touchpoints"  # Salesforce ↔ Totango
    TASKS = "tasks"  # Salesforce ↔ Totango

    @property
    def types(self) -> Sequence[str]:
        """Integration types of its jobs: of a two-way sync first the one into Totango."""
        if self is LaneKind.MEETINGS:
            return ("chorus_touchpoints_inbound",)
        return (f"salesforce_{self}_inbound", f"salesforce_{self}_outbound")


class World(Protocol):
    """The services of a lane."""

    @abstractmethod
    def work(self, rng: Random, *, busy: int = 1) -> int:
        """A day's work of people; how many records have changed, each in one service only.

        ``busy``: how many times as many records as usual are made.
        """

    @abstractmethod
    def in_step(self) -> int:
        """Take what is held now as what must be held; how many records there are beyond those made by people."""

    @abstractmethod
    def wanted(self) -> Counter[Row]: ...

    @abstractmethod
    def held(self) -> Mapping[str, Counter[Row]]:
        """By service, in the form of :meth:`wanted`."""

    @abstractmethod
    def of_window(self, start: datetime, end: datetime) -> Counter[Row]:
        """What of :meth:`wanted` a run of the first job that reads this window must bring over."""


@dataclass
class Meetings:
    """Chorus meetings and their Totango touchpoints; looked at are meetings of ``since`` up to now."""

    running: RunningSandbox
    since: datetime
    made: list[str] = field(default_factory=list)

    def work(self, rng: Random, *, busy: int = 1) -> int:
        control = self.running.control
        now = control.now().replace(microsecond=0)
        known = {account["attributes"]["sfid"] for account in control.state("totango")["accounts"]}
        edited = rng.sample(self.made, min(2, len(self.made)))
        for meeting in edited:
            control.act("chorus", "edit_meeting", id=meeting, summary=f"Edited: {rng.getrandbits(40):x} was agreed.")
        added = rng.randint(3, 6) * busy
        for number in range(len(self.made), len(self.made) + added):
            meeting = control.act(
                "chorus",
                "add_meeting",
                account=rng.choice(sorted(known)),
                subject=f"Made {number}",
                summary=f"The words of meeting {number}.",
                starts_at=(now - timedelta(seconds=rng.randint(2_000, 36_000))).isoformat(),
            )
            self.made.append(meeting["id"])
        return added + len(edited)

    def in_step(self) -> int:
        return 0  # what must be held follows from the meetings

    def wanted(self) -> Counter[Row]:
        meetings = list(self.running.sandbox.service("chorus").records.by_id.values())
        return self._looked_at(
            (item.identity, item.subject, item.text, item.participants)
            for item in expected_touchpoints(self.running.sandbox, meetings)
        )

    def held(self) -> Mapping[str, Counter[Row]]:
        return {"Totango": self._looked_at(_touchpoint(note) for note in made_by_hub(self.running.sandbox))}

    def of_window(self, start: datetime, end: datetime) -> Counter[Row]:
        return Counter({row: count for row, count in self.wanted().items() if start <= _moment_of(row) < end})

    def _looked_at(self, rows: Iterable[Row]) -> Counter[Row]:
        now = self.running.control.now()
        return Counter(row for row in rows if self.since <= _moment_of(row) < now)


def _moment_of(row: Row) -> datetime:
    return datetime.fromtimestamp(row[0].timestamp_ms / 1000, UTC)


def _touchpoint(note: Mapping[str, Any]) -> Row:
    return identity_of(note), note["subject"] or "", words(note["content"]), frozenset(note["participants"])


@dataclass
class Both:
    """Records of Salesforce and Totango, alike on both sides. Every record that people make has a title of its own."""

    running: RunningSandbox
    kind: Kind
    rows: Counter[Row] = field(default_factory=Counter)
    made: list[str] = field(default_factory=list)
    number: int = 0
    born: int = 0

    def __post_init__(self) -> None:
        self.born = sum(rows.total() for rows in self.held().values())

    @property
    def control(self) -> ControlClient:
        return self.running.control

    def work(self, rng: Random, *, busy: int = 1) -> int:
        """Records made, edited and deleted on both sides."""
        before = rng.sample(self.made, min(5, len(self.made)))
        added = 0
        for in_salesforce in (True, False):
            for _ in range(rng.randint(2, 3) * busy):
                self._make(rng, in_salesforce=in_salesforce)
                added += 1
        for title, in_salesforce in zip(before[:3], (True, False, rng.random() < 0.5), strict=False):
            self._edit(title, in_salesforce=in_salesforce)
        deleted = before[3 : 3 + rng.randint(0, 2)]
        for title in deleted:
            self._delete(title, in_salesforce=rng.random() < 0.5)
        return added + len(before[:3]) + len(deleted)

    def in_step(self) -> int:
        self.rows = self._salesforce()
        return self.rows.total() - self.born

    def wanted(self) -> Counter[Row]:
        return +self.rows

    def held(self) -> Mapping[str, Counter[Row]]:
        return {"Salesforce": self._salesforce(), "Totango": self._totango()}

    def of_window(self, start: datetime, end: datetime) -> Counter[Row]:
        rows = self._live_in_salesforce()
        return Counter(
            self.kind.of_salesforce(row) for row in rows if start <= datetime.fromisoformat(row["SystemModstamp"]) < end
        )

    def _make(self, rng: Random, *, in_salesforce: bool) -> None:
        self.number += 1
        title, words_of_it = f"Made {self.number}", f"Words of {self.number}."
        account, crm_id = rng.choice(sorted(self._accounts().items()))
        if in_salesforce:
            fields = {**self.kind.new, "ActivityDate": _today(), "WhatId": crm_id}
            fields |= {"Subject": title, "Description": words_of_it}
            self.control.act("salesforce", "create_record", object=self.kind.object, fields=fields)
        else:
            title_name, text_name = self.kind.totango_texts
            given: dict[str, Any] = {title_name: title, text_name: words_of_it, "account_id": account}
            if self.kind is TASKS:
                given |= self._of_a_task()
            self.control.act("totango", f"create_{self.kind.totango_name.removesuffix('s')}", **given)
        self.rows[self._row_of(title, in_salesforce=in_salesforce)] += 1
        self.made.append(title)

    def _of_a_task(self) -> dict[str, Any]:
        state = self.control.state("totango")
        member = next(user["email"] for user in state["users"] if user["status"] == "Active")
        return {
            "due_date": _today(),
            "priority": "2",
            "assignee": member,
            "activity_type_id": state["flows"][0]["id"],
        }

    def _edit(self, title: str, *, in_salesforce: bool) -> None:
        self.number += 1
        text = f"Edited words {self.number}."
        self.rows[self._row_of(title, in_salesforce=in_salesforce)] -= 1
        if in_salesforce:
            self.control.act(
                "salesforce", "edit_record", id=self._in_salesforce(title)["Id"], fields={"Description": text}
            )
        else:
            self.control.act("totango", self.kind.edit_action, **self._key(title), **{self.kind.totango_texts[1]: text})
        self.rows[self._row_of(title, in_salesforce=in_salesforce)] += 1

    def _delete(self, title: str, *, in_salesforce: bool) -> None:
        self.rows[self._row_of(title, in_salesforce=in_salesforce)] -= 1
        if in_salesforce:
            self.control.act("salesforce", "delete_record", id=self._in_salesforce(title)["Id"])
        else:
            self.control.act("totango", self.kind.delete_action, **self._key(title))
        self.made.remove(title)

    def _row_of(self, title: str, *, in_salesforce: bool) -> Row:
        if in_salesforce:
            return self.kind.of_salesforce(self._in_salesforce(title))
        note = self._in_totango(title)
        return self.kind.of_totango({**note, "account_id": self._accounts()[note["account_id"]]})

    def _key(self, title: str) -> dict[str, Any]:
        return {self.kind.id_name: int(self._in_totango(title)[self.kind.state_id])}

    def _in_salesforce(self, title: str) -> Mapping[str, Any]:
        return _the(self._live_in_salesforce(), "Subject", title)

    def _in_totango(self, title: str) -> Mapping[str, Any]:
        return _the(self.control.state("totango")[self.kind.totango_name], self.kind.totango_texts[0], title)

    def _live_in_salesforce(self) -> list[Mapping[str, Any]]:
        accounts = set(self._accounts().values())
        held = self.control.state("salesforce")[self.kind.salesforce_name]
        return [row for row in held if not row["IsDeleted"] and row["AccountId"] in accounts and not row.get("IsChild")]

    def _salesforce(self) -> Counter[Row]:
        return Counter(self.kind.of_salesforce(row) for row in self._live_in_salesforce())

    def _totango(self) -> Counter[Row]:
        accounts = self._accounts()
        held = self.control.state("totango")[self.kind.totango_name]
        return Counter(
            self.kind.of_totango({**row, "account_id": accounts[row["account_id"]]})
            for row in held
            if row["account_id"] in accounts and not row.get("deleted")
        )

    def _accounts(self) -> dict[str, str]:
        """Totango's account id → id in Salesforce, of accounts that both have."""
        held = {row["Id"] for row in self.control.state("salesforce")["accounts"] if not row["IsDeleted"]}
        pairs = {row["id"]: row["attributes"].get("sfid") for row in self.control.state("totango")["accounts"]}
        return {key: crm_id for key, crm_id in pairs.items() if crm_id in held}


def _the(rows: Sequence[Mapping[str, Any]], name: str, title: str) -> Mapping[str, Any]:
    found = [row for row in rows if row[name] == title]
    assert found, f"nobody has brought {title!r} over"
    return found[0]


def world_of(kind: LaneKind, running: RunningSandbox, *, since: datetime) -> World:
    """``since``: older meetings may be known to Totango already, and are not looked at."""
    if kind is LaneKind.MEETINGS:
        return Meetings(running, since)
    return Both(running, TOUCHPOINTS if kind is LaneKind.TOUCHPOINTS else TASKS)


def rows_sent(control: ControlClient) -> int:
    """Records written through the APIs so far, of all services: each row of a call of many counts."""
    calls = [call for call in control.log(writes=True) if call["committed"] and call["status"] < 300]
    return sum(_rows_in(call) for call in calls)


def _rows_in(call: Mapping[str, Any]) -> int:
    if BATCH not in call["path"]:
        return 1
    if call["method"] == "DELETE":
        return len(dict(call["query"])["ids"].split(","))
    return len(call["body"]["records"])


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
