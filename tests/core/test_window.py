from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.core.errors import WindowError
from cshub.core.records import RunKind
from cshub.core.window import Window, WindowFacts, WindowRules, choose_window, next_watermark, spans

from .core_cast import NOW, STEADY

RULES = WindowRules(first_run=timedelta(days=7), overlap=timedelta(hours=24))
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
WINDOWS = st.builds(lambda start, length: Window(start, start + length), MOMENTS, st.timedeltas(HOUR, 60 * DAY))


def nightly(zone: str, first: date, nights: int) -> list[Window]:
    """Data intervals of a job that runs each night at 23:00 of the zone."""
    ticks = [datetime.combine(first + DAY * night, time(23), ZoneInfo(zone)) for night in range(nights + 1)]
    return [Window(start, end) for start, end in pairwise(ticks)]


def scheduled(interval: Window, **more: Any) -> WindowFacts:
    return WindowFacts(RunKind.SCHEDULED, now=interval.end, interval=interval, **more)


@pytest.mark.parametrize(
    ("zone", "change", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 23),
        ("Europe/Berlin", date(2026, 10, 24), 25),
        ("America/New_York", date(2026, 3, 7), 23),
        ("America/New_York", date(2026, 10, 31), 25),
    ],
)
def test_the_night_the_clocks_change_is_read_whole_and_once(zone: str, change: date, hours: int) -> None:
    nights = nightly(zone, change - DAY, 3)
    assert nights[1].end - nights[1].start == hours * HOUR
    windows = [choose_window(scheduled(night, watermark=night.start), RULES) for night in nights]
    assert [window.end for window in windows] == [night.end for night in nights]
    assert [window.start for window in windows] == [night.start - RULES.overlap for night in nights]
    parts = [part for night in nights for part in night.split(HOUR)]
    assert all(earlier.end == later.start for earlier, later in pairwise(parts))
    assert len(parts) == 48 + hours


def test_the_hour_that_comes_twice_is_an_hour() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    window = Window(first, first.replace(fold=1))
    assert window.end - window.start == HOUR
    assert window.as_text() == "2026-10-25 00:30 … 2026-10-25 01:30 UTC"
    assert first in window
    assert first.replace(fold=1) not in window


def test_a_window_is_half_open() -> None:
    window = Window(NOW, NOW + HOUR)
    assert NOW in window
    assert NOW + HOUR not in window


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (NOW.replace(tzinfo=None), NOW, "start 2026-11-20T12:00:00 has no time zone"),
        (NOW, (NOW + HOUR).replace(tzinfo=None), "end 2026-11-20T13:00:00 has no time zone"),
        (NOW, NOW, "not after its start"),
        (NOW, NOW - HOUR, "not after its start"),
    ],
)
def test_bounds_that_make_no_window_are_refused_with_the_next_step(start: datetime, end: datetime, says: str) -> None:
    with pytest.raises(WindowError, match=says):
        Window(start, end)


@STEADY
@given(WINDOWS, st.timedeltas(HOUR / 4, 90 * DAY))
def test_splitting_covers_a_window_without_gap_or_overlap(window: Window, step: timedelta) -> None:
    parts = list(window.split(max(step, (window.end - window.start) / 200)))
    assert parts[0].start == window.start
    assert parts[-1].end == window.end
    assert all(earlier.end == later.start for earlier, later in pairwise(parts))


def test_the_first_run_reads_the_days_of_the_first_run_and_no_overlap() -> None:
    interval = Window(NOW - DAY, NOW)
    assert choose_window(scheduled(interval), RULES) == Window(NOW - 7 * DAY, NOW)


def test_a_later_run_reads_its_interval_and_the_overlap_before_it() -> None:
    interval = Window(NOW - DAY, NOW)
    assert choose_window(scheduled(interval, watermark=NOW - DAY), RULES) == Window(NOW - 2 * DAY, NOW)


def test_after_an_outage_the_run_reaches_back_to_the_watermark() -> None:
    interval = Window(NOW - DAY, NOW)
    window = choose_window(scheduled(interval, watermark=NOW - 9 * DAY), RULES)
    assert window == Window(NOW - 10 * DAY, NOW)


def test_an_interval_before_the_watermark_is_still_read_whole() -> None:
    interval = Window(NOW - 5 * DAY, NOW - 4 * DAY)
    assert choose_window(scheduled(interval, watermark=NOW), RULES) == Window(NOW - 6 * DAY, NOW - 4 * DAY)


def test_a_manual_run_without_interval_reads_from_the_watermark_to_now() -> None:
    facts = WindowFacts(RunKind.MANUAL, now=NOW, watermark=NOW - HOUR)
    assert choose_window(facts, RULES) == Window(NOW - HOUR - DAY, NOW)


