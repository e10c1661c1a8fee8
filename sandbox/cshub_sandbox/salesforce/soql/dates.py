"""Relative date literals: the days each one means, in the zone of the running user.

Ranges are half-open. ``LAST_N_DAYS:n`` includes today (docs/vendors/salesforce.md §2.2); ``NEXT_N_DAYS:n`` begins
tomorrow; weeks begin on Sunday, as in the locale en_US. The fiscal year is the calendar year.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from cshub_sandbox.salesforce.soql.syntax import RelativeDate

_Unit = Callable[[date, int], date]


def _day(today: date, steps: int) -> date:
    return today + timedelta(days=steps)


def _week(today: date, steps: int) -> date:
    return today - timedelta(days=today.isoweekday() % 7) + timedelta(weeks=steps)


def _months(today: date, length: int, steps: int) -> date:
    months = today.year * 12 + (today.month - 1) // length * length + steps * length
    return date(months // 12, months % 12 + 1, 1)


_UNITS: dict[str, _Unit] = {
    "DAY": _day,
    "WEEK": _week,
    "MONTH": lambda today, steps: _months(today, 1, steps),
    "QUARTER": lambda today, steps: _months(today, 3, steps),
    "YEAR": lambda today, steps: _months(today, 12, steps),
}


class _Span(NamedTuple):
    """From the start of the unit ``low`` steps from now to the start of the one ``high`` steps from now."""

    unit: _Unit
    low: int
    high: int


_FIXED = {
    "YESTERDAY": _Span(_day, -1, 0),
    "TODAY": _Span(_day, 0, 1),
    "TOMORROW": _Span(_day, 1, 2),
    "LAST_90_DAYS": _Span(_day, -90, 1),
    "NEXT_90_DAYS": _Span(_day, 1, 91),
}
_STEPS = {"LAST": -1, "THIS": 0, "NEXT": 1}
_SINGLE = re.compile(r"(LAST|THIS|NEXT)_(?:(WEEK|MONTH)|(?:FISCAL_)?(QUARTER|YEAR))")
_COUNTED = re.compile(r"(?:(LAST|NEXT)_)?N_(?:(DAY|WEEK|MONTH)|(?:FISCAL_)?(QUARTER|YEAR))S(_AGO)?")


def days_of(literal: RelativeDate, today: date) -> tuple[date, date] | None:
    """First day, and the day after the last one; None when there is no such literal or it leaves the calendar."""
    span = _span(literal)
    if span is None:
        return None
    try:
        return span.unit(today, span.low), span.unit(today, span.high)
    except (OverflowError, ValueError):
        return None


def moment(day: date, zone: tzinfo) -> datetime:
    """Midnight of ``day`` in ``zone``, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _span(literal: RelativeDate) -> _Span | None:
    count = literal.number
    if count is None:
        single = _SINGLE.fullmatch(literal.word)
        if single is None:
            return _FIXED.get(literal.word)
        step = _STEPS[single[1]]
        return _Span(_UNITS[single[2] or single[3]], step, step + 1)
    counted = _COUNTED.fullmatch(literal.word)
    if counted is None or (counted[1] is None) == (counted[4] is None):
        return None
    name = counted[2] or counted[3]
    ranges = {"LAST": (-count, 1 if name == "DAY" else 0), "NEXT": (1, count + 1), None: (-count, 1 - count)}
    return _Span(_UNITS[name], *ranges[counted[1]])
