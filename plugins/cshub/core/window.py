"""Which stretch of time a run reads. All windows are half-open and in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cshub.core.errors import WindowError
from cshub.core.records import RunKind


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """``[start, end)`` in UTC. Raises :class:`WindowError` for a bound without zone or an end not after the start."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, bound in (("start", self.start), ("end", self.end)):
            if bound.tzinfo is None:
                raise WindowError(
                    f"The window's {name} {bound.isoformat()} has no time zone: write it with Z or an offset."
                )
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            raise WindowError(
                f"The window ends at {self.end.isoformat()}, not after its start {self.start.isoformat()}: "
                "give an end that is later than the start."
            )

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def split(self, step: timedelta) -> Iterator[Window]:
        """Consecutive windows of at most ``step`` that cover this one without gap or overlap."""
        start = self.start
        while start < self.end:
            end = min(start + step, self.end)
            yield Window(start, end)
            start = end

    def as_text(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} … {self.end:%Y-%m-%d %H:%M} UTC"


def spans(moments: Iterable[datetime], gap: timedelta) -> list[tuple[datetime, datetime]]:
    """First and last of each group of moments in which no two neighbours are further apart than ``gap``."""
    found: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        if found and moment - found[-1][1] <= gap:
            found[-1] = (found[-1][0], moment)
        else:
            found.append((moment, moment))
    return found


@dataclass(frozen=True, slots=True)
class WindowRules:
    """How a job widens its windows: days on the first run, the overlap on every later scheduled or manual run.

    ``ahead``: how far all these read beyond their end, where records may be dated in the future.
    """

    first_run: timedelta
    overlap: timedelta
    ahead: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class WindowFacts:
    """What is known when a run starts. ``interval``: Airflow's data interval, None when the run has none."""

    kind: RunKind
    now: datetime
    interval: Window | None = None
    asked_start: datetime | None = None
    asked_end: datetime | None = None
    watermark: datetime | None = None
    full_from: datetime | None = None  # set for a full sync: the earliest moment worth reading


def choose_window(facts: WindowFacts, rules: WindowRules) -> Window:
    """The window of one run.

    Asked for by a person: exactly that. Backfill: exactly the data interval. Full sync: from ``full_from``.
    Otherwise the data interval (or, without one, up to now), stretched back to the watermark so that no outage
    leaves a gap, and by the overlap for records that became visible late; on the first run, by ``first_run``.

    Raises :class:`WindowError` when only one bound was asked for or the bounds make no window.
    """
    if facts.asked_start or facts.asked_end:
        if not (facts.asked_start and facts.asked_end):
            missing = "window_end" if facts.asked_start else "window_start"
            raise WindowError(f"Only one bound of the window was given: give {missing} too, or neither.")
        return Window(facts.asked_start, facts.asked_end)
    if facts.kind is RunKind.BACKFILL:
        if facts.interval is None:
            raise WindowError("A backfill run has no data interval: create it with `airflow backfill create`.")
        return facts.interval
    end = facts.interval.end if facts.interval else facts.now
    if facts.full_from is not None:
        return Window(facts.full_from, max(end, facts.now) + rules.ahead)
    if facts.watermark is None:
        return Window(end - rules.first_run, end + rules.ahead)
    starts = [facts.watermark] + ([facts.interval.start] if facts.interval else [])
    return Window(min(*starts, end - timedelta(seconds=1)) - rules.overlap, end + rules.ahead)


def next_watermark(window: Window, watermark: datetime | None, *, first_run: bool) -> datetime | None:
    """Where the watermark stands after ``window`` was handled: it never moves back and never leaps over unread time."""
    if watermark is None:
        return window.end if first_run else None
    return max(watermark, window.end) if window.start <= watermark else watermark