@pytest.mark.parametrize("watermark", [NOW, NOW + HOUR])
def test_a_watermark_at_or_after_now_still_makes_a_window(watermark: datetime) -> None:
    window = choose_window(WindowFacts(RunKind.MANUAL, now=NOW, watermark=watermark), WindowRules(DAY, timedelta(0)))
    assert window == Window(NOW - timedelta(seconds=1), NOW)


@pytest.mark.parametrize("kind", [RunKind.MANUAL, RunKind.SCHEDULED, RunKind.BACKFILL, RunKind.DRY])
def test_bounds_that_a_person_asks_for_are_taken_exactly(kind: RunKind) -> None:
    asked = Window(NOW - 90 * DAY, NOW - 60 * DAY)
    facts = WindowFacts(
        kind,
        now=NOW,
        interval=Window(NOW - DAY, NOW),
        asked_start=asked.start,
        asked_end=asked.end,
        watermark=NOW,
        full_from=NOW - 700 * DAY,
    )
    assert choose_window(facts, RULES) == asked


@pytest.mark.parametrize(("given_one", "missing"), [("asked_start", "window_end"), ("asked_end", "window_start")])
def test_one_bound_alone_is_refused_and_the_other_is_named(given_one: str, missing: str) -> None:
    bounds: dict[str, Any] = {given_one: NOW}
    with pytest.raises(WindowError, match=f"give {missing} too"):
        choose_window(WindowFacts(RunKind.MANUAL, now=NOW, **bounds), RULES)


def test_a_backfill_reads_exactly_its_interval() -> None:
    interval = Window(NOW - 30 * DAY, NOW - 29 * DAY)
    facts = WindowFacts(RunKind.BACKFILL, now=NOW, interval=interval, watermark=NOW)
    assert choose_window(facts, RULES) == interval


def test_a_backfill_without_interval_says_how_to_create_one() -> None:
    with pytest.raises(WindowError, match="airflow backfill create"):
        choose_window(WindowFacts(RunKind.BACKFILL, now=NOW), RULES)


def test_a_full_sync_reads_from_the_earliest_moment_to_now() -> None:
    interval = Window(NOW - 3 * DAY, NOW - 2 * DAY)
    facts = WindowFacts(RunKind.SCHEDULED, NOW, interval, watermark=NOW - DAY, full_from=NOW - 730 * DAY)
    assert choose_window(facts, RULES) == Window(NOW - 730 * DAY, NOW)


def test_only_the_first_run_sets_the_watermark_anew() -> None:
    window = Window(NOW - DAY, NOW)
    assert next_watermark(window, None, first_run=True) == NOW
    assert next_watermark(window, None, first_run=False) is None


def test_a_backfill_far_behind_does_not_move_the_watermark_back() -> None:
    assert next_watermark(Window(NOW - 9 * DAY, NOW - 8 * DAY), NOW, first_run=False) == NOW


def test_a_window_far_ahead_does_not_make_the_watermark_leap_over_unread_time() -> None:
    assert next_watermark(Window(NOW + DAY, NOW + 2 * DAY), NOW, first_run=False) == NOW


@STEADY
@given(st.lists(WINDOWS, max_size=12), MOMENTS)
def test_the_watermark_never_leaps_and_never_moves_back(windows: list[Window], start: datetime) -> None:
    watermark: datetime = start
    for window in windows:
        after = next_watermark(window, watermark, first_run=False)
        assert after is not None
        assert after >= watermark
        assert after == watermark or window.start <= watermark < after == window.end
        watermark = after


@STEADY
@given(st.lists(st.integers(0, 5), min_size=1, max_size=10), st.timedeltas(timedelta(0), 3 * DAY))
def test_scheduled_runs_with_any_outage_leave_no_unread_time(outages: list[int], overlap: timedelta) -> None:
    """``outages``: nights that were missed before each run."""
    lay_down = WindowRules(7 * DAY, overlap)
    nights = nightly("Europe/Berlin", date(2026, 10, 20), sum(outages) + len(outages))
    watermark: datetime | None = None
    position, read_until = -1, None
    for missed in outages:
        position += missed + 1
        window = choose_window(scheduled(nights[position], watermark=watermark), lay_down)
        assert read_until is None or window.start <= read_until
        read_until = window.end
        watermark = next_watermark(window, watermark, first_run=watermark is None)
        assert watermark == read_until


@given(st.lists(MOMENTS, max_size=30), st.timedeltas(timedelta(0), 400 * DAY))
def test_moments_that_lie_close_together_form_one_span(moments: list[datetime], gap: timedelta) -> None:
    found = spans(moments, gap)
    assert all(sum(first <= moment <= last for first, last in found) == 1 for moment in moments)
    assert all(first in moments and last in moments for first, last in found)
    assert all(later[0] - earlier[1] > gap for earlier, later in pairwise(found))
    for first, last in found:
        inside = sorted(moment for moment in moments if first <= moment <= last)
        assert all(after - before <= gap for before, after in pairwise(inside))
