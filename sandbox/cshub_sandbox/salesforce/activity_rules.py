"""What an event's times and a task's status must be, and what follows from them.

Rules: docs/vendors/salesforce.md §4.1, §4.2. Pure: rows and values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.field_rules import missing_fields
from cshub_sandbox.salesforce.switches import MovedEvent

LONGEST_EVENT_MINUTES = 1_440  # docs/vendors/salesforce.md §4.1 DurationInMinutes
DAY_MINUTES = 1_440
END_ERROR_SINCE = 39.0  # from v39 on the error of a missing duration names EndDateTime
CLOSED_TASK_STATUSES = frozenset({"Completed"})
HIGH_PRIORITIES = frozenset({"High"})
_TIME_FIELDS = (
    "IsAllDayEvent",
    "ActivityDate",
    "ActivityDateTime",
    "StartDateTime",
    "EndDateTime",
    "DurationInMinutes",
)

Values = Mapping[str, Any]


def event_times(
    before: Values, sent: Values, *, api_version: float, multi_day: bool, moved: MovedEvent
) -> dict[str, Any]:
    """All time fields of an event after a write.

    ``before`` is the stored row ({} for a new one), ``sent`` the values of the write. Raises ``SalesforceError``:
    REQUIRED_FIELD_MISSING without start or duration, FIELD_INTEGRITY_EXCEPTION when they contradict each other.
    """
    if before and not any(name in sent for name in _TIME_FIELDS):
        return {}
    all_day = bool(sent.get("IsAllDayEvent", before.get("IsAllDayEvent", False)))
    changed_kind = bool(before) and all_day != bool(before.get("IsAllDayEvent", False))
    start = _all_day_start(before, sent) if all_day else _timed_start(before, sent)
    minutes = _length(before, sent, start, all_day=all_day, changed_kind=changed_kind, moved=moved)
    if minutes is None:
        raise missing_fields(["EndDateTime" if api_version >= END_ERROR_SINCE else "DurationInMinutes"])
    if minutes < 0:
        raise _contradiction("The end of an event cannot be before its start", "EndDateTime")
    if minutes > LONGEST_EVENT_MINUTES and not multi_day:
        raise _contradiction(
            f"Duration must be between 0 and {LONGEST_EVENT_MINUTES} minutes: {minutes}", "DurationInMinutes"
        )
    end = start + timedelta(minutes=max(minutes - DAY_MINUTES, 0) if all_day else minutes)
    return {
        "IsAllDayEvent": all_day,
        "ActivityDate": start.date(),
        "ActivityDateTime": start,
        "StartDateTime": start,
        "EndDateTime": end,
        "EndDate": end.date(),
        "DurationInMinutes": minutes,
    }


def _timed_start(before: Values, sent: Values) -> datetime:
    given = [sent[name] for name in ("StartDateTime", "ActivityDateTime") if sent.get(name) is not None]
    if len(set(given)) > 1:
        raise _contradiction("ActivityDateTime must equal StartDateTime", "ActivityDateTime")
    kept = None if before.get("IsAllDayEvent") else before.get("StartDateTime")
    cleared = "StartDateTime" in sent or "ActivityDateTime" in sent
    start: datetime | None = given[0] if given else (None if cleared else kept)
    if start is None:
        raise missing_fields(["ActivityDateTime"])
    day = sent.get("ActivityDate")
    if day is not None and day != start.date():
        raise _contradiction("ActivityDate must equal the date of StartDateTime", "ActivityDate")
    return start


def _all_day_start(before: Values, sent: Values) -> datetime:
    days: list[date] = [
        value.date() if isinstance(value, datetime) else value
        for name in ("ActivityDate", "StartDateTime", "ActivityDateTime")
        if (value := sent.get(name)) is not None
    ]
    if len(set(days)) > 1:
        raise _contradiction("ActivityDate must equal the date of StartDateTime", "ActivityDate")
    day = days[0] if days else before.get("ActivityDate")
    if day is None:
        raise missing_fields(["ActivityDate"])
    return datetime.combine(day, time(), tzinfo=UTC)


def _length(
    before: Values, sent: Values, start: datetime, *, all_day: bool, changed_kind: bool, moved: MovedEvent
) -> int | None:
    """Minutes of the event; None when nothing tells them."""
    duration, end = sent.get("DurationInMinutes"), sent.get("EndDateTime")
    by_end = None
    if end is not None:
        by_end = (end.date() - start.date()).days * DAY_MINUTES + DAY_MINUTES if all_day else _minutes(end - start)
    if duration is not None and by_end is not None and duration != by_end:
        raise _contradiction("DurationInMinutes and EndDateTime do not agree", "DurationInMinutes")
    if duration is not None or by_end is not None:
        return int(duration) if duration is not None else by_end
    if all_day:
        kept = None if changed_kind else before.get("DurationInMinutes")
        return kept or DAY_MINUTES
    cleared = "DurationInMinutes" in sent and "EndDateTime" in sent
    if not before or changed_kind or cleared:
        return None
    if moved is MovedEvent.KEEP_END:
        return _minutes(before["EndDateTime"] - start)
    return int(before["DurationInMinutes"])


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)


def _contradiction(message: str, field: str) -> SalesforceError:
    return SalesforceError("FIELD_INTEGRITY_EXCEPTION", message, fields=[field])


def task_flags(before: Values, after: Values, *, now: datetime) -> dict[str, Any]:
    """IsClosed, IsHighPriority and CompletedDateTime of a task whose values are ``after``."""
    closed = after.get("Status") in CLOSED_TASK_STATUSES
    completed = (before.get("CompletedDateTime") or now) if closed else None
    return {
        "IsClosed": closed,
        "IsHighPriority": after.get("Priority") in HIGH_PRIORITIES,
        "CompletedDateTime": completed,
    }


def is_due_for_archive(row: Values, *, is_event: bool, now: datetime, after_days: int) -> bool:
    """Whether the yearly archive takes an activity (docs/vendors/salesforce.md §2.4)."""
    limit = now - timedelta(days=after_days)
    if is_event:
        return bool(row.get("EndDateTime") and row["EndDateTime"] <= limit)
    if not row.get("IsClosed"):
        return False
    due = row.get("ActivityDate")
    return bool(due <= limit.date() if due else row["CreatedDate"] <= limit)
