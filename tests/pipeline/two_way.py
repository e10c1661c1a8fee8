"""Labs of two jobs that keep Salesforce and Totango in step, and what both services must hold: asked of them alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from cshub.core.records import Link, LinkState, RunKind
from cshub.library import JobLibrary
from cshub.pipeline.run import Asked
from tests.pipeline.lab import Done, Lab
from tests.pipeline.oracle import words

Row = tuple[Any, ...]
_TASK_STATUS = {"Completed": "closed"}
_PRIORITY = {"High": 1, "Normal": 2, "Low": 3}


@dataclass
class Sync:
    """Both jobs of a pair. ``rows`` of either service are what both must hold alike."""

    lab: Lab
    kind: Kind

    def inbound(self, kind: RunKind = RunKind.MANUAL, *, full: bool = False) -> Done:
        """Salesforce → Totango."""
        return self.lab.sync(kind, asked=Asked(full_sync=full))

    def outbound(self, kind: RunKind = RunKind.MANUAL, *, full: bool = False) -> Done:
        """Totango → Salesforce."""
        return self.lab.sync_back(kind, asked=Asked(full_sync=full))

    def round(self, *, full: bool = False, wait_minutes: float = 10) -> int:
        """Both directions once, some minutes apart; how many records were written."""
        writes = self.inbound(full=full).statistics.writes
        self.lab.wait(minutes=wait_minutes)
        writes += self.outbound(full=full).statistics.writes
        self.lab.wait(minutes=wait_minutes)
        return writes

    def salesforce(self) -> Counter[Row]:
        """Records of Salesforce whose account Totango has."""
        accounts = set(self.common_accounts().values())
        held = self.lab.sandbox.service("salesforce").state()[self.kind.salesforce_name]
        live = (row for row in held if not row["IsDeleted"] and row["AccountId"] in accounts and not row.get("IsChild"))
        return Counter(self.kind.of_salesforce(row) for row in live)

    def totango(self) -> Counter[Row]:
        """Records of Totango whose account Salesforce has."""
        accounts = self.common_accounts()
        held = self.lab.sandbox.service("totango").state()[self.kind.totango_name]
        return Counter(
            self.kind.of_totango({**row, "account_id": accounts[row["account_id"]]})
            for row in held
            if row["account_id"] in accounts and not row.get("deleted")
        )

    def assert_equal(self) -> None:
        left, right = self.salesforce(), self.totango()
        assert left == right, {"only in Salesforce": left - right, "only in Totango": right - left}

    def links(self) -> list[Link]:
        """Linked pairs, Salesforce as the source; for choosing whom to edit."""
        ended = {LinkState.DELETED, LinkState.GONE}
        return [link for link in self.lab.ledger.linked(self.lab.new_run().pair) if link.state not in ended]

    def event(self, **fields: Any) -> str:
        """A user of Salesforce makes a record of an account that both have; its id."""
        account = next(iter(self.common_accounts().values()))
        given = {**self.kind.new, "WhatId": account, **fields}
        row = self.lab.act("salesforce", "create_record", object=self.kind.object, fields=given)
        self.lab.wait(minutes=1)
        return str(row["Id"])

    def note(self, account: str, title: str, text: str) -> str:
        """A user of Totango makes a record of one of its accounts; its id."""
        title_name, text_name = self.kind.totango_texts
        given = {title_name: title, text_name: text}
        if self.kind is TASKS:
            state = self.lab.sandbox.service("totango").state()
            member = next(user["email"] for user in state["users"] if user["status"] == "Active")
            flow = state["flows"][0]["id"]
            given |= {"due_date": "2026-12-01", "priority": "2", "assignee": member, "activity_type_id": flow}
        made = self.lab.act(
            "totango", f"create_{self.kind.totango_name.removesuffix('s')}", account_id=account, **given
        )
        return str(made[self.kind.state_id])

    def edit_salesforce(self, key: str, **fields: Any) -> None:
        self.lab.act("salesforce", "edit_record", id=key, fields=fields)

    def edit_totango(self, key: str, **fields: Any) -> None:
        self.lab.act("totango", self.kind.edit_action, **{self.kind.id_name: int(key)}, **fields)

    def delete_salesforce(self, key: str) -> None:
        self.lab.act("salesforce", "delete_record", id=key)

    def delete_totango(self, key: str) -> None:
        self.lab.act("totango", self.kind.delete_action, **{self.kind.id_name: int(key)})

    def in_salesforce(self, key: str) -> Mapping[str, Any] | None:
        held = self.lab.sandbox.service("salesforce").state()[self.kind.salesforce_name]
        return next((row for row in held if row["Id"] == key and not row["IsDeleted"]), None)

    def in_totango(self, key: str) -> Mapping[str, Any] | None:
        held = self.lab.sandbox.service("totango").state()[self.kind.totango_name]
        name = self.kind.state_id
        return next((row for row in held if str(row[name]) == key and not row.get("deleted")), None)

    def twin_of(self, salesforce_key: str) -> str:
        """Totango's id of the record linked to this one of Salesforce."""
        run = self.lab.new_run()
        key = self.lab.ledger.links(run.pair, [salesforce_key])[salesforce_key].target_key
        assert key is not None
        return key

    def common_accounts(self) -> dict[str, str]:
        """Totango's account id → id in Salesforce, of accounts that both have."""
        held = {row["Id"] for row in self.lab.sandbox.service("salesforce").state()["accounts"] if not row["IsDeleted"]}
        accounts = self.lab.sandbox.service("totango").state()["accounts"]
        pairs = {row["id"]: row["attributes"].get("sfid") for row in accounts}
        return {key: crm_id for key, crm_id in pairs.items() if crm_id in held}


