"""Whole intervals of a schedule: what Airflow's backfill reads for a window that a person asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter


@dataclass(frozen=True, slots=True)
class IntervalRange:
    """Neighbouring intervals of a schedule: the starts of the first and the last one, and the end of the last."""

    first: datetime
    last: datetime
    end: datetime


def overlapping(cron: str, zone: ZoneInfo, start: datetime, end: datetime) -> IntervalRange:
    """Every interval of ``cron`` in ``zone`` that shares a moment with ``[start, end)``.

    Ticks are those of the wall clock. In the hour that a clock shows twice the range is rather too wide than too
    narrow.
    """
    until = start.astimezone(zone).replace(microsecond=0) + timedelta(seconds=1)
    first, last = _tick_before(cron, until), _tick_before(cron, end.astimezone(zone))
    after: datetime = croniter(cron, last).get_next(datetime)
    return IntervalRange(min(_moments(first, zone)), max(_moments(last, zone)), max(_moments(after, zone)))


def _tick_before(cron: str, moment: datetime) -> datetime:
    """The last tick before ``moment`` on its wall clock, without zone."""
    tick: datetime = croniter(cron, moment.replace(tzinfo=None, fold=0)).get_prev(datetime)
    return tick


def _moments(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The one or two moments that a wall clock may mean, in UTC."""
    return [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
