"""What users do with records in the product's own pages, and what the platform does in the background."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cshub_sandbox.salesforce.activity_rules import is_due_for_archive
from cshub_sandbox.salesforce.derivation import ACTIVITIES, account_of
from cshub_sandbox.salesforce.history import write_history
from cshub_sandbox.salesforce.objects import ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.people import find_user, page_user
from cshub_sandbox.salesforce.rows import Row, full_id
from cshub_sandbox.salesforce.state import shown
from cshub_sandbox.salesforce.writer import Writer

ARCHIVE_AFTER_DAYS = 365  # docs/vendors/salesforce.md §2.4
_MOVED_WITH_ACCOUNT = (("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Case", "AccountId"))


class RecordActions:
    """Every action gives the record as it is afterwards, JSON-ready, or what its text says."""

    def __init__(self, org: Org, writer: Writer) -> None:
        self._org = org
        self._writer = writer

    def create_record(self, *, object: str, fields: dict[str, Any], user: str | None = None) -> Any:
        """A user creates a record."""
        kind = self._kind(object)
        record_id = self._writer.insert(page_user(self._org, user), kind, fields)
        return self._shown(kind, record_id)

    def edit_record(self, *, id: str, fields: dict[str, Any], user: str | None = None) -> Any:
        """A user edits a record, archived or not."""
        kind = self._kind_of(id)
        self._writer.update(page_user(self._org, user), kind, id, fields)
        return self._shown(kind, id)

    def delete_record(self, *, id: str, user: str | None = None) -> Any:
        """A user deletes a record: it goes into the recycle bin."""
        kind = self._kind_of(id)
        self._writer.delete(page_user(self._org, user), kind, id)
        return self._shown(kind, id)

    def undelete_record(self, *, id: str, user: str | None = None) -> Any:
        """A user takes a record out of the recycle bin."""
        kind = self._kind_of(id)
        self._writer.undelete(page_user(self._org, user), kind, self._row(kind, id)["Id"])
        return self._shown(kind, id)

    def purge(self, *, older_than_days: float = 0) -> Any:
        """The recycle bin is emptied; gives how many records are gone for good."""
        return self._writer.bin.empty(older_than=timedelta(days=older_than_days))

    def invite(self, *, event: str, user: str) -> Any:
        """A user is invited to an event and gets a copy of it, unless the org makes none; gives the relation."""
        org = self._org
        fields = {"EventId": event, "RelationId": find_user(org, user), "IsInvitee": True}
        kind = org.schema.object("EventRelation")
        return self._shown(kind, self._writer.insert(page_user(org, None), kind, fields))

    def touch(self, *, ids: list[str]) -> Any:
        """Background work moves ``SystemModstamp`` and nothing else; gives how many records."""
        for record_id in ids:
            kind = self._kind_of(record_id)
            row = self._row(kind, record_id)
            self._org.records.put(kind.table, {**row, "SystemModstamp": self._org.now()})
        return len(ids)

    def archive(self, *, ids: list[str] | None = None, older_than_days: int = ARCHIVE_AFTER_DAYS) -> Any:
        """The platform archives these activities, or without ``ids`` all that are old enough; gives how many."""
        org, now = self._org, self._org.now()
        wanted: list[tuple[str, Row]] = []
        for record_id in ids or ():
            kind = self._kind_of(record_id)
            wanted.append((kind.table, self._row(kind, record_id)))
        for name in sorted(ACTIVITIES) if ids is None else ():
            is_event = name == "Event"
            for row in org.store.table(name):
                due = is_due_for_archive(row, is_event=is_event, now=now, after_days=older_than_days)
                if due and not row.get("IsDeleted") and not row.get("IsArchived"):
                    wanted.append((name, row))
        for table, row in wanted:
            org.records.put(table, {**row, "IsArchived": True, "SystemModstamp": now})
        return len(wanted)

    def merge_accounts(self, *, account: str, into: str) -> Any:
        """One account is merged into another: its people, business and activities move, then it is deleted."""
        org, kind = self._org, self._kind("Account")
        loser, winner = self._row(kind, account)["Id"], self._row(kind, into)["Id"]
        if loser == winner:
            raise ValueError("an account cannot be merged into itself")
        now = org.now()
        with org.records.transaction():
            for name, field in _MOVED_WITH_ACCOUNT:
                self._move(name, field, loser, {field: winner})
            for name in sorted(ACTIVITIES):
                self._move(name, "WhatId", loser, {"WhatId": winner})
                for record_id in org.store.table(name).find("AccountId", loser):
                    row = org.store.get(record_id)
                    if row is not None and not row.get("IsDeleted"):
                        moved = {**row, "AccountId": account_of(org, row), "SystemModstamp": now}
                        org.records.put(name, moved)
            self._writer.delete(page_user(org, None), kind, loser)
        return self._shown(kind, winner)

    def convert_lead(self, *, lead: str, account: str | None = None) -> Any:
        """A lead becomes a contact, of a new account unless one is named; its activities move to the contact."""
        org, actor = self._org, page_user(self._org, None)
        row = self._row(self._kind("Lead"), lead)
        account_id = account or self._writer.insert(actor, self._kind("Account"), {"Name": row["Company"]})
        person = {name: row.get(name) for name in ("FirstName", "LastName", "Email", "Title", "Phone")}
        contact_id = self._writer.insert(actor, self._kind("Contact"), {**person, "AccountId": account_id})
        converted = {
            "IsConverted": True,
            "Status": "Closed - Converted",
            "ConvertedDate": org.now().date(),
            "ConvertedAccountId": account_id,
            "ConvertedContactId": contact_id,
        }
        org.records.put("Lead", org.stamp({**row, **converted}, actor.user_id, org.now()))
        for name in sorted(ACTIVITIES):
            self._move(name, "WhoId", row["Id"], {"WhoId": contact_id})
            for record_id in org.store.table(name).find("WhoId", contact_id):
                moved = org.store.get(record_id)
                if moved is not None:
                    org.records.put(name, {**moved, "AccountId": account_of(org, moved)})
        return {"account_id": account_id, "contact_id": contact_id}

    def seed_history(
        self,
        *,
        accounts: int = 0,
        events: int = 100,
        tasks: int = 100,
        days: int = 365,
        seed: int = 1,
    ) -> Any:
        """A long invented past on new accounts (or, with 0, on those that are there); gives the account ids."""
        return write_history(self._org, accounts=accounts, events=events, tasks=tasks, days=days, seed=seed)

    def _move(self, table_name: str, field: str, value: str, changes: dict[str, Any]) -> None:
        """Rows that point to a record are pointed elsewhere; only ``SystemModstamp`` tells."""
        org, table = self._org, self._org.store.table(table_name)
        for record_id in table.find(field, value):
            row = table.get(record_id)
            if row is not None and not row.get("IsDeleted"):
                org.records.put(table_name, {**row, **changes, "SystemModstamp": org.now()})

    def _kind(self, name: str) -> ObjectType:
        return self._org.schema.object(name)

    def _kind_of(self, record_id: str) -> ObjectType:
        kind = self._org.schema.object_of(record_id)
        if kind is None:
            raise KeyError(f"no object has ids like {record_id!r}")
        return kind

    def _row(self, kind: ObjectType, record_id: str) -> Row:
        found = self._org.store.table(kind.table).get(full_id(record_id) or "")
        if found is None:
            raise KeyError(f"there is no {kind.name} {record_id!r}")
        return found

    def _shown(self, kind: ObjectType, record_id: str) -> Any:
        return shown(self._row(kind, record_id))
