"""Creates, edits and removes single records by all rules of the org. Every write is done in full or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cshub_sandbox.salesforce.activity_rules import event_times, task_flags
from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.derivation import (
    ACTIVITIES,
    account_of,
    accounts_touched,
    closed_flags,
)
from cshub_sandbox.salesforce.errors import SalesforceError, malformed_id, not_found
from cshub_sandbox.salesforce.field_rules import check_required, resolve_reference, with_defaults
from cshub_sandbox.salesforce.incoming import read_record
from cshub_sandbox.salesforce.locks import AccountLocks
from cshub_sandbox.salesforce.objects import FieldKind, ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.recycle_bin import RecycleBin
from cshub_sandbox.salesforce.relations import CONTACT, EVENT_RELATION, LEAD, PARTICIPANTS, USER, Relations, primary
from cshub_sandbox.salesforce.rows import Row, full_id
from cshub_sandbox.salesforce.uniqueness import check_duplicates, check_unique, check_validation_rules


class Writer:
    """All writes of one org. Every method raises ``SalesforceError`` and has then changed nothing."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._locks = AccountLocks()
        self.relations = Relations(org)
        self.bin = RecycleBin(org, self.relations)

    def find(self, kind: ObjectType, text: str, *, in_row: bool = False) -> Row:
        """The record that an id means. ``in_row`` picks the codes of calls of many.

        Raises ``SalesforceError`` 404 for an id that no record has, and for a deleted one.
        """
        org, table = self._org, self._org.store.table(kind.table)
        found = full_id(org.given_id(text))
        if found is None or (kind.key_prefix and found[:3] != kind.key_prefix):
            raise malformed_id(text, f"{kind.label} ID", field="Id") if in_row else not_found()
        row = table.get(found)
        if row is None:
            if in_row:
                raise SalesforceError(org.switches.unknown_record_code.value, "invalid cross reference id", status=404)
            raise not_found()
        if row.get("IsDeleted"):
            raise SalesforceError(org.switches.deleted_record_code.value, "entity is deleted", status=404)
        return row

    def insert(self, actor: Actor, kind: ObjectType, body: Any) -> str:
        """A new record; gives its id. ``kind`` is the object as the actor sees it."""
        if not kind.createable:
            raise _not_supported(kind, "create")
        org, now = self._org, self._org.now()
        sent = read_record(org, kind, body, on_create=True)
        full = org.schema.object(kind.name)
        sent = self._with_references(full, {}, sent)
        values = with_defaults(full, sent)
        if full.field("OwnerId") is not None and values.get("OwnerId") is None:
            values["OwnerId"] = actor.user_id
        if full.field("IsDeleted") is not None:
            values["IsDeleted"] = False
        check_required(full, values, on_create=True)
        row = self._completed(actor, full, {}, values, sent)
        row["Id"] = org.new_id(full.name)
        for field in full.fields.values():
            if field.auto_number:
                row[field.name] = org.next_number(f"{full.name}.{field.name}")
        if full.custom and row.get("Name") is None:
            row["Name"] = row["Id"]
        check_unique(org, full, row, row)
        check_validation_rules(org, full, row)
        check_duplicates(org, full, row, allowed=actor.allow_duplicates)
        if full.name in PARTICIPANTS:
            self.relations.check_new(full.name, row)
        self._lock(actor, full, row)
        stamped = org.stamp(row, actor.user_id, now)
        with org.records.transaction():
            org.records.put(full.table, stamped)
            self._after_write(actor, full, stamped, now)
            if full.name == EVENT_RELATION:
                self._relate(actor, stamped, now)
        return str(row["Id"])

    def update(self, actor: Actor, kind: ObjectType, text: str, body: Any, *, in_row: bool = False) -> str:
        """Edits the record with this id; gives the 18-character id."""
        if not kind.updateable:
            raise _not_supported(kind, "update")
        org, now = self._org, self._org.now()
        before = self.find(kind, text, in_row=in_row)
        sent = read_record(org, kind, body, on_create=False)
        full = org.schema.object(kind.name)
        sent = self._with_references(full, before, sent)
        check_required(full, sent, on_create=False)
        row = self._completed(actor, full, before, {**before, **sent}, sent)
        check_unique(org, full, row, sent)
        check_validation_rules(org, full, row)
        self._lock(actor, full, before, row)
        stamped = org.stamp(row, actor.user_id, now)
        with org.records.transaction():
            org.records.put(full.table, stamped)
            self._after_write(actor, full, stamped, now)
            if full.name == "Contact" and before.get("AccountId") != stamped.get("AccountId"):
                self._move_activities(stamped["Id"], now)
        return str(before["Id"])

    def delete(self, actor: Actor, kind: ObjectType, text: str, *, in_row: bool = False) -> str:
        """Puts the record into the recycle bin, with what belongs to it; gives the 18-character id."""
        if not kind.deletable:
            raise _not_supported(kind, "delete")
        before = self.find(kind, text, in_row=in_row)
        full = self._org.schema.object(kind.name)
        self._lock(actor, full, before)
        with self._org.records.transaction():
            self.bin.put_in(full, before, user_id=actor.user_id)
        return str(before["Id"])

    def undelete(self, actor: Actor, kind: ObjectType, record_id: str) -> None:
        """Takes a record out of the recycle bin, with what its deletion took along."""
        with self._org.records.transaction():
            self.bin.take_out(self._org.schema.object(kind.name), record_id, user_id=actor.user_id)

    def _with_references(self, kind: ObjectType, before: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
        resolved = dict(sent)
        for name, value in sent.items():
            field = kind.fields[name.lower()]
            if value is None or value == before.get(name):
                continue
            if field.kind is FieldKind.REFERENCE:
                resolved[name] = resolve_reference(self._org, field, value, owner=name == "OwnerId")
            elif field.kind is FieldKind.JUNCTION:
                resolved[name] = [resolve_reference(self._org, field, item, owner=False) for item in value]
        return resolved

    def _completed(
        self, actor: Actor, kind: ObjectType, before: Mapping[str, Any], values: dict[str, Any], sent: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The row with everything that follows from what was sent."""
        org, now = self._org, self._org.now()
        if kind.name not in ACTIVITIES:
            return values | closed_flags(kind, before, values, now=now)
        if org.switches.shared_activities:
            who_ids = self.relations.who_ids(kind, before, sent)
            values |= {"WhoId": primary(who_ids), f"{kind.name}WhoIds": who_ids}
            values |= {"WhoCount": len(who_ids), "WhatCount": 1 if values.get("WhatId") else 0}
        if str(values.get("WhoId") or "").startswith(LEAD) and values.get("WhatId"):
            raise SalesforceError(
                "FIELD_INTEGRITY_EXCEPTION",
                "Related To ID: a lead cannot be combined with a related record",
                fields=["WhatId"],
            )
        values["AccountId"] = account_of(org, values)
        if kind.name == "Task":
            return values | task_flags(before, values, now=now)
        return values | event_times(
            before,
            sent,
            api_version=actor.api_version,
            multi_day=org.switches.multi_day_events,
            moved=org.switches.moved_event,
        )

    def _lock(self, actor: Actor, kind: ObjectType, *rows: Mapping[str, Any]) -> None:
        accounts = accounts_touched(self._org, kind, *rows)
        self._locks.take(accounts, actor.holder, self._org.now(), hold_s=self._org.switches.dml_hold_s)

    def _after_write(self, actor: Actor, kind: ObjectType, row: Row, now: datetime) -> None:
        if kind.name not in ACTIVITIES:
            return
        if self._org.switches.shared_activities:
            self.relations.write(kind, row, user_id=actor.user_id, now=now)
        if kind.name == "Event":
            self.relations.carry_over(row, user_id=actor.user_id, now=now)

    def _relate(self, actor: Actor, relation: Row, now: datetime) -> None:
        """A participant was added to an event: a further contact of it, or somebody who is invited."""
        org = self._org
        event = org.store.table("Event").get(relation["EventId"])
        if event is None:
            return
        related = relation["RelationId"]
        if org.switches.shared_activities and relation.get("IsParent") and related.startswith((CONTACT, LEAD)):
            who_ids = [*(event.get("EventWhoIds") or ()), related]
            shared = {"EventWhoIds": who_ids, "WhoId": primary(who_ids), "WhoCount": len(who_ids)}
            org.records.put("Event", {**event, **shared, "SystemModstamp": now})
            return
        org.records.put("EventRelation", {**relation, "IsInvitee": True})
        if org.switches.child_events and related.startswith(USER):
            self.relations.copy_for(event, related, user_id=actor.user_id, now=now)

    def _move_activities(self, contact_id: str, now: datetime) -> None:
        """Activities of a contact that changed its account follow it; only ``SystemModstamp`` tells."""
        org = self._org
        for name in sorted(ACTIVITIES):
            for row in self._rows_with(name, "WhoId", contact_id):
                account_id = account_of(org, row)
                if account_id != row.get("AccountId"):
                    org.records.put(name, {**row, "AccountId": account_id, "SystemModstamp": now})

    def _rows_with(self, table_name: str, field: str, value: str) -> list[Row]:
        table = self._org.store.table(table_name)
        rows = (table.get(record_id) for record_id in table.find(field, value))
        return [row for row in rows if row is not None and not row.get("IsDeleted")]


def _not_supported(kind: ObjectType, operation: str) -> SalesforceError:
    return SalesforceError(
        "INVALID_TYPE_FOR_OPERATION", f"entity type {kind.name} does not support {operation}", fields=[]
    )
