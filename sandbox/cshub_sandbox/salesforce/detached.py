"""Activities that outlive a record they point to: they lose their person or their account, and get it back.

Nothing public says what an org does here beyond §2.3 of docs/vendors/salesforce.md; what is assumed stands in
docs/sandbox-salesforce.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cshub_sandbox.salesforce.derivation import ACTIVITIES, account_of, is_deleted
from cshub_sandbox.salesforce.objects import ObjectType
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.relations import LEAD, Relations, primary
from cshub_sandbox.salesforce.rows import Row

CUT_LOOSE = "_CutLoose"  # a deleted record's own note of the activities that stayed
_PEOPLE = frozenset({"Contact", "Lead"})


@dataclass(frozen=True, slots=True)
class Tie:
    """An activity that stayed. ``place`` is where the deleted person was among its people; None: only the account."""

    table: str
    record_id: str
    place: int | None = None


class Detached:
    """Cuts activities loose from deleted records and ties them again. Only ``SystemModstamp`` tells."""

    def __init__(self, org: Org, relations: Relations) -> None:
        self._org = org
        self._relations = relations

    def cut_loose(self, kind: ObjectType, record_id: str, *, user_id: str, now: datetime) -> tuple[Tie, ...]:
        """After a record was deleted: what it was to the activities that are still there."""
        ties = []
        if kind.name in _PEOPLE:
            for name, row in self._with_person(record_id):
                ids = _people(name, row)
                ties.append(Tie(name, row["Id"], ids.index(record_id)))
                ids.remove(record_id)
                self._write(name, row, ids, user_id=user_id, now=now)
        elif kind.name == "Account":
            for name in sorted(ACTIVITIES):
                for row in self._live(name, self._org.store.table(name).find("AccountId", record_id)):
                    ties.append(Tie(name, row["Id"]))
                    self._write(name, row, _people(name, row), user_id=user_id, now=now)
        return tuple(ties)

    def tie_again(self, ties: Iterable[Tie], record_id: str, *, user_id: str, now: datetime) -> None:
        """After a record was undeleted: it is again what it was, where nothing else took its place meanwhile."""
        for tie in ties:
            for row in self._live(tie.table, [tie.record_id]):
                ids = _people(tie.table, row)
                if tie.place is not None and _fits(tie.table, row, ids, record_id):
                    ids.insert(tie.place, record_id)
                self._write(tie.table, row, ids, user_id=user_id, now=now)

    def settle(self, kind: ObjectType, row: Row, *, user_id: str, now: datetime) -> None:
        """After an activity was undeleted: people and accounts that are deleted by now are not pointed to."""
        ids = [who for who in _people(kind.name, row) if not self._is_gone(who)]
        self._write(kind.name, row, ids, user_id=user_id, now=now)

    def _write(self, name: str, row: Row, ids: list[str], *, user_id: str, now: datetime) -> None:
        org, shared = self._org, f"{name}WhoIds"
        changed = {**row, "WhoId": primary(ids)}
        if shared in row:
            changed |= {shared: ids, "WhoCount": len(ids)}
        changed["AccountId"] = account_of(org, changed)
        if all(row.get(field) == value for field, value in changed.items()):
            return
        stamped = {**changed, "SystemModstamp": now}
        org.records.put(name, stamped)
        if shared in row and org.switches.shared_activities:
            self._relations.write(org.schema.object(name), stamped, user_id=user_id, now=now)

    def _with_person(self, record_id: str) -> Iterator[tuple[str, Row]]:
        for name in sorted(ACTIVITIES):
            relations = self._org.store.table(f"{name}Relation")
            further = (relations.get(relation_id) for relation_id in relations.find("RelationId", record_id))
            ids = [relation[f"{name}Id"] for relation in further if relation is not None]
            for row in self._live(name, {*ids, *self._org.store.table(name).find("WhoId", record_id)}):
                if record_id in _people(name, row):
                    yield name, row

    def _live(self, name: str, ids: Iterable[str]) -> list[Row]:
        rows = (self._org.store.table(name).get(record_id) for record_id in sorted(ids))
        return [row for row in rows if row is not None and not row.get("IsDeleted")]

    def _is_gone(self, who: str) -> bool:
        return is_deleted(self._org, "Lead" if who.startswith(LEAD) else "Contact", who)


def _people(name: str, row: Row) -> list[str]:
    """The contacts, or the lead, of an activity; the primary one first."""
    return list(row.get(f"{name}WhoIds") or ([row["WhoId"]] if row.get("WhoId") else []))


def _fits(name: str, row: Row, ids: list[str], record_id: str) -> bool:
    """Whether a person can be added to those of an activity."""
    if record_id.startswith(LEAD):
        return not ids and not row.get("WhatId")
    beside_lead = any(who.startswith(LEAD) for who in ids)
    return record_id not in ids and not beside_lead and (not ids or f"{name}WhoIds" in row)
