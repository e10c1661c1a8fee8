"""Deleted records: what goes with them, what comes back with them, and when they are gone for good (§2.4)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cshub_sandbox.salesforce.derivation import ACTIVITIES
from cshub_sandbox.salesforce.detached import CUT_LOOSE, Detached
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.objects import ObjectType
from cshub_sandbox.salesforce.org import Deletion, Org
from cshub_sandbox.salesforce.relations import PARENT, Relations
from cshub_sandbox.salesforce.rows import Row
from cshub_sandbox.salesforce.uniqueness import check_unique

BLANKED = "_Blanked"  # what an activity of Shared Activities is given back when it is undeleted
DELETED_AT = "_DeletedAt"
DELETED_WITH = "_DeletedWith"  # the record whose deletion took this one along
_NOTES = frozenset({BLANKED, CUT_LOOSE, DELETED_AT, DELETED_WITH})
_CHILDREN_OF_ACCOUNT = (("Opportunity", "AccountId"), ("Contact", "AccountId"))
_TAKEN_ALONG = ("Contact", "Opportunity", "Event", "Task")  # people first: what comes later may point to them


class RecycleBin:
    """The recycle bin of one org. Methods that write must run inside a transaction."""

    def __init__(self, org: Org, relations: Relations) -> None:
        self._org = org
        self._relations = relations
        self._detached = Detached(org, relations)
        self._emptied_until = datetime.min.replace(tzinfo=UTC)

    def put_in(self, kind: ObjectType, before: Row, *, user_id: str, taken_by: str | None = None) -> None:
        """Deletes a row, and with it what belongs to it: copies of an event, people and business of an account, and
        the activities whose WhatId it is. Other activities stay and are cut loose from it."""
        org, now = self._org, self._org.now()
        row: dict[str, Any] = {**before, "IsDeleted": True, DELETED_AT: now, DELETED_WITH: taken_by}
        for child_kind, child in list(self._belongings(kind, before)):
            self.put_in(child_kind, child, user_id=user_id, taken_by=before["Id"])
        if kind.name in ACTIVITIES and org.switches.shared_activities:
            blank = ("WhoId", "WhatId", "AccountId", f"{kind.name}WhoIds")
            row[BLANKED] = {name: before.get(name) for name in blank}
            row |= dict.fromkeys(blank)
            for relation in list(self._relations.of(kind.name, before["Id"])):
                org.records.put(f"{kind.name}Relation", {**relation, "IsDeleted": True, "SystemModstamp": now})
        if org.switches.delete_moves_stamp:
            row = org.stamp(row, user_id, now)
        org.records.put(kind.table, row)
        if cut_loose := self._detached.cut_loose(kind, before["Id"], user_id=user_id, now=now):
            org.records.put(kind.table, {**row, CUT_LOOSE: cut_loose})
        org.deletions.append(Deletion(now, kind.table, before["Id"]))

    def take_out(self, kind: ObjectType, record_id: str, *, user_id: str) -> None:
        """Undeletes a row and what its deletion took along. Raises UNDELETE_FAILED when it is not in the bin."""
        org, now = self._org, self._org.now()
        before = org.store.table(kind.table).get(record_id)
        if before is None or not before.get("IsDeleted"):
            raise SalesforceError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        row = {name: value for name, value in before.items() if name not in _NOTES}
        row |= {"IsDeleted": False, **before.get(BLANKED, {})}
        check_unique(org, kind, row, row)
        restored = org.stamp(row, user_id, now)
        org.records.put(kind.table, restored)
        if kind.name in ACTIVITIES:
            for relation in list(self._relations.of(kind.name, record_id, deleted=True)):
                org.records.put(f"{kind.name}Relation", {**relation, "IsDeleted": False, "SystemModstamp": now})
            self._detached.settle(kind, restored, user_id=user_id, now=now)
        for name in _TAKEN_ALONG:
            for child_id in org.store.table(name).find(DELETED_WITH, record_id):
                self.take_out(org.schema.object(name), child_id, user_id=user_id)
        self._detached.tie_again(before.get(CUT_LOOSE, ()), record_id, user_id=user_id, now=now)

    def empty(self, *, older_than: timedelta) -> int:
        """Forgets deleted records for good; gives how many. The list of deletions keeps them."""
        org, limit, gone = self._org, self._org.now() - older_than, 0
        for deletion in org.deletions:
            row = org.store.table(deletion.table).get(deletion.record_id)
            if row is not None and row.get("IsDeleted") and row[DELETED_AT] <= limit:
                org.records.remove(deletion.table, deletion.record_id)
                gone += 1
        return gone

    def empty_old(self) -> None:
        """Forgets what has been in the bin for longer than the org keeps it."""
        keep = timedelta(days=self._org.switches.recycle_bin_days)
        limit = self._org.now() - keep
        if self._org.deletions and self._org.deletions[0].at <= limit and self._emptied_until < limit:
            self.empty(older_than=keep)
            self._emptied_until = limit

    def _belongings(self, kind: ObjectType, row: Row) -> Iterator[tuple[ObjectType, Row]]:
        org = self._org
        if kind.name == "Event":
            yield from ((kind, child) for child in self._relations.children(row["Id"]))
        elif kind.name == "EventRelation" and row.get("IsInvitee"):
            event = org.schema.object("Event")
            for child in self._relations.children(row["EventId"]):
                if child["OwnerId"] == row["RelationId"]:
                    yield event, child
        elif kind.name not in ACTIVITIES:
            related = [(name, "WhatId") for name in sorted(ACTIVITIES)]
            for name, field in (*related, *(_CHILDREN_OF_ACCOUNT if kind.name == "Account" else ())):
                child_kind, table = org.schema.object(name), org.store.table(name)
                for record_id in table.find(field, row["Id"]):
                    found = table.get(record_id)
                    if found is not None and not found.get("IsDeleted") and not found.get(PARENT):
                        yield child_kind, found
