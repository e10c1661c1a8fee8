"""A year of pairs in both services, made by their users' own actions: no run is needed to have made them.

Each pair is what a run would have left: a record of one side, and one of the other with the values that the job's
mapping makes of it. Who made which is known to nobody but this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from cshub.library import JobLibrary
from tests.pipeline.lab import NOW, Lab
from tests.pipeline.oracle import words
from tests.pipeline.two_way import TASKS, TOUCHPOINTS, Kind, Row

YEAR = timedelta(days=365)
PAIRS_AN_ACCOUNT = 20
WORLD_ACCOUNTS = 8
EDITED, DELETED, TEXTLESS = 0.02, 0.005, 0.03
TITLES = (
    "Weekly call", "Quarterly review", "Check-in", "Kick-off", "Roadmap", "Renewal", "Training", "Escalation",
    "Hand-over", "Demo", "Price talk", "Support round",
)  # fmt: skip
POINTS = tuple(
    f"{who} {what}."
    for who in ("The team", "Their lead", "The sponsor", "Operations", "Procurement", "The new admin")
    for what in (
        "agreed on the pilot", "asks for the roadmap", "wants a second demo", "reports an outage", "plans the move",
        "postpones the decision", "needs a training", "praises the support", "counts the seats", "compares prices",
    )
)  # fmt: skip


class Objects(StrEnum):
    """What the pairs are."""

    TOUCHPOINTS = "touchpoints"  # Salesforce events, both ways
    TASKS = "tasks"  # Salesforce tasks, both ways
    MEETINGS = "meetings"  # Chorus meetings → touchpoints


@dataclass(frozen=True, slots=True)
class Facts:
    """What both records of a pair say. ``at``: of the meeting; a task's due date and an event's day are its date."""

    title: str
    text: str
    at: datetime
    account: str  # of Totango
    crm_id: str
    owner: str  # e-mail of a person whom both systems know

    @property
    def day(self) -> date:
        return self.at.date()


@dataclass
class Past:
    """``pairs``: key in Salesforce or Chorus → key in Totango, of all that were made. ``gone``: keys deleted since.

    ``twins``: left keys of pairs that say all the same as another one. ``edits``: left keys of pairs that were edited
    on one side since the last run → whether it was the left one.
    """

    objects: Objects
    lab: Lab
    rng: Random
    pairs: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    twins: set[str] = field(default_factory=set)
    edits: dict[str, bool] = field(default_factory=dict)
    accounts: list[tuple[str, str]] = field(default_factory=list)
    people: list[str] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, objects: Objects, *, pairs: int, twins: int, seed: int) -> Past:
        """``pairs`` of a year, ``twins`` of them in couples; then edits and deletions of the last hour."""
        rng = Random(f"{objects}:{seed}")
        past = cls(objects, _lab(folder, objects, pairs, seed), rng)
        past._meet(pairs)
        past._live(pairs, twins)
        past.lab.sandbox.clock.set(NOW)
        past._change()
        past.lab.wait(minutes=10)
        return past

    @property
    def kind(self) -> Kind:
        return TASKS if self.objects is Objects.TASKS else TOUCHPOINTS

    @property
    def standing(self) -> dict[str, str]:
        """The pairs both of whose records are there."""
        return {left: right for left, right in self.pairs.items() if not {left, right} & self.gone}

    def left_rows(self) -> dict[str, Row]:
        """What Salesforce or Chorus holds: key → what the other side should say."""
        if self.objects is Objects.MEETINGS:
            held = self.lab.sandbox.service("chorus").records.by_id.values()
            return {item.id: (item.account.crm_id, item.subject, words(item.summary or "")) for item in held
                    if item.account is not None}  # fmt: skip
        known = {crm_id for _, crm_id in self._known_accounts()}
        held = self._state("salesforce")[self.kind.salesforce_name]
        live = (row for row in held if not row["IsDeleted"] and row["AccountId"] in known)
        return {row["Id"]: self.kind.of_salesforce(row) for row in live}

    def right_rows(self) -> dict[str, Row]:
        """What Totango holds, in the same form."""
        crm_ids = dict(self._known_accounts())
        held = [row for row in self._state("totango")[self.kind.totango_name] if not row.get("deleted")]
        named = {str(row[self.kind.state_id]): {**row, "account_id": crm_ids.get(row["account_id"])} for row in held}
        if self.objects is Objects.MEETINGS:
            return {key: (row["account_id"], row["subject"], words(row["content"] or "")) for key, row in named.items()}
        return {key: self.kind.of_totango(row) for key, row in named.items()}

    def _meet(self, pairs: int) -> None:
        """Accounts and people whom both systems know."""
        if self.objects is not Objects.MEETINGS:
            made = self.lab.act(
                "salesforce", "seed_history", accounts=max(2, pairs // PAIRS_AN_ACCOUNT), events=0, tasks=0
            )
            for crm_id in made["account_ids"]:
                attributes = {"sfid": crm_id}
                self.lab.act("totango", "create_account", id=f"T-{crm_id}", name="Customer", attributes=attributes)
            self.accounts = [(f"T-{crm_id}", crm_id) for crm_id in made["account_ids"]]
        else:
            self.accounts = self._known_accounts()
        there = {row["Email"] for row in self._state("salesforce")["users"] if row["IsActive"]}
        team = [row["email"] for row in self._state("totango")["users"] if row["status"] == "Active"]
        self.people = sorted(there & set(team))

    def _live(self, pairs: int, twins: int) -> None:
        first, before = NOW - YEAR + timedelta(hours=1), None
        step = (NOW - first) / pairs
        alike: Counter[tuple[Any, ...]] = Counter()
        said: dict[str, tuple[Any, ...]] = {}
        for number in range(pairs):
            at = (first + number * step).replace(microsecond=0)
            self.lab.sandbox.clock.set(at)
            facts = before if before is not None and number < twins and number % 2 else self._facts(at)
            left, right = self._pair(facts)
            self.pairs[left], before = right, facts
            said[left] = (facts.account, facts.day, facts.title, words(facts.text))
            alike[said[left]] += 1
        self.twins = {left for left, key in said.items() if alike[key] > 1}

    def _facts(self, at: datetime) -> Facts:
        rng = self.rng
        text = "" if rng.random() < TEXTLESS else " ".join(rng.sample(POINTS, 3))
        held_at = at - timedelta(seconds=rng.randrange(86_400))
        return Facts(rng.choice(TITLES), text, held_at, *rng.choice(self.accounts), rng.choice(self.people))

    def _pair(self, facts: Facts) -> tuple[str, str]:
        """Both records; the one that a run would have made is the second."""
        if self.objects is Objects.MEETINGS:
            return self._meeting(facts), self._note(facts, facts.at)
        from_left = self.rng.random() < 0.6
        noon = datetime.combine(facts.day, time(12), UTC)
        made = [lambda: self._salesforce(facts), lambda: self._totango(facts, noon if from_left else facts.at)]
        keys = {}
        for side in (0, 1) if from_left else (1, 0):
            keys[side] = made[side]()
            self.lab.wait(seconds=3)
        return keys[0], keys[1]

    def _meeting(self, facts: Facts) -> str:
        row = self.lab.act(
            "chorus", "add_meeting", account=facts.crm_id, owner=facts.owner, subject=facts.title,
            summary=facts.text or None, starts_at=facts.at.isoformat(), attendees=[],
        )  # fmt: skip
        return str(row["id"])

    def _salesforce(self, facts: Facts) -> str:
        fields: dict[str, Any] = {"Subject": facts.title, "Description": facts.text or None, "WhatId": facts.crm_id}
        fields |= {"ActivityDate": facts.day.isoformat()}
        fields |= (
            {"IsAllDayEvent": True} if self.kind is TOUCHPOINTS else {"Status": "In Progress", "Priority": "Normal"}
        )
        row = self.lab.act("salesforce", "create_record", object=self.kind.object, fields=fields, user=facts.owner)
        return str(row["Id"])

    def _totango(self, facts: Facts, at: datetime) -> str:
        if self.kind is TOUCHPOINTS:
            return self._note(facts, at)
        fields = {"title": facts.title, "description": facts.text, "due_date": facts.day.isoformat(), "priority": "2"}
        row = self.lab.act(
            "totango", "create_task", account_id=facts.account, **fields, assignee=facts.owner, user=facts.owner,
            activity_type_id="adoption",
        )  # fmt: skip
        return str(row["id"])

    def _note(self, facts: Facts, at: datetime) -> str:
        fields = {"subject": facts.title, "content": facts.text, "create_date": round(at.timestamp() * 1000)}
        row = self.lab.act("totango", "create_touchpoint", account_id=facts.account, **fields, user=facts.owner)
        return str(row["note_id"])

    def _change(self) -> None:
        """What people did since the last run: edits and deletions on one side, and a few on both."""
        rng = self.rng
        alone = sorted(self.pairs.keys() - self.twins)
        rng.shuffle(alone)
        deleted = max(2, round(len(alone) * DELETED))
        for number, left in enumerate(alone[:deleted]):
            sides = (number % 3 != 0, number % 3 != 1)  # one side, the other, both
            self._delete(left, *sides)
        for left in alone[deleted : deleted + max(3, round(len(alone) * EDITED))]:
            self.lab.wait(seconds=2)
            self.edits[left] = rng.random() < 0.5
            self._edit(left, self.edits[left], rng.choice(("title", "title", "text", "text", "date")))

    def _delete(self, left: str, in_left: bool, in_right: bool) -> None:
        right = self.pairs[left]
        if in_left:
            self.gone.add(left)
            if self.objects is Objects.MEETINGS:
                self.lab.act("chorus", "delete_meeting", id=left)
            else:
                self.lab.act("salesforce", "delete_record", id=left)
        if in_right:
            self.gone.add(right)
            self.lab.act("totango", self.kind.delete_action, **{self.kind.id_name: int(right)})

    def _edit(self, left: str, in_left: bool, what: str) -> None:
        value = f"Edited {self.rng.randrange(10**6)}"
        title, text = self.kind.totango_texts
        if in_left and self.objects is Objects.MEETINGS:
            self.lab.act("chorus", "edit_meeting", id=left, **{"summary" if what == "text" else "subject": value})
        elif in_left:
            moved = {"ActivityDate": (NOW.date() + timedelta(days=9)).isoformat()}
            fields = {"title": {"Subject": value}, "text": {"Description": value}}.get(what, moved)
            self.lab.act("salesforce", "edit_record", id=left, fields=fields)
        else:
            changes = {"title": {title: value}, "text": {text: value}}.get(what) or self._moved()
            self.lab.act("totango", self.kind.edit_action, **{self.kind.id_name: int(self.pairs[left])}, **changes)

    def _moved(self) -> dict[str, Any]:
        moved = NOW + timedelta(days=9)
        if self.kind is TASKS:
            return {"due_date": moved.date().isoformat()}
        return {"create_date": round(moved.timestamp() * 1000)}

    def _known_accounts(self) -> list[tuple[str, str]]:
        rows = self._state("totango")["accounts"]
        return [(row["id"], row["attributes"]["sfid"]) for row in rows if row["attributes"].get("sfid")]

    def _state(self, service: str) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self.lab.sandbox.service(service).state()
        return state


def _lab(folder: Path, objects: Objects, pairs: int, seed: int) -> Lab:
    library = JobLibrary.from_settings()
    if objects is Objects.MEETINGS:
        accounts = max(WORLD_ACCOUNTS, pairs // PAIRS_AN_ACCOUNT)
        job, back = library.bound("chorus_touchpoints_inbound"), None
    else:
        accounts = WORLD_ACCOUNTS
        job, back = (library.bound(f"salesforce_{objects}_{way}") for way in ("inbound", "outbound"))
    return Lab.make(folder, seed=seed % 10_000, accounts=accounts, meetings=0, now=NOW - YEAR, job=job, back=back)
