"""The times of an event as Salesforce wants them sent (docs/vendors/salesforce.md §4.1): no contradiction, no gap.

==================================  =======================================================================
mapped                              sent
==================================  =======================================================================
ActivityDate alone                  an event of the whole day
StartDateTime, with or without it   a timed event; ActivityDate follows from it in UTC and is left out
EndDateTime                         as it is; a length mapped beside it is left out
neither end nor length              the length that the event has, a new one that of the job's options
IsAllDayEvent                       decides, where it is mapped
==================================  =======================================================================

An event that is moved stays what it is, timed or of the whole day, and its length is sent again with its new start.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Self

from cshub.core.errors import DataError
from cshub.core.values import iso_ms, moment_or_midnight, parse_moment

TIME_FIELDS = frozenset(
    {"IsAllDayEvent", "ActivityDate", "ActivityDateTime", "StartDateTime", "EndDateTime", "DurationInMinutes"}
)
READ_FIELDS = ("IsAllDayEvent", "StartDateTime", "DurationInMinutes")
"""What :meth:`EventTimes.of_body` needs to know of an event."""
DAY_MINUTES = 1440
_ALL_DAY, _STARTS, _MINUTES = "all_day", "starts_at", "minutes"
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventTimes:
    """When an event takes place now. ``starts_at``: ISO 8601 UTC; ``minutes``: its length; None where not known."""

    is_all_day: bool
    starts_at: str | None = None
    minutes: int | None = None

    @classmethod
    def of_body(cls, body: Values) -> Self:
        minutes = body.get("DurationInMinutes")
        return cls(
            body.get("IsAllDayEvent") is True, body.get("StartDateTime"), None if minutes is None else int(minutes)
        )

    @classmethod
    def of_extra(cls, extra: Mapping[str, str], values: Values) -> Self:
        """From what :meth:`as_extra` gave; without it, an event with a start is taken for a timed one."""
        if _ALL_DAY not in extra:
            return cls(values.get("StartDateTime") is None)
        minutes = extra.get(_MINUTES, "")
        return cls(extra[_ALL_DAY] == "true", extra.get(_STARTS) or None, int(minutes) if minutes else None)

    def as_extra(self) -> dict[str, str]:
        """Texts to keep beside the key of the record."""
        minutes = "" if self.minutes is None else str(self.minutes)
        return {_ALL_DAY: str(self.is_all_day).lower(), _STARTS: self.starts_at or "", _MINUTES: minutes}


def times_of_new(values: Values, *, default_minutes: int) -> dict[str, Any]:
    """Time fields of a new event. Raises :class:`DataError` for one without a date."""
    start = _start(values)
    is_all_day = values.get("IsAllDayEvent")
    if is_all_day is None:
        is_all_day = start is None
    if not is_all_day:
        if start is None:
            raise DataError("A timed event needs StartDateTime: map it, or leave IsAllDayEvent out.")
        length = _length(values, start, values.get("DurationInMinutes"), default_minutes)
        return {"IsAllDayEvent": False, "StartDateTime": start, **length}
    day = values.get("ActivityDate") or _day_of(start)
    if day is None:
        raise DataError("An event needs a date: map ActivityDate or StartDateTime, and see why this record has none.")
    return {"IsAllDayEvent": True, "ActivityDate": day, **_last_day(values)}


def times_of_changed(
    values: Values, changed: AbstractSet[str], now: EventTimes, *, default_minutes: int
) -> dict[str, Any]:
    """Time fields of an event that changes; {} when none does. A date is never taken away: an event must have one.

    ``values``: all that the event shall hold; ``changed``: names of those that differ from what it holds.
    Raises :class:`DataError` for an event that becomes timed without a start.
    """
    new = {name: values[name] for name in changed & TIME_FIELDS if values.get(name) is not None}
    if not new:
        return {}
    is_all_day = new.get("IsAllDayEvent", now.is_all_day)
    if is_all_day:
        return _changed_day(values, new, now)
    return _changed_time(values, new, now, default_minutes)


def held_times(changed: AbstractSet[str], sent: Values) -> dict[str, str]:
    """Time fields that a changed event keeps in another form than it was told: by name, as they will be read.

    ``changed``: names of the mapped fields; ``sent``: the row that was sent. A whole day begins at its midnight in UTC,
    and a timed event lies on the day in UTC on which it begins.
    """
    start, day = sent.get("StartDateTime"), sent.get("ActivityDate")
    if sent.get("IsAllDayEvent") and day is not None:
        midnight = f"{day}T00:00:00.000Z"
        held = {"ActivityDate": str(day), "StartDateTime": midnight, "ActivityDateTime": midnight}
    elif start is not None:
        held = {"ActivityDate": str(_day_of(start)), "StartDateTime": str(start), "ActivityDateTime": str(start)}
    else:
        return {}
    return {name: value for name, value in held.items() if name in changed}


def _changed_day(values: Values, new: Values, now: EventTimes) -> dict[str, Any]:
    day = new.get("ActivityDate") or _day_of(_start(new))
    if not now.is_all_day:
        day = day or values.get("ActivityDate") or _day_of(now.starts_at)
    moved = {} if day is None else {"IsAllDayEvent": True, "ActivityDate": day}
    ends = _last_day(new)
    if moved and not ends and now.is_all_day and now.minutes is not None and now.minutes > DAY_MINUTES:
        ends = {"DurationInMinutes": now.minutes}
    return {**moved, **ends}


def _changed_time(values: Values, new: Values, now: EventTimes, default_minutes: int) -> dict[str, Any]:
    start = _start(new)
    if now.is_all_day:
        start = start or _start(values)
        if start is None:
            raise DataError("An event of the whole day becomes a timed one and has no StartDateTime: map it.")
        length = _length(values, start, values.get("DurationInMinutes"), default_minutes)
        return {"IsAllDayEvent": False, "StartDateTime": start, **length}
    if start is None and "ActivityDate" in new and now.starts_at is not None:
        start = f"{new['ActivityDate']}T{now.starts_at.partition('T')[2]}"
    if start is None:
        return {"EndDateTime": new["EndDateTime"]} if "EndDateTime" in new else _minutes(new.get("DurationInMinutes"))
    kept = new.get("DurationInMinutes", now.minutes)
    return {"StartDateTime": start, **_length(values, start, kept, default_minutes)}


def _start(values: Values) -> Any:
    return values.get("StartDateTime") or values.get("ActivityDateTime")


def _length(values: Values, start: str, minutes: Any, default_minutes: int) -> dict[str, Any]:
    """End or length of a timed event; an end that would lie before the start is not the event's any more."""
    end = values.get("EndDateTime")
    if end is not None and parse_moment(end) >= parse_moment(start):
        return {"EndDateTime": end}
    return _minutes(default_minutes if minutes is None else minutes)


def _minutes(value: Any) -> dict[str, Any]:
    return {} if value is None else {"DurationInMinutes": int(value)}


def _last_day(values: Values) -> dict[str, Any]:
    """End of an event of whole days: the midnight in UTC at which its last day begins."""
    end = values.get("EndDateTime")
    return {} if end is None else {"EndDateTime": iso_ms(moment_or_midnight(str(_day_of(end))))}


def _day_of(moment: str | None) -> str | None:
    """The day of a moment in UTC."""
    return None if moment is None else parse_moment(moment).date().isoformat()
