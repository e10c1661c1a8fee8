"""Values that follow from others: the account of an activity, closed flags, the number and name of a new record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from cshub_sandbox.salesforce.objects import FieldKind, ObjectType
from cshub_sandbox.salesforce.org import Org

ACTIVITIES = frozenset({"Event", "Task"})
_ACCOUNT_BEARERS = frozenset({"Opportunity", "Contract"})
_STAGES_CLOSED = frozenset({"Closed Won", "Closed Lost"})
Values = Mapping[str, Any]


def account_of(org: Org, row: Values) -> str | None:
    """The account of an activity: that of WhatId when it has one, else that of a contact (§2.3).

    An account that is deleted is none.
    """
    what = row.get("WhatId")
    if what is not None:
        by_what = _account_behind(org, what)
        if by_what is not None and not is_deleted(org, "Account", by_what):
            return by_what
    who = row.get("WhoId")
    contact = org.store.table("Contact").get(who) if who is not None else None
    found: str | None = contact.get("AccountId") if contact is not None else None
    return None if found is not None and is_deleted(org, "Account", found) else found


def is_deleted(org: Org, name: str, record_id: str) -> bool:
    """Whether a record of an object lies in the recycle bin."""
    row = org.store.table(name).get(record_id)
    return row is not None and bool(row.get("IsDeleted"))


def _account_behind(org: Org, what: str) -> str | None:
    kind = org.schema.object_of(what)
    if kind is None:
        return None
    if kind.name == "Account":
        return what
    row = org.store.table(kind.table).get(what) or {}
    if kind.name in _ACCOUNT_BEARERS:
        found: str | None = row.get("AccountId")
        return found
    return custom_parent(kind, row) if kind.custom else None


def custom_parent(kind: ObjectType, row: Values) -> str | None:
    """The account that a record of a custom object belongs to."""
    lookups = (f.name for f in kind.fields.values() if f.kind is FieldKind.REFERENCE and f.reference_to == ("Account",))
    return next((row[name] for name in lookups if row.get(name) is not None), None)


def accounts_touched(org: Org, kind: ObjectType, *rows: Values) -> set[str]:
    """The accounts that a write of these versions of a row locks (§3.2)."""
    found: set[str | None] = set()
    for row in rows:
        if kind.name == "Account":
            found.add(row.get("Id"))
        elif kind.name in ACTIVITIES:
            found |= {row.get("AccountId"), account_of(org, row)}
        else:
            found |= {row.get("AccountId"), custom_parent(kind, row)}
    return {account_id for account_id in found if account_id is not None}


def closed_flags(kind: ObjectType, before: Values, after: Values, *, now: datetime) -> dict[str, Any]:
    """Closed flags of cases and opportunities; nothing for other objects."""
    derive = _CLOSED.get(kind.name)
    return derive(before, after, now) if derive else {}


def _case(before: Values, after: Values, now: datetime) -> dict[str, Any]:
    closed = after.get("Status") == "Closed"
    return {"IsClosed": closed, "ClosedDate": (before.get("ClosedDate") or now) if closed else None}


def _opportunity(before: Values, after: Values, now: datetime) -> dict[str, Any]:
    return {"IsClosed": after.get("StageName") in _STAGES_CLOSED, "IsWon": after.get("StageName") == "Closed Won"}


_CLOSED: Mapping[str, Callable[[Values, Values, datetime], dict[str, Any]]] = {
    "Case": _case,
    "Opportunity": _opportunity,
}
