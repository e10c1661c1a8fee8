from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cshub.cli.intervals import overlapping

NIGHTLY = "0 23 * * *"
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2026-11-10T00:00", "2026-11-12T00:00", "2026-11-09T23:00", "2026-11-11T23:00"),
        ("2026-11-09T23:00", "2026-11-11T23:00", "2026-11-09T23:00", "2026-11-10T23:00"),
        ("2026-11-10T22:59:59.500", "2026-11-11T23:00:00.500", "2026-11-09T23:00", "2026-11-11T23:00"),
        ("2026-11-10T12:00", "2026-11-10T12:01", "2026-11-09T23:00", "2026-11-09T23:00"),
    ],
)
def test_a_window_is_read_in_every_interval_that_overlaps_it(start: str, end: str, first: str, last: str) -> None:
    found = overlapping(NIGHTLY, ZoneInfo("UTC"), at(start), at(end))
    assert (found.first, found.last, found.end) == (at(first), at(last), at(last) + timedelta(days=1))


def test_intervals_follow_the_wall_clock_of_the_zone() -> None:
    found = overlapping(NIGHTLY, BERLIN, at("2026-10-24T12:00"), at("2026-10-25T12:00"))
    assert (found.first, found.last, found.end) == (
        at("2026-10-23T21:00"),
        at("2026-10-24T21:00"),
        at("2026-10-25T22:00"),
    )


@given(
    start=st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 31))
    | st.datetimes(datetime(2026, 10, 23), datetime(2026, 10, 27)),
    minutes=st.integers(1, 3000),
    cron=st.sampled_from([NIGHTLY, "30 2 * * *", "*/15 * * * *", "0 2 * * 0"]),
)
def test_the_intervals_cover_the_window(start: datetime, minutes: int, cron: str) -> None:
    begin = start.replace(tzinfo=UTC)
    end = begin + timedelta(minutes=minutes)
    found = overlapping(cron, BERLIN, begin, end)
    assert found.first <= begin
    assert found.end >= end
    assert found.first <= found.last < found.end