@dataclass(frozen=True)
class Kind:
    """Touchpoints or tasks, as both services call them. ``new``: fields of a new record of Salesforce."""

    name: str
    object: str
    salesforce_name: str
    totango_name: str
    id_name: str
    state_id: str
    edit_action: str
    delete_action: str
    totango_texts: tuple[str, str]  # title and text
    new: Mapping[str, Any]
    of_salesforce: Callable[[Mapping[str, Any]], Row]
    of_totango: Callable[[Mapping[str, Any]], Row]


def _event_row(row: Mapping[str, Any]) -> Row:
    return row["AccountId"], row["Subject"] or "", words(row.get("Description") or ""), row["ActivityDate"]


def _touchpoint_row(row: Mapping[str, Any]) -> Row:
    day = datetime.fromtimestamp(row["timestamp_ms"] / 1000, UTC).date().isoformat()
    return row["account_id"], row["subject"] or "", words(row["content"] or ""), day


def _sf_task_row(row: Mapping[str, Any]) -> Row:
    status, priority = _TASK_STATUS.get(row["Status"], "open"), _PRIORITY[row["Priority"]]
    return row["AccountId"], row["Subject"], words(row.get("Description") or ""), row["ActivityDate"], priority, status


def _task_row(row: Mapping[str, Any]) -> Row:
    text = words(row["description"] or "")
    return row["account_id"], row["title"], text, row["due_date"], int(row["priority"]), row["status"]


TOUCHPOINTS = Kind(
    name="touchpoints",
    object="Event",
    salesforce_name="events",
    totango_name="touchpoints",
    id_name="note_id",
    state_id="note_id",
    edit_action="edit_touchpoint",
    delete_action="delete_touchpoint",
    totango_texts=("subject", "content"),
    new={"Subject": "Review", "Description": "Agreed.", "IsAllDayEvent": True, "ActivityDate": "2026-11-19"},
    of_salesforce=_event_row,
    of_totango=_touchpoint_row,
)
TASKS = Kind(
    name="tasks",
    object="Task",
    salesforce_name="tasks",
    totango_name="tasks",
    id_name="id",
    state_id="id",
    edit_action="edit_task",
    delete_action="delete_task",
    totango_texts=("title", "description"),
    new={
        "Subject": "Send the deck",
        "Description": "Version 2",
        "Status": "Not Started",
        "Priority": "Normal",
        "ActivityDate": "2026-12-01",
    },
    of_salesforce=_sf_task_row,
    of_totango=_task_row,
)
KINDS = {kind.name: kind for kind in (TOUCHPOINTS, TASKS)}


def make_sync(folder: Path, kind: Kind = TOUCHPOINTS, **size: Any) -> Sync:
    """A fresh world and both jobs of the demo for this kind; nothing is synced yet."""
    library = JobLibrary.from_settings()
    inbound = library.bound(f"salesforce_{kind.name}_inbound")
    outbound = library.bound(f"salesforce_{kind.name}_outbound")
    lab = Lab.make(folder, job=inbound, back=outbound, **{"meetings": 0, "accounts": 10, **size})
    return Sync(lab, kind)


def settled(folder: Path, kind: Kind = TOUCHPOINTS, **size: Any) -> Sync:
    """Both sides in step."""
    sync = make_sync(folder, kind, **size)
    sync.round(full=True)
    sync.round(full=True)
    return sync


def moments(rng: Random) -> timedelta:
    return timedelta(seconds=rng.choice((2, 60, 600, 3600)))
