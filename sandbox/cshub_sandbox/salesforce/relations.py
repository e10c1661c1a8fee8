"""Participants of activities: relation rows, their counts, and the copies that invited users get (§2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects import ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.rows import Row

MOST_CONTACTS = 50  # docs/vendors/salesforce.md §2.3
PARENT = "_Parent"  # a child event's own note of the event it was copied from
CONTACT, LEAD, USER, CALENDAR = "003", "00Q", "005", "023"
EVENT_RELATION = "EventRelation"
PARTICIPANTS = frozenset({EVENT_RELATION, "TaskRelation"})
_INVITEES = (CONTACT, LEAD, USER, CALENDAR)  # docs/vendors/salesforce.md §2.3: users, contacts, leads, resources
_NOT_COPIED = frozenset({"Id", "OwnerId", "WhoCount", "WhatCount", "EventWhoIds", "IsChild", "IsGroupEvent"})
_COPIED_ON_EDIT = frozenset(
    {
        "Subject",
        "Description",
        "Location",
        "IsAllDayEvent",
        "ActivityDate",
        "ActivityDateTime",
        "StartDateTime",
        "EndDateTime",
        "EndDate",
        "DurationInMinutes",
        "WhoId",
        "WhatId",
        "AccountId",
    }
)


class Relations:
    """Keeps relation rows and child events in step with their activities."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._complete = org.switches.shared_activities

    def catch_up(self) -> None:
        """Gives older activities their relation rows when Shared Activities was switched on since."""
        org = self._org
        wanted = org.switches.shared_activities
        if wanted and not self._complete:
            for name in ("Event", "Task"):
                kind = org.schema.object(name)
                for row in [row for row in org.store.table(name) if not row.get("IsDeleted")]:
                    who_ids = [row["WhoId"]] if row.get("WhoId") else []
                    counts = {"WhoCount": len(who_ids), "WhatCount": 1 if row.get("WhatId") else 0}
                    shared = {**row, f"{name}WhoIds": who_ids, **counts}
                    org.store.table(name).put(shared)
                    self.write(kind, shared, user_id=row["CreatedById"], now=row["SystemModstamp"])
        self._complete = wanted

    def who_ids(self, kind: ObjectType, before: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
        """All contacts, or the one lead, of an activity after a write; the primary one first.

        Raises ``SalesforceError`` for too many contacts, or a lead beside others.
        """
        field = f"{kind.name}WhoIds"
        former = list(before.get(field) or ([before["WhoId"]] if before.get("WhoId") else []))
        if field in sent:
            wanted = list(sent[field])
            primary = sent.get("WhoId")
            ids = [primary, *wanted] if primary else wanted
        elif "WhoId" in sent:
            ids = [sent["WhoId"], *former[1:]] if sent["WhoId"] else []
        else:
            ids = former
        ids = list(dict.fromkeys(ids))
        leads = [who for who in ids if who.startswith(LEAD)]
        if len(ids) > MOST_CONTACTS or (leads and len(ids) > 1):
            raise SalesforceError(
                "FIELD_INTEGRITY_EXCEPTION",
                f"An activity can be related to {MOST_CONTACTS} contacts or one lead",
                fields=[field],
            )
        return ids

    def check_new(self, name: str, relation: Mapping[str, Any]) -> None:
        """Whether somebody may be added to an activity; ``name`` is that of the relation object.

        Raises ``SalesforceError``: DUPLICATE_VALUE for somebody who is there already, FIELD_INTEGRITY_EXCEPTION for an
        owner who is invited, for a record that is nobody, and for a lead beside a related record or other people.
        """
        activity, related = name.removesuffix("Relation"), relation["RelationId"]
        for present in self.of(activity, relation[f"{activity}Id"]):
            if present["RelationId"] == related:
                raise SalesforceError(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: RelationId duplicates value on record with id: {present['Id']}",
                    fields=["RelationId"],
                )
        row = self._org.store.table(activity).get(relation[f"{activity}Id"])
        if name != EVENT_RELATION or row is None:
            return
        if not related.startswith(_INVITEES):
            raise _not_relatable("Only people and resources can be invited; relate a record by WhatId", "RelationId")
        if related == row.get("OwnerId"):
            raise _not_relatable("The owner of an event cannot be invited to it", "RelationId")
        if not relation.get("IsParent"):
            return
        if not related.startswith((CONTACT, LEAD)):
            raise _not_relatable("Only a contact or a lead can be a parent of an event", "IsParent")
        if related.startswith(LEAD) and row.get("WhatId"):
            raise _not_relatable("A lead cannot be combined with a related record", "RelationId")
        if self._org.switches.shared_activities:
            kind, former = self._org.schema.object(activity), row.get("EventWhoIds") or ()
            self.who_ids(kind, row, {"EventWhoIds": [*former, related]})

    def write(self, kind: ObjectType, row: Row, *, user_id: str, now: datetime) -> None:
        """Makes the relation rows those of the activity as it is now. Only in an org with Shared Activities."""
        wanted = dict.fromkeys(row.get(f"{kind.name}WhoIds") or (), False)
        if row.get("WhatId"):
            wanted[row["WhatId"]] = True
        present = {
            relation["RelationId"]: relation
            for relation in self.of(kind.name, row["Id"])
            if not relation.get("IsInvitee")
        }
        table = f"{kind.name}Relation"
        for related, relation in present.items():
            if related not in wanted:
                self._org.records.remove(table, relation["Id"])
        for related, is_what in wanted.items():
            if related not in present:
                self.add(kind.name, row["Id"], related, user_id=user_id, now=now, IsParent=True, IsWhat=is_what)

    def add(self, activity: str, activity_id: str, related: str, *, user_id: str, now: datetime, **flags: Any) -> Row:
        """A new relation row."""
        org, table = self._org, f"{activity}Relation"
        relation = {
            "Id": org.new_id(table),
            f"{activity}Id": activity_id,
            "RelationId": related,
            "AccountId": self._account_of(related),
            "IsDeleted": False,
            "Status": "New",
            **flags,
        }
        stamped = org.stamp(relation, user_id, now)
        org.records.put(table, stamped)
        return stamped

    def of(self, activity: str, activity_id: str, *, deleted: bool = False) -> Iterator[Row]:
        """Relation rows of an activity."""
        table = self._org.store.table(f"{activity}Relation")
        for record_id in table.find(f"{activity}Id", activity_id):
            row = table.get(record_id)
            if row is not None and bool(row.get("IsDeleted")) is deleted:
                yield row

    def copy_for(self, event: Row, invitee: str, *, user_id: str, now: datetime) -> Row:
        """The copy that an invited user gets; the event itself becomes a group event."""
        org, kind = self._org, self._org.schema.object("Event")
        own = {field.name for field in kind.fields.values() if field.unique} | _NOT_COPIED
        copied = {name: value for name, value in event.items() if name not in own}
        for name in ("CreatedDate", "CreatedById"):
            copied.pop(name, None)
        child = org.stamp(
            {
                **copied,
                "Id": org.new_id("Event"),
                "OwnerId": invitee,
                "IsChild": True,
                "IsGroupEvent": True,
                "GroupEventType": "1",
                PARENT: event["Id"],
            },
            user_id,
            now,
        )
        org.records.put("Event", child)
        if not event.get("IsGroupEvent"):
            org.records.put("Event", {**event, "IsGroupEvent": True, "GroupEventType": "1", "SystemModstamp": now})
        return child

    def children(self, event_id: str) -> Iterator[Row]:
        """Copies of an event that are not deleted."""
        table = self._org.store.table("Event")
        for record_id in table.find(PARENT, event_id):
            row = table.get(record_id)
            if row is not None and not row.get("IsDeleted"):
                yield row

    def carry_over(self, event: Row, *, user_id: str, now: datetime) -> None:
        """Copies of an event follow what was edited in it."""
        if not event.get("IsGroupEvent") or event.get("IsChild"):
            return
        shared = {name: event.get(name) for name in _COPIED_ON_EDIT}
        for child in list(self.children(event["Id"])):
            self._org.records.put("Event", self._org.stamp({**child, **shared}, user_id, now))

    def _account_of(self, related: str) -> str | None:
        if related.startswith("001"):
            return related
        if not related.startswith(CONTACT):
            return None
        contact = self._org.store.table("Contact").get(related) or {}
        found: str | None = contact.get("AccountId")
        return found


def _not_relatable(message: str, field: str) -> SalesforceError:
    return SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, fields=[field])


def primary(ids: Sequence[str]) -> str | None:
    """The first participant; None when there is none."""
    return ids[0] if ids else None
