"""What was deleted and what was changed in a window (docs/vendors/salesforce.md §2.4)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cshub_sandbox.salesforce.calls import Behaviour, Call
from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.rows import json_value
from cshub_sandbox.salesforce.values import parse_instant

DELETED_REACH = timedelta(days=15)
UPDATED_REACH = timedelta(days=30)
MOST_IDS = 600_000


def list_deleted(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    start, end = _window(on, call, reach=DELETED_REACH)
    earliest = on.org.now() - timedelta(seconds=on.org.switches.delete_log_s)
    table = on.org.store.table(kind.table)
    found: dict[str, datetime] = {}
    with on.org.records.as_seen_at(on.org.now()):
        for deletion in on.org.deletions:
            if deletion.table != kind.table or not max(start, earliest) <= deletion.at < end:
                continue
            row = table.get(deletion.record_id)
            if row is None or row.get("IsDeleted"):
                found[deletion.record_id] = deletion.at
    _check_count(len(found))
    return {
        "deletedRecords": [{"deletedDate": json_value(at), "id": record_id} for record_id, at in found.items()],
        "earliestDateAvailable": json_value(earliest.replace(second=0)),
        "latestDateCovered": json_value(_covered(on, end)),
    }


def list_updated(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    start, end = _window(on, call, reach=UPDATED_REACH)
    table = on.org.store.table(kind.table)
    with on.org.records.as_seen_at(on.org.now()):
        rows = [(record_id, table.get(record_id)) for record_id in table.changed_since(start)]
    ids = [
        record_id
        for record_id, row in rows
        if row is not None and row["SystemModstamp"] < end and not row.get("IsDeleted") and not row.get("IsArchived")
    ]
    _check_count(len(ids))
    return {"ids": ids, "latestDateCovered": json_value(_covered(on, end))}


def _window(on: Behaviour, call: Call, *, reach: timedelta) -> tuple[datetime, datetime]:
    """Start and end, seconds ignored. Raises INVALID_REPLICATION_DATE."""
    start, end = (_moment(call, name).replace(second=0) for name in ("start", "end"))
    if end - start < timedelta(minutes=1):
        raise _refused("endDate: the end must be at least one minute after the start")
    if start < on.org.now().replace(second=0) - reach:
        raise _refused(f"startDate: the start cannot be more than {reach.days} days ago")
    return start, end


def _moment(call: Call, name: str) -> datetime:
    text = call.request.param(name)
    if not text:
        raise SalesforceError("MISSING_ARGUMENT", f"The parameter {name} is missing")
    try:
        return parse_instant(text)
    except ValueError as problem:
        raise _refused(f"{name}: invalid date {text}") from problem


def _covered(on: Behaviour, end: datetime) -> datetime:
    known = on.org.now() - timedelta(seconds=on.org.switches.covered_lag_s)
    return min(end, known).replace(second=0)


def _check_count(count: int) -> None:
    if count > MOST_IDS:
        raise SalesforceError("EXCEEDED_ID_LIMIT", f"More than {MOST_IDS} ids; choose a smaller window")


def _refused(message: str) -> SalesforceError:
    return SalesforceError("INVALID_REPLICATION_DATE", message)
