"""Puts ready-made records into an org without the rules of a write: how worlds and histories are seeded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cshub_sandbox.salesforce.activity_rules import event_times, task_flags
from cshub_sandbox.salesforce.derivation import account_of
from cshub_sandbox.salesforce.field_rules import with_defaults
from cshub_sandbox.salesforce.org import Org
from cshub_sandbox.salesforce.relations import Relations
from cshub_sandbox.salesforce.switches import MovedEvent


class Planter:
    """Every method gives the id of the new row. ``at`` is when a user made it and last changed it."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._relations = Relations(org)

    def record(
        self, name: str, values: Mapping[str, Any], *, user_id: str, at: datetime, record_id: str | None = None
    ) -> str:
        """A row of any object; defaults are filled in."""
        kind = self._org.schema.object(name)
        row = with_defaults(kind, {"OwnerId": user_id, "IsDeleted": False, **values})
        if kind.field("OwnerId") is None:
            del row["OwnerId"]
        if kind.field("IsDeleted") is None:
            del row["IsDeleted"]
        for field in kind.fields.values():
            if field.auto_number:
                row[field.name] = self._org.next_number(f"{name}.{field.name}")
        row["Id"] = record_id or self._org.new_id(name)
        self._org.store.table(kind.table).put(self._org.stamp(row, user_id, at))
        return str(row["Id"])

    def event(self, values: Mapping[str, Any], *, starts_at: datetime, minutes: int, user_id: str, at: datetime) -> str:
        """A timed event."""
        times = event_times(
            {},
            {"StartDateTime": starts_at, "DurationInMinutes": minutes},
            api_version=0.0,
            multi_day=True,
            moved=MovedEvent.KEEP_DURATION,
        )
        return self._activity("Event", {**values, **times}, user_id=user_id, at=at)

    def task(self, values: Mapping[str, Any], *, user_id: str, at: datetime) -> str:
        return self._activity("Task", {**values, **task_flags({}, values, now=at)}, user_id=user_id, at=at)

    def _activity(self, name: str, values: Mapping[str, Any], *, user_id: str, at: datetime) -> str:
        row = {**values, "AccountId": account_of(self._org, values)}
        shared = self._org.switches.shared_activities
        if shared:
            who = [row["WhoId"]] if row.get("WhoId") else []
            row |= {f"{name}WhoIds": who, "WhoCount": len(who), "WhatCount": 1 if row.get("WhatId") else 0}
        record_id = self.record(name, row, user_id=user_id, at=at)
        if shared:
            kind = self._org.schema.object(name)
            planted = self._org.store.table(name).get(record_id)
            assert planted is not None
            self._relations.write(kind, planted, user_id=user_id, now=at)
        return record_id


def working_time(day: datetime, slot: int) -> datetime:
    """One of twenty half hours between 8:00 and 18:00 UTC of the day."""
    return day.replace(hour=8, minute=0, second=0, microsecond=0) + timedelta(minutes=30 * (slot % 20))
